/* SetHandler kafkacam-cam: one camera. Below the Location's path, /cam as shipped:
 *
 *     /cam/3          the live stream, MJPEG
 *     /cam/3.jpg      the newest picture
 *     /cam/3.json     the camera's state
 *     /cam/3/         a page with the camera, /cam/3/stream what the page reads, /cam/-/ its files
 *
 * Nothing here knows how a stream is sent (kc_viewer) or where pictures come from (kc_source). */
#ifndef KC_CAM_H
#define KC_CAM_H

#include <apr_pools.h>

void kc_cam_register_hooks(apr_pool_t *pool);

#endif
