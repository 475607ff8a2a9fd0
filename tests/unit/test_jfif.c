#include "unit.h"
#include <stdlib.h>
#include <turbojpeg.h>
#include "jfif.h"

#define WIDTH  67
#define HEIGHT 35

static uint8_t *jpeg; /* a good one, tables and all */
static unsigned long jpeg_size;

static int make_jpeg(void **state)
{
    static uint8_t pixels[WIDTH * HEIGHT * 3];
    tjhandle turbo = tjInitCompress();
    int i;

    for (i = 0; i < (int)sizeof(pixels); i++) {
        pixels[i] = (uint8_t)(i * 7 % 251);
    }
    assert_int_equal(tjCompress2(turbo, pixels, WIDTH, 0, HEIGHT, TJPF_RGB, &jpeg, &jpeg_size,
                                 TJSAMP_420, 80, 0),
                     0);
    tjDestroy(turbo);
    return 0;
}

static int free_jpeg(void **state)
{
    tjFree(jpeg);
    return 0;
}

/* Decode to RGB; the caller frees. NULL: TurboJPEG complains. */
static uint8_t *pixels_of(const uint8_t *data, size_t size)
{
    uint8_t *pixels = calloc(WIDTH * HEIGHT, 3);
    tjhandle turbo = tjInitDecompress();
    int rc = tjDecompress2(turbo, data, size, pixels, WIDTH, 0, HEIGHT, TJPF_RGB, 0);

    tjDestroy(turbo);
    if (rc) {
        free(pixels);
        return NULL;
    }
    return pixels;
}

/* The same JPEG without its DHT segments, as RFC 2435 and many cameras send it. */
static uint8_t *without_tables(size_t *size)
{
    uint8_t *bare = malloc(jpeg_size);
    size_t at = 2, length;

    memcpy(bare, jpeg, 2);
    *size = 2;
    while (jpeg[at + 1] != 0xDA) {
        length = 2 + ((size_t)jpeg[at + 2] << 8 | jpeg[at + 3]);
        if (jpeg[at + 1] != 0xC4) {
            memcpy(bare + *size, jpeg + at, length);
            *size += length;
        }
        at += length;
    }
    memcpy(bare + *size, jpeg + at, jpeg_size - at);
    *size += jpeg_size - at;
    return bare;
}

static void a_good_one_passes_with_its_size(void **state)
{
    struct jfif jfif;

    assert_int_equal(jfif_check(&jfif, jpeg, jpeg_size), 0);
    assert_int_equal(jfif.width, WIDTH);
    assert_int_equal(jfif.height, HEIGHT);
    assert_int_equal(jfif.size, jpeg_size);
    assert_int_equal(jfif.tables_at, 0);
}

static void no_beginning_of_one_passes(void **state)
{
    struct jfif jfif;
    size_t size;

    for (size = 0; size < jpeg_size; size++) {
        /* In memory of exactly that size, so that a sanitizer sees each byte read behind it. */
        uint8_t *cut = malloc(size ? size : 1);

        memcpy(cut, jpeg, size);
        assert_int_equal(jfif_check(&jfif, cut, size), -1);
        free(cut);
    }
}

static void padding_behind_the_end_is_cut_off(void **state)
{
    uint8_t *padded = calloc(1, jpeg_size + 100);
    struct jfif jfif;

    memcpy(padded, jpeg, jpeg_size);
    assert_int_equal(jfif_check(&jfif, padded, jpeg_size + 100), 0);
    assert_int_equal(jfif.size, jpeg_size);
    padded[jpeg_size + 99] = 'x';
    assert_int_equal(jfif_check(&jfif, padded, jpeg_size + 100), -1);
    free(padded);
}

static void missing_tables_are_put_in_and_the_picture_is_the_same(void **state)
{
    struct jfif jfif;
    size_t bare_size, size;
    uint8_t *bare = without_tables(&bare_size);
    uint8_t *whole, *pixels, *expected;

    assert_int_equal(bare_size, jpeg_size - JFIF_TABLES_SIZE - 3 * 4);
    assert_int_equal(jfif_check(&jfif, bare, bare_size), 0);
    assert_true(jfif.tables_at > 0);
    whole = malloc(jfif.size + JFIF_TABLES_SIZE);
    size = jfif_insert_tables(whole, &jfif, bare);
    assert_int_equal(size, bare_size + JFIF_TABLES_SIZE);
    assert_int_equal(jfif_check(&jfif, whole, size), 0);
    assert_int_equal(jfif.tables_at, 0);
    pixels = pixels_of(whole, size);
    expected = pixels_of(jpeg, jpeg_size);
    assert_non_null(pixels);
    assert_memory_equal(pixels, expected, WIDTH * HEIGHT * 3);
    free(pixels);
    free(expected);
    free(whole);
    free(bare);
}

static void what_browsers_cannot_show_does_not_pass(void **state)
{
    struct jfif jfif;
    uint8_t *other = malloc(jpeg_size);
    size_t at;

    memcpy(other, jpeg, jpeg_size);
    for (at = 2; other[at + 1] != 0xC0; at++) {
    }
    other[at + 1] = 0xC3; /* lossless */
    assert_int_equal(jfif_check(&jfif, other, jpeg_size), -1);
    other[at + 1] = 0xC9; /* arithmetic coding */
    assert_int_equal(jfif_check(&jfif, other, jpeg_size), -1);
    other[at + 1] = 0xC0;
    other[at + 4] = 12; /* bits */
    assert_int_equal(jfif_check(&jfif, other, jpeg_size), -1);
    other[at + 4] = 8;
    other[at + 9] = 4; /* CMYK */
    assert_int_equal(jfif_check(&jfif, other, jpeg_size), -1);
    other[at + 9] = 3;
    assert_int_equal(jfif_check(&jfif, other, jpeg_size), 0);
    memset(other + at + 5, 0, 2); /* no height */
    assert_int_equal(jfif_check(&jfif, other, jpeg_size), -1);
    free(other);
}

static void garbage_does_not_pass(void **state)
{
    uint8_t garbage[512];
    uint32_t random = 99;
    struct jfif jfif;
    int round;
    size_t i;

    for (round = 0; round < 20000; round++) {
        for (i = 0; i < sizeof(garbage); i++) {
            random = random * 1664525 + 1013904223;
            garbage[i] = (uint8_t)((random >> 30) ? random >> 24 : 0xFF);
        }
        garbage[0] = 0xFF;
        garbage[1] = 0xD8;
        if (jfif_check(&jfif, garbage, sizeof(garbage)) == 0) {
            assert_true(jfif.size <= sizeof(garbage) && jfif.tables_at < jfif.size);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_passes_with_its_size),
        cmocka_unit_test(no_beginning_of_one_passes),
        cmocka_unit_test(padding_behind_the_end_is_cut_off),
        cmocka_unit_test(missing_tables_are_put_in_and_the_picture_is_the_same),
        cmocka_unit_test(what_browsers_cannot_show_does_not_pass),
        cmocka_unit_test(garbage_does_not_pass),
    };

    return cmocka_run_group_tests(tests, make_jpeg, free_jpeg);
}
