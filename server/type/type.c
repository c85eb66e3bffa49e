#include "server/type/type.h"

#include "server/type/blob.h"
#include "server/type/hash.h"
#include "server/type/list.h"
#include "server/type/set.h"
#include "server/type/stream.h"
#include "server/type/zset.h"

static void string_release(void *value, enum encoding encoding)
{
    blob_release(value);
}

static size_t string_memory(const void *value, enum encoding encoding)
{
    const struct blob *blob = value;
    return sizeof(*blob) + blob->capacity;
}

static void *string_share(void *value, enum encoding encoding)
{
    return blob_hold(value);
}

static size_t string_effort(const void *value, enum encoding encoding)
{
    return 1;
}

/* Whoever changes a string makes room in the blob as well: blob_make_writable. */
static void *string_own(void *value, enum encoding encoding)
{
    return value;
}

const struct type string_type = {
    "string", string_release, string_memory, string_share, string_own, string_effort
};

static const struct type none = { 0 };

static const struct type *const types[TYPE_COUNT] = {
    [TYPE_STRING] = &string_type,
    [TYPE_LIST] = &list_type,
    [TYPE_SET] = &set_type,
    [TYPE_ZSET] = &zset_type,
    [TYPE_HASH] = &hash_type,
    [TYPE_MODULE] = &none,
    [TYPE_STREAM] = &stream_type,
};

static const char *const encoding_names[ENCODING_COUNT] = {
    [ENCODING_RAW] = "raw",
    [ENCODING_EMBSTR] = "embstr",
    [ENCODING_INT] = "int",
    [ENCODING_LISTPACK] = "listpack",
    [ENCODING_INTSET] = "intset",
    [ENCODING_HASHTABLE] = "hashtable",
    [ENCODING_QUICKLIST] = "quicklist",
    [ENCODING_SKIPLIST] = "skiplist",
    [ENCODING_STREAM] = "stream",
};

const struct type *type_of(enum type_id id)
{
    return types[id];
}

const struct dict *type_dict(enum type_id id, enum encoding encoding, const void *value)
{
    if (id == TYPE_ZSET && encoding == ENCODING_SKIPLIST)
        return &((const struct zset_large *)value)->members;
    if (encoding != ENCODING_HASHTABLE)
        return NULL;
    if (id == TYPE_SET)
        return set_dict(&(struct set){ (void *)value, encoding });
    return id == TYPE_HASH ? hash_dict(&(struct hash){ (void *)value, encoding }) : NULL;
}

const char *encoding_name(enum encoding encoding)
{
    return encoding_names[encoding];
}
