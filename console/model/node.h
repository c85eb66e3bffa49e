/* What the model knows of one node: what it says of itself, and what it says of the others. */
#ifndef CONSOLE_MODEL_NODE_H
#define CONSOLE_MODEL_NODE_H

#include "console/model/view.h"
#include <stdint.h>

enum { MODEL_HISTORY = 120, MODEL_VERSION_MAX = 48 };

/* How a node is, worst last. */
enum model_health {
    MODEL_UNKNOWN,   /* not asked yet */
    MODEL_UP,        /* answers us, and nobody doubts it */
    MODEL_LOADING,   /* answers, but is still reading its data or waits for its primary */
    MODEL_SUSPECTED, /* some node thinks it may be down (pfail) */
    MODEL_SILENT,    /* doesn't answer us (any more), while the cluster hasn't said fail */
    MODEL_FAILED,    /* the cluster says fail */
};

/* A ring of samples, one for each poll; the newest is at [(next - 1) mod MODEL_HISTORY]. */
struct model_history {
    float samples[MODEL_HISTORY];
    unsigned next, count;
};
/* The sample `ago` polls ago (0: the newest); 0 where there is none. */
float model_history_at(const struct model_history *history, unsigned ago);
void model_history_add(struct model_history *history, double sample);

/* From INFO; -1 where the node doesn't say. */
struct model_figures {
    int64_t keys, expires;
    int64_t memory, memory_peak, memory_max, memory_rss; /* bytes; max 0: no limit */
    int64_t dataset;                                     /* bytes of keys and values alone */
    int64_t clients, connections_total;
    int64_t commands_total, hits, misses;
    int64_t
        offset; /* the replication offset: master_repl_offset, of a replica what it has processed */
    int64_t uptime;                    /* seconds */
    int64_t input_bytes, output_bytes; /* totals */
    bool loading, syncing;             /* reading its data; getting a full sync */
    bool link_up;                      /* a replica's link to its primary */
    int64_t link_down_for;             /* seconds; -1: up or never */
    int64_t link_idle;                 /* seconds since the primary was last heard */
    char version[MODEL_VERSION_MAX];   /* "slotd 0.1.0", "redis 7.0.15" */
};

struct model_node {
    struct node_id id;      /* empty: a seed that hasn't answered yet */
    struct address address; /* where we reach it */
    char hostname[ADDRESS_HOST_MAX];

    bool replica;
    struct node_id primary; /* of a replica */
    uint64_t config_epoch;
    struct slot_set slots; /* that it owns by the model's judgement */
    unsigned slot_count;
    int shard; /* index in model->shards; -1: in none (unknown, a handshake) */

    enum model_health health;
    int64_t health_since; /* client_now() when it became so */
    char trouble[256];    /* why it doesn't answer; empty where it does */
    int64_t lost_at;      /* client_now() when it was lost (silent or failed); 0: it isn't */
    int64_t heard_at;     /* client_now() of the last answer; 0: never */
    int64_t latency_us;   /* of the last PING-like request; -1: none */
    bool no_failover;

    bool has_view;     /* view holds what it said at view_at */
    int64_t view_at;   /* client_now() */
    int64_t view_wall; /* client_wall_clock(): what the view's pong times are measured against */
    struct model_view view; /* what it says of all */
    bool says_ok;           /* its cluster_state */
    uint64_t says_epoch;    /* its current epoch */
    bool seed;              /* a user named it: it stays, whoever knows it */

    struct model_figures figures; /* good where figures_at isn't 0; as old as that */
    int64_t figures_at;           /* client_now() */
    struct model_figures rated;   /* what the rates are measured from */
    int64_t rated_at;             /* client_now() */
    int64_t own_requests; /* of the console, answered since rated_at: they are no operations */
    double ops; /* operations a second between the last two polls; the model's own requests taken
                   off */
    double input_rate, output_rate; /* bytes a second */
    int64_t lag;                    /* of a replica: bytes behind its primary; -1: not known */
    struct model_history ops_history, latency_history; /* latency in ms */
    struct model_probe *probe; /* the poll's own: its connection and timer; NULL: not polled */
};

/* True where the node answered within the last `ms`. */
bool model_node_is_fresh(const struct model_node *node, int64_t now, int64_t ms);
/* Silent or failed: it can't be asked for anything. */
bool model_node_is_lost(const struct model_node *node);
/* "up", "loading", "suspected", "silent", "failed", "unknown" */
const char *model_health_text(enum model_health health);

#endif
