/* What clients take, and how much they lately sent or were sent at once: looked at once a second.
 */
#ifndef SERVER_COMMAND_CLIENT_MEMORY_H
#define SERVER_COMMAND_CLIENT_MEMORY_H

#include "server/command/session.h"

/* Under maxmemory-clients: the session's buffers have changed; in its worker. */
void client_memory_note(struct session *session);
/* The session is being closed; in its worker. */
void client_memory_forget(struct session *session);
/* At the end of a turn: where all clients together take more than maxmemory-clients, the largest
 * are closed, soon, until they do not. One load where there is no limit. */
void client_memory_enforce(struct executor *executor);

/* Registers the look and what INFO tells of it; after config_load, before any thread. */
void client_memory_init(void);

#endif
