/* Whether a user may run a request. */
#ifndef SERVER_COMMAND_ACL_CHECK_H
#define SERVER_COMMAND_ACL_CHECK_H

#include "server/command/acl_user.h"
#include "server/command/command.h"

/* In the order of how much a denial says: of several selectors that deny, the last of these is
 * told. */
enum acl_verdict { ACL_ALLOWED, ACL_DENIED_COMMAND, ACL_DENIED_KEY, ACL_DENIED_CHANNEL };

/* Asks one selector after the other whether it allows the command, all its keys and all its
 * channels. *position is the argument that was denied (of a command: 0). Before any arity is known
 * to be right nothing may be asked. */
enum acl_verdict acl_check(const struct acl_user *user, const struct command_entry *entry,
    const struct bytes *argv, int argc, int *position);
/* Whether a selector allows the request and to read any key besides: SORT's patterns. */
bool acl_check_reads_all(const struct acl_user *user, const struct command_entry *entry,
    const struct bytes *argv, int argc);
/* Whether a selector allows to hear the channel, or what matches the pattern. */
bool acl_check_channel(const struct acl_user *user, struct bytes channel, bool is_pattern);

#endif
