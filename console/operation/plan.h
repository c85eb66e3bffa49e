/* A plan: what an operation will do, as a plain value that can be shown, saved, and run later. It
 * holds no pointers into the model. */
#ifndef CONSOLE_OPERATION_PLAN_H
#define CONSOLE_OPERATION_PLAN_H

#include "common/buffer.h"
#include "common/error.h"
#include "common/topology.h"
#include <jansson.h>

struct model;

enum plan_kind { PLAN_CREATE, PLAN_RESHARD, PLAN_FAILOVER };
enum plan_failover_mode { PLAN_FAILOVER_PLAIN, PLAN_FAILOVER_FORCE, PLAN_FAILOVER_TAKEOVER };

/* A node as the plan names it. */
struct plan_node {
    struct node_id id;
    struct address address;
    char name[64];  /* for the eye */
    char letter[4]; /* its shard's; empty: none */
    bool primary;
    unsigned slots_before, slots_after;
};

enum plan_step_kind {
    PLAN_ADD_SLOTS,     /* node gets slots that nobody has */
    PLAN_SET_EPOCH,     /* node gets config epoch `count` */
    PLAN_MEET,          /* node meets peer */
    PLAN_AGREE,         /* wait until all nodes tell the same */
    PLAN_REPLICATE,     /* node becomes replica of peer */
    PLAN_PUT_BACK,      /* slots of the node are closed there; their move has no target any more */
    PLAN_MOVE,          /* slots go from peer to node */
    PLAN_FAILOVER_STEP, /* node takes over from peer */
    PLAN_WAIT_OK,       /* wait until all nodes say cluster_state:ok */
};

enum { PLAN_STEP_KINDS = PLAN_WAIT_OK + 1, PLAN_NO_NODE = -1 };

struct plan_step {
    enum plan_step_kind kind;
    int node, peer; /* indexes in nodes; PLAN_NO_NODE where the kind has none */
    uint64_t count;
    struct slot_set *slots; /* owned; NULL where the kind has none */
    int64_t keys, bytes;    /* of the slots, as far as known; -1: not known; bytes are estimated */
    bool resumed;           /* a move that was under way before */
};

struct plan {
    enum plan_kind kind;
    struct plan_node *nodes; /* owned */
    size_t node_count;
    struct plan_step *steps; /* owned */
    size_t step_count;
    enum plan_failover_mode mode; /* of a failover */
    bool replace;     /* of a reshard: keys that the target has already are overwritten */
    int64_t seconds;  /* about how long, for the eye; -1: not known */
    char notes[1024]; /* lines ('\n' after each) that a person should read before yes; may be empty
                       */
};

void plan_free(struct plan *plan); /* makes it all zeroes */

/* --- Making plans. On failure nothing is allocated, and the error says what would be right. --- */

/* Nodes must be seeds of the model, polled once (model_refresh). Refuses nodes that don't answer,
 * hold keys, slots or other nodes, and numbers that make fewer than 3 primaries. Primaries are
 * chosen over as many hosts as there are, and replicas on other hosts than their primary where
 * possible. */
bool plan_create(const struct model *model, const struct address *nodes, size_t count,
    unsigned replicas, struct plan *plan, struct error *error);

struct plan_reshard_request {
    const int *from;   /* nodes of the model (any node of a shard stands for its primary) */
    size_t from_count; /* 0: all primaries but the target; not with ranges */
    int to;
    unsigned slots; /* how many; 0: as ranges says */
    const struct slot_set
        *ranges; /* NULL: as slots says. Slots that `to` has already are left out */
    bool replace;
};
/* Also takes up open slots that are on their way to `to`, or to a node that follows `to` now. A
 * slot whose way leads nowhere any more may go to anyone, or be put back to its owner: to. keys of
 * the steps come from model->slot_keys where counted, else from the owner's average. */
bool plan_reshard(const struct model *model, const struct plan_reshard_request *request,
    struct plan *plan, struct error *error);

/* node: a replica, or a primary, whose best replica (least lag, answering) is taken. */
bool plan_failover(const struct model *model, int node, enum plan_failover_mode mode,
    struct plan *plan, struct error *error);

/* --- Showing plans --- */

/* One sentence: "move 1000 slots (1,840 keys, about 180 KB) from A 7001 to C 7003". No line end. */
void plan_write_summary(const struct plan *plan, struct buffer *out);
/* One step as a line, without line end. */
void plan_write_step(const struct plan *plan, size_t step, struct buffer *out);
/* Summary, steps and notes, a line each. */
void plan_write_text(const struct plan *plan, struct buffer *out);
/* The line for `slotctl batch` that does this, without line end; IDs and ranges are written out. */
void plan_write_command(const struct plan *plan, struct buffer *out);
json_t *plan_to_json(const struct plan *plan); /* the caller owns it */

unsigned plan_slot_count(const struct plan *plan); /* that move */
int64_t plan_key_count(const struct plan *plan);   /* that move; -1: not known */

#endif
