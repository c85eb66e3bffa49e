#include "server/type/blob.h"

#include "common/memory.h"
#include <stdlib.h>

struct blob *blob_create(size_t len, size_t capacity)
{
    if (capacity < len)
        capacity = len;
    struct blob *blob = memory_alloc(sizeof(*blob) + capacity);
    atomic_init(&blob->refs, 1);
    blob->len = len;
    blob->capacity = capacity;
    return blob;
}

struct blob *blob_hold(struct blob *blob)
{
    atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    return blob;
}

void blob_release(struct blob *blob)
{
    if (atomic_fetch_sub_explicit(&blob->refs, 1, memory_order_acq_rel) == 1)
        free(blob);
}

struct blob *blob_make_writable(struct blob *blob, size_t capacity)
{
    if (blob_is_shared(blob)) {
        struct blob *copy = blob_create(blob->len, capacity);
        memcpy(copy->data, blob->data, blob->len);
        blob_release(blob);
        return copy;
    }
    if (blob->capacity >= capacity)
        return blob;
    blob = memory_resize(blob, sizeof(*blob) + capacity);
    blob->capacity = capacity;
    return blob;
}
