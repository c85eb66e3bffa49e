/* What every input has in common: it sets the time, does its own work in one of the other files,
 * and settles: what may follow from any change (a manual failover goes on, an election starts or is
 * won, the cluster is ok or down, replication has another primary) is looked at once, at the end,
 * so that no rule has to call the others. */
#include "server/cluster/cluster.h"

#include "common/memory.h"
#include <stdio.h>
#include <stdlib.h>

void cluster_begin(struct cluster *cluster, int64_t now)
{
    if (now > cluster->now)
        cluster->now = now;
}

void cluster_settle(struct cluster *cluster)
{
    manual_settle(cluster);
    election_settle(cluster);
    if (cluster->check_health)
        health_check(cluster);
    role_settle(cluster);
}

void cluster_changed(struct cluster *cluster)
{
    cluster->revision++;
    cluster->check_health = true;
}

void cluster_changed_saved(struct cluster *cluster)
{
    cluster_changed(cluster);
    effects_save(&cluster->effects, false);
}

void cluster_changed_synced(struct cluster *cluster)
{
    cluster_changed(cluster);
    effects_save(&cluster->effects, true);
}

/* Steps of an odd constant, each mixed (splitmix64): some lots are drawn for every message. */
uint64_t cluster_random_below(struct cluster *cluster, uint64_t bound)
{
    uint64_t value = cluster->lot += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (value ^ (value >> 31)) % bound;
}

struct node_id cluster_random_id(struct cluster *cluster)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[NODE_ID_LEN / 2];
    struct node_id id = { 0 };
    cluster->host.random(cluster->host.context, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        id.text[i * 2] = digits[bytes[i] >> 4];
        id.text[i * 2 + 1] = digits[bytes[i] & 15];
    }
    return id;
}

void cluster_free(struct cluster *cluster)
{
    if (cluster == NULL)
        return;
    links_free(cluster);
    nodes_free(&cluster->nodes);
    blacklist_free(&cluster->blacklist);
    effects_free(&cluster->effects);
    free(cluster);
}

static uint16_t either(uint16_t announced, uint16_t own)
{
    return announced != 0 ? announced : own;
}

static bool take_over(char *text, size_t size, const char *wanted)
{
    if (strcmp(text, wanted) == 0)
        return false;
    snprintf(text, size, "%s", wanted);
    return true;
}

/* What of the configuration others see of me. */
static bool describe_myself(struct cluster *cluster)
{
    const struct cluster_config *config = &cluster->config;
    struct cluster_node *myself = cluster->myself;
    struct address before = myself->address;
    uint16_t other_port = myself->other_port;
    unsigned flags = myself->flags;
    bool changed = false;
    if (config->announce_ip[0] != '\0')
        changed |= take_over(myself->address.ip, ADDRESS_IP_MAX, config->announce_ip);
    changed |= take_over(myself->hostname, ADDRESS_HOST_MAX, config->announce_hostname);
    myself->address.port = either(config->announce_port, config->listen.port);
    myself->address.bus_port = either(config->announce_bus_port, config->listen.bus_port);
    myself->other_port = config->other_port;
    myself->flags &= ~(unsigned)NODE_NO_FAILOVER;
    myself->flags |= NODE_MYSELF | NODE_EXTENSIONS | NODE_LIGHT_HEADER;
    if (config->replica_no_failover)
        myself->flags |= NODE_NO_FAILOVER;
    return changed || before.port != myself->address.port ||
           before.bus_port != myself->address.bus_port || other_port != myself->other_port ||
           flags != myself->flags;
}

void cluster_configure(struct cluster *cluster, const struct cluster_config *config, int64_t now)
{
    cluster_begin(cluster, now);
    cluster->config = *config;
    if (describe_myself(cluster))
        cluster_changed_saved(cluster);
    cluster_changed(cluster);
    cluster_settle(cluster);
}

static void introduce_myself(struct cluster *cluster)
{
    struct node_id id = cluster_random_id(cluster);
    cluster->myself = nodes_add(&cluster->nodes, &id, NODE_PRIMARY, cluster->now);
    cluster->myself->shard_id = id;
    cluster_log(cluster, LOG_NOTICE, "No cluster configuration found, I'm %s", id.text);
}

struct cluster *cluster_create(const struct cluster_config *config, const struct cluster_host *host,
    const struct topology *saved, int64_t now, struct error *error)
{
    struct cluster *cluster = memory_alloc_zeroed(1, sizeof(*cluster));
    cluster->config = *config;
    cluster->host = *host;
    host->random(host->context, &cluster->lot, sizeof(cluster->lot));
    cluster->health.started = now;
    cluster_begin(cluster, now);
    if (saved == NULL) {
        introduce_myself(cluster);
    } else if (!restore_nodes(cluster, saved, error)) {
        cluster_free(cluster);
        return NULL;
    }
    if (describe_myself(cluster) || saved == NULL)
        cluster_changed_synced(cluster);
    cluster_changed(cluster);
    cluster_settle(cluster);
    return cluster;
}

void cluster_tick(struct cluster *cluster, int64_t now)
{
    cluster_begin(cluster, now);
    cluster->ticks++;
    membership_tick(cluster);
    links_tick(cluster);
    gossip_tick(cluster);
    failure_tick(cluster);
    manual_settle(cluster);
    election_settle(cluster);
    replica_migration_tick(cluster);
    role_tick(cluster);
    cluster->check_health |= !cluster->health.ok;
    cluster_settle(cluster);
}

bool cluster_is_urgent(const struct cluster *cluster)
{
    enum { VERY_MANY = 4096 };
    return cluster->effects.urgent || effects_waiting(&cluster->effects) >= VERY_MANY;
}

bool cluster_next_effect(struct cluster *cluster, struct cluster_effect *effect)
{
    if (cluster->tell_all) {
        cluster->tell_all = false;
        outgoing_pong_to_all(cluster);
    }
    return effects_next(&cluster->effects, effect);
}

enum cluster_serving cluster_slot_serving(const struct cluster *cluster, unsigned slot)
{
    const struct ownership *slots = &cluster->slots;
    if (!node_is_primary(cluster->myself))
        return CLUSTER_SERVING_ELSEWHERE;
    if (slots->owner[slot] == cluster->myself)
        return slots->migrating_to[slot] != NULL ? CLUSTER_SERVING_MIGRATING : CLUSTER_SERVING_MINE;
    return slots->importing_from[slot] != NULL ? CLUSTER_SERVING_IMPORTING
                                               : CLUSTER_SERVING_ELSEWHERE;
}

const struct node_id *cluster_my_id(const struct cluster *cluster)
{
    return &cluster->myself->id;
}

bool cluster_is_primary(const struct cluster *cluster)
{
    return node_is_primary(cluster->myself);
}

bool cluster_is_ok(const struct cluster *cluster)
{
    return cluster->health.ok;
}

bool cluster_fails_over_by_hand(const struct cluster *cluster)
{
    return cluster->manual.end != 0;
}

uint64_t cluster_revision(const struct cluster *cluster)
{
    return cluster->revision;
}
