#include "config.h"
#include "scale.h"

#include <stdlib.h>
#include <string.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include "log.h"
#include "mem.h"

struct scale {
    struct SwsContext *sws;
    uint8_t *buffer;
    size_t capacity;
    int complained;
};

struct scale *scale_open(void)
{
    struct scale *scale = mem_zeroed(1, sizeof(*scale));

    return scale;
}

void scale_close(struct scale *scale)
{
    if (!scale) {
        return;
    }
    sws_freeContext(scale->sws);
    free(scale->buffer);
    free(scale);
}

static int rounded_ratio(int size, int num, int den)
{
    int64_t result = ((int64_t)size * num + den / 2) / den;

    return result < 1 ? 1 : (int)result;
}

void scale_target(int *width, int *height, const struct picture *in, int max_width)
{
    *width = in->width;
    *height = in->height;
    /* Square pixels by giving up what there is too much of, not by inventing. */
    if (in->aspect_num > in->aspect_den) {
        *height = rounded_ratio(in->height, in->aspect_den, in->aspect_num);
    }
    else if (in->aspect_num < in->aspect_den) {
        *width = rounded_ratio(in->width, in->aspect_num, in->aspect_den);
    }
    if (max_width > 0 && *width > max_width) {
        *height = rounded_ratio(*height, max_width, *width);
        *width = max_width;
    }
}

static void complain(struct scale *scale, const struct picture *in, const char *what)
{
    if (!scale->complained) {
        log_warning(1520, "no picture from one of %dx%d pixels: %s", in->width, in->height, what);
        scale->complained = 1;
    }
}

/* Where the planes of out go: one block, lines padded for swscale's vectors. */
static int lay_out(struct scale *scale, struct picture *out)
{
    size_t luma_stride = ((size_t)out->width + 63) & ~(size_t)63;
    size_t chroma_stride = (((size_t)out->width + 1) / 2 + 63) & ~(size_t)63;
    size_t chroma_lines = ((size_t)out->height + 1) / 2;
    size_t size = luma_stride * (size_t)out->height + 2 * chroma_stride * chroma_lines + 64;

    if (scale->capacity < size) {
        free(scale->buffer);
        scale->buffer = NULL;
        scale->capacity = 0;
        if (posix_memalign((void **)&scale->buffer, 64, size)) {
            return -1;
        }
        scale->capacity = size;
    }
    out->planes[0] = scale->buffer;
    out->planes[1] = out->planes[0] + luma_stride * (size_t)out->height;
    out->planes[2] = out->planes[1] + chroma_stride * chroma_lines;
    out->planes[3] = NULL;
    out->strides[0] = (int)luma_stride;
    out->strides[1] = out->strides[2] = (int)chroma_stride;
    out->strides[3] = 0;
    return 0;
}

/* libswscale takes all grey for full range. Which it is the picture says, and colour.c deals with
 * that: here the range stays. */
static void keep_range(struct SwsContext *sws)
{
    const int *table = sws_getCoefficients(SWS_CS_DEFAULT);

    sws_setColorspaceDetails(sws, table, 0, table, 0, 0, 1 << 16, 1 << 16);
}

static int is_rgb(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *description = av_pix_fmt_desc_get(format);

    return description && description->flags & AV_PIX_FMT_FLAG_RGB;
}

int scale_convert(struct scale *scale, struct picture *out, const struct picture *in, int max_width)
{
    enum AVPixelFormat from =
        in->format == PICTURE_I420 ? AV_PIX_FMT_YUV420P : (enum AVPixelFormat)in->format;
    uint8_t *planes[PICTURE_PLANES];

    *out = *in;
    scale_target(&out->width, &out->height, in, max_width);
    if (in->format == PICTURE_I420 && out->width == in->width && out->height == in->height) {
        return 0;
    }
    out->format = PICTURE_I420;
    out->aspect_num = out->aspect_den = 1;
    if (lay_out(scale, out)) {
        complain(scale, in, "too large");
        return -1;
    }
    /* Area: no aliasing when the picture shrinks, and cheap. */
    scale->sws = sws_getCachedContext(scale->sws, in->width, in->height, from, out->width,
                                      out->height, AV_PIX_FMT_YUV420P, SWS_AREA, NULL, NULL, NULL);
    if (scale->sws && !is_rgb(from)) {
        keep_range(scale->sws);
    }
    memcpy(planes, out->planes, sizeof(planes));
    if (!scale->sws || sws_scale(scale->sws, in->planes, in->strides, 0, in->height, planes,
                                 out->strides) != out->height) {
        complain(scale, in, "the pixel format cannot be converted");
        return -1;
    }
    return 0;
}
