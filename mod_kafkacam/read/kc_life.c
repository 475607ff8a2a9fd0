#include "kc_life.h"

/* How much later than it happened a partition may be seen to have grown. */
#define SEEN_LATE apr_time_from_sec(10)

/* Small pictures may be few. */
#define SMALL_HOLDS apr_time_from_sec(60)

void kc_life_fetch(kc_life_t *life, int on, kc_steady_t now)
{
    life->fetched = on;
    life->fetched_since = now;
    life->answered = 0;
}

void kc_life_answer(kc_life_t *life)
{
    life->answered = 1;
}

void kc_life_picture(kc_life_t *life, apr_time_t taken, kc_moment_t now)
{
    life->answered = 1;
    life->picture = now;
    if (taken && taken < now.wall) {
        life->picture.wall = taken;
        life->picture.steady -= now.wall - taken;
    }
}

void kc_life_end(kc_life_t *life, apr_int64_t end, kc_moment_t now)
{
    if (life->end < 0) {
        life->known = now.steady;
    }
    else if (end > life->end) {
        life->grew = now;
    }
    life->end = end;
}

void kc_life_forget(kc_life_t *life)
{
    const kc_moment_t never = { 0, 0 };

    life->picture = life->grew = never;
}

int kc_life_is_judged(const kc_life_t *life, const kc_life_rules_t *rules, kc_steady_t now)
{
    return life->fetched && (life->answered || now - life->fetched_since >= rules->stale_after);
}

/* Growth is seen some seconds late, so it counts only if there was no picture for longer. */
static int is_by_growth(const kc_life_t *life, const kc_life_rules_t *rules, kc_steady_t now)
{
    return life->grew.wall && !kc_life_is_judged(life, rules, now) &&
           (!life->picture.wall || life->grew.steady > life->picture.steady + SEEN_LATE);
}

kc_moment_t kc_life_sign(const kc_life_t *life, const kc_life_rules_t *rules, kc_steady_t now)
{
    return is_by_growth(life, rules, now) ? life->grew : life->picture;
}

int kc_life_is_live(const kc_life_t *life, const kc_life_rules_t *rules, kc_steady_t now)
{
    kc_moment_t sign = kc_life_sign(life, rules, now);
    apr_interval_time_t holds = rules->stale_after;

    if (is_by_growth(life, rules, now)) {
        holds = rules->settle;
    }
    else if (!kc_life_is_judged(life, rules, now) && holds < SEEN_LATE) {
        holds = SEEN_LATE; /* as while it was watched, but long enough to see it grow */
    }
    return sign.wall && now - sign.steady < holds;
}

int kc_life_was_seen(const kc_life_t *life)
{
    return life->end > 0 || life->picture.wall;
}

int kc_life_serves(const kc_life_t *life, const kc_life_t *full, const kc_life_rules_t *rules,
                   kc_steady_t now)
{
    kc_moment_t sign = kc_life_sign(life, rules, now);

    if (!kc_life_was_seen(life)) {
        return 0;
    }
    return !kc_life_is_live(full, rules, now) || (sign.wall && now - sign.steady < SMALL_HOLDS) ||
           now - life->known < SMALL_HOLDS;
}
