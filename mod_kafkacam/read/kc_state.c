#include "kc_state.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <apr_strings.h>
#include <jansson.h>

/* Our own; a camera that is told to be in one of them is judged by its pictures. */
static const char *const words[] = {
    [KC_STATE_UNKNOWN] = "unknown",
    [KC_STATE_LIVE] = "live",
    [KC_STATE_OFFLINE] = "offline",
};

typedef enum {
    TEXT,  /* with size, cleaned */
    REAL,  /* double */
    WHOLE, /* apr_uint32_t */
    LARGE, /* apr_int64_t */
    TIME   /* apr_time_t, milliseconds in the record */
} kind_t;

#define WRONG_TEXT(name)   "its \"" name "\" is no text"
#define WRONG_NUMBER(name) "its \"" name "\" is no number, or out of range"
#define TEXT_FIELD(name, member)                                                                   \
    TEXT, AT(member), sizeof(((kc_status_record_t *)0)->member), name, WRONG_TEXT(name)
#define NUMBER_FIELD(kind, name, member) kind, AT(member), 0, name, WRONG_NUMBER(name)
#define AT(member)                       offsetof(kc_status_record_t, member)

/* What is kept of a record, besides its state. Their ranges: kc_wire_status_field(). */
static const struct kept {
    kind_t kind;
    size_t at;
    size_t size;
    const char *field;
    const char *wrong;
} kept[] = {
    { TEXT_FIELD(KC_WIRE_STATUS_NAME, name) },
    { TEXT_FIELD(KC_WIRE_STATUS_ERROR, error) },
    { NUMBER_FIELD(TIME, KC_WIRE_STATUS_SINCE, since) },
    { NUMBER_FIELD(REAL, KC_WIRE_STATUS_FPS, fps) },
    { NUMBER_FIELD(WHOLE, KC_WIRE_STATUS_WIDTH, width) },
    { NUMBER_FIELD(WHOLE, KC_WIRE_STATUS_HEIGHT, height) },
    { NUMBER_FIELD(LARGE, KC_WIRE_STATUS_BYTES_PER_S, bytes_per_s) },
};

const char *kc_state_word(const kc_state_t *state)
{
    return state->word == KC_STATE_TOLD ? state->told : words[state->word];
}

/* At most size - 1 bytes of UTF-8 text, cut between characters, fit to be shown. */
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
    kc_wire_text_clean(copy);
}

static void set_number(void *place, kind_t kind, double number)
{
    switch (kind) {
    case REAL:
        *(double *)place = number;
        break;
    case WHOLE:
        *(apr_uint32_t *)place = (apr_uint32_t)number;
        break;
    case TIME:
        *(apr_time_t *)place = (apr_time_t)number * 1000;
        break;
    default:
        *(apr_int64_t *)place = (apr_int64_t)number;
    }
}

/* Leaves the field alone where the record does not say; 0 where it says nonsense. */
static int take_field(kc_status_record_t *record, const struct kept *field, const json_t *value)
{
    char *place = (char *)record + field->at;
    double number;

    if (!value || json_is_null(value)) {
        return 1;
    }
    if (field->kind == TEXT) {
        if (json_is_string(value)) {
            copy_text(place, field->size, json_string_value(value));
        }
        return json_is_string(value);
    }
    number = json_number_value(value);
    if (!json_is_number(value) || !(number >= 0) ||
        number > kc_wire_status_field(field->field)->max) {
        return 0;
    }
    set_number(place, field->kind, number);
    return 1;
}

/* A word that we do not know is a newer producer's, and shown as it is. */
static int take_state(kc_status_record_t *record, const char *word)
{
    enum kc_wire_state state;
    size_t i;

    if (!word || !kc_wire_state_is_word(word)) {
        return 0;
    }
    record->streaming = kc_wire_state_parse(&state, word) == 0 && state == KC_WIRE_STREAMING;
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!strcmp(word, words[i])) {
            return 1;
        }
    }
    if (!record->streaming) {
        copy_text(record->told, sizeof(record->told), word);
    }
    return 1;
}

static const char *take_record(kc_status_record_t *record, const json_t *object)
{
    size_t i;

    if (!json_is_object(object)) {
        return "it is no JSON object";
    }
    if (!take_state(record, json_string_value(json_object_get(object, KC_WIRE_STATUS_STATE)))) {
        return "its \"" KC_WIRE_STATUS_STATE "\" is no word";
    }
    for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (!take_field(record, &kept[i], json_object_get(object, kept[i].field))) {
            return kept[i].wrong;
        }
    }
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
    return strcmp(kc_state_word(one), kc_state_word(other)) || one->since != other->since ||
           one->fps != other->fps || one->width != other->width || one->height != other->height ||
           one->bytes_per_s != other->bytes_per_s || strcmp(one->name, other->name) ||
           strcmp(one->error, other->error);
}

static json_t *describe(const kc_state_t *state)
{
    json_t *object = json_object();

    json_object_set_new(object, "camera", json_integer(state->cam));
    json_object_set_new(object, "name", json_string(state->name));
    json_object_set_new(object, "state", json_string(kc_state_word(state)));
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
