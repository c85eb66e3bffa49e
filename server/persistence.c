/* Snapshots are asked for by save points, BGSAVE, a rewrite of the AOF that is due, replicas; the
 * snapshotter makes them one after another, and serves together what is asked for together. Ten
 * times a second worker 0 looks after all of it: counts changes for the save points, sees whether
 * the AOF can be written and keeps up. */
#include "server/persistence.h"

#include "server/aof_switch.h"
#include "server/clock.h"
#include "server/command/call.h"
#include "server/command/condition.h"
#include "server/command/tracking.h"
#include "server/command/watch.h"
#include "server/config.h"
#include "server/info.h"
#include "server/log.h"
#include "server/command/function.h"
#include "server/script/registry.h"
#include "server/memory_usage.h"
#include "server/periodic.h"
#include "server/replication/replication.h"
#include "server/snapshot/load.h"
#include "server/snapshot/rdb_file.h"
#include "server/snapshot/snapshot_file.h"
#include "server/store/lazy.h"

#include "common/memory.h"
#include "common/number.h"
#include "common/words.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BEHIND_BYTES = 64 * 1024 * 1024, /* of the journal that the AOF may lack before writes wait */
    CAUGHT_UP_BYTES = 16 * 1024 * 1024,
    RETRY_SECONDS = 5, /* after a BGSAVE that failed */
};

/* Set by persistence_open, constant afterwards. */
static struct store *store;
static struct journal *journal;
static struct aof *aof;
static struct snapshotter *snapshotter;
static struct turn_runner *emptier; /* of whoever replaces the data set: one thread at a time */

/* What is known of RDB files; guarded by mutex. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    bool saving, save_wanted; /* an RDB file is being written; another one is wanted after it */
    bool rewriting, rewrite_wanted;
    bool last_ok, rewrite_ok;
    int64_t last_save, last_try, started; /* Unix seconds */
    int64_t last_seconds;                 /* -1: none yet */
    uint64_t saved_changes, started_changes;
    uint64_t saves;
    uint64_t loaded_keys, loaded_expired;
} state = { .last_ok = true, .rewrite_ok = true, .last_seconds = -1 };

struct aof *persistence_aof(void)
{
    return aof;
}

struct snapshotter *persistence_snapshotter(void)
{
    return snapshotter;
}

static uint64_t changes_so_far(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < executor_count(); i++)
        sum += atomic_load_explicit(&executor_at(i)->counters.changes, memory_order_relaxed);
    return sum;
}

/* ---- RDB files ---- */

/* A save's outcome goes to whoever asked, too. */
struct save {
    void (*done)(void *context, const struct error *error);
    void *context;
};

static bool save_begins(void *context, struct error *error)
{
    pthread_mutex_lock(&mutex);
    state.started_changes = changes_so_far();
    pthread_mutex_unlock(&mutex);
    return true;
}

/* Whether writes are refused for the last save's sake. mutex is held. */
static void judge_saves(void)
{
    condition_set(CONDITION_RDB_FAILING, !state.last_ok &&
                                             config_is(CONFIG_STOP_WRITES_ON_BGSAVE_ERROR) &&
                                             config_text_is_set(CONFIG_SAVE));
}

static void note_save(const struct error *error)
{
    int64_t now = clock_unix_ms() / 1000;
    pthread_mutex_lock(&mutex);
    state.saving = false;
    state.last_ok = error == NULL;
    state.last_seconds = now - state.started;
    if (!error) {
        state.last_save = now;
        state.saved_changes = state.started_changes;
        state.saves++;
    }
    bool again = state.save_wanted;
    state.save_wanted = false;
    judge_saves();
    pthread_mutex_unlock(&mutex);
    if (error)
        log_write(LOG_WARNING, "Saving the RDB file failed: %s", error->text);
    else
        log_write(LOG_NOTICE, "DB saved on disk");
    if (again)
        persistence_bgsave(false, NULL);
}

static void save_done(void *context, const struct error *error)
{
    struct save *save = context;
    note_save(error);
    if (save->done)
        save->done(save->context, error);
    free(save);
}

static bool begin_save(bool schedule, void (*done)(void *context, const struct error *error),
    void *context, struct error *error)
{
    pthread_mutex_lock(&mutex);
    bool busy = state.saving;
    if (busy && schedule)
        state.save_wanted = true;
    if (!busy) {
        state.saving = true;
        state.started = state.last_try = clock_unix_ms() / 1000;
    }
    pthread_mutex_unlock(&mutex);
    if (busy)
        return schedule || error_set(error, "ERR Background save already in progress");
    struct save *save = memory_alloc(sizeof(*save));
    *save = (struct save){ done, context };
    char *path = config_text(CONFIG_DBFILENAME);
    snapshotter_request(
        snapshotter, snapshot_file_create(&(struct snapshot_file_options){
                         .path = path, .begin = save_begins, .done = save_done, .context = save }));
    free(path);
    return true;
}

bool persistence_bgsave(bool schedule, struct error *error)
{
    return begin_save(schedule, NULL, NULL, error);
}

bool persistence_save(
    void (*done)(void *context, const struct error *error), void *context, struct error *error)
{
    return begin_save(false, done, context, error);
}

int64_t persistence_last_save(void)
{
    pthread_mutex_lock(&mutex);
    int64_t at = state.last_save;
    pthread_mutex_unlock(&mutex);
    return at;
}

/* Whether one of the save points ("seconds changes" in turn) is reached. */
static bool save_is_due(int64_t now)
{
    pthread_mutex_lock(&mutex);
    uint64_t changed = changes_so_far() - state.saved_changes;
    int64_t elapsed = now - state.last_save;
    bool may = !state.saving && (state.last_ok || now - state.last_try > RETRY_SECONDS);
    pthread_mutex_unlock(&mutex);
    if (!may || changed == 0)
        return false;
    char *text = config_text(CONFIG_SAVE);
    struct words points;
    bool due = false;
    if (words_split(bytes_of(text), &points)) {
        for (size_t i = 0; i + 1 < points.count; i += 2) {
            int64_t seconds = 0, changes = 0;
            due = due || (number_parse(points.items[i], &seconds) &&
                             number_parse(points.items[i + 1], &changes) && elapsed > seconds &&
                             changed >= (uint64_t)changes);
        }
        words_free(&points);
    }
    free(text);
    return due;
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
    pthread_mutex_lock(&mutex);
    state.rewriting = false;
    state.rewrite_ok = ok;
    pthread_mutex_unlock(&mutex);
    if (ok)
        log_write(LOG_NOTICE, "The append-only file has been rewritten");
    else
        log_write(LOG_WARNING, "Rewriting the append-only file failed: %s",
            error ? error->text : failure.text);
}

static bool begin_rewrite(struct error *error)
{
    pthread_mutex_lock(&mutex);
    bool busy = state.rewriting;
    state.rewriting = true;
    pthread_mutex_unlock(&mutex);
    if (busy)
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
    if (save_is_due(executor->now / 1000)) {
        log_write(LOG_NOTICE, "A save point is reached. Saving...");
        persistence_bgsave(false, NULL);
    }
    pthread_mutex_lock(&mutex);
    bool rewriting = state.rewriting;
    pthread_mutex_unlock(&mutex);
    if (!rewriting &&
        aof_rewrite_is_due(aof, (int)config_number(CONFIG_AUTO_AOF_REWRITE_PERCENTAGE),
            config_number(CONFIG_AUTO_AOF_REWRITE_MIN_SIZE)))
        begin_rewrite(NULL);
}

/* ---- Loading ---- */

/* The loader of RESP files: a session whose commands run, in a turn each, without journal and
 * replies. */
struct loader {
    struct executor *executor;
    struct session session;
};

static bool apply(void *context, const struct bytes *argv, size_t argc, struct error *error)
{
    struct loader *loader = context;
    struct request request = { .session = &loader->session, .argv = argv, .argc = (int)argc };
    struct reply *reply = &loader->session.reply;
    uint32_t errors = reply->errors;
    loader->executor->now = clock_unix_ms();
    turn_begin(loader->executor->turn);
    dispatch_prepare(loader->executor, &request, NULL);
    bool known = request.entry != NULL;
    dispatch_run(loader->executor, &request);
    turn_end(loader->executor->turn);
    if (known && reply->errors == errors)
        return true;
    return error_set(error, "the command '%.*s' cannot be applied (%s)",
        (int)(argv[0].len < 64 ? argv[0].len : 64), argv[0].data, reply->last_error);
}

static void note_load(const struct load_result *result)
{
    pthread_mutex_lock(&mutex);
    state.loaded_keys = result->keys;
    state.loaded_expired = result->expired;
    pthread_mutex_unlock(&mutex);
}

/* One that is there already stays. */
static bool merge_library(struct bytes code, struct error *error)
{
    struct error ignored;
    function_load_library(code, &ignored);
    return true;
}

static int64_t read_rdb(int fd, bool keep_expired, bool replace, struct error *error)
{
    struct rdb_reader reader;
    struct rdb_reader_options options = { .source = rdb_fd_source(&fd),
        .size = rdb_fd_size(fd),
        .verify = config_is(CONFIG_RDBCHECKSUM) };
    struct load_options load = { .expired_before = keep_expired ? 0 : clock_unix_ms(),
        .replace = replace,
        .function = replace ? merge_library : function_load_library };
    struct load_result result = { 0 };
    rdb_reader_init(&reader, &options);
    bool ok = load_rdb(store, &reader, &load, &result, error);
    rdb_reader_free(&reader);
    note_load(&result);
    return ok ? (int64_t)result.bytes : -1;
}

static int64_t load_base(void *context, int fd, const char *path, struct error *error)
{
    /* What stands behind it was done while its keys lived, and removes those that expired. */
    int64_t bytes = read_rdb(fd, true, false, error);
    if (bytes < 0)
        error_prefix(error, "%s", path);
    return bytes;
}

static bool load_aof(bool *found, struct error *error)
{
    static struct executor *executor; /* one for all times, of one thread at a time */
    if (!executor)
        executor = executor_create(store, journal);
    struct loader loader = { .executor = executor };
    loader.session.executor = loader.executor;
    loader.session.flags = SESSION_LOADER | SESSION_AUTHENTICATED;
    loader.session.reply.protocol = 2;
    loader.session.reply.muted = true;
    struct aof_loader functions = { .context = &loader, .load_rdb = load_base, .apply = apply };
    struct aof_load_result result;
    int64_t start = clock_monotonic_ms();
    bool ok = aof_load(aof, &functions, &result, error);
    reply_free(&loader.session.reply);
    *found = ok && result.found;
    if (*found)
        log_write(LOG_NOTICE, "DB loaded from append only file: %.3f seconds, %lld commands",
            (double)(clock_monotonic_ms() - start) / 1000, (long long)result.commands);
    return ok;
}

static bool load_file(const char *path, bool keep_expired, bool replace, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(error, "cannot open %s: %s", path, strerror(errno));
    int64_t start = clock_monotonic_ms();
    bool ok = read_rdb(fd, keep_expired, replace, error) >= 0 || error_prefix(error, "%s", path);
    close(fd);
    if (ok)
        log_write(LOG_NOTICE, "DB loaded from disk: %.3f seconds",
            (double)(clock_monotonic_ms() - start) / 1000);
    return ok;
}

bool persistence_load(struct error *error)
{
    bool found = false, ok = true;
    if (config_is(CONFIG_APPENDONLY)) {
        ok = load_aof(&found, error) && aof_start(aof, error);
    } else {
        char *path = config_text(CONFIG_DBFILENAME);
        if (access(path, F_OK) == 0)
            ok = load_file(path, false, false, error);
        free(path);
    }
    pthread_mutex_lock(&mutex);
    state.last_save = clock_unix_ms() / 1000;
    state.saved_changes = changes_so_far();
    pthread_mutex_unlock(&mutex);
    return ok;
}

/* In a turn: a snapshot must not end while a table is on its way to it. */
static void empty_slot(struct slot *slot)
{
    turn_begin(emptier);
    slot_lock_acquire(&slot->lock);
    watch_touch_slot(slot);
    struct table table = store_take_table(store, slot);
    slot_lock_release(&slot->lock);
    turn_end(emptier);
    lazy_free_table(table);
}

void persistence_empty_store(void)
{
    for (unsigned database = 0; database < store_databases(store); database++) {
        for (unsigned number = 0; number < SLOT_COUNT; number++)
            empty_slot(store_slot(store, database, number));
    }
    tracking_flush(NULL);
}

bool persistence_load_rdb(const char *path, struct error *error)
{
    snapshotter_cancel(snapshotter, "the data set is replaced by the primary's");
    turn_stop_all();
    condition_set(CONDITION_LOADING, true);
    turn_resume_all();
    persistence_empty_store();
    registry_flush(NULL, NULL);
    bool ok = load_file(path, true, false, error);
    if (!ok) {
        persistence_empty_store();
        registry_flush(NULL, NULL);
    }
    condition_set(CONDITION_LOADING, false);
    return ok;
}

bool persistence_reload_rdb(bool flush, bool merge, struct error *error)
{
    if (flush) {
        persistence_empty_store();
        registry_flush(NULL, NULL);
    }
    char *path = config_text(CONFIG_DBFILENAME);
    bool ok = load_file(path, false, merge, error);
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
    persistence_empty_store();
    registry_flush(NULL, NULL);
    return load_aof(&found, error) && aof_start(aof, error);
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
        pthread_mutex_lock(&mutex);
        judge_saves();
        pthread_mutex_unlock(&mutex);
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

bool persistence_open(struct store *the_store, struct journal *the_journal, struct error *error)
{
    store = the_store;
    journal = the_journal;
    emptier = turn_runner_create();
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
    info_register("persistence", persistence_info);
    state.last_save = clock_unix_ms() / 1000;
    return open_aof(error);
}

/* Whoever waits for a save, in a thread that may. */
struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool done, ok;
    struct error error;
};

static void wake_waiter(void *context, const struct error *error)
{
    struct waiter *waiter = context;
    pthread_mutex_lock(&waiter->mutex);
    waiter->done = true;
    waiter->ok = error == NULL;
    if (error)
        waiter->error = *error;
    pthread_cond_signal(&waiter->changed);
    pthread_mutex_unlock(&waiter->mutex);
}

bool persistence_save_last(bool save, bool nosave, struct error *error)
{
    if (nosave || condition_all() & CONDITION_LOADING ||
        (!save && !config_text_is_set(CONFIG_SAVE)))
        return true;
    struct waiter waiter = { .mutex = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER };
    /* A save under way is of an older state: give it up. */
    snapshotter_cancel(snapshotter, "the server is shutting down");
    while (!persistence_save(wake_waiter, &waiter, NULL))
        usleep(1000);
    pthread_mutex_lock(&waiter.mutex);
    while (!waiter.done)
        pthread_cond_wait(&waiter.changed, &waiter.mutex);
    pthread_mutex_unlock(&waiter.mutex);
    if (!waiter.ok && error)
        *error = waiter.error;
    return waiter.ok;
}

bool persistence_close(struct error *error)
{
    snapshotter_cancel(snapshotter, "the server is shutting down");
    snapshotter_destroy(snapshotter);
    bool ok = aof_switch_off(error);
    aof_destroy(aof);
    return ok;
}

/* ---- INFO ---- */

void persistence_info(struct buffer *out)
{
    struct aof_info info;
    aof_info(aof, &info);
    struct snapshot_progress progress = snapshotter_progress(snapshotter);
    int64_t now = clock_unix_ms() / 1000;
    pthread_mutex_lock(&mutex);
    buffer_printf(out, "loading:%d\r\n", (condition_all() & CONDITION_LOADING) != 0);
    buffer_printf(out, "async_loading:0\r\n");
    buffer_printf(out, "current_cow_peak:%llu\r\n", (unsigned long long)progress.preserved_peak);
    buffer_printf(out, "current_cow_size:%llu\r\n", (unsigned long long)progress.preserved);
    buffer_printf(out, "current_save_keys_processed:%llu\r\n",
        progress.running ? (unsigned long long)progress.keys_done : 0ULL);
    buffer_printf(out, "current_save_keys_total:%llu\r\n",
        progress.running ? (unsigned long long)progress.keys_total : 0ULL);
    buffer_printf(out, "rdb_changes_since_last_save:%llu\r\n",
        (unsigned long long)(changes_so_far() - state.saved_changes));
    buffer_printf(out, "rdb_bgsave_in_progress:%d\r\n", state.saving);
    buffer_printf(out, "rdb_last_save_time:%lld\r\n", (long long)state.last_save);
    buffer_printf(out, "rdb_last_bgsave_status:%s\r\n", state.last_ok ? "ok" : "err");
    buffer_printf(out, "rdb_last_bgsave_time_sec:%lld\r\n", (long long)state.last_seconds);
    buffer_printf(out, "rdb_current_bgsave_time_sec:%lld\r\n",
        state.saving ? (long long)(now - state.started) : -1LL);
    buffer_printf(out, "rdb_saves:%llu\r\n", (unsigned long long)state.saves);
    buffer_printf(
        out, "rdb_last_load_keys_expired:%llu\r\n", (unsigned long long)state.loaded_expired);
    buffer_printf(out, "rdb_last_load_keys_loaded:%llu\r\n", (unsigned long long)state.loaded_keys);
    buffer_printf(out, "aof_enabled:%d\r\n", info.on);
    buffer_printf(out, "aof_rewrite_in_progress:%d\r\n", state.rewriting);
    buffer_printf(out, "aof_rewrite_scheduled:%d\r\n", info.rewrite_scheduled_first);
    buffer_printf(out, "aof_last_rewrite_time_sec:%lld\r\n", (long long)info.last_rewrite_seconds);
    buffer_printf(
        out, "aof_current_rewrite_time_sec:%lld\r\n", (long long)info.current_rewrite_seconds);
    buffer_printf(out, "aof_last_bgrewrite_status:%s\r\n", info.last_rewrite_ok ? "ok" : "err");
    buffer_printf(out, "aof_rewrites:%lld\r\naof_rewrites_consecutive_failures:%d\r\n",
        (long long)info.rewrites, info.rewrite_failures);
    buffer_printf(out, "aof_last_write_status:%s\r\n", info.last_write_ok ? "ok" : "err");
    pthread_mutex_unlock(&mutex);
    if (!info.on)
        return;
    buffer_printf(out, "aof_current_size:%lld\r\n", (long long)info.current_size);
    buffer_printf(out, "aof_base_size:%lld\r\n", (long long)info.base_size);
    buffer_printf(out, "aof_pending_rewrite:%d\r\n", info.rewrite_scheduled_first);
    buffer_printf(out, "aof_buffer_length:%lld\r\n", (long long)info.buffer_length);
    buffer_printf(out, "aof_pending_bio_fsync:%lld\r\n", (long long)info.pending_fsyncs);
    buffer_printf(out, "aof_delayed_fsync:%lld\r\n", (long long)info.delayed_fsyncs);
}
