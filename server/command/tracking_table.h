/* The keys that clients have read and may keep, with their readers. Any thread; each function takes
 * a stripe's lock for a moment (under which nothing else is locked). */
#ifndef SERVER_COMMAND_TRACKING_TABLE_H
#define SERVER_COMMAND_TRACKING_TABLE_H

#include "common/bytes.h"
#include <stddef.h>
#include <stdint.h>

struct tracking_reader {
    uint64_t id; /* of the client */
    int8_t box;  /* its worker's: see push.h */
};

struct tracking_readers {
    struct tracking_reader *items; /* owned */
    size_t count, capacity;
};

void tracking_table_init(void); /* before any thread runs */
void tracking_table_add(struct bytes key, struct tracking_reader reader);
/* Takes the key out; the caller frees the items. */
struct tracking_readers tracking_table_take(struct bytes key);
/* The same with a key that chance chooses; the caller frees the key's bytes too. False: none is
 * there. */
bool tracking_table_take_any(struct bytes *key, struct tracking_readers *readers);
void tracking_table_clear(void);
size_t tracking_table_keys(void);
size_t tracking_table_items(void); /* readers of all keys */

#endif
