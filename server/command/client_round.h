/* The subcommands of CLIENT that are about all clients, or those that filters choose. They park the
 * session that asks; where it cannot be parked they are refused. */
#ifndef SERVER_COMMAND_CLIENT_ROUND_H
#define SERVER_COMMAND_CLIENT_ROUND_H

#include "server/command/call.h"

void client_list(struct call *call);
void client_kill(struct call *call);

#endif
