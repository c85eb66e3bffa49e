/* Sets in RDB: intsets as they are, others member by member; listpacks, which Redis 7.2 and Valkey
 * 8 write, are read. As redis-server does, a set of integers within the limit becomes an intset; a
 * member that comes twice is damage. */
#include "server/snapshot/value.h"

#include "server/config.h"
#include "server/type/set.h"

static size_t intset_max(void)
{
    return (size_t)config_number(CONFIG_SET_MAX_INTSET_ENTRIES);
}

/* Takes over the set. */
static struct entry *make_entry(const struct rdb_key *key, const struct set *set)
{
    return entry_create_value(key->name, TYPE_SET, set->encoding, set->value, key->expiry);
}

static bool add(struct set *set, struct bytes text, struct error *error)
{
    struct member member = member_of(text);
    return set_add(set, &member, intset_max()) || error_set(error, "a set has a member twice");
}

static void write_members(struct rdb_writer *writer, const struct entry *entry)
{
    struct set set = { entry_value(entry), entry->encoding };
    struct set_iterator iterator = set_iterate(&set);
    struct member member;
    rdb_write_length(writer, set_count(&set));
    while (set_next(&iterator, &member))
        rdb_write_string(writer, member.text);
}

static struct entry *read_members(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    uint64_t count;
    if (!rdb_read_length(reader, &count, error))
        return NULL;
    if (count == 0) {
        error_set(error, "a set without members");
        return NULL;
    }
    struct set set = count > intset_max() ? set_create_table(0) : set_create();
    bool ok = true;
    for (uint64_t i = 0; i < count && ok; i++) {
        struct bytes text;
        ok = rdb_read_string(reader, &text, error) && add(&set, text, error);
    }
    if (ok)
        return make_entry(key, &set);
    set_free(&set);
    return NULL;
}

static void write_intset(struct rdb_writer *writer, const struct entry *entry)
{
    rdb_write_string(writer, intset_bytes(entry_value(entry)));
}

static struct entry *read_intset(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    struct bytes bytes;
    if (!rdb_read_string(reader, &bytes, error))
        return NULL;
    if (!intset_is_valid(bytes)) {
        error_set(error, "a damaged intset");
        return NULL;
    }
    struct set set = set_from_intset(intset_from(bytes));
    if (set_count(&set) > intset_max())
        set_make_table(&set);
    return make_entry(key, &set);
}

static struct entry *read_listpack(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    struct bytes bytes;
    if (!value_read_listpack(reader, &bytes, error))
        return NULL;
    const struct listpack *pack = (const struct listpack *)bytes.data;
    if (listpack_count(pack) == 0) {
        error_set(error, "a set without members");
        return NULL;
    }
    struct set set = set_create();
    for (const unsigned char *at = listpack_first(pack); at; at = listpack_next(pack, at)) {
        char scratch[NUMBER_TEXT_MAX];
        if (!add(&set, listpack_get(at, scratch), error)) {
            set_free(&set);
            return NULL;
        }
    }
    return make_entry(key, &set);
}

const struct value_form set_forms[] = { { RDB_TYPE_SET, TYPE_SET, 1u << ENCODING_HASHTABLE,
                                            write_members, read_members },
    { RDB_TYPE_SET_INTSET, TYPE_SET, 1u << ENCODING_INTSET, write_intset, read_intset },
    { RDB_TYPE_SET_LISTPACK, TYPE_SET, 0, NULL, read_listpack }, { 0 } };
