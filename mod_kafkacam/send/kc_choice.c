#include "kc_choice.h"

#include "kc_thread.h"

#define NEWS_STATE   1
#define NEWS_PICTURE 2

typedef struct {
    apr_uint32_t cam;
    unsigned char news; /* NEWS_ bits: what may be new since we looked */
    unsigned char dropped;
    unsigned char held;
    apr_int64_t from;   /* no picture before this offset; 0 once there was one */
    apr_uint64_t state; /* numbers of the last frames taken, 0: none */
    apr_uint64_t picture;
    apr_uint64_t nth; /* of the last picture, to count what was skipped */
    apr_time_t due;   /* no picture before this */
} seat_t;

struct kc_choice_t {
    kc_thread_t thread;
    kc_hub_t *hub;
    int wall;
    int plain; /* no pictures with dashes */
    apr_interval_time_t interval;
    apr_size_t count;
    apr_size_t turn; /* the seat whose picture is looked at first */
    apr_size_t news; /* seats with a NEWS_ bit: 0 spares the search */
    apr_time_t due;
    apr_uint64_t skipped;
    seat_t seats[];
};

kc_choice_t *kc_choice_create(kc_hub_t *hub, const apr_uint32_t *cams, apr_size_t count, int wall,
                              apr_interval_time_t interval, apr_pool_t *pool)
{
    kc_choice_t *choice = apr_pcalloc(pool, sizeof(*choice) + count * sizeof(seat_t));
    apr_size_t seat;

    choice->hub = hub;
    choice->wall = wall;
    choice->interval = interval;
    choice->count = count;
    for (seat = 0; seat < count; seat++) {
        choice->seats[seat].cam = cams[seat];
        kc_choice_tell(choice, seat);
    }
    return choice;
}

void kc_choice_without_dashes(kc_choice_t *choice)
{
    choice->plain = 1;
}

apr_size_t kc_choice_count(const kc_choice_t *choice)
{
    return choice->count;
}

apr_uint32_t kc_choice_cam(const kc_choice_t *choice, apr_size_t seat)
{
    return choice->seats[seat].cam;
}

/* All changes of a seat's news go through here, which keeps the count of them. */
static void set_news(kc_choice_t *choice, seat_t *seat, unsigned char news)
{
    choice->news += !!news;
    choice->news -= !!seat->news;
    seat->news = news;
}

void kc_choice_pass(kc_choice_t *choice)
{
    kc_thread_pass(&choice->thread);
}

void kc_choice_tell(kc_choice_t *choice, apr_size_t seat)
{
    kc_thread_own(&choice->thread);
    if (!choice->seats[seat].dropped && !choice->seats[seat].held) {
        set_news(choice, &choice->seats[seat],
                 choice->wall ? NEWS_STATE | NEWS_PICTURE : NEWS_PICTURE);
    }
}

void kc_choice_drop(kc_choice_t *choice, apr_size_t seat)
{
    kc_thread_own(&choice->thread);
    choice->seats[seat].dropped = 1;
    set_news(choice, &choice->seats[seat], 0);
}

int kc_choice_dropped(const kc_choice_t *choice, apr_size_t seat)
{
    return choice->seats[seat].dropped;
}

void kc_choice_hold(kc_choice_t *choice, apr_size_t seat)
{
    choice->seats[seat].held = 1;
    set_news(choice, &choice->seats[seat], 0);
}

void kc_choice_release(kc_choice_t *choice, apr_size_t seat, apr_int64_t offset,
                       apr_uint64_t number)
{
    choice->seats[seat].held = 0;
    choice->seats[seat].from = offset;
    choice->seats[seat].picture = number;
    kc_choice_tell(choice, seat);
}

static kc_frame_t *next_state(kc_choice_t *choice)
{
    apr_size_t i;

    for (i = 0; i < choice->count; i++) {
        seat_t *seat = &choice->seats[i];
        kc_frame_t *frame;

        if (!(seat->news & NEWS_STATE)) {
            continue;
        }
        set_news(choice, seat, seat->news & ~NEWS_STATE);
        frame = kc_hub_newest(choice->hub, seat->cam, KC_FRAME_STATE, seat->state);
        if (frame) {
            seat->state = frame->number;
            return frame;
        }
    }
    return NULL;
}

/* The rhythm of the interval is kept when a frame is a little late, so that the rate comes out as
 * asked for; after a gap it starts afresh. */
static void count_picture(kc_choice_t *choice, seat_t *seat, const kc_frame_t *frame,
                          apr_time_t now)
{
    seat->picture = frame->number;
    if (choice->interval) {
        seat->due += choice->interval;
        if (seat->due <= now) {
            seat->due = now + choice->interval;
        }
    }
    if (frame->kind == KC_FRAME_PICTURE) {
        if (seat->nth && !choice->interval) {
            choice->skipped += frame->nth - seat->nth - 1;
        }
        seat->nth = frame->nth;
    }
}

static kc_frame_t *newest(kc_choice_t *choice, seat_t *seat)
{
    kc_frame_t *frame = choice->wall
                            ? kc_hub_newest(choice->hub, seat->cam, KC_FRAME_PICTURE, seat->picture)
                            : kc_hub_shown(choice->hub, seat->cam, seat->picture, choice->plain);

    if (frame && frame->kind == KC_FRAME_PICTURE) {
        if (frame->offset >= 0 && frame->offset < seat->from) {
            kc_frame_unref(frame); /* it was seen before the seat was released */
            return NULL;
        }
        seat->from = 0;
    }
    return frame;
}

static kc_frame_t *next_picture(kc_choice_t *choice, apr_time_t now)
{
    apr_size_t i;

    for (i = 0; i < choice->count; i++) {
        apr_size_t place = (choice->turn + i) % choice->count;
        seat_t *seat = &choice->seats[place];
        kc_frame_t *frame;

        if (!(seat->news & NEWS_PICTURE)) {
            continue;
        }
        if (seat->due > now) {
            if (!choice->due || seat->due < choice->due) {
                choice->due = seat->due;
            }
            continue;
        }
        set_news(choice, seat, seat->news & ~NEWS_PICTURE);
        frame = newest(choice, seat);
        if (frame) {
            count_picture(choice, seat, frame, now);
            choice->turn = (place + 1) % choice->count;
            return frame;
        }
    }
    return NULL;
}

kc_frame_t *kc_choice_next(kc_choice_t *choice, apr_time_t now)
{
    kc_frame_t *frame = NULL;

    kc_thread_own(&choice->thread);
    choice->due = 0;
    if (choice->news && choice->wall) {
        frame = next_state(choice);
    }
    if (choice->news && !frame) {
        frame = next_picture(choice, now);
    }
    return frame;
}

kc_frame_t *kc_choice_again(kc_choice_t *choice)
{
    seat_t *seat = &choice->seats[0];
    kc_frame_t *frame =
        seat->dropped ? NULL : kc_hub_shown(choice->hub, seat->cam, 0, choice->plain);

    if (frame) {
        seat->picture = frame->number;
        seat->nth = frame->kind == KC_FRAME_PICTURE ? frame->nth : seat->nth;
    }
    return frame;
}

apr_time_t kc_choice_due(const kc_choice_t *choice)
{
    return choice->due;
}

apr_uint64_t kc_choice_skipped(const kc_choice_t *choice)
{
    return choice->skipped;
}
