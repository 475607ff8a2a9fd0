#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "mem.h"

/* A tenth of a second of a busy camera, and room for the largest frame or description. */
#define READ_SIZE   65536
#define BUFFER_SIZE (3 * 65536)

/* How long a wait is without looking up. */
#define TICK_MS 100

struct line {
    const struct line_settings *settings;
    int fd;
    struct tls *tls;
    int pending; /* the last read filled its room: there may be more */
    size_t begin, end;
    uint8_t bytes[BUFFER_SIZE];
};

/* Until the socket is ready for events. */
static enum line_result wait_for(const struct line *line, short events, int64_t deadline_us)
{
    struct pollfd fd = { line->fd, events, 0 };
    int64_t left_us;

    for (;;) {
        if (line->settings->interrupt && line->settings->interrupt(line->settings->baton)) {
            return LINE_STOPPED;
        }
        left_us = deadline_us - clock_mono_us();
        if (left_us <= 0) {
            return LINE_SILENT;
        }
        if (poll(&fd, 1, left_us < TICK_MS * 1000 ? (int)(left_us / 1000 + 1) : TICK_MS) > 0) {
            return LINE_OK;
        }
    }
}

/* ---- Connecting --------------------------------------------------------------------------- */

static const char *words_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "connection refused";
    case EHOSTUNREACH:
        return "no route to the camera";
    case ENETUNREACH:
        return "no route to the camera's network";
    case ETIMEDOUT:
        return "no answer to the connection";
    default:
        return strerror(error);
    }
}

static void prepare_socket(int fd)
{
    int on = 1;

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static enum line_result connect_to(struct line *line, const struct addrinfo *address,
                                   int64_t deadline_us, char *why, size_t size)
{
    enum line_result result;
    int error = 0;
    socklen_t length = sizeof(error);

    line->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (line->fd < 0) {
        snprintf(why, size, "%s", words_of(errno));
        return LINE_UNREACHABLE;
    }
    prepare_socket(line->fd);
    if (connect(line->fd, address->ai_addr, address->ai_addrlen) == 0) {
        return LINE_OK;
    }
    if (errno == EINPROGRESS) {
        result = wait_for(line, POLLOUT, deadline_us);
        if (result != LINE_OK) {
            snprintf(why, size, "no answer from the camera for %.1f s",
                     line->settings->timeout_ms / 1000.0);
            return result;
        }
        getsockopt(line->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    }
    else {
        error = errno;
    }
    if (error) {
        snprintf(why, size, "%s", words_of(error));
    }
    return error ? LINE_UNREACHABLE : LINE_OK;
}

/* Each of the host's addresses; those that are left share the time that is left. */
static enum line_result connect_any(struct line *line, char *why, size_t size)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list, *one;
    enum line_result result = LINE_UNREACHABLE;
    int64_t deadline_us = clock_mono_us() + (int64_t)line->settings->timeout_ms * 1000;
    char port[8];
    int rc, left = 0;

    snprintf(port, sizeof(port), "%u", line->settings->port);
    rc = getaddrinfo(line->settings->host, port, &hints, &list);
    if (rc) {
        snprintf(why, size, "the camera's name does not resolve: %s", gai_strerror(rc));
        return LINE_UNREACHABLE;
    }
    for (one = list; one; one = one->ai_next) {
        left++;
    }
    for (one = list; one; one = one->ai_next, left--) {
        result = connect_to(line, one, clock_mono_us() + (deadline_us - clock_mono_us()) / left,
                            why, size);
        if (result == LINE_OK || result == LINE_STOPPED) {
            break;
        }
        if (line->fd >= 0) {
            close(line->fd);
            line->fd = -1;
        }
    }
    freeaddrinfo(list);
    return result;
}

static enum line_result secure(struct line *line, char *why, size_t size)
{
    int64_t deadline_us = clock_mono_us() + (int64_t)line->settings->timeout_ms * 1000;
    enum line_result result;
    char reason[200] = "";
    int rc;

    if (tls_open(&line->tls, line->fd, &line->settings->security, reason, sizeof(reason))) {
        snprintf(why, size, "the camera's certificate: %s", reason);
        return LINE_REFUSED;
    }
    while ((rc = tls_handshake(line->tls, reason, sizeof(reason))) > 0) {
        result = wait_for(line, rc == 1 ? POLLIN : POLLOUT, deadline_us);
        if (result != LINE_OK) {
            snprintf(why, size, "no answer from the camera's TLS for %.1f s",
                     line->settings->timeout_ms / 1000.0);
            return result;
        }
    }
    if (rc < 0) {
        snprintf(why, size, "%s%s",
                 line->settings->security.verify ? "the camera's certificate: "
                                                 : "the camera's TLS: ",
                 reason);
        return LINE_REFUSED;
    }
    return LINE_OK;
}

enum line_result line_open(struct line **result, const struct line_settings *settings, char *why,
                           size_t why_size)
{
    struct line *line = mem_zeroed(1, sizeof(*line));
    enum line_result rc;

    line->settings = settings;
    line->fd = -1;
    rc = connect_any(line, why, why_size);
    if (rc == LINE_OK && settings->tls) {
        rc = secure(line, why, why_size);
    }
    if (rc != LINE_OK) {
        line_close(line);
        return rc;
    }
    *result = line;
    return LINE_OK;
}

void line_close(struct line *line)
{
    if (!line) {
        return;
    }
    tls_close(line->tls);
    if (line->fd >= 0) {
        close(line->fd);
    }
    free(line);
}

/* ---- Bytes -------------------------------------------------------------------------------- */

static int would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

enum line_result line_write(struct line *line, const void *bytes, size_t size, uint32_t timeout_ms)
{
    int64_t deadline_us = clock_mono_us() + (int64_t)timeout_ms * 1000;
    const uint8_t *at = bytes;
    enum line_result result;
    ssize_t sent;

    while (size) {
        sent = line->tls ? tls_write(line->tls, at, size) : send(line->fd, at, size, MSG_NOSIGNAL);
        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
            continue;
        }
        if (sent == 0 || !would_block()) {
            return LINE_CLOSED;
        }
        result = wait_for(line, POLLOUT, deadline_us);
        if (result != LINE_OK) {
            return result;
        }
    }
    return LINE_OK;
}

static void make_room(struct line *line)
{
    if (line->begin == line->end) {
        line->begin = line->end = 0;
    }
    else if (BUFFER_SIZE - line->end < READ_SIZE) {
        memmove(line->bytes, line->bytes + line->begin, line->end - line->begin);
        line->end -= line->begin;
        line->begin = 0;
    }
}

enum line_result line_read(struct line *line)
{
    size_t room;
    ssize_t got;

    make_room(line);
    room = BUFFER_SIZE - line->end;
    got = line->tls ? tls_read(line->tls, line->bytes + line->end, room)
                    : recv(line->fd, line->bytes + line->end, room, 0);
    line->pending = 0;
    if (got > 0) {
        line->end += (size_t)got;
        line->pending = line->tls || (size_t)got == room; /* TLS gives one record at a time */
        return LINE_OK;
    }
    return got < 0 && would_block() ? LINE_OK : LINE_CLOSED;
}

int line_pending(const struct line *line)
{
    return line->pending;
}

const uint8_t *line_bytes(const struct line *line, size_t *size)
{
    *size = line->end - line->begin;
    return line->bytes + line->begin;
}

void line_use(struct line *line, size_t size)
{
    line->begin += size;
}

int line_socket(const struct line *line)
{
    return line->fd;
}

const char *line_security(const struct line *line)
{
    return line->tls ? tls_version(line->tls) : "";
}

void line_peer(const struct line *line, struct sockaddr_storage *address)
{
    socklen_t size = sizeof(*address);

    memset(address, 0, sizeof(*address));
    getpeername(line->fd, (struct sockaddr *)address, &size);
}

void line_own(const struct line *line, struct sockaddr_storage *address)
{
    socklen_t size = sizeof(*address);

    memset(address, 0, sizeof(*address));
    getsockname(line->fd, (struct sockaddr *)address, &size);
}

void line_finish(struct line *line)
{
    shutdown(line->fd, SHUT_WR);
}
