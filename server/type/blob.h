/* A large string that several may hold at once: an entry, a reply on its way out, a snapshot. While more
 * than one holds it nobody changes it; the last to let go frees it. */
#ifndef SERVER_TYPE_BLOB_H
#define SERVER_TYPE_BLOB_H

#include "common/bytes.h"
#include <stdatomic.h>

struct blob {
    atomic_uint refs;
    size_t len;
    size_t capacity;
    char data[];
};

struct blob *blob_create(size_t len, size_t capacity); /* one reference; data not set */
struct blob *blob_hold(struct blob *blob);             /* one reference more */
void blob_release(struct blob *blob);

/* The blob with room for `capacity` bytes that the caller alone holds: itself, or a copy (the caller's
 * reference moves to it). */
struct blob *blob_make_writable(struct blob *blob, size_t capacity);

static inline bool blob_is_shared(struct blob *blob)
{
    return atomic_load_explicit(&blob->refs, memory_order_acquire) > 1;
}

static inline struct bytes blob_bytes(const struct blob *blob)
{
    return (struct bytes){ blob->data, blob->len };
}

#endif
