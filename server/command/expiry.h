/* Times at which keys expire, as several families judge them. */
#ifndef SERVER_COMMAND_EXPIRY_H
#define SERVER_COMMAND_EXPIRY_H

#include "server/command/call.h"

/* Whether a key that is to expire at this time (Unix time in ms) is rather deleted at once. A
 * replica and a file that is replayed do not judge what is past: the deletion comes by itself. */
bool expiry_is_past(const struct call *call, int64_t when);

#endif
