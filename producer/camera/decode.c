#include "config.h"
#include "decode.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "clock.h"
#include "gop.h"
#include "inlet.h"
#include "log.h"
#include "mem.h"
#include "tls.h"
#include "url.h"

#if defined(__SANITIZE_ADDRESS__)
/* FFmpeg 5.1 forgets the side data, about 100 bytes, of an RTP packet that its depacketizer
 * refuses. Not ours to free; the process's limit on memory and its end with each lost camera bound
 * it. */
const char *__lsan_default_suppressions(void);

__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:av_packet_add_side_data\nleak:av_packet_new_side_data\n";
}
#endif

/* Pixels of the largest picture: 8K. A hostile stream can announce far more than memory holds. */
#define MAX_PIXELS (8192L * 4608L)

/* Pictures that can be inside the decoder at once. */
#define TIMES 32

struct decode {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    AVStream *stream;
    struct decode_settings settings;
    char *url; /* of the settings, its login encoded; holds a password */
    char host[256];
    struct decode_times next; /* of the unit that is on its way, see arrived() */
    struct {
        int64_t pts;
        struct decode_times times;
    } times[TIMES];
    unsigned times_used;
    unsigned long lost_seen;
    const char *url_seen; /* FFmpeg replaces it when it follows a redirect */
    int refused;          /* a redirect that we do not follow */
    enum decode_end end;
    char why[256];
    char description[96];
};

/* ---- FFmpeg's log ------------------------------------------------------------------------- */

/* Packets of the network that went missing. libavformat says so nowhere but in its log: the decoder
 * paints over what is missing, and of P frames that build on it nothing shows it. */
static atomic_ulong packets_lost;

/* The last complaint, for the reason of an error code that says nothing. */
static char last_complaint[200];

/* Where the camera sent us to, "" if nowhere. */
static char redirected[200];

static int tells_of_loss(const char *format)
{
    return strstr(format, "missed %d packets") || strstr(format, "bad cseq") ||
           strstr(format, "dropping old packet");
}

static void on_log(void *object, int level, const char *format, va_list arguments)
{
    static int prefix = 1;
    enum log_level ours = level <= AV_LOG_WARNING ? LOG_LEVEL_DEBUG : LOG_LEVEL_TRACE;
    char line[512];
    char safe[512];

    if (level <= AV_LOG_WARNING && tells_of_loss(format)) {
        atomic_fetch_add(&packets_lost, 1);
    }
    if (level > AV_LOG_ERROR && !log_wants(ours) && !strstr(format, "Redirecting to")) {
        return;
    }
    av_log_format_line2(object, level, format, arguments, line, sizeof(line), &prefix);
    line[strcspn(line, "\r\n")] = '\0';
    log_url(safe, sizeof(safe), line);
    if (level <= AV_LOG_ERROR && *safe) {
        /* Without "[tcp @ 0x55...] ". */
        snprintf(last_complaint, sizeof(last_complaint), "%.*s", (int)sizeof(last_complaint) - 1,
                 *safe == '[' && strstr(safe, "] ") ? strstr(safe, "] ") + 2 : safe);
    }
    if (strstr(format, "Redirecting to") && strstr(safe, "to ")) {
        snprintf(redirected, sizeof(redirected), "%.*s", (int)sizeof(redirected) - 1,
                 strstr(safe, "to ") + 3);
    }
    if (ours == LOG_LEVEL_DEBUG) {
        log_debug("ffmpeg: %s", safe);
    }
    else {
        log_trace("ffmpeg: %s", safe);
    }
}

void decode_setup(void)
{
    av_log_set_level(AV_LOG_VERBOSE);
    av_log_set_callback(on_log);
    avformat_network_init();
}

/* ---- Why it ended ------------------------------------------------------------------------- */

static const struct {
    int error;
    enum decode_end end;
    const char *words;
} reasons[] = {
    { AVERROR_HTTP_UNAUTHORIZED, DECODE_END_DENIED, "the camera refuses user or password (401)" },
    { AVERROR_HTTP_FORBIDDEN, DECODE_END_DENIED, "the camera forbids this user the stream (403)" },
    { AVERROR_HTTP_NOT_FOUND, DECODE_END_DENIED, "the camera has no stream of that name (404)" },
    { AVERROR_HTTP_BAD_REQUEST, DECODE_END_DENIED, "the camera calls it a bad request (400)" },
    { AVERROR_HTTP_SERVER_ERROR, DECODE_END_TRANSPORT, "the camera reports an error (5xx)" },
    { AVERROR_HTTP_OTHER_4XX, DECODE_END_TRANSPORT,
      "the camera refuses, often this transport (4xx)" },
    { AVERROR_PROTOCOL_NOT_FOUND, DECODE_END_DENIED, "only rtsp:// and rtsps:// are allowed" },
    { AVERROR(EINVAL), DECODE_END_DENIED, "not allowed" },
    { AVERROR(ECONNREFUSED), DECODE_END_UNREACHABLE, "connection refused" },
    { AVERROR(EHOSTUNREACH), DECODE_END_UNREACHABLE, "no route to the camera" },
    { AVERROR(ENETUNREACH), DECODE_END_UNREACHABLE, "no route to the camera's network" },
    { AVERROR(ECONNRESET), DECODE_END_CLOSED, "the camera reset the connection" },
    { AVERROR(EPIPE), DECODE_END_CLOSED, "the camera closed the connection" },
    { AVERROR_EOF, DECODE_END_CLOSED, "the camera ended the stream" },
    { AVERROR_EXIT, DECODE_END_STOPPED, "stopped" },
};

static void ended(struct decode *decode, int error, enum decode_end otherwise)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    const char *words = NULL;
    size_t i;

    decode->end = otherwise;
    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].error == error) {
            decode->end = reasons[i].end;
            words = reasons[i].words;
            break;
        }
    }
    if (decode->refused || (redirected[0] && !url_is_rtsp(redirected))) {
        decode->end = DECODE_END_DENIED;
        snprintf(decode->why, sizeof(decode->why), "the camera redirects to %s, refused",
                 redirected);
    }
    else if (tls_why()[0]) {
        decode->end = DECODE_END_DENIED;
        snprintf(decode->why, sizeof(decode->why), "the camera's certificate: %s", tls_why());
    }
    else if (words) {
        snprintf(decode->why, sizeof(decode->why), "%s", words);
    }
    else if (error == AVERROR(ETIMEDOUT)) {
        snprintf(decode->why, sizeof(decode->why), "no answer from the camera for %.1f s",
                 decode->settings.timeout_ms / 1000.0);
    }
    else {
        av_strerror(error, text, sizeof(text));
        snprintf(decode->why, sizeof(decode->why), "%s%s%.180s", text,
                 last_complaint[0] ? ": " : "", last_complaint);
    }
}

static int give_up(struct decode *decode, enum decode_end end, const char *words)
{
    decode->end = end;
    snprintf(decode->why, sizeof(decode->why), "%s", words);
    return -1;
}

/* ---- Connecting --------------------------------------------------------------------------- */

static int on_interrupt(void *baton)
{
    struct decode *decode = baton;
    const char *url = decode->format ? decode->format->url : NULL;

    if (url && url != decode->url_seen) {
        /* Not to other protocols, nor from an encrypted connection to an open one. */
        if (!url_is_rtsp(url) || (url_is_rtsps(decode->url) && !url_is_rtsps(url))) {
            decode->refused = 1;
            return 1;
        }
        decode->url_seen = url;
    }
    return decode->settings.interrupt(decode->settings.baton);
}

static AVDictionary *options_of(const struct decode_settings *settings)
{
    AVDictionary *options = NULL;

    av_dict_set(&options, "rtsp_transport", settings->transport == SETTINGS_UDP ? "udp" : "tcp", 0);
    /* FFmpeg 4's "timeout" is something else: it makes a server of us. */
    av_dict_set_int(&options, LIBAVFORMAT_VERSION_MAJOR < 59 ? "stimeout" : "timeout",
                    (int64_t)settings->timeout_ms * 1000, 0);
    av_dict_set(&options, "allowed_media_types", "video", 0);
    av_dict_set(&options, "protocol_whitelist", "rtsp,rtsps,rtp,udp,tcp,tls", 0);
    av_dict_set(&options, "user_agent", "kafkacam/" PACKAGE_VERSION, 0);
    if (settings->transport == SETTINGS_UDP) {
        av_dict_set(&options, "buffer_size", "1048576", 0); /* a key frame comes in one burst */
    }
    return options;
}

/* An option that FFmpeg did not take stays in the dictionary, and nothing else tells. */
static void check_leftovers(const AVDictionary *options)
{
    const AVDictionaryEntry *entry = NULL;

    while ((entry = av_dict_get(options, "", entry, AV_DICT_IGNORE_SUFFIX))) {
        log_warning(1540, "this FFmpeg does not know the option %s, going on without", entry->key);
    }
}

/* That the certificate will be checked, or not to connect at all. */
static int prepare_tls(struct decode *decode)
{
    tls_demand(NULL, NULL);
    if (!decode->settings.tls_verify || !url_is_rtsps(decode->url)) {
        return 0;
    }
    if (url_host(decode->host, sizeof(decode->host), decode->url)) {
        return give_up(decode, DECODE_END_DENIED, "the address has no host");
    }
    if (!tls_available() || !strstr(avformat_configuration(), "--enable-gnutls")) {
        return give_up(decode, DECODE_END_DENIED,
                       "tls_verify needs kafkacam and FFmpeg built with GnuTLS");
    }
    tls_demand(decode->host, decode->settings.tls_ca);
    return 0;
}

static int prepare_url(struct decode *decode)
{
    if (!url_is_rtsp(decode->settings.url)) {
        return give_up(decode, DECODE_END_DENIED, "only rtsp:// and rtsps:// are allowed");
    }
    decode->url = url_encode_login(decode->settings.url);
    if (!decode->url) {
        return give_up(decode, DECODE_END_DENIED, "user and password are too long");
    }
    return 0;
}

static int connect_camera(struct decode *decode)
{
    AVDictionary *options = options_of(&decode->settings);
    const AVInputFormat *rtsp = av_find_input_format("rtsp");
    int rc;

    decode->format = avformat_alloc_context();
    if (!decode->format || !rtsp) {
        av_dict_free(&options);
        return give_up(decode, DECODE_END_DENIED, "this FFmpeg cannot do RTSP");
    }
    decode->format->interrupt_callback.callback = on_interrupt;
    decode->format->interrupt_callback.opaque = decode;
    last_complaint[0] = '\0';
    redirected[0] = '\0';
    /* On failure FFmpeg frees the context. The cast: FFmpeg 4 takes no const here. */
    rc = avformat_open_input(&decode->format, decode->url, (AVInputFormat *)(intptr_t)rtsp,
                             &options);
    if (rc < 0) {
        ended(decode, rc, DECODE_END_TRANSPORT);
    }
    else {
        check_leftovers(options);
    }
    av_dict_free(&options);
    return rc < 0 ? -1 : 0;
}

static int choose_stream(struct decode *decode)
{
    unsigned i;

    for (i = 0; i < decode->format->nb_streams; i++) {
        AVStream *stream = decode->format->streams[i];

        if (!decode->stream && stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO) {
            decode->stream = stream;
        }
        else {
            stream->discard = AVDISCARD_ALL;
        }
    }
    if (!decode->stream) {
        return give_up(decode, DECODE_END_DENIED, "the camera's stream has no video");
    }
    return 0;
}

static int is_supported(enum AVCodecID id)
{
    return id == AV_CODEC_ID_H264 || id == AV_CODEC_ID_HEVC || id == AV_CODEC_ID_MPEG4 ||
           id == AV_CODEC_ID_MJPEG;
}

static int open_codec(struct decode *decode)
{
    const AVCodecParameters *parameters = decode->stream->codecpar;
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    char words[96];

    if (!is_supported(parameters->codec_id) || !codec) {
        snprintf(words, sizeof(words),
                 "video as %s is not supported, only H.264, H.265, MPEG-4, MJPEG",
                 avcodec_get_name(parameters->codec_id));
        return give_up(decode, DECODE_END_DENIED, words);
    }
    decode->codec = avcodec_alloc_context3(codec);
    if (!decode->codec || avcodec_parameters_to_context(decode->codec, parameters) < 0) {
        return give_up(decode, DECODE_END_TRANSPORT, "the camera's description is damaged");
    }
    decode->codec->thread_count = 1; /* more cost a fifth more CPU each and a frame of delay */
    decode->codec->max_pixels = MAX_PIXELS;
    decode->codec->pkt_timebase = decode->stream->time_base;
    if (avcodec_open2(decode->codec, codec, NULL) < 0) {
        return give_up(decode, DECODE_END_TRANSPORT, "the decoder does not start");
    }
    return 0;
}

static struct decode_times arrived(int64_t sender_us)
{
    struct decode_times times;

    times.media_us = DECODE_NO_TIME;
    times.sender_us = sender_us;
    times.arrival_us = clock_wall_us();
    times.arrival_mono_us = clock_mono_us();
    return times;
}

int decode_open(struct decode **result, const struct decode_settings *settings)
{
    struct decode *decode = mem_zeroed(1, sizeof(*decode));

    *result = decode;
    decode->settings = *settings;
    snprintf(decode->description, sizeof(decode->description), "nothing");
    decode->packet = av_packet_alloc();
    decode->frame = av_frame_alloc();
    /* No avformat_find_stream_info(): it reads a second of video to learn what the first picture
     * tells anyway. */
    if (prepare_url(decode) || prepare_tls(decode) || connect_camera(decode) ||
        choose_stream(decode) || open_codec(decode)) {
        return -1;
    }
    decode->next = arrived(DECODE_NO_TIME);
    decode->lost_seen = atomic_load(&packets_lost);
    return 0;
}

void decode_close(struct decode *decode)
{
    if (!decode) {
        return;
    }
    avcodec_free_context(&decode->codec);
    avformat_close_input(&decode->format);
    inlet_forget();
    av_packet_free(&decode->packet);
    av_frame_free(&decode->frame);
    if (decode->url) {
        explicit_bzero(decode->url, strlen(decode->url));
    }
    free(decode->url);
    free(decode);
}

/* ---- Units -------------------------------------------------------------------------------- */

static int64_t sender_time(const AVPacket *packet)
{
    const AVProducerReferenceTime *reference;
#if LIBAVCODEC_VERSION_MAJOR < 59
    int size = 0;
#else
    size_t size = 0;
#endif

    reference = (const void *)av_packet_get_side_data(packet, AV_PKT_DATA_PRFT, &size);
    return reference && (size_t)size >= sizeof(*reference) ? reference->wallclock : DECODE_NO_TIME;
}

/* FFmpeg's parser knows that a unit is complete when the first packet of the next one has arrived.
 * So with H.264 and its like the times that are on hand when a unit comes out are the next
 * one's. */
static struct decode_times times_of(struct decode *decode, const AVPacket *packet)
{
    struct decode_times times = arrived(sender_time(packet));
    int64_t stamp = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    struct decode_times swap;

    if (decode->stream->codecpar->codec_id != AV_CODEC_ID_MJPEG) {
        swap = decode->next;
        decode->next = times;
        times = swap;
    }
    if (stamp != AV_NOPTS_VALUE) {
        times.media_us = av_rescale_q(stamp, decode->stream->time_base, AV_TIME_BASE_Q);
    }
    decode->times[decode->times_used % TIMES].pts = packet->pts;
    decode->times[decode->times_used % TIMES].times = times;
    decode->times_used++;
    return times;
}

static int is_reference(const struct decode *decode, const AVPacket *packet)
{
    switch (decode->stream->codecpar->codec_id) {
    case AV_CODEC_ID_H264:
        return gop_is_reference(GOP_H264, packet->data, (size_t)packet->size);
    case AV_CODEC_ID_HEVC:
        return gop_is_reference(GOP_H265, packet->data, (size_t)packet->size);
    default:
        return 1;
    }
}

int decode_read(struct decode *decode, struct decode_unit *unit)
{
    AVPacket *packet = decode->packet;
    unsigned long lost;
    int rc;

    do {
        av_packet_unref(packet);
        inlet_enter();
        rc = av_read_frame(decode->format, packet);
        inlet_leave();
        if (rc < 0) {
            ended(decode, rc, DECODE_END_CLOSED);
            return -1;
        }
    } while (packet->stream_index != decode->stream->index || !packet->size);
    lost = atomic_load(&packets_lost);
    memset(unit, 0, sizeof(*unit));
    unit->lost = lost != decode->lost_seen;
    decode->lost_seen = lost;
    unit->times = times_of(decode, packet);
    unit->key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
    unit->reference = is_reference(decode, packet);
    unit->size = (size_t)packet->size;
    if (decode->stream->codecpar->codec_id == AV_CODEC_ID_MJPEG) {
        unit->key = 1;
        unit->jpeg = packet->data;
    }
    return 0;
}

/* ---- Pictures ----------------------------------------------------------------------------- */

static int send_packet(struct decode *decode)
{
    int rc = avcodec_send_packet(decode->codec, decode->packet);

    if (rc == AVERROR(EAGAIN)) {
        /* More pictures inside than went in: the older ones are late, drop them. */
        while (avcodec_receive_frame(decode->codec, decode->frame) == 0) {
        }
        rc = avcodec_send_packet(decode->codec, decode->packet);
    }
    return rc;
}

static void find_times(const struct decode *decode, struct decode_times *times)
{
    unsigned i;

    for (i = 0; i < TIMES && i < decode->times_used; i++) {
        unsigned at = (decode->times_used - 1 - i) % TIMES;

        if (decode->times[at].pts == decode->frame->pts) {
            *times = decode->times[at].times;
            return;
        }
    }
    *times = decode->times[(decode->times_used - 1) % TIMES].times;
}

/* FFmpeg has full range twice: as a property of the frame, and as formats of their own that hold
 * the same planes. Here it is a property. */
static const struct {
    enum AVPixelFormat full, plain;
} full_range_formats[] = {
    { AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV420P }, { AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUV422P },
    { AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUV444P }, { AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUV440P },
    { AV_PIX_FMT_YUVJ411P, AV_PIX_FMT_YUV411P },
};

static void set_format(struct picture *picture, const AVFrame *frame)
{
    size_t i;

    picture->format = frame->format;
    picture->full_range = frame->color_range == AVCOL_RANGE_JPEG; /* unspecified: limited */
    for (i = 0; i < sizeof(full_range_formats) / sizeof(full_range_formats[0]); i++) {
        if (frame->format == full_range_formats[i].full) {
            picture->format = full_range_formats[i].plain;
            picture->full_range = 1;
        }
    }
    if (picture->format == AV_PIX_FMT_YUV420P) {
        picture->format = PICTURE_I420;
    }
}

/* What players do with streams that do not say: HD is BT.709. */
static int is_bt709(const struct decode *decode, const AVFrame *frame)
{
    if (decode->codec->codec_id == AV_CODEC_ID_MJPEG) {
        return frame->colorspace == AVCOL_SPC_BT709;
    }
    switch (frame->colorspace) {
    case AVCOL_SPC_BT709:
        return 1;
    case AVCOL_SPC_UNSPECIFIED:
    case AVCOL_SPC_RESERVED:
        return frame->height >= 720;
    default:
        return 0;
    }
}

static void set_colour(const struct decode *decode, struct picture *picture, const AVFrame *frame)
{
    const AVPixFmtDescriptor *description = av_pix_fmt_desc_get((enum AVPixelFormat)frame->format);

    set_format(picture, frame);
    if (description &&
        ((description->flags & AV_PIX_FMT_FLAG_RGB) || description->nb_components < 3)) {
        picture->full_range = 0; /* scale.c makes BT.601 in limited range of these */
        return;
    }
    picture->bt709 = is_bt709(decode, frame);
}

static void set_aspect(struct picture *picture, AVRational aspect)
{
    picture->aspect_num = 1;
    picture->aspect_den = 1;
    /* Nonsense is frequent, real pixels are between 1:2 and 2:1. */
    if (aspect.num > 0 && aspect.den > 0 && aspect.num / aspect.den < 3 &&
        aspect.den / aspect.num < 3) {
        picture->aspect_num = aspect.num;
        picture->aspect_den = aspect.den;
    }
}

static void describe_picture(const struct decode *decode, struct picture *picture)
{
    const AVFrame *frame = decode->frame;
    int i;

    memset(picture, 0, sizeof(*picture));
    for (i = 0; i < PICTURE_PLANES; i++) {
        picture->planes[i] = frame->data[i];
        picture->strides[i] = frame->linesize[i];
    }
    picture->width = frame->width;
    picture->height = frame->height;
    set_colour(decode, picture, frame);
    set_aspect(picture, frame->sample_aspect_ratio);
}

int decode_picture(struct decode *decode, struct picture *picture, struct decode_times *times,
                   int alone)
{
    int rc = send_packet(decode);

    if (rc < 0) {
        return -1;
    }
    if (alone) {
        avcodec_send_packet(decode->codec,
                            NULL); /* nothing follows that it might be shown behind */
    }
    rc = avcodec_receive_frame(decode->codec, decode->frame);
    if (alone) {
        avcodec_flush_buffers(decode->codec);
    }
    if (rc == AVERROR(EAGAIN)) {
        return 0;
    }
    if (rc < 0 || (decode->frame->flags & AV_FRAME_FLAG_CORRUPT) ||
        decode->frame->decode_error_flags || decode->frame->width < 1) {
        return -1;
    }
    find_times(decode, times);
    describe_picture(decode, picture);
    return 1;
}

void decode_flush(struct decode *decode)
{
    avcodec_flush_buffers(decode->codec);
}

const char *decode_describe(const struct decode *decode)
{
    struct decode *described = (struct decode *)(intptr_t)decode;
    int width = decode->codec->width;
    int height = decode->codec->height;

    snprintf(described->description, sizeof(described->description), "%s %dx%d over %s",
             avcodec_get_name(decode->codec->codec_id), width, height,
             decode->settings.transport == SETTINGS_UDP ? "udp" : "tcp");
    return described->description;
}

const char *decode_why(const struct decode *decode)
{
    return decode->why;
}

enum decode_end decode_ending(const struct decode *decode)
{
    return decode->end;
}
