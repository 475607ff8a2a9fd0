/* How fast packets become units: RTP of H.264 in fragments, H.265 and JPEG, GB/s of one processor.
 * Each codec's stream is made up: pictures of 40 kB in packets of 1,400 bytes. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "depacket.h"
#include "rtp.h"

#define PACKET  1400
#define PIECES  28
#define SECONDS 1.0

static double processor_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void put32(uint8_t *to, uint32_t number)
{
    to[0] = (uint8_t)(number >> 24);
    to[1] = (uint8_t)(number >> 16);
    to[2] = (uint8_t)(number >> 8);
    to[3] = (uint8_t)number;
}

/* What stands before the payload of a picture's piece. Returns its size. */
static size_t head(uint8_t *to, enum sdp_codec codec, unsigned piece)
{
    uint8_t edge = (uint8_t)((piece == 0 ? 0x80 : 0) | (piece == PIECES - 1 ? 0x40 : 0));

    switch (codec) {
    case SDP_H264:
        to[0] = 0x5C;
        to[1] = edge | 1;
        to[2] = 0x80;
        return piece ? 2 : 3;
    case SDP_H265:
        to[0] = 49 << 1;
        to[1] = 1;
        to[2] = edge | 1;
        to[3] = 0x80;
        return piece ? 3 : 4;
    default:
        put32(to, piece * (PACKET - 12 - 8));
        to[4] = 1;
        to[5] = 80;
        to[6] = 160;
        to[7] = 90;
        return 8;
    }
}

static void make_packet(uint8_t packet[PACKET], enum sdp_codec codec, unsigned number)
{
    unsigned piece = number % PIECES;

    memset(packet, 0x55, PACKET);
    packet[0] = 0x80;
    packet[1] = (uint8_t)((piece == PIECES - 1 ? 0x80 : 0) | 96);
    packet[2] = (uint8_t)(number >> 8);
    packet[3] = (uint8_t)number;
    put32(packet + 4, number / PIECES * 3600);
    put32(packet + 8, 1);
    head(packet + 12, codec, piece);
}

static void take(struct rtp_line *line, struct depacket *depacket, const uint8_t *bytes,
                 unsigned long *units)
{
    struct rtp_packet packet;
    enum depacket_result result;

    if (rtp_parse(&packet, bytes, PACKET) || !rtp_line_take(line, &packet)) {
        abort();
    }
    do {
        result = depacket_push(depacket, &packet);
        if (result != DEPACKET_MORE) {
            *units += !depacket_unit(depacket)->damaged;
        }
    } while (result == DEPACKET_AGAIN);
}

static int measure(enum sdp_codec codec)
{
    const struct sdp sdp = { .codec = codec, .clock_hz = 90000 };
    struct rtp_line *line = rtp_line_open(90000, 0);
    struct depacket *depacket = depacket_open(&sdp);
    uint8_t(*packets)[PACKET] = calloc(65536, PACKET);
    unsigned long units = 0, count = 0;
    double begun_s, took_s;
    unsigned i;

    for (i = 0; i < 65536; i++) {
        make_packet(packets[i], codec, i);
    }
    begun_s = processor_s();
    do {
        for (i = 0; i < 65536 / PIECES * PIECES; i++) {
            put32(packets[i] + 4, (uint32_t)(count / PIECES * 3600));
            packets[i][2] = (uint8_t)(count >> 8);
            packets[i][3] = (uint8_t)count;
            take(line, depacket, packets[i], &units);
            count++;
        }
        took_s = processor_s() - begun_s;
    } while (took_s < SECONDS);
    printf("%-6s %6.2f GB/s, %lu of %lu units\n", sdp_codec_format(codec),
           (double)count * PACKET / took_s / 1e9, units, count / PIECES);
    free(packets);
    depacket_close(depacket);
    rtp_line_close(line);
    return units + 1 < count / PIECES;
}

int main(void)
{
    return measure(SDP_H264) | measure(SDP_H265) | measure(SDP_JPEG);
}
