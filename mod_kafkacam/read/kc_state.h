/* What is known about one camera besides its pictures: the producer's status record, and the
 * state that is shown to people, which is not the same: a record may say "streaming" long after
 * its producer died.
 *
 * jansson is used here and nowhere else in the module's upstream half. Nothing here keeps state:
 * any thread. Knows neither httpd nor Kafka. */
#ifndef KC_STATE_H
#define KC_STATE_H

#include <apr_pools.h>
#include <apr_time.h>
#include "kc_frame.h"
#include "kc_wire.h"

/* UTF-8 with the terminating 0; what is longer is cut between characters. */
#define KC_STATE_NAME_SIZE  128
#define KC_STATE_ERROR_SIZE 256

/* A status record (docs/RECORD.md). A field is 0 or "" where the record did not say. */
typedef struct {
    char name[KC_STATE_NAME_SIZE];
    int streaming;
    char told[KC_WIRE_STATE_SIZE]; /* any other state: a word, perhaps one of a newer producer */
    apr_time_t since;
    double fps;
    apr_uint32_t width;
    apr_uint32_t height;
    apr_int64_t bytes_per_s;
    char error[KC_STATE_ERROR_SIZE];
} kc_status_record_t;

/* Longer status records are refused. */
#define KC_STATE_RECORD_MAX 65536

/* text is the record's value. APR_SUCCESS, or APR_EINVAL with *why (a static text) if it makes no
 * sense; *record is untouched then. */
apr_status_t kc_state_record_parse(kc_status_record_t *record, const char *text, apr_size_t size,
                                   const char **why);

typedef enum {
    KC_STATE_UNKNOWN, /* nothing has ever been heard of it */
    KC_STATE_LIVE,    /* a sign of life came lately (kc_life.h), or the producer just said so */
    KC_STATE_OFFLINE, /* there were signs, or the producer says it streams; now none come */
    KC_STATE_TOLD,    /* the producer's own word */
    KC_STATES
} kc_state_word_t;

typedef struct {
    apr_uint32_t cam;
    kc_state_word_t word;
    char told[KC_WIRE_STATE_SIZE]; /* the producer's word, "": it streams */
    apr_time_t since;              /* 0: not known */
    char name
        [KC_STATE_NAME_SIZE]; /* cleaned (kc_wire_text_clean), but escape it where it is shown */
    double fps;
    apr_uint32_t width;
    apr_uint32_t height;
    apr_int64_t bytes_per_s;
    char error[KC_STATE_ERROR_SIZE]; /* as name */
} kc_state_t;

/* "live", "offline", ..., or the word that was told. Lives as long as state. */
const char *kc_state_word(const kc_state_t *state);

/* Does anything differ that a viewer would see? */
int kc_state_differs(const kc_state_t *one, const kc_state_t *other);

/* The camera object of /cameras.json and of a wall's state parts:
 * {"camera":3,"name":"Gate",...}. With newest also what /cam/N.json says about the newest
 * picture: offset, seq, captured, size, age_ms (as of now). ASCII: everything else is escaped,
 * "/" too, so that it may stand in a script. */
char *kc_state_json(const kc_state_t *state, const kc_frame_t *newest, apr_time_t now,
                    apr_pool_t *pool);

/* Any text as a JSON string, quotes and all. What is not UTF-8 becomes "?". */
char *kc_state_json_text(const char *text, apr_pool_t *pool);

#endif
