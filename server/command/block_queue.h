/* Where waiters stand: a slot with waiters has a small table of keys, each with its queue. All
 * under the lock of the slot. */
#ifndef SERVER_COMMAND_BLOCK_QUEUE_H
#define SERVER_COMMAND_BLOCK_QUEUE_H

#include "server/store/store.h"
#include <stdbool.h>

struct block_waiter;
struct executor;

/* A waiter's place in the queue of one key. */
struct block_place {
    struct block_waiter *waiter;
    struct block_queue *queue;
    struct block_place *next, **previous;
    uint64_t turn; /* rises along the queue */
    struct slot *slot;
};

struct block_queue {
    struct block_queue *next; /* in its bucket */
    struct block_place *first, **last;
    size_t also_gone;           /* waiters that want to know of a removal too */
    struct executor *marked_by; /* it is on that one's list of marked keys */
    uint64_t hash;
    size_t key_len;
    char key[];
};

static inline struct bytes block_queue_key(const struct block_queue *queue)
{
    return (struct bytes){ queue->key, queue->key_len };
}

struct block_queue *block_queue_find(const struct slot *slot, uint64_t hash, struct bytes key);
/* The queue of the key, made where there is none. */
struct block_queue *block_queue_of(struct slot *slot, uint64_t hash, struct bytes key);
/* Puts the place, whose waiter and slot are set, at the end. */
void block_queue_add(struct block_queue *queue, struct block_place *place, bool also_gone);
bool block_queue_ends_with(const struct block_queue *queue, const struct block_waiter *waiter);
/* Takes it out; the queue goes with its last waiter, and the table with its last queue. */
void block_queue_remove(struct block_place *place, bool also_gone);
/* Visits all queues of the slot. */
void block_queue_visit(
    struct slot *slot, void (*visit)(struct block_queue *queue, void *arg), void *arg);

#endif
