/* Keys, as commands use them: found with their expiry and access time seen to, changed with watchers and the
 * journal seen to. All under the lock of the key's slot, which dispatch has taken. */
#ifndef SERVER_COMMAND_KEY_H
#define SERVER_COMMAND_KEY_H

#include "server/command/call.h"

/* A key and, where it exists, its entry. Good until the next insert or removal in its slot. */
struct key {
    struct bytes name;
    struct slot *slot;
    uint64_t hash;
    table_cell *cell; /* NULL: not there */
    struct entry *entry;
};

/* Looks up argv[index]. An expired key is not there: a primary also removes it, and journals the DEL; a
 * replica leaves it to its primary. key_read counts hits and misses; both touch the access clock. Returns
 * whether it is there. */
bool key_read(struct call *call, int index, struct key *key);
bool key_write(struct call *call, int index, struct key *key);
/* Neither counts nor touches: for OBJECT, TTL, DUMP and the like (an expired key is not there). */
bool key_peek(struct call *call, int index, struct key *key);
/* Like key_read / key_write, of one type: with another type there it replies WRONGTYPE and returns false
 * with *wrong set. */
bool key_read_type(struct call *call, int index, enum type_id type, struct key *key, bool *wrong);
bool key_write_type(struct call *call, int index, enum type_id type, struct key *key, bool *wrong);

/* Puts the entry in the key's place (the old one goes, with its expiry: copy that over before if it is to
 * stay); tells watchers; says call_changed. The entry is the store's from now on. */
void key_set(struct call *call, struct key *key, struct entry *entry);
/* The key is there: removes it, tells watchers, says call_changed. */
void key_delete(struct call *call, struct key *key);
/* Before and after a change in place. What lies out of line may be another value after the first: it is the entry's
 * alone then. */
void key_will_change(struct call *call, struct key *key);
void key_did_change(struct call *call, struct key *key);
/* The key is there. ENTRY_NO_EXPIRY removes the expiry. Tells watchers; says call_changed. */
void key_set_expiry(struct call *call, struct key *key, int64_t expiry);

#endif
