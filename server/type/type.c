#include "server/type/type.h"

#include "server/type/blob.h"

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

static const struct type types[TYPE_COUNT] = {
    [TYPE_STRING] = { "string", string_release, string_memory, string_share, string_effort },
};

static const char *const encoding_names[ENCODING_COUNT] = {
    [ENCODING_RAW] = "raw",
    [ENCODING_EMBSTR] = "embstr",
    [ENCODING_INT] = "int",
};

const struct type *type_of(enum type_id id)
{
    return &types[id];
}

const char *encoding_name(enum encoding encoding)
{
    return encoding_names[encoding];
}
