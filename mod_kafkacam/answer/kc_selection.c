#include "kc_selection.h"
#include <string.h>
#include "kc_wire.h"

static int parse_number(apr_uint32_t *number, const char *text, apr_size_t size)
{
    uint64_t value;

    if (kc_wire_number_parse(&value, text, size, KC_WIRE_CAM_MAX)) {
        return -1;
    }
    *number = (apr_uint32_t)value;
    return 0;
}

/* "5" or "5-8" */
static int parse_range(kc_selection_t *selection, const char *text, apr_size_t size)
{
    const char *dash = memchr(text, '-', size);
    apr_size_t before = dash ? (apr_size_t)(dash - text) : size;
    apr_uint32_t first, last;

    if (selection->ranges == KC_SELECTION_RANGES_MAX || parse_number(&first, text, before)) {
        return -1;
    }
    last = first;
    if (dash && parse_number(&last, dash + 1, size - before - 1)) {
        return -1;
    }
    if (last < first) {
        return -1;
    }
    selection->range[selection->ranges].first = first;
    selection->range[selection->ranges].last = last;
    selection->ranges++;
    return 0;
}

int kc_selection_parse(kc_selection_t *selection, const char *text, apr_size_t size)
{
    selection->kind = KC_SELECTION_ALL;
    selection->count = 0;
    selection->ranges = 0;
    if (size == 0) {
        return 0;
    }
    if (!memchr(text, ',', size) && !memchr(text, '-', size)) {
        selection->kind = KC_SELECTION_COUNT;
        return parse_number(&selection->count, text, size) || selection->count == 0 ? -1 : 0;
    }
    selection->kind = KC_SELECTION_LIST;
    for (;;) {
        const char *comma = memchr(text, ',', size);
        apr_size_t item = comma ? (apr_size_t)(comma - text) : size;

        if (parse_range(selection, text, item)) {
            return -1;
        }
        if (!comma) {
            return 0;
        }
        text += item + 1;
        size -= item + 1;
    }
}

/* The first place in known whose camera is not below cam. */
static apr_size_t lower_bound(const apr_uint32_t *known, apr_size_t count, apr_uint32_t cam)
{
    apr_size_t low = 0, high = count;

    while (low < high) {
        apr_size_t middle = low + (high - low) / 2;

        if (known[middle] < cam) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}

apr_size_t kc_selection_choose(const kc_selection_t *selection, const apr_uint32_t *known,
                               apr_size_t known_count, kc_selection_ask_fn *ask, void *baton,
                               char *taken, apr_uint32_t *chosen)
{
    apr_size_t limit = selection->kind == KC_SELECTION_COUNT ? selection->count : known_count;
    apr_size_t ranges = selection->kind == KC_SELECTION_LIST ? selection->ranges : 1;
    apr_size_t count = 0, i, at;

    for (i = 0; i < ranges; i++) {
        int is_list = selection->kind == KC_SELECTION_LIST;
        apr_uint32_t last = is_list ? selection->range[i].last : KC_WIRE_CAM_MAX;

        at = is_list ? lower_bound(known, known_count, selection->range[i].first) : 0;
        for (; at < known_count && known[at] <= last && count < limit; at++) {
            if (!taken[at]) {
                taken[at] = 1;
                if (ask(baton, known[at])) {
                    chosen[count++] = known[at];
                }
            }
        }
    }
    return count;
}
