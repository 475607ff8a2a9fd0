#include "kc_playback.h"

/* Where pictures cannot be had, or there are none yet. */
#define TRY_AGAIN  apr_time_from_msec(250)
#define LOOK_AGAIN apr_time_from_msec(20)

/* A viewer so much behind is sent what is due, and what lies between is skipped. */
#define LATE apr_time_from_msec(1000)

/* Nearer to now than this the rest comes as it arrives. */
#define NOW_IS apr_time_from_msec(1000)

/* A camera's clock that jumped back by more than this, and a hole that is no gap. */
#define JUMP apr_time_from_sec(2)

/* So much is read ahead, in time of the viewer, and at most so many records. */
#define AHEAD          apr_time_from_sec(2)
#define AHEAD_RECORDS  96
#define AHEAD_AT_LEAST 16

/* Backwards a camera shows a picture this often. */
#define KEY_MOMENTS apr_time_from_msec(250)

/* Until it is known: five pictures a second. */
#define USUAL_STEP apr_time_from_msec(200)

/* What lies between the past and live pictures is waited for so long. */
#define JOIN_MAX apr_time_from_sec(5)

/* Pictures that are passed over in one call, as one may not see them, or they are too late. */
#define PASS_MAX 64

typedef struct {
    apr_int64_t next;  /* the offset to look at; backwards: from there down */
    apr_int64_t sent;  /* the offset of its last picture */
    kc_frame_t *ready; /* our reference: the next picture, NULL: it is not here yet */
    apr_time_t retry;  /* not looked for before this, 0: at once, or when news come */
    apr_time_t shift;  /* added to its pictures' times: a clock that jumped */
    apr_time_t last;   /* time of its last picture, shifted; 0: none yet */
    apr_time_t held;   /* no picture before this */
    apr_time_t
        joining; /* since then it waits for what lies before the live pictures, 0: it does not */
    apr_interval_time_t step; /* between its pictures, about */
    unsigned begun : 1;   /* its first picture, which is the one shown at the beginning, is out */
    unsigned asked : 1;   /* what it needs is being read */
    unsigned ended : 1;   /* there is nothing more for now */
    unsigned over : 1;    /* there is nothing more for this viewer */
    unsigned absent : 1;  /* it has no past */
    unsigned drained : 1; /* joining, it has seen the end of what was there */
    unsigned live : 1;    /* the choice has it now */
} seat_t;

struct kc_playback_t {
    kc_playback_spec_t spec;
    kc_choice_t *choice;
    int live;          /* joining the live pictures, or did */
    apr_time_t start;  /* when spec.at is played, by the viewer's clock; 0: not begun */
    apr_time_t frozen; /* the viewer's clock stands since then, 0: it runs */
    apr_time_t due;
    apr_uint64_t skipped;
    apr_uint32_t jumps;
    apr_size_t count;
    seat_t seats[];
};

static int is_backwards(const kc_playback_t *playback)
{
    return playback->spec.speed_milli < 0;
}

kc_playback_t *kc_playback_create(const kc_playback_spec_t *spec, kc_choice_t *choice,
                                  const apr_int64_t *offsets, apr_pool_t *pool)
{
    apr_size_t count = kc_choice_count(choice), i;
    kc_playback_t *playback = apr_pcalloc(pool, sizeof(*playback) + count * sizeof(seat_t));

    playback->spec = *spec;
    playback->choice = choice;
    playback->count = count;
    for (i = 0; i < count; i++) {
        seat_t *seat = &playback->seats[i];

        seat->next = offsets[i];
        seat->step = USUAL_STEP;
        seat->absent = seat->over = offsets[i] < 0;
        kc_choice_hold(choice, i);
    }
    return playback;
}

void kc_playback_close(kc_playback_t *playback)
{
    apr_size_t i;

    for (i = 0; i < playback->count; i++) {
        kc_frame_unref(playback->seats[i].ready);
        playback->seats[i].ready = NULL;
    }
}

/* ---- Time ---- */

static void wake_at(kc_playback_t *playback, apr_time_t due)
{
    if (!playback->due || due < playback->due) {
        playback->due = due;
    }
}

/* When a picture of that time is due, by the viewer's clock. */
static apr_time_t due_of(const kc_playback_t *playback, const seat_t *seat, const kc_frame_t *frame)
{
    apr_interval_time_t after = frame->captured + seat->shift - playback->spec.at;

    if (playback->spec.speed_milli == KC_PLAYBACK_ALL || (!seat->begun && after <= 0)) {
        return playback->start;
    }
    return playback->start + after / playback->spec.speed_milli * 1000 +
           after % playback->spec.speed_milli * 1000 / playback->spec.speed_milli;
}

/* What is being played now. */
static apr_time_t moment(const kc_playback_t *playback, apr_time_t now)
{
    return playback->spec.at + (now - playback->start) * playback->spec.speed_milli / 1000;
}

/* The clock stands while something is being read. */
static apr_time_t clock_of(kc_playback_t *playback, apr_time_t now, int starving)
{
    if (!playback->start) {
        playback->start = now;
    }
    if (starving) {
        playback->frozen = playback->frozen ? playback->frozen : now;
        return playback->frozen;
    }
    if (playback->frozen) {
        playback->start += now - playback->frozen;
        playback->frozen = 0;
    }
    return now;
}

/* ---- Getting pictures ---- */

static apr_uint32_t cam_of(const kc_playback_t *playback, const seat_t *seat)
{
    return kc_choice_cam(playback->choice, (apr_size_t)(seat - playback->seats));
}

static int is_dropped(const kc_playback_t *playback, const seat_t *seat)
{
    return kc_choice_dropped(playback->choice, (apr_size_t)(seat - playback->seats));
}

static void read_ahead(const kc_playback_t *playback, const seat_t *seat)
{
    const kc_playback_log_t *log = &playback->spec.log;
    apr_int64_t speed = playback->spec.speed_milli ? playback->spec.speed_milli : 16000;
    apr_int64_t records = AHEAD / 1000 * speed / (seat->step > 0 ? seat->step : 1);
    apr_int64_t at;

    if (speed < 0) {
        if (seat->next > AHEAD_AT_LEAST) {
            log->read_ahead(log->baton, cam_of(playback, seat), seat->next - AHEAD_AT_LEAST);
        }
        return;
    }
    records = records > AHEAD_RECORDS ? AHEAD_RECORDS : records;
    records = records < AHEAD_AT_LEAST ? AHEAD_AT_LEAST : records;
    for (at = AHEAD_AT_LEAST; at <= records; at += AHEAD_AT_LEAST) {
        log->read_ahead(log->baton, cam_of(playback, seat), seat->next + at);
    }
}

/* A picture that is far from where the last one was. */
static void note_jump(kc_playback_t *playback, seat_t *seat, const kc_frame_t *frame,
                      apr_time_t now)
{
    apr_interval_time_t wait;

    if (!seat->begun || is_backwards(playback) || !playback->spec.speed_milli) {
        return;
    }
    if (frame->captured + seat->shift < seat->last - JUMP) {
        seat->shift = seat->last - frame->captured; /* its clock went back: on from here */
    }
    wait = due_of(playback, seat, frame) - now;
    if (frame->offset > seat->next && wait > JUMP) {
        playback->jumps++; /* Kafka let go of what lay between */
        if (playback->count == 1) {
            playback->start -= wait;
        }
    }
}

/* Not older than one may look back, and not beyond the end. */
static int is_allowed(kc_playback_t *playback, seat_t *seat, const kc_frame_t *frame,
                      apr_time_t wall)
{
    const kc_playback_spec_t *spec = &playback->spec;

    if (spec->until &&
        (is_backwards(playback) ? frame->captured < spec->until : frame->captured > spec->until)) {
        seat->over = 1;
        return 0;
    }
    if (spec->back >= 0 && frame->captured < wall - spec->back) {
        if (!playback->start && !is_backwards(playback) && spec->at < wall - spec->back) {
            playback->spec.at = wall - spec->back; /* it begins there */
        }
        seat->over = is_backwards(playback);
        return 0;
    }
    return 1;
}

/* The offset after frame's, in the direction of play. Backwards the step is so large that a camera
 * shows about four pictures a second. */
static void move_on(kc_playback_t *playback, seat_t *seat, const kc_frame_t *frame)
{
    apr_int64_t records = 1;

    if (is_backwards(playback)) {
        records = KEY_MOMENTS * -playback->spec.speed_milli / 1000 / (seat->step ? seat->step : 1);
        seat->next = frame->offset - (records > 1 ? records : 1);
        seat->over |= seat->next < 0;
        return;
    }
    seat->next = frame->offset + 1;
}

static void note_answer(seat_t *seat, kc_playback_answer_t answer, apr_time_t now)
{
    seat->asked = answer == KC_PLAYBACK_ASKED;
    seat->ended = answer == KC_PLAYBACK_END;
    seat->retry = answer == KC_PLAYBACK_LATER || answer == KC_PLAYBACK_END ? now + TRY_AGAIN : 0;
}

static void pass_over(kc_playback_t *playback, seat_t *seat)
{
    move_on(playback, seat, seat->ready);
    kc_frame_unref(seat->ready);
    seat->ready = NULL;
}

/* Have the seat's next picture ready, if it can be had now. */
static void fill(kc_playback_t *playback, seat_t *seat, apr_time_t now, apr_time_t wall)
{
    const kc_playback_log_t *log = &playback->spec.log;
    int step = is_backwards(playback) && seat->begun ? -1 : 1;
    kc_playback_answer_t answer;
    int passed;

    for (passed = 0; !seat->ready && !seat->over && passed < PASS_MAX; passed++) {
        answer = log->find(log->baton, cam_of(playback, seat), seat->next, step, &seat->ready);
        note_answer(seat, answer, now);
        if (answer != KC_PLAYBACK_FOUND) {
            seat->over |=
                answer == KC_PLAYBACK_END &&
                (is_backwards(playback) || (playback->spec.until && playback->spec.until < wall));
            return;
        }
        note_jump(playback, seat, seat->ready, now);
        if (!is_allowed(playback, seat, seat->ready, wall)) {
            pass_over(playback, seat);
        }
    }
    seat->retry = seat->ready ? 0 : now + LOOK_AGAIN;
}

/* Have as many seats as possible ready. Returns whether one waits for what is being read. */
static int fill_all(kc_playback_t *playback, apr_time_t now, apr_time_t wall)
{
    int starving = 0;
    apr_size_t i;

    for (i = 0; i < playback->count; i++) {
        seat_t *seat = &playback->seats[i];

        if (seat->live || seat->over || is_dropped(playback, seat)) {
            continue;
        }
        if (!seat->ready && (!seat->retry || seat->retry <= now || seat->retry - now > TRY_AGAIN)) {
            fill(playback, seat, now, wall);
        }
        if (!seat->ready && seat->retry && !seat->over) {
            wake_at(playback, seat->retry);
        }
        starving |= !seat->ready && seat->asked && !seat->over;
    }
    return starving;
}

/* ---- Sending them ---- */

/* The seat whose picture is due first, if it is due at all. */
static seat_t *first_due(kc_playback_t *playback, apr_time_t clock)
{
    seat_t *first = NULL;
    apr_time_t earliest = 0;
    apr_size_t i;

    for (i = 0; i < playback->count; i++) {
        seat_t *seat = &playback->seats[i];
        apr_time_t due;

        if (!seat->ready || is_dropped(playback, seat)) {
            continue;
        }
        due = due_of(playback, seat, seat->ready);
        due = due < seat->held ? seat->held : due;
        if (due > clock) {
            wake_at(playback, due);
        }
        else if (!first || due < earliest) {
            first = seat;
            earliest = due;
        }
    }
    return first;
}

static kc_frame_t *take(kc_playback_t *playback, seat_t *seat)
{
    kc_frame_t *frame = seat->ready;
    apr_time_t captured = frame->captured + seat->shift;
    apr_interval_time_t step = is_backwards(playback) ? 0 : captured - seat->last;

    if (seat->begun && step > 0 && step < APR_USEC_PER_SEC) {
        seat->step = (3 * seat->step + step) / 4;
    }
    move_on(playback, seat, frame);
    seat->ready = NULL;
    seat->last = captured;
    seat->sent = frame->offset;
    seat->begun = 1;
    read_ahead(playback, seat);
    return frame;
}

/* Of a viewer that is late: on to the newest picture that is due. */
static void catch_up(kc_playback_t *playback, seat_t *seat, apr_time_t clock, apr_time_t now,
                     apr_time_t wall)
{
    int passed;

    if (!playback->spec.speed_milli || clock - due_of(playback, seat, seat->ready) < LATE) {
        return;
    }
    for (passed = 0; passed < PASS_MAX; passed++) {
        kc_frame_t *late = take(playback, seat);

        fill(playback, seat, now, wall);
        if (!seat->ready || due_of(playback, seat, seat->ready) > clock) {
            kc_frame_unref(seat->ready); /* there is nothing newer: this one it is */
            seat->ready = late;
            return;
        }
        kc_frame_unref(late);
        playback->skipped += !playback->spec.interval;
    }
}

static kc_frame_t *next_of_past(kc_playback_t *playback, apr_time_t now, apr_time_t wall)
{
    int starving = fill_all(playback, now, wall);
    apr_time_t clock = clock_of(playback, now, starving);
    seat_t *seat = first_due(playback, clock);

    if (seat && !is_allowed(playback, seat, seat->ready, wall)) {
        pass_over(playback, seat); /* it was, when it came */
        wake_at(playback, now + LOOK_AGAIN);
        return NULL;
    }
    if (!seat) {
        return NULL;
    }
    catch_up(playback, seat, clock, now, wall);
    if (playback->spec.interval) {
        seat->held = clock + playback->spec.interval;
    }
    return take(playback, seat);
}

/* ---- On into live pictures ---- */

/* Has play reached now? Where it does not reach so far by itself, as all cameras have nothing more,
 * it has too. */
static int reaches_now(const kc_playback_t *playback, apr_time_t now, apr_time_t wall)
{
    apr_size_t i;

    if (playback->spec.until || is_backwards(playback) || !playback->spec.speed_milli) {
        return 0;
    }
    if (playback->start && !playback->frozen && moment(playback, now) >= wall - NOW_IS) {
        return 1;
    }
    for (i = 0; i < playback->count; i++) {
        const seat_t *seat = &playback->seats[i];

        if (!is_dropped(playback, seat) && (seat->ready || !(seat->ended || seat->absent))) {
            return 0;
        }
    }
    return 1;
}

static void go_live(kc_playback_t *playback, seat_t *seat, apr_uint64_t number)
{
    kc_frame_unref(seat->ready);
    seat->ready = NULL;
    seat->live = 1;
    kc_choice_release(playback->choice, (apr_size_t)(seat - playback->seats), seat->next, number);
}

/* Between the past and live pictures: the next of those that lie before newest, which may be
 * NULL. 1: it is *frame, or is waited for; 0: there is none any more. */
static int take_before(kc_playback_t *playback, seat_t *seat, const kc_frame_t *newest,
                       apr_time_t now, apr_time_t wall, kc_frame_t **frame)
{
    int missed = newest && newest->offset > seat->next;

    if (!seat->ready && !missed && seat->drained) {
        return 0;
    }
    fill(playback, seat, now, wall);
    if (seat->ready) {
        seat->joining = 0;
        if (!newest || seat->ready->offset < newest->offset) {
            *frame = take(playback, seat);
            return 1;
        }
        return 0;
    }
    if (seat->ended && !missed) {
        seat->drained = 1;
        return 0;
    }
    seat->joining = seat->joining ? seat->joining : now;
    wake_at(playback, now + LOOK_AGAIN);
    return now - seat->joining < JOIN_MAX; /* Kafka does not answer: live pictures do come */
}

/* A seat that is not live yet: what it has not seen, in its order, then it is. */
static kc_frame_t *join(kc_playback_t *playback, seat_t *seat, apr_time_t now, apr_time_t wall)
{
    apr_uint32_t cam = cam_of(playback, seat);
    kc_frame_t *newest = kc_hub_newest(playback->spec.hub, cam, KC_FRAME_PICTURE, 0);
    kc_frame_t *notice, *frame = NULL;

    if (seat->absent) {
        go_live(playback, seat, 0);
    }
    else if (take_before(playback, seat, newest, now, wall, &frame)) {
        /* not yet */
    }
    else if (newest && newest->offset >= seat->next) {
        frame = kc_frame_ref(newest);
        seat->next = frame->offset + 1;
        go_live(playback, seat, frame->number);
    }
    else if ((notice = kc_hub_newest(playback->spec.hub, cam, KC_FRAME_NOTICE, 0)) != NULL) {
        kc_frame_unref(notice); /* nothing comes just now, and people should see that */
        go_live(playback, seat, 0);
    }
    kc_frame_unref(newest);
    return frame;
}

static kc_frame_t *next_of_joining(kc_playback_t *playback, apr_time_t now, apr_time_t wall)
{
    kc_frame_t *frame = NULL;
    apr_size_t i;

    for (i = 0; i < playback->count && !frame; i++) {
        seat_t *seat = &playback->seats[i];

        if (!seat->live && !is_dropped(playback, seat)) {
            frame = join(playback, seat, now, wall);
        }
    }
    return frame;
}

kc_frame_t *kc_playback_next(kc_playback_t *playback, apr_time_t now, apr_time_t wall)
{
    kc_frame_t *frame = NULL;

    playback->due = 0;
    if (!playback->live) {
        frame = next_of_past(playback, now, wall);
        playback->live = !frame && reaches_now(playback, now, wall);
    }
    if (!frame && playback->live) {
        playback->due = 0;
        frame = next_of_joining(playback, now, wall);
    }
    return frame;
}

kc_frame_t *kc_playback_again(kc_playback_t *playback)
{
    const kc_playback_log_t *log = &playback->spec.log;
    seat_t *seat = &playback->seats[0];
    kc_frame_t *frame = NULL;

    if (seat->begun && !is_dropped(playback, seat)) {
        log->find(log->baton, cam_of(playback, seat), seat->sent, 1, &frame);
    }
    if (frame && frame->offset != seat->sent) {
        kc_frame_unref(frame);
        frame = NULL;
    }
    return frame;
}

apr_time_t kc_playback_due(const kc_playback_t *playback)
{
    return playback->due;
}

int kc_playback_is_live(const kc_playback_t *playback)
{
    return playback->live;
}

int kc_playback_is_over(const kc_playback_t *playback)
{
    apr_size_t i;

    for (i = 0; i < playback->count; i++) {
        const seat_t *seat = &playback->seats[i];

        if (!is_dropped(playback, seat) && (!seat->over || seat->ready)) {
            return 0;
        }
    }
    return 1;
}

apr_uint64_t kc_playback_skipped(const kc_playback_t *playback)
{
    return playback->skipped;
}

apr_uint32_t kc_playback_jumps(const kc_playback_t *playback)
{
    return playback->jumps;
}
