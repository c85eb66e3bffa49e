/* The AOF as a whole: it is made, turned on and off, and asked. Loading, writing and rewriting have
 * files of their own. */
#include "common/memory.h"
#include "server/journal/aof_state.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FLUSH_TICKS = 3 };

struct aof *aof_create(
    const struct aof_options *options, struct journal *journal, struct error *error)
{
    struct aof *aof = memory_alloc_zeroed(1, sizeof *aof);
    if (!aof_files_open(&aof->files, options->dir, options->dirname, options->filename, error)) {
        free(aof);
        return NULL;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&aof->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_cond_init(&aof->progress, NULL);
    pthread_mutex_init(&aof->mutex, NULL);
    pthread_mutex_init(&aof->files_mutex, NULL);
    aof->journal = journal;
    aof->gate = gate_create();
    aof->synced = gate_follower_add(aof->gate, GATE_OPEN);
    aof->log = options->log;
    aof->log_context = options->log_context;
    aof->writer.fd = -1;
    aof->rewrite_last = -1;
    aof_set_policy(aof, options->policy);
    aof_set_load_truncated(aof, options->load_truncated);
    aof_set_timestamps(aof, options->timestamps);
    aof_set_rdb_base(aof, options->rdb_base);
    return aof;
}

void aof_destroy(struct aof *aof)
{
    if (aof == NULL) {
        return;
    }
    gate_follower_remove(aof->synced);
    gate_destroy(aof->gate);
    aof_manifest_free(&aof->manifest);
    aof_files_close(&aof->files);
    pthread_cond_destroy(&aof->wake);
    pthread_cond_destroy(&aof->progress);
    pthread_mutex_destroy(&aof->mutex);
    pthread_mutex_destroy(&aof->files_mutex);
    free(aof);
}

bool aof_read_manifest(struct aof *aof, struct error *error)
{
    if (!aof->manifest_read) {
        aof->manifest_read = aof_files_read(&aof->files, &aof->manifest, error);
    }
    return aof->manifest_read;
}

/* Sees to it that there are a base and an increment, in files and manifest. */
static bool complete_set(struct aof *aof, struct error *error)
{
    struct aof_manifest next;
    aof_manifest_copy(&next, &aof->manifest);
    bool good = true, changed = false, rdb = atomic_load(&aof->rdb_base);
    if (next.count == 0) {
        const struct aof_file *file = aof_manifest_add_base(&next, aof->files.filename, rdb);
        good = aof_files_make_empty(&aof->files, file->name, rdb, error);
        int64_t size = aof_files_size(&aof->files, file->name);
        atomic_store(&aof->base_size, size);
        atomic_store(&aof->other_size, size);
        changed = true;
    }
    if (good && aof_manifest_last_increment(&next) == NULL) {
        const char *name = aof_manifest_add_increment(&next, aof->files.filename)->name;
        good = aof_files_make_empty(&aof->files, name, false, error);
        changed = true;
    }
    if (good && changed) {
        good = aof_files_write(&aof->files, &next, error) == AOF_MANIFEST_WRITTEN;
    }
    if (!good) {
        aof_manifest_free(&next);
        return false;
    }
    aof_manifest_free(&aof->manifest);
    aof->manifest = next;
    return true;
}

/* Opens the last increment to go on behind its end. */
static bool open_increment(struct aof *aof, struct error *error)
{
    if (!aof_files_enter(&aof->files, true, error) || !aof_read_manifest(aof, error) ||
        !complete_set(aof, error)) {
        return false;
    }
    const char *name = aof_manifest_last_increment(&aof->manifest)->name;
    aof->writer.fd = openat(aof->files.fd, name, O_WRONLY | O_CLOEXEC);
    return aof->writer.fd >= 0 || aof_files_error(&aof->files, name, "can't open it", error);
}

static bool start_threads(struct aof *aof, struct error *error)
{
    sigset_t all, before;
    pthread_mutex_lock(&aof->mutex); /* INFO may be looking */
    aof->stop = aof->lost_on_stop = aof->woken = false;
    aof->rewrite = AOF_REWRITE_NONE;
    aof->rewrite_failures = 0;
    pthread_mutex_unlock(&aof->mutex);
    if (!aof_sync_open(&aof->writer.sync, aof_writer_wake, aof)) {
        return error_set(error, "can't start a thread for the AOF: %s", strerror(errno));
    }
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&aof->thread, NULL, aof_writer_run, aof);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        aof_sync_close(&aof->writer.sync);
        return error_set(error, "can't start a thread for the AOF: %s", strerror(failed));
    }
    atomic_store(&aof->on, true);
    return true;
}

bool aof_start(struct aof *aof, struct error *error)
{
    pthread_mutex_lock(&aof->files_mutex);
    bool good = open_increment(aof, error);
    pthread_mutex_unlock(&aof->files_mutex);
    if (!good) {
        return false;
    }
    aof_writer_attach(aof);
    struct stat status = { 0 };
    (void)fstat(aof->writer.fd, &status); /* an open regular file: cannot fail */
    int64_t offset = atomic_load(&aof->written_offset);
    aof->writer.shift = offset - status.st_size;
    aof_notes_forget(&aof->writer);
    atomic_store(&aof->file_size, status.st_size);
    int64_t others = atomic_load(&aof->other_size) - status.st_size;
    atomic_store(&aof->other_size, others > 0 ? others : 0);
    atomic_store(&aof->first_rewrite, false);
    gate_follower_set(aof->synced, offset);
    if (!start_threads(aof, error)) {
        aof_writer_detach(aof);
        gate_follower_set(aof->synced, GATE_OPEN);
        return false;
    }
    return true;
}

bool aof_start_with_rewrite(struct aof *aof, struct error *error)
{
    pthread_mutex_lock(&aof->files_mutex);
    bool good = aof_files_enter(&aof->files, true, error) && aof_read_manifest(aof, error);
    if (good) {
        aof_files_delete_temporary(&aof->files);
    }
    pthread_mutex_unlock(&aof->files_mutex);
    if (!good) {
        return false;
    }
    atomic_store(&aof->first_rewrite, true);
    atomic_store(&aof->file_size, 0);
    atomic_store(&aof->other_size, 0);
    atomic_store(&aof->base_size, 0);
    return start_threads(aof, error);
}

/* Tells the writer to stop when it has written all there is now. */
static void request_stop(struct aof *aof, int limit_ms)
{
    pthread_mutex_lock(&aof->mutex);
    while (aof->rewrite == AOF_REWRITE_FINISHING || aof->rewrite == AOF_REWRITE_DISCARD) {
        pthread_cond_wait(&aof->progress, &aof->mutex);
    }
    aof->rewrite = AOF_REWRITE_NONE;
    aof->stop = true;
    aof->stop_offset = journal_offset(aof->journal);
    aof->stop_deadline = aof_now_ms() + limit_ms;
    pthread_cond_broadcast(&aof->progress);
    pthread_cond_signal(&aof->wake);
    pthread_mutex_unlock(&aof->mutex);
}

bool aof_stop(struct aof *aof, int limit_ms, struct error *error)
{
    if (!aof_is_on(aof)) {
        return true;
    }
    request_stop(aof, limit_ms);
    pthread_join(aof->thread, NULL);
    aof_sync_close(&aof->writer.sync);
    int failure = aof_errno(aof);
    aof_writer_detach(aof);
    atomic_store(&aof->on, false);
    atomic_store(&aof->first_rewrite, false);
    atomic_store(&aof->fsync_pending, false);
    gate_follower_set(aof->synced, GATE_OPEN);
    pthread_mutex_lock(&aof->files_mutex);
    aof_files_delete_temporary(&aof->files);
    pthread_mutex_unlock(&aof->files_mutex);
    if (aof->lost_on_stop) {
        return error_set(error, "the AOF lacks the last writes, for the disk failed: %s",
            failure != 0 ? strerror(failure) : "there was not time enough");
    }
    return true;
}

bool aof_is_on(const struct aof *aof)
{
    return atomic_load_explicit(&aof->on, memory_order_relaxed);
}

/* A reply that was held under always is released under a policy without fsyncs too: these go on for
 * as long as a worker may have taken to see the change. */
void aof_set_policy(struct aof *aof, enum aof_policy policy)
{
    atomic_store(&aof->policy, (int)policy);
    atomic_store(&aof->flush_ticks, FLUSH_TICKS);
}

void aof_set_timestamps(struct aof *aof, bool timestamps)
{
    atomic_store(&aof->timestamps, timestamps);
}

void aof_set_load_truncated(struct aof *aof, bool load_truncated)
{
    atomic_store(&aof->load_truncated, load_truncated);
}

void aof_set_rdb_base(struct aof *aof, bool rdb_base)
{
    atomic_store(&aof->rdb_base, rdb_base);
}

bool aof_holds_replies(const struct aof *aof)
{
    return atomic_load_explicit(&aof->policy, memory_order_relaxed) == AOF_FSYNC_ALWAYS &&
           aof_is_on(aof) && !atomic_load_explicit(&aof->first_rewrite, memory_order_relaxed);
}

struct gate *aof_gate(const struct aof *aof)
{
    return aof->gate;
}

int64_t aof_synced_offset(const struct aof *aof)
{
    if (!aof_is_on(aof) || atomic_load_explicit(&aof->first_rewrite, memory_order_acquire))
        return -1;
    return atomic_load(&aof->synced_offset);
}

int aof_errno(const struct aof *aof)
{
    return atomic_load_explicit(&aof->error, memory_order_relaxed);
}

int64_t aof_lag(const struct aof *aof)
{
    if (!aof_is_on(aof) || !atomic_load_explicit(&aof->attached, memory_order_acquire)) {
        return 0;
    }
    int64_t written = atomic_load_explicit(&aof->written_offset, memory_order_relaxed);
    int64_t lag = journal_offset(aof->journal) - written;
    return lag > 0 ? lag : 0;
}

void aof_info(const struct aof *aof, struct aof_info *info)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)&aof->mutex;
    bool on = aof_is_on(aof);
    pthread_mutex_lock(mutex);
    bool rewriting = aof->rewrite != AOF_REWRITE_NONE;
    *info = (struct aof_info){
        .on = on,
        .rewrite_in_progress = rewriting,
        .rewrite_scheduled_first = on && !rewriting && atomic_load(&aof->first_rewrite),
        .last_rewrite_ok = aof->rewrite_failures == 0,
        .last_write_ok = aof_errno(aof) == 0,
        .current_size = on ? atomic_load(&aof->other_size) + atomic_load(&aof->file_size) : 0,
        .base_size = on ? atomic_load(&aof->base_size) : 0,
        .pending_fsyncs = atomic_load(&aof->fsync_pending),
        .delayed_fsyncs = atomic_load(&aof->delayed_fsyncs),
        .last_rewrite_seconds = aof->rewrite_last,
        .current_rewrite_seconds = rewriting ? (aof_now_ms() - aof->rewrite_since) / 1000 : -1,
        .rewrites = aof->rewrites,
        .rewrite_failures = aof->rewrite_failures,
        .written_offset = atomic_load(&aof->written_offset),
        .synced_offset = atomic_load(&aof->synced_offset),
        .buffer_length = aof_lag(aof),
    };
    pthread_mutex_unlock(mutex);
}
