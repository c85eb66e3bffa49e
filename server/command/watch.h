/* WATCH: a slot keeps the keys of it that sessions watch; whoever changes such a key marks the session. */
#ifndef SERVER_COMMAND_WATCH_H
#define SERVER_COMMAND_WATCH_H

#include "server/command/call.h"

/* The key's slot is locked. now_ms: a key that has expired already does not break the watch later. */
void watch_add(struct session *session, struct slot *slot, struct bytes key, bool expired_already);
/* Forgets all that the session watches; takes the slots' locks itself, one at a time. */
void watch_remove_all(struct store *store, struct session *session);
/* The same where the caller holds the locks of all slots that the session watches. */
void watch_remove_all_locked(struct session *session);
/* A watched key has expired since (EXEC is refused then); the slots are locked by the caller. */
bool watch_has_expired(struct store *store, struct session *session, int64_t now_ms);
/* The slots that the session watches, for EXEC: fills at most max, returns how many. */
size_t watch_slots(const struct session *session, struct slot **slots, size_t max);

/* A key was changed or removed; its slot is locked. */
void watch_touch_slow(struct slot *slot, struct bytes key);
static inline void watch_touch(struct slot *slot, struct bytes key)
{
    if (__builtin_expect(slot->watches != NULL, 0))
        watch_touch_slow(slot, key);
}
/* The whole table of the slot goes (a flush): every watched key that is there counts as changed. */
void watch_touch_slot(struct slot *slot);
/* SWAPDB: before the slot gets the table of `other`. A key that is in one of the two has changed.
 * Both are locked. */
void watch_touch_swap(struct slot *slot, const struct slot *other);

#endif
