/* Every picture that Kafka still holds: read on demand by a few threads of their own, each with a
 * Kafka client of its own, so that a large read does not delay live pictures; what was read is
 * shared by all who look at the same minute (kc_blocks). Nothing of it goes through the live hubs.
 *
 * Who sends pictures asks kc_past_find(), which never waits: what is not here is asked for, and the
 * hub of kc_past_news() tells when something of a camera came. Requests stand in a queue with a
 * bound, whoever has fewer in it first, and are forgotten when nobody can wait for them any
 * more. */
#ifndef KC_PAST_H
#define KC_PAST_H

#include <httpd.h>
#include "kc_config.h"
#include "kc_hub.h"
#include "kc_roster.h"

/* In child_init: start what config asks for. Ends when pchild goes. s is for the log. */
apr_status_t kc_past_start(kc_past_t **past, const kc_config_t *config, apr_pool_t *pchild,
                           server_rec *s);

/* As kc_source_stopping() and kc_source_abandon(). */
void kc_past_stopping(kc_past_t *past);
void kc_past_abandon(kc_past_t *past);

/* Carries no frames: watch a camera there to be told that kc_past_find() may answer otherwise.
 * NULL: no such layer is configured. */
kc_hub_t *kc_past_news(kc_past_t *past, kc_layer_t layer);

typedef enum {
    KC_PAST_FOUND,
    KC_PAST_ASKED, /* it is being read: the hub tells */
    KC_PAST_BUSY,  /* too much is being read: ask again in a while */
    KC_PAST_END,   /* there is nothing at offset or after it, as yet (or before it: nothing kept) */
    KC_PAST_AWAY,  /* Kafka does not answer, or has no leader for the partition: a while, too */
    KC_PAST_DENIED /* or does not let us read */
} kc_past_answer_t;

/* Whoever asks, for a fair order among many; all 0 at first. Any memory. */
typedef struct {
    apr_uint32_t asked; /* of a second */
    apr_time_t second;
} kc_past_asker_t;

/* The first picture at offset or after it (step 1), or the last one at offset or before it (step
 * -1). You own one reference. Any thread; never waits. */
kc_past_answer_t kc_past_find(kc_past_t *past, kc_past_asker_t *asker, kc_layer_t layer,
                              apr_uint32_t cam, apr_int64_t offset, int step, kc_frame_t **frame);

/* offset will be asked for soon: have it read. Never waits; forgotten if too much is being read. */
void kc_past_read_ahead(kc_past_t *past, kc_past_asker_t *asker, kc_layer_t layer, apr_uint32_t cam,
                        apr_int64_t offset);

/* kc_past_find(), waited for until until. Any thread that may wait. */
kc_past_answer_t kc_past_await(kc_past_t *past, kc_past_asker_t *asker, kc_layer_t layer,
                               apr_uint32_t cam, apr_int64_t offset, int step, apr_time_t until,
                               kc_frame_t **frame);

/* Where a camera's partition begins and ends just now: oldest is the first offset that is kept, end
 * the one after the last. */
typedef struct {
    apr_uint32_t cam;   /* the question */
    int error;          /* a kc_past_answer_t: KC_PAST_FOUND, _AWAY or _DENIED */
    apr_int64_t oldest; /* both equal: there is nothing */
    apr_int64_t end;
} kc_past_extent_t;

/* One question for all of them. Waits, at most until until. */
void kc_past_extents(kc_past_t *past, kc_layer_t layer, kc_past_extent_t *extents, apr_size_t count,
                     apr_time_t until);

/* What a camera showed at a moment. */
typedef enum {
    KC_PAST_THEN,      /* frame: the newest picture not after it */
    KC_PAST_BEGINNING, /* frame: the oldest there is, which is after it */
    KC_PAST_NEWEST,    /* frame: the newest there is, so it may not be the last word */
    KC_PAST_NOTHING    /* no frame: there are no pictures, or why.error says what is wrong */
} kc_past_shown_t;

typedef struct {
    kc_past_extent_t extent; /* extent.cam is the question */
    kc_past_shown_t shown;
    kc_frame_t *frame; /* your reference, or NULL */
} kc_past_moment_t;

/* What count cameras showed at time. Asks Kafka's own index, for all in one request, and then the
 * pictures' own times; where there is no index, or it is no use because a clock jumped, a search
 * among the pictures. Waits, at most until until. */
void kc_past_look(kc_past_t *past, kc_layer_t layer, apr_time_t time, kc_past_moment_t *moments,
                  apr_size_t count, apr_time_t until);

/* The offset of the first picture of cam that is after time, within extent; extent->end: none is.
 * As kc_past_look(). -1: not known. */
apr_int64_t kc_past_after(kc_past_t *past, kc_layer_t layer, const kc_past_extent_t *extent,
                          apr_time_t time, apr_time_t until);

/* The same by Kafka's index alone, without looking at pictures: exact to a millisecond of the
 * records' timestamps. Where there is no index it is as kc_past_after(). time is before the
 * newest picture. */
apr_int64_t kc_past_index(kc_past_t *past, kc_layer_t layer, const kc_past_extent_t *extent,
                          apr_time_t time, apr_time_t until);

#endif
