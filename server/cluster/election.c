/* A replica gets itself elected when its primary has failed. It waits a little, so that the FAIL
 * has reached those who vote, and longer the more of its siblings have a higher offset (its rank);
 * then it takes a new epoch and asks everyone for a vote. With the votes of a majority of the
 * primaries it owns its primary's slots, at that epoch.
 *
 * The usual wait is half a second and up to half a second by lot. Where the primary has crashed (as
 * crash.c sees it, with my own eyes) the best replica need not wait that long: everyone who votes
 * has got a refusal too and has been told of the FAIL at once, and the siblings send their offsets
 * when they hear of it. So a replica that comes first among its siblings (offset, then ID, so that
 * two do not both believe it), all of which have told their offset since the failure, asks after 50
 * to 100 ms. If any of that is not so, the usual moment comes.
 *
 * Whoever has not heard of the FAIL yet refuses its vote, which would cost the whole election, as
 * the next is due only after four node timeouts. So those that have not voted are asked again, in
 * the same epoch: nobody votes twice in one, hence asking is free. And should someone take the
 * election's epoch without being elected (see vote.c), it begins again with the next one. */
#include "server/cluster/cluster.h"

#include <inttypes.h>

enum {
    DELAY = 500, /* ms */
    DELAY_BY_LOT = 500,
    DELAY_OF_RANK = 1000,
    FAST_DELAY = 50,
    FAST_BY_LOT = 50,
    ASK_AGAIN = 500,
    TIMEOUT_MIN = 2000, /* of an election; else two node timeouts */
};

static int64_t election_timeout(const struct cluster *cluster)
{
    int64_t timeout = cluster->config.node_timeout * 2;
    return timeout > TIMEOUT_MIN ? timeout : TIMEOUT_MIN;
}

static bool is_by_hand(const struct cluster *cluster)
{
    return cluster->manual.end != 0 && cluster->manual.may_start;
}

static bool is_sibling(const struct cluster *cluster, const struct cluster_node *node)
{
    return node != cluster->myself && node->primary == cluster->myself->primary &&
           !node_has(node, NODE_NO_FAILOVER);
}

static unsigned my_rank(const struct cluster *cluster, uint64_t offset)
{
    unsigned rank = 0;
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        const struct cluster_node *node = cluster->nodes.items[i];
        rank += is_sibling(cluster, node) && node->offset > offset;
    }
    return rank;
}

/* First of all siblings that answer, and sure of it. */
static bool am_first_for_sure(const struct cluster *cluster, uint64_t offset)
{
    const struct cluster_node *myself = cluster->myself;
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        const struct cluster_node *node = cluster->nodes.items[i];
        if (!is_sibling(cluster, node) || node_has(node, NODE_FAIL | NODE_PFAIL))
            continue;
        bool better =
            node->offset > offset ||
            (node->offset == offset && memcmp(node->id.text, myself->id.text, NODE_ID_LEN) < 0);
        if (better || node->offset_time < myself->primary->fail_time)
            return false;
    }
    return true;
}

/* Logs a reason when it is another than the last time. */
static bool say(struct cluster *cluster, const char *why)
{
    if (cluster->election.said != why && why != NULL)
        cluster_log(cluster, LOG_NOTICE, "Currently unable to failover: %s", why);
    cluster->election.said = why;
    return false;
}

static bool is_wanted(const struct cluster *cluster)
{
    const struct cluster_node *myself = cluster->myself, *primary = myself->primary;
    if (!node_is_replica(myself) || primary == NULL || primary->slot_count == 0)
        return false;
    return is_by_hand(cluster) || (node_is_failed(primary) && !cluster->config.replica_no_failover);
}

static bool is_data_fresh(
    const struct cluster *cluster, const struct cluster_replication *replication)
{
    const struct cluster_config *config = &cluster->config;
    int64_t age = replication->age;
    if (config->replica_validity_factor == 0 || is_by_hand(cluster))
        return true;
    if (age > config->node_timeout)
        age -= config->node_timeout;
    return age >= 0 && age <= config->replica_ping_period +
                                  config->node_timeout * config->replica_validity_factor;
}

static void plan(struct cluster *cluster, const struct cluster_replication *replication)
{
    struct election *election = &cluster->election;
    *election = (struct election){ .epoch = election->epoch, .said = election->said };
    election->rank = is_by_hand(cluster) ? 0 : my_rank(cluster, replication->offset);
    election->when = cluster->now;
    if (is_by_hand(cluster))
        return;
    election->when += DELAY + (int64_t)cluster_random_below(cluster, DELAY_BY_LOT) +
                      (int64_t)election->rank * DELAY_OF_RANK;
    cluster_log(cluster, LOG_NOTICE,
        "Start of election delayed for %lld milliseconds (rank #%u, offset %" PRIu64 ").",
        (long long)(election->when - cluster->now), election->rank, replication->offset);
    outgoing_pong_to_siblings(cluster);
}

static void replan_rank(struct cluster *cluster, uint64_t offset)
{
    struct election *election = &cluster->election;
    unsigned rank = my_rank(cluster, offset);
    if (cluster->manual.end != 0 || rank <= election->rank)
        return;
    election->when += (int64_t)(rank - election->rank) * DELAY_OF_RANK;
    election->rank = rank;
    cluster_log(cluster, LOG_NOTICE,
        "Replica rank updated to #%u, the election starts in %lld milliseconds.", rank,
        (long long)(election->when - cluster->now));
}

static bool is_fast_moment(struct cluster *cluster, uint64_t offset)
{
    struct election *election = &cluster->election;
    if (!cluster->myself->primary->refusals.crashed || cluster->manual.end != 0)
        return false;
    if (election->fast_when == 0)
        election->fast_when =
            cluster->now + FAST_DELAY + (int64_t)cluster_random_below(cluster, FAST_BY_LOT);
    return cluster->now >= election->fast_when && am_first_for_sure(cluster, offset);
}

static void ask_for_votes(struct cluster *cluster)
{
    struct election *election = &cluster->election;
    uint8_t marks = cluster->manual.end != 0 ? MESSAGE_FORCE_VOTE : 0;
    election->last_request = cluster->now;
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        struct cluster_node *node = cluster->nodes.items[i];
        if (node->vote_epoch != election->epoch)
            outgoing_plain(cluster, node, MESSAGE_AUTH_REQUEST, marks);
    }
}

static void begin(struct cluster *cluster)
{
    struct election *election = &cluster->election;
    election->when = cluster->now;
    election->requested = true;
    election->votes = 0;
    election->epoch = cluster->current_epoch = epoch_for_election(cluster);
    cluster_changed_synced(cluster);
    cluster_log(cluster, LOG_NOTICE, "Starting a failover election for epoch %" PRIu64 ".",
        election->epoch);
    ask_for_votes(cluster);
}

void election_take_over(struct cluster *cluster)
{
    struct cluster_node *old = cluster->myself->primary;
    role_become_primary(cluster);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (cluster->slots.owner[slot] == old && !slot_set_has(&cluster->slots.unclaimed, slot))
            ownership_assign(cluster, slot, cluster->myself);
    }
    outgoing_pong_to_all(cluster);
    manual_end(cluster);
}

static void win(struct cluster *cluster)
{
    struct cluster_node *myself = cluster->myself;
    cluster_log(cluster, LOG_NOTICE, "Failover election won: I'm the new master.");
    if (myself->config_epoch < cluster->election.epoch)
        myself->config_epoch = cluster->election.epoch;
    cluster_log(cluster, LOG_NOTICE, "configEpoch set to %" PRIu64 " after successful failover",
        myself->config_epoch);
    election_take_over(cluster);
}

static void go_on(struct cluster *cluster)
{
    struct election *election = &cluster->election;
    if (epoch_highest_claim(cluster) >= election->epoch)
        begin(cluster);
    else if (election->votes >= cluster->health.size / 2 + 1)
        win(cluster);
    else if (cluster->now - election->last_request >= ASK_AGAIN)
        ask_for_votes(cluster);
}

void election_settle(struct cluster *cluster)
{
    struct election *election = &cluster->election;
    int64_t timeout = election_timeout(cluster);
    if (!is_wanted(cluster)) {
        say(cluster, NULL);
        return;
    }
    struct cluster_replication replication = cluster->host.replication(cluster->host.context);
    if (!is_data_fresh(cluster, &replication)) {
        say(cluster, "Disconnected from master for longer than allowed. Please check the "
                     "'cluster-replica-validity-factor' configuration option.");
        return;
    }
    if (cluster->now - election->when > timeout * 2)
        plan(cluster, &replication);
    if (election->requested) {
        if (cluster->now - election->when <= timeout)
            go_on(cluster);
        else
            say(cluster, "Failover attempt expired.");
        return;
    }
    replan_rank(cluster, replication.offset);
    if (cluster->now >= election->when || is_fast_moment(cluster, replication.offset))
        begin(cluster);
}

void election_voted(struct cluster *cluster, struct cluster_node *voter, uint64_t epoch)
{
    struct election *election = &cluster->election;
    if (!election->requested || !node_votes(voter) || epoch < election->epoch ||
        voter->vote_epoch == election->epoch)
        return;
    voter->vote_epoch = election->epoch;
    election->votes++;
}

void election_forget(struct cluster *cluster)
{
    cluster->election = (struct election){ .epoch = cluster->election.epoch };
}
