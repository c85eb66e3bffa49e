/* A node as this one knows it, and the table of all of them. Private to server/cluster: everything
 * here belongs to the thread that owns the cluster. */
#ifndef SERVER_CLUSTER_NODE_H
#define SERVER_CLUSTER_NODE_H

#include "common/topology.h"
#include <stdint.h>

enum { NODES_MAX = SLOT_COUNT, HANDSHAKES_MAX = 1024 };

struct cluster_link;

/* A primary's word that a node does not answer it. */
struct failure_report {
    const struct cluster_node *reporter;
    int64_t time;
};

/* Connections that a node's host has refused in a row: see crash.c. */
struct refusals {
    unsigned count;
    int64_t first; /* when */
    bool was_up;   /* a link to it has been up since this process runs */
    bool crashed;  /* taken for a crash; until a link is up again */
};

struct cluster_node {
    struct node_id id; /* random as long as it is in handshake */
    struct node_id shard_id;
    bool knows_shards; /* it has told its shard, so it wants to be told ours */
    struct address address;
    uint16_t other_port;
    char hostname[ADDRESS_HOST_MAX];
    unsigned flags;               /* of enum node_flag */
    struct cluster_node *primary; /* NULL: none, or not known; set by node_set_primary */
    unsigned replica_count;
    uint64_t config_epoch;
    int64_t config_epoch_time; /* when others told of it; 0: before this process */
    struct slot_set slots; /* that it owns; ownership.h changes it */
    unsigned slot_count;
    uint64_t offset; /* of its replication */
    int64_t offset_time;
    int64_t created;
    int64_t ping_sent; /* 0: none is waiting for its PONG */
    int64_t pong_received;
    int64_t data_received; /* any message */
    int64_t fail_time;     /* when it was flagged FAIL */
    int64_t voted_time;    /* when this node last voted for a replica of it */
    int64_t orphaned_time; /* 0: it has replicas */
    uint64_t vote_epoch;   /* of the last election of mine that it voted in */
    uint64_t given_epoch;  /* of the last election of it that I voted in; 0: none since my start */
    uint64_t gossip_mark;  /* of the last message that told of it */
    struct refusals refusals;
    struct failure_report *reports; /* owned */
    size_t report_count;
    struct cluster_link *link;    /* outbound; NULL: none */
    struct cluster_link *inbound; /* NULL: none known */
};

static inline bool node_is_primary(const struct cluster_node *node)
{
    return (node->flags & NODE_PRIMARY) != 0;
}
static inline bool node_is_replica(const struct cluster_node *node)
{
    return (node->flags & NODE_REPLICA) != 0;
}
static inline bool node_is_failed(const struct cluster_node *node)
{
    return (node->flags & NODE_FAIL) != 0;
}
static inline bool node_has(const struct cluster_node *node, unsigned flags)
{
    return (node->flags & flags) != 0;
}
/* Whether it has a voice when failures are counted and replicas elected. */
static inline bool node_votes(const struct cluster_node *node)
{
    return node_is_primary(node) && node->slot_count > 0;
}

/* Changes whose replica it is (NULL: nobody's) and the counts on both sides; no flag of its own. */
void node_set_primary(struct cluster_node *node, struct cluster_node *primary);

/* A config epoch that is news. */
static inline void node_set_config_epoch(struct cluster_node *node, uint64_t epoch, int64_t now)
{
    node->config_epoch = epoch;
    node->config_epoch_time = now;
}

/* Reports that are older than `oldest` are dropped before anything is done. */
void node_add_report(
    struct cluster_node *node, const struct cluster_node *reporter, int64_t now, int64_t oldest);
bool node_drop_report(struct cluster_node *node, const struct cluster_node *reporter);
unsigned node_count_reports(struct cluster_node *node, int64_t oldest);

/* All nodes, myself among them, in ascending order of their IDs. */
struct node_table {
    struct cluster_node **items; /* owned, as are the nodes */
    size_t count, capacity;
    size_t handshakes;
};

struct cluster_node *nodes_find(const struct node_table *table, const struct node_id *id);
/* A new node in the table; NULL where the table is full or has a node with that ID. */
struct cluster_node *nodes_add(
    struct node_table *table, const struct node_id *id, unsigned flags, int64_t now);
/* false where another node has that ID. */
bool nodes_rename(struct node_table *table, struct cluster_node *node, const struct node_id *id);
void nodes_end_handshake(struct node_table *table, struct cluster_node *node);
/* Frees the node, and takes it out of the others' reports and as their primary. */
void nodes_remove(struct node_table *table, struct cluster_node *node);
void nodes_free(struct node_table *table);
/* Replicas of the node that are neither failing nor failed. */
unsigned nodes_count_good_replicas(
    const struct node_table *table, const struct cluster_node *primary);

#endif
