/* Items of the dictionary: the value's length, the field, the value. A value of the same length is
 * written over the old one where nobody else holds the item. */
#include "server/type/hash.h"

#include "common/memory.h"
#include "server/type/counted_dict.h"
#include <stdlib.h>

enum { PREFIX = sizeof(uint32_t) };

/* ---- The type's row ---- */

static void release(void *value, enum encoding encoding)
{
    if (encoding == ENCODING_LISTPACK)
        listpack_free(value);
    else
        counted_dict_release(value);
}

static size_t memory(const void *value, enum encoding encoding)
{
    return encoding == ENCODING_LISTPACK ? listpack_size(value) : counted_dict_memory(value);
}

static void *share(void *value, enum encoding encoding)
{
    if (encoding == ENCODING_LISTPACK)
        return listpack_copy(value);
    return counted_dict_hold(value);
}

static void *own(void *value, enum encoding encoding)
{
    return encoding == ENCODING_LISTPACK ? value : counted_dict_own(value);
}

static size_t effort(const void *value, enum encoding encoding)
{
    return encoding == ENCODING_LISTPACK ? 1 : counted_dict_effort(value);
}

const struct type hash_type = { "hash", release, memory, share, own, effort };

/* ---- Life ---- */

struct hash hash_create(void)
{
    return (struct hash){ listpack_create(), ENCODING_LISTPACK };
}

struct hash hash_create_table(size_t count)
{
    return (struct hash){ counted_dict_create(PREFIX, count), ENCODING_HASHTABLE };
}

struct hash hash_from_listpack(struct listpack *pack)
{
    return (struct hash){ pack, ENCODING_LISTPACK };
}

void hash_free(struct hash *hash)
{
    release(hash->value, hash->encoding);
}

struct dict *hash_dict(const struct hash *hash)
{
    return &((struct counted_dict *)hash->value)->dict;
}

/* ---- Items ---- */

static uint32_t value_len(const struct item *item)
{
    uint32_t len;
    memcpy(&len, item->data, sizeof(len));
    return len;
}

static size_t item_size(size_t field_len, size_t len)
{
    return sizeof(struct item) + PREFIX + field_len + len;
}

static struct item *make_item(struct bytes field, struct bytes value)
{
    struct item *item = item_create(PREFIX, field, value.len);
    uint32_t len = (uint32_t)value.len;
    memcpy(item->data, &len, sizeof(len));
    if (value.len > 0)
        memcpy(item->data + PREFIX + field.len, value.data, value.len);
    return item;
}

static struct bytes item_value(const struct dict *dict, struct item *item)
{
    return (struct bytes){ dict_extra(dict, item), value_len(item) };
}

void hash_item_pair(const struct dict *dict, struct item *item, struct hash_pair *pair)
{
    pair->field = dict_key(dict, item);
    pair->value = item_value(dict, item);
}

/* ---- Reading ---- */

size_t hash_count(const struct hash *hash)
{
    return hash->encoding == ENCODING_LISTPACK ? listpack_count(hash->value) / 2
                                               : hash_dict(hash)->count;
}

static const unsigned char *find_packed(const struct hash *hash, struct bytes field)
{
    const struct listpack *pack = hash->value;
    return listpack_find(pack, listpack_first(pack), field, 1);
}

bool hash_get(const struct hash *hash, struct bytes field, char *scratch, struct bytes *value)
{
    if (hash->encoding == ENCODING_LISTPACK) {
        const unsigned char *at = find_packed(hash, field);
        if (at)
            *value = listpack_get(listpack_next(hash->value, at), scratch);
        return at;
    }
    struct dict *dict = hash_dict(hash);
    struct item *item = dict_find(dict, dict_hash(field), field);
    if (item)
        *value = item_value(dict, item);
    return item;
}

/* ---- Changing ---- */

static bool set_in_table(struct hash *hash, struct bytes field, struct bytes value)
{
    struct dict *dict = hash_dict(hash);
    uint64_t number = dict_hash(field);
    struct item *item = dict_find_for_change(dict, number, field);
    if (!item) {
        dict_insert(dict, number, make_item(field, value), item_size(field.len, value.len));
        return true;
    }
    uint32_t len = value_len(item);
    if (len != value.len || !item_is_private(item))
        dict_replace(dict, number, make_item(field, value), (int64_t)value.len - len);
    else if (len > 0)
        memcpy(dict_extra(dict, item), value.data, len);
    return false;
}

static bool set_packed(struct hash *hash, struct bytes field, struct bytes value)
{
    const unsigned char *at = find_packed(hash, field);
    if (at) {
        at = listpack_next(hash->value, at);
        hash->value = listpack_replace(hash->value, &at, value);
        return false;
    }
    hash->value = listpack_append(hash->value, field);
    hash->value = listpack_append(hash->value, value);
    return true;
}

bool hash_set(
    struct hash *hash, struct bytes field, struct bytes value, const struct hash_limits *limits)
{
    if (hash->encoding == ENCODING_LISTPACK &&
        (field.len > limits->bytes || value.len > limits->bytes ||
            !listpack_has_room(hash->value, field.len + value.len)))
        hash_make_table(hash);
    if (hash->encoding == ENCODING_HASHTABLE)
        return set_in_table(hash, field, value);
    bool added = set_packed(hash, field, value);
    if (hash_count(hash) > limits->entries)
        hash_make_table(hash);
    return added;
}

bool hash_remove(struct hash *hash, struct bytes field)
{
    if (hash->encoding == ENCODING_LISTPACK) {
        const unsigned char *at = find_packed(hash, field);
        bool there = at;
        if (there)
            hash->value = listpack_remove(hash->value, &at, 2);
        return there;
    }
    struct dict *dict = hash_dict(hash);
    struct item *item = dict_remove(dict, dict_hash(field), field);
    if (!item)
        return false;
    dict_forget_size(dict, item_size(field.len, value_len(item)));
    item_release(item);
    return true;
}

bool hash_make_table(struct hash *hash)
{
    if (hash->encoding != ENCODING_LISTPACK)
        return true;
    struct hash table = hash_create_table(hash_count(hash));
    struct hash_iterator iterator = hash_iterate(hash);
    struct hash_pair pair;
    while (hash_next(&iterator, &pair)) {
        if (!set_in_table(&table, pair.field, pair.value)) {
            hash_free(&table);
            return false;
        }
    }
    hash_free(hash);
    *hash = table;
    return true;
}

/* ---- Going about ---- */

struct hash_iterator hash_iterate(const struct hash *hash)
{
    if (hash->encoding == ENCODING_HASHTABLE)
        return (struct hash_iterator){ .items = dict_iterate(hash_dict(hash)) };
    return (struct hash_iterator){ .pack = hash->value, .at = listpack_first(hash->value) };
}

bool hash_next(struct hash_iterator *iterator, struct hash_pair *pair)
{
    if (!iterator->pack) {
        struct item *item = dict_next(&iterator->items);
        if (item)
            hash_item_pair(iterator->items.dict, item, pair);
        return item;
    }
    if (!iterator->at)
        return false;
    pair->field = listpack_get(iterator->at, pair->scratch[0]);
    iterator->at = listpack_next(iterator->pack, iterator->at);
    pair->value = listpack_get(iterator->at, pair->scratch[1]);
    iterator->at = listpack_next(iterator->pack, iterator->at);
    return true;
}
