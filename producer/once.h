/* Remembers what was said, so that trouble which comes and goes all night fills no log. A zeroed
 * one has said nothing. One thread. */
#ifndef ONCE_H
#define ONCE_H

#include <stddef.h>
#include <stdint.h>

#define ONCE_PLACES 4

struct once {
    uint64_t said[ONCE_PLACES]; /* hashes */
    unsigned count;
};

/* 1: text was not said since once_forget(), say it; it is remembered from now on. 0: it was, or
 * as many others. */
int once_new(struct once *once, const char *text);

/* Whether the next new text would not be remembered and so is not said. */
int once_full(const struct once *once);

/* It is over: what comes is said again. 1: something had been said. */
int once_forget(struct once *once);

#endif
