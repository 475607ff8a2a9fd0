/* A camera's description of its streams (RFC 4566, as cameras write it): the first one that can be
 * played, whatever stands before it. Pure; the text is a stranger's, and much of what real cameras
 * send is not what the RFC allows, so what cannot be read is passed over. */
#ifndef SDP_H
#define SDP_H

#include <stddef.h>
#include <stdint.h>

enum sdp_codec { SDP_NONE, SDP_H264, SDP_H265, SDP_JPEG, SDP_MPEG4 };

/* Limits: what is longer is cut or passed over. */
#define SDP_SIZE_MAX       65536
#define SDP_TRACKS_MAX     16
#define SDP_PARAMETERS_MAX 4096

struct sdp {
    enum sdp_codec codec; /* SDP_NONE: nothing that can be played */
    unsigned payload;     /* its RTP payload type */
    uint32_t clock_hz;
    unsigned tracks;   /* in all */
    char control[512]; /* of the track, as it stands there; "" none */
    char session_control[512];
    char address[64]; /* of the track's c= line or the session's, "" none */
    uint16_t port;
    unsigned width, height; /* a=x-dimensions, a=framesize; 0: not said */
    /* H.264 and H.265: Annex B, each set behind a start code. MPEG-4: its configuration. */
    uint8_t parameters[SDP_PARAMETERS_MAX];
    size_t parameters_size;
    int interleaved;  /* NAL units out of order: not for us */
    char others[128]; /* encodings of the video that cannot be played, "VP8, H263" */
};

void sdp_parse(struct sdp *sdp, const char *text, size_t size);

/* "H.264" and so on. */
const char *sdp_codec_format(enum sdp_codec codec);

/* Base64 as cameras write it: padding or none, blanks in between. Returns how many bytes it is, at
 * most room; 0: none, or too many. */
size_t sdp_base64(uint8_t *out, size_t room, const char *text, size_t size);

#endif
