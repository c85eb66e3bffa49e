/* Replication: serving replicas and following a primary. One per process; README.md of this folder
 * says which file does what. Unless they say otherwise, functions may be called from any thread. */
#ifndef SERVER_REPLICATION_REPLICATION_H
#define SERVER_REPLICATION_REPLICATION_H

#include "common/error.h"
#include "server/cluster/service.h"
#include "server/command/call.h"
#include "server/journal/journal.h"
#include "server/store/store.h"

enum { REPLICATION_HOST_MAX = 256 };

/* Before anything runs, after persistence_open: hooks, what the RDB file says of its history, and,
 * where the configuration has `replicaof`, the role. */
bool replication_open(struct store *store, struct journal *journal, struct error *error);
/* When the data is loaded: from now on this node follows, and serves replicas. */
bool replication_start(struct error *error);
/* Ends the link's thread. When the workers have stopped, before their connections are closed. */
void replication_stop(void);

/* A node that follows takes no writes from the moment on in which replication_follow returns; its
 * link's thread does the rest. The same target again changes nothing unless following it has
 * failed. A node that leads takes what it has as its data, under a new replication ID. Both stop
 * all turns: not from within one. While a full sync is being read into the store they only note
 * what is wanted; it becomes so when that is done, and until then commands are answered -LOADING.
 */
void replication_follow(const char *host, int port);
void replication_lead(void);

/* How far the link to the primary is. */
enum replication_link {
    REPLICATION_NONE,       /* this node is a primary, or it has given up: see `failure` */
    REPLICATION_CONNECT,    /* to be connected */
    REPLICATION_CONNECTING, /* the socket is being opened */
    REPLICATION_HANDSHAKE,
    REPLICATION_SYNC, /* a full sync comes or is being loaded */
    REPLICATION_CONNECTED,
};

struct replication_status {
    bool is_replica;
    enum replication_link link;
    char host[REPLICATION_HOST_MAX]; /* empty: a primary */
    int port;
    int64_t offset;        /* produced or processed; 0 for a replica that has no data to tell of */
    int64_t last_io_ms;    /* Unix time of the last byte from the primary; 0: none */
    int64_t down_since_ms; /* Unix time since when the link is down; 0: it is up, or never was */
    bool ever_connected;   /* to this primary or to one before it, since this node is a replica */
    char failure[512];     /* why the link is down; empty: nothing is wrong that we know of */
    size_t replicas, good_replicas; /* attached; online and lagging at most min-replicas-max-lag */
};
struct replication_status replication_status(void);
/* The same as the cluster's state machine asks for it. */
struct cluster_replication replication_for_cluster(void);
/* The database that the primary's stream is in at journal_offset(); -1 on a primary, whose stream
 * begins with a SELECT for each new replica. While all turns are stopped. */
int replication_stream_database(void);

/* ---- For server/command/replication.c: what the commands do, in a turn of a worker. ---- */

void replication_replicaof(struct call *call);
void replication_replconf(struct call *call);
void replication_psync(struct call *call); /* PSYNC and SYNC */
void replication_role(struct call *call);
void replication_wait(struct call *call);
void replication_waitaof(struct call *call);
void replication_failover(struct call *call);

#endif
