/* Lists in RDB: written chunk by chunk, as Redis 7.0 writes them (18); read in all forms that there
 * ever were. */
#include "server/config.h"
#include "server/snapshot/value.h"
#include "server/type/list.h"

enum { CONTAINER_PLAIN = 1, CONTAINER_PACKED = 2 };

/* ---- Writing ---- */

static void write_chunk(const struct chunk *chunk, void *arg)
{
    struct rdb_writer *writer = arg;
    rdb_write_length(writer, chunk->kind == CHUNK_PLAIN ? CONTAINER_PLAIN : CONTAINER_PACKED);
    if (chunk->kind == CHUNK_PLAIN) {
        rdb_write_string(writer, chunk_plain(chunk));
    } else if (chunk->kind == CHUNK_PACKED) {
        rdb_write_string(writer, listpack_bytes(chunk_pack(chunk)));
    } else {
        struct chunk *expanded = chunk_expand(chunk);
        rdb_write_string(writer, listpack_bytes(chunk_pack(expanded)));
        chunk_release(expanded);
    }
}

static void write_list(struct rdb_writer *writer, const struct entry *entry)
{
    const struct list *list = entry_value(entry);
    rdb_write_length(writer, list->chunks);
    list_visit_chunks(list, write_chunk, writer);
}

/* ---- Reading ---- */

static struct list *create(void)
{
    return list_create(
        config_number(CONFIG_LIST_MAX_LISTPACK_SIZE), config_number(CONFIG_LIST_COMPRESS_DEPTH));
}

/* Reads what is behind the length or, where there is none, the one piece of the value. */
typedef bool read_piece(struct rdb_reader *reader, struct list *list, struct error *error);

static struct entry *read_pieces(struct rdb_reader *reader, const struct rdb_key *key,
    uint64_t pieces, read_piece *read, struct error *error)
{
    struct list *list = create();
    bool ok = true;
    for (uint64_t i = 0; ok && i < pieces; i++)
        ok = read(reader, list, error);
    if (ok && list->count > 0)
        return entry_create_value(key->name, TYPE_LIST, ENCODING_QUICKLIST, list, key->expiry);
    if (ok)
        error_set(error, "a list has no elements");
    list_release(list);
    return NULL;
}

static struct entry *read_counted(
    struct rdb_reader *reader, const struct rdb_key *key, read_piece *read, struct error *error)
{
    uint64_t pieces;
    if (!rdb_read_length(reader, &pieces, error))
        return NULL;
    return read_pieces(reader, key, pieces, read, error);
}

static bool read_element(struct rdb_reader *reader, struct list *list, struct error *error)
{
    struct bytes value;
    if (!rdb_read_string(reader, &value, error))
        return false;
    list_push(list, LIST_TAIL, value);
    return true;
}

static struct entry *read_elements(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    return read_counted(reader, key, read_element, error);
}

/* One ziplist was the whole list once: its elements go where they go today. */
static bool read_whole(struct rdb_reader *reader, struct list *list, struct error *error)
{
    struct listpack *pack;
    if (!value_read_ziplist(reader, &pack, error))
        return false;
    char scratch[NUMBER_TEXT_MAX];
    for (const unsigned char *at = listpack_first(pack); at; at = listpack_next(pack, at))
        list_push(list, LIST_TAIL, listpack_get(at, scratch));
    listpack_free(pack);
    return true;
}

static struct entry *read_ziplist(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    return read_pieces(reader, key, 1, read_whole, error);
}

static void append_pack(struct list *list, const struct listpack *pack)
{
    if (listpack_first(pack))
        list_append_chunk(list, chunk_from(listpack_bytes(pack)));
}

static bool read_ziplist_node(struct rdb_reader *reader, struct list *list, struct error *error)
{
    struct listpack *pack;
    if (!value_read_ziplist(reader, &pack, error))
        return false;
    append_pack(list, pack);
    listpack_free(pack);
    return true;
}

static struct entry *read_ziplists(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    return read_counted(reader, key, read_ziplist_node, error);
}

static bool read_node(struct rdb_reader *reader, struct list *list, struct error *error)
{
    uint64_t container;
    struct bytes value;
    if (!rdb_read_length(reader, &container, error) || !rdb_read_string(reader, &value, error))
        return false;
    if (container == CONTAINER_PLAIN && value.len <= INT32_MAX) {
        list_append_chunk(list, chunk_create_plain(value));
        return true;
    }
    if (container != CONTAINER_PACKED || !listpack_is_valid(value))
        return error_set(error, "a part of a list is damaged");
    append_pack(list, (const struct listpack *)value.data);
    return true;
}

static struct entry *read_nodes(
    struct rdb_reader *reader, const struct rdb_key *key, struct error *error)
{
    return read_counted(reader, key, read_node, error);
}

const struct value_form list_forms[] = {
    { RDB_TYPE_LIST_QUICKLIST_2, TYPE_LIST, 1u << ENCODING_QUICKLIST, write_list, read_nodes },
    { RDB_TYPE_LIST_QUICKLIST, TYPE_LIST, 0, NULL, read_ziplists },
    { RDB_TYPE_LIST_ZIPLIST, TYPE_LIST, 0, NULL, read_ziplist },
    { RDB_TYPE_LIST, TYPE_LIST, 0, NULL, read_elements },
    { 0 },
};
