/* MEMORY: what the data and the node cost. Figures of the node are INFO's; those of keys are the
 * entries' own. */
#include "server/memory_usage.h"

#include "server/command/background.h"
#include "server/command/families.h"
#include "server/command/help.h"
#include "server/command/info_fields.h"
#include "server/command/key.h"
#include "server/command/rows.h"

#include "common/memory.h"
#include "common/number.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- USAGE ---- */

/* Every type knows what its value takes, so nothing is sampled; the count is only checked. */
static bool parse_samples(struct call *call)
{
    int64_t samples;
    for (int i = 3; i < call->argc; i++) {
        if (!bytes_is(call->argv[i], "SAMPLES") || i + 1 >= call->argc) {
            call_error_syntax(call);
            return false;
        }
        if (!call_integer(call, ++i, &samples))
            return false;
        if (samples < 0) {
            call_error_syntax(call);
            return false;
        }
    }
    return true;
}

static void usage(struct call *call)
{
    struct key key;
    if (!parse_samples(call))
        return;
    if (!key_peek(call, 2, &key)) {
        reply_null(call->reply);
        return;
    }
    const struct table *table = &key.slot->table;
    size_t place = table->used > 0 ? table_memory(table) / table->used : 0;
    reply_integer(call->reply, (int64_t)(entry_memory(key.entry) + place));
}

/* ---- STATS ---- */

static size_t figure(const struct buffer *told, const char *name)
{
    struct bytes text;
    uint64_t value;
    if (!info_find(buffer_bytes(told), name, &text) || !number_parse_unsigned(text, &value))
        return 0;
    return (size_t)value;
}

/* Those that are INFO's, in the order in which they come. */
static const char *const figures[][2] = {
    { "peak.allocated", "used_memory_peak" },
    { "total.allocated", "used_memory" },
    { "startup.allocated", "used_memory_startup" },
    { "replication.backlog", "mem_replication_backlog" },
    { "clients.slaves", "mem_clients_slaves" },
    { "clients.normal", "mem_clients_normal" },
    { "cluster.links", "mem_cluster_links" },
    { "aof.buffer", "mem_aof_buffer" },
    { "lua.caches", "used_memory_scripts_eval" },
    { "functions.caches", "used_memory_functions" },
};
enum { FIGURES = sizeof(figures) / sizeof(figures[0]), RATIOS = 4 };

/* Two of INFO's figures, and what is told of them: their ratio and their difference. */
static const struct {
    const char *ratio, *difference, *of, *to;
} ratios[RATIOS] = {
    { "allocator-fragmentation.ratio", "allocator-fragmentation.bytes", "allocator_active",
        "allocator_allocated" },
    { "allocator-rss.ratio", "allocator-rss.bytes", "allocator_resident", "allocator_active" },
    { "rss-overhead.ratio", "rss-overhead.bytes", "used_memory_rss", "allocator_resident" },
    { "fragmentation", "fragmentation.bytes", "used_memory_rss", "used_memory" },
};

static double ratio(size_t a, size_t b)
{
    return b > 0 ? (double)a / (double)b : 0;
}

static void reply_number(struct call *call, const char *name, size_t value)
{
    reply_bulk_text(call->reply, name);
    reply_integer(call->reply, (int64_t)value);
}

static void reply_real(struct call *call, const char *name, double value)
{
    reply_bulk_text(call->reply, name);
    reply_double(call->reply, value);
}

static size_t tables_of(struct call *call, unsigned database)
{
    size_t sum = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = store_slot(call->store, database, i);
        call_lock_slot(call, slot);
        sum += table_memory(&slot->table);
        call_unlock_slot(call, slot);
    }
    return sum;
}

/* A map for each database that has keys; returns what their tables take. */
static size_t reply_databases(struct call *call, size_t *maps, size_t *keys)
{
    size_t tables = 0;
    for (unsigned i = 0; i < store_databases(call->store); i++) {
        int64_t count = store_key_count(call->store, i);
        if (count <= 0)
            continue;
        char name[32];
        size_t size = tables_of(call, i);
        snprintf(name, sizeof(name), "db.%u", i);
        reply_bulk_text(call->reply, name);
        reply_map(call->reply, 3);
        reply_number(call, "overhead.hashtable.main", size);
        reply_number(call, "overhead.hashtable.expires", 0);      /* times lie in the entries */
        reply_number(call, "overhead.hashtable.slot-to-keys", 0); /* each slot has its table */
        tables += size;
        *keys += (size_t)count;
        ++*maps;
    }
    return tables;
}

static void stats(struct call *call)
{
    enum { SUMS = 6, ALLOCATOR = 3 };
    struct buffer told = { 0 };
    info_tell_section("memory", &told);
    struct reply_mark mark = reply_deferred(call->reply);
    for (size_t i = 0; i < FIGURES; i++)
        reply_number(call, figures[i][0], figure(&told, figures[i][1]));
    size_t maps = 0, keys = 0;
    size_t tables = reply_databases(call, &maps, &keys);
    size_t used = figure(&told, "used_memory"), peak = figure(&told, "used_memory_peak");
    size_t startup = figure(&told, "used_memory_startup");
    size_t overhead = figure(&told, "used_memory_overhead") + tables;
    size_t dataset = used > overhead ? used - overhead : 0;
    size_t grown = used > startup ? used - startup : 0;
    reply_number(call, "overhead.total", overhead);
    reply_number(call, "keys.count", keys);
    reply_number(call, "keys.bytes-per-key", keys ? grown / keys : 0);
    reply_number(call, "dataset.bytes", dataset);
    reply_real(call, "dataset.percentage", 100 * ratio(dataset, grown));
    reply_real(call, "peak.percentage", 100 * ratio(used, peak));
    reply_number(call, "allocator.allocated", figure(&told, "allocator_allocated"));
    reply_number(call, "allocator.active", figure(&told, "allocator_active"));
    reply_number(call, "allocator.resident", figure(&told, "allocator_resident"));
    for (size_t i = 0; i < RATIOS; i++) {
        size_t of = figure(&told, ratios[i].of), to = figure(&told, ratios[i].to);
        reply_real(call, ratios[i].ratio, ratio(of, to));
        reply_bulk_text(call->reply, ratios[i].difference);
        reply_integer(call->reply, (int64_t)of - (int64_t)to);
    }
    reply_deferred_map(call->reply, mark, FIGURES + maps + SUMS + ALLOCATOR + (size_t)2 * RATIOS);
    buffer_free(&told);
}

/* ---- DOCTOR ---- */

enum { MB = 1024 * 1024, SMALL = 5 * MB };

/* a is at least `times` b, and by at least `margin` bytes. */
static bool exceeds(size_t a, size_t b, double times, size_t margin)
{
    return b > 0 && (double)a >= times * (double)b && a - b >= margin;
}

static void examine(const struct buffer *told, struct buffer *report)
{
    size_t used = figure(told, "used_memory"), rss = figure(told, "used_memory_rss");
    size_t active = figure(told, "allocator_active"), resident = figure(told, "allocator_resident");
    size_t peak = figure(told, "used_memory_peak");
    size_t replicas = figure(told, "mem_clients_slaves");
    if (exceeds(peak, used, 1.5, 10 * MB))
        buffer_printf(report,
            " * Peak: %zu MB were in use once, and %zu MB are now. The resident memory may still "
            "be "
            "as large as it was then; MEMORY PURGE asks the allocator to give pages back.\n",
            peak / MB, used / MB);
    if (exceeds(rss, used, 1.4, 10 * MB))
        buffer_printf(report,
            " * Fragmentation: the process has %zu MB resident for %zu MB in use.\n", rss / MB,
            used / MB);
    if (exceeds(active, used, 1.1, 10 * MB))
        buffer_printf(report,
            " * Inside the allocator: its pages hold %zu MB for %zu MB in use, so values of very "
            "different sizes came and went.\n",
            active / MB, used / MB);
    if (exceeds(resident, active, 1.1, 10 * MB))
        buffer_printf(report,
            " * Pages kept: the allocator keeps %zu MB resident that hold nothing.\n",
            (resident - active) / MB);
    if (exceeds(rss, resident, 1.1, 10 * MB))
        buffer_printf(report,
            " * Outside the allocator: %zu MB are resident that it knows nothing of (programs, "
            "stacks, libraries).\n",
            (rss - resident) / MB);
    if (replicas > 10 * MB)
        buffer_printf(report,
            " * Replicas: %zu MB wait to be sent to them. One of them is slow, or its link is.\n",
            replicas / MB);
}

static void doctor(struct call *call)
{
    struct buffer told = { 0 }, report = { 0 };
    info_tell_section("memory", &told);
    examine(&told, &report);
    struct bytes text = BYTES("Nothing about the memory of this node gives reason to worry.\n");
    if (figure(&told, "used_memory") < SMALL)
        text = BYTES("Too little memory is in use to say anything about it.\n");
    else if (report.len > 0)
        text = buffer_bytes(&report);
    reply_verbatim(call->reply, "txt", text);
    buffer_free(&report);
    buffer_free(&told);
}

/* ---- The allocator: it may take its time ---- */

static void purge_and_reply(struct reply *reply)
{
    memory_usage_purge();
    reply_ok(reply);
}

static void print_and_reply(struct reply *reply)
{
    struct buffer text = { 0 };
    if (memory_usage_print(&text))
        reply_verbatim(reply, "txt", text.len ? buffer_bytes(&text) : BYTES(""));
    else
        reply_bulk_text(reply, "Stats not supported for the current allocator");
    buffer_free(&text);
}

struct errand {
    struct ticket *ticket;
    void (*run)(struct reply *reply);
    uint8_t protocol;
};

static void run_errand(void *arg)
{
    struct errand *errand = arg;
    struct reply answer = { .protocol = errand->protocol };
    errand->run(&answer);
    ticket_reply(errand->ticket, answer.bytes);
    free(errand);
}

/* Within a transaction there is no other way than here. */
static void send_away(struct call *call, void (*run)(struct reply *reply))
{
    if (!call_can_park(call)) {
        run(call->reply);
        return;
    }
    struct errand *errand = memory_alloc(sizeof(*errand));
    *errand = (struct errand){ call_park(call), run, call->reply->protocol };
    background_run(0, run_errand, errand);
}

static void purge(struct call *call)
{
    send_away(call, purge_and_reply);
}

static void malloc_stats(struct call *call)
{
    send_away(call, print_and_reply);
}

/* ---- The rows ---- */

#define EVERYWHERE                                                                                 \
    TIPS("nondeterministic_output", "request_policy:all_shards", "response_policy:special")

static const struct command subcommands[] = {
    { "doctor", doctor, 2, 0, .group = "server", .since = "4.0.0", .complexity = "O(1)",
        .summary = "Tells what is wrong with the memory of the node", .tips = EVERYWHERE },
    { "help", call_help, 2, CMD_LOADING | CMD_STALE, .group = "server", .since = "4.0.0",
        .complexity = "O(1)", .summary = "Lists the subcommands" },
    { "malloc-stats", malloc_stats, 2, 0, .group = "server", .since = "4.0.0",
        .complexity = "Depends on how much is allocated",
        .summary = "Shows the allocator's own figures", .tips = EVERYWHERE },
    { "purge", purge, 2, 0, .group = "server", .since = "4.0.0",
        .complexity = "Depends on how much is allocated",
        .summary = "Asks the allocator to give back pages that hold nothing",
        .tips = TIPS("request_policy:all_shards", "response_policy:all_succeeded") },
    { "stats", stats, 2, CMD_ALL_SLOTS, .group = "server", .since = "4.0.0", .complexity = "O(1)",
        .summary = "Tells what the memory of the node is used for", .tips = EVERYWHERE },
    { "usage", usage, -3, CMD_READONLY, KEYS(KEYS_AT(2, KEY_RO, 0)), .group = "server",
        .since = "4.0.0", .complexity = "O(1)",
        .summary = "Tells how many bytes a key and its value take",
        .args = ARGS(KEY_ARG, OPTION("count", ARG_INTEGER, "SAMPLES", NULL)) },
    { 0 }
};

const struct command memory_commands[] = {
    { "memory", NULL, -2, 0, .group = "server", .since = "4.0.0",
        .complexity = "Depends on the subcommand", .summary = "Commands about memory",
        .subcommands = subcommands },
    { 0 }
};
