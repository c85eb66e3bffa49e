/* DEBUG DIGEST and DIGEST-VALUE: one number that is the same wherever the data is the same, here
 * and in redis-server. What has an order is mixed in, one after the other; what has none is added
 * by exclusive or, so that its order is no matter. */
#include "server/command/debug.h"

#include "server/command/background.h"
#include "server/type/hash.h"
#include "server/type/list.h"
#include "server/type/set.h"
#include "server/type/stream.h"
#include "server/type/zset.h"

#include "common/memory.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

struct digest {
    uint8_t bytes[SHA_DIGEST_LENGTH];
};

static void add(struct digest *digest, struct bytes data)
{
    uint8_t sum[SHA_DIGEST_LENGTH];
    SHA1((const unsigned char *)data.data, data.len, sum);
    for (int i = 0; i < SHA_DIGEST_LENGTH; i++)
        digest->bytes[i] ^= sum[i];
}

static void add_digest(struct digest *digest, const struct digest *other)
{
    add(digest, (struct bytes){ (const char *)other->bytes, SHA_DIGEST_LENGTH });
}

static void mix(struct digest *digest, struct bytes data)
{
    add(digest, data);
    uint8_t sum[SHA_DIGEST_LENGTH];
    SHA1(digest->bytes, SHA_DIGEST_LENGTH, sum);
    memcpy(digest->bytes, sum, SHA_DIGEST_LENGTH);
}

static void mix_number(struct digest *digest, uint32_t number)
{
    uint32_t order = htonl(number);
    mix(digest, (struct bytes){ (const char *)&order, sizeof(order) });
}

/* ---- Values ---- */

static void digest_string(struct digest *digest, const struct entry *entry)
{
    char scratch[NUMBER_TEXT_MAX];
    mix(digest, entry_string(entry, scratch));
}

static void digest_list(struct digest *digest, const struct entry *entry)
{
    struct list_cursor cursor;
    char scratch[NUMBER_TEXT_MAX];
    const struct list *list = entry_value(entry);
    for (bool there = list_seek(&cursor, list, 0); there; there = list_next(&cursor))
        mix(digest, list_get(&cursor, scratch));
    list_cursor_end(&cursor);
}

static void digest_set(struct digest *digest, const struct entry *entry)
{
    struct set set = { entry_value(entry), (enum encoding)entry->encoding };
    struct set_iterator iterator = set_iterate(&set);
    struct member member;
    while (set_next(&iterator, &member))
        add(digest, member.text);
}

static void digest_zset(struct digest *digest, const struct entry *entry)
{
    struct zset zset = { (enum encoding)entry->encoding, entry_value(entry) };
    struct zset_cursor cursor;
    struct zset_element element;
    zset_walk(&zset, 0, false, &cursor);
    while (zset_next(&cursor, &element)) {
        struct digest one = { { 0 } };
        char score[64];
        int len = snprintf(score, sizeof(score), "%.17g", element.score);
        mix(&one, element.member);
        mix(&one, (struct bytes){ score, (size_t)len });
        add_digest(digest, &one);
    }
}

static void digest_hash(struct digest *digest, const struct entry *entry)
{
    struct hash hash = { entry_value(entry), (enum encoding)entry->encoding };
    struct hash_iterator iterator = hash_iterate(&hash);
    struct hash_pair pair;
    while (hash_next(&iterator, &pair)) {
        struct digest one = { { 0 } };
        mix(&one, pair.field);
        mix(&one, pair.value);
        add_digest(digest, &one);
    }
}

static void digest_stream(struct digest *digest, const struct entry *entry)
{
    const struct stream *stream = entry_value(entry);
    struct stream_id last = { UINT64_MAX, UINT64_MAX };
    struct stream_cursor cursor = stream_walk(stream, STREAM_ID_MIN, last, false);
    struct stream_entry item;
    while (stream_next(&cursor, &item)) {
        char id[2 * NUMBER_TEXT_MAX];
        int len = snprintf(id, sizeof(id), "%" PRIu64 ".%" PRIu64, item.id.ms, item.id.seq);
        mix(digest, (struct bytes){ id, (size_t)len });
        for (size_t i = 0; i < item.field_count; i++) {
            struct bytes name, value;
            char scratch[2][NUMBER_TEXT_MAX];
            stream_field(&item, &name, &value, scratch[0], scratch[1]);
            mix(digest, name);
            mix(digest, value);
        }
    }
}

static void (*const digests[TYPE_COUNT])(struct digest *digest, const struct entry *entry) = {
    [TYPE_STRING] = digest_string,
    [TYPE_LIST] = digest_list,
    [TYPE_SET] = digest_set,
    [TYPE_ZSET] = digest_zset,
    [TYPE_HASH] = digest_hash,
    [TYPE_STREAM] = digest_stream,
};

/* The slot of the entry is locked. */
static void digest_value(struct digest *digest, const struct entry *entry)
{
    mix_number(digest, entry->type);
    if (digests[entry->type])
        digests[entry->type](digest, entry);
    if (entry_expiry(entry) != ENTRY_NO_EXPIRY)
        add(digest, BYTES("!!expire!!"));
}

static void reply_digest(struct reply *reply, const struct digest *digest)
{
    char hex[2 * SHA_DIGEST_LENGTH + 1];
    for (int i = 0; i < SHA_DIGEST_LENGTH; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest->bytes[i]);
    reply_simple(reply, hex);
}

/* DEBUG DIGEST-VALUE key [key ...] */
static void debug_digest_value(struct call *call)
{
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        struct digest digest = { { 0 } };
        struct key key;
        if (debug_lock_key(call, i, false, &key)) {
            digest_value(&digest, key.entry);
            debug_unlock_key(call, &key);
        }
        reply_digest(call->reply, &digest);
    }
}

/* ---- All keys ---- */

static void digest_cell(void *arg, table_cell *cell)
{
    const struct entry *entry = table_cell_entry(cell);
    struct digest one = { { 0 } };
    mix(&one, entry_key(entry));
    digest_value(&one, entry);
    add_digest(arg, &one);
}

static void digest_database(struct store *store, unsigned database, bool held, struct digest *digest)
{
    for (unsigned number = 0; number < SLOT_COUNT; number++) {
        struct slot *slot = store_slot(store, database, number);
        if (!held)
            slot_lock_acquire(&slot->lock);
        if (slot->table.used > 0)
            table_scan(&slot->table, 0, SIZE_MAX, digest_cell, digest);
        if (!held)
            slot_lock_release(&slot->lock);
    }
}

static void digest_store(struct store *store, bool held, struct digest *digest)
{
    for (unsigned database = 0; database < store_databases(store); database++) {
        if (store_key_count(store, database) <= 0)
            continue;
        mix_number(digest, database);
        digest_database(store, database, held, digest);
    }
}

struct job {
    struct store *store;
    struct ticket *ticket;
    struct digest digest;
};

static void answer(struct session *session, void *arg)
{
    struct job *job = arg;
    if (session)
        reply_digest(&session->reply, &job->digest);
    free(job);
}

static void work(void *arg)
{
    struct job *job = arg;
    digest_store(job->store, false, &job->digest);
    ticket_finish(job->ticket, answer, job);
}

/* DEBUG DIGEST. Of a moment only where nobody writes meanwhile, or within EXEC. */
static void debug_digest(struct call *call)
{
    if (call->in_exec || !call_can_park(call)) {
        struct digest digest = { { 0 } };
        digest_store(call->store, call->executor->holds_all_slots, &digest);
        reply_digest(call->reply, &digest);
        return;
    }
    struct job *job = memory_alloc_zeroed(1, sizeof(*job));
    job->store = call->store;
    job->ticket = call_park(call);
    background_run(0, work, job);
}

const struct debug_word debug_digest_words[] = {
    { "digest", debug_digest, 2, 2, "DIGEST",
        "    One number for all data: the same for the same data." },
    { "digest-value", debug_digest_value, 2, 0, "DIGEST-VALUE <key> [<key> ...]",
        "    The same for the value of each key." },
    { 0 },
};
