/* RTSP's messages and the frames between them (RFC 2326), read leniently as cameras write them, and
 * the text of our own. Pure; what is read is a stranger's. */
#ifndef RTSP_H
#define RTSP_H

#include <stddef.h>
#include <stdint.h>

/* A message's lines, and its body. */
#define RTSP_HEAD_MAX 32768
#define RTSP_BODY_MAX 65536

/* Address or field of ours or theirs at most. */
#define RTSP_TEXT_MAX 1024

struct rtsp_message {
    int status;      /* 0: it is a request */
    char reason[96]; /* of the answer, in the camera's words */
    char method[24]; /* of the request */
    const char *head;
    size_t head_size; /* the lines behind the first */
    const char *body;
    size_t body_size;
};

enum rtsp_kind {
    RTSP_MORE,    /* not complete yet */
    RTSP_FRAME,   /* RTP or RTCP, or of a channel that we did not ask for */
    RTSP_MESSAGE, /* an answer or a request */
    RTSP_BLANK,   /* line ends: pass over */
    RTSP_RUBBISH  /* no such thing; behind it what may be one */
};

struct rtsp_piece {
    enum rtsp_kind kind;
    size_t size; /* of the piece in all, 0 of RTSP_MORE */
    unsigned channel;
    const uint8_t *data;
    size_t data_size;
    struct rtsp_message message;
};

/* On which channels frames are awaited and with which RTP payload type, so that the next one is
 * found behind rubbish. */
struct rtsp_channels {
    int any;
    unsigned rtp, rtcp, payload;
};

/* What stands at the beginning of what came over the connection. */
enum rtsp_kind rtsp_next(struct rtsp_piece *piece, const uint8_t *data, size_t size,
                         const struct rtsp_channels *channels);

/* The n-th field of that name, from 0, into value. 0, or -1: there is none, or it is longer. */
int rtsp_field(const struct rtsp_message *message, const char *name, unsigned n, char *value,
               size_t room);

/* A number in a field, -1: none. */
long rtsp_number(const struct rtsp_message *message, const char *name);

/* The Transport field of an answer, what of it is given. */
struct rtsp_transport {
    int tcp, multicast;
    int has_channels;
    unsigned rtp, rtcp;                /* channels */
    uint16_t client_port, client_rtcp; /* 0: not given, so below */
    uint16_t server_port, server_rtcp;
    uint16_t port, port_rtcp; /* of multicast */
    char source[64], destination[64];
};

void rtsp_transport_parse(struct rtsp_transport *transport, const char *text);

/* "id;timeout=60". *timeout_s is 60 if it does not say. */
void rtsp_session_parse(char *id, size_t room, unsigned *timeout_s, const char *text);

/* Whether the list of a Public field has the method. */
int rtsp_offers(const char *list, const char *method);

/* base with control behind it, as a=control means it. 0, or -1: too long. */
int rtsp_join(char *url, size_t room, const char *base, const char *control);

/* An address that can be a base: rtsp:// or rtsps://, once, with a host; without its login. 0, or
 * -1. */
int rtsp_clean(char *url, size_t room, const char *text);

struct rtsp_request {
    const char *method, *url;
    unsigned cseq;
    const char *session;       /* NULL: none yet */
    const char *authorization; /* NULL: none */
    const char *more;          /* further lines, each with its end; NULL: none */
};

/* Returns its length, 0: it is longer than room. */
size_t rtsp_format(char *out, size_t room, const struct rtsp_request *request);

#endif
