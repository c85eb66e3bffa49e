/* A client as the commands see it: what it said of itself and what it is in the midst of. The connection (socket,
 * buffers) is net's; a session has no socket in it, so that the loader of an AOF and the applier of a primary's
 * stream are sessions as well.
 *
 * Owner: the session's worker. What others may touch is atomic and said so. */
#ifndef SERVER_COMMAND_SESSION_H
#define SERVER_COMMAND_SESSION_H

#include "server/command/reply.h"
#include <stdatomic.h>

struct acl_account;
struct block_waiter;
struct executor;
struct late;
struct transaction;
struct watch;
struct subscriptions;
struct tracking;

enum session_flag {
    SESSION_ASKING = 1 << 0,       /* the next command may use an importing slot */
    SESSION_READONLY = 1 << 1,     /* READONLY was said */
    SESSION_PRIMARY = 1 << 2,      /* the stream of my primary: obeyed without asking */
    SESSION_LOADER = 1 << 3,       /* replays a file: no journal, no redirects */
    SESSION_REPLICA = 1 << 4,      /* PSYNC was said: it follows the journal */
    SESSION_AUTHENTICATED = 1 << 5,
    SESSION_CLOSE_AFTER_REPLY = 1 << 6,
    SESSION_CLOSE_NOW = 1 << 7,
    SESSION_NO_EVICT = 1 << 8,
    SESSION_NO_TOUCH = 1 << 9,
    SESSION_REPLY_OFF = 1 << 10,
    SESSION_REPLY_SKIP_NEXT = 1 << 11,
    SESSION_REPLY_SKIP = 1 << 12,
    SESSION_UNIX_SOCKET = 1 << 13,
    SESSION_PARKED = 1 << 14,      /* a ticket is out: no further command until its answer is there */
    SESSION_SUBSCRIBED = 1 << 15,  /* to anything */
    SESSION_MONITOR = 1 << 16,     /* gets all commands */
    SESSION_TRACKING = 1 << 17,    /* CLIENT TRACKING is on */
};

struct session {
    uint64_t id;                  /* counts up from 1 over the life of the process */
    struct executor *executor;    /* of its worker */
    struct reply reply;
    unsigned flags;               /* enum session_flag */
    unsigned database;
    struct transaction *transaction; /* after MULTI */
    struct late *late;               /* of an EXEC some of whose answers are on their way: see late.h */
    struct watch *watches;           /* chain of what WATCH named */
    atomic_bool watch_broken;        /* set by whoever changes a watched key, under that key's slot lock */
    char *name, *library_name, *library_version; /* owned; NULL: not set */
    char peer[64], local[64];     /* address:port, written once before anyone else sees the session */
    int64_t created_ms, active_ms; /* Unix time */
    unsigned last_command;        /* 1 + id of the last command, for CLIENT LIST; 0: none yet */
    struct block_waiter *waiter;  /* it waits for keys: see block.h */
    uint64_t write_offset;        /* journal offset after its last write, for WAIT */
    size_t counted;               /* bytes of memory that client_memory has of it */
    struct subscriptions *subscriptions; /* see topic.h; NULL: none */
    struct tracking *tracking;           /* of a SESSION_TRACKING: see tracking.h */
    struct acl_account *account;  /* who it is (acl_users.h), held; NULL: may do all (no client) */
    void *connection;             /* net's; NULL for sessions without one */
    void *replica;                /* replication's, of a SESSION_REPLICA */
};

/* A connection's session begins: it can be found from now on. In its worker. */
void session_came(struct session *session);
/* And ends: nobody finds it, and it listens to nothing any more. */
void session_gone(struct session *session);
/* The executor that has the session with this ID, or NULL: there is none. Any thread; it may be
 * gone a moment later. */
struct executor *session_where(uint64_t id);

#endif
