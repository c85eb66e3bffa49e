/* RDB in files: a sink and a source over a file descriptor, and a file that takes its name only
 * when it is whole. All functions block on the disk. */
#ifndef SERVER_SNAPSHOT_RDB_FILE_H
#define SERVER_SNAPSHOT_RDB_FILE_H

#include "server/snapshot/rdb_read.h"
#include "server/snapshot/rdb_write.h"

/* A file being written under a temporary name beside its own. */
struct rdb_file {
    char *path;      /* owned: the name it will have */
    char *temporary; /* owned: the name it has */
    int fd;          /* -1: closed */
    uint64_t
        unsynced; /* bytes since the last sync: they go to the disk in steps, not all at the end */
};

/* Creates the temporary file (mode 0644, as redis-server does). False: nothing was made. */
bool rdb_file_create(struct rdb_file *file, const char *path, struct error *error);
struct rdb_sink rdb_file_sink(struct rdb_file *file);
/* fsync, rename, fsync of the folder. Frees what the file holds, also on failure, which removes the
 * temporary file and leaves what had the name before. */
bool rdb_file_commit(struct rdb_file *file, struct error *error);
/* Removes the temporary file and frees. */
void rdb_file_abandon(struct rdb_file *file);

/* Reads from where fd stands; fd stays the caller's and must outlive the source. size: to the end
 * of the file, RDB_SIZE_UNKNOWN where fd is not a regular file. */
struct rdb_source rdb_fd_source(int *fd);
uint64_t rdb_fd_size(int fd);

#endif
