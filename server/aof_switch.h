/* The append-only file is turned on and off while the server runs: by CONFIG SET appendonly, and
 * around a full sync. One at a time; and turning it off may wait for a disk that fails, so that is
 * no worker's to do. */
#ifndef SERVER_AOF_SWITCH_H
#define SERVER_AOF_SWITCH_H

#include "common/error.h"
#include "server/journal/aof.h"

/* For a disk that fails while the AOF is turned off. */
enum { AOF_STOP_MS = 10 * 1000 };

void aof_switch_open(struct aof *aof);

/* appendonly has become yes, or no. Does not block: where it is being turned off at the moment, yes
 * is refused; no is done by a background job, which looks again whether it is still wanted. */
bool aof_switch_on(struct error *error);
void aof_switch_off_soon(void);
/* Whether such a job is under way. */
bool aof_switch_is_busy(void);
/* The same, and if so, done(arg) is called at its end, in its thread. */
bool aof_switch_wait(void (*done)(void *arg), void *arg);

/* Turns it off: writes and syncs what the journal has, and nothing after it; other threads may go on.
 * Blocks, at most AOF_STOP_MS and as long again for whoever is at it. */
bool aof_switch_off(struct error *error);
/* Off and on again, where appendonly is yes: the data is not what is in its files. Blocks. */
bool aof_switch_restart(struct error *error);

#endif
