#include "decode.h"

#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "mem.h"

/* Pixels of the largest picture: 8K. A hostile stream can announce far more than memory holds. */
#define MAX_PIXELS (8192L * 4608L)

/* Pictures that can be inside the decoder at once. */
#define TIMES 32

_Static_assert(DEPACKET_PADDING >= AV_INPUT_BUFFER_PADDING_SIZE, "FFmpeg reads behind the unit");

struct decode {
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    struct session_times times[TIMES];
    int64_t count; /* units that went in */
    char why[128];
    char description[96];
};

/* ---- FFmpeg's log ------------------------------------------------------------------------- */

static void on_log(void *object, int level, const char *format, va_list arguments)
{
    static int prefix = 1;
    enum log_level ours = level <= AV_LOG_WARNING ? LOG_LEVEL_DEBUG : LOG_LEVEL_TRACE;
    char line[512];

    if (!log_wants(ours)) {
        return;
    }
    av_log_format_line2(object, level, format, arguments, line, sizeof(line), &prefix);
    line[strcspn(line, "\r\n")] = '\0';
    if (ours == LOG_LEVEL_DEBUG) {
        log_debug("ffmpeg: %s", line);
    }
    else {
        log_trace("ffmpeg: %s", line);
    }
}

void decode_setup(void)
{
    av_log_set_level(AV_LOG_VERBOSE);
    av_log_set_callback(on_log);
}

/* ---- Opening ------------------------------------------------------------------------------ */

static enum AVCodecID codec_of(enum sdp_codec codec)
{
    switch (codec) {
    case SDP_H264:
        return AV_CODEC_ID_H264;
    case SDP_H265:
        return AV_CODEC_ID_HEVC;
    case SDP_JPEG:
        return AV_CODEC_ID_MJPEG;
    default:
        return AV_CODEC_ID_MPEG4;
    }
}

/* With the parameter sets of the description, which some cameras send nowhere else. */
static void set_parameters(AVCodecContext *codec, const struct sdp *sdp)
{
    codec->extradata = av_mallocz(sdp->parameters_size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (codec->extradata) {
        memcpy(codec->extradata, sdp->parameters, sdp->parameters_size);
        codec->extradata_size = (int)sdp->parameters_size;
    }
}

static int open_codec(struct decode *decode, const struct sdp *sdp, int with_parameters)
{
    const AVCodec *codec = avcodec_find_decoder(codec_of(sdp->codec));

    avcodec_free_context(&decode->codec);
    decode->codec = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!decode->codec) {
        snprintf(decode->why, sizeof(decode->why), "this FFmpeg has no decoder for %s",
                 sdp_codec_format(sdp->codec));
        return -1;
    }
    decode->codec->thread_count = 1; /* more cost a fifth more CPU each and a frame of delay */
    decode->codec->max_pixels = MAX_PIXELS;
    decode->codec->pkt_timebase = (AVRational){ 1, 1000000 };
    if (with_parameters) {
        set_parameters(decode->codec, sdp);
    }
    if (avcodec_open2(decode->codec, codec, NULL) < 0) {
        snprintf(decode->why, sizeof(decode->why), "the decoder does not start");
        return -1;
    }
    return 0;
}

int decode_open(struct decode **result, const struct sdp *sdp)
{
    struct decode *decode = mem_zeroed(1, sizeof(*decode));

    *result = decode;
    decode->packet = av_packet_alloc();
    decode->frame = av_frame_alloc();
    /* A description with rubbish in it is no reason: the stream may have better sets. */
    return sdp->parameters_size && open_codec(decode, sdp, 1) == 0 ? 0 : open_codec(decode, sdp, 0);
}

void decode_close(struct decode *decode)
{
    if (!decode) {
        return;
    }
    avcodec_free_context(&decode->codec);
    av_packet_free(&decode->packet);
    av_frame_free(&decode->frame);
    free(decode);
}

/* ---- Pictures ----------------------------------------------------------------------------- */

/* The unit is the depacketizer's memory: FFmpeg is not to free it. */
static void release_nothing(void *baton, uint8_t *data)
{
}

static int wrap(struct decode *decode, const struct depacket_unit *unit)
{
    AVPacket *packet = decode->packet;

    packet->buf = av_buffer_create(unit->data, unit->size + DEPACKET_PADDING, release_nothing, NULL,
                                   AV_BUFFER_FLAG_READONLY);
    if (!packet->buf) {
        return -1;
    }
    packet->data = unit->data;
    packet->size = (int)unit->size;
    packet->pts = decode->count;
    packet->flags = unit->key ? AV_PKT_FLAG_KEY : 0;
    return 0;
}

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

/* The unit's memory is another's again, so nothing may point to it any more. */
static void unwrap(struct decode *decode)
{
    if (decode->packet->buf && av_buffer_get_ref_count(decode->packet->buf) > 1) {
        avcodec_flush_buffers(decode->codec);
    }
    av_packet_unref(decode->packet);
}

/* Of the unit that the frame came from, by its number. */
static void find_times(const struct decode *decode, struct session_times *times)
{
    int64_t number = decode->frame->pts;

    if (number < 0 || number >= decode->count || decode->count - number > TIMES) {
        number = decode->count - 1;
    }
    *times = decode->times[number % TIMES];
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
    if (description && (description->flags & AV_PIX_FMT_FLAG_RGB)) {
        picture->full_range = 0; /* scale.c makes BT.601 in limited range of these */
        return;
    }
    if (description && description->nb_components < 3) {
        return; /* grey has no matrix */
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

static int decode_wrapped(struct decode *decode, int alone)
{
    int rc = send_packet(decode);

    if (rc < 0) {
        return rc;
    }
    if (alone) {
        avcodec_send_packet(decode->codec,
                            NULL); /* nothing follows that it might be shown behind */
    }
    rc = avcodec_receive_frame(decode->codec, decode->frame);
    if (alone) {
        avcodec_flush_buffers(decode->codec);
    }
    return rc;
}

int decode_picture(struct decode *decode, const struct session_unit *unit, struct picture *picture,
                   struct session_times *times, int alone)
{
    int rc;

    if (wrap(decode, unit->coded)) {
        return -1;
    }
    decode->times[decode->count++ % TIMES] = unit->times;
    rc = decode_wrapped(decode, alone);
    unwrap(decode);
    if (rc == AVERROR(EAGAIN) || (alone && rc == AVERROR_EOF)) {
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

    snprintf(described->description, sizeof(described->description), "%s %dx%d",
             avcodec_get_name(decode->codec->codec_id), decode->codec->width,
             decode->codec->height);
    return described->description;
}

const char *decode_why(const struct decode *decode)
{
    return decode->why;
}
