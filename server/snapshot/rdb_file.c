/* The data go to the disk as they come, a step at a time: one fsync of everything at the end would
 * make the disk deaf to the AOF for as long as it takes. */
#include "server/snapshot/rdb_file.h"

#include "common/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SYNC_STEP = 32 * 1024 * 1024, FILE_MODE = 0644 };

static const char suffix[] = ".part";

static void forget(struct rdb_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file->temporary);
    *file = (struct rdb_file){ .fd = -1 };
}

bool rdb_file_create(struct rdb_file *file, const char *path, struct error *error)
{
    size_t size = strlen(path) + sizeof(suffix);
    *file = (struct rdb_file){ .path = memory_copy_text(path), .temporary = memory_alloc(size) };
    snprintf(file->temporary, size, "%s%s", path, suffix);
    file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (file->fd >= 0)
        return true;
    error_set(error, "cannot create %s: %s", file->temporary, strerror(errno));
    forget(file);
    return false;
}

static bool write_all(void *context, struct bytes data, struct error *error)
{
    struct rdb_file *file = context;
    file->unsynced += data.len;
    while (data.len > 0) {
        ssize_t n = write(file->fd, data.data, data.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(error, "cannot write %s: %s", file->temporary, strerror(errno));
        data = (struct bytes){ data.data + n, data.len - (size_t)n };
    }
    if (file->unsynced < SYNC_STEP)
        return true;
    file->unsynced = 0;
    if (fdatasync(file->fd) == 0)
        return true;
    return error_set(error, "cannot sync %s: %s", file->temporary, strerror(errno));
}

struct rdb_sink rdb_file_sink(struct rdb_file *file)
{
    return (struct rdb_sink){ write_all, file };
}

static bool sync_folder(const char *path, struct error *error)
{
    char *copy = memory_copy_text(path);
    const char *folder = dirname(copy);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        error_set(error, "cannot sync the folder %s: %s", folder, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(copy);
    return ok;
}

bool rdb_file_commit(struct rdb_file *file, struct error *error)
{
    bool ok = fsync(file->fd) == 0;
    if (!ok)
        error_set(error, "cannot sync %s: %s", file->temporary, strerror(errno));
    if (ok && rename(file->temporary, file->path) != 0)
        ok = error_set(
            error, "cannot rename %s to %s: %s", file->temporary, file->path, strerror(errno));
    if (!ok) {
        rdb_file_abandon(file);
        return false;
    }
    ok = sync_folder(file->path, error);
    forget(file);
    return ok;
}

void rdb_file_abandon(struct rdb_file *file)
{
    if (file->fd >= 0)
        unlink(file->temporary);
    forget(file);
}

static ssize_t read_some(void *context, void *to, size_t len, struct error *error)
{
    const int *fd = context;
    ssize_t n;
    do {
        n = read(*fd, to, len);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        error_set(error, "cannot read: %s", strerror(errno));
    return n;
}

struct rdb_source rdb_fd_source(int *fd)
{
    return (struct rdb_source){ read_some, fd };
}

uint64_t rdb_fd_size(int fd)
{
    struct stat stat;
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode) || at < 0)
        return RDB_SIZE_UNKNOWN;
    return stat.st_size > at ? (uint64_t)(stat.st_size - at) : 0;
}
