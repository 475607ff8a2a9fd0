/* What the producer writes into Kafka and the module reads: names, and the text form of record
 * headers and states. A record's value is one bare JPEG with nothing around it; everything here is
 * extra, and a reader plays records that have none of it (docs/RECORD.md).
 *
 * Nothing here does I/O, allocates, or keeps state: any thread, any process. */
#ifndef KC_WIRE_H
#define KC_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define KC_WIRE_TOPIC        "video"
#define KC_WIRE_STATUS_TOPIC "video.status"
#define KC_WIRE_SMALL_TOPIC  "video.small"

/* Camera numbers are Kafka partitions and row ids at once: 0 to this. A number above the limit is
 * nonsense whatever the settings say, so that a stray digit cannot ask a broker for a million
 * partitions. */
#define KC_WIRE_CAM_MAX 99999

/* Record headers, decimal text. */
#define KC_WIRE_HEADER_CAPTURED "us"    /* capture time, microseconds since 1970 */
#define KC_WIRE_HEADER_SEQ      "seq"   /* frames of the writing process, from 1 */
#define KC_WIRE_HEADER_EPOCH    "epoch" /* start of the writing process, milliseconds since 1970 */
#define KC_WIRE_HEADER_WIDTH    "w"     /* pixels */
#define KC_WIRE_HEADER_HEIGHT   "h"

/* Fields of the JSON object in the status topic; its record key is the camera's number. */
#define KC_WIRE_STATUS_NAME        "name"
#define KC_WIRE_STATUS_STATE       "state" /* one of enum kc_wire_state as text */
#define KC_WIRE_STATUS_SINCE       "since" /* of the state, milliseconds since 1970 */
#define KC_WIRE_STATUS_FPS         "fps"   /* frames published per second */
#define KC_WIRE_STATUS_WIDTH       "w"
#define KC_WIRE_STATUS_HEIGHT      "h"
#define KC_WIRE_STATUS_BYTES_PER_S "bytes_per_s" /* published */
#define KC_WIRE_STATUS_HOST        "host"        /* that runs the camera's process */
#define KC_WIRE_STATUS_ERROR       "error" /* why it is not streaming, absent or "" if it is */

/* Decimal text of any uint64_t with its terminating 0. */
#define KC_WIRE_NUMBER_SIZE 21

/* The headers of one record. A field is 0 where the record did not say. */
struct kc_wire_meta {
    uint64_t captured_us;
    uint64_t seq;
    uint64_t epoch_ms;
    uint32_t width;
    uint32_t height;
};

enum kc_wire_state {
    KC_WIRE_CONNECTING,
    KC_WIRE_WAITING, /* connected, no key frame yet */
    KC_WIRE_STREAMING,
    KC_WIRE_FAILED, /* ended, will be tried again after a while */
    KC_WIRE_STATES
};

/* Decimal digits and nothing else (no sign, no space, no leading zero but "0" itself), at most max.
 * 0 and *number, or -1 and *number untouched. text needs no terminating 0. */
int kc_wire_number_parse(uint64_t *number, const char *text, size_t size, uint64_t max);

/* Write number as decimal text. Returns its length without the terminating 0. */
size_t kc_wire_number_format(char text[KC_WIRE_NUMBER_SIZE], uint64_t number);

/* Take one record header into meta. 0: taken, or a name that is not ours. -1: one of ours with a
 * value that is no number or too large; meta is as before, the record is played all the same. */
int kc_wire_meta_parse(struct kc_wire_meta *meta, const char *name, const void *value, size_t size);

/* "connecting", "waiting", "streaming", "failed". */
const char *kc_wire_state_format(enum kc_wire_state state);

/* 0 and *state, or -1 for a word we do not know. */
int kc_wire_state_parse(enum kc_wire_state *state, const char *text);

#endif
