/* Sorted sets in RDB. Small ones go out as the listpack that they are; large ones member by member
 * with binary scores, from the highest down. Older forms are read: scores as text, ziplists. */
#include "server/snapshot/value.h"

#include "server/config.h"
#include "server/type/zset.h"

#include <endian.h>
#include <math.h>

static struct zset_limits limits(void)
{
    return (struct zset_limits){ (size_t)config_number(CONFIG_ZSET_MAX_LISTPACK_ENTRIES),
        (size_t)config_number(CONFIG_ZSET_MAX_LISTPACK_VALUE) };
}

static struct entry *entry_of(const struct rdb_key *key, const struct zset *zset)
{
    return entry_create_value(key->name, TYPE_ZSET, zset->encoding, zset->value, key->expiry);
}

/* ---- Writing ---- */

static void write_score(struct rdb_writer *writer, double score)
{
    uint64_t bits;
    memcpy(&bits, &score, sizeof(bits));
    for (unsigned i = 0; i < sizeof(bits); i++)
        rdb_write_byte(writer, (uint8_t)(bits >> 8 * i));
}

static void write_members(struct rdb_writer *writer, const struct entry *entry)
{
    struct zset zset = { entry->encoding, entry_value(entry) };
    struct zset_cursor cursor;
    struct zset_element element;
    rdb_write_length(writer, zset_count(&zset));
    zset_walk(&zset, zset_count(&zset) - 1, true, &cursor);
    while (zset_next(&cursor, &element)) {
        rdb_write_string(writer, element.member);
        write_score(writer, element.score);
    }
}

/* ---- Reading ---- */

static bool read_bytes(struct rdb_reader *reader, char *to, size_t len, struct error *error)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t byte;
        if (!rdb_read_byte(reader, &byte, error))
            return false;
        to[i] = (char)byte;
    }
    return true;
}

static bool read_binary_score(struct rdb_reader *reader, double *score, struct error *error)
{
    uint64_t bits;
    if (!read_bytes(reader, (char *)&bits, sizeof(bits), error))
        return false;
    bits = le64toh(bits);
    memcpy(score, &bits, sizeof(bits));
    return true;
}

/* A length and so many characters; three lengths stand for what has no digits. */
static bool read_text_score(struct rdb_reader *reader, double *score, struct error *error)
{
    enum { IS_NAN = 253, IS_HIGHEST = 254, IS_LOWEST = 255 };
    uint8_t len;
    char text[IS_NAN];
    if (!rdb_read_byte(reader, &len, error))
        return false;
    if (len >= IS_NAN) {
        *score = len == IS_NAN ? NAN : len == IS_HIGHEST ? INFINITY : -INFINITY;
        return true;
    }
    if (!read_bytes(reader, text, len, error))
        return false;
    if (!number_parse_double((struct bytes){ text, len }, score))
        return error_set(error, "a score that is no number");
    return true;
}

typedef bool read_score_fn(struct rdb_reader *reader, double *score, struct error *error);

static bool read_member(
    struct rdb_reader *reader, struct dict *members, read_score_fn *read_score, struct error *error)
{
    struct bytes member;
    double score;
    if (!rdb_read_string(reader, &member, error))
        return false;
    uint64_t hash = dict_hash(member);
    if (dict_find(members, hash, member))
        return error_set(error, "a sorted set has a member twice");
    struct item *item = item_create(RANKED_PREFIX, member, 0);
    if (!read_score(reader, &score, error) || isnan(score)) {
        item_release(item);
        return error_set(error, "a sorted set has a member without a score");
    }
    memcpy(item->data, &score, sizeof(score));
    dict_insert(members, hash, item, sizeof(*item) + RANKED_PREFIX + item->key_len);
    return true;
}

static struct entry *read_members(struct rdb_reader *reader, const struct rdb_key *key,
    read_score_fn *read_score, struct error *error)
{
    uint64_t count;
    struct dict members;
    if (!rdb_read_length(reader, &count, error))
        return NULL;
    if (count == 0) {
        error_set(error, "a sorted set without members");
        return NULL;
    }
    dict_init(&members, RANKED_PREFIX);
    for (uint64_t i = 0; i < count; i++) {
        if (!read_member(reader, &members, read_score, error)) {
            dict_free(&members);
            return NULL;
        }
    }
    struct zset_limits now = limits();
    struct zset zset = zset_from_dict(&members);
    zset_shrink(&zset, &now);
    return entry_of(key, &zset);
}

static struct entry *read_text(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    return read_members(reader, key, read_text_score, error);
}

static struct entry *read_binary(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    return read_members(reader, key, read_binary_score, error);
}

/* Takes over the listpack, which is a valid one. */
static struct entry *entry_of_pack(
    struct listpack *pack, const struct rdb_key *key, struct error *error)
{
    if (!zset_pack_is_valid(pack)) {
        listpack_free(pack);
        error_set(error, "a sorted set is not in order, or not whole");
        return NULL;
    }
    struct zset_limits now = limits();
    struct zset zset = { ENCODING_LISTPACK, pack };
    if (zset_count(&zset) > now.entries)
        zset_enlarge(&zset);
    return entry_of(key, &zset);
}

static struct entry *read_pack(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    struct bytes bytes;
    if (!value_read_listpack(reader, &bytes, error))
        return NULL;
    return entry_of_pack(listpack_from(bytes), key, error);
}

static struct entry *read_ziplist(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    struct listpack *pack;
    if (!value_read_ziplist(reader, &pack, error))
        return NULL;
    return entry_of_pack(pack, key, error);
}

const struct value_form zset_forms[] = {
    { RDB_TYPE_ZSET_LISTPACK, TYPE_ZSET, 1u << ENCODING_LISTPACK, value_write_listpack, read_pack },
    { RDB_TYPE_ZSET_2, TYPE_ZSET, 1u << ENCODING_SKIPLIST, write_members, read_binary },
    { RDB_TYPE_ZSET_ZIPLIST, TYPE_ZSET, 0, NULL, read_ziplist },
    { RDB_TYPE_ZSET, TYPE_ZSET, 0, NULL, read_text }, { 0 }
};
