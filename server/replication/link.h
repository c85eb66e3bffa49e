/* Following a primary: whom, and how far that is. Inside of this folder; role.c decides whom,
 * link.c has the thread that does it. */
#ifndef SERVER_REPLICATION_LINK_H
#define SERVER_REPLICATION_LINK_H

#include "server/replication/replication.h"

/* Whom to follow. A change of any kind makes a new generation. */
struct link_target {
    char host[REPLICATION_HOST_MAX]; /* empty: nobody */
    int port;
    bool failover; /* PSYNC ... FAILOVER: it is to become a primary for us */
    uint64_t generation;
};

/* ---- role.c ---- */

/* Before anything runs. */
void role_open(struct journal *journal);
/* The data is loaded: replicas are taken from now on. replica: this node is one, or will be told in
 * a moment that it is. */
void role_start(bool replica);
/* The link's thread is to end; the role stays. */
void role_close(void);
/* Any thread; not from within a turn. */
void role_follow(const char *host, int port, bool failover);
void role_lead(void);
/* Of the target now; one load. Changes while all turns are stopped, so that who sees the old one
 * within a turn may go on to the turn's end. */
uint64_t role_generation(void);
struct link_target role_target(void); /* any thread */

/* For the link's thread; each does nothing where the generation is not the target's any more. */

/* CONDITION_STALE. */
void role_set_stale(uint64_t generation, bool stale);
/* The store is about to be replaced: changes of role wait until role_end_load. False: no more
 * wanted. */
bool role_begin_load(uint64_t generation);
void role_end_load(void);
/* PSYNC ... FAILOVER was accepted: the target is a primary like any other now. */
void role_failover_done(uint64_t generation);

/* ---- link.c ---- */

/* Before anything runs. database: that the stream of the data that will be loaded is in; -1: no
 * matter. */
void link_open(struct store *store, struct journal *journal, int database);
/* There is a new target; replica: this node follows. Starts the thread, or wakes it. */
void link_retarget(uint64_t generation, bool replica);
void link_stop(void);
bool link_is_up(void);      /* any thread */
bool link_has_failed(void); /* it has given up on this target; any thread */

/* What others may know of it; any thread. */
struct link_view {
    enum replication_link link;
    int64_t last_io_ms, down_since_ms;
    bool ever_connected;
    char failure[512];
    int64_t sync_total, sync_read, sync_io_ms; /* of the full sync under way; total 0: not known */
};
struct link_view link_view(void);
uint64_t link_bytes_in(void);

/* Notes of the link's thread. */
void link_note_bytes(size_t len);
void link_note_sync(int64_t total, int64_t read);

#endif
