#include "once.h"

#include <string.h>
#include "mem.h"

int once_new(struct once *once, const char *text)
{
    uint64_t hash = mem_hash(text);
    unsigned i;

    for (i = 0; i < once->count; i++) {
        if (once->said[i] == hash) {
            return 0;
        }
    }
    if (once_full(once)) {
        return 0;
    }
    once->said[once->count++] = hash;
    return 1;
}

int once_full(const struct once *once)
{
    return once->count == ONCE_PLACES;
}

int once_forget(struct once *once)
{
    int said = once->count > 0;

    memset(once, 0, sizeof(*once));
    return said;
}
