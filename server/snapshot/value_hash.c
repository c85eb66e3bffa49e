/* Hashes in RDB: small ones as their listpack, others field by field. Read are also the forms of
 * old: zipmaps (before Redis 2.6) and ziplists (before 7.0). As redis-server does, a hash that is
 * above the limits becomes a dictionary; a field that comes twice is damage. */
#include "server/snapshot/value.h"

#include "common/memory.h"
#include "server/config.h"
#include "server/type/hash.h"
#include <endian.h>
#include <stdlib.h>

static struct hash hash_of(const struct entry *entry)
{
    return (struct hash){ entry_value(entry), entry->encoding };
}

static struct hash_limits limits_now(void)
{
    return (struct hash_limits){ (size_t)config_number(CONFIG_HASH_MAX_LISTPACK_ENTRIES),
        (size_t)config_number(CONFIG_HASH_MAX_LISTPACK_VALUE) };
}

/* Takes over the hash. */
static struct entry *make_entry(const struct rdb_key *key, const struct hash *hash)
{
    return entry_create_value(key->name, TYPE_HASH, hash->encoding, hash->value, key->expiry);
}

/* ---- Field by field ---- */

static void write_pairs(struct rdb_writer *writer, const struct entry *entry)
{
    struct hash hash = hash_of(entry);
    struct hash_iterator iterator = hash_iterate(&hash);
    struct hash_pair pair;
    rdb_write_length(writer, hash_count(&hash));
    while (hash_next(&iterator, &pair)) {
        rdb_write_string(writer, pair.field);
        rdb_write_string(writer, pair.value);
    }
}

static bool read_pair(struct rdb_reader *reader, struct hash *hash, struct buffer *field,
    const struct hash_limits *limits, struct error *error)
{
    struct bytes value;
    if (!rdb_read_string(reader, &value, error))
        return false;
    field->len = 0;
    buffer_append(field, value.data, value.len);
    if (!rdb_read_string(reader, &value, error))
        return false;
    return hash_set(hash, buffer_bytes(field), value, limits) ||
           error_set(error, "a hash has a field twice");
}

static struct entry *read_pairs(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    uint64_t count;
    struct buffer field = { 0 };
    struct hash_limits limits = limits_now();
    if (!rdb_read_length(reader, &count, error))
        return NULL;
    if (count == 0) {
        error_set(error, "a hash without fields");
        return NULL;
    }
    struct hash hash = count > limits.entries ? hash_create_table(0) : hash_create();
    bool ok = true;
    for (uint64_t i = 0; i < count && ok; i++)
        ok = read_pair(reader, &hash, &field, &limits, error);
    buffer_free(&field);
    if (ok)
        return make_entry(key, &hash);
    hash_free(&hash);
    return NULL;
}

/* ---- Listpacks ---- */

/* Whether no field of the listpack comes twice. */
static bool is_unique(const struct listpack *pack)
{
    enum { FEW = 32 };
    size_t count = listpack_count(pack) / 2;
    if (count > FEW) {
        struct hash table = hash_from_listpack(listpack_copy(pack));
        bool unique = hash_make_table(&table);
        hash_free(&table);
        return unique;
    }
    for (const unsigned char *at = listpack_first(pack); at;) {
        char scratch[NUMBER_TEXT_MAX];
        struct bytes field = listpack_get(at, scratch);
        at = listpack_next(pack, listpack_next(pack, at));
        if (at && listpack_find(pack, at, field, 1))
            return false;
    }
    return true;
}

/* Takes over a listpack whose form is valid. bytes_max: of a field or value, SIZE_MAX where nobody
 * asks. */
static struct entry *take_packed(struct listpack *pack, size_t longest, size_t bytes_max,
    const struct rdb_key *key, struct error *error)
{
    size_t count = listpack_count(pack);
    struct hash hash = hash_from_listpack(pack);
    if (count == 0 || count % 2 != 0) {
        error_set(error, "a hash with %zu fields and values", count);
        hash_free(&hash);
        return NULL;
    }
    bool large = count / 2 > limits_now().entries || longest > bytes_max;
    if (large ? hash_make_table(&hash) : is_unique(pack))
        return make_entry(key, &hash);
    error_set(error, "a hash has a field twice");
    hash_free(&hash);
    return NULL;
}

static struct entry *read_packed(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    struct bytes bytes;
    if (!value_read_listpack(reader, &bytes, error))
        return NULL;
    return take_packed(listpack_from(bytes), 0, SIZE_MAX, key, error);
}

static struct entry *read_ziplist(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    struct listpack *pack;
    if (!value_read_ziplist(reader, &pack, error))
        return NULL;
    return take_packed(pack, 0, SIZE_MAX, key, error);
}

/* ---- Zipmaps: a count byte, then length and bytes of each field; length, a byte that tells how
 * much room is unused, bytes and that room of each value; 255 ---- */

enum { ZIPMAP_LONG = 254, ZIPMAP_END = 255 };

/* Takes so many bytes from the start; false: there are not so many. */
static bool take(struct bytes *rest, size_t len, struct bytes *taken)
{
    if (len > rest->len)
        return false;
    *taken = (struct bytes){ rest->data, len };
    *rest = (struct bytes){ rest->data + len, rest->len - len };
    return true;
}

static bool take_length(struct bytes *rest, size_t *len)
{
    struct bytes byte, more;
    if (!take(rest, 1, &byte) || (unsigned char)byte.data[0] == ZIPMAP_END)
        return false;
    *len = (unsigned char)byte.data[0];
    if (*len < ZIPMAP_LONG)
        return true;
    uint32_t number;
    if (!take(rest, sizeof(number), &more))
        return false;
    memcpy(&number, more.data, sizeof(number));
    *len = le32toh(number);
    return true;
}

static bool take_pair(struct bytes *rest, struct bytes *field, struct bytes *value)
{
    size_t len;
    struct bytes unused;
    return take_length(rest, &len) && take(rest, len, field) && take_length(rest, &len) &&
           take(rest, 1, &unused) && take(rest, len, value) &&
           take(rest, (unsigned char)unused.data[0], &unused);
}

static struct entry *read_zipmap(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    struct bytes rest, field, value;
    if (!rdb_read_string(reader, &rest, error))
        return NULL;
    struct listpack *pack = listpack_create();
    size_t longest = 0;
    bool ok = take(&rest, 1, &field);
    while (ok && rest.len > 0 && (unsigned char)rest.data[0] != ZIPMAP_END) {
        ok = take_pair(&rest, &field, &value) && listpack_has_room(pack, field.len + value.len);
        if (!ok)
            break;
        pack = listpack_append(listpack_append(pack, field), value);
        longest = field.len > longest ? field.len : longest;
        longest = value.len > longest ? value.len : longest;
    }
    if (ok && rest.len == 1)
        return take_packed(pack, longest, limits_now().bytes, key, error);
    error_set(error, "a damaged zipmap");
    listpack_free(pack);
    return NULL;
}

const struct value_form hash_forms[] = { { RDB_TYPE_HASH, TYPE_HASH, 1u << ENCODING_HASHTABLE,
                                             write_pairs, read_pairs },
    { RDB_TYPE_HASH_LISTPACK, TYPE_HASH, 1u << ENCODING_LISTPACK, value_write_listpack,
        read_packed },
    { RDB_TYPE_HASH_ZIPLIST, TYPE_HASH, 0, NULL, read_ziplist },
    { RDB_TYPE_HASH_ZIPMAP, TYPE_HASH, 0, NULL, read_zipmap }, { 0 } };
