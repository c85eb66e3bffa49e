/* Reading RDB, versions 1 to 11. A reader gets bytes from a source (a file, a socket, memory) and
 * hands out one record at a time; what a value is made of is read by whoever knows its type.
 *
 *     rdb_reader_init(&reader, &options);
 *     ok = rdb_read_header(&reader, &error);
 *     while (ok && (ok = rdb_read_record(&reader, &record, &error)) && record.kind !=
 * RDB_RECORD_END) if (record.kind == RDB_RECORD_KEY)      the value is next in the reader: it must
 * be read ok = record.key.type == RDB_TYPE_STRING ? rdb_read_string(&reader, &value, &error) :
 * rdb_refuse_type(&reader, &record.key, &error); rdb_reader_free(&reader);
 *
 * All that is read is hostile: a length asks for no more memory than bytes can be there for (at
 * most 88 times as many for LZF), so a false length is an error and never an allocation. An error
 * says at which byte. After an error the reader can only be freed. What is refused rather than
 * skipped, since skipping would lose data: function libraries of before 7.0 (246), module data (247), types
 * that no reader is there for. What is skipped: slot sizes (244), which are a hint.
 *
 * A reader belongs to one thread. */
#ifndef SERVER_SNAPSHOT_RDB_READ_H
#define SERVER_SNAPSHOT_RDB_READ_H

#include "common/buffer.h"
#include "common/error.h"
#include "server/snapshot/rdb.h"
#include <sys/types.h>

/* Reads at least one and at most len bytes to `to`; returns how many, 0 at the end, -1 with error
 * set where reading failed. May block. */
struct rdb_source {
    ssize_t (*read)(void *context, void *to, size_t len, struct error *error);
    void *context;
};

enum { RDB_READ_AHEAD = 64 * 1024 };

/* The source's length where nobody knows it (a socket). */
#define RDB_SIZE_UNKNOWN UINT64_MAX

struct rdb_reader_options {
    struct rdb_source source; /* .read NULL: all there is, is `memory` */
    struct bytes memory;
    uint64_t
        size;    /* bytes that the source has, or RDB_SIZE_UNKNOWN; with memory it is memory.len */
    bool verify; /* rdbchecksum: compare the checksum at the end, unless the file has 0 there */
};

/* Owned by whoever initialised it; all fields are the reader's. */
struct rdb_reader {
    struct rdb_reader_options options;
    const char *window; /* bytes got and not yet consumed */
    size_t window_len;
    const char *summed; /* the checksum has all before this place in the window */
    char *ahead;        /* RDB_READ_AHEAD bytes; NULL for memory */
    uint64_t offset;    /* bytes consumed */
    uint64_t crc;       /* of the bytes before `summed` */
    int version;
    struct buffer name;   /* of the record */
    struct buffer value;  /* of the last string read */
    struct buffer packed; /* a compressed string on its way */
};

enum rdb_record_kind {
    RDB_RECORD_AUX,      /* name, value */
    RDB_RECORD_DATABASE, /* database */
    RDB_RECORD_SIZES,    /* keys, expires: a hint that may lie */
    RDB_RECORD_FUNCTION, /* value: the code of a library of functions */
    RDB_RECORD_KEY,      /* key; its value is to be read next */
    RDB_RECORD_END,      /* checksum seen and, where asked for, right */
};

struct rdb_record {
    enum rdb_record_kind kind;
    struct bytes name, value; /* good until the next record */
    uint64_t database;        /* any number: compare with how many there are */
    uint64_t keys, expires;
    struct rdb_key key; /* name is good until the next record */
};

void rdb_reader_init(struct rdb_reader *reader, const struct rdb_reader_options *options);
void rdb_reader_free(struct rdb_reader *reader);

/* "REDIS" and a version from 1 to 11. */
bool rdb_read_header(struct rdb_reader *reader, struct error *error);
bool rdb_read_record(struct rdb_reader *reader, struct rdb_record *record, struct error *error);

/* The error for a key whose type nobody here can read: "key X has type T (list), which ...". */
bool rdb_refuse_type(
    const struct rdb_reader *reader, const struct rdb_key *key, struct error *error);

/* Bytes consumed; at the end of a file the length of its RDB part (RESP may follow in an AOF). */
uint64_t rdb_reader_offset(const struct rdb_reader *reader);
/* Bytes that the source has given and that were not consumed: of what follows the RDB part. Good
 * until the reader is freed. */
struct bytes rdb_reader_rest(const struct rdb_reader *reader);

/* --- What values are made of. --- */

bool rdb_read_byte(struct rdb_reader *reader, uint8_t *byte, struct error *error);
/* As many bytes as the caller has room for, as they are. */
bool rdb_read_raw(struct rdb_reader *reader, void *to, size_t len, struct error *error);
bool rdb_read_length(struct rdb_reader *reader, uint64_t *length, struct error *error);
/* value is good until the next read of any kind. Integers come as their digits. */
bool rdb_read_string(struct rdb_reader *reader, struct bytes *value, struct error *error);

#endif
