/* Freeing what is large outside the slot's lock: one background thread frees what it is given. */
#ifndef SERVER_STORE_LAZY_H
#define SERVER_STORE_LAZY_H

#include "server/store/table.h"

/* Frees now what is cheap to free, hands the rest to the background thread (started when first
 * needed). */
void lazy_free_entry(struct entry *entry);
void lazy_free_table(struct table table);

/* How many allocations a table's entries are, about; looked at until they are more than enough. */
size_t lazy_effort(const struct table *table, size_t enough);

/* Keys waiting to be freed, and freed so far (lazyfree_pending_objects, lazyfreed_objects); those
 * that another thread frees are counted by these two. */
void lazy_begin(size_t count);
void lazy_end(size_t count);
size_t lazy_pending(void);
size_t lazy_freed(void);

#endif
