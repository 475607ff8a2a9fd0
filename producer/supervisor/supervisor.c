#include "supervisor.h"

#include <config.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "catalog.h"
#include "clock.h"
#include "mem.h"
#include "notify.h"
#include "once.h"
#include "process.h"
#include "slot.h"
#include "status.h"
#include "topics.h"

#define GIVE_UP_MS     4300  /* of the 5 s that a stop of all may take, the rest is for Kafka */
#define FIRST_WORD_MS  10000 /* a process that starts may be silent for this long at least */
#define CHANGE_MS      1000  /* changes of a camera are written no more often than this */
#define STARTS_AT_ONCE 8     /* processes that have not said a word yet */
#define EVENTS         64

/* What epoll says happened: one of these, or a camera's number behind FIRST_CAMERA. */
enum { SIGNAL, WAKE, FIRST_CAMERA };

struct camera {
    struct catalog_row row; /* as the table has it */
    int wanted;             /* stands in the table, 0: goes when its process has */
    struct slot slot;       /* what is to be done about it */

    struct process process;
    uint64_t epoch_ms; /* of the last start */
    uint32_t restarts; /* since the supervisor's start */
    int complained;    /* that it fails was said, so that it streams again will be */
    struct once said;  /* of the reasons, since it last ran for long */
    enum { NOT_KILLED, SILENT, NONSENSE } killed; /* by us, and why */

    enum kc_wire_state state;
    char error[256];   /* no passwords */
    uint64_t since_ms; /* of the state, since 1970 */
    struct job_report report;
    double cpu;
    uint64_t written_ms; /* the status */
    int changed;         /* it should be written again */
};

struct supervisor {
    const struct conf *conf;
    int to_syslog;
    struct catalog *catalog;
    struct topics *topics;
    struct status *status;
    int epoll, signals, wake;

    struct camera **cameras; /* by number, NULL: none */
    uint32_t limit;          /* numbers there can be, one more than the highest */
    struct slot_queue queue; /* of those that are to be started */
    int program_failed;      /* that cameras cannot be started was said */
    uint64_t stopping_ms;    /* since when all is to end, 0: it is not */
    int waiting_said;
    char told[100]; /* systemd */
    uint64_t next_alive_ms;
    uint32_t alive_interval_ms;
};

static int running(const struct camera *camera)
{
    return camera->process.pid > 0;
}

/* ---- state -------------------------------------------------------------------------------- */

static void set_state(struct camera *camera, enum kc_wire_state state, const char *error)
{
    char safe[sizeof(camera->error)];

    log_url(safe, sizeof(safe), error);
    if (state != camera->state) {
        log_debug("camera %u: %s %s", camera->row.cam, kc_wire_state_format(state), safe);
        camera->state = state;
        camera->since_ms = clock_wall_ms();
        camera->changed = 1;
    }
    if (strcmp(safe, camera->error)) {
        snprintf(camera->error, sizeof(camera->error), "%s", safe);
        camera->changed = 1;
    }
}

static void write_status(struct supervisor *supervisor, struct camera *camera, uint64_t now)
{
    const struct status_state state = {
        .cam = camera->row.cam,
        .name = camera->row.name,
        .error = camera->error,
        .state = camera->state,
        .since_ms = camera->since_ms,
        .epoch_ms = camera->epoch_ms,
        .restarts = camera->restarts,
        .cpu = camera->cpu,
        .report = running(camera) && camera->report.frames ? &camera->report : NULL,
    };

    camera->changed = status_write(supervisor->status, &state) != 0;
    camera->written_ms = now;
}

/* ---- a camera's process ------------------------------------------------------------------- */

static struct job job_of(const struct supervisor *supervisor, const struct camera *camera)
{
    const struct conf *conf = supervisor->conf;
    const struct catalog_row *row = &camera->row;
    struct job job = {
        .cam = row->cam,
        .name = row->name,
        .url = row->url,
        .settings = row->settings,
        .report_interval_ms = conf->producer.report_interval_ms,
        .epoch_ms = camera->epoch_ms,
        .topic = conf->kafka.topic,
        .small_topic = row->settings.small_width ? conf->kafka.small_topic : NULL,
        .kafka = conf->kafka.properties,
        .kafka_count = conf->kafka.property_count,
        .log_level = conf->producer.log_level,
    };

    return job;
}

static void watch(struct supervisor *supervisor, int fd, uint64_t what)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = what };

    if (epoll_ctl(supervisor->epoll, EPOLL_CTL_ADD, fd, &event)) {
        log_error(1300, "descriptor %d cannot be watched: %s", fd, strerror(errno));
    }
}

static void start_failed(struct supervisor *supervisor, struct camera *camera, int error,
                         uint64_t now)
{
    char text[256];

    slot_not_started(&camera->slot, &supervisor->queue, now);
    snprintf(text, sizeof(text), "the process cannot be started: %s", strerror(error));
    set_state(camera, KC_WIRE_FAILED, text);
    if (!supervisor->program_failed) {
        supervisor->program_failed = 1;
        log_error(1301, "%s cannot be started: %s ([producer] camera_program of %s); trying again",
                  supervisor->conf->producer.camera_program, strerror(error),
                  supervisor->conf->path);
    }
}

/* Ever upwards, whatever the clocks of this host and the others do: readers drop what comes from a
 * lower one. */
static uint64_t next_epoch(struct supervisor *supervisor, const struct camera *camera)
{
    uint64_t seen_ms = status_epoch(supervisor->status, camera->row.cam);
    uint64_t last_ms = camera->epoch_ms > seen_ms ? camera->epoch_ms : seen_ms;
    uint64_t now_ms = clock_wall_ms();

    return now_ms > last_ms ? now_ms : last_ms + 1;
}

/* How long a process may say nothing. */
static uint64_t silence_ms(const struct supervisor *supervisor, int first_word)
{
    uint64_t limit_ms = 3 * (uint64_t)supervisor->conf->producer.report_interval_ms;

    return first_word && limit_ms < FIRST_WORD_MS ? FIRST_WORD_MS : limit_ms;
}

static void start(struct supervisor *supervisor, struct camera *camera, uint64_t now)
{
    struct job job;
    int error;

    camera->epoch_ms = next_epoch(supervisor, camera);
    job = job_of(supervisor, camera);
    error = process_start(&camera->process, supervisor->conf->producer.camera_program,
                          supervisor->to_syslog, &job);
    if (error) {
        start_failed(supervisor, camera, error, now);
        return;
    }
    watch(supervisor, camera->process.fd, FIRST_CAMERA + (uint64_t)camera->row.cam);
    supervisor->program_failed = 0;
    slot_started(&camera->slot, &supervisor->queue, now, now + silence_ms(supervisor, 1));
    camera->killed = NOT_KILLED;
    memset(&camera->report, 0, sizeof(camera->report));
    set_state(camera, KC_WIRE_CONNECTING, "");
    log_debug("camera %u: process %d started", camera->row.cam, (int)camera->process.pid);
}

static void act(struct camera *camera, enum slot_action action)
{
    switch (action) {
    case SLOT_STOP:
        process_signal(&camera->process, SIGTERM);
        break;
    case SLOT_KILL_SILENT:
        camera->killed = SILENT;
        process_signal(&camera->process, SIGKILL);
        break;
    case SLOT_KILL:
        process_signal(&camera->process, SIGKILL);
        break;
    case SLOT_NOTHING:
        break;
    }
}

static void describe_end(char *text, size_t size, const struct camera *camera, int status)
{
    if (camera->killed) {
        snprintf(text, size, "the process %s and was killed",
                 camera->killed == SILENT ? "was silent for three reports" : "sent nonsense");
    }
    else if (WIFSIGNALED(status)) {
        snprintf(text, size, "the process ended by signal %d", WTERMSIG(status));
    }
    else {
        snprintf(text, size, "the process ended with status %d", WEXITSTATUS(status));
    }
}

/* A reason is said once, and again when the camera has run for long in between: one that comes and
 * goes all night fills no log. */
static void complain(struct camera *camera)
{
    static const int ids[] = { [NOT_KILLED] = 1302, [SILENT] = 1304, [NONSENSE] = 1303 };

    if (once_new(&camera->said, camera->error)) {
        camera->complained = 1;
        log_warning(ids[camera->killed], "camera %u: %s; starting it again%s", camera->row.cam,
                    camera->error,
                    once_full(&camera->said) ? ", further reasons are not logged" : "");
    }
}

/* It ended without being told to. What it said of itself last is the better reason. */
static void failed(struct camera *camera, int status, uint64_t now)
{
    char text[100];

    if (now - camera->slot.started_ms >= SLOT_SETTLED_MS) {
        once_forget(&camera->said);
    }
    camera->restarts++;
    describe_end(text, sizeof(text), camera, status);
    set_state(camera, KC_WIRE_FAILED,
              !camera->killed && camera->report.state == KC_WIRE_FAILED && *camera->report.why
                  ? camera->report.why
                  : text);
    complain(camera);
}

/* Its pid was reaped. */
static void ended(struct supervisor *supervisor, struct camera *camera, int status, uint64_t now)
{
    process_ended(&camera->process);
    camera->cpu = 0;
    if (slot_ended(&camera->slot, &supervisor->queue, now) && !supervisor->stopping_ms) {
        failed(camera, status, now);
    }
}

static void take_report(struct supervisor *supervisor, struct camera *camera,
                        const struct job_report *report, uint64_t now)
{
    /* The first numbers are news, later ones are not. */
    camera->changed |= report->width != camera->report.width ||
                       report->height != camera->report.height ||
                       (report->fps_out > 0) != (camera->report.fps_out > 0);
    camera->report = *report;
    slot_heard(&camera->slot, now + silence_ms(supervisor, 0));
    camera->cpu = process_cpu(&camera->process, now);
    if (supervisor->stopping_ms) {
        return; /* that it was stopped is its last word */
    }
    set_state(camera, report->state, report->why);
    if (report->state == KC_WIRE_STREAMING && camera->complained) {
        log_info("camera %u streams again", camera->row.cam);
        camera->complained = 0;
    }
}

/* All reports that have arrived. */
static void hear(struct supervisor *supervisor, struct camera *camera, uint64_t now)
{
    struct job_report report;

    if (!running(camera)) {
        return; /* ended earlier in the same round */
    }
    while (!job_report_receive(camera->process.fd, &report)) {
        take_report(supervisor, camera, &report, now);
    }
    if (errno == EAGAIN || errno == EINTR) {
        return;
    }
    /* The end of the pipe, or a packet that is none: SIGCHLD follows, or silence is dealt with. */
    if (errno == EBADMSG) {
        camera->killed = NONSENSE;
        process_signal(&camera->process, SIGKILL);
    }
    epoll_ctl(supervisor->epoll, EPOLL_CTL_DEL, camera->process.fd, NULL);
}

/* ---- the table ---------------------------------------------------------------------------- */

static int same_text(const char *one, const char *two)
{
    return one && two ? !strcmp(one, two) : one == two;
}

/* Whether a process with the job of one does for two. The name is not its affair. */
static int same_job(const struct catalog_row *one, const struct catalog_row *two)
{
    return same_text(one->url, two->url) && same_text(one->refused, two->refused) &&
           settings_same(&one->settings, &two->settings);
}

/* What the table wants of the camera. */
static void wish(struct camera *camera, uint64_t now)
{
    int runs = camera->wanted && !camera->row.refused;

    act(camera, slot_wish(&camera->slot, runs ? SLOT_YES : SLOT_NO, now, 0));
}

static void take_changes(struct camera *camera, struct catalog_row *row, uint64_t now)
{
    int same = same_job(&camera->row, row);

    camera->changed |= !same_text(camera->row.name, row->name);
    if (!same || !camera->wanted) {
        log_info("camera %u: its row has changed", row->cam);
        once_forget(&camera->said);
        camera->complained = 0;
        act(camera, slot_restart(&camera->slot, now));
    }
    camera->wanted = 1;
    catalog_row_clear(&camera->row);
    camera->row = *row;
    memset(row, 0, sizeof(*row));
    wish(camera, now);
}

static void add_camera(struct supervisor *supervisor, struct catalog_row *row, uint64_t now)
{
    struct camera *camera = mem_zeroed(1, sizeof(*camera));

    camera->row = *row;
    camera->wanted = 1;
    camera->state = KC_WIRE_CONNECTING;
    camera->since_ms = clock_wall_ms();
    camera->changed = 1;
    camera->process.fd = -1;
    memset(row, 0, sizeof(*row));
    supervisor->cameras[camera->row.cam] = camera;
    wish(camera, now);
    log_info("camera %u: %s", camera->row.cam, camera->row.name);
}

static void take_row(struct supervisor *supervisor, struct catalog_row *row, uint64_t now)
{
    uint32_t cam = row->cam; /* row is empty once it was taken */
    struct camera *camera = supervisor->cameras[cam];
    char text[256];

    if (camera) {
        take_changes(camera, row, now);
    }
    else {
        add_camera(supervisor, row, now);
        camera = supervisor->cameras[cam];
    }
    if (camera->row.refused) {
        snprintf(text, sizeof(text), "its row is refused, %s", camera->row.refused);
        set_state(camera, KC_WIRE_FAILED, text);
    }
}

/* Partitions for all cameras, records for no others. */
static void announce(struct supervisor *supervisor, const struct catalog_table *table)
{
    struct topics_camera *cameras = mem_zeroed(table->count, sizeof(*cameras));
    uint32_t *numbers = mem_zeroed(table->count, sizeof(*numbers));
    size_t i;

    for (i = 0; i < table->count; i++) {
        numbers[i] = cameras[i].cam = table->rows[i].cam;
        cameras[i].small = table->rows[i].settings.small_width > 0;
    }
    topics_want(supervisor->topics, cameras, table->count);
    status_cameras(supervisor->status, numbers, table->count);
    free(numbers);
    free(cameras);
}

static void take_table(struct supervisor *supervisor, struct catalog_table *table, uint64_t now)
{
    size_t row = 0;
    uint32_t cam;

    announce(supervisor, table);
    for (cam = 0; cam < supervisor->limit; cam++) {
        struct camera *camera = supervisor->cameras[cam];

        if (row < table->count && table->rows[row].cam == cam) {
            take_row(supervisor, &table->rows[row++], now);
        }
        else if (camera && camera->wanted) {
            log_info("camera %u: its row is gone or not enabled", cam);
            camera->wanted = 0;
            wish(camera, now);
        }
    }
    catalog_table_free(table);
}

/* ---- the loop ----------------------------------------------------------------------------- */

static void earlier(uint64_t *due, uint64_t ms)
{
    *due = ms < *due ? ms : *due;
}

static void tend_status(struct supervisor *supervisor, struct camera *camera, uint64_t now,
                        uint64_t *due)
{
    uint64_t when = camera->written_ms + supervisor->conf->producer.status_interval_ms;

    if (camera->changed) {
        earlier(&when, camera->written_ms + CHANGE_MS);
    }
    if (!camera->written_ms || now >= when) {
        write_status(supervisor, camera, now);
        when = now + supervisor->conf->producer.status_interval_ms;
    }
    earlier(due, when);
}

/* Do what is due for a camera; *due becomes earlier if it wants to be asked before. */
static void tend(struct supervisor *supervisor, uint32_t cam, uint64_t now, uint64_t *due)
{
    struct camera *camera = supervisor->cameras[cam];

    int can_start = !supervisor->stopping_ms && !slot_has_process(&camera->slot) &&
                    camera->wanted &&
                    /* topics wakes us when it has news */
                    topics_ready(supervisor->topics, cam, camera->row.settings.small_width > 0);

    if (!camera->wanted && !slot_has_process(&camera->slot)) {
        catalog_row_clear(&camera->row);
        free(camera);
        supervisor->cameras[cam] = NULL;
        return;
    }
    act(camera, slot_look(&camera->slot, &supervisor->queue, can_start, now, due));
    if (camera->wanted) {
        tend_status(supervisor, camera, now, due);
    }
}

/* Milliseconds until something is due. */
static int tend_all(struct supervisor *supervisor, uint64_t now)
{
    uint64_t due = now + 1000;
    struct slot *next;
    uint32_t cam;

    slot_round(&supervisor->queue);
    for (cam = 0; cam < supervisor->limit; cam++) {
        if (supervisor->cameras[cam]) {
            tend(supervisor, cam, now, &due);
        }
    }
    next = slot_next(&supervisor->queue, now, &due);
    if (next) {
        start(supervisor, (struct camera *)((char *)next - offsetof(struct camera, slot)), now);
        return 0; /* perhaps there are more */
    }
    return due > now ? (int)(due - now) : 0;
}

static void tell_systemd(struct supervisor *supervisor, uint64_t now)
{
    unsigned streaming = 0, all = 0;
    char text[sizeof(supervisor->told)];
    uint32_t cam;

    for (cam = 0; cam < supervisor->limit; cam++) {
        const struct camera *camera = supervisor->cameras[cam];

        all += camera && camera->wanted;
        streaming += camera && camera->wanted && camera->state == KC_WIRE_STREAMING;
    }
    snprintf(text, sizeof(text), "%u of %u cameras streaming", streaming, all);
    if (strcmp(text, supervisor->told)) {
        memcpy(supervisor->told, text, sizeof(text));
        notify_status(text);
        log_debug("%s", text);
    }
    if (supervisor->alive_interval_ms && now >= supervisor->next_alive_ms) {
        notify_alive();
        supervisor->next_alive_ms = now + supervisor->alive_interval_ms;
    }
}

static void reap(struct supervisor *supervisor, uint64_t now)
{
    uint32_t cam;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (cam = 0; cam < supervisor->limit; cam++) {
            struct camera *camera = supervisor->cameras[cam];

            if (camera && camera->process.pid == pid) {
                hear(supervisor, camera, now); /* its last words */
                ended(supervisor, camera, status, now);
                break;
            }
        }
    }
}

static void begin_stop(struct supervisor *supervisor, uint64_t now)
{
    char text[256];
    uint32_t cam;

    if (supervisor->stopping_ms) {
        return;
    }
    log_info("stopping");
    notify_stopping();
    supervisor->stopping_ms = now;
    snprintf(text, sizeof(text), "kafkacam-producer on %s was stopped",
             supervisor->conf->producer.host);
    for (cam = 0; cam < supervisor->limit; cam++) {
        struct camera *camera = supervisor->cameras[cam];

        if (camera) {
            act(camera, slot_wish(&camera->slot, SLOT_NO, now, 0));
            set_state(camera, KC_WIRE_FAILED, text);
            write_status(supervisor, camera, now);
        }
    }
}

static void take_signals(struct supervisor *supervisor, uint64_t now)
{
    struct signalfd_siginfo info;

    while (read(supervisor->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGTERM:
        case SIGINT:
            begin_stop(supervisor, now);
            break;
        case SIGHUP:
            log_info("reading the table of cameras");
            catalog_refresh(supervisor->catalog);
            break;
        default:
            break;
        }
    }
    /* Signals of the same kind become one while they wait, so never count on SIGCHLD's pid. */
    reap(supervisor, now);
}

static void take_wake(struct supervisor *supervisor, uint64_t now)
{
    struct catalog_table *table;
    uint64_t count;

    if (read(supervisor->wake, &count, sizeof(count)) < 0) {
        return;
    }
    table = catalog_take(supervisor->catalog);
    if (table && !supervisor->stopping_ms) {
        take_table(supervisor, table, now);
    }
    else {
        catalog_table_free(table);
    }
}

static void take_event(struct supervisor *supervisor, uint64_t what, uint64_t now)
{
    if (what == SIGNAL) {
        take_signals(supervisor, now);
    }
    else if (what == WAKE) {
        take_wake(supervisor, now);
    }
    else if (supervisor->cameras[what - FIRST_CAMERA]) {
        hear(supervisor, supervisor->cameras[what - FIRST_CAMERA], now);
    }
}

static int any_running(const struct supervisor *supervisor)
{
    uint32_t cam;

    for (cam = 0; cam < supervisor->limit; cam++) {
        if (supervisor->cameras[cam] && running(supervisor->cameras[cam])) {
            return 1;
        }
    }
    return 0;
}

static void loop(struct supervisor *supervisor)
{
    struct epoll_event events[EVENTS];
    int wait_ms = 0;
    uint64_t now;
    int count, i;

    while (!supervisor->stopping_ms || any_running(supervisor)) {
        count = epoll_wait(supervisor->epoll, events, EVENTS, wait_ms);
        now = clock_mono_ms();
        for (i = 0; i < count; i++) {
            take_event(supervisor, events[i].data.u64, now);
        }
        /* First all that was said, then whoever was silent: after a stop of this process itself,
         * which shows as EINTR, the reports of all that time are waiting. */
        wait_ms = count < 0 || count == EVENTS ? 0 : tend_all(supervisor, now);
        tell_systemd(supervisor, now);
        if (supervisor->stopping_ms && now >= supervisor->stopping_ms + GIVE_UP_MS) {
            log_error(1305, "a camera's process does not end, not even by SIGKILL");
            break;
        }
    }
}

/* ---- start and end ------------------------------------------------------------------------ */

/* Called by the threads of catalog and topics. */
static void wake(void *user)
{
    const struct supervisor *supervisor = user;
    uint64_t one = 1;

    /* It can only fail when 2^64 wakes are waiting. */
    if (write(supervisor->wake, &one, sizeof(one)) < 0) {
        return;
    }
}

void supervisor_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    sigaddset(signals, SIGCHLD);
}

static int open_events(struct supervisor *supervisor)
{
    sigset_t signals;

    supervisor_signals(&signals);
    supervisor->epoll = epoll_create1(EPOLL_CLOEXEC);
    supervisor->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    supervisor->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (supervisor->epoll < 0 || supervisor->signals < 0 || supervisor->wake < 0) {
        log_error(1306, "no descriptors: %s", strerror(errno));
        return -1;
    }
    watch(supervisor, supervisor->signals, SIGNAL);
    watch(supervisor, supervisor->wake, WAKE);
    return 0;
}

static void close_all(struct supervisor *supervisor)
{
    uint32_t cam;

    /* The threads first: they may still wake us. */
    catalog_stop(supervisor->catalog);
    status_stop(supervisor->status);
    topics_stop(supervisor->topics);
    for (cam = 0; cam < supervisor->limit; cam++) {
        if (supervisor->cameras[cam]) {
            catalog_row_clear(&supervisor->cameras[cam]->row);
            free(supervisor->cameras[cam]);
        }
    }
    free(supervisor->cameras);
}

int supervisor_run(const struct conf *conf, int to_syslog)
{
    /* Not freed: a thread that hangs at the end may still call wake(). */
    static struct supervisor only;
    struct supervisor *supervisor = &only;
    int rc = -1;

    supervisor->conf = conf;
    supervisor->to_syslog = to_syslog;
    supervisor->limit = conf->producer.max_cameras + 1;
    supervisor->cameras = mem_zeroed(supervisor->limit, sizeof(*supervisor->cameras));
    supervisor->alive_interval_ms = notify_alive_interval_ms();
    supervisor->queue.interval_ms = conf->producer.start_interval_ms;
    supervisor->queue.parallel = STARTS_AT_ONCE;
    supervisor->queue.chance = clock_wall_ms() ^ (uint64_t)getpid();
    if (open_events(supervisor) || topics_start(&supervisor->topics, conf, wake, supervisor) ||
        status_start(&supervisor->status, conf, supervisor->topics) ||
        catalog_start(&supervisor->catalog, conf, wake, supervisor)) {
        goto out;
    }
    log_info("kafkacam-producer %s started", PACKAGE_VERSION);
    notify_ready();
    loop(supervisor);
    status_flush(supervisor->status, 300);
    log_info("stopped");
    rc = 0;
out:
    close_all(supervisor);
    return rc;
}
