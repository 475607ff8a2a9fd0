#include "unit.h"
#include "kc_mjpeg.h"

#include <stdlib.h>
#include <apr_general.h>

static kc_mjpeg_part_t part;
static char out[1024];
static apr_size_t out_size;

static int empty_part(void **state)
{
    memset(&part, 0, sizeof(part));
    out_size = 0;
    return 0;
}

static int end_part(void **state)
{
    kc_mjpeg_end(&part);
    return 0;
}

static kc_frame_t *frame_of(kc_frame_kind_t kind, const char *data)
{
    kc_frame_t *frame = kc_frame_create(kind, 3, strlen(data));

    memcpy(frame->data, data, strlen(data));
    frame->captured = 1700000000123456;
    frame->seq = 42;
    frame->offset = 9000000000;
    return frame;
}

/* Take the part out in bites of that many bytes, as a slow line does. */
static void drain(apr_size_t bite)
{
    while (kc_mjpeg_left(&part) > 0) {
        struct iovec vec[3];
        int used = kc_mjpeg_vec(&part, vec, bite), i;
        apr_size_t size = 0;

        assert_in_range(used, 1, 3);
        for (i = 0; i < used; i++) {
            assert_true(vec[i].iov_len > 0);
            memcpy(out + out_size, vec[i].iov_base, vec[i].iov_len);
            out_size += vec[i].iov_len;
            size += vec[i].iov_len;
        }
        assert_in_range(size, 1, bite);
        part.sent += size;
    }
    out[out_size] = '\0';
}

static void the_next_parts_headers_follow_each_plain_jpeg_at_once(void **state)
{
    kc_mjpeg_open_plain(&part);
    drain(1000);
    assert_string_equal(out, "--frame\r\nContent-Type: image/jpeg\r\n\r\n");
    kc_mjpeg_end(&part);
    out_size = 0;
    kc_mjpeg_plain(&part, frame_of(KC_FRAME_PICTURE, "JPEG"));
    drain(1000);
    assert_string_equal(out, "JPEG\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n");
}

static void the_meta_form_says_which_frame_it_is(void **state)
{
    kc_mjpeg_open_meta(&part);
    drain(1000);
    kc_mjpeg_end(&part);
    kc_mjpeg_meta(&part, frame_of(KC_FRAME_PICTURE, "JPEG"));
    drain(1000);
    assert_string_equal(out,
                        "--frame\r\nContent-Type: image/jpeg\r\nX-Camera: 3\r\n"
                        "X-Timestamp: 1700000000123456\r\nX-Seq: 42\r\n"
                        "X-Offset: 9000000000\r\nContent-Length: 4\r\n\r\nJPEG\r\n--frame\r\n");
}

static void a_wall_has_whole_parts_of_both_kinds(void **state)
{
    kc_mjpeg_wall(&part, frame_of(KC_FRAME_STATE, "{}"));
    drain(1000);
    kc_mjpeg_end(&part);
    kc_mjpeg_wall(&part, frame_of(KC_FRAME_PICTURE, "JPEG"));
    drain(1000);
    kc_mjpeg_end(&part);
    kc_mjpeg_heartbeat(&part);
    drain(1000);
    assert_string_equal(out, "--frame\r\nContent-Type: application/json\r\nX-Camera: 3\r\n"
                             "X-Timestamp: 1700000000123456\r\nX-Seq: 42\r\n"
                             "X-Offset: 9000000000\r\nContent-Length: 2\r\n\r\n{}\r\n"
                             "--frame\r\nContent-Type: image/jpeg\r\nX-Camera: 3\r\n"
                             "X-Timestamp: 1700000000123456\r\nX-Seq: 42\r\n"
                             "X-Offset: 9000000000\r\nContent-Length: 4\r\n\r\nJPEG\r\n"
                             "--frame\r\nContent-Type: application/json\r\n"
                             "Content-Length: 2\r\n\r\n{}\r\n");
}

static void a_part_cut_anywhere_comes_out_the_same(void **state)
{
    char whole[sizeof(out)];
    apr_size_t bite;

    kc_mjpeg_meta(&part, frame_of(KC_FRAME_PICTURE, "a picture of some bytes"));
    drain(1000);
    memcpy(whole, out, sizeof(out));
    for (bite = 1; bite < 60; bite++) {
        part.sent = 0;
        out_size = 0;
        drain(bite);
        assert_string_equal(out, whole);
    }
}

static void the_largest_numbers_fit(void **state)
{
    kc_frame_t *frame = frame_of(KC_FRAME_STATE, "{}");
    struct iovec vec[3];

    frame->cam = UINT32_MAX;
    frame->seq = UINT64_MAX;
    frame->offset = INT64_MIN;
    frame->captured = INT64_MIN;
    kc_mjpeg_wall(&part, frame);
    assert_int_equal(kc_mjpeg_vec(&part, vec, 1000), 3);
    assert_true(part.head_size < KC_MJPEG_HEAD_MAX - 20);
    assert_memory_equal(part.head + part.head_size - 4, "\r\n\r\n", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_next_parts_headers_follow_each_plain_jpeg_at_once,
                                        empty_part, end_part),
        cmocka_unit_test_setup_teardown(the_meta_form_says_which_frame_it_is, empty_part, end_part),
        cmocka_unit_test_setup_teardown(a_wall_has_whole_parts_of_both_kinds, empty_part, end_part),
        cmocka_unit_test_setup_teardown(a_part_cut_anywhere_comes_out_the_same, empty_part,
                                        end_part),
        cmocka_unit_test_setup_teardown(the_largest_numbers_fit, empty_part, end_part),
    };

    apr_initialize();
    atexit(apr_terminate);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
