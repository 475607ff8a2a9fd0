/* RTP packets of one stream in their order, and what RTCP says of them (RFC 3550). Pure but for
 * memory: the caller has the sockets and the clock. Times are microseconds of a monotonic clock.
 *
 * Over TCP nothing can overtake, yet packets go missing there, too: a relay that takes its camera
 * over UDP, a camera whose send buffer was full. */
#ifndef RTP_H
#define RTP_H

#include <stddef.h>
#include <stdint.h>

struct rtp_packet {
    const uint8_t *payload;
    size_t size;
    const uint8_t *extension; /* of the header, NULL: none */
    size_t extension_size;
    uint16_t extension_kind;
    uint16_t sequence;
    uint32_t stamp;
    uint32_t ssrc;
    uint8_t type;
    int marker;
    int64_t arrival_us; /* the caller's to set */
    unsigned lost;      /* that are missing right before this one; set by rtp_line_take() */
};

/* 0, or -1: no RTP. The packet points into data. */
int rtp_parse(struct rtp_packet *packet, const uint8_t *data, size_t size);

/* Over UDP a packet that came too early waits this long for those before it. */
#define RTP_PATIENCE_US 50000

struct rtp_line;

/* clock_hz: of the time stamps. patience_us: 0 where nothing can overtake. */
struct rtp_line *rtp_line_open(uint32_t clock_hz, int64_t patience_us);
void rtp_line_close(struct rtp_line *line);

/* 1: *packet is the next one, go on with it (it may be an earlier one that was kept). 0: it is kept
 * for later or dropped, as a repeat is. Afterwards ask rtp_line_next() until it says 0. */
int rtp_line_take(struct rtp_line *line, struct rtp_packet *packet);

/* 1: *packet, one that was kept, is next, as its turn has come or its wait is over. Its bytes hold
 * until the next rtp_line_take(). */
int rtp_line_next(struct rtp_line *line, struct rtp_packet *packet, int64_t now_us);

/* When to ask again though nothing came, INT64_MAX: never. */
int64_t rtp_line_due_us(const struct rtp_line *line);

struct rtp_counts {
    uint64_t received, lost, dropped; /* dropped: repeats, too late, strangers */
};

struct rtp_counts rtp_line_counts(const struct rtp_line *line);

/* What a compound RTCP packet says. */
struct rtcp_news {
    int has_report; /* a sender's: at what time its RTP clock shows stamp */
    uint32_t ssrc;
    uint32_t stamp;
    int64_t sender_us; /* since 1970, by the camera's clock */
    int has_bye;
    uint32_t bye_ssrc;
};

/* 0, or -1: no RTCP. Sub-packets that say nothing to us are passed over. */
int rtcp_parse(struct rtcp_news *news, const uint8_t *data, size_t size);

/* For the receiver's report: when the sender's came. */
void rtp_line_reported(struct rtp_line *line, const uint8_t *data, size_t size, int64_t now_us);

/* Whether the line is that of ssrc. */
int rtp_line_is(const struct rtp_line *line, uint32_t ssrc);

/* A receiver's report, with the name that RFC 3550 wants. Returns its size, at most RTCP_MAX. */
#define RTCP_MAX 64
size_t rtp_line_report(struct rtp_line *line, uint8_t out[RTCP_MAX], uint32_t own_ssrc,
                       int64_t now_us);

#endif
