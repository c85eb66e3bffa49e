/* Moving slots, one at a time, with the commands that every Redis Cluster node knows:
 *
 *   OPEN     the target says importing, then the source says migrating: from now on a client that
 * asks the source for a key that isn't there is sent on to the target KEYS     the source names
 * some keys of the slot and MIGRATEs them, until it has none CLOSE    the target takes the slot,
 * then the source lets it go, then the other primaries are told
 *
 * The target comes first at the end, because its new epoch is what makes the change known; were the
 * source to let go first, a crash in between would leave the slot to nobody. Every command of it
 * can be given twice, so an interrupted move is taken up by giving them all again. */
#include "common/memory.h"
#include "console/client/client.h"
#include "console/client/reply.h"
#include "console/model/model.h"
#include "console/operation/run.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    MIGRATE_MS = 10000,       /* how long the source waits for the target */
    MIGRATE_LIMIT_MS = 30000, /* how long we wait for the source */
    KEY_TRIES = 6,            /* rounds of MIGRATE in a row that may fail */
    CLOSE_TRIES = 3,          /* times that the source may still find keys at the end */
    SLOT_DIGITS = 8,
    BATCH_MAX = 10000,
};

struct move {
    int source, target;
    struct slot_set left;
    unsigned slot;
    char slot_text[SLOT_DIGITS];
    bool target_owns;   /* it was the owner before we came: an earlier run got that far */
    unsigned slot_keys; /* moved of this slot */
    size_t batch;       /* keys of the MIGRATE under way */
    unsigned failures;  /* of MIGRATE in a row */
    unsigned reopened;  /* CLOSE_TRIES */
    unsigned telling;   /* other primaries that haven't answered */
};

void run_move_free(struct move *move)
{
    free(move);
}

static const struct plan_step *current(const struct operation *operation)
{
    return &operation->plan.steps[operation->step];
}

static const char *id_of(const struct operation *operation, int node)
{
    return operation->plan.nodes[node].id.text;
}

/* --- ending badly --- */

/* Everything that hasn't been moved yet, of this step and those behind it. */
static void write_resume(struct operation *operation)
{
    const struct plan_node *target = &operation->plan.nodes[operation->move->target];
    struct slot_set left = { { 0 } };
    struct buffer ranges = { 0 };
    for (size_t i = operation->step; i < operation->plan.step_count; i++) {
        for (unsigned b = 0; b < SLOT_BITMAP_SIZE; b++) {
            left.bits[b] |= operation->plan.steps[i].slots->bits[b] & ~operation->moved.bits[b];
        }
    }
    model_write_ranges(&left, 0, &ranges);
    if (ranges.len < sizeof operation->report.resume - 200) {
        snprintf(operation->report.resume, sizeof operation->report.resume,
            "slotctl -h %s -p %u reshard --to %s --range %.*s", target->address.ip,
            target->address.port, target->id.text, (int)ranges.len, ranges.data);
    } else {
        snprintf(operation->report.resume, sizeof operation->report.resume,
            "slotctl -h %s -p %u check", target->address.ip, target->address.port);
    }
    buffer_free(&ranges);
}

static void fail(struct operation *operation, int node, const char *what, const char *error)
{
    const struct move *move = operation->move;
    snprintf(operation->report.state, sizeof operation->report.state,
        "%u of %u slots are moved; slot %u is open: %s migrating, %s importing, %u key%s moved",
        operation->slots_done, operation->slots_total, move->slot,
        run_node_name(operation, move->source), run_node_name(operation, move->target),
        move->slot_keys, move->slot_keys == 1 ? "" : "s");
    write_resume(operation);
    run_end(operation, OPERATION_FAILED, "slot %u: %s at %s: %.255s", move->slot, what,
        run_node_name(operation, node), error != NULL ? error : "an answer that makes no sense");
}

/* --- from slot to slot --- */

static void begin_slot(struct operation *operation);
static void fetch_keys(struct operation *operation);
static void close_slot(struct operation *operation);

static void end_cancelled(struct operation *operation, const char *how, unsigned slot)
{
    write_resume(operation);
    run_end(operation, OPERATION_CANCELLED, "cancelled after %u of %u slots; %s %u",
        operation->slots_done, operation->slots_total, how, slot);
}

static void slot_done(struct operation *operation)
{
    struct move *move = operation->move;
    slot_set_add(&operation->moved, move->slot);
    slot_set_remove(&move->left, move->slot);
    operation->slots_done++;
    run_progress(operation);
    if (operation->cancelling) {
        end_cancelled(operation, "finished slot", move->slot);
        return;
    }
    run_later(operation, 0, begin_slot);
}

/* True where the run stops here for a while; it comes back through `again`. */
static bool rests(struct operation *operation, void (*again)(struct operation *operation))
{
    enum { LOOK_MS = 3600 * 1000 }; /* operation_pause wakes it up before */
    if (operation->paused_at == 0) {
        return false;
    }
    run_later(operation, LOOK_MS, again);
    return true;
}

/* --- OPEN --- */

static void on_migrating(
    struct operation *operation, int node, redisReply *reply, const char *error)
{
    bool gone = reply_is_error(reply) && strstr(reply->str, "not the owner") != NULL;
    if (reply_is_ok(reply) || (gone && operation->move->target_owns)) {
        fetch_keys(operation);
    } else {
        fail(operation, node, "SETSLOT MIGRATING", error);
    }
}

static void on_importing(
    struct operation *operation, int node, redisReply *reply, const char *error)
{
    struct move *move = operation->move;
    move->target_owns = reply_is_error(reply) && strstr(reply->str, "already the owner") != NULL;
    if (!reply_is_ok(reply) && !move->target_owns) {
        fail(operation, node, "SETSLOT IMPORTING", error);
        return;
    }
    run_ask_words(operation, move->source, on_migrating, "CLUSTER", "SETSLOT", move->slot_text,
        "MIGRATING", id_of(operation, move->target), NULL);
}

static void begin_slot(struct operation *operation)
{
    struct move *move = operation->move;
    unsigned first = 0, last;
    if (rests(operation, begin_slot)) {
        return;
    }
    if (!slot_set_next_range(&move->left, &first, &last)) {
        free(move);
        operation->move = NULL;
        run_step_done(operation);
        return;
    }
    if (operation->cancelling) {
        write_resume(operation);
        run_end(operation, OPERATION_CANCELLED, "cancelled after %u of %u slots; no slot is open",
            operation->slots_done, operation->slots_total);
        return;
    }
    move->slot = first;
    snprintf(move->slot_text, sizeof move->slot_text, "%u", first);
    move->slot_keys = move->failures = move->reopened = 0;
    operation->slot = (int)first;
    run_ask_words(operation, move->target, on_importing, "CLUSTER", "SETSLOT", move->slot_text,
        "IMPORTING", id_of(operation, move->source), NULL);
}

/* --- putting back --- */

static void on_stable(struct operation *operation, int node, redisReply *reply, const char *error)
{
    struct move *move = operation->move;
    if (!reply_is_ok(reply)) {
        fail(operation, node, "SETSLOT STABLE", error);
    } else if (node == move->source) {
        run_ask_words(operation, move->target, on_stable, "CLUSTER", "SETSLOT", move->slot_text,
            "STABLE", NULL);
    } else {
        end_cancelled(operation, "put back slot", move->slot);
    }
}

/* Where nothing of the slot has gone yet it can stay; else it's finished, which loses nothing
 * either. */
static bool put_back(struct operation *operation)
{
    struct move *move = operation->move;
    if (!operation->cancelling || move->slot_keys > 0 || move->failures > 0 || move->target_owns ||
        current(operation)->resumed) {
        return false;
    }
    run_ask_words(
        operation, move->source, on_stable, "CLUSTER", "SETSLOT", move->slot_text, "STABLE", NULL);
    return true;
}

/* --- KEYS --- */

static void migrate_failed(struct operation *operation, int node, const char *error)
{
    struct move *move = operation->move;
    if (++move->failures >= KEY_TRIES) {
        fail(operation, node, "MIGRATE", error);
        return;
    }
    run_say(operation, "slot %u: MIGRATE failed, trying again: %.300s", move->slot, error);
    run_later(operation, RUN_RETRY_MS, fetch_keys);
}

static void on_migrated(struct operation *operation, int node, redisReply *reply, const char *error)
{
    struct move *move = operation->move;
    if (error != NULL && (reply == NULL || reply_error_is(reply, "IOERR"))) {
        migrate_failed(operation, node, error);
    } else if (error != NULL && strstr(error, "BUSYKEY") != NULL) {
        fail(operation, node,
            "MIGRATE, the target has some of these keys already (--replace overwrites them)",
            error);
    } else if (error != NULL) {
        fail(operation, node, "MIGRATE", error);
    } else {
        bool moved = reply_is_ok(reply); /* else NOKEY: they were gone before */
        move->failures = 0;
        move->slot_keys += moved ? (unsigned)move->batch : 0;
        operation->keys_done += moved ? (int64_t)move->batch : 0;
        run_progress(operation);
        fetch_keys(operation);
    }
}

/* MIGRATE host port "" 0 timeout [REPLACE] [AUTH password | AUTH2 user password] KEYS key ... */
static void migrate(struct operation *operation, const redisReply *keys)
{
    enum { FIXED = 11 };
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
    move->batch = keys->elements;
    run_ask(operation, move->source, 1, MIGRATE_LIMIT_MS, on_migrated, argv, argc);
    free(argv);
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

static void on_keys(struct operation *operation, int node, redisReply *reply, const char *error)
{
    if (!are_keys(reply)) {
        fail(operation, node, "GETKEYSINSLOT", error);
    } else if (reply->elements == 0) {
        close_slot(operation);
    } else {
        migrate(operation, reply);
    }
}

static void fetch_keys(struct operation *operation)
{
    struct move *move = operation->move;
    char count[16];
    if (rests(operation, fetch_keys) || put_back(operation)) {
        return;
    }
    snprintf(count, sizeof count, "%u",
        operation->options.batch_keys < BATCH_MAX ? operation->options.batch_keys : BATCH_MAX);
    run_ask_words(
        operation, move->source, on_keys, "CLUSTER", "GETKEYSINSLOT", move->slot_text, count, NULL);
}

/* --- CLOSE --- */

/* Nodes that can't be told now learn it by gossip. */
static void on_told(struct operation *operation, int node, redisReply *reply, const char *error)
{
    if (--operation->move->telling == 0) {
        slot_done(operation);
    }
}

static void set_owner(struct operation *operation, int node, unsigned tries,
    void (*done)(struct operation *operation, int node, redisReply *reply, const char *error))
{
    const struct move *move = operation->move;
    const struct bytes argv[] = { BYTES("CLUSTER"), BYTES("SETSLOT"), bytes_of(move->slot_text),
        BYTES("NODE"), bytes_of(id_of(operation, move->target)) };
    run_ask(operation, node, tries, operation->options.request_ms, done, argv, 5);
}

static void tell_others(struct operation *operation)
{
    struct move *move = operation->move;
    move->telling = 1;
    for (size_t i = 0; i < operation->plan.node_count; i++) {
        if ((int)i != move->source && (int)i != move->target && operation->plan.nodes[i].primary) {
            move->telling++;
            set_owner(operation, (int)i, 1, on_told);
        }
    }
    if (--move->telling == 0) {
        slot_done(operation);
    }
}

/* The source may have become a replica of the target with its last slot; that is as good. */
static void on_released(struct operation *operation, int node, redisReply *reply, const char *error)
{
    struct move *move = operation->move;
    bool holds_keys = reply_is_error(reply) && strstr(reply->str, "still hold keys") != NULL;
    if (holds_keys && ++move->reopened < CLOSE_TRIES) {
        fetch_keys(operation);
    } else if (holds_keys) {
        fail(operation, node, "SETSLOT NODE", error);
    } else {
        tell_others(operation);
    }
}

static void on_taken(struct operation *operation, int node, redisReply *reply, const char *error)
{
    if (!reply_is_ok(reply)) {
        fail(operation, node, "SETSLOT NODE", error);
        return;
    }
    set_owner(operation, operation->move->source, RUN_TRIES, on_released);
}

static void close_slot(struct operation *operation)
{
    set_owner(operation, operation->move->target, RUN_TRIES, on_taken);
}

void run_move_step(struct operation *operation)
{
    const struct plan_step *step = current(operation);
    operation->move = memory_alloc_zeroed(1, sizeof *operation->move);
    operation->move->source = step->peer;
    operation->move->target = step->node;
    operation->move->left = *step->slots;
    begin_slot(operation);
}
