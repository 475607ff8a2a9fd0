/* A conversation with a camera over RTSP (RFC 2326): from its address to units of video. One
 * thread.
 *
 * Lenient in what it takes: what a camera's answer lacks is guessed, an OPTIONS that fails is no
 * failure, and what comes between the frames is passed over. A session that was set up is given
 * back (TEARDOWN) whatever ends it, so that a camera with few of them has it free at once. */
#ifndef SESSION_H
#define SESSION_H

#include <stddef.h>
#include <stdint.h>
#include "depacket_unit.h"
#include "sdp.h"

#define SESSION_NO_TIME INT64_MIN

struct session;

enum session_transport { SESSION_TCP, SESSION_UDP, SESSION_MULTICAST, SESSION_HTTP };

struct session_settings {
    const char *url;
    enum session_transport transport;
    uint32_t timeout_ms; /* of connecting and of each answer */
    int tls_verify;
    const char *tls_ca;            /* NULL: the system's */
    unsigned tls_oldest;           /* 12: TLS 1.2, see tls.h */
    int (*interrupt)(void *baton); /* asked ten times a second and more; not 0: give up now */
    void *baton;
};

/* When a unit was taken by the camera. */
struct session_times {
    int64_t media_us;   /* the stream's own clock, any origin, or none that runs like time */
    int64_t sender_us;  /* since 1970 by the camera's clock (RTCP), or SESSION_NO_TIME */
    int64_t arrival_us; /* since 1970 by ours, of its first packet */
    int64_t arrival_mono_us;
};

struct session_unit {
    struct session_times times;
    const struct depacket_unit *coded; /* until the next session_read() */
};

enum session_end {
    SESSION_END_UNREACHABLE, /* no address, refused, no answer */
    SESSION_END_DENIED,      /* user, password, certificate, protocol */
    SESSION_END_TRANSPORT,   /* connected, but it does not speak or deliver this way */
    SESSION_END_CLOSED,      /* the camera ended it, or fell silent */
    SESSION_END_STOPPED      /* the interrupt function said so */
};

/* Connects, and asks for the stream. 0, or -1 with the reason in session_why() and
 * session_ending(). *result is yours in both cases, end it with session_close(). */
int session_open(struct session **result, const struct session_settings *settings);

/* Gives the session back, within a second. NULL is fine. */
void session_close(struct session *session);

/* What the camera sends. */
const struct sdp *session_description(const struct session *session);

/* Waits for the next unit. -1: that was it, see session_why(). */
int session_read(struct session *session, struct session_unit *unit);

/* "tcp", "udp with TLS1.3", for logs. */
const char *session_way(const struct session *session);

/* Why it ended, in words without a password. */
const char *session_why(const struct session *session);
enum session_end session_ending(const struct session *session);

/* What came that was no frame and no message, and RTP packets that did not come. Rising numbers. */
struct session_counts {
    uint64_t rubbish, lost;
};

struct session_counts session_counts(const struct session *session);

#endif
