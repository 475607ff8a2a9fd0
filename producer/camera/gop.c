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
    if (!gop->no_alone && smaller(gop->key_fps, gop->last_key_fps) >= gop->fps * SLACK) {
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

void gop_barren(struct gop *gop)
{
    gop->no_alone = 1;
    gop->mode = choose(gop);
}
