/* A full sync: the primary's snapshot comes into a file, and from there into the store. Used by the
 * link's thread alone. */
#ifndef SERVER_REPLICATION_FULL_SYNC_H
#define SERVER_REPLICATION_FULL_SYNC_H

#include "server/replication/handshake.h"

/* The name of the file, and that of a process before this one is gone; before anything runs. */
void full_sync_open(void);

enum full_sync_result {
    FULL_SYNC_DONE,
    FULL_SYNC_BROKEN,   /* it has not all come; the data is as it was */
    FULL_SYNC_UNLOADED, /* it cannot be read; the store is empty */
    FULL_SYNC_STOPPED,  /* the target has changed; the data is as it was */
};

/* Receives what follows +FULLRESYNC and makes it the data, at `position` in the journal. *database:
 * that the stream is in, or -1. Blocks as long as it takes; timeout_ms: of silence. */
enum full_sync_result full_sync(struct primary_socket *socket, struct journal *journal,
    const struct position *position, uint64_t generation, int timeout_ms, int *database,
    struct error *error);

/* Ten times a second, in any one thread: a primary that waits while its snapshot is being loaded
 * gets a sign of life. */
void full_sync_tick(void);

#endif
