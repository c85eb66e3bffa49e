/* Which files make up the AOF is decided by one rename, that of the manifest: before it the old set
 * is whole, after it the new one. So files are put in place (and the directory is fsynced) before
 * the manifest that names them, and deleted after the manifest that doesn't. */
#include "server/journal/aof_files.h"
#include "common/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* An RDB file of version 10 without keys: magic, end, and a checksum of zero (not checked). */
static const char EMPTY_RDB[] = "REDIS0010\xff\0\0\0\0\0\0\0";
enum { EMPTY_RDB_LEN = 9 + 1 + 8 };
_Static_assert(sizeof EMPTY_RDB == EMPTY_RDB_LEN, "the literal's own zero is the last of the sum");

bool aof_files_error(
    const struct aof_files *files, const char *name, const char *what, struct error *error)
{
    int saved = errno;
    error_set(error, "%s/%s: %s: %s", files->dirname, name, what, strerror(saved));
    errno = saved;
    return false;
}

static char *join(const char *a, const char *b, const char *c)
{
    struct buffer buffer = { 0 };
    buffer_printf(&buffer, "%s%s%s", a, b, c);
    buffer_terminate(&buffer);
    return buffer.data;
}

bool aof_files_open(struct aof_files *files, const char *dir, const char *dirname,
    const char *filename, struct error *error)
{
    *files = (struct aof_files){ .dir_fd = -1, .fd = -1 };
    if (!aof_name_is_plain(bytes_of(dirname))) {
        return error_set(error, "appenddirname '%s' must be one name, without a path", dirname);
    }
    if (!aof_name_is_plain(bytes_of(filename)) || strlen(filename) > AOF_PREFIX_MAX) {
        return error_set(error,
            "appendfilename '%s' must be one name, without a path, of at most %d "
            "bytes",
            filename, AOF_PREFIX_MAX);
    }
    files->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (files->dir_fd < 0) {
        return error_set(error, "can't open the directory '%s': %s", dir, strerror(errno));
    }
    files->dir = realpath(dir, NULL);
    if (files->dir == NULL) {
        int saved = errno;
        close(files->dir_fd);
        return error_set(error, "can't find the path of '%s': %s", dir, strerror(saved));
    }
    files->dirname = memory_copy_text(dirname);
    files->filename = memory_copy_text(filename);
    files->temporary_manifest = join("temp-", filename, ".manifest");
    files->temporary_increment = join("temp-", filename, ".incr");
    files->temporary_base = join("temp-rewriteaof-", filename, ".base");
    char *inside = join(files->dir, "/", dirname);
    files->base_path = join(inside, "/", files->temporary_base);
    free(inside);
    return true;
}

void aof_files_close(struct aof_files *files)
{
    if (files->fd >= 0) {
        close(files->fd);
    }
    close(files->dir_fd);
    free(files->dir);
    free(files->dirname);
    free(files->filename);
    free(files->temporary_manifest);
    free(files->temporary_increment);
    free(files->temporary_base);
    free(files->base_path);
}

bool aof_files_enter(struct aof_files *files, bool create, struct error *error)
{
    if (files->fd >= 0) {
        return true;
    }
    if (create) {
        if (mkdirat(files->dir_fd, files->dirname, 0755) == 0) {
            (void)fsync(
                files->dir_fd); /* some file systems cannot; the directory is there anyway */
        } else if (errno != EEXIST) {
            return error_set(error, "can't make the directory '%s/%s': %s", files->dir,
                files->dirname, strerror(errno));
        }
    }
    files->fd = openat(files->dir_fd, files->dirname, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (files->fd < 0 && (create || errno != ENOENT)) {
        return error_set(error, "can't open the directory '%s/%s': %s", files->dir, files->dirname,
            strerror(errno));
    }
    return true;
}

int64_t aof_files_size(const struct aof_files *files, const char *name)
{
    struct stat status;
    return fstatat(files->fd, name, &status, 0) == 0 ? (int64_t)status.st_size : -1;
}

static char *manifest_name(const struct aof_files *files)
{
    return join(files->filename, ".manifest", "");
}

/* Reads the whole of a small file. */
static bool read_small(int fd, struct buffer *text)
{
    ssize_t count;
    do {
        buffer_reserve(text, 64 * 1024);
        count = read(fd, text->data + text->len, 64 * 1024);
        if (count > 0) {
            text->len += (size_t)count;
        }
    } while ((count > 0 && text->len <= AOF_MANIFEST_MAX) || (count < 0 && errno == EINTR));
    return count >= 0;
}

bool aof_files_read(struct aof_files *files, struct aof_manifest *manifest, struct error *error)
{
    *manifest = (struct aof_manifest){ 0 };
    if (files->fd < 0) {
        return true;
    }
    char *name = manifest_name(files);
    struct buffer text = { 0 };
    int fd = openat(files->fd, name, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 ? read_small(fd, &text) : errno == ENOENT;
    if (!good) {
        aof_files_error(files, name, "can't read the manifest", error);
    } else if (fd >= 0 && !aof_manifest_parse(buffer_bytes(&text), manifest, error)) {
        good = error_prefix(error,
            "%s/%s: the manifest is damaged; restore it, or move the "
            "directory away to start empty",
            files->dirname, name);
    }
    if (fd >= 0) {
        close(fd);
    }
    buffer_free(&text);
    free(name);
    return good;
}

/* Creates or replaces a file with these bytes, on disk when it returns. errno tells of a failure.
 */
static bool write_file(int dir_fd, const char *name, struct bytes content)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return false;
    }
    bool good = true;
    while (good && content.len > 0) {
        ssize_t count = write(fd, content.data, content.len);
        if (count > 0) {
            content.data += count;
            content.len -= (size_t)count;
        } else {
            good = count < 0 && errno == EINTR;
        }
    }
    good = good && fsync(fd) == 0;
    int saved = errno;
    close(fd);
    if (!good) {
        unlinkat(dir_fd, name, 0);
        errno = saved;
    }
    return good;
}

enum aof_write_result aof_files_write(
    struct aof_files *files, const struct aof_manifest *manifest, struct error *error)
{
    enum aof_write_result result = AOF_MANIFEST_KEPT;
    struct buffer text = { 0 };
    char *name = manifest_name(files);
    aof_manifest_write(manifest, &text);
    if (!write_file(files->fd, files->temporary_manifest, buffer_bytes(&text))) {
        aof_files_error(files, files->temporary_manifest, "can't write the manifest", error);
    } else if (renameat(files->fd, files->temporary_manifest, files->fd, name) != 0) {
        aof_files_error(files, name, "can't replace the manifest", error);
    } else if (fsync(files->fd) != 0) {
        aof_files_error(files, name, "can't fsync the manifest's directory", error);
        result = AOF_MANIFEST_REPLACED;
    } else {
        result = AOF_MANIFEST_WRITTEN;
    }
    int saved = errno;
    buffer_free(&text);
    free(name);
    errno = saved;
    return result;
}

void aof_files_delete_history(struct aof_files *files, struct aof_manifest *manifest)
{
    size_t deleted = 0, history = 0;
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->files[i].type == AOF_HISTORY) {
            history++;
            deleted += unlinkat(files->fd, manifest->files[i].name, 0) == 0 || errno == ENOENT;
        }
    }
    if (history > 0 && deleted == history) {
        struct aof_manifest clean;
        aof_manifest_copy(&clean, manifest);
        aof_manifest_drop_history(&clean);
        if (aof_files_write(files, &clean, NULL) == AOF_MANIFEST_KEPT) {
            aof_manifest_free(&clean);
        } else {
            aof_manifest_free(manifest);
            *manifest = clean;
        }
    }
}

void aof_files_delete_temporary(struct aof_files *files)
{
    unlinkat(files->fd, files->temporary_manifest, 0);
    unlinkat(files->fd, files->temporary_increment, 0);
    unlinkat(files->fd, files->temporary_base, 0);
}

bool aof_files_make_empty(struct aof_files *files, const char *name, bool rdb, struct error *error)
{
    struct bytes content = { EMPTY_RDB, rdb ? EMPTY_RDB_LEN : 0 };
    return write_file(files->fd, name, content) ||
           aof_files_error(files, name, "can't make an empty file", error);
}

/* Whether what the directory says so far is no more than the first half of an upgrade. */
static bool wants_upgrade(struct aof_files *files, const struct aof_manifest *manifest)
{
    struct stat status;
    if (fstatat(files->dir_fd, files->filename, &status, 0) != 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    if (files->fd < 0 || manifest->count == 0) {
        return true;
    }
    return manifest->count == 1 && manifest->files[0].type == AOF_BASE &&
           strcmp(manifest->files[0].name, files->filename) == 0 &&
           aof_files_size(files, files->filename) < 0;
}

bool aof_files_upgrade(struct aof_files *files, bool *done, struct error *error)
{
    struct aof_manifest manifest;
    *done = false;
    if (!aof_files_read(files, &manifest, error)) {
        return false;
    }
    bool wanted = wants_upgrade(files, &manifest);
    aof_manifest_free(&manifest);
    if (!wanted) {
        return true;
    }
    if (!aof_files_enter(files, true, error)) {
        return false;
    }
    aof_manifest_add_old_base(&manifest, files->filename);
    bool good = aof_files_write(files, &manifest, error) == AOF_MANIFEST_WRITTEN;
    aof_manifest_free(&manifest);
    if (!good) {
        return false;
    }
    if (renameat(files->dir_fd, files->filename, files->fd, files->filename) != 0) {
        return aof_files_error(files, files->filename, "can't move the old file here", error);
    }
    if (fsync(files->fd) != 0 || fsync(files->dir_fd) != 0) {
        return aof_files_error(files, files->filename, "can't fsync the directory", error);
    }
    *done = true;
    return true;
}
