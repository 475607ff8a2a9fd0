#include "kc_wire.h"

#include <string.h>

static const char *const state_names[KC_WIRE_STATES] = {
    [KC_WIRE_CONNECTING] = "connecting",
    [KC_WIRE_WAITING] = "waiting",
    [KC_WIRE_STREAMING] = "streaming",
    [KC_WIRE_FAILED] = "failed",
};

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

static int parse_pixels(uint32_t *pixels, const char *text, size_t size)
{
    uint64_t number;

    /* 65,535: more a JPEG's frame header cannot say (ITU-T T.81, B.2.2). */
    if (kc_wire_number_parse(&number, text, size, 65535)) {
        return -1;
    }
    *pixels = (uint32_t)number;
    return 0;
}

int kc_wire_meta_parse(struct kc_wire_meta *meta, const char *name, const void *value, size_t size)
{
    /* Times stay inside a signed 64 bit, which is what APR and Kafka keep them in. */
    if (!strcmp(name, KC_WIRE_HEADER_CAPTURED)) {
        return kc_wire_number_parse(&meta->captured_us, value, size, INT64_MAX);
    }
    if (!strcmp(name, KC_WIRE_HEADER_SEQ)) {
        return kc_wire_number_parse(&meta->seq, value, size, UINT64_MAX);
    }
    if (!strcmp(name, KC_WIRE_HEADER_EPOCH)) {
        return kc_wire_number_parse(&meta->epoch_ms, value, size, INT64_MAX);
    }
    if (!strcmp(name, KC_WIRE_HEADER_WIDTH)) {
        return parse_pixels(&meta->width, value, size);
    }
    if (!strcmp(name, KC_WIRE_HEADER_HEIGHT)) {
        return parse_pixels(&meta->height, value, size);
    }
    return 0;
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
