/* A rewrite replaces all files by a new base, the state at one offset of the journal, and the
 * increment that begins at that offset.
 *
 *     begin    (barrier)         notes the offset
 *     switch   (writer's thread) fsyncs the old increment, makes the new one, writes a manifest
 * with both: from here on what is appended lies in the new one finish   (snapshot's)      gives the
 * base its name, writes a manifest with only the new base and the new increment, deletes the others
 *
 * A crash before the last manifest leaves old base and all increments, which together are the
 * same state. In the first rewrite after the AOF was turned on there is no old set that could go
 * on: the new increment has a temporary name until the last step. */
#include "server/journal/aof_state.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { BACKOFF_MS = 60 * 1000, BACKOFF_MAX_MS = 60 * 60 * 1000, BACKOFF_DOUBLINGS = 6 };

bool aof_rewrite_begin(struct aof *aof, int64_t offset, struct error *error)
{
    bool good = false;
    pthread_mutex_lock(&aof->mutex);
    if (!atomic_load(&aof->on) || aof->stop) {
        error_set(error, "the AOF is off; turn it on with CONFIG SET appendonly yes");
    } else if (aof->rewrite != AOF_REWRITE_NONE) {
        error_set(error, "an AOF rewrite is under way already; wait for its end");
    } else if (offset != journal_offset(aof->journal)) {
        error_set(error, "an AOF rewrite must begin at the journal's offset %lld, not at %lld",
            (long long)journal_offset(aof->journal), (long long)offset);
    } else {
        good = true;
        if (!atomic_load(&aof->attached)) {
            aof_writer_attach(aof);
        } else {
            journal_forget_db(aof->journal);
        }
        aof->rewrite = AOF_REWRITE_REQUESTED;
        aof->rewrite_offset = offset;
        aof->rewrite_since = aof_now_ms();
        aof->woken = true;
        pthread_cond_signal(&aof->wake);
    }
    pthread_mutex_unlock(&aof->mutex);
    return good;
}

const char *aof_rewrite_path(const struct aof *aof)
{
    return aof->files.base_path;
}

static void set_state(struct aof *aof, enum aof_rewrite_state state)
{
    pthread_mutex_lock(&aof->mutex);
    aof->rewrite = state;
    pthread_cond_broadcast(&aof->progress);
    pthread_mutex_unlock(&aof->mutex);
}

static bool has_state(struct aof *aof, enum aof_rewrite_state state)
{
    pthread_mutex_lock(&aof->mutex);
    bool has = aof->rewrite == state;
    pthread_mutex_unlock(&aof->mutex);
    return has;
}

/* Whether the old increment has all that belongs to it. files_mutex is held. */
static bool switch_is_due(struct aof *aof)
{
    pthread_mutex_lock(&aof->mutex);
    bool due = aof->rewrite == AOF_REWRITE_REQUESTED &&
               journal_reader_offset(aof->writer.reader) == aof->rewrite_offset;
    pthread_mutex_unlock(&aof->mutex);
    return due;
}

/* Puts the new increment into the manifest on disk. Negative: it failed, errno tells. */
static int name_increment(struct aof *aof, struct aof_manifest *next)
{
    struct error error;
    enum aof_write_result result = aof_files_write(&aof->files, next, &error);
    if (result == AOF_MANIFEST_KEPT) {
        return -1;
    }
    aof_manifest_free(&aof->manifest);
    aof->manifest = *next;
    *next = (struct aof_manifest){ 0 };
    return result == AOF_MANIFEST_WRITTEN ? 0 : -1;
}

/* Makes the new increment and, unless it is the first rewrite, its line in the manifest. Returns
 * its descriptor; negative: failed, errno tells. */
static int make_increment(struct aof *aof)
{
    bool first = atomic_load(&aof->first_rewrite);
    struct aof_manifest next;
    aof_manifest_copy(&next, &aof->manifest);
    const struct aof_file *file =
        first ? NULL : aof_manifest_add_increment(&next, aof->files.filename);
    const char *name = first ? aof->files.temporary_increment : file->name;
    int64_t seq = first ? 0 : file->seq;
    int fd = openat(aof->files.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0 && !first && name_increment(aof, &next) != 0) {
        int saved = errno;
        close(fd);
        fd = -1;
        errno = saved;
    }
    if (fd >= 0) {
        aof->switched_seq = seq;
        aof->doubts_at_switch = atomic_load(&aof->doubts);
    }
    int saved = errno;
    aof_manifest_free(&next);
    errno = saved;
    return fd;
}

static bool do_switch(struct aof *aof)
{
    struct aof_writer *writer = &aof->writer;
    if (writer->fd >= 0 && !aof_writer_sync(aof)) {
        return false;
    }
    int fd = make_increment(aof);
    if (fd < 0) {
        aof_writer_fail(aof, &writer->write_error, errno, "begin a new increment of");
        return false;
    }
    int64_t offset = journal_reader_offset(writer->reader);
    if (writer->fd >= 0) {
        close(writer->fd);
        atomic_fetch_add(&aof->other_size, atomic_load(&aof->file_size));
    }
    writer->fd = fd;
    writer->shift = offset;
    aof_notes_forget(writer);
    writer->boundary = offset;
    atomic_store(&aof->file_size, 0);
    set_state(aof, AOF_REWRITE_SWITCHED);
    aof_writer_succeed(aof, &writer->write_error);
    return true;
}

bool aof_rewrite_switch(struct aof *aof)
{
    if (!has_state(aof, AOF_REWRITE_REQUESTED)) {
        return false;
    }
    pthread_mutex_lock(&aof->files_mutex);
    bool switched = switch_is_due(aof) && do_switch(aof);
    pthread_mutex_unlock(&aof->files_mutex);
    return switched;
}

void aof_rewrite_discard(struct aof *aof)
{
    if (!has_state(aof, AOF_REWRITE_DISCARD)) {
        return;
    }
    int64_t offset;
    int unimportant;
    (void)aof_sync_take(&aof->writer.sync, true, &offset, &unimportant); /* the file goes away */
    atomic_store(&aof->fsync_pending, false);
    aof_writer_detach(aof);
    pthread_mutex_lock(&aof->files_mutex);
    unlinkat(aof->files.fd, aof->files.temporary_increment, 0);
    pthread_mutex_unlock(&aof->files_mutex);
    set_state(aof, AOF_REWRITE_NONE);
}

/* What finish is about to put in place. */
struct replacement {
    struct aof_manifest manifest;
    char base[AOF_NAME_MAX + 1];
    char increment[AOF_NAME_MAX + 1]; /* empty: it has its name already */
    int64_t base_size;
};

static void plan(struct aof *aof, struct replacement *next)
{
    const char *prefix = aof->files.filename;
    int64_t seq = aof->switched_seq;
    aof_manifest_copy(&next->manifest, &aof->manifest);
    snprintf(next->base, sizeof next->base, "%s",
        aof_manifest_add_base(&next->manifest, prefix, atomic_load(&aof->rdb_base))->name);
    next->increment[0] = '\0';
    if (atomic_load(&aof->first_rewrite)) {
        const struct aof_file *file = aof_manifest_add_increment(&next->manifest, prefix);
        snprintf(next->increment, sizeof next->increment, "%s", file->name);
        seq = file->seq;
    }
    aof_manifest_retire_increments(&next->manifest, seq);
}

/* fsyncs the base that the snapshot wrote, and the new increment's name goes to disk with it. */
static bool sync_base(struct aof *aof, struct replacement *next, struct error *error)
{
    const char *name = aof->files.temporary_base;
    int fd = openat(aof->files.fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return aof_files_error(&aof->files, name, "can't open the new base", error);
    }
    bool good = fsync(fd) == 0 || aof_files_error(&aof->files, name, "can't fsync", error);
    close(fd);
    next->base_size = aof_files_size(&aof->files, name);
    return good;
}

static bool rename_file(struct aof *aof, const char *from, const char *to, struct error *error)
{
    return renameat(aof->files.fd, from, aof->files.fd, to) == 0 ||
           aof_files_error(&aof->files, from, "can't rename it", error);
}

/* Gives base and increment their names, then writes the manifest. */
static bool replace(struct aof *aof, struct replacement *next, struct error *error)
{
    struct aof_files *files = &aof->files;
    bool first = next->increment[0] != '\0';
    if (!sync_base(aof, next, error) ||
        !rename_file(aof, files->temporary_base, next->base, error)) {
        return false;
    }
    if (!first || rename_file(aof, files->temporary_increment, next->increment, error)) {
        bool synced = fsync(files->fd) == 0 ||
                      aof_files_error(files, next->base, "can't fsync its directory", error);
        if (synced && aof_files_write(files, &next->manifest, error) != AOF_MANIFEST_KEPT) {
            return true;
        }
        if (first) {
            rename_file(aof, next->increment, files->temporary_increment, NULL);
        }
    }
    unlinkat(files->fd, next->base, 0);
    return false;
}

/* The files are those of the new set: accounts for it and deletes the old ones. */
static void settle(struct aof *aof, struct replacement *next)
{
    aof_manifest_free(&aof->manifest);
    aof->manifest = next->manifest;
    next->manifest = (struct aof_manifest){ 0 };
    atomic_store(&aof->base_size, next->base_size);
    atomic_store(&aof->other_size, next->base_size);
    atomic_store(&aof->settled_doubts, aof->doubts_at_switch);
    pthread_mutex_lock(&aof->mutex);
    if (atomic_load(&aof->first_rewrite)) {
        atomic_store(&aof->first_rewrite, false);
        gate_follower_set(aof->synced, atomic_load(&aof->synced_offset));
    }
    pthread_mutex_unlock(&aof->mutex);
    aof_files_delete_history(&aof->files, &aof->manifest);
}

/* Waits for the switch; true: the state is FINISHING now, and nobody else touches the rewrite. */
static bool enter_finishing(struct aof *aof, struct error *error)
{
    pthread_mutex_lock(&aof->mutex);
    while (aof->rewrite == AOF_REWRITE_REQUESTED && atomic_load(&aof->error) == 0) {
        pthread_cond_wait(&aof->progress, &aof->mutex);
    }
    bool good = aof->rewrite == AOF_REWRITE_SWITCHED;
    if (good) {
        aof->rewrite = AOF_REWRITE_FINISHING;
    } else if (aof->rewrite == AOF_REWRITE_REQUESTED) {
        error_set(error, "the AOF can't be written: %s", strerror(atomic_load(&aof->error)));
    } else {
        error_set(error, "the AOF was turned off, or the rewrite was aborted");
    }
    pthread_mutex_unlock(&aof->mutex);
    return good;
}

bool aof_rewrite_finish(struct aof *aof, struct error *error)
{
    if (!enter_finishing(aof, error)) {
        aof_rewrite_abort(aof);
        return false;
    }
    struct replacement next;
    pthread_mutex_lock(&aof->files_mutex);
    plan(aof, &next);
    bool good = replace(aof, &next, error);
    if (good) {
        settle(aof, &next);
    }
    aof_manifest_free(&next.manifest);
    pthread_mutex_unlock(&aof->files_mutex);
    if (!good) {
        set_state(aof, AOF_REWRITE_SWITCHED);
        aof_rewrite_abort(aof);
        return false;
    }
    pthread_mutex_lock(&aof->mutex);
    aof->rewrites++;
    aof->rewrite_failures = 0;
    aof->rewrite_last = (aof_now_ms() - aof->rewrite_since) / 1000;
    aof->rewrite = AOF_REWRITE_NONE;
    pthread_cond_broadcast(&aof->progress);
    pthread_mutex_unlock(&aof->mutex);
    return true;
}

/* The mutex is held. */
static void note_failure(struct aof *aof)
{
    int64_t pause = BACKOFF_MS;
    for (int i = 0; i < aof->rewrite_failures && i < BACKOFF_DOUBLINGS; i++) {
        pause *= 2;
    }
    aof->rewrite_failures++;
    aof->rewrite_not_before = aof_now_ms() + (pause < BACKOFF_MAX_MS ? pause : BACKOFF_MAX_MS);
}

void aof_rewrite_abort(struct aof *aof)
{
    pthread_mutex_lock(&aof->files_mutex); /* the writer is not in the middle of the switch */
    pthread_mutex_lock(&aof->mutex);
    bool discard = atomic_load(&aof->first_rewrite);
    if (aof->rewrite == AOF_REWRITE_REQUESTED || aof->rewrite == AOF_REWRITE_SWITCHED) {
        aof->rewrite = discard ? AOF_REWRITE_DISCARD : AOF_REWRITE_NONE;
        aof->woken = true;
        pthread_cond_signal(&aof->wake);
        note_failure(aof);
    }
    pthread_mutex_unlock(&aof->mutex);
    unlinkat(aof->files.fd, aof->files.temporary_base, 0);
    pthread_mutex_unlock(&aof->files_mutex);
    pthread_mutex_lock(&aof->mutex);
    while (aof->rewrite == AOF_REWRITE_DISCARD) {
        pthread_cond_wait(&aof->progress, &aof->mutex);
    }
    pthread_mutex_unlock(&aof->mutex);
}

bool aof_rewrite_is_due(const struct aof *aof, int percentage, int64_t min_size)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)&aof->mutex;
    pthread_mutex_lock(mutex);
    bool possible = atomic_load(&aof->on) && aof->rewrite == AOF_REWRITE_NONE &&
                    (aof->rewrite_failures == 0 || aof_now_ms() >= aof->rewrite_not_before);
    pthread_mutex_unlock(mutex);
    if (!possible) {
        return false;
    }
    if (atomic_load(&aof->first_rewrite) ||
        atomic_load(&aof->doubts) != atomic_load(&aof->settled_doubts)) {
        return true;
    }
    int64_t size = atomic_load(&aof->other_size) + atomic_load(&aof->file_size);
    int64_t base = atomic_load(&aof->base_size);
    base = base > 0 ? base : 1;
    return percentage > 0 && size >= min_size && (size - base) * 100 / base >= percentage;
}
