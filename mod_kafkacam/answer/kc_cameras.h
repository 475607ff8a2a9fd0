/* SetHandler kafkacam-cameras, the wall: /cameras (all), /cameras/4 (the first 4),
 * /cameras/1,3,5-8; below each of them stream and list.json; /cameras.json; and the page's files. A
 * client gets to know only of cameras that it may see (kc_permission). */
#ifndef KC_CAMERAS_H
#define KC_CAMERAS_H

#include <apr_pools.h>

void kc_cameras_register_hooks(apr_pool_t *pool);

#endif
