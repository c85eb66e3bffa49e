/* The way of one slot, with the commands that every Redis Cluster node knows:
 *
 *   OPEN     the target says importing, then the source says migrating: from now on a client that
 *            asks the source for a key that isn't there is sent on to the target
 *   KEYS     the source names some keys of the slot and MIGRATEs them, until it has none
 *   CLOSE    the target takes the slot, then the source lets it go, then the other primaries are
 * told
 *
 * The target comes first at the end, because its new epoch is what makes the change known; were the
 * source to let go first, a crash in between would leave the slot to nobody. Every command of it
 * can be given twice, so an interrupted move is taken up by giving them all again. */
#include "common/memory.h"
#include "console/client/client.h"
#include "console/client/reply.h"
#include "console/operation/move.h"
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MIGRATE_MS = 10000,       /* how long the source waits for the target */
    MIGRATE_LIMIT_MS = 30000, /* how long we wait for the source */
    KEY_TRIES = 6,            /* rounds of MIGRATE in a row that may fail */
    CLOSE_TRIES = 3,          /* times that the source may still find keys at the end */
    BATCH_MAX = 10000,
};

static const char *id_of(const struct operation *operation, int node)
{
    return operation->plan.nodes[node].id.text;
}

/* A node may answer only after the MIGRATEs that are under way there. */
static int64_t limit_at(const struct operation *operation, int node)
{
    const struct move *move = operation->move;
    int64_t limit = operation->options.request_ms > 0
                        ? operation->options.request_ms
                        : client_options(operation->client)->request_ms;
    return limit + (node == move->source ? (int64_t)move->migrating * MIGRATE_LIMIT_MS : 0);
}

/* CLUSTER SETSLOT slot word [node], or CLUSTER GETKEYSINSLOT slot word. */
/* Each lane has its own way to the two nodes that matter. */
static unsigned way_to(const struct lane *lane, int node)
{
    const struct move *move = lane->operation->move;
    bool matters = node == move->source || node == move->target;
    return matters ? (unsigned)(lane - move->lanes) % RUN_WAYS : 0;
}

static void ask(struct lane *lane, int node, unsigned tries, run_done *done, const char *verb,
    const char *word, const char *id)
{
    struct bytes argv[5] = { BYTES("CLUSTER"), bytes_of(verb), bytes_of(lane->slot_text),
        bytes_of(word), bytes_of(id != NULL ? id : "") };
    run_ask_on(lane->operation, node, way_to(lane, node), tries, limit_at(lane->operation, node),
        done, lane, argv, id != NULL ? 5 : 4);
}

static void fetch_keys(struct lane *lane);
static void close_slot(struct lane *lane);

/* --- OPEN --- */

static void on_migrating(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    struct lane *lane = context;
    bool gone = reply_is_error(reply) && strstr(reply->str, "not the owner") != NULL;
    if (reply_is_ok(reply) || (gone && lane->target_owns)) {
        fetch_keys(lane);
    } else {
        move_lane_failed(lane, node, "SETSLOT MIGRATING", error);
    }
}

static void on_importing(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    struct lane *lane = context;
    lane->target_owns = reply_is_error(reply) && strstr(reply->str, "already the owner") != NULL;
    if (!reply_is_ok(reply) && !lane->target_owns) {
        move_lane_failed(lane, node, "SETSLOT IMPORTING", error);
        return;
    }
    lane->opened = true;
    ask(lane, operation->move->source, RUN_TRIES, on_migrating, "SETSLOT", "MIGRATING",
        id_of(operation, operation->move->target));
}

void move_slot_begin(struct lane *lane)
{
    const struct move *move = lane->operation->move;
    ask(lane, move->target, RUN_TRIES, on_importing, "SETSLOT", "IMPORTING",
        id_of(lane->operation, move->source));
}

/* --- putting back --- */

/* The source first: where it has closed the slot, a target that still says importing harms nobody.
 */
static void on_stable(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    struct lane *lane = context;
    const struct move *move = operation->move;
    if (node == move->target) {
        move_lane_put_back(lane, reply_is_ok(reply));
    } else if (!reply_is_ok(reply)) {
        move_lane_failed(lane, node, "SETSLOT STABLE", error);
    } else {
        ask(lane, move->target, move->failing ? 1 : RUN_TRIES, on_stable, "SETSLOT", "STABLE",
            NULL);
    }
}

/* Where nothing of the slot has gone yet it can stay; else it's finished, which loses nothing
 * either. */
static bool put_back(struct lane *lane)
{
    const struct operation *operation = lane->operation;
    if (!move_is_ending(operation) || lane->keys_moved > 0 || lane->failures > 0 ||
        lane->target_owns || operation->plan.steps[operation->step].resumed) {
        return false;
    }
    ask(lane, operation->move->source, RUN_TRIES, on_stable, "SETSLOT", "STABLE", NULL);
    return true;
}

/* --- KEYS --- */

static void drop_batch(struct lane *lane)
{
    free(lane->argv);
    lane->argv = NULL;
}

static void start_migrates(struct operation *operation);

static void migrate_failed(struct lane *lane, int node, const char *error)
{
    struct timeval wait = { RUN_RETRY_MS / 1000, RUN_RETRY_MS % 1000 * 1000 };
    if (++lane->failures >= KEY_TRIES || lane->operation->move->failing) {
        move_lane_failed(lane, node, "MIGRATE", error);
        return;
    }
    if (lane->failures == 1) {
        run_say(
            lane->operation, "slot %u: MIGRATE failed, trying again: %.300s", lane->slot, error);
    }
    lane->next = fetch_keys;
    event_add(lane->turn, &wait);
}

static void on_batch_gone(struct lane *lane, bool moved)
{
    lane->failures = 0;
    lane->keys_moved += moved ? (unsigned)lane->batch : 0;
    lane->operation->keys_done += moved ? (int64_t)lane->batch : 0;
    run_progress(lane->operation);
    if (moved && lane->last_batch) {
        close_slot(lane); /* a slot that is migrating gets no new keys */
    } else {
        fetch_keys(lane);
    }
}

static void on_migrated(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    struct lane *lane = context;
    lane->migrating = false;
    operation->move->migrating--;
    drop_batch(lane);
    start_migrates(operation);
    if (error != NULL && (reply == NULL || reply_error_is(reply, "IOERR"))) {
        migrate_failed(lane, node, error);
    } else if (error != NULL && strstr(error, "BUSYKEY") != NULL) {
        move_lane_failed(lane, node,
            "MIGRATE, the target has some of these keys already (--replace overwrites them)",
            error);
    } else if (error != NULL) {
        move_lane_failed(lane, node, "MIGRATE", error);
    } else {
        on_batch_gone(lane, reply_is_ok(reply)); /* else NOKEY: they were gone before */
    }
}

/* Who has waited longest comes first. */
static void start_migrates(struct operation *operation)
{
    struct move *move = operation->move;
    while (move->migrating < MOVE_MIGRATES) {
        struct lane *first = NULL;
        for (size_t i = 0; i < MOVE_LANES; i++) {
            struct lane *lane = &move->lanes[i];
            if (lane->ticket != 0 && (first == NULL || lane->ticket < first->ticket)) {
                first = lane;
            }
        }
        if (first == NULL) {
            return;
        }
        first->ticket = 0;
        if (move_rests(first, fetch_keys) || put_back(first)) {
            drop_batch(first);
            continue;
        }
        first->migrating = true;
        move->migrating++;
        run_ask_on(operation, move->source, way_to(first, move->source), 1, MIGRATE_LIMIT_MS,
            on_migrated, first, first->argv, first->argc);
    }
}

/* MIGRATE host port "" 0 timeout [REPLACE] [AUTH password | AUTH2 user password] KEYS key ... */
static void migrate(struct lane *lane, const redisReply *keys)
{
    enum { FIXED = 11 };
    const struct operation *operation = lane->operation;
    struct move *move = operation->move;
    const struct address *to = &operation->plan.nodes[move->target].address;
    const struct client_options *client = client_options(operation->client);
    struct bytes *argv = memory_alloc((FIXED + keys->elements) * sizeof *argv);
    char port[8], timeout[16];
    size_t argc = 0;
    snprintf(port, sizeof port, "%u", to->port);
    snprintf(timeout, sizeof timeout, "%d", MIGRATE_MS);
    const struct bytes start[] = { BYTES("MIGRATE"), bytes_of(to->ip), bytes_of(port), BYTES(""),
        BYTES("0"), bytes_of(timeout) };
    memcpy(argv, start, sizeof start);
    argc = sizeof start / sizeof *start;
    if (operation->plan.replace) {
        argv[argc++] = BYTES("REPLACE");
    }
    if (client->password[0] != '\0') {
        bool user = client->user[0] != '\0';
        argv[argc++] = user ? BYTES("AUTH2") : BYTES("AUTH");
        if (user) {
            argv[argc++] = bytes_of(client->user);
        }
        argv[argc++] = bytes_of(client->password);
    }
    argv[argc++] = BYTES("KEYS");
    for (size_t i = 0; i < keys->elements; i++) {
        argv[argc++] = (struct bytes){ keys->element[i]->str, keys->element[i]->len };
    }
    lane->argv = run_copy_arguments(argv, argc);
    lane->argc = argc;
    lane->batch = keys->elements;
    lane->ticket = ++move->tickets;
    free(argv);
    start_migrates(lane->operation);
}

static bool are_keys(const redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements > BATCH_MAX) {
        return false;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        if (reply->element[i]->type != REDIS_REPLY_STRING) {
            return false;
        }
    }
    return true;
}

static unsigned batch_keys(const struct operation *operation)
{
    unsigned wanted = operation->options.batch_keys;
    return wanted < BATCH_MAX ? wanted : BATCH_MAX;
}

static void on_keys(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    struct lane *lane = context;
    if (!are_keys(reply)) {
        move_lane_failed(lane, node, "GETKEYSINSLOT", error);
    } else if (reply->elements == 0) {
        close_slot(lane);
    } else {
        lane->last_batch = reply->elements < batch_keys(operation);
        migrate(lane, reply);
    }
}

static void fetch_keys(struct lane *lane)
{
    char count[16];
    if (move_rests(lane, fetch_keys) || put_back(lane)) {
        return;
    }
    snprintf(count, sizeof count, "%u", batch_keys(lane->operation));
    ask(lane, lane->operation->move->source, RUN_TRIES, on_keys, "GETKEYSINSLOT", count, NULL);
}

/* --- CLOSE --- */

static void set_owner(struct lane *lane, int node, unsigned tries, run_done *done)
{
    ask(lane, node, tries, done, "SETSLOT", "NODE",
        id_of(lane->operation, lane->operation->move->target));
}

/* Nodes that can't be told now learn it by gossip. */
static void on_told(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    struct lane *lane = context;
    if (--lane->telling == 0) {
        move_lane_done(lane);
    }
}

static void tell_others(struct lane *lane)
{
    const struct operation *operation = lane->operation;
    const struct move *move = operation->move;
    lane->telling = 1;
    for (size_t i = 0; i < operation->plan.node_count; i++) {
        if ((int)i != move->source && (int)i != move->target && operation->plan.nodes[i].primary) {
            lane->telling++;
            set_owner(lane, (int)i, 1, on_told);
        }
    }
    if (--lane->telling == 0) {
        move_lane_done(lane);
    }
}

/* The source may have become a replica of the target with its last slot; that is as good. */
static void on_released(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    struct lane *lane = context;
    bool holds_keys = reply_is_error(reply) && strstr(reply->str, "still hold keys") != NULL;
    if (holds_keys && ++lane->reopened < CLOSE_TRIES) {
        fetch_keys(lane);
    } else if (holds_keys) {
        move_lane_failed(lane, node, "SETSLOT NODE", error);
    } else {
        tell_others(lane);
    }
}

static void on_taken(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    struct lane *lane = context;
    if (!reply_is_ok(reply)) {
        move_lane_failed(lane, node, "SETSLOT NODE", error);
        return;
    }
    set_owner(lane, operation->move->source, RUN_TRIES, on_released);
}

static void close_slot(struct lane *lane)
{
    set_owner(lane, lane->operation->move->target, RUN_TRIES, on_taken);
}
