/* When: which pictures of a stream make an even rhythm of at most fps a second, and at what time
 * each was taken. Pure arithmetic on the times it is given; times are microseconds. */
#ifndef PACE_H
#define PACE_H

#include <stdint.h>

#define PACE_NO_TIME INT64_MIN

/* The camera's clock counts while it is at most this far behind ours; a picture on its way longer
 * than that is no live picture, so the clock must be wrong. */
#define PACE_BEHIND_US INT64_C(10000000)
#define PACE_AHEAD_US  INT64_C(1000000)
/* A clock that was wrong counts again after so long. */
#define PACE_TRUST_US INT64_C(10000000)

struct pace_rhythm {
    int64_t interval_us; /* 0: all pictures */
    int64_t due_us;      /* by the stream's clock, PACE_NO_TIME before the first */
    int64_t last_us;
    int64_t step_us; /* between pictures of the stream, smoothed */
};

void pace_rhythm_init(struct pace_rhythm *rhythm, double fps);

/* Whether the picture of this time is to be published. Takes the picture nearest to each beat, so
 * 30 become 10 by taking each third even when the camera's clock jitters. */
int pace_rhythm_wants(struct pace_rhythm *rhythm, int64_t media_us);

/* The stream's own clock, held against real time: at most so far ahead of it and behind it, since a
 * camera's may stand still, count in another unit, or run fast; a burst after a stall counts as
 * what real time has room for. */
#define PACE_EARLY_US INT64_C(250000)
#define PACE_LATE_US  INT64_C(500000)

struct pace_media {
    int64_t offset_us; /* of the stream's clock against ours, PACE_NO_TIME before the first */
    int64_t window_us; /* when the current look at it began, by our clock */
    int64_t moved_us;  /* how far it had to be set in that time */
    int64_t ran_us;    /* how far it ran in that time */
    int64_t last_us;
    int bad;    /* windows in a row */
    double ran; /* of real time, in the last bad one */
};

void pace_media_init(struct pace_media *media);

/* When, by our monotonic clock, the picture of the stream's time is due. */
int64_t pace_media_time(struct pace_media *media, int64_t media_us, int64_t mono_us);

/* Whether that clock does not run like time; it is given up then, for good. */
int pace_media_wrong(const struct pace_media *media);

struct pace_clock {
    int64_t last_us; /* what was given out */
    int64_t last_mono_us;
    int64_t wrong_mono_us; /* when the camera's clock was last found wrong, or PACE_NO_TIME */
};

void pace_clock_init(struct pace_clock *clock);

/* The capture time of a picture, since 1970: the camera's own time where it is plausible, else that
 * of arrival. It rises from picture to picture whatever the clocks do: where it would have to go
 * back it goes on at half speed until they have caught up. sender_us may be PACE_NO_TIME. */
int64_t pace_clock_capture(struct pace_clock *clock, int64_t sender_us, int64_t arrival_us,
                           int64_t arrival_mono_us);

/* Whether the camera's clock was wrong at the last picture that had a time of it. */
int pace_clock_wrong(const struct pace_clock *clock);

#endif
