/* The inside of a move, for its two files: move.c hands slots out to lanes, tells how it ends and
 * what it leaves; move_slot.c takes a lane's slot through its commands. */
#ifndef CONSOLE_OPERATION_MOVE_H
#define CONSOLE_OPERATION_MOVE_H

#include "console/operation/run.h"

enum {
    MOVE_LANES = 8,    /* slots under way at once */
    MOVE_MIGRATES = 1, /* MIGRATEs under way at once: redis-server serves nobody meanwhile */
    MOVE_SLOT_DIGITS = 8,
};

/* One slot under way. */
struct lane {
    struct operation *operation;
    bool busy;
    unsigned slot;
    char slot_text[MOVE_SLOT_DIGITS];
    bool opened;         /* the target imports it */
    bool target_owns;    /* it was the owner before we came: an earlier run got that far */
    unsigned keys_moved; /* of this slot */
    struct bytes *argv;  /* owned: the MIGRATE that waits for its turn, or is under way; or NULL */
    size_t argc, batch;  /* of it: arguments, keys */
    bool last_batch;     /* of it: the source named fewer keys than it was asked for */
    bool migrating;      /* it is under way */
    unsigned ticket;     /* of the queue for MIGRATE; 0: not in it */
    unsigned failures;   /* of MIGRATE in a row */
    unsigned reopened;   /* times that the source still found keys at the end */
    unsigned telling;    /* other primaries that haven't answered */
    struct event *turn;  /* comes back to next after a while */
    void (*next)(struct lane *lane);
    void (*resting)(struct lane *lane); /* where it goes on when the pause ends; NULL: it doesn't */
};

struct move {
    int source, target;
    struct slot_set left; /* not begun yet */
    struct lane lanes[MOVE_LANES];
    unsigned busy, migrating, tickets;
    bool failing;              /* a slot failed: no new ones are begun */
    struct slot_set late;      /* finished after the end was decided */
    struct slot_set put_back;  /* closed again where they were */
    struct slot_set half_back; /* the same, but the target, silent, may still import them */
    struct slot_set open;      /* failed */
    unsigned open_keys;        /* of them, moved */
    char failure[512];         /* the first */
    int failed_at;             /* its node */
};

/* --- move.c --- */

/* True where no new slots are begun: it was cancelled, or a slot failed. */
bool move_is_ending(const struct operation *operation);
/* True where the run is paused; the lane goes on with `again` when that ends. */
bool move_rests(struct lane *lane, void (*again)(struct lane *lane));
/* The ways in which a lane comes to an end; it gets another slot where there is one. */
void move_lane_done(struct lane *lane);
void move_lane_put_back(struct lane *lane, bool target_knows);
void move_lane_failed(struct lane *lane, int node, const char *what, const char *error);

/* --- move_slot.c --- */

/* The lane's slot is set, the rest of it is zero. */
void move_slot_begin(struct lane *lane);

#endif
