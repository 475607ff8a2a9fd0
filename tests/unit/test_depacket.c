#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include "depacket.h"

static struct depacket *depacket;
static struct sdp sdp;
static char story[4000];
static unsigned lost;
static struct depacket_unit last; /* with a copy of its bytes */
static uint8_t last_data[1000];

/* What came out, one letter a fact: size, K key, r no reference, L lost, D damaged. */
static void tell(void)
{
    const struct depacket_unit *unit = depacket_unit(depacket);
    size_t used = strlen(story);

    last = *unit;
    memcpy(last_data, unit->data, unit->size < sizeof(last_data) ? unit->size : sizeof(last_data));
    snprintf(story + used, sizeof(story) - used, "%zu%s%s%s%s ", unit->size, unit->key ? "K" : "",
             unit->reference ? "" : "r", unit->lost ? "L" : "", unit->damaged ? "D" : "");
}

static void push(const void *bytes, size_t size, uint32_t stamp, int marker)
{
    struct rtp_packet packet = {
        .payload = bytes, .size = size, .stamp = stamp, .marker = marker, .lost = lost
    };
    enum depacket_result result;

    lost = 0;
    do {
        result = depacket_push(depacket, &packet);
        if (result != DEPACKET_MORE) {
            tell();
        }
    } while (result == DEPACKET_AGAIN);
}

#define PUSH(text, stamp, marker) push(text, sizeof(text) - 1, stamp, marker)

static void start(enum sdp_codec codec)
{
    sdp.codec = codec;
    depacket_close(depacket);
    depacket = depacket_open(&sdp);
    story[0] = '\0';
    lost = 0;
}

static void told(const char *wanted)
{
    assert_string_equal(story, wanted);
    story[0] = '\0';
}

#define SPS   "\x67SPS"
#define PPS   "\x68PP"
#define IDR   "\x65\x80K"
#define IDR2  "\x65\x40k"
#define SLICE "\x41\x80P"
#define MORE  "\x41\x40p"

/* So that the marker is believed. */
static void believe(void)
{
    uint32_t i;

    for (i = 1; i <= 6; i++) {
        PUSH(SLICE, i, 1);
    }
    assert_true(depacket_believes(depacket));
    story[0] = '\0';
}

static void a_picture_is_out_with_its_last_packet_once_the_marker_is_believed(void **state)
{
    start(SDP_H264);
    PUSH(SPS, 1, 0);
    PUSH(PPS, 1, 0);
    PUSH(IDR, 1, 1);
    told("");
    PUSH(SLICE, 2, 1);
    told("22K ");
    PUSH(SLICE, 3, 1);
    PUSH(SLICE, 4, 1);
    told("7 7 ");
    PUSH(SLICE, 5, 1); /* believed: this one comes with the one before */
    told("7 7 ");
    PUSH(SLICE, 6, 0);
    told("");
    PUSH(MORE, 6, 1);
    told("14 ");
}

static void a_camera_without_markers_or_with_one_on_each_slice_gives_whole_pictures(void **state)
{
    uint32_t i;
    int marker;

    for (marker = 0; marker < 2; marker++) {
        start(SDP_H264);
        for (i = 1; i < 12; i++) {
            PUSH(SLICE, i, marker);
            PUSH(MORE, i, marker);
        }
        told("14 14 14 14 14 14 14 14 14 14 ");
        assert_false(depacket_believes(depacket));
    }
}

static void a_marker_that_begins_to_lie_costs_one_picture_and_its_belief(void **state)
{
    start(SDP_H264);
    believe();
    PUSH(SLICE, 7, 1);
    told("7 ");
    PUSH(MORE, 7, 1); /* the picture was not over */
    PUSH(SLICE, 8, 1);
    PUSH(MORE, 8, 1);
    PUSH(SLICE, 9, 1);
    told("7LD 14 ");
    assert_false(depacket_believes(depacket));
}

static void a_clock_that_stands_still_ends_no_picture_and_joins_none(void **state)
{
    int i;

    start(SDP_H264);
    for (i = 0; i < 4; i++) {
        PUSH(SPS, 1000, 0);
        PUSH(IDR, 1000, 0);
        PUSH(IDR2, 1000, 0);
    }
    told("22K 22K 22K ");
}

static void a_clock_that_runs_within_a_picture_does_not_tear_it(void **state)
{
    start(SDP_H264);
    PUSH(IDR, 1, 0);
    PUSH(IDR2, 2, 0);
    PUSH(IDR2, 3, 1);
    PUSH(SLICE, 4, 1);
    told("21K ");
}

static void parameter_sets_with_the_time_stamp_before_go_with_their_picture(void **state)
{
    start(SDP_H264);
    PUSH(SLICE, 1, 1);
    PUSH(SPS, 1, 0);
    PUSH(PPS, 1, 0);
    PUSH(IDR, 2, 1);
    PUSH(SLICE, 3, 1);
    told("7 22K ");
}

static void units_that_share_a_packet_come_apart(void **state)
{
    start(SDP_H264);
    PUSH("\x78\0\4" SPS "\0\3" PPS "\0\3" IDR, 1, 1);
    PUSH("\x78\0\3" SLICE "\0\x09zz", 2, 1); /* says more than there is */
    PUSH(SLICE, 3, 1);
    told("22K 7D ");
    assert_memory_equal(last_data, "\0\0\0\1" SLICE, 7);
}

static void fragments_become_one(void **state)
{
    start(SDP_H264);
    PUSH("\x7C\x85\x80"
         "abc",
         1, 0);
    PUSH("\x7C\x05"
         "def",
         1, 0);
    PUSH("\x7C\x45"
         "g",
         1, 1);
    PUSH(SLICE, 2, 1);
    told("13K ");
    PUSH("\x5C\x01"
         "middle",
         3, 1); /* without a beginning */
    PUSH(SLICE, 4, 1);
    assert_non_null(strstr(story, "D"));
}

static void a_loss_within_a_picture_damages_that_one_alone(void **state)
{
    start(SDP_H264);
    believe();
    PUSH(SLICE, 7, 0);
    lost = 1;
    PUSH(MORE, 7, 1);
    PUSH(SLICE, 8, 1);
    told("14LD 7 ");
}

static void a_loss_before_a_whole_picture_is_told_but_harms_it_not(void **state)
{
    start(SDP_H264);
    believe();
    lost = 3;
    PUSH(IDR, 8, 1);
    told("7KL ");
    lost = 3;
    PUSH(IDR2, 9, 1); /* its first slice was among them */
    told("7KLD ");
}

static void a_lost_end_damages_the_picture_before(void **state)
{
    start(SDP_H264);
    believe();
    PUSH(SLICE, 7, 0);
    lost = 1;
    PUSH(IDR, 8, 1);
    told("7LD 7KL ");
}

static void joined_in_the_middle_nothing_is_counted(void **state)
{
    start(SDP_H264);
    PUSH(MORE, 1, 1);
    PUSH("\x5C\x41"
         "rest",
         1, 1);
    PUSH(SLICE, 2, 1);
    PUSH(SLICE, 3, 1);
    told("7 ");
}

static void key_and_reference_pictures_are_told(void **state)
{
    start(SDP_H264);
    believe();
    PUSH("\x01\x80", 7, 1);
    told("6r ");
    PUSH("\x06\x06\x01\x84\x80", 8, 0); /* a recovery point */
    PUSH(SLICE, 8, 1);
    told("16K ");
    PUSH("\x06\x05\x01\x06\x80", 9, 0); /* another message, with a 6 in it */
    PUSH(SLICE, 9, 1);
    told("16 ");
    start(SDP_H265);
    PUSH("\x40\1v", 1, 0);
    PUSH("\x42\1s", 1, 0);
    PUSH("\x26\1\x80k", 1, 1); /* IDR_W_RADL */
    PUSH("\2\1\x80p", 2, 1);   /* TRAIL_R */
    PUSH("\0\1\x80p", 3, 1);   /* TRAIL_N */
    PUSH("\x2A\1\x80p", 4, 1); /* CRA */
    PUSH("\2\1\x80p", 5, 1);
    told("22K 8 8r 8K 8 ");
}

static void h265_comes_in_packets_of_several_and_in_pieces(void **state)
{
    start(SDP_H265);
    PUSH("\x60\1\0\3\x40\1v\0\3\x42\1s\0\4\x26\1\x80k", 1, 0);
    PUSH("\x62\1\x93\x40"
         "abc",
         1, 0); /* a second slice, in three */
    PUSH("\x62\1\x13"
         "def",
         1, 0);
    PUSH("\x62\1\x53"
         "g",
         1, 1);
    PUSH("\2\1\x80p", 2, 1);
    told("36K ");
}

static void a_whole_picture_behind_its_parameter_sets_in_one_unit_is_seen(void **state)
{
    char bytes[120] = "\x67";

    start(SDP_H264);
    memset(bytes + 1, 'x', sizeof(bytes) - 1);
    memcpy(bytes + 90, "\0\0\0\1\x65\x80", 6);
    push(bytes, sizeof(bytes), 1, 1);
    push(bytes, sizeof(bytes), 2, 1);
    PUSH("\0\0\0\1" SLICE, 3, 1); /* with a start code of its own */
    PUSH(SLICE, 4, 1);
    told("124K 124K 7 ");
}

static void what_is_no_unit_is_damage(void **state)
{
    start(SDP_H264);
    believe();
    PUSH("\xE5\x80", 7, 0); /* the forbidden bit */
    PUSH(SLICE, 7, 1);
    PUSH("\x1A\0\0", 8, 0); /* MTAP */
    PUSH(SLICE, 8, 1);
    told("7D 7D ");
}

static void a_picture_without_end_is_bounded(void **state)
{
    static uint8_t piece[60000] = { 0x7C, 0x05 };
    int i;

    start(SDP_H264);
    believe();
    PUSH("\x7C\x85\x80", 7, 0);
    for (i = 0; i < 400; i++) {
        push(piece, sizeof(piece), 7, 0);
    }
    PUSH(SLICE, 8, 0);
    assert_true(last.damaged);
    assert_true(last.size <= DEPACKET_UNIT_MAX);
}

/* ---- JPEG --------------------------------------------------------------------------------- */

#define JPEG_HEAD(offset, type, q) "\0\0\0" offset type q "\x28\x16"
#define TABLES32                   "01234567890123456789012345678901"
#define TABLES64                   TABLES32 TABLES32

static void jpeg_gets_its_headers(void **state)
{
    const uint8_t *data;

    start(SDP_JPEG);
    PUSH(JPEG_HEAD("\0", "\1", "\x50") "abc", 1, 0);
    PUSH(JPEG_HEAD("\3", "\1", "\x50") "def", 1, 1);
    PUSH(JPEG_HEAD("\0", "\1", "\x50") "abc", 2, 1);
    data = last_data;
    assert_memory_equal(data, "\xFF\xD8\xFF\xDB\0\x43\0\6\4\5\6", 11); /* quality 80 */
    assert_memory_equal(data + last.size - 8, "abcdef\xFF\xD9", 8);
    told("601K ");
}

static void jpeg_tables_may_be_sent_once(void **state)
{
    start(SDP_JPEG);
    PUSH(JPEG_HEAD("\0", "\0", "\x90") "\0\0\0\x80" TABLES64 TABLES64 "abc", 1, 1);
    PUSH(JPEG_HEAD("\0", "\0", "\x90") "\0\0\0\0"
                                       "abc",
         2, 1);
    PUSH(JPEG_HEAD("\0", "\0", "\x91") "\0\0\0\0"
                                       "abc",
         3, 1); /* never sent */
    PUSH(JPEG_HEAD("\0", "\0", "\xFF") "\0\0\0\0"
                                       "abc",
         4, 1); /* 255: in each picture */
    PUSH(JPEG_HEAD("\0", "\0", "\x90") "\0\0\0\0"
                                       "abc",
         5, 1);
    told("598K 598K 5KD 5KD 598K ");
}

static void jpeg_restart_intervals_and_tables_of_16_bits_are_kept(void **state)
{
    const uint8_t *data;

    start(SDP_JPEG);
    PUSH(JPEG_HEAD("\0", "\x41", "\xFF") "\0\7\xFF\xFF\0\3\1\0" TABLES64 TABLES64 TABLES64 TABLES64
                                         "abc",
         1, 1);
    PUSH(JPEG_HEAD("\0", "\1", "\x50") "abc", 2, 1);
    data = last_data;
    assert_memory_equal(data + 2, "\xFF\xDB\0\x83\x10", 5);
    assert_memory_equal(data + 2 + 2 * 133, "\xFF\xDD\0\4\0\7\xFF\xC1", 8);
    told("732K ");
}

static void jpeg_sizes_above_2040_come_from_the_description_or_the_jpeg(void **state)
{
    static const uint8_t extended[] = { 0xFF, 0xC0, 0, 11,   8, 5, 0xA0, 0x0A,
                                        0,    1,    1, 0x11, 0, 0, 0,    0 };
    struct rtp_packet packet = { .payload = (const uint8_t *)"\0\0\0\0\1\x50\0\0abc",
                                 .size = 11,
                                 .stamp = 1,
                                 .marker = 1,
                                 .extension = extended,
                                 .extension_size = sizeof(extended),
                                 .extension_kind = 0xFFD8 };
    const uint8_t *data;

    sdp.width = 2560;
    sdp.height = 1440;
    start(SDP_JPEG);
    PUSH("\0\0\0\0\1\x50\0\0abc", 1, 1);
    PUSH("\0\0\0\0\1\x50\x40\xB4"
         "abc",
         2, 1); /* 320 * 8, cut to 8 bits */
    PUSH("\0\0\0\0\1\x50\x28\x16"
         "abc",
         3, 1); /* another size after all */
    PUSH("\0\0\0\0\1\x50\x28\x16"
         "abc",
         4, 1);
    told("598K 598K 598K ");
    sdp.width = sdp.height = 0;
    start(SDP_JPEG);
    assert_int_equal(depacket_push(depacket, &packet), DEPACKET_MORE);
    packet.stamp = 2;
    assert_int_equal(depacket_push(depacket, &packet), DEPACKET_AGAIN);
    tell();
    data = last_data + 2 + 2 * 69;
    assert_memory_equal(data, "\xFF\xC0\0\x11\x08\5\xA0\x0A\0", 9);
    assert_false(last.damaged);
    /* Nobody knows it. */
    start(SDP_JPEG);
    PUSH("\0\0\0\0\1\x50\0\0abc", 1, 1);
    PUSH("\0\0\0\0\1\x50\0\0abc", 2, 1);
    told("5KD ");
}

static void a_jpeg_with_headers_of_its_own_stays_as_it_is_but_for_padding(void **state)
{
    start(SDP_JPEG);
    PUSH("\0\0\0\0\1\x50\x28\x16\xFF\xD8\xFF\xE0"
         "abc\xFF\xD9\0\0\0\0",
         1, 1);
    PUSH("\0\0\0\0\1\x50\x28\x16\xFF\xD8\xFF\xE0"
         "abc",
         2, 1);
    told("9K ");
}

static void a_jpeg_with_a_hole_is_damaged(void **state)
{
    start(SDP_JPEG);
    PUSH(JPEG_HEAD("\0", "\1", "\x50") "abc", 1, 0);
    PUSH(JPEG_HEAD("\5", "\1", "\x50") "def", 1, 1);
    PUSH(JPEG_HEAD("\0", "\1", "\x50") "abc", 2, 1);
    assert_non_null(strstr(story, "KD"));
}

static void mpeg4_pictures_begin_where_their_code_stands(void **state)
{
    start(SDP_MPEG4);
    PUSH("\0\0\1\xB0\xF5\0\0\1\xB6\x10"
         "ab",
         1, 1);
    PUSH("\0\0\1\xB6\x50"
         "p",
         2, 0);
    PUSH("rest", 2, 1);
    PUSH("\0\0\1\xB3"
         "gov",
         3, 0);
    PUSH("\0\0\1\xB6\x10"
         "i",
         3, 1);
    PUSH("\0\0\1\xB6\x50"
         "p",
         4, 1);
    told("12K 10 13K ");
}

static void mpeg4_pictures_may_share_a_packet(void **state)
{
    start(SDP_MPEG4);
    PUSH("\0\0\1\xB0\xF5\0\0\1\xB6\x10"
         "ab"
         "\0\0\1\xB6\x50"
         "c"
         "\0\0\1\xB3"
         "g\0\0\1\xB6\x10"
         "d",
         1, 1);
    PUSH("\0\0\1\xB6\x50"
         "p",
         2, 1);
    told("12K 6 11K ");
}

static int finish(void **state)
{
    depacket_close(depacket);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_is_out_with_its_last_packet_once_the_marker_is_believed),
        cmocka_unit_test(a_camera_without_markers_or_with_one_on_each_slice_gives_whole_pictures),
        cmocka_unit_test(a_marker_that_begins_to_lie_costs_one_picture_and_its_belief),
        cmocka_unit_test(a_clock_that_stands_still_ends_no_picture_and_joins_none),
        cmocka_unit_test(a_clock_that_runs_within_a_picture_does_not_tear_it),
        cmocka_unit_test(parameter_sets_with_the_time_stamp_before_go_with_their_picture),
        cmocka_unit_test(units_that_share_a_packet_come_apart),
        cmocka_unit_test(fragments_become_one),
        cmocka_unit_test(a_loss_within_a_picture_damages_that_one_alone),
        cmocka_unit_test(a_loss_before_a_whole_picture_is_told_but_harms_it_not),
        cmocka_unit_test(a_lost_end_damages_the_picture_before),
        cmocka_unit_test(joined_in_the_middle_nothing_is_counted),
        cmocka_unit_test(key_and_reference_pictures_are_told),
        cmocka_unit_test(h265_comes_in_packets_of_several_and_in_pieces),
        cmocka_unit_test(a_whole_picture_behind_its_parameter_sets_in_one_unit_is_seen),
        cmocka_unit_test(what_is_no_unit_is_damage),
        cmocka_unit_test(a_picture_without_end_is_bounded),
        cmocka_unit_test(jpeg_gets_its_headers),
        cmocka_unit_test(jpeg_tables_may_be_sent_once),
        cmocka_unit_test(jpeg_restart_intervals_and_tables_of_16_bits_are_kept),
        cmocka_unit_test(jpeg_sizes_above_2040_come_from_the_description_or_the_jpeg),
        cmocka_unit_test(a_jpeg_with_headers_of_its_own_stays_as_it_is_but_for_padding),
        cmocka_unit_test(a_jpeg_with_a_hole_is_damaged),
        cmocka_unit_test(mpeg4_pictures_begin_where_their_code_stands),
        cmocka_unit_test(mpeg4_pictures_may_share_a_packet),
    };

    return cmocka_run_group_tests(tests, NULL, finish);
}
