/* A failover: the replica is told to take over, and then watched until it is the primary. */
#include "console/client/client.h"
#include "console/client/reply.h"
#include "console/model/model.h"
#include "console/operation/run.h"
#include <stdio.h>

enum {
    LOOK_AGAIN_MS = 20,
    AGAIN_MS = 5500, /* a node gives up a manual failover after 5 s by itself */
    LIMIT_MS = 12000,
};

static const struct plan_step *current(const struct operation *operation)
{
    return &operation->plan.steps[operation->step];
}

static void look(struct operation *operation);
static void order(struct operation *operation);

void run_takeover_fail(struct operation *operation, const char *why)
{
    const struct plan_step *step = &operation->plan.steps[0];
    struct buffer command = { 0 };
    plan_write_command(&operation->plan, &command);
    snprintf(operation->report.state, sizeof operation->report.state, "%s is still a replica of %s",
        run_node_name(operation, step->node), run_node_name(operation, step->peer));
    snprintf(operation->report.resume, sizeof operation->report.resume,
        "slotctl -h %s -p %u %.*s%s", operation->plan.nodes[step->node].address.ip,
        operation->plan.nodes[step->node].address.port, (int)command.len, command.data,
        operation->plan.mode == PLAN_FAILOVER_PLAIN ? ", or with --force" : "");
    buffer_free(&command);
    run_end(operation, OPERATION_FAILED, "%s didn't take over from %s: %.300s",
        run_node_name(operation, step->node), run_node_name(operation, step->peer), why);
}

static void on_role(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    struct bytes role;
    char age[24];
    int64_t waited = client_now() - operation->step_started;
    bool told = error == NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
                reply_text(reply->element[0], &role);
    if (told && bytes_is(role, "master")) {
        run_say(operation, "%s is primary after %s", run_node_name(operation, node),
            model_write_age(waited, age, sizeof age));
        run_step_done(operation);
    } else if (waited >= AGAIN_MS && operation->waiting == 1) {
        run_say(operation, "%s gave up; asking again", run_node_name(operation, node));
        order(operation);
    } else if (waited >= LIMIT_MS) {
        run_takeover_fail(operation, error != NULL
                                         ? error
                                         : "no majority of primaries agreed, or the primary didn't "
                                           "answer in time");
    } else {
        run_later(operation, LOOK_AGAIN_MS, look);
    }
}

static void look(struct operation *operation)
{
    static const struct bytes role = { "ROLE", 4 };
    run_ask(operation, current(operation)->node, 1, operation->options.request_ms, on_role, NULL,
        &role, 1);
}

static void on_ordered(
    struct operation *operation, int node, redisReply *reply, const char *error, void *context)
{
    if (!reply_is_ok(reply)) {
        run_takeover_fail(operation, error != NULL ? error : "an answer that makes no sense");
        return;
    }
    run_say(operation, "%s has been told to take over", run_node_name(operation, node));
    look(operation);
}

static void order(struct operation *operation)
{
    static const char *const words[] = { NULL, "FORCE", "TAKEOVER" };
    run_ask_words(operation, current(operation)->node, on_ordered, NULL, "CLUSTER", "FAILOVER",
        words[operation->plan.mode], NULL);
    operation->waiting++; /* how often it was told */
}

void run_takeover_step(struct operation *operation)
{
    operation->waiting = 0;
    order(operation);
}
