/* DEBUG's words about how values and tables lie in memory. */
#include "server/command/debug.h"

#include "server/snapshot/rdb_payload.h"
#include "server/snapshot/value.h"
#include "server/store/access.h"
#include "server/type/dict.h"
#include "server/type/list.h"
#include "server/type/listpack.h"
#include "server/type/stream.h"

#include <inttypes.h>
#include <stdio.h>

bool debug_lock_key(struct call *call, int index, bool tell, struct key *key)
{
    struct slot *slot = store_slot(call->store, call->database, slot_of_key(call->argv[index]));
    call_lock_slot(call, slot);
    if (key_peek(call, index, key))
        return true;
    call_unlock_slot(call, slot);
    if (tell)
        reply_error(call->reply, "no such key");
    return false;
}

void debug_unlock_key(struct call *call, const struct key *key)
{
    call_unlock_slot(call, key->slot);
}

/* ---- OBJECT ---- */

static size_t serialized_length(const struct entry *entry)
{
    struct rdb_writer writer;
    rdb_payload_begin(&writer, value_type(entry), false);
    value_write(&writer, entry);
    size_t length = rdb_payload_end(&writer).len - 1 - RDB_PAYLOAD_TAIL;
    rdb_writer_free(&writer);
    return length;
}

/* DEBUG OBJECT key */
static void debug_object(struct call *call)
{
    struct key key;
    if (!debug_lock_key(call, 2, true, &key))
        return;
    const struct entry *entry = key.entry;
    char extra[128] = "";
    if (entry->type == TYPE_LIST) {
        const struct list *list = entry_value(entry);
        snprintf(extra, sizeof(extra),
            " ql_nodes:%u ql_avg_node:%.2f ql_listpack_max:%d ql_compressed:%d "
            "ql_uncompressed_size:%zu",
            list->chunks, list->chunks ? (double)list->count / list->chunks : 0, list->fill,
            list->compress != 0, list->bytes);
    }
    char line[512];
    snprintf(line, sizeof(line),
        "Value at:%p refcount:1 encoding:%s serializedlength:%zu lru:%u lru_seconds_idle:%" PRId64
        "%s",
        (const void *)entry, encoding_name((enum encoding)entry->encoding),
        serialized_length(entry), (unsigned)entry->access, access_idle_seconds(entry, call->now), extra);
    debug_unlock_key(call, &key);
    reply_simple(call->reply, line);
}

/* ---- What is printed on standard output ---- */

static void print_pack(const struct listpack *pack)
{
    printf("{listpack bytes=%zu elements=%zu\n", listpack_size(pack), listpack_count(pack));
    size_t index = 0;
    const unsigned char *at = listpack_first(pack);
    for (; at; at = listpack_next(pack, at), index++) {
        char scratch[NUMBER_TEXT_MAX];
        struct bytes text = listpack_get(at, scratch);
        int shown = (int)(text.len < 40 ? text.len : 40);
        printf("  {%zu at=%zu len=%zu [%.*s]}\n", index, (size_t)(at - pack->bytes), text.len, shown,
            text.data);
    }
    printf("}\n");
    fflush(stdout);
}

static void print_chunk(const struct chunk *chunk, void *arg)
{
    bool detailed = *(const bool *)arg;
    printf("{chunk bytes=%u elements=%u%s%s}\n", chunk->size, chunk->count,
        chunk->kind == CHUNK_COMPRESSED ? " compressed" : "",
        chunk->kind == CHUNK_PLAIN ? " plain" : "");
    if (!detailed || chunk->kind == CHUNK_PLAIN)
        return;
    struct chunk *expanded = chunk->kind == CHUNK_COMPRESSED ? chunk_expand(chunk) : NULL;
    print_pack(chunk_pack(expanded ? expanded : chunk));
    if (expanded)
        chunk_release(expanded);
}

/* DEBUG LISTPACK key */
static void debug_listpack(struct call *call)
{
    struct key key;
    if (!debug_lock_key(call, 2, true, &key))
        return;
    bool packed = key.entry->encoding == ENCODING_LISTPACK;
    if (packed)
        print_pack(entry_value(key.entry));
    debug_unlock_key(call, &key);
    if (packed)
        reply_simple(call->reply, "Listpack structure printed on stdout");
    else
        reply_error(call->reply, "Not a listpack encoded object.");
}

/* DEBUG QUICKLIST key [0 | 1] */
static void debug_quicklist(struct call *call)
{
    struct key key;
    if (!debug_lock_key(call, 2, true, &key))
        return;
    bool list = key.entry->type == TYPE_LIST;
    bool detailed = call->argc == 4 && bytes_is(call->argv[3], "1");
    if (list) {
        list_visit_chunks(entry_value(key.entry), print_chunk, &detailed);
        fflush(stdout);
    }
    debug_unlock_key(call, &key);
    if (list)
        reply_simple(call->reply, "Quicklist structure printed on stdout");
    else
        reply_error(call->reply, "Not a quicklist encoded object.");
}

/* ---- Hash tables ---- */

/* Of a database, whose slots have a table each. */
struct table_figures {
    uint64_t tables, buckets, keys, bytes, largest;
};

static void describe_tables(const struct table_figures *figures, struct buffer *out)
{
    if (figures->keys == 0) {
        buffer_append_text(out, "No stats available for empty dictionaries\n");
        return;
    }
    buffer_printf(out,
        " tables, one for each slot with keys: %" PRIu64 "\n number of elements: %" PRIu64
        "\n most elements in one table: %" PRIu64 "\n bytes of all tables: %" PRIu64 "\n",
        figures->tables, figures->keys, figures->largest, figures->bytes);
}

/* DEBUG HTSTATS dbid */
static void debug_htstats(struct call *call)
{
    int64_t database;
    if (!call_integer(call, 2, &database))
        return;
    if (database < 0 || database >= store_databases(call->store)) {
        reply_error(call->reply, "Out of range database");
        return;
    }
    struct table_figures figures = { 0 };
    uint64_t timed = 0;
    for (unsigned number = 0; number < SLOT_COUNT; number++) {
        struct slot *slot = store_slot(call->store, (unsigned)database, number);
        call_lock_slot(call, slot);
        uint64_t used = slot->table.used;
        figures.tables += used > 0;
        figures.keys += used;
        figures.bytes += table_memory(&slot->table);
        figures.largest = used > figures.largest ? used : figures.largest;
        timed += slot->expires;
        call_unlock_slot(call, slot);
    }
    struct buffer text = { 0 };
    buffer_append_text(&text, "[Dictionary HT]\n");
    describe_tables(&figures, &text);
    buffer_printf(&text, "[Expires HT]\n elements of the above with an expiry: %" PRIu64 "\n", timed);
    reply_verbatim(call->reply, "txt", buffer_bytes(&text));
    buffer_free(&text);
}

/* DEBUG HTSTATS-KEY key */
static void debug_htstats_key(struct call *call)
{
    struct key key;
    if (!debug_lock_key(call, 2, true, &key))
        return;
    const struct dict *dict = type_dict((enum type_id)key.entry->type,
        (enum encoding)key.entry->encoding, entry_value(key.entry));
    struct buffer text = { 0 };
    if (dict)
        buffer_printf(&text, " number of elements: %zu\n bytes with all elements: %zu\n",
            dict->count, dict_memory(dict));
    debug_unlock_key(call, &key);
    if (dict)
        reply_verbatim(call->reply, "txt", buffer_bytes(&text));
    else
        reply_error(call->reply,
            "The value stored at the specified key is not represented using an hash table");
    buffer_free(&text);
}

/* ---- Sizes ---- */

/* DEBUG SDSLEN key: of the key and of its string. There are no other buffers here than what is
 * used, but for the entry's header. */
static void debug_sdslen(struct call *call)
{
    struct key key;
    if (!debug_lock_key(call, 2, true, &key))
        return;
    const struct entry *entry = key.entry;
    char line[256], scratch[NUMBER_TEXT_MAX];
    bool text = entry->type == TYPE_STRING && entry->encoding != ENCODING_INT;
    if (text)
        snprintf(line, sizeof(line),
            "key_sds_len:%zu, key_sds_avail:0, key_zmalloc: %zu, val_sds_len:%zu, "
            "val_sds_avail:0, val_zmalloc: %zu",
            key.name.len, entry_memory(entry), entry_string(entry, scratch).len,
            entry_memory(entry));
    debug_unlock_key(call, &key);
    if (text)
        reply_simple(call->reply, line);
    else
        reply_error(call->reply, "Not an sds encoded string.");
}

/* DEBUG STRUCTSIZE: of ours. */
static void debug_structsize(struct call *call)
{
    char line[256];
    snprintf(line, sizeof(line),
        "bits:%zu entry:%zu slot:%zu item:%zu stream:%zu list:%zu session:%zu", sizeof(void *) * 8,
        sizeof(struct entry), sizeof(struct slot), sizeof(struct item), sizeof(struct stream),
        sizeof(struct list), sizeof(struct session));
    reply_bulk_text(call->reply, line);
}

const struct debug_word debug_value_words[] = {
    { "object", debug_object, 3, 3, "OBJECT <key>", "    How the value of a key is kept." },
    { "listpack", debug_listpack, 3, 3, "LISTPACK <key>",
        "    Prints a value that is one listpack on standard output." },
    { "quicklist", debug_quicklist, 3, 4, "QUICKLIST <key> [<0|1>]",
        "    Prints the chunks of a list on standard output; 1: with their elements." },
    { "htstats", debug_htstats, 3, 3, "HTSTATS <dbid>", "    The tables of a database." },
    { "htstats-key", debug_htstats_key, 3, 3, "HTSTATS-KEY <key>",
        "    The dictionary of a hash, set or sorted set." },
    { "sdslen", debug_sdslen, 3, 3, "SDSLEN <key>", "    Lengths and bytes of a key's string." },
    { "structsize", debug_structsize, 2, 2, "STRUCTSIZE", "    Sizes of structures." },
    { 0 },
};
