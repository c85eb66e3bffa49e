/* What every server can tell of itself: its process, its memory, what its commands have done. */
#include "server/command/info_fields.h"
#include "server/info.h"

#include "common/node_id.h"
#include "common/number.h"
#include "server/clock.h"
#include "server/cluster/published.h"
#include "server/cluster/service.h"
#include "server/command/client_memory.h"
#include "server/command/command.h"
#include "server/command/condition.h"
#include "server/command/errorstats.h"
#include "server/command/evict.h"
#include "server/command/latency.h"
#include "server/command/migrate_link.h"
#include "server/command/stats.h"
#include "server/config.h"
#include "server/memory_usage.h"
#include "server/periodic.h"
#include "server/store/lazy.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Written once by info_init. */
static struct node_id run_id;
static int64_t started_ms; /* monotonic */
static size_t memory_at_start;

/* CPU time of worker 0, in microseconds; written by it, read by any. */
static _Atomic int64_t main_sys_us, main_user_us;

const char *info_run_id(void)
{
    return run_id.text;
}

static int64_t time_us(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

/* Ten times a second, in worker 0. */
static void tick(struct executor *executor, unsigned worker, unsigned workers)
{
    struct memory_usage usage;
    struct rusage own;
    stats_tick(clock_monotonic_ms());
    memory_usage_read(&usage); /* keeps the peak */
    if (getrusage(RUSAGE_THREAD, &own) == 0) {
        atomic_store_explicit(&main_sys_us, time_us(own.ru_stime), memory_order_relaxed);
        atomic_store_explicit(&main_user_us, time_us(own.ru_utime), memory_order_relaxed);
    }
}

void info_init(void)
{
    struct memory_usage usage;
    memory_usage_read(&usage);
    memory_at_start = usage.used;
    started_ms = clock_monotonic_ms();
    run_id = node_id_random();
    periodic_add(tick, false);
    client_memory_init();
}

/* ---- Server, CPU, cluster ---- */

static uint64_t build_id(void)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *c = SLOTD_VERSION " " __VERSION__; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    return hash;
}

static void tell_server(struct buffer *out)
{
    struct utsname system = { 0 };
    char executable[4096] = "";
    uname(&system);
    if (readlink("/proc/self/exe", executable, sizeof(executable) - 1) < 0)
        executable[0] = '\0';
    int64_t now = clock_unix_us(), up = (clock_monotonic_ms() - started_ms) / 1000;
    buffer_printf(out,
        "redis_version:" INFO_REDIS_VERSION "\r\nserver_name:slotd\r\nslotd_version:" SLOTD_VERSION
        "\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:%" PRIx64 "\r\n",
        build_id());
    buffer_printf(out, "redis_mode:%s\r\nos:%s %s %s\r\narch_bits:%zu\r\n",
        config_is(CONFIG_CLUSTER_ENABLED) ? "cluster" : "standalone", system.sysname,
        system.release, system.machine, sizeof(void *) * 8);
    buffer_printf(out,
        "monotonic_clock:POSIX "
        "clock_gettime\r\nmultiplexing_api:epoll\r\natomicvar_api:c11-builtin\r\n"
        "gcc_version:%d.%d.%d\r\nprocess_id:%d\r\nprocess_supervised:no\r\nrun_id:%s\r\n",
        __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__, (int)getpid(), run_id.text);
    buffer_printf(out,
        "tcp_port:%" PRId64 "\r\nserver_time_usec:%" PRId64 "\r\nuptime_in_seconds:%" PRId64
        "\r\nuptime_in_days:%" PRId64 "\r\n",
        config_number(CONFIG_PORT), now, up, up / 86400);
    buffer_printf(out,
        "hz:%" PRId64 "\r\nconfigured_hz:%" PRId64 "\r\nlru_clock:%" PRId64
        "\r\nexecutable:%s\r\nconfig_file:%s\r\nio_threads_active:%d\r\n",
        config_number(CONFIG_HZ), config_number(CONFIG_HZ), now / 1000000 & 0xffffff, executable,
        config_file(), config_number(CONFIG_IO_THREADS) > 1);
}

static void tell_time(struct buffer *out, const char *name, int64_t us)
{
    buffer_printf(out, "%s:%" PRId64 ".%06" PRId64 "\r\n", name, us / 1000000, us % 1000000);
}

static void tell_cpu(struct buffer *out)
{
    struct rusage own = { 0 }, children = { 0 };
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    tell_time(out, "used_cpu_sys", time_us(own.ru_stime));
    tell_time(out, "used_cpu_user", time_us(own.ru_utime));
    tell_time(out, "used_cpu_sys_children", time_us(children.ru_stime));
    tell_time(out, "used_cpu_user_children", time_us(children.ru_utime));
    tell_time(out, "used_cpu_sys_main_thread", atomic_load(&main_sys_us));
    tell_time(out, "used_cpu_user_main_thread", atomic_load(&main_user_us));
}

static void tell_cluster(struct buffer *out)
{
    buffer_printf(out, "cluster_enabled:%d\r\n", config_is(CONFIG_CLUSTER_ENABLED));
}

static void tell_clients(struct buffer *out)
{
    const struct cluster_view *view = cluster_view_hold();
    buffer_printf(out, "cluster_connections:%zu\r\nmaxclients:%" PRId64 "\r\n",
        view ? view->link_count : 0, config_number(CONFIG_MAXCLIENTS));
    if (view)
        cluster_view_release(view);
}

static void tell_persistence(struct buffer *out)
{
    buffer_printf(out, "loading:%d\r\naof_enabled:%d\r\n",
        (condition_all() & CONDITION_LOADING) != 0, config_is(CONFIG_APPENDONLY));
}

/* ---- Memory ---- */

/* "919.11K" */
static void tell_human(struct buffer *out, const char *name, size_t bytes)
{
    static const char units[] = "BKMGTP";
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit < sizeof(units) - 2) {
        value /= 1024;
        unit++;
    }
    buffer_printf(out, "%s:%.*f%c\r\n", name, unit ? 2 : 0, value, units[unit]);
}

static void tell_bytes(struct buffer *out, const char *name, size_t bytes)
{
    char human[64];
    buffer_printf(out, "%s:%zu\r\n", name, bytes);
    snprintf(human, sizeof(human), "%s_human", name);
    tell_human(out, human, bytes);
}

/* a to b, as a ratio and as a difference. */
static void tell_ratio(
    struct buffer *out, const char *ratio, const char *difference, size_t a, size_t b)
{
    buffer_printf(out, "%s:%.2f\r\n%s:%" PRId64 "\r\n", ratio, b ? (double)a / (double)b : 0.0,
        difference, (int64_t)a - (int64_t)b);
}

/* What other modules have told that they hold beside the data: buffers of clients, links and files.
 */
static size_t told_overhead(struct bytes told)
{
    static const char *const names[] = { "mem_total_replication_buffers", "mem_clients_slaves",
        "mem_clients_normal", "mem_cluster_links", "mem_aof_buffer" };
    size_t sum = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct bytes text;
        uint64_t value;
        if (info_find(told, names[i], &text) && number_parse_unsigned(text, &value))
            sum += value;
    }
    return sum;
}

static void tell_memory(struct buffer *out)
{
    struct memory_usage usage;
    memory_usage_read(&usage);
    buffer_printf(out, "mem_cluster_links:%zu\r\n", cluster_service_link_memory());
    size_t overhead = memory_at_start + told_overhead(buffer_bytes(out));
    size_t dataset = usage.used > overhead ? usage.used - overhead : 0;
    size_t since_start = usage.used > memory_at_start ? usage.used - memory_at_start : 0;
    tell_bytes(out, "used_memory", usage.used);
    tell_bytes(out, "used_memory_rss", usage.rss);
    tell_bytes(out, "used_memory_peak", usage.peak);
    buffer_printf(
        out, "used_memory_peak_perc:%.2f%%\r\n", 100.0 * (double)usage.used / (double)usage.peak);
    buffer_printf(out,
        "used_memory_overhead:%zu\r\nused_memory_startup:%zu\r\nused_memory_dataset:%zu\r\n",
        overhead, memory_at_start, dataset);
    buffer_printf(out, "used_memory_dataset_perc:%.2f%%\r\n",
        since_start ? 100.0 * (double)dataset / (double)since_start : 0.0);
    buffer_printf(out,
        "allocator_allocated:%zu\r\nallocator_active:%zu\r\nallocator_resident:%zu\r\n", usage.used,
        usage.active, usage.resident);
    tell_bytes(out, "total_system_memory", memory_usage_total());
    tell_bytes(out, "maxmemory", (size_t)config_number(CONFIG_MAXMEMORY));
    buffer_append_text(out, "maxmemory_policy:");
    config_show(CONFIG_MAXMEMORY_POLICY, out);
    buffer_printf(out, "\r\nmem_not_counted_for_evict:%zu\r\n", evict_not_counted());
    tell_ratio(out, "allocator_frag_ratio", "allocator_frag_bytes", usage.active, usage.used);
    tell_ratio(out, "allocator_rss_ratio", "allocator_rss_bytes", usage.resident, usage.active);
    tell_ratio(out, "rss_overhead_ratio", "rss_overhead_bytes", usage.rss, usage.resident);
    tell_ratio(out, "mem_fragmentation_ratio", "mem_fragmentation_bytes", usage.rss, usage.used);
    buffer_printf(out,
        "mem_allocator:%s\r\nlazyfree_pending_objects:%zu\r\nlazyfreed_objects:%zu\r\n",
        memory_usage_allocator(), lazy_pending(), lazy_freed());
}

/* ---- Statistics ---- */

static void tell_expiry(
    struct buffer *out, const struct executor_counters *total, const struct stats_rates *rates)
{
    buffer_printf(out,
        "expired_stale_perc:%.2f\r\nexpired_time_cap_reached_count:%" PRIu64
        "\r\nexpire_cycle_cpu_milliseconds:%" PRIu64 "\r\n",
        rates->expire_over * 100, total->expire_cut_short, total->expire_us / 1000);
}

/* Where there are several workers each of them is what Redis calls an I/O thread. */
static void tell_sockets(struct buffer *out, const struct executor_counters *total)
{
    bool threaded = config_number(CONFIG_IO_THREADS) > 1;
    buffer_printf(out,
        "total_reads_processed:%" PRIu64 "\r\ntotal_writes_processed:%" PRIu64
        "\r\nio_threaded_reads_processed:%" PRIu64 "\r\nio_threaded_writes_processed:%" PRIu64
        "\r\n",
        total->reads, total->writes, threaded ? total->reads : 0, threaded ? total->writes : 0);
}

static void tell_stats(struct buffer *out)
{
    struct executor_counters total;
    struct stats_rates rates;
    stats_total(&total);
    stats_rates(&rates);
    buffer_printf(out,
        "total_connections_received:%" PRIu64 "\r\ntotal_commands_processed:%" PRIu64
        "\r\ninstantaneous_ops_per_sec:%.0f\r\n",
        total.connections_accepted, total.commands, rates.commands);
    buffer_printf(out,
        "total_net_input_bytes:%" PRIu64 "\r\ntotal_net_output_bytes:%" PRIu64
        "\r\ninstantaneous_input_kbps:%.2f\r\ninstantaneous_output_kbps:%.2f\r\n",
        total.bytes_in, total.bytes_out, rates.bytes_in / 1024, rates.bytes_out / 1024);
    buffer_printf(out,
        "expired_keys:%" PRIu64 "\r\nkeyspace_hits:%" PRIu64 "\r\nkeyspace_misses:%" PRIu64
        "\r\ntotal_error_replies:%" PRIu64 "\r\n",
        total.expired, total.keyspace_hits, total.keyspace_misses, total.errors);
    tell_expiry(out, &total, &rates);
    tell_sockets(out, &total);
    stats_tell_rates(out);
    buffer_printf(out, "migrate_cached_sockets:%d\r\n", migrate_link_count());
}

static void tell_commandstats(struct buffer *out)
{
    for (unsigned id = 0; id < command_count(); id++) {
        struct command_counter command;
        stats_command(id, &command);
        if (!command.calls && !command.rejected && !command.failed)
            continue;
        uint64_t us = clock_ticks_to_us(command.ticks);
        buffer_printf(out,
            "cmdstat_%s:calls=%" PRIu64 ",usec=%" PRIu64
            ",usec_per_call=%.2f,rejected_calls=%" PRIu64 ",failed_calls=%" PRIu64 "\r\n",
            command_by_id(id)->name, command.calls, us,
            command.calls ? (double)us / (double)command.calls : 0.0, command.rejected,
            command.failed);
    }
}

static void append_error(void *arg, const char *word, uint64_t count)
{
    buffer_printf(arg, "errorstat_%s:count=%" PRIu64 "\r\n", word, count);
}

static void tell_errorstats(struct buffer *out)
{
    errorstats_each(append_error, out);
}

/* ---- Keyspace ---- */

enum { SAMPLED_SLOTS = 256, SAMPLED_KEYS = 8 };

/* Times to live seen so far, and what is needed to see more. */
struct ttl_sample {
    int64_t now;
    double sum_ms;
    uint64_t count;
};

static void add_ttl(void *arg, table_cell *cell)
{
    struct ttl_sample *sample = arg;
    int64_t expiry = entry_expiry(table_cell_entry(cell));
    if (expiry == ENTRY_NO_EXPIRY)
        return;
    sample->sum_ms += expiry > sample->now ? (double)(expiry - sample->now) : 0;
    sample->count++;
}

/* The mean time to live in ms, estimated from some slots behind a random one. Slots that are busy
 * are left out: the caller may hold locks itself. */
static int64_t average_ttl(struct store *store, unsigned database)
{
    struct ttl_sample sample = { .now = clock_unix_ms() };
    unsigned start = (unsigned)(clock_ticks() * 2654435761u >> 7);
    for (unsigned i = 0; i < SLOT_COUNT && sample.count < SAMPLED_SLOTS * SAMPLED_KEYS; i++) {
        if (i >= SAMPLED_SLOTS && sample.count > 0)
            break;
        struct slot *slot = store_slot(store, database, (start + i) % SLOT_COUNT);
        if (!slot_lock_try(&slot->lock))
            continue;
        if (slot->expires > 0)
            table_scan(&slot->table, 0, SAMPLED_KEYS, add_ttl, &sample);
        slot_lock_release(&slot->lock);
    }
    return sample.count ? (int64_t)(sample.sum_ms / (double)sample.count) : 0;
}

static void tell_keyspace(struct buffer *out)
{
    struct store *store = executor_count() ? executor_at(0)->store : NULL;
    for (unsigned database = 0; store && database < store_databases(store); database++) {
        int64_t keys = store_key_count(store, database),
                expires = store_expires_count(store, database);
        if (keys <= 0)
            continue;
        buffer_printf(out, "db%u:keys=%" PRId64 ",expires=%" PRId64 ",avg_ttl=%" PRId64 "\r\n",
            database, keys, expires, expires > 0 ? average_ttl(store, database) : 0);
    }
}

/* ---- All of them ---- */

static const struct {
    const char *section;
    info_fn *tell;
} own[] = {
    { "server", tell_server },
    { "clients", tell_clients },
    { "memory", tell_memory },
    { "persistence", tell_persistence },
    { "stats", tell_stats },
    { "cpu", tell_cpu },
    { "commandstats", tell_commandstats },
    { "errorstats", tell_errorstats },
    { "latencystats", latency_info },
    { "cluster", tell_cluster },
    { "keyspace", tell_keyspace },
};

void info_tell_own(const char *section, struct buffer *out)
{
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(own[i].section, section) == 0)
            own[i].tell(out);
    }
}
