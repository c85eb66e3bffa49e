#include "server/snapshot/value.h"

#include "common/number.h"

/* One way a value is written: `write` is NULL for forms that are only read. */
struct form {
    uint8_t rdb_type;
    enum type_id type;
    void (*write)(struct rdb_writer *writer, const struct entry *entry);
    struct entry *(*read)(
        struct rdb_reader *reader, const struct rdb_key *key, struct error *error);
};

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

static const struct form forms[] = {
    { RDB_TYPE_STRING, TYPE_STRING, write_string, read_string },
};

enum { FORMS = sizeof(forms) / sizeof(forms[0]) };

/* Every type that an entry can have has a row, so one is found. */
static const struct form *form_of(const struct entry *entry)
{
    const struct form *form = forms;
    while (form->type != entry->type || !form->write)
        form++;
    return form;
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
    rdb_write_key(writer, &key);
    value_write(writer, entry);
}

/* The form that is read from values of this type byte, or NULL. */
static const struct form *form_to_read(uint8_t type)
{
    for (size_t i = 0; i < FORMS; i++) {
        if (forms[i].rdb_type == type)
            return &forms[i];
    }
    return NULL;
}

bool value_is_known(uint8_t type)
{
    return form_to_read(type) != NULL;
}

struct entry *value_read(struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    const struct form *form = form_to_read(key->type);
    if (form)
        return form->read(reader, key, error);
    rdb_refuse_type(reader, key, error);
    return NULL;
}
