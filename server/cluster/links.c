/* One outbound link to each node, and inbound links from whoever connects. The driver knows links
 * by their numbers alone; as these only grow, the table is in order by itself. A link to a node is
 * asked for again at the next tick after it has gone. */
#include "server/cluster/cluster.h"

#include "common/memory.h"
#include <stdio.h>
#include <stdlib.h>

enum { GOOD_AFTER = 1000 /* ms that a link has lasted */ };

static size_t position_of(const struct link_table *table, uint64_t id)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table->items[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct cluster_link *links_find(const struct cluster *cluster, uint64_t id)
{
    const struct link_table *table = &cluster->links;
    size_t at = position_of(table, id);
    return at < table->count && table->items[at]->id == id ? table->items[at] : NULL;
}

static struct cluster_link *add(struct cluster *cluster, bool inbound)
{
    struct link_table *table = &cluster->links;
    if (table->count == table->capacity) {
        table->capacity = table->capacity != 0 ? table->capacity * 2 : 16;
        table->items = memory_resize(table->items, table->capacity * sizeof(table->items[0]));
    }
    struct cluster_link *link = memory_alloc_zeroed(1, sizeof(*link));
    link->id = ++table->last_id;
    link->inbound = inbound;
    link->created = cluster->now;
    table->items[table->count++] = link;
    return link;
}

static void take_out(struct cluster *cluster, struct cluster_link *link)
{
    struct link_table *table = &cluster->links;
    size_t at = position_of(table, link->id);
    table->count--;
    memmove(
        &table->items[at], &table->items[at + 1], (table->count - at) * sizeof(table->items[0]));
    if (link->node != NULL && link->node->link == link)
        link->node->link = NULL;
    if (link->node != NULL && link->node->inbound == link)
        link->node->inbound = NULL;
    free(link);
    cluster->revision++;
}

void links_connect(struct cluster *cluster, struct cluster_node *node)
{
    struct cluster_link *link = add(cluster, false);
    link->node = node;
    node->link = link;
    effects_connect(&cluster->effects, link->id, &node->address);
}

void links_close(struct cluster *cluster, struct cluster_link *link)
{
    effects_close(&cluster->effects, link->id);
    take_out(cluster, link);
}

void links_close_of(struct cluster *cluster, struct cluster_node *node)
{
    if (node->link != NULL)
        links_close(cluster, node->link);
}

void links_set_sender(
    struct cluster *cluster, struct cluster_link *link, struct cluster_node *sender)
{
    if (!link->inbound || link->node == sender)
        return;
    if (link->node != NULL)
        link->node->inbound = NULL;
    if (sender->inbound != NULL)
        links_close(cluster, sender->inbound);
    link->node = sender;
    sender->inbound = link;
}

uint64_t cluster_link_accepted(
    struct cluster *cluster, const char *peer_ip, const char *local_ip, int64_t now)
{
    cluster_begin(cluster, now);
    struct cluster_link *link = add(cluster, true);
    link->connected = true;
    snprintf(link->peer_ip, sizeof(link->peer_ip), "%s", peer_ip);
    snprintf(link->local_ip, sizeof(link->local_ip), "%s", local_ip);
    return link->id;
}

void cluster_link_connected(struct cluster *cluster, uint64_t id, int64_t now)
{
    cluster_begin(cluster, now);
    struct cluster_link *link = links_find(cluster, id);
    if (link == NULL || link->inbound || link->connected)
        return;
    struct cluster_node *node = link->node;
    link->connected = true;
    crash_link_up(node);
    cluster->revision++;
    /* A ping that waited on the link before this one still waits: its age must not be lost, or a
     * node that only accepts connections would never be suspected. */
    int64_t waiting_since = node->ping_sent;
    outgoing_ping(cluster, link, node_has(node, NODE_MEET) ? MESSAGE_MEET : MESSAGE_PING);
    if (waiting_since != 0)
        node->ping_sent = waiting_since;
    node->flags &= ~(unsigned)NODE_MEET;
    cluster_settle(cluster);
}

static struct cluster_node *lose(struct cluster *cluster, uint64_t id)
{
    struct cluster_link *link = links_find(cluster, id);
    if (link == NULL)
        return NULL;
    struct cluster_node *node = link->inbound ? NULL : link->node;
    take_out(cluster, link);
    /* Not to have a link is not to answer. */
    if (node != NULL && node->ping_sent == 0)
        node->ping_sent = cluster->now;
    return node;
}

void cluster_link_refused(struct cluster *cluster, uint64_t id, int64_t now)
{
    cluster_begin(cluster, now);
    struct cluster_node *node = lose(cluster, id);
    if (node != NULL)
        crash_refused(cluster, node);
    cluster_settle(cluster);
}

void cluster_link_broken(struct cluster *cluster, uint64_t id, int64_t now)
{
    cluster_begin(cluster, now);
    const struct cluster_link *link = links_find(cluster, id);
    bool was_good = link != NULL && link->connected && cluster->now - link->created > GOOD_AFTER;
    struct cluster_node *node = lose(cluster, id);
    /* At once, so that the first refusal of a node that has crashed need not wait for the tick; but
     * not where someone accepts links only to close them. */
    if (node != NULL && was_good)
        links_connect(cluster, node);
    cluster_settle(cluster);
}

/* A link whose ping is not answered may be stuck where a new one would not be: try that while there
 * is half of the node timeout left. */
static bool is_stuck(const struct cluster *cluster, const struct cluster_node *node)
{
    int64_t half = cluster->config.node_timeout / 2, now = cluster->now;
    return node->link != NULL && now - node->link->created > cluster->config.node_timeout &&
           node->ping_sent != 0 && now - node->ping_sent > half && now - node->data_received > half;
}

void links_tick(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        struct cluster_node *node = cluster->nodes.items[i];
        if (node == cluster->myself || node_has(node, NODE_NO_ADDRESS))
            continue;
        if (is_stuck(cluster, node))
            links_close_of(cluster, node);
        if (node->link == NULL)
            links_connect(cluster, node);
    }
}

void links_free(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->links.count; i++)
        free(cluster->links.items[i]);
    free(cluster->links.items);
    cluster->links = (struct link_table){ 0 };
}
