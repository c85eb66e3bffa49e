/* The directory of a multi-part AOF: names, the manifest on disk, and how it is replaced without a
 * moment in which a crash would leave nothing to load. All names are relative to open directories,
 * so a later CONFIG SET dir does not matter. Everything here blocks on the disk; the caller sees to
 * it that only one thread at a time is in it. */
#ifndef SERVER_JOURNAL_AOF_FILES_H
#define SERVER_JOURNAL_AOF_FILES_H

#include "server/journal/aof_manifest.h"

struct aof_files {
    char *dir;      /* absolute path of the node's directory */
    char *dirname;  /* appenddirname */
    char *filename; /* appendfilename, the prefix of all names */
    int dir_fd;     /* of dir */
    int fd;         /* of dir/dirname; -1: not opened yet */
    char *temporary_manifest, *temporary_increment, *temporary_base; /* names in dirname */
    char *base_path;                                                 /* the last, absolute */
};

bool aof_files_open(struct aof_files *files, const char *dir, const char *dirname,
    const char *filename, struct error *error);
void aof_files_close(struct aof_files *files);

/* Opens dir/dirname; `create`: makes it where it is missing. True with fd still -1: it is not there
 * and was not to be made. */
bool aof_files_enter(struct aof_files *files, bool create, struct error *error);
/* Where appendfilename lies in dir as a version before 7 left it: writes a manifest with it as the
 * base, then moves it into dirname. *done tells whether there was anything to do. */
bool aof_files_upgrade(struct aof_files *files, bool *done, struct error *error);
/* Reads the manifest; an empty one where there is none. */
bool aof_files_read(struct aof_files *files, struct aof_manifest *manifest, struct error *error);

enum aof_write_result {
    AOF_MANIFEST_KEPT,     /* failed; the old one is there unchanged */
    AOF_MANIFEST_WRITTEN,  /* on disk */
    AOF_MANIFEST_REPLACED, /* in place, but the directory's fsync failed: a crash may undo it */
};
/* Temporary file, fsync, rename, fsync of the directory. errno is set where it failed. */
enum aof_write_result aof_files_write(
    struct aof_files *files, const struct aof_manifest *manifest, struct error *error);
/* Deletes the files that are history and writes a manifest without them. What cannot be deleted
 * stays named, to be tried again. */
void aof_files_delete_history(struct aof_files *files, struct aof_manifest *manifest);
/* Deletes what a rewrite that was cut short left. */
void aof_files_delete_temporary(struct aof_files *files);
/* Makes a file that says nothing: an RDB file without keys, or one without bytes. */
bool aof_files_make_empty(struct aof_files *files, const char *name, bool rdb, struct error *error);
/* "dirname/name: what: strerror(errno)"; keeps errno. Returns false. */
bool aof_files_error(
    const struct aof_files *files, const char *name, const char *what, struct error *error);
int64_t aof_files_size(const struct aof_files *files, const char *name); /* -1: not there */

#endif
