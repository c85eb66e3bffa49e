/* An entry: a key, its value and when it expires, in one allocation where the value is small.
 *
 *   header 12 bytes | expiry 8 (if it has one) | value pointer 8 (if out of line) | key | inline
 * value
 *
 * 16 bytes of key and 32 of value make 60 bytes: one cache line. Everything in an entry is guarded
 * by the lock of its slot, but for an entry that no table holds yet: that is its maker's. */
#ifndef SERVER_STORE_ENTRY_H
#define SERVER_STORE_ENTRY_H

#include "common/bytes.h"
#include "server/type/blob.h"
#include "server/type/type.h"
#include <stdint.h>

enum entry_flag {
    ENTRY_EXPIRES = 1, /* the expiry is there */
    ENTRY_OUT_OF_LINE =
        2, /* the value is a pointer to what its type says (a string: struct blob) */
};

enum {
    ENTRY_INLINE_MAX = 1024, /* longer strings become a blob */
    ENTRY_NO_EXPIRY = -1,
};

struct entry {
    uint32_t access : 24; /* how it is used, see access.h */
    uint32_t flags : 8;
    uint8_t type : 4;
    uint8_t encoding : 4;
    uint8_t generation; /* of the last snapshot that has seen this entry, see store.h */
    uint16_t inline_len;
    uint32_t key_len;
    char data[];
} __attribute__((packed, aligned(4)));

/* Makers. The entry belongs to the caller until a slot takes it. expiry: Unix time in ms or
 * ENTRY_NO_EXPIRY. */

/* A string as SET keeps it: an integer that fits becomes ENCODING_INT, what is short lies inline.
 */
struct entry *entry_create_string(struct bytes key, struct bytes value, int64_t expiry);
/* The same, but never an integer: what INCRBYFLOAT makes. */
struct entry *entry_create_text(struct bytes key, struct bytes value, int64_t expiry);
/* A string that is never turned into a number and says "raw" (as after APPEND or SETRANGE). Takes
 * over the blob's reference where blob is not NULL; else value is copied. */
struct entry *entry_create_raw(
    struct bytes key, struct bytes value, struct blob *blob, int64_t expiry);
struct entry *entry_create_integer(struct bytes key, int64_t value, int64_t expiry);
/* Any type out of line; takes over value. */
struct entry *entry_create_value(
    struct bytes key, enum type_id type, enum encoding encoding, void *value, int64_t expiry);

/* The same value under another key and expiry: out of line values are shared through their type. */
struct entry *entry_copy(const struct entry *entry, struct bytes key, int64_t expiry);

/* The same key and value with another expiry. An entry that has room for it already is changed in
 * place and returned; else a new one is returned that has taken over the value, and the old one is
 * a shell that the caller frees with entry_free_shell once no table points to it. */
struct entry *entry_with_expiry(struct entry *entry, int64_t expiry);

void entry_free(struct entry *entry);           /* with its value */
void entry_free_shell(struct entry *entry);     /* without what lies out of line */
size_t entry_memory(const struct entry *entry); /* bytes allocated, value included */

/* The bytes of a string. For ENCODING_INT they are written to scratch (of NUMBER_TEXT_MAX bytes).
 */
struct bytes entry_string(const struct entry *entry, char *scratch);
int64_t entry_integer(const struct entry *entry);           /* of ENCODING_INT */
void entry_set_integer(struct entry *entry, int64_t value); /* of ENCODING_INT */
/* Overwrites the inline bytes with as many others, as SET with a value of the same kind and length
 * does. */
bool entry_overwrite_string(struct entry *entry, struct bytes value);

static inline size_t entry_expiry_size(const struct entry *entry)
{
    return entry->flags & ENTRY_EXPIRES ? sizeof(int64_t) : 0;
}

static inline size_t entry_pointer_size(const struct entry *entry)
{
    return entry->flags & ENTRY_OUT_OF_LINE ? sizeof(void *) : 0;
}

static inline struct bytes entry_key(const struct entry *entry)
{
    return (struct bytes){ entry->data + entry_expiry_size(entry) + entry_pointer_size(entry),
        entry->key_len };
}

/* Unix time in ms, or ENTRY_NO_EXPIRY. */
static inline int64_t entry_expiry(const struct entry *entry)
{
    int64_t expiry = ENTRY_NO_EXPIRY;
    if (entry->flags & ENTRY_EXPIRES)
        memcpy(&expiry, entry->data, sizeof(expiry));
    return expiry;
}

static inline bool entry_is_expired(const struct entry *entry, int64_t now_ms)
{
    return entry->flags & ENTRY_EXPIRES && entry_expiry(entry) < now_ms;
}

/* What lies out of line; NULL where the value is inline. */
static inline void *entry_value(const struct entry *entry)
{
    void *value = NULL;
    if (entry->flags & ENTRY_OUT_OF_LINE)
        memcpy(&value, entry->data + entry_expiry_size(entry), sizeof(value));
    return value;
}

static inline void entry_set_value(struct entry *entry, void *value)
{
    memcpy(entry->data + entry_expiry_size(entry), &value, sizeof(value));
}

/* Before the value is changed in place: makes what lies out of line the entry's alone. */
static inline void entry_own_value(struct entry *entry)
{
    if (entry->flags & ENTRY_OUT_OF_LINE)
        entry_set_value(entry, type_of(entry->type)->own(entry_value(entry), entry->encoding));
}

static inline char *entry_inline(struct entry *entry)
{
    return entry->data + entry_expiry_size(entry) + entry_pointer_size(entry) + entry->key_len;
}

#endif
