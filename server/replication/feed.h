/* All replicas that this node serves: who they are, how far they are, and what they need from time
 * to time. Any thread, unless it says otherwise. */
#ifndef SERVER_REPLICATION_FEED_H
#define SERVER_REPLICATION_FEED_H

#include "common/error.h"
#include "server/journal/gate.h"
#include "server/journal/journal.h"
#include "server/replication/replica.h"

/* Before the workers run. */
void feed_open(struct journal *journal);
/* From now on replicas are taken; keep: the journal's history and backlog are of the data that was
 * loaded. */
void feed_start(bool keep);

struct journal *feed_journal(void);
/* Each online replica's acknowledged offset is a follower of it. */
struct gate *feed_gate(void);
/* Likewise, what each has fsynced; replicas that have no append-only file, or are older than Redis
 * 7.2, never come far there. */
struct gate *feed_fsync_gate(void);

struct feed_replica {
    char ip[REPLICA_IP_MAX];
    int port;
    enum replica_state state;
    int64_t offset; /* acknowledged; 0: nothing yet */
    int64_t lag_ms; /* since it was last heard of */
};

/* Those that have said PSYNC or SYNC, in the order in which they came; at most max of them. Returns
 * how many there are. */
size_t feed_list(struct feed_replica *out, size_t max);
/* Attached; online; online and heard of within so many ms. */
struct feed_count {
    size_t attached, online, good;
};
struct feed_count feed_count(int64_t max_lag_ms);
/* What a replica must have acknowledged to have all that was written. */
int64_t feed_needed_offset(void);
/* Those that are online and have not yet acknowledged that. Asks them to. */
size_t feed_laggards(void);
/* Puts REPLCONF GETACK into the stream, unless it is the last thing there; during a pause only
 * where `paused_too`, since a failover needs the offset to stand still. */
void feed_request_acks(bool paused_too);
/* This node has become a primary: its replicas are to come back and learn the new history, and have
 * the whole repl-backlog-ttl to do so. */
void feed_lead(void);
/* The first online replica that has acknowledged so much. ip empty: any, else that one, in any
 * state where acknowledged is negative. */
bool feed_find(const char *ip, int port, int64_t acknowledged, struct feed_replica *out);
/* Closes all: they are to come back and learn what is new. */
void feed_drop_all(const char *reason);
/* Makes CONDITION_FEW_REPLICAS so. */
void feed_judge_min_replicas(void);

/* A replica attaches: counts it, and begins to keep the backlog. False with the reply's text in
 * *error: not now. In its worker. */
bool feed_attach(struct replica *replica, struct error *error);

/* What INFO stats tells. */
enum feed_event { FEED_FULL_SYNC, FEED_PARTIAL_SYNC, FEED_PARTIAL_REFUSED, FEED_EVENTS };
void feed_note(enum feed_event event);
void feed_note_bytes(size_t len);
uint64_t feed_events(enum feed_event event);
uint64_t feed_bytes(void);

#endif
