#include "depacket.h"

#include <stdlib.h>
#include <string.h>
#include "depacket_parts.h"
#include "mem.h"

/* Units in which the marker must agree before it is believed, and after the n-th lie. */
#define AGREE_FIRST 4
#define AGREE_MOST  256

/* Parameter sets and messages that wait for their picture. */
#define CARRIED_MAX 65536

void depacket_close(struct depacket *depacket)
{
    if (!depacket) {
        return;
    }
    free(depacket->data);
    free(depacket->carried);
    free(depacket);
}

const struct depacket_unit *depacket_unit(const struct depacket *depacket)
{
    return &depacket->unit;
}

int depacket_believes(const struct depacket *depacket)
{
    return depacket->agreed >= depacket->needed;
}

/* ---- Bytes -------------------------------------------------------------------------------- */

uint8_t *depacket_room(struct depacket *depacket, size_t size)
{
    size_t wanted = depacket->size + size + DEPACKET_PADDING;

    if (size > DEPACKET_UNIT_MAX || wanted > DEPACKET_UNIT_MAX + DEPACKET_PADDING) {
        depacket->unit.damaged = 1;
        return NULL;
    }
    if (wanted > depacket->capacity) {
        depacket->capacity = wanted + wanted / 2;
        depacket->data = mem_resize(depacket->data, depacket->capacity, 1);
    }
    return depacket->data + depacket->size;
}

void depacket_add(struct depacket *depacket, const void *bytes, size_t size)
{
    uint8_t *to = depacket_room(depacket, size);

    if (to && size) {
        memcpy(to, bytes, size);
        depacket->size += size;
    }
}

/* ---- MPEG-4 ------------------------------------------------------------------------------- */

/* ISO 14496-2's start codes. */
enum {
    MPEG4_LAYER_LAST = 0x2F,
    MPEG4_SEQUENCE = 0xB0,
    MPEG4_GROUP = 0xB3,
    MPEG4_OBJECT = 0xB5,
    MPEG4_PICTURE = 0xB6
};

/* Where "00 00 01 X" begins from at on, or size. */
static size_t find_code(const uint8_t *data, size_t size, size_t at)
{
    for (; at + 3 < size; at++) {
        if (!data[at] && !data[at + 1] && data[at + 2] == 1) {
            return at;
        }
    }
    return size;
}

/* The picture's start code in the packet, or size. */
static size_t find_picture(const struct rtp_packet *packet)
{
    size_t at = find_code(packet->payload, packet->size, 0);

    /* Only behind other codes: within a picture's bytes there are none. */
    while (at < packet->size && packet->payload[at + 3] != MPEG4_PICTURE) {
        at = find_code(packet->payload, packet->size, at + 4);
    }
    return at;
}

static enum look mpeg4_look(const struct rtp_packet *packet)
{
    if (find_code(packet->payload, packet->size, 0) != 0) {
        return LOOK_MORE;
    }
    return find_picture(packet) < packet->size ? LOOK_FIRST : LOOK_BEFORE;
}

/* Small pictures may share a packet. Where the next one's part begins, or size. */
static size_t mpeg4_part_end(const struct rtp_packet *packet)
{
    size_t at = find_picture(packet);
    uint8_t code;

    while (at < packet->size) {
        at = find_code(packet->payload, packet->size, at + 4);
        code = at < packet->size ? packet->payload[at + 3] : 0;
        if (code == MPEG4_PICTURE || code == MPEG4_GROUP || code == MPEG4_SEQUENCE ||
            code == MPEG4_OBJECT || code <= MPEG4_LAYER_LAST) {
            break;
        }
    }
    return at;
}

static void mpeg4_take(struct depacket *depacket, const struct rtp_packet *packet)
{
    size_t at;

    if (mpeg4_look(packet) == LOOK_FIRST) {
        at = find_picture(packet) + 4;
        /* vop_coding_type: 0 is an I picture, 2 a B picture. */
        if (at < packet->size) {
            depacket->unit.key = packet->payload[at] >> 6 == 0;
        }
        depacket->unit.reference = 1;
    }
    depacket_add(depacket, packet->payload, packet->size);
}

/* ---- Units -------------------------------------------------------------------------------- */

static enum look look_at(const struct depacket *depacket, const struct rtp_packet *packet)
{
    switch (depacket->codec) {
    case SDP_JPEG:
        return depacket_jpeg_look(depacket, packet);
    case SDP_MPEG4:
        return mpeg4_look(packet);
    default:
        return depacket_nal_look(depacket, packet);
    }
}

static void take(struct depacket *depacket, const struct rtp_packet *packet)
{
    switch (depacket->codec) {
    case SDP_JPEG:
        depacket_jpeg_take(depacket, packet);
        break;
    case SDP_MPEG4:
        mpeg4_take(depacket, packet);
        break;
    default:
        depacket_nal_take(depacket, packet);
    }
}

/* An empty unit, but for what came for it already. */
static void begin(struct depacket *depacket)
{
    memset(&depacket->unit, 0, sizeof(depacket->unit));
    depacket->unit.reference = -1;
    depacket->size = 0;
    depacket->has_picture = depacket->open = depacket->marked = depacket->given = 0;
    depacket->clean = 1;
    depacket->next_begins = 0;
    depacket->jpeg_at = 0;
    depacket_add(depacket, depacket->carried, depacket->carried_size);
    depacket->unit.arrival_us = depacket->carried_size ? depacket->carried_arrival_us : 0;
    depacket->carried_size = 0;
}

struct depacket *depacket_open(const struct sdp *sdp)
{
    struct depacket *depacket = mem_zeroed(1, sizeof(*depacket));

    depacket->codec = sdp->codec;
    depacket->width = sdp->width;
    depacket->height = sdp->height;
    depacket->needed = AGREE_FIRST;
    begin(depacket);
    return depacket;
}

static void carry(struct depacket *depacket)
{
    size_t size = depacket->size - depacket->next_begins;

    if (!size || size > CARRIED_MAX) {
        return;
    }
    if (depacket->carried_capacity < size) {
        depacket->carried = mem_resize(depacket->carried, size, 1);
        depacket->carried_capacity = size;
    }
    memcpy(depacket->carried, depacket->data + depacket->next_begins, size);
    depacket->carried_size = size;
    depacket->size = depacket->next_begins;
}

static void give(struct depacket *depacket, int by_marker)
{
    if (depacket->next_begins) {
        carry(depacket);
    }
    if (depacket->codec == SDP_JPEG) {
        depacket_jpeg_end(depacket);
    }
    depacket_room(depacket, 0);
    memset(depacket->data + depacket->size, 0, DEPACKET_PADDING);
    depacket->unit.data = depacket->data;
    depacket->unit.size = depacket->size;
    depacket->unit.reference = depacket->unit.reference != 0;
    depacket->given = 1;
    depacket->by_marker = by_marker;
}

/* A picture begins, so the one before is over: was the marker right about it? */
static void judge_marker(struct depacket *depacket, int marked)
{
    if (!depacket->clean) {
        return;
    }
    if (!marked) {
        depacket->agreed = 0;
    }
    else if (depacket->agreed < AGREE_MOST) {
        depacket->agreed++;
    }
}

static void marker_lied(struct depacket *depacket)
{
    depacket->agreed = 0;
    if (depacket->needed < AGREE_MOST) {
        depacket->needed *= 2;
    }
}

static void note_gap(struct depacket *depacket, const struct rtp_packet *packet)
{
    depacket->gap = packet->lost != 0;
    if (!depacket->gap) {
        return;
    }
    depacket->clean = 0;
    depacket->open = 0;
    /* What is missing may have been the unit's end, unless that was marked. */
    if (!depacket->has_picture || !depacket->marked || packet->stamp == depacket->unit.stamp) {
        depacket->unit.lost = 1;
        depacket->unit.damaged |= depacket->has_picture;
    }
}

static int ends_before(const struct depacket *depacket, const struct rtp_packet *packet,
                       enum look look)
{
    int moved = packet->stamp != depacket->unit.stamp;

    if (!depacket->has_picture) {
        return 0;
    }
    return look == LOOK_FIRST || (look == LOOK_BEFORE && moved) ||
           (look == LOOK_MORE && moved && depacket->gap);
}

/* The packet brings a piece of a picture. */
static void note_picture(struct depacket *depacket, const struct rtp_packet *packet, enum look look)
{
    if (!depacket->has_picture) {
        depacket->unit.stamp = packet->stamp;
        depacket->has_picture = 1;
        if (look == LOOK_FIRST) {
            if (depacket->by_marker && depacket->clean) {
                judge_marker(depacket, 1);
            }
        }
        else {
            depacket->unit.damaged = depacket->unit.lost = 1;
            if (depacket->by_marker && depacket->clean) {
                marker_lied(depacket);
            }
        }
        depacket->by_marker = 0;
    }
    else if (depacket->marked && depacket->clean) {
        marker_lied(depacket);
    }
    depacket->marked = 0;
    depacket->next_begins = 0; /* they stood within the picture */
}

/* 1: the marker ends the unit. */
static int heed_marker(struct depacket *depacket, const struct rtp_packet *packet)
{
    if (!packet->marker || !depacket->has_picture || depacket->next_begins) {
        return 0;
    }
    depacket->marked = 1;
    return depacket_believes(depacket) && !depacket->open;
}

static enum depacket_result push_part(struct depacket *depacket, const struct rtp_packet *packet)
{
    enum look look;

    if (depacket->given) {
        begin(depacket);
    }
    note_gap(depacket, packet);
    look = look_at(depacket, packet);
    if (ends_before(depacket, packet, look)) {
        judge_marker(depacket, depacket->marked);
        give(depacket, 0);
        return DEPACKET_AGAIN;
    }
    depacket->seen |= look == LOOK_FIRST;
    if (!packet->size || (!depacket->seen && (look == LOOK_MORE || look == LOOK_AFTER))) {
        return DEPACKET_MORE; /* joined in the middle of a picture */
    }
    if (!depacket->size) {
        depacket->unit.arrival_us = packet->arrival_us;
        depacket->unit.stamp = packet->stamp;
    }
    if (look == LOOK_FIRST || look == LOOK_MORE) {
        note_picture(depacket, packet, look);
    }
    else if (look == LOOK_BEFORE && depacket->has_picture && !depacket->next_begins) {
        depacket->next_begins = depacket->size;
        depacket->carried_arrival_us = packet->arrival_us;
    }
    take(depacket, packet);
    if (heed_marker(depacket, packet)) {
        give(depacket, 1);
        return DEPACKET_UNIT;
    }
    return DEPACKET_MORE;
}

/* Each picture of the packet is a packet of its own. */
static enum depacket_result push_mpeg4(struct depacket *depacket, const struct rtp_packet *packet)
{
    struct rtp_packet part = *packet;
    enum depacket_result result;
    size_t size;

    for (;;) {
        part.payload = packet->payload + depacket->part;
        part.size = packet->size - depacket->part;
        part.lost = depacket->part ? 0 : packet->lost;
        size = mpeg4_part_end(&part);
        part.marker = packet->marker && size == part.size;
        part.size = size;
        result = push_part(depacket, &part);
        if (result == DEPACKET_AGAIN) {
            return result;
        }
        depacket->part += size;
        if (depacket->part == packet->size) {
            depacket->part = 0;
            return result;
        }
        if (result == DEPACKET_UNIT) {
            return DEPACKET_AGAIN;
        }
    }
}

enum depacket_result depacket_push(struct depacket *depacket, const struct rtp_packet *packet)
{
    return depacket->codec == SDP_MPEG4 ? push_mpeg4(depacket, packet)
                                        : push_part(depacket, packet);
}
