/* Which cameras a wall shows, as its URL says it: "4" the first four, "1,3,5-8" these in this
 * order, "4-4" camera 4 alone (a comma or a dash makes it a list), "" all. Pure: no I/O, no
 * allocation, any thread. */
#ifndef KC_SELECTION_H
#define KC_SELECTION_H

#include <apr.h>

/* Commas in a list, plus one. More than a person writes, and enough for each second camera of
 * 500. */
#define KC_SELECTION_RANGES_MAX 250

typedef enum { KC_SELECTION_ALL, KC_SELECTION_COUNT, KC_SELECTION_LIST } kc_selection_kind_t;

typedef struct {
    kc_selection_kind_t kind;
    apr_uint32_t count; /* KC_SELECTION_COUNT: at least 1 */
    apr_size_t ranges;  /* KC_SELECTION_LIST: how many of the following */
    struct {
        apr_uint32_t first;
        apr_uint32_t last; /* not below first */
    } range[KC_SELECTION_RANGES_MAX];
} kc_selection_t;

/* 0 and *selection, or -1 for everything else than the forms above: no spaces, no signs, no leading
 * zeros, no range that runs backwards. text needs no terminating 0. */
int kc_selection_parse(kc_selection_t *selection, const char *text, apr_size_t size);

/* May this camera be chosen? */
typedef int kc_selection_ask_fn(void *baton, apr_uint32_t cam);

/* Choose from known, which is in ascending order: each camera of the selection once, and only if
 * ask says so; ask is not called for more cameras than needed. Writes to chosen, which has room
 * for known_count like taken, which holds zeros at first. Returns how many were chosen. */
apr_size_t kc_selection_choose(const kc_selection_t *selection, const apr_uint32_t *known,
                               apr_size_t known_count, kc_selection_ask_fn *ask, void *baton,
                               char *taken, apr_uint32_t *chosen);

#endif
