/* The cluster as it is now, put together from what every node says. It polls all nodes that any of
 * them knows, each for CLUSTER NODES, CLUSTER INFO and INFO, merges the views, and tells whoever
 * watches. One thread (the client's loop); readers read the fields between two turns of the loop.
 * Indexes of nodes and shards are good until the next change; keep node IDs across changes. */
#ifndef CONSOLE_MODEL_MODEL_H
#define CONSOLE_MODEL_MODEL_H

#include "common/buffer.h"
#include "common/error.h"
#include "console/model/event.h"
#include "console/model/node.h"

struct client;
struct client_node;
struct model_poll;

enum {
    MODEL_NODES_MAX = 2000,
    MODEL_NOBODY = -1,
    MODEL_KEYS_UNKNOWN = -1,
    MODEL_REPLICAS_MAX = 64, /* of one shard, in the shard's list */
};

/* One slot by the judgement of all views: the owner is whoever claims it with the highest epoch. */
struct model_slot {
    int16_t owner; /* index in nodes, or MODEL_NOBODY */
    int16_t
        migrating_to; /* the owner (or another) says: on its way to this node; MODEL_NOBODY: not */
    int16_t importing_at; /* this node says: it's on its way to me; MODEL_NOBODY: none */
    int16_t source; /* who says migrating, or from whom the importer expects it; MODEL_NOBODY */
    bool disputed;  /* nodes that answer name different owners */
    bool served;    /* it has an owner, and that one isn't failed or silent */
};

/* A primary with its replicas. Shards keep letter and place for as long as the model lives: after a
 * failover the same shard has another primary. */
struct model_shard {
    char letter[4];                  /* "A" ... "Z", "AA" ... by lowest slot at first sight */
    unsigned number;                 /* 0, 1, 2 ...: the colour */
    int primary;                     /* index in nodes; MODEL_NOBODY where none is left */
    int members[MODEL_REPLICAS_MAX]; /* indexes of the others, by address: replicas, and primaries
                                        of the past */
    unsigned member_count;
    unsigned slot_count;
    int first_slot;       /* lowest; -1: none */
    int64_t keys, memory; /* of the primary */
    double ops;           /* of all its nodes */
    struct model_history ops_history;
};

enum model_level { MODEL_WAITING, MODEL_OK, MODEL_WARNING, MODEL_FAIL };

/* The first line: MODEL_WAITING until all nodes were asked once. */
struct model_verdict {
    enum model_level level;
    int64_t since;  /* client_now() when this level began */
    char text[320]; /* "slots 0-5460 not served: 7001 down 12 s, no replica"; empty for OK */
};

struct model_options {
    int64_t interval_ms; /* between two polls of a node; 0: 1000 */
    int64_t limit_ms;    /* of a poll's requests; 0: 2000 */
};

struct model {
    struct model_node **nodes; /* by address; seeds that never answered are among them */
    size_t node_count;
    int *by_id; /* model's own: indexes of nodes, ordered by ID */
    struct model_shard *shards;
    size_t shard_count;
    struct model_slot slots[SLOT_COUNT];
    int32_t slot_keys[SLOT_COUNT];    /* as counted last, see keys.h; or MODEL_KEYS_UNKNOWN */
    int64_t slot_keys_at[SLOT_COUNT]; /* client_now(); 0: never */

    unsigned covered, served, disputed,
        open;             /* slots: with an owner, served, with two, migrating or importing */
    int64_t keys, memory; /* sums over primaries (keys) and over all nodes (memory) */
    double ops;
    struct model_history ops_history;
    uint64_t epoch; /* the highest current epoch that any node tells */
    struct model_verdict verdict;
    struct model_log log;

    uint64_t change;        /* counts merges; a reader that saw this number has seen all */
    uint64_t rounds;        /* complete rounds: every known node answered or ran into its limit */
    int64_t disputed_since; /* client_now(); 0: not */
    struct model_lineage *lineage;             /* model's own: which node was in which shard */
    struct model_pending_moves *pending_moves; /* model's own: slots that moved, not told yet */
    struct model_poll *poll;                   /* model's own: connections and timers */
};

/* Nothing is sent before model_start. The seeds are copied. */
struct model *model_new(struct client *client, const struct address *seeds, size_t seed_count,
    const struct model_options *options);
void model_free(struct model *model); /* NULL is fine; not from inside its callback */

/* Polls from now on, at the interval. */
void model_start(struct model *model);
/* Asks all nodes at once, now, where no answer of them is under way. */
void model_poll_now(struct model *model);
/* Called after each merge and each event; one watcher at a time may be set (NULL: none). */
void model_watch(struct model *model, void (*changed)(void *context), void *context);
/* Adds a node to ask (a user typed it). */
void model_add_seed(struct model *model, const struct address *address);

/* The same, and says what model->rounds will be, at least, when all have answered since now. */
uint64_t model_request_round(struct model *model);

/* For one-shot code: starts polling where it wasn't started and runs the loop until a new complete
 * round. False and an error that names the first failure where no node answered at all. */
bool model_refresh(struct model *model, struct error *error);

/* A connection to the node for other requests than the model's polls (CLUSTER COUNTKEYSINSLOT, a
 * command typed by the user); owned by the model; NULL for an index out of range. */
struct client_node *model_connection(struct model *model, int node);
struct client *model_client(const struct model *model);

/* Finds by address ("127.0.0.1:7001", ":7001", "7001" where unambiguous) or by any unambiguous
 * start of an ID; index, or MODEL_NOBODY with an error that says what would be right. */
int model_find_node(const struct model *model, struct bytes name, struct error *error);
int model_find_id(const struct model *model, const struct node_id *id); /* MODEL_NOBODY: none */
/* The shard in which the node is, by letter or by the name of a node; or MODEL_NOBODY. */
int model_find_shard(const struct model *model, struct bytes name, struct error *error);

/* The short name for the eye: the port alone where all nodes share a host, else ip:port; an ID's
 * first 8 digits where the address isn't known. Returns name. size 64 is always enough. */
const char *model_node_name(const struct model *model, int node, char *name, size_t size);

/* "0-99,200" of a set; at most `most` ranges, then ",..."; 0: all. */
void model_write_ranges(const struct slot_set *set, unsigned most, struct buffer *out);
/* Milliseconds for the eye: "38 ms", "0.6 s", "12 s", "3 min", "2 h", "4 d"; returns text. size 24
 * is enough. */
const char *model_write_age(int64_t ms, char *text, size_t size);

/* Who thinks what of whom: one cell of the matrix. */
enum model_opinion {
    MODEL_THINKS_NOTHING, /* no view of that node, or it doesn't know the other */
    MODEL_THINKS_SELF,
    MODEL_THINKS_OK,
    MODEL_THINKS_NO_LINK, /* ok, but its bus link is down */
    MODEL_THINKS_HANDSHAKE,
    MODEL_THINKS_PFAIL,
    MODEL_THINKS_FAIL,
};
/* pong_age: milliseconds since `from` last heard of `about`, at the time of its view; -1: not told.
 */
enum model_opinion model_opinion(const struct model *model, int from, int about, int64_t *pong_age);
const char *model_opinion_text(enum model_opinion opinion); /* "ok", "pfail", ... */

#endif
