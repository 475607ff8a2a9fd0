/* JPEG (RFC 2435): the picture's data, whose headers are made here of what each packet's own
 * says. */
#include <string.h>
#include "depacket_parts.h"
#include "jfif.h"

#define MAIN_HEADER 8

/* ONVIF: segments of the JPEG's own headers in an extension of RTP's. */
#define ONVIF_EXTENSION 0xFFD8

enum { RESTART_TYPES = 64, DYNAMIC_Q = 128, ALWAYS_Q = 255 };

struct header {
    uint32_t offset;
    uint8_t type, q;
    unsigned width, height; /* 0: cannot be said so */
    unsigned restart;       /* interval, 0: none */
    uint8_t precision;
    const uint8_t *tables; /* NULL: by q */
    size_t tables_size;
    const uint8_t *data;
    size_t size;
};

/* T.81, annex K.1 and K.2, in zigzag order. */
static const uint8_t luma_table[64] = { 16,  11,  12,  14,  12,  10, 16,  14,  13,  14, 18,
                                        17,  16,  19,  24,  40,  26, 24,  22,  22,  24, 49,
                                        35,  37,  29,  40,  58,  51, 61,  60,  57,  51, 56,
                                        55,  64,  72,  92,  78,  64, 68,  87,  69,  55, 56,
                                        80,  109, 81,  87,  95,  98, 103, 104, 103, 62, 77,
                                        113, 121, 112, 100, 120, 92, 101, 103, 99 };
static const uint8_t chroma_table[64] = { 17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56,
                                          66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
                                          99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
                                          99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
                                          99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99 };

/* ---- Reading ------------------------------------------------------------------------------ */

/* Behind the first piece's header: precision, length, tables. */
static int read_tables(struct header *header)
{
    size_t length;

    if (header->size < 4) {
        return -1;
    }
    header->precision = header->data[1];
    length = (size_t)header->data[2] << 8 | header->data[3];
    if (length > header->size - 4) {
        return -1;
    }
    header->tables = header->data + 4;
    header->tables_size = length;
    header->data += 4 + length;
    header->size -= 4 + length;
    return 0;
}

static int read_header(struct header *header, const struct rtp_packet *packet)
{
    const uint8_t *p = packet->payload;

    memset(header, 0, sizeof(*header));
    if (packet->size < MAIN_HEADER) {
        return -1;
    }
    header->offset = (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    header->type = p[4];
    header->q = p[5];
    header->width = p[6] * 8u;
    header->height = p[7] * 8u;
    header->data = p + MAIN_HEADER;
    header->size = packet->size - MAIN_HEADER;
    if (header->type >= RESTART_TYPES && header->type < 2 * RESTART_TYPES) {
        if (header->size < 4) {
            return -1;
        }
        header->restart = (unsigned)header->data[0] << 8 | header->data[1];
        header->data += 4;
        header->size -= 4;
    }
    if (header->offset == 0 && header->q >= DYNAMIC_Q) {
        return read_tables(header);
    }
    return 0;
}

/* The size that a frame header within segments says. */
static void read_frame_size(struct header *header, const uint8_t *data, size_t size)
{
    size_t at = 0;
    size_t length;

    while (at + 9 < size && data[at] == 0xFF) {
        if (data[at + 1] == 0xD8 || data[at + 1] == 0xFF) {
            at += data[at + 1] == 0xFF ? 1 : 2;
            continue;
        }
        length = (size_t)data[at + 2] << 8 | data[at + 3];
        if (data[at + 1] >= 0xC0 && data[at + 1] <= 0xC2) {
            header->height = (unsigned)data[at + 5] << 8 | data[at + 6];
            header->width = (unsigned)data[at + 7] << 8 | data[at + 8];
            return;
        }
        at += 2 + length;
    }
}

/* A side is an eighth in 8 bits: above 2040 it is 0, or what cameras make of it. The description,
 * or the JPEG's own header in an extension, knows. */
static void settle_size(struct header *header, const struct depacket *depacket,
                        const struct rtp_packet *packet)
{
    if (packet->extension && packet->extension_kind == ONVIF_EXTENSION) {
        read_frame_size(header, packet->extension, packet->extension_size);
        return;
    }
    if (depacket->width && depacket->height &&
        (depacket->width > 2040 || depacket->height > 2040) &&
        (!header->width || header->width == (depacket->width / 8 & 255) * 8) &&
        (!header->height || header->height == (depacket->height / 8 & 255) * 8)) {
        header->width = depacket->width;
        header->height = depacket->height;
    }
}

enum look depacket_jpeg_look(const struct depacket *depacket, const struct rtp_packet *packet)
{
    struct header header;

    (void)depacket;
    if (packet->size < MAIN_HEADER) {
        return LOOK_AFTER;
    }
    return read_header(&header, packet) == 0 && header.offset == 0 ? LOOK_FIRST : LOOK_MORE;
}

/* ---- Making the headers ------------------------------------------------------------------- */

static uint8_t scaled(uint8_t base, unsigned q)
{
    unsigned factor = q < 50 ? 5000 / q : 200 - 2 * q;
    unsigned value = (base * factor + 50) / 100;

    return (uint8_t)(value < 1 ? 1 : value > 255 ? 255 : value);
}

static void compute_tables(struct jpeg_tables *tables, uint8_t q)
{
    unsigned i;

    q = q < 1 ? 1 : q > 99 ? 99 : q;
    for (i = 0; i < 64; i++) {
        tables->bytes[i] = scaled(luma_table[i], q);
        tables->bytes[64 + i] = scaled(chroma_table[i], q);
    }
    tables->size = 128;
    tables->precision = 0;
    tables->q = q;
}

/* How long the n-th table is. */
static size_t table_size(uint8_t precision, unsigned n)
{
    return precision >> n & 1 ? 128 : 64;
}

static struct jpeg_tables *find_tables(struct depacket *depacket, uint8_t q)
{
    unsigned i;

    for (i = 0; i < depacket->tables_used; i++) {
        if (depacket->tables[i].q == q) {
            return &depacket->tables[i];
        }
    }
    return NULL;
}

/* Tables that came with the picture; they hold for later ones of the same Q. */
static const struct jpeg_tables *keep_tables(struct depacket *depacket, const struct header *header)
{
    struct jpeg_tables *tables = find_tables(depacket, header->q);

    if (header->tables_size > sizeof(tables->bytes) ||
        header->tables_size < table_size(header->precision, 0)) {
        return NULL;
    }
    if (!tables) {
        if (depacket->tables_used < JPEG_TABLES) {
            depacket->tables_used++;
        }
        tables = &depacket->tables[depacket->tables_used - 1];
    }
    tables->q = header->q;
    tables->precision = header->precision;
    tables->size = header->tables_size;
    memcpy(tables->bytes, header->tables, header->tables_size);
    return tables;
}

/* NULL: nobody knows them. */
static const struct jpeg_tables *tables_of(struct depacket *depacket, const struct header *header,
                                           struct jpeg_tables *computed)
{
    if (header->q < DYNAMIC_Q) {
        compute_tables(computed, header->q);
        return computed;
    }
    if (header->tables_size) {
        return keep_tables(depacket, header);
    }
    return header->q == ALWAYS_Q ? NULL : find_tables(depacket, header->q);
}

static uint8_t *put16(uint8_t *out, unsigned number)
{
    *out++ = (uint8_t)(number >> 8);
    *out++ = (uint8_t)number;
    return out;
}

/* All that came, at most four. Returns how many. */
static unsigned put_tables(uint8_t **to, const struct jpeg_tables *tables)
{
    size_t at = 0;
    size_t size;
    unsigned n;

    for (n = 0; n < 4; n++) {
        size = table_size(tables->precision, n);
        if (size > tables->size - at) {
            break;
        }
        *(*to)++ = 0xFF;
        *(*to)++ = 0xDB;
        *to = put16(*to, (unsigned)(3 + size));
        *(*to)++ = (uint8_t)((size == 128 ? 16u : 0) | n);
        memcpy(*to, tables->bytes + at, size);
        *to += size;
        at += size;
    }
    return n;
}

static uint8_t *put_frame(uint8_t *to, const struct header *header, unsigned tables, int precise)
{
    unsigned component;

    *to++ = 0xFF;
    *to++ = precise ? 0xC1 : 0xC0; /* baseline has tables of 8 bits alone */
    to = put16(to, 17);
    *to++ = 8;
    to = put16(to, header->height);
    to = put16(to, header->width);
    *to++ = 3;
    for (component = 1; component <= 3; component++) {
        *to++ = (uint8_t)component;
        *to++ = component > 1 ? 0x11 : header->type & 1 ? 0x22 : 0x21;
        *to++ = component > 1 && tables > 1;
    }
    return to;
}

static uint8_t *put_scan(uint8_t *to)
{
    static const uint8_t scan[] = { 0xFF, 0xDA, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0 };

    memcpy(to, scan, sizeof(scan));
    return to + sizeof(scan);
}

/* Start, tables of both kinds, restart interval, frame, scan: at most four tables of 133 bytes, the
 * Huffman tables, and 45 bytes. */
#define HEADERS_MAX (4 * 133 + JFIF_TABLES_SIZE + 64)

static void make_headers(struct depacket *depacket, const struct header *header)
{
    struct jpeg_tables computed;
    const struct jpeg_tables *tables = tables_of(depacket, header, &computed);
    uint8_t *to = depacket_room(depacket, HEADERS_MAX);
    uint8_t *begin = to;
    unsigned count;

    if (!tables || !to || !header->width || !header->height || (header->type & 63) > 1) {
        depacket->unit.damaged = 1;
        return;
    }
    *to++ = 0xFF;
    *to++ = 0xD8;
    count = put_tables(&to, tables);
    if (header->restart) {
        *to++ = 0xFF;
        *to++ = 0xDD;
        to = put16(to, 4);
        to = put16(to, header->restart);
    }
    to = put_frame(to, header, count, tables->precision != 0);
    to += jfif_put_tables(to);
    to = put_scan(to);
    depacket->size += (size_t)(to - begin);
}

/* Some cameras send the whole JPEG, headers and all. */
static int has_own_headers(const struct header *header)
{
    return header->size > 4 && header->data[0] == 0xFF && header->data[1] == 0xD8 &&
           header->data[2] == 0xFF;
}

void depacket_jpeg_take(struct depacket *depacket, const struct rtp_packet *packet)
{
    struct header header;

    if (read_header(&header, packet)) {
        depacket->unit.damaged = 1;
        return;
    }
    depacket->unit.key = 1;
    if (header.offset != depacket->jpeg_at) {
        depacket->unit.damaged = 1;
        return;
    }
    if (header.offset == 0 && !has_own_headers(&header)) {
        settle_size(&header, depacket, packet);
        make_headers(depacket, &header);
    }
    depacket_add(depacket, header.data, header.size);
    depacket->jpeg_at += (uint32_t)header.size;
}

/* The end marker, if the camera did not send it; what it padded behind that one goes. */
void depacket_jpeg_end(struct depacket *depacket)
{
    static const uint8_t end[] = { 0xFF, 0xD9 };
    size_t size = depacket->size;

    while (size > 2 && !depacket->data[size - 1]) {
        size--;
    }
    if (size > 2 && depacket->data[size - 2] == 0xFF && depacket->data[size - 1] == 0xD9) {
        depacket->size = size;
    }
    else {
        depacket_add(depacket, end, sizeof(end));
    }
}
