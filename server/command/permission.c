#include "server/command/permission.h"

#include <string.h>

static bool comes_from_here(const struct session *session)
{
    return session->flags & SESSION_UNIX_SOCKET || strncmp(session->peer, "127.", 4) == 0 ||
           strncmp(session->peer, "[::1]:", 6) == 0 || strncmp(session->peer, "::1:", 4) == 0;
}

bool permission_has(const struct session *session, enum config_id directive)
{
    int64_t who = config_number(directive);
    return who == CONFIG_ANYONE || (who == CONFIG_LOCAL && comes_from_here(session));
}
