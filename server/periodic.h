/* What must be done some ten times a second in the workers' threads: modules register, before the workers start. */
#ifndef SERVER_PERIODIC_H
#define SERVER_PERIODIC_H

#include "server/command/executor.h"
#include <stdbool.h>

/* everywhere: in every worker (with its number and how many there are); else in worker 0 only. */
typedef void periodic_fn(struct executor *executor, unsigned worker, unsigned workers);
void periodic_add(periodic_fn *fn, bool everywhere);

/* DEBUG PAUSE-CRON: nothing is done until it is taken back. */
void periodic_pause(bool paused);

void periodic_run(struct executor *executor, unsigned worker, unsigned workers);

#endif
