/* Failover: which replica (the one with the least lag first), then what clients will notice, then
 * yes or no, with no as the default. */
#include "console/tui/actions.h"

#include "common/memory.h"
#include "console/tui/app.h"
#include "console/tui/choice.h"
#include "console/tui/format.h"
#include "console/tui/jobs.h"
#include "console/tui/nodes.h"
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPLICAS_MAX = MODEL_REPLICAS_MAX };

/* Which replica was chosen; owned by the choice. */
struct chosen {
    struct node_id id;
};

static void mode_chosen(struct tui *tui, void *context, int mode)
{
    const struct chosen *chosen = context;
    int node = model_find_id(tui->model, &chosen->id);
    struct plan plan = { 0 };
    struct error error;
    if (node == MODEL_NOBODY) {
        tui_say(tui, MODEL_BAD, "that node is no member of the cluster any more");
        return;
    }
    if (!plan_failover(tui->model, node, (enum plan_failover_mode)mode, &plan, &error)) {
        tui_say(tui, MODEL_BAD, "%s", error.text);
        return;
    }
    if (jobs_start(tui->jobs, &plan))
        tui_show(tui, VIEW_OPERATIONS);
    plan_free(&plan);
}

/* The plan's sentence and notes above the answers; false where no plan can be made in that mode. */
static bool say_plan(struct tui *tui, struct choice *choice, int node, enum plan_failover_mode mode,
    struct error *error)
{
    struct plan plan = { 0 };
    if (!plan_failover(tui->model, node, mode, &plan, error))
        return false;
    struct buffer summary = { 0 };
    plan_write_summary(&plan, &summary);
    buffer_terminate(&summary);
    choice_say(choice, "%s", summary.data);
    choice_say(choice, "%s", plan.notes);
    buffer_free(&summary);
    plan_free(&plan);
    return true;
}

static void confirm(struct tui *tui, int node, const enum plan_failover_mode *only)
{
    static const char *const deeds[] = {
        [PLAN_FAILOVER_PLAIN] = "Fail over: the primary hands over, no write is lost",
        [PLAN_FAILOVER_FORCE] =
            "Force: take over without asking the primary; its last writes may be lost",
        [PLAN_FAILOVER_TAKEOVER] =
            "Take over without a vote: can't be undone; only when no majority is left",
    };
    const struct model *model = tui->model;
    struct choice *choice = choice_new("Failover: is this what you want?");
    struct error error, forced;
    int primary = model_find_id(model, &model->nodes[node]->primary);
    bool well = primary != MODEL_NOBODY && model->nodes[primary]->health == MODEL_UP;
    choice_add(choice, CHOICE_NOTHING, -1, "Leave everything as it is");
    if (only != NULL) {
        if (say_plan(tui, choice, node, *only, &error))
            choice_add(choice, (int)*only, -1, "%s", deeds[*only]);
        else
            choice_say(choice, "%s", error.text);
    } else if (say_plan(tui, choice, node, PLAN_FAILOVER_PLAIN, &error)) {
        choice_add(choice, PLAN_FAILOVER_PLAIN, -1, "%s", deeds[PLAN_FAILOVER_PLAIN]);
    } else {
        choice_say(choice, "%s", error.text);
    }
    if (only == NULL && !well && say_plan(tui, choice, node, PLAN_FAILOVER_FORCE, &forced))
        choice_add(choice, PLAN_FAILOVER_FORCE, -1, "%s", deeds[PLAN_FAILOVER_FORCE]);
    struct chosen *chosen = memory_alloc_zeroed(1, sizeof *chosen);
    chosen->id = model->nodes[node]->id;
    choice_ask(tui, choice, mode_chosen, chosen);
}

/* The candidates stand in the context in the order of the rows. */
static void replica_chosen(struct tui *tui, void *context, int row)
{
    const struct chosen *candidates = context;
    int node = model_find_id(tui->model, &candidates[row].id);
    if (node == MODEL_NOBODY)
        tui_say(tui, MODEL_BAD, "that node is no member of the cluster any more");
    else
        confirm(tui, node, NULL);
}

static bool may_start(struct tui *tui)
{
    if (jobs_running(tui->jobs) == NULL)
        return true;
    tui_say(tui, MODEL_BAD, "an operation is running already: 4 shows it");
    return false;
}

void action_failover(struct tui *tui, int shard)
{
    const struct model *model = tui->model;
    int replicas[REPLICAS_MAX];
    unsigned count = nodes_replicas(model, shard, replicas, REPLICAS_MAX);
    if (!may_start(tui))
        return;
    if (shard < 0) {
        tui_say(tui, MODEL_NEUTRAL, "no shard is under the cursor");
        return;
    }
    if (count == 0) {
        tui_say(tui, MODEL_BAD, "shard %s has no replica that could take over",
            model->shards[shard].letter);
        return;
    }
    char title[64], name[NODES_NAME_MAX], health[64];
    snprintf(title, sizeof title, "Failover of shard %s", model->shards[shard].letter);
    struct choice *choice = choice_new(title);
    choice_say(choice, "Which replica takes over? The one with the least lag comes first.");
    struct chosen *candidates = memory_alloc_zeroed(count, sizeof *candidates);
    for (unsigned i = 0; i < count; i++) {
        const struct model_node *node = model->nodes[replicas[i]];
        struct format lag;
        candidates[i].id = node->id;
        choice_add(choice, (int)i, shard, "%-20s lag %6s bytes   %s",
            model_node_name(model, replicas[i], name, sizeof name), format_count(&lag, node->lag),
            nodes_health_text(node, health, sizeof health));
    }
    choice_ask(tui, choice, replica_chosen, candidates);
}

void action_failover_node(struct tui *tui, int node, enum plan_failover_mode mode)
{
    if (!may_start(tui))
        return;
    if (!tui->model->nodes[node]->replica && mode == PLAN_FAILOVER_PLAIN) {
        action_failover(tui, tui->model->nodes[node]->shard);
        return;
    }
    confirm(tui, node, &mode);
}
