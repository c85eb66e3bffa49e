/* The lock is flock(2) on the file itself, as redis-server has it, so that neither starts where the
 * other runs. As a save puts a new file in the old one's place, the new one is locked before it
 * gets the name, and whoever has got a lock looks whether the name still stands for what it has
 * locked. */
#include "server/cluster/nodes_conf.h"

#include "common/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0644, SIZE_MAX_READ = 64 * 1024 * 1024, OPEN_TRIES = 10 };

struct nodes_conf {
    char *path, *temporary, *folder;
    int fd; /* of the file that has the name; holds the lock */
};

static bool is_named(int fd, const char *path)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

/* -1 with an error; *replaced where a save came between the opening and the lock. */
static int open_locked(const char *path, bool *replaced, struct error *error)
{
    *replaced = false;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        error_set(error, "%s: can't be opened: %s", path, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        if (is_named(fd, path))
            return fd;
        *replaced = true;
    } else if (errno == EWOULDBLOCK) {
        error_set(error,
            "%s: another node uses this file (it is locked). Each node needs a "
            "cluster-config-file of its own",
            path);
    } else {
        error_set(error, "%s: can't be locked: %s", path, strerror(errno));
    }
    close(fd);
    return -1;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return memory_copy_text(".");
    size_t len = slash == path ? 1 : (size_t)(slash - path);
    char *folder = memory_alloc(len + 1);
    memcpy(folder, path, len);
    folder[len] = '\0';
    return folder;
}

struct nodes_conf *nodes_conf_open(const char *path, struct error *error)
{
    bool replaced = true;
    int fd = -1;
    error_set(error, "%s: is being replaced again and again", path);
    for (unsigned tries = 0; fd < 0 && replaced && tries < OPEN_TRIES; tries++)
        fd = open_locked(path, &replaced, error);
    if (fd < 0)
        return NULL;
    struct nodes_conf *conf = memory_alloc_zeroed(1, sizeof(*conf));
    conf->fd = fd;
    conf->path = memory_copy_text(path);
    conf->folder = folder_of(path);
    conf->temporary = memory_alloc(strlen(path) + sizeof(".tmp"));
    sprintf(conf->temporary, "%s.tmp", path);
    return conf;
}

static bool read_all(const struct nodes_conf *conf, struct buffer *text, struct error *error)
{
    enum { STEP = 64 * 1024 };
    for (;;) {
        buffer_reserve(text, STEP);
        ssize_t got = pread(conf->fd, text->data + text->len, STEP, (off_t)text->len);
        if (got == 0)
            return true;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(error, "%s: can't be read: %s", conf->path, strerror(errno));
        text->len += (size_t)got;
        if (text->len > SIZE_MAX_READ)
            return error_set(error, "%s: is longer than any nodes.conf can be", conf->path);
    }
}

/* A file that was cut short has lost its last line: the one with the epochs, which must not be
 * taken for zero. */
static bool has_vars(struct bytes text)
{
    static const char start[] = "vars currentEpoch ";
    const char *found = memmem(text.data, text.len, start, sizeof(start) - 1);
    return found != NULL && (found == text.data || found[-1] == '\n') &&
           text.data[text.len - 1] == '\n';
}

static bool parse(const struct nodes_conf *conf, struct bytes text, struct topology *topology,
    struct error *error)
{
    if (!topology_parse(text, topology, error))
        return error_prefix(error, "%s: damaged", conf->path);
    size_t myself = 0;
    while (myself < topology->count && (topology->nodes[myself].flags & NODE_MYSELF) == 0)
        myself++;
    bool complete = myself < topology->count && has_vars(text);
    if (complete)
        return true;
    bool no_myself = myself == topology->count;
    topology_free(topology);
    return error_set(error, "%s: damaged: %s", conf->path,
        no_myself ? "no line is marked as \"myself\""
                  : "it does not end with a line \"vars currentEpoch ... lastVoteEpoch ...\"");
}

bool nodes_conf_load(
    struct nodes_conf *conf, struct topology *topology, bool *found, struct error *error)
{
    struct buffer text = { 0 };
    bool ok = read_all(conf, &text, error);
    *found = ok && text.len > 0;
    if (*found)
        ok = parse(conf, buffer_bytes(&text), topology, error);
    buffer_free(&text);
    return ok;
}

static bool write_all(int fd, struct bytes text)
{
    while (text.len > 0) {
        ssize_t put = write(fd, text.data, text.len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        text = (struct bytes){ text.data + put, text.len - (size_t)put };
    }
    return true;
}

static bool sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

bool nodes_conf_save(struct nodes_conf *conf, struct bytes text, bool sync, struct error *error)
{
    int fd = open(conf->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return error_set(error, "%s: can't be made: %s", conf->temporary, strerror(errno));
    if (!write_all(fd, text) || (sync && fsync(fd) != 0) || flock(fd, LOCK_EX | LOCK_NB) != 0 ||
        rename(conf->temporary, conf->path) != 0) {
        error_set(error, "%s: can't be saved: %s", conf->path, strerror(errno));
        unlink(conf->temporary);
        close(fd);
        return false;
    }
    close(conf->fd);
    conf->fd = fd;
    if (sync && !sync_folder(conf->folder))
        return error_set(
            error, "%s: the folder can't be synced: %s", conf->folder, strerror(errno));
    return true;
}

void nodes_conf_close(struct nodes_conf *conf)
{
    if (conf == NULL)
        return;
    close(conf->fd);
    free(conf->path);
    free(conf->temporary);
    free(conf->folder);
    free(conf);
}
