#include "config.h"
#include "rtsp.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Pieces of the connection ------------------------------------------------------------- */

/* What a message may begin with. */
static const char *const beginnings[] = {
    "RTSP/",     "HTTP/",     "OPTIONS ",  "GET_PARAMETER ", "SET_PARAMETER ", "ANNOUNCE ",
    "REDIRECT ", "TEARDOWN ", "DESCRIBE ", "PLAY_NOTIFY ",   "PAUSE ",         "PING ",
};

/* 1: a message begins here; 0: no; -1: it may, too little is there. */
static int begins_message(const uint8_t *data, size_t size)
{
    int perhaps = 0;
    size_t i, length;

    for (i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        length = strlen(beginnings[i]);
        if (!memcmp(data, beginnings[i], size < length ? size : length)) {
            if (size >= length) {
                return 1;
            }
            perhaps = -1;
        }
    }
    return perhaps;
}

/* Whether a frame begins here: 1, 0, or -1: too little is there. In step any channel will do, else
 * only what was asked for. */
static int begins_frame(const uint8_t *data, size_t size, const struct rtsp_channels *channels,
                        int in_step)
{
    size_t length;

    if (data[0] != '$' || !channels->any) {
        return 0;
    }
    if (size < 4) {
        return -1;
    }
    length = (size_t)data[2] << 8 | data[3];
    if (in_step && !length) {
        return 1;
    }
    if (!in_step && ((data[1] != channels->rtp && data[1] != channels->rtcp) || length < 8)) {
        return 0;
    }
    if (size < 6) {
        return -1;
    }
    if (data[4] >> 6 != 2) {
        return 0;
    }
    return in_step || (data[1] == channels->rtp ? (data[5] & 127) == channels->payload
                                                : data[5] >= 192 && data[5] <= 223);
}

/* Behind the empty line that ends the head, 0: not there yet. */
static size_t head_end(const uint8_t *data, size_t size)
{
    const uint8_t *at = data;

    while ((at = memchr(at, '\n', size - (size_t)(at - data)))) {
        at++;
        if ((size_t)(at - data) < size && *at == '\n') {
            return (size_t)(at - data) + 1;
        }
        if ((size_t)(at - data) + 1 < size && at[0] == '\r' && at[1] == '\n') {
            return (size_t)(at - data) + 2;
        }
    }
    return 0;
}

static void copy(char *out, size_t room, const char *text, size_t size)
{
    while (size && isspace((unsigned char)*text)) {
        text++;
        size--;
    }
    while (size && isspace((unsigned char)text[size - 1])) {
        size--;
    }
    if (size >= room) {
        size = room - 1;
    }
    memcpy(out, text, size);
    out[size] = '\0';
}

/* "RTSP/1.0 200 OK", "OPTIONS rtsp://... RTSP/1.0". */
static void read_first_line(struct rtsp_message *message, const char *line, size_t size)
{
    const char *blank = memchr(line, ' ', size);
    size_t word = blank ? (size_t)(blank - line) : size;
    size_t i;

    if (strncasecmp(line, "RTSP/", 5) && strncasecmp(line, "HTTP/", 5)) {
        copy(message->method, sizeof(message->method), line, word);
        return;
    }
    for (i = word; i < size && line[i] == ' '; i++) {
    }
    for (; i < size && isdigit((unsigned char)line[i]) && message->status < 1000; i++) {
        message->status = message->status * 10 + line[i] - '0';
    }
    copy(message->reason, sizeof(message->reason), line + i, size - i);
    if (!message->status) {
        message->status = 999; /* an answer all the same */
    }
}

static enum rtsp_kind read_message(struct rtsp_piece *piece, const uint8_t *data, size_t size)
{
    struct rtsp_message *message = &piece->message;
    size_t end = head_end(data, size);
    const uint8_t *line;
    long length;

    if (!end) {
        return size < RTSP_HEAD_MAX ? RTSP_MORE : RTSP_RUBBISH;
    }
    line = memchr(data, '\n', end);
    memset(message, 0, sizeof(*message));
    read_first_line(message, (const char *)data, (size_t)(line - data));
    message->head = (const char *)line + 1;
    message->head_size = (size_t)(data + end - (line + 1));
    /* Behind the answer of a tunnel through HTTP comes the stream, whatever length it names. */
    length = data[0] == 'H' ? 0 : rtsp_number(message, "Content-Length");
    if (length > RTSP_BODY_MAX) {
        return RTSP_RUBBISH;
    }
    length = length < 0 ? 0 : length;
    if (size - end < (size_t)length) {
        return RTSP_MORE;
    }
    message->body = (const char *)data + end;
    message->body_size = (size_t)length;
    piece->size = end + (size_t)length;
    return RTSP_MESSAGE;
}

static enum rtsp_kind read_frame(struct rtsp_piece *piece, const uint8_t *data, size_t size)
{
    size_t length = (size_t)data[2] << 8 | data[3];

    if (size - 4 < length) {
        return RTSP_MORE;
    }
    piece->channel = data[1];
    piece->data = data + 4;
    piece->data_size = length;
    piece->size = 4 + length;
    return RTSP_FRAME;
}

/* How much is none, from the first byte on; what may be something is left for next time. */
static size_t rubbish(const uint8_t *data, size_t size, const struct rtsp_channels *channels)
{
    size_t at;

    for (at = 1; at < size; at++) {
        if (begins_frame(data + at, size - at, channels, 0) ||
            ((data[at] == 'R' || !channels->any) && begins_message(data + at, size - at))) {
            break;
        }
    }
    return at;
}

enum rtsp_kind rtsp_next(struct rtsp_piece *piece, const uint8_t *data, size_t size,
                         const struct rtsp_channels *channels)
{
    int frame, message;

    memset(piece, 0, sizeof(*piece));
    if (!size) {
        return piece->kind = RTSP_MORE;
    }
    while (piece->size < size && (data[piece->size] == '\r' || data[piece->size] == '\n')) {
        piece->size++;
    }
    if (piece->size) {
        return piece->kind = RTSP_BLANK;
    }
    frame = begins_frame(data, size, channels, 1);
    message = frame ? 0 : begins_message(data, size);
    piece->kind = frame < 0 || message < 0 ? RTSP_MORE
                  : frame                  ? read_frame(piece, data, size)
                  : message                ? read_message(piece, data, size)
                                           : RTSP_RUBBISH;
    if (piece->kind == RTSP_RUBBISH) {
        piece->size = rubbish(data, size, channels);
    }
    return piece->kind;
}

/* ---- Fields ------------------------------------------------------------------------------- */

static size_t line_size(const char *text, size_t size)
{
    const char *end = memchr(text, '\n', size);

    return end ? (size_t)(end - text) + 1 : size;
}

int rtsp_field(const struct rtsp_message *message, const char *name, unsigned n, char *value,
               size_t room)
{
    const char *at = message->head;
    size_t left = message->head_size;
    size_t length = strlen(name);
    size_t size, skip;

    for (; left; at += size, left -= size) {
        size = line_size(at, left);
        if (size <= length || strncasecmp(at, name, length)) {
            continue;
        }
        for (skip = length; skip < size && (at[skip] == ' ' || at[skip] == '\t'); skip++) {
        }
        if (skip == size || at[skip] != ':' || n-- > 0) {
            continue;
        }
        if (size - skip > room) {
            return -1;
        }
        copy(value, room, at + skip + 1, size - skip - 1);
        return 0;
    }
    return -1;
}

long rtsp_number(const struct rtsp_message *message, const char *name)
{
    char value[32];
    char *end;
    long number;

    if (rtsp_field(message, name, 0, value, sizeof(value))) {
        return -1;
    }
    number = strtol(value, &end, 10);
    return end > value && number >= 0 ? number : -1;
}

/* "4588-4589" or "4588": then the next one is the second. */
static void read_pair(const char *text, unsigned max, unsigned *first, unsigned *second)
{
    char *end;
    unsigned long one = strtoul(text, &end, 10);
    unsigned long two = *end == '-' ? strtoul(end + 1, NULL, 10) : one + 1;

    if (end == text || one > max || two > max) {
        return;
    }
    *first = (unsigned)one;
    *second = (unsigned)two;
}

static void read_ports(const char *text, uint16_t *first, uint16_t *second)
{
    unsigned one = 0, two = 0;

    read_pair(text, 65535, &one, &two);
    *first = (uint16_t)one;
    *second = (uint16_t)two;
}

static void take_transport_word(struct rtsp_transport *transport, char *word)
{
    char *value = strchr(word, '=');

    if (!value) {
        transport->tcp |= !strncasecmp(word, "RTP/", 4) && strcasestr(word, "/TCP");
        transport->multicast |= !strcasecmp(word, "multicast");
        return;
    }
    *value++ = '\0';
    if (!strcasecmp(word, "interleaved")) {
        transport->rtp = transport->rtcp = 256;
        read_pair(value, 255, &transport->rtp, &transport->rtcp);
        transport->has_channels = transport->rtp < 256;
    }
    else if (!strcasecmp(word, "client_port")) {
        read_ports(value, &transport->client_port, &transport->client_rtcp);
    }
    else if (!strcasecmp(word, "server_port")) {
        read_ports(value, &transport->server_port, &transport->server_rtcp);
    }
    else if (!strcasecmp(word, "port")) {
        read_ports(value, &transport->port, &transport->port_rtcp);
    }
    else if (!strcasecmp(word, "source")) {
        copy(transport->source, sizeof(transport->source), value, strlen(value));
    }
    else if (!strcasecmp(word, "destination")) {
        copy(transport->destination, sizeof(transport->destination), value, strlen(value));
    }
}

void rtsp_transport_parse(struct rtsp_transport *transport, const char *text)
{
    char word[128];
    size_t size;

    memset(transport, 0, sizeof(*transport));
    for (; *text; text += size + (text[size] != '\0')) {
        size = strcspn(text, ";,");
        copy(word, sizeof(word), text, size);
        take_transport_word(transport, word);
        if (text[size] == ',') {
            break; /* a second one to choose from is no answer */
        }
    }
}

void rtsp_session_parse(char *id, size_t room, unsigned *timeout_s, const char *text)
{
    const char *timeout = strcasestr(text, "timeout=");
    unsigned long seconds;

    copy(id, room, text, strcspn(text, ";"));
    *timeout_s = 60;
    if (timeout) {
        seconds = strtoul(timeout + 8, NULL, 10);
        *timeout_s = seconds < 1 ? 60 : seconds > 3600 ? 3600 : (unsigned)seconds;
    }
}

int rtsp_offers(const char *list, const char *method)
{
    size_t length = strlen(method);
    size_t size;

    while (*list) {
        list += strspn(list, ", \t");
        size = strcspn(list, ", \t");
        if (size == length && !strncasecmp(list, method, length)) {
            return 1;
        }
        list += size;
    }
    return 0;
}

/* ---- Addresses ---------------------------------------------------------------------------- */

static int has_scheme(const char *text)
{
    return !strncasecmp(text, "rtsp://", 7) || !strncasecmp(text, "rtsps://", 8);
}

int rtsp_join(char *url, size_t room, const char *base, const char *control)
{
    size_t size = strlen(base);
    const char *between = "";
    int length;

    if (has_scheme(control)) {
        return rtsp_clean(url, room, control);
    }
    if (!*control || !strcmp(control, "*")) {
        length = snprintf(url, room, "%s", base);
        return length > 0 && (size_t)length < room ? 0 : -1;
    }
    if (size && base[size - 1] == '/') {
        control += *control == '/';
    }
    else if (*control != '/' && *control != '?') {
        between = "/";
    }
    length = snprintf(url, room, "%s%s%s", base, between, control);
    return length > 0 && (size_t)length < room ? 0 : -1;
}

int rtsp_clean(char *url, size_t room, const char *text)
{
    const char *host, *end, *at;
    const char *scheme = text;
    int length;

    while (has_scheme(text)) {
        scheme = text;
        host = strstr(text, "://") + 3;
        if (!has_scheme(host)) {
            break;
        }
        text = host;
    }
    if (!has_scheme(scheme)) {
        return -1;
    }
    host = strstr(scheme, "://") + 3;
    end = host + strcspn(host, "/?#");
    at = memrchr(host, '@', (size_t)(end - host));
    at = at ? at + 1 : host;
    if (at == end || strpbrk(host, " \t\r\n")) {
        return -1;
    }
    length = snprintf(url, room, "%.*s%s", (int)(host - scheme), scheme, at);
    return length > 0 && (size_t)length < room ? 0 : -1;
}

/* ---- Ours --------------------------------------------------------------------------------- */

size_t rtsp_format(char *out, size_t room, const struct rtsp_request *request)
{
    int length;

    length =
        snprintf(out, room,
                 "%s %s RTSP/1.0\r\nCSeq: %u\r\nUser-Agent: kafkacam/" PACKAGE_VERSION "\r\n"
                 "%s%s%s%s%s%s%s\r\n",
                 request->method, request->url, request->cseq, request->session ? "Session: " : "",
                 request->session ? request->session : "", request->session ? "\r\n" : "",
                 request->authorization ? "Authorization: " : "",
                 request->authorization ? request->authorization : "",
                 request->authorization ? "\r\n" : "", request->more ? request->more : "");
    return length > 0 && (size_t)length < room ? (size_t)length : 0;
}
