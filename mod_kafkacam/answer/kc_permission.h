/* May this client see camera N? httpd is asked whether it may GET /cam/N, so that whatever guards
 * that URL decides: Require ip, groups, LDAP, client certificates, anything. The question has all
 * of httpd's access control run, also where it is the request's own URL, which has passed it once:
 * a user may be gone since. The answer counts only if that URL is a camera of ours.
 *
 * Which URL: for a request of a single camera the one in its own <Location>, else KafkaCamPath/N.
 *
 * Runs all hooks of a subrequest up to its handler, in a pool of its own that is gone afterwards;
 * waits as long as the modules that decide do (LDAP, a database). In the thread that has r, a
 * pump's asker too. */
#ifndef KC_PERMISSION_H
#define KC_PERMISSION_H

#include <httpd.h>

/* HTTP_OK; HTTP_UNAUTHORIZED: the answer may be another one after a login, *challenge is what
 * WWW-Authenticate says of it; a status of 500 and above: who decides is in trouble; else
 * HTTP_FORBIDDEN. challenge may be NULL. */
int kc_permission_ask(request_rec *r, apr_uint32_t cam, const char **challenge);

/* Is r the question, not a client's request? */
int kc_permission_is_question(const request_rec *r);

/* 1 or 0. */
int kc_permission_may_see(request_rec *r, apr_uint32_t cam);

/* Both in one question: may it see N, and how far back (kc_permission_past), in *past. */
int kc_permission_look(request_rec *r, apr_uint32_t cam, apr_interval_time_t *past);

/* The same for pictures of the past: how far back this client may look at camera N, as KafkaCamPast
 * says where KafkaCamPath/N is. 0: not at all, or it may not see the camera. */
apr_interval_time_t kc_permission_past(request_rec *r, apr_uint32_t cam);

/* kc_permission_past() as a yes or no, for streams. */
int kc_permission_may_look_back(request_rec *r, apr_uint32_t cam);

void kc_permission_register_hooks(apr_pool_t *pool);

#endif
