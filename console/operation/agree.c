/* Waiting until nodes tell the same. Each is asked for CLUSTER NODES; what it says of roles,
 * primaries and slots is boiled down to a number that doesn't depend on the order of lines; all
 * numbers must be equal, and everyone in the plan must be known to everyone. Nodes of a failover
 * that are down don't count: that may be why it was made. */
#include "console/client/client.h"
#include "console/client/reply.h"
#include "console/model/model.h"
#include "console/operation/run.h"
#include <stdio.h>

enum { ASK_AGAIN_MS = 100 };

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u; /* FNV-1a */
    }
    return hash;
}

static uint64_t line_signature(const struct model_view *view, size_t index)
{
    const struct model_view_line *line = &view->lines[index];
    bool replica = (line->flags & NODE_REPLICA) != 0;
    uint64_t hash = hash_bytes(0xcbf29ce484222325u, line->id.text, NODE_ID_LEN);
    hash = hash_bytes(hash, &replica, sizeof replica);
    if (replica) {
        hash = hash_bytes(hash, line->primary.text, NODE_ID_LEN);
    }
    for (size_t i = 0; i < view->range_count; i++) {
        if (view->ranges[i].line == index) {
            uint16_t ends[2] = { view->ranges[i].first, view->ranges[i].last };
            hash = hash_bytes(hash, ends, sizeof ends);
        }
    }
    return hash;
}

static uint64_t view_signature(const struct model_view *view)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < view->line_count; i++) {
        sum += view->lines[i].flags & NODE_HANDSHAKE ? 0 : line_signature(view, i);
    }
    return sum;
}

static void doubt(struct operation *operation, int node, const char *why)
{
    operation->agreed = false;
    snprintf(operation->doubt, sizeof operation->doubt, "%.60s %.180s",
        run_node_name(operation, node), why);
}

/* Its predecessor must be known as a replica too, or as dead: else the next failover, back to it,
 * would be ignored by nodes that haven't heard. */
static void look_at_old(struct operation *operation, const struct model_view *view)
{
    const struct plan_step *step = &operation->plan.steps[0];
    const struct model_view_line *line =
        model_view_find(view, &operation->plan.nodes[step->peer].id);
    operation->old_leads |=
        line != NULL && (line->flags & (NODE_REPLICA | NODE_PFAIL | NODE_FAIL)) == 0;
}

/* After a failover: the replica is primary in this view, and has the slots. */
static bool sees_takeover(const struct operation *operation, const struct model_view *view)
{
    const struct plan_step *step = &operation->plan.steps[0];
    const struct model_view_line *line =
        model_view_find(view, &operation->plan.nodes[step->node].id);
    bool wants_slots = operation->plan.nodes[step->node].slots_after > 0, has_slots = false;
    for (size_t i = 0; i < view->range_count; i++) {
        has_slots |= &view->lines[view->ranges[i].line] == line;
    }
    return line != NULL && (line->flags & NODE_PRIMARY) && (has_slots || !wants_slots);
}

static void judge(struct operation *operation, int node, const struct model_view *view)
{
    bool failover = operation->plan.kind == PLAN_FAILOVER;
    uint64_t signature = view_signature(view);
    size_t known = 0;
    for (size_t i = 0; i < view->line_count; i++) {
        known += (view->lines[i].flags & NODE_HANDSHAKE) == 0;
    }
    if (failover) {
        look_at_old(operation, view);
        operation->went_back |= node == operation->plan.steps[0].node &&
                                (view->lines[view->self].flags & NODE_REPLICA) != 0;
        if (!sees_takeover(operation, view)) {
            doubt(operation, node, "doesn't see the new primary yet");
        }
    } else if (known != operation->plan.node_count) {
        doubt(operation, node, "doesn't know all the others yet");
    } else if (operation->signature != 0 && operation->signature != signature) {
        doubt(operation, node, "sees other roles or slots than the others");
    } else {
        operation->signature = signature;
    }
}

static void ask_all(struct operation *operation);

static void finish_round(struct operation *operation)
{
    const struct plan_step *step = &operation->plan.steps[operation->step];
    int64_t waited = client_now() - operation->step_started;
    char age[24];
    if (operation->old_leads && !operation->old_silent) {
        doubt(operation, operation->plan.steps[0].peer, "isn't known to all as a replica yet");
    }
    if (operation->went_back) {
        run_takeover_fail(operation,
            "it was primary for a moment, and is a replica again. Redis does that to "
            "a node that takes over twice within four node timeouts: wait a little");
    } else if (operation->agreed) {
        run_say(operation,
            step->kind == PLAN_WAIT_OK ? "all %zu nodes say ok after %s"
                                       : "all %zu nodes agree after %s",
            operation->plan.node_count, model_write_age(waited, age, sizeof age));
        run_step_done(operation);
    } else if (operation->cancelling && operation->plan.kind == PLAN_CREATE &&
               step->kind == PLAN_AGREE) {
        run_setup_undo(operation);
    } else if (waited >= operation->options.wait_ms) {
        snprintf(operation->report.resume, sizeof operation->report.resume,
            "slotctl -h %s -p %u check", operation->plan.nodes[0].address.ip,
            operation->plan.nodes[0].address.port);
        run_end(operation, OPERATION_FAILED, "the nodes didn't agree within %s: %s",
            model_write_age(waited, age, sizeof age), operation->doubt);
    } else {
        run_later(operation, ASK_AGAIN_MS, ask_all);
    }
}

static void on_view(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    struct bytes text;
    struct model_view view;
    struct error why;
    if (error == NULL && reply_text(reply, &text) && model_view_parse(text, &view, &why)) {
        judge(operation, node, &view);
        model_view_free(&view);
    } else if (operation->plan.kind == PLAN_FAILOVER) {
        operation->old_silent |= node == operation->plan.steps[0].peer;
    } else {
        doubt(operation, node, error != NULL ? error : "tells a state that makes no sense");
    }
    if (--operation->waiting == 0) {
        finish_round(operation);
    }
}

static void on_state(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    struct bytes text, state;
    if (error != NULL || !reply_text(reply, &text) || !reply_field(text, "cluster_state", &state) ||
        !bytes_is(state, "ok")) {
        doubt(operation, node, error != NULL ? error : "says cluster_state:fail");
    }
    if (--operation->waiting == 0) {
        finish_round(operation);
    }
}

static void ask_all(struct operation *operation)
{
    static const struct bytes nodes[] = { { "CLUSTER", 7 }, { "NODES", 5 } };
    static const struct bytes info[] = { { "CLUSTER", 7 }, { "INFO", 4 } };
    bool state_too = operation->plan.steps[operation->step].kind == PLAN_WAIT_OK;
    int64_t limit = operation->options.request_ms;
    size_t count = operation->plan.node_count;
    operation->agreed = true;
    operation->signature = 0;
    operation->doubt[0] = '\0';
    operation->old_leads = operation->old_silent = operation->went_back = false;
    operation->waiting = (unsigned)(state_too ? 2 * count : count);
    for (size_t i = 0; i < count; i++) {
        run_ask(operation, (int)i, 1, limit, on_view, NULL, nodes, 2);
        if (state_too) {
            run_ask(operation, (int)i, 1, limit, on_state, NULL, info, 2);
        }
    }
}

void run_agree_step(struct operation *operation)
{
    ask_all(operation);
}
