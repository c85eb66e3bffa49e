/* The manifest of a multi-part AOF: which files, in which order. One line for each:
 *
 *     file appendonly.aof.1.base.rdb seq 1 type b
 *
 * type b: the base (at most one), h: history (to be deleted), i: an increment, in rising seq. A
 * name that needs it is quoted as in redis.conf; lines that begin with # are comments. Source: the
 * files that redis-server 7.0 writes. Nothing here is shared between threads. */
#ifndef SERVER_JOURNAL_AOF_MANIFEST_H
#define SERVER_JOURNAL_AOF_MANIFEST_H

#include "common/buffer.h"
#include "common/error.h"

enum { AOF_MANIFEST_MAX = 1024 * 1024, AOF_MANIFEST_LINE_MAX = 1024, AOF_NAME_MAX = 255 };

#define AOF_SEQ_MAX INT64_C(1000000000000000)

enum aof_file_type { AOF_BASE = 'b', AOF_HISTORY = 'h', AOF_INCREMENT = 'i' };

struct aof_file {
    char name[AOF_NAME_MAX + 1];
    int64_t seq; /* from 1 on */
#define AOF_SEQ_MAX INT64_C(1000000000000000)

    enum aof_file_type type;
};

/* All zeroes is an empty one. Order of files: base, history, increments. */
struct aof_manifest {
    struct aof_file *files; /* owned */
    size_t count, capacity;
};

/* Reads the whole text; an error names the line. On failure nothing is left allocated. */
bool aof_manifest_parse(struct bytes text, struct aof_manifest *manifest, struct error *error);
void aof_manifest_write(const struct aof_manifest *manifest, struct buffer *out);
void aof_manifest_free(struct aof_manifest *manifest);
void aof_manifest_copy(struct aof_manifest *to, const struct aof_manifest *from);

const struct aof_file *aof_manifest_base(const struct aof_manifest *manifest); /* NULL: none */
const struct aof_file *aof_manifest_last_increment(const struct aof_manifest *manifest);

/* Prefixes have at most this many bytes, so that a seq and a suffix fit behind them. */
enum { AOF_PREFIX_MAX = AOF_NAME_MAX - 40 };

/* The next base or increment: puts it in its place with the next seq and the name
 * PREFIX.SEQ.base.rdb|base.aof|incr.aof; a base that was there becomes history. The pointer is good
 * until the next change. */
const struct aof_file *aof_manifest_add_base(
    struct aof_manifest *manifest, const char *prefix, bool rdb);
const struct aof_file *aof_manifest_add_increment(
    struct aof_manifest *manifest, const char *prefix);
/* A base with the name of a file from before Redis 7. */
void aof_manifest_add_old_base(struct aof_manifest *manifest, const char *name);
/* Makes history of the increments with a seq below `seq`. */
void aof_manifest_retire_increments(struct aof_manifest *manifest, int64_t seq);
void aof_manifest_drop_history(struct aof_manifest *manifest);

/* A plain file name: not empty, no '/', neither "." nor "..", at most AOF_NAME_MAX bytes. */
bool aof_name_is_plain(struct bytes name);

#endif
