#include "server/type/idmap.h"

#include "common/memory.h"
#include <stdatomic.h>
#include <stdlib.h>

enum { CAPACITY_FIRST = 4 }; /* of the only chunk of a small map; it doubles up to IDMAP_CHUNK */

/* Room for so many IDs, then for as many values. */
struct idmap_chunk {
    _Atomic uint32_t refs;
    uint16_t used, capacity;
    struct stream_id ids[];
};

static size_t chunk_size(const struct idmap *map, size_t capacity)
{
    return sizeof(struct idmap_chunk) + capacity * (sizeof(struct stream_id) + map->value_size);
}

static struct idmap_chunk *chunk_create(const struct idmap *map, size_t capacity)
{
    struct idmap_chunk *chunk = memory_alloc(chunk_size(map, capacity));
    atomic_init(&chunk->refs, 1);
    chunk->used = 0;
    chunk->capacity = (uint16_t)capacity;
    return chunk;
}

static void chunk_release(struct idmap_chunk *chunk)
{
    if (atomic_load_explicit(&chunk->refs, memory_order_acquire) == 1 ||
        atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel) == 1)
        free(chunk);
}

static char *value_at(const struct idmap *map, struct idmap_chunk *chunk, size_t at)
{
    return (char *)&chunk->ids[chunk->capacity] + at * map->value_size;
}

/* Entries of `from` from the place on go to the end of `to`. */
static void append(const struct idmap *map, struct idmap_chunk *to, struct idmap_chunk *from,
    size_t at, size_t count)
{
    memcpy(&to->ids[to->used], &from->ids[at], count * sizeof(to->ids[0]));
    memcpy(value_at(map, to, to->used), value_at(map, from, at), count * map->value_size);
    to->used += (uint16_t)count;
}

/* Another chunk with the same entries takes this place. */
static struct idmap_chunk *remake(struct idmap *map, size_t index, size_t capacity)
{
    struct idmap_chunk *chunk = map->chunks[index], *mine = chunk_create(map, capacity);
    append(map, mine, chunk, 0, chunk->used);
    chunk_release(chunk);
    map->chunks[index] = mine;
    return mine;
}

/* The chunk at this place, in nobody's hands but this map's. */
static struct idmap_chunk *own(struct idmap *map, size_t index)
{
    struct idmap_chunk *chunk = map->chunks[index];
    if (atomic_load_explicit(&chunk->refs, memory_order_acquire) == 1)
        return chunk;
    return remake(map, index, chunk->capacity);
}

void idmap_init(struct idmap *map, size_t value_size)
{
    *map = (struct idmap){ .value_size = (uint32_t)value_size };
}

void idmap_clone(struct idmap *to, const struct idmap *from)
{
    *to = *from;
    to->chunk_capacity = from->chunk_count;
    to->chunks = NULL;
    if (from->chunk_count == 0)
        return;
    to->chunks = memory_copy(from->chunks, from->chunk_count * sizeof(struct idmap_chunk *));
    for (size_t i = 0; i < to->chunk_count; i++)
        atomic_fetch_add_explicit(&to->chunks[i]->refs, 1, memory_order_relaxed);
}

void idmap_free(struct idmap *map)
{
    for (size_t i = 0; i < map->chunk_count; i++)
        chunk_release(map->chunks[i]);
    free(map->chunks);
    idmap_init(map, map->value_size);
}

size_t idmap_memory(const struct idmap *map)
{
    size_t capacity = map->chunk_count == 1 ? map->chunks[0]->capacity : IDMAP_CHUNK;
    return map->chunk_capacity * sizeof(struct idmap_chunk *) +
           map->chunk_count * chunk_size(map, capacity);
}

/* The last chunk that begins at or before the ID; 0 where none does. */
static size_t chunk_of(const struct idmap *map, struct stream_id id)
{
    size_t low = 0, high = map->chunk_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (stream_id_compare(map->chunks[middle]->ids[0], id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? low - 1 : 0;
}

/* The first entry of the chunk at or after the ID. */
static size_t place_in(const struct idmap_chunk *chunk, struct stream_id id)
{
    size_t low = 0, high = chunk->used;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (stream_id_compare(chunk->ids[middle], id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool locate(const struct idmap *map, struct stream_id id, size_t *index, size_t *at)
{
    *index = *at = 0;
    if (map->chunk_count == 0)
        return false;
    *index = chunk_of(map, id);
    struct idmap_chunk *chunk = map->chunks[*index];
    *at = place_in(chunk, id);
    return *at < chunk->used && stream_id_compare(chunk->ids[*at], id) == 0;
}

const void *idmap_find(const struct idmap *map, struct stream_id id)
{
    size_t index, at;
    return locate(map, id, &index, &at) ? value_at(map, map->chunks[index], at) : NULL;
}

static void insert_chunk(struct idmap *map, size_t index, size_t capacity)
{
    if (map->chunk_count == map->chunk_capacity) {
        map->chunk_capacity = map->chunk_capacity ? map->chunk_capacity * 2 : 1;
        map->chunks =
            memory_resize(map->chunks, map->chunk_capacity * sizeof(struct idmap_chunk *));
    }
    memmove(&map->chunks[index + 1], &map->chunks[index],
        (map->chunk_count - index) * sizeof(struct idmap_chunk *));
    map->chunks[index] = chunk_create(map, capacity);
    map->chunk_count++;
}

/* Makes room for one entry at this place, which may move to another chunk. */
static void make_room(struct idmap *map, size_t *index, size_t *at)
{
    if (map->chunk_count == 0)
        insert_chunk(map, 0, CAPACITY_FIRST);
    struct idmap_chunk *chunk = own(map, *index);
    if (chunk->used < chunk->capacity)
        return;
    if (chunk->capacity < IDMAP_CHUNK) {
        remake(map, *index, chunk->capacity * 2u);
        return;
    }
    insert_chunk(map, *index + 1, IDMAP_CHUNK);
    if (*at == IDMAP_CHUNK) { /* behind the last: the full chunk stays full */
        *index += 1;
        *at = 0;
        return;
    }
    size_t half = IDMAP_CHUNK / 2;
    append(map, map->chunks[*index + 1], chunk, half, IDMAP_CHUNK - half);
    chunk->used = (uint16_t)half;
    if (*at > half) {
        *index += 1;
        *at -= half;
    }
}

void *idmap_change(struct idmap *map, struct stream_id id, bool add, bool *added)
{
    size_t index, at;
    bool there = locate(map, id, &index, &at);
    if (added)
        *added = !there && add;
    if (there)
        return value_at(map, own(map, index), at);
    if (!add)
        return NULL;
    make_room(map, &index, &at);
    struct idmap_chunk *chunk = map->chunks[index];
    size_t after = chunk->used - at;
    memmove(&chunk->ids[at + 1], &chunk->ids[at], after * sizeof(chunk->ids[0]));
    char *value = value_at(map, chunk, at);
    memmove(value + map->value_size, value, after * map->value_size);
    memset(value, 0, map->value_size);
    chunk->ids[at] = id;
    chunk->used++;
    map->count++;
    return value;
}

bool idmap_remove(struct idmap *map, struct stream_id id)
{
    size_t index, at;
    if (!locate(map, id, &index, &at))
        return false;
    map->count--;
    if (map->chunks[index]->used == 1) {
        chunk_release(map->chunks[index]);
        map->chunk_count--;
        memmove(&map->chunks[index], &map->chunks[index + 1],
            (map->chunk_count - index) * sizeof(struct idmap_chunk *));
        return true;
    }
    struct idmap_chunk *chunk = own(map, index);
    size_t after = chunk->used - at - 1;
    memmove(&chunk->ids[at], &chunk->ids[at + 1], after * sizeof(chunk->ids[0]));
    memmove(value_at(map, chunk, at), value_at(map, chunk, at + 1), after * map->value_size);
    chunk->used--;
    return true;
}

struct idmap_cursor idmap_seek(const struct idmap *map, struct stream_id from)
{
    struct idmap_cursor cursor = { .map = map };
    locate(map, from, &cursor.chunk, &cursor.at);
    return cursor;
}

bool idmap_next(struct idmap_cursor *cursor, struct stream_id *id, const void **value)
{
    const struct idmap *map = cursor->map;
    if (cursor->chunk < map->chunk_count && cursor->at == map->chunks[cursor->chunk]->used) {
        cursor->chunk++;
        cursor->at = 0;
    }
    if (cursor->chunk >= map->chunk_count)
        return false;
    struct idmap_chunk *chunk = map->chunks[cursor->chunk];
    *id = chunk->ids[cursor->at];
    if (value)
        *value = value_at(map, chunk, cursor->at);
    cursor->at++;
    return true;
}

bool idmap_last(const struct idmap *map, struct stream_id *id)
{
    if (map->count == 0)
        return false;
    const struct idmap_chunk *chunk = map->chunks[map->chunk_count - 1];
    *id = chunk->ids[chunk->used - 1];
    return true;
}
