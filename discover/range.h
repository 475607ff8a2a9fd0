/* Which IPv4 addresses to ask: "192.168.1.20", "192.168.1.0/24", "192.168.1.10-40" (the end is a
 * last byte or a whole address). Pure. */
#ifndef RANGE_H
#define RANGE_H

#include <stdint.h>

/* More than that is a typing error, not a network of cameras: a /16. */
#define RANGE_MAX 65536

struct range {
    uint32_t first; /* host byte order, both ends belong to it */
    uint32_t last;
};

/* 0, or -1 and why (a constant text): this is no range. Of a network of more than two addresses the
 * first and the last, which are no hosts, are left out. */
int range_parse(struct range *range, const char *text, const char **why);

#endif
