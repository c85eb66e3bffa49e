/* What the files of the set family share. */
#ifndef SERVER_COMMAND_SET_H
#define SERVER_COMMAND_SET_H

#include "server/command/key.h"
#include "server/config.h"
#include "server/type/set.h"

/* The value of a key that is there and a set. */
static inline struct set set_of(const struct key *key)
{
    return (struct set){ entry_value(key->entry), key->entry->encoding };
}

static inline size_t set_intset_max(void)
{
    return (size_t)config_number(CONFIG_SET_MAX_INTSET_ENTRIES);
}

/* The set of a key that is there, before a change. */
struct set set_open(struct call *call, struct key *key);
/* Puts the changed set where it came from, or into a new key. */
void set_close(struct call *call, struct key *key, const struct set *set);
/* All members of the key's set, or an empty set where the key is not there. */
void set_reply_members(struct call *call, const struct key *key);

/* set_random.c */
void set_pop_command(struct call *call);
void set_random_command(struct call *call);
void set_scan_command(struct call *call);

/* set_combine.c */
void set_inter_command(struct call *call);
void set_inter_store_command(struct call *call);
void set_inter_count_command(struct call *call);
void set_union_command(struct call *call);
void set_union_store_command(struct call *call);
void set_diff_command(struct call *call);
void set_diff_store_command(struct call *call);

#endif
