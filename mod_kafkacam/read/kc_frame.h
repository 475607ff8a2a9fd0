/* One picture (or one small text about a camera), shared by everybody who sends it.
 *
 * A frame never changes after it was made, but for its count, and the hub's number, which is set
 * before anybody else sees it. It lives on malloc, not in a pool: it goes when the last viewer has
 * sent it, in whatever thread that is. Knows neither httpd nor Kafka. */
#ifndef KC_FRAME_H
#define KC_FRAME_H

#include <apr.h>
#include <apr_time.h>

typedef enum {
    KC_FRAME_PICTURE, /* a JPEG the camera sent */
    KC_FRAME_NOTICE,  /* a JPEG of our own that says why there is none */
    KC_FRAME_STATE,   /* a JSON object: the camera's state, for walls */
    KC_FRAME_KINDS
} kc_frame_kind_t;

typedef struct kc_frame_t {
    apr_uint32_t refs; /* atomic */
    apr_uint32_t cam;
    kc_frame_kind_t kind;
    apr_uint64_t
        number;         /* set by the hub on publication: counts up from 1, all kinds of a camera */
    apr_uint64_t nth;   /* set by the hub too: counts up from 1, this kind of this camera alone */
    apr_int64_t offset; /* in the camera's partition, -1: not from Kafka */
    apr_time_t captured; /* the producer's word, as far as it is believed (kc_wire_captured) */
    apr_time_t arrived;  /* here */
    apr_uint64_t seq;    /* header "seq", 0: not said */
    apr_uint64_t epoch_ms;
    int dashes;         /* CR LF - - stands in it: not for streams without lengths (kc_marks.h) */
    apr_uint32_t width; /* 0: not said */
    apr_uint32_t height;
    apr_size_t size; /* bytes in data */
    char data[];
} kc_frame_t;

/* A frame with room for size bytes of data, everything else 0 but kind, cam and offset (-1). The
 * caller fills it in, has the one reference and ends it with kc_frame_unref(). Out of memory
 * aborts, as in APR's pools. */
kc_frame_t *kc_frame_create(kc_frame_kind_t kind, apr_uint32_t cam, apr_size_t size);

/* One more owner. Any thread that has a reference. */
kc_frame_t *kc_frame_ref(kc_frame_t *frame);

/* One owner less, the last one frees. Any thread; NULL is fine. */
void kc_frame_unref(kc_frame_t *frame);

#endif
