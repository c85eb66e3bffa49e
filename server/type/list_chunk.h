/* A chunk: a stretch of a list. As a rule a listpack that floats in its memory, with room before
 * and behind it, so that pushing and popping at either end moves no element; or such a listpack
 * compressed; or one single element that is too large for a listpack.
 *
 * Chunks are counted. The functions that change one want it to be the caller's alone and expanded
 * (chunk_own), and return it, since it may have moved. */
#ifndef SERVER_TYPE_LIST_CHUNK_H
#define SERVER_TYPE_LIST_CHUNK_H

#include "server/type/listpack.h"
#include <stdatomic.h>

enum chunk_kind { CHUNK_PACKED, CHUNK_COMPRESSED, CHUNK_PLAIN };

struct chunk {
    _Atomic uint32_t refs;
    uint32_t count; /* elements */
    uint32_t start; /* of the listpack in data */
    uint32_t size;  /* bytes: of the listpack, also where it is compressed; of the plain element */
    uint32_t capacity;   /* bytes of data; of what is compressed, all are used */
    uint8_t kind;        /* enum chunk_kind */
    unsigned char *data; /* `inside`, or an allocation of its own */
    unsigned char inside[];
};

struct chunk *chunk_create(struct bytes value); /* with one element */
struct chunk *chunk_create_plain(struct bytes value);
/* Of a listpack that listpack_is_valid has approved, with at least one element. */
struct chunk *chunk_from(struct bytes pack);
static inline struct chunk *chunk_hold(struct chunk *chunk)
{
    atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
    return chunk;
}
void chunk_release(struct chunk *chunk);
/* The chunk or a copy, the caller's alone and not compressed; the caller's hold on the old one is
 * gone. */
struct chunk *chunk_copy(struct chunk *chunk); /* of one that is shared or compressed */
static inline struct chunk *chunk_own(struct chunk *chunk)
{
    bool alone = atomic_load_explicit(&chunk->refs, memory_order_acquire) == 1;
    return alone && chunk->kind != CHUNK_COMPRESSED ? chunk : chunk_copy(chunk);
}
static inline size_t chunk_memory(const struct chunk *chunk)
{
    return sizeof(*chunk) + chunk->capacity;
}

/* Of one that is not plain and not compressed. */
static inline const struct listpack *chunk_pack(const struct chunk *chunk)
{
    return (const struct listpack *)(chunk->data + chunk->start);
}
static inline struct bytes chunk_plain(const struct chunk *chunk)
{
    return (struct bytes){ (const char *)chunk->data, chunk->size };
}

/* --- Changes of a packed one. --- */
struct chunk *chunk_push_front(struct chunk *chunk, const struct listpack_element *element);
struct chunk *chunk_push_back(struct chunk *chunk, const struct listpack_element *element);
/* Before the element with that index; index == count: behind the last. */
struct chunk *chunk_insert(
    struct chunk *chunk, size_t index, const struct listpack_element *element);
struct chunk *chunk_replace(
    struct chunk *chunk, size_t index, const struct listpack_element *element);
/* At least one element stays. */
struct chunk *chunk_remove(struct chunk *chunk, size_t index, size_t count);
/* Takes the elements from `index` on out, into a new chunk; both have some. */
struct chunk *chunk_split(struct chunk **chunk, size_t index);

/* --- Compression. --- */
/* The same compressed, where that saves something; else itself. Takes over the caller's hold. */
struct chunk *chunk_compress(struct chunk *chunk);
/* A new one with the same elements, not compressed. */
struct chunk *chunk_expand(const struct chunk *chunk);

#endif
