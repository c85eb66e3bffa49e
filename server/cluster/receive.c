/* A message comes in: what it says counts only as far as its sender is a known member. Anyone gets
 * a PONG for a PING (that is how a handshake tells its ID), but an unknown sender can do no more
 * than ask to be met with a MEET. */
#include "server/cluster/cluster.h"

#include <stdio.h>

struct incoming {
    struct cluster_link *link;
    struct cluster_node *sender; /* NULL: not a member */
    const struct message *message;
};

static void meet_back(struct cluster *cluster, const struct incoming *in)
{
    struct address address = in->message->address;
    if (address.ip[0] == '\0')
        snprintf(address.ip, sizeof(address.ip), "%s", in->link->peer_ip);
    if (address.ip[0] == '\0' || address.bus_port == 0)
        return;
    membership_start_handshake(cluster, &address, in->message->other_port, 0);
}

/* The first answer to a handshake names the node. False where that is the end of the link. */
static bool end_handshake(struct cluster *cluster, const struct incoming *in)
{
    struct cluster_node *node = in->link->node;
    const struct message *message = in->message;
    if (in->sender != NULL) {
        cluster_log(cluster, LOG_VERBOSE,
            "Handshake: we already know node %s, updating the "
            "address if needed.",
            in->sender->id.text);
        membership_remove(cluster, node);
        return false;
    }
    if (!nodes_rename(&cluster->nodes, node, &message->sender)) {
        membership_remove(cluster, node);
        return false;
    }
    nodes_end_handshake(&cluster->nodes, node);
    node->shard_id = node->id;
    node->flags |= node_id_is_set(&message->primary) ? NODE_REPLICA : NODE_PRIMARY;
    cluster_log(cluster, LOG_DEBUG, "Handshake with node %s completed.", node->id.text);
    cluster_changed_synced(cluster);
    return true;
}

/* Someone else lives at that address now. */
static void lose_address(struct cluster *cluster, struct cluster_node *node)
{
    cluster_log(
        cluster, LOG_DEBUG, "PONG contains mismatching sender ID. About node %s", node->id.text);
    node->flags |= NODE_NO_ADDRESS;
    node->address = (struct address){ 0 };
    node->other_port = 0;
    links_close_of(cluster, node);
    cluster_changed_saved(cluster);
}

static bool check_outbound(struct cluster *cluster, const struct incoming *in)
{
    struct cluster_node *node = in->link->node;
    if (node_has(node, NODE_HANDSHAKE))
        return end_handshake(cluster, in);
    if (node_id_equal(&node->id, &in->message->sender))
        return true;
    lose_address(cluster, node);
    return false;
}

static void take_description(struct cluster *cluster, const struct incoming *in)
{
    enum { TOLD = NODE_NO_FAILOVER | NODE_EXTENSIONS | NODE_LIGHT_HEADER };
    struct cluster_node *sender = in->sender;
    const struct message *message = in->message;
    const char *hostname = message->hostname != NULL ? message->hostname : "";
    unsigned flags = (sender->flags & ~(unsigned)TOLD) | (message->flags & TOLD);
    if (flags != sender->flags) {
        sender->flags = flags;
        cluster_changed(cluster);
    }
    if (strcmp(sender->hostname, hostname) != 0) {
        snprintf(sender->hostname, sizeof(sender->hostname), "%s", hostname);
        cluster_changed_saved(cluster);
    }
    if (!node_id_is_set(&message->told_shard_id))
        return;
    sender->knows_shards = true;
    if (node_id_equal(&sender->shard_id, &message->told_shard_id))
        return;
    sender->shard_id = message->told_shard_id;
    if (cluster->myself->primary == sender)
        cluster->myself->shard_id = sender->shard_id;
    cluster_changed_saved(cluster);
}

static void take_claims(struct cluster *cluster, const struct incoming *in)
{
    struct cluster_node *sender = in->sender;
    const struct message *message = in->message;
    struct cluster_node *owner = node_is_primary(sender) ? sender : sender->primary;
    struct slot_set known;
    if (owner == NULL)
        return;
    ownership_claims_of(cluster, owner, &known);
    if (memcmp(&known, message->slots, sizeof(known)) == 0)
        return;
    if (owner == sender)
        ownership_claimed(cluster, sender, message->config_epoch, message->slots);
    ownership_correct(cluster, sender, message->config_epoch, message->slots);
}

/* A message of the candidate's that has won meanwhile: a replica's, from the time when the epoch was
 * wanted and not yet its own. An owner of slots that becomes a replica without knowing of a newer
 * epoch may say the same, but not in the same moment: after the timeout it is believed. */
static bool is_of_candidate(const struct cluster *cluster, const struct incoming *in)
{
    const struct cluster_node *sender = in->sender;
    const struct message *message = in->message;
    return node_id_is_set(&message->primary) && node_votes(sender) &&
           message->current_epoch == sender->config_epoch &&
           message->config_epoch < sender->config_epoch && sender->config_epoch_time != 0 &&
           cluster->now - sender->config_epoch_time < cluster->config.node_timeout;
}

/* A node never knows of less than its own config epoch, so a message that does was made before it
 * got that, and has been overtaken by one on the other link. */
static bool is_overtaken(const struct cluster *cluster, const struct incoming *in)
{
    return in->message->current_epoch < in->sender->config_epoch || is_of_candidate(cluster, in);
}

static void on_ping(struct cluster *cluster, struct incoming *in)
{
    const struct message *message = in->message;
    bool is_request = message->type != MESSAGE_PONG;
    if (is_request && (message->type == MESSAGE_MEET || cluster->myself->address.ip[0] == '\0'))
        membership_learn_my_ip(cluster, in->link->local_ip);
    if (message->type == MESSAGE_MEET && in->sender == NULL && in->link->inbound)
        meet_back(cluster, in);
    if (is_request)
        outgoing_ping(cluster, in->link, MESSAGE_PONG);
    if (!in->link->inbound) {
        if (!check_outbound(cluster, in))
            return;
        in->sender = in->link->node;
    }
    if (in->sender == NULL || in->sender == cluster->myself)
        return;
    struct cluster_node *sender = in->sender;
    take_description(cluster, in);
    if (message->type == MESSAGE_PING)
        membership_update_address(cluster, sender, in->link, message);
    if (!in->link->inbound && message->type == MESSAGE_PONG)
        failure_answered(cluster, sender);
    if (is_overtaken(cluster, in))
        return;
    role_told(cluster, sender, message);
    take_claims(cluster, in);
    epoch_resolve_collision(cluster, sender, message);
    gossip_absorb(cluster, sender, message);
}

static void on_fail(struct cluster *cluster, struct incoming *in)
{
    failure_announced(cluster, in->sender, in->message);
}

static void on_publish(struct cluster *cluster, struct incoming *in)
{
    effects_publish(&cluster->effects, in->message->type == MESSAGE_PUBLISHSHARD,
        in->message->channel, in->message->payload);
}

static void on_auth_request(struct cluster *cluster, struct incoming *in)
{
    vote_asked(cluster, in->sender, in->message);
}

static void on_auth_ack(struct cluster *cluster, struct incoming *in)
{
    election_voted(cluster, in->sender, in->message->current_epoch);
}

static void on_mfstart(struct cluster *cluster, struct incoming *in)
{
    manual_asked(cluster, in->sender);
}

static void on_update(struct cluster *cluster, struct incoming *in)
{
    const struct message *message = in->message;
    struct cluster_node *node = nodes_find(&cluster->nodes, &message->node);
    if (node == NULL || node == cluster->myself || node->config_epoch >= message->node_epoch)
        return;
    role_set_primary(cluster, node);
    node_set_config_epoch(node, message->node_epoch, cluster->now);
    cluster_changed_synced(cluster);
    ownership_claimed(cluster, node, message->node_epoch, message->node_slots);
}

/* Modules' messages have nobody here who understands them. */
static void on_module(struct cluster *cluster, struct incoming *in)
{
    (void)cluster, (void)in;
}

static const struct handler {
    void (*run)(struct cluster *cluster, struct incoming *in);
    bool from_anyone;
} handlers[MESSAGE_TYPES] = {
    [MESSAGE_PING] = { on_ping, true },
    [MESSAGE_PONG] = { on_ping, true },
    [MESSAGE_MEET] = { on_ping, true },
    [MESSAGE_FAIL] = { on_fail, false },
    [MESSAGE_PUBLISH] = { on_publish, false },
    [MESSAGE_AUTH_REQUEST] = { on_auth_request, false },
    [MESSAGE_AUTH_ACK] = { on_auth_ack, false },
    [MESSAGE_UPDATE] = { on_update, false },
    [MESSAGE_MFSTART] = { on_mfstart, false },
    [MESSAGE_MODULE] = { on_module, false },
    [MESSAGE_PUBLISHSHARD] = { on_publish, false },
};

/* A light header names nobody: it is whoever the link has told of before; perhaps at a time when it was not
 * known here yet. */
static struct cluster_node *find_sender(
    struct cluster *cluster, struct cluster_link *link, const struct message *message)
{
    if (!message->light)
        link->told = message->sender;
    struct cluster_node *sender = message->light && !link->inbound
                                      ? link->node
                                      : nodes_find(&cluster->nodes, &link->told);
    return sender == NULL || node_has(sender, NODE_HANDSHAKE) ? NULL : sender;
}

static void hear_member(struct cluster *cluster, const struct incoming *in)
{
    struct cluster_node *sender = in->sender;
    sender->data_received = cluster->now;
    if (in->message->light)
        return;
    links_set_sender(cluster, in->link, sender);
    epoch_seen(cluster, sender, in->message);
    sender->offset = in->message->offset;
    sender->offset_time = cluster->now;
    manual_offset_told(cluster, sender, in->message);
}

void cluster_receive(
    struct cluster *cluster, uint64_t id, const void *data, size_t len, int64_t now)
{
    struct message message;
    struct error error;
    cluster_begin(cluster, now);
    struct cluster_link *link = links_find(cluster, id);
    if (link == NULL)
        return;
    if (!message_decode(data, len, &message, &error)) {
        cluster_log(cluster, LOG_WARNING, "Bad message on the cluster bus from %s: %s",
            link->inbound ? link->peer_ip : link->node->address.ip, error.text);
        links_close(cluster, link);
        return;
    }
    cluster->received[message.type]++;
    struct incoming in = { link, find_sender(cluster, link, &message), &message };
    if (in.sender != NULL && in.sender != cluster->myself)
        hear_member(cluster, &in);
    if (handlers[message.type].from_anyone || (in.sender != NULL && in.sender != cluster->myself))
        handlers[message.type].run(cluster, &in);
    cluster_settle(cluster);
}
