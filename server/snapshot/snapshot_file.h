/* A snapshot in a file: BGSAVE, SAVE, the base of an AOF. */
#ifndef SERVER_SNAPSHOT_SNAPSHOT_FILE_H
#define SERVER_SNAPSHOT_SNAPSHOT_FILE_H

#include "server/snapshot/snapshot.h"

struct snapshot_file_options {
    const char *path; /* copied; a name takes effect when the file is whole and on the disk */
    bool aof_base;
    /* In the moment, see snapshot_target. May be NULL. */
    bool (*begin)(void *context, struct error *error);
    /* The file has its name, or (error) there is none and an older one is as it was. In the
     * snapshotter's thread. */
    void (*done)(void *context, const struct error *error);
    void *context;
};

/* To be given to snapshotter_request; frees itself behind `done`. */
struct snapshot_target *snapshot_file_create(const struct snapshot_file_options *options);

#endif
