#include "kc_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <apr_strings.h>
#include <jansson.h>

static const char *const words[KC_STATES] = {
    [KC_STATE_UNKNOWN] = "unknown", [KC_STATE_LIVE] = "live",
    [KC_STATE_OFFLINE] = "offline", [KC_STATE_CONNECTING] = "connecting",
    [KC_STATE_WAITING] = "waiting", [KC_STATE_FAILED] = "failed",
};

const char *kc_state_word(kc_state_word_t word)
{
    return words[word];
}

/* At most size - 1 bytes of UTF-8 text, cut between characters. */
static void copy_text(char *copy, apr_size_t size, const char *text)
{
    apr_size_t length = strlen(text);

    if (length >= size) {
        length = size - 1;
        while (length && ((unsigned char)text[length] & 0xC0) == 0x80) {
            length--;
        }
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
}

/* These leave the field alone where the record does not say, and answer 0 where it says
 * nonsense. */
static int take_text(const json_t *object, const char *field, char *text, apr_size_t size)
{
    const json_t *value = json_object_get(object, field);

    if (json_is_string(value)) {
        copy_text(text, size, json_string_value(value));
        return 1;
    }
    return !value || json_is_null(value);
}

static int take_number(const json_t *object, const char *field, double max, double *number)
{
    const json_t *value = json_object_get(object, field);
    double said;

    if (!json_is_number(value)) {
        return !value || json_is_null(value);
    }
    said = json_number_value(value);
    if (!(said >= 0 && said <= max)) {
        return 0;
    }
    *number = said;
    return 1;
}

static int take_state(const json_t *object, enum kc_wire_state *state)
{
    const char *word = json_string_value(json_object_get(object, KC_WIRE_STATUS_STATE));

    return word && kc_wire_state_parse(state, word) == 0;
}

static const char *take_record(kc_status_record_t *record, const json_t *object)
{
    double since_ms = 0, width = 0, height = 0, bytes_per_s = 0;

    if (!json_is_object(object)) {
        return "it is no JSON object";
    }
    if (!take_state(object, &record->state)) {
        return "it has no \"" KC_WIRE_STATUS_STATE "\" that is known";
    }
    if (!take_text(object, KC_WIRE_STATUS_NAME, record->name, sizeof(record->name))) {
        return "its \"" KC_WIRE_STATUS_NAME "\" is no text";
    }
    if (!take_text(object, KC_WIRE_STATUS_ERROR, record->error, sizeof(record->error))) {
        return "its \"" KC_WIRE_STATUS_ERROR "\" is no text";
    }
    /* 1e15 ms: the year 33658, far from where microseconds overflow. */
    if (!take_number(object, KC_WIRE_STATUS_SINCE, 1e15, &since_ms) ||
        !take_number(object, KC_WIRE_STATUS_FPS, 1e6, &record->fps) ||
        !take_number(object, KC_WIRE_STATUS_WIDTH, 65535, &width) ||
        !take_number(object, KC_WIRE_STATUS_HEIGHT, 65535, &height) ||
        !take_number(object, KC_WIRE_STATUS_BYTES_PER_S, 1e15, &bytes_per_s)) {
        return "one of its numbers is none, or out of range";
    }
    record->since = (apr_time_t)since_ms * 1000;
    record->width = (apr_uint32_t)width;
    record->height = (apr_uint32_t)height;
    record->bytes_per_s = (apr_int64_t)bytes_per_s;
    return NULL;
}

apr_status_t kc_state_record_parse(kc_status_record_t *record, const char *text, apr_size_t size,
                                   const char **why)
{
    kc_status_record_t taken;
    json_t *object;

    if (size > KC_STATE_RECORD_MAX) {
        *why = "it is too long";
        return APR_EINVAL;
    }
    memset(&taken, 0, sizeof(taken));
    object = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    *why = object ? take_record(&taken, object) : "it is not JSON";
    json_decref(object);
    if (*why) {
        return APR_EINVAL;
    }
    *record = taken;
    return APR_SUCCESS;
}

int kc_state_differs(const kc_state_t *one, const kc_state_t *other)
{
    return one->word != other->word || one->since != other->since || one->fps != other->fps ||
           one->width != other->width || one->height != other->height ||
           one->bytes_per_s != other->bytes_per_s || strcmp(one->name, other->name) ||
           strcmp(one->error, other->error);
}

static json_t *describe(const kc_state_t *state)
{
    json_t *object = json_object();

    json_object_set_new(object, "camera", json_integer(state->cam));
    json_object_set_new(object, "name", json_string(state->name));
    json_object_set_new(object, "state", json_string(words[state->word]));
    json_object_set_new(object, "since",
                        state->since ? json_integer(apr_time_as_msec(state->since)) : json_null());
    json_object_set_new(object, "fps", json_real(round(state->fps * 100) / 100));
    json_object_set_new(object, "w", json_integer(state->width));
    json_object_set_new(object, "h", json_integer(state->height));
    json_object_set_new(object, "bytes_per_s", json_integer(state->bytes_per_s));
    if (state->error[0]) {
        json_object_set_new(object, "error", json_string(state->error));
    }
    return object;
}

static void add_picture(json_t *object, const kc_frame_t *newest, apr_time_t now)
{
    apr_time_t age = now > newest->captured ? now - newest->captured : 0;

    json_object_set_new(object, "offset", json_integer(newest->offset));
    json_object_set_new(object, "seq", json_integer((json_int_t)newest->seq));
    json_object_set_new(object, "captured", json_integer(newest->captured));
    json_object_set_new(object, "size", json_integer((json_int_t)newest->size));
    json_object_set_new(object, "age_ms", json_integer(apr_time_as_msec(age)));
}

static char *dump(json_t *value, apr_pool_t *pool)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ESCAPE_SLASH |
                                       JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    char *copy;

    json_decref(value);
    if (!text) {
        abort(); /* out of memory: as in APR's pools */
    }
    copy = apr_pstrdup(pool, text);
    free(text);
    return copy;
}

char *kc_state_json(const kc_state_t *state, const kc_frame_t *newest, apr_time_t now,
                    apr_pool_t *pool)
{
    json_t *object = describe(state);

    if (newest) {
        add_picture(object, newest, now);
    }
    return dump(object, pool);
}

char *kc_state_json_text(const char *text, apr_pool_t *pool)
{
    json_t *value = json_string(text);
    char *ascii, *letter;

    if (!value) {
        ascii = apr_pstrdup(pool, text);
        for (letter = ascii; *letter; letter++) {
            *letter = (unsigned char)*letter < 128 ? *letter : '?';
        }
        value = json_string(ascii);
    }
    return dump(value, pool);
}
