/* From a request to its answer. The questions are asked in Redis's order: is there such a command,
 * with so many arguments; may this client; is it for this node; may it run now; is it for a
 * transaction. Then its slots are locked, it runs, its effects go to the journal, and the slots are
 * unlocked.
 *
 * A request comes through three stages (prepare, prefetch, run) so that a worker can have the
 * memory of many requests on its way at once. */
#include "server/command/dispatch.h"

#include "server/clock.h"
#include "server/command/admission.h"
#include "server/command/block.h"
#include "server/command/errorstats.h"
#include "server/command/evict.h"
#include "server/command/latency.h"
#include "server/command/monitor.h"
#include "server/command/push.h"
#include "server/command/route.h"
#include "server/command/slot_stats.h"
#include "server/command/slowlog.h"
#include "server/command/tracking.h"
#include "server/command/transaction.h"
#include "server/command/transit.h"
#include "server/config.h"
#include "server/journal/journal.h"
#include "server/log.h"
#include "server/script/busy.h"

#include "common/memory.h"
#include "common/number.h"
#include "common/resp.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { FEW_KEYS = 64 }; /* of a request: their positions and slots fit on the stack */

/* Set once by dispatch_init. */
static bool cluster;
static uint64_t long_ticks; /* a millisecond: who has taken more makes the turn's time a past one */

void dispatch_init(bool cluster_enabled)
{
    cluster = cluster_enabled;
    long_ticks = clock_us_to_ticks(1000);
}

bool dispatch_is_cluster(void)
{
    return cluster;
}

/* ---- Stage 1 and 2: memory ---- */

static const struct command_entry *look_up(struct request *request, const struct request *before)
{
    if (before && before->entry && !before->entry->command->subcommands &&
        !before->container && bytes_equal(before->argv[0], request->argv[0])) {
        request->container = NULL;
        return before->entry;
    }
    bool obeyed = request->session->flags & (SESSION_PRIMARY | SESSION_LOADER);
    return __builtin_expect(obeyed, 0)
               ? command_lookup_original(request->argv, request->argc, &request->container)
               : command_lookup(request->argv, request->argc, &request->container);
}

void dispatch_prepare(
    struct executor *executor, struct request *request, const struct request *before)
{
    request->entry = look_up(request, before);
    request->slot = NULL;
    request->hash = 0;
    request->first_key = 0;
    request->repeats = request->has_member = false;
    request->database = request->session->database;
    if (!request->entry || !request->entry->command->keys)
        return;
    const struct command *command = request->entry->command;
    int position = command->keys->index;
    if (!command_has_one_key(command)) {
        if (command_slotted(command, request->argv, request->argc, &position, 1) < 1)
            return;
    } else if (position >= request->argc) {
        return;
    }
    struct bytes key = request->argv[position];
    request->first_key = position;
    if (before && before->slot && before->database == request->database &&
        bytes_equal(before->argv[before->first_key], key)) {
        request->slot = before->slot;
        request->hash = before->hash;
        request->repeats = true;
        return;
    }
    request->slot = store_slot(executor->store, request->session->database, slot_of_key(key));
    __builtin_prefetch(request->slot);
    request->hash = store_hash(executor->store, key);
}

void dispatch_prefetch_bucket(struct request *request)
{
    if (request->slot && !request->repeats)
        table_prefetch_bucket(&request->slot->table, request->hash);
}

void dispatch_prefetch_entry(struct request *request)
{
    if (request->slot && !request->repeats && slot_lock_try(&request->slot->lock)) {
        table_prefetch_entry(&request->slot->table, request->hash);
        slot_lock_release(&request->slot->lock);
    }
}

/* ---- Running ---- */

void dispatch_release_extra(struct executor *executor)
{
    if (__builtin_expect(executor->extra_count == 0, 1))
        return;
    store_unlock_many(executor->extra, executor->extra_count);
    executor->extra_count = 0;
    if (executor->extra_is_all)
        executor->extra_is_all = executor->holds_all_slots = false;
}

static uint64_t run_call(struct call *call)
{
    struct executor *executor = call->executor;
    struct command_counter *counter = &executor->commands[call->entry->id];
    call->errors = call->reply->errors;
    uint64_t start = clock_ticks();
    call->entry->command->run(call);
    if (__builtin_expect(call->wants_all_slots, 0)) {
        dispatch_release_extra(executor);
        return 0;
    }
    uint64_t ticks = clock_ticks() - start;
    executor->now_is_past |= ticks > long_ticks;
    dispatch_journal(call);
    counter_add(&counter->calls, 1);
    counter_add(&counter->ticks, ticks);
    counter_add(&executor->counters.commands, 1);
    if (__builtin_expect(call->reply->errors != call->errors, 0)) {
        counter_add(&counter->failed, 1);
        if (!call->error_counted) {
            counter_add(&executor->counters.errors, 1);
            errorstats_count(call->reply->last_error);
        }
    }
    slowlog_note(call, ticks);
    latency_note(call, ticks);
    if (__builtin_expect(call->session->flags & SESSION_TRACKING, 0) &&
        call->entry->command->flags & CMD_READONLY)
        tracking_remember(call->session, call);
    monitor_note(call);
    if (!call->in_exec)
        call->session->last_command = call->entry->id + 1;
    return ticks;
}

void dispatch_call(struct call *call)
{
    if (__builtin_expect(!slot_stats_are_on(), 1)) {
        run_call(call);
        return;
    }
    size_t before = reply_size(call->reply);
    uint64_t ticks = run_call(call);
    if (!call->wants_all_slots)
        slot_stats_note(call, ticks, before);
}

void dispatch_try_again(struct call *call)
{
    struct executor *executor = call->executor;
    struct command_counter *counter = &executor->commands[call->entry->id];
    call->errors = call->reply->errors;
    uint64_t start = clock_ticks();
    call->entry->command->run(call);
    counter_add(&counter->ticks, clock_ticks() - start);
    dispatch_journal(call);
    if (call->reply->errors == call->errors)
        return;
    counter_add(&counter->failed, 1);
    counter_add(&executor->counters.errors, 1);
    errorstats_count(call->reply->last_error);
}

/* ---- Scripts that take long ---- */

/* A client is told to wait, or that a script is busy; what comes from a primary or a file must run. */
static bool waits_for_scripts(const struct session *session)
{
    return !(session->flags & (SESSION_PRIMARY | SESSION_LOADER));
}

/* A script keeps the request from running. */
static enum dispatch_result meet_busy(struct call *call)
{
    const char *why = busy_error();
    call->retry = false;
    if (!why)
        return DISPATCH_RETRY;
    if (call->entry->command->flags & CMD_EXEC)
        admission_abort_exec(call, why);
    else
        reply_error(call->reply, "%s", why);
    call->refused = true;
    return DISPATCH_DONE;
}

/* The slots of a request with several keys. Returns how many there are (each once, locked), or 0
 * where the error has been written. */
struct slots {
    struct slot *few[FEW_KEYS];
    struct slot **all; /* few, or memory of its own */
    size_t count;      /* locked */
    size_t keys;
};

static bool lock_slots(struct call *call, struct slots *slots)
{
    int few[FEW_KEYS], *positions = few;
    int count = command_slotted(call->entry->command, call->argv, call->argc, few, FEW_KEYS);
    if (count < 1) {
        slots->all = slots->few; /* the command will say what is wrong with its arguments */
        slots->count = slots->keys = 0;
        call->slot = NULL;
        return true;
    }
    slots->keys = (size_t)count;
    slots->all = slots->few;
    if (count > FEW_KEYS) {
        positions = memory_alloc((size_t)count * sizeof(*positions));
        slots->all = memory_alloc((size_t)count * sizeof(*slots->all));
        command_slotted(call->entry->command, call->argv, call->argc, positions, count);
    }
    bool one = true;
    for (int i = 0; i < count; i++) {
        slots->all[i] =
            store_slot(call->store, call->database, slot_of_key(call->argv[positions[i]]));
        one = one && slots->all[i] == call->slot;
    }
    if (positions != few)
        free(positions);
    call->one_slot = one;
    if (!one && cluster) {
        reply_error(call->reply, "CROSSSLOT Keys in request don't hash to the same slot");
        slots->count = 0;
        return false;
    }
    slots->count = slots->keys;
    if (!waits_for_scripts(call->session)) {
        slots->count = store_lock_many(slots->all, slots->keys);
    } else if (!store_enter_many(slots->all, &slots->count)) {
        slots->count = 0;
        call->retry = true;
        return false;
    }
    call->executor->held = slots->all;
    call->executor->held_count = slots->count;
    return true;
}

static void unlock_slots(struct executor *executor, struct slots *slots)
{
    executor->held_count = 0;
    store_unlock_many(slots->all, slots->count);
    if (slots->all != slots->few)
        free(slots->all);
}

/* How many of the request's keys are not here, and whether there are several. */
static void look_for_keys(const struct call *call, struct route *route)
{
    int few[FEW_KEYS], *positions = few;
    int count = command_keys(call->entry->command, call->argv, call->argc, few, FEW_KEYS);
    if (count > FEW_KEYS) {
        positions = memory_alloc((size_t)count * sizeof(*positions));
        command_keys(call->entry->command, call->argv, call->argc, positions, count);
    }
    for (int i = 0; i < count; i++)
        route_add_key(
            route, call->store, call->now, call->argv[positions[i]], call->argv[positions[0]]);
    if (positions != few)
        free(positions);
}

static bool is_served(struct call *call, size_t keys)
{
    if (!cluster)
        return true;
    if (__builtin_expect(
            call->slot->serving == SLOT_MINE && !(condition_all() & CONDITION_CLUSTER_DOWN), 1))
        return true;
    struct route route = { .slot = call->slot,
        .flags = call->entry->command->flags,
        .keys = keys,
        .is_migrate = strcmp(call->entry->name, "migrate") == 0 };
    if (route_counts_missing(call->slot))
        look_for_keys(call, &route);
    return route_is_served(call->session, call->reply, &route);
}

/* In RESP2 replies could not be told from messages, so a subscriber may say but a few things; and
 * who monitors is no client of the keys. Writes the error. */
static bool is_for_listener(struct call *call)
{
    const struct session *session = call->session;
    const char *name = call->entry->name;
    unsigned flags = call->entry->command->flags;
    static const char *const allowed[] = { "ping", "subscribe", "psubscribe", "ssubscribe",
        "unsubscribe", "punsubscribe", "sunsubscribe", "quit", "reset" };
    if (session->flags & SESSION_SUBSCRIBED && session->reply.protocol == 2) {
        for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
            if (strcmp(name, allowed[i]) == 0)
                return true;
        }
        char why[192];
        snprintf(why, sizeof(why),
            "Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
            "allowed in this context",
            name);
        if (call->entry->command->flags & CMD_EXEC)
            admission_abort_exec(call, why);
        else
            reply_error(call->reply, "%s", why);
        return false;
    }
    if (session->flags & SESSION_MONITOR &&
        flags & (CMD_WRITE | CMD_READONLY | CMD_MAY_REPLICATE)) {
        reply_error(call->reply, "Replica can't interact with the keyspace");
        return false;
    }
    return true;
}

/* What is queued takes memory, too. */
static bool must_not_queue(const struct call *call)
{
    return __builtin_expect(call->executor->out_of_memory, 0) && call->session->transaction &&
           !(call->entry->command->flags & CMD_IN_MULTI) &&
           strcmp(call->entry->name, "unwatch") != 0;
}

/* Asks what must be asked under the lock, and runs or queues. */
static enum dispatch_result run_locked(struct call *call, size_t keys)
{
    struct session *session = call->session;
    call->refused = call->slot && !is_served(call, keys);
    if (call->refused)
        return DISPATCH_DONE;
    const char *why = admission_refusal(session, admission_flags(session, call->entry->command));
    if (!why && must_not_queue(call))
        why = EVICT_REFUSAL;
    if (__builtin_expect(why != NULL, 0)) {
        if (call->entry->command->flags & CMD_EXEC)
            admission_abort_exec(call, why);
        else
            reply_error(call->reply, "%s", why);
        call->refused = true;
        return DISPATCH_DONE;
    }
    if (__builtin_expect(session->flags & (SESSION_SUBSCRIBED | SESSION_MONITOR), 0) &&
        !is_for_listener(call)) {
        call->refused = true;
        return DISPATCH_DONE;
    }
    if (__builtin_expect(busy_any(), 0) && call->entry->command->flags & CMD_ALL_SLOTS &&
        waits_for_scripts(session))
        return meet_busy(call);
    if (admission_must_wait(session, call->entry) || (call->slot && transit_any() && transit_blocks(call)))
        return DISPATCH_RETRY;
    if (session->transaction && !(call->entry->command->flags & CMD_IN_MULTI)) {
        transaction_add(session, call->entry, call->argv, call->argc);
        reply_simple(call->reply, "QUEUED");
        return DISPATCH_DONE;
    }
    dispatch_call(call);
    if (__builtin_expect(call->retry, 0))
        return busy_any() && waits_for_scripts(session) ? meet_busy(call) : DISPATCH_RETRY;
    return session->flags & SESSION_PARKED ? DISPATCH_PARKED : DISPATCH_DONE;
}

/* A script that has found out, before it changed anything, that the slots of its keys do not do. */
static enum dispatch_result run_with_all_slots(struct call *call)
{
    struct executor *executor = call->executor;
    int count = command_keys(call->entry->command, call->argv, call->argc, NULL, 0);
    call->wants_all_slots = false;
    store_lock_all(executor->store);
    executor->holds_all_slots = true;
    enum dispatch_result result = run_locked(call, count > 0 ? (size_t)count : 0);
    executor->holds_all_slots = false;
    store_unlock_all(executor->store);
    return result;
}

/* An error that no command has written. */
static void note_refusal(struct executor *executor, const struct request *request)
{
    transaction_break(request->session);
    if (request->entry)
        counter_add(&executor->commands[request->entry->id].rejected, 1);
    counter_add(&executor->counters.errors, 1);
    errorstats_count(request->session->reply.last_error);
}

/* ASKING is good for the next command, and for a whole transaction if that is MULTI. */
static void stop_asking(struct session *session, const struct request *request)
{
    bool again = request->entry && strcmp(request->entry->name, "asking") == 0;
    if (!again && (!session->transaction || session->late))
        session->flags &= ~(unsigned)SESSION_ASKING;
}

enum dispatch_result dispatch_run(struct executor *executor, struct request *request)
{
    struct session *session = request->session;
    if (__builtin_expect(request->database != session->database, 0))
        dispatch_prepare(executor, request, NULL);
    struct call call = { .executor = executor,
        .session = session,
        .entry = request->entry,
        .argv = request->argv,
        .argc = request->argc,
        .raw = request->raw,
        .reply = &session->reply,
        .store = executor->store,
        .now = executor->now,
        .database = session->database,
        .slot = request->slot,
        .hash = request->hash,
        .first_key = request->first_key };
    bool asking = session->flags & SESSION_ASKING;
    enum dispatch_result result = DISPATCH_DONE;
    /* Within a script that takes long another one may be under way already. */
    struct session *client = executor->client;
    size_t unsent = executor->client_unsent;
    executor->client = session;
    session->reply.begun = false;
    executor->client_unsent = reply_size(&session->reply);
    evict_before_command(executor);
    if (!admission_is_acceptable(request, session)) {
        call.refused = true;
    } else if (!call.slot) {
        result = run_locked(&call, 0);
    } else if (command_has_one_key(call.entry->command)) {
        struct slot *slot = call.slot;
        call.one_slot = true;
        bool entered = slot_lock_enter(&slot->lock);
        if (__builtin_expect(!entered, 0) && !waits_for_scripts(session)) {
            slot_lock_acquire(&slot->lock);
            entered = true;
        }
        if (__builtin_expect(entered, 1)) {
            result = run_locked(&call, 1);
            block_serve(executor, &slot, 1);
            slot_lock_release(&slot->lock);
        } else {
            result = meet_busy(&call);
        }
    } else {
        struct slots slots;
        if (lock_slots(&call, &slots))
            result = run_locked(&call, slots.keys);
        else if (call.retry)
            result = meet_busy(&call);
        else
            call.refused = true;
        block_serve(executor, slots.all, slots.count);
        unlock_slots(executor, &slots);
    }
    if (__builtin_expect(call.wants_all_slots, 0))
        result = run_with_all_slots(&call);
    block_serve_rest(executor);
    executor->client = client;
    executor->client_unsent = unsent;
    if (__builtin_expect(executor->now_is_past, 0)) {
        executor->now_is_past = false;
        executor_read_clock(executor);
    }
    push_flush(executor);
    if (__builtin_expect(session->flags & SESSION_TRACKING, 0) && result != DISPATCH_RETRY)
        tracking_command_over(session, request->entry);
    if (__builtin_expect(call.refused, 0))
        note_refusal(executor, request);
    if (asking && result != DISPATCH_RETRY)
        stop_asking(session, request);
    if (__builtin_expect(executor->wakes_others, 0)) {
        executor->wakes_others = false;
        executor_retry_all();
    }
    return result;
}
