#include "kc_roster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include "kc_notice.h"

/* A higher epoch that has been silent for so long was a clock that ran ahead, not a successor. */
#define EPOCH_HOLDS apr_time_from_sec(300)

/* Over which rate and bandwidth are measured where no status record says them. */
#define WINDOW apr_time_from_sec(5)

/* How much later than it happened a partition may be seen to have grown. */
#define SEEN_LATE apr_time_from_sec(10)

/* Records that were on their way when a camera was removed do not bring it back. */
#define REMOVAL_HOLDS apr_time_from_sec(15)

/* One camera in one size. */
typedef struct {
    kc_roster_figures_t figures;
    apr_time_t fetched_since; /* 0: not fetched */
    int answered;             /* since then a record came, or word that there is none */
    int notice_out;           /* the hub has an offline picture */
    int broken_row;           /* the last record was no picture either */
    apr_uint64_t epoch_ms;    /* the highest that was seen, and when */
    apr_time_t epoch_seen;
    apr_uint32_t width; /* of the newest picture */
    apr_uint32_t height;
    apr_int64_t end;         /* the partition's, -1: not known */
    apr_time_t grew;         /* when end was last seen to have risen, 0: never */
    apr_time_t window_start; /* and figures then */
    apr_uint64_t window_frames;
    apr_uint64_t window_bytes;
    double fps;
    double bytes_per_s;
} view_t;

typedef struct {
    view_t view[KC_LAYERS];
    kc_status_record_t *record; /* ours, NULL: none */
    apr_time_t record_came;     /* when its state was last heard to be another */
    apr_time_t removed;         /* 0: not */
    apr_time_t live_since;      /* 0: not live */
    int listed;                 /* as of the last tick */
    kc_state_t *shown;          /* ours; what the hubs were told last, NULL: nothing */
} camera_t;

struct kc_roster_t {
    kc_hub_t *hubs[KC_LAYERS]; /* these four never change */
    apr_interval_time_t stale_after;
    apr_interval_time_t settle;
    apr_uint32_t cams;
    apr_thread_mutex_t *lock; /* guards everything below; never held while a hub is called */
    camera_t *cameras;
    apr_uint32_t records; /* cameras that have one */
    apr_uint32_t version;
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
    apr_uint32_t cam;

    memcpy(roster->hubs, hubs, sizeof(roster->hubs));
    roster->stale_after = stale_after;
    roster->settle = settle > stale_after ? settle : stale_after;
    roster->cams = kc_hub_cams(hubs[KC_LAYER_FULL]);
    roster->cameras = apr_pcalloc(pool, roster->cams * sizeof(*roster->cameras));
    for (cam = 0; cam < roster->cams; cam++) {
        roster->cameras[cam].view[KC_LAYER_FULL].end = -1;
        roster->cameras[cam].view[KC_LAYER_SMALL].end = -1;
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

static int is_outdated(view_t *view, const kc_frame_t *frame)
{
    if (!frame->epoch_ms) {
        return 0;
    }
    if (frame->epoch_ms < view->epoch_ms && frame->arrived - view->epoch_seen < EPOCH_HOLDS) {
        return 1;
    }
    view->epoch_ms = frame->epoch_ms;
    view->epoch_seen = frame->arrived;
    return 0;
}

static void measure(view_t *view, apr_time_t now)
{
    apr_interval_time_t window = now - view->window_start;

    if (window >= 0 && window < WINDOW) {
        return;
    }
    if (view->window_start && window < 4 * WINDOW && window > 0) {
        double seconds = (double)window / APR_USEC_PER_SEC;

        view->fps = round((double)(view->figures.frames - view->window_frames) / seconds * 10) / 10;
        view->bytes_per_s = (double)(view->figures.bytes - view->window_bytes) / seconds;
    }
    view->window_start = now;
    view->window_frames = view->figures.frames;
    view->window_bytes = view->figures.bytes;
}

kc_roster_verdict_t kc_roster_picture(kc_roster_t *roster, kc_layer_t layer,
                                      const kc_frame_t *frame, int old)
{
    view_t *view = enter(roster, layer, frame->cam);

    if (!view) {
        return KC_ROSTER_OUTDATED;
    }
    if (is_outdated(view, frame)) {
        view->figures.outdated++;
        leave(roster);
        return KC_ROSTER_OUTDATED;
    }
    view->answered = 1;
    view->broken_row = 0;
    view->notice_out = 0;
    view->figures.news = old && frame->captured < frame->arrived ? frame->captured : frame->arrived;
    measure(view, frame->arrived);
    view->figures.frames++;
    view->figures.bytes += frame->size;
    view->width = frame->width;
    view->height = frame->height;
    leave(roster);
    return KC_ROSTER_PLAY;
}

int kc_roster_broken(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam)
{
    view_t *view = enter(roster, layer, cam);
    int first;

    if (!view) {
        return 0;
    }
    view->answered = 1;
    view->figures.broken++;
    first = !view->broken_row;
    view->broken_row = 1;
    leave(roster);
    return first;
}

static void remove_camera(camera_t *camera, apr_time_t now)
{
    camera->removed = now;
    camera->live_since = 0;
    camera->view[KC_LAYER_FULL].notice_out = 0;
    camera->view[KC_LAYER_SMALL].notice_out = 0;
    camera->view[KC_LAYER_FULL].figures.news = 0;
    camera->view[KC_LAYER_SMALL].figures.news = 0;
    free(camera->shown);
    camera->shown = NULL;
}

void kc_roster_record(kc_roster_t *roster, apr_uint32_t cam, const kc_status_record_t *record,
                      apr_time_t now)
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
        *copy = *record;
        if (!camera->record || camera->record->streaming != record->streaming) {
            camera->record_came = now;
        }
        camera->removed = 0;
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
                     apr_time_t now)
{
    view_t *view = enter(roster, layer, cam);

    if (!view) {
        return;
    }
    view->figures.fetching = on;
    view->fetched_since = on ? now : 0;
    view->answered = 0;
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
        view->answered = 1;
        leave(roster);
    }
}

void kc_roster_ends(kc_roster_t *roster, kc_layer_t layer, const apr_int64_t *ends,
                    apr_uint32_t count, apr_time_t now)
{
    apr_uint32_t cam;

    apr_thread_mutex_lock(roster->lock);
    for (cam = 0; cam < roster->cams; cam++) {
        view_t *view = &roster->cameras[cam].view[layer];
        apr_int64_t end = cam < count ? ends[cam] : 0;

        if (end < 0) {
            continue;
        }
        if (view->end >= 0 && end > view->end) {
            view->grew = now;
        }
        view->end = end;
    }
    leave(roster);
}

/* ---- What it means; all with the lock held ---- */

/* The size whose pictures tell best how the camera is, NULL: none is fetched. */
static const view_t *watched_view(const camera_t *camera)
{
    int layer;

    for (layer = 0; layer < KC_LAYERS; layer++) {
        if (camera->view[layer].figures.fetching) {
            return &camera->view[layer];
        }
    }
    return NULL;
}

static apr_time_t last_news(const camera_t *camera)
{
    const view_t *full = &camera->view[KC_LAYER_FULL];
    const view_t *small = &camera->view[KC_LAYER_SMALL];

    return full->figures.news > small->figures.news ? full->figures.news : small->figures.news;
}

/* Growth is seen some seconds late, so it counts only if there was none of the news for longer. */
static apr_time_t last_sign(const camera_t *camera)
{
    apr_time_t grew = camera->view[KC_LAYER_FULL].grew;
    apr_time_t news = last_news(camera);

    return grew > news + SEEN_LATE ? grew : news;
}

static int is_live(const kc_roster_t *roster, const camera_t *camera, apr_time_t now)
{
    const view_t *view = watched_view(camera);
    apr_time_t sign = last_sign(camera);
    apr_interval_time_t holds = roster->settle;

    if (view && (view->answered || now - view->fetched_since >= roster->stale_after)) {
        return view->figures.news && now - view->figures.news < roster->stale_after;
    }
    if (sign == last_news(camera)) { /* as while it was watched, but long enough to see it grow */
        holds = roster->stale_after > SEEN_LATE ? roster->stale_after : SEEN_LATE;
    }
    if (sign && sign > camera->removed && now - sign < holds) {
        return 1;
    }
    /* The producer's word counts until the partition could have been seen to grow. */
    return camera->record && camera->record->streaming &&
           now - camera->record_came < roster->settle;
}

static int was_ever_seen(const camera_t *camera)
{
    return camera->view[KC_LAYER_FULL].end > 0 || last_news(camera);
}

static int came_back(const camera_t *camera)
{
    apr_time_t grew = camera->view[KC_LAYER_FULL].grew;
    apr_time_t news = last_news(camera);

    return (grew > news ? grew : news) - camera->removed > REMOVAL_HOLDS;
}

static int is_known(const camera_t *camera)
{
    if (camera->record) {
        return 1;
    }
    return was_ever_seen(camera) && (!camera->removed || came_back(camera));
}

/* Where a producer of ours writes status records, what has none and does not move is what was
 * deleted from its table; Kafka may keep such pictures for days. */
static int is_listed(const kc_roster_t *roster, const camera_t *camera)
{
    return is_known(camera) && (camera->record || !roster->records ||
                                camera->view[KC_LAYER_FULL].grew || last_news(camera));
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

static apr_time_t since_of(const camera_t *camera, kc_state_word_t word)
{
    const view_t *watched = watched_view(camera);

    switch (word) {
    case KC_STATE_LIVE:
        return camera->live_since;
    case KC_STATE_OFFLINE:
        /* The picture's own time where it was read, whenever it was written. */
        return watched && watched->answered && watched->figures.news ? watched->figures.news
                                                                     : last_sign(camera);
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

static void describe(const camera_t *camera, apr_uint32_t cam, kc_state_t *state)
{
    const kc_status_record_t *record = camera->record;

    memset(state, 0, sizeof(*state));
    state->cam = cam;
    state->word = word_of(camera);
    state->since = since_of(camera, state->word);
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

static void update_live(const kc_roster_t *roster, camera_t *camera, apr_time_t now)
{
    const kc_status_record_t *record = camera->record;

    if (!is_live(roster, camera, now)) {
        camera->live_since = 0;
    }
    else if (!camera->live_since) {
        camera->live_since = record && record->streaming && record->since && record->since < now
                                 ? record->since
                                 : now;
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
static int note_state(kc_roster_t *roster, camera_t *camera, const kc_state_t *state)
{
    int named_anew = !camera->shown || strcmp(camera->shown->name, state->name);

    if (camera->shown && !kc_state_differs(camera->shown, state)) {
        return 0;
    }
    if (!camera->shown) {
        camera->shown = xmalloc(sizeof(*camera->shown));
    }
    *camera->shown = *state;
    roster->version += named_anew != 0;
    return 1;
}

static void tick_camera(kc_roster_t *roster, apr_uint32_t cam, apr_time_t now, apr_pool_t *scratch)
{
    camera_t *camera = &roster->cameras[cam];
    kc_state_t state;
    int listed, news = 0;

    apr_thread_mutex_lock(roster->lock);
    update_live(roster, camera, now);
    listed = is_listed(roster, camera);
    if (listed != camera->listed) {
        camera->listed = listed;
        roster->version++;
    }
    if (is_known(camera)) {
        describe(camera, cam, &state);
        news = note_state(roster, camera, &state);
    }
    leave(roster);
    if (news) {
        publish_state(roster, &state, now, scratch);
    }
}

static int needs_notice(const kc_roster_t *roster, const view_t *view, apr_time_t now)
{
    if (!view->figures.fetching || view->notice_out) {
        return 0;
    }
    if (view->answered) {
        return !view->figures.news || now - view->figures.news >= roster->stale_after;
    }
    return now - view->fetched_since >= roster->stale_after;
}

/* 1 if an offline picture was made. */
static int tick_view(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam, apr_time_t now)
{
    view_t *view = enter(roster, layer, cam);
    apr_time_t since = view->figures.news;
    apr_uint32_t width = view->width;
    apr_uint32_t height = view->height;
    kc_state_t state;

    if (!needs_notice(roster, view, now)) {
        leave(roster);
        return 0;
    }
    view->notice_out = 1;
    describe(&roster->cameras[cam], cam, &state);
    leave(roster);
    if (!width || !height) {
        width = state.width;
        height = state.height;
    }
    kc_hub_publish(roster->hubs[layer],
                   kc_notice_create(cam, state.name, since, now, width, height));
    return 1;
}

int kc_roster_tick(kc_roster_t *roster, apr_time_t now, apr_pool_t *scratch)
{
    apr_uint32_t cam;
    int layer, made = 0;

    for (cam = 0; cam < roster->cams; cam++) {
        tick_camera(roster, cam, now, scratch);
        for (layer = 0; layer < KC_LAYERS && made < KC_ROSTER_NOTICES; layer++) {
            if (roster->hubs[layer]) {
                made += tick_view(roster, (kc_layer_t)layer, cam, now);
            }
        }
    }
    return made;
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

int kc_roster_has(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam)
{
    view_t *view = enter(roster, layer, cam);
    int has;

    if (!view) {
        return 0;
    }
    has = view->end > 0 || view->figures.news;
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

apr_uint32_t kc_roster_version(kc_roster_t *roster)
{
    apr_uint32_t version;

    apr_thread_mutex_lock(roster->lock);
    version = roster->version;
    leave(roster);
    return version;
}

void kc_roster_state(kc_roster_t *roster, apr_uint32_t cam, apr_time_t now, kc_state_t *state)
{
    static const camera_t nobody = { .view = { { .end = -1 }, { .end = -1 } } };

    if (!enter(roster, KC_LAYER_FULL, cam)) {
        describe(&nobody, cam, state);
        return;
    }
    update_live(roster, &roster->cameras[cam], now);
    describe(&roster->cameras[cam], cam, state);
    leave(roster);
}

void kc_roster_figures(kc_roster_t *roster, kc_layer_t layer, apr_uint32_t cam,
                       kc_roster_figures_t *figures)
{
    view_t *view = enter(roster, layer, cam);

    memset(figures, 0, sizeof(*figures));
    if (view) {
        *figures = view->figures;
        leave(roster);
    }
}
