/* MULTI, EXEC, DISCARD, WATCH, UNWATCH. A transaction queues copies of its requests. EXEC takes the
 * locks of all slots that its commands and watched keys live in (of a cluster that is one; with
 * commands that go over the whole key space, all), asks once whether it may run here, runs them one
 * after another, and journals their effects as one unit. Answers that come from other threads are
 * waited for when the locks are let go: see late.h. */
#include "server/command/transaction.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/clock.h"
#include "server/command/acl_access.h"
#include "server/command/block.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/command/families.h"
#include "server/command/far.h"
#include "server/command/key.h"
#include "server/command/late.h"
#include "server/command/route.h"
#include "server/command/rows.h"
#include "server/command/sort_args.h"
#include "server/command/transit.h"
#include "server/command/watch.h"
#include <stdlib.h>

void transaction_add(
    struct session *session, const struct command_entry *entry, const struct bytes *argv, int argc)
{
    struct transaction *transaction = session->transaction;
    if (transaction->broken || atomic_load(&session->watch_broken))
        return;
    if (transaction->count == transaction->capacity) {
        transaction->capacity = transaction->capacity ? transaction->capacity * 2 : 8;
        transaction->queue =
            memory_resize(transaction->queue, transaction->capacity * sizeof(*transaction->queue));
    }
    size_t size = 0;
    for (int i = 0; i < argc; i++)
        size += argv[i].len;
    struct queued *queued = &transaction->queue[transaction->count++];
    queued->entry = entry;
    queued->argc = argc;
    queued->argv = memory_alloc((size_t)argc * sizeof(struct bytes) + size);
    char *at = (char *)(queued->argv + argc);
    for (int i = 0; i < argc; i++) {
        if (argv[i].len > 0)
            memcpy(at, argv[i].data, argv[i].len);
        queued->argv[i] = (struct bytes){ at, argv[i].len };
        at += argv[i].len;
    }
    transaction->flags |= entry->command->flags;
    if (!dispatch_is_cluster() && strncmp(entry->name, "sort", 4) == 0 &&
        sort_names_keys(argv, argc))
        transaction->flags |= CMD_ALL_SLOTS; /* which ones, its elements will say */
    transaction->common_flags &= entry->command->flags;
    transaction->memory += sizeof(*queued) + (size_t)argc * sizeof(struct bytes) + size;
}

size_t transaction_memory(const struct session *session)
{
    return session->transaction ? session->transaction->memory : 0;
}

void transaction_break(struct session *session)
{
    if (session->transaction)
        session->transaction->broken = true;
}

static void forget_queue(struct session *session)
{
    struct transaction *transaction = session->transaction;
    if (!transaction)
        return;
    session->transaction = NULL;
    late_free(session);
    for (size_t i = 0; i < transaction->count; i++)
        free(transaction->queue[i].argv);
    free(transaction->queue);
    free(transaction);
}

void transaction_discard(struct session *session)
{
    forget_queue(session);
    watch_remove_all(session->executor->store, session);
}

static void multi(struct call *call)
{
    if (call->session->transaction) {
        reply_error(call->reply, "MULTI calls can not be nested");
        return;
    }
    call->session->transaction = memory_alloc_zeroed(1, sizeof(struct transaction));
    call->session->transaction->common_flags = ~0u;
    reply_ok(call->reply);
}

static void discard(struct call *call)
{
    if (!call->session->transaction) {
        reply_error(call->reply, "DISCARD without MULTI");
        return;
    }
    transaction_discard(call->session);
    reply_ok(call->reply);
}

static void unwatch(struct call *call)
{
    watch_remove_all(call->store, call->session);
    reply_ok(call->reply);
}

/* Dispatch holds the locks of the keys' slots. */
static void watch(struct call *call)
{
    if (call->session->transaction) {
        reply_error(call->reply, "WATCH inside MULTI is not allowed");
        return;
    }
    for (int i = 1; i < call->argc; i++) {
        struct bytes name = call->argv[i];
        struct slot *slot = call->one_slot
                                ? call->slot
                                : store_slot(call->store, call->database, slot_of_key(name));
        table_cell *cell = store_find(slot, store_hash(call->store, name), name);
        bool expired = cell && entry_is_expired(table_cell_entry(cell), call->now);
        watch_add(call->session, slot, name, expired);
    }
    reply_ok(call->reply);
}

/* ---- EXEC ---- */

/* The slots of a transaction; those of keys first, then those watched. */
struct exec_slots {
    struct slot **slots; /* owned */
    size_t count, capacity;
    size_t keys; /* of the commands */
};

static void add_slot(struct exec_slots *all, struct slot *slot)
{
    if (all->count == all->capacity) {
        all->capacity = all->capacity ? all->capacity * 2 : 16;
        all->slots = memory_resize(all->slots, all->capacity * sizeof(*all->slots));
    }
    all->slots[all->count++] = slot;
}

/* Keys of a queued request, or all that has a slot, in memory that the caller frees. */
static int *keys_of(const struct queued *queued, bool slotted, int *count)
{
    int (*find)(const struct command *, const struct bytes *, int, int *, int) =
        slotted ? command_slotted : command_keys;
    *count = find(queued->entry->command, queued->argv, queued->argc, NULL, 0);
    if (*count <= 0)
        return NULL;
    int *positions = memory_alloc((size_t)*count * sizeof(*positions));
    find(queued->entry->command, queued->argv, queued->argc, positions, *count);
    return positions;
}

bool transaction_wants_behind(const struct call *call, struct bytes key)
{
    for (size_t i = 0; i < call->behind_count; i++) {
        const struct queued *queued = &call->behind[i];
        if (queued->entry->command->flags & CMD_ALL_SLOTS)
            return true;
        int count;
        int *positions = keys_of(queued, false, &count);
        bool wants = false;
        for (int k = 0; k < count; k++)
            wants = wants || bytes_equal(queued->argv[positions[k]], key);
        free(positions);
        if (wants)
            return true;
    }
    return false;
}

/* The database that a queued command is about, after the SELECTs before it. */
static unsigned follow_select(
    const struct call *call, const struct queued *queued, unsigned *database)
{
    int64_t selected;
    if (strcmp(queued->entry->name, "select") == 0 && number_parse(queued->argv[1], &selected) &&
        selected >= 0 && selected < store_databases(call->store))
        *database = (unsigned)selected;
    return *database;
}

/* It waits until no key of any database is in transit. */
static bool is_swapdb(const struct queued *queued)
{
    return strcmp(queued->entry->name, "swapdb") == 0;
}

static void collect(struct call *call, struct exec_slots *all)
{
    const struct transaction *transaction = call->session->transaction;
    unsigned database = call->session->database;
    for (size_t i = 0; i < transaction->count; i++) {
        const struct queued *queued = &transaction->queue[i];
        follow_select(call, queued, &database);
        int count, at;
        int *positions = keys_of(queued, true, &count);
        for (int k = 0; k < count; k++) {
            unsigned slot = slot_of_key(queued->argv[positions[k]]);
            add_slot(all, store_slot(call->store, database, slot));
        }
        free(positions);
        int64_t other;
        if (!dispatch_is_cluster() &&
            far_is_named(queued->entry, queued->argv, queued->argc, &other, &at) && other >= 0 &&
            other < store_databases(call->store))
            add_slot(all, store_slot(call->store, (unsigned)other, slot_of_key(queued->argv[at])));
    }
    all->keys = all->count;
    size_t watched = watch_slots(call->session, NULL, 0);
    struct slot **slots = memory_alloc((watched + 1) * sizeof(*slots));
    watch_slots(call->session, slots, watched);
    for (size_t i = 0; i < watched; i++)
        add_slot(all, slots[i]);
    free(slots);
}

static void add_every_slot(struct call *call, struct exec_slots *all)
{
    all->count = 0;
    for (unsigned database = 0; database < store_databases(call->store); database++) {
        for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
            add_slot(all, store_slot(call->store, database, slot));
    }
}

static void look_for_keys(struct call *call, struct route *route)
{
    struct bytes first = { NULL, 0 };
    const struct transaction *transaction = call->session->transaction;
    for (size_t i = 0; i < transaction->count; i++) {
        const struct queued *queued = &transaction->queue[i];
        int count;
        int *positions = keys_of(queued, false, &count);
        for (int k = 0; k < count; k++) {
            struct bytes key = queued->argv[positions[k]];
            if (!first.data)
                first = key;
            route_add_key(route, call->store, call->now, key, first);
        }
        free(positions);
    }
}

static bool is_served(struct call *call, struct slot *first, size_t keys)
{
    if (!dispatch_is_cluster() || !first)
        return true;
    struct route route = { .slot = first,
        .flags = call->session->transaction->flags & ~(unsigned)CMD_PUBSUB,
        .keys = keys };
    if (route_counts_missing(first))
        look_for_keys(call, &route);
    return route_is_served(call->session, call->reply, &route);
}

static void run_queued(struct session *session, size_t number, bool may_answer_late)
{
    const struct transaction *transaction = session->transaction;
    const struct queued *queued = &transaction->queue[number];
    struct executor *executor = session->executor;
    struct call call = { .executor = executor,
        .session = session,
        .entry = queued->entry,
        .argv = queued->argv,
        .argc = queued->argc,
        .reply = &session->reply,
        .store = executor->store,
        .now = executor->now,
        .database = session->database,
        .in_exec = true,
        .may_answer_late = may_answer_late && queued->entry->command->flags & CMD_PARKS,
        .behind = queued + 1,
        .behind_count = transaction->count - number - 1 };
    int first;
    if (queued->entry->command->keys &&
        command_slotted(queued->entry->command, queued->argv, queued->argc, &first, 1) > 0) {
        struct bytes key = queued->argv[first];
        call.first_key = first;
        call.slot = store_slot(call.store, call.database, slot_of_key(key));
        call.hash = store_hash(call.store, key);
        call.one_slot = dispatch_is_cluster();
    }
    if (acl_allows_queued(session, queued->entry, queued->argv, queued->argc) &&
        dispatch_is_allowed(session, call.reply, queued->entry->command->flags))
        dispatch_call(&call);
}

/* One that had to wait for another's answer. */
static void run_later(struct session *session, size_t number)
{
    if (!turn_is_held(session->executor->turn))
        session->executor->now = clock_unix_ms();
    turn_begin(session->executor->turn);
    run_queued(session, number, true);
    turn_end(session->executor->turn);
}

static void run_queue(struct call *exec)
{
    struct executor *executor = exec->executor;
    struct session *session = exec->session;
    const struct transaction *transaction = session->transaction;
    bool may_park = transaction->flags & CMD_PARKS && executor->post;
    session->last_command = exec->entry->id + 1; /* CLIENT INFO among them says so */
    if (may_park)
        late_begin(session);
    reply_array(exec->reply, transaction->count);
    executor->in_transaction = true;
    for (size_t i = 0; i < transaction->count; i++) {
        unsigned flags = transaction->queue[i].entry->command->flags;
        if (late_waits(session, flags))
            late_postpone(session, i, run_later);
        else
            run_queued(session, i, may_park);
    }
    executor->in_transaction = false;
    if (may_park)
        late_end(session);
    exec->errors = exec->reply->errors; /* each has been counted for its own command */
    dispatch_flush_effects(executor, session);
    dispatch_release_extra(executor);
}

/* Whether a command of the transaction would change a key in transit. */
static bool must_retry(const struct call *exec)
{
    if (!transit_any())
        return false;
    const struct transaction *transaction = exec->session->transaction;
    unsigned database = exec->session->database;
    for (size_t i = 0; i < transaction->count; i++) {
        const struct queued *queued = &transaction->queue[i];
        struct call call = { .session = exec->session,
            .entry = queued->entry,
            .argv = queued->argv,
            .argc = queued->argc,
            .store = exec->store,
            .database = follow_select(exec, queued, &database) };
        if (transit_blocks(&call) || (is_swapdb(queued) && call_from_client(exec)))
            return true;
        int64_t other;
        int at;
        if (far_is_named(queued->entry, queued->argv, queued->argc, &other, &at) && other >= 0 &&
            other < store_databases(exec->store)) {
            call.database = (unsigned)other;
            if (transit_blocks(&call))
                return true;
        }
    }
    return false;
}

/* Under the locks of all its slots. */
static void exec_locked(struct call *call, struct slot *first, size_t keys)
{
    struct session *session = call->session;
    if (!is_served(call, first, keys))
        return;
    if (session->transaction->broken) {
        reply_error(call->reply, "EXECABORT Transaction discarded because of previous errors.");
    } else if (atomic_load(&session->watch_broken) ||
               watch_has_expired(call->store, session, call->now)) {
        reply_null_array(call->reply);
    } else if (must_retry(call)) {
        call->retry = true;
    } else {
        /* Before an UNWATCH among the commands would want the locks. */
        watch_remove_all_locked(session);
        run_queue(call);
    }
}

static void lock_and_run(struct call *call, struct exec_slots *all, struct slot *first, bool every)
{
    struct executor *executor = call->executor;
    size_t locked = all->count;
    if (call->session->flags & (SESSION_PRIMARY | SESSION_LOADER)) {
        locked = store_lock_many(all->slots, locked);
    } else if (!store_enter_many(all->slots, &locked)) {
        call->retry = true; /* a script takes long */
        return;
    }
    executor->holds_all_slots = every;
    executor->held = all->slots;
    executor->held_count = locked;
    exec_locked(call, first, all->keys);
    executor->held_count = 0;
    executor->holds_all_slots = false;
    if (!call->retry)
        watch_remove_all_locked(call->session);
    block_serve(executor, all->slots, locked);
    store_unlock_many(all->slots, locked);
}

static void exec(struct call *call)
{
    struct session *session = call->session;
    struct transaction *transaction = session->transaction;
    if (!transaction) {
        reply_error(call->reply, "EXEC without MULTI");
        return;
    }
    struct exec_slots all = { 0 };
    collect(call, &all);
    bool crossing = false;
    for (size_t i = 1; dispatch_is_cluster() && i < all.keys; i++)
        crossing = crossing || all.slots[i] != all.slots[0];
    struct slot *first = all.keys > 0 ? all.slots[0] : NULL;
    if (crossing) {
        reply_error(call->reply, "CROSSSLOT Keys in request don't hash to the same slot");
    } else {
        bool every = transaction->flags & CMD_ALL_SLOTS;
        if (every)
            add_every_slot(call, &all);
        lock_and_run(call, &all, first, every);
    }
    free(all.slots);
    if (!call->retry && !session->late)
        transaction_discard(session);
}

const struct command transaction_commands[] = {
    { "multi", multi, 1,
        CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_ALLOW_BUSY | CMD_IN_MULTI,
        .group = "transactions", .since = "1.2.0", .complexity = "O(1)",
        .summary = "Begins a transaction: the commands that follow are queued" },
    { "exec", exec, 1,
        CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_SKIP_SLOWLOG | CMD_IN_MULTI | CMD_EXEC,
        .group = "transactions", .since = "1.2.0",
        .complexity = "Depends on the commands of the transaction",
        .summary = "Runs all queued commands as one" },
    { "discard", discard, 1,
        CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_ALLOW_BUSY | CMD_IN_MULTI,
        .group = "transactions", .since = "2.0.0", .complexity = "O(N), N queued commands",
        .summary = "Ends a transaction without running it" },
    { "watch", watch, -2,
        CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_ALLOW_BUSY | CMD_IN_MULTI,
        .keys = KEYS(ALL_KEYS(KEY_RO)), .group = "transactions", .since = "2.2.0",
        .complexity = "O(1) for each key",
        .summary = "Lets the next EXEC run only if these keys do not change until then",
        .args = ARGS(ARG_MANY("key", ARG_KEY)) },
    { "unwatch", unwatch, 1, CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_ALLOW_BUSY,
        .group = "transactions", .since = "2.2.0", .complexity = "O(1)",
        .summary = "Forgets all watched keys" },
    { 0 }
};
