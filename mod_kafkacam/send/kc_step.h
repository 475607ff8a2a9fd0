/* What a pump does with one viewer next, and when it looks at it again though nothing happens: the
 * one place that decides, so that a viewer is never looked at twice without time having passed, and
 * not at all by the clock while the child stops. Knows neither httpd nor Kafka; keeps no state. */
#ifndef KC_STEP_H
#define KC_STEP_H

#include <apr.h>
#include <apr_time.h>

/* A viewer as it is now. Times are kc_timers_now()'s, 0: never. */
typedef struct {
    int blocked;     /* its line is full */
    int midway;      /* of what it was sent last, part is not out yet */
    int busy;        /* it is somebody's already: its turn comes, or it is away with the asker */
    apr_time_t cut;  /* while blocked: when it has taken too little for too long */
    apr_time_t news; /* while it is not: when there is something to send, told or not */
    apr_time_t ask;  /* when to ask whether it may still see */
} kc_step_view_t;

typedef enum {
    KC_STEP_WAIT,  /* nothing, until news, room in the line, or *wake */
    KC_STEP_SERVE, /* its turn */
    KC_STEP_ASK,   /* it goes to the asker; what else is due is due after that */
    KC_STEP_CUT,   /* it reads too little */
    KC_STEP_END /* the child stops, and it has the whole of what it was sent, or no time is left */
} kc_step_t;

/* last: when the child stops, by when all must be over; 0: it does not stop. *wake is after now, or
 * 0: no timer for it; where it is to do something at once it is 0 too. */
kc_step_t kc_step_next(const kc_step_view_t *view, apr_time_t now, apr_time_t last,
                       apr_time_t *wake);

#endif
