#include "server/snapshot/value.h"

#include "common/number.h"
#include "server/clock.h"
#include "server/config.h"
#include "server/snapshot/ziplist.h"
#include "server/store/access.h"
#include <stdlib.h>

void value_write_listpack(struct rdb_writer *writer, const struct entry *entry)
{
    rdb_write_string(writer, listpack_bytes(entry_value(entry)));
}

bool value_read_listpack(struct rdb_reader *reader, struct bytes *bytes, struct error *error)
{
    return rdb_read_string(reader, bytes, error) &&
           (listpack_is_valid(*bytes) || error_set(error, "a damaged listpack"));
}

bool value_read_ziplist(struct rdb_reader *reader, struct listpack **pack, struct error *error)
{
    struct bytes bytes;
    return rdb_read_string(reader, &bytes, error) && ziplist_to_listpack(bytes, pack, error);
}

static void write_string(struct rdb_writer *writer, const struct entry *entry)
{
    char scratch[NUMBER_TEXT_MAX];
    if (entry->encoding == ENCODING_INT)
        rdb_write_integer(writer, entry_integer(entry));
    else
        rdb_write_string(writer, entry_string(entry, scratch));
}

static struct entry *read_string(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    struct bytes value;
    if (!rdb_read_string(reader, &value, error))
        return NULL;
    return entry_create_string(key->name, value, key->expiry);
}

const struct value_form string_forms[] = {
    { RDB_TYPE_STRING, TYPE_STRING,
        1u << ENCODING_RAW | 1u << ENCODING_EMBSTR | 1u << ENCODING_INT, write_string, read_string },
    { 0 }
};

static const struct value_form *const families[] = { string_forms, list_forms, hash_forms, set_forms,
    stream_forms, zset_forms };

enum { FAMILIES = sizeof(families) / sizeof(families[0]) };

/* Every type and encoding that an entry can have has a row, so one is found. */
static const struct value_form *form_of(const struct entry *entry)
{
    for (size_t i = 0; i < FAMILIES; i++) {
        for (const struct value_form *form = families[i]; form->read; form++) {
            if (form->type == entry->type && form->encodings & 1u << entry->encoding)
                return form;
        }
    }
    abort();
}

uint8_t value_type(const struct entry *entry)
{
    return form_of(entry)->rdb_type;
}

void value_write(struct rdb_writer *writer, const struct entry *entry)
{
    form_of(entry)->write(writer, entry);
}

void value_write_record(struct rdb_writer *writer, const struct entry *entry)
{
    struct rdb_key key = { entry_key(entry), entry_expiry(entry), RDB_NO_IDLE, RDB_NO_FREQ,
        value_type(entry) };
    int64_t policy = config_number(CONFIG_MAXMEMORY_POLICY);
    if (policy & CONFIG_EVICT_LRU)
        key.idle = access_idle_seconds(entry, clock_unix_ms());
    else if (policy & CONFIG_EVICT_LFU)
        key.freq = (int)access_count(entry, clock_unix_ms());
    rdb_write_key(writer, &key);
    value_write(writer, entry);
}

/* The form that is read from values of this type byte, or NULL. */
static const struct value_form *form_to_read(uint8_t type)
{
    for (size_t i = 0; i < FAMILIES; i++) {
        for (const struct value_form *form = families[i]; form->read; form++) {
            if (form->rdb_type == type)
                return form;
        }
    }
    return NULL;
}

bool value_is_known(uint8_t type)
{
    return form_to_read(type) != NULL;
}

struct entry *value_read(struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    const struct value_form *form = form_to_read(key->type);
    if (form)
        return form->read(reader, key, error);
    rdb_refuse_type(reader, key, error);
    return NULL;
}
