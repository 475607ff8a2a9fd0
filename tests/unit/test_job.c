#include "unit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "job.h"

static int pair[2];

static int open_pair(void **state)
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int close_pair(void **state)
{
    close(pair[0]);
    if (pair[1] >= 0) {
        close(pair[1]);
    }
    return 0;
}

static struct job example(void)
{
    static struct job_setting settings[] = {
        { "bootstrap.servers", "one:9092,two:9092" },
        { "sasl.password", "p\"w\\" },
    };
    struct job job = {
        .cam = 3,
        .name = "Gate \"north\"",
        .url = "rtsp://user:p@ss:w/rd@host/path",
        .settings.transport = SETTINGS_AUTO,
        .settings.fps = 12.5,
        .settings.width = 640,
        .settings.quality = 80,
        .settings.timeout_ms = 10000,
        .report_interval_ms = 5000,
        .epoch_ms = 1790000000123,
        .settings.max_frame_bytes = 4000000,
        .settings.tls_verify = 1,
        .topic = "video",
        .kafka = settings,
        .kafka_count = 2,
        .log_level = LOG_LEVEL_DEBUG,
    };

    return job;
}

static void a_job_arrives_as_it_was_sent(void **state)
{
    struct job job = example();
    struct job back;

    assert_int_equal(job_send(pair[0], &job), 0);
    assert_int_equal(job_receive(pair[1], &back, 1000), 0);
    assert_int_equal(back.cam, 3);
    assert_string_equal(back.name, job.name);
    assert_string_equal(back.url, job.url);
    assert_int_equal(back.settings.transport, SETTINGS_AUTO);
    assert_true(back.settings.fps == 12.5);
    assert_int_equal(back.settings.width, 640);
    assert_true(back.epoch_ms == job.epoch_ms);
    assert_int_equal(back.settings.max_frame_bytes, 4000000);
    assert_string_equal(back.settings.tls_ca, "");
    assert_null(back.small_topic);
    assert_int_equal(back.kafka_count, 2);
    assert_string_equal(back.kafka[1].name, "sasl.password");
    assert_string_equal(back.kafka[1].value, "p\"w\\");
    assert_int_equal(back.log_level, LOG_LEVEL_DEBUG);
    job_clear(&back);
    job_clear(&back);
}

static void a_report_arrives_as_it_was_sent(void **state)
{
    struct job_report report = { .state = KC_WIRE_FAILED,
                                 .fps_in = 25,
                                 .width = 1280,
                                 .frames = 1000000,
                                 .decode_ms = 1.25,
                                 .encode_ms = NAN };
    struct job_report back;

    strcpy(report.why, "401 Unauthorized, caf\xe9");
    assert_int_equal(job_report_send(pair[1], &report), 0);
    assert_int_equal(job_report_receive(pair[0], &back), 0);
    assert_int_equal(back.state, KC_WIRE_FAILED);
    assert_string_equal(back.why, "401 Unauthorized, caf?");
    assert_true(back.fps_in == 25 && back.decode_ms == 1.25 && back.encode_ms == 0);
    assert_int_equal(back.frames, 1000000);
}

static void the_end_of_the_other_process_is_seen(void **state)
{
    struct job job = example();
    struct job_report report = { 0 };

    close(pair[1]);
    pair[1] = -1;
    assert_int_equal(job_report_receive(pair[0], &report), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(job_send(pair[0], &job), -1);
    assert_int_equal(errno, EPIPE);
}

static void nobody_waits_longer_than_asked(void **state)
{
    struct job_report report = { 0 };
    struct job job;
    int i;

    assert_int_equal(job_receive(pair[1], &job, 1), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(job_report_receive(pair[0], &report), -1);
    assert_int_equal(errno, EAGAIN);
    for (i = 0; i < 100000 && !job_report_send(pair[1], &report); i++) {
    }
    assert_true(i < 100000);
    assert_int_equal(errno, EAGAIN);
}

static void a_packet_that_is_no_report_is_refused(void **state)
{
    static const char *const wrong[] = {
        "x",
        "{}",
        "[]",
        "null",
        "{\"state\":2}",
        "{\"why\":\"\"}",
        "{\"state\":9,\"why\":\"\",\"fps_in\":0,\"fps_out\":0,\"width\":0,\"height\":0,"
        "\"bytes_per_s\":0,\"frames\":0,\"dropped\":0,\"decode_ms\":0,\"encode_ms\":0}",
        "{\"state\":-1,\"why\":\"\",\"fps_in\":0,\"fps_out\":0,\"width\":0,\"height\":0,"
        "\"bytes_per_s\":0,\"frames\":0,\"dropped\":0,\"decode_ms\":0,\"encode_ms\":0}",
        "{\"state\":1,\"why\":\"a\\u0000b\",\"fps_in\":0,\"fps_out\":0,\"width\":0,\"height\":0,"
        "\"bytes_per_s\":0,\"frames\":0,\"dropped\":0,\"decode_ms\":0,\"encode_ms\":0}",
        "{\"state\":1,\"why\":\"\",\"fps_in\":1e99,\"fps_out\":0,\"width\":0,\"height\":0,"
        "\"bytes_per_s\":0,\"frames\":0,\"dropped\":0,\"decode_ms\":0,\"encode_ms\":0}",
    };
    struct job_report report = { .frames = 7 };
    size_t i;

    for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_true(send(pair[1], wrong[i], strlen(wrong[i]), 0) > 0);
        assert_int_equal(job_report_receive(pair[0], &report), -1);
        assert_int_equal(errno, EBADMSG);
        assert_int_equal(report.frames, 7);
    }
}

static void a_job_of_another_version_is_understood(void **state)
{
    static const char old[] =
        "{\"cam\":3,\"name\":\"Gate\",\"url\":\"rtsp://h\",\"epoch_ms\":5,\"topic\":\"video\","
        "\"fps\":2,\"what_comes_later\":[1],\"kafka\":[[\"bootstrap.servers\",\"h:1\"]]}";
    struct camera_settings preset;
    struct job job;

    settings_preset(&preset);
    assert_true(send(pair[0], old, strlen(old), 0) > 0);
    assert_int_equal(job_receive(pair[1], &job, 1000), 0);
    assert_true(job.settings.fps == 2);
    preset.fps = 2;
    assert_true(settings_same(&job.settings, &preset));
    assert_int_equal(job.report_interval_ms, JOB_REPORT_INTERVAL_MS);
    job_clear(&job);
}

static void a_report_of_another_version_is_understood(void **state)
{
    static const char other[] = "{\"state\":2,\"why\":\"\",\"fps_in\":3,\"new\":\"thing\"}";
    struct job_report report;

    assert_true(send(pair[1], other, strlen(other), 0) > 0);
    assert_int_equal(job_report_receive(pair[0], &report), 0);
    assert_true(report.state == KC_WIRE_STREAMING && report.fps_in == 3 && report.fps_out == 0);
}

static void a_job_cut_short_is_refused_and_leaves_nothing(void **state)
{
    struct job job = example();
    char packet[4000];
    ssize_t size;

    assert_int_equal(job_send(pair[0], &job), 0);
    size = recv(pair[1], packet, sizeof(packet), 0);
    assert_true(size > 0);
    assert_int_equal(send(pair[0], packet, (size_t)size / 2, 0), size / 2);
    assert_int_equal(job_receive(pair[1], &job, 1000), -1);
    assert_int_equal(errno, EBADMSG);
    assert_null(job.url);
}

static void a_job_too_large_for_a_packet_is_an_error(void **state)
{
    struct job job = example();
    char *huge = malloc(300000);

    memset(huge, 'x', 299999);
    huge[299999] = '\0';
    job.name = huge;
    assert_int_equal(job_send(pair[0], &job), -1);
    assert_int_equal(errno, EMSGSIZE);
    free(huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_arrives_as_it_was_sent, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_report_arrives_as_it_was_sent, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(the_end_of_the_other_process_is_seen, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(nobody_waits_longer_than_asked, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_packet_that_is_no_report_is_refused, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(a_job_of_another_version_is_understood, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(a_report_of_another_version_is_understood, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(a_job_cut_short_is_refused_and_leaves_nothing, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(a_job_too_large_for_a_packet_is_an_error, open_pair,
                                        close_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
