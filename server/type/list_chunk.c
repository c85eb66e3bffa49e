#include "server/type/list_chunk.h"

#include "common/memory.h"
#include <liblzf/lzf.h>
#include <malloc.h>
#include <stdlib.h>

enum {
    INSIDE_MAX = 512,  /* bytes of data up to which a chunk is a single allocation */
    COMPRESS_MIN = 48, /* smaller ones are not worth it */
    COMPRESS_GAIN = 8, /* bytes that it must save */
};

/* ---- Life ---- */

/* With room for at least `capacity` bytes: all that the allocator gives is used. */
static struct chunk *allocate(enum chunk_kind kind, size_t capacity)
{
    struct chunk *chunk;
    if (capacity <= INSIDE_MAX) {
        chunk = memory_alloc(sizeof(*chunk) + capacity);
        chunk->data = chunk->inside;
        chunk->capacity = (uint32_t)(malloc_usable_size(chunk) - sizeof(*chunk));
    } else {
        chunk = memory_alloc(sizeof(*chunk));
        chunk->data = memory_alloc(capacity);
        chunk->capacity = (uint32_t)malloc_usable_size(chunk->data);
    }
    atomic_init(&chunk->refs, 1);
    chunk->count = 1;
    chunk->start = 0;
    chunk->size = 0;
    chunk->kind = kind;
    return chunk;
}

static void dispose(struct chunk *chunk)
{
    if (chunk->data != chunk->inside)
        free(chunk->data);
    free(chunk);
}

void chunk_release(struct chunk *chunk)
{
    if (atomic_load_explicit(&chunk->refs, memory_order_acquire) == 1 ||
        atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel) == 1)
        dispose(chunk);
}

static unsigned char *pack_bytes(struct chunk *chunk)
{
    return chunk->data + chunk->start;
}

static void set_header(struct chunk *chunk)
{
    listpack_set_header((struct listpack *)pack_bytes(chunk), chunk->size, chunk->count);
}

struct chunk *chunk_create(struct bytes value)
{
    struct listpack_element element;
    listpack_encode(&element, value);
    size_t size = LISTPACK_HEADER + element.total + 1;
    struct chunk *chunk = allocate(CHUNK_PACKED, size);
    chunk->size = (uint32_t)size;
    listpack_element_write(chunk->data + LISTPACK_HEADER, &element);
    set_header(chunk);
    return chunk;
}

struct chunk *chunk_create_plain(struct bytes value)
{
    struct chunk *chunk = allocate(CHUNK_PLAIN, value.len);
    chunk->size = (uint32_t)value.len;
    if (value.len > 0)
        memcpy(chunk->data, value.data, value.len);
    return chunk;
}

static struct chunk *packed(const unsigned char *pack, size_t size, size_t count)
{
    struct chunk *chunk = allocate(CHUNK_PACKED, size);
    chunk->size = (uint32_t)size;
    chunk->count = (uint32_t)count;
    memcpy(chunk->data, pack, size);
    return chunk;
}

struct chunk *chunk_from(struct bytes pack)
{
    const struct listpack *from = (const struct listpack *)pack.data;
    return packed(from->bytes, pack.len, listpack_count(from));
}

struct chunk *chunk_expand(const struct chunk *chunk)
{
    struct chunk *expanded = allocate(CHUNK_PACKED, chunk->size);
    expanded->size = chunk->size;
    expanded->count = chunk->count;
    if (lzf_decompress(chunk->data, chunk->capacity, expanded->data, expanded->size) != chunk->size)
        abort(); /* it is what chunk_compress has made */
    return expanded;
}

struct chunk *chunk_copy(struct chunk *chunk)
{
    struct chunk *copy;
    if (chunk->kind == CHUNK_COMPRESSED)
        copy = chunk_expand(chunk);
    else if (chunk->kind == CHUNK_PLAIN)
        copy = chunk_create_plain(chunk_plain(chunk));
    else
        copy = packed(chunk_pack(chunk)->bytes, chunk->size, chunk->count);
    chunk_release(chunk);
    return copy;
}

/* ---- Room ---- */

/* The same elements in memory of another size, at its end or at its start. */
static struct chunk *move(struct chunk *chunk, size_t capacity, bool to_end)
{
    struct chunk *moved = allocate(CHUNK_PACKED, capacity);
    moved->size = chunk->size;
    moved->count = chunk->count;
    moved->start = to_end ? moved->capacity - moved->size : 0;
    memcpy(pack_bytes(moved), pack_bytes(chunk), chunk->size);
    dispose(chunk);
    return moved;
}

/* Makes room for `need` bytes more before the listpack, or behind it. */
static struct chunk *reserve(struct chunk *chunk, size_t need, bool front)
{
    size_t behind = chunk->capacity - chunk->start - chunk->size;
    if ((front ? chunk->start : behind) >= need)
        return chunk;
    if (chunk->start + behind < need)
        return move(chunk, chunk->size + need, front);
    size_t start = front ? chunk->capacity - chunk->size : 0;
    memmove(chunk->data + start, pack_bytes(chunk), chunk->size);
    chunk->start = (uint32_t)start;
    return chunk;
}

/* What has become much smaller than its memory moves to less. */
static struct chunk *tidy(struct chunk *chunk)
{
    set_header(chunk);
    if (chunk->capacity <= 128 || chunk->size >= chunk->capacity / 2)
        return chunk;
    return move(chunk, chunk->size, false);
}

/* ---- Changes ---- */

struct chunk *chunk_push_front(struct chunk *chunk, const struct listpack_element *element)
{
    chunk = reserve(chunk, element->total, true);
    chunk->start -= (uint32_t)element->total;
    chunk->size += (uint32_t)element->total;
    chunk->count++;
    listpack_element_write(pack_bytes(chunk) + LISTPACK_HEADER, element);
    set_header(chunk);
    return chunk;
}

struct chunk *chunk_push_back(struct chunk *chunk, const struct listpack_element *element)
{
    chunk = reserve(chunk, element->total, false);
    listpack_element_write(pack_bytes(chunk) + chunk->size - 1, element);
    chunk->size += (uint32_t)element->total;
    chunk->count++;
    set_header(chunk);
    return chunk;
}

/* Where the element with that index is in the listpack; of the one behind the last the end byte. */
static size_t offset_of(const struct chunk *chunk, size_t index)
{
    const unsigned char *at = listpack_seek(chunk_pack(chunk), (long)index);
    return at ? (size_t)(at - chunk_pack(chunk)->bytes) : chunk->size - 1;
}

/* Puts `added` bytes of room in the place of `removed` ones at the offset; the header is not set.
 * The shorter side moves where it has the room. */
static struct chunk *splice(struct chunk *chunk, size_t offset, size_t removed, size_t added)
{
    size_t before = offset, behind = chunk->size - offset - removed;
    size_t growth = added > removed ? added - removed : 0;
    bool front = before < behind;
    if (growth > 0)
        chunk = reserve(chunk, growth, front);
    unsigned char *pack = pack_bytes(chunk);
    if (front) {
        chunk->start = (uint32_t)(chunk->start + removed - added);
        memmove(pack_bytes(chunk), pack, before);
    } else {
        memmove(pack + offset + added, pack + offset + removed, behind);
    }
    chunk->size = (uint32_t)(chunk->size + added - removed);
    return chunk;
}

struct chunk *chunk_insert(
    struct chunk *chunk, size_t index, const struct listpack_element *element)
{
    size_t offset = offset_of(chunk, index);
    chunk = splice(chunk, offset, 0, element->total);
    chunk->count++;
    listpack_element_write(pack_bytes(chunk) + offset, element);
    set_header(chunk);
    return chunk;
}

struct chunk *chunk_replace(
    struct chunk *chunk, size_t index, const struct listpack_element *element)
{
    size_t offset = offset_of(chunk, index);
    size_t old = listpack_element_total(pack_bytes(chunk) + offset);
    if (old != element->total)
        chunk = splice(chunk, offset, old, element->total);
    listpack_element_write(pack_bytes(chunk) + offset, element);
    return tidy(chunk);
}

struct chunk *chunk_remove(struct chunk *chunk, size_t index, size_t count)
{
    size_t offset = offset_of(chunk, index), end = offset;
    bool to_end = index + count == chunk->count;
    for (size_t i = 0; i < count && !to_end; i++)
        end += listpack_element_total(pack_bytes(chunk) + end);
    if (to_end)
        end = chunk->size - 1;
    chunk = splice(chunk, offset, end - offset, 0);
    chunk->count -= (uint32_t)count;
    return tidy(chunk);
}

struct chunk *chunk_split(struct chunk **chunk, size_t index)
{
    size_t offset = offset_of(*chunk, index), len = (*chunk)->size - offset;
    struct chunk *right = allocate(CHUNK_PACKED, LISTPACK_HEADER + len);
    right->size = (uint32_t)(LISTPACK_HEADER + len);
    right->count = (*chunk)->count - (uint32_t)index;
    memcpy(right->data + LISTPACK_HEADER, pack_bytes(*chunk) + offset, len);
    set_header(right);
    *chunk = chunk_remove(*chunk, index, (*chunk)->count - index);
    return right;
}

/* ---- Compression ---- */

struct chunk *chunk_compress(struct chunk *chunk)
{
    if (chunk->kind != CHUNK_PACKED || chunk->size < COMPRESS_MIN)
        return chunk;
    unsigned room = chunk->size - COMPRESS_GAIN;
    unsigned char *out = memory_alloc(room);
    unsigned len = lzf_compress(chunk_pack(chunk)->bytes, chunk->size, out, room);
    if (len == 0) {
        free(out);
        return chunk;
    }
    struct chunk *compressed = memory_alloc(sizeof(*compressed));
    *compressed = (struct chunk){ .count = chunk->count,
        .size = chunk->size,
        .capacity = len,
        .kind = CHUNK_COMPRESSED,
        .data = memory_resize(out, len) };
    atomic_init(&compressed->refs, 1);
    chunk_release(chunk);
    return compressed;
}
