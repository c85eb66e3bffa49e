/* The data set is read from files by one thread at a time: the loader at the start, the link for a
 * full sync, a background job for DEBUG RELOAD. Commands of an append-only file run as a client's
 * do, but without journal and replies. */
#include "server/data_set.h"

#include "server/clock.h"
#include "server/command/call.h"
#include "server/command/function.h"
#include "server/command/tracking.h"
#include "server/command/watch.h"
#include "server/config.h"
#include "server/log.h"
#include "server/script/registry.h"
#include "server/snapshot/load.h"
#include "server/snapshot/rdb_file.h"
#include "server/store/lazy.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* Set by data_set_open, constant afterwards. */
static struct store *store;
static struct journal *journal;
static struct turn_runner *emptier; /* of whoever replaces the data set: one thread at a time */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards last_read */
static struct data_set_figures last_read;

void data_set_open(struct store *the_store, struct journal *the_journal)
{
    store = the_store;
    journal = the_journal;
    emptier = turn_runner_create();
}

struct data_set_figures data_set_last_read(void)
{
    pthread_mutex_lock(&mutex);
    struct data_set_figures figures = last_read;
    pthread_mutex_unlock(&mutex);
    return figures;
}

/* ---- Reading ---- */

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
    last_read = (struct data_set_figures){ .keys = result->keys, .expired = result->expired };
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

bool data_set_read_aof(struct aof *aof, bool *found, struct error *error)
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

bool data_set_read_rdb(const char *path, bool keep_expired, bool replace, struct error *error)
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

/* ---- Emptying ---- */

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

void data_set_empty(void)
{
    for (unsigned database = 0; database < store_databases(store); database++) {
        for (unsigned number = 0; number < SLOT_COUNT; number++)
            empty_slot(store_slot(store, database, number));
    }
    tracking_flush(NULL);
    registry_flush(NULL, NULL);
}
