/* The inside of the state machine: the parts that make up a cluster. Each file of this folder works
 * on its own part through the functions below it; only files of this folder include this. */
#ifndef SERVER_CLUSTER_CLUSTER_H
#define SERVER_CLUSTER_CLUSTER_H

#include "server/cluster/blacklist.h"
#include "server/cluster/effects.h"
#include "server/cluster/message.h"
#include "server/cluster/node.h"
#include "server/cluster/state.h"

/* links.c */
struct cluster_link {
    uint64_t id;
    bool inbound;
    bool connected;
    struct cluster_node *node; /* inbound: NULL until it has said who it is */
    struct node_id told;       /* inbound: who that is by its last full header, known here or not */
    int64_t created;
    char peer_ip[ADDRESS_IP_MAX], local_ip[ADDRESS_IP_MAX]; /* inbound */
};

struct link_table {
    struct cluster_link **items; /* owned, as are the links; ascending numbers */
    size_t count, capacity;
    uint64_t last_id;
};

/* ownership.c */
struct ownership {
    struct cluster_node *owner[SLOT_COUNT];          /* NULL: nobody's */
    struct cluster_node *migrating_to[SLOT_COUNT];   /* NULL: stays */
    struct cluster_node *importing_from[SLOT_COUNT]; /* NULL: not on its way here */
    struct slot_set unclaimed; /* the owner has told that it does not have it any more */
    unsigned assigned;
};

/* election.c */
struct election {
    int64_t when;      /* of the last or the next one of mine; 0: never */
    int64_t fast_when; /* after a crash, if all goes well; 0: not to be tried */
    int64_t last_request;
    bool requested;
    unsigned votes, rank;
    uint64_t epoch;
    const char *said; /* why there is none, as it was logged last */
};

/* manual_failover.c */
struct manual_failover {
    int64_t end;                  /* 0: none under way */
    struct cluster_node *replica; /* I am its primary; NULL: I am the replica */
    bool paused;                  /* my clients' writes have stopped */
    bool has_offset, may_start;   /* I am the replica */
    uint64_t offset;              /* where the primary has stopped */
};

/* health.c */
struct health {
    bool ok;
    int64_t started;        /* of this process */
    int64_t minority_since; /* the last time that too few primaries were to be seen; 0: never */
    unsigned size;          /* primaries with slots */
};

/* role.c */
struct role {
    bool told; /* an effect FOLLOW or LEAD has said what follows */
    struct node_id primary;
    struct address address;
    int64_t tell_at; /* when all others hear of this node's new role; 0: nothing to tell */
};

struct cluster {
    struct cluster_config config;
    struct cluster_host host;
    int64_t now; /* of the input that is being worked on */
    uint64_t ticks;
    uint64_t revision;
    struct effects effects;
    struct node_table nodes;
    struct cluster_node *myself;
    struct link_table links;
    struct ownership slots;
    struct blacklist blacklist;
    struct election election;
    struct manual_failover manual;
    struct health health;
    struct role role;
    uint64_t current_epoch, last_vote_epoch;
    uint64_t gossip_marks;
    bool check_health; /* before the input's end */
    bool tell_all;     /* a PONG to all when the effects are drained */
    uint64_t lot;      /* where the generator of cluster_random_below stands */
    uint64_t sent[MESSAGE_TYPES], received[MESSAGE_TYPES];
};

/* state.c */
/* Every input begins and ends with these. */
void cluster_begin(struct cluster *cluster, int64_t now);
void cluster_settle(struct cluster *cluster);
void cluster_changed(struct cluster *cluster);        /* what a view shows */
void cluster_changed_saved(struct cluster *cluster);  /* and what nodes.conf has */
void cluster_changed_synced(struct cluster *cluster); /* and what must not be forgotten */
/* For lots and delays; not for what nobody may guess. bound > 0 */
uint64_t cluster_random_below(struct cluster *cluster, uint64_t bound);
struct node_id cluster_random_id(struct cluster *cluster);
#define cluster_log(cluster, level, ...) effects_log(&(cluster)->effects, (level), __VA_ARGS__)

/* restore.c */
bool restore_nodes(struct cluster *cluster, const struct topology *saved, struct error *error);

/* links.c */
struct cluster_link *links_find(const struct cluster *cluster, uint64_t id);
void links_connect(struct cluster *cluster, struct cluster_node *node);
void links_close(struct cluster *cluster, struct cluster_link *link);
void links_close_of(struct cluster *cluster, struct cluster_node *node); /* outbound */
void links_set_sender(
    struct cluster *cluster, struct cluster_link *link, struct cluster_node *sender);
void links_tick(struct cluster *cluster);
void links_free(struct cluster *cluster);
static inline bool node_is_connected(const struct cluster_node *node)
{
    return node->link != NULL && node->link->connected;
}

/* membership.c */
struct cluster_node *membership_start_handshake(
    struct cluster *cluster, const struct address *address, uint16_t other_port, unsigned flags);
void membership_remove(struct cluster *cluster, struct cluster_node *node);
/* Where the sender of a message can be reached, if it tells something new. */
void membership_update_address(struct cluster *cluster, struct cluster_node *node,
    const struct cluster_link *link, const struct message *message);
void membership_learn_my_ip(struct cluster *cluster, const char *local_ip);
void membership_tick(struct cluster *cluster);

/* outgoing.c */
void outgoing_ping(struct cluster *cluster, struct cluster_link *link, enum message_type type);
void outgoing_pong_to_all(struct cluster *cluster);
void outgoing_pong_to_all_soon(struct cluster *cluster); /* one, however often it is asked for */
void outgoing_pong_to_siblings(struct cluster *cluster); /* replicas of my primary */
void outgoing_ping_primaries(struct cluster *cluster);   /* at once: there is news */
void outgoing_fail(struct cluster *cluster, const struct cluster_node *node);
void outgoing_update(
    struct cluster *cluster, struct cluster_node *to, const struct cluster_node *about);
/* AUTH_REQUEST, AUTH_ACK, MFSTART: a header alone. */
void outgoing_plain(
    struct cluster *cluster, struct cluster_node *to, enum message_type type, uint8_t marks);

/* gossip.c */
/* The entries of a message to someone; *count is set. The caller frees them. */
struct message_gossip *gossip_choose(struct cluster *cluster, uint16_t *count);
void gossip_absorb(
    struct cluster *cluster, struct cluster_node *sender, const struct message *message);
void gossip_tick(struct cluster *cluster);

/* failure.c */
void failure_tick(struct cluster *cluster);
void failure_suspect(struct cluster *cluster, struct cluster_node *node);
void failure_answered(struct cluster *cluster, struct cluster_node *node); /* a PONG came */
void failure_reported(struct cluster *cluster, struct cluster_node *reporter,
    struct cluster_node *node, bool failing);
void failure_announced(
    struct cluster *cluster, const struct cluster_node *sender, const struct message *message);
int64_t failure_report_limit(const struct cluster *cluster); /* older reports do not count */

/* crash.c */
void crash_link_up(struct cluster_node *node);
void crash_answered(struct cluster_node *node);
void crash_refused(struct cluster *cluster, struct cluster_node *node);

/* health.c */
void health_check(struct cluster *cluster);

/* ownership.c */
void ownership_assign(struct cluster *cluster, unsigned slot, struct cluster_node *owner);
void ownership_clear(struct cluster *cluster, unsigned slot);
void ownership_clear_all_of(struct cluster *cluster, struct cluster_node *node);
/* The slots of the node without those that it has stopped to claim: what others may be told. */
void ownership_claims_of(
    const struct cluster *cluster, const struct cluster_node *node, struct slot_set *claims);
void ownership_set_migrating(struct cluster *cluster, unsigned slot, struct cluster_node *to);
void ownership_set_importing(struct cluster *cluster, unsigned slot, struct cluster_node *from);
void ownership_close_all(struct cluster *cluster); /* nothing migrating, nothing importing */
void ownership_forget(struct cluster *cluster, struct cluster_node *node);
/* `claimer` tells that it owns the slots since the epoch: takes over what is newer. */
void ownership_claimed(struct cluster *cluster, struct cluster_node *claimer, uint64_t epoch,
    const struct slot_set *slots);
/* Tells the sender where its claim is older than what is known here. */
void ownership_correct(struct cluster *cluster, struct cluster_node *sender, uint64_t epoch,
    const struct slot_set *slots);

/* role.c */
void role_become_replica(struct cluster *cluster, struct cluster_node *primary);
/* The same where the primary has taken this node's slots over. The news of that is the primary's,
 * and this node's comes later: a redis-server that hears it first takes the slots for nobody's and
 * says that the cluster is down. */
void role_yield(struct cluster *cluster, struct cluster_node *claimer);
void role_tick(struct cluster *cluster);
void role_become_primary(struct cluster *cluster);
void role_told(struct cluster *cluster, struct cluster_node *node, const struct message *message);
void role_set_primary(struct cluster *cluster, struct cluster_node *node);
void role_settle(struct cluster *cluster);

/* epoch.c */
void epoch_seen(
    struct cluster *cluster, struct cluster_node *sender, const struct message *message);
uint64_t epoch_highest_claim(const struct cluster *cluster); /* of all config epochs known */
uint64_t epoch_for_election(const struct cluster *cluster);  /* the next one */
bool epoch_bump(struct cluster *cluster); /* without asking anyone; false: it is the highest */
void epoch_resolve_collision(
    struct cluster *cluster, const struct cluster_node *sender, const struct message *message);

/* election.c and vote.c */
void election_settle(struct cluster *cluster);
void election_voted(struct cluster *cluster, struct cluster_node *voter, uint64_t epoch);
void election_forget(struct cluster *cluster); /* the next one need not wait for the last one */
void election_take_over(struct cluster *cluster);
void vote_asked(
    struct cluster *cluster, struct cluster_node *candidate, const struct message *message);

/* manual_failover.c */
void manual_begin(struct cluster *cluster, bool force);
void manual_asked(struct cluster *cluster, struct cluster_node *replica);
void manual_offset_told(
    struct cluster *cluster, const struct cluster_node *sender, const struct message *message);
void manual_settle(struct cluster *cluster);
void manual_end(struct cluster *cluster);

/* replica_migration.c */
void replica_migration_tick(struct cluster *cluster);

#endif
