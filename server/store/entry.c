#include "server/store/entry.h"

#include "common/memory.h"
#include "common/number.h"
#include <stdlib.h>

_Static_assert(sizeof(struct entry) == 12, "the header of an entry is 12 bytes");

/* Copies bytes that may be none at all; returns where they end. */
static char *put(char *to, struct bytes from)
{
    if (from.len > 0)
        memcpy(to, from.data, from.len);
    return to + from.len;
}

/* An entry with its header, expiry and key filled in; the value's place is the caller's to fill. */
static struct entry *make(struct bytes key, enum type_id type, enum encoding encoding,
    int64_t expiry, bool out_of_line, size_t inline_len)
{
    if (key.len > UINT32_MAX)
        memory_exhausted(key.len); /* what comes in is bounded before: see REQUEST_BULK_MAX */
    bool expires = expiry != ENTRY_NO_EXPIRY;
    size_t size = sizeof(struct entry) + (expires ? sizeof(expiry) : 0) +
                  (out_of_line ? sizeof(void *) : 0) + key.len + inline_len;
    struct entry *entry = memory_alloc(size);
    entry->access = 0;
    entry->flags = (expires ? ENTRY_EXPIRES : 0) | (out_of_line ? ENTRY_OUT_OF_LINE : 0);
    entry->type = type;
    entry->encoding = encoding;
    entry->generation = 0;
    entry->inline_len = (uint16_t)inline_len;
    entry->key_len = (uint32_t)key.len;
    if (expires)
        memcpy(entry->data, &expiry, sizeof(expiry));
    put(entry_inline(entry) - key.len, key);
    return entry;
}

struct entry *entry_create_value(
    struct bytes key, enum type_id type, enum encoding encoding, void *value, int64_t expiry)
{
    struct entry *entry = make(key, type, encoding, expiry, true, 0);
    entry_set_value(entry, value);
    return entry;
}

struct entry *entry_create_integer(struct bytes key, int64_t value, int64_t expiry)
{
    struct entry *entry = make(key, TYPE_STRING, ENCODING_INT, expiry, false, sizeof(value));
    memcpy(entry_inline(entry), &value, sizeof(value));
    return entry;
}

struct entry *entry_create_raw(
    struct bytes key, struct bytes value, struct blob *blob, int64_t expiry)
{
    if (!blob && value.len <= ENTRY_INLINE_MAX) {
        struct entry *entry = make(key, TYPE_STRING, ENCODING_RAW, expiry, false, value.len);
        put(entry_inline(entry), value);
        return entry;
    }
    if (!blob) {
        blob = blob_create(value.len, value.len);
        memcpy(blob->data, value.data, value.len);
    }
    return entry_create_value(key, TYPE_STRING, ENCODING_RAW, blob, expiry);
}

/* Twenty digits cannot be an int64_t, and most strings do not begin like a number. */
static bool looks_like_integer(struct bytes value, int64_t *integer)
{
    return value.len > 0 && value.len <= 20 &&
           (value.data[0] == '-' || (value.data[0] >= '0' && value.data[0] <= '9')) &&
           number_parse(value, integer);
}

struct entry *entry_create_string(struct bytes key, struct bytes value, int64_t expiry)
{
    int64_t integer;
    if (looks_like_integer(value, &integer))
        return entry_create_integer(key, integer, expiry);
    return entry_create_text(key, value, expiry);
}

struct entry *entry_create_text(struct bytes key, struct bytes value, int64_t expiry)
{
    if (value.len > ENCODING_EMBSTR_MAX)
        return entry_create_raw(key, value, NULL, expiry);
    struct entry *entry = make(key, TYPE_STRING, ENCODING_EMBSTR, expiry, false, value.len);
    put(entry_inline(entry), value);
    return entry;
}

bool entry_overwrite_string(struct entry *entry, struct bytes value)
{
    int64_t integer;
    if (entry->type != TYPE_STRING || entry->flags || entry->inline_len != value.len ||
        entry->encoding != (value.len > ENCODING_EMBSTR_MAX ? ENCODING_RAW : ENCODING_EMBSTR) ||
        looks_like_integer(value, &integer))
        return false;
    put(entry_inline(entry), value);
    return true;
}

struct entry *entry_copy(const struct entry *entry, struct bytes key, int64_t expiry)
{
    struct entry *copy;
    if (entry->flags & ENTRY_OUT_OF_LINE) {
        void *value = type_of(entry->type)->share(entry_value(entry), entry->encoding);
        copy = entry_create_value(key, entry->type, entry->encoding, value, expiry);
    } else {
        copy = make(key, entry->type, entry->encoding, expiry, false, entry->inline_len);
        memcpy(entry_inline(copy), entry_inline((struct entry *)entry), entry->inline_len);
    }
    copy->access = entry->access;
    return copy;
}

struct entry *entry_with_expiry(struct entry *entry, int64_t expiry)
{
    if (expiry == entry_expiry(entry))
        return entry;
    if (expiry != ENTRY_NO_EXPIRY && entry->flags & ENTRY_EXPIRES) {
        memcpy(entry->data, &expiry, sizeof(expiry));
        return entry;
    }
    bool out_of_line = entry->flags & ENTRY_OUT_OF_LINE;
    struct entry *other = make(
        entry_key(entry), entry->type, entry->encoding, expiry, out_of_line, entry->inline_len);
    if (out_of_line)
        entry_set_value(other, entry_value(entry));
    else
        memcpy(entry_inline(other), entry_inline(entry), entry->inline_len);
    other->access = entry->access;
    other->generation = entry->generation;
    return other;
}

void entry_free_shell(struct entry *entry)
{
    free(entry);
}

void entry_free(struct entry *entry)
{
    if (entry->flags & ENTRY_OUT_OF_LINE)
        type_of(entry->type)->release(entry_value(entry), entry->encoding);
    free(entry);
}

size_t entry_memory(const struct entry *entry)
{
    size_t size = sizeof(*entry) + entry_expiry_size(entry) + entry_pointer_size(entry) +
                  entry->key_len + entry->inline_len;
    if (entry->flags & ENTRY_OUT_OF_LINE)
        size += type_of(entry->type)->memory(entry_value(entry), entry->encoding);
    return size;
}

int64_t entry_integer(const struct entry *entry)
{
    int64_t value;
    memcpy(&value, entry_inline((struct entry *)entry), sizeof(value));
    return value;
}

void entry_set_integer(struct entry *entry, int64_t value)
{
    memcpy(entry_inline(entry), &value, sizeof(value));
}

struct bytes entry_string(const struct entry *entry, char *scratch)
{
    if (entry->encoding == ENCODING_INT)
        return (struct bytes){ scratch, number_format(scratch, entry_integer(entry)) };
    if (entry->flags & ENTRY_OUT_OF_LINE)
        return blob_bytes(entry_value(entry));
    return (struct bytes){ entry_inline((struct entry *)entry), entry->inline_len };
}
