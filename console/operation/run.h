/* The inside of a running operation, for the files that run its steps. Everything happens in the
 * client's loop. */
#ifndef CONSOLE_OPERATION_RUN_H
#define CONSOLE_OPERATION_RUN_H

#include "console/operation/operation.h"
#include <hiredis/hiredis.h>
#include <sys/queue.h>

struct client_node;
struct event;
struct run_request;
struct move;

enum { RUN_SAMPLES = 16, RUN_TRIES = 4, RUN_RETRY_MS = 500, RUN_WAIT_MS = 60000 };
/* Connections to a node: a node answers the requests of one connection one after the other, so what
 * shall not wait for each other goes different ways. */
enum { RUN_WAYS = 8 };

struct run_sample {
    int64_t at;
    int64_t keys;
    unsigned slots;
};

LIST_HEAD(run_requests, run_request);

struct operation {
    struct client *client;
    struct plan plan; /* a copy */
    struct operation_options options;
    void (*watch)(void *context, const struct operation_event *event);
    void *context;

    /* By node of the plan, RUN_WAYS each; NULL where not needed yet. */
    struct client_node **connections;
    struct run_requests requests;     /* waiting for an answer, or for another try */
    struct event *turn;               /* what comes next, outside of any callback */
    void (*next)(struct operation *operation);

    int64_t started;   /* client_now() */
    int64_t paused_at; /* 0: it isn't paused */
    int64_t paused_ms; /* in all, without the pause under way */
    bool cancelling;
    int64_t told_progress; /* client_now() */

    size_t step;
    int64_t step_started;
    unsigned slots_done, slots_total;
    int64_t keys_done, keys_total;
    int slot; /* under way; -1: none */
    struct slot_set moved;
    struct run_sample samples[RUN_SAMPLES];
    unsigned sample_count;

    /* Of the step under way; each runner frees its own when the operation is freed. */
    struct move *move;
    unsigned at_slot; /* of a step that goes through its slots one by one */
    unsigned waiting; /* answers that the step waits for */
    bool agreed;      /* what they said so far */
    char doubt[256];  /* why not, for the time limit's message */
    /* Of a failover: the old primary still looks like one to somebody; it doesn't answer; the new
     * one is a replica again. */
    bool old_leads, old_silent, went_back;
    uint64_t signature;

    struct operation_report report;
};

/* --- telling --- */

void run_say(struct operation *operation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void run_progress(struct operation *operation); /* where enough time has passed since the last */

/* --- going on and ending --- */

/* Calls next from the loop after ms (0: at the next turn). A later call replaces an earlier one. */
void run_later(struct operation *operation, int64_t ms, void (*next)(struct operation *operation));
void run_step_done(struct operation *operation);
/* The report's state and resume are the caller's to set before. */
void run_end(struct operation *operation, enum operation_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- asking nodes --- */

/* What a request came to: the reply, or NULL and an error sentence. A reply that is an error is
 * given as it is, with error set to its text. */
typedef void run_done(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context);

/* Sends to a node of the plan and calls done. A connection that fails is tried again, `tries` times
 * in all; so the command must bear being sent twice. The arguments are copied. */
void run_ask(struct operation *operation, int node, unsigned tries, int64_t limit_ms,
    run_done *done, void *context, const struct bytes *argv, size_t argc);
/* The same, on the connection of that number (below RUN_WAYS); run_ask's is 0. */
void run_ask_on(struct operation *operation, int node, unsigned way, unsigned tries,
    int64_t limit_ms, run_done *done, void *context, const struct bytes *argv, size_t argc);
/* The same with words and a NULL behind the last, RUN_TRIES times, the usual limit. */
void run_ask_words(struct operation *operation, int node, run_done *done, void *context, ...)
    __attribute__((sentinel));

/* One block: the views, and behind them the bytes that they show. The caller frees. */
struct bytes *run_copy_arguments(const struct bytes *argv, size_t argc);

const char *run_node_name(const struct operation *operation, int node);

/* --- the runners of steps, a file each --- */

void run_setup_step(
    struct operation *operation); /* setup.c: ADD_SLOTS, SET_EPOCH, MEET, REPLICATE */
void run_setup_undo(struct operation *operation);    /* a create that is cancelled */
void run_agree_step(struct operation *operation);    /* agree.c: AGREE, WAIT_OK */
void run_takeover_step(struct operation *operation); /* takeover.c: FAILOVER */
void run_takeover_fail(struct operation *operation, const char *why);
void run_move_step(struct operation *operation);     /* move.c: MOVE */
void run_put_back_step(struct operation *operation); /* put_back.c: PUT_BACK */
void run_move_free(struct move *move);

#endif
