#include "kc_cameras.h"
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_md5.h>
#include <apr_strings.h>
#include "kc_clip.h"
#include "kc_config.h"
#include "kc_page.h"
#include "kc_permission.h"
#include "kc_query.h"
#include "kc_replay.h"
#include "kc_selection.h"
#include "kc_source.h"
#include "kc_viewer.h"

/* How long a list waits in a child that has just begun, till it knows the cameras. */
#define SETTLE_WAIT apr_time_from_sec(2)

/* A request, as its URL and httpd's answers about permission make it. */
typedef struct {
    request_rec *r;
    const kc_config_t *config;
    const char *base;   /* of the Location, "/cameras" */
    const char *chosen; /* the selection's text, "" for all */
    const char *what;   /* "", "stream" or "list.json" */
    kc_selection_t selection;
    apr_uint32_t *cams; /* those of the selection that exist and may be seen */
    apr_size_t count;
    apr_size_t known; /* how many exist at all */
    int settled;      /* 0: this child does not know them all yet */
    char *has_past;  /* of each of cams: one may look back at it */
    apr_size_t seen; /* of them, filled in so far */
    apr_interval_time_t back; /* how far back one may look, at all of cams */
} wall_t;

/* Those that may be seen are asked about and chosen in the same order. */
static int may_see(void *baton, apr_uint32_t cam)
{
    wall_t *wall = baton;
    apr_interval_time_t back;
    int may = kc_permission_look(wall->r, cam, &back);

    if (may) {
        wall->has_past[wall->seen++] = back > 0 && wall->back > 0 && wall->config->past;
    }
    return may;
}

/* The same for the past: the shortest of what is allowed counts for all. */
static int may_look_back(void *baton, apr_uint32_t cam)
{
    wall_t *wall = baton;
    apr_interval_time_t back = kc_permission_past(wall->r, cam);

    if (back > 0 && back < wall->back) {
        wall->back = back;
    }
    return back > 0;
}

/* For the page without JavaScript, which shows so many at most: nobody is asked about others. */
static int may_be_plain(void *baton, apr_uint32_t cam)
{
    wall_t *wall = baton;

    return wall->seen < KC_PAGE_PLAIN_MAX && kc_permission_may_see(wall->r, cam) && ++wall->seen;
}

static void choose_those(wall_t *wall, kc_selection_ask_fn *ask)
{
    apr_pool_t *pool = wall->r->pool;
    apr_array_header_t *known;

    wall->settled = kc_source_settle(wall->config->source, SETTLE_WAIT);
    known = kc_source_cameras(wall->config->source, pool);
    wall->known = (apr_size_t)known->nelts;
    wall->cams = apr_palloc(pool, (wall->known + 1) * sizeof(*wall->cams));
    wall->has_past = apr_pcalloc(pool, wall->known + 1);
    wall->back = kc_config_past(wall->r->per_dir_config);
    wall->count =
        kc_selection_choose(&wall->selection, (const apr_uint32_t *)known->elts, wall->known, ask,
                            wall, apr_pcalloc(pool, wall->known + 1), wall->cams);
}

static void choose(wall_t *wall)
{
    choose_those(wall, may_see);
}

/* Why there is nothing to show, in a word that the page has a sentence for. */
static const char *why_empty(const wall_t *wall, const kc_source_health_t *health)
{
    if (wall->known == 0) {
        return !kc_source_is_up(health) ? "kafka" : health->producer_was_here ? "none" : "producer";
    }
    return wall->selection.kind == KC_SELECTION_LIST ? "selection" : "forbidden";
}

/* kc_state_json() and what only a wall wants to know. */
static const char *camera_json(const wall_t *wall, apr_size_t place, apr_pool_t *pool)
{
    kc_source_t *source = wall->config->source;
    apr_uint32_t cam = wall->cams[place];
    kc_state_t state;
    char *json;

    kc_source_state(source, cam, &state);
    json = kc_state_json(&state, NULL, apr_time_now(), pool);
    json[strlen(json) - 1] = '\0';
    return apr_pstrcat(pool, json,
                       kc_source_has(source, KC_LAYER_SMALL, cam) ? ",\"small\":true" : "",
                       wall->has_past[place] ? ",\"past\":true}" : "}", NULL);
}

static char *list_json(const wall_t *wall)
{
    apr_pool_t *pool = wall->r->pool;
    apr_array_header_t *text = apr_array_make(pool, (int)wall->count * 2 + 8, sizeof(char *));
    kc_source_health_t health;
    apr_size_t i;

    kc_source_health(wall->config->source, &health);
    APR_ARRAY_PUSH(text, const char *) =
        apr_psprintf(pool, "{\"page\":\"%s\",\"kafka\":%s,", kc_page_version(),
                     kc_source_is_up(&health) ? "true" : "false");
    if (health.error[0]) {
        APR_ARRAY_PUSH(text, const char *) =
            apr_pstrcat(pool, "\"trouble\":", kc_state_json_text(health.error, pool), ",", NULL);
    }
    if (wall->count == 0) {
        APR_ARRAY_PUSH(text, const char *) =
            apr_psprintf(pool, "\"reason\":\"%s\",", why_empty(wall, &health));
    }
    APR_ARRAY_PUSH(text, const char *) = "\"cameras\":[";
    for (i = 0; i < wall->count; i++) {
        APR_ARRAY_PUSH(text, const char *) = i > 0 ? ",\n" : "\n";
        APR_ARRAY_PUSH(text, const char *) = camera_json(wall, i, pool);
    }
    APR_ARRAY_PUSH(text, const char *) = "]}\n";
    return apr_array_pstrcat(pool, text, '\0');
}

/* Whoever has known all cameras for hours, from another child, must not be told that they are
 * gone; and a stream keeps the cameras that it began with. */
static int not_yet(request_rec *r)
{
    apr_table_setn(r->headers_out, "Retry-After", "2");
    return kc_page_send_text(r, HTTP_SERVICE_UNAVAILABLE,
                             "The server has just begun and asks Kafka which cameras there are.");
}

static int send_list(wall_t *wall)
{
    request_rec *r = wall->r;
    char *body;

    choose(wall);
    if (!wall->settled) {
        return not_yet(r);
    }
    body = list_json(wall);
    kc_page_set_headers(r);
    apr_table_setn(r->headers_out, "Cache-Control", "private, no-cache");
    apr_table_setn(r->headers_out, "ETag",
                   apr_pstrcat(r->pool, "\"", ap_md5(r->pool, (unsigned char *)body), "\"", NULL));
    ap_set_content_type(r, "application/json");
    return kc_page_send_bytes(r, body, strlen(body));
}

static int send_page(wall_t *wall)
{
    apr_pool_t *pool = wall->r->pool;
    const char *own =
        apr_pstrcat(pool, wall->base, "/", wall->chosen, *wall->chosen ? "/" : "", NULL);
    kc_page_camera_t plain[KC_PAGE_PLAIN_MAX];
    kc_page_t page = { 0 };
    kc_state_t state;

    choose_those(wall, may_be_plain);
    page.title = "Cameras";
    page.base = apr_pstrcat(pool, wall->base, "/", NULL);
    page.list = apr_pstrcat(pool, own, "list.json", NULL);
    page.all = apr_pstrcat(pool, page.base, "list.json", NULL);
    page.stream = apr_pstrcat(pool, own, "stream", NULL);
    page.cams = apr_pstrcat(pool, wall->config->path, "/", NULL);
    page.plain = plain;
    while (page.plain_count < wall->count && page.plain_count < KC_PAGE_PLAIN_MAX) {
        kc_source_state(wall->config->source, wall->cams[page.plain_count], &state);
        plain[page.plain_count].cam = state.cam;
        plain[page.plain_count].name = apr_pstrdup(pool, state.name);
        page.plain_count++;
    }
    return kc_page_send(wall->r, &page);
}

/* There is nothing to stream: say why. */
static int refuse_stream(wall_t *wall)
{
    kc_source_health_t health;

    kc_source_health(wall->config->source, &health);
    if (wall->known == 0 && !health.reached) {
        apr_table_setn(wall->r->headers_out, "Retry-After", "5");
        return kc_page_send_text(wall->r, HTTP_SERVICE_UNAVAILABLE,
                                 "Kafka was not reached yet: no camera is known.");
    }
    return kc_page_send_text(wall->r, HTTP_NOT_FOUND,
                             "None of these cameras exists, or you may not see them.");
}

static int send_stream(wall_t *wall)
{
    request_rec *r = wall->r;
    kc_source_t *source = wall->config->source;
    kc_viewer_spec_t spec = { 0 };
    int small;

    if (kc_query_fps(r->args, &spec.interval)) {
        return kc_page_send_text(r, HTTP_BAD_REQUEST,
                                 "fps is pictures per second, above 0 and at most 1000.");
    }
    choose_those(wall, kc_replay_is_wanted(r) ? may_look_back : may_see);
    if (!wall->settled) {
        return not_yet(r);
    }
    if (wall->count == 0) {
        return refuse_stream(wall);
    }
    if (kc_query_is(r->args, "small", "1")) {
        spec.hub = kc_source_hub(source, KC_LAYER_SMALL);
    }
    small = spec.hub != NULL;
    if (!small) {
        spec.hub = kc_source_hub(source, KC_LAYER_FULL);
    }
    spec.form = KC_VIEWER_WALL;
    spec.cams = wall->cams;
    spec.cam_count = wall->count;
    spec.may_see = kc_permission_may_see;
    kc_page_set_headers(r);
    if (kc_replay_is_wanted(r) &&
        kc_replay_prepare(r, &spec, small ? KC_LAYER_SMALL : KC_LAYER_FULL, wall->back) != OK) {
        return OK;
    }
    return kc_viewer_serve(r, &spec);
}

static int send_zip(wall_t *wall)
{
    request_rec *r = wall->r;
    kc_clip_camera_t *cameras;
    kc_then_t then = { .layer = KC_LAYER_FULL };
    kc_state_t state;
    apr_size_t i;

    choose_those(wall, may_look_back);
    if (kc_then_allow(&then, r, wall->count ? wall->back : 0) != OK) {
        return OK;
    }
    cameras = apr_palloc(r->pool, wall->count * sizeof(*cameras));
    for (i = 0; i < wall->count; i++) {
        kc_source_state(wall->config->source, wall->cams[i], &state);
        cameras[i].cam = wall->cams[i];
        cameras[i].name = apr_pstrdup(r->pool, state.name);
    }
    return kc_clip_send_zip(&then, cameras, wall->count);
}

/* Takes "/1,3/stream" apart. 0, or -1: there is no such URL. */
static int parse_tail(wall_t *wall, const char *tail)
{
    const char *slash;
    apr_size_t size;

    if (*tail == '/') {
        tail++;
    }
    slash = strchr(tail, '/');
    size = slash ? (apr_size_t)(slash - tail) : strlen(tail);
    wall->what = slash ? slash + 1 : "";
    if (!slash && (strcmp(tail, "stream") == 0 || strcmp(tail, "list.json") == 0)) {
        wall->what = tail;
        size = 0;
    }
    if (!slash && size > 4 && strcmp(tail + size - 4, ".zip") == 0) {
        wall->what = "zip";
        size -= 4;
    }
    wall->chosen = apr_pstrmemdup(wall->r->pool, tail, size);
    return (slash && size == 0) || kc_selection_parse(&wall->selection, tail, size) ? -1 : 0;
}

static int serve(wall_t *wall, const char *tail)
{
    request_rec *r = wall->r;
    apr_size_t size = strlen(wall->base);

    if (strncmp(tail, "/-/", 3) == 0) {
        return kc_page_send_asset(r, tail + 3);
    }
    if (parse_tail(wall, tail)) {
        return kc_page_send_text(r, HTTP_NOT_FOUND,
                                 "Which cameras? /4 are the first four, /1,3,5-8 are these, "
                                 "/4-4 is camera 4 alone.");
    }
    if (size >= 5 && strcmp(wall->base + size - 5, ".json") == 0 && *tail == '\0') {
        wall->what = "list.json";
    }
    if (strcmp(wall->what, "") == 0) {
        return send_page(wall);
    }
    if (strcmp(wall->what, "list.json") == 0) {
        return send_list(wall);
    }
    if (strcmp(wall->what, "zip") == 0) {
        return send_zip(wall);
    }
    if (strcmp(wall->what, "stream") == 0) {
        return send_stream(wall);
    }
    return kc_page_send_text(r, HTTP_NOT_FOUND, "There is only stream and list.json here.");
}

static int handle_cameras(request_rec *r)
{
    const char *tail;
    wall_t wall = { 0 };
    int rc;

    if (!r->handler || strcmp(r->handler, KC_HANDLER_CAMERAS) != 0) {
        return DECLINED;
    }
    if ((rc = kc_page_check_method(r)) != OK) {
        return rc;
    }
    wall.r = r;
    wall.config = kc_config_get(r->server);
    tail = kc_config_tail(r, KC_HANDLER_CAMERAS, &wall.base);
    if (!tail || !wall.config->source) {
        return kc_page_send_text(r, HTTP_NOT_FOUND,
                                 "This server has no cameras (KafkaCamBrokers).");
    }
    return serve(&wall, tail);
}

void kc_cameras_register_hooks(apr_pool_t *pool)
{
    ap_hook_handler(handle_cameras, NULL, NULL, APR_HOOK_MIDDLE);
}
