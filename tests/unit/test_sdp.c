#include "unit.h"
#include <stdio.h>
#include "sdp.h"

static struct sdp parsed(const char *text)
{
    struct sdp sdp;

    sdp_parse(&sdp, text, strlen(text));
    return sdp;
}

#define H264 "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"

static void three_lines_are_enough(void **state)
{
    struct sdp sdp = parsed("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000 \na=control:track1");

    assert_true(sdp.codec == SDP_H264 && sdp.payload == 96 && sdp.clock_hz == 90000);
    assert_string_equal(sdp.control, "track1");
    assert_string_equal(sdp.session_control, "");
}

static void the_first_track_that_can_be_played_counts(void **state)
{
    struct sdp sdp = parsed("v=0\r\na=control:*\r\nc=IN IP4 239.1.1.1/127\r\n"
                            "m=audio 0 RTP/AVP 0\r\na=control:audio\r\n"
                            "m=application 0 RTP/AVP 107\r\n"
                            "a=rtpmap:107 vnd.onvif.metadata/90000\r\n"
                            "m=video 0 RTP/AVP 35\r\na=rtpmap:97 H264/90000\r\n"
                            "m=video 0 RTP/AVP 98\r\na=rtpmap:98 VP8/90000\r\na=control:vp8\r\n"
                            "m=video 5004 RTP/AVP 26\r\na=x-dimensions:2560,1440\r\n"
                            "a=control:jpeg\r\n"
                            "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
                            "a=control:second\r\n");

    assert_true(sdp.codec == SDP_JPEG && sdp.payload == 26 && sdp.port == 5004);
    assert_true(sdp.width == 2560 && sdp.height == 1440);
    assert_string_equal(sdp.control, "jpeg");
    assert_string_equal(sdp.session_control, "*");
    assert_string_equal(sdp.address, "239.1.1.1");
}

static void what_cannot_be_played_is_named(void **state)
{
    struct sdp sdp = parsed("m=video 0 RTP/AVP 98\r\na=rtpmap:98 VP8/90000\r\n"
                            "m=video 0 RTP/AVP 34\r\n");

    assert_int_equal(sdp.codec, SDP_NONE);
    assert_string_equal(sdp.others, "VP8, payload type 34");
    assert_int_equal(parsed("m=audio 0 RTP/AVP 0\r\n").tracks, 1);
    assert_int_equal(parsed("").tracks, 0);
    assert_int_equal(parsed("<html>").codec, SDP_NONE);
}

static void parameter_sets_become_annex_b(void **state)
{
    struct sdp sdp = parsed(H264 "a=fmtp:96 packetization-mode=1; "
                                 "sprop-parameter-sets=\"Z0LAHg==, aM4=\" ;x=y\r\n");

    assert_memory_equal(sdp.parameters, "\0\0\0\1\x67\x42\xC0\x1E\0\0\0\1\x68\xCE", 14);
    assert_int_equal(sdp.parameters_size, 14);
    sdp = parsed("m=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\n"
                 "a=fmtp:96 sprop-vps=QAE=;sprop-sps=QgE=;sprop-pps=RAE=\r\n");
    assert_memory_equal(sdp.parameters, "\0\0\0\1\x40\1\0\0\0\1\x42\1\0\0\0\1\x44\1", 18);
    sdp = parsed("m=video 0 RTP/AVP 96\r\na=rtpmap:96 MP4V-ES/90000\r\n"
                 "a=fmtp:96 config=000001B0f5\r\n");
    assert_memory_equal(sdp.parameters, "\0\0\1\xB0\xF5", 5);
}

static void parameter_sets_may_be_missing_empty_or_rubbish(void **state)
{
    assert_int_equal(parsed(H264).parameters_size, 0);
    assert_int_equal(parsed(H264 "a=fmtp:96 sprop-parameter-sets=\r\n").parameters_size, 0);
    assert_int_equal(parsed(H264 "a=fmtp:96 sprop-parameter-sets=,\r\n").parameters_size, 0);
    assert_int_equal(parsed(H264 "a=fmtp:96 sprop-parameter-sets=%%%,??\r\n").parameters_size, 0);
    assert_int_equal(parsed(H264 "a=fmtp:97 sprop-parameter-sets=Z0LAHg==\r\n").parameters_size, 0);
}

static void modes_that_come_out_of_order_are_seen(void **state)
{
    assert_true(parsed(H264 "a=fmtp:96 packetization-mode=2\r\n").interleaved);
    assert_false(parsed(H264 "a=fmtp:96 packetization-mode=1\r\n").interleaved);
}

static void a_frame_size_and_an_odd_address_are_read(void **state)
{
    struct sdp sdp = parsed("c=IN\r\n" H264 "a=framesize:96 1920-1080\r\nc=IN IP6 ::1\r\n");

    assert_true(sdp.width == 1920 && sdp.height == 1080);
    assert_string_equal(sdp.address, "::1");
    assert_string_equal(parsed("c=IN\r\n" H264).address, "");
}

static void everything_has_a_limit(void **state)
{
    char text[20000];
    struct sdp sdp;
    size_t used = 0;
    int i;

    for (i = 0; i < 100; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "m=audio 0 RTP/AVP 0\r\n");
    }
    snprintf(text + used, sizeof(text) - used, H264);
    sdp_parse(&sdp, text, strlen(text));
    assert_int_equal(sdp.codec, SDP_NONE);
    memset(text, 'A', sizeof(text));
    memcpy(text, H264 "a=fmtp:96 sprop-parameter-sets=", strlen(H264) + 31);
    sdp_parse(&sdp, text, sizeof(text));
    assert_true(sdp.codec == SDP_H264 && sdp.parameters_size <= SDP_PARAMETERS_MAX);
}

static void base64_is_read_to_its_end(void **state)
{
    uint8_t out[4];

    assert_int_equal(sdp_base64(out, sizeof(out), "QUJD", 4), 3);
    assert_memory_equal(out, "ABC", 3);
    assert_int_equal(sdp_base64(out, sizeof(out), "QUJDRA==", 8), 4);
    assert_int_equal(sdp_base64(out, sizeof(out), "QU JD", 5), 3);
    assert_int_equal(sdp_base64(out, sizeof(out), "QUJDREU=", 8), 0); /* no room */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_lines_are_enough),
        cmocka_unit_test(the_first_track_that_can_be_played_counts),
        cmocka_unit_test(what_cannot_be_played_is_named),
        cmocka_unit_test(parameter_sets_become_annex_b),
        cmocka_unit_test(parameter_sets_may_be_missing_empty_or_rubbish),
        cmocka_unit_test(modes_that_come_out_of_order_are_seen),
        cmocka_unit_test(a_frame_size_and_an_odd_address_are_read),
        cmocka_unit_test(everything_has_a_limit),
        cmocka_unit_test(base64_is_read_to_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
