/* Shards, kept together over failovers. A lineage remembers, for each shard that was ever seen,
 * which nodes were in it and who was its primary. At each merge the primaries of now are matched
 * with the lineages in which they were members; where several match one (the dead primary and the
 * replica that took over), the one that has slots heads the shard and the others stay its members.
 */
#include "common/memory.h"
#include "console/model/build.h"
#include <stdio.h>
#include <stdlib.h>

struct lineage {
    unsigned number;
    struct node_id head;     /* the primary at the last merge; empty: none yet */
    struct node_id *members; /* owned; all nodes that were in it at the last merge, the head too */
    size_t member_count;
    int head_index; /* of this merge */
    struct model_history ops_history;
};

struct model_lineage {
    struct lineage *items; /* owned; by number */
    size_t count;
    unsigned next_number;
};

void model_lineage_free(struct model_lineage *lineage)
{
    if (lineage != NULL) {
        for (size_t i = 0; i < lineage->count; i++) {
            free(lineage->items[i].members);
        }
        free(lineage->items);
        free(lineage);
    }
}

static struct lineage *find_lineage(struct model_lineage *all, const struct node_id *id)
{
    for (size_t i = 0; i < all->count; i++) {
        for (size_t m = 0; m < all->items[i].member_count; m++) {
            if (node_id_equal(&all->items[i].members[m], id)) {
                return &all->items[i];
            }
        }
    }
    return NULL;
}

static struct lineage *add_lineage(struct model_lineage *all)
{
    all->items = memory_resize(all->items, (all->count + 1) * sizeof *all->items);
    struct lineage *lineage = &all->items[all->count++];
    *lineage = (struct lineage){ .number = all->next_number++, .head_index = MODEL_NOBODY };
    return lineage;
}

/* Which of two primaries of one lineage is its head now. */
static bool is_better_head(const struct model *model, const struct lineage *lineage, int a, int b)
{
    const struct model_node *one = model->nodes[a], *other = model->nodes[b];
    if ((one->slot_count > 0) != (other->slot_count > 0)) {
        return one->slot_count > 0;
    }
    if ((one->health == MODEL_FAILED) != (other->health == MODEL_FAILED)) {
        return other->health == MODEL_FAILED;
    }
    return node_id_equal(&one->id, &lineage->head);
}

static int lowest_slot(const struct model_node *node)
{
    unsigned first = 0, last;
    return slot_set_next_range(&node->slots, &first, &last) ? (int)first : SLOT_COUNT;
}

/* Primaries that found no place, by their lowest slot, get new lineages. */
static void found_new(struct model *model, struct model_lineage *all, int *homeless, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t best = i;
        for (size_t j = i + 1; j < count; j++) {
            if (lowest_slot(model->nodes[homeless[j]]) <
                lowest_slot(model->nodes[homeless[best]])) {
                best = j;
            }
        }
        int index = homeless[best];
        homeless[best] = homeless[i];
        add_lineage(all)->head_index = index;
    }
}

static void place_primaries(struct model *model, struct model_lineage *all)
{
    int *homeless = memory_alloc((2 * model->node_count + 1) * sizeof *homeless);
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++) {
        all->items[i].head_index = MODEL_NOBODY;
    }
    for (int i = 0; i < (int)model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (node->replica || !node_id_is_set(&node->id)) {
            continue;
        }
        struct lineage *lineage = find_lineage(all, &node->id);
        bool lost = model_node_is_lost(node);
        if (lineage == NULL) {
            /* Nobody knows whose a dead primary without slots was. */
            homeless[count] = i;
            count += node->slot_count > 0 || (node->heard_at != 0 && !lost);
            continue;
        }
        int loser = i;
        if (lineage->head_index == MODEL_NOBODY ||
            is_better_head(model, lineage, i, lineage->head_index)) {
            loser = lineage->head_index;
            lineage->head_index = i;
        }
        if (loser != MODEL_NOBODY && model->nodes[loser]->slot_count > 0) {
            homeless[count++] = loser;
        }
    }
    found_new(model, all, homeless, count);
    free(homeless);
}

static void tell_failover(
    struct model *model, const struct lineage *lineage, int64_t now, int64_t wall)
{
    int old = model_find_id(model, &lineage->head);
    const struct model_node *head = model->nodes[lineage->head_index];
    char old_name[64] = "its primary", name[64], age[24], after[40] = "";
    if (old != MODEL_NOBODY) {
        model_node_name(model, old, old_name, sizeof old_name);
        if (model->nodes[old]->lost_at != 0) {
            snprintf(after, sizeof after, " after %s",
                model_write_age(now - model->nodes[old]->lost_at, age, sizeof age));
        }
    }
    model_log_add(&model->log, wall, MODEL_EVENT_FAILOVER, MODEL_NEUTRAL,
        "%s took over from %s (epoch %llu)%s",
        model_node_name(model, lineage->head_index, name, sizeof name), old_name,
        (unsigned long long)head->config_epoch, after);
}

static void add_member(struct lineage *lineage, const struct node_id *id)
{
    lineage->members =
        memory_resize(lineage->members, (lineage->member_count + 1) * sizeof *lineage->members);
    lineage->members[lineage->member_count++] = *id;
}

static struct lineage *lineage_of_head(struct model_lineage *all, const struct node_id *primary)
{
    for (size_t i = 0; i < all->count; i++) {
        if (node_id_is_set(&all->items[i].head) && node_id_equal(&all->items[i].head, primary)) {
            return &all->items[i];
        }
    }
    return NULL;
}

/* Replicas go to the shard of their primary, wherever that is by now; others stay where they were.
 */
static void place_members(struct model *model, struct model_lineage *all)
{
    struct lineage **homes = memory_alloc_zeroed(model->node_count + 1, sizeof *homes);
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (!node_id_is_set(&node->id)) {
            continue;
        }
        homes[i] = lineage_of_head(all, &node->id);
        if (homes[i] == NULL && node->replica) {
            homes[i] = lineage_of_head(all, &node->primary);
        }
        if (homes[i] == NULL && node->replica) {
            homes[i] = find_lineage(all, &node->primary);
        }
        if (homes[i] == NULL) {
            homes[i] = find_lineage(all, &node->id);
        }
    }
    for (size_t i = 0; i < all->count; i++) {
        all->items[i].member_count = 0;
    }
    for (size_t i = 0; i < model->node_count; i++) {
        if (homes[i] != NULL) {
            add_member(homes[i], &model->nodes[i]->id);
        }
    }
    free(homes);
}

static void drop_extinct(struct model_lineage *all)
{
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].member_count == 0) {
            free(all->items[i].members);
        } else {
            all->items[kept++] = all->items[i];
        }
    }
    all->count = kept;
}

static void write_letter(unsigned number, char letter[4])
{
    char text[8];
    size_t at = sizeof text;
    text[--at] = '\0';
    for (unsigned n = number + 1; n > 0; n = (n - 1) / 26) {
        text[--at] = (char)('A' + (n - 1) % 26);
    }
    snprintf(letter, 4, "%.3s", text + at);
}

static void publish(struct model *model, struct model_lineage *all)
{
    free(model->shards);
    model->shards = memory_alloc_zeroed(all->count + 1, sizeof *model->shards);
    model->shard_count = all->count;
    for (size_t i = 0; i < model->node_count; i++) {
        model->nodes[i]->shard = -1;
    }
    for (size_t i = 0; i < all->count; i++) {
        struct lineage *lineage = &all->items[i];
        struct model_shard *shard = &model->shards[i];
        write_letter(lineage->number, shard->letter);
        shard->number = lineage->number;
        shard->primary = lineage->head_index;
        shard->ops_history = lineage->ops_history;
        for (size_t m = 0; m < lineage->member_count; m++) {
            int index = model_find_id(model, &lineage->members[m]);
            model->nodes[index]->shard = (int)i;
            if (index != shard->primary && shard->member_count < MODEL_REPLICAS_MAX) {
                shard->members[shard->member_count++] = index;
            }
        }
    }
}

void model_group_shards(struct model *model, int64_t now, int64_t wall)
{
    if (model->lineage == NULL) {
        model->lineage = memory_alloc_zeroed(1, sizeof *model->lineage);
    }
    struct model_lineage *all = model->lineage;
    place_primaries(model, all);
    for (size_t i = 0; i < all->count; i++) {
        struct lineage *lineage = &all->items[i];
        if (lineage->head_index == MODEL_NOBODY) {
            continue;
        }
        const struct node_id *id = &model->nodes[lineage->head_index]->id;
        if (node_id_is_set(&lineage->head) && !node_id_equal(&lineage->head, id)) {
            tell_failover(model, lineage, now, wall);
        }
        lineage->head = *id;
    }
    place_members(model, all);
    drop_extinct(all);
    publish(model, all);
    model_sum_shards(model);
}

void model_sum_shards(struct model *model)
{
    for (size_t i = 0; i < model->shard_count; i++) {
        struct model_shard *shard = &model->shards[i];
        shard->first_slot = -1;
        shard->slot_count = 0;
        shard->keys = shard->memory = 0;
        shard->ops = 0;
        if (shard->primary != MODEL_NOBODY) {
            const struct model_node *primary = model->nodes[shard->primary];
            int lowest = lowest_slot(primary);
            shard->first_slot = lowest < SLOT_COUNT ? lowest : -1;
            shard->slot_count = primary->slot_count;
            shard->keys = primary->figures_at != 0 ? primary->figures.keys : 0;
            shard->memory = primary->figures_at != 0 ? primary->figures.memory : 0;
            shard->ops = primary->ops;
        }
        for (unsigned m = 0; m < shard->member_count; m++) {
            shard->ops += model->nodes[shard->members[m]]->ops;
        }
    }
}

void model_build_sample(struct model *model)
{
    model_history_add(&model->ops_history, model->ops);
    for (size_t i = 0; i < model->shard_count; i++) {
        model_history_add(&model->shards[i].ops_history, model->shards[i].ops);
        model->lineage->items[i].ops_history = model->shards[i].ops_history;
    }
}
