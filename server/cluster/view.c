/* The copy is flat: nodes in an array, and slots that name nodes by index. It is made some ten
 * times a second, from a table that is in order already. */
#include "server/cluster/view.h"

#include "common/memory.h"
#include "server/cluster/cluster.h"
#include <stdlib.h>

/* The table is in the order of IDs, so a node's index is found by halving. */
static uint16_t index_of(const struct cluster *cluster, const struct cluster_node *node)
{
    const struct node_table *table = &cluster->nodes;
    size_t low = 0, high = table->count;
    if (node == NULL)
        return CLUSTER_NO_NODE;
    while (low + 1 < high) {
        size_t middle = (low + high) / 2;
        if (memcmp(table->items[middle]->id.text, node->id.text, NODE_ID_LEN) <= 0)
            low = middle;
        else
            high = middle;
    }
    return (uint16_t)low;
}

static void copy_node(struct cluster *cluster, size_t index, struct cluster_view_node *copy)
{
    struct cluster_node *node = cluster->nodes.items[index];
    *copy = (struct cluster_view_node){
        .id = node->id,
        .shard_id = node->shard_id,
        .address = node->address,
        .other_port = node->other_port,
        .flags = node->flags,
        .primary = index_of(cluster, node->primary),
        .config_epoch = node->config_epoch,
        .offset = node->offset,
        .ping_sent = node->ping_sent,
        .pong_received = node->pong_received,
        .connected = node == cluster->myself || node_is_connected(node),
        .slot_count = node->slot_count,
        .failure_reports = (unsigned)node->report_count,
    };
    memcpy(copy->hostname, node->hostname, sizeof(copy->hostname));
    if (node == cluster->myself)
        copy->offset = cluster->host.replication(cluster->host.context).offset;
}

static void copy_slots(const struct cluster *cluster, struct cluster_view *view)
{
    const struct ownership *slots = &cluster->slots;
    const struct cluster_node *owner = NULL;
    uint16_t index = CLUSTER_NO_NODE;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (slots->owner[slot] != owner) { /* neighbours mostly have one owner */
            owner = slots->owner[slot];
            index = index_of(cluster, owner);
        }
        view->owner[slot] = index;
        view->migrating_to[slot] = index_of(cluster, slots->migrating_to[slot]);
        view->importing_from[slot] = index_of(cluster, slots->importing_from[slot]);
    }
}

static void copy_links(const struct cluster *cluster, struct cluster_view *view)
{
    const struct link_table *links = &cluster->links;
    view->links = memory_alloc((links->count + 1) * sizeof(view->links[0]));
    for (size_t i = 0; i < links->count; i++) {
        const struct cluster_link *link = links->items[i];
        if (link->node == NULL || !link->connected)
            continue;
        view->links[view->link_count++] = (struct cluster_view_link){
            .link = link->id,
            .node = index_of(cluster, link->node),
            .inbound = link->inbound,
            .created = link->created,
        };
    }
}

struct cluster_view *cluster_view_create(const struct cluster *cluster, int64_t now)
{
    struct cluster_view *view = memory_alloc_zeroed(1, sizeof(*view));
    view->revision = cluster->revision;
    view->made = now;
    view->node_count = cluster->nodes.count;
    view->nodes = memory_alloc(view->node_count * sizeof(view->nodes[0]));
    for (size_t i = 0; i < view->node_count; i++)
        copy_node((struct cluster *)cluster, i, &view->nodes[i]);
    view->myself = index_of(cluster, cluster->myself);
    view->ok = cluster->health.ok;
    view->allow_reads_when_down = cluster->config.allow_reads_when_down;
    view->require_full_coverage = cluster->config.require_full_coverage;
    view->current_epoch = cluster->current_epoch;
    view->size = cluster->health.size;
    memcpy(view->sent, cluster->sent, sizeof(view->sent));
    memcpy(view->received, cluster->received, sizeof(view->received));
    copy_slots(cluster, view);
    copy_links(cluster, view);
    return view;
}

void cluster_view_free(struct cluster_view *view)
{
    if (view == NULL)
        return;
    free(view->nodes);
    free(view->links);
    free(view);
}

uint16_t cluster_view_find(const struct cluster_view *view, struct bytes id)
{
    size_t low = 0, high = view->node_count;
    struct node_id parsed;
    if (!node_id_parse(id, &parsed))
        return CLUSTER_NO_NODE;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = memcmp(view->nodes[middle].id.text, parsed.text, NODE_ID_LEN);
        if (order == 0)
            return (uint16_t)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return CLUSTER_NO_NODE;
}

void cluster_view_slots(const struct cluster_view *view, uint16_t node, struct slot_set *slots)
{
    *slots = (struct slot_set){ 0 };
    for (unsigned slot = 0; slot < SLOT_COUNT && view->nodes[node].slot_count > 0; slot++) {
        if (view->owner[slot] == node)
            slot_set_add(slots, slot);
    }
}
