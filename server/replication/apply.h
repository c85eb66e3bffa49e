/* The primary's stream, applied to the store. Used by the link's thread alone. */
#ifndef SERVER_REPLICATION_APPLY_H
#define SERVER_REPLICATION_APPLY_H

#include "common/resp.h"
#include "server/command/executor.h"
#include "server/command/session.h"

struct applier {
    struct executor *executor;
    struct session session; /* of the primary */
    struct resp_reader reader;
    size_t parsed;  /* bytes of the input that have been run or queued by MULTI */
    int64_t offset; /* that the journal has when nobody else writes to it */
    bool wants_ack; /* the primary has asked how far we are (GETACK) */
};

enum apply_result {
    APPLY_OK,
    APPLY_STOPPED, /* the target has changed: nothing more may be applied */
    APPLY_WAIT,    /* a key is in transit: again in a moment */
    APPLY_FAILED,  /* the data cannot be what the primary has any more: a full sync is needed */
    APPLY_UNKNOWN, /* the primary sends what this server cannot do: no sync would help */
};

/* In the link's thread. */
void applier_init(struct applier *applier, struct store *store, struct journal *journal);
void applier_free(struct applier *applier);
/* A new connection: what was half received is forgotten. database: of the stream where it begins;
 * -1: it stays as it was. */
void applier_reset(struct applier *applier, int database);
/* Runs all whole commands that are in the input, in turns, takes them out of it and puts them into
 * the journal. Commands between MULTI and EXEC stay in it until EXEC has come. Where it is not
 * APPLY_OK, what was applied before is in the journal, and nothing else. */
enum apply_result applier_run(
    struct applier *applier, struct buffer *input, uint64_t generation, struct error *error);

/* The database of the stream at journal_offset(); while all turns are stopped, from any thread. */
int applier_database(void);

#endif
