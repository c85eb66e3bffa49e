/* RESP, the protocol of Redis: finding requests in a buffer without copying, and writing values.
 * Source: redis.io "Redis serialization protocol specification". */
#ifndef COMMON_RESP_H
#define COMMON_RESP_H

#include "common/buffer.h"
#include <stdint.h>

enum {
    RESP_INLINE_MAX = 64 * 1024, /* bytes of a line before its end */
    RESP_ARGS_MAX = INT32_MAX,   /* arguments of one request; 10 before authentication */
    RESP_BULK_MAX_UNAUTHENTICATED = 16 * 1024,
    RESP_ARGV_FIRST = 8, /* arguments that a reader has room for when it has read any */
};

enum resp_status {
    RESP_OK,    /* one request: argv, argc and consumed are set; argc 0 is an empty line */
    RESP_MORE,  /* not all of it is here; nothing consumed */
    RESP_ERROR, /* error is set to the text behind "ERR Protocol error: " */
};

/* The state of reading one connection. A request that comes in pieces is not read again from its
 * start: pos remembers how far the pieces have been understood. All zeroes is the start. */
struct resp_reader {
    struct bytes *argv; /* owned; offsets are turned into views when the request is whole */
    size_t argc, capacity;
    int64_t expect;     /* arguments announced; 0: at the start of a request */
    size_t pos;         /* bytes of the buffer already understood */
    size_t scanned;     /* bytes behind pos already searched for the end of their line */
    int64_t bulk_len;   /* length announced of the argument under way; -1: none */
    int64_t bulk_max;   /* largest argument accepted (proto-max-bulk-len); 0 means 512 MB */
    bool authenticated; /* false: small bounds; set by the owner */
    bool strict_bounds; /* whether the unauthenticated bounds apply (a password is set) */
    struct words *line; /* owned; the words of an inline request */
    char error[128];
};

/* Reads one request at data[0..len). The views in reader->argv point into data (for an inline
 * request into reader->line) and are good until the next call or until data moves. */
enum resp_status resp_read(
    struct resp_reader *reader, const char *data, size_t len, size_t *consumed);
void resp_reader_free(struct resp_reader *reader);
/* Forgets a request that is half understood: the next call begins at the start of one. */
static inline void resp_reader_reset(struct resp_reader *reader)
{
    reader->argc = 0;
    reader->expect = 0;
    reader->pos = reader->scanned = 0;
}
/* How many bytes more are needed at least before resp_read can say anything but RESP_MORE; a hint
 * for growing the buffer once for a large argument. */
size_t resp_reader_missing(const struct resp_reader *reader, size_t len);

/* Writing requests: "*argc", then each argument as a bulk. */
void resp_write_command(struct buffer *out, const struct bytes *argv, size_t argc);
void resp_write_array(struct buffer *out, size_t count);
void resp_write_bulk(struct buffer *out, struct bytes value);

#endif
