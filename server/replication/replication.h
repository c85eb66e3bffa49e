/* Replication: serving replicas (feed.c) and following a primary (link.c). One per process. */
#ifndef SERVER_REPLICATION_REPLICATION_H
#define SERVER_REPLICATION_REPLICATION_H

#include "common/error.h"
#include "server/cluster/service.h"
#include "server/journal/journal.h"
#include "server/store/store.h"

bool replication_open(struct store *store, struct journal *journal, struct error *error);
bool replication_start(struct error *error); /* `replicaof` of the configuration; hooks of the cluster */
void replication_stop(void);

/* Any thread; the work is done by the link's thread. A node that follows takes no writes from this moment on. */
void replication_follow(const char *host, int port);
void replication_lead(void);

enum replication_link { REPLICATION_NONE, REPLICATION_CONNECT, REPLICATION_CONNECTING, REPLICATION_SYNC,
    REPLICATION_CONNECTED };

/* Where this node stands; any thread. */
struct replication_status {
    bool is_replica;
    enum replication_link link;
    char host[256];
    int port;
    int64_t offset;          /* produced or processed */
    int64_t last_io_ms;      /* Unix time of the last byte from the primary; 0: none */
    int64_t down_since_ms;   /* Unix time since when the link is down; 0: it is up, or never was */
    bool ever_connected;
    size_t replicas, good_replicas; /* attached; online and lagging at most min-replicas-max-lag */
};
struct replication_status replication_status(void);

#endif
