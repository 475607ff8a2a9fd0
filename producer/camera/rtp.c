#include "rtp.h"

#include <stdlib.h>
#include <string.h>
#include "mem.h"

/* Further ahead, or back, than this is no loss and no repeat: the sender counts anew. */
#define JUMP 3000

/* Packets kept at most: 50 ms of 60 Mbit/s. */
#define KEPT 256

#define NTP_1970 INT64_C(2208988800)

enum { RTCP_SENDER = 200, RTCP_RECEIVER = 201, RTCP_NAME = 202, RTCP_BYE = 203 };

struct kept {
    struct rtp_packet packet;
    uint8_t *bytes; /* of the payload and, behind it, the extension */
    size_t capacity;
    int used;
};

struct rtp_line {
    uint32_t clock_hz;
    int64_t patience_us;
    int started;
    uint32_t ssrc;
    uint16_t next;
    unsigned missing; /* before the next one that goes out */
    struct kept kept[KEPT];
    unsigned kept_count;
    struct kept newcomer; /* the first of what may be another count */
    struct rtp_counts counts;
    /* For the receiver's report. */
    uint32_t highest, base; /* with the rounds in the upper half */
    uint64_t received_before, expected_before, received_of_ssrc;
    double jitter; /* in units of the stream's clock */
    int64_t transit;
    int has_transit;
    uint32_t report_middle; /* of the sender's last report's NTP time */
    int64_t report_us;
};

static uint16_t read16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t read32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint8_t *write32(uint8_t *p, uint32_t number)
{
    *p++ = (uint8_t)(number >> 24);
    *p++ = (uint8_t)(number >> 16);
    *p++ = (uint8_t)(number >> 8);
    *p++ = (uint8_t)number;
    return p;
}

/* Where the payload begins, 0: nowhere. */
static size_t skip_header(struct rtp_packet *packet, const uint8_t *data, size_t size)
{
    size_t at;

    if (size < 12 || data[0] >> 6 != 2) {
        return 0;
    }
    at = 12 + 4 * (size_t)(data[0] & 15);
    if (data[0] & 0x10) {
        if (size < at + 4) {
            return 0;
        }
        packet->extension_kind = read16(data + at);
        packet->extension_size = 4 * (size_t)read16(data + at + 2);
        packet->extension = data + at + 4;
        at += 4 + packet->extension_size;
    }
    return at <= size ? at : 0;
}

int rtp_parse(struct rtp_packet *packet, const uint8_t *data, size_t size)
{
    size_t at;

    memset(packet, 0, sizeof(*packet));
    at = skip_header(packet, data, size);
    if (!at) {
        return -1;
    }
    if (data[0] & 0x20) {
        /* The padding's length is its last byte. Some cameras set the bit and pad nothing. */
        size_t padding = data[size - 1];

        size -= padding && padding <= size - at ? padding : 0;
    }
    packet->payload = data + at;
    packet->size = size - at;
    packet->marker = data[1] >> 7;
    packet->type = data[1] & 127;
    packet->sequence = read16(data + 2);
    packet->stamp = read32(data + 4);
    packet->ssrc = read32(data + 8);
    return 0;
}

/* ---- Order -------------------------------------------------------------------------------- */

struct rtp_line *rtp_line_open(uint32_t clock_hz, int64_t patience_us)
{
    struct rtp_line *line = mem_zeroed(1, sizeof(*line));

    line->clock_hz = clock_hz;
    line->patience_us = patience_us;
    return line;
}

void rtp_line_close(struct rtp_line *line)
{
    size_t i;

    if (!line) {
        return;
    }
    for (i = 0; i < KEPT; i++) {
        free(line->kept[i].bytes);
    }
    free(line->newcomer.bytes);
    free(line);
}

static void keep(struct kept *kept, const struct rtp_packet *packet)
{
    size_t size = packet->size + packet->extension_size;

    if (kept->capacity < size) {
        kept->bytes = mem_resize(kept->bytes, size, 1);
        kept->capacity = size;
    }
    kept->packet = *packet;
    kept->used = 1;
    if (packet->size) {
        memcpy(kept->bytes, packet->payload, packet->size);
    }
    kept->packet.payload = kept->bytes;
    if (packet->extension_size) {
        memcpy(kept->bytes + packet->size, packet->extension, packet->extension_size);
        kept->packet.extension = kept->bytes + packet->size;
    }
}

static void forget_kept(struct rtp_line *line)
{
    size_t i;

    for (i = 0; i < KEPT && line->kept_count; i++) {
        line->kept_count -= (unsigned)line->kept[i].used;
        line->counts.dropped += (unsigned)line->kept[i].used;
        line->kept[i].used = 0;
    }
}

/* From this packet on the sender counts anew. */
static void begin(struct rtp_line *line, const struct rtp_packet *first)
{
    forget_kept(line);
    line->missing += line->started ? 1 : 0; /* nobody knows how many */
    line->started = 1;
    line->ssrc = first->ssrc;
    line->next = first->sequence;
    line->base = line->highest = first->sequence;
    line->received_of_ssrc = line->received_before = line->expected_before = 0;
    line->has_transit = 0;
    line->newcomer.used = 0;
}

static void measure_jitter(struct rtp_line *line, const struct rtp_packet *packet)
{
    int64_t arrival = packet->arrival_us * line->clock_hz / 1000000;
    int64_t transit = arrival - packet->stamp;
    int32_t moved = (int32_t)(uint32_t)(uint64_t)(transit - line->transit);

    if (line->has_transit) {
        line->jitter += ((moved < 0 ? -(double)moved : (double)moved) - line->jitter) / 16;
    }
    line->transit = transit;
    line->has_transit = 1;
}

static void measure(struct rtp_line *line, const struct rtp_packet *packet)
{
    int16_t ahead = (int16_t)(packet->sequence - (uint16_t)line->highest);

    line->received_of_ssrc++;
    if (ahead > 0) {
        line->highest += (uint16_t)ahead;
    }
    measure_jitter(line, packet);
}

/* It leaves: what comes after it is next. */
static void send_on(struct rtp_line *line, struct rtp_packet *packet)
{
    packet->lost = line->missing;
    line->counts.lost += line->missing;
    line->counts.received++;
    line->missing = 0;
    line->next = (uint16_t)(packet->sequence + 1);
}

/* A packet that fits nowhere. A second one right behind it shows that the sender counts anew; then
 * the first one goes out and the second one is kept. */
static int take_newcomer(struct rtp_line *line, struct rtp_packet *packet)
{
    struct kept *first = &line->newcomer;

    if (!first->used || first->packet.ssrc != packet->ssrc ||
        (uint16_t)(first->packet.sequence + 1) != packet->sequence) {
        line->counts.dropped += (unsigned)first->used;
        keep(first, packet);
        return 0;
    }
    begin(line, &first->packet);
    measure(line, &first->packet);
    measure(line, packet);
    keep(&line->kept[packet->sequence % KEPT], packet);
    line->kept_count++;
    *packet = first->packet;
    send_on(line, packet);
    return 1;
}

static int take_early(struct rtp_line *line, struct rtp_packet *packet, unsigned ahead)
{
    struct kept *kept = &line->kept[packet->sequence % KEPT];

    if (line->patience_us && ahead < KEPT) {
        if (kept->used) {
            line->counts.dropped++;
            return 0;
        }
        measure(line, packet);
        keep(kept, packet);
        line->kept_count++;
        return 0;
    }
    forget_kept(line);
    line->missing += ahead;
    measure(line, packet);
    send_on(line, packet);
    return 1;
}

int rtp_line_take(struct rtp_line *line, struct rtp_packet *packet)
{
    int ahead;

    if (!line->started) {
        begin(line, packet);
    }
    ahead = (int16_t)(packet->sequence - line->next);
    if (packet->ssrc != line->ssrc || ahead >= JUMP || ahead <= -JUMP) {
        return take_newcomer(line, packet);
    }
    if (ahead < 0) {
        line->counts.dropped++;
        return 0;
    }
    if (ahead > 0) {
        return take_early(line, packet, (unsigned)ahead);
    }
    measure(line, packet);
    send_on(line, packet);
    return 1;
}

int64_t rtp_line_due_us(const struct rtp_line *line)
{
    int64_t oldest_us = INT64_MAX;
    size_t i;

    if (!line->kept_count) {
        return INT64_MAX;
    }
    for (i = 0; i < KEPT; i++) {
        if (line->kept[i].used && line->kept[i].packet.arrival_us < oldest_us) {
            oldest_us = line->kept[i].packet.arrival_us;
        }
    }
    return oldest_us + line->patience_us;
}

/* The first that is kept from next on. */
static struct kept *first_kept(struct rtp_line *line)
{
    unsigned ahead;

    for (ahead = 0; ahead < KEPT; ahead++) {
        struct kept *kept = &line->kept[(uint16_t)(line->next + ahead) % KEPT];

        if (kept->used) {
            return kept;
        }
    }
    return NULL;
}

int rtp_line_next(struct rtp_line *line, struct rtp_packet *packet, int64_t now_us)
{
    struct kept *kept;

    if (!line->kept_count) {
        return 0;
    }
    kept = &line->kept[line->next % KEPT];
    if (!kept->used) {
        if (now_us < rtp_line_due_us(line)) {
            return 0;
        }
        kept = first_kept(line);
        line->missing += (uint16_t)(kept->packet.sequence - line->next);
    }
    kept->used = 0;
    line->kept_count--;
    *packet = kept->packet;
    send_on(line, packet);
    return 1;
}

struct rtp_counts rtp_line_counts(const struct rtp_line *line)
{
    return line->counts;
}

int rtp_line_is(const struct rtp_line *line, uint32_t ssrc)
{
    return line->started && line->ssrc == ssrc;
}

/* ---- RTCP --------------------------------------------------------------------------------- */

/* NTP counts from 1900 in 32 bits, which are full in 2036: a small number is of the next round. */
static int64_t ntp_us(uint32_t seconds, uint32_t fraction)
{
    int64_t full = (int64_t)seconds + (seconds & 0x80000000u ? 0 : INT64_C(1) << 32);

    return (full - NTP_1970) * 1000000 + (int64_t)((uint64_t)fraction * 1000000 >> 32);
}

static void take_sub_packet(struct rtcp_news *news, const uint8_t *data, size_t size)
{
    if (data[1] == RTCP_SENDER && size >= 28 && (read32(data + 8) || read32(data + 12))) {
        news->has_report = 1;
        news->ssrc = read32(data + 4);
        news->sender_us = ntp_us(read32(data + 8), read32(data + 12));
        news->stamp = read32(data + 16);
    }
    else if (data[1] == RTCP_BYE && size >= 8) {
        news->has_bye = 1;
        news->bye_ssrc = read32(data + 4);
    }
}

int rtcp_parse(struct rtcp_news *news, const uint8_t *data, size_t size)
{
    size_t length;
    int any = 0;

    memset(news, 0, sizeof(*news));
    while (size >= 4 && data[0] >> 6 == 2 && data[1] >= 192 && data[1] <= 223) {
        length = 4 * ((size_t)read16(data + 2) + 1);
        if (length > size) {
            break;
        }
        take_sub_packet(news, data, length);
        any = 1;
        data += length;
        size -= length;
    }
    return any ? 0 : -1;
}

void rtp_line_reported(struct rtp_line *line, const uint8_t *data, size_t size, int64_t now_us)
{
    if (size >= 28 && data[1] == RTCP_SENDER && rtp_line_is(line, read32(data + 4))) {
        line->report_middle = read32(data + 8) << 16 | read32(data + 12) >> 16;
        line->report_us = now_us;
    }
}

static uint8_t *put_losses(struct rtp_line *line, uint8_t *out)
{
    uint64_t expected = (uint64_t)line->highest - line->base + 1;
    uint64_t due = expected - line->expected_before;
    uint64_t came = line->received_of_ssrc - line->received_before;
    uint64_t lost = expected > line->received_of_ssrc ? expected - line->received_of_ssrc : 0;
    uint64_t fraction = due > came && due ? ((due - came) << 8) / due : 0;

    line->expected_before = expected;
    line->received_before = line->received_of_ssrc;
    lost = lost > 0x7FFFFF ? 0x7FFFFF : lost;
    return write32(out, (uint32_t)(fraction > 255 ? 255 : fraction) << 24 | (uint32_t)lost);
}

size_t rtp_line_report(struct rtp_line *line, uint8_t out[RTCP_MAX], uint32_t own_ssrc,
                       int64_t now_us)
{
    static const uint8_t name[] = { 1, 8, 'k', 'a', 'f', 'k', 'a', 'c', 'a', 'm', 0, 0 };
    uint8_t *to = out;

    to = write32(to, 0x80000000u | (line->started ? 1u << 24 : 0) | RTCP_RECEIVER << 16 |
                         (line->started ? 7 : 1));
    to = write32(to, own_ssrc);
    if (line->started) {
        to = write32(to, line->ssrc);
        to = put_losses(line, to);
        to = write32(to, line->highest);
        to = write32(to, (uint32_t)line->jitter);
        to = write32(to, line->report_middle);
        to = write32(
            to, line->report_middle ? (uint32_t)((now_us - line->report_us) * 65536 / 1000000) : 0);
    }
    to = write32(to, 0x81000000u | RTCP_NAME << 16 | (1 + sizeof(name) / 4));
    to = write32(to, own_ssrc);
    memcpy(to, name, sizeof(name));
    return (size_t)(to + sizeof(name) - out);
}
