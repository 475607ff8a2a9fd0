/* Clips: /cam/N.mkv?from=TIME&until=TIME, and /cameras/SEL.zip of several cameras with a list of
 * every picture and its SHA-256. No picture is encoded again, nothing is kept: records go from
 * Kafka to the client as it takes them, in a worker thread, bounded as blocking viewers are. */
#ifndef KC_CLIP_H
#define KC_CLIP_H

#include "kc_then.h"

/* name: of the camera, any text. */
int kc_clip_send(kc_then_t *then, const char *name);

/* A camera of a zip. */
typedef struct {
    apr_uint32_t cam;
    const char *name;
} kc_clip_camera_t;

/* then: may look at all of them. ?as=jpg: pictures, else a Matroska file of each camera. */
int kc_clip_send_zip(kc_then_t *then, const kc_clip_camera_t *cameras, apr_size_t count);

#endif
