/* /cam/N/times.json: what Kafka still holds of a camera: from when to when, how many pictures in
 * each minute, and gaps. Asks Kafka's index and reads a few pictures, not all of them. */
#ifndef KC_TIMES_H
#define KC_TIMES_H

#include "kc_then.h"

/* name: of the camera, any text. */
int kc_times_send(kc_then_t *then, const char *name);

#endif
