/* Clusters in one process: state machines of server/cluster under a virtual clock and a virtual
 * network, with everything that happens drawn from one seed.
 *
 * The network carries what TCP carries: a connection delivers in order or breaks; a lost packet is
 * a delay for all that is behind it; a cut holds what was sent until it is healed. A killed process
 * has its connections closed and new ones refused by its kernel; a host that lost its power is
 * silent. Replication is a number that grows at primaries and is followed by replicas. */
#ifndef TESTS_SUPPORT_SIMULATION_H
#define TESTS_SUPPORT_SIMULATION_H

#include "server/cluster/cluster.h"

enum {
    SIM_NODES_MAX = 24,
    SIM_REASON_MAX = 256,
    SIM_PORT = 7000,
    SIM_BUS_PORT = 17000,
    SIM_SYNC_TIME = 500, /* ms until a replica is in sync */
    SIM_TIMEOUT = 5000,  /* node timeout of sim_small */
};

struct sim;

struct sim_options {
    uint64_t seed;
    unsigned nodes, primaries;
    int64_t node_timeout;
    int64_t delay_max; /* ms of a packet, at least 1 */
    unsigned loss;     /* of 1000 packets are sent again */
    int migration_barrier;
};

struct sim *sim_create(const struct sim_options *options); /* starts all nodes, each alone */
void sim_free(struct sim *sim);
/* Slots, epochs, meetings and replicas as redis-cli --cluster create does it; returns when everyone
 * agrees. */
void sim_form(struct sim *sim);

/* One that is formed already, on a good network. Node n >= primaries is a replica of node
 * n % primaries. */
struct sim *sim_small(unsigned nodes, unsigned primaries, uint64_t seed);
const struct sim_options *sim_options(const struct sim *sim);

int64_t sim_now(const struct sim *sim);
uint64_t sim_random(struct sim *sim, uint64_t bound);
bool sim_is_settled(struct sim *sim);             /* all run, agree, and see no failure */
bool sim_settles(struct sim *sim, int64_t limit); /* runs until it is */
char *sim_reason(struct sim *sim); /* why it is not settled, or what the conflict is */
/* Two primaries that run and claim one slot with one epoch: what must never be. */
bool sim_has_conflict(struct sim *sim);

void sim_run(struct sim *sim, int64_t ms);
/* Runs until the condition holds, 10 ms at a time; false where it does not within limit ms. */
bool sim_run_until(
    struct sim *sim, bool (*holds)(struct sim *sim, void *context), void *context, int64_t limit);

struct cluster *sim_cluster(struct sim *sim, unsigned node);
struct cluster_node *sim_known(struct sim *sim, unsigned at, unsigned node); /* as `at` has it */
bool sim_leads(struct sim *sim, unsigned node); /* a primary with slots, as it sees itself */
bool sim_runs(struct sim *sim, unsigned node);  /* neither killed nor paused */
bool sim_is_up(struct sim *sim, unsigned node); /* not killed */
unsigned sim_index(struct sim *sim, const struct node_id *id);
uint64_t sim_offset(struct sim *sim, unsigned node);
bool sim_has_keys(struct sim *sim, unsigned node, unsigned slot);
void sim_set_keys(struct sim *sim, unsigned node, unsigned slot, bool keys);
bool sim_writes_are_paused(struct sim *sim, unsigned node);

void sim_kill(struct sim *sim, unsigned node); /* SIGKILL: the kernel goes on */
/* The host goes, and with it what was not synced. */
void sim_cut_power(struct sim *sim, unsigned node);
void sim_start(struct sim *sim, unsigned node);
void sim_pause(struct sim *sim, unsigned node); /* SIGSTOP */
void sim_resume(struct sim *sim, unsigned node);
void sim_cut(struct sim *sim, unsigned from, unsigned to, bool cut); /* one way */
void sim_isolate(struct sim *sim, unsigned node);                    /* both ways, from all */
void sim_heal(struct sim *sim);
void sim_reset_connections(struct sim *sim, unsigned node);
/* From now on the address refuses connections although the process runs (a firewall). */
void sim_refuse(struct sim *sim, unsigned node, bool refuse);
/* The connections that it tries to make get no answer. */
void sim_mute(struct sim *sim, unsigned node, bool mute);

/* The effects of a call on sim_cluster() are carried out with this. */
void sim_drain(struct sim *sim, unsigned node);

#endif
