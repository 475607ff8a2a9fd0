#include "config.h"
#include "jpeg.h"

#include <stdlib.h>
#include <turbojpeg.h>
#include "log.h"
#include "mem.h"

struct jpeg {
    tjhandle turbo;
    unsigned char *buffer;
    unsigned long capacity; /* enough for any picture of width x height */
    int width, height;
    int complained;
    tjhandle reader; /* NULL until jpeg_is_sound() was called */
    unsigned char *thumbnail;
    size_t thumbnail_size;
};

int jpeg_open(struct jpeg **result)
{
    struct jpeg *jpeg = mem_zeroed(1, sizeof(*jpeg));

#if HAVE_DECL_TJPARAM_RESTARTROWS
    jpeg->turbo = tj3Init(TJINIT_COMPRESS);
    if (jpeg->turbo) {
        tj3Set(jpeg->turbo, TJPARAM_SUBSAMP, TJSAMP_420);
        tj3Set(jpeg->turbo, TJPARAM_RESTARTROWS, 1);
        tj3Set(jpeg->turbo, TJPARAM_NOREALLOC, 1);
    }
#else
    setenv("TJ_RESTART", "1", 1); /* the only way before version 3 */
    jpeg->turbo = tjInitCompress();
#endif
    if (!jpeg->turbo) {
        log_error(1510, "TurboJPEG does not start: %s", tjGetErrorStr2(NULL));
        free(jpeg);
        return -1;
    }
    *result = jpeg;
    return 0;
}

void jpeg_close(struct jpeg *jpeg)
{
    if (!jpeg) {
        return;
    }
    tjDestroy(jpeg->turbo);
    if (jpeg->reader) {
        tjDestroy(jpeg->reader);
    }
    tjFree(jpeg->buffer);
    free(jpeg->thumbnail);
    free(jpeg);
}

/* Memory for the worst case, so that TurboJPEG never has to ask for more. */
static int make_room(struct jpeg *jpeg, int width, int height)
{
    if (jpeg->buffer && jpeg->width == width && jpeg->height == height) {
        return 0;
    }
    tjFree(jpeg->buffer);
    jpeg->capacity = tjBufSize(width, height, TJSAMP_420);
    jpeg->buffer = jpeg->capacity == (unsigned long)-1 ? NULL : tjAlloc((int)jpeg->capacity);
    jpeg->width = width;
    jpeg->height = height;
    return jpeg->buffer ? 0 : -1;
}

static int compress(struct jpeg *jpeg, const struct picture *picture, int quality, size_t *size)
{
    const unsigned char *planes[3] = { picture->planes[0], picture->planes[1], picture->planes[2] };
    int rc;

#if HAVE_DECL_TJPARAM_RESTARTROWS
    *size = jpeg->capacity;
    tj3Set(jpeg->turbo, TJPARAM_QUALITY, quality);
    rc = tj3CompressFromYUVPlanes8(jpeg->turbo, planes, picture->width, picture->strides,
                                   picture->height, &jpeg->buffer, size);
#else
    unsigned long used = jpeg->capacity;

    rc = tjCompressFromYUVPlanes(jpeg->turbo, planes, picture->width, picture->strides,
                                 picture->height, TJSAMP_420, &jpeg->buffer, &used, quality,
                                 TJFLAG_NOREALLOC);
    *size = used;
#endif
    return rc;
}

int jpeg_compress(struct jpeg *jpeg, const struct picture *picture, int quality,
                  const uint8_t **data, size_t *size)
{
    if (make_room(jpeg, picture->width, picture->height) ||
        compress(jpeg, picture, quality, size)) {
        if (!jpeg->complained) {
            log_warning(1511, "no JPEG of %dx%d: %s", picture->width, picture->height,
                        jpeg->buffer ? tjGetErrorStr2(jpeg->turbo) : "too large");
            jpeg->complained = 1;
        }
        return -1;
    }
    *data = jpeg->buffer;
    return 0;
}

int jpeg_is_sound(struct jpeg *jpeg, const uint8_t *data, size_t size)
{
    static const tjscalingfactor eighth = { 1, 8 };
    int width, height, sampling, space;
    size_t pixels;

    if (!jpeg->reader) {
        jpeg->reader = tjInitDecompress();
    }
    if (!jpeg->reader ||
        tjDecompressHeader3(jpeg->reader, data, size, &width, &height, &sampling, &space)) {
        return 0;
    }
    width = TJSCALED(width, eighth);
    height = TJSCALED(height, eighth);
    pixels = (size_t)width * (size_t)height;
    if (jpeg->thumbnail_size < pixels) {
        jpeg->thumbnail = mem_resize(jpeg->thumbnail, pixels, 1);
        jpeg->thumbnail_size = pixels;
    }
    return tjDecompress2(jpeg->reader, data, size, jpeg->thumbnail, width, 0, height, TJPF_GRAY,
                         TJFLAG_STOPONWARNING) == 0;
}
