#include "pace.h"

void pace_rhythm_init(struct pace_rhythm *rhythm, double fps)
{
    rhythm->interval_us = fps > 0 ? (int64_t)(1e6 / fps) : 0;
    rhythm->due_us = PACE_NO_TIME;
    rhythm->last_us = PACE_NO_TIME;
    rhythm->step_us = 0;
}

/* How far the stream's pictures are apart, so that "nearest to the beat" has a meaning. */
static void learn_step(struct pace_rhythm *rhythm, int64_t media_us)
{
    int64_t step_us;

    if (rhythm->last_us != PACE_NO_TIME) {
        step_us = media_us - rhythm->last_us;
        if (rhythm->step_us && step_us > 2 * rhythm->step_us) {
            step_us = 2 * rhythm->step_us; /* a gap says little */
        }
        if (step_us > 0) {
            rhythm->step_us = rhythm->step_us ? (7 * rhythm->step_us + step_us) / 8 : step_us;
        }
    }
    rhythm->last_us = media_us;
}

int pace_rhythm_wants(struct pace_rhythm *rhythm, int64_t media_us)
{
    int64_t early_us, late_us;

    if (!rhythm->interval_us) {
        return 1;
    }
    learn_step(rhythm, media_us);
    late_us = rhythm->due_us == PACE_NO_TIME ? INT64_MAX : media_us - rhythm->due_us;
    /* More than a beat away, either side: the stream paused or its clock jumped. Begin anew. */
    if (late_us > rhythm->interval_us || late_us < -2 * rhythm->interval_us) {
        rhythm->due_us = media_us + rhythm->interval_us;
        return 1;
    }
    early_us = rhythm->step_us / 2 < rhythm->interval_us / 2 ? rhythm->step_us / 2
                                                             : rhythm->interval_us / 2;
    if (late_us < -early_us) {
        return 0;
    }
    /* An eighth of being off moves the beat, so that it settles amid the pictures' jitter. */
    rhythm->due_us += rhythm->interval_us + late_us / 8;
    if (rhythm->due_us < media_us + rhythm->interval_us / 2) {
        rhythm->due_us =
            media_us + rhythm->interval_us; /* after a gap: no two in quick succession */
    }
    return 1;
}

/* ---- The stream's clock ------------------------------------------------------------------- */

#define WINDOW_US INT64_C(2000000)

/* Windows in a row in which it had to be set by more than a quarter of them. One alone is a burst:
 * of the pictures since the last key frame, or after a stall. */
#define BAD_WINDOWS 2

void pace_media_init(struct pace_media *media)
{
    media->offset_us = media->window_us = PACE_NO_TIME;
    media->moved_us = media->ran_us = media->last_us = 0;
    media->bad = 0;
    media->ran = 0;
}

static void judge_window(struct pace_media *media, int64_t mono_us)
{
    int64_t length_us = mono_us - media->window_us;

    if (length_us < WINDOW_US) {
        return;
    }
    if (media->moved_us > length_us / 4) {
        media->bad++;
        media->ran = (double)media->ran_us / (double)length_us;
    }
    else {
        media->bad = 0;
    }
    media->window_us = mono_us;
    media->moved_us = media->ran_us = 0;
}

int64_t pace_media_time(struct pace_media *media, int64_t media_us, int64_t mono_us)
{
    int64_t ahead_us, move_us;

    if (pace_media_wrong(media)) {
        return mono_us;
    }
    if (media->offset_us == PACE_NO_TIME) {
        media->offset_us = mono_us - media_us;
        media->window_us = mono_us;
        media->last_us = media_us;
    }
    media->ran_us += media_us - media->last_us;
    media->last_us = media_us;
    ahead_us = media_us + media->offset_us - mono_us;
    move_us = ahead_us > PACE_EARLY_US   ? PACE_EARLY_US - ahead_us
              : ahead_us < -PACE_LATE_US ? -PACE_LATE_US - ahead_us
                                         : 0;
    media->offset_us += move_us;
    media->moved_us += move_us < 0 ? -move_us : move_us;
    judge_window(media, mono_us);
    return media_us + media->offset_us;
}

int pace_media_wrong(const struct pace_media *media)
{
    return media->bad >= BAD_WINDOWS;
}

/* ---- The camera's clock ------------------------------------------------------------------- */

void pace_clock_init(struct pace_clock *clock)
{
    clock->last_us = PACE_NO_TIME;
    clock->last_mono_us = 0;
    clock->wrong_mono_us = PACE_NO_TIME;
}

static int sender_is_plausible(struct pace_clock *clock, int64_t sender_us, int64_t arrival_us,
                               int64_t mono_us)
{
    if (sender_us == PACE_NO_TIME) {
        return 0;
    }
    if (sender_us > arrival_us + PACE_AHEAD_US || sender_us < arrival_us - PACE_BEHIND_US) {
        clock->wrong_mono_us = mono_us;
        return 0;
    }
    if (clock->wrong_mono_us != PACE_NO_TIME && mono_us - clock->wrong_mono_us < PACE_TRUST_US) {
        return 0;
    }
    clock->wrong_mono_us = PACE_NO_TIME;
    return 1;
}

int64_t pace_clock_capture(struct pace_clock *clock, int64_t sender_us, int64_t arrival_us,
                           int64_t arrival_mono_us)
{
    int64_t captured_us = arrival_us;
    int64_t slow_us;

    if (sender_is_plausible(clock, sender_us, arrival_us, arrival_mono_us) &&
        sender_us < arrival_us) {
        captured_us = sender_us;
    }
    if (clock->last_us != PACE_NO_TIME && captured_us <= clock->last_us) {
        slow_us = (arrival_mono_us - clock->last_mono_us) / 2;
        captured_us = clock->last_us + (slow_us > 1 ? slow_us : 1);
    }
    clock->last_us = captured_us;
    clock->last_mono_us = arrival_mono_us;
    return captured_us;
}

int pace_clock_wrong(const struct pace_clock *clock)
{
    return clock->wrong_mono_us != PACE_NO_TIME;
}
