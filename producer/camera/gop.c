#include "gop.h"

#include <string.h>

/* A rate this much below the wanted one still counts as that rate: 0.98 key frames a second serve
 * 1 fps. */
#define SLACK 0.95

/* No group is longer, or its clock jumped. */
#define GROUP_MAX_US INT64_C(60000000)

void gop_init(struct gop *gop, double fps)
{
    memset(gop, 0, sizeof(*gop));
    gop->fps = fps;
    gop->begun_us = INT64_MIN;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* By the slower of the last two groups, so that one short group changes nothing. */
static enum gop_mode choose(const struct gop *gop)
{
    if (gop->fps <= 0 || gop->groups < 2) {
        return GOP_ALL;
    }
    if (smaller(gop->key_fps, gop->last_key_fps) >= gop->fps * SLACK) {
        return GOP_KEYS;
    }
    if (smaller(gop->reference_fps, gop->last_reference_fps) >= gop->fps * SLACK) {
        return GOP_REFERENCES;
    }
    return GOP_ALL;
}

static void close_group(struct gop *gop, int64_t media_us)
{
    int64_t length_us = gop->begun_us == INT64_MIN ? 0 : media_us - gop->begun_us;

    if (length_us > 0 && length_us < GROUP_MAX_US) {
        gop->groups++;
        gop->last_key_fps = gop->key_fps;
        gop->last_reference_fps = gop->reference_fps;
        gop->key_fps = 1e6 / (double)length_us;
        gop->reference_fps = gop->references * 1e6 / (double)length_us;
    }
    else {
        gop->groups = 0;
    }
    gop->begun_us = media_us;
    gop->references = 0;
    gop->mode = choose(gop);
}

int gop_wants(struct gop *gop, int key, int reference, int64_t media_us)
{
    if (key) {
        close_group(gop, media_us);
    }
    if (reference) {
        gop->references++;
    }
    switch (gop->mode) {
    case GOP_KEYS:
        return key;
    case GOP_REFERENCES:
        return reference;
    default:
        return 1;
    }
}

/* Where the next NAL unit begins, behind its start code, or size. */
static size_t next_nal(const uint8_t *data, size_t size, size_t at)
{
    while (at + 3 < size) {
        if (data[at] == 0 && data[at + 1] == 0 && data[at + 2] == 1) {
            return at + 3;
        }
        at++;
    }
    return size;
}

int gop_is_reference(enum gop_codec codec, const uint8_t *data, size_t size)
{
    size_t at = next_nal(data, size, 0);
    unsigned type;

    /* The first slice tells for all: slices of one picture agree in this. */
    for (; at < size; at = next_nal(data, size, at)) {
        if (codec == GOP_H264) {
            type = data[at] & 31;
            if (type >= 1 && type <= 5) {      /* a slice */
                return (data[at] & 0x60) != 0; /* nal_ref_idc */
            }
        }
        else {
            type = (data[at] >> 1) & 63;
            if (type < 32) { /* a slice; even below 16: not a reference (in its sub-layer) */
                return type >= 16 || type % 2;
            }
        }
    }
    return 1;
}
