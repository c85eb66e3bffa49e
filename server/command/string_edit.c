/* A string that is changed in place has one of two homes: inline in its entry, as long as it is
 * short and does not grow; else a blob, with room to grow by halves. What has another encoding
 * becomes "raw" first. A snapshot gets the old bytes before they change. */
#include "server/command/string_edit.h"

#include "server/command/string_args.h"

#include "common/number.h"
#include "server/config.h"

enum { STAYS_INLINE = ENTRY_INLINE_MAX / 2 };

bool string_is_too_long(struct call *call, int64_t size)
{
    int64_t max = config_number(CONFIG_PROTO_MAX_BULK_LEN);
    if (max < STRING_MAX)
        max = STRING_MAX;
    if (size <= max)
        return false;
    reply_error(call->reply, "string exceeds maximum allowed size (proto-max-bulk-len)");
    return true;
}

int64_t string_expiry(const struct key *key)
{
    return key->entry ? entry_expiry(key->entry) : ENTRY_NO_EXPIRY;
}

/* Another entry with the same key: to a key that is there without a word to anyone. */
static void place(struct call *call, struct key *key, struct entry *entry)
{
    if (!key->entry) {
        key_set(call, key, entry);
        return;
    }
    entry->access = key->entry->access;
    store_replace(call->store, key->slot, key->cell, entry);
    key->entry = entry;
}

static char *open_inline(struct call *call, struct key *key, struct bytes old, size_t len)
{
    if (key->entry && key->entry->encoding == ENCODING_RAW && old.len == len) {
        store_will_change(call->store, key->slot, key->entry);
        return entry_inline(key->entry);
    }
    char bytes[STAYS_INLINE];
    memcpy(bytes, old.data, old.len);
    memset(bytes + old.len, 0, len - old.len);
    place(call, key,
        entry_create_raw(key->name, (struct bytes){ bytes, len }, NULL, string_expiry(key)));
    return entry_inline(key->entry);
}

/* The blob, which nobody else holds, with room for len bytes. */
static struct blob *open_blob(struct call *call, struct key *key, struct bytes old, size_t len)
{
    if (key->entry && key->entry->flags & ENTRY_OUT_OF_LINE) {
        /* The snapshot, if there is one, takes its reference first, so the bytes it sees stay. */
        store_will_change(call->store, key->slot, key->entry);
        struct blob *blob = entry_value(key->entry);
        size_t room = blob->capacity >= len ? blob->capacity : len + len / 2;
        blob = blob_make_writable(blob, room);
        entry_set_value(key->entry, blob);
        return blob;
    }
    struct blob *blob = blob_create(old.len, key->entry ? len + len / 2 : len);
    memcpy(blob->data, old.data, old.len);
    place(call, key, entry_create_raw(key->name, BYTES(""), blob, string_expiry(key)));
    return blob;
}

char *string_open(struct call *call, struct key *key, size_t size)
{
    char scratch[NUMBER_TEXT_MAX];
    struct bytes old = key->entry ? entry_string(key->entry, scratch) : BYTES("");
    size_t len = old.len > size ? old.len : size;
    bool is_inline = !key->entry || !(key->entry->flags & ENTRY_OUT_OF_LINE);
    bool is_raw = key->entry && key->entry->encoding == ENCODING_RAW;
    if (is_inline && (len <= STAYS_INLINE || (is_raw && len == old.len)))
        return open_inline(call, key, old, len);
    struct blob *blob = open_blob(call, key, old, len);
    if (blob->len < len) {
        memset(blob->data + blob->len, 0, len - blob->len);
        blob->len = len;
    }
    return blob->data;
}

char *string_stretch(struct call *call, struct key *key, size_t size)
{
    char *bytes = string_open(call, key, size);
    key_did_change(call, key);
    return bytes;
}
