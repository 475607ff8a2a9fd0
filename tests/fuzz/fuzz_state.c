/* A status record from any text: it is refused with a reason, or what it says is in range, fit to
 * be shown, and comes out as JSON again. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include <apr_general.h>
#include <jansson.h>
#include "kc_state.h"

static void check(int right)
{
    if (!right) {
        abort();
    }
}

static void check_text(const char *text, size_t size)
{
    char clean[KC_STATE_ERROR_SIZE];

    check(memchr(text, '\0', size) != NULL);
    strcpy(clean, text);
    kc_wire_text_clean(clean);
    check(!strcmp(clean, text));
}

static void check_record(const kc_status_record_t *record)
{
    check_text(record->name, sizeof(record->name));
    check_text(record->error, sizeof(record->error));
    check(memchr(record->told, '\0', sizeof(record->told)) != NULL);
    check(!record->told[0] || (!record->streaming && kc_wire_state_is_word(record->told)));
    check(record->since >= 0 && record->fps >= 0 && record->bytes_per_s >= 0);
    check(record->width < 65536 && record->height < 65536);
}

/* As a wall is told. */
static void check_json(const kc_status_record_t *record)
{
    kc_state_t state = { .cam = 3, .word = record->told[0] ? KC_STATE_TOLD : KC_STATE_LIVE };
    apr_pool_t *pool;
    json_t *object;
    char *text;

    apr_pool_create(&pool, NULL);
    memcpy(state.told, record->told, sizeof(state.told));
    memcpy(state.name, record->name, sizeof(state.name));
    memcpy(state.error, record->error, sizeof(state.error));
    state.since = record->since;
    state.fps = record->fps;
    state.bytes_per_s = record->bytes_per_s;
    text = kc_state_json(&state, NULL, 0, pool);
    object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    check(object != NULL);
    check(!strcmp(json_string_value(json_object_get(object, "name")), record->name));
    check(!strcmp(json_string_value(json_object_get(object, "state")), kc_state_word(&state)));
    check(strpbrk(text, "\r\n\x1b\x7f") == NULL && strstr(text, "</") == NULL);
    json_decref(object);
    apr_pool_destroy(pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kc_status_record_t record;
    const char *why = NULL;
    static int begun;

    if (!begun) {
        begun = 1;
        apr_initialize();
    }
    if (kc_state_record_parse(&record, (const char *)data, size, &why) != APR_SUCCESS) {
        check(why != NULL);
        return 0;
    }
    check(why == NULL);
    check_record(&record);
    check_json(&record);
    return 0;
}
