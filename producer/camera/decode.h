/* Decodes units to pictures; FFmpeg's libavcodec is inside. Which units get decoded is the caller's
 * decision: a camera's JPEGs can go on as they are, and what nobody wants costs nothing. One
 * thread. */
#ifndef DECODE_H
#define DECODE_H

#include "picture.h"
#include "sdp.h"
#include "session.h"

struct decode;

/* Once, before the first decode_open(): FFmpeg's own log lines go to log_debug. */
void decode_setup(void);

/* 0, or -1 with the reason in decode_why(). *result is yours in both cases. */
int decode_open(struct decode **result, const struct sdp *sdp);
void decode_close(struct decode *decode);

/* 1: *picture and *times are of a finished picture, which may be that of an earlier unit. 0: none
 * yet. -1: the unit, or one it needs, is damaged; go on with a key unit. The picture holds until
 * the next call of any function here. alone: it is a key unit, and the next one to be decoded is
 * one, too; then the picture comes at once, whatever the stream's order; 0: by itself it gives
 * none. */
int decode_picture(struct decode *decode, const struct session_unit *unit, struct picture *picture,
                   struct session_times *times, int alone);

/* Forget what was decoded so far; the next unit must be key. */
void decode_flush(struct decode *decode);

/* "h264 1280x720", for logs. */
const char *decode_describe(const struct decode *decode);
const char *decode_why(const struct decode *decode);

#endif
