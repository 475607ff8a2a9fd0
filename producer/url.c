#include "url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "mem.h"

int url_is_rtsps(const char *url)
{
    return !strncasecmp(url, "rtsps://", 8);
}

int url_is_rtsp(const char *url)
{
    return !strncasecmp(url, "rtsp://", 7) || url_is_rtsps(url);
}

/* Whether [text, end) is HOST or HOST:PORT. */
static int is_host(const char *text, const char *end)
{
    const char *p = text;
    const char *digits;

    if (p < end && *p == '[') {
        while (p < end && *p != ']') {
            p++;
        }
        p += p < end;
    }
    else {
        while (p < end && (isalnum((unsigned char)*p) || strchr("-._", *p))) {
            p++;
        }
    }
    if (p == text || p == end || *p != ':') {
        return p > text && p == end;
    }
    for (digits = ++p; p < end && isdigit((unsigned char)*p); p++) {
    }
    return p == end && p > digits && p - digits <= 5;
}

static const char *host_end(const char *host)
{
    return host + strcspn(host, "/?#");
}

/* The "@" behind the login, or NULL: there is none. Where the text can be read as RFC 3986 has it
 * that counts; else the password has a "/" in it and what follows a later "@" is the host. */
static const char *login_end(const char *begin)
{
    const char *at = memrchr(begin, '@', (size_t)(host_end(begin) - begin));
    const char *later;

    if (at ? is_host(at + 1, host_end(at + 1)) : is_host(begin, host_end(begin))) {
        return at;
    }
    for (later = strchr(at ? at + 1 : begin, '@'); later; later = strchr(later + 1, '@')) {
        if (is_host(later + 1, host_end(later + 1))) {
            return later;
        }
    }
    return at;
}

static int is_encoded(const char *p, const char *end)
{
    return end - p >= 3 && p[0] == '%' && isxdigit((unsigned char)p[1]) &&
           isxdigit((unsigned char)p[2]);
}

/* Returns where the text went on to. out has room for three times the input. */
static char *encode(char *out, const char *p, const char *end)
{
    for (; p < end; p++) {
        /* "+" means a space to FFmpeg from version 5 on. */
        if (isalnum((unsigned char)*p) || strchr("-._~!$&'()*,;=", *p) || is_encoded(p, end)) {
            *out++ = *p;
        }
        else {
            out += snprintf(out, sizeof("%FF"), "%%%02X", (unsigned char)*p);
        }
    }
    return out;
}

char *url_encode_login(const char *url)
{
    const char *begin = strstr(url, "://");
    const char *end, *colon;
    char *result, *out, *login;

    begin = begin ? begin + 3 : url;
    end = login_end(begin);
    if (!end) {
        return mem_text(url);
    }
    colon = memchr(begin, ':', (size_t)(end - begin));
    result = mem_zeroed(3, strlen(url) + 1);
    memcpy(result, url, (size_t)(begin - url));
    login = out = result + (begin - url);
    out = encode(out, begin, colon ? colon : end);
    if (colon) {
        *out++ = ':';
        out = encode(out, colon + 1, end);
    }
    if (out - login > URL_LOGIN_MAX) {
        explicit_bzero(result, strlen(result));
        free(result);
        return NULL;
    }
    memcpy(out, end, strlen(end) + 1);
    return result;
}

int url_host(char *host, unsigned long size, const char *url)
{
    const char *begin = strstr(url, "://");
    const char *at, *end;

    if (!begin) {
        return -1;
    }
    begin += 3;
    at = memrchr(begin, '@', (size_t)(host_end(begin) - begin));
    begin = at ? at + 1 : begin;
    end = host_end(begin);
    if (*begin == '[') {
        begin++;
        end = begin + strcspn(begin, "]");
    }
    else {
        end = begin + strcspn(begin, ":/?#");
    }
    if (end == begin || (size_t)(end - begin) >= size) {
        return -1;
    }
    snprintf(host, size, "%.*s", (int)(end - begin), begin);
    return 0;
}
