/* What goes back to a client: RESP2 or RESP3 bytes, with large values by reference between them. A
 * reply belongs to its session's worker; nobody else touches it. */
#ifndef SERVER_COMMAND_REPLY_H
#define SERVER_COMMAND_REPLY_H

#include "common/buffer.h"
#include "server/type/blob.h"

enum {
    REPLY_BLOB_MIN = 16 * 1024, /* values from this size on go out by reference */
    REPLY_PUSH_MIN = 1024,      /* and pushes, which are copied for each receiver otherwise */
};

/* A value that goes out after the first `at` bytes of the reply. */
struct reply_blob {
    size_t at;
    struct blob *blob; /* a reference held by the reply */
};

struct reply {
    struct buffer bytes;
    struct reply_blob *blobs; /* owned; in the order of `at` */
    size_t blob_count, blob_capacity;
    size_t blob_size;    /* bytes of all blobs together */
    uint8_t protocol;    /* 2 or 3 */
    bool muted;          /* CLIENT REPLY: nothing is written */
    bool begun;          /* of the command under way: the place of a length is reserved */
    uint32_t errors;     /* error replies so far */
    char last_error[32]; /* first word of the last one, for errorstats: "ERR", "WRONGTYPE" */
};

void reply_ok(struct reply *reply);
void reply_simple(struct reply *reply, const char *text); /* +text */
/* -text; a text that does not begin with one of the codes that clients look for (WRONGTYPE, MOVED,
 * ...; the list is in reply.c) gets "ERR " before it. Line ends in it become spaces. */
void reply_error(struct reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* -line, as it is: no code is put before it. Without line ends. */
void reply_error_line(struct reply *reply, struct bytes line);
void reply_integer(struct reply *reply, int64_t value);
void reply_bulk(struct reply *reply, struct bytes value);
void reply_bulk_text(struct reply *reply, const char *text);
void reply_bulk_blob(struct reply *reply, struct blob *blob); /* takes a reference of its own */
void reply_bulk_integer(struct reply *reply, int64_t value);  /* the digits as a bulk */
void reply_null(struct reply *reply);                         /* $-1, in RESP3 _ */
void reply_null_array(struct reply *reply);                   /* *-1, in RESP3 _ */
void reply_array(struct reply *reply, size_t count);
void reply_map(struct reply *reply, size_t pairs);    /* RESP2: an array of 2 * pairs */
void reply_set(struct reply *reply, size_t count);    /* RESP2: an array */
void reply_push(struct reply *reply, size_t count);   /* RESP2: an array */
void reply_double(struct reply *reply, double value); /* RESP2: a bulk */
void reply_bool(struct reply *reply, bool value);     /* RESP2: an integer */
void reply_verbatim(
    struct reply *reply, const char *kind, struct bytes text); /* kind: "txt"; RESP2: a bulk */
void reply_raw(struct reply *reply, struct bytes resp);        /* RESP that is ready */
/* A part of a push that many get, as it is: takes a reference of its own where it is long. Nothing
 * mutes it. */
void reply_shared(struct reply *reply, struct blob *text);

/* An array whose length is known only at its end: reserve, write the elements, then set. */
struct reply_mark {
    size_t at;
};
struct reply_mark reply_deferred(struct reply *reply);
void reply_deferred_array(struct reply *reply, struct reply_mark mark, size_t count);
void reply_deferred_map(struct reply *reply, struct reply_mark mark, size_t pairs);
void reply_deferred_set(struct reply *reply, struct reply_mark mark, size_t count);

/* Bytes that are not sent yet, blobs included. */
static inline size_t reply_size(const struct reply *reply)
{
    return reply->bytes.len + reply->blob_size;
}
void reply_cut(
    struct reply *reply, size_t len); /* takes back what was written after the first len bytes */
/* Drops the first len bytes and the first blobs, which lie before them: they are out. */
void reply_forget(struct reply *reply, size_t len, size_t blobs);
/* Puts all of `other`, of the same protocol, behind what is there; empties it. */
void reply_join(struct reply *reply, struct reply *other);
/* Adds the contents of another reply behind this one's, muted or not, and leaves that empty. */
void reply_take(struct reply *reply, struct reply *other);
void reply_free(struct reply *reply);

#endif
