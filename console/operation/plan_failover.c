/* Who takes over from whom. The best replica is one that answers, has its link to the primary, and
 * lags least. */
#include "console/model/model.h"
#include "console/operation/plan_build.h"

static bool is_better(const struct model_node *a, const struct model_node *b)
{
    if (a->figures.link_up != b->figures.link_up) {
        return a->figures.link_up;
    }
    return a->figures.offset > b->figures.offset;
}

static int best_replica(const struct model *model, const struct model_node *primary)
{
    int best = MODEL_NOBODY;
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (node->replica && !model_node_is_lost(node) &&
            node_id_equal(&node->primary, &primary->id) &&
            (best == MODEL_NOBODY || is_better(node, model->nodes[best]))) {
            best = (int)i;
        }
    }
    return best;
}

static bool check_ends(const struct model *model, int replica, int primary,
    enum plan_failover_mode mode, struct error *error)
{
    char replica_name[64], primary_name[64];
    const struct model_node *node = model->nodes[replica];
    model_node_name(model, replica, replica_name, sizeof replica_name);
    if (model_node_is_lost(node)) {
        return error_set(error, "%s doesn't answer: %.200s", replica_name, node->trouble);
    }
    if (primary == MODEL_NOBODY) {
        return error_set(error, "%s follows a primary that nobody knows", replica_name);
    }
    model_node_name(model, primary, primary_name, sizeof primary_name);
    if (mode == PLAN_FAILOVER_PLAIN && model_node_is_lost(model->nodes[primary])) {
        return error_set(error,
            "its primary %s doesn't answer, and a plain failover needs it: use --force",
            primary_name);
    }
    if (mode == PLAN_FAILOVER_PLAIN && node->figures_at != 0 && !node->figures.link_up) {
        return error_set(error,
            "%s has no link to its primary %s, and a plain failover needs it: wait, or "
            "use --force, which loses what hasn't arrived",
            replica_name, primary_name);
    }
    return true;
}

bool plan_failover(const struct model *model, int node, enum plan_failover_mode mode,
    struct plan *plan, struct error *error)
{
    char name[64];
    *plan = (struct plan){ .kind = PLAN_FAILOVER, .mode = mode, .seconds = -1 };
    int replica = node, primary;
    if (!model->nodes[node]->replica) {
        replica = best_replica(model, model->nodes[node]);
        if (replica == MODEL_NOBODY) {
            return error_set(error, "primary %s has no replica that answers",
                model_node_name(model, node, name, sizeof name));
        }
    }
    primary = model_find_id(model, &model->nodes[replica]->primary);
    if (!check_ends(model, replica, primary, mode, error)) {
        return false;
    }
    int to = plan_add_node(plan, model, replica), from = plan_add_node(plan, model, primary);
    plan->nodes[to].slots_after = plan->nodes[from].slots_before;
    plan->nodes[from].slots_after = 0;
    plan_add_step(plan, PLAN_FAILOVER_STEP, to, from);
    plan_add_step(plan, PLAN_AGREE, PLAN_NO_NODE, PLAN_NO_NODE);
    for (size_t i = 0; i < model->node_count; i++) { /* all who must agree at the end */
        if (node_id_is_set(&model->nodes[i]->id) && !model_node_is_lost(model->nodes[i])) {
            plan_add_node(plan, model, (int)i);
        }
    }
    if (mode == PLAN_FAILOVER_PLAIN) {
        plan_note(plan,
            "clients of %s wait a moment while the replica catches up, then are redirected; "
            "nothing is lost",
            plan->nodes[from].name);
    } else {
        plan_note(plan, "writes that haven't reached %s are lost%s", plan->nodes[to].name,
            mode == PLAN_FAILOVER_TAKEOVER
                ? "; a takeover asks no majority, so two nodes may claim the slots for a while"
                : "");
    }
    return true;
}
