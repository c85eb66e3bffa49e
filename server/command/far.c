#include "server/command/far.h"

#include "common/number.h"
#include "server/command/dispatch.h"
#include "server/command/transit.h"

static bool is_held(const struct executor *executor, const struct slot *slot)
{
    for (size_t i = 0; i < executor->held_count; i++) {
        if (executor->held[i] == slot)
            return true;
    }
    for (size_t i = 0; i < executor->extra_count; i++) {
        if (executor->extra[i] == slot)
            return true;
    }
    return executor->holds_all_slots || executor->extra_is_all;
}

/* What dispatch has locked: commands with a far key have one or two keys here. */
static void list_near(const struct call *call, struct far *far)
{
    int positions[2];
    int count = command_keys(call->entry->command, call->argv, call->argc, positions, 2);
    for (int i = 0; i < count && i < 2; i++) {
        unsigned number = slot_of_key(call->argv[positions[i]]);
        struct slot *slot = store_slot(call->store, call->database, number);
        if (i == 0 || slot != far->near[0])
            far->near[far->near_count++] = slot;
    }
}

bool far_lock(struct call *call, unsigned database, int index, struct far *far)
{
    *far = (struct far){ .call = *call };
    struct bytes key = call->argv[index];
    struct slot *slot = store_slot(call->store, database, slot_of_key(key));
    far->call.database = database;
    far->call.slot = slot;
    far->call.first_key = index;
    far->call.hash = store_hash(call->store, key);
    far->call.one_slot = true;
    if (is_held(call->executor, slot))
        return true;
    if (call->in_exec) {
        reply_error(call->reply, "a script cannot use keys of two databases in one command");
        return false;
    }
    list_near(call, far);
    store_unlock_many(far->near, far->near_count);
    far->all[far->count++] = slot;
    for (size_t i = 0; i < far->near_count; i++)
        far->all[far->count++] = far->near[i];
    if (!call_from_client(call)) {
        far->count = store_lock_many(far->all, far->count);
    } else if (!store_enter_many(far->all, &far->count)) { /* a script takes long */
        store_lock_many(far->near, far->near_count);
        call->retry = true;
        return false;
    }
    far->locked = true;
    if (transit_any() && (transit_blocks(call) || transit_blocks(&far->call))) {
        call->retry = true;
        far_unlock(call, far);
    }
    return !call->retry;
}

void far_unlock(struct call *call, struct far *far)
{
    if (!far->locked)
        return;
    dispatch_flush_effects(call->executor, call->session);
    store_unlock_many(far->all, far->count);
    store_lock_many(far->near, far->near_count);
    far->locked = false;
}

bool far_is_named(const struct command_entry *entry, const struct bytes *argv, int argc,
    int64_t *database, int *index)
{
    if (strcmp(entry->name, "move") == 0) {
        *index = 1;
        return argc == 3 && number_parse(argv[2], database);
    }
    if (strcmp(entry->name, "copy") != 0)
        return false;
    *index = 2;
    bool named = false;
    for (int i = 3; i + 1 < argc; i++) {
        if (bytes_is(argv[i], "DB"))
            named = number_parse(argv[++i], database);
    }
    return named;
}
