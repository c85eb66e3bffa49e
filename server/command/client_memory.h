/* What clients take, and how much they lately sent or were sent at once: looked at once a second.
 */
#ifndef SERVER_COMMAND_CLIENT_MEMORY_H
#define SERVER_COMMAND_CLIENT_MEMORY_H

/* Registers the look and what INFO tells of it; after config_load, before any thread. */
void client_memory_init(void);

#endif
