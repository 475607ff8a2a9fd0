#include "unit.h"
#include <stdlib.h>
#include <turbojpeg.h>
#include "jpeg.h"

static struct jpeg *jpeg;

static int open_it(void **state)
{
    return jpeg_open(&jpeg);
}

static int close_it(void **state)
{
    jpeg_close(jpeg);
    return 0;
}

/* A slope in luma, a step in chroma: full range, so that what comes out is what went in. */
static struct picture make(int width, int height)
{
    int chroma_width = (width + 1) / 2, chroma_height = (height + 1) / 2;
    uint8_t *luma = malloc((size_t)width * (size_t)height);
    uint8_t *chroma = malloc((size_t)chroma_width * (size_t)chroma_height);
    struct picture picture = { .planes = { luma, chroma, chroma },
                               .strides = { width, chroma_width, chroma_width },
                               .width = width,
                               .height = height,
                               .format = PICTURE_I420,
                               .full_range = 1,
                               .aspect_num = 1,
                               .aspect_den = 1 };
    int x, y;

    for (y = 0; y < height; y++) {
        for (x = 0; x < width; x++) {
            luma[y * width + x] = (uint8_t)(40 + (x * 3 + y * 2) % 160);
        }
    }
    for (x = 0; x < chroma_width * chroma_height; x++) {
        chroma[x] = x % chroma_width < chroma_width / 2 ? 110 : 140;
    }
    return picture;
}

static void drop(struct picture *picture)
{
    free((void *)(uintptr_t)picture->planes[0]);
    free((void *)(uintptr_t)picture->planes[1]);
}

/* Mean error of luma, by another decoder. */
static double error_of(const struct picture *picture, const uint8_t *data, size_t size)
{
    tjhandle turbo = tjInitDecompress();
    int width, height, sampling, space, i;
    unsigned char *pixels;
    double sum = 0;

    assert_int_equal(tjDecompressHeader3(turbo, data, size, &width, &height, &sampling, &space), 0);
    assert_int_equal(width, picture->width);
    assert_int_equal(height, picture->height);
    assert_int_equal(sampling, TJSAMP_420);
    pixels = malloc((size_t)width * (size_t)height);
    assert_int_equal(
        tjDecompress2(turbo, data, size, pixels, width, 0, height, TJPF_GRAY, TJFLAG_STOPONWARNING),
        0);
    for (i = 0; i < width * height; i++) {
        sum += abs(pixels[i] - picture->planes[0][i]);
    }
    free(pixels);
    tjDestroy(turbo);
    return sum / width / height;
}

static int count_restarts(const uint8_t *data, size_t size)
{
    int found = 0;
    size_t i;

    for (i = 0; i + 1 < size; i++) {
        if (data[i] == 0xff && data[i + 1] >= 0xd0 && data[i + 1] <= 0xd7) {
            assert_int_equal(data[i + 1], 0xd0 + found % 8);
            found++;
        }
    }
    return found;
}

static void pictures_of_any_size_come_out_as_they_went_in(void **state)
{
    static const int sizes[][2] = { { 640, 360 }, { 1, 1 },   { 16, 16 },   { 17, 17 },
                                    { 15, 33 },   { 641, 2 }, { 1920, 88 }, { 640, 361 } };
    size_t i, size;
    const uint8_t *data;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct picture picture = make(sizes[i][0], sizes[i][1]);

        assert_int_equal(jpeg_compress(jpeg, &picture, 90, &data, &size), 0);
        assert_true(error_of(&picture, data, size) < 3);
        assert_int_equal(count_restarts(data, size), (sizes[i][1] + 15) / 16 - 1);
        assert_true(jpeg_is_sound(jpeg, data, size));
        drop(&picture);
    }
}

static void quality_is_what_was_asked_for_last(void **state)
{
    struct picture picture = make(320, 180);
    size_t good, bad, again;
    const uint8_t *data;

    assert_int_equal(jpeg_compress(jpeg, &picture, 95, &data, &good), 0);
    assert_int_equal(jpeg_compress(jpeg, &picture, 20, &data, &bad), 0);
    assert_int_equal(jpeg_compress(jpeg, &picture, 95, &data, &again), 0);
    assert_true(bad < good / 2);
    assert_int_equal(again, good);
    drop(&picture);
}

/* Noise at quality 100 is larger than the memory that is there at first. */
static void large_ones_find_room(void **state)
{
    struct picture picture = make(640, 480);
    uint8_t *luma = (uint8_t *)(uintptr_t)picture.planes[0];
    uint32_t random = 1;
    const uint8_t *data;
    size_t size, i;

    for (i = 0; i < (size_t)640 * 480; i++) {
        random = random * 1664525 + 1013904223;
        luma[i] = (uint8_t)(random >> 24);
    }
    assert_int_equal(jpeg_compress(jpeg, &picture, 100, &data, &size), 0);
    assert_true(size > 200000);
    assert_true(error_of(&picture, data, size) < 3);
    drop(&picture);
}

static void too_large_ones_are_refused_and_the_next_goes_well(void **state)
{
    struct picture wide = make(65536, 2);
    struct picture picture = make(64, 64);
    const uint8_t *data;
    size_t size;

    assert_int_equal(jpeg_compress(jpeg, &wide, 80, &data, &size), -1);
    assert_int_equal(jpeg_compress(jpeg, &picture, 80, &data, &size), 0);
    assert_true(error_of(&picture, data, size) < 3);
    drop(&wide);
    drop(&picture);
}

static void a_damaged_one_is_not_sound_and_the_next_may_be(void **state)
{
    struct picture picture = make(320, 180);
    const uint8_t *data;
    uint8_t *damaged;
    size_t size;

    assert_int_equal(jpeg_compress(jpeg, &picture, 80, &data, &size), 0);
    damaged = malloc(size);
    memcpy(damaged, data, size);
    assert_false(jpeg_is_sound(jpeg, damaged, size / 2));
    memset(damaged + size / 2, 0, size / 4);
    assert_false(jpeg_is_sound(jpeg, damaged, size));
    assert_false(jpeg_is_sound(jpeg, (const uint8_t *)"\xff\xd8\xff\xd9", 4));
    assert_false(jpeg_is_sound(jpeg, damaged, 0));
    assert_true(jpeg_is_sound(jpeg, data, size));
    free(damaged);
    drop(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_of_any_size_come_out_as_they_went_in),
        cmocka_unit_test(quality_is_what_was_asked_for_last),
        cmocka_unit_test(large_ones_find_room),
        cmocka_unit_test(too_large_ones_are_refused_and_the_next_goes_well),
        cmocka_unit_test(a_damaged_one_is_not_sound_and_the_next_may_be),
    };

    return cmocka_run_group_tests(tests, open_it, close_it);
}
