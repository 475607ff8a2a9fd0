/* H.264 (RFC 6184) and H.265 (RFC 7798): NAL units, alone, several in a packet, or in pieces. Those
 * out of order (MTAP, STAP-B, FU-B, DON) are for modes that the description would have to ask
 * for. */
#include <string.h>
#include "depacket_parts.h"

/* How many bytes of a NAL unit of another kind are looked through for start codes: some cameras put
 * a whole picture behind its parameter sets into what they call one unit. */
#define SUSPECT_SIZE 64

enum {
    H264_SLICE = 1,
    H264_IDR = 5,
    H264_SEI = 6,
    H264_SPS = 7,
    H264_DELIMITER = 9,
    H264_STAP_A = 24,
    H264_FU_A = 28
};

enum {
    H265_IRAP_FIRST = 16,
    H265_IRAP_LAST = 21,
    H265_VPS = 32,
    H265_DELIMITER = 35,
    H265_SEI = 39,
    H265_AP = 48,
    H265_FU = 49
};

struct nal {
    unsigned type;
    int slice, first, before; /* of a picture, its first, what stands before one */
    int key, reference;
};

static void read_h264(struct nal *nal, const uint8_t *data, size_t size)
{
    nal->type = data[0] & 31;
    nal->slice = nal->type >= H264_SLICE && nal->type <= H264_IDR;
    /* first_mb_in_slice is 0, which is a single bit. Partitions B and C have no such thing. */
    nal->first = nal->slice && nal->type != 3 && nal->type != 4 && size > 1 && data[1] & 0x80;
    nal->before = (nal->type >= H264_SEI && nal->type <= H264_DELIMITER) ||
                  (nal->type >= 14 && nal->type <= 18);
    nal->key = nal->type == H264_IDR;
    nal->reference = (data[0] & 0x60) != 0;
}

static void read_h265(struct nal *nal, const uint8_t *data, size_t size)
{
    nal->type = data[0] >> 1 & 63;
    nal->slice = nal->type < H265_VPS;
    nal->first = nal->slice && size > 2 && data[2] & 0x80;
    nal->before = (nal->type >= H265_VPS && nal->type <= H265_DELIMITER) || nal->type == H265_SEI ||
                  (nal->type >= 41 && nal->type <= 44) || (nal->type >= 48 && nal->type <= 55);
    nal->key = nal->type >= H265_IRAP_FIRST && nal->type <= H265_IRAP_LAST;
    /* An even one below 16 is no reference, in its sub-layer. */
    nal->reference = nal->type >= H265_IRAP_FIRST || nal->type % 2;
}

static void read_nal(struct nal *nal, enum sdp_codec codec, const uint8_t *data, size_t size)
{
    memset(nal, 0, sizeof(*nal));
    if (!size || data[0] & 0x80) { /* the forbidden bit */
        return;
    }
    if (codec == SDP_H264) {
        read_h264(nal, data, size);
    }
    else {
        read_h265(nal, data, size);
    }
}

/* ---- Pieces of a packet ------------------------------------------------------------------- */

static size_t header_size(const struct depacket *depacket)
{
    return depacket->codec == SDP_H264 ? 1 : 2;
}

static unsigned type_of(const struct depacket *depacket, const struct rtp_packet *packet)
{
    struct nal nal;

    read_nal(&nal, depacket->codec, packet->payload, packet->size);
    return nal.type;
}

static int is_fragment(const struct depacket *depacket, const struct rtp_packet *packet)
{
    return type_of(depacket, packet) == (depacket->codec == SDP_H264 ? H264_FU_A : H265_FU);
}

static int is_aggregate(const struct depacket *depacket, const struct rtp_packet *packet)
{
    return type_of(depacket, packet) == (depacket->codec == SDP_H264 ? H264_STAP_A : H265_AP);
}

/* The header that the fragments' unit has, from theirs. Returns the size of it. */
static size_t restore_header(const struct depacket *depacket, const struct rtp_packet *packet,
                             uint8_t header[2])
{
    const uint8_t *payload = packet->payload;

    if (depacket->codec == SDP_H264) {
        header[0] = (uint8_t)((payload[0] & 0xE0) | (payload[1] & 0x1F));
        return 1;
    }
    header[0] = (uint8_t)((payload[0] & 0x81) | (payload[2] & 0x3F) << 1);
    header[1] = payload[1];
    return 2;
}

/* The next unit of an aggregate, from *at on. 0: that was all; -1: it says more than there is. */
static int next_of_aggregate(const struct rtp_packet *packet, size_t *at, const uint8_t **data,
                             size_t *size)
{
    if (packet->size - *at < 2) {
        return 0;
    }
    *size = (size_t)packet->payload[*at] << 8 | packet->payload[*at + 1];
    *at += 2;
    if (*size > packet->size - *at) {
        return -1;
    }
    *data = packet->payload + *at;
    *at += *size;
    return 1;
}

/* Some cameras leave the start code at a unit's beginning. */
static size_t start_code(const uint8_t *data, size_t size)
{
    size_t zeros = 0;

    while (zeros < size && zeros < 3 && !data[zeros]) {
        zeros++;
    }
    return zeros >= 2 && zeros < size && data[zeros] == 1 ? zeros + 1 : 0;
}

/* ---- Look --------------------------------------------------------------------------------- */

static enum look look_of(const struct nal *nal)
{
    return nal->first    ? LOOK_FIRST
           : nal->slice  ? LOOK_MORE
           : nal->before ? LOOK_BEFORE
                         : LOOK_AFTER;
}

/* Where a start code stands within the unit, behind it, or size. */
static size_t next_inside(const uint8_t *data, size_t size, size_t at)
{
    for (; at + 3 < size; at++) {
        if (!data[at] && !data[at + 1] && data[at + 2] == 1) {
            return at + 3;
        }
    }
    return size;
}

/* A unit's look; one of parameters that is far too large is looked through. */
static enum look look_into(enum sdp_codec codec, const uint8_t *data, size_t size)
{
    enum look look, inner;
    struct nal nal;
    size_t at;

    read_nal(&nal, codec, data, size);
    look = look_of(&nal);
    if (look != LOOK_BEFORE || size < SUSPECT_SIZE) {
        return look;
    }
    for (at = next_inside(data, size, 0); at < size; at = next_inside(data, size, at)) {
        read_nal(&nal, codec, data + at, size - at);
        inner = look_of(&nal);
        if (inner == LOOK_FIRST) {
            return inner;
        }
    }
    return look;
}

static enum look look_at_aggregate(const struct depacket *depacket, const struct rtp_packet *packet)
{
    enum look best = LOOK_AFTER;
    enum look look;
    const uint8_t *data;
    size_t at = header_size(depacket);
    size_t size;

    if (packet->size < at) {
        return LOOK_AFTER;
    }
    while (next_of_aggregate(packet, &at, &data, &size) == 1) {
        look = look_into(depacket->codec, data, size);
        if (look < best) {
            best = look;
        }
    }
    return best;
}

static enum look look_at_fragment(const struct depacket *depacket, const struct rtp_packet *packet)
{
    size_t header = header_size(depacket) + 1;
    uint8_t head[4] = { 0 };
    struct nal nal;
    size_t size;
    enum look inside;

    if (packet->size <= header) {
        return LOOK_AFTER;
    }
    size = restore_header(depacket, packet, head);
    if (!(packet->payload[header - 1] & 0x80)) {
        read_nal(&nal, depacket->codec, head, size);
        return nal.slice ? LOOK_MORE : LOOK_AFTER;
    }
    head[size] = packet->payload[header];
    read_nal(&nal, depacket->codec, head, size + 1);
    if (look_of(&nal) != LOOK_BEFORE) {
        return look_of(&nal);
    }
    inside = look_into(depacket->codec, packet->payload + header - 1, packet->size - header + 1);
    return inside == LOOK_FIRST ? inside : LOOK_BEFORE;
}

enum look depacket_nal_look(const struct depacket *depacket, const struct rtp_packet *packet)
{
    size_t skip = start_code(packet->payload, packet->size);

    if (skip) {
        return look_into(depacket->codec, packet->payload + skip, packet->size - skip);
    }
    if (is_fragment(depacket, packet)) {
        return look_at_fragment(depacket, packet);
    }
    if (is_aggregate(depacket, packet)) {
        return look_at_aggregate(depacket, packet);
    }
    return look_into(depacket->codec, packet->payload, packet->size);
}

/* ---- Take --------------------------------------------------------------------------------- */

/* A recovery point: from here on whole pictures come, at once or after some. The decoder holds back
 * what is not whole yet. */
static int is_recovery_point(const uint8_t *data, size_t size)
{
    size_t at = 1;
    unsigned type, length;

    while (at + 2 < size && data[at] != 0x80) {
        for (type = 0; at + 2 < size && data[at] == 0xFF; at++) {
            type += 255;
        }
        type += data[at++];
        for (length = 0; at + 1 < size && data[at] == 0xFF; at++) {
            length += 255;
        }
        length += data[at++];
        if (type == 6) {
            return 1;
        }
        at += length;
    }
    return 0;
}

/* What the unit is, from one more of its NAL units. */
static void note_nal(struct depacket *depacket, const uint8_t *data, size_t size)
{
    struct nal nal;

    read_nal(&nal, depacket->codec, data, size);
    if (nal.slice) {
        depacket->unit.key |= nal.key;
        /* The first slice tells for all. */
        if (depacket->unit.reference < 0) {
            depacket->unit.reference = nal.reference;
        }
    }
    else if (depacket->codec == SDP_H264 && nal.type == H264_SEI && size > 1) {
        depacket->unit.key |= is_recovery_point(data, size);
    }
}

/* The same for one that may have others in it. */
static void note_nals(struct depacket *depacket, const uint8_t *data, size_t size)
{
    struct nal nal;
    size_t at;

    note_nal(depacket, data, size);
    read_nal(&nal, depacket->codec, data, size);
    if (!nal.before || size < SUSPECT_SIZE) {
        return;
    }
    for (at = next_inside(data, size, 0); at < size; at = next_inside(data, size, at)) {
        note_nal(depacket, data + at, size - at);
    }
}

static void take_nal(struct depacket *depacket, const uint8_t *data, size_t size)
{
    static const uint8_t code[] = { 0, 0, 0, 1 };
    struct nal nal;

    if (!size) {
        return;
    }
    read_nal(&nal, depacket->codec, data, size);
    if (data[0] & 0x80 || size < header_size(depacket) ||
        (depacket->codec == SDP_H264 ? !nal.type || nal.type > 23 : nal.type >= 48)) {
        depacket->unit.damaged = 1; /* no such unit, or one of another mode */
        return;
    }
    depacket_add(depacket, code, sizeof(code));
    depacket_add(depacket, data, size);
    note_nals(depacket, data, size);
}

static void take_aggregate(struct depacket *depacket, const struct rtp_packet *packet)
{
    const uint8_t *data;
    size_t at = header_size(depacket);
    size_t size;
    int rc = -1;

    if (packet->size > at) {
        while ((rc = next_of_aggregate(packet, &at, &data, &size)) == 1) {
            take_nal(depacket, data, size);
        }
    }
    if (rc < 0) {
        depacket->unit.damaged = 1;
    }
}

static void take_fragment(struct depacket *depacket, const struct rtp_packet *packet)
{
    static const uint8_t code[] = { 0, 0, 0, 1 };
    size_t header = header_size(depacket) + 1;
    uint8_t head[2];
    size_t size, begun;

    if (packet->size <= header) {
        depacket->unit.damaged |= packet->size < header;
        return;
    }
    if (packet->payload[header - 1] & 0x80) {
        size = restore_header(depacket, packet, head);
        depacket_add(depacket, code, sizeof(code));
        begun = depacket->size;
        depacket_add(depacket, head, size);
        depacket_add(depacket, packet->payload + header, packet->size - header);
        if (depacket->size > begun) {
            note_nals(depacket, depacket->data + begun, depacket->size - begun);
        }
        depacket->open = 1;
    }
    else {
        depacket->unit.damaged |= !depacket->open;
        depacket_add(depacket, packet->payload + header, packet->size - header);
    }
    if (packet->payload[header - 1] & 0x40) {
        depacket->open = 0;
    }
}

void depacket_nal_take(struct depacket *depacket, const struct rtp_packet *packet)
{
    size_t skip = start_code(packet->payload, packet->size);

    if (skip) {
        take_nal(depacket, packet->payload + skip, packet->size - skip);
    }
    else if (is_fragment(depacket, packet)) {
        take_fragment(depacket, packet);
    }
    else if (is_aggregate(depacket, packet)) {
        take_aggregate(depacket, packet);
    }
    else {
        depacket->open = 0;
        take_nal(depacket, packet->payload, packet->size);
    }
}
