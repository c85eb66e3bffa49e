/* A cluster from empty nodes. Hosts are dealt out like cards: the first primary from the first
 * host, the second from the second, and so on; a replica goes where its primary isn't, if it can.
 */
#include "common/memory.h"
#include "console/model/model.h"
#include "console/operation/plan_build.h"
#include <stdio.h>
#include <stdlib.h>

enum { PRIMARIES_MIN = 3 };

static int find_address(const struct model *model, const struct address *address)
{
    for (size_t i = 0; i < model->node_count; i++) {
        if (address_equal(&model->nodes[i]->address, address)) {
            return (int)i;
        }
    }
    return MODEL_NOBODY;
}

static bool check_node(
    const struct model *model, const struct address *address, struct error *error)
{
    char where[ADDRESS_TEXT_MAX];
    address_format(where, address);
    int index = find_address(model, address);
    if (index == MODEL_NOBODY) {
        return error_set(error, "%.100s is named twice, or under two addresses", where);
    }
    const struct model_node *node = model->nodes[index];
    if (node->trouble[0] != '\0') {
        return error_set(error, "%s%.255s",
            strstr(node->trouble, where) == NULL ? "a node fails: " : "", node->trouble);
    }
    if (!node->has_view || node->figures_at == 0) {
        return error_set(error, "%.100s didn't tell its state", where);
    }
    if (node->view.line_count > 1) {
        return error_set(error,
            "%.100s is in a cluster already, it knows %zu other nodes: leave that "
            "first with CLUSTER RESET",
            where, node->view.line_count - 1);
    }
    if (node->view.range_count > 0) {
        return error_set(error,
            "%.100s has slots already: give them up with CLUSTER FLUSHSLOTS or "
            "CLUSTER RESET",
            where);
    }
    if (node->figures.keys > 0) {
        return error_set(error,
            "%.100s holds %lld keys: a cluster is made of empty nodes (FLUSHALL)", where,
            (long long)node->figures.keys);
    }
    return true;
}

static bool same_host(const struct plan *plan, int a, int b)
{
    return strcmp(plan->nodes[a].address.ip, plan->nodes[b].address.ip) == 0;
}

/* The order in which nodes are taken: round and round over the hosts, each host's nodes in the
 * order given. dealt gets node indexes. */
static void deal(const struct plan *plan, int *dealt)
{
    size_t count = plan->node_count, taken = 0;
    bool *used = memory_alloc_zeroed(count, sizeof *used);
    while (taken < count) {
        size_t round_start = taken;
        for (size_t i = 0; i < count; i++) {
            bool host_had = false;
            for (size_t k = round_start; k < taken; k++) {
                host_had |= same_host(plan, dealt[k], (int)i);
            }
            if (!used[i] && !host_had) {
                used[i] = true;
                dealt[taken++] = (int)i;
            }
        }
    }
    free(used);
}

static void give_slots(struct plan *plan, const int *primaries, unsigned count)
{
    double share = (double)SLOT_COUNT / count, cursor = 0;
    unsigned first = 0;
    for (unsigned i = 0; i < count; i++, cursor += share) {
        unsigned last = i + 1 == count ? SLOT_COUNT - 1 : (unsigned)(cursor + share - 1 + 0.5);
        struct plan_step *step = plan_add_step(plan, PLAN_ADD_SLOTS, primaries[i], PLAN_NO_NODE);
        step->slots = memory_alloc_zeroed(1, sizeof *step->slots);
        slot_set_add_range(step->slots, first, last);
        plan->nodes[primaries[i]].slots_after = last - first + 1;
        first = last + 1;
    }
}

/* Who among the rest suits the primary best: on a host that has neither it nor its replicas yet,
 * then on another host than its, then any. Returns a position in rest, which has at least one. */
static size_t choose_replica(
    const struct plan *plan, const int *owner_of, int primary, const int *rest, size_t rest_count)
{
    size_t best = 0;
    int best_score = -1;
    for (size_t i = 0; i < rest_count; i++) {
        int score = same_host(plan, rest[i], primary) ? 0 : 2;
        for (size_t n = 0; score == 2 && n < plan->node_count; n++) {
            if (owner_of[n] == primary && same_host(plan, (int)n, rest[i])) {
                score = 1;
            }
        }
        if (score > best_score) {
            best_score = score;
            best = i;
        }
    }
    return best;
}

/* Dealing one by one may leave the last primary only nodes of its own host: two replicas change
 * places where that takes one of them off its primary's host and puts the other on no such. */
static void exchange(const struct plan *plan, int *owner_of)
{
    for (size_t a = 0; a < plan->node_count; a++) {
        if (owner_of[a] == PLAN_NO_NODE || !same_host(plan, (int)a, owner_of[a])) {
            continue;
        }
        for (size_t b = 0; b < plan->node_count; b++) {
            if (owner_of[b] != PLAN_NO_NODE && !same_host(plan, (int)b, owner_of[a]) &&
                !same_host(plan, (int)a, owner_of[b])) {
                int owner = owner_of[a];
                owner_of[a] = owner_of[b];
                owner_of[b] = owner;
                break;
            }
        }
    }
}

/* Deals replicas to primaries in turns, so that each has got one before any gets its second. */
static void deal_replicas(const struct plan *plan, const int *primaries, unsigned primary_count,
    int *rest, size_t rest_count, int *owner_of)
{
    for (size_t i = 0; i < plan->node_count; i++) {
        owner_of[i] = PLAN_NO_NODE;
    }
    for (unsigned turn = 0; rest_count > 0; turn++) {
        int primary = primaries[turn % primary_count];
        size_t chosen = choose_replica(plan, owner_of, primary, rest, rest_count);
        owner_of[rest[chosen]] = primary;
        rest_count--;
        for (size_t i = chosen; i < rest_count; i++) {
            rest[i] = rest[i + 1];
        }
    }
    exchange(plan, owner_of);
}

static void give_replicas(
    struct plan *plan, const int *primaries, unsigned primary_count, int *rest, size_t rest_count)
{
    int *owner_of = memory_alloc(plan->node_count * sizeof *owner_of);
    unsigned close = 0;
    deal_replicas(plan, primaries, primary_count, rest, rest_count, owner_of);
    for (size_t i = 0; i < plan->node_count; i++) {
        if (owner_of[i] != PLAN_NO_NODE) {
            plan->nodes[i].primary = false;
            close += same_host(plan, (int)i, owner_of[i]);
            plan_add_step(plan, PLAN_REPLICATE, (int)i, owner_of[i]);
        }
    }
    free(owner_of);
    if (close > 0) {
        plan_note(plan,
            "note: %u replica%s on the same host as %s primary; a host that fails takes both",
            close, close == 1 ? " is" : "s are", close == 1 ? "its" : "their");
    }
}

static void add_steps(struct plan *plan, unsigned primary_count)
{
    int *dealt = memory_alloc(plan->node_count * sizeof *dealt);
    deal(plan, dealt);
    give_slots(plan, dealt, primary_count);
    for (size_t i = 0; i < plan->node_count; i++) {
        plan_add_step(plan, PLAN_SET_EPOCH, (int)i, PLAN_NO_NODE)->count = i + 1;
    }
    for (size_t i = 1; i < plan->node_count; i++) {
        plan_add_step(plan, PLAN_MEET, dealt[i], dealt[0]);
    }
    plan_add_step(plan, PLAN_AGREE, PLAN_NO_NODE, PLAN_NO_NODE);
    give_replicas(
        plan, dealt, primary_count, dealt + primary_count, plan->node_count - primary_count);
    plan_add_step(plan, PLAN_WAIT_OK, PLAN_NO_NODE, PLAN_NO_NODE);
    free(dealt);
}

bool plan_create(const struct model *model, const struct address *nodes, size_t count,
    unsigned replicas, struct plan *plan, struct error *error)
{
    unsigned primaries = (unsigned)(count / (replicas + 1));
    *plan = (struct plan){ .kind = PLAN_CREATE, .seconds = -1 };
    if (primaries < PRIMARIES_MIN) {
        return error_set(error,
            "%zu node%s with %u replica%s each make %u primar%s, and a cluster needs "
            "%d: give at least %u nodes",
            count, count == 1 ? "" : "s", replicas, replicas == 1 ? "" : "s", primaries,
            primaries == 1 ? "y" : "ies", PRIMARIES_MIN, PRIMARIES_MIN * (replicas + 1));
    }
    for (size_t i = 0; i < count; i++) {
        if (!check_node(model, &nodes[i], error)) {
            plan_free(plan);
            return false;
        }
        size_t before = plan->node_count;
        plan_add_node(plan, model, find_address(model, &nodes[i]));
        if (plan->node_count == before) {
            plan_free(plan);
            return error_set(error, "%.60s:%u is named twice", nodes[i].ip, nodes[i].port);
        }
        struct plan_node *node = &plan->nodes[plan->node_count - 1];
        const struct model_view *view = &model->nodes[find_address(model, &nodes[i])]->view;
        node->address.bus_port = view->lines[view->self].address.bus_port;
        node->primary = true;
        node->letter[0] = '\0';
    }
    add_steps(plan, primaries);
    return true;
}
