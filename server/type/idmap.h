/* An ordered map from stream IDs to small values: what is pending in a group, and for which
 * consumer.
 *
 * A sorted array of chunks, each a sorted array of at most IDMAP_CHUNK entries. New IDs come at the
 * end as a rule and go from anywhere: a full chunk at the end is followed by a new one, one in the
 * middle splits, an empty one goes. Chunks are counted and copied before a change while several
 * maps hold them, so a clone costs a copy of the array of chunks. A map belongs to whoever holds
 * its stream; only the counts are touched by several. */
#ifndef SERVER_TYPE_IDMAP_H
#define SERVER_TYPE_IDMAP_H

#include "server/type/stream_id.h"
#include <stddef.h>

enum { IDMAP_CHUNK = 64 };

struct idmap_chunk;

struct idmap {
    struct idmap_chunk **chunks; /* owned */
    size_t chunk_count, chunk_capacity;
    size_t count;
    uint32_t value_size; /* bytes beside each ID; may be 0 */
};

void idmap_init(struct idmap *map, size_t value_size);
void idmap_clone(struct idmap *to, const struct idmap *from); /* `to` is not initialised yet */
void idmap_free(struct idmap *map);
size_t idmap_memory(const struct idmap *map); /* bytes */

/* The value's place, good until the next change; NULL where the ID is not there. With a value_size
 * of 0 it only tells that it is. */
const void *idmap_find(const struct idmap *map, struct stream_id id);
/* The same, to be written to; adds the ID, its value zeroes, where it is not there and `add` is
 * set. *added may be NULL. */
void *idmap_change(struct idmap *map, struct stream_id id, bool add, bool *added);
bool idmap_remove(struct idmap *map, struct stream_id id);

/* Going about, from the first ID at or after `from` on, upwards. The map must not change in
 * between, but for values through idmap_change. struct idmap_cursor cursor = idmap_seek(map, from);
 *     while (idmap_next(&cursor, &id, &value)) ... */
struct idmap_cursor {
    const struct idmap *map;
    size_t chunk, at;
};
struct idmap_cursor idmap_seek(const struct idmap *map, struct stream_id from);
bool idmap_next(struct idmap_cursor *cursor, struct stream_id *id, const void **value);
bool idmap_last(const struct idmap *map, struct stream_id *id); /* false: empty */

#endif
