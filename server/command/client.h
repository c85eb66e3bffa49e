/* What CLIENT and HELLO share. */
#ifndef SERVER_COMMAND_CLIENT_H
#define SERVER_COMMAND_CLIENT_H

#include "server/command/call.h"

/* No spaces, line ends or anything else that CLIENT LIST could not show; else the error is written. */
bool client_name_is_valid(struct call *call, struct bytes name);
void client_set_name(struct session *session, struct bytes name); /* empty: none */

#endif
