/* What the commands on lists share. The key's slot is locked, as everywhere. */
#ifndef SERVER_COMMAND_LIST_KEY_H
#define SERVER_COMMAND_LIST_KEY_H

#include "server/command/block.h"
#include "server/command/key.h"
#include "server/command/notify.h"
#include "server/type/list.h"

static inline const struct list *list_of(const struct key *key)
{
    return entry_value(key->entry);
}

/* A new list, with what the configuration says of new ones. */
struct list *list_new(void);
/* Before a change: the list is the key's alone then. */
struct list *list_to_change(struct call *call, struct key *key);
/* Pushes, and makes the list where there is none. */
void list_push_all(
    struct call *call, struct key *key, enum list_end end, const struct bytes *values, int count);
void list_tell_pushed(struct call *call, struct key *key, enum list_end end); /* "lpush", "rpush" */
/* Removes `count` elements at an end, and tells: also that the key went with the last of them. */
void list_pop_some(struct call *call, struct key *key, enum list_end end, size_t count);
/* The key's list has lost elements: tells the event, removes the key when none is left. */
void list_lost_some(struct call *call, struct key *key, const char *event);

/* argv[index] as LEFT or RIGHT; else a syntax error has been replied. */
bool list_parse_end(struct call *call, int index, enum list_end *end);
/* argv[index] as a number from `least` on; else the error has been replied. */
bool list_parse_count(
    struct call *call, int index, int64_t least, const char *error, int64_t *count);

/* Replies an array of `count` elements from `index` on; backwards where step is negative. */
void list_reply_range(
    struct call *call, const struct list *list, size_t index, size_t count, int step);

#endif
