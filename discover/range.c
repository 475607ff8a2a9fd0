#include "range.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* A number of digits alone, up to max, and nothing behind it. */
static int parse_number(uint32_t *number, const char *text, unsigned long max)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value;

    if (digits == 0 || digits > 3 || text[digits]) {
        return -1;
    }
    value = strtoul(text, NULL, 10);
    *number = (uint32_t)value;
    return value > max ? -1 : 0;
}

static int parse_address(uint32_t *address, const char *text)
{
    struct in_addr in;

    if (inet_pton(AF_INET, text, &in) != 1) {
        return -1;
    }
    *address = ntohl(in.s_addr);
    return 0;
}

static int parse_network(struct range *range, const char *bits)
{
    uint32_t length, mask;

    if (parse_number(&length, bits, 32)) {
        return -1;
    }
    mask = length ? ~UINT32_C(0) << (32 - length) : 0;
    range->first &= mask;
    range->last = range->first | ~mask;
    if (length <= 30) {
        range->first++;
        range->last--;
    }
    return 0;
}

static int parse_end(struct range *range, const char *end)
{
    uint32_t byte;

    if (strchr(end, '.')) {
        return parse_address(&range->last, end);
    }
    if (parse_number(&byte, end, 255)) {
        return -1;
    }
    range->last = (range->first & ~UINT32_C(255)) | byte;
    return 0;
}

int range_parse(struct range *range, const char *text, const char **why)
{
    char first[INET_ADDRSTRLEN];
    size_t length = strcspn(text, "/-");
    int wrong;

    *why = "an address is like 192.168.1.20, 192.168.1.0/24 or 192.168.1.10-40";
    if (length >= sizeof(first)) {
        return -1;
    }
    memcpy(first, text, length);
    first[length] = '\0';
    if (parse_address(&range->first, first)) {
        return -1;
    }
    range->last = range->first;
    wrong = text[length] == '/'   ? parse_network(range, text + length + 1)
            : text[length] == '-' ? parse_end(range, text + length + 1)
                                  : 0;
    if (wrong) {
        return -1;
    }
    if (range->last < range->first) {
        *why = "it ends before it begins";
        return -1;
    }
    if (range->last - range->first >= RANGE_MAX) {
        *why = "more than 65,536 addresses";
        return -1;
    }
    return 0;
}
