#include "kc_pump.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <ap_mpm.h>
#include <apr_atomic.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <http_log.h>
#include <http_protocol.h>
#include <mpm_common.h>
#include <scoreboard.h>
#include "kc_asker.h"
#include "kc_channels.h"
#include "kc_counters.h"
#include "kc_grave.h"
#include "kc_line.h"
#include "kc_step.h"
#include "kc_stopwatch.h"
#include "kc_timers.h"

#define EVENTS 256

/* One viewer's turn ends after so many bytes, so that a wall of a hundred cameras holds nobody
 * up. */
#define TURN_MAX 262144

/* How often ended connections are looked at whose worker was not back yet. */
#define SWEEP apr_time_from_msec(20)

/* More than a client's system takes on its own: whoever took that much reads. */
#define SHOWN (512 * 1024)

/* How often the log learns of viewers that were cut, and then of all of them in one line. */
#define TELL apr_time_from_sec(60)

/* When the child is to stop, a picture on its way has so long to get out. */
#define LAST_WORDS apr_time_from_msec(500)

typedef struct pump_t pump_t;
typedef struct stream_t stream_t;

/* A viewer in a pump's care. In the connection's pool. */
struct stream_t {
    APR_RING_ENTRY(stream_t) link; /* in one of the pump's rings */
    kc_viewer_t *viewer;
    pump_t *pump;
    kc_grave_worker_t worker;
    kc_line_t line;
    kc_timer_t timer;
    kc_seat_t *seats;
    kc_hub_t *hub; /* the seats are taken there; NULL: they are not */
    int blocked;  /* the line is full: wait till it is writable */
    enum { OPEN, AGAIN, AWAY, ENDING } state;
    apr_time_t ask; /* when to ask again whether it may see, 0: never, or it is in the queue */
    APR_RING_ENTRY(stream_t) place; /* in the queue for the asker */
    int queued;
    APR_RING_ENTRY(stream_t) age; /* among the green ones */
    int green;                    /* it has not shown yet that it reads */
    int may;                      /* back from the asker: what it said */
    int gone;                     /* the client left, or is cut */
};

APR_RING_HEAD(streams_t, stream_t);

struct pump_t {
    apr_pool_t *pool; /* of the pump's thread alone, once it runs */
    apr_thread_t *thread;
    server_rec *server;
    int epoll;
    int wakeup;        /* eventfd */
    apr_uint32_t load; /* atomic: streams given to it and not ended */

    apr_thread_mutex_t *lock; /* guards these six */
    struct streams_t inbox;
    int greens;     /* that may have to make room, those promised left out */
    int promised;   /* places to others: so many are to be cut */
    stream_t *back; /* from the asker */
    int awake;      /* it will look here: no need to write to wakeup */
    int quit;

    struct streams_t arrived; /* the thread's own from here on: out of the inbox */
    struct streams_t open;
    struct streams_t again; /* had their turn and have more to send */
    struct streams_t away;  /* with the asker */
    struct streams_t ending;
    struct streams_t green; /* the oldest first, whichever ring they are in */
    struct streams_t queue; /* for the asker: by their place, whichever ring they are in */
    kc_asker_t *asker;
    kc_timers_t timers;
    kc_grave_t grave;
    kc_channels_t *channels;
    apr_time_t sweep; /* when to look at the grave, 0: it is empty */
    apr_time_t last;  /* when the child is to stop: by when all must be over; 0: it goes on */
    unsigned stalled; /* cut, and not told to the log yet */
    unsigned displaced;
    apr_time_t tell; /* when it is told next */
    kc_stopwatch_t stopwatch;
    apr_interval_time_t longest; /* that one viewer kept the pump busy */
};

static pump_t *pumps;
static int pump_count;

/* Set once, when the child is told to stop, perhaps in a signal handler. Atomic. */
static apr_uint32_t stopping;

static void wake(pump_t *pump)
{
    apr_uint64_t one = 1;
    ssize_t written;

    do {
        written = write(pump->wakeup, &one, sizeof(one));
    } while (written < 0 && errno == EINTR); /* EAGAIN: it is readable already, as it should be */
}

/* In the publishing thread. */
static void hear(void *baton)
{
    wake(baton);
}

static void enter_channels(stream_t *stream)
{
    kc_viewer_t *viewer = stream->viewer;
    apr_size_t count = kc_choice_count(viewer->choice), i;

    if (!stream->seats) {
        stream->seats = apr_pcalloc(viewer->r->connection->pool, count * sizeof(*stream->seats));
    }
    stream->hub = viewer->hub;
    for (i = 0; i < count; i++) {
        stream->seats[i].owner = stream;
        stream->seats[i].place = i;
        kc_channels_enter(stream->pump->channels, &stream->seats[i], stream->hub,
                          kc_choice_cam(viewer->choice, i));
    }
}

static void leave_channels(stream_t *stream)
{
    apr_size_t i;

    for (i = 0; stream->hub && i < kc_choice_count(stream->viewer->choice); i++) {
        kc_channels_leave(&stream->seats[i]);
    }
    stream->hub = NULL;
}

/* All its cameras may have news: they passed it by. */
static void tell_all(const stream_t *stream)
{
    kc_choice_t *choice = stream->viewer->choice;
    apr_size_t i;

    for (i = 0; i < kc_choice_count(choice); i++) {
        kc_choice_tell(choice, i);
    }
}

/* From news of the past to those of live pictures. Not while news are delivered. */
static void change_channels(stream_t *stream)
{
    if (stream->hub != stream->viewer->hub) {
        leave_channels(stream);
        enter_channels(stream);
        tell_all(stream);
    }
}

static void move_to(struct streams_t *ring, stream_t *stream, int state)
{
    APR_RING_REMOVE(stream, link);
    APR_RING_INSERT_TAIL(ring, stream, stream_t, link);
    stream->state = state;
}

static void begin_green(stream_t *stream)
{
    pump_t *pump = stream->pump;

    stream->green = 1;
    APR_RING_INSERT_TAIL(&pump->green, stream, stream_t, age);
    apr_thread_mutex_lock(pump->lock);
    pump->greens++;
    apr_thread_mutex_unlock(pump->lock);
}

/* It has shown that it reads, or it ends. A promise that counted on it is not kept then: one viewer
 * more than KafkaCamMaxViewers. */
static void end_green(stream_t *stream)
{
    pump_t *pump = stream->pump;

    if (!stream->green) {
        return;
    }
    stream->green = 0;
    APR_RING_REMOVE(stream, age);
    apr_thread_mutex_lock(pump->lock);
    pump->greens -= pump->greens > 0;
    apr_thread_mutex_unlock(pump->lock);
}

/* Only marks it: events of the same batch may still point to it. */
static void end_stream(stream_t *stream, int gone)
{
    if (stream->queued) {
        APR_RING_REMOVE(stream, place);
        stream->queued = 0;
    }
    end_green(stream);
    if (stream->state != ENDING) {
        move_to(&stream->pump->ending, stream, ENDING);
        stream->gone = gone;
    }
}

/* What to do with it next. */
static kc_step_t next_step(const stream_t *stream, apr_time_t now, apr_time_t *wake)
{
    const kc_viewer_t *viewer = stream->viewer;
    kc_step_view_t view = {
        .blocked = stream->blocked,
        .midway = kc_mjpeg_left(&viewer->part) > 0,
        .busy = stream->state != OPEN,
        .cut = kc_viewer_cut_due(viewer),
        .news = kc_viewer_due(viewer),
        .ask = stream->ask,
    };

    return kc_step_next(&view, now, stream->pump->last, wake);
}

/* When to look at it though nothing happens. What is due already has its turn in the next pass, so
 * that no timer rings twice in one. A timer that rings too early is set anew then, which is cheaper
 * than moving it with each frame. */
static void set_timer(stream_t *stream, apr_time_t now)
{
    apr_time_t due;
    kc_step_t step = next_step(stream, now, &due);

    if (step == KC_STEP_END) {
        return; /* at the end of this pass */
    }
    if (step != KC_STEP_WAIT) {
        due = now + 1;
    }
    if (due && (!stream->timer.place || due < stream->timer.due)) {
        kc_timers_set(&stream->pump->timers, &stream->timer, due);
    }
}

static void note_longest(pump_t *pump, apr_interval_time_t by_the_wall)
{
    apr_interval_time_t took = kc_stopwatch_end(&pump->stopwatch, by_the_wall);

    if (took > pump->longest) {
        pump->longest = took;
        kc_counters_raise(KC_COUNTER_LONGEST_TURN, took);
    }
}

/* One turn: what is on its way, then whatever is new, as far as the line takes it. */
static void serve(stream_t *stream)
{
    kc_viewer_t *viewer = stream->viewer;
    apr_off_t before = viewer->r->bytes_sent;
    apr_time_t now = kc_timers_now(); /* thousands may have had their turn since the pump woke up */
    apr_time_t end;
    apr_status_t rv;

    kc_stopwatch_begin(&stream->pump->stopwatch);
    for (;;) {
        rv = kc_line_push(&stream->line, now);
        if (rv != APR_SUCCESS || viewer->r->bytes_sent - before >= TURN_MAX || stream->pump->last ||
            !kc_viewer_next(viewer, now)) {
            break;
        }
    }
    end = kc_timers_now();
    note_longest(stream->pump, end - now);
    stream->blocked = APR_STATUS_IS_EAGAIN(rv);
    if (stream->green && viewer->r->bytes_sent > SHOWN) {
        end_green(stream);
    }
    if (rv != APR_SUCCESS && !stream->blocked) {
        end_stream(stream, 1);
        return;
    }
    if (!stream->blocked && kc_viewer_is_over(viewer)) {
        end_stream(stream, 0);
        return;
    }
    if (!stream->blocked && (viewer->r->bytes_sent - before >= TURN_MAX ||
                             stream->hub != viewer->hub)) {
        move_to(&stream->pump->again, stream, AGAIN);
    }
    set_timer(stream, end);
}

/* The next one goes away to be asked about, if nobody is: there is one place for those who come
 * back. Not while a ring is walked. */
static void ask_next(pump_t *pump)
{
    stream_t *stream = APR_RING_FIRST(&pump->queue);

    if (APR_RING_EMPTY(&pump->queue, stream_t, place) ||
        !APR_RING_EMPTY(&pump->away, stream_t, link) ||
        !kc_asker_ask(pump->asker, stream->viewer)) {
        return;
    }
    APR_RING_REMOVE(stream, place);
    stream->queued = 0;
    move_to(&pump->away, stream, AWAY);
}

/* In the asker's thread. */
static void come_back(void *baton, kc_viewer_t *viewer, int may)
{
    stream_t *stream = viewer->sender;
    pump_t *pump = baton;

    stream->may = may;
    apr_thread_mutex_lock(pump->lock);
    pump->back = stream;
    pump->awake = 1;
    apr_thread_mutex_unlock(pump->lock);
    wake(pump);
}

/* What happened in the meantime passed it by: so all its cameras may have news, and the line
 * room. */
static void on_return(stream_t *stream)
{
    kc_viewer_t *viewer = stream->viewer;

    move_to(&stream->pump->open, stream, OPEN);
    ask_next(stream->pump);
    stream->ask = kc_viewer_recheck_due(viewer);
    if (stream->gone || !stream->may) {
        end_stream(stream, stream->gone);
        return;
    }
    tell_all(stream);
    serve(stream);
}

/* It waits in the queue for the asker and is served meanwhile. */
static void join_queue(stream_t *stream)
{
    stream->ask = 0;
    stream->queued = 1;
    APR_RING_INSERT_TAIL(&stream->pump->queue, stream, stream_t, place);
    ask_next(stream->pump);
}

static void cut(stream_t *stream)
{
    kc_counters_add(KC_COUNTER_VIEWERS_STALLED, 1);
    stream->pump->stalled++;
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, stream->viewer->r,
                  "viewer cut: it took nothing for KafkaCamStallTimeout, or less of a picture than "
                  "KafkaCamLeastRate");
    end_stream(stream, 1);
}

/* All places are taken, and somebody who may read wants one. */
static void displace(stream_t *stream)
{
    kc_counters_add(KC_COUNTER_VIEWERS_DISPLACED, 1);
    stream->pump->displaced++;
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, stream->viewer->r,
                  "viewer cut: it has not read yet, and all KafkaCamMaxViewers are taken");
    if (stream->state == AWAY) {
        end_green(stream);
        stream->gone = 1; /* it ends when it is back */
        return;
    }
    end_stream(stream, 1);
}

/* Thousands may be cut at once: one line for all. */
static void tell_cuts(pump_t *pump, apr_time_t now, int going)
{
    if (!(pump->stalled || pump->displaced) || (going && now < pump->tell)) {
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, pump->server,
                 "viewers cut: %u that read nothing, or too little (KafkaCamStallTimeout, "
                 "KafkaCamLeastRate), %u that had not read yet when all places were taken "
                 "(KafkaCamMaxViewers); at most one line a minute",
                 pump->stalled, pump->displaced);
    pump->stalled = pump->displaced = 0;
    pump->tell = now + TELL;
}

static void on_timer(stream_t *stream, apr_time_t now)
{
    apr_time_t due;
    kc_step_t step = next_step(stream, now, &due);

    if (stream->state == ENDING) {
        return;
    }
    if (step == KC_STEP_ASK) {
        join_queue(stream);
        step = next_step(stream, now, &due);
    }
    if (step == KC_STEP_SERVE) {
        serve(stream);
    }
    else if (step == KC_STEP_CUT) {
        cut(stream);
    }
    else {
        set_timer(stream, now);
    }
}

/* A viewer arrives. Its headers and first boundary go out at once, offline camera or not. */
static void adopt(pump_t *pump, stream_t *stream)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                 .data.ptr = stream };
    conn_rec *c = stream->viewer->r->connection;
    apr_os_sock_t fd;

    c->current_thread = pump->thread;
    APR_RING_INSERT_TAIL(&pump->open, stream, stream_t, link);
    kc_line_open(&stream->line, stream->viewer);
    if (apr_atomic_read32(&stopping)) {
        end_stream(stream, 1);
        return;
    }
    apr_os_sock_get(&fd, stream->line.socket);
    if (epoll_ctl(pump->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, errno, stream->viewer->r,
                      KC_ID(2310) "no room in the poll set: viewer cut");
        end_stream(stream, 1);
        return;
    }
    begin_green(stream);
    enter_channels(stream);
    stream->ask = kc_viewer_recheck_due(stream->viewer);
    serve(stream);
}

/* Outside of the event batch, because everything the stream is made of goes. */
static void finish(pump_t *pump, stream_t *stream)
{
    conn_rec *c = stream->line.c;
    kc_grave_worker_t worker = stream->worker;
    apr_os_sock_t fd;

    APR_RING_REMOVE(stream, link);
    leave_channels(stream);
    kc_timers_unset(&pump->timers, &stream->timer);
    if (apr_os_sock_get(&fd, stream->line.socket) == APR_SUCCESS) {
        epoll_ctl(pump->epoll, EPOLL_CTL_DEL, fd, NULL);
    }
    kc_line_close(&stream->line, stream->gone);
    kc_grave_bury(&pump->grave, c, &worker);
    apr_atomic_dec32(&pump->load);
}

static void on_events(pump_t *pump, const struct epoll_event *events, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        stream_t *stream = events[i].data.ptr;
        apr_uint64_t wakeups;

        if (!stream) {
            while (read(pump->wakeup, &wakeups, sizeof(wakeups)) < 0 && errno == EINTR) {
            }
        }
        else if (stream->state == ENDING) {
            continue;
        }
        else if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
            stream->gone = 1;
            if (stream->state != AWAY) {
                end_stream(stream, 1);
            }
        }
        else if (stream->state != AWAY && (events[i].events & EPOLLOUT) && stream->blocked) {
            serve(stream);
        }
    }
}

static void on_news(kc_seat_t *seat)
{
    stream_t *stream = seat->owner;

    if (stream->state == AWAY) {
        return;
    }
    kc_choice_tell(stream->viewer->choice, seat->place);
    if (!stream->blocked && stream->state == OPEN) {
        serve(stream);
    }
}

/* What other threads left for the pump. Returns whether it goes on. */
static int on_wakeup(pump_t *pump)
{
    stream_t *back;
    int quit, promised;

    apr_thread_mutex_lock(pump->lock);
    APR_RING_CONCAT(&pump->arrived, &pump->inbox, stream_t, link);
    back = pump->back;
    pump->back = NULL;
    pump->awake = 0;
    quit = pump->quit;
    promised = pump->promised;
    pump->promised = 0;
    apr_thread_mutex_unlock(pump->lock);
    kc_channels_deliver(pump->channels, on_news);
    if (back) {
        on_return(back);
    }
    while (promised-- > 0 && !APR_RING_EMPTY(&pump->green, stream_t, age)) {
        displace(APR_RING_FIRST(&pump->green));
    }
    while (!APR_RING_EMPTY(&pump->arrived, stream_t, link)) {
        stream_t *stream = APR_RING_FIRST(&pump->arrived);

        APR_RING_REMOVE(stream, link);
        adopt(pump, stream);
    }
    return !quit;
}

/* No timer counts any more when the child stops: on_endings() looks at all. */
static void on_time(pump_t *pump, apr_time_t now)
{
    kc_timer_t *timer;

    while (!pump->last && (timer = kc_timers_due(&pump->timers, now)) != NULL) {
        on_timer(timer->owner, now);
    }
}

/* Each of those that are there now, not those that come while it is at it. */
static void on_again(pump_t *pump)
{
    stream_t *last = APR_RING_LAST(&pump->again);
    stream_t *stream;

    if (APR_RING_EMPTY(&pump->again, stream_t, link)) {
        return;
    }
    do {
        stream = APR_RING_FIRST(&pump->again);
        move_to(&pump->open, stream, OPEN);
        change_channels(stream);
        serve(stream);
    } while (stream != last);
}

/* The child is to stop: who has the whole of a picture goes now, the others when they have it, but
 * not much later. */
static void begin_end(pump_t *pump, apr_time_t now, int going)
{
    if (apr_atomic_read32(&stopping) && !pump->last) {
        pump->last = now + LAST_WORDS;
    }
    if (!going) {
        pump->last = now;
    }
}

static void end_ring(const struct streams_t *ring, apr_time_t now)
{
    stream_t *stream, *next;
    apr_time_t due;

    for (stream = APR_RING_FIRST(ring); stream != APR_RING_SENTINEL(ring, stream_t, link);
         stream = next) {
        next = APR_RING_NEXT(stream, link);
        if (next_step(stream, now, &due) == KC_STEP_END) {
            end_stream(stream, 0);
        }
    }
}

static void on_endings(pump_t *pump, apr_time_t now)
{
    if (pump->last) {
        end_ring(&pump->open, now);
        end_ring(&pump->again, now);
    }
    while (!APR_RING_EMPTY(&pump->ending, stream_t, link)) {
        finish(pump, APR_RING_FIRST(&pump->ending));
        if (!pump->sweep) {
            pump->sweep = now + SWEEP;
        }
    }
    if (pump->sweep && pump->sweep <= now && !apr_atomic_read32(&stopping)) {
        pump->sweep = kc_grave_sweep(&pump->grave) > 0 ? now + SWEEP : 0;
    }
}

/* When there is something to do though nothing happens; 0: never. */
static apr_time_t next_due(const pump_t *pump)
{
    const kc_timer_t *timer = kc_timers_first(&pump->timers);

    apr_time_t due = timer ? timer->due : 0;

    if (pump->last) {
        return APR_RING_EMPTY(&pump->open, stream_t, link) ? 0 : pump->last;
    }
    if (pump->sweep && (!due || pump->sweep < due)) {
        due = pump->sweep;
    }
    if ((pump->stalled || pump->displaced) && (!due || pump->tell < due)) {
        due = pump->tell;
    }
    return due;
}

/* Milliseconds till then; -1: for ever. */
static int patience(const pump_t *pump, apr_time_t now)
{
    apr_time_t due = next_due(pump);

    if (!APR_RING_EMPTY(&pump->again, stream_t, link)) {
        return 0;
    }
    if (!due) {
        return -1;
    }
    return due > now ? (int)((due - now + 999) / 1000) : 0;
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *data)
{
    struct epoll_event events[EVENTS];
    pump_t *pump = data;
    int going = 1;

    while (going) {
        int count = epoll_wait(pump->epoll, events, EVENTS, patience(pump, kc_timers_now()));
        apr_time_t now = kc_timers_now();

        on_events(pump, events, count);
        going = on_wakeup(pump);
        begin_end(pump, now, going);
        on_time(pump, now);
        on_again(pump);
        on_endings(pump, now);
        tell_cuts(pump, now, going);
    }
    return NULL;
}

/* Where a pump gets its viewers: the last that a worker does with a suspended connection. The hook
 * runs for connections that wait for their next request too, hence the question for the state. */
static void hand_over(conn_rec *c, request_rec *r)
{
    kc_viewer_t *viewer;
    stream_t *stream;
    pump_t *pump;
    int asleep;

    if (!r || !c->cs || c->cs->state != CONN_STATE_SUSPENDED) {
        return;
    }
    viewer = ap_get_module_config(r->request_config, &kafkacam_module);
    if (!viewer || !viewer->sender) {
        return;
    }
    stream = viewer->sender;
    pump = stream->pump;
    kc_grave_note(&stream->worker, c);
    kc_choice_pass(viewer->choice);
    apr_atomic_inc32(&pump->load);
    apr_thread_mutex_lock(pump->lock);
    APR_RING_INSERT_TAIL(&pump->inbox, stream, stream_t, link);
    asleep = !pump->awake;
    pump->awake = 1;
    apr_thread_mutex_unlock(pump->lock);
    if (asleep) {
        wake(pump);
    }
}

static pump_t *least_loaded(void)
{
    pump_t *least = &pumps[0];
    int i;

    for (i = 1; i < pump_count; i++) {
        if (apr_atomic_read32(&pumps[i].load) < apr_atomic_read32(&least->load)) {
            least = &pumps[i];
        }
    }
    return least;
}

/* Only a request of its own, that came over its own connection, can be suspended. */
int kc_pump_send(kc_viewer_t *viewer)
{
    request_rec *r = viewer->r;
    conn_rec *c = r->connection;
    stream_t *stream;

    if (!pump_count || c->master || !c->cs || r->main || r->prev || !kc_line_suits(r)) {
        return DECLINED;
    }
    if (apr_atomic_read32(&stopping)) {
        apr_table_setn(r->err_headers_out, "Retry-After", "1");
        return HTTP_SERVICE_UNAVAILABLE;
    }
    stream = apr_pcalloc(c->pool, sizeof(*stream));
    stream->viewer = viewer;
    stream->pump = least_loaded();
    stream->timer.owner = stream;
    viewer->sender = stream;
    return SUSPENDED;
}

int kc_pump_make_room(void)
{
    int i, made = 0;

    for (i = 0; i < pump_count && !made; i++) {
        pump_t *pump = &pumps[i];

        apr_thread_mutex_lock(pump->lock);
        if (pump->greens > 0) {
            pump->greens--;
            pump->promised++;
            made = 1;
        }
        apr_thread_mutex_unlock(pump->lock);
        if (made) {
            wake(pump);
        }
    }
    return made;
}

static void child_stopping(apr_pool_t *pchild, int graceful)
{
    int i;

    apr_atomic_set32(&stopping, 1);
    for (i = 0; i < pump_count; i++) {
        wake(&pumps[i]);
    }
}

static apr_status_t stop(void *data)
{
    int i;

    for (i = 0; i < pump_count; i++) {
        pump_t *pump = &pumps[i];
        apr_status_t rv;

        apr_thread_mutex_lock(pump->lock);
        pump->quit = 1;
        apr_thread_mutex_unlock(pump->lock);
        wake(pump);
        apr_thread_join(&rv, pump->thread);
        kc_asker_stop(pump->asker);
        kc_grave_abandon(&pump->grave);
        kc_timers_close(&pump->timers);
        close(pump->epoll);
        close(pump->wakeup);
    }
    pump_count = 0;
    return APR_SUCCESS;
}

static apr_status_t start_one(pump_t *pump, apr_pool_t *pool, server_rec *s)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    apr_status_t rv;

    apr_pool_create(&pump->pool, pool);
    pump->server = s;
    APR_RING_INIT(&pump->inbox, stream_t, link);
    APR_RING_INIT(&pump->arrived, stream_t, link);
    APR_RING_INIT(&pump->open, stream_t, link);
    APR_RING_INIT(&pump->again, stream_t, link);
    APR_RING_INIT(&pump->away, stream_t, link);
    APR_RING_INIT(&pump->ending, stream_t, link);
    APR_RING_INIT(&pump->queue, stream_t, place);
    APR_RING_INIT(&pump->green, stream_t, age);
    pump->epoll = epoll_create1(EPOLL_CLOEXEC);
    pump->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pump->epoll < 0 || pump->wakeup < 0 ||
        epoll_ctl(pump->epoll, EPOLL_CTL_ADD, pump->wakeup, &event) != 0) {
        return errno;
    }
    if ((rv = apr_thread_mutex_create(&pump->lock, APR_THREAD_MUTEX_DEFAULT, pool)) ||
        (rv = kc_channels_create(&pump->channels, hear, pump, pump->pool)) ||
        (rv = kc_asker_start(&pump->asker, come_back, pump, pool))) {
        return rv;
    }
    return apr_thread_create(&pump->thread, NULL, run, pump, pool);
}

static int wanted_pumps(const server_rec *s)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int threads = kc_config_get(s)->pump_threads;

    return threads > 0 ? threads : processors >= 8 ? (int)(processors / 4) : 1;
}

void kc_pump_start(apr_pool_t *pchild, server_rec *s)
{
    int async = 0, wanted = wanted_pumps(s);
    sigset_t all, before;
    apr_status_t rv;

    if (ap_mpm_query(AP_MPMQ_IS_ASYNC, &async) != APR_SUCCESS || !async) {
        return;
    }
    pumps = apr_pcalloc(pchild, wanted * sizeof(*pumps));
    /* httpd's signals are for its own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (pump_count = 0; pump_count < wanted; pump_count++) {
        rv = start_one(&pumps[pump_count], pchild, s);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_ERR, rv, s, KC_ID(2311) "%d of %d pump threads started",
                         pump_count, wanted);
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    apr_pool_pre_cleanup_register(pchild, NULL, stop);
}

/* The scoreboard keeps the times that kc_grave relies on only with ExtendedStatus, as mod_status
 * sets it; the administrator's own word counts all the same. */
static int pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    ap_extended_status = 1;
    return OK;
}

void kc_pump_register_hooks(apr_pool_t *pool)
{
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_suspend_connection(hand_over, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_child_stopping(child_stopping, NULL, NULL, APR_HOOK_MIDDLE);
    kc_line_register_hooks(pool);
}
