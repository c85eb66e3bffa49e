/* Serving waiters. While a command runs, the keys that got something are noted in its executor's
 * list; when it is through, the list is gone through in order, and grows where serving one waiter
 * gives another key something. */
#include "server/command/block_waiter.h"

#include "common/memory.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/command/push.h"
#include "server/command/transit.h"
#include <stdlib.h>

/* A key whose waiters are to be served: those behind `after`. */
struct block_mark {
    struct slot *slot;
    uint64_t hash, after;
    char *key; /* owned */
    size_t key_len;
};

/* Slots whose locks the caller has, in ascending order. */
struct held {
    struct slot **slots;
    size_t count;
};

static bool is_held(const struct held *held, const struct slot *slot)
{
    size_t low = 0, high = held->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (held->slots[middle] == slot)
            return true;
        if (held->slots[middle] < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool holds_all(const struct held *held, const struct block_waiter *waiter)
{
    for (size_t i = 0; i < waiter->slot_count; i++) {
        if (!is_held(held, waiter->slots[i]))
            return false;
    }
    return true;
}

/* ---- Marking ---- */

static void mark(struct executor *executor, struct slot *slot, struct block_queue *queue)
{
    if (queue->marked_by == executor)
        return;
    queue->marked_by = executor;
    if (executor->marked_count == executor->marked_capacity) {
        executor->marked_capacity = executor->marked_capacity ? executor->marked_capacity * 2 : 8;
        executor->marked =
            memory_resize(executor->marked, executor->marked_capacity * sizeof(*executor->marked));
    }
    executor->marked[executor->marked_count++] = (struct block_mark){ .slot = slot,
        .hash = queue->hash,
        .key = memory_copy(queue->key, queue->key_len),
        .key_len = queue->key_len };
}

void block_mark(struct executor *executor, struct slot *slot, uint64_t hash, struct bytes name)
{
    struct block_queue *queue = block_queue_find(slot, hash, name);
    if (queue)
        mark(executor, slot, queue);
}

struct marking {
    struct executor *executor;
    struct slot *slot;
};

static void mark_queue(struct block_queue *queue, void *arg)
{
    struct marking *marking = arg;
    mark(marking->executor, marking->slot, queue);
}

void block_mark_all(struct executor *executor, struct slot *slot)
{
    struct marking marking = { executor, slot };
    block_queue_visit(slot, mark_queue, &marking);
}

/* ---- One waiter ---- */

/* Since it began to wait the node may have become something else: its own thread will tell it. */
static bool may_serve(const struct block_waiter *waiter)
{
    return !(waiter->as_primary && condition_all() & CONDITION_REPLICA) && block_is_served(waiter);
}

static void try_again(struct executor *executor, struct block_waiter *waiter)
{
    struct session *session = &waiter->stand_in;
    session->executor = executor;
    session->reply.bytes.len = 0;
    struct call call = { .executor = executor,
        .session = session,
        .entry = waiter->entry,
        .argv = waiter->argv,
        .argc = waiter->argc,
        .reply = &session->reply,
        .store = executor->store,
        .now = executor->now,
        .database = session->database,
        .one_slot = waiter->slot_count == 1,
        .waiter = waiter };
    command_keys(call.entry->command, call.argv, call.argc, &call.first_key, 1);
    struct bytes first = call.argv[call.first_key];
    call.slot = store_slot(call.store, call.database, slot_of_key(first));
    call.hash = store_hash(call.store, first);
    push_serve(executor, &session->reply);
    if (transit_any() && transit_blocks(&call))
        call.still_waits = true;
    else
        dispatch_try_again(&call);
    if (call.still_waits) {
        push_serve(executor, NULL);
        atomic_store(&waiter->state, BLOCK_WAITING);
        return;
    }
    waiter->outcome = BLOCK_SERVED;
    block_leave_queues(waiter);
    atomic_store(&waiter->state, BLOCK_OVER);
    block_answer_served(waiter, executor);
    push_serve(executor, NULL);
}

/* ---- The waiters of one key ---- */

/* Whether the key is now what the waiter waits for. */
static bool is_ready(const struct block_waiter *waiter, const struct entry *entry)
{
    return waiter->also_gone || (entry && entry->type == waiter->type);
}

static const struct entry *entry_of(const struct executor *executor, const struct block_mark *mark)
{
    struct bytes key = { mark->key, mark->key_len };
    table_cell *cell = store_find(mark->slot, mark->hash, key);
    if (!cell || entry_is_expired(table_cell_entry(cell), executor->now))
        return NULL;
    return table_cell_entry(cell);
}

/* Serves those behind mark->after. Returns the one that needs locks of other slots too, or NULL:
 * all are through. */
static struct block_waiter *serve_queue(
    struct executor *executor, const struct held *held, struct block_mark *mark)
{
    struct bytes key = { mark->key, mark->key_len };
    struct block_queue *queue = block_queue_find(mark->slot, mark->hash, key);
    if (!queue)
        return NULL;
    queue->marked_by = NULL;
    struct block_place *place = queue->first;
    while (place && place->turn <= mark->after)
        place = place->next;
    for (struct block_place *next; place; place = next) {
        next = place->next; /* of another waiter: each has one place in a queue */
        struct block_waiter *waiter = place->waiter;
        const struct entry *entry = entry_of(executor, mark);
        if (!entry && queue->also_gone == 0)
            break;
        if (!is_ready(waiter, entry) || !may_serve(waiter))
            continue;
        if (!holds_all(held, waiter))
            return waiter;
        mark->after = place->turn;
        int expected = BLOCK_WAITING;
        if (!atomic_compare_exchange_strong(&waiter->state, &expected, BLOCK_SERVING))
            continue;
        waiter->tried = key;
        try_again(executor, waiter);
        if (!next)
            break; /* the queue may be gone */
    }
    return NULL;
}

void block_serve_marked(struct executor *executor, struct slot **slots, size_t count)
{
    struct held held = { slots, count };
    executor_read_clock(executor); /* what the command gave may be over when that took long */
    size_t kept = 0;
    for (size_t i = 0; i < executor->marked_count; i++) {
        struct block_mark item = executor->marked[i]; /* the list may move while it grows */
        if (!is_held(&held, item.slot) || serve_queue(executor, &held, &item))
            executor->marked[kept++] = item;
        else
            free(item.key);
    }
    executor->marked_count = kept;
}

/* ---- Those who need more than one lock ---- */

/* Copies the slots that are to be locked for whoever is next at the key. */
static size_t slots_wanted(
    struct executor *executor, struct block_mark *mark, struct slot ***slots, bool *busy)
{
    struct held held = { &mark->slot, 1 };
    size_t count = 0;
    if (!slot_lock_enter(&mark->slot->lock)) {
        *busy = true;
        return 0;
    }
    struct block_waiter *waiter = serve_queue(executor, &held, mark);
    if (waiter) {
        count = waiter->slot_count;
        *slots = memory_copy(waiter->slots, count * sizeof(**slots));
    }
    slot_lock_release(&mark->slot->lock);
    return count;
}

/* Each round serves at least the waiter whose slots were wanted, unless it has gone meanwhile.
 * False: a script has one of the slots and takes long. */
static bool serve_all_of(struct executor *executor, struct block_mark *mark)
{
    struct slot **slots;
    size_t count;
    bool busy = false;
    while (!busy && (count = slots_wanted(executor, mark, &slots, &busy)) > 0) {
        busy = !store_enter_many(slots, &count);
        if (!busy) {
            struct held held = { slots, count };
            serve_queue(executor, &held, mark);
            store_unlock_many(slots, count);
        }
        free(slots);
    }
    return !busy;
}

void block_serve_marked_rest(struct executor *executor)
{
    size_t kept = 0;
    executor_read_clock(executor);
    for (size_t i = 0; i < executor->marked_count; i++) {
        struct block_mark item = executor->marked[i];
        if (serve_all_of(executor, &item))
            free(item.key);
        else
            executor->marked[kept++] = item; /* until this executor runs its next command */
    }
    executor->marked_count = kept;
}

void block_join_marks(struct executor *executor, const struct executor *kept)
{
    struct block_mark *own = executor->marked, *all = kept->marked;
    size_t more = executor->marked_count, before = kept->marked_count;
    executor->marked_capacity = kept->marked_capacity;
    if (more > 0) {
        all = memory_resize(all, (before + more) * sizeof(*all));
        memcpy(all + before, own, more * sizeof(*all));
        executor->marked_capacity = before + more;
    }
    free(own);
    executor->marked = all;
    executor->marked_count = before + more;
}
