/* Who has a slot: every usable view makes claims, and the claim with the highest config epoch wins,
 * as between the nodes themselves; between equal epochs the owner's own word counts more. A slot is
 * disputed where a usable view names another owner than the winner. */
#include "common/memory.h"
#include "console/model/build.h"
#include <stdlib.h>

struct claim {
    uint64_t epoch;
    bool self;
};

/* Indexes of the model's nodes for the lines of a view. */
static int *map_lines(const struct model *model, const struct model_view *view)
{
    int *map = memory_alloc((view->line_count + 1) * sizeof *map);
    for (size_t i = 0; i < view->line_count; i++) {
        map[i] = view->lines[i].flags & NODE_HANDSHAKE ? MODEL_NOBODY
                                                       : model_find_id(model, &view->lines[i].id);
    }
    return map;
}

static void take_claims(
    struct model *model, const struct model_view *view, const int *map, struct claim *claims)
{
    for (size_t i = 0; i < view->range_count; i++) {
        const struct model_view_range *range = &view->ranges[i];
        int owner = map[range->line];
        struct claim claim = { view->lines[range->line].config_epoch, range->line == view->self };
        if (owner == MODEL_NOBODY) {
            continue;
        }
        for (unsigned s = range->first; s <= range->last; s++) {
            struct model_slot *slot = &model->slots[s];
            if (slot->owner == MODEL_NOBODY || claim.epoch > claims[s].epoch ||
                (claim.epoch == claims[s].epoch && claim.self && !claims[s].self)) {
                slot->owner = (int16_t)owner;
                claims[s] = claim;
            }
        }
    }
}

static void mark_disputes(struct model *model, const struct model_view *view, const int *map)
{
    for (size_t i = 0; i < view->range_count; i++) {
        int owner = map[view->ranges[i].line];
        for (unsigned s = view->ranges[i].first; s <= view->ranges[i].last; s++) {
            model->slots[s].disputed |= owner != model->slots[s].owner;
        }
    }
}

static void take_moves(struct model *model, int node, const struct model_view *view)
{
    for (size_t i = 0; i < view->move_count; i++) {
        const struct topology_move *move = &view->moves[i];
        struct model_slot *slot = &model->slots[move->slot];
        int peer = model_find_id(model, &move->peer);
        if (move->importing) {
            slot->importing_at = (int16_t)node;
            if (slot->source == MODEL_NOBODY) {
                slot->source = (int16_t)peer;
            }
        } else {
            slot->migrating_to = (int16_t)peer;
            slot->source = (int16_t)node;
        }
    }
}

void model_judge_slots(struct model *model, int64_t now, int64_t fresh_ms)
{
    static const struct model_slot empty = { MODEL_NOBODY, MODEL_NOBODY, MODEL_NOBODY, MODEL_NOBODY,
        false, false };
    struct claim *claims = memory_alloc_zeroed(SLOT_COUNT, sizeof *claims);
    int **maps = memory_alloc_zeroed(model->node_count + 1, sizeof *maps);
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        model->slots[s] = empty;
    }
    for (size_t i = 0; i < model->node_count; i++) {
        struct model_node *node = model->nodes[i];
        if (model_is_usable(node, now, fresh_ms)) {
            maps[i] = map_lines(model, &node->view);
            take_claims(model, &node->view, maps[i], claims);
            take_moves(model, (int)i, &node->view);
        }
    }
    for (size_t i = 0; i < model->node_count; i++) {
        if (maps[i] != NULL) {
            mark_disputes(model, &model->nodes[i]->view, maps[i]);
        }
        free(maps[i]);
    }
    free(maps);
    free(claims);
}

static bool serves(const struct model_node *node)
{
    return !model_node_is_lost(node) && !node->figures.loading;
}

void model_judge_served(struct model *model)
{
    for (size_t i = 0; i < model->node_count; i++) {
        memset(&model->nodes[i]->slots, 0, sizeof model->nodes[i]->slots);
        model->nodes[i]->slot_count = 0;
    }
    model->covered = model->served = model->disputed = model->open = 0;
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        struct model_slot *slot = &model->slots[s];
        slot->served = false;
        model->disputed += slot->disputed;
        model->open += slot->migrating_to != MODEL_NOBODY || slot->importing_at != MODEL_NOBODY;
        if (slot->owner != MODEL_NOBODY) {
            struct model_node *owner = model->nodes[slot->owner];
            slot_set_add(&owner->slots, s);
            owner->slot_count++;
            model->covered++;
            slot->served = serves(owner);
            model->served += slot->served;
        }
    }
}
