/* A record in a camera's partition, as a picture. Any thread. */
#ifndef KC_RECORD_H
#define KC_RECORD_H

#include "kc_frame.h"
#include "kc_kafka.h"

/* NULL, or what makes the record no picture: "is no JPEG". */
const char *kc_record_wrong(const kc_kafka_event_t *event);

/* A frame of a record that is one, arrived now. The one copy there is: a record kept would keep the
 * whole answer of the broker with it. */
kc_frame_t *kc_record_frame(const kc_kafka_event_t *event, apr_time_t now);

#endif
