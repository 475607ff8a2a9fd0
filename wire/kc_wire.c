#include "kc_wire.h"

#include <string.h>

static const char *const state_names[KC_WIRE_STATES] = {
    [KC_WIRE_CONNECTING] = "connecting",
    [KC_WIRE_WAITING] = "waiting",
    [KC_WIRE_STREAMING] = "streaming",
    [KC_WIRE_FAILED] = "failed",
};

/* 1e15 ms: the year 33658, far from where microseconds overflow. 65,535 pixels: more a JPEG's frame
 * header cannot say (ITU-T T.81, B.2.2). */
static const struct kc_wire_status_field status_fields[] = {
    { KC_WIRE_STATUS_NAME, 0 },           { KC_WIRE_STATUS_STATE, 0 },
    { KC_WIRE_STATUS_SINCE, 1e15 },       { KC_WIRE_STATUS_FPS, 1e6 },
    { KC_WIRE_STATUS_WIDTH, 65535 },      { KC_WIRE_STATUS_HEIGHT, 65535 },
    { KC_WIRE_STATUS_BYTES_PER_S, 1e15 }, { KC_WIRE_STATUS_HOST, 0 },
    { KC_WIRE_STATUS_ERROR, 0 },          { KC_WIRE_STATUS_CPU, 1e6 },
    { KC_WIRE_STATUS_RESTARTS, 1e15 },    { KC_WIRE_STATUS_FPS_IN, 1e6 },
    { KC_WIRE_STATUS_DROPPED, 1e15 },     { KC_WIRE_STATUS_DECODE_MS, 1e9 },
    { KC_WIRE_STATUS_ENCODE_MS, 1e9 },    { KC_WIRE_STATUS_EPOCH, KC_WIRE_NUMBER_MAX },
};

#define STATUS_FIELDS (sizeof(status_fields) / sizeof(status_fields[0]))

int kc_wire_number_parse(uint64_t *number, const char *text, size_t size, uint64_t max)
{
    uint64_t sum = 0;
    size_t i;

    if (size == 0 || (size > 1 && text[0] == '0')) {
        return -1;
    }
    for (i = 0; i < size; i++) {
        unsigned digit = (unsigned char)text[i] - (unsigned)'0';

        if (digit > 9 || digit > max || sum > (max - digit) / 10) {
            return -1;
        }
        sum = sum * 10 + digit;
    }
    *number = sum;
    return 0;
}

size_t kc_wire_number_format(char text[KC_WIRE_NUMBER_SIZE], uint64_t number)
{
    char digits[KC_WIRE_NUMBER_SIZE];
    size_t count = 0;
    size_t i;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    for (i = 0; i < count; i++) {
        text[i] = digits[count - 1 - i];
    }
    text[count] = '\0';
    return count;
}

int kc_wire_topic_is_name(const char *text)
{
    size_t size = strlen(text);

    return size > 0 && size <= KC_WIRE_ANY_TOPIC_MAX && strspn(text, KC_WIRE_TOPIC_CHARS) == size &&
           strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static int parse_pixels(uint32_t *pixels, const char *text, size_t size)
{
    uint64_t number;

    if (kc_wire_number_parse(&number, text, size, 65535)) {
        return -1;
    }
    *pixels = (uint32_t)number;
    return 0;
}

int kc_wire_meta_parse(struct kc_wire_meta *meta, const char *name, const void *value, size_t size)
{
    if (!strcmp(name, KC_WIRE_HEADER_CAPTURED)) {
        return kc_wire_number_parse(&meta->captured_us, value, size, KC_WIRE_NUMBER_MAX);
    }
    if (!strcmp(name, KC_WIRE_HEADER_SEQ)) {
        return kc_wire_number_parse(&meta->seq, value, size, KC_WIRE_NUMBER_MAX);
    }
    if (!strcmp(name, KC_WIRE_HEADER_EPOCH)) {
        return kc_wire_number_parse(&meta->epoch_ms, value, size, KC_WIRE_NUMBER_MAX);
    }
    if (!strcmp(name, KC_WIRE_HEADER_WIDTH)) {
        return parse_pixels(&meta->width, value, size);
    }
    if (!strcmp(name, KC_WIRE_HEADER_HEIGHT)) {
        return parse_pixels(&meta->height, value, size);
    }
    return 0;
}

/* The latest microsecond that a record of this moment may speak of. */
static int64_t latest_us(int64_t arrived_us)
{
    return arrived_us < INT64_MAX - KC_WIRE_CLOCKS_APART_US ? arrived_us + KC_WIRE_CLOCKS_APART_US
                                                            : INT64_MAX;
}

int64_t kc_wire_captured(const struct kc_wire_meta *meta, int64_t stamp_ms, int64_t arrived_us)
{
    int64_t latest = latest_us(arrived_us);

    if (meta->captured_us > 0 && latest > 0 && meta->captured_us <= (uint64_t)latest) {
        return (int64_t)meta->captured_us;
    }
    if (stamp_ms > 0 && stamp_ms <= latest / 1000) {
        return stamp_ms * 1000;
    }
    return arrived_us;
}

int kc_wire_epoch_is_ahead(uint64_t epoch_ms, int64_t arrived_us)
{
    int64_t latest = latest_us(arrived_us);

    return latest < 0 || epoch_ms > (uint64_t)latest / 1000;
}

const struct kc_wire_status_field *kc_wire_status_field(const char *name)
{
    size_t i;

    for (i = 0; i < STATUS_FIELDS; i++) {
        if (!strcmp(status_fields[i].name, name)) {
            return &status_fields[i];
        }
    }
    return NULL;
}

const struct kc_wire_status_field *kc_wire_status_field_at(size_t number)
{
    return number < STATUS_FIELDS ? &status_fields[number] : NULL;
}

const char *kc_wire_state_format(enum kc_wire_state state)
{
    return state_names[state];
}

int kc_wire_state_parse(enum kc_wire_state *state, const char *text)
{
    int i;

    for (i = 0; i < KC_WIRE_STATES; i++) {
        if (!strcmp(text, state_names[i])) {
            *state = (enum kc_wire_state)i;
            return 0;
        }
    }
    return -1;
}

int kc_wire_state_is_word(const char *text)
{
    size_t size = strlen(text);

    return text[0] >= 'a' && text[0] <= 'z' && size < KC_WIRE_STATE_SIZE &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") == size;
}

/* What stands at text: how many bytes of it are not to be shown, and what is shown instead. 0: it
 * may stay. */
static size_t unfit(const unsigned char *text, char *instead)
{
    *instead = '?';
    if (text[0] < 0x20 || text[0] == 0x7f) {
        *instead = strchr("\t\n\r", text[0]) ? ' ' : '?';
        return 1;
    }
    if (text[0] == 0xc2 && text[1] >= 0x80 && text[1] < 0xa0) { /* U+0080 to U+009F */
        return 2;
    }
    if (text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9)) {
        *instead = ' '; /* line and paragraph separator */
        return 3;
    }
    /* U+202A to U+202E and U+2066 to U+2069. The marks U+200E, U+200F and U+061C turn nothing. */
    if (text[0] == 0xe2 && ((text[1] == 0x80 && text[2] >= 0xaa && text[2] <= 0xae) ||
                            (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9))) {
        return 3;
    }
    return 0;
}

void kc_wire_text_clean(char *text)
{
    const char *from = text;
    char instead;

    while (*from) {
        size_t size = unfit((const unsigned char *)from, &instead);

        *text++ = size ? instead : *from;
        from += size ? size : 1;
    }
    *text = '\0';
}
