/* What block.c and block_serve.c share: the waiter, and who may do what with it.
 *
 * A waiter belongs to its session's thread, which alone frees it, when its answer has come. Its
 * places in the queues are guarded by the locks of all its slots together: whoever takes it out of
 * them holds them all. Who ends the waiting is settled by `state`: one of those who want to moves
 * it on from WAITING, and gives the answer. */
#ifndef SERVER_COMMAND_BLOCK_WAITER_H
#define SERVER_COMMAND_BLOCK_WAITER_H

#include "server/command/block.h"
#include "server/command/block_queue.h"

enum block_state {
    BLOCK_WAITING,
    BLOCK_SERVING, /* its command is being tried; WAITING or OVER afterwards */
    BLOCK_LEAVING, /* CLIENT UNBLOCK was said; its thread will see to it */
    BLOCK_OVER,    /* it stands in no queue any more, and the answer is on its way */
};

enum block_outcome {
    BLOCK_SERVED, /* what is in the stand-in's reply */
    BLOCK_TIMED_OUT,
    BLOCK_UNBLOCKED, /* CLIENT UNBLOCK ... ERROR */
    BLOCK_CHANGED,   /* this node is a replica now */
    BLOCK_GONE,      /* so is the client */
};

struct block_waiter {
    _Atomic int state;          /* enum block_state */
    enum block_outcome outcome; /* of who moved it to OVER or LEAVING */
    struct ticket *ticket;
    struct session
        stand_in; /* what the command sees of the client, and its reply; of whoever is SERVING */
    struct executor *home; /* the session's */
    const struct command_entry *entry;
    struct bytes *argv; /* owned, one allocation with the bytes */
    int argc;
    size_t memory;
    enum type_id type;
    bool also_gone, as_primary; /* this node was a primary then */
    int64_t deadline;           /* monotonic ms; 0: none */
    size_t heap_at;             /* 1 + its place among the deadlines of its thread; 0: none */
    struct block_waiter *next, **previous;             /* all of its thread's */
    struct block_waiter *next_by_id, **previous_by_id; /* of all threads: under their lock */
    struct bytes tried;                                /* the key that is being tried */
    struct slot **slots; /* each once; in the order of store_lock_many, and never changed */
    size_t slot_count;
    size_t place_count;
    struct block_place places[];
};

/* Takes it out of all queues; all its slots are locked. */
void block_leave_queues(struct block_waiter *waiter);
/* Gives the answer; `outcome` is set, and the caller has moved the state to OVER. */
void block_answer(struct block_waiter *waiter);
/* The same when `here` has just run its command: in order with the messages of that. */
void block_answer_served(struct block_waiter *waiter, struct executor *here);

/* Whether the node still serves the waiter's slot to it; the slot is locked. */
bool block_is_served(const struct block_waiter *waiter);

#endif
