/* What a camera showed then: /cam/N.jpg?at=TIME, /cam/N.json?at=TIME and /cam/N/o/OFFSET.jpg. And
 * what all answers about the past begin with: whether this client may look back, how far, and to
 * when. */
#ifndef KC_THEN_H
#define KC_THEN_H

#include <httpd.h>
#include "kc_past.h"

/* A request about the past of one camera. */
typedef struct {
    request_rec *r;
    kc_past_t *past;
    kc_layer_t layer; /* ?small=1 */
    apr_uint32_t cam;
    apr_time_t now;      /* when it came */
    apr_time_t earliest; /* nothing older may be seen; may be far below 0 */
} kc_then_t;

/* Fill in then. OK, or DONE with the answer sent: 403 where KafkaCamPath/N has KafkaCamPast off,
 * or is not allowed to this client at all. */
int kc_then_open(kc_then_t *then, request_rec *r, apr_uint32_t cam);

/* The same where it is known how far back this client may look, for several cameras at once. */
int kc_then_allow(kc_then_t *then, request_rec *r, apr_interval_time_t back);

/* The time of name=TIME; none if it is not there. OK, or DONE with the answer to a wrong one
 * sent. */
int kc_then_time(const kc_then_t *then, const char *name, apr_time_t none, apr_time_t *time,
                 int *relative);

/* 503 with Retry-After, or 403 where Kafka does not let us read: error is a kc_past_answer_t. */
int kc_then_no_answer(request_rec *r, int error);

/* The camera at time, as far back as may be seen: the frame is allowed to this client, or NULL.
 * Waits a few seconds at most. */
void kc_then_look(const kc_then_t *then, apr_time_t time, kc_past_moment_t *moment);

/* The answers. name: of the camera, any text. */
int kc_then_picture(kc_then_t *then);
int kc_then_state(kc_then_t *then, const char *name);

/* digits: what stands between /o/ and .jpg. */
int kc_then_record(kc_then_t *then, const char *digits, apr_size_t size);

/* "video:3:1234:1700000000123456": the same record is the same picture, whichever child answers.
 * Its time is there as offsets begin anew in a topic that was made anew. */
const char *kc_then_etag(request_rec *r, const kc_frame_t *frame);

#endif
