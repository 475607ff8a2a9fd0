#include "kc_source.h"

#include <string.h>
#include <apr_strings.h>
#include "kc_feed.h"
#include "kc_kafka.h"
#include "kc_painter.h"

struct kc_source_t {
    const kc_config_t *config; /* none of these change after the start */
    kc_kafka_t *kafka;
    kc_hub_t *hubs[KC_LAYERS];
    kc_roster_t *roster;
    kc_feed_t *feed;
    kc_keeper_t *keeper;
    kc_painter_t *painter;
};

/* ---- Start and end ---- */

static int are_same(const char *one, const char *other)
{
    return !strcmp(one ? one : "", other ? other : "");
}

static int have_same_properties(const kc_config_t *one, const kc_config_t *other)
{
    const kc_property_t *a = (const kc_property_t *)one->properties->elts;
    const kc_property_t *b = (const kc_property_t *)other->properties->elts;
    int i;

    if (one->properties->nelts != other->properties->nelts) {
        return 0;
    }
    for (i = 0; i < one->properties->nelts; i++) {
        if (strcmp(a[i].name, b[i].name) || strcmp(a[i].value, b[i].value)) {
            return 0;
        }
    }
    return 1;
}

int kc_source_fits(const kc_config_t *one, const kc_config_t *other)
{
    return one->brokers && are_same(one->brokers, other->brokers) &&
           are_same(one->topic, other->topic) && are_same(one->status_topic, other->status_topic) &&
           are_same(one->small_topic, other->small_topic) && one->idle == other->idle &&
           one->max_idle == other->max_idle && one->stale_after == other->stale_after &&
           one->max_cameras == other->max_cameras && have_same_properties(one, other);
}

void kc_source_abandon(kc_source_t *source)
{
    kc_painter_abandon(source->painter);
    kc_keeper_abandon(source->keeper);
    kc_feed_abandon(source->feed);
}

void kc_source_stopping(kc_source_t *source)
{
    kc_painter_stopping(source->painter);
    kc_keeper_stopping(source->keeper);
    kc_feed_stopping(source->feed);
}

static apr_status_t stop(void *data)
{
    kc_source_t *source = data;

    if (source->painter) {
        kc_source_stopping(source); /* both at once: then it takes as long as the slower one */
    }
    kc_painter_close(source->painter);
    kc_keeper_close(source->keeper);
    kc_feed_close(source->feed);
    kc_kafka_close(source->kafka);
    return APR_SUCCESS;
}

static apr_status_t set_up(kc_source_t *source, apr_pool_t *pool, server_rec *s)
{
    const kc_config_t *config = source->config;
    apr_uint32_t cams = (apr_uint32_t)config->max_cameras;
    apr_status_t rv = kc_hub_create(&source->hubs[KC_LAYER_FULL], cams, pool);

    if (rv == APR_SUCCESS && config->small_topic) {
        rv = kc_hub_create(&source->hubs[KC_LAYER_SMALL], cams, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    source->roster = kc_roster_create(source->hubs, config->stale_after, KC_KEEPER_SETTLE, pool);
    if (!source->roster) {
        return APR_ENOMEM;
    }
    if ((rv = kc_kafka_open(&source->kafka, KC_KAFKA_LIVE, config, s, pool)) ||
        (rv = kc_feed_create(&source->feed, source->kafka, config, source->hubs, source->roster, s,
                             pool)) ||
        (rv = kc_keeper_create(&source->keeper, source->kafka, source->feed, config, source->roster,
                               s, pool)) ||
        (rv = kc_feed_start(source->feed, pool)) ||
        (rv = kc_keeper_start(source->keeper, pool))) {
        return rv;
    }
    return kc_painter_start(&source->painter, source->roster, pool);
}

apr_status_t kc_source_start(kc_source_t **result, const kc_config_t *config, apr_pool_t *pchild,
                             server_rec *s)
{
    kc_source_t *source = apr_pcalloc(pchild, sizeof(*source));
    apr_status_t rv;

    source->config = config;
    rv = set_up(source, pchild, s);
    if (rv != APR_SUCCESS) {
        stop(source);
        return rv;
    }
    apr_pool_pre_cleanup_register(pchild, source, stop);
    *result = source;
    return APR_SUCCESS;
}

/* ---- Questions ---- */

kc_hub_t *kc_source_hub(kc_source_t *source, kc_layer_t layer)
{
    return source->hubs[layer];
}

int kc_source_has(kc_source_t *source, kc_layer_t layer, apr_uint32_t cam)
{
    return source->hubs[layer] && kc_roster_has(source->roster, layer, cam, kc_moment_now().steady);
}

kc_source_answer_t kc_source_find(kc_source_t *source, apr_uint32_t cam)
{
    if (cam >= (apr_uint32_t)source->config->max_cameras) {
        return KC_SOURCE_NO_CAMERA;
    }
    if (kc_roster_knows(source->roster, cam)) {
        return KC_SOURCE_CAMERA;
    }
    if (!kc_keeper_knows_all(source->keeper)) {
        return KC_SOURCE_NOT_YET;
    }
    /* A partition that is there, and of which its broker has not said anything yet. */
    return cam < kc_feed_count(source->feed, KC_LAYER_FULL) &&
                   !kc_keeper_reaches(source->keeper, KC_LAYER_FULL, cam)
               ? KC_SOURCE_NOT_YET
               : KC_SOURCE_NO_CAMERA;
}

void kc_source_look(kc_source_t *source, apr_interval_time_t wait)
{
    kc_keeper_look(source->keeper, wait);
}

int kc_source_settle(kc_source_t *source, apr_interval_time_t wait)
{
    return kc_keeper_settle(source->keeper, wait);
}

apr_array_header_t *kc_source_cameras(kc_source_t *source, apr_pool_t *pool)
{
    return kc_roster_list(source->roster, pool);
}

void kc_source_state(kc_source_t *source, apr_uint32_t cam, kc_state_t *state)
{
    kc_roster_state(source->roster, cam, kc_moment_now(), state);
}

int kc_source_is_up(const kc_source_health_t *health)
{
    return health->reached && !health->away && !health->denied;
}

void kc_source_health(kc_source_t *source, kc_source_health_t *health)
{
    kc_keeper_health(source->keeper, health);
}
