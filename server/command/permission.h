/* What a directive allows to nobody, to everybody, or to clients on this machine: the
 * enable-*-command and enable-protected-configs directives. */
#ifndef SERVER_COMMAND_PERMISSION_H
#define SERVER_COMMAND_PERMISSION_H

#include "server/command/session.h"
#include "server/config.h"

/* directive: one whose value is an enum config_permission. In the session's thread. */
bool permission_has(const struct session *session, enum config_id directive);

#endif
