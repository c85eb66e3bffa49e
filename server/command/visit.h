/* Walking over the keys of a slot in pieces, so that no lock is held for long: each key that stays
 * is met exactly once, however the table grows or shrinks between two pieces. */
#ifndef SERVER_COMMAND_VISIT_H
#define SERVER_COMMAND_VISIT_H

#include "server/store/store.h"

/* What a piece found; all zeroes is an empty one. */
struct visit {
    struct entry **entries; /* owned by the visit, not the entries */
    size_t count, capacity;
};

enum { VISIT_PIECE = 256 }; /* entries to look at under one hold of a lock */

/* The slot is locked. Finds the entries whose hash lies at or after the position (0 ..
 * TABLE_SCAN_END): those of a bucket, and then of more until there are `enough`. Returns the
 * position to go on with, or TABLE_SCAN_END. The entries are good as long as the lock is held.
 * Expired ones are among them. */
uint64_t visit_piece(const struct store *store, const struct slot *slot, uint64_t position,
    size_t enough, struct visit *visit);
void visit_free(struct visit *visit);

#endif
