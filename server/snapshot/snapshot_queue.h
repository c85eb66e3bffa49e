/* A snapshot on its way to a replica, without a file: a bounded queue between the snapshotter,
 * which waits while it is full, and the worker that owns the replica's connection. The bytes in it
 * are ready for the socket: "$EOF:" mark "\r\n", the RDB, the mark again; the mark is 40 random
 * digits. */
#ifndef SERVER_SNAPSHOT_SNAPSHOT_QUEUE_H
#define SERVER_SNAPSHOT_SNAPSHOT_QUEUE_H

#include "server/snapshot/snapshot.h"

struct snapshot_queue;

enum snapshot_queue_state {
    SNAPSHOT_QUEUE_OPEN,     /* more will come */
    SNAPSHOT_QUEUE_COMPLETE, /* all has come; done once it is empty */
    SNAPSHOT_QUEUE_FAILED,   /* close the connection: the replica can't use what it has got */
};

struct snapshot_queue_options {
    size_t limit; /* bytes in the queue; at least 64 KB */
    int stall_ms; /* a consumer that takes nothing for so long while the queue is full fails it */
    /* In the moment, see snapshot_target: opens the journal's reader, notes id and offset. May be
     * NULL. */
    bool (*begin)(void *context, struct error *error);
    /* In the snapshotter's thread: an empty queue got bytes, or the state changed. Cheap; must not
     * call the queue. Not called any more once snapshot_queue_close has returned. */
    void (*notify)(void *context);
    void *context;
};

struct snapshot_queue *snapshot_queue_create(const struct snapshot_queue_options *options);
/* To be given to snapshotter_request, once, at once; the snapshotter then holds the queue as well.
 */
struct snapshot_target *snapshot_queue_target(struct snapshot_queue *queue);

/* The consumer's; one thread at a time. */

/* The bytes at the head, good until snapshot_queue_advance; empty: there are none now. */
struct bytes snapshot_queue_peek(struct snapshot_queue *queue);
/* `len` of the bytes that peek gave have been taken. */
void snapshot_queue_advance(struct snapshot_queue *queue, size_t len);
/* error is set where it FAILED; may be NULL. */
enum snapshot_queue_state snapshot_queue_state(struct snapshot_queue *queue, struct error *error);
/* The consumer is done with it. What the snapshotter still writes fails. */
void snapshot_queue_close(struct snapshot_queue *queue);

#endif
