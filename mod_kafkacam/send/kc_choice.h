/* Which frame a viewer sends next. Latest frame wins: nothing is queued, the newest that was not
 * shown yet is taken when the line is ready for it, and what was in between counts as skipped.
 *
 * Of several cameras each has its turn, however many frames the others make, so that on a slow line
 * all of them slow down and none starves. States go before pictures.
 *
 * One thread, the one that calls first until kc_choice_pass(). Knows neither httpd nor Kafka. */
#ifndef KC_CHOICE_H
#define KC_CHOICE_H

#include "kc_hub.h"

typedef struct kc_choice_t kc_choice_t;

/* For the cameras cams[0] to cams[count - 1] (copied), whose places in that list are their seats.
 * wall: pictures and states of all; else count is 1 and the camera's notices take the place of its
 * pictures while they are true. interval: at least this long between two pictures of a camera, 0
 * for all there are. */
kc_choice_t *kc_choice_create(kc_hub_t *hub, const apr_uint32_t *cams, apr_size_t count, int wall,
                              apr_interval_time_t interval, apr_pool_t *pool);

/* Of a single camera's choice: for a stream without lengths, which shows no picture with dashes
 * (kc_frame.h). Those are skipped and counted like others. */
void kc_choice_without_dashes(kc_choice_t *choice);

apr_size_t kc_choice_count(const kc_choice_t *choice);
apr_uint32_t kc_choice_cam(const kc_choice_t *choice, apr_size_t seat);

/* The calling thread is done with it: whichever calls next has it from then on. */
void kc_choice_pass(kc_choice_t *choice);

/* The camera of that seat has something new, perhaps. Without being told nobody looks. */
void kc_choice_tell(kc_choice_t *choice, apr_size_t seat);

/* Never again a frame of that seat. */
void kc_choice_drop(kc_choice_t *choice, apr_size_t seat);
int kc_choice_dropped(const kc_choice_t *choice, apr_size_t seat);

/* No frame of that seat until it is released; then no picture that stands before offset in its
 * partition, nor the one of that number (0: none) or before it. */
void kc_choice_hold(kc_choice_t *choice, apr_size_t seat);
void kc_choice_release(kc_choice_t *choice, apr_size_t seat, apr_int64_t offset,
                       apr_uint64_t number);

/* The frame to send now, or NULL. You own one reference. */
kc_frame_t *kc_choice_next(kc_choice_t *choice, apr_time_t now);

/* Of a single camera's choice: what there is to look at now, sent before or not, its interval left
 * aside; NULL: nothing. So that a stream is never silent for long. You own one reference. */
kc_frame_t *kc_choice_again(kc_choice_t *choice);

/* After kc_choice_next() said NULL: when a picture that the interval holds back may go, 0: none. */
apr_time_t kc_choice_due(const kc_choice_t *choice);

/* How many pictures this viewer missed because it was slow. Those that the interval held back were
 * not missed. */
apr_uint64_t kc_choice_skipped(const kc_choice_t *choice);

#endif
