/* Loading reads each file once, front to back, through a window of memory that grows only to the
 * largest command. What is wrong in a file is one of two things. Where the last command of the last
 * file is not whole, the machine stopped while it was written: nobody was told that it was done,
 * and it can be cut off. Everything else is damage, and a person has to decide.
 *
 * A damaged length can make a command look as if it went on behind the end of the file. Cutting
 * there would throw away all that follows; so what is to be cut off is searched for whole commands
 * that run to the end of the file, and where there are some it is damage after all.
 *
 * A transaction is read twice: once to see that its EXEC is there, then to apply it. */
#include "common/resp.h"
#include "server/journal/aof_state.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WINDOW = 256 * 1024,
    ANNOTATION_MAX = 1024,
    PROGRESS_EVERY = 1024 * 1024,
    RESYNC_TRIES = 4096,
};
static const int64_t BULK_MAX = INT64_C(4) * 1024 * 1024 * 1024;

/* One file on its way in. */
struct input {
    struct aof *aof;
    const struct aof_loader *loader;
    struct aof_load_result *result;
    const char *name;
    int fd;
    int64_t size;
    int64_t offset;     /* in the file, of the window's first byte that is not used up */
    struct buffer data; /* the window */
    size_t used;        /* bytes of it that are */
    struct resp_reader reader;
    int64_t base_done, total; /* for progress: bytes of earlier files, of all */
    int64_t reported;
};

enum outcome { COMMAND, END, TRUNCATED, FAILED };

static bool damaged(const struct input *in, struct error *error, const char *what)
{
    return error_set(error,
        "%s/%s is damaged at offset %lld: %s. Make a copy of the file, then try "
        "redis-check-aof --fix on it, or restore it from a backup",
        in->aof->files.dirname, in->name, (long long)in->offset, what);
}

/* Reads more behind what the window holds; false at the end of the file, or with error. */
static bool fill(struct input *in, bool *failed, struct error *error)
{
    if (in->used > 0) {
        buffer_consume(&in->data, in->used);
        in->used = 0;
    }
    size_t want = resp_reader_missing(&in->reader, in->data.len);
    int64_t left = in->size - in->offset - (int64_t)in->data.len;
    want = want < WINDOW ? WINDOW : want;
    want = left < (int64_t)want ? (size_t)(left > 0 ? left : 1) : want;
    buffer_reserve(&in->data, want);
    ssize_t count;
    do {
        count =
            pread(in->fd, in->data.data + in->data.len, want, in->offset + (int64_t)in->data.len);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        *failed = true;
        return aof_files_error(&in->aof->files, in->name, "can't read", error);
    }
    in->data.len += (size_t)count;
    return count > 0;
}

static void consume(struct input *in, size_t len)
{
    in->used += len;
    in->offset += (int64_t)len;
}

/* Each argument must be followed by CR LF, which a length that is wrong by little would miss. */
static bool ends_are_right(const struct resp_reader *reader)
{
    for (size_t i = 0; i < reader->argc; i++) {
        const char *end = reader->argv[i].data + reader->argv[i].len;
        if (end[0] != '\r' || end[1] != '\n') {
            return false;
        }
    }
    return true;
}

/* A line like #TS:1700000000. RESP_MORE: its end is not here. */
static enum resp_status skip_annotation(struct input *in, const char *data, size_t len)
{
    const char *end = memchr(data, '\n', len);
    if (end == NULL) {
        return len > ANNOTATION_MAX ? RESP_ERROR : RESP_MORE;
    }
    consume(in, (size_t)(end - data) + 1);
    return RESP_OK;
}

/* The next command, in in->reader; it is used up (in->offset is behind it). */
static enum outcome next_command(struct input *in, struct error *error)
{
    for (;;) {
        const char *data = in->data.data + in->used;
        size_t len = in->data.len - in->used, taken = 0;
        enum resp_status status = RESP_MORE;
        if (len > 0 && data[0] == '#') {
            status = skip_annotation(in, data, len);
            if (status == RESP_OK) {
                continue;
            }
        } else if (len > 0 && data[0] == '*') {
            status = resp_read(&in->reader, data, len, &taken);
        } else if (len > 0) {
            status = RESP_ERROR;
        }
        if (status == RESP_OK) {
            if (in->reader.argc == 0 || !ends_are_right(&in->reader)) {
                damaged(in, error, "this is no whole command");
                return FAILED;
            }
            consume(in, taken);
            return COMMAND;
        }
        if (status == RESP_ERROR) {
            damaged(in, error,
                in->reader.error[0] != '\0' ? in->reader.error : "here a command should begin");
            return FAILED;
        }
        bool failed = false;
        if (!fill(in, &failed, error)) {
            return failed ? FAILED : len == 0 ? END : TRUNCATED;
        }
    }
}

/* Goes to another place in the file. */
static void seek(struct input *in, int64_t offset)
{
    in->offset = offset;
    in->data.len = in->used = 0;
    resp_reader_free(&in->reader);
    in->reader = (struct resp_reader){ .authenticated = true, .bulk_max = BULK_MAX };
}

static void report(struct input *in, bool force)
{
    int64_t done = in->base_done + in->offset;
    if (in->loader->progress != NULL && (force || done - in->reported >= PROGRESS_EVERY)) {
        in->reported = done;
        in->loader->progress(in->loader->context, done, in->total);
    }
}

/* What a replica's journal holds of its primary's stream that is no data. */
static bool is_of_the_stream(struct bytes name)
{
    return bytes_is(name, "ping") || bytes_is(name, "replconf");
}

static bool apply(struct input *in, int64_t at, struct error *error)
{
    if (is_of_the_stream(in->reader.argv[0])) {
        return true;
    }
    if (!in->loader->apply(in->loader->context, in->reader.argv, in->reader.argc, error)) {
        return error_prefix(error, "%s/%s: the command at offset %lld", in->aof->files.dirname,
            in->name, (long long)at);
    }
    in->result->commands++;
    report(in, false);
    return true;
}

/* Whether whole commands stand in these bytes that run up to their end, but for one that is cut. */
static bool holds_commands(struct bytes tail)
{
    const char *at = tail.data, *end = tail.data + tail.len;
    for (int tries = 0; tries < RESYNC_TRIES; tries++) {
        at = memmem(at, (size_t)(end - at), "\r\n*", 3);
        if (at == NULL) {
            return false;
        }
        at += 2;
        struct resp_reader reader = { .authenticated = true, .bulk_max = BULK_MAX };
        const char *place = at;
        enum resp_status status = RESP_OK;
        size_t taken, whole = 0;
        while (place < end && *place == '*' && status == RESP_OK) {
            status = resp_read(&reader, place, (size_t)(end - place), &taken);
            if (status == RESP_OK && (reader.argc == 0 || !ends_are_right(&reader))) {
                status = RESP_ERROR;
            } else if (status == RESP_OK) {
                place += taken;
                whole++;
            }
        }
        resp_reader_free(&reader);
        if (whole > 0 && (place == end || status == RESP_MORE)) {
            return true;
        }
    }
    return false;
}

/* Cuts the file off at `at`, where its last whole command or transaction ended. */
static bool cut_off(struct input *in, int64_t at, bool last, struct error *error)
{
    if (holds_commands((struct bytes){ in->data.data + in->used, in->data.len - in->used })) {
        return damaged(in, error, "a length does not fit: whole commands follow");
    }
    in->offset = at;
    if (!last) {
        return damaged(in, error,
            "it ends in the middle of a command or transaction, though other "
            "files follow");
    }
    if (!atomic_load(&in->aof->load_truncated)) {
        return damaged(in, error,
            "it ends in the middle of a command or transaction, and "
            "aof-load-truncated is no");
    }
    if (ftruncate(in->fd, at) != 0 || fsync(in->fd) != 0) {
        return aof_files_error(
            &in->aof->files, in->name, "can't cut the unfinished end off", error);
    }
    aof_log(in->aof, AOF_LOG_WARNING,
        "%s/%s ends in the middle of a command or transaction: cut off "
        "at offset %lld, %lld bytes less",
        in->aof->files.dirname, in->name, (long long)at, (long long)(in->size - at));
    in->result->truncated = in->size - at;
    in->size = at;
    return true;
}

/* MULTI has been read; goes on to EXEC. COMMAND: the commands between stand at [*from, *to). */
static enum outcome find_exec(struct input *in, int64_t *from, int64_t *to, struct error *error)
{
    *from = in->offset;
    for (;;) {
        *to = in->offset;
        enum outcome outcome = next_command(in, error);
        if (outcome != COMMAND) {
            return outcome == END ? TRUNCATED : outcome;
        }
        if (in->reader.argc == 1 && bytes_is(in->reader.argv[0], "exec")) {
            return COMMAND;
        }
        if (in->reader.argc == 1 && bytes_is(in->reader.argv[0], "multi")) {
            in->offset = *to;
            damaged(in, error, "a MULTI within a MULTI");
            return FAILED;
        }
    }
}

static bool apply_range(
    struct input *in, int64_t from, int64_t to, int64_t behind, struct error *error)
{
    seek(in, from);
    while (in->offset < to) {
        int64_t at = in->offset;
        if (next_command(in, error) != COMMAND || !apply(in, at, error)) {
            return false;
        }
    }
    seek(in, behind);
    return true;
}

/* The RESP part of a file, from in->offset on. */
static bool load_commands(struct input *in, bool last, struct error *error)
{
    for (;;) {
        int64_t at = in->offset, from = at, to = at;
        enum outcome outcome = next_command(in, error);
        bool multi =
            outcome == COMMAND && in->reader.argc == 1 && bytes_is(in->reader.argv[0], "multi");
        if (multi) {
            outcome = find_exec(in, &from, &to, error);
        }
        switch (outcome) {
        case END:
            return true;
        case FAILED:
            return false;
        case TRUNCATED:
            /* in->offset may be behind an annotation; the cut keeps what is whole. */
            return cut_off(in, multi ? at : in->offset, last, error);
        case COMMAND:
            if (multi ? !apply_range(in, from, to, in->offset, error) : !apply(in, at, error)) {
                return false;
            }
        }
    }
}

static bool load_opened(struct input *in, bool last, struct error *error)
{
    char magic[5];
    if (pread(in->fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic &&
        memcmp(magic, "REDIS", sizeof magic) == 0) {
        int64_t len = in->loader->load_rdb(in->loader->context, in->fd, in->name, error);
        if (len < 0 || len > in->size) {
            return error_prefix(error, "%s/%s", in->aof->files.dirname, in->name);
        }
        seek(in, len);
    }
    bool good = load_commands(in, last, error);
    report(in, true);
    return good;
}

/* base_done and total: for the progress. */
static bool load_file(struct input *in, bool last, struct error *error)
{
    struct stat status;
    in->fd = openat(in->aof->files.fd, in->name, (last ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (in->fd < 0 || fstat(in->fd, &status) != 0) {
        aof_files_error(
            &in->aof->files, in->name, "the manifest names it, but it can't be opened", error);
        if (in->fd >= 0) {
            close(in->fd);
        }
        return false;
    }
    in->size = status.st_size;
    seek(in, 0);
    bool good = load_opened(in, last, error);
    in->result->bytes += in->size;
    buffer_free(&in->data);
    resp_reader_free(&in->reader);
    close(in->fd);
    return good;
}

/* Whether all files behind this one are empty: then it is the last that was written. */
static bool is_last_written(struct aof *aof, size_t index)
{
    for (size_t i = index + 1; i < aof->manifest.count; i++) {
        if (aof_files_size(&aof->files, aof->manifest.files[i].name) != 0) {
            return false;
        }
    }
    return true;
}

/* All files are there; how many bytes they have. */
static bool measure(struct aof *aof, int64_t *total, struct error *error)
{
    *total = 0;
    for (size_t i = 0; i < aof->manifest.count; i++) {
        const struct aof_file *file = &aof->manifest.files[i];
        int64_t size = file->type == AOF_HISTORY ? 0 : aof_files_size(&aof->files, file->name);
        if (size < 0) {
            return aof_files_error(
                &aof->files, file->name, "the manifest names it, but it can't be opened", error);
        }
        *total += size;
    }
    return true;
}

static bool load_all(struct aof *aof, const struct aof_loader *loader,
    struct aof_load_result *result, struct error *error)
{
    int64_t total;
    if (!measure(aof, &total, error)) {
        return false;
    }
    for (size_t i = 0; i < aof->manifest.count; i++) {
        const struct aof_file *file = &aof->manifest.files[i];
        if (file->type == AOF_HISTORY) {
            continue;
        }
        struct input in = { .aof = aof,
            .loader = loader,
            .result = result,
            .name = file->name,
            .base_done = result->bytes,
            .total = total };
        if (!load_file(&in, is_last_written(aof, i), error)) {
            return false;
        }
        if (file->type == AOF_BASE) {
            atomic_store(&aof->base_size, in.size);
        }
    }
    atomic_store(&aof->other_size, result->bytes);
    return true;
}

static bool load(struct aof *aof, const struct aof_loader *loader, struct aof_load_result *result,
    struct error *error)
{
    bool upgraded;
    if (!aof_files_enter(&aof->files, false, error) ||
        !aof_files_upgrade(&aof->files, &upgraded, error) || !aof_read_manifest(aof, error)) {
        return false;
    }
    if (upgraded) {
        aof_log(aof, AOF_LOG_NOTICE, "moved %s of a version before 7 into %s", aof->files.filename,
            aof->files.dirname);
    }
    result->found = aof->manifest.count > 0;
    if (!result->found) {
        return true;
    }
    if (!load_all(aof, loader, result, error)) {
        return false;
    }
    aof_files_delete_history(&aof->files, &aof->manifest);
    aof_files_delete_temporary(&aof->files);
    return true;
}

bool aof_load(struct aof *aof, const struct aof_loader *loader, struct aof_load_result *result,
    struct error *error)
{
    *result = (struct aof_load_result){ 0 };
    pthread_mutex_lock(&aof->files_mutex);
    bool good = load(aof, loader, result, error);
    pthread_mutex_unlock(&aof->files_mutex);
    return good;
}
