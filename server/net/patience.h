/* How eager a worker is to run when something comes for it. Every waking costs about a quarter of
 * what a request with its two system calls does, and a worker that is faster than its clients finds
 * only one or two of them each time. That is right while the processor has time to spare: nobody
 * waits longer than he must. When it has not, the worker becomes patient: after a turn that found
 * few it rests until some more should have come, and when it is woken it does not push aside the
 * thread that has just sent it something, which then sends more (SCHED_BATCH). */
#ifndef SERVER_NET_PATIENCE_H
#define SERVER_NET_PATIENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeroes at first. Owner: the worker. */
struct patience {
    int schedstat;   /* what the kernel tells of the thread's time; 0: not opened, -1: there is none */
    size_t enough;   /* clients to find in a turn */
    int64_t rest_ns; /* after a turn that found fewer; 0: the worker is eager */
    /* As they were at the last tick. */
    int64_t at_ns;
    uint64_t wanted_ns;
    uint64_t reads;
};

/* What a worker has to do, and with how many others it shares the load. */
struct patience_load {
    unsigned workers;
    size_t connections;
    uint64_t reads; /* of its clients' sockets, since the start */
};

/* Some ten times a second, in the worker's thread. */
void patience_tick(struct patience *patience, struct patience_load load);

/* At the end of a turn with nothing left to do, no lock held. found: clients that had sent
 * something. Sleeps for 0.2 ms at most. */
void patience_rest(const struct patience *patience, size_t found);

#endif
