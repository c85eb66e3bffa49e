/* Expiry in the background: a primary removes keys whose time has come, a little at a time. */
#ifndef SERVER_COMMAND_EXPIRE_H
#define SERVER_COMMAND_EXPIRE_H

#include <stdbool.h>

/* Registers the work with the workers' clocks. Before they start. */
void expire_start(void);
/* DEBUG SET-ACTIVE-EXPIRE: off, keys are removed only when somebody asks for them. */
void expire_set_active(bool on);

#endif
