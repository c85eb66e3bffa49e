/* The cluster as this node knows it: a state machine that is given messages, link events and the
 * time, and gives back effects (messages to send, links to open, slots that changed hands). It has
 * no sockets, no clock, no files and no threads inside; a cluster belongs to one thread (in slotd:
 * the bus thread), and every function here is called by that thread. Others read a cluster_view.
 *
 * After EVERY call below that is given `now`, the caller drains the effects with
 * cluster_next_effect() and carries them out in that order: a save that stands before a message
 * must be on disk before the message leaves. It may drain after several calls that come together,
 * so that they share one save and one message to all, as long as cluster_is_urgent() is false.
 *
 * Times are Unix milliseconds that never go backwards: take the wall clock once at the start and
 * add the monotonic clock.
 *
 * Source of the protocol: the Redis Cluster specification, wire facts as in message.h, and the
 * behaviour of Redis 7.0. */
#ifndef SERVER_CLUSTER_STATE_H
#define SERVER_CLUSTER_STATE_H

#include "common/buffer.h"
#include "common/error.h"
#include "common/topology.h"
#include "server/log.h"
#include <stdint.h>

struct cluster;
struct cluster_view; /* view.h */

/* The cluster-* directives, and where this node listens. */
struct cluster_config {
    int64_t node_timeout; /* ms, at least 1 */
    bool require_full_coverage;
    bool allow_reads_when_down; /* kept for those who read the view; no rule in here needs it */
    bool allow_replica_migration;
    bool replica_no_failover;
    int replica_validity_factor; /* 0: data is never too old for an election */
    int migration_barrier;       /* replicas that a primary keeps when one of them moves */
    int64_t replica_ping_period; /* ms; of the replication link */
    struct address listen;       /* ip is not used; port: clients, bus_port: the bus */
    uint16_t other_port;         /* of clients: the TLS or plain port beside listen.port; or 0 */
    char announce_ip[ADDRESS_IP_MAX];         /* empty: learned from the first MEET */
    uint16_t announce_port;                   /* 0: listen.port */
    uint16_t announce_bus_port;               /* 0: listen.bus_port */
    char announce_hostname[ADDRESS_HOST_MAX]; /* empty: none */
};

/* Where this node's replication stands at the moment of the question. */
struct cluster_replication {
    uint64_t offset; /* a primary: produced; a replica: processed */
    bool link_up;    /* a replica: connected to its primary and in sync */
    int64_t age;     /* a replica: ms since its primary was last heard of on that link (link up) or
                        since the link went down; negative: never was up */
};

/* What the state machine asks of its surroundings, in the thread of the call that needs it. */
struct cluster_host {
    void *context;
    void (*random)(void *context, void *out, size_t len); /* never fails; seeded in simulations */
    struct cluster_replication (*replication)(void *context);
    size_t (*count_keys)(void *context, unsigned slot); /* keys stored here in the slot */
    size_t (*count_all_keys)(void *context);
};

/* `saved` is what nodes.conf had (nodes_conf.h), or NULL for a node that is new: it gives itself an
 * ID, logs it and asks for a save. False where what was saved has no node `myself` or contradicts
 * itself; the error says how. The effects of the creation wait to be drained. */
struct cluster *cluster_create(const struct cluster_config *config, const struct cluster_host *host,
    const struct topology *saved, int64_t now, struct error *error);
void cluster_free(struct cluster *cluster);
/* Takes over changed directives at run time. */
void cluster_configure(struct cluster *cluster, const struct cluster_config *config, int64_t now);
/* Once, after the data set has been loaded: a primary takes slots that nobody owns and for which it
 * has keys, and sets slots to importing that another node owns (both logged). Nothing on a replica.
 */
void cluster_verify_keys(struct cluster *cluster, int64_t now);

/* To be called every 100 ms. */
void cluster_tick(struct cluster *cluster, int64_t now);

/* Links. A link is one TCP connection of the bus, named by a number that is never used again.
 * Outbound links are asked for by an effect CONNECT; inbound links get their number here. After
 * refused or broken the number is dead. Events of dead numbers are ignored, so a driver need not
 * care about what is on its way to it. */
uint64_t cluster_link_accepted(
    struct cluster *cluster, const char *peer_ip, const char *local_ip, int64_t now);
void cluster_link_connected(struct cluster *cluster, uint64_t link, int64_t now);
/* The other host's kernel said that nobody listens there (ECONNREFUSED), to an outbound link that
 * was being connected. Nothing else may be reported as this: see crash.c. */
void cluster_link_refused(struct cluster *cluster, uint64_t link, int64_t now);
/* Everything else that ends a link: closed by the peer, reset, unreachable, timed out, or the
 * driver's own bound on unsent bytes. */
void cluster_link_broken(struct cluster *cluster, uint64_t link, int64_t now);
/* One whole message as message_frame() cut it. Hostile bytes are fine: they end the link by an
 * effect CLOSE or are ignored. */
void cluster_receive(
    struct cluster *cluster, uint64_t link, const void *data, size_t len, int64_t now);

/* The answer to an effect PAUSE: writes of clients have stopped on all threads, and the offset that
 * host.replication gives is the last one. (paused == false: the pause has ended or was refused.) */
void cluster_writes_paused(struct cluster *cluster, bool paused, int64_t now);
/* Sends a published message to every node, or (sharded) to the nodes of this one's shard. */
void cluster_publish(
    struct cluster *cluster, bool sharded, struct bytes channel, struct bytes message, int64_t now);

/* Effects. */
enum cluster_effect_kind {
    CLUSTER_EFFECT_CONNECT,     /* open `link` to `address` (ip and bus_port) */
    CLUSTER_EFFECT_CLOSE,       /* close `link`, sent bytes first where possible */
    CLUSTER_EFFECT_SEND,        /* send `bytes` on `link` */
    CLUSTER_EFFECT_SAVE,        /* write nodes.conf (cluster_render_conf); `sync`: with fsync. Where
                                   that fails the process must end: it may have promised a vote */
    CLUSTER_EFFECT_SLOTS,       /* cluster_slot_serving() of `slots` has changed */
    CLUSTER_EFFECT_DELETE_KEYS, /* delete all keys of `slots`: another node owns them now */
    CLUSTER_EFFECT_EMPTY_DATA,  /* delete all keys (CLUSTER RESET of a replica) */
    CLUSTER_EFFECT_FOLLOW,      /* be a replica of `node` at `address` (ip and port) */
    CLUSTER_EFFECT_LEAD,        /* be a primary with the data that is here */
    CLUSTER_EFFECT_PAUSE,       /* stop writes of clients until `until`; then say so with
                                   cluster_writes_paused() */
    CLUSTER_EFFECT_UNPAUSE,     /* end that pause now */
    CLUSTER_EFFECT_STATE,       /* the cluster became ok (`ok`) or down */
    CLUSTER_EFFECT_PUBLISH,     /* give the message to this node's subscribers */
    CLUSTER_EFFECT_LOG,         /* log `text` at `level` */
};

/* Only the fields that the kind names are set. Pointers are good until the next call of any
 * function on the cluster. */
struct cluster_effect {
    enum cluster_effect_kind kind;
    uint64_t link;
    struct bytes bytes; /* SEND */
    struct address address;
    struct node_id node;
    const struct slot_set *slots;
    int64_t until;
    bool sync, ok;
    bool sharded;                  /* PUBLISH */
    struct bytes channel, message; /* PUBLISH */
    enum log_level level;
    const char *text;
};

/* Whether the effects that wait must be carried out before the next call: one of them changes what
 * the host knows or does (the role, keys, a pause, the state), or there are very many. */
bool cluster_is_urgent(const struct cluster *cluster);
/* Takes the next effect; false where there is none left. */
bool cluster_next_effect(struct cluster *cluster, struct cluster_effect *effect);

/* Reading, in the owner's thread. */

/* What commands on the slot's keys are to do here. */
enum cluster_serving {
    CLUSTER_SERVING_ELSEWHERE, /* another node's, or nobody's */
    CLUSTER_SERVING_MINE,
    CLUSTER_SERVING_MIGRATING, /* mine, on its way to another node */
    CLUSTER_SERVING_IMPORTING, /* not mine yet, on its way here */
};
enum cluster_serving cluster_slot_serving(const struct cluster *cluster, unsigned slot);
const struct node_id *cluster_my_id(const struct cluster *cluster);
bool cluster_is_primary(const struct cluster *cluster);
bool cluster_is_ok(const struct cluster *cluster);
bool cluster_fails_over_by_hand(const struct cluster *cluster); /* a manual failover is under way */
/* Grows with every change that a view shows, counters and times left out: the driver publishes a
 * new view when it has grown, and now and then for the times. */
uint64_t cluster_revision(const struct cluster *cluster);
/* The text of nodes.conf. */
void cluster_render_conf(const struct cluster *cluster, struct buffer *out);

/* The commands. Arguments are parsed; an error is the text of Redis 7.0.15's reply behind its '-'
 * ("ERR Unknown node ..."). Node IDs come as the client wrote them. */
struct cluster_range {
    uint16_t first, last; /* both included */
};

/* ip and port as the client wrote them, for the error text; bus_port
 * negative: not given (port + 10000). */
bool cluster_meet(struct cluster *cluster, struct bytes ip, int64_t port, int64_t bus_port,
    int64_t now, struct error *error);
bool cluster_forget(struct cluster *cluster, struct bytes id, int64_t now, struct error *error);
/* ADDSLOTS, ADDSLOTSRANGE; DELSLOTS, DELSLOTSRANGE: all of the ranges or nothing. */
bool cluster_add_slots(struct cluster *cluster, const struct cluster_range *ranges, size_t count,
    int64_t now, struct error *error);
bool cluster_del_slots(struct cluster *cluster, const struct cluster_range *ranges, size_t count,
    int64_t now, struct error *error);
bool cluster_flush_slots(struct cluster *cluster, int64_t now, struct error *error);

enum cluster_setslot {
    CLUSTER_SETSLOT_MIGRATING,
    CLUSTER_SETSLOT_IMPORTING,
    CLUSTER_SETSLOT_STABLE, /* id is not used */
    CLUSTER_SETSLOT_NODE,
};
/* To be called before the slot argument is parsed, as Redis does: "only with masters". */
bool cluster_may_set_slot(const struct cluster *cluster, struct error *error);
bool cluster_set_slot(struct cluster *cluster, unsigned slot, enum cluster_setslot action,
    struct bytes id, int64_t now, struct error *error);

bool cluster_replicate(struct cluster *cluster, struct bytes id, int64_t now, struct error *error);
enum cluster_failover { CLUSTER_FAILOVER_PLAIN, CLUSTER_FAILOVER_FORCE, CLUSTER_FAILOVER_TAKEOVER };
/* Returns when it has begun, as Redis does. */
bool cluster_failover(
    struct cluster *cluster, enum cluster_failover how, int64_t now, struct error *error);
bool cluster_reset(struct cluster *cluster, bool hard, int64_t now, struct error *error);
/* true: a new epoch was taken (the reply is BUMPED), false: it is the highest already (STILL). */
bool cluster_bump_epoch(struct cluster *cluster, int64_t now, uint64_t *epoch);
bool cluster_set_config_epoch(
    struct cluster *cluster, int64_t epoch, int64_t now, struct error *error);
bool cluster_count_failure_reports(
    struct cluster *cluster, struct bytes id, int64_t now, int64_t *count, struct error *error);
/* CLUSTER SAVECONFIG */
void cluster_save_conf(struct cluster *cluster, int64_t now);

#endif
