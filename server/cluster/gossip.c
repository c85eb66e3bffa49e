/* Gossip: every PING, PONG and MEET tells of some other nodes. About a tenth of them are drawn by
 * lot: as each node pings all others within half a node timeout and is answered as often, what one
 * node sees of another reaches a majority well before its report is too old to count. All nodes
 * that are suspected are told of on top of that, so that suspicions travel at the speed of pings.
 *
 * Who is pinged: each second the one of five drawn nodes that has been silent longest, and whoever
 * has been silent for half of the node timeout. */
#include "server/cluster/cluster.h"

#include "common/memory.h"

enum {
    SAMPLE = 5,         /* nodes drawn, of which one is pinged */
    SAMPLE_PERIOD = 10, /* ticks */
    GOSSIP_MIN = 3,     /* entries of a message, where there are as many nodes */
    GOSSIP_SHARE = 10,  /* one of so many nodes is told of */
    TRIES = 3,          /* draws for each entry wanted */
    PONG_SKEW = 500,    /* ms that another clock may be ahead */
};

static struct message_gossip describe(const struct cluster_node *node)
{
    return (struct message_gossip){
        .id = node->id,
        .ping_sent = (uint32_t)(node->ping_sent / 1000),
        .pong_received = (uint32_t)(node->pong_received / 1000),
        .address = node->address,
        .other_port = node->other_port,
        .flags = (uint16_t)node->flags,
    };
}

static bool may_be_told_of(const struct cluster *cluster, const struct cluster_node *node)
{
    return node != cluster->myself && node->gossip_mark != cluster->gossip_marks &&
           !node_has(node, NODE_HANDSHAKE | NODE_NO_ADDRESS);
}

struct message_gossip *gossip_choose(struct cluster *cluster, uint16_t *count)
{
    const struct node_table *nodes = &cluster->nodes;
    struct message_gossip *entries = memory_alloc((nodes->count + 1) * sizeof(entries[0]));
    size_t wanted = nodes->count / GOSSIP_SHARE, chosen = 0;
    size_t others = nodes->count > 2 ? nodes->count - 2 : 0; /* without the two who talk */
    if (wanted < GOSSIP_MIN)
        wanted = GOSSIP_MIN;
    if (wanted > others)
        wanted = others;
    cluster->gossip_marks++;
    for (size_t tries = wanted * TRIES; tries > 0 && chosen < wanted; tries--) {
        struct cluster_node *node = nodes->items[cluster_random_below(cluster, nodes->count)];
        if (!may_be_told_of(cluster, node) || node_has(node, NODE_PFAIL) ||
            (!node_is_connected(node) && node->slot_count == 0))
            continue;
        node->gossip_mark = cluster->gossip_marks;
        entries[chosen++] = describe(node);
    }
    for (size_t i = 0; i < nodes->count; i++) {
        if (node_has(nodes->items[i], NODE_PFAIL) && may_be_told_of(cluster, nodes->items[i]))
            entries[chosen++] = describe(nodes->items[i]);
    }
    *count = (uint16_t)chosen;
    return entries;
}

/* Another node's PONG is as good as one of ours where nobody has a doubt: it saves a ping. */
static void take_pong_time(
    struct cluster *cluster, struct cluster_node *node, const struct message_gossip *gossip)
{
    int64_t time = (int64_t)gossip->pong_received * 1000;
    if ((gossip->flags & (NODE_FAIL | NODE_PFAIL)) == 0 && node->ping_sent == 0 &&
        node_count_reports(node, failure_report_limit(cluster)) == 0 &&
        time <= cluster->now + PONG_SKEW && time > node->pong_received)
        node->pong_received = time;
}

/* A node that does not answer here but is well seen by others may have moved. */
static void take_address(
    struct cluster *cluster, struct cluster_node *node, const struct message_gossip *gossip)
{
    bool same = address_equal(&node->address, &gossip->address) &&
                node->address.bus_port == gossip->address.bus_port;
    if (!node_has(node, NODE_FAIL | NODE_PFAIL) || same || gossip->address.ip[0] == '\0' ||
        (gossip->flags & (NODE_NO_ADDRESS | NODE_FAIL | NODE_PFAIL)) != 0)
        return;
    links_close_of(cluster, node);
    node->address = gossip->address;
    node->other_port = gossip->other_port;
    node->flags &= ~(unsigned)NODE_NO_ADDRESS;
    cluster_changed_saved(cluster);
}

static void hear_of_known(struct cluster *cluster, struct cluster_node *sender,
    struct cluster_node *node, const struct message_gossip *gossip)
{
    if (node == cluster->myself)
        return;
    failure_reported(cluster, sender, node, (gossip->flags & (NODE_FAIL | NODE_PFAIL)) != 0);
    take_pong_time(cluster, node, gossip);
    take_address(cluster, node, gossip);
}

/* A member tells of a member: it is taken in under its own ID. What is wrong with it is left for
 * this node to find out, or to be reported. */
static void hear_of_unknown(struct cluster *cluster, const struct message_gossip *gossip)
{
    enum { TAKEN = NODE_PRIMARY | NODE_REPLICA | NODE_NO_FAILOVER };
    unsigned flags = gossip->flags & TAKEN;
    if ((gossip->flags & (NODE_NO_ADDRESS | NODE_HANDSHAKE)) != 0 ||
        gossip->address.ip[0] == '\0' || gossip->address.bus_port == 0 ||
        blacklist_has(&cluster->blacklist, &gossip->id, cluster->now))
        return;
    if ((flags & NODE_REPLICA) != 0)
        flags &= ~(unsigned)NODE_PRIMARY;
    else
        flags |= NODE_PRIMARY;
    struct cluster_node *node = nodes_add(&cluster->nodes, &gossip->id, flags, cluster->now);
    if (node == NULL)
        return;
    node->shard_id = node->id;
    node->address = gossip->address;
    node->other_port = gossip->other_port;
    cluster_changed_saved(cluster);
}

static void forget_what_sender_forgot(struct cluster *cluster, const struct message *message)
{
    struct message_forgotten forgotten;
    size_t cursor = 0;
    while (message_next_forgotten(message, &cursor, &forgotten)) {
        struct cluster_node *node = nodes_find(&cluster->nodes, &forgotten.id);
        if (node == NULL || node == cluster->myself || node == cluster->myself->primary)
            continue;
        int64_t time = BLACKLIST_TTL;
        if (forgotten.seconds < BLACKLIST_TTL / 1000)
            time = (int64_t)forgotten.seconds * 1000;
        blacklist_add(&cluster->blacklist, &node->id, cluster->now + time, cluster->now);
        membership_remove(cluster, node);
    }
}

void gossip_absorb(
    struct cluster *cluster, struct cluster_node *sender, const struct message *message)
{
    struct message_gossip gossip;
    for (unsigned i = 0; i < message->gossip_count; i++) {
        if (!message_gossip_at(message, i, &gossip))
            continue;
        struct cluster_node *node = nodes_find(&cluster->nodes, &gossip.id);
        if (node != NULL)
            hear_of_known(cluster, sender, node, &gossip);
        else
            hear_of_unknown(cluster, &gossip);
    }
    forget_what_sender_forgot(cluster, message);
}

static bool may_be_pinged(const struct cluster *cluster, const struct cluster_node *node)
{
    return node != cluster->myself && node->ping_sent == 0 && !node_has(node, NODE_HANDSHAKE) &&
           node_is_connected(node);
}

static void ping_one_of_sample(struct cluster *cluster)
{
    const struct node_table *nodes = &cluster->nodes;
    struct cluster_node *oldest = NULL;
    for (unsigned i = 0; i < SAMPLE; i++) {
        struct cluster_node *node = nodes->items[cluster_random_below(cluster, nodes->count)];
        if (may_be_pinged(cluster, node) &&
            (oldest == NULL || node->pong_received < oldest->pong_received))
            oldest = node;
    }
    if (oldest != NULL)
        outgoing_ping(cluster, oldest->link, MESSAGE_PING);
}

/* True where the node is owed one: silent for half of the timeout, or the replica that waits for
 * the offset of a manual failover. */
static bool is_due(const struct cluster *cluster, const struct cluster_node *node)
{
    if (cluster->manual.paused && cluster->manual.replica == node)
        return node_is_connected(node);
    return node->ping_sent == 0 &&
           cluster->now - node->pong_received > cluster->config.node_timeout / 2;
}

void gossip_tick(struct cluster *cluster)
{
    if (cluster->ticks % SAMPLE_PERIOD == 0)
        ping_one_of_sample(cluster);
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        struct cluster_node *node = cluster->nodes.items[i];
        if (node == cluster->myself || node_has(node, NODE_HANDSHAKE | NODE_NO_ADDRESS) ||
            !is_due(cluster, node))
            continue;
        if (node_is_connected(node))
            outgoing_ping(cluster, node->link, MESSAGE_PING);
        else
            node->ping_sent = cluster->now; /* it would be due, and there is no link to send it */
    }
}
