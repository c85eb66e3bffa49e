/* Members of large collections, brought into the cache before the window's requests run. Requests
 * that come one after the other for the same key, as those for a large collection do, share the
 * look for it and the hold of its slot's lock. */
#include "server/command/call.h"
#include "server/type/dict.h"

/* The key looked at: its slot is locked while `slot` is set. */
struct look {
    struct slot *slot;
    struct bytes key;
    const struct dict *dict; /* NULL: it has none, or there is no such key */
};

static void look_end(struct look *look)
{
    if (look->slot)
        slot_lock_release(&look->slot->lock);
    look->slot = NULL;
}

/* The dictionary of the request's collection; NULL where there is none, or the slot is busy. */
static const struct dict *look_at(struct look *look, const struct request *request)
{
    struct bytes key = request->argv[request->first_key];
    if (look->slot == request->slot && bytes_equal(look->key, key))
        return look->dict;
    look_end(look);
    if (!slot_lock_try(&request->slot->lock))
        return NULL;
    table_cell *cell = store_find(request->slot, request->hash, key);
    const struct entry *entry = cell ? table_cell_entry(cell) : NULL;
    look->slot = request->slot;
    look->key = key;
    look->dict = entry && entry->flags & ENTRY_OUT_OF_LINE
                     ? type_dict(entry->type, entry->encoding, entry_value(entry))
                     : NULL;
    return look->dict;
}

/* Whether there is anything to do for the request. */
static bool begin(struct look *look, struct request *request)
{
    unsigned member = request->slot ? request->entry->command->member : 0;
    if (member == 0 || (int)member >= request->argc || !look_at(look, request))
        return false;
    request->member_hash = dict_hash(request->argv[member]);
    return true;
}

void dispatch_prefetch_members(struct request *requests, size_t count)
{
    struct look look = { 0 };
    size_t members = 0;
    for (size_t i = 0; i < count; i++) {
        requests[i].has_member = begin(&look, &requests[i]);
        if (requests[i].has_member)
            dict_prefetch(look.dict, requests[i].member_hash, 0);
        members += requests[i].has_member;
    }
    for (unsigned step = 1; members > 0 && step < DICT_PREFETCH_STEPS; step++) {
        for (size_t i = 0; i < count; i++) {
            const struct dict *dict = requests[i].has_member ? look_at(&look, &requests[i]) : NULL;
            if (dict)
                dict_prefetch(dict, requests[i].member_hash, step);
        }
    }
    look_end(&look);
}
