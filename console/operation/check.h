/* What is wrong with the cluster, as findings: made from the model, changes nothing. */
#ifndef CONSOLE_OPERATION_CHECK_H
#define CONSOLE_OPERATION_CHECK_H

#include "common/slot.h"
#include <jansson.h>

struct model;

enum check_severity { CHECK_NOTE, CHECK_WARNING, CHECK_PROBLEM };

enum check_kind {
    CHECK_UNREACHABLE,     /* a node doesn't answer */
    CHECK_FAILED,          /* the cluster says fail */
    CHECK_UNCOVERED,       /* slots without an owner */
    CHECK_NOT_SERVED,      /* slots whose owner is down */
    CHECK_OPEN,            /* slots migrating or importing */
    CHECK_DISPUTED,        /* nodes name different owners */
    CHECK_DISAGREEING,     /* nodes that don't know each other, or think different things of one */
    CHECK_NO_REPLICA,      /* a primary without (working) replicas */
    CHECK_REPLICA_LINK,    /* a replica without link to its primary */
    CHECK_EPOCH_COLLISION, /* two primaries with one config epoch */
    CHECK_STATE,           /* a node that answers says cluster_state:fail */
};

struct check_finding {
    enum check_kind kind;
    enum check_severity severity;
    char node[64];          /* name of the node it is about; empty: none */
    struct slot_set *slots; /* owned; NULL: not about slots */
    char text[512];         /* a sentence */
    char repair[512];       /* the command that repairs it; empty: none does */
};

struct check {
    struct check_finding *findings; /* owned; worst first */
    size_t count;
    unsigned problems, warnings;
    size_t capacity;
};

/* The model must have had a complete round. */
void check_build(const struct model *model, struct check *check);
void check_free(struct check *check);
const char *check_kind_text(enum check_kind kind);
const char *check_severity_text(enum check_severity severity);
json_t *check_to_json(const struct check *check); /* array; the caller owns it */

#endif
