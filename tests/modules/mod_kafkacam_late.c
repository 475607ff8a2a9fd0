/* A module for tests: now and then it holds a worker up after mod_kafkacam's pump was handed the
 * worker's connection, as a busy machine would. Whatever the pump frees too early shows then.
 *
 *   KAFKACAM_LATE="PERCENT MS"   in httpd's environment */
#include <stdio.h>
#include <stdlib.h>
#include <httpd.h>
#include <http_config.h>
#include <apr_general.h>
#include <apr_time.h>
#include <mpm_common.h>

static int percent, ms;

static void be_late(conn_rec *c, request_rec *r)
{
    unsigned char die[2];

    apr_generate_random_bytes(die, sizeof(die));
    if ((die[0] << 8 | die[1]) % 100 < percent) {
        apr_sleep(apr_time_from_msec(ms));
    }
}

static void register_hooks(apr_pool_t *pool)
{
    static const char *const pump[] = { "mod_kafkacam.c", "mod_kafkacam_feed.c", NULL };
    const char *words = getenv("KAFKACAM_LATE");

    if (words && sscanf(words, "%d %d", &percent, &ms) == 2) {
        ap_hook_suspend_connection(be_late, pump, NULL, APR_HOOK_REALLY_LAST);
    }
}

AP_DECLARE_MODULE(kafkacam_late) = { STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL,
                                     register_hooks,          0 };
