/* DEBUG's words that make data, and set how it is kept. */
#include "server/command/debug.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/command/background.h"
#include "server/command/expire.h"
#include "server/command/watch.h"
#include "server/journal/journal.h"
#include "server/replication/replication.h"
#include "server/store/turn.h"
#include "server/type/list.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- POPULATE ---- */

enum { BATCH = 128 }; /* keys in one turn */

struct populate {
    struct store *store;
    struct ticket *ticket;
    unsigned database;
    uint64_t count, size; /* size 0: as the text is */
    size_t prefix_len;
    char prefix[];
};

static void answer_ok(struct session *session, void *arg)
{
    if (session)
        reply_ok(&session->reply);
}

/* A key that is there stays as it is. */
static void populate_one(struct populate *populate, uint64_t number, struct buffer *text)
{
    text->len = 0;
    buffer_append(text, populate->prefix, populate->prefix_len);
    buffer_printf(text, ":%" PRIu64, number);
    size_t key_len = text->len;
    buffer_printf(text, "value:%" PRIu64, number);
    size_t value_len = text->len - key_len;
    if (populate->size > value_len) {
        buffer_reserve(text, populate->size - value_len);
        memset(text->data + text->len, 0, populate->size - value_len);
    }
    struct bytes key = { text->data, key_len };
    struct bytes value = { text->data + key_len, populate->size ? populate->size : value_len };
    struct slot *slot = store_slot(populate->store, populate->database, slot_of_key(key));
    uint64_t hash = store_hash(populate->store, key);
    slot_lock_acquire(&slot->lock);
    if (!store_find(slot, hash, key)) {
        struct entry *entry = entry_create_string(key, value, ENTRY_NO_EXPIRY);
        store_insert(populate->store, slot, hash, entry);
        watch_touch(slot, key);
    }
    slot_lock_release(&slot->lock);
}

/* One at a time: there is one runner of turns for them all. */
static void populate_all(void *arg)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    static struct turn_runner *runner; /* guarded by `one` */
    struct populate *populate = arg;
    struct buffer text = { 0 };
    pthread_mutex_lock(&one);
    if (!runner)
        runner = turn_runner_create();
    for (uint64_t number = 0; number < populate->count;) {
        turn_begin(runner);
        for (int i = 0; i < BATCH && number < populate->count; i++)
            populate_one(populate, number++, &text);
        turn_end(runner);
    }
    pthread_mutex_unlock(&one);
    buffer_free(&text);
    ticket_finish(populate->ticket, answer_ok, NULL);
    free(populate);
}

static bool parse_positive(struct call *call, int index, uint64_t *value)
{
    int64_t number;
    if (number_parse(call->argv[index], &number) && number >= 0) {
        *value = (uint64_t)number;
        return true;
    }
    reply_error(call->reply, "value is out of range, must be positive");
    return false;
}

/* DEBUG POPULATE count [prefix] [size]. Neither the append-only file nor replicas hear of it. */
static void debug_populate(struct call *call)
{
    enum { SIZE_MOST = 512 * 1024 * 1024 };
    uint64_t count, size = 0;
    struct bytes prefix = call->argc > 3 ? call->argv[3] : BYTES("key");
    if (!parse_positive(call, 2, &count) || (call->argc > 4 && !parse_positive(call, 4, &size)))
        return;
    if (size > SIZE_MOST) {
        reply_error(call->reply, "value is out of range, must be positive");
        return;
    }
    if (!call_can_park(call)) {
        reply_error(call->reply, "DEBUG POPULATE is not possible within a transaction");
        return;
    }
    struct populate *populate = memory_alloc(sizeof(*populate) + prefix.len);
    *populate = (struct populate){ .store = call->store,
        .database = call->database,
        .count = count,
        .size = size,
        .prefix_len = prefix.len };
    memcpy(populate->prefix, prefix.data, prefix.len);
    populate->ticket = call_park(call);
    background_run(0, populate_all, populate);
}

/* ---- The stream ---- */

/* DEBUG REPLICATE word [word ...]: to the append-only file and replicas, and not done here. */
static void debug_replicate(struct call *call)
{
    call_effect(call, call->argv + 2, call->argc - 2);
    reply_ok(call->reply);
}

/* DEBUG CHANGE-REPL-ID: nobody can go on from the old one any more. */
static void debug_change_repl_id(struct call *call)
{
    journal_history_shift(call->executor->journal);
    journal_history_clear_second(call->executor->journal);
    reply_ok(call->reply);
}

/* ---- How it is kept ---- */

/* As C reads the start of a text: what is no number is 0. */
static bool is_on(struct bytes word)
{
    char digits[NUMBER_TEXT_MAX + 1] = { 0 };
    memcpy(digits, word.data, word.len < NUMBER_TEXT_MAX ? word.len : NUMBER_TEXT_MAX);
    return atoi(digits) != 0;
}

/* DEBUG SET-ACTIVE-EXPIRE 0 | 1 */
static void debug_set_active_expire(struct call *call)
{
    expire_set_active(is_on(call->argv[2]));
    reply_ok(call->reply);
}

/* DEBUG QUICKLIST-PACKED-THRESHOLD size: elements of lists of this size and more lie alone. */
static void debug_packed_threshold(struct call *call)
{
    int64_t size;
    if (!number_parse_size(call->argv[2], &size) || size < 0 || size >= INT64_C(1) << 32) {
        reply_error(
            call->reply, "argument must be a memory value bigger than 1 and smaller than 4gb");
        return;
    }
    bool usual = size == 0 || size > (int64_t)LISTPACK_BYTES_MAX;
    atomic_store(&list_plain_min, usual ? LISTPACK_BYTES_MAX : (size_t)size);
    reply_ok(call->reply);
}

const struct debug_word debug_data_words[] = {
    { "populate", debug_populate, 3, 5, "POPULATE <count> [<prefix>] [<size>]",
        "    Makes so many strings key:<number>, in any slots; replicas do not hear of it." },
    { "replicate", debug_replicate, 3, 0, "REPLICATE <string> [<string> ...]",
        "    Sends a command to replicas and the append-only file without doing it." },
    { "change-repl-id", debug_change_repl_id, 2, 2, "CHANGE-REPL-ID",
        "    Gives the replication stream another ID: replicas that come back need a full sync." },
    { "set-active-expire", debug_set_active_expire, 3, 3, "SET-ACTIVE-EXPIRE <0|1>",
        "    0: keys that have expired are removed only when they are asked for." },
    { "quicklist-packed-threshold", debug_packed_threshold, 3, 3,
        "QUICKLIST-PACKED-THRESHOLD <size>",
        "    Elements of lists of this size and more lie alone; 0: as usual." },
    { 0 },
};
