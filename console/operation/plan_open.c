/* Open slots, and where they can still go. A slot that is migrating names a node; by the time that
 * somebody looks, this node may be a replica, or gone. What had arrived there went with its shard:
 * a replica that took over has it. So the move is finished at that shard's primary, whichever node
 * it is now. Only where there is none, or where it is the slot's own owner, does the way lead
 * nowhere. */
#include "console/model/model.h"
#include "console/operation/plan_build.h"

/* The node it is on its way to, by name; MODEL_NOBODY: it isn't open. */
static int named_target(const struct model_slot *slot)
{
    return slot->migrating_to != MODEL_NOBODY ? slot->migrating_to : slot->importing_at;
}

bool plan_is_open(const struct model *model, unsigned slot)
{
    return named_target(&model->slots[slot]) != MODEL_NOBODY;
}

static bool may_be_target(const struct model *model, int index)
{
    return index != MODEL_NOBODY && !model->nodes[index]->replica &&
           !model_node_is_lost(model->nodes[index]);
}

/* Who leads the node's shard now. */
static int leader_of(const struct model *model, int index)
{
    const struct model_node *node = model->nodes[index];
    if (node->replica) {
        return model_find_id(model, &node->primary);
    }
    return node->shard >= 0 && model_node_is_lost(node) ? model->shards[node->shard].primary
                                                        : index;
}

int plan_open_target(const struct model *model, unsigned slot)
{
    int named = named_target(&model->slots[slot]);
    if (named == MODEL_NOBODY) {
        return MODEL_NOBODY;
    }
    int leader = leader_of(model, named);
    bool at_home = leader == model->slots[slot].owner && model->slots[slot].source == leader;
    return may_be_target(model, leader) && !at_home ? leader : MODEL_NOBODY;
}

int plan_open_heir(const struct model *model, unsigned slot)
{
    int named = named_target(&model->slots[slot]);
    int leader = named != MODEL_NOBODY ? leader_of(model, named) : MODEL_NOBODY;
    if (leader == MODEL_NOBODY || !model_node_is_lost(model->nodes[leader])) {
        return MODEL_NOBODY;
    }
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (node->replica && !model_node_is_lost(node) &&
            node_id_equal(&node->primary, &model->nodes[leader]->id)) {
            return (int)i;
        }
    }
    return MODEL_NOBODY;
}
