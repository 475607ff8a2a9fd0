/* May this client see camera N? httpd is asked whether it may GET KafkaCamPath/N, so that whatever
 * guards that URL decides: Require ip, groups, LDAP, client certificates, anything. */
#ifndef KC_PERMISSION_H
#define KC_PERMISSION_H

#include <httpd.h>

/* 1 or 0. Runs all hooks of a subrequest up to its handler, in a pool of its own that is gone
 * afterwards; waits as long as the modules that decide do (LDAP, a database). In the thread that
 * has r, a pump's too. */
int kc_permission_may_see(request_rec *r, apr_uint32_t cam);

/* The same for pictures of the past: how far back this client may look at camera N, as KafkaCamPast
 * says where KafkaCamPath/N is. 0: not at all, or it may not see the camera. */
apr_interval_time_t kc_permission_past(request_rec *r, apr_uint32_t cam);

/* kc_permission_past() as a yes or no, for streams. */
int kc_permission_may_look_back(request_rec *r, apr_uint32_t cam);

void kc_permission_register_hooks(apr_pool_t *pool);

#endif
