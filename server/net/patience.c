/* The kernel's name for it is SCHED_BATCH: the thread has its full share of the processor and only
 * waits its turn, at most to the end of the running one's slice. With few connections there is
 * nothing to gather, and a client that waits for each answer would pay for it with latency where
 * other programs want the processor too: such a worker stays as it is. */
#include "server/net/patience.h"

#include <sched.h>

enum {
    MANY_CONNECTIONS = 16,
    MANY_READS = 500, /* between two ticks */
    CALM_TICKS = 10,  /* without so many, and the worker is eager again */
};

/* A thread to which somebody has given another policy keeps it. */
static bool change_policy(int from, int to)
{
    return sched_getscheduler(0) == from &&
           sched_setscheduler(0, to, &(struct sched_param){ 0 }) == 0;
}

void patience_tick(struct patience *patience, size_t connections, uint64_t reads)
{
    uint64_t done = reads - patience->reads;
    patience->reads = reads;
    bool busy = connections >= MANY_CONNECTIONS && done >= MANY_READS;
    patience->calm = busy ? 0 : patience->calm + 1;
    bool patient = busy || (patience->patient && patience->calm < CALM_TICKS);
    if (patient == patience->patient)
        return;
    if (change_policy(patient ? SCHED_OTHER : SCHED_BATCH, patient ? SCHED_BATCH : SCHED_OTHER))
        patience->patient = patient;
}
