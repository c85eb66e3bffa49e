/* FLUSHALL, FLUSHDB. For a moment the locks of all slots are held: their tables are taken out,
 * which is quick, and what was done is journaled, so that no write comes before it in the journal
 * and after it here. What was in the tables is freed later. */
#include "server/command/background.h"
#include "server/command/block.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/command/families.h"
#include "server/command/rows.h"
#include "server/command/tracking.h"
#include "server/command/watch.h"
#include "server/config.h"
#include "server/journal/journal.h"
#include "server/memory_usage.h"
#include "server/store/lazy.h"

#include "common/memory.h"
#include <stdlib.h>

/* Databases that are emptied together, and the tables that were in them. */
struct flush {
    struct slot **slots; /* locked; `slot_count` of them */
    size_t slot_count;
    struct table *tables; /* taken out */
    size_t table_count;
    uint64_t keys;         /* in them */
    bool is_lazy;          /* nobody waits, and INFO counts them */
    struct ticket *ticket; /* of who waits for the memory; NULL: nobody */
};

static void flush_free(struct flush *flush)
{
    free(flush->slots);
    free(flush->tables);
    free(flush);
}

/* FLUSHALL is about the databases that have keys; about the client's own in any case, so that
 * replicas that have something else in it get it too. */
static void choose_slots(struct call *call, bool all, struct flush *flush)
{
    size_t capacity = 0;
    for (unsigned database = 0; database < store_databases(call->store); database++) {
        if (database != call->database && (!all || store_key_count(call->store, database) <= 0))
            continue;
        capacity += SLOT_COUNT;
        flush->slots = memory_resize(flush->slots, capacity * sizeof(*flush->slots));
        for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
            flush->slots[flush->slot_count++] = store_slot(call->store, database, slot);
    }
}

/* All of its slots are locked. */
static void take_tables(struct call *call, struct flush *flush)
{
    flush->tables = memory_alloc(flush->slot_count * sizeof(*flush->tables));
    for (size_t i = 0; i < flush->slot_count; i++) {
        struct slot *slot = flush->slots[i];
        if (!slot->table.buckets)
            continue;
        if (slot->watches)
            watch_touch_slot(slot);
        block_signal_slot(call->executor, slot);
        struct table table = store_take_table(call->store, slot);
        flush->keys += table.used;
        if (table.buckets) /* a snapshot that still wants them has them now */
            flush->tables[flush->table_count++] = table;
    }
}

/* One FLUSHDB for each database that was emptied: one that had no keys then may have got some
 * since, before this comes into the journal, and they are still there. In a cluster there is but
 * one database. */
static void journal_flush(struct call *call, struct flush *flush, bool all)
{
    struct journal *journal = call->executor->journal;
    if (!call_from_client(call) || condition_all() & CONDITION_REPLICA ||
        !journal_is_active(journal))
        return;
    struct bytes name = all && dispatch_is_cluster() ? BYTES("FLUSHALL") : BYTES("FLUSHDB");
    for (size_t i = 0; i < flush->slot_count; i += SLOT_COUNT) {
        int database = (int)store_slot_database(call->store, flush->slots[i]);
        call->session->write_offset = journal_append(journal, database, &name, 1);
    }
}

/* ---- Freeing ---- */

static void answer(struct session *session, void *arg)
{
    if (session)
        reply_ok(&session->reply);
}

static void free_tables(struct flush *flush)
{
    for (size_t i = 0; i < flush->table_count; i++)
        table_free(&flush->tables[i]);
}

/* In a background thread. */
static void free_and_answer(void *arg)
{
    struct flush *flush = arg;
    free_tables(flush);
    memory_usage_note();
    if (flush->is_lazy)
        lazy_end(flush->keys);
    if (flush->ticket)
        ticket_finish(flush->ticket, answer, NULL);
    flush_free(flush);
}

/* The client that wants to wait (SYNC) is answered when the memory is free; nobody else waits with
 * it. */
static void finish(struct call *call, struct flush *flush, bool lazily)
{
    enum { QUICK = 10000 }; /* allocations that are freed on the spot, in about a millisecond */
    size_t effort = 0;
    for (size_t i = 0; i < flush->table_count && effort <= QUICK; i++)
        effort += lazy_effort(&flush->tables[i], QUICK);
    if (effort <= QUICK) {
        free_tables(flush);
        flush_free(flush);
        reply_ok(call->reply);
        return;
    }
    if (!lazily && call_can_park(call))
        flush->ticket = call_park(call);
    else
        reply_ok(call->reply);
    flush->is_lazy = lazily;
    if (lazily)
        lazy_begin(flush->keys);
    background_run(0, free_and_answer, flush);
}

static bool parse_mode(struct call *call, bool *lazily)
{
    *lazily = config_is(CONFIG_LAZYFREE_LAZY_USER_FLUSH);
    if (call->argc == 1)
        return true;
    *lazily = bytes_is(call->argv[1], "ASYNC");
    if (call->argc == 2 && (*lazily || bytes_is(call->argv[1], "SYNC")))
        return true;
    call_error_syntax(call);
    return false;
}

static void flush_slots(struct call *call, bool all)
{
    bool lazily;
    if (!parse_mode(call, &lazily))
        return;
    struct flush *flush = memory_alloc_zeroed(1, sizeof(*flush));
    choose_slots(call, all, flush);
    if (call->executor->holds_all_slots) {
        take_tables(call, flush); /* journaled with the rest of the transaction */
    } else {
        flush->slot_count = store_lock_many(flush->slots, flush->slot_count);
        take_tables(call, flush);
        journal_flush(call, flush, all);
        block_serve(call->executor, flush->slots, flush->slot_count);
        store_unlock_many(flush->slots, flush->slot_count);
        call_no_effect(call);
    }
    tracking_flush(call->executor);
    call_changed(call);
    finish(call, flush, lazily);
}

static void flushall(struct call *call)
{
    flush_slots(call, true);
}

static void flushdb(struct call *call)
{
    flush_slots(call, false);
}

/* ---- The table ---- */

static const struct command_arg mode_args[] = { { "async", ARG_PURE_TOKEN, 0, "ASYNC", 0, "4.0.0",
                                                    NULL },
    { "sync", ARG_PURE_TOKEN, 0, "SYNC", 0, "6.2.0", NULL }, { 0 } };

#define FLUSH_ROW(name, run, complexity_text, summary_text)                                        \
    {                                                                                              \
        name, run, -1, CMD_WRITE | CMD_ALL_SLOTS,                                                  \
            .categories = "@keyspace @dangerous", .group = "server", .since = "1.0.0",             \
            .complexity = complexity_text, .summary = summary_text,                                \
            .tips = TIPS("request_policy:all_shards", "response_policy:all_succeeded"),            \
            .history = HISTORY({ "4.0.0", "Added the `ASYNC` flushing mode modifier." },           \
                { "6.2.0", "Added the `SYNC` flushing mode modifier." }),                          \
            .args = ARGS({ "async", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, NULL, mode_args })           \
    }

const struct command flush_commands[] = {
    FLUSH_ROW("flushall", flushall, "O(N), N keys in all databases; others wait for O(slots)",
        "Deletes all keys of all databases"),
    FLUSH_ROW("flushdb", flushdb, "O(N), N keys in the database; others wait for O(slots)",
        "Deletes all keys of the database"),
    { 0 }
};
