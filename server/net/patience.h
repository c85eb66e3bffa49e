/* How eager a worker is to run when something comes for it. One of several that serve the same load
 * finds but its share of the requests each time it wakes up, and every waking costs about as much
 * as a request. So a busy worker with many connections becomes patient: it does not push aside the
 * thread that has just sent it a request, which then sends more. */
#ifndef SERVER_NET_PATIENCE_H
#define SERVER_NET_PATIENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeroes at first. Owner: the worker. */
struct patience {
    bool patient;
    unsigned calm;  /* ticks since there was enough to do */
    uint64_t reads; /* at the last look */
};

/* Ten times a second, in the worker's thread. `reads`: of its clients' sockets, since the start. */
void patience_tick(struct patience *patience, size_t connections, uint64_t reads);

#endif
