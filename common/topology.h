/* A cluster as one node tells of it: the lines of CLUSTER NODES, which are also the lines of
 * nodes.conf. Both programs read and write them here.
 *
 *   id ip:port@cport[,hostname[,aux=value]*] flags primary-id|- ping-sent pong-received \
 *      config-epoch connected|disconnected [slot|first-last|[slot->-id]|[slot-<-id]]...
 *
 * nodes.conf adds a last line: vars currentEpoch N lastVoteEpoch N. Redis 7.0 writes no aux fields,
 * 7.2 writes them to nodes.conf alone, behind a host name that may be empty.
 *
 * Source: Redis documentation of CLUSTER NODES. */
#ifndef COMMON_TOPOLOGY_H
#define COMMON_TOPOLOGY_H

#include "common/address.h"
#include "common/buffer.h"
#include "common/node_id.h"
#include "common/slot.h"

/* Node flags, with the values that the bus gives them. */
enum node_flag {
    NODE_PRIMARY = 1,
    NODE_REPLICA = 2,
    NODE_PFAIL = 4,
    NODE_FAIL = 8,
    NODE_MYSELF = 16,
    NODE_HANDSHAKE = 32,
    NODE_NO_ADDRESS = 64,
    NODE_MEET = 128,
    NODE_MIGRATE_TO = 256,
    NODE_NO_FAILOVER = 512,
    NODE_EXTENSIONS = 1024,
    NODE_LIGHT_HEADER = 2048,
};

/* A slot on its way, in a line of the node itself. */
struct topology_move {
    uint16_t slot;
    bool importing; /* else migrating */
    struct node_id peer;
};

struct topology_node {
    struct node_id id;
    struct address address;
    char hostname[ADDRESS_HOST_MAX];  /* empty: none */
    struct node_id shard_id;          /* empty: not told */
    unsigned flags;                   /* of enum node_flag */
    struct node_id primary;           /* empty: none */
    int64_t ping_sent, pong_received; /* milliseconds since 1970; 0: none under way / never */
    uint64_t config_epoch;
    bool connected;
    struct slot_set slots;
    struct topology_move *moves; /* owned by the node */
    size_t move_count;
};

struct topology {
    struct topology_node *nodes; /* owned */
    size_t count;
    uint64_t current_epoch, last_vote_epoch; /* of the vars line; 0 where there is none */
};

/* Reads the whole text; an error names the line. On failure nothing is left allocated. Refuses
 * lines with unknown flags, IDs or slots that are malformed, two lines with one ID, more than one
 * `myself`, and more than 16384 nodes. Slots that two lines claim are not an error here. */
bool topology_parse(struct bytes text, struct topology *topology, struct error *error);
void topology_free(struct topology *topology);

/* Appends one line with its '\n'. `with_aux` adds ",shard-id=..." behind the host name, as
 * nodes.conf has it. */
void topology_write_node(struct buffer *out, const struct topology_node *node, bool with_aux);
/* "myself,master,fail?" ... "noflags" */
void topology_write_flags(struct buffer *out, unsigned flags);

#endif
