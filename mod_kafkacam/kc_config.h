/* The directives: what an administrator wrote, checked and with every default filled in.
 *
 * There is one kc_config_t per server (main server and each vhost); a vhost inherits what it does
 * not say. The limits that count for the whole server are refused in a vhost, so every server
 * has the same ones. Nothing changes after post_config but source, which each child sets once in
 * child_init, before it has a thread. */
#ifndef KC_CONFIG_H
#define KC_CONFIG_H

#include <httpd.h>
#include <http_config.h>
#include <apr_tables.h>

/* Stands before the text of each warning and error: KC_ID(2001) "..." . Source, config, notice and
 * status have 2000-2299, viewer and pump 2300-2599, cameras 2600-2799. */
#define KC_ID(number) "KC" #number ": "

/* The log functions of httpd then know whose LogLevel counts. */
APLOG_USE_MODULE(kafkacam);

typedef struct kc_source_t kc_source_t;
typedef struct kc_past_t kc_past_t;
typedef struct kc_counters_cameras_t kc_counters_cameras_t;

typedef struct {
    const char *name;
    const char *value; /* may be a password: never logged, never shown */
} kc_property_t;

typedef struct {
    const char *brokers;            /* HOST:PORT,...; NULL: this server has no cameras */
    const char *topic;              /* video */
    const char *status_topic;       /* TOPIC.status; NULL: none */
    const char *small_topic;        /* TOPIC.small; NULL: none */
    apr_array_header_t *properties; /* of kc_property_t, for librdkafka, in the order written */
    const char *path;               /* /cam: where single cameras are served, no slash at its end */
    apr_interval_time_t idle;       /* a camera is fetched this long after its last viewer left */
    int max_idle; /* so many cameras at most, in one child; those left first are let go of */
    apr_interval_time_t stale_after;   /* no picture for so long: offline */
    apr_interval_time_t stall_timeout; /* a client that reads nothing for so long is cut */
    apr_interval_time_t
        recheck; /* how often an open stream's permission is asked again, 0: never */
    apr_interval_time_t heartbeat; /* an open stream says something at least this often */
    int max_cameras;               /* camera numbers are below it */
    int least_rate;                /* bytes a second that a client must take of a picture, 0: any */
    int max_wall_cameras;          /* that one wall shows */

    apr_array_header_t *origins; /* of const char *: sites whose scripts may read; NULL: none */
    const char *frame_ancestors; /* sites that may frame our pages; NULL: this one alone */

    int past_cache_mb;  /* pictures of the past that a child keeps, in MiB */
    int has_past;       /* somewhere in this server KafkaCamPast lets somebody look back */
    int hide_forbidden; /* 404 for a camera that a client may not see, as for one that is not */

    /* For the whole server: the same in every vhost. */
    int max_viewers;            /* open streams in all children together */
    int max_blocking_viewers;   /* that hold a worker thread, in one child */
    int max_viewers_per_client; /* open streams of one address, 0: no limit */
    int pump_threads;           /* in one child, 0: one for each 4 processors */

    /* Set in post_config: what the children together read of each camera. NULL where brokers is. */
    kc_counters_cameras_t *camera_counts;

    /* Set in child_init: where this server's pictures come from. Servers with the same brokers,
     * topics and properties share one. NULL where brokers is. */
    kc_source_t *source;

    /* Set in child_init too: what Kafka still holds. NULL where brokers is, or nobody may look. */
    kc_past_t *past;
} kc_config_t;

/* Of this server, or the one that answers a request (r->server). Any thread. */
kc_config_t *kc_config_get(const server_rec *s);

/* How far back KafkaCamPast lets look, by a request's per_dir_config: 0: only live pictures. */
#define KC_CONFIG_PAST_ALL APR_INT64_MAX
apr_interval_time_t kc_config_past(const ap_conf_vector_t *per_dir_config);

/* What SetHandler says. */
#define KC_HANDLER_CAM     "kafkacam-cam"
#define KC_HANDLER_CAMERAS "kafkacam-cameras"
#define KC_HANDLER_STATUS  "kafkacam-status"
#define KC_HANDLER_METRICS "kafkacam-metrics"

/* The path of the <Location> that gives r this handler, and what follows it in r->uri: for
 * /cam/3.jpg "/cam" and "/3.jpg". path_info cannot say it: it depends on what files exist. NULL:
 * the handler was set otherwise (a <Directory>, a LocationMatch), *base is untouched then. base may
 * be NULL. */
const char *kc_config_tail(request_rec *r, const char *handler, const char **base);

/* Will handler answer r, by what its sections say? For access control, when r->handler is not
 * known yet. */
int kc_config_sets_handler(request_rec *r, const char *handler);

/* Is there a <Location "PATH"> in s that sets handler? After the configuration was read. */
int kc_config_has_location(const server_rec *s, const char *path, const char *handler);

/* Is this a property librdkafka takes? NULL, or what is wrong with it. Set while the module's
 * hooks are registered, because the answer is the source's, which stands downstream. */
typedef const char *kc_config_check_fn(const char *name, const char *value, apr_pool_t *pool);
void kc_config_on_property(kc_config_check_fn *check);

/* May the value of this librdkafka property be shown? Not if it is, or may hold, a secret. */
int kc_config_property_is_secret(const char *name);

/* Fill in the defaults of all servers, once; in check_config, after the MPM has settled its own. */
void kc_config_finish(server_rec *main_server);

/* For the module's structure. */
extern const command_rec kc_config_commands[];
void *kc_config_create(apr_pool_t *pool, server_rec *s);
void *kc_config_merge(apr_pool_t *pool, void *base, void *add);
void *kc_config_create_dir(apr_pool_t *pool, char *path);
void *kc_config_merge_dir(apr_pool_t *pool, void *base, void *add);

#endif
