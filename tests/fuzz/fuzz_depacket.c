/* Packets of any content through each depacketizer. The first byte: the codec and whether order is
 * kept by waiting; then packets, each behind its length in two bytes. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include "depacket.h"

static void check(const struct depacket_unit *unit)
{
    size_t i;

    if (unit->size > DEPACKET_UNIT_MAX) {
        abort();
    }
    for (i = 0; i < DEPACKET_PADDING; i++) {
        if (unit->data[unit->size + i]) {
            abort();
        }
    }
}

static void push(struct depacket *depacket, const struct rtp_packet *packet)
{
    enum depacket_result result;
    size_t again = 0; /* an MPEG-4 packet may end several */

    do {
        result = depacket_push(depacket, packet);
        if (result != DEPACKET_MORE) {
            check(depacket_unit(depacket));
        }
    } while (result == DEPACKET_AGAIN && again++ <= packet->size);
    if (result == DEPACKET_AGAIN) {
        abort(); /* for ever */
    }
}

static void take(struct depacket *depacket, struct rtp_line *line, const uint8_t *data, size_t size,
                 int64_t now_us)
{
    struct rtp_packet packet;
    int rc;

    if (rtp_parse(&packet, data, size)) {
        return;
    }
    packet.arrival_us = now_us;
    rc = rtp_line_take(line, &packet);
    while (rc || rtp_line_next(line, &packet, now_us)) {
        rc = 0;
        push(depacket, &packet);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sdp sdp = { .clock_hz = 90000 };
    struct depacket *depacket;
    struct rtp_line *line;
    int64_t now_us = 0;
    size_t length;

    if (!size) {
        return 0;
    }
    sdp.codec = (enum sdp_codec)(SDP_H264 + (*data & 3));
    sdp.width = *data & 8 ? 2560 : 0;
    sdp.height = *data & 8 ? 1440 : 0;
    depacket = depacket_open(&sdp);
    line = rtp_line_open(90000, *data & 4 ? RTP_PATIENCE_US : 0);
    for (data++, size--; size >= 2; data += length, size -= length) {
        length = (size_t)data[0] << 8 | data[1];
        data += 2;
        size -= 2;
        length = length > size ? size : length;
        take(depacket, line, data, length, now_us += 10000);
    }
    rtp_line_close(line);
    depacket_close(depacket);
    return 0;
}
