#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include "rtsp.h"

static const struct rtsp_channels channels = { 1, 0, 1, 96 };
static const struct rtsp_channels no_channels = { 0 };

/* What the bytes consist of: F frame, M answer or request, R rubbish, and their sizes. */
static void expect(const char *bytes, size_t size, const struct rtsp_channels *wanted_channels,
                   const char *wanted)
{
    struct rtsp_piece piece;
    char out[400] = "";
    size_t at = 0, part;

    while (rtsp_next(&piece, (const uint8_t *)bytes + at, size - at, wanted_channels)) {
        sprintf(out + strlen(out), "%c%zu ", "-FMBR"[piece.kind], piece.size);
        at += piece.size;
    }
    assert_string_equal(out, wanted);
    for (part = 0; part < size; part++) { /* never more than there is */
        rtsp_next(&piece, (const uint8_t *)bytes, part, wanted_channels);
        assert_true(piece.size <= part);
    }
}

#define EXPECT(bytes, wanted) expect(bytes, sizeof(bytes) - 1, &channels, wanted)

#define FRAME "$\0\0\x0E\x80\x60" "0123456789ab"
#define OK    "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"

static void frames_and_answers_take_turns(void **state)
{
    EXPECT(FRAME FRAME OK FRAME "$\1\0\x08\x80\xC8" "012345", "F18 F18 M28 F18 F12 ");
    EXPECT(OK "\r\n\r\n" FRAME, "M28 B4 F18 ");
    EXPECT(FRAME "$\0\0", "F18 ");
    EXPECT("RTSP/1.0 200 OK\nContent-Length: 3\n\nabcOPTIONS * RTSP/1.0\r\n\r\n", "M38 M22 ");
}

static void a_channel_that_nobody_asked_for_is_a_frame_all_the_same(void **state)
{
    EXPECT("$\7\0\x04\x80\x60" "ab" FRAME, "F8 F18 ");
}

static void behind_rubbish_the_next_frame_is_found(void **state)
{
    EXPECT(FRAME "garbage $$\0\1" FRAME FRAME, "F18 R12 F18 F18 ");
    EXPECT(FRAME "$\0\0\x08" "no rtp" FRAME, "F18 R10 F18 ");
    EXPECT("garbage" OK, "R7 M28 ");
    expect("abcRTSP/1.0 200 OK\r\n\r\n", 22, &no_channels, "R3 M19 ");
}

static struct rtsp_message message(const char *text)
{
    struct rtsp_piece piece;

    assert_int_equal(rtsp_next(&piece, (const uint8_t *)text, strlen(text), &no_channels),
                     RTSP_MESSAGE);
    return piece.message;
}

static void an_answer_has_its_code_and_the_cameras_own_words(void **state)
{
    struct rtsp_message answer = message("RTSP/1.0 453  Not Enough Bandwidth \r\nCSeq: 3\r\n\r\n");

    assert_int_equal(answer.status, 453);
    assert_string_equal(answer.reason, "Not Enough Bandwidth");
    assert_int_equal(rtsp_number(&answer, "cseq"), 3);
    assert_int_equal(message("RTSP/1.0 200\r\n\r\n").status, 200);
    assert_int_equal(message("RTSP/1.0\r\n\r\n").status, 999);
    assert_string_equal(message("GET_PARAMETER rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n").method,
                        "GET_PARAMETER");
}

static void fields_are_found_by_name_and_number(void **state)
{
    struct rtsp_message answer = message("RTSP/1.0 401 No\r\nWWW-Authenticate : one\r\n"
                                         "X-WWW-Authenticate: no\r\nwww-authenticate:two\r\n\r\n");
    char value[8];

    assert_int_equal(rtsp_field(&answer, "WWW-Authenticate", 0, value, sizeof(value)), 0);
    assert_string_equal(value, "one");
    assert_int_equal(rtsp_field(&answer, "WWW-Authenticate", 1, value, sizeof(value)), 0);
    assert_string_equal(value, "two");
    assert_int_equal(rtsp_field(&answer, "WWW-Authenticate", 2, value, sizeof(value)), -1);
    assert_int_equal(rtsp_field(&answer, "Content-Length", 0, value, sizeof(value)), -1);
    assert_int_equal(rtsp_field(&answer, "WWW-Authenticate", 0, value, 2), -1);
}

static void what_never_ends_or_is_too_long_is_rubbish(void **state)
{
    static char text[RTSP_HEAD_MAX + 10];
    struct rtsp_piece piece;

    memset(text, 'x', sizeof(text));
    memcpy(text, "RTSP/1.0 200 OK\r\n", 17);
    assert_int_equal(rtsp_next(&piece, (uint8_t *)text, 1000, &no_channels), RTSP_MORE);
    assert_int_equal(rtsp_next(&piece, (uint8_t *)text, sizeof(text), &no_channels), RTSP_RUBBISH);
    strcpy(text, "RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n");
    assert_int_equal(rtsp_next(&piece, (uint8_t *)text, strlen(text), &no_channels), RTSP_RUBBISH);
}

static void a_transport_is_read(void **state)
{
    struct rtsp_transport transport;

    rtsp_transport_parse(&transport, "RTP/AVP/TCP;unicast;interleaved=8-9;ssrc=12");
    assert_true(transport.tcp && transport.has_channels);
    assert_true(transport.rtp == 8 && transport.rtcp == 9);
    rtsp_transport_parse(&transport, "RTP/AVP;unicast; client_port=5000-5001;"
                                     "server_port=6000;source=10.0.0.1");
    assert_true(!transport.tcp && transport.client_port == 5000 && transport.server_port == 6000 &&
                transport.server_rtcp == 6001);
    assert_string_equal(transport.source, "10.0.0.1");
    rtsp_transport_parse(&transport,
                         "RTP/AVP;multicast;destination=239.0.0.1;port=7000-7001;ttl=16");
    assert_true(transport.multicast && transport.port == 7000 && transport.port_rtcp == 7001);
    assert_string_equal(transport.destination, "239.0.0.1");
    rtsp_transport_parse(&transport, "RTP/AVP/TCP;interleaved=300-301;client_port=99999");
    assert_true(!transport.has_channels && !transport.client_port);
    rtsp_transport_parse(&transport, "");
    assert_false(transport.tcp);
}

static void a_session_and_its_timeout_are_read(void **state)
{
    char id[8];
    unsigned timeout_s;

    rtsp_session_parse(id, sizeof(id), &timeout_s, "abc ; timeout=4");
    assert_string_equal(id, "abc");
    assert_int_equal(timeout_s, 4);
    rtsp_session_parse(id, sizeof(id), &timeout_s, "abc;timeout=0");
    assert_int_equal(timeout_s, 60);
    rtsp_session_parse(id, sizeof(id), &timeout_s, "abcdefghijkl");
    assert_string_equal(id, "abcdefg");
}

static void what_a_camera_offers_is_a_list(void **state)
{
    assert_true(rtsp_offers("OPTIONS, DESCRIBE,GET_PARAMETER", "GET_PARAMETER"));
    assert_false(rtsp_offers("OPTIONS, SET_PARAMETER", "PARAMETER"));
    assert_false(rtsp_offers("", "OPTIONS"));
}

static void joined(const char *base, const char *control, const char *wanted)
{
    char url[100];

    assert_int_equal(rtsp_join(url, sizeof(url), base, control), 0);
    assert_string_equal(url, wanted);
}

static void a_control_is_put_behind_its_base(void **state)
{
    char url[10];

    joined("rtsp://h/x", "trackID=1", "rtsp://h/x/trackID=1");
    joined("rtsp://h/x/", "trackID=1", "rtsp://h/x/trackID=1");
    joined("rtsp://h/x", "/trackID=1", "rtsp://h/x/trackID=1");
    joined("rtsp://h/x/", "/trackID=1", "rtsp://h/x/trackID=1");
    joined("rtsp://h/x?a=b", "track1", "rtsp://h/x?a=b/track1");
    joined("rtsp://h/x", "?ctype=video", "rtsp://h/x?ctype=video");
    joined("rtsp://h/x", "", "rtsp://h/x");
    joined("rtsp://h/x", "*", "rtsp://h/x");
    joined("rtsp://h/x", "RTSP://10.0.0.1/y", "RTSP://10.0.0.1/y");
    assert_int_equal(rtsp_join(url, sizeof(url), "rtsp://h/x", "track"), -1);
}

static void a_base_is_cleaned_of_what_cameras_put_in(void **state)
{
    char url[64];

    assert_int_equal(rtsp_clean(url, sizeof(url), "rtsp://rtsp://h/x"), 0);
    assert_string_equal(url, "rtsp://h/x");
    assert_int_equal(rtsp_clean(url, sizeof(url), "rtsp://user:secret@h:1/x@y"), 0);
    assert_string_equal(url, "rtsp://h:1/x@y");
    assert_int_equal(rtsp_clean(url, sizeof(url), "192.168.0.1/x"), -1);
    assert_int_equal(rtsp_clean(url, sizeof(url), "rtsp:///x"), -1);
    assert_int_equal(rtsp_clean(url, sizeof(url), "http://h/x"), -1);
    assert_int_equal(rtsp_clean(url, sizeof(url), "rtsp://h/x\r\nX: y"), -1);
}

static void a_request_is_written(void **state)
{
    struct rtsp_request request = { .method = "PLAY", .url = "rtsp://h/x", .cseq = 7 };
    char text[300];

    assert_true(rtsp_format(text, sizeof(text), &request) > 0);
    assert_non_null(strstr(text, "PLAY rtsp://h/x RTSP/1.0\r\nCSeq: 7\r\nUser-Agent: kafkacam/"));
    request.session = "abc";
    request.authorization = "Basic x";
    request.more = "Range: npt=0.000-\r\n";
    assert_true(rtsp_format(text, sizeof(text), &request) > 0);
    assert_non_null(strstr(text, "\r\nSession: abc\r\nAuthorization: Basic x\r\n"
                                 "Range: npt=0.000-\r\n\r\n"));
    assert_int_equal(rtsp_format(text, 50, &request), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_and_answers_take_turns),
        cmocka_unit_test(a_channel_that_nobody_asked_for_is_a_frame_all_the_same),
        cmocka_unit_test(behind_rubbish_the_next_frame_is_found),
        cmocka_unit_test(an_answer_has_its_code_and_the_cameras_own_words),
        cmocka_unit_test(fields_are_found_by_name_and_number),
        cmocka_unit_test(what_never_ends_or_is_too_long_is_rubbish),
        cmocka_unit_test(a_transport_is_read),
        cmocka_unit_test(a_session_and_its_timeout_are_read),
        cmocka_unit_test(what_a_camera_offers_is_a_list),
        cmocka_unit_test(a_control_is_put_behind_its_base),
        cmocka_unit_test(a_base_is_cleaned_of_what_cameras_put_in),
        cmocka_unit_test(a_request_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
