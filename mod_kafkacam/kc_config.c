#include "kc_config.h"

#include <stddef.h>
#include <string.h>
#include <ap_expr.h>
#include <ap_mpm.h>
#include <apr_lib.h>
#include <apr_network_io.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include "kc_child.h"
#include "kc_wire.h"

extern module AP_MODULE_DECLARE_DATA kafkacam_module;

/* As written, until kc_config_finish(). */
#define UNSET (-1)

#define NONE "none"

static kc_config_check_fn *check_property;

/* What a directive with one number or one time means: where it goes and what it may be. */
typedef struct {
    size_t offset;
    apr_int64_t min;
    apr_int64_t max;
    apr_int64_t initial;
    int whole_server;
} range_t;

#define SECONDS(n) ((apr_int64_t)(n)*APR_USEC_PER_SEC)
#define TIME(field, min, max, initial)                                                             \
    {                                                                                              \
        offsetof(kc_config_t, field), SECONDS(min), SECONDS(max), SECONDS(initial), 0              \
    }
#define NUMBER(field, min, max, initial, whole_server)                                             \
    {                                                                                              \
        offsetof(kc_config_t, field), min, max, initial, whole_server                              \
    }

static const range_t time_ranges[] = {
    TIME(idle, 0, 86400, 30),    TIME(stale_after, 1, 86400, 10), TIME(stall_timeout, 1, 3600, 30),
    TIME(recheck, 0, 86400, 60), TIME(heartbeat, 1, 60, 10),
};
enum { IDLE, STALE_AFTER, STALL_TIMEOUT, RECHECK, HEARTBEAT, TIMES };

static const range_t number_ranges[] = {
    NUMBER(max_cameras, 1, KC_WIRE_CAM_MAX + 1, 1000, 0),
    NUMBER(max_viewers, 1, 1000000, 10000, 1),
    NUMBER(max_blocking_viewers, 0, 100000, 0, 1),    /* its default depends on the MPM */
    NUMBER(max_viewers_per_client, 0, 1000000, 0, 1), /* its default depends on max_viewers */
    NUMBER(pump_threads, 0, 64, 0, 1),
    NUMBER(least_rate, 0, 1000000000, 8192, 0),
    NUMBER(max_wall_cameras, 1, KC_WIRE_CAM_MAX + 1, 1000, 0),
    NUMBER(past_cache_mb, 1, 65536, 64, 0),
    NUMBER(max_idle, 0, KC_WIRE_CAM_MAX + 1, 50, 0),
    NUMBER(hide_forbidden, 0, 1, 1, 0),
};
enum {
    MAX_CAMERAS,
    MAX_VIEWERS,
    MAX_BLOCKING,
    MAX_PER_CLIENT,
    PUMP_THREADS,
    LEAST_RATE,
    MAX_WALL,
    PAST_CACHE,
    MAX_IDLE,
    HIDE_FORBIDDEN,
    NUMBERS
};

/* Longer than Kafka keeps anything. */
#define PAST_MAX SECONDS(100 * 365 * 86400LL)

/* What stands in a <Location>. */
typedef struct {
    apr_interval_time_t past; /* how far back, 0: not at all */
} dir_t;

static apr_interval_time_t *time_at(kc_config_t *config, const range_t *range)
{
    return (apr_interval_time_t *)((char *)config + range->offset);
}

static int *number_at(kc_config_t *config, const range_t *range)
{
    return (int *)((char *)config + range->offset);
}

kc_config_t *kc_config_get(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &kafkacam_module);
}

static const char *refuse_in_vhost(cmd_parms *cmd)
{
    return cmd->server->is_virtual
               ? apr_psprintf(cmd->pool,
                              "%s counts for the whole server: put it outside of <VirtualHost>",
                              cmd->cmd->name)
               : NULL;
}

static const char *set_time(cmd_parms *cmd, void *dir, const char *arg)
{
    const range_t *range = cmd->info;
    apr_interval_time_t value;

    if (ap_timeout_parameter_parse(arg, &value, "s") != APR_SUCCESS || value < range->min ||
        value > range->max) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\" is not a time of %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT
                            " seconds (write 30, 30s, 500ms, 5min, 1h)",
                            cmd->cmd->name, arg, apr_time_sec(range->min),
                            apr_time_sec(range->max));
    }
    *time_at(kc_config_get(cmd->server), range) = value;
    return NULL;
}

static const char *set_number(cmd_parms *cmd, void *dir, const char *arg)
{
    const range_t *range = cmd->info;
    uint64_t value;

    if (range->whole_server && refuse_in_vhost(cmd)) {
        return refuse_in_vhost(cmd);
    }
    if (kc_wire_number_parse(&value, arg, strlen(arg), (uint64_t)range->max) ||
        (apr_int64_t)value < range->min) {
        return apr_psprintf(
            cmd->pool, "%s: \"%s\" is not a number from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT,
            cmd->cmd->name, arg, range->min, range->max);
    }
    *number_at(kc_config_get(cmd->server), range) = (int)value;
    return NULL;
}

static const char *set_past(cmd_parms *cmd, void *dir, const char *arg)
{
    apr_interval_time_t *past = &((dir_t *)dir)->past;

    if (!strcasecmp(arg, "off")) {
        *past = 0;
    }
    else if (!strcasecmp(arg, "on")) {
        *past = KC_CONFIG_PAST_ALL;
    }
    else if (ap_timeout_parameter_parse(arg, past, "s") != APR_SUCCESS || *past <= 0 ||
             *past > PAST_MAX) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\" is not on, off, or how far back one may look (write 90s, "
                            "10min, 1h)",
                            cmd->cmd->name, arg);
    }
    kc_config_get(cmd->server)->has_past |= *past > 0;
    return NULL;
}

static const char *set_flag(cmd_parms *cmd, void *dir, int on)
{
    *number_at(kc_config_get(cmd->server), cmd->info) = on;
    return NULL;
}

static const char *set_topic(cmd_parms *cmd, void *dir, const char *arg)
{
    size_t offset = (size_t)(apr_uintptr_t)cmd->info;
    int is_video = offset == offsetof(kc_config_t, topic);
    int max = is_video ? KC_WIRE_TOPIC_MAX : KC_WIRE_ANY_TOPIC_MAX;

    if (!kc_wire_topic_is_name(arg) || strlen(arg) > (size_t)max ||
        (is_video && !strcmp(arg, NONE))) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\" is not the name of a Kafka topic (letters, digits, \".\", "
                            "\"_\" and \"-\", at most %d%s)",
                            cmd->cmd->name, arg, max,
                            is_video ? ", so that .status has room behind it"
                                     : "; \"none\" for no such topic");
    }
    *(const char **)((char *)kc_config_get(cmd->server) + offset) = arg;
    return NULL;
}

/* One HOST:PORT, "PLAINTEXT://" and the like may stand before it. NULL or what is wrong. */
static const char *check_broker(const char *text, apr_pool_t *pool)
{
    const char *address = strstr(text, "://");
    char *host, *scope;
    apr_port_t port;

    address = address ? address + 3 : text;
    if (!*address) {
        return "there is an empty name in the list";
    }
    if (apr_parse_addr_port(&host, &scope, &port, address, pool) != APR_SUCCESS || !host) {
        return apr_psprintf(pool, "\"%s\" is not HOST or HOST:PORT", text);
    }
    if (strpbrk(host, " \t/@?#\"'") || (strchr(host, ':') && address[0] != '[')) {
        return apr_psprintf(pool, "\"%s\" is not HOST or HOST:PORT", text);
    }
    return NULL;
}

static const char *set_brokers(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *rest = arg;
    const char *why = *arg ? NULL : "it is empty";

    while (!why && rest) {
        const char *comma = strchr(rest, ',');
        const char *one =
            comma ? apr_pstrmemdup(cmd->temp_pool, rest, (apr_size_t)(comma - rest)) : rest;

        why = check_broker(one, cmd->temp_pool);
        rest = comma ? comma + 1 : NULL;
    }
    if (why) {
        return apr_psprintf(cmd->pool,
                            "%s: %s (write kafka1.example.org:9092,kafka2.example.org:9092)",
                            cmd->cmd->name, why);
    }
    kc_config_get(cmd->server)->brokers = arg;
    return NULL;
}

static const char *set_path(cmd_parms *cmd, void *dir, const char *arg)
{
    apr_size_t size = strlen(arg);

    if (arg[0] != '/' || arg[1] == '/' || strpbrk(arg, "?#% ")) {
        return apr_psprintf(
            cmd->pool,
            "%s: \"%s\" is not a path that starts with one slash, like /cam: write the one of "
            "the <Location> that has SetHandler kafkacam-cam",
            cmd->cmd->name, arg);
    }
    while (size && arg[size - 1] == '/') {
        size--;
    }
    kc_config_get(cmd->server)->path = apr_pstrmemdup(cmd->pool, arg, size);
    return NULL;
}

/* "https://example.org", with a port perhaps: what a browser writes into Origin (RFC 6454, 6.2), so
 * small letters and nothing behind it. wildcards: "*." may stand before the name. */
static int is_origin(const char *text, int wildcards)
{
    const char *host = !strncmp(text, "https://", 8)  ? text + 8
                       : !strncmp(text, "http://", 7) ? text + 7
                                                      : NULL;
    const char *end;

    if (!host) {
        return 0;
    }
    host += wildcards && !strncmp(host, "*.", 2) ? 2 : 0;
    end = *host == '[' ? host + 1 + strspn(host + 1, "0123456789abcdef:.")
                       : host + strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-.");
    if (*host == '[') {
        end += *end == ']' ? 1 : -(end - host);
    }
    return end > host &&
           (!*end || (*end == ':' && end[1] && !end[1 + strspn(end + 1, "0123456789")]));
}

static const char *add_origin(cmd_parms *cmd, void *dir, const char *arg)
{
    kc_config_t *config = kc_config_get(cmd->server);

    if (!is_origin(arg, 0)) {
        return apr_psprintf(
            cmd->pool,
            "%s: \"%s\" is not the origin of a site as browsers write it: "
            "https://name or https://name:port, in small letters, without a slash at "
            "its end; \"*\" is none, for whoever it lets in has the user's login",
            cmd->cmd->name, arg);
    }
    if (!config->origins) {
        config->origins = apr_array_make(cmd->pool, 4, sizeof(const char *));
    }
    APR_ARRAY_PUSH(config->origins, const char *) = arg;
    return NULL;
}

static const char *add_ancestor(cmd_parms *cmd, void *dir, const char *arg)
{
    kc_config_t *config = kc_config_get(cmd->server);
    const char *word = !strcasecmp(arg, "self") ? "'self'"
                       : !strcasecmp(arg, NONE) ? "'none'"
                                                : arg;

    if (word == arg && !is_origin(arg, 1)) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\" is not self, none, or a site like https://name, "
                            "https://*.name or https://name:port",
                            cmd->cmd->name, arg);
    }
    config->frame_ancestors = config->frame_ancestors
                                  ? apr_pstrcat(cmd->pool, config->frame_ancestors, " ", word, NULL)
                                  : word;
    return NULL;
}

int kc_config_property_is_secret(const char *name)
{
    /* Names, not a list of those known today: a new one with a password in it is not shown. */
    static const char *const marks[] = { "password", "secret",     "passphrase", "key", "token",
                                         "sasl.",    "credential", "jaas",       "pem" };
    apr_size_t i;

    for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (ap_strcasestr(name, marks[i])) {
            return 1;
        }
    }
    return 0;
}

/* Properties whose value the module needs to be its own, and the directive that sets it. */
static const char *check_reserved(cmd_parms *cmd, const char *name)
{
    static const struct {
        const char *name;
        const char *instead;
    } reserved[] = {
        { "bootstrap.servers", "KafkaCamBrokers sets it" },
        { "metadata.broker.list", "KafkaCamBrokers sets it" },
        { "group.id", "the module reads without a consumer group" },
        { "enable.auto.commit", "the module reads without a consumer group" },
        { "auto.commit.enable", "the module reads without a consumer group" },
        { "auto.offset.reset", "live pictures start at the newest one" },
        { "enable.auto.offset.store", "the module reads without a consumer group" },
        { "enable.partition.eof", "the module depends on it" },
        { "log.queue", "the module depends on it" },
        { "allow.auto.create.topics", "a reader makes no topics" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (!strcmp(name, reserved[i].name)) {
            return apr_psprintf(cmd->pool, "%s: %s is not for you to set: %s", cmd->cmd->name, name,
                                reserved[i].instead);
        }
    }
    return NULL;
}

static const char *set_property(cmd_parms *cmd, void *dir, const char *name, const char *value)
{
    kc_config_t *config = kc_config_get(cmd->server);
    const char *why = check_reserved(cmd, name);
    kc_property_t *property;

    if (!why && check_property) {
        why = check_property(name, value, cmd->pool);
        if (why) {
            why = apr_psprintf(cmd->pool, "%s %s: %s", cmd->cmd->name, name, why);
        }
    }
    if (why) {
        return why;
    }
    property = apr_array_push(config->properties);
    property->name = name;
    property->value = value;
    return NULL;
}

void kc_config_on_property(kc_config_check_fn *check)
{
    check_property = check;
}

#define TOPIC_OFFSET(field)           ((void *)(apr_uintptr_t)offsetof(kc_config_t, field))
#define TEXT(name, set, field, help)  AP_INIT_TAKE1(name, set, TOPIC_OFFSET(field), RSRC_CONF, help)
#define RANGE(name, set, range, help) AP_INIT_TAKE1(name, set, (void *)&(range), RSRC_CONF, help)

const command_rec kc_config_commands[] = {
    TEXT("KafkaCamBrokers", set_brokers, brokers,
         "Kafka brokers to ask first: HOST:PORT[,HOST:PORT...]"),
    TEXT("KafkaCamTopic", set_topic, topic, "topic of the pictures, default video"),
    TEXT("KafkaCamStatusTopic", set_topic, status_topic,
         "topic of the cameras' states, default TOPIC.status, or none"),
    TEXT("KafkaCamSmallTopic", set_topic, small_topic,
         "topic of the small pictures, default TOPIC.small, or none"),
    AP_INIT_TAKE2("KafkaCamProperty", set_property, NULL, RSRC_CONF,
                  "a librdkafka property for the consumer: NAME VALUE"),
    AP_INIT_ITERATE("KafkaCamOrigins", add_origin, NULL, RSRC_CONF,
                    "other sites whose scripts may read with their user's login: https://name ..."),
    AP_INIT_ITERATE("KafkaCamFrameAncestors", add_ancestor, NULL, RSRC_CONF,
                    "sites that may show our pages in a frame: self (default), none, https://name "
                    "..."),
    TEXT("KafkaCamPath", set_path, path, "where single cameras are served, default /cam"),
    RANGE("KafkaCamIdle", set_time, time_ranges[IDLE],
          "how long a camera is fetched after its last viewer left, default 30s"),
    RANGE("KafkaCamMaxIdle", set_number, number_ranges[MAX_IDLE],
          "cameras that are fetched without a viewer, per child, default 50"),
    RANGE("KafkaCamStaleAfter", set_time, time_ranges[STALE_AFTER],
          "a camera without a picture for so long is offline, default 10s"),
    RANGE("KafkaCamStallTimeout", set_time, time_ranges[STALL_TIMEOUT],
          "a client that reads nothing for so long is cut, default 30s"),
    RANGE("KafkaCamRecheck", set_time, time_ranges[RECHECK],
          "how often an open stream's permission is asked again, default 60s, 0 for never"),
    RANGE("KafkaCamMaxCameras", set_number, number_ranges[MAX_CAMERAS],
          "camera numbers are below this, default 1000"),
    RANGE("KafkaCamHeartbeat", set_time, time_ranges[HEARTBEAT],
          "an open stream says something at least this often, default 10s"),
    RANGE("KafkaCamMaxViewers", set_number, number_ranges[MAX_VIEWERS],
          "open streams of the whole server, default 10000"),
    RANGE(
        "KafkaCamMaxBlockingViewers", set_number, number_ranges[MAX_BLOCKING],
        "open streams that hold a worker thread, per child, default a quarter of ThreadsPerChild"),
    RANGE("KafkaCamMaxViewersPerClient", set_number, number_ranges[MAX_PER_CLIENT],
          "open streams of one client address, default a tenth of KafkaCamMaxViewers, 0: no limit"),
    RANGE("KafkaCamLeastRate", set_number, number_ranges[LEAST_RATE],
          "bytes per second that a client must take of a picture, default 8192, 0: any rate"),
    RANGE("KafkaCamMaxWallCameras", set_number, number_ranges[MAX_WALL],
          "cameras that one wall shows, default 1000"),
    AP_INIT_FLAG("KafkaCamHideForbidden", set_flag, (void *)&number_ranges[HIDE_FORBIDDEN],
                 RSRC_CONF,
                 "on (default): a camera that a client may not see is answered as one "
                 "that does not exist, 404; off: 403"),
    RANGE("KafkaCamPumpThreads", set_number, number_ranges[PUMP_THREADS],
          "threads per child that send, default 0: one for each 4 processors"),
    AP_INIT_TAKE1("KafkaCamPast", set_past, NULL, RSRC_CONF | ACCESS_CONF,
                  "whether pictures that Kafka still holds may be seen: on, off (default), or how "
                  "far back"),
    RANGE("KafkaCamPastCache", set_number, number_ranges[PAST_CACHE],
          "MiB of such pictures that a child keeps for others, default 64"),
    { NULL }
};

void *kc_config_create_dir(apr_pool_t *pool, char *path)
{
    dir_t *dir = apr_palloc(pool, sizeof(*dir));

    dir->past = UNSET;
    return dir;
}

void *kc_config_merge_dir(apr_pool_t *pool, void *base, void *add)
{
    return ((dir_t *)add)->past == UNSET ? base : add;
}

apr_interval_time_t kc_config_past(const ap_conf_vector_t *per_dir_config)
{
    const dir_t *dir = ap_get_module_config(per_dir_config, &kafkacam_module);

    return dir && dir->past != UNSET ? dir->past : 0;
}

void *kc_config_create(apr_pool_t *pool, server_rec *s)
{
    kc_config_t *config = apr_pcalloc(pool, sizeof(*config));
    int i;

    for (i = 0; i < TIMES; i++) {
        *time_at(config, &time_ranges[i]) = UNSET;
    }
    for (i = 0; i < NUMBERS; i++) {
        *number_at(config, &number_ranges[i]) = UNSET;
    }
    config->properties = apr_array_make(pool, 4, sizeof(kc_property_t));
    return config;
}

void *kc_config_merge(apr_pool_t *pool, void *base_config, void *add_config)
{
    kc_config_t *base = base_config;
    kc_config_t *add = add_config;
    kc_config_t *config = apr_pmemdup(pool, add, sizeof(*add));
    int i;

    for (i = 0; i < TIMES; i++) {
        if (*time_at(add, &time_ranges[i]) == UNSET) {
            *time_at(config, &time_ranges[i]) = *time_at(base, &time_ranges[i]);
        }
    }
    for (i = 0; i < NUMBERS; i++) {
        if (*number_at(add, &number_ranges[i]) == UNSET) {
            *number_at(config, &number_ranges[i]) = *number_at(base, &number_ranges[i]);
        }
    }
    config->brokers = add->brokers ? add->brokers : base->brokers;
    config->has_past |= base->has_past;
    config->path = add->path ? add->path : base->path;
    config->origins = add->origins ? add->origins : base->origins;
    config->frame_ancestors = add->frame_ancestors ? add->frame_ancestors : base->frame_ancestors;
    if (!add->topic) {
        /* Another topic has another topic's status: the main server's only goes with its video. */
        config->topic = base->topic;
        config->status_topic = add->status_topic ? add->status_topic : base->status_topic;
        config->small_topic = add->small_topic ? add->small_topic : base->small_topic;
    }
    /* Other brokers are other people's: they get nobody else's password. */
    config->properties =
        add->brokers ? add->properties : apr_array_append(pool, base->properties, add->properties);
    return config;
}

static const char *finish_topic(const char *said, const char *topic, const char *suffix,
                                apr_pool_t *pool)
{
    if (!said) {
        return apr_pstrcat(pool, topic, suffix, NULL);
    }
    return strcmp(said, NONE) ? said : NULL;
}

/* A quarter of a child's threads, or of the children where each is one worker. */
static int default_blocking(void)
{
    int workers = 1;

    ap_mpm_query(kc_child_is_threaded() ? AP_MPMQ_MAX_THREADS : AP_MPMQ_MAX_DAEMONS, &workers);
    return workers >= 8 ? workers / 4 : 1;
}

/* No one address has more than a tenth, unless that is less than a proxy's users are. */
static int default_per_client(const kc_config_t *config)
{
    return config->max_viewers > 1000 ? config->max_viewers / 10 : 100;
}

static int default_number(const kc_config_t *config, int which)
{
    switch (which) {
    case MAX_BLOCKING:
        return default_blocking();
    case MAX_PER_CLIENT:
        return default_per_client(config);
    default:
        return (int)number_ranges[which].initial;
    }
}

void kc_config_finish(server_rec *main_server)
{
    apr_pool_t *pool = main_server->process->pconf;
    server_rec *s;
    int i;

    for (s = main_server; s; s = s->next) {
        kc_config_t *config = kc_config_get(s);

        for (i = 0; i < TIMES; i++) {
            if (*time_at(config, &time_ranges[i]) == UNSET) {
                *time_at(config, &time_ranges[i]) = time_ranges[i].initial;
            }
        }
        for (i = 0; i < NUMBERS; i++) {
            if (*number_at(config, &number_ranges[i]) == UNSET) {
                *number_at(config, &number_ranges[i]) = default_number(config, i);
            }
        }
        config->topic = config->topic ? config->topic : KC_WIRE_TOPIC;
        config->status_topic =
            finish_topic(config->status_topic, config->topic, KC_WIRE_STATUS_SUFFIX, pool);
        config->small_topic =
            finish_topic(config->small_topic, config->topic, KC_WIRE_SMALL_SUFFIX, pool);
        config->path = config->path ? config->path : "/cam";
    }
}

/* The length of the Location's path without a slash at its end if uri is at or below it, else
 * -1. */
static apr_ssize_t location_covers(const core_dir_config *location, const char *uri)
{
    apr_size_t size;

    if (!location->d || location->d_is_fnmatch || location->r) {
        return -1;
    }
    size = strlen(location->d);
    while (size && location->d[size - 1] == '/') {
        size--;
    }
    if (strncmp(uri, location->d, size) || (uri[size] && uri[size] != '/')) {
        return -1;
    }
    return (apr_ssize_t)size;
}

static int section_sets_handler(request_rec *r, const core_dir_config *section, const char *wanted)
{
    const char *handler = section->handler;
    const char *error = NULL;

    if (section->expr_handler) {
        handler = ap_expr_str_exec(r, section->expr_handler, &error);
    }
    return !error && handler && !strcmp(handler, wanted);
}

int kc_config_sets_handler(request_rec *r, const char *handler)
{
    return section_sets_handler(r, ap_get_core_module_config(r->per_dir_config), handler);
}

int kc_config_has_location(const server_rec *s, const char *path, const char *handler)
{
    core_server_config *core = ap_get_core_module_config(s->module_config);
    ap_conf_vector_t **locations = (ap_conf_vector_t **)core->sec_url->elts;
    int i;

    for (i = 0; i < core->sec_url->nelts; i++) {
        core_dir_config *location = ap_get_core_module_config(locations[i]);

        /* What an expression will say nobody knows yet. */
        if (location_covers(location, path) == (apr_ssize_t)strlen(path) &&
            (location->expr_handler ||
             (location->handler && !strcmp(location->handler, handler)))) {
            return 1;
        }
    }
    return 0;
}

/* The module's own per-directory configuration cannot tell: httpd makes one only where one of the
 * module's directives stands, and a <Location "/cam/3"> with nothing but "Require" inside would
 * take the outer one's place. So the Locations that really give this request its handler are
 * looked at; there are one or two whose path fits. */
const char *kc_config_tail(request_rec *r, const char *handler, const char **base)
{
    core_server_config *core = ap_get_core_module_config(r->server->module_config);
    ap_conf_vector_t **locations = (ap_conf_vector_t **)core->sec_url->elts;
    apr_ssize_t longest = -1;
    int i;

    for (i = 0; i < core->sec_url->nelts; i++) {
        core_dir_config *location = ap_get_core_module_config(locations[i]);
        apr_ssize_t size = location_covers(location, r->uri);

        if (size > longest && section_sets_handler(r, location, handler)) {
            longest = size;
        }
    }
    if (longest < 0) {
        return NULL;
    }
    if (base) {
        *base = apr_pstrmemdup(r->pool, r->uri, (apr_size_t)longest);
    }
    return r->uri + longest;
}
