/* A picture of the cluster that never changes: made by the thread that owns the cluster, then read
 * by anyone without a lock. Who publishes it decides when it is freed. */
#ifndef SERVER_CLUSTER_VIEW_H
#define SERVER_CLUSTER_VIEW_H

#include "server/cluster/message.h"
#include "server/cluster/state.h"

enum { CLUSTER_NO_NODE = 0xffff };

struct cluster_view_node {
    struct node_id id;
    struct node_id shard_id;
    struct address address; /* ip is empty where this node does not know its own yet */
    uint16_t other_port;    /* the TLS or plain client port beside address.port; or 0 */
    char hostname[ADDRESS_HOST_MAX];
    unsigned flags;        /* of enum node_flag */
    uint16_t primary;      /* index; CLUSTER_NO_NODE for a primary, or where it is not known */
    uint64_t config_epoch; /* its own; a replica shows its primary's in CLUSTER NODES */
    uint64_t offset;       /* of the replication */
    int64_t ping_sent, pong_received;
    bool connected; /* there is an outbound link; true for myself */
    unsigned slot_count;
    unsigned failure_reports;
};

struct cluster_view_link {
    uint64_t link;
    uint16_t node;
    bool inbound;
    int64_t created; /* Unix ms */
};

struct cluster_view {
    int64_t made; /* Unix ms */
    uint64_t revision;
    struct cluster_view_node *nodes; /* by ID, ascending: the order of CLUSTER NODES */
    size_t node_count;
    uint16_t myself;
    uint16_t owner[SLOT_COUNT];          /* index, or CLUSTER_NO_NODE */
    uint16_t migrating_to[SLOT_COUNT];   /* index, or CLUSTER_NO_NODE */
    uint16_t importing_from[SLOT_COUNT]; /* index, or CLUSTER_NO_NODE */
    bool ok;
    bool allow_reads_when_down, require_full_coverage;
    uint64_t current_epoch;
    unsigned size; /* primaries with slots */
    uint64_t sent[MESSAGE_TYPES], received[MESSAGE_TYPES];
    struct cluster_view_link *links; /* of known nodes */
    size_t link_count;
};

struct cluster_view *cluster_view_create(const struct cluster *cluster, int64_t now);
void cluster_view_free(struct cluster_view *view);

/* Index of the node with that ID, or CLUSTER_NO_NODE. */
uint16_t cluster_view_find(const struct cluster_view *view, struct bytes id);
/* The slots that the node owns (of a replica: none). */
void cluster_view_slots(const struct cluster_view *view, uint16_t node, struct slot_set *slots);

/* The node as CLUSTER NODES and nodes.conf tell of it; the caller frees its moves. */
void cluster_view_describe(
    const struct cluster_view *view, uint16_t node, struct topology_node *line);
/* One line of CLUSTER NODES without its '\n'. */
void cluster_view_render_node(const struct cluster_view *view, uint16_t node, struct buffer *out);
/* The reply of CLUSTER NODES. */
void cluster_view_render_nodes(const struct cluster_view *view, struct buffer *out);
/* The reply of CLUSTER INFO; links_closed is the driver's count of links that it ended because too
 * many bytes waited to be sent. */
void cluster_view_render_info(
    const struct cluster_view *view, uint64_t links_closed, struct buffer *out);

#endif
