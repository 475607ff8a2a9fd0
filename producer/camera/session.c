#include "config.h"
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "address.h"
#include "clock.h"
#include "depacket.h"
#include "digest.h"
#include "line.h"
#include "log.h"
#include "mem.h"
#include "ports.h"
#include "rtp.h"
#include "rtsp.h"
#include "url.h"

#define REDIRECTS_MAX 5

/* Answers of 401 to one request: the first without a login, one more for a nonce that is over. */
#define LOGINS_MAX 3

#define TICK_MS   100
#define REPORT_US INT64_C(5000000)

/* For the last words. */
#define LAST_MS 400

struct session {
    struct session_settings settings;
    struct address address;
    struct line_settings line_settings;
    struct line *line; /* NULL: none at present */
    struct line *post; /* of a tunnel through HTTP, what we say */
    struct ports *ports;
    struct rtsp_channels channels;
    unsigned cseq;
    unsigned redirects;
    struct digest digest;
    char client[17]; /* our part of a digest */
    char base[RTSP_TEXT_MAX], aggregate[RTSP_TEXT_MAX];
    char id[256];
    unsigned timeout_s; /* of the camera's session */
    int set_up, closed;
    int can_get_parameter;
    unsigned play_cseq, play_logins; /* play_cseq 0: answered */
    struct sdp sdp;
    struct rtp_line *order;
    struct depacket *depacket;
    struct rtp_packet packet; /* the one that is being pushed */
    int again;                /* push it again */
    uint32_t own_ssrc;
    int64_t alive_us, report_us; /* when the next ones are due */
    int64_t stamp;               /* of the last unit, counted on over 32 bits */
    int has_stamp;
    struct rtcp_news report; /* the sender's last */
    uint64_t rubbish;
    enum session_end end;
    char why[256];
    char way[64];
};

/* ---- Why it ends -------------------------------------------------------------------------- */

static int give_up(struct session *session, enum session_end end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int give_up(struct session *session, enum session_end end, const char *format, ...)
{
    char text[sizeof(session->why)];
    va_list arguments;

    if (session->why[0]) {
        return -1; /* the first reason is the reason */
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    session->end = end;
    log_url(session->why, sizeof(session->why), text);
    return -1;
}

static int line_failed(struct session *session, enum line_result result)
{
    switch (result) {
    case LINE_OK:
        return 0;
    case LINE_STOPPED:
        return give_up(session, SESSION_END_STOPPED, "stopped");
    case LINE_SILENT:
        return give_up(session, SESSION_END_TRANSPORT, "no answer from the camera for %.1f s",
                       session->settings.timeout_ms / 1000.0);
    default:
        session->closed = 1;
        return give_up(session, SESSION_END_CLOSED, "the camera closed the connection");
    }
}

static const struct {
    int status;
    int transport; /* another one may be taken */
    const char *words;
} refusals[] = {
    { 400, 1, "the camera calls it a bad request" },
    { 401, 0, "the camera refuses user or password" },
    { 403, 0, "the camera forbids this user the stream" },
    { 404, 1, "the camera has no stream of that name" },
    { 405, 1, "the camera does not do this" },
    { 406, 1, "the camera cannot send what is asked for" },
    { 415, 0, "the camera cannot send what is asked for" },
    { 451, 1, "the camera does not understand a parameter" },
    { 453, 0, "the camera allows no more sessions, or has no bandwidth for one" },
    { 454, 1, "the camera does not know the session any more" },
    { 455, 0, "the camera is in no state to do this" },
    { 459, 1, "the camera wants streams to be asked for one by one" },
    { 461, 1, "the camera refuses this transport" },
    { 503, 1, "the camera is busy or starting" },
    { 505, 0, "the camera speaks another version of RTSP" },
};

/* The camera says no: its code and its own words belong to the reason. */
static int refused(struct session *session, const char *method, const struct rtsp_message *answer)
{
    const char *words =
        answer->status >= 500 ? "the camera reports an error" : "the camera refuses";
    int transport = answer->status >= 500;
    size_t i;

    for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (refusals[i].status == answer->status) {
            words = refusals[i].words;
            transport = refusals[i].transport;
        }
    }
    transport &= !strcmp(method, "SETUP") || !strcmp(method, "PLAY");
    return give_up(session, transport ? SESSION_END_TRANSPORT : SESSION_END_DENIED,
                   "%s (%s: %d%s%s)", words, method, answer->status, answer->reason[0] ? " " : "",
                   answer->reason);
}

/* ---- Saying ------------------------------------------------------------------------------- */

static enum line_result say(struct session *session, const void *bytes, size_t size,
                            uint32_t timeout_ms)
{
    char *coded;
    enum line_result result;
    size_t length;

    if (!session->post) {
        return line_write(session->line, bytes, size, timeout_ms);
    }
    length = digest_base64_size(size);
    coded = mem_resize(NULL, length, 1);
    digest_base64(coded, bytes, size);
    result = line_write(session->post, coded, length, timeout_ms);
    explicit_bzero(coded, length);
    free(coded);
    return result;
}

/* What goes behind "Authorization: ", NULL: nothing. */
static const char *authorization(struct session *session, char *text, size_t size,
                                 const char *method, const char *uri)
{
    if (session->digest.way == DIGEST_NONE || !session->address.has_user ||
        !digest_format(&session->digest, text, size, session->address.user,
                       session->address.password, method, uri, session->client)) {
        return NULL;
    }
    return text;
}

static enum line_result send_request(struct session *session, const char *method, const char *url,
                                     const char *more, uint32_t timeout_ms)
{
    char login[2048], text[2 * RTSP_TEXT_MAX + sizeof(login)];
    struct rtsp_request request = {
        .method = method,
        .url = url,
        .cseq = ++session->cseq,
        .session = session->id[0] ? session->id : NULL,
        .authorization = authorization(session, login, sizeof(login), method, url),
        .more = more,
    };
    size_t size = rtsp_format(text, sizeof(text), &request);
    enum line_result result;

    log_trace("%s %s", method, url);
    result = size ? say(session, text, size, timeout_ms) : LINE_CLOSED;
    explicit_bzero(login, sizeof(login));
    explicit_bzero(text, sizeof(text));
    return result;
}

/* The camera asks something: say yes to what costs nothing. */
static void answer_request(struct session *session, const struct rtsp_message *request)
{
    static const char *const known[] = {
        "OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE",
        "PING",    "TEARDOWN",      "REDIRECT",      "PLAY_NOTIFY"
    };
    const char *status = "501 Not Implemented";
    char text[256];
    size_t i;
    int length;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strcmp(request->method, known[i])) {
            status = "200 OK";
        }
    }
    length = snprintf(text, sizeof(text),
                      "RTSP/1.0 %s\r\nCSeq: %ld\r\nPublic: OPTIONS, GET_PARAMETER\r\n\r\n", status,
                      rtsp_number(request, "CSeq"));
    say(session, text, (size_t)length, session->settings.timeout_ms);
    if (!strcmp(request->method, "TEARDOWN") || !strcmp(request->method, "REDIRECT")) {
        give_up(session, SESSION_END_CLOSED, "the camera ended the session (%s)", request->method);
    }
}

/* ---- Asking ------------------------------------------------------------------------------- */

static void count_rubbish(struct session *session, size_t size)
{
    if (!session->rubbish) {
        log_debug("bytes between the frames that are neither frame nor message, passed over");
    }
    session->rubbish += size;
}

/* Up to the next answer in what was read. 1: *answer is one. */
static int find_answer(struct session *session, struct rtsp_message *answer)
{
    struct rtsp_piece piece;
    const uint8_t *bytes;
    size_t size;

    for (;;) {
        bytes = line_bytes(session->line, &size);
        if (rtsp_next(&piece, bytes, size, &session->channels) == RTSP_MORE) {
            return 0;
        }
        line_use(session->line, piece.size);
        if (piece.kind == RTSP_RUBBISH) {
            count_rubbish(session, piece.size);
        }
        if (piece.kind != RTSP_MESSAGE) {
            continue;
        }
        if (!piece.message.status) {
            answer_request(session, &piece.message);
            continue;
        }
        *answer = piece.message;
        return 1;
    }
}

/* Wait for something to read, and read it. */
static enum line_result read_more(struct session *session, struct line *line, int64_t deadline_us)
{
    struct pollfd fd = { line_socket(line), POLLIN, 0 };
    int64_t left_us;

    for (;;) {
        if (session->line_settings.interrupt &&
            session->settings.interrupt(session->settings.baton)) {
            return LINE_STOPPED;
        }
        left_us = deadline_us - clock_mono_us();
        if (left_us <= 0) {
            return LINE_SILENT;
        }
        if (line_pending(line) ||
            poll(&fd, 1, left_us < TICK_MS * 1000 ? (int)(left_us / 1000 + 1) : TICK_MS) > 0) {
            return line_read(line);
        }
    }
}

/* The answer to the last request; one to an earlier request may come late. */
static enum line_result await(struct session *session, struct rtsp_message *answer,
                              uint32_t timeout_ms)
{
    int64_t deadline_us = clock_mono_us() + (int64_t)timeout_ms * 1000;
    enum line_result result;
    long cseq;

    for (;;) {
        while (find_answer(session, answer)) {
            cseq = rtsp_number(answer, "CSeq");
            if (cseq < 0 || cseq == (long)session->cseq) {
                log_trace("%d %s", answer->status, answer->reason);
                return LINE_OK;
            }
        }
        result = read_more(session, session->line, deadline_us);
        if (result != LINE_OK) {
            return result;
        }
    }
}

static enum line_result ask(struct session *session, const char *method, const char *url,
                            const char *more, struct rtsp_message *answer)
{
    enum line_result result =
        send_request(session, method, url, more, session->settings.timeout_ms);

    return result == LINE_OK ? await(session, answer, session->settings.timeout_ms) : result;
}

/* ---- Connecting --------------------------------------------------------------------------- */

static void disconnect(struct session *session)
{
    line_close(session->post);
    line_close(session->line);
    session->post = session->line = NULL;
}

static int open_line(struct session *session, struct line **line)
{
    char why[sizeof(session->why)] = "";

    switch (line_open(line, &session->line_settings, why, sizeof(why))) {
    case LINE_OK:
        return 0;
    case LINE_STOPPED:
        return give_up(session, SESSION_END_STOPPED, "stopped");
    case LINE_REFUSED:
        return give_up(session, SESSION_END_DENIED, "%s", why);
    case LINE_SILENT:
        return give_up(session, SESSION_END_UNREACHABLE, "%s",
                       why[0] ? why : "no answer from the camera");
    default:
        return give_up(session, SESSION_END_UNREACHABLE, "%s", why);
    }
}

/* The part of the address behind the host. */
static const char *path_of(const struct session *session)
{
    const char *host = strstr(session->address.url, "://") + 3;
    const char *path = host + strcspn(host, "/?#");

    return *path ? path : "/";
}

static enum line_result say_http(struct session *session, struct line *line, const char *method,
                                 const char *more)
{
    char login[2048], text[2 * RTSP_TEXT_MAX + sizeof(login)];
    const char *credentials =
        authorization(session, login, sizeof(login), method, path_of(session));
    int length = snprintf(text, sizeof(text),
                          "%s %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: kafkacam/" PACKAGE_VERSION
                          "\r\nx-sessioncookie: %s\r\n%s%s%s%s\r\n",
                          method, path_of(session), session->address.host, session->client,
                          credentials ? "Authorization: " : "", credentials ? credentials : "",
                          credentials ? "\r\n" : "", more);
    enum line_result result = LINE_CLOSED;

    if (length > 0 && (size_t)length < sizeof(text)) {
        result = line_write(line, text, (size_t)length, session->settings.timeout_ms);
    }
    explicit_bzero(login, sizeof(login));
    explicit_bzero(text, sizeof(text));
    return result;
}

static int take_challenges(struct session *session, const struct rtsp_message *answer);

/* Two connections over HTTP: what the camera says comes as the endless answer to a GET, what we say
 * goes, in Base64, as the endless body of a POST. */
static int open_tunnel(struct session *session)
{
    struct rtsp_message answer;
    enum line_result result;
    int logins;

    for (logins = 0;; logins++) {
        if (open_line(session, &session->line)) {
            return -1;
        }
        result =
            say_http(session, session->line, "GET", "Accept: application/x-rtsp-tunnelled\r\n");
        result = result == LINE_OK ? await(session, &answer, session->settings.timeout_ms) : result;
        if (result != LINE_OK) {
            return line_failed(session, result);
        }
        if (answer.status == 200) {
            break;
        }
        if (answer.status != 401 || logins + 1 == LOGINS_MAX) {
            return refused(session, "GET", &answer);
        }
        if (take_challenges(session, &answer)) {
            return -1;
        }
        disconnect(session);
    }
    if (open_line(session, &session->post)) {
        return -1;
    }
    result = say_http(session, session->post, "POST",
                      "Content-Type: application/x-rtsp-tunnelled\r\nContent-Length: 32767\r\n");
    return line_failed(session, result);
}

static int connect_camera(struct session *session)
{
    uint16_t usual = session->settings.transport == SESSION_HTTP
                         ? (session->address.tls ? 443 : 80)
                         : (session->address.tls ? 322 : 554);

    session->line_settings.host = session->address.host;
    session->line_settings.port = session->address.port ? session->address.port : usual;
    session->line_settings.tls = session->address.tls;
    session->line_settings.security.host = session->address.host;
    session->closed = 0;
    if (session->settings.transport == SESSION_HTTP) {
        return open_tunnel(session);
    }
    return open_line(session, &session->line);
}

static int reconnect(struct session *session)
{
    disconnect(session);
    return connect_camera(session);
}

/* ---- Logging in --------------------------------------------------------------------------- */

/* The answer is a 401: prepare to say who we are. */
static int take_challenges(struct session *session, const struct rtsp_message *answer)
{
    struct digest digest = { 0 };
    char field[RTSP_TEXT_MAX];
    unsigned n;

    if (!session->address.has_user) {
        return give_up(session, SESSION_END_DENIED,
                       "the camera wants user and password, and its address has none (401)");
    }
    for (n = 0; !rtsp_field(answer, "WWW-Authenticate", n, field, sizeof(field)); n++) {
        digest_take(&digest, field);
    }
    if (digest.way == DIGEST_NONE) {
        return give_up(session, SESSION_END_DENIED,
                       "the camera wants a login by %s, which is not known here",
                       digest.other[0] ? digest.other : "nothing it names");
    }
    session->digest = digest;
    return 0;
}

/* A request, with a login where it is wanted. 0 with the answer, whatever it says, or -1. A camera
 * that closes its connection once in between gets another one. */
static int ask_logged_in(struct session *session, const char *method, const char *url,
                         const char *more, struct rtsp_message *answer)
{
    enum line_result result;
    int logins = 0, closes = 0;

    for (;;) {
        result = ask(session, method, url, more, answer);
        if (result == LINE_CLOSED && !session->set_up && !closes++) {
            if (reconnect(session)) {
                return -1;
            }
            continue;
        }
        if (result != LINE_OK) {
            return line_failed(session, result);
        }
        if (answer->status != 401) {
            return 0;
        }
        if (++logins == LOGINS_MAX) {
            return refused(session, method, answer);
        }
        if (take_challenges(session, answer)) {
            return -1;
        }
        closes = 0;
    }
}

/* ---- The conversation --------------------------------------------------------------------- */

static void ask_options(struct session *session)
{
    struct rtsp_message answer;
    char offers[RTSP_TEXT_MAX];

    if (ask(session, "OPTIONS", session->address.url, NULL, &answer) != LINE_OK) {
        return; /* whatever it was, the next request will tell */
    }
    if (answer.status == 401 && session->address.has_user) {
        take_challenges(session, &answer);
    }
    if (!rtsp_field(&answer, "Public", 0, offers, sizeof(offers))) {
        session->can_get_parameter = rtsp_offers(offers, "GET_PARAMETER");
    }
}

/* To where it says, if that is no way to a weaker protocol. The login goes along to the same
 * host. */
static int follow(struct session *session, const struct rtsp_message *answer)
{
    struct address next;
    char where[RTSP_TEXT_MAX] = "";

    rtsp_field(answer, "Location", 0, where, sizeof(where));
    if (!url_is_rtsp(where) || (session->address.tls && !url_is_rtsps(where)) ||
        session->redirects++ == REDIRECTS_MAX) {
        return give_up(session, SESSION_END_DENIED, "the camera redirects to %s, refused",
                       where[0] ? where : "nowhere");
    }
    if (address_parse(&next, where)) {
        address_clear(&next);
        return give_up(session, SESSION_END_DENIED, "the camera redirects to %s, refused", where);
    }
    if (!next.has_user && session->address.has_user && !strcmp(next.host, session->address.host)) {
        next.has_user = 1;
        next.user = mem_text(session->address.user);
        next.password = mem_text(session->address.password);
    }
    address_clear(&session->address);
    session->address = next;
    memset(&session->digest, 0, sizeof(session->digest));
    return reconnect(session);
}

/* What addresses in the description are relative to. */
static void find_base(struct session *session, const struct rtsp_message *answer)
{
    static const char *const fields[] = { "Content-Base", "Content-Location" };
    char text[RTSP_TEXT_MAX];
    size_t i;

    snprintf(session->base, sizeof(session->base), "%s", session->address.url);
    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (!rtsp_field(answer, fields[i], 0, text, sizeof(text)) &&
            !rtsp_clean(session->base, sizeof(session->base), text)) {
            return;
        }
    }
}

static int take_description(struct session *session, const struct rtsp_message *answer)
{
    struct sdp *sdp = &session->sdp;

    find_base(session, answer);
    sdp_parse(sdp, answer->body, answer->body_size);
    if (sdp->codec == SDP_NONE && sdp->others[0]) {
        return give_up(session, SESSION_END_DENIED,
                       "video as %s is not supported, only H.264, H.265, MPEG-4, MJPEG",
                       sdp->others);
    }
    if (sdp->codec == SDP_NONE) {
        return give_up(session, SESSION_END_DENIED, "the camera's stream has no video");
    }
    if (sdp->interleaved) {
        return give_up(session, SESSION_END_DENIED,
                       "the camera sends its video's pieces out of order (interleaved mode), which "
                       "is not supported: set it to packetization mode 1");
    }
    if (rtsp_join(session->aggregate, sizeof(session->aggregate), session->base,
                  sdp->session_control)) {
        return give_up(session, SESSION_END_DENIED, "the camera's addresses are too long");
    }
    return 0;
}

static int describe(struct session *session)
{
    struct rtsp_message answer;

    for (;;) {
        if (ask_logged_in(session, "DESCRIBE", session->address.url, "Accept: application/sdp\r\n",
                          &answer)) {
            return -1;
        }
        if (answer.status < 300 || answer.status >= 400) {
            break;
        }
        if (follow(session, &answer)) {
            return -1;
        }
    }
    return answer.status == 200 ? take_description(session, &answer)
                                : refused(session, "DESCRIBE", &answer);
}

/* What SETUP asks for. */
static int make_transport(struct session *session, char *text, size_t size)
{
    struct sockaddr_storage camera, own;

    switch (session->settings.transport) {
    case SESSION_UDP:
        line_peer(session->line, &camera);
        line_own(session->line, &own);
        if (ports_open(&session->ports, &camera, &own)) {
            return give_up(session, SESSION_END_TRANSPORT, "no UDP ports: %s", strerror(errno));
        }
        snprintf(text, size, "Transport: RTP/AVP;unicast;client_port=%u-%u\r\n",
                 ports_number(session->ports), ports_number(session->ports) + 1u);
        return 0;
    case SESSION_MULTICAST:
        snprintf(text, size, "Transport: RTP/AVP;multicast\r\n");
        return 0;
    default:
        snprintf(text, size, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n");
        return 0;
    }
}

static int join_group(struct session *session, const struct rtsp_transport *transport)
{
    const char *group = transport->destination[0] ? transport->destination : session->sdp.address;
    uint16_t rtp = transport->port ? transport->port : session->sdp.port;
    uint16_t rtcp = transport->port ? transport->port_rtcp : (uint16_t)(rtp + 1);
    struct sockaddr_storage camera, own;

    line_peer(session->line, &camera);
    line_own(session->line, &own);
    if (ports_join(&session->ports, &camera, &own, group, rtp, rtcp)) {
        return give_up(session, SESSION_END_TRANSPORT, "multicast group %s, port %u: %s",
                       group[0] ? group : "(none named)", rtp, strerror(errno));
    }
    ports_answered(session->ports, 0, 0, transport->source);
    return 0;
}

/* What the camera made of it. A field that it left out is as we asked. */
static int take_transport(struct session *session, const struct rtsp_transport *transport)
{
    enum session_transport asked = session->settings.transport;

    if (transport->has_channels) {
        session->channels.rtp = transport->rtp;
        session->channels.rtcp = transport->rtcp;
    }
    if (asked == SESSION_MULTICAST) {
        return join_group(session, transport);
    }
    if (asked == SESSION_UDP && !(transport->tcp && transport->has_channels)) {
        ports_answered(session->ports, transport->server_port, transport->server_rtcp,
                       transport->source);
        ports_punch(session->ports);
        return 0;
    }
    if (!transport->tcp && !transport->has_channels && transport->server_port) {
        return give_up(session, SESSION_END_TRANSPORT,
                       "the camera wants UDP where TCP was asked for");
    }
    session->channels.any = 1;
    return 0;
}

static int set_up(struct session *session)
{
    struct rtsp_message answer;
    struct rtsp_transport transport;
    char url[RTSP_TEXT_MAX], text[RTSP_TEXT_MAX] = "";

    session->channels.rtcp = 1;
    session->channels.payload = session->sdp.payload;
    if (rtsp_join(url, sizeof(url), session->base, session->sdp.control)) {
        return give_up(session, SESSION_END_DENIED, "the camera's addresses are too long");
    }
    if (make_transport(session, text, sizeof(text)) ||
        ask_logged_in(session, "SETUP", url, text, &answer)) {
        return -1;
    }
    if (answer.status != 200) {
        return refused(session, "SETUP", &answer);
    }
    session->set_up = 1;
    session->timeout_s = 60;
    if (!rtsp_field(&answer, "Session", 0, text, sizeof(text))) {
        rtsp_session_parse(session->id, sizeof(session->id), &session->timeout_s, text);
    }
    text[0] = '\0';
    rtsp_field(&answer, "Transport", 0, text, sizeof(text));
    rtsp_transport_parse(&transport, text);
    return take_transport(session, &transport);
}

static void start_clocks(struct session *session)
{
    int64_t now = clock_mono_us();

    session->alive_us = now + (int64_t)session->timeout_s * 500000;
    session->report_us = now + REPORT_US;
}

/* Frames may come before its answer, which is taken when it comes. */
static int play(struct session *session)
{
    enum line_result result = send_request(session, "PLAY", session->aggregate,
                                           "Range: npt=0.000-\r\n", session->settings.timeout_ms);

    session->play_cseq = session->cseq;
    start_clocks(session);
    return line_failed(session, result);
}

static void make_client(struct session *session)
{
    uint8_t noise[sizeof(session->client) / 2 + sizeof(session->own_ssrc)];
    size_t i;

    if (getrandom(noise, sizeof(noise), 0) != (ssize_t)sizeof(noise)) {
        log_error(1700, "no random numbers from the system: %s", strerror(errno));
        abort();
    }
    for (i = 0; i < sizeof(session->client) / 2; i++) {
        snprintf(session->client + 2 * i, 3, "%02x", noise[i]);
    }
    memcpy(&session->own_ssrc, noise + i, sizeof(session->own_ssrc));
}

static int start(struct session *session)
{
    if (!url_is_rtsp(session->settings.url)) {
        return give_up(session, SESSION_END_DENIED, "only rtsp:// and rtsps:// are allowed");
    }
    if (address_parse(&session->address, session->settings.url)) {
        return give_up(session, SESSION_END_DENIED, "the address has no host, or no possible port");
    }
    if (connect_camera(session)) {
        return -1;
    }
    ask_options(session);
    if (session->why[0] || describe(session) || set_up(session)) {
        return -1;
    }
    session->order = rtp_line_open(session->sdp.clock_hz, session->ports ? RTP_PATIENCE_US : 0);
    session->depacket = depacket_open(&session->sdp);
    return play(session);
}

int session_open(struct session **result, const struct session_settings *settings)
{
    struct session *session = mem_zeroed(1, sizeof(*session));

    *result = session;
    session->settings = *settings;
    session->line_settings.security.verify = settings->tls_verify;
    session->line_settings.security.ca = settings->tls_ca;
    session->line_settings.security.oldest = settings->tls_oldest;
    session->line_settings.timeout_ms = settings->timeout_ms;
    session->line_settings.interrupt = settings->interrupt;
    session->line_settings.baton = settings->baton;
    make_client(session);
    return start(session);
}

/* ---- What comes --------------------------------------------------------------------------- */

static void take_report(struct session *session, const uint8_t *data, size_t size)
{
    struct rtcp_news news;

    if (rtcp_parse(&news, data, size)) {
        return;
    }
    rtp_line_reported(session->order, data, size, clock_mono_us());
    if (news.has_report) {
        session->report = news;
    }
    if (news.has_bye && rtp_line_is(session->order, news.bye_ssrc)) {
        give_up(session, SESSION_END_CLOSED, "the camera ended the stream (BYE)");
    }
}

/* 1: the packet is the next one. */
static int take_packet(struct session *session, const uint8_t *data, size_t size, int64_t now)
{
    struct rtp_packet *packet = &session->packet;

    if (rtp_parse(packet, data, size) || packet->type != session->sdp.payload) {
        return 0;
    }
    packet->arrival_us = now;
    return rtp_line_take(session->order, packet);
}

/* The answer to PLAY, or to one of the calls that keep the session alive. */
static void take_answer(struct session *session, const struct rtsp_message *answer)
{
    int is_play = session->play_cseq && rtsp_number(answer, "CSeq") == (long)session->play_cseq;

    if (answer->status == 401 && session->play_logins++ < LOGINS_MAX && session->address.has_user) {
        if (take_challenges(session, answer) == 0 && is_play) {
            play(session);
        }
    }
    else if (is_play && answer->status != 200) {
        refused(session, "PLAY", answer);
    }
    else if (is_play || answer->status == 200) {
        session->play_cseq = is_play ? 0 : session->play_cseq;
        session->play_logins = 0;
    }
}

/* Up to the next packet in what was read over TCP. */
static int next_of_line(struct session *session, int64_t now)
{
    struct rtsp_piece piece;
    const uint8_t *bytes;
    size_t size;

    while (!session->why[0]) {
        bytes = line_bytes(session->line, &size);
        if (rtsp_next(&piece, bytes, size, &session->channels) == RTSP_MORE) {
            return 0;
        }
        line_use(session->line, piece.size);
        if (piece.kind == RTSP_RUBBISH) {
            count_rubbish(session, piece.size);
        }
        else if (piece.kind == RTSP_MESSAGE && piece.message.status) {
            take_answer(session, &piece.message);
        }
        else if (piece.kind == RTSP_MESSAGE) {
            answer_request(session, &piece.message);
        }
        else if (piece.kind == RTSP_FRAME && piece.channel == session->channels.rtcp) {
            take_report(session, piece.data, piece.data_size);
        }
        else if (piece.kind == RTSP_FRAME && piece.channel == session->channels.rtp &&
                 take_packet(session, piece.data, piece.data_size, now)) {
            return 1;
        }
    }
    return 0;
}

static int next_of_ports(struct session *session, int64_t now)
{
    const uint8_t *data;
    size_t size;

    while (session->ports && (data = ports_packet(session->ports, &size))) {
        if (take_packet(session, data, size, now)) {
            return 1;
        }
    }
    return 0;
}

/* 1: session->packet is the next one of what has come. */
static int next_packet(struct session *session)
{
    int64_t now = clock_mono_us();

    return rtp_line_next(session->order, &session->packet, now) || next_of_line(session, now) ||
           next_of_ports(session, now);
}

/* ---- What is due -------------------------------------------------------------------------- */

static void send_report(struct session *session, int64_t now)
{
    uint8_t report[4 + RTCP_MAX] = { '$', (uint8_t)session->channels.rtcp };
    size_t size = rtp_line_report(session->order, report + 4, session->own_ssrc, now);

    session->report_us = now + REPORT_US;
    if (!session->channels.any) {
        ports_send_report(session->ports, report + 4, size);
        return;
    }
    report[2] = 0;
    report[3] = (uint8_t)size;
    line_failed(session, say(session, report, 4 + size, session->settings.timeout_ms));
}

/* Half of what the camera gives, so that one call may get lost. */
static void keep_alive(struct session *session, int64_t now)
{
    session->alive_us = now + (int64_t)session->timeout_s * 500000;
    line_failed(session,
                send_request(session, session->can_get_parameter ? "GET_PARAMETER" : "OPTIONS",
                             session->aggregate, NULL, session->settings.timeout_ms));
}

static void do_what_is_due(struct session *session, int64_t now)
{
    if (now >= session->report_us) {
        send_report(session, now);
    }
    if (now >= session->alive_us && !session->why[0]) {
        keep_alive(session, now);
    }
}

static int wait_ms(struct session *session, int64_t now)
{
    int64_t due_us = rtp_line_due_us(session->order);

    if (line_pending(session->line)) {
        return 0;
    }
    return due_us > now + TICK_MS * 1000 ? TICK_MS
           : due_us <= now               ? 0
                                         : (int)((due_us - now) / 1000 + 1);
}

static void read_ports(struct session *session, const struct pollfd *fds)
{
    uint8_t report[2048];
    size_t size;

    if (fds[1].revents) {
        ports_read(session->ports);
    }
    if (fds[2].revents) {
        while ((size = ports_report(session->ports, report, sizeof(report)))) {
            take_report(session, report, size);
        }
    }
}

/* Until something comes or is due. */
static void await_more(struct session *session)
{
    struct pollfd fds[3] = { { line_socket(session->line), POLLIN, 0 },
                             { session->ports ? ports_rtp(session->ports) : -1, POLLIN, 0 },
                             { session->ports ? ports_rtcp(session->ports) : -1, POLLIN, 0 } };
    int64_t now = clock_mono_us();

    if (session->settings.interrupt(session->settings.baton)) {
        give_up(session, SESSION_END_STOPPED, "stopped");
        return;
    }
    do_what_is_due(session, now);
    if (poll(fds, session->ports ? 3 : 1, wait_ms(session, now)) < 0) {
        return; /* a signal: the interrupt function knows */
    }
    read_ports(session, fds);
    if (fds[0].revents || line_pending(session->line)) {
        line_failed(session, line_read(session->line));
    }
}

/* ---- Units -------------------------------------------------------------------------------- */

static void set_times(struct session *session, struct session_times *times,
                      const struct depacket_unit *coded)
{
    int64_t mono = clock_mono_us();
    int64_t hz = session->sdp.clock_hz;

    session->stamp = session->has_stamp
                         ? session->stamp + (int32_t)(coded->stamp - (uint32_t)session->stamp)
                         : coded->stamp;
    session->has_stamp = 1;
    times->media_us = session->stamp / hz * 1000000 + session->stamp % hz * 1000000 / hz;
    times->arrival_mono_us = coded->arrival_us;
    times->arrival_us = clock_wall_us() - (mono - coded->arrival_us);
    times->sender_us = SESSION_NO_TIME;
    if (session->report.has_report && rtp_line_is(session->order, session->report.ssrc)) {
        times->sender_us = session->report.sender_us +
                           (int64_t)(int32_t)(coded->stamp - session->report.stamp) * 1000000 / hz;
    }
}

int session_read(struct session *session, struct session_unit *unit)
{
    enum depacket_result result;

    for (;;) {
        if (!session->again && !next_packet(session)) {
            if (session->why[0]) {
                return -1;
            }
            await_more(session);
            continue;
        }
        result = depacket_push(session->depacket, &session->packet);
        session->again = result == DEPACKET_AGAIN;
        if (result != DEPACKET_MORE) {
            unit->coded = depacket_unit(session->depacket);
            set_times(session, &unit->times, unit->coded);
            return 0;
        }
    }
}

/* ---- The end ------------------------------------------------------------------------------ */

/* Nothing of this waits for long: the camera may be gone. What still comes is read, since a socket
 * that is closed with bytes unread takes the last request back. */
static void tear_down(struct session *session)
{
    int64_t deadline_us = clock_mono_us() + LAST_MS * 1000;
    struct rtsp_message answer;

    session->line_settings.interrupt = NULL;
    if (send_request(session, "TEARDOWN", session->aggregate, NULL, LAST_MS) != LINE_OK) {
        return;
    }
    for (;;) {
        while (find_answer(session, &answer)) {
            if (rtsp_number(&answer, "CSeq") == (long)session->cseq) {
                return;
            }
        }
        if (read_more(session, session->line, deadline_us) != LINE_OK) {
            return;
        }
    }
}

void session_close(struct session *session)
{
    if (!session) {
        return;
    }
    if (session->set_up && session->line && !session->closed) {
        tear_down(session);
    }
    disconnect(session);
    ports_close(session->ports);
    rtp_line_close(session->order);
    depacket_close(session->depacket);
    address_clear(&session->address);
    explicit_bzero(session, sizeof(*session));
    free(session);
}

const struct sdp *session_description(const struct session *session)
{
    return &session->sdp;
}

const char *session_way(const struct session *session)
{
    static const char *const names[] = { "tcp", "udp", "multicast", "http" };
    struct session *described = (struct session *)(intptr_t)session;
    const char *security = session->line ? line_security(session->line) : "";

    snprintf(described->way, sizeof(described->way), "%s%s%s", names[session->settings.transport],
             *security ? " with " : "", security);
    return described->way;
}

const char *session_why(const struct session *session)
{
    return session->why;
}

enum session_end session_ending(const struct session *session)
{
    return session->end;
}

struct session_counts session_counts(const struct session *session)
{
    struct session_counts counts = { session->rubbish, 0 };

    if (session->order) {
        counts.lost = rtp_line_counts(session->order).lost;
    }
    return counts;
}
