/* What an RDB file says of the moment that it is a picture of. */
#ifndef SERVER_REPLICATION_ORIGIN_H
#define SERVER_REPLICATION_ORIGIN_H

#include "server/journal/journal.h"

struct origin {
    char id[JOURNAL_ID_LEN + 1]; /* the history; empty: the file does not say */
    int64_t offset;              /* in it */
    int database;                /* that the stream is in there; -1: it begins with a SELECT */
};

/* Reads the fields at the start of the file. False: there is no such file, or it is none. */
bool origin_read(const char *path, struct origin *origin);

#endif
