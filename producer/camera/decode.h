/* Reads one camera over RTSP and decodes it. A unit is one coded picture as the camera sent it;
 * whether it gets decoded is the caller's decision: camera's JPEGs can go on as they are, and what
 * nobody wants costs nothing.
 *
 * Nothing here blocks longer than the timeout without asking the interrupt function, which FFmpeg
 * calls some hundred times a frame: it must be cheap. One thread. */
#ifndef DECODE_H
#define DECODE_H

#include <stddef.h>
#include <stdint.h>
#include "job.h"
#include "picture.h"

#define DECODE_NO_TIME INT64_MIN

struct decode;

struct decode_settings {
    const char *url;
    enum settings_transport transport; /* SETTINGS_TCP or SETTINGS_UDP */
    uint32_t timeout_ms;               /* of connecting and of each wait for data */
    int tls_verify;
    const char *tls_ca;
    int (*interrupt)(void *baton); /* not 0: give up now */
    void *baton;
};

/* When a unit was taken by the camera. */
struct decode_times {
    int64_t media_us;   /* the stream's own clock, any origin, even rhythm; or DECODE_NO_TIME */
    int64_t sender_us;  /* since 1970 by the camera's clock (RTCP), or DECODE_NO_TIME */
    int64_t arrival_us; /* since 1970 by ours */
    int64_t arrival_mono_us;
};

struct decode_unit {
    struct decode_times times;
    int key;             /* can be decoded without what came before */
    int reference;       /* others need it, in doubt yes */
    int lost;            /* data went missing since the last unit */
    const uint8_t *jpeg; /* of MJPEG cameras: the unit is this JPEG; until the next decode_read() */
    size_t size;
};

enum decode_end {
    DECODE_END_UNREACHABLE, /* no address, refused, no answer */
    DECODE_END_DENIED,      /* user, password, certificate, protocol */
    DECODE_END_TRANSPORT,   /* connected, but it does not speak or deliver this way */
    DECODE_END_CLOSED,      /* the camera ended it, or fell silent */
    DECODE_END_STOPPED      /* the interrupt function said so */
};

/* Once, before the first decode_open(): FFmpeg's own log lines go to log_debug, passwords
 * hidden. */
void decode_setup(void);

/* Connects and waits for the description of the stream. 0, or -1 with the reason in decode_why()
 * and decode_ending(). *result is yours in both cases, end it with decode_close(). */
int decode_open(struct decode **result, const struct decode_settings *settings);
void decode_close(struct decode *decode);

/* Waits for the next unit of video. -1: that was it, see decode_why(). */
int decode_read(struct decode *decode, struct decode_unit *unit);

/* Decode the unit just read. 1: *picture and *times are of a finished picture, which may be that of
 * an earlier unit. 0: none yet. -1: the unit, or one it needs, is damaged; go on with a key unit.
 * The picture holds until the next call of any function here. alone: it is a key unit, and the next
 * one to be decoded is one, too; then the picture comes at once, whatever the stream's order. */
int decode_picture(struct decode *decode, struct picture *picture, struct decode_times *times,
                   int alone);

/* Forget what was decoded so far; the next unit must be key. */
void decode_flush(struct decode *decode);

/* "h264 1280x720 over tcp", for logs. */
const char *decode_describe(const struct decode *decode);

/* Why it ended, in words without a password. */
const char *decode_why(const struct decode *decode);
enum decode_end decode_ending(const struct decode *decode);

#endif
