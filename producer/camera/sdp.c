#include "sdp.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* RFC 3551's numbers that need no a=rtpmap. */
#define PAYLOAD_JPEG 26

/* A piece of the text. */
struct span {
    const char *text;
    size_t size;
};

/* One m= section while it is read. */
struct track {
    int video;
    unsigned payload;
    uint16_t port;
    int mapped; /* an a=rtpmap of the payload was seen */
    char encoding[32];
    uint32_t clock_hz;
    char control[512];
    char address[64];
    unsigned width, height;
    struct span format; /* of a=fmtp */
};

static int starts(const struct span *line, const char *with)
{
    size_t size = strlen(with);

    return line->size >= size && !strncasecmp(line->text, with, size);
}

static struct span trimmed(struct span span)
{
    while (span.size && isspace((unsigned char)*span.text)) {
        span.text++;
        span.size--;
    }
    while (span.size && isspace((unsigned char)span.text[span.size - 1])) {
        span.size--;
    }
    return span;
}

static struct span behind(const struct span *line, size_t skip)
{
    struct span rest = { line->text + skip, line->size - skip };

    return trimmed(rest);
}

/* Up to the first of the separators; rest goes on behind it. */
static struct span cut(struct span *rest, const char *separators)
{
    struct span word = { rest->text, 0 };

    while (word.size < rest->size && !strchr(separators, rest->text[word.size])) {
        word.size++;
    }
    rest->text += word.size;
    rest->size -= word.size;
    if (rest->size) {
        rest->text++;
        rest->size--;
    }
    return trimmed(word);
}

static void copy(char *out, size_t room, const struct span *span)
{
    size_t i;

    for (i = 0; i < span->size && i + 1 < room && span->text[i]; i++) {
        out[i] = span->text[i];
    }
    out[i] = '\0';
}

/* Leading digits, at most max; max + 1: more than that. */
static unsigned long number(const struct span *span, unsigned long max)
{
    unsigned long value = 0;
    size_t i;

    for (i = 0; i < span->size && isdigit((unsigned char)span->text[i]); i++) {
        value = value * 10 + (unsigned long)(span->text[i] - '0');
        if (value > max) {
            return max + 1;
        }
    }
    return value;
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

size_t sdp_base64(uint8_t *out, size_t room, const char *text, size_t size)
{
    uint32_t bits = 0;
    unsigned count = 0;
    size_t used = 0, i;
    int digit;

    for (i = 0; i < size && text[i] != '='; i++) {
        digit = base64_digit(text[i]);
        if (digit < 0) {
            if (isspace((unsigned char)text[i])) {
                continue;
            }
            return 0;
        }
        bits = bits << 6 | (uint32_t)digit;
        /* Of four digits each but the first fills a byte. */
        if (count++ % 4) {
            if (used == room) {
                return 0;
            }
            out[used++] = (uint8_t)(bits >> (6 - 2 * ((count - 1) % 4)));
        }
    }
    return used;
}

/* ---- Lines -------------------------------------------------------------------------------- */

static void take_media(struct track *track, const struct span *line)
{
    struct span rest = behind(line, 2);
    struct span word = cut(&rest, " ");

    memset(track, 0, sizeof(*track));
    track->video = starts(&word, "video") && word.size == 5;
    word = cut(&rest, " ");
    track->port = (uint16_t)number(&word, 65535);
    cut(&rest, " "); /* the profile: they say RTP/AVP, RTP/SAVP, udp, whatever */
    word = cut(&rest, " ");
    track->payload = (unsigned)number(&word, 127);
    track->clock_hz = 90000;
}

static void take_address(char *address, size_t room, const struct span *line)
{
    struct span rest = behind(line, 2);
    struct span word;

    cut(&rest, " ");
    cut(&rest, " ");
    word = cut(&rest, " /");
    copy(address, room, &word);
}

/* "96 H264/90000". One for a number that m= does not have is somebody else's. */
static void take_map(struct track *track, struct span rest)
{
    struct span word = cut(&rest, " ");
    unsigned long hz;

    if (!word.size || number(&word, 127) != track->payload) {
        return;
    }
    word = cut(&rest, "/");
    copy(track->encoding, sizeof(track->encoding), &word);
    word = cut(&rest, "/ ");
    hz = number(&word, 1000000000);
    track->clock_hz = hz && hz <= 1000000000 ? (uint32_t)hz : 90000;
    track->mapped = 1;
}

static void take_format(struct track *track, struct span rest)
{
    struct span word = cut(&rest, " ");

    if (number(&word, 127) == track->payload) {
        track->format = rest;
    }
}

/* "96 1920-1080", "1920,1080". */
static void take_size(struct track *track, struct span rest, const char *separators)
{
    struct span word = cut(&rest, separators);
    unsigned long width = number(&word, 65535);
    unsigned long height = number(&rest, 65535);

    if (width && height && width <= 65535 && height <= 65535) {
        track->width = (unsigned)width;
        track->height = (unsigned)height;
    }
}

static void take_attribute(struct track *track, const struct span *line)
{
    struct span rest;

    if (starts(line, "a=rtpmap:")) {
        take_map(track, behind(line, 9));
    }
    else if (starts(line, "a=fmtp:")) {
        take_format(track, behind(line, 7));
    }
    else if (starts(line, "a=control:")) {
        rest = behind(line, 10);
        copy(track->control, sizeof(track->control), &rest);
    }
    else if (starts(line, "a=x-dimensions:")) {
        take_size(track, behind(line, 15), ",");
    }
    else if (starts(line, "a=framesize:")) {
        rest = behind(line, 12);
        cut(&rest, " ");
        take_size(track, rest, "-");
    }
}

/* ---- What it means ------------------------------------------------------------------------ */

static const struct {
    const char *name;
    enum sdp_codec codec;
} encodings[] = {
    { "H264", SDP_H264 }, { "H265", SDP_H265 },  { "HEVC", SDP_H265 },
    { "JPEG", SDP_JPEG }, { "MJPEG", SDP_JPEG }, { "MP4V-ES", SDP_MPEG4 },
};

static enum sdp_codec codec_of(const struct track *track)
{
    size_t i;

    for (i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
        if (!strcasecmp(track->encoding, encodings[i].name)) {
            return encodings[i].codec;
        }
    }
    if (!track->mapped && track->payload == PAYLOAD_JPEG) {
        return SDP_JPEG;
    }
    return SDP_NONE;
}

/* One parameter set, or several behind commas, in Base64. A set that is none, as "AAAA", goes on to
 * the decoder as well, which takes what it can use. */
static void take_sets(struct sdp *sdp, struct span text)
{
    uint8_t set[SDP_PARAMETERS_MAX];
    struct span word;
    size_t size;

    while (text.size) {
        word = cut(&text, ",");
        size = sdp_base64(set, sizeof(set), word.text, word.size);
        if (size && size + 4 <= SDP_PARAMETERS_MAX - sdp->parameters_size) {
            memcpy(sdp->parameters + sdp->parameters_size, "\0\0\0\1", 4);
            memcpy(sdp->parameters + sdp->parameters_size + 4, set, size);
            sdp->parameters_size += size + 4;
        }
    }
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static void take_hex(struct sdp *sdp, struct span text)
{
    size_t i;

    for (i = 0; i + 1 < text.size && sdp->parameters_size < SDP_PARAMETERS_MAX; i += 2) {
        if (!isxdigit((unsigned char)text.text[i]) || !isxdigit((unsigned char)text.text[i + 1])) {
            return;
        }
        sdp->parameters[sdp->parameters_size++] =
            (uint8_t)(hex_digit(text.text[i]) << 4 | hex_digit(text.text[i + 1]));
    }
}

static void take_parameter(struct sdp *sdp, const struct span *name, struct span value)
{
    int is_h265 = sdp->codec == SDP_H265;

    while (value.size && (*value.text == '"' || *value.text == '\'')) {
        value.text++;
        value.size--;
    }
    if (sdp->codec == SDP_MPEG4 && starts(name, "config") && name->size == 6) {
        take_hex(sdp, value);
    }
    else if ((sdp->codec == SDP_H264 && starts(name, "sprop-parameter-sets")) ||
             (is_h265 && (starts(name, "sprop-vps") || starts(name, "sprop-sps") ||
                          starts(name, "sprop-pps")))) {
        take_sets(sdp, value);
    }
    else if ((sdp->codec == SDP_H264 && starts(name, "packetization-mode") &&
              number(&value, 9) == 2) ||
             (is_h265 && starts(name, "sprop-max-don-diff") && number(&value, 40000) > 0)) {
        sdp->interleaved = 1;
    }
}

static void take_parameters(struct sdp *sdp, struct span format)
{
    struct span field, name;

    while (format.size) {
        field = cut(&format, ";");
        name = cut(&field, "=");
        take_parameter(sdp, &name, trimmed(field));
    }
}

static void note_other(struct sdp *sdp, const struct track *track)
{
    size_t used = strlen(sdp->others);

    if (track->encoding[0]) {
        snprintf(sdp->others + used, sizeof(sdp->others) - used, "%s%s", used ? ", " : "",
                 track->encoding);
    }
    else {
        snprintf(sdp->others + used, sizeof(sdp->others) - used, "%spayload type %u",
                 used ? ", " : "", track->payload);
    }
}

/* The section is over. */
static void settle(struct sdp *sdp, const struct track *track)
{
    enum sdp_codec codec = codec_of(track);

    if (!track->video || sdp->codec != SDP_NONE) {
        return;
    }
    if (codec == SDP_NONE) {
        note_other(sdp, track);
        return;
    }
    sdp->codec = codec;
    sdp->payload = track->payload;
    sdp->clock_hz = track->clock_hz;
    sdp->port = track->port;
    sdp->width = track->width;
    sdp->height = track->height;
    snprintf(sdp->control, sizeof(sdp->control), "%s", track->control);
    if (track->address[0]) {
        snprintf(sdp->address, sizeof(sdp->address), "%s", track->address);
    }
    take_parameters(sdp, track->format);
}

/* The session's own attributes stand before the first section; with some cameras behind it, in the
 * section of a stream, where they mean that stream. */
static void take_session(struct sdp *sdp, const struct span *line)
{
    struct span rest;

    if (starts(line, "c=")) {
        take_address(sdp->address, sizeof(sdp->address), line);
    }
    else if (starts(line, "a=control:")) {
        rest = behind(line, 10);
        copy(sdp->session_control, sizeof(sdp->session_control), &rest);
    }
}

void sdp_parse(struct sdp *sdp, const char *text, size_t size)
{
    struct span rest = { text, size > SDP_SIZE_MAX ? SDP_SIZE_MAX : size };
    struct track track = { 0 };
    struct span line;

    memset(sdp, 0, sizeof(*sdp));
    while (rest.size) {
        line = cut(&rest, "\r\n");
        if (starts(&line, "m=")) {
            settle(sdp, &track);
            if (++sdp->tracks > SDP_TRACKS_MAX) {
                return;
            }
            take_media(&track, &line);
        }
        else if (!sdp->tracks) {
            take_session(sdp, &line);
        }
        else if (starts(&line, "c=")) {
            take_address(track.address, sizeof(track.address), &line);
        }
        else {
            take_attribute(&track, &line);
        }
    }
    settle(sdp, &track);
}

const char *sdp_codec_format(enum sdp_codec codec)
{
    static const char *const names[] = { "nothing", "h264", "hevc", "mjpeg", "mpeg4" };

    return names[codec];
}
