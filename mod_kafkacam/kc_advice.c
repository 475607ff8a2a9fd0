#include "kc_advice.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <ap_mpm.h>
#include <http_config.h>
#include <http_log.h>
#include "kc_config.h"

/* The last word on a directive of the main server, NULL if there is none. What lies in containers
 * httpd has resolved before (IfModule, IfDefine) or does not allow for these. */
static const char *setting(const char *name)
{
    const ap_directive_t *directive;
    const char *value = NULL;

    for (directive = ap_conftree; directive; directive = directive->next) {
        if (strcasecmp(directive->directive, name) == 0) {
            value = directive->args;
        }
    }
    return value;
}

static int query(int code)
{
    int value = 0;

    return ap_mpm_query(code, &value) == APR_SUCCESS ? value : 0;
}

/* Suspended viewers count against what a child accepts: its threads, and for each idle one
 * AsyncRequestWorkerFactor more. */
static void look_at_room(server_rec *s, int viewers, int threads, int children)
{
    const char *said = setting("AsyncRequestWorkerFactor");
    double factor = said ? atof(said) : 2;
    double room = children * (threads + threads * factor);

    if (room < viewers) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, s,
            KC_ID(2320) "connections for at most %.0f viewers, KafkaCamMaxViewers is %d: "
                        "past that the whole site hangs; AsyncRequestWorkerFactor %.0f is enough",
            room, viewers, (double)viewers / (threads * children) * 2 + 1);
    }
}

/* httpd ends a child whose threads idle, and a thread idles while viewers stream without one. */
static void look_at_ends(server_rec *s, int threads, int children)
{
    int spare = query(AP_MPMQ_MAX_SPARE_THREADS);
    int requests = query(AP_MPMQ_MAX_REQUESTS_DAEMON);

    if (children > 1 && spare < threads * children) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     KC_ID(2321) "MaxSpareThreads %d ends children full of viewers, who are cut: "
                                 "set it to MaxRequestWorkers, %d",
                     spare, threads * children);
    }
    if (requests > 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     KC_ID(2322) "MaxConnectionsPerChild %d cuts all viewers of a child each time "
                                 "it is reached: set it to 0",
                     requests);
    }
}

/* The soft limit is raised here, for the children to inherit; the hard one is somebody else's. */
static void look_at_files(server_rec *s, int viewers, int children)
{
    rlim_t needed = (rlim_t)(viewers / children + 200);
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur >= needed) {
        return;
    }
    limit.rlim_cur =
        limit.rlim_max == RLIM_INFINITY || limit.rlim_max > needed ? needed : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < needed) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     KC_ID(2323) "a child may open %lu files, its share of KafkaCamMaxViewers %d "
                                 "needs %lu: raise LimitNOFILE (systemd) or ulimit -Hn",
                     (unsigned long)limit.rlim_cur, viewers, (unsigned long)needed);
    }
}

static int has_cameras(const server_rec *s)
{
    while (s && !kc_config_get(s)->brokers) {
        s = s->next;
    }
    return s != NULL;
}

void kc_advice_give(server_rec *s)
{
    int viewers = kc_config_get(s)->max_viewers;
    int threads = query(AP_MPMQ_MAX_THREADS);
    int children = query(AP_MPMQ_MAX_DAEMONS);

    if (!query(AP_MPMQ_IS_ASYNC) || threads < 1 || children < 1 || !has_cameras(s)) {
        return;
    }
    look_at_room(s, viewers, threads, children);
    look_at_ends(s, threads, children);
    look_at_files(s, viewers, children);
}

/* Is there SetHandler HANDLER in any section, of any server? */
static int is_handler_set(const ap_directive_t *directive, const char *handler)
{
    for (; directive; directive = directive->next) {
        if ((strcasecmp(directive->directive, "SetHandler") == 0 &&
             strcmp(directive->args, handler) == 0) ||
            is_handler_set(directive->first_child, handler)) {
            return 1;
        }
    }
    return 0;
}

static void look_at_path(server_rec *s)
{
    const char *path = kc_config_get(s)->path;

    if (is_handler_set(ap_conftree, KC_HANDLER_CAMERAS) &&
        !kc_config_has_location(s, path, KC_HANDLER_CAM)) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, s,
            KC_ID(2034) "no <Location \"%s\"> has SetHandler kafkacam-cam, so walls show no "
                        "camera: who may see one is asked at KafkaCamPath, %s; set it to "
                        "the path of the <Location> that has it",
            path, path);
    }
}

void kc_advice_check(server_rec *main_server)
{
    server_rec *s;

    for (s = main_server; s; s = s->next) {
        if (kc_config_get(s)->brokers) {
            look_at_path(s);
        }
    }
}
