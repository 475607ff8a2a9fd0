#include "unit.h"
#include "kc_notice.h"
#include "kc_jpeg.h"

#include <stdlib.h>
#include <turbojpeg.h>

#define NOW  ((apr_time_t)1700000000 * APR_USEC_PER_SEC)
#define HOUR ((apr_time_t)3600 * APR_USEC_PER_SEC)

typedef struct {
    int width;
    int height;
    unsigned char *light;
} picture_t;

/* Decodes it, which checks it, and lets go of the frame. */
static picture_t decoded(kc_frame_t *frame)
{
    tjhandle decoder = tjInitDecompress();
    picture_t picture;
    int sampling, colours;

    assert_int_equal(frame->kind, KC_FRAME_NOTICE);
    assert_int_equal(tjDecompressHeader3(decoder, (unsigned char *)frame->data, frame->size,
                                         &picture.width, &picture.height, &sampling, &colours),
                     0);
    assert_int_equal(sampling, TJSAMP_420);
    assert_int_equal(frame->width, picture.width);
    assert_int_equal(frame->height, picture.height);
    picture.light = malloc((size_t)picture.width * (size_t)picture.height);
    assert_int_equal(tjDecompress2(decoder, (unsigned char *)frame->data, frame->size,
                                   picture.light, picture.width, 0, picture.height, TJPF_GRAY, 0),
                     0);
    tjDestroy(decoder);
    kc_frame_unref(frame);
    return picture;
}

static double share_of_bright(const picture_t *picture, int from_row, int to_row)
{
    size_t bright = 0, i;
    size_t first = (size_t)from_row * (size_t)picture->width;
    size_t last = (size_t)to_row * (size_t)picture->width;

    for (i = first; i < last; i++) {
        bright += picture->light[i] > 110;
    }
    return (double)bright / (double)(last - first);
}

static void a_notice_has_the_size_of_the_cameras_pictures(void **state)
{
    static const apr_uint32_t sizes[][2] = {
        { 640, 360 }, { 1280, 720 }, { 321, 181 }, { 8, 8 }, { 1, 1 }
    };
    size_t i;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        picture_t picture =
            decoded(kc_notice_create(3, "Gate", NOW - HOUR, NOW, sizes[i][0], sizes[i][1]));

        assert_int_equal(picture.width, sizes[i][0]);
        assert_int_equal(picture.height, sizes[i][1]);
        free(picture.light);
    }
}

static void an_unknown_or_impossible_size_becomes_a_sensible_one(void **state)
{
    picture_t picture = decoded(kc_notice_create(3, "Gate", 0, NOW, 0, 0));

    assert_int_equal(picture.width, 640);
    assert_int_equal(picture.height, 360);
    free(picture.light);
    picture = decoded(kc_notice_create(3, "Gate", 0, NOW, 65535, 65535));
    assert_true(picture.width == 1280 && picture.height == 1280);
    free(picture.light);
}

static void a_notice_of_a_large_camera_has_its_shape_and_is_1280_wide_or_high(void **state)
{
    static const apr_uint32_t sizes[][4] = { { 3840, 2160, 1280, 720 },
                                             { 1080, 1920, 720, 1280 },
                                             { 65535, 1, 1280, 1 } };
    size_t i;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        picture_t picture =
            decoded(kc_notice_create(3, "Gate", NOW - HOUR, NOW, sizes[i][0], sizes[i][1]));

        assert_int_equal(picture.width, sizes[i][2]);
        assert_int_equal(picture.height, sizes[i][3]);
        free(picture.light);
    }
}

static void a_notice_is_dark_with_two_lines_of_text(void **state)
{
    picture_t picture = decoded(kc_notice_create(3, "Gate", NOW - HOUR, NOW, 640, 360));

    assert_true(share_of_bright(&picture, 0, 70) == 0);
    assert_true(share_of_bright(&picture, 260, 360) == 0);
    assert_true(share_of_bright(&picture, 70, 180) > 0.01);
    assert_true(share_of_bright(&picture, 180, 260) > 0.01);
    free(picture.light);
}

static int same(kc_frame_t *one, kc_frame_t *other)
{
    int equal = one->size == other->size && !memcmp(one->data, other->data, one->size);

    kc_frame_unref(one);
    kc_frame_unref(other);
    return equal;
}

static void name_and_time_are_in_the_picture(void **state)
{
    assert_true(same(kc_notice_create(3, "Gate", NOW - HOUR, NOW, 640, 360),
                     kc_notice_create(3, "Gate", NOW - HOUR, NOW, 640, 360)));
    assert_false(same(kc_notice_create(3, "Gate", NOW - HOUR, NOW, 640, 360),
                      kc_notice_create(3, "Yard", NOW - HOUR, NOW, 640, 360)));
    assert_false(same(kc_notice_create(3, "Gate", NOW - HOUR, NOW, 640, 360),
                      kc_notice_create(3, "Gate", NOW - HOUR - APR_USEC_PER_SEC, NOW, 640, 360)));
    assert_false(same(kc_notice_create(3, "Gate", 0, NOW, 640, 360),
                      kc_notice_create(3, "Gate", NOW - HOUR, NOW, 640, 360)));
    /* The same time of another day shows the date. */
    assert_false(same(kc_notice_create(3, "Gate", NOW, NOW, 640, 360),
                      kc_notice_create(3, "Gate", NOW - 24 * HOUR, NOW, 640, 360)));
}

static void a_name_that_cannot_be_written_is_shown_as_the_number(void **state)
{
    assert_true(same(kc_notice_create(3, "\xe9\x96\x80", 0, NOW, 640, 360),
                     kc_notice_create(3, "Camera 3", 0, NOW, 640, 360)));
    assert_true(same(kc_notice_create(3, "a\x1b[31m", 0, NOW, 640, 360),
                     kc_notice_create(3, "", 0, NOW, 640, 360)));
}

static void a_jpegs_size_is_found_in_its_headers(void **state)
{
    kc_frame_t *frame = kc_notice_create(3, "Gate", 0, NOW, 322, 182);
    apr_uint32_t width = 0, height = 0;
    apr_size_t size;

    assert_int_equal(kc_jpeg_size(frame->data, frame->size, &width, &height), 0);
    assert_int_equal(width, 322);
    assert_int_equal(height, 182);
    for (size = 0; size < 150; size++) { /* wherever it is cut: found or not, never read past */
        char *cut = malloc(size ? size : 1);

        memcpy(cut, frame->data, size);
        (void)kc_jpeg_size(cut, size, &width, &height);
        assert_true(kc_jpeg_is(cut, size) == (size >= 4));
        free(cut);
    }
    kc_frame_unref(frame);
    assert_int_equal(kc_jpeg_size("\xff\xd8\xff\xda\0\x08zzzzzzzz", 14, &width, &height), -1);
    assert_int_equal(kc_jpeg_size("\xff\xd8\xff\xe0\0\0zzzzzzzz", 14, &width, &height), -1);
    assert_false(kc_jpeg_is("GIF89a", 6));
    assert_false(kc_jpeg_is(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_notice_has_the_size_of_the_cameras_pictures),
        cmocka_unit_test(a_notice_of_a_large_camera_has_its_shape_and_is_1280_wide_or_high),
        cmocka_unit_test(an_unknown_or_impossible_size_becomes_a_sensible_one),
        cmocka_unit_test(a_notice_is_dark_with_two_lines_of_text),
        cmocka_unit_test(name_and_time_are_in_the_picture),
        cmocka_unit_test(a_name_that_cannot_be_written_is_shown_as_the_number),
        cmocka_unit_test(a_jpegs_size_is_found_in_its_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
