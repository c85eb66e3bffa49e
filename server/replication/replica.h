/* A replica that this node serves: from its first REPLCONF to the end of its connection. Between
 * feed.c, psync.c and stream.c. */
#ifndef SERVER_REPLICATION_REPLICA_H
#define SERVER_REPLICATION_REPLICA_H

#include "server/command/session.h"
#include "server/journal/gate.h"
#include "server/journal/reader.h"
#include "server/snapshot/snapshot_queue.h"

enum { REPLICA_IP_MAX = 256 };

enum replica_state {
    REPLICA_INTRODUCED, /* has said REPLCONF: not one yet */
    REPLICA_WAITING,    /* for its snapshot to begin */
    REPLICA_SENDING,    /* the snapshot is on its way */
    REPLICA_LOADING,    /* has got it; the stream begins when it says so (REPLCONF ACK) */
    REPLICA_ONLINE,
};

enum replica_capability { REPLICA_EOF = 1, REPLICA_PSYNC2 = 2 };

struct replica {
    struct replica *next, **previous; /* of the list of all; feed.c's mutex */

    /* Constant. */
    struct executor *executor;
    uint64_t session_id;

    /* Written by the worker under feed.c's mutex: it reads them without, others with it. */
    enum replica_state state;
    char ip[REPLICA_IP_MAX];
    int port;
    int64_t start_ms;               /* monotonic: when its snapshot is to be asked for */
    int64_t ack_ms;                 /* monotonic: when it was last heard of */
    struct gate_follower *follower; /* from REPLICA_ONLINE on */
    struct gate_follower *fsynced;  /* likewise: what is on its disk, as far as it says */

    /* The worker's. */
    unsigned capabilities;
    bool rdb_only;                /* wants the snapshot and nothing else */
    bool no_data;                 /* wants the stream alone */
    bool old;                     /* said SYNC: no line before the snapshot, no acknowledgements */
    bool announced;               /* the snapshot has begun, what it wrote below may be read */
    struct snapshot_queue *queue; /* NULL: not asked for, or over */
    struct buffer head;           /* goes out before anything else */
    size_t head_sent;
    size_t bytes_in;     /* of its connection, when it was last looked at */
    int64_t progress_ms; /* monotonic: when bytes went out */
    int64_t newline_ms;  /* monotonic: the last sign of life to it */

    /* Written in the snapshot's moment by the snapshotter, read by the worker from `announced` on.
     */
    struct journal_reader *reader;
    char id[JOURNAL_ID_LEN + 1];
    int64_t offset;
};

/* ---- feed.c ---- */

/* The replica of the session; made where there is none. In the session's worker. */
struct replica *replica_of(struct session *session);
void replica_set_state(struct replica *replica, enum replica_state state);
/* Removes it from the list and frees it, with all it holds. */
void replica_free(struct replica *replica);
/* From any thread, while the replica is there: its worker looks whether there is something to
 * write. */
void replica_wake(const struct replica *replica);
/* REPLCONF ACK. */
void replica_acknowledge(
    struct replica *replica, int64_t offset, int64_t fsynced); /* fsynced: -1 where it says none */

/* When its snapshot is to be asked for; sooner, where another one waits for a snapshot already. */
void replica_set_start(struct replica *replica, int64_t monotonic_ms);

/* ---- stream.c ---- */

/* The snapshot's moment is over and noted: REPLICA_SENDING, and the line that says so. */
void stream_announce(struct replica *replica);

/* Of a connection that has a replica. */
extern const struct connection_stream replica_stream;

/* ---- psync.c ---- */

/* Asks for the snapshot. */
void replica_begin_snapshot(struct replica *replica);

#endif
