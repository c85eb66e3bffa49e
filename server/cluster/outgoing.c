/* Messages that leave: the header says who I am and what I own (a replica: what its primary owns),
 * and the rest is the type's. A message to many is encoded once. */
#include "server/cluster/cluster.h"

#include <stdio.h>
#include <stdlib.h>

static const struct cluster_node *shown_owner(const struct cluster *cluster)
{
    const struct cluster_node *myself = cluster->myself;
    return myself->primary != NULL && node_is_replica(myself) ? myself->primary : myself;
}

/* `slots` holds what the message shows: to be kept until it is encoded. */
static struct message header(
    const struct cluster *cluster, enum message_type type, struct slot_set *slots)
{
    const struct cluster_node *myself = cluster->myself, *owner = shown_owner(cluster);
    ownership_claims_of(cluster, owner, slots);
    struct message message = {
        .type = type,
        .address = myself->address,
        .other_port = myself->other_port,
        .current_epoch = cluster->current_epoch,
        .config_epoch = owner->config_epoch,
        .offset = cluster->host.replication(cluster->host.context).offset,
        .sender = myself->id,
        .slots = slots,
        .flags = (uint16_t)myself->flags,
        .is_down = !cluster->health.ok,
    };
    /* An address that is not announced is for the receiver to take from the socket. */
    snprintf(message.address.ip, sizeof(message.address.ip), "%s", cluster->config.announce_ip);
    if (owner != myself)
        message.primary = owner->id;
    if (node_is_primary(myself) && cluster->manual.end != 0 && cluster->manual.paused)
        message.marks |= MESSAGE_PAUSED;
    return message;
}

static struct shared_bytes *encode(const struct message *message)
{
    struct buffer out = { 0 };
    message_encode(message, &out);
    struct shared_bytes *bytes = shared_bytes_create(buffer_bytes(&out));
    buffer_free(&out);
    return bytes;
}

static void send_on(struct cluster *cluster, const struct cluster_link *link,
    enum message_type type, struct shared_bytes *bytes)
{
    cluster->sent[type]++;
    effects_send(&cluster->effects, link->id, bytes);
}

static bool can_send_to(const struct cluster *cluster, const struct cluster_node *node)
{
    return node != cluster->myself && !node_has(node, NODE_HANDSHAKE) && node_is_connected(node);
}

static void broadcast(struct cluster *cluster, const struct message *message)
{
    struct shared_bytes *bytes = encode(message);
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        const struct cluster_node *node = cluster->nodes.items[i];
        if (can_send_to(cluster, node))
            send_on(cluster, node->link, message->type, bytes);
    }
    shared_bytes_release(bytes);
}

static void send_to(
    struct cluster *cluster, const struct cluster_node *node, const struct message *message)
{
    if (!can_send_to(cluster, node))
        return;
    struct shared_bytes *bytes = encode(message);
    send_on(cluster, node->link, message->type, bytes);
    shared_bytes_release(bytes);
}

void outgoing_ping(struct cluster *cluster, struct cluster_link *link, enum message_type type)
{
    struct cluster_node *node = link->node, *myself = cluster->myself;
    struct slot_set slots;
    struct message message = header(cluster, type, &slots);
    message.gossip = gossip_choose(cluster, &message.gossip_count);
    message.hostname = myself->hostname[0] != '\0' ? myself->hostname : NULL;
    if (node != NULL && (node->knows_shards || node_has(node, NODE_LIGHT_HEADER)))
        message.shard_id = &myself->shard_id;
    /* Says that extensions are understood, also where none are sent. */
    message.marks |= MESSAGE_HAS_EXTENSIONS;
    if (type == MESSAGE_PING && !link->inbound && node != NULL)
        node->ping_sent = cluster->now;
    struct shared_bytes *bytes = encode(&message);
    send_on(cluster, link, type, bytes);
    shared_bytes_release(bytes);
    free((void *)message.gossip);
}

void outgoing_pong_to_all(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        if (can_send_to(cluster, cluster->nodes.items[i]))
            outgoing_ping(cluster, cluster->nodes.items[i]->link, MESSAGE_PONG);
    }
}

void outgoing_pong_to_all_soon(struct cluster *cluster)
{
    cluster->tell_all = true;
}

void outgoing_pong_to_siblings(struct cluster *cluster)
{
    const struct cluster_node *primary = cluster->myself->primary;
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        const struct cluster_node *node = cluster->nodes.items[i];
        if (primary != NULL && node->primary == primary && can_send_to(cluster, node))
            outgoing_ping(cluster, node->link, MESSAGE_PONG);
    }
}

void outgoing_ping_primaries(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        const struct cluster_node *node = cluster->nodes.items[i];
        if (!node_votes(node) || !can_send_to(cluster, node))
            continue;
        int64_t waiting_since = node->ping_sent;
        outgoing_ping(cluster, node->link, MESSAGE_PING);
        if (waiting_since != 0)
            cluster->nodes.items[i]->ping_sent = waiting_since;
    }
}

void outgoing_fail(struct cluster *cluster, const struct cluster_node *node)
{
    struct slot_set slots;
    struct message message = header(cluster, MESSAGE_FAIL, &slots);
    message.node = node->id;
    broadcast(cluster, &message);
}

void outgoing_update(
    struct cluster *cluster, struct cluster_node *to, const struct cluster_node *about)
{
    struct slot_set slots, claims;
    struct message message = header(cluster, MESSAGE_UPDATE, &slots);
    ownership_claims_of(cluster, about, &claims);
    message.node = about->id;
    message.node_epoch = about->config_epoch;
    message.node_slots = &claims;
    send_to(cluster, to, &message);
}

void outgoing_plain(
    struct cluster *cluster, struct cluster_node *to, enum message_type type, uint8_t marks)
{
    struct slot_set slots;
    struct message message = header(cluster, type, &slots);
    message.marks |= marks;
    send_to(cluster, to, &message);
}

static const struct cluster_node *shard_of(const struct cluster_node *node)
{
    return node->primary != NULL ? node->primary : node;
}

void cluster_publish(
    struct cluster *cluster, bool sharded, struct bytes channel, struct bytes payload, int64_t now)
{
    cluster_begin(cluster, now);
    struct slot_set slots;
    struct message message =
        header(cluster, sharded ? MESSAGE_PUBLISHSHARD : MESSAGE_PUBLISH, &slots);
    message.channel = channel;
    message.payload = payload;
    if (channel.len + payload.len > MESSAGE_SIZE_MAX - MESSAGE_HEADER_SIZE - 8) {
        cluster_log(cluster, LOG_WARNING,
            "A published message of %zu bytes is too long for the bus: other nodes do not get it",
            payload.len);
        return;
    }
    /* Each form is made for the first node that wants it. */
    struct shared_bytes *full = NULL, *light = NULL;
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        const struct cluster_node *node = cluster->nodes.items[i];
        if (!can_send_to(cluster, node) ||
            (sharded && shard_of(node) != shard_of(cluster->myself)))
            continue;
        message.light = node_has(node, NODE_LIGHT_HEADER);
        struct shared_bytes **bytes = message.light ? &light : &full;
        if (*bytes == NULL)
            *bytes = encode(&message);
        send_on(cluster, node->link, message.type, *bytes);
    }
    shared_bytes_release(full);
    shared_bytes_release(light);
}
