#include "unit.h"
#include <libswscale/swscale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "colour.h"

#define WIDTH  640
#define HEIGHT 360

static uint8_t *planes[3];
static const int widths[3] = { WIDTH, WIDTH / 2, WIDTH / 2 };
static const int heights[3] = { HEIGHT, HEIGHT / 2, HEIGHT / 2 };

/* A picture with all brightnesses, colours that exist, edges and some noise. */
static int make_planes(void **state)
{
    uint32_t random = 7;
    int i, x, y;

    for (i = 0; i < 3; i++) {
        planes[i] = malloc((size_t)widths[i] * (size_t)heights[i]);
        for (y = 0; y < heights[i]; y++) {
            for (x = 0; x < widths[i]; x++) {
                double wave = sin(x * (i ? 0.11 : 0.021) + i) + cos(y * (i ? 0.07 : 0.033) - i);
                int block = (x / (i ? 16 : 32) + y / (i ? 16 : 32)) % 3 - 1;

                random = random * 1664525 + 1013904223;
                planes[i][y * widths[i] + x] =
                    (uint8_t)((i ? 128 + 18 * wave + 9 * block : 126 + 38 * wave + 14 * block) +
                              (double)(random >> 24) / 64 - 2);
            }
        }
    }
    return 0;
}

static int free_planes(void **state)
{
    int i;

    for (i = 0; i < 3; i++) {
        free(planes[i]);
    }
    return 0;
}

static struct picture describe(int full_range, int bt709)
{
    struct picture picture = { .width = WIDTH,
                               .height = HEIGHT,
                               .format = PICTURE_I420,
                               .full_range = full_range,
                               .bt709 = bt709,
                               .aspect_num = 1,
                               .aspect_den = 1 };
    int i;

    for (i = 0; i < 3; i++) {
        picture.planes[i] = planes[i];
        picture.strides[i] = widths[i];
    }
    return picture;
}

static void sws(enum AVPixelFormat from, int from_matrix, int from_full, enum AVPixelFormat to,
                int to_matrix, int to_full, const uint8_t *const in[], const int in_strides[],
                uint8_t *const out[], const int out_strides[])
{
    struct SwsContext *context = sws_getContext(
        WIDTH, HEIGHT, from, WIDTH, HEIGHT, to,
        SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT,
        NULL, NULL, NULL);

    assert_non_null(context);
    sws_setColorspaceDetails(context, sws_getCoefficients(from_matrix), from_full,
                             sws_getCoefficients(to_matrix), to_full, 0, 1 << 16, 1 << 16);
    assert_int_equal(sws_scale(context, in, in_strides, 0, HEIGHT, out, out_strides), HEIGHT);
    sws_freeContext(context);
}

/* The same conversion by swscale at its most accurate, by way of RGB with 16 bits. */
static void reference(uint8_t *const out[3], const struct picture *in)
{
    uint8_t *rgb = malloc(WIDTH * HEIGHT * 6);
    uint8_t *rgb_planes[4] = { rgb, NULL, NULL, NULL };
    int rgb_strides[4] = { WIDTH * 6, 0, 0, 0 };
    uint8_t *out_planes[4] = { out[0], out[1], out[2], NULL };
    int out_strides[4] = { WIDTH, WIDTH / 2, WIDTH / 2, 0 };

    sws(AV_PIX_FMT_YUV420P, in->bt709 ? SWS_CS_ITU709 : SWS_CS_ITU601, in->full_range,
        AV_PIX_FMT_RGB48LE, SWS_CS_DEFAULT, 1, in->planes, in->strides, rgb_planes, rgb_strides);
    sws(AV_PIX_FMT_RGB48LE, SWS_CS_DEFAULT, 1, AV_PIX_FMT_YUV420P, SWS_CS_ITU601, 1,
        (const uint8_t *const *)rgb_planes, rgb_strides, out_planes, out_strides);
    free(rgb);
}

static double mean_error(const struct picture *picture, int plane, const uint8_t *expected)
{
    double sum = 0;
    int x, y;

    for (y = 0; y < heights[plane]; y++) {
        for (x = 0; x < widths[plane]; x++) {
            sum += abs(picture->planes[plane][y * picture->strides[plane] + x] -
                       expected[y * widths[plane] + x]);
        }
    }
    return sum / widths[plane] / heights[plane];
}

/* The whole picture into memory of its own; *lines is freed by release(). */
static struct picture convert(struct colour_lines *lines, const struct picture *in)
{
    struct picture out = *in;
    int i;

    lines->scratch = malloc(colour_scratch_size(in->width));
    for (i = 0; i < 3; i++) {
        lines->strides[i] = i ? (in->width + 1) / 2 : in->width;
        lines->planes[i] =
            malloc((size_t)lines->strides[i] * (size_t)(i ? (in->height + 1) / 2 : in->height));
        out.planes[i] = lines->planes[i];
        out.strides[i] = lines->strides[i];
    }
    colour_convert(lines, in, 0, in->height);
    return out;
}

static void release(struct colour_lines *lines)
{
    int i;

    for (i = 0; i < 3; i++) {
        free(lines->planes[i]);
    }
    free(lines->scratch);
}

static void check(int full_range, int bt709)
{
    struct picture in = describe(full_range, bt709);
    struct colour_lines lines;
    struct picture out = convert(&lines, &in);
    uint8_t *expected[3];
    double error;
    int i;

    for (i = 0; i < 3; i++) {
        expected[i] = malloc((size_t)widths[i] * (size_t)heights[i]);
    }
    reference(expected, &in);
    for (i = 0; i < 3; i++) {
        error = mean_error(&out, i, expected[i]);
        printf("full range %d, BT.709 %d, plane %d: mean error %.2f (unconverted %.2f)\n",
               full_range, bt709, i, error, mean_error(&in, i, expected[i]));
        assert_true(error <= 1.5);
        free(expected[i]);
    }
    release(&lines);
}

static void limited_bt601_is_right(void **state)
{
    check(0, 0);
}

static void limited_bt709_is_right(void **state)
{
    check(0, 1);
}

static void full_bt709_is_right(void **state)
{
    check(1, 1);
}

static void full_bt601_is_right_as_it_is(void **state)
{
    struct picture in = describe(1, 0);
    struct colour_lines lines;
    struct picture out = convert(&lines, &in);
    int i;

    for (i = 0; i < 3; i++) {
        assert_memory_equal(out.planes[i], in.planes[i], (size_t)widths[i] * (size_t)heights[i]);
    }
    release(&lines);
}

/* A line of every value there is, grey, in a picture of odd size. */
static void every_brightness_is_exact_at_odd_sizes(void **state)
{
    uint8_t luma[255 * 3];
    uint8_t chroma[128 * 2];
    struct picture in = { .planes = { luma, chroma, chroma },
                          .strides = { 255, 128, 128 },
                          .width = 255,
                          .height = 3,
                          .format = PICTURE_I420,
                          .aspect_num = 1,
                          .aspect_den = 1 };
    struct colour_lines lines;
    struct picture out;
    double expected;
    int bt709, x;

    for (x = 0; x < 255 * 3; x++) {
        luma[x] = (uint8_t)(x % 255 + x / 510);
    }
    memset(chroma, 128, sizeof(chroma));
    for (bt709 = 0; bt709 < 2; bt709++) {
        in.bt709 = bt709;
        out = convert(&lines, &in);
        for (x = 0; x < 255; x++) {
            expected = (luma[510 + x] - 16) * 255.0 / 219.0;
            expected = expected < 0 ? 0 : expected > 255 ? 255 : expected;
            assert_int_equal(out.planes[0][2 * out.strides[0] + x], (int)(expected + 0.5));
            assert_int_equal(out.planes[1][out.strides[1] + x / 2], 128);
        }
        release(&lines);
    }
}

static void extremes_do_not_wrap_around(void **state)
{
    static const uint8_t ends[2] = { 0, 255 };
    uint8_t luma[4], cb[1], cr[1];
    struct picture in = { .planes = { luma, cb, cr },
                          .strides = { 2, 1, 1 },
                          .width = 2,
                          .height = 2,
                          .format = PICTURE_I420,
                          .bt709 = 1,
                          .aspect_num = 1,
                          .aspect_den = 1 };
    struct colour_lines lines;
    struct picture out;
    int i;

    for (i = 0; i < 8; i++) {
        memset(luma, ends[i & 1], sizeof(luma));
        cb[0] = ends[i >> 1 & 1];
        cr[0] = ends[i >> 2 & 1];
        out = convert(&lines, &in);
        assert_true(ends[i & 1] ? out.planes[0][0] > 200 : out.planes[0][0] < 50);
        assert_true(cb[0] ? out.planes[1][0] > 200 : out.planes[1][0] < 50);
        assert_true(cr[0] ? out.planes[2][0] > 200 : out.planes[2][0] < 50);
        release(&lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limited_bt601_is_right),
        cmocka_unit_test(limited_bt709_is_right),
        cmocka_unit_test(full_bt709_is_right),
        cmocka_unit_test(full_bt601_is_right_as_it_is),
        cmocka_unit_test(every_brightness_is_exact_at_odd_sizes),
        cmocka_unit_test(extremes_do_not_wrap_around),
    };

    return cmocka_run_group_tests(tests, make_planes, free_planes);
}
