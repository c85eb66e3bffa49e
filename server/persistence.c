/* Snapshots are asked for by saves (rdb_save.c), a rewrite of the AOF that is due, replicas; the
 * snapshotter makes them one after another, and serves together what is asked for together. Ten
 * times a second worker 0 looks after all of it: whether a save or a rewrite is due, whether the AOF
 * can be written and keeps up. Which files are read, and when, is decided here; data_set.c reads. */
#include "server/persistence.h"

#include "server/aof_switch.h"
#include "server/clock.h"
#include "server/command/condition.h"
#include "server/command/executor.h"
#include "server/config.h"
#include "server/data_set.h"
#include "server/info.h"
#include "server/log.h"
#include "server/memory_usage.h"
#include "server/periodic.h"
#include "server/rdb_save.h"
#include "server/replication/replication.h"
#include "server/script/registry.h"
#include "server/snapshot/snapshot_file.h"

#include "common/memory.h"
#include <stdlib.h>
#include <unistd.h>

enum {
    BEHIND_BYTES = 64 * 1024 * 1024, /* of the journal that the AOF may lack before writes wait */
    CAUGHT_UP_BYTES = 16 * 1024 * 1024,
};

/* Set by persistence_open, constant afterwards. */
static struct journal *journal;
static struct aof *aof;
static struct snapshotter *snapshotter;

static atomic_bool rewriting; /* the AOF, from the request to its end; any thread */

struct aof *persistence_aof(void)
{
    return aof;
}

struct snapshotter *persistence_snapshotter(void)
{
    return snapshotter;
}

/* ---- Rewriting the AOF ---- */

static bool rewrite_begins(void *context, struct error *error)
{
    return aof_rewrite_begin(aof, journal_offset(journal), error);
}

static void rewrite_done(void *context, const struct error *error)
{
    struct error failure = { "" };
    bool ok = !error && aof_rewrite_finish(aof, &failure);
    if (error)
        aof_rewrite_abort(aof);
    atomic_store(&rewriting, false);
    if (ok)
        log_write(LOG_NOTICE, "The append-only file has been rewritten");
    else
        log_write(LOG_WARNING, "Rewriting the append-only file failed: %s",
            error ? error->text : failure.text);
}

static bool begin_rewrite(struct error *error)
{
    if (atomic_exchange(&rewriting, true))
        return error_set(error, "ERR Background append only file rewriting already in progress");
    log_write(LOG_NOTICE, "Rewriting the append-only file");
    snapshotter_request(snapshotter,
        snapshot_file_create(&(struct snapshot_file_options){ .path = aof_rewrite_path(aof),
            .aof_base = true,
            .begin = rewrite_begins,
            .done = rewrite_done }));
    return true;
}

bool persistence_rewrite_aof(bool *scheduled, struct error *error)
{
    struct snapshot_progress progress = snapshotter_progress(snapshotter);
    *scheduled = progress.running;
    if (aof_is_on(aof))
        return begin_rewrite(error);
    /* Redis writes the files even when they are off; here there is nothing that they could be for.
     */
    return error_set(error,
        "ERR The append only file is off: CONFIG SET appendonly yes turns it on, "
        "with a rewrite");
}

/* ---- Ten times a second ---- */

static void look_after(struct executor *executor, unsigned worker, unsigned workers)
{
    if (condition_all() & CONDITION_LOADING)
        return;
    condition_set(CONDITION_AOF_FAILING, aof_errno(aof) != 0);
    int64_t lag = aof_is_on(aof) ? aof_lag(aof) : 0;
    if (lag > BEHIND_BYTES)
        condition_set(CONDITION_AOF_BEHIND, true);
    else if (lag < CAUGHT_UP_BYTES && condition_all() & CONDITION_AOF_BEHIND)
        condition_set(CONDITION_AOF_BEHIND, false);
    rdb_save_if_due(executor->now / 1000);
    if (!atomic_load(&rewriting) &&
        aof_rewrite_is_due(aof, (int)config_number(CONFIG_AUTO_AOF_REWRITE_PERCENTAGE),
            config_number(CONFIG_AUTO_AOF_REWRITE_MIN_SIZE)))
        begin_rewrite(NULL);
}

/* ---- Loading ---- */

bool persistence_load(struct error *error)
{
    bool found = false, ok = true;
    if (config_is(CONFIG_APPENDONLY)) {
        ok = data_set_read_aof(aof, &found, error) && aof_start(aof, error);
    } else {
        char *path = config_text(CONFIG_DBFILENAME);
        if (access(path, F_OK) == 0)
            ok = data_set_read_rdb(path, false, false, error);
        free(path);
    }
    rdb_save_data_loaded();
    return ok;
}

bool persistence_load_rdb(const char *path, struct error *error)
{
    snapshotter_cancel(snapshotter, "the data set is replaced by the primary's");
    turn_stop_all();
    condition_set(CONDITION_LOADING, true);
    turn_resume_all();
    data_set_empty();
    bool ok = data_set_read_rdb(path, true, false, error);
    if (!ok)
        data_set_empty();
    condition_set(CONDITION_LOADING, false);
    return ok;
}

bool persistence_reload_rdb(bool flush, bool merge, struct error *error)
{
    if (flush)
        data_set_empty();
    char *path = config_text(CONFIG_DBFILENAME);
    bool ok = data_set_read_rdb(path, false, merge, error);
    free(path);
    bool scheduled;
    struct error ignored;
    if (aof_is_on(aof) && !persistence_rewrite_aof(&scheduled, &ignored))
        log_write(LOG_WARNING, "The AOF is not what was loaded: %s", ignored.text);
    return ok;
}

bool persistence_reload_aof(struct error *error)
{
    bool found;
    snapshotter_cancel(snapshotter, "the data set is loaded again");
    if (!aof_switch_off(error))
        return false;
    data_set_empty();
    return data_set_read_aof(aof, &found, error) && aof_start(aof, error);
}

/* ---- INFO ---- */

static void tell(struct buffer *out)
{
    struct aof_info info;
    aof_info(aof, &info);
    struct snapshot_progress progress = snapshotter_progress(snapshotter);
    struct rdb_save_figures saves = rdb_save_figures();
    struct data_set_figures loaded = data_set_last_read();
    buffer_printf(out, "loading:%d\r\n", (condition_all() & CONDITION_LOADING) != 0);
    buffer_printf(out, "async_loading:0\r\n");
    buffer_printf(out, "current_cow_peak:%llu\r\n", (unsigned long long)progress.preserved_peak);
    buffer_printf(out, "current_cow_size:%llu\r\n", (unsigned long long)progress.preserved);
    buffer_printf(out, "current_save_keys_processed:%llu\r\n",
        progress.running ? (unsigned long long)progress.keys_done : 0ULL);
    buffer_printf(out, "current_save_keys_total:%llu\r\n",
        progress.running ? (unsigned long long)progress.keys_total : 0ULL);
    buffer_printf(out, "rdb_changes_since_last_save:%llu\r\n", (unsigned long long)saves.changes);
    buffer_printf(out, "rdb_bgsave_in_progress:%d\r\n", saves.saving);
    buffer_printf(out, "rdb_last_save_time:%lld\r\n", (long long)saves.last_save);
    buffer_printf(out, "rdb_last_bgsave_status:%s\r\n", saves.last_ok ? "ok" : "err");
    buffer_printf(out, "rdb_last_bgsave_time_sec:%lld\r\n", (long long)saves.last_seconds);
    buffer_printf(out, "rdb_current_bgsave_time_sec:%lld\r\n", (long long)saves.current_seconds);
    buffer_printf(out, "rdb_saves:%llu\r\n", (unsigned long long)saves.saves);
    buffer_printf(out, "rdb_last_load_keys_expired:%llu\r\n", (unsigned long long)loaded.expired);
    buffer_printf(out, "rdb_last_load_keys_loaded:%llu\r\n", (unsigned long long)loaded.keys);
    buffer_printf(out, "aof_enabled:%d\r\n", info.on);
    buffer_printf(out, "aof_rewrite_in_progress:%d\r\n", atomic_load(&rewriting));
    buffer_printf(out, "aof_rewrite_scheduled:%d\r\n", info.rewrite_scheduled_first);
    buffer_printf(out, "aof_last_rewrite_time_sec:%lld\r\n", (long long)info.last_rewrite_seconds);
    buffer_printf(
        out, "aof_current_rewrite_time_sec:%lld\r\n", (long long)info.current_rewrite_seconds);
    buffer_printf(out, "aof_last_bgrewrite_status:%s\r\n", info.last_rewrite_ok ? "ok" : "err");
    buffer_printf(out, "aof_rewrites:%lld\r\naof_rewrites_consecutive_failures:%d\r\n",
        (long long)info.rewrites, info.rewrite_failures);
    buffer_printf(out, "aof_last_write_status:%s\r\n", info.last_write_ok ? "ok" : "err");
    if (!info.on)
        return;
    buffer_printf(out, "aof_current_size:%lld\r\n", (long long)info.current_size);
    buffer_printf(out, "aof_base_size:%lld\r\n", (long long)info.base_size);
    buffer_printf(out, "aof_pending_rewrite:%d\r\n", info.rewrite_scheduled_first);
    buffer_printf(out, "aof_buffer_length:%lld\r\n", (long long)info.buffer_length);
    buffer_printf(out, "aof_pending_bio_fsync:%lld\r\n", (long long)info.pending_fsyncs);
    buffer_printf(out, "aof_delayed_fsync:%lld\r\n", (long long)info.delayed_fsyncs);
}

/* ---- Life ---- */

/* The libraries of this moment. They and their code stay until the next one. */
static void note_functions(struct rdb_preamble *preamble)
{
    static struct library_list libraries; /* the snapshotter's thread alone */
    static struct bytes *codes;
    library_list_free(&libraries);
    registry_list(&libraries);
    codes = memory_resize(codes, (libraries.count + 1) * sizeof(*codes));
    for (size_t i = 0; i < libraries.count; i++)
        codes[i] = (struct bytes){ libraries.items[i]->code, libraries.items[i]->code_len };
    preamble->functions = codes;
    preamble->function_count = libraries.count;
}

static void moment(void *context, struct rdb_preamble *preamble)
{
    static struct journal_history history; /* the snapshotter's thread alone */
    history = journal_history(journal);
    preamble->repl_id = history.id;
    preamble->repl_offset = journal_offset(journal);
    preamble->repl_database = replication_stream_database();
    struct memory_usage usage;
    memory_usage_read(&usage);
    preamble->used_memory = usage.used;
    note_functions(preamble);
}

static void aof_log(void *context, enum aof_log_level level, const char *line)
{
    log_write(level == AOF_LOG_WARNING ? LOG_WARNING : LOG_NOTICE, "%s", line);
}

static bool config_changed(enum config_id id, struct error *error)
{
    if (id == CONFIG_APPENDFSYNC) {
        aof_set_policy(aof, (enum aof_policy)config_number(id));
    } else if (id == CONFIG_AOF_LOAD_TRUNCATED) {
        aof_set_load_truncated(aof, config_is(id));
    } else if (id == CONFIG_AOF_TIMESTAMP_ENABLED) {
        aof_set_timestamps(aof, config_is(id));
    } else if (id == CONFIG_RDBCOMPRESSION) {
        snapshotter_set_compress(snapshotter, config_is(id));
    } else if (id == CONFIG_STOP_WRITES_ON_BGSAVE_ERROR || id == CONFIG_SAVE) {
        rdb_save_config_changed();
    } else if (id == CONFIG_APPENDONLY && config_is(id)) {
        return aof_switch_on(error);
    } else if (id == CONFIG_APPENDONLY && aof_is_on(aof)) {
        aof_switch_off_soon();
    }
    return true;
}

static bool open_aof(struct error *error)
{
    char *dirname = config_text(CONFIG_APPENDDIRNAME);
    char *filename = config_text(CONFIG_APPENDFILENAME);
    struct aof_options options = { .dir = ".",
        .dirname = dirname,
        .filename = filename,
        .policy = (enum aof_policy)config_number(CONFIG_APPENDFSYNC),
        .load_truncated = config_is(CONFIG_AOF_LOAD_TRUNCATED),
        .timestamps = config_is(CONFIG_AOF_TIMESTAMP_ENABLED),
        .rdb_base = config_is(CONFIG_AOF_USE_RDB_PREAMBLE),
        .log = aof_log };
    aof = aof_create(&options, journal, error);
    free(dirname);
    free(filename);
    aof_switch_open(aof);
    return aof != NULL;
}

bool persistence_open(struct store *store, struct journal *the_journal, struct error *error)
{
    journal = the_journal;
    data_set_open(store, journal);
    snapshotter = snapshotter_create(
        store, &(struct snapshotter_options){ .compress = config_is(CONFIG_RDBCOMPRESSION),
                   .checksum = config_is(CONFIG_RDBCHECKSUM),
                   .moment = moment });
    static const enum config_id watched[] = { CONFIG_APPENDFSYNC, CONFIG_AOF_LOAD_TRUNCATED,
        CONFIG_AOF_TIMESTAMP_ENABLED,
        CONFIG_RDBCOMPRESSION, CONFIG_APPENDONLY, CONFIG_STOP_WRITES_ON_BGSAVE_ERROR,
        CONFIG_SAVE };
    for (size_t i = 0; i < sizeof(watched) / sizeof(*watched); i++)
        config_on_change(watched[i], config_changed);
    periodic_add(look_after, false);
    info_register("persistence", tell);
    rdb_save_open(snapshotter);
    return open_aof(error);
}

bool persistence_close(struct error *error)
{
    snapshotter_cancel(snapshotter, "the server is shutting down");
    snapshotter_destroy(snapshotter);
    bool ok = aof_switch_off(error);
    aof_destroy(aof);
    return ok;
}
