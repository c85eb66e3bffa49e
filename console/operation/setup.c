/* The steps that make a cluster: one command to one node each. */
#include "console/client/reply.h"
#include "console/operation/run.h"
#include <stdio.h>
#include <string.h>

static const struct plan_step *current(const struct operation *operation)
{
    return &operation->plan.steps[operation->step];
}

/* What a half-made cluster leaves, and the way out of it. */
static void fail(struct operation *operation, int node, const char *error)
{
    struct buffer command = { 0 }, step = { 0 };
    plan_write_command(&operation->plan, &command);
    plan_write_step(&operation->plan, operation->step, &step);
    snprintf(operation->report.state, sizeof operation->report.state,
        "the nodes have some of their slots and know some of each other");
    snprintf(operation->report.resume, sizeof operation->report.resume,
        "at each of the nodes: slotctl -p PORT exec CLUSTER RESET; then slotctl %.*s",
        (int)(command.len < 800 ? command.len : 800), command.data);
    run_end(operation, OPERATION_FAILED, "%.*s: %.255s", (int)(step.len < 200 ? step.len : 200),
        step.data, error);
    buffer_free(&command);
    buffer_free(&step);
}

static void on_done(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    if (reply_is_ok(reply)) {
        run_step_done(operation);
        return;
    }
    if (reply_is_error(reply) && current(operation)->kind == PLAN_SET_EPOCH) {
        run_say(operation, "%s keeps its config epoch: %s", run_node_name(operation, node), error);
        run_step_done(operation);
        return;
    }
    fail(operation, node, error != NULL ? error : "an answer that makes no sense");
}

/* ADDSLOTSRANGE takes pairs; a node older than 7.0 knows only ADDSLOTS, which isn't asked for here.
 */
static void add_slots(struct operation *operation, const struct plan_step *step)
{
    enum { RANGES_MAX = 16, DIGITS = 8 };
    char numbers[2 * RANGES_MAX][DIGITS];
    struct bytes argv[2 + 2 * RANGES_MAX] = { BYTES("CLUSTER"), BYTES("ADDSLOTSRANGE") };
    size_t argc = 2;
    unsigned first = 0, last;
    while (argc + 2 <= 2 + 2 * RANGES_MAX && slot_set_next_range(step->slots, &first, &last)) {
        unsigned ends[2] = { first, last };
        for (int i = 0; i < 2; i++) {
            char *number = numbers[argc - 2];
            snprintf(number, DIGITS, "%u", ends[i]);
            argv[argc++] = bytes_of(number);
        }
        first = last + 1;
    }
    run_ask(
        operation, step->node, RUN_TRIES, operation->options.request_ms, on_done, NULL, argv, argc);
}

static void set_epoch(struct operation *operation, const struct plan_step *step)
{
    char epoch[32];
    snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)step->count);
    run_ask_words(operation, step->node, on_done, NULL, "CLUSTER", "SET-CONFIG-EPOCH", epoch, NULL);
}

static void meet(struct operation *operation, const struct plan_step *step)
{
    const struct address *peer = &operation->plan.nodes[step->peer].address;
    char port[8], bus_port[8];
    snprintf(port, sizeof port, "%u", peer->port);
    snprintf(bus_port, sizeof bus_port, "%u", peer->bus_port);
    run_ask_words(operation, step->node, on_done, NULL, "CLUSTER", "MEET", peer->ip, port,
        peer->bus_port != 0 ? bus_port : NULL, NULL);
}

static void replicate(struct operation *operation, const struct plan_step *step)
{
    run_ask_words(operation, step->node, on_done, NULL, "CLUSTER", "REPLICATE",
        operation->plan.nodes[step->peer].id.text, NULL);
}

void run_setup_step(struct operation *operation)
{
    static void (*const runners[PLAN_STEP_KINDS])(
        struct operation * operation, const struct plan_step *step) = {
        [PLAN_ADD_SLOTS] = add_slots,
        [PLAN_SET_EPOCH] = set_epoch,
        [PLAN_MEET] = meet,
        [PLAN_REPLICATE] = replicate,
    };
    runners[current(operation)->kind](operation, current(operation));
}

/* --- a create that is cancelled: nodes that were empty become empty again --- */

static void on_reset(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    if (!reply_is_ok(reply)) {
        operation->agreed = false;
        run_say(operation, "%s wasn't reset: %s", run_node_name(operation, node),
            error != NULL ? error : "an answer that makes no sense");
    }
    if (--operation->waiting == 0) {
        run_end(operation, OPERATION_CANCELLED,
            operation->agreed
                ? "cancelled: all nodes are empty and alone, as they were"
                : "cancelled: some nodes couldn't be reset; CLUSTER RESET frees them");
    }
}

void run_setup_undo(struct operation *operation)
{
    operation->agreed = true;
    operation->waiting = (unsigned)operation->plan.node_count;
    run_say(operation, "cancelling: putting all nodes back");
    for (size_t i = 0; i < operation->plan.node_count; i++) {
        run_ask_words(operation, (int)i, on_reset, NULL, "CLUSTER", "RESET", NULL);
    }
}
