#include "server/snapshot/load.h"

#include "common/slot.h"
#include "server/clock.h"
#include "server/snapshot/value.h"
#include "server/store/access.h"

enum { PROGRESS_STEP = 1024 * 1024 };

static bool insert(struct store *store, unsigned database, struct entry *entry, bool replace,
    struct error *error)
{
    struct bytes key = entry_key(entry);
    uint64_t hash = store_hash(store, key);
    struct slot *slot = store_slot(store, database, slot_of_key(key));
    slot_lock_acquire(&slot->lock);
    table_cell *cell = store_find(slot, hash, key);
    if (!cell)
        store_insert(store, slot, hash, entry);
    else if (replace)
        store_replace(store, slot, cell, entry);
    slot_lock_release(&slot->lock);
    if (!cell || replace)
        return true;
    entry_free(entry);
    return error_set(error, "the same key stands in the file twice");
}

static void set_access(struct entry *entry, const struct rdb_key *key)
{
    int64_t now = clock_unix_ms();
    access_begin(entry, now);
    if (access_is_lfu() && key->freq != RDB_NO_FREQ)
        access_set_count(entry, now, (unsigned)key->freq);
    else if (!access_is_lfu() && key->idle != RDB_NO_IDLE)
        access_set_idle(entry, now, key->idle);
}

static bool load_key(struct store *store, struct rdb_reader *reader, unsigned database,
    const struct rdb_key *key, const struct load_options *options, struct load_result *result,
    struct error *error)
{
    uint64_t start = rdb_reader_offset(reader);
    struct entry *entry = value_read(reader, key, error);
    if (!entry)
        return false;
    set_access(entry, key);
    if (options->expired_before && entry_is_expired(entry, options->expired_before)) {
        entry_free(entry);
        result->expired++;
        return true;
    }
    result->keys++;
    if (insert(store, database, entry, options->replace, error))
        return true;
    return error_prefix(error, "at byte %llu", (unsigned long long)start);
}

static bool report(
    const struct load_options *options, uint64_t offset, uint64_t *reported, struct error *error)
{
    if (!options->progress || offset - *reported < PROGRESS_STEP)
        return true;
    *reported = offset;
    if (options->progress(options->context, offset))
        return true;
    return error_set(error, "loading was ended at byte %llu", (unsigned long long)offset);
}

bool load_rdb(struct store *store, struct rdb_reader *reader, const struct load_options *options,
    struct load_result *result, struct error *error)
{
    struct rdb_record record = { 0 };
    uint64_t database = 0, reported = 0;
    *result = (struct load_result){ 0 };
    if (!rdb_read_header(reader, error))
        return false;
    do {
        if (!rdb_read_record(reader, &record, error))
            return false;
        if (record.kind == RDB_RECORD_AUX && options->aux)
            options->aux(options->context, record.name, record.value);
        if (record.kind == RDB_RECORD_FUNCTION && options->function &&
            !options->function(record.value, error))
            return error_prefix(error, "at byte %llu",
                (unsigned long long)rdb_reader_offset(reader));
        if (record.kind == RDB_RECORD_DATABASE)
            database = record.database;
        if (database >= store_databases(store))
            return error_set(error,
                "the file has a database %llu, this server only %u: raise "
                "\"databases\"",
                (unsigned long long)database, store_databases(store));
        if (record.kind == RDB_RECORD_KEY &&
            !load_key(store, reader, (unsigned)database, &record.key, options, result, error))
            return false;
        if (!report(options, rdb_reader_offset(reader), &reported, error))
            return false;
    } while (record.kind != RDB_RECORD_END);
    result->bytes = rdb_reader_offset(reader);
    return true;
}
