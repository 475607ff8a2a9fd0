#include "unit.h"
#include <stdio.h>
#include "rtp.h"

static struct rtp_packet made(uint16_t sequence, int64_t arrival_us)
{
    static const uint8_t bytes[] = { 1, 2, 3 };
    struct rtp_packet packet = { .payload = bytes, .size = sizeof(bytes), .sequence = sequence,
                                 .ssrc = 7, .arrival_us = arrival_us };

    return packet;
}

/* Send a packet into the line and write what comes out: "5 6 8-1" is 5, 6, and 8 with one lost. */
static void feed(struct rtp_line *line, char *out, struct rtp_packet packet, int64_t now_us)
{
    int rc = rtp_line_take(line, &packet);

    while (rc || rtp_line_next(line, &packet, now_us)) {
        rc = 0;
        out += strlen(out);
        assert_int_equal(packet.payload[2], 3);
        if (packet.lost) {
            sprintf(out, "%u-%u ", packet.sequence, packet.lost);
        }
        else {
            sprintf(out, "%u ", packet.sequence);
        }
    }
}

static void expect(int64_t patience_us, const int *sequences, const char *wanted)
{
    struct rtp_line *line = rtp_line_open(90000, patience_us);
    char out[400] = "";

    for (; *sequences >= 0; sequences++) {
        feed(line, out, made((uint16_t)*sequences, 0), 0);
    }
    assert_string_equal(out, wanted);
    rtp_line_close(line);
}

#define EXPECT(patience_us, wanted, ...)                                                           \
    expect(patience_us, (const int[]){ __VA_ARGS__, -1 }, wanted)

static void the_header_is_read_with_all_that_may_be_in_it(void **state)
{
    const uint8_t plain[] = { 0x80, 0xE0, 1, 2, 0, 0, 1, 0, 0, 0, 0, 9, 0x41, 0x42 };
    const uint8_t full[] = { 0xB1, 96,  0, 1, 0, 0, 0, 1, 0, 0, 0, 2,    0, 0, 0, 3,
                             0xFF, 0xD8, 0, 1, 9, 9, 9, 9, 5, 6, 0, 2 };
    const uint8_t no_padding[] = { 0xA0, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 1, 200 };
    struct rtp_packet packet;
    size_t size;

    assert_int_equal(rtp_parse(&packet, plain, sizeof(plain)), 0);
    assert_true(packet.marker && packet.type == 96 && packet.sequence == 258 &&
                packet.stamp == 256 && packet.ssrc == 9 && packet.size == 2);
    assert_int_equal(rtp_parse(&packet, full, sizeof(full)), 0);
    assert_true(packet.size == 2 && packet.payload[0] == 5 && packet.extension_kind == 0xFFD8 &&
                packet.extension_size == 4);
    assert_int_equal(rtp_parse(&packet, no_padding, sizeof(no_padding)), 0);
    assert_int_equal(packet.size, 2);
    for (size = 0; size < 24; size++) {
        rtp_parse(&packet, full, size);
        assert_int_equal(rtp_parse(&packet, plain, size < 12 ? size : 11), -1);
    }
}

static void packets_in_order_go_through(void **state)
{
    EXPECT(0, "65534 65535 0 1 ", 65534, 65535, 0, 1);
    EXPECT(RTP_PATIENCE_US, "65534 65535 0 1 ", 65534, 65535, 0, 1);
}

static void a_gap_over_tcp_is_a_loss_at_once(void **state)
{
    EXPECT(0, "1 2 5-2 6 ", 1, 2, 5, 6);
}

static void repeats_are_dropped(void **state)
{
    EXPECT(0, "1 2 3 ", 1, 1, 2, 1, 2, 3);
    EXPECT(RTP_PATIENCE_US, "1 2 3 4 ", 1, 3, 3, 2, 2, 3, 4);
}

static void over_udp_what_overtakes_waits(void **state)
{
    EXPECT(RTP_PATIENCE_US, "1 2 3 4 5 ", 1, 4, 3, 2, 5);
    EXPECT(RTP_PATIENCE_US, "65535 0 1 ", 65535, 1, 0);
}

static void a_wait_is_over_after_50_ms(void **state)
{
    struct rtp_line *line = rtp_line_open(90000, RTP_PATIENCE_US);
    char out[200] = "";

    feed(line, out, made(1, 0), 0);
    assert_int_equal(rtp_line_due_us(line), INT64_MAX);
    feed(line, out, made(4, 1000), 1000);
    feed(line, out, made(5, 2000), 2000);
    assert_string_equal(out, "1 ");
    assert_int_equal(rtp_line_due_us(line), 51000);
    feed(line, out, made(7, 51000), 51000);
    assert_string_equal(out, "1 4-2 5 ");
    feed(line, out, made(6, 52000), 52000);
    assert_string_equal(out, "1 4-2 5 6 7 ");
    assert_int_equal(rtp_line_counts(line).lost, 2);
    rtp_line_close(line);
}

static void a_sender_that_counts_anew_is_followed_and_loses_no_packet(void **state)
{
    EXPECT(0, "1 2 30000-1 30001 30002 ", 1, 2, 30000, 30001, 30002);
    EXPECT(RTP_PATIENCE_US, "40000 40001 3-1 4 5 ", 40000, 40001, 3, 4, 5);
    EXPECT(0, "1 2 3 ", 1, 30000, 2, 50000, 3); /* single strays are not */
}

static void another_ssrc_is_followed_once_it_stays(void **state)
{
    struct rtp_line *line = rtp_line_open(90000, 0);
    struct rtp_packet packet;
    char out[200] = "";
    uint16_t i;

    feed(line, out, made(1, 0), 0);
    for (i = 100; i < 103; i++) {
        packet = made(i, 0);
        packet.ssrc = 8;
        feed(line, out, packet, 0);
    }
    assert_string_equal(out, "1 100-1 101 102 ");
    assert_true(rtp_line_is(line, 8));
    rtp_line_close(line);
}

static void sender_reports_and_byes_are_read(void **state)
{
    const uint8_t compound[] = {
        0x80, 200, 0, 6, 0, 0, 0, 7, 0x83, 0xAA, 0x7E, 0x81, 0x80, 0, 0, 0, 0, 0, 0x12, 0x34, 0, 0,
        0,    0,   0, 0, 0, 0, 0x81, 203, 0, 1, 0, 0, 0, 7
    };
    uint8_t later[sizeof(compound)];
    struct rtcp_news news;
    size_t size;

    assert_int_equal(rtcp_parse(&news, compound, sizeof(compound)), 0);
    assert_true(news.has_report && news.ssrc == 7 && news.stamp == 0x1234 && news.has_bye);
    assert_int_equal(news.sender_us, 1500000);
    for (size = 0; size < sizeof(compound); size++) {
        rtcp_parse(&news, compound, size);
    }
    /* After February 2036 the seconds begin anew. */
    memcpy(later, compound, sizeof(compound));
    memset(later + 8, 0, 3);
    later[11] = 1;
    rtcp_parse(&news, later, sizeof(later));
    assert_int_equal(news.sender_us / 1000000, INT64_C(4294967297) - INT64_C(2208988800));
    memset(later + 8, 0, 8); /* a camera without a clock */
    rtcp_parse(&news, later, sizeof(later));
    assert_false(news.has_report);
}

static void the_receivers_report_tells_the_loss(void **state)
{
    struct rtp_line *line = rtp_line_open(90000, 0);
    const uint8_t report[] = { 0x80, 200, 0, 6, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8,
                               0,    0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    uint8_t bytes[RTCP_MAX];
    char out[200] = "";
    size_t size;

    size = rtp_line_report(line, bytes, 99, 0);
    assert_true(size == 8 + 20 && bytes[0] == 0x80 && bytes[1] == 201);
    feed(line, out, made(10, 0), 0);
    feed(line, out, made(13, 0), 0);
    rtp_line_reported(line, report, sizeof(report), 1000000);
    size = rtp_line_report(line, bytes, 99, 2000000);
    assert_int_equal(size, 52);
    assert_int_equal(bytes[0], 0x81);
    assert_int_equal(bytes[11], 7);    /* about whom */
    assert_int_equal(bytes[12], 128);  /* half of it lost */
    assert_int_equal(bytes[15], 2);
    assert_int_equal(bytes[19], 13);   /* the highest number */
    assert_int_equal(bytes[24], 3);    /* the middle of the report's time */
    assert_int_equal(bytes[29], 1);    /* 65536: a second ago */
    rtp_line_close(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_is_read_with_all_that_may_be_in_it),
        cmocka_unit_test(packets_in_order_go_through),
        cmocka_unit_test(a_gap_over_tcp_is_a_loss_at_once),
        cmocka_unit_test(repeats_are_dropped),
        cmocka_unit_test(over_udp_what_overtakes_waits),
        cmocka_unit_test(a_wait_is_over_after_50_ms),
        cmocka_unit_test(a_sender_that_counts_anew_is_followed_and_loses_no_packet),
        cmocka_unit_test(another_ssrc_is_followed_once_it_stays),
        cmocka_unit_test(sender_reports_and_byes_are_read),
        cmocka_unit_test(the_receivers_report_tells_the_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
