/* A whole connection as it comes over TCP: answers, requests, frames, rubbish; the description that
 * is in an answer, the fields that a client looks at, RTP and RTCP in the frames, units of them. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include "depacket.h"
#include "digest.h"
#include "rtsp.h"

struct station {
    struct sdp sdp;
    struct rtp_line *line;
    struct depacket *depacket;
};

static void take_answer(struct station *station, const struct rtsp_message *message)
{
    struct rtsp_transport transport;
    struct digest digest = { 0 };
    char value[RTSP_TEXT_MAX], url[RTSP_TEXT_MAX], id[64];
    unsigned n, timeout_s;

    for (n = 0; !rtsp_field(message, "WWW-Authenticate", n, value, sizeof(value)); n++) {
        digest_take(&digest, value);
    }
    if (!rtsp_field(message, "Transport", 0, value, sizeof(value))) {
        rtsp_transport_parse(&transport, value);
    }
    if (!rtsp_field(message, "Session", 0, value, sizeof(value))) {
        rtsp_session_parse(id, sizeof(id), &timeout_s, value);
    }
    if (!rtsp_field(message, "Content-Base", 0, value, sizeof(value))) {
        rtsp_clean(url, sizeof(url), value);
    }
    if (message->body_size) {
        sdp_parse(&station->sdp, message->body, message->body_size);
        rtsp_join(url, sizeof(url), "rtsp://camera/stream", station->sdp.control);
    }
    if (station->sdp.codec != SDP_NONE && !station->depacket) {
        station->depacket = depacket_open(&station->sdp);
        station->line = rtp_line_open(station->sdp.clock_hz, 0);
    }
}

static void take_frame(struct station *station, const struct rtsp_piece *piece)
{
    struct rtp_packet packet;
    struct rtcp_news news;
    uint8_t report[RTCP_MAX];
    int rc;

    if (!station->depacket) {
        return;
    }
    if (piece->channel == 1) {
        rtcp_parse(&news, piece->data, piece->data_size);
        rtp_line_reported(station->line, piece->data, piece->data_size, 1);
        rtp_line_report(station->line, report, 1, 2);
        return;
    }
    if (rtp_parse(&packet, piece->data, piece->data_size)) {
        return;
    }
    rc = rtp_line_take(station->line, &packet);
    while (rc || rtp_line_next(station->line, &packet, 0)) {
        rc = 0;
        while (depacket_push(station->depacket, &packet) == DEPACKET_AGAIN) {
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct rtsp_channels channels = { 1, 0, 1, 96 };
    struct station station = { 0 };
    struct rtsp_piece piece;

    while (rtsp_next(&piece, data, size, &channels) != RTSP_MORE) {
        if (!piece.size || piece.size > size) {
            abort();
        }
        if (piece.kind == RTSP_FRAME) {
            take_frame(&station, &piece);
        }
        else if (piece.kind == RTSP_MESSAGE) {
            take_answer(&station, &piece.message);
        }
        data += piece.size;
        size -= piece.size;
    }
    rtp_line_close(station.line);
    depacket_close(station.depacket);
    return 0;
}
