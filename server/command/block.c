/* The life of a waiter: its request is copied, it takes its places, and leaves them when it is
 * served, when its time is over, when somebody says CLIENT UNBLOCK, when this node isn't any more
 * what it was, or when its client goes. See block_waiter.h for who may end it. */
#include "server/command/block_waiter.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/clock.h"
#include "server/command/background.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/command/route.h"
#include "server/periodic.h"
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* The waiters of one thread, which owns it. */
struct block_room {
    struct block_waiter *first;
    struct block_waiter **deadlines; /* a heap: none is later than the two at twice its place */
    size_t count, capacity;
};

/* All waiters by the IDs of their sessions, for CLIENT UNBLOCK. */
enum {
    INDEX = 1024,
    LATER_MS = 10, /* until slots are tried again that a script has */
};
static pthread_mutex_t index_lock = PTHREAD_MUTEX_INITIALIZER;
static struct block_waiter *index_of_ids[INDEX]; /* index_lock */

static atomic_size_t limited; /* waiters with a deadline */

size_t block_limited(void)
{
    return atomic_load(&limited);
}

/* ---- Deadlines ---- */

static void heap_set(struct block_room *room, size_t at, struct block_waiter *waiter)
{
    room->deadlines[at - 1] = waiter;
    waiter->heap_at = at;
}

static struct block_waiter *heap_get(const struct block_room *room, size_t at)
{
    return room->deadlines[at - 1];
}

static void heap_rise(struct block_room *room, size_t at, struct block_waiter *waiter)
{
    for (; at > 1 && heap_get(room, at / 2)->deadline > waiter->deadline; at /= 2)
        heap_set(room, at, heap_get(room, at / 2));
    heap_set(room, at, waiter);
}

static void heap_sink(struct block_room *room, size_t at, struct block_waiter *waiter)
{
    for (size_t child; (child = at * 2) <= room->count; at = child) {
        if (child < room->count &&
            heap_get(room, child + 1)->deadline < heap_get(room, child)->deadline)
            child++;
        if (heap_get(room, child)->deadline >= waiter->deadline)
            break;
        heap_set(room, at, heap_get(room, child));
    }
    heap_set(room, at, waiter);
}

static void heap_add(struct block_room *room, struct block_waiter *waiter)
{
    if (room->count == room->capacity) {
        room->capacity = room->capacity ? room->capacity * 2 : 16;
        room->deadlines =
            memory_resize(room->deadlines, room->capacity * sizeof(struct block_waiter *));
    }
    atomic_fetch_add(&limited, 1);
    heap_rise(room, ++room->count, waiter);
}

static void heap_remove(struct block_room *room, struct block_waiter *waiter)
{
    size_t at = waiter->heap_at;
    if (at == 0)
        return;
    waiter->heap_at = 0;
    atomic_fetch_sub(&limited, 1);
    struct block_waiter *last = heap_get(room, room->count--);
    if (last == waiter)
        return;
    if (last->deadline < waiter->deadline)
        heap_rise(room, at, last);
    else
        heap_sink(room, at, last);
}

static void set_alarm(struct executor *executor)
{
    struct block_room *room = executor->blocking;
    if (room->count > 0)
        executor->set_alarm(executor, heap_get(room, 1)->deadline);
}

/* ---- Its places ---- */

/* False: a script has one of them and takes long; perhaps this thread is in the midst of it. */
static bool enter_slots(struct block_waiter *waiter)
{
    if (waiter->slot_count == 1)
        return slot_lock_enter(&waiter->slots[0]->lock);
    struct slot **slots = memory_copy(waiter->slots, waiter->slot_count * sizeof(*slots));
    size_t count = waiter->slot_count;
    bool entered = store_enter_many(slots, &count);
    free(slots);
    return entered;
}

static void unlock_slots(struct block_waiter *waiter)
{
    store_unlock_many(waiter->slots, waiter->slot_count);
}

void block_leave_queues(struct block_waiter *waiter)
{
    for (size_t i = 0; i < waiter->place_count; i++)
        block_queue_remove(&waiter->places[i], waiter->also_gone);
}

/* Moves the state on; false: somebody else has. While it is being served it waits for the outcome.
 */
static bool claim(struct block_waiter *waiter, int to)
{
    for (;;) {
        int expected = BLOCK_WAITING;
        if (atomic_compare_exchange_strong(&waiter->state, &expected, to))
            return true;
        if (expected != BLOCK_SERVING)
            return false;
        sched_yield();
    }
}

/* Ends the waiting; in the waiter's thread. False: its slots could not be had. */
static bool end(struct block_waiter *waiter, enum block_outcome outcome)
{
    if (!enter_slots(waiter))
        return false;
    bool mine = claim(waiter, BLOCK_OVER);
    if (mine) {
        waiter->outcome = outcome;
        block_leave_queues(waiter);
    }
    unlock_slots(waiter);
    if (mine)
        block_answer(waiter);
    return true;
}

/* ---- The answer ---- */

static void forget(struct block_waiter *waiter)
{
    struct block_room *room = waiter->home->blocking;
    heap_remove(room, waiter);
    *waiter->previous = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    pthread_mutex_lock(&index_lock);
    *waiter->previous_by_id = waiter->next_by_id;
    if (waiter->next_by_id)
        waiter->next_by_id->previous_by_id = waiter->previous_by_id;
    pthread_mutex_unlock(&index_lock);
    reply_free(&waiter->stand_in.reply);
    free(waiter->argv);
    free(waiter->slots);
    free(waiter);
}

static void write_answer(struct session *session, struct block_waiter *waiter)
{
    switch (waiter->outcome) {
    case BLOCK_SERVED:
        reply_join(&session->reply, &waiter->stand_in.reply);
        if (waiter->stand_in.write_offset > session->write_offset)
            session->write_offset = waiter->stand_in.write_offset;
        session->flags |= waiter->stand_in.flags & SESSION_CLOSE_AFTER_REPLY;
        break;
    case BLOCK_TIMED_OUT:
        reply_null_array(&session->reply);
        break;
    case BLOCK_UNBLOCKED:
        reply_error(&session->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
        break;
    case BLOCK_CHANGED:
        reply_error(&session->reply, "UNBLOCKED force unblock from blocking operation, instance "
                                     "state changed (master -> replica?)");
        session->flags |= SESSION_CLOSE_AFTER_REPLY;
        break;
    case BLOCK_GONE:
        break;
    }
}

static void finish(struct session *session, void *arg)
{
    struct block_waiter *waiter = arg;
    if (session) {
        session->waiter = NULL;
        write_answer(session, waiter);
    }
    forget(waiter);
}

void block_answer(struct block_waiter *waiter)
{
    ticket_finish(waiter->ticket, finish, waiter);
}

void block_answer_served(struct block_waiter *waiter, struct executor *here)
{
    ticket_finish_in_order(waiter->ticket, here, finish, waiter);
}

/* ---- The beginning ---- */

bool block_may_wait(const struct call *call)
{
    return call_can_park(call) && call->executor->set_alarm &&
           !(call->session->flags & SESSION_LOADER);
}

bool block_passes_over(const struct call *call, int index)
{
    return call->waiter && !bytes_equal(call->argv[index], call->waiter->tried);
}

/* What the command looks at of a session. Of its parts only those that nobody frees while it waits.
 */
static void stand_in(struct session *shadow, const struct session *session)
{
    shadow->id = session->id;
    shadow->reply.protocol = session->reply.protocol;
    shadow->reply.muted = session->reply.muted;
    shadow->flags = session->flags & ~(unsigned)SESSION_PARKED;
    shadow->database = session->database;
    shadow->name = session->name;
    memcpy(shadow->peer, session->peer, sizeof(shadow->peer));
    memcpy(shadow->local, session->local, sizeof(shadow->local));
    shadow->created_ms = session->created_ms;
    shadow->active_ms = session->active_ms;
}

static void copy_request(struct block_waiter *waiter, const struct bytes *argv, int argc)
{
    size_t size = (size_t)argc * sizeof(struct bytes);
    for (int i = 0; i < argc; i++)
        size += argv[i].len;
    waiter->argc = argc;
    waiter->argv = memory_alloc(size);
    waiter->memory += size;
    char *at = (char *)(waiter->argv + argc);
    for (int i = 0; i < argc; i++) {
        if (argv[i].len > 0)
            memcpy(at, argv[i].data, argv[i].len);
        waiter->argv[i] = (struct bytes){ at, argv[i].len };
        at += argv[i].len;
    }
}

static int compare_slots(const void *a, const void *b)
{
    const struct slot *const *left = a, *const *right = b;
    return *left < *right ? -1 : *left > *right;
}

/* The slots of all keys of the command, those that it doesn't wait for too (BLMOVE's second). */
static void find_slots(struct call *call, struct block_waiter *waiter)
{
    const struct command *command = waiter->entry->command;
    int count = command_keys(command, waiter->argv, waiter->argc, NULL, 0);
    size_t many = call->one_slot || count < 1 ? 1 : (size_t)count;
    waiter->slots = memory_alloc(many * sizeof(*waiter->slots));
    waiter->memory += many * sizeof(*waiter->slots);
    waiter->slots[0] = call->slot;
    waiter->slot_count = 1;
    if (many == 1)
        return;
    int *positions = memory_alloc(many * sizeof(*positions));
    command_keys(command, waiter->argv, waiter->argc, positions, count);
    for (size_t i = 0; i < many; i++)
        waiter->slots[i] =
            store_slot(call->store, call->database, slot_of_key(waiter->argv[positions[i]]));
    free(positions);
    qsort(waiter->slots, many, sizeof(*waiter->slots), compare_slots);
    for (size_t i = 1; i < many; i++) {
        if (waiter->slots[i] != waiter->slots[waiter->slot_count - 1])
            waiter->slots[waiter->slot_count++] = waiter->slots[i];
    }
}

/* Its slots are locked. A key that is named twice is waited for once. */
static void take_places(
    struct call *call, struct block_waiter *waiter, const struct block_wish *wish)
{
    for (int i = 0; i < wish->count; i++) {
        struct bytes key = waiter->argv[wish->positions[i]];
        struct slot *slot =
            call->one_slot ? call->slot : store_slot(call->store, call->database, slot_of_key(key));
        struct block_queue *queue = block_queue_of(slot, store_hash(call->store, key), key);
        if (block_queue_ends_with(queue, waiter))
            continue;
        struct block_place *place = &waiter->places[waiter->place_count++];
        place->waiter = waiter;
        place->slot = slot;
        block_queue_add(queue, place, waiter->also_gone);
        waiter->memory += sizeof(*queue) + key.len;
    }
}

static void enlist(struct block_waiter *waiter)
{
    struct executor *home = waiter->home;
    if (!home->blocking)
        home->blocking = memory_alloc_zeroed(1, sizeof(*home->blocking));
    struct block_room *room = home->blocking;
    waiter->next = room->first;
    waiter->previous = &room->first;
    if (waiter->next)
        waiter->next->previous = &waiter->next;
    room->first = waiter;
    pthread_mutex_lock(&index_lock);
    struct block_waiter **place = &index_of_ids[waiter->stand_in.id % INDEX];
    waiter->next_by_id = *place;
    waiter->previous_by_id = place;
    if (*place)
        (*place)->previous_by_id = &waiter->next_by_id;
    *place = waiter;
    pthread_mutex_unlock(&index_lock);
    if (waiter->deadline) {
        heap_add(room, waiter);
        set_alarm(home);
    }
}

void block_on_keys(struct call *call, const struct block_wish *wish)
{
    if (call->waiter) {
        call->still_waits = true;
        return;
    }
    if (!block_may_wait(call)) {
        if (wish->nothing == BLOCK_NULL)
            reply_null(call->reply);
        else
            reply_null_array(call->reply);
        return;
    }
    size_t size = sizeof(struct block_waiter) + (size_t)wish->count * sizeof(struct block_place);
    struct block_waiter *waiter = memory_alloc_zeroed(1, size);
    waiter->memory = size;
    waiter->home = call->executor;
    waiter->entry = call->entry;
    waiter->type = wish->type;
    waiter->also_gone = wish->also_gone;
    waiter->as_primary = !(condition_all() & CONDITION_REPLICA);
    if (wish->timeout_ms > 0 &&
        __builtin_add_overflow(clock_monotonic_ms(), wish->timeout_ms, &waiter->deadline))
        waiter->deadline = INT64_MAX;
    stand_in(&waiter->stand_in, call->session);
    copy_request(
        waiter, wish->argv ? wish->argv : call->argv, wish->argv ? wish->argc : call->argc);
    waiter->ticket = call_park(call);
    call->session->waiter = waiter;
    enlist(waiter);
    find_slots(call, waiter);
    take_places(call, waiter, wish);
}

void block_on_any(struct call *call, int first, int count, enum type_id type, int64_t timeout_ms)
{
    int *positions = memory_alloc((size_t)count * sizeof(*positions));
    for (int i = 0; i < count; i++)
        positions[i] = first + i;
    block_on_keys(call, &(struct block_wish){ .positions = positions,
                            .count = count,
                            .type = type,
                            .timeout_ms = timeout_ms,
                            .nothing = BLOCK_NULL_ARRAY });
    free(positions);
}

bool block_find_any(
    struct call *call, int first, int count, enum type_id type, struct key *key, bool *wrong)
{
    *wrong = false;
    for (int i = first; i < first + count && !*wrong; i++) {
        if (!block_passes_over(call, i) && key_write_type(call, i, type, key, wrong))
            return true;
    }
    return false;
}

/* ---- Time ---- */

bool block_timeout_seconds(struct call *call, int index, int64_t *ms)
{
    long double seconds;
    if (!number_parse_long_double(call->argv[index], &seconds)) {
        reply_error(call->reply, "timeout is not a float or out of range");
        return false;
    }
    seconds = ceill(seconds * 1000);
    if (seconds < 0 || seconds >= 9223372036854775808.0L) {
        reply_error(call->reply, "timeout is negative");
        return false;
    }
    *ms = (int64_t)seconds;
    return true;
}

bool block_timeout_ms(struct call *call, int index, int64_t *ms)
{
    bool number = number_parse(call->argv[index], ms);
    if (number && *ms >= 0)
        return true;
    reply_error(
        call->reply, number ? "timeout is negative" : "timeout is not an integer or out of range");
    return false;
}

void block_alarm(struct executor *executor)
{
    struct block_room *room = executor->blocking;
    int64_t now = clock_monotonic_ms();
    while (room && room->count > 0 && heap_get(room, 1)->deadline <= now) {
        struct block_waiter *waiter = heap_get(room, 1);
        heap_remove(room, waiter);
        if (!end(waiter, BLOCK_TIMED_OUT)) {
            waiter->deadline = now + LATER_MS;
            heap_add(room, waiter);
        }
    }
    if (room)
        set_alarm(executor);
}

/* ---- Those who go, are sent away, or are in the wrong place ---- */

void block_abandon(struct session *session)
{
    struct block_waiter *waiter = session->waiter;
    session->waiter = NULL;
    while (waiter && !end(waiter, BLOCK_GONE)) {
        executor_serve(waiter->home);
        usleep(LATER_MS * 1000);
    }
}

size_t block_memory(const struct session *session)
{
    return session->waiter ? session->waiter->memory : 0;
}

static void leave(void *arg);

static void leave_later(void *arg)
{
    struct block_waiter *waiter = arg;
    waiter->home->post(waiter->home, leave, waiter);
}

/* In the waiter's thread, which alone frees it; and it does so only after this. */
static void leave(void *arg)
{
    struct block_waiter *waiter = arg;
    if (!enter_slots(waiter)) {
        background_run(LATER_MS, leave_later, waiter);
        return;
    }
    atomic_store(&waiter->state, BLOCK_OVER);
    block_leave_queues(waiter);
    unlock_slots(waiter);
    block_answer(waiter);
}

static bool (*unblock_other)(uint64_t session_id, bool with_error); /* set before any thread */

void block_also(bool (*unblock)(uint64_t session_id, bool with_error))
{
    unblock_other = unblock;
}

bool block_unblock(uint64_t session_id, bool with_error)
{
    bool found = false;
    pthread_mutex_lock(&index_lock);
    struct block_waiter *waiter = index_of_ids[session_id % INDEX];
    while (waiter && waiter->stand_in.id != session_id)
        waiter = waiter->next_by_id;
    if (waiter && claim(waiter, BLOCK_LEAVING)) {
        waiter->outcome = with_error ? BLOCK_UNBLOCKED : BLOCK_TIMED_OUT;
        waiter->home->post(waiter->home, leave, waiter);
        found = true;
    }
    pthread_mutex_unlock(&index_lock);
    return found || (unblock_other && unblock_other(session_id, with_error));
}

/* Whether it waits where it can be served; else it is told where to go. */
bool block_is_served(const struct block_waiter *waiter)
{
    unsigned serving = waiter->slots[0]->serving;
    if (!dispatch_is_cluster() || serving == SLOT_MINE || serving == SLOT_MIGRATING ||
        serving == SLOT_IMPORTING)
        return true;
    return serving == SLOT_REPLICA && waiter->stand_in.flags & SESSION_READONLY &&
           !(waiter->entry->command->flags & CMD_WRITE);
}

/* In a cluster all its keys are in one slot. */
static void redirect(struct block_waiter *waiter)
{
    struct session *session = &waiter->stand_in;
    if (!enter_slots(waiter))
        return; /* the next look will do */
    bool down = condition_all() & CONDITION_CLUSTER_DOWN;
    bool ends = (down || !block_is_served(waiter)) && claim(waiter, BLOCK_OVER);
    if (ends) {
        struct route route = { .slot = waiter->slots[0], .flags = CMD_WRITE };
        session->executor = waiter->home;
        /* The slots of a primary that steps down say so a moment before the node's role does. */
        bool steps_down = waiter->as_primary && waiter->slots[0]->serving == SLOT_REPLICA;
        waiter->outcome = steps_down && !down ? BLOCK_CHANGED : BLOCK_SERVED;
        session->reply.bytes.len = 0;
        if (down)
            reply_error(&session->reply, "CLUSTERDOWN The cluster is down");
        else
            route_is_served(session, &session->reply, &route);
        block_leave_queues(waiter);
    }
    unlock_slots(waiter);
    if (ends)
        block_answer(waiter);
}

static void look_regularly(struct executor *executor, unsigned worker, unsigned workers)
{
    struct block_room *room = executor->blocking;
    if (!room)
        return;
    bool replica = condition_all() & CONDITION_REPLICA;
    for (struct block_waiter *waiter = room->first; waiter; waiter = waiter->next) {
        if (waiter->as_primary && replica)
            end(waiter, BLOCK_CHANGED);
        else if (dispatch_is_cluster())
            redirect(waiter);
    }
}

void block_init(void)
{
    periodic_add(look_regularly, true);
}
