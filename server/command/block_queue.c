#include "server/command/block_queue.h"

#include "common/memory.h"
#include <stdatomic.h>
#include <stdlib.h>

/* Chains of queues by hash; twice as many as soon as there are more queues than chains. */
struct block_table {
    size_t count, size; /* queues; chains, a power of two */
    struct block_queue **chains;
};

static _Atomic uint64_t last_turn; /* over all queues */

static struct block_queue **chain_of(const struct block_table *table, uint64_t hash)
{
    return &table->chains[hash & (table->size - 1)];
}

struct block_queue *block_queue_find(const struct slot *slot, uint64_t hash, struct bytes key)
{
    if (!slot->blocked)
        return NULL;
    struct block_queue *queue = *chain_of(slot->blocked, hash);
    while (queue && !(queue->hash == hash && bytes_equal(block_queue_key(queue), key)))
        queue = queue->next;
    return queue;
}

static void grow(struct block_table *table)
{
    struct block_table larger = { table->count, table->size ? table->size * 2 : 4, NULL };
    larger.chains = memory_alloc_zeroed(larger.size, sizeof(struct block_queue *));
    for (size_t i = 0; i < table->size; i++) {
        for (struct block_queue *queue = table->chains[i], *next; queue; queue = next) {
            next = queue->next;
            struct block_queue **chain = chain_of(&larger, queue->hash);
            queue->next = *chain;
            *chain = queue;
        }
    }
    free(table->chains);
    *table = larger;
}

struct block_queue *block_queue_of(struct slot *slot, uint64_t hash, struct bytes key)
{
    struct block_queue *queue = block_queue_find(slot, hash, key);
    if (queue)
        return queue;
    if (!slot->blocked)
        slot->blocked = memory_alloc_zeroed(1, sizeof(*slot->blocked));
    struct block_table *table = slot->blocked;
    if (table->count == table->size)
        grow(table);
    queue = memory_alloc_zeroed(1, sizeof(*queue) + key.len);
    queue->last = &queue->first;
    queue->hash = hash;
    queue->key_len = key.len;
    if (key.len > 0)
        memcpy(queue->key, key.data, key.len);
    struct block_queue **chain = chain_of(table, hash);
    queue->next = *chain;
    *chain = queue;
    table->count++;
    return queue;
}

static void free_queue(struct slot *slot, struct block_queue *queue)
{
    struct block_table *table = slot->blocked;
    struct block_queue **at = chain_of(table, queue->hash);
    while (*at != queue)
        at = &(*at)->next;
    *at = queue->next;
    free(queue);
    if (--table->count > 0)
        return;
    free(table->chains);
    free(table);
    slot->blocked = NULL;
}

void block_queue_add(struct block_queue *queue, struct block_place *place, bool also_gone)
{
    place->queue = queue;
    place->turn = atomic_fetch_add(&last_turn, 1) + 1;
    place->next = NULL;
    place->previous = queue->last;
    *queue->last = place;
    queue->last = &place->next;
    queue->also_gone += also_gone;
}

bool block_queue_ends_with(const struct block_queue *queue, const struct block_waiter *waiter)
{
    if (!queue->first)
        return false;
    const char *last = (const char *)queue->last - offsetof(struct block_place, next);
    return ((const struct block_place *)last)->waiter == waiter;
}

void block_queue_remove(struct block_place *place, bool also_gone)
{
    struct block_queue *queue = place->queue;
    *place->previous = place->next;
    if (place->next)
        place->next->previous = place->previous;
    else
        queue->last = place->previous;
    queue->also_gone -= also_gone;
    if (!queue->first)
        free_queue(place->slot, queue);
}

void block_queue_visit(
    struct slot *slot, void (*visit)(struct block_queue *queue, void *arg), void *arg)
{
    for (size_t i = 0; slot->blocked && i < slot->blocked->size; i++) {
        for (struct block_queue *queue = slot->blocked->chains[i]; queue; queue = queue->next)
            visit(queue, arg);
    }
}
