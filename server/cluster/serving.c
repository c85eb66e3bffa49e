/* What every slot says of who serves it (its field `serving`), brought up to date from a view. What
 * the fields say is remembered here, so that only those that change are locked. */
#include "server/cluster/serving.h"

/* Both are the bus thread's, or, before it runs, the main thread's. */
static struct store *store;
static struct {
    uint8_t serving[SLOT_COUNT]; /* what the slots' fields say; enum slot_serving */
    struct node_id primary;      /* that this node followed then; zeros: none */
} shown;

void serving_open(struct store *of)
{
    store = of;
}

static enum slot_serving serving_of(
    const struct cluster *cluster, const struct cluster_view *view, unsigned slot)
{
    switch (cluster_slot_serving(cluster, slot)) {
    case CLUSTER_SERVING_MINE:
        return SLOT_MINE;
    case CLUSTER_SERVING_MIGRATING:
        return SLOT_MIGRATING;
    case CLUSTER_SERVING_IMPORTING:
        return SLOT_IMPORTING;
    case CLUSTER_SERVING_ELSEWHERE:
        break;
    }
    const struct cluster_view_node *me = &view->nodes[view->myself];
    bool my_primarys = me->primary != CLUSTER_NO_NODE && view->owner[slot] == me->primary;
    return my_primarys ? SLOT_REPLICA : SLOT_FOREIGN;
}

static bool is_mine(enum slot_serving serving)
{
    return serving == SLOT_MINE || serving == SLOT_MIGRATING;
}

/* To anyone, as its owner or as the owner's replica. */
static bool is_served(enum slot_serving serving)
{
    return is_mine(serving) || serving == SLOT_REPLICA;
}

/* Whether those who listen to channels of the slot here must look for them elsewhere: it is served
 * no more, or has gone to another node of the shard that is not this one. */
static bool leaves(enum slot_serving before, enum slot_serving now, bool follows_another)
{
    if (is_mine(before))
        return !is_mine(now);
    return before == SLOT_REPLICA && (!is_served(now) || (now == SLOT_REPLICA && follows_another));
}

static struct node_id primary_of(const struct cluster_view *view)
{
    uint16_t primary = view->nodes[view->myself].primary;
    return primary == CLUSTER_NO_NODE ? (struct node_id){ "" } : view->nodes[primary].id;
}

bool serving_set(const struct cluster *cluster, const struct cluster_view *view, bool gained,
    struct slot_set *left)
{
    struct node_id primary = primary_of(view);
    bool follows_another = !node_id_equal(&primary, &shown.primary);
    bool all = true;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        enum slot_serving before = shown.serving[slot], now = serving_of(cluster, view, slot);
        if (is_mine(now) == gained && leaves(before, now, follows_another))
            slot_set_add(left, slot);
        if (now == before || is_mine(now) != gained)
            continue;
        struct slot *field = store_slot(store, 0, slot);
        if (!slot_lock_enter(&field->lock)) {
            all = false; /* a script has it for long: nobody waits here for that */
            slot_set_remove(left, slot);
            continue;
        }
        field->serving = (uint8_t)now;
        slot_lock_release(&field->lock);
        shown.serving[slot] = (uint8_t)now;
    }
    if (!gained)
        shown.primary = primary;
    return all;
}
