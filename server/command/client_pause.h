/* The subcommands of CLIENT for pauses; condition.h has what a pause is. */
#ifndef SERVER_COMMAND_CLIENT_PAUSE_H
#define SERVER_COMMAND_CLIENT_PAUSE_H

#include "server/command/call.h"

/* Parks the session until the pause has begun, when no command that it forbids is under way. Where it
 * cannot be parked it is answered at once, and the pause begins behind its turn. */
void client_pause(struct call *call);
void client_unpause(struct call *call);

#endif
