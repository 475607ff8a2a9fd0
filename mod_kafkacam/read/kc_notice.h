/* The picture that stands where a camera's own would be wrong: dark, with the camera's name and
 * since when there is none. Showing the last one instead would be a lie: nobody sees that it is
 * old.
 *
 * TurboJPEG is used here alone. Keeps no state: any thread. Knows neither httpd nor Kafka. */
#ifndef KC_NOTICE_H
#define KC_NOTICE_H

#include "kc_frame.h"

/* A KC_FRAME_NOTICE of the size of the camera's pictures, or of their shape and at most 1280 wide
 * and high; 0 by 0: 640 by 360. since is when the
 * last one came, 0: there never was one. now decides whether the date is worth saying; both are
 * shown in local time. A name the built-in letters (ASCII) cannot write is shown as "Camera N". */
kc_frame_t *kc_notice_create(apr_uint32_t cam, const char *name, apr_time_t since, apr_time_t now,
                             apr_uint32_t width, apr_uint32_t height);

#endif
