/* A crash is not a partition. When a process dies, its host's kernel closes its sockets and refuses
 * new connections at once: links break, and reconnecting gives ECONNREFUSED. Nothing of that comes
 * from a host that is cut off, switched off or frozen: those are silent, and keep the full node
 * timeout. So a node whose link has been up and broke, and whose address then refuses REFUSALS
 * connections over SPREAD ms with none accepted in between, is suspected (PFAIL) without waiting
 * for the timeout, and the other primaries are told at once instead of with the next ping.
 *
 * Why this is safe: it changes when a node starts to suspect, and nothing else. FAIL still takes
 * the suspicion of a majority of the primaries with slots, each from its own refused connections
 * (or, if it is a Redis node, from its own timeout); an election still takes a majority of votes
 * in a new epoch; so there is still one owner of each slot in each epoch, and the higher epoch
 * still wins. A suspicion that is wrong goes away with the next PONG.
 *
 * Two writers for a while is what a failover risks, and what has to be bounded:
 *
 * - The process has crashed: a connection is refused because no socket listens, and a process that
 *   is gone neither listens nor writes. There is no window at all. This is the usual case.
 * - The process is there but not its bus socket: a node that is starting or stopping, for each of
 *   which accepting no writes comes first, or one that is being started again within SPREAD, which
 *   goes unnoticed. That is why it takes several refusals and a time between them.
 * - Something in between refuses for a process that lives (a firewall's REJECT with a reset, a
 *   proxy, a port forwarder whose target has moved, a container that has lost its port). If a
 *   majority of the primaries gets refusals, then a replica is elected while the old primary still
 *   serves the clients on its side. This is a partition that looks like a crash, and it ends as
 *   every partition does: if packets in the other direction pass, the old primary hears of the new
 *   epoch with the winner's broadcast, and steps down at once. If not, its own pings fail, it sees
 *   a minority of primaries and stops taking writes, at the latest one node timeout after its last
 *   answers. In Redis that last moment is about when the others elect a successor, so hardly any
 *   time is left for two writers; here the successor may start up to a node timeout earlier. The
 *   writes that the old primary acknowledges and that get lost are in both cases those of the time
 *   from the cut until it stops: the window has the same bound, the node timeout. What is new is
 *   that clients on the other side can write to the same keys during it. Where the network between
 *   nodes is known to answer for dead hosts, a lower node timeout bounds it more tightly.
 *
 * Where it would do harm it is not used: at the start of a cluster, as a link must have been up
 * since this process runs (nodes that are started one after the other do not fail each other over);
 * and for a primary with slots of which no replica is left to take over, as a FAIL would only keep
 * it from serving for longer than its restart takes.
 *
 * ECONNREFUSED alone counts. A connection that is reset after it was made, an unreachable host or
 * port, a time-out: all those are silence (cluster_link_broken). */
#include "server/cluster/cluster.h"

enum { REFUSALS = 3, SPREAD = 300 /* ms */ };

void crash_link_up(struct cluster_node *node)
{
    node->refusals = (struct refusals){ .was_up = node->refusals.was_up };
}

void crash_answered(struct cluster_node *node)
{
    node->refusals.was_up = true;
}

static bool may_be_replaced(const struct cluster *cluster, const struct cluster_node *node)
{
    return !node_votes(node) || nodes_count_good_replicas(&cluster->nodes, node) > 0;
}

void crash_refused(struct cluster *cluster, struct cluster_node *node)
{
    struct refusals *refusals = &node->refusals;
    if (node_has(node, NODE_HANDSHAKE | NODE_NO_ADDRESS) || !refusals->was_up)
        return;
    if (refusals->count++ == 0)
        refusals->first = cluster->now;
    if (refusals->crashed || refusals->count < REFUSALS ||
        cluster->now - refusals->first < SPREAD || !may_be_replaced(cluster, node))
        return;
    refusals->crashed = true;
    cluster_log(cluster, LOG_NOTICE,
        "Node %s refuses connections since %lld ms: taking it for crashed", node->id.text,
        (long long)(cluster->now - refusals->first));
    failure_suspect(cluster, node);
    if (node_votes(cluster->myself))
        outgoing_ping_primaries(cluster);
}
