/* What a thread needs to run commands: its turn, the store, the journal, a clock, statistics. Each
 * worker has one; so have the applier of a primary's stream and the loader. Owner: its thread. */
#ifndef SERVER_COMMAND_EXECUTOR_H
#define SERVER_COMMAND_EXECUTOR_H

#include "common/buffer.h"
#include "server/store/store.h"
#include "server/store/turn.h"
#include <stdatomic.h>

struct block_mark;
struct block_room;
struct journal;
struct changes;
struct letter;
struct session;

/* Counters of one command in one executor: written by its thread alone, summed by INFO from any. */
struct command_counter {
    _Atomic uint64_t calls, ticks, rejected, failed;
};

struct executor_counters {
    _Atomic uint64_t commands, keyspace_hits, keyspace_misses, expired, evicted, connections_accepted,
        bytes_in, bytes_out, redirected, errors,
        changes; /* commands that changed something, for save points */
    _Atomic uint64_t reads, writes; /* of clients' sockets */
    /* Of the expiry in the background: entries with a time that were looked at, those that were
     * over, microseconds it took, and how often its share of the time was used up. */
    _Atomic uint64_t expire_looked, expire_over, expire_us, expire_cut_short;
};

/* Of a session's connection, in bytes. */
struct session_figures {
    size_t input, input_free, output_buffer, output_blobs, output_memory, memory;
    bool is_writing; /* its socket was full */
    int fd;
};

struct executor {
    struct turn_runner *turn;
    struct store *store;
    struct journal *journal;
    int64_t now;           /* Unix time in ms, of the turn */
    struct buffer effects; /* of the command or transaction under way, as RESP */
    unsigned effect_count;
    unsigned effect_database; /* that the effects so far lead to: of the first, or the last SELECT
                                 in them */
    unsigned first_database;  /* of the first effect */
    bool in_transaction;      /* effects are gathered until EXEC is through */
    bool out_of_memory;       /* see evict.h */
    bool now_is_past;         /* a command took so long: now is read again before the next */
    bool holds_all_slots;     /* a transaction or script that needs them has locked every slot */
    bool wakes_others;        /* what made requests wait is over when this one is through */
    bool effects_muted;       /* a script wants its changes to be nobody else's */
    struct slot **held;       /* what the request or transaction under way has locked; ascending */
    size_t held_count;
    struct slot **extra; /* and what its script has locked beyond that; owned */
    size_t extra_count, extra_capacity;
    bool extra_is_all; /* with those every slot is locked */
    unsigned index;           /* among the executors */
    atomic_size_t client_memory; /* bytes of its clients: see client_memory.h; read by any */
    int box;                  /* see push.h; -1: it has no clients */
    struct changes *changes; /* of keys, for those who track: see tracking.c */
    struct letter *pushes, *last_push; /* put off until the command is through: see push.h */
    const struct reply *serving;   /* of a client that waits and is being served, or NULL */
    struct letter **answer_place;  /* where in pushes its answer belongs; NULL: at their end */
    struct session *client;  /* whose command is under way, or NULL */
    size_t client_unsent;    /* bytes of its replies when that began */
    struct executor_counters counters;
    struct command_counter *commands; /* command_count() of them */
    /* Runs fn(arg) in this executor's thread, soon; from any thread. NULL where nothing can be
     * posted. */
    void (*post)(struct executor *executor, void (*fn)(void *arg), void *arg);
    /* The session with this ID, of this executor, or NULL; only in its thread. */
    struct session *(*find_session)(struct executor *executor, uint64_t id);
    /* Goes on with a session that was parked or told to retry; only in its thread. */
    void (*resume)(struct session *session);
    /* Something for the session has been written outside of its commands; only in its thread. */
    void (*flush)(struct session *session);
    /* Visits all sessions, executor after executor, each in its own thread: visit for each session,
     * then done once, in this executor's thread. Only there. */
    void (*visit)(struct executor *asker, void (*visit)(void *arg, struct session *session),
        void (*done)(void *arg), void *arg);
    /* What the connection of a session takes; in its thread. */
    void (*measure)(const struct session *session, struct session_figures *figures);
    /* Closes the session's connection; in its thread. */
    void (*close)(struct session *session);
    /* Tries again what was told to retry; posted by executor_retry_all. */
    void (*retry_waiting)(struct executor *executor);
    /* Has block_alarm called, in this executor's thread, at this monotonic time in ms; a later one
     * replaces it. NULL where nobody can wait. */
    void (*set_alarm)(struct executor *executor, int64_t at_ms);
    struct block_mark *marked; /* keys whose waiters are to be served: see block.h */
    size_t marked_count, marked_capacity;
    struct block_room *blocking; /* who waits of its sessions, or NULL */
    /* Reads and runs what other sessions of this executor want, without waiting: its thread is
     * within a command that takes long. NULL where there are none. Call executor_serve. */
    bool (*serve)(struct executor *executor); /* false: the process is ending */
    void *scripts; /* script_run.c's */
    void *worker;  /* net's */
};

/* Within a turn, when a command has taken long: now is read again. It does not go back. */
void executor_read_clock(struct executor *executor);
/* In the midst of a command: lets the other sessions be served, as if that command were not.
 * False: the process is ending. */
bool executor_serve(struct executor *executor);
/* Locks a slot; while it is held for long, others are served. */
void executor_lock_slot(struct executor *executor, struct slot *slot);

/* At most EXECUTORS_MAX in the life of the process. */
enum { EXECUTORS_MAX = 64 };
struct executor *executor_create(struct store *store, struct journal *journal);
unsigned executor_count(void);
struct executor *executor_at(unsigned index);

/* What made requests wait (DISPATCH_RETRY) may be over: all executors try theirs again. From any
 * thread. */
void executor_retry_all(void);

static inline void counter_add(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + value, memory_order_relaxed);
}

#endif
