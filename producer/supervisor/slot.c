#include "slot.h"

#include "clock.h"

enum event { WANTED, UNWANTED, UNSURE, STARTED, HEARD, ENDED, AGAIN, EVENTS };

/* Nothing runs in FOREIGN and OWNED; whoever enters LEAVING is told to end. What follows LEAVING is
 * the wish of that time. */
static const enum slot_state next_state[SLOT_STATES][EVENTS] = {
    /* wanted, unwanted, unsure, started, heard, ended, again */
    [SLOT_FOREIGN] = { SLOT_OWNED, SLOT_FOREIGN, SLOT_FOREIGN, SLOT_FOREIGN, SLOT_FOREIGN,
                       SLOT_FOREIGN, SLOT_FOREIGN },
    [SLOT_OWNED] = { SLOT_OWNED, SLOT_FOREIGN, SLOT_FOREIGN, SLOT_STARTING, SLOT_OWNED, SLOT_OWNED,
                     SLOT_OWNED },
    [SLOT_STARTING] = { SLOT_STARTING, SLOT_LEAVING, SLOT_ORPHANED, SLOT_STARTING, SLOT_RUNNING,
                        SLOT_OWNED, SLOT_LEAVING },
    [SLOT_RUNNING] = { SLOT_RUNNING, SLOT_LEAVING, SLOT_ORPHANED, SLOT_RUNNING, SLOT_RUNNING,
                       SLOT_OWNED, SLOT_LEAVING },
    [SLOT_LEAVING] = { SLOT_LEAVING, SLOT_LEAVING, SLOT_LEAVING, SLOT_LEAVING, SLOT_LEAVING,
                       SLOT_FOREIGN, SLOT_LEAVING },
    [SLOT_ORPHANED] = { SLOT_RUNNING, SLOT_LEAVING, SLOT_ORPHANED, SLOT_ORPHANED, SLOT_ORPHANED,
                        SLOT_FOREIGN, SLOT_LEAVING },
};

static enum slot_action happened(struct slot *slot, enum event event, uint64_t now)
{
    enum slot_state before = slot->state;

    slot->state = next_state[before][event];
    if (slot->state == SLOT_LEAVING && before != SLOT_LEAVING) {
        slot->end_ms = now + SLOT_STOP_MS;
        return SLOT_STOP;
    }
    return SLOT_NOTHING;
}

static void earlier(uint64_t *due, uint64_t ms)
{
    *due = ms < *due ? ms : *due;
}

/* 80 to 120 % of ms, so that cameras which failed together start apart. */
static uint64_t about(struct slot_queue *queue, uint64_t ms)
{
    queue->chance = queue->chance * 6364136223846793005u + 1442695040888963407u;
    return ms * (800 + (queue->chance >> 33) % 401) / 1000;
}

/* Its own pause, or, where many fail, the one at which all of them take half of the starts. */
static uint64_t pause_ms(struct slot_queue *queue, unsigned failures)
{
    uint64_t own = clock_backoff_ms(failures);
    uint64_t all = 2 * (uint64_t)queue->failing_before * queue->interval_ms;
    uint64_t pause = all > own ? all : own;

    return about(queue, pause < SLOT_PAUSE_MAX_MS ? pause : SLOT_PAUSE_MAX_MS);
}

enum slot_action slot_wish(struct slot *slot, enum slot_wish wish, uint64_t now, uint64_t until_ms)
{
    static const enum event events[] = {
        [SLOT_NO] = UNWANTED, [SLOT_YES] = WANTED, [SLOT_UNSURE] = UNSURE
    };
    enum slot_action action;

    if (wish == slot->wish) {
        return SLOT_NOTHING;
    }
    slot->wish = wish;
    action = happened(slot, events[wish], now);
    if (slot->state == SLOT_ORPHANED) {
        slot->end_ms = until_ms;
    }
    return action;
}

enum slot_action slot_restart(struct slot *slot, uint64_t now)
{
    slot->failures = 0;
    slot->due_ms = now;
    return happened(slot, AGAIN, now);
}

void slot_started(struct slot *slot, struct slot_queue *queue, uint64_t now, uint64_t silent_ms)
{
    slot->started_ms = now;
    slot->silent_ms = silent_ms;
    queue->next_ms = now + queue->interval_ms;
    happened(slot, STARTED, now);
}

void slot_not_started(struct slot *slot, struct slot_queue *queue, uint64_t now)
{
    slot->failures++;
    slot->due_ms = now + pause_ms(queue, slot->failures);
    queue->next_ms = now + queue->interval_ms;
}

void slot_heard(struct slot *slot, uint64_t silent_ms)
{
    slot->silent_ms = silent_ms;
    happened(slot, HEARD, 0);
}

int slot_ended(struct slot *slot, struct slot_queue *queue, uint64_t now)
{
    int told = slot->state == SLOT_LEAVING;

    if (now - slot->started_ms >= SLOT_SETTLED_MS) {
        slot->failures = 0;
    }
    if (!told) {
        slot->failures++;
        slot->due_ms = now + pause_ms(queue, slot->failures);
    }
    happened(slot, ENDED, now);
    if (slot->wish == SLOT_YES) {
        happened(slot, WANTED, now);
    }
    return !told;
}

int slot_has_process(const struct slot *slot)
{
    return slot->state != SLOT_FOREIGN && slot->state != SLOT_OWNED;
}

void slot_round(struct slot_queue *queue)
{
    queue->best = NULL;
    queue->failing_before = queue->failing;
    queue->starting = queue->failing = 0;
}

/* Whether one goes before two. */
static int goes_before(const struct slot *one, const struct slot *two)
{
    if (!one->failures != !two->failures) {
        return !one->failures;
    }
    return one->due_ms < two->due_ms;
}

static void queue_up(struct slot *slot, struct slot_queue *queue, uint64_t now, uint64_t *due)
{
    if (now < slot->due_ms) {
        earlier(due, slot->due_ms);
    }
    else if (!queue->best || goes_before(slot, queue->best)) {
        queue->best = slot;
    }
}

static enum slot_action look_at_process(struct slot *slot, uint64_t now, uint64_t *due)
{
    if (slot->state == SLOT_LEAVING) {
        if (now >= slot->end_ms) {
            slot->end_ms = now + SLOT_STOP_MS;
            earlier(due, slot->end_ms);
            return SLOT_KILL;
        }
        earlier(due, slot->end_ms);
        return SLOT_NOTHING;
    }
    if (slot->state == SLOT_ORPHANED) {
        if (now >= slot->end_ms) {
            return happened(slot, UNWANTED, now);
        }
        earlier(due, slot->end_ms);
    }
    if (now >= slot->silent_ms) {
        slot->silent_ms = now + SLOT_STOP_MS; /* its end arrives as SIGCHLD; not again meanwhile */
        return SLOT_KILL_SILENT;
    }
    earlier(due, slot->silent_ms);
    return SLOT_NOTHING;
}

enum slot_action slot_look(struct slot *slot, struct slot_queue *queue, int can_start, uint64_t now,
                           uint64_t *due)
{
    queue->failing += slot->failures > 0;
    queue->starting += slot->state == SLOT_STARTING;
    if (slot_has_process(slot)) {
        return look_at_process(slot, now, due);
    }
    if (slot->state == SLOT_OWNED && can_start) {
        queue_up(slot, queue, now, due);
    }
    return SLOT_NOTHING;
}

struct slot *slot_next(struct slot_queue *queue, uint64_t now, uint64_t *due)
{
    struct slot *best = queue->best;

    if (!best || queue->starting >= queue->parallel) {
        return NULL; /* one that says its first word, or ends, makes a new round */
    }
    if (now < queue->next_ms) {
        earlier(due, queue->next_ms);
        return NULL;
    }
    return best;
}
