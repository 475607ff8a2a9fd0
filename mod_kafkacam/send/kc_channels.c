#include "kc_channels.h"

#include <apr_atomic.h>
#include <apr_thread_mutex.h>
#include "kc_thread.h"

/* A camera. Never freed: there are as many as camera numbers were ever watched. */
struct kc_channel_t {
    APR_RING_HEAD(kc_seats_t, kc_seat_t) seats;
    kc_channels_t *channels;
    kc_hub_t *hub;
    apr_uint32_t cam;
    kc_hub_watch_t watch;    /* entered while there are seats */
    apr_uint32_t told;       /* atomic: it is in the list of news */
    kc_channel_t *next_told; /* guarded by the lock */
};

/* A hub's channels by camera number, made when first used. */
typedef struct board_t {
    struct board_t *next;
    kc_hub_t *hub;
    kc_channel_t **channels;
} board_t;

struct kc_channels_t {
    apr_pool_t *pool; /* set at creation, never changes, as are wake and baton */
    kc_channels_wake_fn *wake;
    void *baton;
    board_t *boards; /* the pump's thread's own */
    kc_thread_t thread;

    apr_thread_mutex_t *lock; /* guards what is below */
    kc_channel_t *told;       /* those with news, the first that had some first */
    kc_channel_t **told_end;
};

apr_status_t kc_channels_create(kc_channels_t **result, kc_channels_wake_fn *wake, void *baton,
                                apr_pool_t *pool)
{
    kc_channels_t *channels = apr_pcalloc(pool, sizeof(*channels));

    channels->pool = pool;
    channels->wake = wake;
    channels->baton = baton;
    channels->told_end = &channels->told;
    *result = channels;
    return apr_thread_mutex_create(&channels->lock, APR_THREAD_MUTEX_DEFAULT, pool);
}

/* In the publishing thread: once for each frame and pump, however many viewers there are. */
static void tell(void *baton, apr_uint32_t cam)
{
    kc_channel_t *channel = baton;
    kc_channels_t *channels = channel->channels;
    int first;

    if (apr_atomic_xchg32(&channel->told, 1)) {
        return;
    }
    apr_thread_mutex_lock(channels->lock);
    first = !channels->told;
    channel->next_told = NULL;
    *channels->told_end = channel;
    channels->told_end = &channel->next_told;
    apr_thread_mutex_unlock(channels->lock);
    if (first) {
        channels->wake(channels->baton);
    }
}

static board_t *find_board(kc_channels_t *channels, kc_hub_t *hub)
{
    board_t *board = channels->boards;

    while (board && board->hub != hub) {
        board = board->next;
    }
    if (!board) {
        board = apr_pcalloc(channels->pool, sizeof(*board));
        board->hub = hub;
        board->channels = apr_pcalloc(channels->pool, kc_hub_cams(hub) * sizeof(kc_channel_t *));
        board->next = channels->boards;
        channels->boards = board;
    }
    return board;
}

static kc_channel_t *find_channel(kc_channels_t *channels, kc_hub_t *hub, apr_uint32_t cam)
{
    board_t *board = find_board(channels, hub);
    kc_channel_t *channel = board->channels[cam];

    if (!channel) {
        channel = apr_pcalloc(channels->pool, sizeof(*channel));
        APR_RING_INIT(&channel->seats, kc_seat_t, link);
        channel->channels = channels;
        channel->hub = hub;
        channel->cam = cam;
        channel->watch.notify = tell;
        channel->watch.baton = channel;
        board->channels[cam] = channel;
    }
    return channel;
}

void kc_channels_enter(kc_channels_t *channels, kc_seat_t *seat, kc_hub_t *hub, apr_uint32_t cam)
{
    kc_channel_t *channel = find_channel(channels, hub, cam);
    int first = APR_RING_EMPTY(&channel->seats, kc_seat_t, link);

    kc_thread_own(&channels->thread);
    seat->channel = channel;
    APR_RING_INSERT_TAIL(&channel->seats, seat, kc_seat_t, link);
    if (first) {
        kc_hub_watch(hub, cam, &channel->watch);
    }
}

void kc_channels_leave(kc_seat_t *seat)
{
    kc_channel_t *channel = seat->channel;

    kc_thread_own(&channel->channels->thread);
    APR_RING_REMOVE(seat, link);
    if (APR_RING_EMPTY(&channel->seats, kc_seat_t, link)) {
        kc_hub_unwatch(channel->hub, channel->cam, &channel->watch);
    }
}

void kc_channels_deliver(kc_channels_t *channels, kc_channels_news_fn *news)
{
    kc_channel_t *told;

    kc_thread_own(&channels->thread);
    apr_thread_mutex_lock(channels->lock);
    told = channels->told;
    channels->told = NULL;
    channels->told_end = &channels->told;
    apr_thread_mutex_unlock(channels->lock);
    while (told) {
        kc_channel_t *channel = told;
        kc_seat_t *seat;

        told = channel->next_told;
        apr_atomic_set32(&channel->told, 0); /* before looking: news from now on tell again */
        APR_RING_FOREACH(seat, &channel->seats, kc_seat_t, link)
        {
            news(seat);
        }
    }
}
