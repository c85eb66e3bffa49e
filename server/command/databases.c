/* MOVE and SWAPDB: keys that go from one database to another. */
#include "server/command/block.h"
#include "server/command/dispatch.h"
#include "server/command/families.h"
#include "server/command/far.h"
#include "server/command/key.h"
#include "server/command/notify.h"
#include "server/command/rows.h"
#include "server/command/transit.h"
#include "server/command/watch.h"
#include "server/journal/journal.h"

#include "common/memory.h"
#include "common/number.h"
#include <limits.h>
#include <stdlib.h>

/* A number of a database that there may be or not. */
static bool parse_index(struct call *call, int index, const char *error, int64_t *database)
{
    if (number_parse(call->argv[index], database) && *database >= INT_MIN && *database <= INT_MAX)
        return true;
    reply_error(call->reply, "%s", error);
    return false;
}

static bool is_database(struct call *call, int64_t database)
{
    if (database >= 0 && database < store_databases(call->store))
        return true;
    reply_error(call->reply, "DB index is out of range");
    return false;
}

/* ---- MOVE ---- */

/* An old copy there that has expired is removed by its own DEL, before this. */
static bool move_locked(struct call *call, struct far *far)
{
    struct key from, to;
    if (!key_write(call, 1, &from) || key_write(&far->call, 1, &to))
        return false;
    key_set(&far->call, &to, entry_copy(from.entry, to.name, entry_expiry(from.entry)));
    key_delete(call, &from);
    key_notify(call, &from, NOTIFY_GENERIC, "move_from");
    key_notify(&far->call, &to, NOTIFY_GENERIC, "move_to");
    call_effect(call, call->argv, call->argc);
    return true;
}

/* MOVE key db */
static void move(struct call *call)
{
    int64_t database;
    if (dispatch_is_cluster()) {
        reply_error(call->reply, "MOVE is not allowed in cluster mode");
        return;
    }
    if (!parse_index(call, 2, "value is not an integer or out of range", &database) ||
        !is_database(call, database))
        return;
    if (database == call->database) {
        reply_error(call->reply, "source and destination objects are the same");
        return;
    }
    struct far far;
    if (!far_lock(call, (unsigned)database, 1, &far))
        return;
    reply_integer(call->reply, move_locked(call, &far));
    far_unlock(call, &far);
}

/* ---- SWAPDB ---- */

/* A key that is under way to another node by MIGRATE would be another one when it has come. */
static bool has_transit(struct slot **slots, size_t count)
{
    bool any = false;
    for (size_t i = 0; transit_any() && i < count && !any; i++)
        any = slots[i]->in_transit;
    return any;
}

static void swap_locked(struct call *call, unsigned one, unsigned other)
{
    for (unsigned number = 0; number < SLOT_COUNT; number++) {
        struct slot *left = store_slot(call->store, one, number);
        struct slot *right = store_slot(call->store, other, number);
        if (left->watches)
            watch_touch_swap(left, right);
        if (right->watches)
            watch_touch_swap(right, left);
        block_signal_slot(call->executor, left);
        block_signal_slot(call->executor, right);
    }
    store_swap_databases(call->store, one, other);
}

/* Within EXEC all slots are locked, and the effects of the transaction are gathered. */
static void swap(struct call *call, unsigned one, unsigned other)
{
    struct executor *executor = call->executor;
    if (executor->holds_all_slots) {
        swap_locked(call, one, other);
        call_changed(call);
        return;
    }
    struct slot **slots = memory_alloc(2 * SLOT_COUNT * sizeof(struct slot *));
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        slots[i] = store_slot(call->store, one, i);
        slots[SLOT_COUNT + i] = store_slot(call->store, other, i);
    }
    size_t count = 2 * (size_t)SLOT_COUNT;
    if (!call_from_client(call)) {
        count = store_lock_many(slots, count);
    } else if (!store_enter_many(slots, &count)) { /* a script takes long */
        call->retry = true;
        free(slots);
        return;
    } else {
        call->retry = has_transit(slots, count);
    }
    if (!call->retry) {
        swap_locked(call, one, other);
        call_effect(call, call->argv, call->argc);
        call_changed(call);
        dispatch_flush_effects(executor, call->session);
        block_serve(executor, slots, count);
    }
    store_unlock_many(slots, count);
    free(slots);
}

/* SWAPDB index1 index2 */
static void swapdb(struct call *call)
{
    int64_t one, other;
    if (dispatch_is_cluster()) {
        reply_error(call->reply, "SWAPDB is not allowed in cluster mode");
        return;
    }
    if (!parse_index(call, 1, "invalid first DB index", &one) ||
        !parse_index(call, 2, "invalid second DB index", &other) || !is_database(call, one) ||
        !is_database(call, other))
        return;
    if (one == other)
        call_changed(call);
    else
        swap(call, (unsigned)one, (unsigned)other);
    if (!call->retry)
        reply_ok(call->reply);
}

/* ---- The table ---- */

const struct command databases_commands[] = {
    { "move", move, 3, CMD_WRITE | CMD_FAST,
        KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)), .group = "generic", .since = "1.0.0",
        .complexity = "O(1)", .summary = "Moves a key to another database, if it is not there yet",
        .args = ARGS(KEY_ARG, ARG("db", ARG_INTEGER)) },
    { "swapdb", swapdb, 3, CMD_WRITE | CMD_FAST | CMD_ALL_SLOTS,
        .categories = "@keyspace @dangerous", .group = "server", .since = "4.0.0",
        .complexity = "O(slots), and O(N) for N clients that watch keys of them or wait for them",
        .summary = "Lets two databases change places",
        .args = ARGS(ARG("index1", ARG_INTEGER), ARG("index2", ARG_INTEGER)) },
    { 0 }
};
