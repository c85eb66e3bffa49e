/* What the files of the hash family share. */
#ifndef SERVER_COMMAND_HASH_H
#define SERVER_COMMAND_HASH_H

#include "server/command/key.h"
#include "server/type/hash.h"

/* The value of a key that is there and a hash. */
static inline struct hash hash_of(const struct key *key)
{
    return (struct hash){ entry_value(key->entry), key->entry->encoding };
}

/* hash_random.c */
void hash_random_command(struct call *call);
void hash_scan_command(struct call *call);

#endif
