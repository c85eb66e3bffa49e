/* Which slots go, and from whom. By number they are taken from the sources in proportion to what
 * each has, so that no source is emptied while another keeps all. Slots that are on their way to
 * the target already, from an earlier run that was cut off, are always taken up. */
#include "common/memory.h"
#include "console/model/model.h"
#include "console/operation/plan_build.h"
#include <stdio.h>
#include <stdlib.h>

struct reshard {
    const struct model *model;
    const struct plan_reshard_request *request;
    int to;
    bool *is_source;        /* by node */
    struct slot_set chosen; /* new ones */
    struct slot_set resumed;
    struct slot_set stranded; /* open, and their way leads nowhere any more */
};

/* A node of the cluster that has slots or may get them: a replica stands for its primary. */
static int primary_of(const struct model *model, int index)
{
    const struct model_node *node = model->nodes[index];
    return node->replica ? model_find_id(model, &node->primary) : index;
}

static bool check_end(const struct model *model, int index, const char *role, struct error *error)
{
    char name[64];
    if (index == MODEL_NOBODY || !node_id_is_set(&model->nodes[index]->id)) {
        return error_set(error, "the %s has no primary that is known", role);
    }
    model_node_name(model, index, name, sizeof name);
    if (model_node_is_lost(model->nodes[index])) {
        return error_set(error,
            "the %s %s doesn't answer: %.200s (where another took over from it, name that one)",
            role, name,
            model->nodes[index]->trouble[0] != '\0' ? model->nodes[index]->trouble
                                                    : "it has failed");
    }
    return true;
}

static bool choose_sources(struct reshard *reshard, struct error *error)
{
    const struct model *model = reshard->model;
    const struct plan_reshard_request *request = reshard->request;
    for (size_t i = 0; i < request->from_count; i++) {
        int source = primary_of(model, request->from[i]);
        if (!check_end(model, source, "source", error)) {
            return false;
        }
        if (source == reshard->to) {
            return error_set(
                error, "source and target are one node: slots would stay where they are");
        }
        reshard->is_source[source] = true;
    }
    for (size_t i = 0; request->from_count == 0 && i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        reshard->is_source[i] = (int)i != reshard->to && !node->replica && node->slot_count > 0 &&
                                !model_node_is_lost(node);
    }
    return true;
}

/* --- open slots --- */

static bool may_move(const struct reshard *reshard, unsigned s, struct error *error)
{
    const struct model *model = reshard->model;
    const struct model_slot *slot = &model->slots[s];
    int target = plan_open_target(model, s), heir = plan_open_heir(model, s);
    char name[64];
    if (slot->owner == MODEL_NOBODY) {
        return error_set(error, "slot %u has no owner: slotctl check says how to give it one", s);
    }
    if (model_node_is_lost(model->nodes[slot->owner])) {
        return error_set(error, "slot %u belongs to %s, which doesn't answer", s,
            model_node_name(model, slot->owner, name, sizeof name));
    }
    if (target != MODEL_NOBODY && target != reshard->to) {
        return error_set(error,
            "slot %u is on its way to %s already: finish that first with slotctl "
            "reshard --to %s --range %u",
            s, model_node_name(model, target, name, sizeof name), model->nodes[target]->id.text, s);
    }
    if (target == MODEL_NOBODY && heir != MODEL_NOBODY) {
        return error_set(error,
            "slot %u was on its way to a node that is lost, and %s may have keys of it: let that "
            "take over first with slotctl failover %s --force",
            s, model_node_name(model, heir, name, sizeof name), model->nodes[heir]->id.text);
    }
    return true;
}

static int source_of(const struct reshard *reshard, unsigned s)
{
    const struct model_slot *slot = &reshard->model->slots[s];
    if (slot->owner != reshard->to || slot->source == MODEL_NOBODY) {
        return slot->owner;
    }
    return primary_of(reshard->model, slot->source);
}

static void choose_resumed(struct reshard *reshard)
{
    struct error ignored;
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        int source = source_of(reshard, s);
        if (plan_open_target(reshard->model, s) == reshard->to && source != MODEL_NOBODY &&
            source != reshard->to && may_move(reshard, s, &ignored)) {
            slot_set_add(&reshard->resumed, s);
        }
    }
}

/* --- choosing --- */

static bool choose_ranges(struct reshard *reshard, struct error *error)
{
    bool any_source = reshard->request->from_count == 0;
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        int owner = reshard->model->slots[s].owner;
        if (!slot_set_has(reshard->request->ranges, s) || slot_set_has(&reshard->resumed, s) ||
            (owner == reshard->to && !plan_is_open(reshard->model, s))) {
            continue;
        }
        if (!may_move(reshard, s, error)) {
            return false;
        }
        if (plan_is_open(reshard->model, s) &&
            plan_open_target(reshard->model, s) == MODEL_NOBODY) {
            slot_set_add(&reshard->stranded, s);
        }
        if (owner != reshard->to && !any_source && !reshard->is_source[owner]) {
            char name[64];
            return error_set(error, "slot %u belongs to %s, which isn't among the sources", s,
                model_node_name(reshard->model, owner, name, sizeof name));
        }
        if (!slot_set_has(&reshard->stranded, s) && owner != reshard->to) {
            slot_set_add(&reshard->chosen, s);
        }
    }
    return true;
}

/* Slots of a source that are free to go. */
static unsigned take_slots(struct reshard *reshard, int source, unsigned wanted)
{
    unsigned taken = 0;
    for (unsigned s = 0; s < SLOT_COUNT && taken < wanted; s++) {
        if (reshard->model->slots[s].owner == source && !plan_is_open(reshard->model, s) &&
            !slot_set_has(&reshard->chosen, s)) {
            slot_set_add(&reshard->chosen, s);
            taken++;
        }
    }
    return taken;
}

static bool choose_count(struct reshard *reshard, struct error *error)
{
    const struct model *model = reshard->model;
    unsigned wanted = reshard->request->slots, available = 0, taken = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        available += reshard->is_source[i] ? model->nodes[i]->slot_count : 0;
    }
    if (wanted > available) {
        return error_set(error, "the sources have %u slots, %u are wanted", available, wanted);
    }
    for (size_t i = 0; i < model->node_count; i++) {
        if (reshard->is_source[i]) {
            unsigned share = (unsigned)((uint64_t)wanted * model->nodes[i]->slot_count / available);
            taken += take_slots(reshard, (int)i, share);
        }
    }
    for (size_t i = 0; taken < wanted && i < model->node_count; i++) {
        if (reshard->is_source[i]) { /* what the rounding left */
            taken += take_slots(reshard, (int)i, wanted - taken);
        }
    }
    return taken == wanted ||
           error_set(error,
               "only %u slots of the sources are free to go: others are on their way; "
               "slotctl check tells",
               taken);
}

/* --- the plan --- */

/* What a set of one owner's slots weighs, counted where it was counted, else by its average. */
static void weigh(const struct model *model, int owner, struct plan_step *step)
{
    const struct model_node *node = model->nodes[owner];
    int64_t counted = 0;
    unsigned uncounted = 0;
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        if (slot_set_has(step->slots, s)) {
            uncounted += model->slot_keys[s] == MODEL_KEYS_UNKNOWN;
            counted += model->slot_keys[s] == MODEL_KEYS_UNKNOWN ? 0 : model->slot_keys[s];
        }
    }
    if (uncounted > 0 &&
        (node->figures_at == 0 || node->figures.keys < 0 || node->slot_count == 0)) {
        return;
    }
    step->keys = counted;
    if (uncounted > 0) {
        step->keys += node->figures.keys * uncounted / node->slot_count;
    }
    if (node->figures_at != 0 && node->figures.keys > 0 && node->figures.dataset >= 0) {
        step->bytes = (int64_t)((double)node->figures.dataset / (double)node->figures.keys *
                                (double)step->keys);
    }
}

/* Slots that are closed where they are, before they go elsewhere. */
static void add_put_backs(struct reshard *reshard, struct plan *plan)
{
    const struct model *model = reshard->model;
    char name[64];
    for (int owner = 0; owner < (int)model->node_count; owner++) {
        struct slot_set slots = { { 0 } };
        unsigned first = 0, last;
        for (unsigned s = 0; s < SLOT_COUNT; s++) {
            if (slot_set_has(&reshard->stranded, s) && model->slots[s].owner == owner) {
                slot_set_add(&slots, s);
            }
        }
        if (!slot_set_next_range(&slots, &first, &last)) {
            continue;
        }
        int node = plan_add_node(plan, model, owner);
        plan_add_step(plan, PLAN_PUT_BACK, node, PLAN_NO_NODE)->slots =
            memory_copy(&slots, sizeof slots);
        int lost = model->slots[first].migrating_to;
        if (lost != MODEL_NOBODY && model_node_is_lost(model->nodes[lost])) {
            plan_note(plan,
                "slots were on their way to %s, which is lost: keys that had arrived come back "
                "only with it",
                model_node_name(model, lost, name, sizeof name));
        }
    }
}

static void add_moves(
    struct reshard *reshard, const struct slot_set *set, bool resumed, struct plan *plan)
{
    const struct model *model = reshard->model;
    int to = plan_add_node(plan, model, reshard->to);
    for (int source = 0; source < (int)model->node_count; source++) {
        struct slot_set slots = { { 0 } };
        for (unsigned s = 0; s < SLOT_COUNT; s++) {
            if (slot_set_has(set, s) && source_of(reshard, s) == source && source != reshard->to) {
                slot_set_add(&slots, s);
            }
        }
        unsigned count = slot_set_count(&slots);
        if (count == 0) {
            continue;
        }
        int from = plan_add_node(plan, model, source);
        struct plan_step *step = plan_add_step(plan, PLAN_MOVE, to, from);
        step->slots = memory_copy(&slots, sizeof slots);
        step->resumed = resumed;
        weigh(model, source, step);
        plan->nodes[to].slots_after += count;
        plan->nodes[from].slots_after -=
            count < plan->nodes[from].slots_after ? count : plan->nodes[from].slots_after;
    }
}

/* About how long: a slot without keys takes redis-server 7.0 some 0.3 ms and slotd 2.5 ms on one
 * machine's loopback, eight under way at once; where the network is slower, so are the five round
 * trips that each waits for. */
static int64_t estimate(const struct model *model, int to, const struct plan *plan)
{
    enum { SLOT_US = 1500, KEY_US = 30, ROUND_TRIPS = 5, AT_ONCE = 8 };
    int64_t keys = plan_key_count(plan), latency = model->nodes[to]->latency_us;
    if (keys < 0 || latency < 0) {
        return -1;
    }
    return (plan_slot_count(plan) * (SLOT_US + ROUND_TRIPS * latency / AT_ONCE) + keys * KEY_US) /
           1000000;
}

/* The other primaries are told of the new owners at once, instead of learning it by gossip. */
static void add_witnesses(const struct model *model, struct plan *plan)
{
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (!node->replica && node_id_is_set(&node->id) && !model_node_is_lost(node)) {
            plan_add_node(plan, model, (int)i);
        }
    }
}

static bool choose(struct reshard *reshard, struct error *error)
{
    const struct plan_reshard_request *request = reshard->request;
    if (request->ranges == NULL && request->slots == 0) {
        return error_set(error, "no slots are named: give how many, or which");
    }
    choose_resumed(reshard);
    if (!choose_sources(reshard, error)) {
        return false;
    }
    return request->ranges != NULL ? choose_ranges(reshard, error) : choose_count(reshard, error);
}

bool plan_reshard(const struct model *model, const struct plan_reshard_request *request,
    struct plan *plan, struct error *error)
{
    *plan = (struct plan){ .kind = PLAN_RESHARD, .replace = request->replace, .seconds = -1 };
    struct reshard reshard = { .model = model, .request = request };
    reshard.to = primary_of(model, request->to);
    if (!check_end(model, reshard.to, "target", error)) {
        return false;
    }
    reshard.is_source = memory_alloc_zeroed(model->node_count, sizeof *reshard.is_source);
    bool chosen = choose(&reshard, error);
    free(reshard.is_source);
    if (!chosen) {
        return false;
    }
    add_put_backs(&reshard, plan);
    add_moves(&reshard, &reshard.stranded, true, plan);
    add_moves(&reshard, &reshard.resumed, true, plan);
    add_moves(&reshard, &reshard.chosen, false, plan);
    if (plan->step_count == 0) {
        char name[64];
        plan_free(plan);
        return error_set(error, "nothing to do: %s has these slots already",
            model_node_name(model, reshard.to, name, sizeof name));
    }
    add_witnesses(model, plan);
    plan->seconds = estimate(model, reshard.to, plan);
    return true;
}
