/* Commands that wait (BLPOP, XREAD BLOCK ...). A command that finds nothing calls block_on_keys:
 * its session is parked, and a copy of the request, the waiter, stands in a queue at each of its
 * keys. When a command that gave such a key something is through (EXEC and scripts as a whole), the
 * waiters of the key are served in the order in which they came, still under the slot's lock: the
 * waiter's own command is run once more, by the thread that is there, with a session that stands in
 * for the client's. So a pop is atomic with the push that made it possible, and their effects lie
 * side by side in the journal. A waiter whose command again finds nothing keeps its place.
 *
 * Without a cluster a waiter's keys may lie in several slots. Such a one, and who stands behind it,
 * is served as soon as the locks are let go, with all its slots locked in order. */
#ifndef SERVER_COMMAND_BLOCK_H
#define SERVER_COMMAND_BLOCK_H

#include "server/command/key.h"

struct block_waiter;

/* --- For the commands that wait. --- */

/* What is replied where the command may not wait. At a time-out it is always a null array. */
enum block_nothing { BLOCK_NULL_ARRAY, BLOCK_NULL };

struct block_wish {
    const int *positions; /* of the keys in argv */
    int count;
    enum type_id type;  /* only a key that is of this type then is worth to try again */
    bool also_gone;     /* as is one that has been removed, or is of another type (XREADGROUP) */
    int64_t timeout_ms; /* 0: for ever */
    enum block_nothing nothing;
    /* The request to try again, where it isn't the call's own (XREAD: `$` has been resolved). The
     * keys are at the same places. NULL: the call's. Copied. */
    const struct bytes *argv;
    int argc;
};

/* Waits, or replies what there is to reply where that can't be (see block_may_wait). Of a waiter
 * that is tried again it says that there still is nothing: nothing may have been replied then. */
void block_on_keys(struct call *call, const struct block_wish *wish);

/* The same for the keys argv[first] and those behind, `count` of them, any of which will do. */
void block_on_any(struct call *call, int first, int count, enum type_id type, int64_t timeout_ms);
/* Of these keys the first that is there and of the type, to be changed. False: none is, or one that
 * stands before it is of another type, which has been replied (*wrong). */
bool block_find_any(
    struct call *call, int first, int count, enum type_id type, struct key *key, bool *wrong);

/* Whether the command may wait at all: not within EXEC or a script, not the primary's stream. */
bool block_may_wait(const struct call *call);

/* Of a waiter that is tried again only the key that has got something is looked at: whether the key
 * argv[index] is to be passed over. */
bool block_passes_over(const struct call *call, int index);

/* Timeouts, in seconds with a fraction (BLPOP) and in whole ms (XREAD): false, and the error has
 * been replied. *ms: 0 stands for ever. */
bool block_timeout_seconds(struct call *call, int index, int64_t *ms);
bool block_timeout_ms(struct call *call, int index, int64_t *ms);

/* --- For the commands that others wait for. --- */

void block_mark(struct executor *executor, struct slot *slot, uint64_t hash, struct bytes name);
/* The key has got something, or is gone; its slot is locked. Its waiters are served when the
 * command is through. key_set and key_delete say it by themselves; who adds to a value that is
 * there already says it. */
static inline void block_signal(struct call *call, const struct key *key)
{
    if (__builtin_expect(key->slot->blocked != NULL, 0))
        block_mark(call->executor, key->slot, key->hash, key->name);
}
/* The same for all keys of the slot that somebody waits for: its table went, or came from
 * elsewhere. */
void block_mark_all(struct executor *executor, struct slot *slot);
static inline void block_signal_slot(struct executor *executor, struct slot *slot)
{
    if (__builtin_expect(slot->blocked != NULL, 0))
        block_mark_all(executor, slot);
}

/* Serves waiters of marked keys. `held`: the slots whose locks the caller has, in the order of
 * store_lock_many. In a turn, with no effects under way. */
void block_serve_marked(struct executor *executor, struct slot **held, size_t count);
static inline void block_serve(struct executor *executor, struct slot **held, size_t count)
{
    if (__builtin_expect(executor->marked_count > 0, 0))
        block_serve_marked(executor, held, count);
}
/* Serves what is left: the caller holds no lock. */
void block_serve_marked_rest(struct executor *executor);
static inline void block_serve_rest(struct executor *executor)
{
    if (__builtin_expect(executor->marked_count > 0, 0))
        block_serve_marked_rest(executor);
}

/* The executor's marks become those of `kept`, and its own behind them: see executor_serve. */
void block_join_marks(struct executor *executor, const struct executor *kept);

/* --- For whoever has the sessions. --- */

/* Registers the regular look at roles and slots; before any thread. */
void block_init(void);
/* Time-outs that are over; in the executor's thread, when the alarm that it set has come. */
void block_alarm(struct executor *executor);
/* The session goes away; in its thread, before anything of it is freed. */
void block_abandon(struct session *session);
/* CLIENT UNBLOCK: ends the waiting of the session with this ID, with an error or as if timed out.
 * False: it does not wait. Any thread, whatever it holds. */
bool block_unblock(uint64_t session_id, bool with_error);
/* What ends other waiting of sessions in the same way (WAIT); before any thread. */
void block_also(bool (*unblock)(uint64_t session_id, bool with_error));
/* Bytes that the session's waiter takes. */
size_t block_memory(const struct session *session);
/* Waiters with a time-out, for INFO. Any thread. */
size_t block_limited(void);

#endif
