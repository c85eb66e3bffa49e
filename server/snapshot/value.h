/* Between entries of the store and RDB: which type byte a value is written under, and how it is
 * written and read. Each type has a table of its forms in a file of its own (value_TYPE.c), listed in value.c. */
#ifndef SERVER_SNAPSHOT_VALUE_H
#define SERVER_SNAPSHOT_VALUE_H

#include "server/snapshot/rdb_read.h"
#include "server/snapshot/rdb_write.h"
#include "server/store/entry.h"
#include "server/type/listpack.h"

/* One way a value stands in a file: written where it is of this type and encoding, read from wherever the type
 * byte says so. */
struct value_form {
    uint8_t rdb_type;  /* enum rdb_type */
    enum type_id type;
    unsigned encodings; /* bits 1 << ENCODING_...: of what is written so; 0: only read */
    void (*write)(struct rdb_writer *writer, const struct entry *entry);
    /* NULL and error where it is damaged, or an empty collection. All that is read is hostile. */
    struct entry *(*read)(struct rdb_reader *reader, const struct rdb_key *key, struct error *error);
};

/* --- For forms. --- */

/* A value that is a listpack, as it is. */
void value_write_listpack(struct rdb_writer *writer, const struct entry *entry);
/* A string that is a valid listpack. The bytes are good until the next read. */
bool value_read_listpack(struct rdb_reader *reader, struct bytes *bytes, struct error *error);
/* A string that is a valid ziplist (ziplist.h), as a listpack, the caller's. */
bool value_read_ziplist(struct rdb_reader *reader, struct listpack **pack, struct error *error);

/* Tables end with a row whose `read` is NULL. */
extern const struct value_form string_forms[];
extern const struct value_form hash_forms[];
extern const struct value_form set_forms[];
extern const struct value_form list_forms[];
extern const struct value_form stream_forms[];
extern const struct value_form zset_forms[];

/* The entry is the caller's, or its slot's lock is held. */
uint8_t value_type(const struct entry *entry);
/* The value alone, as in a DUMP payload behind its type byte. */
void value_write(struct rdb_writer *writer, const struct entry *entry);
/* Expiry, type, key and value: one record of a file. */
void value_write_record(struct rdb_writer *writer, const struct entry *entry);

/* Whether value_read knows this type byte. */
bool value_is_known(uint8_t type);
/* Reads the value that the reader stands before and makes an entry of it, the caller's. NULL and
 * error where it is damaged or of a type that no row is there for. The key's bytes must not lie in
 * the reader, but for those of the record just read. expiry: Unix time in ms or ENTRY_NO_EXPIRY. */
struct entry *value_read(struct rdb_reader *reader, const struct rdb_key *key, struct error *error);

#endif
