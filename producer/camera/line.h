/* The connection to a camera: TCP, TLS on it if asked for, read ahead in large pieces. One thread.
 *
 * Nothing waits longer than it is told, and while it waits the interrupt function is asked ten
 * times a second. */
#ifndef LINE_H
#define LINE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "tls.h"

struct line;

struct line_settings {
    const char *host; /* a name, an address, an address%scope */
    uint16_t port;
    int tls;
    struct tls_settings security;
    uint32_t timeout_ms;
    int (*interrupt)(void *baton); /* not 0: give up now */
    void *baton;
};

enum line_result {
    LINE_OK,
    LINE_UNREACHABLE, /* no address, refused, no route */
    LINE_REFUSED,     /* its certificate */
    LINE_SILENT,      /* no answer in time */
    LINE_CLOSED,      /* by the camera */
    LINE_STOPPED      /* the interrupt function said so */
};

/* On failure the reason is in why, in words. */
enum line_result line_open(struct line **result, const struct line_settings *settings, char *why,
                           size_t why_size);
void line_close(struct line *line);

/* All of it, within timeout_ms. */
enum line_result line_write(struct line *line, const void *bytes, size_t size, uint32_t timeout_ms);

/* Read what is there without waiting. LINE_OK also if it was nothing. */
enum line_result line_read(struct line *line);

/* Whether line_read() has something without a wait, though the socket may show nothing. */
int line_pending(const struct line *line);

/* What was read and not used yet. Holds until the next line_read(). */
const uint8_t *line_bytes(const struct line *line, size_t *size);
void line_use(struct line *line, size_t size);

int line_socket(const struct line *line);
const char *line_security(const struct line *line); /* "TLS1.3", "" without */

/* The camera's address, and ours towards it. */
void line_peer(const struct line *line, struct sockaddr_storage *address);
void line_own(const struct line *line, struct sockaddr_storage *address);

/* Nothing more is sent; what comes is still read. */
void line_finish(struct line *line);

#endif
