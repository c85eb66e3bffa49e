/* A client's connection: its socket, what has come and is not understood yet, and its session. It
 * belongs to one worker for life; nobody else touches it. */
#ifndef SERVER_NET_CONNECTION_H
#define SERVER_NET_CONNECTION_H

#include "common/resp.h"
#include "server/command/session.h"
#include <event2/event_struct.h>
#include <sys/types.h>

struct worker;
struct connection;

/* Connections that wait for a phase of the turn, in the order in which they came: a growing array,
 * emptied by the phase. A connection that is on it is not put there twice. */
struct connection_list {
    struct connection **items;
    size_t count, capacity;
};

/* What a session's place as a replica adds: bytes that follow the replies, from somewhere else. Set
 * by the one who makes the session follow the journal; runs in the worker. */
struct connection_stream {
    /* Writes to fd what it can. Returns false where the connection must be closed; *more: the
     * socket was full. */
    bool (*write)(struct session *session, int fd, bool *more);
    /* The connection is being closed. */
    void (*closed)(struct session *session);
};

struct connection {
    struct session session;
    struct worker *worker;
    int fd;
    bool reading; /* the readable event is on */
    bool writing; /* the writable event is on: the socket was full */
    bool waiting; /* its next request was told to retry */
    bool closing; /* freed at the end of the turn */
    struct event readable, writable;
    struct buffer input; /* capacity 0 while nothing is kept: memory comes from the worker's pool */
    size_t consumed;     /* bytes at the start of input that have been executed */
    size_t parsed;       /* and that have been read as requests */
    struct resp_reader reader;
    const struct connection_stream *stream; /* NULL: an ordinary client */
    size_t sent;         /* bytes of the reply that are out, without those of blobs */
    size_t blobs_sent;   /* blobs that are out whole */
    size_t blob_sent;    /* bytes of the next blob that are out */
    int64_t held_offset; /* the journal's when the last reply was made: under appendfsync always
                          * that much must be on the disk before the replies go out */
    int64_t soft_limit_since; /* monotonic ms; 0: below the soft limit */
    size_t bytes_in, bytes_out;
    bool on_ready, on_flush;             /* is on the worker's list */
    struct connection *next, **previous; /* all of the worker's */
    struct connection *next_by_id;       /* of its place in the worker's index */
};

/* Takes over fd. peer and local: "ip:port" or "/path:0". */
struct connection *connection_create(
    struct worker *worker, int fd, const char *peer, const char *local, bool unix_socket);
/* Closes and frees at the end of the worker's turn. */
void connection_close(struct connection *connection);

/* Reads what there is, once. False: the other side is gone, or over its bounds (it has been
 * closed). */
bool connection_read(struct connection *connection);
/* Writes what there is; goes on when the socket has room again. */
void connection_write(struct connection *connection);
void connection_set_reading(struct connection *connection, bool on);
/* Puts it on the worker's lists: requests to run, replies to send. */
void connection_want_run(struct connection *connection);
void connection_want_flush(struct connection *connection);
/* Its input has all been understood: the memory goes back to the pool. */
void connection_give_input(struct connection *connection);
/* The second half of connection_close, at the end of the turn. */
void connection_free(struct connection *connection);

void connection_set_stream(struct session *session, const struct connection_stream *stream);
/* There is something for the stream to write; in its worker. */
void connection_stream_ready(struct session *session);

static inline struct connection *connection_of(struct session *session)
{
    return session->connection;
}

#endif
