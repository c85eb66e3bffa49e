/* What every access to a key goes through: expiry, the access clock, hit counts, watchers, the
 * journal. */
#include "server/command/key.h"

#include "server/command/block.h"
#include "server/command/condition.h"
#include "server/command/notify.h"
#include "server/command/tracking.h"
#include "server/command/watch.h"
#include "server/store/access.h"

static void locate(struct call *call, int index, struct key *key)
{
    key->name = call->argv[index];
    if (call->first_key == index) {
        key->slot = call->slot;
        key->hash = call->hash;
    } else {
        key->slot = call->one_slot
                        ? call->slot
                        : store_slot(call->store, call->database, slot_of_key(key->name));
        key->hash = store_hash(call->store, key->name);
    }
    key->cell = store_find(key->slot, key->hash, key->name);
    key->entry = key->cell ? table_cell_entry(key->cell) : NULL;
}

static void forget(struct key *key)
{
    key->cell = NULL;
    key->entry = NULL;
}

/* A primary removes what has expired; a replica waits for its primary's DEL and shows it to nobody
 * but the primary itself. While clients are paused nothing may change, so it is only hidden. */
static void see_expiry(struct call *call, struct key *key)
{
    if (!key->entry || !entry_is_expired(key->entry, call->now))
        return;
    if (call->session->flags & (SESSION_PRIMARY | SESSION_LOADER))
        return;
    if (!(condition_all() & CONDITION_REPLICA) && !pause_is_on()) {
        store_remove(call->store, key->slot, key->hash, key->cell);
        watch_touch(key->slot, key->name);
        tracking_touch(call->executor, 0, key->name);
        block_signal(call, key);
        call_side_effect(call, (struct bytes[]){ BYTES("DEL"), key->name }, 2);
        key_notify(call, key, NOTIFY_EXPIRED, "expired");
        counter_add(&call->executor->counters.expired, 1);
    }
    forget(key);
}

bool key_peek(struct call *call, int index, struct key *key)
{
    locate(call, index, key);
    see_expiry(call, key);
    return key->entry;
}

bool key_write(struct call *call, int index, struct key *key)
{
    locate(call, index, key);
    see_expiry(call, key);
    if (key->entry && !(call->session->flags & SESSION_NO_TOUCH))
        access_touch(key->entry, call->now);
    return key->entry;
}

bool key_read(struct call *call, int index, struct key *key)
{
    bool there = key_write(call, index, key);
    struct executor_counters *counters = &call->executor->counters;
    counter_add(there ? &counters->keyspace_hits : &counters->keyspace_misses, 1);
    if (!there)
        key_notify(call, key, NOTIFY_KEY_MISS, "keymiss");
    return there;
}

static bool is_type(struct call *call, struct key *key, enum type_id type, bool *wrong)
{
    *wrong = key->entry && key->entry->type != type;
    if (*wrong)
        call_error_type(call);
    return key->entry && !*wrong;
}

bool key_read_type(struct call *call, int index, enum type_id type, struct key *key, bool *wrong)
{
    key_read(call, index, key);
    return is_type(call, key, type, wrong);
}

bool key_write_type(struct call *call, int index, enum type_id type, struct key *key, bool *wrong)
{
    key_write(call, index, key);
    return is_type(call, key, type, wrong);
}

void key_set(struct call *call, struct key *key, struct entry *entry)
{
    /* What replaces a value is used as often as that was. */
    if (key->cell && access_is_lfu())
        entry->access = key->entry->access;
    else
        access_begin(entry, call->now);
    if (key->cell) {
        store_replace(call->store, key->slot, key->cell, entry);
    } else {
        key->cell = store_insert(call->store, key->slot, key->hash, entry);
        key_notify(call, key, NOTIFY_NEW, "new");
    }
    key->entry = entry;
    watch_touch(key->slot, key->name);
    tracking_touch(call->executor, call->session->id, key->name);
    block_signal(call, key);
    call_changed(call);
}

void key_delete(struct call *call, struct key *key)
{
    store_remove(call->store, key->slot, key->hash, key->cell);
    forget(key);
    watch_touch(key->slot, key->name);
    tracking_touch(call->executor, call->session->id, key->name);
    block_signal(call, key);
    call_changed(call);
}

void key_will_change(struct call *call, struct key *key)
{
    store_will_change(call->store, key->slot, key->entry);
    entry_own_value(key->entry);
}

void key_did_change(struct call *call, struct key *key)
{
    watch_touch(key->slot, key->name);
    tracking_touch(call->executor, call->session->id, key->name);
    call_changed(call);
}

void key_set_expiry(struct call *call, struct key *key, int64_t expiry)
{
    store_set_expiry(call->store, key->slot, key->cell, expiry);
    key->entry = table_cell_entry(key->cell);
    key_did_change(call, key);
}
