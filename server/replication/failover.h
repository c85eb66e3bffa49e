/* FAILOVER without a cluster: a primary hands over to one of its replicas, with no write lost. */
#ifndef SERVER_REPLICATION_FAILOVER_H
#define SERVER_REPLICATION_FAILOVER_H

#include <stdbool.h>

void failover_open(void);
/* All of them from any thread. */
bool failover_is_on(void);
const char *failover_state(void); /* as INFO names it */
/* From the link's thread: the target has taken over; it does not want to. Nothing where no failover
 * is on. */
void failover_succeeded(void);
void failover_refused(const char *reason);

#endif
