/* The counts, and CLUSTER SLOT-STATS. The command reads the slots one after the other, each under
 * its lock for a moment; what it replies is no moment of all of them. */
#include "server/command/slot_stats.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/clock.h"
#include "server/command/cluster_change.h"
#include "server/config.h"
#include <stdlib.h>

atomic_bool slot_stats_enabled;
static struct slot_stats all[SLOT_COUNT]; /* each under the lock of its slot */

static bool take_directive(enum config_id id, struct error *error)
{
    atomic_store(&slot_stats_enabled, config_is(CONFIG_CLUSTER_SLOT_STATS_ENABLED) &&
                                          config_is(CONFIG_CLUSTER_ENABLED));
    return true;
}

void slot_stats_init(void)
{
    take_directive(CONFIG_CLUSTER_SLOT_STATS_ENABLED, NULL);
    config_on_change(CONFIG_CLUSTER_SLOT_STATS_ENABLED, take_directive);
}

/* A request as it came, or as it would have come. */
static size_t request_size(const struct call *call)
{
    if (call->raw.len > 0)
        return call->raw.len;
    enum { MARKS = 5 }; /* $, and two line ends */
    char digits[NUMBER_TEXT_MAX];
    size_t size = 3 + number_format(digits, call->argc);
    for (int i = 0; i < call->argc; i++)
        size += MARKS + number_format(digits, (int64_t)call->argv[i].len) + call->argv[i].len;
    return size;
}

void slot_stats_note(const struct call *call, uint64_t ticks, size_t reply_before)
{
    if (!call->slot)
        return;
    struct slot_stats *stats = &all[store_slot_number(call->store, call->slot)];
    stats->ticks += ticks;
    stats->bytes_in += request_size(call);
    stats->bytes_out += reply_size(call->reply) - reply_before;
}

struct slot_stats slot_stats_get(unsigned number)
{
    return all[number];
}

void slot_stats_reset(unsigned number)
{
    all[number] = (struct slot_stats){ 0 };
}

void slot_stats_reset_all(struct call *call)
{
    for (unsigned number = 0; number < SLOT_COUNT; number++) {
        struct slot *slot = store_slot(call->store, 0, number);
        call_lock_slot(call, slot);
        slot_stats_reset(number);
        call_unlock_slot(call, slot);
    }
}

/* ---- The command ---- */

enum { KEY_COUNT, CPU_USEC, BYTES_IN, BYTES_OUT, MEMORY_BYTES, METRICS };
static const char *const metric_names[] = { "key-count", "cpu-usec", "network-bytes-in",
    "network-bytes-out", "memory-bytes" };

/* What is counted only where the directive says so. */
static bool is_counted(int metric)
{
    return metric == CPU_USEC || metric == BYTES_IN || metric == BYTES_OUT;
}

struct figures {
    unsigned slot;
    uint64_t values[METRICS];
    uint64_t key; /* sorted by it */
};

struct weighing {
    uint64_t bytes, entries;
};

static void weigh(void *arg, table_cell *cell)
{
    struct weighing *weighing = arg;
    weighing->bytes += entry_memory(table_cell_entry(cell));
    weighing->entries++;
}

/* The table's own memory, and that of its keys: of so many that are looked at, times how many there
 * are. So it is exact for small slots. The slot is locked. */
static uint64_t memory_of(struct slot *slot)
{
    enum { LOOKED_AT = 16 };
    struct weighing weighing = { 0 };
    if (slot->table.used == 0)
        return 0;
    table_scan(&slot->table, 0, LOOKED_AT, weigh, &weighing);
    uint64_t keys = slot->table.used;
    if (weighing.entries > 0 && weighing.entries < keys)
        weighing.bytes = weighing.bytes * keys / weighing.entries;
    return weighing.bytes + table_memory(&slot->table);
}

/* Of one slot; false: another shard's. */
static bool read_slot(
    struct call *call, unsigned number, bool with_memory, struct figures *figures)
{
    struct slot *slot = store_slot(call->store, 0, number);
    call_lock_slot(call, slot);
    bool ours = slot->serving != SLOT_FOREIGN && slot->serving != SLOT_IMPORTING;
    if (ours) {
        struct slot_stats stats = slot_stats_get(number);
        *figures = (struct figures){ .slot = number,
            .values = { slot->table.used, clock_ticks_to_us(stats.ticks), stats.bytes_in,
                stats.bytes_out, with_memory ? memory_of(slot) : 0 } };
    }
    call_unlock_slot(call, slot);
    return ours;
}

static struct figures *read_slots(
    struct call *call, unsigned first, unsigned last, bool with_memory, size_t *count)
{
    struct figures *figures = memory_alloc((last - first + 1) * sizeof(*figures));
    *count = 0;
    for (unsigned number = first; number <= last; number++)
        *count += read_slot(call, number, with_memory, &figures[*count]);
    return figures;
}

static void reply_figures(struct call *call, const struct figures *figures, size_t count)
{
    bool counted = slot_stats_are_on();
    reply_array(call->reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_array(call->reply, 2);
        reply_integer(call->reply, figures[i].slot);
        reply_map(call->reply, counted ? METRICS : 2);
        for (int metric = 0; metric < METRICS; metric++) {
            if (is_counted(metric) && !counted)
                continue;
            reply_bulk_text(call->reply, metric_names[metric]);
            reply_integer(call->reply, (int64_t)figures[i].values[metric]);
        }
    }
}

static bool parse_bound(struct call *call, int index, int64_t *slot)
{
    if (number_parse(call->argv[index], slot) && *slot >= 0 && *slot < SLOT_COUNT)
        return true;
    reply_error(call->reply, "Invalid or out of range slot");
    return false;
}

/* CLUSTER SLOT-STATS SLOTSRANGE start-slot end-slot */
static void by_range(struct call *call)
{
    int64_t first, last;
    if (!parse_bound(call, 3, &first) || !parse_bound(call, 4, &last))
        return;
    if (first > last) {
        reply_error(call->reply, "Start slot number %d is greater than end slot number %d",
            (int)first, (int)last);
        return;
    }
    size_t count;
    struct figures *figures = read_slots(call, (unsigned)first, (unsigned)last, true, &count);
    reply_figures(call, figures, count);
    free(figures);
}

struct order {
    int metric;
    int64_t limit;
    bool ascending;
};

static bool parse_order(struct call *call, struct order *order)
{
    *order = (struct order){ .metric = 0, .limit = SLOT_COUNT };
    while (order->metric < METRICS && !bytes_is(call->argv[3], metric_names[order->metric]))
        order->metric++;
    if (order->metric == METRICS || (is_counted(order->metric) && !slot_stats_are_on())) {
        reply_error(call->reply, "Unrecognized sort metric for ORDERBY.");
        return false;
    }
    bool limited = false, directed = false;
    for (int i = 4; i < call->argc; i++) {
        bool up = bytes_is(call->argv[i], "ASC"), down = bytes_is(call->argv[i], "DESC");
        if (bytes_is(call->argv[i], "LIMIT") && i + 1 < call->argc && !limited) {
            limited = true;
            if (!number_parse(call->argv[++i], &order->limit) || order->limit < 1 ||
                order->limit > SLOT_COUNT) {
                reply_error(call->reply, "Limit has to lie in between 1 and 16384 (maximum number "
                                         "of slots).");
                return false;
            }
        } else if ((up || down) && !directed) {
            directed = true;
            order->ascending = up;
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    return true;
}

/* By key, of equal ones by slot. */
static int compare(const void *a, const void *b)
{
    const struct figures *left = a, *right = b;
    if (left->key != right->key)
        return left->key < right->key ? -1 : 1;
    return left->slot < right->slot ? -1 : left->slot > right->slot;
}

/* CLUSTER SLOT-STATS ORDERBY metric [LIMIT limit] [ASC | DESC]. What is not sorted by memory weighs
 * only the slots that it replies. */
static void by_order(struct call *call)
{
    struct order order;
    if (!parse_order(call, &order))
        return;
    bool by_memory = order.metric == MEMORY_BYTES;
    size_t count;
    struct figures *figures = read_slots(call, 0, SLOT_COUNT - 1, by_memory, &count);
    for (size_t i = 0; i < count; i++) {
        uint64_t value = figures[i].values[order.metric];
        figures[i].key = order.ascending ? value : ~value;
    }
    qsort(figures, count, sizeof(*figures), compare);
    count = count < (size_t)order.limit ? count : (size_t)order.limit;
    for (size_t i = 0; i < count && !by_memory; i++) {
        struct slot *slot = store_slot(call->store, 0, figures[i].slot);
        call_lock_slot(call, slot);
        figures[i].values[MEMORY_BYTES] = memory_of(slot);
        call_unlock_slot(call, slot);
    }
    reply_figures(call, figures, count);
    free(figures);
}

void cluster_slot_stats(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    if (bytes_is(call->argv[2], "SLOTSRANGE") && call->argc == 5)
        by_range(call);
    else if (bytes_is(call->argv[2], "ORDERBY") && call->argc >= 4)
        by_order(call);
    else
        call_error_subcommand(call);
}
