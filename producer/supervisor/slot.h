/* What is to be done about one camera: pure. The supervisor says what it wishes, what the group
 * says and what became of the process; a table says what follows, and slot_look() what is due.
 *
 * Starts are a queue: cameras that never failed before those that did, then by the time they are
 * due; one every interval_ms, and no more than parallel of them that have not said a word yet.
 * Many that fail take no more than half of all starts between them, so they starve nobody. */
#ifndef SLOT_H
#define SLOT_H

#include <stddef.h>
#include <stdint.h>

#define SLOT_STOP_MS      3000  /* from SIGTERM to SIGKILL; job.h promises 2 s */
#define SLOT_SETTLED_MS   60000 /* a process that ran this long has forgotten its failures */
#define SLOT_PAUSE_MAX_MS 300000

enum slot_state {
    SLOT_FOREIGN,  /* nothing runs here, and nothing shall */
    SLOT_OWNED,    /* shall run, waits for its turn */
    SLOT_STARTING, /* there is a process that has not said a word yet */
    SLOT_RUNNING,
    SLOT_LEAVING,  /* the process was told to end */
    SLOT_ORPHANED, /* runs, but the group is being asked whether it should, and here */
    SLOT_STATES
};

enum slot_wish { SLOT_NO, SLOT_YES, SLOT_UNSURE };

enum slot_action { SLOT_NOTHING, SLOT_STOP, SLOT_KILL, SLOT_KILL_SILENT };

struct slot {
    enum slot_state state;
    enum slot_wish wish;
    uint64_t due_ms;     /* not started before */
    uint64_t started_ms; /* last time */
    uint64_t silent_ms;  /* a process that is silent until then is killed */
    uint64_t end_ms;     /* LEAVING: killed then. ORPHANED: leaves then */
    unsigned failures;   /* ends without being told, in a row */
};

struct slot_queue {
    uint32_t interval_ms; /* set at the start */
    unsigned parallel;
    uint64_t chance;  /* the jitter's */
    uint64_t next_ms; /* no start before */

    struct slot *best; /* of the round so far */
    unsigned starting, failing;
    unsigned failing_before; /* in the round before */
};

/* What the table and the group want of it; unsure holds until until_ms. An action is to be carried
 * out at once. */
enum slot_action slot_wish(struct slot *slot, enum slot_wish wish, uint64_t now, uint64_t until_ms);

/* It must not go on as it is, its row has changed: what it failed at before is forgotten. */
enum slot_action slot_restart(struct slot *slot, uint64_t now);

/* The process was started, or could not be. */
void slot_started(struct slot *slot, struct slot_queue *queue, uint64_t now, uint64_t silent_ms);
void slot_not_started(struct slot *slot, struct slot_queue *queue, uint64_t now);

/* It said something, and is expected to do so again until silent_ms. */
void slot_heard(struct slot *slot, uint64_t silent_ms);

/* The process is no more. 1: nobody had told it to end, it will be started again. */
int slot_ended(struct slot *slot, struct slot_queue *queue, uint64_t now);

/* Whether there is a process. */
int slot_has_process(const struct slot *slot);

/* A round: slot_round(), slot_look() at each, slot_next(). *due becomes earlier where one wants to
 * be looked at before. */
void slot_round(struct slot_queue *queue);
enum slot_action slot_look(struct slot *slot, struct slot_queue *queue, int can_start, uint64_t now,
                           uint64_t *due);

/* Whose turn it is, NULL: nobody's. */
struct slot *slot_next(struct slot_queue *queue, uint64_t now, uint64_t *due);

#endif
