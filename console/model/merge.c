/* The merge: from what each node says to one picture.
 *
 * A node's own word counts for what it is (its role, its primary); of the others the word of the
 * view with the highest epoch counts. What it may be dead of is for the others to say, and for us
 * who ask it. Only nodes that are known to somebody who answers stay, and those that a user named.
 */
#include "common/memory.h"
#include "console/model/build.h"
#include <stdio.h>
#include <stdlib.h>

struct model *model_build_new(void)
{
    struct model *model = memory_alloc_zeroed(1, sizeof *model);
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        model->slots[s].owner = model->slots[s].migrating_to = MODEL_NOBODY;
        model->slots[s].importing_at = model->slots[s].source = MODEL_NOBODY;
        model->slot_keys[s] = MODEL_KEYS_UNKNOWN;
    }
    return model;
}

static void node_free(struct model_node *node)
{
    model_view_free(&node->view);
    free(node);
}

void model_build_free(struct model *model)
{
    for (size_t i = 0; i < model->node_count; i++) {
        node_free(model->nodes[i]);
    }
    free(model->nodes);
    free(model->by_id);
    free(model->shards);
    model_lineage_free(model->lineage);
    model_pending_moves_free(model->pending_moves);
    model_log_free(&model->log);
    free(model);
}

static int compare_ids(const void *a, const void *b, void *context)
{
    const struct model *model = context;
    return strcmp(model->nodes[*(const int *)a]->id.text, model->nodes[*(const int *)b]->id.text);
}

void model_index_nodes(struct model *model)
{
    model->by_id = memory_resize(model->by_id, (model->node_count + 1) * sizeof *model->by_id);
    for (size_t i = 0; i < model->node_count; i++) {
        model->by_id[i] = (int)i;
    }
    qsort_r(model->by_id, model->node_count, sizeof *model->by_id, compare_ids, model);
}

int model_build_add(struct model *model, const struct node_id *id, const struct address *address)
{
    model->nodes = memory_resize(model->nodes, (model->node_count + 1) * sizeof *model->nodes);
    struct model_node *node = memory_alloc_zeroed(1, sizeof *node);
    node->id = *id;
    node->address = *address;
    node->shard = -1;
    node->latency_us = node->lag = -1;
    model->nodes[model->node_count] = node;
    model->node_count++;
    model_index_nodes(model);
    return (int)model->node_count - 1;
}

/* --- feeding --- */

void model_build_silence(struct model *model, int index, const char *why)
{
    snprintf(model->nodes[index]->trouble, sizeof model->nodes[index]->trouble, "%.255s", why);
}

static bool is_known_to_others(const struct model *model, int index)
{
    for (size_t i = 0; i < model->node_count; i++) {
        if ((int)i != index && model->nodes[i]->has_view && model->nodes[i]->trouble[0] == '\0' &&
            model_view_find(&model->nodes[i]->view, &model->nodes[index]->id) != NULL) {
            return true;
        }
    }
    return false;
}

/* The ID of a seed, or the new one of a node that was reset. Two seeds may turn out to be one node.
 */
static bool take_id(struct model *model, int index, const struct node_id *id)
{
    struct model_node *node = model->nodes[index];
    if (node_id_is_set(&node->id) && node_id_equal(&node->id, id)) {
        return true;
    }
    char text[sizeof node->trouble];
    if (node_id_is_set(&node->id) && is_known_to_others(model, index)) {
        snprintf(text, sizeof text, "another node (%.8s) answers at its address", id->text);
        model_build_silence(model, index, text);
        return false;
    }
    node->id = *id;
    return true;
}

bool model_build_view(
    struct model *model, int index, struct bytes cluster_nodes, int64_t now, int64_t wall)
{
    struct model_node *node = model->nodes[index];
    struct model_view view;
    struct error error;
    if (!model_view_parse(cluster_nodes, &view, &error)) {
        error_prefix(&error, "CLUSTER NODES makes no sense");
        model_build_silence(model, index, error.text);
        return false;
    }
    int twin = model_find_id(model, &view.lines[view.self].id);
    if (!take_id(model, index, &view.lines[view.self].id)) {
        model_view_free(&view);
        return false;
    }
    model_view_free(&node->view);
    node->view = view;
    node->has_view = true;
    node->view_at = node->heard_at = now;
    node->view_wall = wall;
    node->trouble[0] = '\0';
    if (twin != MODEL_NOBODY && twin != index) {
        model->nodes[twin]->id.text[0] = '\0'; /* the one that answers stays, see forget_unknown */
        model->nodes[twin]->seed = false;
        node->shard = model->nodes[twin]->shard;
    }
    model_index_nodes(model);
    return true;
}

/* --- who is there --- */

bool model_is_usable(const struct model_node *node, int64_t now, int64_t fresh_ms)
{
    return node->has_view && node->trouble[0] == '\0' && now - node->view_at <= fresh_ms;
}

static void discover(struct model *model, int64_t now, int64_t wall, int64_t fresh_ms)
{
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (!model_is_usable(node, now, fresh_ms)) {
            continue;
        }
        for (size_t l = 0; l < node->view.line_count; l++) {
            const struct model_view_line *line = &node->view.lines[l];
            if ((line->flags & NODE_HANDSHAKE) || model->node_count >= MODEL_NODES_MAX ||
                model_find_id(model, &line->id) != MODEL_NOBODY) {
                continue;
            }
            int index = model_build_add(model, &line->id, &line->address);
            if (model->rounds > 0) {
                char name[64];
                model_log_add(&model->log, wall, MODEL_EVENT_NODE_NEW, MODEL_NEUTRAL, "%s is new",
                    model_node_name(model, index, name, sizeof name));
            }
        }
    }
}

/* The line in which the others tell of a node: of the highest epoch, unless it is a fresh
 * handshake. */
static const struct model_view_line *best_line(
    const struct model *model, int index, int64_t now, int64_t fresh_ms)
{
    const struct model_view_line *best = NULL;
    for (size_t i = 0; i < model->node_count; i++) {
        if (!model_is_usable(model->nodes[i], now, fresh_ms)) {
            continue;
        }
        const struct model_view_line *line =
            model_view_find(&model->nodes[i]->view, &model->nodes[index]->id);
        if (line != NULL && (int)i == index) {
            return line; /* its own word */
        }
        if (line != NULL && (best == NULL || line->config_epoch > best->config_epoch)) {
            best = line;
        }
    }
    return best;
}

static void forget_unknown(
    struct model *model, const bool *known, int64_t wall, void (*release)(struct model_node *node))
{
    size_t kept = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        struct model_node *node = model->nodes[i];
        if (known[i] || node->seed) {
            model->nodes[kept++] = node;
            continue;
        }
        if (node_id_is_set(&node->id)) {
            model_log_add(&model->log, wall, MODEL_EVENT_NODE_GONE, MODEL_NEUTRAL,
                "%s:%u (%.8s) was forgotten by the cluster", node->address.ip, node->address.port,
                node->id.text);
        }
        if (release != NULL) {
            release(node);
        }
        node_free(node);
    }
    model->node_count = kept;
}

static int compare_addresses(const void *a, const void *b)
{
    const struct model_node *one = *(struct model_node *const *)a;
    const struct model_node *other = *(struct model_node *const *)b;
    int hosts = strverscmp(one->address.ip, other->address.ip);
    if (hosts != 0) {
        return hosts;
    }
    if (one->address.port != other->address.port) {
        return one->address.port < other->address.port ? -1 : 1;
    }
    return strcmp(one->id.text, other->id.text);
}

/* The answering node's own word on its role, or the best that others say. An address is taken from
 * others where the node can't be reached at the one we have. */
static void take_line(struct model_node *node, const struct model_view_line *line)
{
    node->replica = (line->flags & NODE_REPLICA) != 0;
    node->primary = line->primary;
    node->config_epoch = line->config_epoch;
    node->no_failover = (line->flags & NODE_NO_FAILOVER) != 0;
    bool reached = node->heard_at != 0 && node->trouble[0] == '\0';
    if (!reached && line->address.ip[0] != '\0' && line->address.port != 0) {
        node->address = line->address;
    }
}

static void judge_roles(struct model *model, int64_t now, int64_t wall, int64_t fresh_ms,
    void (*release)(struct model_node *node))
{
    bool *known = memory_alloc_zeroed(model->node_count + 1, sizeof *known);
    char name[64], primary_name[64];
    for (size_t i = 0; i < model->node_count; i++) {
        struct model_node *node = model->nodes[i];
        struct node_id old_primary = node->primary;
        bool was_replica = node->replica;
        const struct model_view_line *line = best_line(model, (int)i, now, fresh_ms);
        known[i] = line != NULL;
        if (line == NULL) {
            continue;
        }
        take_line(node, line);
        memcpy(node->hostname, node->view.hostname, sizeof node->hostname);
        if (model->rounds > 0 && node->replica && node_id_is_set(&node->primary) &&
            (!was_replica || !node_id_equal(&old_primary, &node->primary))) {
            model_log_add(&model->log, wall, MODEL_EVENT_ROLE, MODEL_NEUTRAL, "%s follows %s now",
                model_node_name(model, (int)i, name, sizeof name),
                model_node_name(model, model_find_id(model, &node->primary), primary_name,
                    sizeof primary_name));
        }
    }
    forget_unknown(model, known, wall, release);
    free(known);
    qsort(model->nodes, model->node_count, sizeof *model->nodes, compare_addresses);
    model_index_nodes(model);
}

/* --- health --- */

struct doubts {
    unsigned knowing, pfail, fail;
};

static struct doubts count_doubts(
    const struct model *model, int index, int64_t now, int64_t fresh_ms)
{
    struct doubts doubts = { 0, 0, 0 };
    for (size_t i = 0; i < model->node_count; i++) {
        if ((int)i == index || !model_is_usable(model->nodes[i], now, fresh_ms)) {
            continue;
        }
        const struct model_view_line *line =
            model_view_find(&model->nodes[i]->view, &model->nodes[index]->id);
        if (line != NULL) {
            doubts.knowing++;
            doubts.pfail += (line->flags & NODE_PFAIL) != 0;
            doubts.fail += (line->flags & NODE_FAIL) != 0;
        }
    }
    return doubts;
}

static enum model_health judge_health(const struct model_node *node, struct doubts doubts)
{
    bool silent = node->trouble[0] != '\0';
    if (doubts.fail > 0 && (silent || 2 * doubts.fail > doubts.knowing)) {
        return MODEL_FAILED;
    }
    if (silent) {
        return MODEL_SILENT;
    }
    if (node->heard_at == 0) {
        return MODEL_UNKNOWN;
    }
    if (doubts.fail + doubts.pfail > 0) {
        return MODEL_SUSPECTED;
    }
    bool waits = node->replica && !node->figures.link_up;
    if (node->figures_at != 0 && (node->figures.loading || waits)) {
        return MODEL_LOADING;
    }
    return MODEL_UP;
}

/* When others heard of a node last, of which we never heard: how long ago, in ms; 0: not told. */
static int64_t youngest_pong(const struct model *model, int index)
{
    int64_t youngest = INT64_MAX, age;
    for (int i = 0; i < (int)model->node_count; i++) {
        if (i != index && model->nodes[i]->trouble[0] == '\0' &&
            model_opinion(model, i, index, &age) != MODEL_THINKS_NOTHING && age >= 0 &&
            age < youngest) {
            youngest = age;
        }
    }
    return youngest == INT64_MAX ? 0 : youngest;
}

static void tell_health(struct model *model, int index, int64_t now, int64_t wall)
{
    struct model_node *node = model->nodes[index];
    char name[64], age[24];
    model_node_name(model, index, name, sizeof name);
    bool lost = model_node_is_lost(node);
    if (lost && node->lost_at == 0) {
        node->lost_at = now - (node->heard_at == 0 ? youngest_pong(model, index) : 0);
        model_log_add(&model->log, wall, MODEL_EVENT_NODE_LOST, MODEL_BAD, "%s is lost: %s", name,
            node->trouble[0] != '\0' ? node->trouble : "the cluster says fail");
    } else if (!lost && node->lost_at != 0) {
        model_log_add(&model->log, wall, MODEL_EVENT_NODE_BACK, MODEL_GOOD, "%s is back after %s",
            name, model_write_age(now - node->lost_at, age, sizeof age));
        node->lost_at = 0;
    } else if (node->health == MODEL_SUSPECTED) {
        model_log_add(&model->log, wall, MODEL_EVENT_NODE_SUSPECTED, MODEL_BAD,
            "%s is suspected to be down by other nodes", name);
    }
}

static void judge_all_health(struct model *model, int64_t now, int64_t wall, int64_t fresh_ms)
{
    for (size_t i = 0; i < model->node_count; i++) {
        struct model_node *node = model->nodes[i];
        enum model_health health = judge_health(node, count_doubts(model, (int)i, now, fresh_ms));
        if (health != node->health) {
            node->health = health;
            node->health_since = now;
            tell_health(model, (int)i, now, wall);
        }
    }
}

/* --- sums --- */

static void sum_up(struct model *model, int64_t now)
{
    model->keys = model->memory = 0;
    model->ops = 0;
    model->epoch = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        struct model_node *node = model->nodes[i];
        if (node->trouble[0] != '\0') {
            node->ops = node->input_rate = node->output_rate = 0;
        }
        node->lag = -1;
        if (node->figures_at != 0) {
            model->memory += node->figures.memory > 0 ? node->figures.memory : 0;
            model->keys += node->replica || node->figures.keys < 0 ? 0 : node->figures.keys;
            model->ops += node->ops;
        }
        int primary = node->replica ? model_find_id(model, &node->primary) : MODEL_NOBODY;
        if (primary != MODEL_NOBODY && node->figures_at != 0 &&
            model->nodes[primary]->figures_at != 0 && node->figures.offset >= 0) {
            int64_t lag = model->nodes[primary]->figures.offset - node->figures.offset;
            node->lag = lag > 0 ? lag : 0;
        }
        model->epoch = node->says_epoch > model->epoch ? node->says_epoch : model->epoch;
    }
    if (model->disputed == 0) {
        model->disputed_since = 0;
    } else if (model->disputed_since == 0) {
        model->disputed_since = now;
    }
}

static bool any_usable(const struct model *model, int64_t now, int64_t fresh_ms)
{
    for (size_t i = 0; i < model->node_count; i++) {
        if (model_is_usable(model->nodes[i], now, fresh_ms)) {
            return true;
        }
    }
    return false;
}

void model_build_merge(struct model *model, int64_t now, int64_t wall, int64_t fresh_ms,
    void (*release)(struct model_node *node))
{
    bool usable = any_usable(model, now, fresh_ms);
    if (usable) {
        model_remember_owners(model);
        discover(model, now, wall, fresh_ms);
        judge_roles(model, now, wall, fresh_ms, release);
    }
    judge_all_health(model, now, wall, fresh_ms);
    if (usable) {
        model_judge_slots(model, now, fresh_ms);
    }
    model_judge_served(model);
    if (usable) {
        model_group_shards(model, now, wall);
        model_tell_moves(model, now, wall);
    } else {
        model_sum_shards(model);
    }
    sum_up(model, now);
    model_judge(model, now, wall);
    model->change++;
}
