/* Who is a member: handshakes, addresses, and nodes that go.
 *
 * A node that is met has a random ID until its first PONG tells the true one; until then nothing it
 * says counts. Whoever does not answer in time is dropped. */
#include "server/cluster/cluster.h"

#include <stdio.h>

enum { HANDSHAKE_TIMEOUT_MIN = 1000 };

static bool is_shaking_hands(const struct cluster *cluster, const struct address *address)
{
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        const struct cluster_node *node = cluster->nodes.items[i];
        if (node_has(node, NODE_HANDSHAKE) && strcmp(node->address.ip, address->ip) == 0 &&
            node->address.bus_port == address->bus_port)
            return true;
    }
    return false;
}

struct cluster_node *membership_start_handshake(
    struct cluster *cluster, const struct address *address, uint16_t other_port, unsigned flags)
{
    if (is_shaking_hands(cluster, address))
        return NULL;
    struct node_id id = cluster_random_id(cluster);
    struct cluster_node *node =
        nodes_add(&cluster->nodes, &id, NODE_HANDSHAKE | flags, cluster->now);
    if (node == NULL)
        return NULL;
    node->address = *address;
    node->other_port = other_port;
    cluster_changed(cluster);
    return node;
}

void membership_remove(struct cluster *cluster, struct cluster_node *node)
{
    links_close_of(cluster, node);
    if (node->inbound != NULL)
        links_close(cluster, node->inbound);
    if (cluster->manual.replica == node || cluster->myself->primary == node)
        manual_end(cluster);
    ownership_forget(cluster, node);
    nodes_remove(&cluster->nodes, node);
    cluster_changed_saved(cluster);
}

void membership_update_address(struct cluster *cluster, struct cluster_node *node,
    const struct cluster_link *link, const struct message *message)
{
    struct address address = message->address;
    /* An outbound link was opened to the address that is known: it has nothing new to tell. */
    if (!link->inbound)
        return;
    if (address.ip[0] == '\0')
        snprintf(address.ip, sizeof(address.ip), "%s", link->peer_ip);
    if (address_equal(&address, &node->address) && address.bus_port == node->address.bus_port &&
        node->other_port == message->other_port)
        return;
    node->address = address;
    node->other_port = message->other_port;
    node->flags &= ~(unsigned)NODE_NO_ADDRESS;
    links_close_of(cluster, node);
    cluster_log(cluster, LOG_NOTICE, "Address updated for node %s, now %s:%u", node->id.text,
        address.ip, (unsigned)address.port);
    cluster_changed_saved(cluster);
}

void membership_learn_my_ip(struct cluster *cluster, const char *local_ip)
{
    char *ip = cluster->myself->address.ip;
    if (cluster->config.announce_ip[0] != '\0' || local_ip[0] == '\0' || strcmp(ip, local_ip) == 0)
        return;
    snprintf(ip, ADDRESS_IP_MAX, "%s", local_ip);
    cluster_log(cluster, LOG_NOTICE, "IP address for this node updated to %s", ip);
    cluster_changed_saved(cluster);
}

void membership_tick(struct cluster *cluster)
{
    int64_t timeout = cluster->config.node_timeout;
    if (timeout < HANDSHAKE_TIMEOUT_MIN)
        timeout = HANDSHAKE_TIMEOUT_MIN;
    for (size_t i = cluster->nodes.count; i-- > 0;) {
        struct cluster_node *node = cluster->nodes.items[i];
        if (node_has(node, NODE_HANDSHAKE) && cluster->now - node->created > timeout)
            membership_remove(cluster, node);
    }
}
