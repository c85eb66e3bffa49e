/* A table's scan goes by positions on the scale of hashes, but looks at whole buckets, of the old
 * buckets and the new where the table is growing: so it shows entries that lie before the position,
 * or behind the one it returns. They are found or will be found at another time, and are left out
 * here. */
#include "server/command/visit.h"

#include "common/memory.h"
#include <stdlib.h>

static void gather(void *arg, table_cell *cell)
{
    struct visit *visit = arg;
    if (visit->count == visit->capacity) {
        visit->capacity = visit->capacity ? visit->capacity * 2 : VISIT_PIECE * 2;
        visit->entries = memory_resize(visit->entries, visit->capacity * sizeof(*visit->entries));
    }
    visit->entries[visit->count++] = table_cell_entry(cell);
}

/* Of the entries from `first` on, keeps those whose hash lies in [from, to). */
static void keep_between(
    const struct store *store, struct visit *visit, size_t first, uint64_t from, uint64_t to)
{
    size_t kept = first;
    for (size_t i = first; i < visit->count; i++) {
        uint64_t position = store_hash(store, entry_key(visit->entries[i])) >> 32;
        if (position >= from && position < to)
            visit->entries[kept++] = visit->entries[i];
    }
    visit->count = kept;
}

uint64_t visit_piece(const struct store *store, const struct slot *slot, uint64_t position,
    size_t enough, struct visit *visit)
{
    visit->count = 0;
    do {
        size_t first = visit->count;
        uint64_t next = table_scan(&slot->table, position, 1, gather, visit);
        keep_between(store, visit, first, position, next);
        position = next;
    } while (position < TABLE_SCAN_END && visit->count < enough);
    return position;
}

void visit_free(struct visit *visit)
{
    free(visit->entries);
    *visit = (struct visit){ 0 };
}
