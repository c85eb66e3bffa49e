/* Whether a replica that asks gets this primary's vote. One vote in an epoch, ever (it is on disk
 * before it leaves; who has got it and asks again gets it again, for it may have been lost); only
 * for an epoch that is not behind; only where the replica's primary has failed in this node's view
 * too, unless the failover is by hand; one in two node timeouts for the replicas of one primary, so
 * that the winner has time to be known (again not by hand: there and back within seconds is what
 * people do); and not where a slot of it is known to have a newer owner than the replica has heard
 * of, which it is then told.
 *
 * Redis has no more rules. Here an epoch that someone has taken without being elected is not given
 * to a winner too (epoch.c keeps them apart, but a Redis node does not): the old primary might be
 * the one who has it, and there would be two claims on all its slots that nobody could tell apart.
 */
#include "server/cluster/cluster.h"

#include <inttypes.h>

enum { VOTE_PERIOD = 2 /* node timeouts */ };

static bool deny(struct cluster *cluster, const struct cluster_node *candidate, const char *why)
{
    cluster_log(cluster, LOG_WARNING, "Failover auth denied to %s: %s", candidate->id.text, why);
    return false;
}

static bool knows_newer_owner(const struct cluster *cluster, const struct message *message)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        const struct cluster_node *owner = cluster->slots.owner[slot];
        if (slot_set_has(message->slots, slot) && owner != NULL &&
            owner->config_epoch > message->config_epoch)
            return true;
    }
    return false;
}

static bool is_granted(
    struct cluster *cluster, struct cluster_node *candidate, const struct message *message)
{
    const struct cluster_node *primary = candidate->primary;
    bool by_hand = (message->marks & MESSAGE_FORCE_VOTE) != 0;
    bool again = candidate->given_epoch != 0 && candidate->given_epoch == message->current_epoch;
    if (message->current_epoch < cluster->current_epoch)
        return deny(cluster, candidate, "the epoch of its request is behind mine");
    if (!again && cluster->last_vote_epoch == cluster->current_epoch)
        return deny(cluster, candidate, "already voted in this epoch");
    if (epoch_highest_claim(cluster) >= message->current_epoch)
        return deny(cluster, candidate, "someone has taken this epoch already");
    if (!node_is_replica(candidate))
        return deny(cluster, candidate, "it is a primary");
    if (primary == NULL)
        return deny(cluster, candidate, "I don't know its primary");
    if (!node_is_failed(primary) && !by_hand)
        return deny(cluster, candidate, "its primary is up");
    if (!by_hand && !again && primary->voted_time != 0 &&
        cluster->now - primary->voted_time < cluster->config.node_timeout * VOTE_PERIOD)
        return deny(cluster, candidate, "I voted for a replica of its primary a moment ago");
    if (knows_newer_owner(cluster, message)) {
        /* It may only have missed its primary's last epoch: then it can ask again, and better. */
        ownership_correct(cluster, candidate, message->config_epoch, message->slots);
        return deny(cluster, candidate, "a slot of it has a newer owner");
    }
    return true;
}

void vote_asked(
    struct cluster *cluster, struct cluster_node *candidate, const struct message *message)
{
    if (!node_votes(cluster->myself) || !is_granted(cluster, candidate, message))
        return;
    candidate->primary->voted_time = cluster->now;
    candidate->given_epoch = cluster->last_vote_epoch = cluster->current_epoch;
    cluster_changed_synced(cluster);
    outgoing_plain(cluster, candidate, MESSAGE_AUTH_ACK, 0);
    cluster_log(cluster, LOG_NOTICE, "Failover auth granted to %s for epoch %" PRIu64,
        candidate->id.text, cluster->current_epoch);
}
