/* Closing open slots where they are, because the node that they were on their way to is none that
 * could take them any more. Before each, the other primaries are asked whether they hold keys of
 * it: what has arrived at one of them would be out of sight, and then the move must be finished
 * there. */
#include "console/client/reply.h"
#include "console/model/model.h"
#include "console/operation/run.h"
#include <stdio.h>

static const struct plan_step *current(const struct operation *operation)
{
    return &operation->plan.steps[operation->step];
}

static void begin_slot(struct operation *operation);

static void fail(struct operation *operation, int node, const char *what, const char *error)
{
    const struct address *address = &operation->plan.nodes[node].address;
    snprintf(operation->report.state, sizeof operation->report.state,
        "slot %u is open at %s, as it was", operation->at_slot,
        run_node_name(operation, current(operation)->node));
    snprintf(operation->report.resume, sizeof operation->report.resume, "slotctl -h %s -p %u check",
        address->ip, address->port);
    run_end(operation, OPERATION_FAILED, "slot %u: %s at %s: %.255s", operation->at_slot, what,
        run_node_name(operation, node), error != NULL ? error : "an answer that makes no sense");
}

static void on_stable(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    if (!reply_is_ok(reply)) {
        fail(operation, node, "SETSLOT STABLE", error);
        return;
    }
    operation->at_slot++;
    begin_slot(operation);
}

static void ask(
    struct operation *operation, int node, run_done *done, const char *verb, const char *word)
{
    char slot[16];
    snprintf(slot, sizeof slot, "%u", operation->at_slot);
    run_ask_words(operation, node, done, NULL, "CLUSTER", verb, slot, word, NULL);
}

static void found_keys(struct operation *operation, int node, long long count)
{
    const struct plan_node *holder = &operation->plan.nodes[node];
    struct buffer ranges = { 0 };
    fail(operation, node, "keys of it have arrived", "they would be out of sight");
    model_write_ranges(current(operation)->slots, 0, &ranges);
    if (ranges.len < sizeof operation->report.resume - 200) {
        snprintf(operation->report.resume, sizeof operation->report.resume,
            "slotctl -h %s -p %u reshard --to %s --range %.*s", holder->address.ip,
            holder->address.port, holder->id.text, (int)ranges.len, ranges.data);
    }
    buffer_free(&ranges);
    snprintf(operation->report.text, sizeof operation->report.text,
        "slot %u: %s holds %lld key%s of it: its move must be finished there", operation->at_slot,
        run_node_name(operation, node), count, count == 1 ? "" : "s");
}

static void on_counted(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
        fail(operation, node, "COUNTKEYSINSLOT", error);
    } else if (reply->integer > 0) {
        found_keys(operation, node, reply->integer);
    } else if (--operation->waiting == 0) {
        ask(operation, current(operation)->node, on_stable, "SETSLOT", "STABLE");
    }
}

/* Keys that have arrived where the slot goes next are where they belong. */
static bool must_be_empty(const struct operation *operation, int node)
{
    const struct plan_step *last = &operation->plan.steps[operation->plan.step_count - 1];
    return operation->plan.nodes[node].primary && node != current(operation)->node &&
           !(last->kind == PLAN_MOVE && last->node == node);
}

static void begin_slot(struct operation *operation)
{
    unsigned last;
    if (!slot_set_next_range(current(operation)->slots, &operation->at_slot, &last)) {
        run_step_done(operation);
        return;
    }
    operation->waiting = 1;
    for (size_t i = 0; i < operation->plan.node_count; i++) {
        if (must_be_empty(operation, (int)i)) {
            operation->waiting++;
            ask(operation, (int)i, on_counted, "COUNTKEYSINSLOT", NULL);
        }
    }
    if (--operation->waiting == 0) {
        ask(operation, current(operation)->node, on_stable, "SETSLOT", "STABLE");
    }
}

void run_put_back_step(struct operation *operation)
{
    operation->at_slot = 0;
    begin_slot(operation);
}
