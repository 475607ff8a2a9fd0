#include "mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *block)
{
    if (!block) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return block;
}

void *mem_zeroed(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size));
}

void *mem_resize(void *block, size_t count, size_t size)
{
    return checked(reallocarray(block, count ? count : 1, size));
}

char *mem_text(const char *text)
{
    return text ? checked(strdup(text)) : NULL;
}

char *mem_print(const char *format, ...)
{
    va_list args;
    char *text = NULL;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    return checked(length < 0 ? NULL : text);
}

void mem_wipe(char *text)
{
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

uint64_t mem_hash(const char *text)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    }
    return hash ? hash : 1;
}
