/* One command under way: what its function gets, and what it may do. */
#ifndef SERVER_COMMAND_CALL_H
#define SERVER_COMMAND_CALL_H

#include "server/command/command.h"
#include "server/command/executor.h"
#include "server/command/session.h"
#include "server/store/store.h"

struct call {
    struct executor *executor;
    struct session *session;
    const struct command_entry *entry;
    const struct bytes *argv; /* argv[0] is the name; of subcommands argv[1] too */
    int argc;
    struct bytes raw; /* the request as RESP, where it came so; else empty */
    struct reply *reply;
    struct store *store;
    int64_t now; /* Unix time in ms, the same for a whole turn */
    unsigned database;
    struct slot *slot;     /* of the first key, locked; NULL for a command without keys */
    uint64_t hash;         /* of the first key */
    int first_key;         /* its position in argv; 0: no key */
    bool one_slot;         /* all keys are of call->slot */
    bool changed;          /* call_changed was said */
    bool effects_replaced; /* call_effect was said: the request itself is not journaled */
    bool no_effect;        /* call_no_effect was said */
    bool in_exec;          /* one of the commands of a transaction, or of a script */
    bool in_script;        /* of a script */
    bool may_answer_late;  /* in_exec, and its answer may have a gap */
    bool retry;            /* set by EXEC: it has not begun, a key is in transit */
    bool refused;          /* not begun, and the error has been written */
    const struct queued *behind; /* of a transaction: the commands after this one */
    size_t behind_count;
    bool still_waits;      /* of a waiter that is tried again: there still is nothing */
    struct block_waiter *waiter; /* for whom the command is tried again (block.h), or NULL */
    bool wants_all_slots;  /* set by a script: to be begun again, with every slot locked */
    bool error_counted;    /* the error in the reply is of a script's command, and counted for that */
    uint32_t errors;       /* of the reply's errors, those that have been counted */
};

/* --- Effects: what the journal gets. ---
 * A write command that changed something says so, once or more often. Its own request is journaled
 * then as it is; unless it names effects: commands that have the same outcome whenever and wherever
 * they run (SET with EX becomes PXAT). Effects are journaled in their order, atomically, before the
 * slot is unlocked. */
void call_changed(struct call *call);
void call_effect(struct call *call, const struct bytes *argv, int argc);
void call_no_effect(struct call *call); /* what changed is not journaled */
/* Goes before the request itself, which is journaled as it would be without: the DEL of an expired
 * key. */
void call_side_effect(struct call *call, const struct bytes *argv, int argc);

/* --- Slots of commands without keys (KEYS, SCAN, FLUSHALL: flag CMD_ALL_SLOTS), one at a time.
 * Within a transaction all slots are locked already; these two know. --- */
void call_lock_slot(struct call *call, struct slot *slot);
void call_unlock_slot(struct call *call, struct slot *slot);

/* --- Answers that come later. ---
 * The command has begun something that another thread finishes. Its session takes no further
 * command until then. The ticket is good for one answer, from any thread, and no longer needed
 * then; when the session is gone by then the answer is dropped. Inside a transaction only commands
 * whose row says so may park (CMD_PARKS; see late.h and call_can_park). */
struct ticket;
struct queued;
bool call_can_park(const struct call *call);
struct ticket *call_park(struct call *call);
/* finish runs in the session's worker (NULL where the session is gone, with arg all the same, to
 * clean up). */
void ticket_finish(
    struct ticket *ticket, void (*finish)(struct session *session, void *arg), void *arg);
/* The same from a command under way in `here` that is run for the session (push_serve): the session
 * gets the answer and the command's messages in their order. Not within a transaction. */
void ticket_finish_in_order(struct ticket *ticket, struct executor *here,
    void (*finish)(struct session *session, void *arg), void *arg);
/* The answer is RESP that is ready; takes over the buffer. */
void ticket_reply(struct ticket *ticket, struct buffer resp);
/* Sessions that wait for an answer, for INFO. Any thread. */
size_t ticket_count(void);

/* --- Running commands. --- */

enum dispatch_result {
    DISPATCH_DONE,   /* answered */
    DISPATCH_PARKED, /* the answer comes later */
    DISPATCH_RETRY, /* not begun: the same request again when the session is resumed (paused, key in
                       transit) */
};

/* A request on its way through the stages. Filled in by the caller: session, argv, argc, raw. */
struct request {
    struct session *session;
    const struct bytes *argv;
    int argc;
    struct bytes raw;
    const struct command_entry *entry; /* from here on: dispatch_prepare's */
    const struct command_entry *container;
    unsigned database; /* that slot is of */
    struct slot *slot; /* of the first key, or NULL */
    uint64_t hash;
    int first_key; /* its position, 0: none */
    bool repeats;         /* slot and hash are those of the request before it */
    bool has_member;      /* dispatch_prefetch_members is to look for a member, ... */
    uint64_t member_hash; /* ... with this hash in its collection */
};

/* Stage 1: finds the command and where its first key lives, and prefetches the slot. No lock. before: the
 * request that came before it, prepared and with its arguments where they were, or NULL: many a
 * request asks for the same as that. */
void dispatch_prepare(
    struct executor *executor, struct request *request, const struct request *before);
/* Stage 2: prefetches the table's bucket. Stage 3: the entry; it takes the slot's lock if it is
 * free. */
void dispatch_prefetch_bucket(struct request *request);
void dispatch_prefetch_entry(struct request *request);
/* Stage 4, for a whole window: what the look for a member of a large collection will touch. */
void dispatch_prefetch_members(struct request *requests, size_t count);
/* Runs it; the caller is in a turn. */
enum dispatch_result dispatch_run(struct executor *executor, struct request *request);

/* --- Helpers that all families use. --- */
void call_error_arity(struct call *call);
/* For a subcommand that is known, with arguments that it does not take. */
void call_error_subcommand(struct call *call);
void call_error_syntax(struct call *call); /* ERR syntax error */
void call_error_type(struct call *call);   /* WRONGTYPE ... */
bool call_integer(struct call *call, int index,
    int64_t *value); /* else: replies "value is not an integer or out of range" */
bool call_from_client(
    const struct call *call); /* not my primary's stream, not a file that is replayed */

#endif
