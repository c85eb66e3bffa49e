#include "server/command/watch.h"

#include "common/memory.h"
#include <stdlib.h>

/* One key that one session watches. On two lists: the slot's (guarded by the slot's lock), and the session's
 * (its worker's). The slot's list is doubly linked so that a session that goes away unhooks quickly. */
struct watch {
    struct watch *next_in_session;
    struct watch *next, **previous;
    struct session *session;
    struct slot *slot;
    uint64_t hash;
    size_t key_len;
    bool expired_already;
    char key[];
};

static bool is_key(const struct watch *watch, struct bytes key)
{
    return watch->key_len == key.len && memcmp(watch->key, key.data, key.len) == 0;
}

/* It stands on both lists, and the shorter one tells: a session may watch very many keys, a key be
 * watched by very many sessions. */
static bool is_watched(const struct session *session, const struct slot *slot, struct bytes key)
{
    const struct watch *mine = session->watches, *its = slot->watches;
    for (; mine && its; mine = mine->next_in_session, its = its->next) {
        if ((mine->slot == slot && is_key(mine, key)) ||
            (its->session == session && is_key(its, key)))
            return true;
    }
    return false;
}

void watch_add(struct session *session, struct slot *slot, struct bytes key, bool expired_already)
{
    if (is_watched(session, slot, key))
        return;
    struct watch *watch = memory_alloc(sizeof(*watch) + key.len);
    *watch = (struct watch){ .next_in_session = session->watches,
        .next = slot->watches,
        .previous = &slot->watches,
        .session = session,
        .slot = slot,
        .hash = store_hash(session->executor->store, key),
        .key_len = key.len,
        .expired_already = expired_already };
    memcpy(watch->key, key.data, key.len);
    if (slot->watches)
        slot->watches->previous = &watch->next;
    slot->watches = watch;
    session->watches = watch;
}

static void unhook(struct watch *watch)
{
    *watch->previous = watch->next;
    if (watch->next)
        watch->next->previous = watch->previous;
}

static void remove_all(struct session *session, bool locked)
{
    while (session->watches) {
        struct watch *watch = session->watches;
        session->watches = watch->next_in_session;
        if (!locked)
            executor_lock_slot(session->executor, watch->slot);
        unhook(watch);
        if (!locked)
            slot_lock_release(&watch->slot->lock);
        free(watch);
    }
    atomic_store(&session->watch_broken, false);
}

void watch_remove_all(struct store *store, struct session *session)
{
    remove_all(session, false);
}

void watch_remove_all_locked(struct session *session)
{
    remove_all(session, true);
}

bool watch_has_expired(struct store *store, struct session *session, int64_t now_ms)
{
    for (struct watch *watch = session->watches; watch; watch = watch->next_in_session) {
        if (watch->expired_already)
            continue;
        struct bytes key = { watch->key, watch->key_len };
        table_cell *cell = store_find(watch->slot, watch->hash, key);
        if (cell && entry_is_expired(table_cell_entry(cell), now_ms))
            return true;
    }
    return false;
}

size_t watch_slots(const struct session *session, struct slot **slots, size_t max)
{
    size_t count = 0;
    for (struct watch *watch = session->watches; watch; watch = watch->next_in_session) {
        if (count < max)
            slots[count] = watch->slot;
        count++;
    }
    return count;
}

void watch_touch_slow(struct slot *slot, struct bytes key)
{
    for (struct watch *watch = slot->watches; watch; watch = watch->next) {
        if (!is_key(watch, key))
            continue;
        /* A key that had expired when it was watched and is only now removed has not changed. */
        if (watch->expired_already) {
            watch->expired_already = false;
            table_cell *cell = store_find(slot, watch->hash, key);
            if (!cell)
                continue;
        }
        atomic_store(&watch->session->watch_broken, true);
    }
}

void watch_touch_slot(struct slot *slot)
{
    for (struct watch *watch = slot->watches; watch; watch = watch->next) {
        struct bytes key = { watch->key, watch->key_len };
        if (store_find(slot, watch->hash, key))
            atomic_store(&watch->session->watch_broken, true);
    }
}

/* What had expired already when it was watched, and is in neither place alive, stays unchanged. */
void watch_touch_swap(struct slot *slot, const struct slot *other)
{
    for (struct watch *watch = slot->watches; watch; watch = watch->next) {
        struct bytes key = { watch->key, watch->key_len };
        bool comes = store_find(other, watch->hash, key);
        if (watch->expired_already && !comes) {
            watch->expired_already = false;
            continue;
        }
        if (comes || store_find(slot, watch->hash, key))
            atomic_store(&watch->session->watch_broken, true);
    }
}
