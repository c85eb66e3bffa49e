/* Connections to other nodes that MIGRATE uses: blocking, with a time limit for each step, and kept
 * for some seconds after use, for the next one to the same place. Used by one thread at a time. */
#ifndef SERVER_COMMAND_MIGRATE_LINK_H
#define SERVER_COMMAND_MIGRATE_LINK_H

#include "common/buffer.h"

enum { MIGRATE_LINE_MAX = 1024 }; /* bytes of an answer */

struct migrate_link {
    struct migrate_link *next; /* the keeper's */
    char *host, *port;         /* owned */
    int fd;
    int64_t database;    /* selected there; -1: not known */
    int64_t idle_since;  /* monotonic ms */
    struct buffer input; /* read and not yet taken */
};

enum migrate_link_status {
    MIGRATE_LINK_OK,
    MIGRATE_LINK_TIMEOUT, /* nothing happened for timeout_ms */
    MIGRATE_LINK_BROKEN,  /* refused, closed, not understood */
};

/* One that was kept, or a new one. NULL: *status says why; timeouts and names that nobody knows are
 * both MIGRATE_LINK_TIMEOUT: the node has not been reached. */
struct migrate_link *migrate_link_open(
    const char *host, const char *port, int timeout_ms, enum migrate_link_status *status);
/* Keeps it for the next. All that was asked must have been answered. */
void migrate_link_keep(struct migrate_link *link);
void migrate_link_close(struct migrate_link *link);
int migrate_link_count(void); /* that are kept now; any thread */

/* Writes all of the bytes; takes in what the other side says meanwhile. */
enum migrate_link_status migrate_link_write(
    struct migrate_link *link, struct bytes data, int timeout_ms);
/* The next line without its end; zero-terminated. line has MIGRATE_LINE_MAX bytes. */
enum migrate_link_status migrate_link_read_line(
    struct migrate_link *link, char *line, int timeout_ms);

#endif
