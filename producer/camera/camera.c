/* kafkacam-camera: one camera, from its URL to its Kafka partition, in a process of its own. What
 * goes wrong with the camera ends the process, with a last report and exit code 1; the supervisor
 * starts a fresh one after a while, which no bad stream can have confused.
 *
 * One thread (librdkafka has its own). While the session waits for the network it calls
 * interrupted() ten times a second and more; there the reports leave and the watchdog looks. */
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
#include "session.h"
#include "sink.h"

enum exit_code { EXIT_STOPPED = 0, EXIT_CAMERA = 1, EXIT_UNABLE = 2 };

/* What happens to a camera, and what state it is in then. */
enum event { EVENT_OPENED, EVENT_PUBLISHED, EVENT_STARVED, EVENT_RETRY, EVENT_ENDED, EVENTS };

static const enum kc_wire_state next_state[KC_WIRE_STATES][EVENTS] = {
    /*                       opened              published            starved
     *                       retry               ended */
    [KC_WIRE_CONNECTING] = { KC_WIRE_WAITING, KC_WIRE_STREAMING, KC_WIRE_WAITING,
                             KC_WIRE_CONNECTING, KC_WIRE_FAILED },
    [KC_WIRE_WAITING] = { KC_WIRE_WAITING, KC_WIRE_STREAMING, KC_WIRE_WAITING, KC_WIRE_CONNECTING,
                          KC_WIRE_FAILED },
    [KC_WIRE_STREAMING] = { KC_WIRE_STREAMING, KC_WIRE_STREAMING, KC_WIRE_WAITING,
                            KC_WIRE_CONNECTING, KC_WIRE_FAILED },
    [KC_WIRE_FAILED] = { KC_WIRE_FAILED, KC_WIRE_FAILED, KC_WIRE_FAILED, KC_WIRE_FAILED,
                         KC_WIRE_FAILED },
};

/* How often interrupted() looks at anything but the clock. */
#define TICK_US 100000

/* Nothing to publish for so long ends a session, unless it is only a key frame that is late. */
#define BARREN_US INT64_C(30000000)

/* After so long without one the state says that a key frame is waited for. */
#define KEY_TELL_US INT64_C(5000000)

/* Whoever may choose another transport does so after so long without a packet. */
#define AUTO_US INT64_C(5000000)

struct camera {
    struct job job;
    int job_fd; /* -1 by hand */
    struct sink *sink;
    struct outlet *outlets[SINK_TOPICS]; /* the small one may be NULL */
    struct session *session;
    struct decode *decode;
    struct pace_clock clock;
    struct pace_media media;
    struct gop gop;
    enum kc_wire_state state;
    char why[256];
    const char *remark; /* of the stream, for its state; "" none */
    int need_key;       /* until one comes nothing can be decoded */
    int hurt;           /* that is for damage: what is passed over counts */
    int64_t hurt_us;    /* when the last damage was seen */
    int64_t key_us,
        key_gap_us; /* when the last key frame came, and how long after the one before */
    int clock_told;
    uint8_t *completed; /* a JPEG with tables put in */
    size_t completed_size;
    size_t usual_size;          /* of the camera's own JPEGs, smoothed */
    struct jpeg *judge;         /* of those that are smaller than usual, NULL until there was one */
    int64_t tick_us, silent_us; /* when interrupted() ticks, when the watchdog bites */
    int64_t fed_us;      /* when something was published, or the session began; 0: none yet */
    int64_t patience_us; /* the watchdog's, from then on */
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

/* The watchdog on what was published. */
static void feed(struct camera *camera, int64_t now)
{
    camera->fed_us = now;
}

/* Three beats of a slow rhythm are no silence. */
static int64_t barren_patience(const struct camera *camera)
{
    int64_t patience_us = timeout_us(camera);

    if (camera->job.settings.fps > 0 && 3e6 / camera->job.settings.fps > (double)patience_us) {
        patience_us = (int64_t)(3e6 / camera->job.settings.fps);
    }
    return patience_us < BARREN_US ? BARREN_US : patience_us;
}

/* Cameras are free to send a key frame as seldom as they like: as long as what comes is undamaged
 * that is no fault of the line, and a new session would bring none sooner. */
static int is_key_late(const struct camera *camera, int64_t now)
{
    return camera->need_key && now - camera->hurt_us > BARREN_US / 2;
}

static int is_barren(struct camera *camera, int64_t now)
{
    camera->patience_us = is_key_late(camera, now)
                              ? (int64_t)camera->job.settings.key_frame_timeout_ms * 1000
                              : barren_patience(camera);
    return camera->fed_us && now - camera->fed_us > camera->patience_us;
}

static void tell_of_key_frame(struct camera *camera, int64_t now)
{
    char why[96] = "waiting for a key frame";

    if (!camera->fed_us || !camera->need_key || now - camera->fed_us < KEY_TELL_US) {
        return;
    }
    if (camera->key_gap_us) {
        snprintf(why, sizeof(why), "waiting for a key frame (the last were %.0f s apart)",
                 (double)camera->key_gap_us / 1e6);
    }
    happened(camera, EVENT_STARVED, why);
}

/* The supervisor speaks once, then the descriptor is only there to end with it. */
static int supervisor_left(const struct camera *camera)
{
    struct pollfd fd = { camera->job_fd, POLLIN, 0 };
    char byte;

    return camera->job_fd >= 0 && poll(&fd, 1, 0) > 0 &&
           ((fd.revents & (POLLHUP | POLLERR | POLLNVAL)) || read(camera->job_fd, &byte, 1) == 0);
}

/* Asked whenever there is nothing to read, so mostly nothing but the clock is looked at. */
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
    tell_of_key_frame(camera, now);
    camera->watchdog = now > camera->silent_us  ? BITTEN_SILENT
                       : is_barren(camera, now) ? BITTEN_BARREN
                                                : QUIET;
    return stopping || camera->watchdog;
}

/* ---- From unit to picture ----------------------------------------------------------------- */

static int64_t capture_time(struct camera *camera, const struct session_times *times)
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

/* Which outlets want the picture of this time, a bit each. */
static unsigned wanted(struct camera *camera, const struct session_times *times)
{
    unsigned mask = 0;
    unsigned i;

    for (i = 0; i < SINK_TOPICS; i++) {
        if (camera->outlets[i] && outlet_wants(camera->outlets[i], times->media_us)) {
            mask |= 1u << i;
        }
    }
    return mask;
}

static void published(struct camera *camera)
{
    feed(camera, clock_coarse_us());
    if (camera->state != KC_WIRE_STREAMING) {
        log_info("streaming %s over %s", decode_describe(camera->decode),
                 session_way(camera->session));
    }
    happened(camera, EVENT_PUBLISHED, camera->remark);
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

static int decode(struct camera *camera, const struct session_unit *unit, struct picture *picture,
                  struct session_times *times, int alone)
{
    int64_t started_us = clock_mono_us();
    int rc = decode_picture(camera->decode, unit, picture, times, alone);

    camera->meter.decodes++;
    camera->meter.decode_us += (uint64_t)(clock_mono_us() - started_us);
    return rc;
}

/* What builds on something damaged is damaged: nothing goes out until the next key frame. */
static void damaged(struct camera *camera)
{
    camera->need_key = camera->hurt = 1;
    camera->hurt_us = clock_coarse_us();
}

/* Whether the unit can be decoded: everything it builds on was, undamaged. */
static int is_sound(struct camera *camera, const struct depacket_unit *unit)
{
    if (unit->lost || unit->damaged) {
        damaged(camera);
    }
    if (camera->need_key && (!unit->key || unit->damaged)) {
        camera->meter.damaged += (unsigned)camera->hurt;
        return 0;
    }
    if (camera->need_key) {
        camera->need_key = camera->hurt = 0;
        decode_flush(camera->decode);
    }
    return 1;
}

static void note_key(struct camera *camera, const struct session_unit *unit)
{
    if (unit->coded->key) {
        camera->key_gap_us = camera->key_us ? unit->times.arrival_mono_us - camera->key_us : 0;
        camera->key_us = unit->times.arrival_mono_us;
    }
}

/* What was decoded alone gave no picture: the decoder knows nothing of what went before, and the
 * next key frame begins anew. */
static void alone_in_vain(struct camera *camera)
{
    gop_barren(&camera->gop);
    camera->need_key = 1;
}

static void take_coded(struct camera *camera, const struct session_unit *unit)
{
    struct picture picture;
    struct session_times times;
    unsigned mask = 0;
    int needed =
        gop_wants(&camera->gop, unit->coded->key, unit->coded->reference, unit->times.media_us);
    int alone = camera->gop.mode == GOP_KEYS;
    int rc;

    note_key(camera, unit);
    if (!is_sound(camera, unit->coded) || !needed) {
        return;
    }
    if (alone) {
        mask = wanted(camera, &unit->times);
        if (!mask) {
            return;
        }
    }
    rc = decode(camera, unit, &picture, &times, alone);
    if (rc <= 0 && alone) {
        alone_in_vain(camera);
    }
    else if (rc < 0) {
        damaged(camera);
        camera->meter.damaged++;
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

/* A camera may stop half way and end its JPEG properly all the same. Those are shorter than usual;
 * so such ones, but no others, are decoded to see. */
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

static void take_jpeg(struct camera *camera, const struct session_unit *unit)
{
    unsigned mask = wanted(camera, &unit->times);
    struct picture picture;
    struct session_times times;
    struct jfif jfif;
    int64_t captured_us;

    if (!mask) {
        return;
    }
    if (unit->coded->damaged || jfif_check(&jfif, unit->coded->data, unit->coded->size) ||
        !is_whole(camera, &jfif, unit->coded->data)) {
        camera->meter.damaged++;
        return;
    }
    captured_us = capture_time(camera, &unit->times);
    if (mask & (1u << SINK_WHOLE) &&
        outlet_passes(camera->outlets[SINK_WHOLE], jfif.width, unit->coded->data, jfif.size)) {
        pass_jpeg(camera, &jfif, unit->coded->data, captured_us);
        mask &= ~(1u << SINK_WHOLE);
    }
    if (mask) {
        if (decode(camera, unit, &picture, &times, 1) > 0) {
            publish_picture(camera, mask, &picture, captured_us);
        }
        else {
            camera->meter.damaged++;
        }
    }
}

/* The stream's clock is held against time. One that does not run like it says nothing of when a
 * picture was taken either. */
static void check_clock(struct camera *camera, struct session_times *times)
{
    int was_wrong = pace_media_wrong(&camera->media);

    times->media_us = pace_media_time(&camera->media, times->media_us, times->arrival_mono_us);
    if (!pace_media_wrong(&camera->media)) {
        return;
    }
    times->sender_us = SESSION_NO_TIME;
    if (!was_wrong) {
        log_info("the stream's clock runs %.2f times as fast as time, going by the time of arrival",
                 camera->media.ran);
        camera->remark = "the stream's clock does not run like time, going by the time of arrival";
    }
}

static void take_unit(struct camera *camera, struct session_unit *unit)
{
    camera->meter.units++;
    camera->silent_us = clock_coarse_us() + timeout_us(camera);
    check_clock(camera, &unit->times);
    if (session_description(camera->session)->codec == SDP_JPEG) {
        take_jpeg(camera, unit);
    }
    else {
        take_coded(camera, unit);
    }
}

/* ---- One connection ----------------------------------------------------------------------- */

static void explain_barren(const struct camera *camera, char *why, size_t size)
{
    double patience_s = (double)camera->patience_us / 1e6;
    int64_t now = clock_coarse_us();

    if (is_key_late(camera, now)) {
        snprintf(why, size,
                 "no key frame for %.0f s, set the camera's key frame interval (GOP) to a "
                 "few seconds",
                 patience_s);
    }
    else if (now - camera->hurt_us < BARREN_US && session_counts(camera->session).lost) {
        snprintf(why, size,
                 "no undamaged picture for %.0f s, %llu packets were lost: use transport "
                 "tcp or a better line",
                 patience_s, (unsigned long long)session_counts(camera->session).lost);
    }
    else {
        snprintf(why, size,
                 "no undamaged picture for %.0f s, the camera's stream is not what its "
                 "description says or is broken",
                 patience_s);
    }
}

static void explain(const struct camera *camera, char *why, size_t size)
{
    if (camera->watchdog == BITTEN_SILENT) {
        snprintf(why, size, "the camera sent nothing for %.1f s", (double)timeout_us(camera) / 1e6);
    }
    else if (camera->watchdog == BITTEN_BARREN) {
        explain_barren(camera, why, size);
    }
    else if (camera->decode && *decode_why(camera->decode)) {
        snprintf(why, size, "%s", decode_why(camera->decode));
    }
    else {
        snprintf(why, size, "%s", session_why(camera->session));
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

static void begin_stream(struct camera *camera, int64_t silence_us)
{
    int64_t now = clock_coarse_us();

    camera->silent_us = now + silence_us;
    camera->need_key = session_description(camera->session)->codec != SDP_JPEG;
    camera->hurt = 0;
    camera->hurt_us = now - BARREN_US;
    camera->key_us = 0;
    camera->remark = "";
    pace_media_init(&camera->media);
    gop_init(&camera->gop, highest_fps(&camera->job));
    feed(camera, now);
    happened(camera, EVENT_OPENED, "");
}

/* How each setting is asked for. */
static const enum session_transport ways[] = {
    [SETTINGS_TCP] = SESSION_TCP,
    [SETTINGS_UDP] = SESSION_UDP,
    [SETTINGS_HTTP] = SESSION_HTTP,
    [SETTINGS_MULTICAST] = SESSION_MULTICAST,
};

static enum session_end attempt(struct camera *camera, enum settings_transport transport,
                                int64_t silence_us, char *why, size_t why_size)
{
    const struct camera_settings *set = &camera->job.settings;
    struct session_settings settings = {
        .url = camera->job.url,
        .transport = ways[transport],
        .timeout_ms = set->timeout_ms,
        .tls_verify = set->tls_verify,
        .tls_ca = *set->tls_ca ? set->tls_ca : NULL,
        .tls_oldest = 10 + (unsigned)set->tls_oldest,
        .interrupt = interrupted,
        .baton = camera,
    };
    struct session_unit unit;
    enum session_end end;

    camera->watchdog = QUIET;
    camera->silent_us = clock_coarse_us() + 2 * timeout_us(camera); /* several answers */
    camera->fed_us = 0;
    if (session_open(&camera->session, &settings) == 0 &&
        decode_open(&camera->decode, session_description(camera->session)) == 0) {
        begin_stream(camera, silence_us);
        while (session_read(camera->session, &unit) == 0) {
            take_unit(camera, &unit);
        }
    }
    explain(camera, why, why_size);
    end = camera->watchdog ? SESSION_END_TRANSPORT : session_ending(camera->session);
    session_close(camera->session);
    decode_close(camera->decode);
    camera->session = NULL;
    camera->decode = NULL;
    return end;
}

/* Returns when the camera is done for, whatever the reason. */
static void run(struct camera *camera)
{
    enum settings_transport transport = camera->job.settings.transport;
    int64_t silence_us = timeout_us(camera) < AUTO_US ? timeout_us(camera) : AUTO_US;
    char why[sizeof(camera->why)];
    enum session_end end;

    happened(camera, EVENT_RETRY, "connecting");
    if (transport != SETTINGS_AUTO) {
        attempt(camera, transport, timeout_us(camera), why, sizeof(why));
    }
    else {
        end = attempt(camera, SETTINGS_TCP, silence_us, why, sizeof(why));
        if (end == SESSION_END_TRANSPORT && camera->state != KC_WIRE_STREAMING && !stopping) {
            log_info("not over tcp (%s), trying udp", why);
            happened(camera, EVENT_RETRY, "connecting over udp");
            attempt(camera, SETTINGS_UDP, timeout_us(camera), why, sizeof(why));
        }
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
