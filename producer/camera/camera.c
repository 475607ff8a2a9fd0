/* kafkacam-camera: one camera, from its URL to its Kafka partition, in a process of its own. What
 * goes wrong with the camera ends the process, with a last report and exit code 1; the supervisor
 * starts a fresh one after a while, which no bad stream can have confused.
 *
 * One thread (librdkafka has its own). While FFmpeg waits for the network it calls interrupted()
 * some times a second; there the reports leave and the watchdog looks. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "decode.h"
#include "gop.h"
#include "jfif.h"
#include "job.h"
#include "jpeg.h"
#include "log.h"
#include "mem.h"
#include "meter.h"
#include "options.h"
#include "outlet.h"
#include "pace.h"
#include "sandbox.h"
#include "sink.h"

enum exit_code { EXIT_STOPPED = 0, EXIT_CAMERA = 1, EXIT_UNABLE = 2 };

/* What happens to a camera, and what state it is in then. */
enum event { EVENT_OPENED, EVENT_PUBLISHED, EVENT_RETRY, EVENT_ENDED, EVENTS };

static const enum kc_wire_state next_state[KC_WIRE_STATES][EVENTS] = {
    /*                        opened              published            retry              ended */
    [KC_WIRE_CONNECTING] = { KC_WIRE_WAITING, KC_WIRE_STREAMING, KC_WIRE_CONNECTING,
                             KC_WIRE_FAILED },
    [KC_WIRE_WAITING] = { KC_WIRE_WAITING, KC_WIRE_STREAMING, KC_WIRE_CONNECTING, KC_WIRE_FAILED },
    [KC_WIRE_STREAMING] = { KC_WIRE_STREAMING, KC_WIRE_STREAMING, KC_WIRE_CONNECTING,
                            KC_WIRE_FAILED },
    [KC_WIRE_FAILED] = { KC_WIRE_FAILED, KC_WIRE_FAILED, KC_WIRE_FAILED, KC_WIRE_FAILED },
};

/* How often interrupted() looks at anything but the clock. */
#define TICK_US 100000

/* Cameras are free to send a key frame as seldom as they like; past this one is worth a
 * complaint. */
#define KEY_WAIT_US INT64_C(30000000)

/* After a packet was lost this many units may be damaged, a key frame among them: the one on its
 * way through FFmpeg's parser and the one behind it. */
#define SUSPECTS 2

struct camera {
    struct job job;
    int job_fd; /* -1 by hand */
    struct sink *sink;
    struct outlet *outlets[SINK_TOPICS]; /* the small one may be NULL */
    struct decode *decode;
    struct pace_clock clock;
    struct gop gop;
    int64_t beat_offset_us; /* of the stream's clock against ours, DECODE_NO_TIME: not seen yet */
    enum kc_wire_state state;
    char why[256];
    int need_key; /* until one comes nothing can be decoded */
    int suspects; /* units to come that may be damaged */
    int clock_told;
    uint8_t *completed; /* a JPEG with tables put in */
    size_t completed_size;
    size_t usual_size;  /* of the camera's own JPEGs, smoothed */
    struct jpeg *judge; /* of those that are smaller than usual, NULL until there was one */
    int64_t tick_us, silent_us, barren_us; /* when interrupted() ticks, when the watchdog bites */
    int64_t patience_us;                   /* with which barren_us was set */
    enum { QUIET, BITTEN_SILENT, BITTEN_BARREN } watchdog;
    int64_t reported_us;
    struct meter meter, reported;
};

static volatile sig_atomic_t stopping;

static void on_stop(int number)
{
    stopping = 1;
    /* Name resolution cannot be interrupted; then SIGALRM ends us. */
    alarm(2);
}

/* ---- Reports ------------------------------------------------------------------------------ */

static void count(struct camera *camera)
{
    struct meter *meter = &camera->meter;
    struct sink_counts sent;
    const struct outlet_counts *made;
    uint64_t dropped = 0;
    int i;

    meter->taken = meter->bytes = meter->encodes = meter->encode_us = 0;
    for (i = 0; i < SINK_TOPICS; i++) {
        if (!camera->outlets[i]) {
            continue;
        }
        sent = sink_counts(camera->sink, (enum sink_topic)i);
        made = outlet_counts(camera->outlets[i]);
        meter->taken += i == SINK_WHOLE ? sent.taken : 0;
        meter->bytes += sent.bytes;
        meter->encodes += made->encoded;
        meter->encode_us += made->encode_us;
        dropped += sent.dropped + made->dropped;
    }
    meter->dropped = meter->damaged + dropped;
}

static void report(struct camera *camera)
{
    struct job_report report = { 0 };
    int64_t now = clock_mono_us();
    const struct outlet_counts *whole = outlet_counts(camera->outlets[SINK_WHOLE]);

    count(camera);
    meter_report(&report, &camera->meter, &camera->reported, now - camera->reported_us);
    camera->reported = camera->meter;
    camera->reported_us = now;
    report.state = camera->state;
    report.width = whole->width;
    report.height = whole->height;
    snprintf(report.why, sizeof(report.why), "%s", camera->why);
    if (camera->job_fd >= 0) {
        /* A full pipe means that the supervisor has enough to read, the next report says more. */
        if (job_report_send(camera->job_fd, &report) && errno != EAGAIN) {
            stopping = 1;
        }
        return;
    }
    log_info("%s: %.1f fps in, %.1f out, %.0f kB/s, %llu dropped, decode %.1f ms, encode %.1f ms",
             kc_wire_state_format(report.state), report.fps_in, report.fps_out,
             (double)report.bytes_per_s / 1000, (unsigned long long)report.dropped,
             report.decode_ms, report.encode_ms);
}

/* The state has changed: the supervisor is told at once, a person has read it in the log. */
static void report_state(struct camera *camera)
{
    if (camera->job_fd >= 0) {
        report(camera);
    }
}

static void happened(struct camera *camera, enum event event, const char *why)
{
    enum kc_wire_state state = next_state[camera->state][event];

    if (state == camera->state && !strcmp(why, camera->why)) {
        return;
    }
    camera->state = state;
    snprintf(camera->why, sizeof(camera->why), "%s", why);
    report_state(camera);
}

/* ---- Watching ----------------------------------------------------------------------------- */

static int64_t timeout_us(const struct camera *camera)
{
    return (int64_t)camera->job.settings.timeout_ms * 1000;
}

/* The watchdog on what was published: three beats of a slow rhythm are no silence. */
static void feed(struct camera *camera, int64_t now)
{
    int64_t patience_us = timeout_us(camera);

    if (camera->job.settings.fps > 0 && 3e6 / camera->job.settings.fps > (double)patience_us) {
        patience_us = (int64_t)(3e6 / camera->job.settings.fps);
    }
    if (patience_us < KEY_WAIT_US) {
        patience_us = KEY_WAIT_US;
    }
    camera->patience_us = patience_us;
    camera->barren_us = now + patience_us;
}

/* The supervisor speaks once, then the descriptor is only there to end with it. */
static int supervisor_left(const struct camera *camera)
{
    struct pollfd fd = { camera->job_fd, POLLIN, 0 };
    char byte;

    return camera->job_fd >= 0 && poll(&fd, 1, 0) > 0 &&
           ((fd.revents & (POLLHUP | POLLERR | POLLNVAL)) || read(camera->job_fd, &byte, 1) == 0);
}

/* FFmpeg asks hundreds of times a picture, so nearly always nothing but the clock is looked at. */
static int interrupted(void *baton)
{
    struct camera *camera = baton;
    int64_t now;

    if (stopping || camera->watchdog) {
        return 1;
    }
    now = clock_coarse_us();
    if (now < camera->tick_us) {
        return 0;
    }
    camera->tick_us = now + TICK_US;
    sink_poll(camera->sink);
    if (now - camera->reported_us >= (int64_t)camera->job.report_interval_ms * 1000) {
        report(camera);
    }
    if (supervisor_left(camera)) {
        log_info("the supervisor is gone");
        stopping = 1;
    }
    camera->watchdog = now > camera->silent_us   ? BITTEN_SILENT
                       : now > camera->barren_us ? BITTEN_BARREN
                                                 : QUIET;
    return stopping || camera->watchdog;
}

/* ---- From unit to picture ----------------------------------------------------------------- */

static int64_t capture_time(struct camera *camera, const struct decode_times *times)
{
    int64_t captured_us = pace_clock_capture(&camera->clock, times->sender_us, times->arrival_us,
                                             times->arrival_mono_us);
    int wrong = pace_clock_wrong(&camera->clock);

    if (wrong && !camera->clock_told) {
        log_info("the camera's clock is off by %.0f s, going by the time of arrival",
                 (double)(times->sender_us - times->arrival_us) / 1e6);
    }
    camera->clock_told |= wrong;
    return captured_us;
}

/* The stream's clock, set to ours where it first shows: FFmpeg leaves the first unit without a
 * time, and that picture is the one that a viewer waits for. */
static int64_t beat_time(struct camera *camera, const struct decode_times *times)
{
    if (times->media_us == DECODE_NO_TIME) {
        return times->arrival_mono_us;
    }
    if (camera->beat_offset_us == DECODE_NO_TIME) {
        camera->beat_offset_us = times->media_us - times->arrival_mono_us;
    }
    return times->media_us - camera->beat_offset_us;
}

/* Which outlets want the picture of this time, a bit each. */
static unsigned wanted(struct camera *camera, const struct decode_times *times)
{
    unsigned mask = 0;
    unsigned i;

    for (i = 0; i < SINK_TOPICS; i++) {
        if (camera->outlets[i] && outlet_wants(camera->outlets[i], beat_time(camera, times))) {
            mask |= 1u << i;
        }
    }
    return mask;
}

static void published(struct camera *camera)
{
    feed(camera, clock_coarse_us());
    if (camera->state != KC_WIRE_STREAMING) {
        log_info("streaming %s", decode_describe(camera->decode));
        happened(camera, EVENT_PUBLISHED, "");
    }
}

static void publish_picture(struct camera *camera, unsigned mask, const struct picture *picture,
                            int64_t captured_us)
{
    unsigned i;

    for (i = 0; i < SINK_TOPICS; i++) {
        if (mask & (1u << i) && outlet_picture(camera->outlets[i], picture, captured_us) &&
            i == SINK_WHOLE) {
            published(camera);
        }
    }
}

static int decode(struct camera *camera, struct picture *picture, struct decode_times *times,
                  int alone)
{
    int64_t started_us = clock_mono_us();
    int rc = decode_picture(camera->decode, picture, times, alone);

    camera->meter.decodes++;
    camera->meter.decode_us += (uint64_t)(clock_mono_us() - started_us);
    return rc;
}

/* What builds on something damaged is damaged: nothing goes out until the next key frame. */
static void damaged(struct camera *camera, int suspects)
{
    camera->meter.damaged++;
    camera->need_key = 1;
    camera->suspects = suspects;
}

/* Whether the unit can be decoded: everything it builds on was, undamaged. */
static int is_sound(struct camera *camera, const struct decode_unit *unit)
{
    if (unit->lost) {
        damaged(camera, SUSPECTS);
    }
    if (!camera->need_key) {
        return 1;
    }
    if (!unit->key || camera->suspects > 0) {
        camera->suspects -= camera->suspects > 0;
        return 0;
    }
    camera->need_key = 0;
    decode_flush(camera->decode);
    return 1;
}

static void take_coded(struct camera *camera, const struct decode_unit *unit)
{
    struct picture picture;
    struct decode_times times;
    unsigned mask = 0;
    int needed =
        gop_wants(&camera->gop, unit->key, unit->reference, beat_time(camera, &unit->times));
    int alone = camera->gop.mode == GOP_KEYS;
    int rc;

    if (!is_sound(camera, unit) || !needed) {
        return;
    }
    if (alone) {
        mask = wanted(camera, &unit->times);
        if (!mask) {
            return;
        }
    }
    rc = decode(camera, &picture, &times, alone);
    if (rc < 0) {
        damaged(camera, 0);
    }
    if (rc <= 0) {
        return;
    }
    mask = alone ? mask : wanted(camera, &times);
    if (mask) {
        publish_picture(camera, mask, &picture, capture_time(camera, &times));
    }
}

/* The camera's JPEG as it is, its Huffman tables put in where missing. */
static void pass_jpeg(struct camera *camera, const struct jfif *jfif, const uint8_t *jpeg,
                      int64_t captured_us)
{
    size_t size = jfif->size;

    if (jfif->tables_at) {
        if (camera->completed_size < size + JFIF_TABLES_SIZE) {
            camera->completed_size = (size + JFIF_TABLES_SIZE) * 5 / 4;
            camera->completed = mem_resize(camera->completed, camera->completed_size, 1);
        }
        size = jfif_insert_tables(camera->completed, jfif, jpeg);
        jpeg = camera->completed;
    }
    if (outlet_jpeg(camera->outlets[SINK_WHOLE], jpeg, size, jfif->width, jfif->height,
                    captured_us)) {
        published(camera);
    }
}

/* FFmpeg ends each JPEG properly, also one whose camera stopped half way. Those are shorter than
 * usual; so such ones, but no others, are decoded to see. */
static int is_whole(struct camera *camera, const struct jfif *jfif, const uint8_t *data)
{
    if (jfif->size < camera->usual_size / 10 * 9 || !camera->usual_size) {
        if (!camera->judge && jpeg_open(&camera->judge)) {
            return 0;
        }
        if (!jpeg_is_sound(camera->judge, data, jfif->size)) {
            return 0;
        }
    }
    camera->usual_size =
        camera->usual_size ? (camera->usual_size * 15 + jfif->size) / 16 : jfif->size;
    return 1;
}

static void take_jpeg(struct camera *camera, const struct decode_unit *unit)
{
    unsigned mask = wanted(camera, &unit->times);
    struct picture picture;
    struct decode_times times;
    struct jfif jfif;
    int64_t captured_us;

    if (!mask) {
        return;
    }
    if (jfif_check(&jfif, unit->jpeg, unit->size) || !is_whole(camera, &jfif, unit->jpeg)) {
        camera->meter.damaged++;
        return;
    }
    captured_us = capture_time(camera, &unit->times);
    if (mask & (1u << SINK_WHOLE) &&
        outlet_passes(camera->outlets[SINK_WHOLE], jfif.width, jfif.size)) {
        pass_jpeg(camera, &jfif, unit->jpeg, captured_us);
        mask &= ~(1u << SINK_WHOLE);
    }
    if (mask) {
        if (decode(camera, &picture, &times, 1) > 0) {
            publish_picture(camera, mask, &picture, captured_us);
        }
        else {
            camera->meter.damaged++;
        }
    }
}

static void take_unit(struct camera *camera, const struct decode_unit *unit)
{
    camera->meter.units++;
    camera->silent_us = clock_coarse_us() + timeout_us(camera);
    if (unit->jpeg) {
        take_jpeg(camera, unit);
    }
    else {
        take_coded(camera, unit);
    }
}

/* ---- One connection ----------------------------------------------------------------------- */

static void explain(const struct camera *camera, uint64_t damaged_before, char *why, size_t size)
{
    if (!camera->watchdog) {
        snprintf(why, size, "%s", decode_why(camera->decode));
    }
    else if (camera->watchdog == BITTEN_SILENT) {
        snprintf(why, size, "the camera sent nothing for %.1f s",
                 camera->job.settings.timeout_ms / 1000.0);
    }
    else {
        snprintf(why, size, "%s for %.0f s, %s",
                 camera->need_key ? "no undamaged key frame" : "no undamaged picture",
                 (double)camera->patience_us / 1e6,
                 camera->meter.damaged > damaged_before
                     ? "packets get lost: use transport tcp or a better line"
                     : "set the camera's key frame interval (GOP) to a few seconds");
    }
}

/* The rate that decoding has to serve, 0: all. */
static double highest_fps(const struct job *job)
{
    const struct camera_settings *set = &job->settings;

    if (set->fps <= 0 || (set->small_width && set->small_fps <= 0)) {
        return 0;
    }
    return set->small_width && set->small_fps > set->fps ? set->small_fps : set->fps;
}

static enum decode_end attempt(struct camera *camera, enum settings_transport transport, char *why,
                               size_t why_size)
{
    struct decode_settings settings = {
        .url = camera->job.url,
        .transport = transport,
        .timeout_ms = camera->job.settings.timeout_ms,
        .tls_verify = camera->job.settings.tls_verify,
        .tls_ca = *camera->job.settings.tls_ca ? camera->job.settings.tls_ca : NULL,
        .interrupt = interrupted,
        .baton = camera,
    };
    struct decode_unit unit;
    enum decode_end end;
    int64_t now = clock_coarse_us();
    uint64_t damaged_before = camera->meter.damaged;

    camera->watchdog = QUIET;
    camera->silent_us = now + 2 * timeout_us(camera); /* several questions and answers */
    camera->barren_us = INT64_MAX;
    if (decode_open(&camera->decode, &settings) == 0) {
        now = clock_coarse_us();
        camera->silent_us = now + timeout_us(camera);
        feed(camera, now);
        camera->need_key = 1;
        camera->suspects = 0;
        camera->beat_offset_us = DECODE_NO_TIME;
        gop_init(&camera->gop, highest_fps(&camera->job));
        happened(camera, EVENT_OPENED, "");
        while (decode_read(camera->decode, &unit) == 0) {
            take_unit(camera, &unit);
        }
    }
    explain(camera, damaged_before, why, why_size);
    end = camera->watchdog ? DECODE_END_TRANSPORT : decode_ending(camera->decode);
    decode_close(camera->decode);
    camera->decode = NULL;
    return end;
}

/* Returns when the camera is done for, whatever the reason. */
static void run(struct camera *camera)
{
    enum settings_transport transport = camera->job.settings.transport;
    char why[sizeof(camera->why)];
    enum decode_end end;

    happened(camera, EVENT_RETRY, "connecting");
    end = attempt(camera, transport == SETTINGS_AUTO ? SETTINGS_TCP : transport, why, sizeof(why));
    if (transport == SETTINGS_AUTO && end == DECODE_END_TRANSPORT &&
        camera->state != KC_WIRE_STREAMING && !stopping) {
        log_info("not over tcp (%s), trying udp", why);
        happened(camera, EVENT_RETRY, "connecting over udp");
        attempt(camera, SETTINGS_UDP, why, sizeof(why));
    }
    if (!stopping) {
        /* The supervisor tells, once, of failures it has from us. */
        if (camera->job_fd < 0) {
            log_warning(1501, "%s", why);
        }
        else {
            log_debug("%s", why);
        }
        happened(camera, EVENT_ENDED, why);
    }
}

/* ---- The process -------------------------------------------------------------------------- */

static void set_signals(void)
{
    struct sigaction action = { .sa_handler = on_stop };

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static int get_job(struct camera *camera, int argc, char **argv)
{
    int to_syslog;

    camera->job_fd = -1;
    switch (options_parse(&camera->job, &to_syslog, argc, argv)) {
    case OPTIONS_BY_HAND:
        log_open("kafkacam-camera", camera->job.log_level, to_syslog);
        return options_read_url(&camera->job) ? EXIT_UNABLE : -1;
    case OPTIONS_JOB_FD:
        log_open("kafkacam-camera", LOG_LEVEL_INFO, to_syslog);
        job_clear(&camera->job);
        if (job_receive(JOB_FD, &camera->job, 10000)) {
            log_error(1502,
                      "no job in descriptor %d: %s; this program is started by "
                      "kafkacam-producer, by hand see --help",
                      JOB_FD, strerror(errno));
            return EXIT_UNABLE;
        }
        camera->job_fd = JOB_FD;
        log_set_level(camera->job.log_level);
        return -1;
    case OPTIONS_DONE:
        return EXIT_STOPPED;
    default:
        return EXIT_UNABLE;
    }
}

static int open_outlets(struct camera *camera)
{
    return sink_open(&camera->sink, &camera->job) ||
           outlet_open(&camera->outlets[SINK_WHOLE], SINK_WHOLE, &camera->job, camera->sink) ||
           (camera->job.settings.small_width &&
            outlet_open(&camera->outlets[SINK_SMALL], SINK_SMALL, &camera->job, camera->sink));
}

static void close_all(struct camera *camera)
{
    int i;

    sink_close(camera->sink, 300);
    for (i = 0; i < SINK_TOPICS; i++) {
        outlet_close(camera->outlets[i]);
    }
    jpeg_close(camera->judge);
    free(camera->completed);
    job_clear(&camera->job);
}

int main(int argc, char **argv)
{
    struct camera camera = { .state = KC_WIRE_CONNECTING };
    char subject[32];
    int code = get_job(&camera, argc, argv);

    if (code >= 0) {
        job_clear(&camera.job);
        return code;
    }
    snprintf(subject, sizeof(subject), "camera %u", camera.job.cam);
    log_set_subject(subject);
    set_signals();
    sandbox_begin(camera.job_fd >= 0);
    sandbox_close();
    decode_setup();
    pace_clock_init(&camera.clock);
    camera.reported_us = clock_mono_us();
    code = EXIT_UNABLE;
    if (open_outlets(&camera) == 0) {
        run(&camera);
        code = stopping ? EXIT_STOPPED : EXIT_CAMERA;
    }
    close_all(&camera);
    return code;
}
