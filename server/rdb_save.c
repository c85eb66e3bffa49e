/* Saves are asked for by save points, SAVE and BGSAVE, and at the end; one at a time is under way,
 * made by the snapshotter, and at most one is wanted behind it. Changes are counted by the
 * executors; those since the last save are what has come since the moment of its snapshot. */
#include "server/rdb_save.h"

#include "server/clock.h"
#include "server/command/condition.h"
#include "server/command/executor.h"
#include "server/config.h"
#include "server/log.h"
#include "server/snapshot/snapshot_file.h"

#include "common/memory.h"
#include "common/number.h"
#include "common/words.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { RETRY_SECONDS = 5 /* after a save that failed */ };

static struct snapshotter *snapshotter; /* set by rdb_save_open, constant afterwards */

/* Guarded by mutex. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    bool saving, save_wanted; /* a file is being written; another one is wanted after it */
    bool last_ok;
    int64_t last_save, last_try, started; /* Unix seconds */
    int64_t last_seconds;                 /* -1: none yet */
    uint64_t saved_changes, started_changes;
    uint64_t saves;
} state = { .last_ok = true, .last_seconds = -1 };

static uint64_t changes_so_far(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < executor_count(); i++)
        sum += atomic_load_explicit(&executor_at(i)->counters.changes, memory_order_relaxed);
    return sum;
}

void rdb_save_open(struct snapshotter *the_snapshotter)
{
    snapshotter = the_snapshotter;
    state.last_save = clock_unix_ms() / 1000;
}

void rdb_save_data_loaded(void)
{
    pthread_mutex_lock(&mutex);
    state.last_save = clock_unix_ms() / 1000;
    state.saved_changes = changes_so_far();
    pthread_mutex_unlock(&mutex);
}

struct rdb_save_figures rdb_save_figures(void)
{
    int64_t now = clock_unix_ms() / 1000;
    pthread_mutex_lock(&mutex);
    struct rdb_save_figures figures = { .saving = state.saving,
        .last_ok = state.last_ok,
        .changes = changes_so_far() - state.saved_changes,
        .saves = state.saves,
        .last_save = state.last_save,
        .last_seconds = state.last_seconds,
        .current_seconds = state.saving ? now - state.started : -1 };
    pthread_mutex_unlock(&mutex);
    return figures;
}

/* ---- A save ---- */

/* A save's outcome goes to whoever asked, too. */
struct save {
    rdb_save_done_fn *done;
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
        rdb_save_begin(false, NULL, NULL, NULL);
}

static void save_done(void *context, const struct error *error)
{
    struct save *save = context;
    note_save(error);
    if (save->done)
        save->done(save->context, error);
    free(save);
}

bool rdb_save_begin(bool schedule, rdb_save_done_fn *done, void *context, struct error *error)
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

/* ---- Save points ---- */

/* Whether one of the save points ("seconds changes" in turn) is reached. */
static bool is_due(int64_t now)
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

void rdb_save_if_due(int64_t now)
{
    if (!is_due(now))
        return;
    log_write(LOG_NOTICE, "A save point is reached. Saving...");
    rdb_save_begin(false, NULL, NULL, NULL);
}

void rdb_save_config_changed(void)
{
    pthread_mutex_lock(&mutex);
    judge_saves();
    pthread_mutex_unlock(&mutex);
}

/* ---- The last one ---- */

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

bool rdb_save_last(bool save, bool nosave, struct error *error)
{
    if (nosave || condition_all() & CONDITION_LOADING ||
        (!save && !config_text_is_set(CONFIG_SAVE)))
        return true;
    struct waiter waiter = { .mutex = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER };
    /* A save under way is of an older state: give it up. */
    snapshotter_cancel(snapshotter, "the server is shutting down");
    while (!rdb_save_begin(false, wake_waiter, &waiter, NULL))
        usleep(1000);
    pthread_mutex_lock(&waiter.mutex);
    while (!waiter.done)
        pthread_cond_wait(&waiter.changed, &waiter.mutex);
    pthread_mutex_unlock(&waiter.mutex);
    if (!waiter.ok && error)
        *error = waiter.error;
    return waiter.ok;
}
