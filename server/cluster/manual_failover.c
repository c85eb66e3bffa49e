/* A failover by hand loses nothing: the replica asks its primary (MFSTART) to stop its clients'
 * writes; the primary's next pings are marked as paused and carry the last offset; when the replica
 * has processed the stream up to there it has itself elected, with a mark that lets the others vote
 * although the primary is well. Forced, it does not ask the primary. If it is not over after five
 * seconds it is given up; the primary's clients wait for at most ten. */
#include "server/cluster/cluster.h"

#include <inttypes.h>

enum { TIMEOUT = 5000 /* ms */, PAUSE_FACTOR = 2 };

void manual_end(struct cluster *cluster)
{
    if (cluster->manual.end != 0 && cluster->manual.replica != NULL)
        effects_add(&cluster->effects, CLUSTER_EFFECT_UNPAUSE, 0, false);
    cluster->manual = (struct manual_failover){ 0 };
}

void manual_begin(struct cluster *cluster, bool force)
{
    manual_end(cluster);
    election_forget(cluster);
    cluster->manual.end = cluster->now + TIMEOUT;
    cluster->manual.may_start = force;
    if (!force)
        outgoing_plain(cluster, cluster->myself->primary, MESSAGE_MFSTART, 0);
}

void manual_asked(struct cluster *cluster, struct cluster_node *replica)
{
    if (!node_is_primary(cluster->myself) || replica->primary != cluster->myself)
        return;
    manual_end(cluster);
    cluster->manual.end = cluster->now + TIMEOUT;
    cluster->manual.replica = replica;
    cluster_log(cluster, LOG_NOTICE, "Manual failover requested by replica %s.", replica->id.text);
    effects_add(
        &cluster->effects, CLUSTER_EFFECT_PAUSE, cluster->now + TIMEOUT * PAUSE_FACTOR, false);
}

void cluster_writes_paused(struct cluster *cluster, bool paused, int64_t now)
{
    cluster_begin(cluster, now);
    struct manual_failover *manual = &cluster->manual;
    if (manual->end == 0 || manual->replica == NULL)
        return;
    manual->paused = paused;
    if (paused && node_is_connected(manual->replica))
        outgoing_ping(cluster, manual->replica->link, MESSAGE_PING);
    cluster_settle(cluster);
}

void manual_offset_told(
    struct cluster *cluster, const struct cluster_node *sender, const struct message *message)
{
    struct manual_failover *manual = &cluster->manual;
    if (manual->end == 0 || manual->replica != NULL || sender != cluster->myself->primary ||
        (message->marks & MESSAGE_PAUSED) == 0 || manual->has_offset)
        return;
    manual->has_offset = true;
    manual->offset = message->offset;
    cluster_log(cluster, LOG_NOTICE,
        "Received replication offset for paused master manual failover: %" PRIu64, manual->offset);
}

void manual_settle(struct cluster *cluster)
{
    struct manual_failover *manual = &cluster->manual;
    if (manual->end == 0)
        return;
    if (cluster->now > manual->end) {
        cluster_log(cluster, LOG_NOTICE, "Manual failover timed out.");
        manual_end(cluster);
        return;
    }
    if (manual->may_start || !manual->has_offset ||
        cluster->host.replication(cluster->host.context).offset != manual->offset)
        return;
    manual->may_start = true;
    cluster_log(
        cluster, LOG_NOTICE, "All master replication stream processed, manual failover can start.");
}

bool cluster_failover(
    struct cluster *cluster, enum cluster_failover how, int64_t now, struct error *error)
{
    cluster_begin(cluster, now);
    struct cluster_node *myself = cluster->myself, *primary = myself->primary;
    if (node_is_primary(myself))
        return error_set(error, "ERR You should send CLUSTER FAILOVER to a replica");
    if (primary == NULL)
        return error_set(error, "ERR I'm a replica but my master is unknown to me");
    if (how == CLUSTER_FAILOVER_PLAIN && (node_is_failed(primary) || !node_is_connected(primary)))
        return error_set(error, "ERR Master is down or failed, please use CLUSTER FAILOVER FORCE");
    if (how == CLUSTER_FAILOVER_TAKEOVER) {
        cluster_log(cluster, LOG_NOTICE, "Taking over the master (user request).");
        manual_end(cluster);
        epoch_bump(cluster);
        election_take_over(cluster);
    } else {
        cluster_log(cluster, LOG_NOTICE, "%s failover user request accepted.",
            how == CLUSTER_FAILOVER_FORCE ? "Forced" : "Manual");
        manual_begin(cluster, how == CLUSTER_FAILOVER_FORCE);
    }
    cluster_settle(cluster);
    return true;
}
