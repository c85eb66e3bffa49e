/* What one node says of all: its CLUSTER NODES, kept small, because a cluster of n nodes has n of
 * these with n lines each. */
#ifndef CONSOLE_MODEL_VIEW_H
#define CONSOLE_MODEL_VIEW_H

#include "common/topology.h"

struct model_view_line {
    struct node_id id;
    struct node_id primary; /* empty: none */
    struct address address;
    unsigned flags; /* of enum node_flag */
    uint64_t config_epoch;
    int64_t pong_received; /* milliseconds since 1970; 0: never (or the node itself) */
    bool connected;
};

/* Slots that the view gives to a line. */
struct model_view_range {
    uint16_t first, last; /* both included */
    uint32_t line;
};

struct model_view {
    struct model_view_line *lines; /* owned */
    size_t line_count;
    struct model_view_range *ranges; /* owned; in the order of lines */
    size_t range_count;
    struct topology_move *moves; /* owned; of the node itself */
    size_t move_count;
    size_t self;                     /* line of the node itself */
    char hostname[ADDRESS_HOST_MAX]; /* its own; empty: none */
};

/* Takes the answer to CLUSTER NODES. On failure nothing is allocated. */
bool model_view_parse(struct bytes text, struct model_view *view, struct error *error);
void model_view_free(struct model_view *view); /* makes it all zeroes */
/* The line of an ID; NULL: not known to that node. */
const struct model_view_line *model_view_find(
    const struct model_view *view, const struct node_id *id);

#endif
