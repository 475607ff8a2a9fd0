#include "jfif.h"

#include <string.h>

/* ITU-T T.81. */
enum {
    MARKER_SOF0 = 0xC0, /* baseline */
    MARKER_SOF1 = 0xC1, /* extended sequential */
    MARKER_SOF2 = 0xC2, /* progressive */
    MARKER_DHT = 0xC4,
    MARKER_RST0 = 0xD0,
    MARKER_RST7 = 0xD7,
    MARKER_SOI = 0xD8,
    MARKER_EOI = 0xD9,
    MARKER_SOS = 0xDA,
    MARKER_DQT = 0xDB,
    MARKER_TEM = 0x01
};

/* T.81, annex K.3: the tables that a decoder of motion JPEG may take for granted. Bit counts (16
 * bytes), then values. */
static const uint8_t dc_luma[] = { 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0,  0,
                                   0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
static const uint8_t dc_chroma[] = { 0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0,  0,
                                     0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
static const uint8_t ac_luma[] = {
    0,    2,    1,    3,    3,    2,    4,    3,    5,    5,    4,    4,    0,    0,    1,
    125,  0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51,
    0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15,
    0x52, 0xD1, 0xF0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A,
    0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44,
    0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63,
    0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A,
    0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
    0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5,
    0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2,
    0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7,
    0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA
};
static const uint8_t ac_chroma[] = {
    0,    2,    1,    2,    4,    4,    3,    4,    7,    5,    4,    4,    0,    1,    2,
    119,  0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07,
    0x61, 0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09, 0x23,
    0x33, 0x52, 0xF0, 0x15, 0x62, 0x72, 0xD1, 0x0A, 0x16, 0x24, 0x34, 0xE1, 0x25, 0xF1, 0x17,
    0x18, 0x19, 0x1A, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43,
    0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A,
    0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79,
    0x7A, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96,
    0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3,
    0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9,
    0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6,
    0xE7, 0xE8, 0xE9, 0xEA, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA
};

/* What was seen between the start of the image and its data. */
struct headers {
    int frame, quantization, huffman;
};

static size_t segment_size(const uint8_t *data, size_t size, size_t at)
{
    size_t length;

    if (size - at < 2) {
        return 0;
    }
    length = (size_t)data[at] << 8 | data[at + 1];
    return length < 2 || length > size - at ? 0 : length;
}

static int take_frame(struct jfif *jfif, const uint8_t *segment, size_t length)
{
    /* Length, precision, height, width, number of components. */
    if (length < 8 || segment[2] != 8) {
        return -1;
    }
    jfif->height = (uint32_t)(segment[3] << 8 | segment[4]);
    jfif->width = (uint32_t)(segment[5] << 8 | segment[6]);
    /* Grey and colour; four are CMYK, which browsers show each their own way. */
    return jfif->width && jfif->height && (segment[7] == 1 || segment[7] == 3) ? 0 : -1;
}

static int take_segment(struct jfif *jfif, struct headers *seen, uint8_t marker,
                        const uint8_t *segment, size_t length)
{
    switch (marker) {
    case MARKER_SOF0:
    case MARKER_SOF1:
    case MARKER_SOF2:
        seen->frame++;
        return seen->frame > 1 ? -1 : take_frame(jfif, segment, length);
    case MARKER_DQT:
        seen->quantization = 1;
        return 0;
    case MARKER_DHT:
        seen->huffman = 1;
        return 0;
    default:
        /* Application data and comments; of the frame types those that browsers cannot. */
        return marker > MARKER_SOF2 && marker < 0xD0 && marker != 0xC8 && marker != 0xCC ? -1 : 0;
    }
}

/* From behind the start marker to the start of the scan. Returns where that is, 0: damaged. */
static size_t walk_headers(struct jfif *jfif, struct headers *seen, const uint8_t *data,
                           size_t size)
{
    size_t at = 2;
    size_t length;
    uint8_t marker;

    while (at + 4 <= size && data[at] == 0xFF) {
        marker = data[at + 1];
        if (marker == 0xFF) { /* fill byte */
            at++;
            continue;
        }
        if (marker == MARKER_SOS) {
            return at;
        }
        if (marker == 0 || marker == MARKER_TEM ||
            (marker >= MARKER_RST0 && marker <= MARKER_EOI)) {
            return 0;
        }
        length = segment_size(data, size, at + 2);
        if (!length || take_segment(jfif, seen, marker, data + at + 2, length)) {
            return 0;
        }
        at += 2 + length;
    }
    return 0;
}

/* Where the JPEG ends, 0: nowhere. Some cameras pad with zeros, so from the back. */
static size_t find_end(const uint8_t *data, size_t size, size_t scan)
{
    while (size > scan && data[size - 1] == 0) {
        size--;
    }
    return size >= scan + 2 && data[size - 2] == 0xFF && data[size - 1] == MARKER_EOI ? size : 0;
}

int jfif_check(struct jfif *jfif, const uint8_t *data, size_t size)
{
    struct headers seen = { 0, 0, 0 };
    size_t scan, length;

    memset(jfif, 0, sizeof(*jfif));
    if (size < 4 || data[0] != 0xFF || data[1] != MARKER_SOI) {
        return -1;
    }
    scan = walk_headers(jfif, &seen, data, size);
    if (!scan || !seen.frame || !seen.quantization) {
        return -1;
    }
    length = segment_size(data, size, scan + 2);
    if (!length) {
        return -1;
    }
    jfif->size = find_end(data, size, scan + 2 + length);
    /* At least one byte of picture. */
    if (jfif->size < scan + 2 + length + 3) {
        return -1;
    }
    jfif->tables_at = seen.huffman ? 0 : scan;
    return 0;
}

static uint8_t *put_table(uint8_t *out, uint8_t id, const uint8_t *table, size_t size)
{
    *out++ = id;
    memcpy(out, table, size);
    return out + size;
}

size_t jfif_put_tables(uint8_t *out)
{
    uint8_t *to = out;

    *to++ = 0xFF;
    *to++ = MARKER_DHT;
    *to++ = (JFIF_TABLES_SIZE - 2) >> 8;
    *to++ = (JFIF_TABLES_SIZE - 2) & 255;
    to = put_table(to, 0x00, dc_luma, sizeof(dc_luma));
    to = put_table(to, 0x10, ac_luma, sizeof(ac_luma));
    to = put_table(to, 0x01, dc_chroma, sizeof(dc_chroma));
    to = put_table(to, 0x11, ac_chroma, sizeof(ac_chroma));
    return (size_t)(to - out);
}

size_t jfif_insert_tables(uint8_t *out, const struct jfif *jfif, const uint8_t *data)
{
    size_t at = jfif->tables_at;

    memcpy(out, data, at);
    at += jfif_put_tables(out + at);
    memcpy(out + at, data + jfif->tables_at, jfif->size - jfif->tables_at);
    return at + jfif->size - jfif->tables_at;
}
