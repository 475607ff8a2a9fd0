#include "kc_roster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include "kc_notice.h"
#include "kc_wire.h"

/* A higher epoch that has been silent for so long was a clock that ran ahead, not a successor. */
#define EPOCH_HOLDS apr_time_from_sec(300)

/* Over which rate and bandwidth are measured where no status record says them. */
#define WINDOW apr_time_from_sec(5)

/* Records that were on their way when a camera was removed do not bring it back. */
#define REMOVAL_HOLDS apr_time_from_sec(15)

/* Between two words about the epochs of one camera. */
#define SAY_AGAIN apr_time_from_sec(60)

/* One camera in one size. */
typedef struct {
    kc_life_t life;
    int notice_out;        /* the hub has an offline picture */
    int broken_row;        /* the last record was no picture either */
    apr_uint64_t epoch_ms; /* the highest that was believed, and when it was last there */
    kc_steady_t epoch_seen;
    int said_ahead;          /* that one was not believed */
    apr_uint64_t said_old;   /* epoch_ms when records of an earlier one were spoken of, */
    kc_steady_t said_old_at; /* and when that was */
    apr_uint32_t width;      /* of the newest picture */
    apr_uint32_t height;
    apr_uint64_t frames; /* since fetching began, */
    apr_uint64_t bytes;
    kc_steady_t window_start; /* and then; 0: not yet */
    apr_uint64_t window_frames;
    apr_uint64_t window_bytes;
    double fps;
    double bytes_per_s;
} view_t;

typedef struct {
    view_t view[KC_LAYERS];
    kc_status_record_t *record; /* ours, NULL: none */
    kc_steady_t record_came;    /* when it was last heard to stream, or not to */
    kc_moment_t removed;
    apr_time_t live_since; /* 0: not live */
    kc_state_t *shown;     /* ours; what the hubs were told last, NULL: nothing */
} camera_t;

struct kc_roster_t {
    kc_hub_t *hubs[KC_LAYERS]; /* these three never change */
    kc_life_rules_t rules;
    apr_uint32_t cams;
    apr_thread_mutex_t *lock; /* guards everything below; never held while a hub is called */
    camera_t *cameras;
    apr_uint32_t records; /* cameras that have one */
};

static apr_status_t drop_all(void *data)
{
    kc_roster_t *roster = data;
    apr_uint32_t cam;

    for (cam = 0; cam < roster->cams; cam++) {
        free(roster->cameras[cam].record);
        free(roster->cameras[cam].shown);
    }
    return APR_SUCCESS;
}

kc_roster_t *kc_roster_create(kc_hub_t *hubs[KC_LAYERS], apr_interval_time_t stale_after,
                              apr_interval_time_t settle, apr_pool_t *pool)
{
    kc_roster_t *roster = apr_pcalloc(pool, sizeof(*roster));
    const kc_life_t none = KC_LIFE_NONE;
    apr_uint32_t cam;
    int layer;

    memcpy(roster->hubs, hubs, sizeof(roster->hubs));
    roster->rules.stale_after = stale_after;
    roster->rules.settle = settle > stale_after ? settle : stale_after;
    roster->cams = kc_hub_cams(hubs[KC_LAYER_FULL]);
    roster->cameras = apr_pcalloc(pool, roster->cams * sizeof(*roster->cameras));
    for (cam = 0; cam < roster->cams; cam++) {
        for (layer = 0; layer < KC_LAYERS; layer++) {
            roster->cameras[cam].view[layer].life = none;
        }
    }
    if (apr_thread_mutex_create(&roster->lock, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, roster, drop_all, apr_pool_cleanup_null);
    return roster;
}

static void *xmalloc(size_t size)
{
    void *memory = malloc(size);

    if (!memory) {
        abort();
    }
    return memory;
}

/* The view with the lock held, or NULL without. */
static view_t *enter(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam)
{
    if (cam >= roster->cams) {
        return NULL;
    }
    apr_thread_mutex_lock(roster->lock);
    return &roster->cameras[cam].view[layer];
}

static void leave(kc_roster_t *roster)
{
    apr_thread_mutex_unlock(roster->lock);
}

/* ---- What happens ---- */

/* Something to be said once while this is the epoch that plays, and not too often whatever they
 * do. */
static int may_say_old(view_t *view, kc_steady_t now)
{
    if (view->said_old == view->epoch_ms ||
        (view->said_old && now - view->said_old_at < SAY_AGAIN)) {
        return 0;
    }
    view->said_old = view->epoch_ms;
    view->said_old_at = now;
    return 1;
}

static kc_roster_verdict_t judge_epoch(view_t *view, const kc_frame_t *frame, kc_steady_t now)
{
    int said = view->said_ahead;

    if (!frame->epoch_ms) {
        return KC_ROSTER_PLAY;
    }
    if (kc_wire_epoch_is_ahead(frame->epoch_ms, frame->arrived)) {
        view->said_ahead = 1;
        return said ? KC_ROSTER_PLAY : KC_ROSTER_PLAY_AHEAD;
    }
    if (frame->epoch_ms < view->epoch_ms && now - view->epoch_seen < EPOCH_HOLDS) {
        return may_say_old(view, now) ? KC_ROSTER_OUTDATED_NEW : KC_ROSTER_OUTDATED;
    }
    view->epoch_ms = frame->epoch_ms;
    view->epoch_seen = now;
    return KC_ROSTER_PLAY;
}

static void measure(view_t *view, kc_steady_t now)
{
    apr_interval_time_t window = now - view->window_start;

    if (view->window_start && window < WINDOW) {
        return;
    }
    if (view->window_start && window < 4 * WINDOW) {
        double seconds = (double)window / APR_USEC_PER_SEC;

        view->fps = round((double)(view->frames - view->window_frames) / seconds * 10) / 10;
        view->bytes_per_s = (double)(view->bytes - view->window_bytes) / seconds;
    }
    view->window_start = now;
    view->window_frames = view->frames;
    view->window_bytes = view->bytes;
}

kc_roster_verdict_t kc_roster_picture(kc_roster_t *roster, kc_layer_t layer,
                                      const kc_frame_t *frame, int old, kc_steady_t now)
{
    const kc_moment_t arrived = { frame->arrived, now };
    view_t *view = enter(roster, layer, frame->cam);
    kc_roster_verdict_t verdict;

    if (!view) {
        return KC_ROSTER_OUTDATED;
    }
    verdict = judge_epoch(view, frame, now);
    if (verdict < KC_ROSTER_OUTDATED) {
        kc_life_picture(&view->life, old ? frame->captured : 0, arrived);
        view->broken_row = 0;
        view->notice_out = 0;
        measure(view, now);
        view->frames++;
        view->bytes += frame->size;
        view->width = frame->width;
        view->height = frame->height;
    }
    leave(roster);
    return verdict;
}

int kc_roster_broken(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam)
{
    view_t *view = enter(roster, layer, cam);
    int first;

    if (!view) {
        return 0;
    }
    first = !view->broken_row;
    view->broken_row = 1;
    leave(roster);
    return first;
}

static void remove_camera(camera_t *camera, kc_moment_t now)
{
    int layer;

    camera->removed = now;
    camera->live_since = 0;
    for (layer = 0; layer < KC_LAYERS; layer++) {
        kc_life_forget(&camera->view[layer].life);
        camera->view[layer].notice_out = 0;
    }
    free(camera->shown);
    camera->shown = NULL;
}

/* A state that began later than clocks can differ says nothing about its beginning. */
static void keep_record(camera_t *camera, kc_status_record_t *copy,
                        const kc_status_record_t *record, kc_moment_t now)
{
    const kc_moment_t never = { 0, 0 };

    *copy = *record;
    if (copy->since > now.wall + KC_WIRE_CLOCKS_APART_US) {
        copy->since = 0;
    }
    if (!camera->record || camera->record->streaming != record->streaming) {
        camera->record_came = now.steady;
    }
    camera->removed = never;
}

void kc_roster_record(kc_roster_t *roster, apr_uint32_t cam, const kc_status_record_t *record,
                      kc_moment_t now)
{
    kc_status_record_t *copy = record ? xmalloc(sizeof(*copy)) : NULL;
    camera_t *camera;
    int layer;

    if (!enter(roster, KC_LAYER_FULL, cam)) {
        free(copy);
        return;
    }
    camera = &roster->cameras[cam];
    if (record) {
        keep_record(camera, copy, record, now);
    }
    else {
        remove_camera(camera, now);
    }
    roster->records += (record != NULL) - (camera->record != NULL);
    free(camera->record);
    camera->record = copy;
    leave(roster);
    for (layer = 0; !record && layer < KC_LAYERS; layer++) {
        if (roster->hubs[layer]) {
            kc_hub_forget(roster->hubs[layer], cam);
        }
    }
}

void kc_roster_forget_records(kc_roster_t *roster)
{
    apr_uint32_t cam;

    apr_thread_mutex_lock(roster->lock);
    for (cam = 0; cam < roster->cams; cam++) {
        free(roster->cameras[cam].record);
        roster->cameras[cam].record = NULL;
    }
    roster->records = 0;
    leave(roster);
}

void kc_roster_fetch(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam, int on,
                     kc_steady_t now)
{
    view_t *view = enter(roster, layer, cam);

    if (!view) {
        return;
    }
    kc_life_fetch(&view->life, on, now);
    view->window_start = 0;
    view->fps = view->bytes_per_s = 0;
    leave(roster);
    if (!on) {
        /* It is not kept up to date any more: the next viewer shall not see an old picture
         * first. */
        kc_hub_forget(roster->hubs[layer], cam);
        apr_thread_mutex_lock(roster->lock);
        view->notice_out = 0;
        free(roster->cameras[cam].shown);
        roster->cameras[cam].shown = NULL; /* the state went as well: tell it again */
        leave(roster);
    }
}

void kc_roster_empty(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam)
{
    view_t *view = enter(roster, layer, cam);

    if (view) {
        kc_life_answer(&view->life);
        leave(roster);
    }
}

void kc_roster_ends(kc_roster_t *roster, kc_layer_t layer, const apr_int64_t *ends,
                    apr_uint32_t count, kc_moment_t now)
{
    apr_uint32_t cam;

    apr_thread_mutex_lock(roster->lock);
    for (cam = 0; cam < roster->cams; cam++) {
        apr_int64_t end = cam < count ? ends[cam] : -1;

        if (end >= 0 || cam >= count) {
            kc_life_end(&roster->cameras[cam].view[layer].life, end, now);
        }
    }
    leave(roster);
}

/* ---- What it means; all with the lock held ---- */

/* The last sign of life in any size. */
static kc_moment_t last_sign(const kc_roster_t *roster, const camera_t *camera, kc_steady_t now)
{
    kc_moment_t last = { 0, 0 };
    int layer;

    for (layer = 0; layer < KC_LAYERS; layer++) {
        kc_moment_t sign = kc_life_sign(&camera->view[layer].life, &roster->rules, now);

        if (sign.wall && (!last.wall || sign.steady > last.steady)) {
            last = sign;
        }
    }
    return last;
}

/* In any size: small pictures may be switched off, or be all that is written. */
static int is_live(const kc_roster_t *roster, const camera_t *camera, kc_steady_t now)
{
    int layer;

    for (layer = 0; layer < KC_LAYERS; layer++) {
        if (kc_life_is_live(&camera->view[layer].life, &roster->rules, now)) {
            return 1;
        }
    }
    /* The producer's word counts until the partition could have been seen to grow. */
    return camera->record && camera->record->streaming &&
           now - camera->record_came < roster->rules.settle &&
           !kc_life_is_judged(&camera->view[KC_LAYER_FULL].life, &roster->rules, now);
}

static int was_ever_seen(const camera_t *camera)
{
    return kc_life_was_seen(&camera->view[KC_LAYER_FULL].life) ||
           camera->view[KC_LAYER_SMALL].life.picture.wall;
}

/* Did a sign of life come so long after the removal that it is not of a record on its way? */
static int came_back(const camera_t *camera)
{
    int layer;

    for (layer = 0; layer < KC_LAYERS; layer++) {
        const kc_life_t *life = &camera->view[layer].life;

        if ((life->picture.wall && life->picture.steady - camera->removed.steady > REMOVAL_HOLDS) ||
            (life->grew.wall && life->grew.steady - camera->removed.steady > REMOVAL_HOLDS)) {
            return 1;
        }
    }
    return 0;
}

static int is_known(const camera_t *camera)
{
    if (camera->record) {
        return 1;
    }
    return was_ever_seen(camera) && (!camera->removed.wall || came_back(camera));
}

/* Where our producer writes status records, a camera without one, whose partition does not grow,
 * was deleted from its table; Kafka may keep such pictures for days. */
static int is_listed(const kc_roster_t *roster, const camera_t *camera)
{
    const kc_life_t *full = &camera->view[KC_LAYER_FULL].life;

    return is_known(camera) &&
           (camera->record || !roster->records || full->grew.wall || full->picture.wall ||
            camera->view[KC_LAYER_SMALL].life.picture.wall);
}

static kc_state_word_t word_of(const camera_t *camera)
{
    if (camera->live_since) {
        return KC_STATE_LIVE;
    }
    if (camera->record) {
        return camera->record->told[0] ? KC_STATE_TOLD : KC_STATE_OFFLINE;
    }
    return was_ever_seen(camera) ? KC_STATE_OFFLINE : KC_STATE_UNKNOWN;
}

static apr_time_t since_of(const kc_roster_t *roster, const camera_t *camera, kc_state_word_t word,
                           kc_steady_t now)
{
    switch (word) {
    case KC_STATE_LIVE:
        return camera->live_since;
    case KC_STATE_OFFLINE:
        return last_sign(roster, camera, now).wall;
    case KC_STATE_UNKNOWN:
        return 0;
    default:
        return camera->record->since;
    }
}

static void take_figures(kc_state_t *state, const camera_t *camera)
{
    const kc_status_record_t *record = camera->record;
    const view_t *full = &camera->view[KC_LAYER_FULL];

    state->width = record && record->width ? record->width : full->width;
    state->height = record && record->height ? record->height : full->height;
    if (state->word != KC_STATE_LIVE) {
        return;
    }
    if (record && record->fps > 0) {
        state->fps = record->fps;
        state->bytes_per_s = record->bytes_per_s;
    }
    else {
        state->fps = full->fps;
        state->bytes_per_s = (apr_int64_t)full->bytes_per_s;
    }
}

static void describe(const kc_roster_t *roster, const camera_t *camera, apr_uint32_t cam,
                     kc_steady_t now, kc_state_t *state)
{
    const kc_status_record_t *record = camera->record;

    memset(state, 0, sizeof(*state));
    state->cam = cam;
    state->word = word_of(camera);
    state->since = since_of(roster, camera, state->word, now);
    if (record && record->name[0]) {
        memcpy(state->name, record->name, sizeof(state->name));
    }
    else {
        apr_snprintf(state->name, sizeof(state->name), "Camera %u", cam);
    }
    if (record) {
        memcpy(state->told, record->told, sizeof(state->told));
    }
    if (record && state->word != KC_STATE_LIVE) {
        memcpy(state->error, record->error, sizeof(state->error));
    }
    take_figures(state, camera);
}

static void update_live(const kc_roster_t *roster, camera_t *camera, kc_moment_t now)
{
    const kc_status_record_t *record = camera->record;

    if (!is_live(roster, camera, now.steady)) {
        camera->live_since = 0;
    }
    else if (!camera->live_since) {
        camera->live_since =
            record && record->streaming && record->since && record->since < now.wall ? record->since
                                                                                     : now.wall;
    }
}

/* ---- The tick ---- */

static void publish_state(kc_roster_t *roster, const kc_state_t *state, apr_time_t now,
                          apr_pool_t *scratch)
{
    char *json = kc_state_json(state, NULL, now, scratch);
    int layer;

    for (layer = 0; layer < KC_LAYERS; layer++) {
        kc_frame_t *frame;

        if (!roster->hubs[layer]) {
            continue;
        }
        frame = kc_frame_create(KC_FRAME_STATE, state->cam, strlen(json));
        memcpy(frame->data, json, frame->size);
        frame->captured = frame->arrived = now;
        kc_hub_publish(roster->hubs[layer], frame);
    }
}

/* 1 if the state is news, and noted as told. */
static int note_state(camera_t *camera, const kc_state_t *state)
{
    if (camera->shown && !kc_state_differs(camera->shown, state)) {
        return 0;
    }
    if (!camera->shown) {
        camera->shown = xmalloc(sizeof(*camera->shown));
    }
    *camera->shown = *state;
    return 1;
}

static void tick_camera(kc_roster_t *roster, apr_uint32_t cam, kc_moment_t now, apr_pool_t *scratch)
{
    camera_t *camera = &roster->cameras[cam];
    kc_state_t state;
    int news = 0;

    apr_thread_mutex_lock(roster->lock);
    update_live(roster, camera, now);
    if (is_known(camera)) {
        describe(roster, camera, cam, now.steady, &state);
        news = note_state(camera, &state);
    }
    leave(roster);
    if (news) {
        publish_state(roster, &state, now.wall, scratch);
    }
}

/* Should viewers see an offline picture that they have not got yet? With the lock. */
static int wants_notice(const kc_roster_t *roster, const view_t *view, kc_steady_t now)
{
    return !view->notice_out && kc_life_is_judged(&view->life, &roster->rules, now) &&
           !kc_life_is_live(&view->life, &roster->rules, now);
}

/* Painted without the lock. Published with it, because a picture is told to the roster before it is
 * published: so a notice that is out of date by then is never the last word. 1 if there is one. */
static int paint(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam, kc_moment_t now)
{
    view_t *view = enter(roster, layer, cam);
    apr_time_t since = view->life.picture.wall;
    apr_uint32_t width = view->width;
    apr_uint32_t height = view->height;
    kc_frame_t *notice;
    kc_state_t state;
    int wanted = wants_notice(roster, view, now.steady);

    if (wanted) {
        describe(roster, &roster->cameras[cam], cam, now.steady, &state);
    }
    leave(roster);
    if (!wanted) {
        return 0;
    }
    if (!width || !height) {
        width = state.width;
        height = state.height;
    }
    notice = kc_notice_create(cam, state.name, since, now.wall, width, height);
    view = enter(roster, layer, cam);
    wanted = wants_notice(roster, view, now.steady);
    if (wanted) {
        view->notice_out = 1;
        kc_hub_publish(roster->hubs[layer], notice);
    }
    leave(roster);
    if (!wanted) {
        kc_frame_unref(notice);
    }
    return wanted;
}

int kc_roster_paint(kc_roster_t *roster, kc_moment_t now, apr_uint32_t *stop)
{
    apr_uint32_t cam;
    int layer, made = 0;

    for (cam = 0; cam < roster->cams && !apr_atomic_read32(stop); cam++) {
        for (layer = 0; layer < KC_LAYERS; layer++) {
            if (roster->hubs[layer]) {
                made += paint(roster, (kc_layer_t)layer, cam, now);
            }
        }
    }
    return made;
}

void kc_roster_tick(kc_roster_t *roster, kc_moment_t now, apr_pool_t *scratch)
{
    apr_uint32_t cam;

    for (cam = 0; cam < roster->cams; cam++) {
        tick_camera(roster, cam, now, scratch);
    }
}

/* ---- Questions ---- */

int kc_roster_knows(kc_roster_t *roster, apr_uint32_t cam)
{
    int known;

    if (!enter(roster, KC_LAYER_FULL, cam)) {
        return 0;
    }
    known = is_known(&roster->cameras[cam]);
    leave(roster);
    return known;
}

int kc_roster_has(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam, kc_steady_t now)
{
    view_t *view = enter(roster, layer, cam);
    int has;

    if (!view) {
        return 0;
    }
    has = layer == KC_LAYER_FULL
              ? kc_life_was_seen(&view->life)
              : kc_life_serves(&view->life, &roster->cameras[cam].view[KC_LAYER_FULL].life,
                               &roster->rules, now);
    leave(roster);
    return has;
}

apr_array_header_t *kc_roster_list(kc_roster_t *roster, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 16, sizeof(apr_uint32_t));
    apr_uint32_t cam;

    apr_thread_mutex_lock(roster->lock);
    for (cam = 0; cam < roster->cams; cam++) {
        if (is_listed(roster, &roster->cameras[cam])) {
            APR_ARRAY_PUSH(list, apr_uint32_t) = cam;
        }
    }
    leave(roster);
    return list;
}

void kc_roster_state(kc_roster_t *roster, apr_uint32_t cam, kc_moment_t now, kc_state_t *state)
{
    static const camera_t nobody = { .view = { { .life = KC_LIFE_NONE },
                                               { .life = KC_LIFE_NONE } } };

    if (!enter(roster, KC_LAYER_FULL, cam)) {
        describe(roster, &nobody, cam, now.steady, state);
        return;
    }
    update_live(roster, &roster->cameras[cam], now);
    describe(roster, &roster->cameras[cam], cam, now.steady, state);
    leave(roster);
}
