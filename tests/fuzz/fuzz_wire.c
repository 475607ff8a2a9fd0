/* Headers of a record from any bytes, as NAME=VALUE lines: what is taken is in range, whatever else
 * the record says, and comes back from its text. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include "kc_wire.h"

#define ARRIVED INT64_C(1700000000000000)

static void check(int right)
{
    if (!right) {
        abort();
    }
}

static void check_number(uint64_t number)
{
    char text[KC_WIRE_NUMBER_SIZE];
    uint64_t back;

    check(number <= KC_WIRE_NUMBER_MAX);
    check(kc_wire_number_format(text, number) == strlen(text));
    check(kc_wire_number_parse(&back, text, strlen(text), number) == 0 && back == number);
}

/* stamp: the first bytes of the input, as the record's timestamp. */
static void check_times(const struct kc_wire_meta *meta, int64_t stamp)
{
    int64_t captured = kc_wire_captured(meta, stamp, ARRIVED);

    check(captured > 0 && captured <= ARRIVED + KC_WIRE_CLOCKS_APART_US);
    check(kc_wire_captured(meta, stamp, stamp) <= stamp ||
          stamp < INT64_MAX - KC_WIRE_CLOCKS_APART_US);
    kc_wire_epoch_is_ahead(meta->epoch_ms, stamp);
}

static void check_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *again;

    memcpy(text, data, size);
    text[size] = '\0';
    kc_wire_text_clean(text);
    check(strlen(text) <= size && strpbrk(text, "\r\n\t\x1b\x7f") == NULL);
    again = strdup(text);
    kc_wire_text_clean(again);
    check(!strcmp(again, text));
    if (kc_wire_state_is_word(text)) {
        check(strlen(text) < KC_WIRE_STATE_SIZE && strpbrk(text, "<>&\"' /:") == NULL);
    }
    free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kc_wire_meta meta = { 0 };
    const uint8_t *at = data, *end = data + size;
    int64_t stamp = 0;

    memcpy(&stamp, data, size < sizeof(stamp) ? size : sizeof(stamp));
    while (at < end) {
        const uint8_t *line = memchr(at, '\n', (size_t)(end - at));
        const uint8_t *value = memchr(at, '=', (size_t)((line ? line : end) - at));
        char name[16] = "";

        if (value && (size_t)(value - at) < sizeof(name)) {
            memcpy(name, at, (size_t)(value - at));
            kc_wire_meta_parse(&meta, name, value + 1, (size_t)((line ? line : end) - value - 1));
        }
        at = line ? line + 1 : end;
    }
    check_number(meta.captured_us);
    check_number(meta.seq);
    check_number(meta.epoch_ms);
    check(meta.width < 65536 && meta.height < 65536);
    check_times(&meta, stamp);
    check_text(data, size);
    return 0;
}
