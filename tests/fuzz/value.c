/* Values of RESTORE and of RDB files, of every type: the first byte is the type, the rest the value
 * as it comes from anywhere. What is read must be whole: it is written, read again and written
 * again, to the same bytes but for the order in which dictionaries are written. */
#include "server/snapshot/value.h"
#include "common/buffer.h"
#include "server/config.h"
#include "server/snapshot/rdb_payload.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Limits of several sizes, so that values are converted while they are read, or are not. */
static void set_limits(unsigned choice)
{
    static const enum config_id small[] = { CONFIG_HASH_MAX_LISTPACK_ENTRIES,
        CONFIG_HASH_MAX_LISTPACK_VALUE, CONFIG_SET_MAX_INTSET_ENTRIES,
        CONFIG_ZSET_MAX_LISTPACK_ENTRIES, CONFIG_ZSET_MAX_LISTPACK_VALUE };
    for (size_t i = 0; i < sizeof(small) / sizeof(*small); i++)
        config_set_number(small[i], choice & 1u << i ? 3 : 512);
    config_set_number(CONFIG_LIST_MAX_LISTPACK_SIZE, choice & 8 ? 2 : -2);
    config_set_number(CONFIG_LIST_COMPRESS_DEPTH, choice & 16 ? 1 : 0);
}

static struct entry *read_value(uint8_t type, struct bytes value)
{
    struct rdb_reader reader;
    struct error error;
    struct rdb_key key = { .name = BYTES("key"), .expiry = RDB_NO_EXPIRY, .type = type };
    rdb_reader_init(&reader, &(struct rdb_reader_options){ .memory = value });
    struct entry *entry = value_read(&reader, &key, &error);
    rdb_reader_free(&reader);
    return entry;
}

/* The value as a payload has it, with its type before it; its bytes stay the writer's. */
static struct bytes write_value(struct rdb_writer *writer, const struct entry *entry)
{
    rdb_payload_begin(writer, value_type(entry), false);
    value_write(writer, entry);
    struct bytes payload = rdb_payload_end(writer);
    if (!rdb_payload_verify(payload))
        abort();
    payload.len -= RDB_PAYLOAD_TAIL;
    return payload;
}

static void check(const struct entry *entry)
{
    struct rdb_writer first, second;
    struct bytes written = write_value(&first, entry);
    struct entry *again =
        read_value((uint8_t)written.data[0], (struct bytes){ written.data + 1, written.len - 1 });
    if (!again || again->type != entry->type)
        abort();
    struct bytes rewritten = write_value(&second, again);
    bool same_form = again->encoding == entry->encoding;
    if (same_form && written.len != rewritten.len)
        abort();
    if (same_form && entry->encoding != ENCODING_HASHTABLE && !bytes_equal(written, rewritten))
        abort();
    rdb_writer_free(&first);
    rdb_writer_free(&second);
    entry_free(again);
}

/* The first byte chooses the limits, the second is the type. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    if (!ready && !config_load(NULL, 0, NULL, NULL))
        abort();
    ready = true;
    if (size < 2)
        return 0;
    set_limits(data[0]);
    struct entry *entry = read_value(data[1], (struct bytes){ (const char *)data + 2, size - 2 });
    if (!entry)
        return 0;
    if (entry->flags & ENTRY_OUT_OF_LINE) { /* holders: one looks on while the other changes */
        struct entry *copy = entry_copy(entry, BYTES("copy"), ENTRY_NO_EXPIRY);
        entry_own_value(copy);
        entry_free(copy);
    }
    (void)entry_memory(entry);
    check(entry);
    entry_free(entry);
    return 0;
}
