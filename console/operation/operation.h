/* Running a plan: a state machine on the client's loop that reports what it does as events. It has
 * connections of its own. */
#ifndef CONSOLE_OPERATION_OPERATION_H
#define CONSOLE_OPERATION_OPERATION_H

#include "console/operation/plan.h"

struct client;
struct operation;

enum operation_event_kind {
    OPERATION_STEP,     /* step began */
    OPERATION_PROGRESS, /* figures changed; at most some 20 a second */
    OPERATION_PHASE,    /* something worth a line happened: text */
    OPERATION_DONE,     /* the last event; see operation_outcome */
};

enum operation_outcome {
    OPERATION_RUNNING,
    OPERATION_SUCCEEDED,
    OPERATION_FAILED,
    OPERATION_CANCELLED,
};

/* Figures of the whole run, good at any time. */
struct operation_progress {
    size_t step, step_count; /* the step under way */
    unsigned slots_done, slots_total;
    int64_t keys_done;            /* moved so far */
    int64_t keys_total;           /* planned; -1: not known */
    int slot;                     /* under way; -1: none */
    int64_t elapsed_ms;           /* without pauses */
    double keys_rate, slots_rate; /* a second, over the last seconds */
    int64_t left_ms;              /* about; -1: not known */
    bool paused, cancelling;
};

struct operation_event {
    enum operation_event_kind kind;
    int64_t at_ms; /* since the start */
    size_t step;
    const char *text; /* one line; never NULL; good during the callback only */
};

/* What it came to. All texts are empty where there is nothing to say. */
struct operation_report {
    enum operation_outcome outcome;
    char
        text[512]; /* one line: what happened, how long it took; of a failure: node, step, answer */
    char state[512];   /* the state that was left: "slot 77 is open: 7001 migrating, 7003 importing,
                          12 keys moved" */
    char resume[1024]; /* the command which goes on from there */
};

struct operation_options {
    int64_t request_ms;  /* limit of a request; 0: the client's */
    int64_t wait_ms;     /* limit for waiting until nodes agree; 0: 60 s */
    unsigned batch_keys; /* keys of one MIGRATE; 0: 100 */
};

/* The plan is copied. watch is called from the loop, never from inside this function; after
 * OPERATION_DONE not again. */
struct operation *operation_start(struct client *client, const struct plan *plan,
    const struct operation_options *options,
    void (*watch)(void *context, const struct operation_event *event), void *context);
/* Stops at once and without cleaning up where it still runs (cancel first); allowed inside watch
 * for OPERATION_DONE only. NULL is fine. */
void operation_free(struct operation *operation);

/* Finishes or puts back the slot under way, then ends as OPERATION_CANCELLED. A failover or a
 * create is cancelled where that leaves a clear state; else it finishes. */
void operation_cancel(struct operation *operation);
/* Pauses between two batches of keys, and goes on. Where the kind of plan can't pause: no effect.
 */
void operation_pause(struct operation *operation, bool pause);
bool operation_can_pause(const struct operation *operation);

const struct plan *operation_plan(const struct operation *operation);
void operation_progress(const struct operation *operation, struct operation_progress *progress);
const struct operation_report *operation_report(const struct operation *operation);
/* Slots that have been moved so far, to draw them. */
const struct slot_set *operation_moved_slots(const struct operation *operation);

#endif
