/* What the producer writes into Kafka and the module reads: names, the text form of record headers,
 * fields and words of a status record, and which of what others write is believed. A record's value
 * is one bare JPEG with nothing around it; everything here is extra, and a reader plays records
 * that have none of it (docs/RECORD.md).
 *
 * Nothing here does I/O, allocates, or keeps state: any thread, any process. */
#ifndef KC_WIRE_H
#define KC_WIRE_H

#include <stddef.h>
#include <stdint.h>

/* The topic of the pictures, and what is put behind its name for the other two. Its name leaves
 * room for that: Kafka takes 249 characters. */
#define KC_WIRE_TOPIC         "video"
#define KC_WIRE_STATUS_SUFFIX ".status"
#define KC_WIRE_SMALL_SUFFIX  ".small"
#define KC_WIRE_SMALL_TOPIC   KC_WIRE_TOPIC KC_WIRE_SMALL_SUFFIX
#define KC_WIRE_TOPIC_MAX     242
#define KC_WIRE_ANY_TOPIC_MAX 249
#define KC_WIRE_TOPIC_CHARS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* Camera numbers are Kafka partitions and row ids at once: 0 to this. A number above the limit is
 * nonsense whatever the settings say, so that a stray digit cannot ask a broker for a million
 * partitions. */
#define KC_WIRE_CAM_MAX 99999

/* No number in a record is larger: programs that keep them as double, as JavaScript does, would
 * change it. Microseconds since 1970 reach the year 2255 with it. */
#define KC_WIRE_NUMBER_MAX 9007199254740991

/* The clocks of two machines differ by no more than this; what says that it is from later is not
 * believed. */
#define KC_WIRE_CLOCKS_APART_US (600 * INT64_C(1000000))

/* Record headers, decimal text. */
#define KC_WIRE_HEADER_CAPTURED "us"    /* capture time, microseconds since 1970 */
#define KC_WIRE_HEADER_SEQ      "seq"   /* frames of the writing process, from 1 */
#define KC_WIRE_HEADER_EPOCH    "epoch" /* start of the writing process, milliseconds since 1970 */
#define KC_WIRE_HEADER_WIDTH    "w"     /* pixels */
#define KC_WIRE_HEADER_HEIGHT   "h"

/* Fields of the JSON object in the status topic; its record key is the camera's number. There is no
 * other list: kc_wire_status_field() has the same names with the values they may have. */
#define KC_WIRE_STATUS_NAME        "name"
#define KC_WIRE_STATUS_STATE       "state" /* required; a word, see below */
#define KC_WIRE_STATUS_SINCE       "since" /* of the state, milliseconds since 1970 */
#define KC_WIRE_STATUS_FPS         "fps"   /* frames published per second */
#define KC_WIRE_STATUS_WIDTH       "w"
#define KC_WIRE_STATUS_HEIGHT      "h"
#define KC_WIRE_STATUS_BYTES_PER_S "bytes_per_s" /* published */
#define KC_WIRE_STATUS_HOST        "host"        /* that runs the camera's process */
#define KC_WIRE_STATUS_EPOCH       "epoch"       /* of that process: whose is highest, runs it */
#define KC_WIRE_STATUS_ERROR       "error"       /* why not streaming, absent or "" if it is */
#define KC_WIRE_STATUS_CPU         "cpu"         /* of the camera's process, 1: a whole core */
#define KC_WIRE_STATUS_RESTARTS    "restarts"    /* of it, since the supervisor started */
#define KC_WIRE_STATUS_FPS_IN      "fps_in"      /* frames the camera sends per second */
#define KC_WIRE_STATUS_DROPPED     "dropped"     /* frames that Kafka did not take in time */
#define KC_WIRE_STATUS_DECODE_MS   "decode_ms"   /* processor time for one frame */
#define KC_WIRE_STATUS_ENCODE_MS   "encode_ms"

struct kc_wire_status_field {
    const char *name;
    double max; /* a number from 0 to this; 0: text */
};

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

/* A state as a producer of ours knows it. Other words may come from a newer one. */
enum kc_wire_state {
    KC_WIRE_CONNECTING,
    KC_WIRE_WAITING, /* connected, no key frame yet */
    KC_WIRE_STREAMING,
    KC_WIRE_FAILED, /* ended, will be tried again after a while */
    KC_WIRE_STATES
};

/* Longest word for a state, with its terminating 0. */
#define KC_WIRE_STATE_SIZE 33

/* Whether Kafka takes text as a topic's name. */
int kc_wire_topic_is_name(const char *text);

/* Decimal digits and nothing else (no sign, no space, no leading zero but "0" itself), at most max.
 * 0 and *number, or -1 and *number untouched. text needs no terminating 0. */
int kc_wire_number_parse(uint64_t *number, const char *text, size_t size, uint64_t max);

/* Write number as decimal text. Returns its length without the terminating 0. */
size_t kc_wire_number_format(char text[KC_WIRE_NUMBER_SIZE], uint64_t number);

/* Take one record header into meta. 0: taken, or a name that is not ours. -1: one of ours with a
 * value that is no number or too large; meta is as before, the record is played all the same. */
int kc_wire_meta_parse(struct kc_wire_meta *meta, const char *name, const void *value, size_t size);

/* When the picture was taken, in microseconds since 1970: what its header says, else the record's
 * timestamp (0 or less: it has none), else when it arrived. Whichever says that it is from later
 * than clocks can differ is passed over, so the answer is at most KC_WIRE_CLOCKS_APART_US above
 * arrived_us. */
int64_t kc_wire_captured(const struct kc_wire_meta *meta, int64_t stamp_ms, int64_t arrived_us);

/* Is this start of a process later than clocks can differ? Then it counts as not said. */
int kc_wire_epoch_is_ahead(uint64_t epoch_ms, int64_t arrived_us);

/* The field of that name; NULL: none of ours. */
const struct kc_wire_status_field *kc_wire_status_field(const char *name);

/* All of them: number from 0 on, NULL after the last. */
const struct kc_wire_status_field *kc_wire_status_field_at(size_t number);

/* "connecting", "waiting", "streaming", "failed". */
const char *kc_wire_state_format(enum kc_wire_state state);

/* 0 and *state, or -1 for a word we do not know. */
int kc_wire_state_parse(enum kc_wire_state *state, const char *text);

/* May this stand for a state, known or not? A lower-case letter, then those, digits, "_" and "-",
 * and no more than fit into KC_WIRE_STATE_SIZE: it is shown as it is, in pages, headers and
 * metrics. */
int kc_wire_state_is_word(const char *text);

/* Make UTF-8 text fit to be shown anywhere, a terminal included: control characters, line
 * separators, and what turns the direction of the text around it become a space or "?". In place,
 * never longer. */
void kc_wire_text_clean(char *text);

#endif
