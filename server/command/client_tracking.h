/* The subcommands of CLIENT for client-side caching, and what CLIENT LIST shows of it. */
#ifndef SERVER_COMMAND_CLIENT_TRACKING_H
#define SERVER_COMMAND_CLIENT_TRACKING_H

#include "server/command/call.h"

void client_tracking(struct call *call);
void client_trackinginfo(struct call *call);
void client_caching(struct call *call);
void client_getredir(struct call *call);

/* -1: does not track; 0: is told itself; else who is told for it. */
int64_t client_redirect_of(const struct session *session);

#endif
