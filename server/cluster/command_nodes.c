/* The CLUSTER commands on nodes: MEET, FORGET, REPLICATE, RESET, SET-CONFIG-EPOCH, SAVECONFIG. The
 * texts of errors are Redis 7.0's, as clients match on them. */
#include "server/cluster/cluster.h"

#include <arpa/inet.h>
#include <inttypes.h>

enum { BUS_PORT_OFFSET = 10000 };

/* As the C library writes it, so that one address has one text. */
static bool normalize_ip(struct bytes text, char *ip)
{
    char given[ADDRESS_IP_MAX] = { 0 };
    struct in6_addr binary;
    if (text.len >= sizeof(given))
        return false;
    memcpy(given, text.data, text.len);
    if (inet_pton(AF_INET, given, &binary) == 1)
        return inet_ntop(AF_INET, &binary, ip, ADDRESS_IP_MAX) != NULL;
    if (inet_pton(AF_INET6, given, &binary) == 1)
        return inet_ntop(AF_INET6, &binary, ip, ADDRESS_IP_MAX) != NULL;
    return false;
}

static bool is_port(int64_t port)
{
    return port > 0 && port <= UINT16_MAX;
}

bool cluster_meet(struct cluster *cluster, struct bytes ip, int64_t port, int64_t bus_port,
    int64_t now, struct error *error)
{
    struct address address = { 0 };
    cluster_begin(cluster, now);
    if (bus_port < 0)
        bus_port = port + BUS_PORT_OFFSET;
    if (!normalize_ip(ip, address.ip) || !is_port(port) || !is_port(bus_port))
        return error_set(
            error, "ERR Invalid node address specified: %.*s:%" PRId64, (int)ip.len, ip.data, port);
    address.port = (uint16_t)port;
    address.bus_port = (uint16_t)bus_port;
    membership_start_handshake(cluster, &address, 0, NODE_MEET);
    cluster_settle(cluster);
    return true;
}

static struct cluster_node *find(struct cluster *cluster, struct bytes id, struct error *error)
{
    struct node_id parsed;
    struct cluster_node *node =
        node_id_parse(id, &parsed) ? nodes_find(&cluster->nodes, &parsed) : NULL;
    if (node == NULL)
        error_set(error, "ERR Unknown node %.*s", (int)id.len, id.data);
    return node;
}

bool cluster_forget(struct cluster *cluster, struct bytes id, int64_t now, struct error *error)
{
    cluster_begin(cluster, now);
    struct cluster_node *node = find(cluster, id, error);
    if (node == NULL)
        return false;
    if (node == cluster->myself)
        return error_set(error, "ERR I tried hard but I can't forget myself...");
    if (node == cluster->myself->primary)
        return error_set(error, "ERR Can't forget my master!");
    blacklist_add(&cluster->blacklist, &node->id, cluster->now + BLACKLIST_TTL, cluster->now);
    membership_remove(cluster, node);
    cluster_settle(cluster);
    return true;
}

static size_t count_all_keys(const struct cluster *cluster)
{
    return cluster->host.count_all_keys(cluster->host.context);
}

bool cluster_replicate(struct cluster *cluster, struct bytes id, int64_t now, struct error *error)
{
    cluster_begin(cluster, now);
    struct cluster_node *node = find(cluster, id, error), *myself = cluster->myself;
    if (node == NULL)
        return false;
    if (node == myself)
        return error_set(error, "ERR Can't replicate myself");
    if (node_is_replica(node))
        return error_set(error, "ERR I can only replicate a master, not a replica.");
    if (node_is_primary(myself) && (myself->slot_count != 0 || count_all_keys(cluster) != 0))
        return error_set(
            error, "ERR To set a master the node must be empty and without assigned slots.");
    role_become_replica(cluster, node);
    cluster_settle(cluster);
    return true;
}

static void forget_everyone(struct cluster *cluster)
{
    for (size_t i = cluster->nodes.count; i-- > 0;) {
        if (cluster->nodes.items[i] != cluster->myself)
            membership_remove(cluster, cluster->nodes.items[i]);
    }
}

static void become_someone_else(struct cluster *cluster)
{
    struct node_id id = cluster_random_id(cluster);
    cluster->current_epoch = 0;
    cluster->last_vote_epoch = 0;
    cluster->myself->config_epoch = 0;
    nodes_rename(&cluster->nodes, cluster->myself, &id);
    cluster_log(
        cluster, LOG_NOTICE, "configEpoch set to 0 via CLUSTER RESET HARD, I'm %s now", id.text);
}

bool cluster_reset(struct cluster *cluster, bool hard, int64_t now, struct error *error)
{
    cluster_begin(cluster, now);
    struct cluster_node *myself = cluster->myself;
    if (node_is_primary(myself) && count_all_keys(cluster) != 0)
        return error_set(
            error, "ERR CLUSTER RESET can't be called with master nodes containing keys");
    if (node_is_replica(myself)) {
        role_become_primary(cluster);
        effects_add(&cluster->effects, CLUSTER_EFFECT_EMPTY_DATA, 0, false);
    }
    manual_end(cluster);
    election_forget(cluster);
    ownership_close_all(cluster);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        ownership_clear(cluster, slot);
    forget_everyone(cluster);
    if (hard)
        become_someone_else(cluster);
    myself->shard_id = myself->id;
    cluster_changed_synced(cluster);
    cluster_settle(cluster);
    return true;
}

bool cluster_set_config_epoch(
    struct cluster *cluster, int64_t epoch, int64_t now, struct error *error)
{
    cluster_begin(cluster, now);
    struct cluster_node *myself = cluster->myself;
    if (epoch < 0)
        return error_set(error, "ERR Invalid config epoch specified: %" PRId64, epoch);
    if (cluster->nodes.count > 1)
        return error_set(error, "ERR The user can assign a config epoch only when the node does "
                                "not know any other node.");
    if (myself->config_epoch != 0)
        return error_set(error, "ERR Node config epoch is already non-zero");
    myself->config_epoch = (uint64_t)epoch;
    if (cluster->current_epoch < myself->config_epoch)
        cluster->current_epoch = myself->config_epoch;
    cluster_log(
        cluster, LOG_NOTICE, "configEpoch set to %" PRId64 " via CLUSTER SET-CONFIG-EPOCH", epoch);
    cluster_changed_saved(cluster);
    cluster_settle(cluster);
    return true;
}

void cluster_save_conf(struct cluster *cluster, int64_t now)
{
    cluster_begin(cluster, now);
    effects_save(&cluster->effects, true);
}
