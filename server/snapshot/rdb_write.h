/* Writing RDB, version 10. A writer turns values into bytes and hands them to a sink: a file, the
 * queue of a replica's socket, several at once; without a sink the bytes stay in `pending` (DUMP).
 *
 * The functions that write cannot fail by themselves: once a sink has failed, they do nothing, and
 * rdb_writer_flush and rdb_write_end say so. The sink is called within them only when more than
 * flush_at bytes are pending; with flush_at SIZE_MAX only by rdb_writer_flush, so that values can
 * be encoded under a slot's lock and written without it.
 *
 *     struct rdb_writer writer;
 *     rdb_writer_init(&writer, &(struct rdb_writer_options){ .sink = sink, .compress = true, ...
 * }); rdb_write_preamble(&writer, &preamble); rdb_write_database(&writer, 0);
 *     rdb_write_key(&writer, &key);         the type byte is key.type
 *     rdb_write_string(&writer, value);     what the type calls for
 *     ok = rdb_write_end(&writer, &error);
 *     rdb_writer_free(&writer);
 *
 * A writer belongs to one thread. */
#ifndef SERVER_SNAPSHOT_RDB_WRITE_H
#define SERVER_SNAPSHOT_RDB_WRITE_H

#include "common/buffer.h"
#include "common/error.h"
#include "server/snapshot/rdb.h"

/* Takes all the bytes, or returns false and sets error, which ends the writing. May block. */
struct rdb_sink {
    bool (*write)(void *context, struct bytes data, struct error *error);
    void *context;
};

enum { RDB_FLUSH_AT = 64 * 1024, RDB_COMPRESS_MIN = 20 };

struct rdb_writer_options {
    struct rdb_sink sink; /* .write NULL: bytes stay in the writer's `pending` */
    size_t flush_at;      /* bytes; 0 means RDB_FLUSH_AT */
    bool
        compress; /* rdbcompression: LZF for strings above RDB_COMPRESS_MIN bytes, where it saves */
    bool checksum; /* rdbchecksum: else the checksum is written as 0, "do not check" */
};

/* Owned by whoever initialised it; the fields are the writer's but `pending`, which may be read. */
struct rdb_writer {
    struct rdb_writer_options options;
    struct buffer pending; /* not yet given to the sink */
    struct buffer squeeze; /* room for LZF */
    uint64_t crc;          /* of what was given to the sink */
    uint64_t flushed;      /* bytes given to the sink */
    bool failed;
    struct error error; /* where failed */
};

void rdb_writer_init(struct rdb_writer *writer, const struct rdb_writer_options *options);
void rdb_writer_free(struct rdb_writer *writer);
/* Gives what is pending to the sink. False: the sink failed, now or before. */
bool rdb_writer_flush(struct rdb_writer *writer, struct error *error);
uint64_t rdb_writer_size(
    const struct rdb_writer *writer); /* bytes written so far, pending ones included */

/* The fields that redis-server 7.0 writes behind the header. */
struct rdb_preamble {
    int64_t created;      /* Unix time in seconds */
    uint64_t used_memory; /* bytes */
    const char
        *repl_id; /* 40 digits, or NULL: no repl-* fields (a node that was never replicated) */
    int64_t repl_offset;
    int repl_database; /* the database that the replication stream is in; -1 where it begins with
                          SELECT */
    bool aof_base;     /* this is the base of an AOF */
    const struct bytes *functions; /* the code of libraries */
    size_t function_count;
};

void rdb_write_preamble(struct rdb_writer *writer, const struct rdb_preamble *preamble);
void rdb_write_aux(struct rdb_writer *writer, const char *name, struct bytes value);
void rdb_write_database(struct rdb_writer *writer, unsigned database);
void rdb_write_sizes(struct rdb_writer *writer, uint64_t keys, uint64_t expires);
/* Expiry, idle, freq where given; type byte; name. The value must follow. */
void rdb_write_key(struct rdb_writer *writer, const struct rdb_key *key);
/* Opcode, checksum, flush. */
bool rdb_write_end(struct rdb_writer *writer, struct error *error);

/* --- What values are made of. --- */

void rdb_write_byte(struct rdb_writer *writer, uint8_t byte);
void rdb_write_raw(struct rdb_writer *writer, struct bytes bytes); /* as they are, without a length */
void rdb_write_length(struct rdb_writer *writer, uint64_t length);
/* A string: as an integer where it is one of at most 32 bits, compressed where that is on and
 * saves. */
void rdb_write_string(struct rdb_writer *writer, struct bytes value);
/* The same string as the decimal digits of the value make. */
void rdb_write_integer(struct rdb_writer *writer, int64_t value);

#endif
