/* The writer follows the journal like any reader and writes what it sees into the increment, a
 * batch at a time, from the journal's own memory. Its place in the file follows from its offset in
 * the journal, so writing something once more is only a matter of standing further back.
 *
 * Two readers make that safe. `reader` stands at what is to be written next; `keeper` at what is
 * known to be on disk, and so the journal keeps the bytes between. After a failed fsync the kernel
 * may have dropped what it could not write while a second fsync succeeds: so the bytes are written
 * once more, from the keeper on. Should there be too many to keep (everysec under heavy load), the
 * file is doubtful instead, and a rewrite is due.
 *
 * A write that fails in the middle of a command is cut back to the end of the last whole one. While
 * the disk fails nothing is given up: the journal keeps the bytes, the gate stays closed, and once
 * a second it is tried again.
 *
 * Without `always` the writer rests a little after each batch, for larger ones cost less, and does
 * its fsyncs in a second thread. */
#include "server/journal/aof_state.h"
#include "server/thread.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    VIEWS = 64,                 /* of a batch: some 4 MB, but for large values */
    KEEP_MAX = 8 * 1024 * 1024, /* bytes kept in memory that are written but not fsynced */
    RETRY_MS = 1000,
    TICK_MS = 1000,
    REST_MS = 1,              /* between batches, without always */
    LARGE_BATCH = 128 * 1024, /* from which on there is no rest */
};

int64_t aof_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void aof_log(const struct aof *aof, enum aof_log_level level, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (aof->log != NULL) {
        aof->log(aof->log_context, level, line);
    }
}

void aof_writer_wake(void *context)
{
    struct aof *aof = context;
    pthread_mutex_lock(&aof->mutex);
    aof->woken = true;
    pthread_cond_signal(&aof->wake);
    pthread_mutex_unlock(&aof->mutex);
}

void aof_writer_attach(struct aof *aof)
{
    struct aof_writer *writer = &aof->writer;
    writer->reader = journal_reader_open(aof->journal, JOURNAL_NOW, aof_writer_wake, aof);
    int64_t offset = journal_reader_offset(writer->reader);
    writer->keeper = journal_reader_open(aof->journal, offset, NULL, NULL);
    writer->boundary = offset;
    atomic_store(&aof->written_offset, offset);
    atomic_store(&aof->synced_offset, offset);
    atomic_store(&aof->attached, true);
}

void aof_writer_detach(struct aof *aof)
{
    struct aof_writer *writer = &aof->writer;
    journal_reader_close(writer->reader);
    journal_reader_close(writer->keeper);
    writer->reader = writer->keeper = NULL;
    if (writer->fd >= 0) {
        close(writer->fd);
    }
    writer->fd = -1;
    writer->retry_at = 0;
    writer->write_error = writer->sync_error = 0;
    pthread_mutex_lock(&aof->mutex);
    atomic_store(&aof->error, 0);
    atomic_store(&aof->attached, false);
    pthread_mutex_unlock(&aof->mutex);
}

static void publish_error(struct aof *aof)
{
    struct aof_writer *writer = &aof->writer;
    int error = writer->write_error != 0 ? writer->write_error : writer->sync_error;
    pthread_mutex_lock(&aof->mutex);
    atomic_store(&aof->error, error);
    pthread_cond_broadcast(&aof->progress);
    pthread_mutex_unlock(&aof->mutex);
}

/* kind: one of the writer's two errors. */
void aof_writer_fail(struct aof *aof, int *kind, int error, const char *what)
{
    if (*kind != error) {
        aof_log(aof, AOF_LOG_WARNING, "can't %s the AOF: %s; trying again each second", what,
            strerror(error));
    }
    *kind = error;
    aof->writer.retry_at = aof_now_ms() + RETRY_MS;
    publish_error(aof);
}

void aof_writer_succeed(struct aof *aof, int *kind)
{
    if (*kind != 0) {
        *kind = 0;
        publish_error(aof);
        if (atomic_load(&aof->error) == 0) {
            aof->writer.retry_at = 0;
            aof_log(aof, AOF_LOG_NOTICE, "the AOF can be written again");
        }
    }
}

/* What was written is on disk up to there. */
void aof_writer_set_synced(struct aof *aof, int64_t offset)
{
    struct journal_reader *keeper = aof->writer.keeper;
    int64_t kept = journal_reader_offset(keeper);
    if (offset > kept) {
        journal_reader_advance(keeper, (size_t)(offset - kept));
    }
    aof_notes_settle(&aof->writer, offset);
    pthread_mutex_lock(&aof->mutex);
    atomic_store(&aof->synced_offset, offset);
    if (!atomic_load(&aof->first_rewrite)) {
        gate_follower_advance(aof->synced, offset);
    }
    pthread_mutex_unlock(&aof->mutex);
}

/* Lets the reader stand at an offset that the keeper keeps. */
static bool step_back(struct aof *aof, int64_t offset)
{
    struct aof_writer *writer = &aof->writer;
    struct journal_reader *back = journal_reader_open(aof->journal, offset, aof_writer_wake, aof);
    if (back == NULL) {
        return false;
    }
    journal_reader_close(writer->reader);
    writer->reader = back;
    writer->boundary = writer->boundary < offset ? writer->boundary : offset;
    if (aof_notes_take_back(writer, offset) &&
        ftruncate(writer->fd, offset - writer->shift) != 0) {
        atomic_fetch_add(&aof->doubts, 1);
    }
    atomic_store(&aof->written_offset, offset);
    atomic_store(&aof->file_size, offset - writer->shift);
    return true;
}

static void sync_failed(struct aof *aof, int error)
{
    struct aof_writer *writer = &aof->writer;
    int64_t kept = journal_reader_offset(writer->keeper);
    aof_writer_fail(aof, &writer->sync_error, error, "fsync");
    if (kept > atomic_load(&aof->synced_offset)) {
        atomic_fetch_add(&aof->doubts, 1);
    }
    step_back(aof, kept);
}

/* Takes the result of the fsync thread, if there is one. False: the fsync failed, and the reader
 * has stepped back. */
static bool collect_sync(struct aof *aof, bool wait)
{
    struct aof_writer *writer = &aof->writer;
    int64_t offset;
    int error;
    if (!aof_sync_take(&writer->sync, wait, &offset, &error)) {
        return true;
    }
    atomic_store(&aof->fsync_pending, false);
    if (error != 0) {
        sync_failed(aof, error);
        return false;
    }
    aof_writer_set_synced(aof, offset);
    aof_writer_succeed(aof, &writer->sync_error);
    return true;
}

static bool is_dirty(const struct aof *aof)
{
    return journal_reader_offset(aof->writer.reader) > atomic_load(&aof->synced_offset);
}

bool aof_writer_sync(struct aof *aof)
{
    struct aof_writer *writer = &aof->writer;
    if (!collect_sync(aof, true)) {
        return false;
    }
    if (!is_dirty(aof)) {
        return true;
    }
    if (fdatasync(writer->fd) != 0) {
        sync_failed(aof, errno);
        return false;
    }
    aof_writer_set_synced(aof, journal_reader_offset(writer->reader));
    aof_writer_succeed(aof, &writer->sync_error);
    return true;
}

static void write_failed(struct aof *aof, int error)
{
    struct aof_writer *writer = &aof->writer;
    int64_t end = journal_reader_offset(writer->reader);
    if (end > writer->boundary && writer->boundary >= journal_reader_offset(writer->keeper) &&
        ftruncate(writer->fd, writer->boundary - writer->shift) == 0) {
        step_back(aof, writer->boundary);
    }
    aof_writer_fail(aof, &writer->write_error, error, "write");
}

/* Lets the keeper go where too much would be kept. */
static void bound_kept(struct aof *aof)
{
    struct aof_writer *writer = &aof->writer;
    int64_t too_much =
        journal_reader_offset(writer->reader) - journal_reader_offset(writer->keeper) - KEEP_MAX;
    if (too_much > 0 && atomic_load(&aof->policy) != AOF_FSYNC_ALWAYS) {
        journal_reader_advance(writer->keeper, (size_t)too_much);
        aof_notes_settle(writer, journal_reader_offset(writer->keeper));
    }
}

/* Moves over what a pwritev has taken. */
static void moved(struct aof *aof, struct iovec **views, size_t *count, size_t len)
{
    struct aof_writer *writer = &aof->writer;
    journal_reader_advance(writer->reader, len);
    int64_t offset = journal_reader_offset(writer->reader);
    atomic_store(&aof->written_offset, offset);
    atomic_store(&aof->file_size, offset - writer->shift);
    while (*count > 0 && len >= (*views)->iov_len) {
        len -= (*views)->iov_len;
        (*views)++;
        (*count)--;
    }
    if (*count > 0) {
        (*views)->iov_base = (char *)(*views)->iov_base + len;
        (*views)->iov_len -= len;
    }
}

static bool write_views(struct aof *aof, struct iovec *views, size_t count)
{
    struct aof_writer *writer = &aof->writer;
    while (count > 0) {
        int64_t place = journal_reader_offset(writer->reader) - writer->shift;
        ssize_t written = pwritev(writer->fd, views, (int)count, place);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            write_failed(aof, written < 0 ? errno : ENOSPC);
            return false;
        }
        moved(aof, &views, &count, (size_t)written);
    }
    return true;
}

/* Where the old increment ends; INT64_MAX: it goes on. */
static int64_t end_of_increment(struct aof *aof)
{
    pthread_mutex_lock(&aof->mutex);
    int64_t end = aof->rewrite == AOF_REWRITE_REQUESTED ? aof->rewrite_offset : INT64_MAX;
    pthread_mutex_unlock(&aof->mutex);
    return end;
}

/* Leaves `room` bytes in the views. */
static size_t limit_views(struct iovec *views, size_t count, int64_t room)
{
    for (size_t i = 0; i < count; i++) {
        if (room <= (int64_t)views[i].iov_len) {
            views[i].iov_len = (size_t)room;
            return room > 0 ? i + 1 : i;
        }
        room -= (int64_t)views[i].iov_len;
    }
    return count;
}

/* Writes what there is, but for a bound. Returns the bytes written; 0: there was nothing, or it
 * failed. */
static size_t write_batch(struct aof *aof)
{
    struct aof_writer *writer = &aof->writer;
    struct iovec views[VIEWS];
    int64_t start = journal_reader_offset(writer->reader);
    size_t count = journal_reader_peek(writer->reader, views, VIEWS);
    bool whole = count < VIEWS;
    count = limit_views(views, count, end_of_increment(aof) - start);
    if (count == 0) {
        return 0;
    }
    if (!aof_notes_write(aof)) {
        aof_writer_fail(aof, &writer->write_error, errno, "write");
        return 0;
    }
    if (!write_views(aof, views, count)) {
        return 0;
    }
    int64_t end = journal_reader_offset(writer->reader);
    if (whole) {
        writer->boundary = end;
    }
    aof_writer_succeed(aof, &writer->write_error);
    if (atomic_load(&aof->policy) == AOF_FSYNC_ALWAYS) {
        aof_writer_sync(aof);
    }
    bound_kept(aof);
    return (size_t)(end - start);
}

/* Once a second. */
static void tick(struct aof *aof)
{
    struct aof_writer *writer = &aof->writer;
    enum aof_policy policy = (enum aof_policy)atomic_load(&aof->policy);
    bool flush = atomic_load(&aof->flush_ticks) > 0;
    if (flush) {
        atomic_fetch_sub(&aof->flush_ticks, 1);
    }
    if (writer->fd < 0 || !is_dirty(aof)) {
        return;
    }
    if (policy == AOF_FSYNC_NO && !flush && writer->sync_error == 0) {
        return;
    }
    if (!aof_sync_is_idle(&writer->sync)) {
        atomic_fetch_add(&aof->delayed_fsyncs, 1);
        return;
    }
    atomic_store(&aof->fsync_pending, true);
    aof_sync_start(&writer->sync, writer->fd, journal_reader_offset(writer->reader));
}

static bool is_attached(const struct aof *aof)
{
    return atomic_load(&aof->attached);
}

static bool is_cut(struct aof *aof)
{
    struct aof_writer *writer = &aof->writer;
    if (!journal_reader_is_cut(writer->reader)) {
        return false;
    }
    if (writer->write_error != ESTALE) {
        atomic_fetch_add(&aof->doubts, 1);
        aof_writer_fail(aof, &writer->write_error, ESTALE, "follow the journal into");
    }
    return true;
}

/* Does what there is to do; true: go on at once, there may be more. */
static bool step(struct aof *aof, int64_t now, size_t *batch)
{
    struct aof_writer *writer = &aof->writer;
    *batch = 0;
    aof_rewrite_discard(aof);
    if (!is_attached(aof) || is_cut(aof)) {
        return false;
    }
    collect_sync(aof, false);
    if (now >= writer->tick_at) {
        writer->tick_at = now + TICK_MS;
        tick(aof);
    }
    if (now < writer->retry_at) {
        return false;
    }
    bool switched = aof_rewrite_switch(aof);
    if (writer->fd >= 0) {
        *batch = write_batch(aof);
    }
    return switched || *batch > 0;
}

/* Waits until `until`, or less: a stop, a request or (unless `rest`) bytes that came. */
static void sleep_until(struct aof *aof, int64_t until, bool rest)
{
    pthread_mutex_lock(&aof->mutex);
    bool stop = aof->stop;
    until = stop && aof->stop_deadline < until ? aof->stop_deadline : until;
    struct timespec at = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };
    int failed = 0;
    while (failed == 0 && aof->stop == stop && (rest || !aof->woken)) {
        failed = pthread_cond_timedwait(&aof->wake, &aof->mutex, &at);
    }
    aof->woken = false;
    pthread_mutex_unlock(&aof->mutex);
}

/* Nothing to do: until bytes come, or the next tick or retry. */
static void rest_until_woken(struct aof *aof, int64_t now)
{
    struct aof_writer *writer = &aof->writer;
    int64_t until = writer->tick_at > now ? writer->tick_at : now + TICK_MS;
    if (now < writer->retry_at) {
        until = writer->retry_at < until ? writer->retry_at : until;
    } else if (is_attached(aof) && !journal_reader_wait(writer->reader) && writer->fd >= 0 &&
               !journal_reader_is_cut(writer->reader) &&
               journal_reader_offset(writer->reader) < end_of_increment(aof)) {
        return;
    }
    sleep_until(aof, until, false);
}

/* Whether the writer has been told to stop and has done what is left, or has no more time for it.
 */
static bool is_finished(struct aof *aof, int64_t now)
{
    pthread_mutex_lock(&aof->mutex);
    bool stop = aof->stop;
    int64_t deadline = aof->stop_deadline, offset = aof->stop_offset;
    pthread_mutex_unlock(&aof->mutex);
    struct aof_writer *writer = &aof->writer;
    if (!stop) {
        return false;
    }
    if (!is_attached(aof) || writer->fd < 0 || journal_reader_is_cut(writer->reader)) {
        return true;
    }
    bool written = journal_reader_offset(writer->reader) >= offset;
    if (written && now >= writer->retry_at && aof_writer_sync(aof)) {
        return true;
    }
    if (now < deadline) {
        return false;
    }
    pthread_mutex_lock(&aof->mutex);
    aof->lost_on_stop = true;
    pthread_mutex_unlock(&aof->mutex);
    return true;
}

void *aof_writer_run(void *context)
{
    struct aof *aof = context;
    thread_enter("aof-writer", THREAD_SERVER);
    int64_t now = aof_now_ms();
    aof->writer.tick_at = now + TICK_MS;
    while (!is_finished(aof, now)) {
        size_t batch;
        bool more = step(aof, now, &batch);
        if (!more) {
            rest_until_woken(aof, now);
        } else if (batch < LARGE_BATCH && atomic_load(&aof->policy) != AOF_FSYNC_ALWAYS) {
            sleep_until(aof, now + REST_MS, true);
        }
        now = aof_now_ms();
    }
    return NULL;
}
