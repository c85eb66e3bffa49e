/* Failure detection, in two steps. PFAIL is this node's own suspicion: a ping has not been answered
 * for the node timeout (or the host refuses connections, see crash.c). It has no effect but to be
 * gossiped. FAIL is the majority's: as many primaries with slots suspect the node, at about the
 * same time; whoever first sees the majority tells everyone with a FAIL message.
 *
 * A replica or a primary without slots that answers again is well at once. A primary with slots
 * keeps its FAIL for twice the node timeout, for that is how long a replica may be getting elected;
 * if it still has slots then, nobody has replaced it and it may go on. */
#include "server/cluster/cluster.h"

enum { REPORT_VALIDITY = 2, FAIL_VALIDITY = 2 /* node timeouts */ };

int64_t failure_report_limit(const struct cluster *cluster)
{
    return cluster->now - cluster->config.node_timeout * REPORT_VALIDITY;
}

static unsigned majority(const struct cluster *cluster)
{
    return cluster->health.size / 2 + 1;
}

static void flag_failed(struct cluster *cluster, struct cluster_node *node)
{
    node->flags &= ~(unsigned)NODE_PFAIL;
    node->flags |= NODE_FAIL;
    node->fail_time = cluster->now;
    cluster_changed_saved(cluster);
}

static void fail_if_majority(struct cluster *cluster, struct cluster_node *node)
{
    if (!node_has(node, NODE_PFAIL) || node_is_failed(node))
        return;
    unsigned voices = node_count_reports(node, failure_report_limit(cluster));
    voices += node_votes(cluster->myself);
    if (voices < majority(cluster))
        return;
    cluster_log(cluster, LOG_NOTICE, "Marking node %s as failing (quorum reached).", node->id.text);
    flag_failed(cluster, node);
    outgoing_fail(cluster, node);
}

void failure_suspect(struct cluster *cluster, struct cluster_node *node)
{
    if (node_has(node, NODE_PFAIL | NODE_FAIL))
        return;
    cluster_log(cluster, LOG_DEBUG, "*** NODE %s possibly failing", node->id.text);
    node->flags |= NODE_PFAIL;
    cluster_changed(cluster);
    fail_if_majority(cluster, node);
}

static int64_t silence_of(const struct cluster *cluster, const struct cluster_node *node)
{
    if (node->ping_sent == 0)
        return 0;
    int64_t ping = cluster->now - node->ping_sent, data = cluster->now - node->data_received;
    return ping < data ? ping : data;
}

void failure_tick(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        struct cluster_node *node = cluster->nodes.items[i];
        if (node == cluster->myself || node_has(node, NODE_HANDSHAKE | NODE_NO_ADDRESS))
            continue;
        if (silence_of(cluster, node) > cluster->config.node_timeout)
            failure_suspect(cluster, node);
    }
}

static void clear_failed(struct cluster *cluster, struct cluster_node *node)
{
    if (!node_votes(node)) {
        cluster_log(cluster, LOG_NOTICE, "Clear FAIL state for node %s: %s is reachable again.",
            node->id.text, node_is_replica(node) ? "replica" : "master without slots");
    } else if (cluster->now - node->fail_time > cluster->config.node_timeout * FAIL_VALIDITY) {
        cluster_log(cluster, LOG_NOTICE,
            "Clear FAIL state for node %s: is reachable again and nobody is serving its slots "
            "after some time.",
            node->id.text);
    } else {
        return;
    }
    node->flags &= ~(unsigned)NODE_FAIL;
    cluster_changed_saved(cluster);
}

void failure_answered(struct cluster *cluster, struct cluster_node *node)
{
    node->pong_received = cluster->now;
    node->ping_sent = 0;
    crash_answered(node);
    if (node_has(node, NODE_PFAIL)) {
        node->flags &= ~(unsigned)NODE_PFAIL;
        cluster_changed_saved(cluster);
    } else if (node_is_failed(node)) {
        clear_failed(cluster, node);
    }
}

void failure_reported(
    struct cluster *cluster, struct cluster_node *reporter, struct cluster_node *node, bool failing)
{
    if (!node_votes(reporter))
        return;
    if (!failing) {
        if (node_drop_report(node, reporter))
            cluster_log(cluster, LOG_VERBOSE, "Node %s reported node %s is back online.",
                reporter->id.text, node->id.text);
        return;
    }
    size_t before = node->report_count;
    node_add_report(node, reporter, cluster->now, failure_report_limit(cluster));
    if (node->report_count > before)
        cluster_log(cluster, LOG_VERBOSE, "Node %s reported node %s as not reachable.",
            reporter->id.text, node->id.text);
    fail_if_majority(cluster, node);
}

void failure_announced(
    struct cluster *cluster, const struct cluster_node *sender, const struct message *message)
{
    struct cluster_node *node = nodes_find(&cluster->nodes, &message->node);
    if (node == NULL || node == cluster->myself || node_is_failed(node))
        return;
    cluster_log(cluster, LOG_NOTICE, "FAIL message received from %s about %s", sender->id.text,
        node->id.text);
    flag_failed(cluster, node);
}

bool cluster_count_failure_reports(
    struct cluster *cluster, struct bytes id, int64_t now, int64_t *count, struct error *error)
{
    struct node_id parsed;
    cluster_begin(cluster, now);
    struct cluster_node *node =
        node_id_parse(id, &parsed) ? nodes_find(&cluster->nodes, &parsed) : NULL;
    if (node == NULL)
        return error_set(error, "ERR Unknown node %.*s", (int)id.len, id.data);
    *count = node_count_reports(node, failure_report_limit(cluster));
    return true;
}
