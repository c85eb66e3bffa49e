/* ACL LOG: what was denied lately, the newest first, and how often. Any thread. */
#ifndef SERVER_COMMAND_ACL_LOG_H
#define SERVER_COMMAND_ACL_LOG_H

#include "server/command/call.h"

enum acl_reason { ACL_REASON_COMMAND, ACL_REASON_KEY, ACL_REASON_CHANNEL, ACL_REASON_AUTH };
enum acl_context { ACL_TOPLEVEL, ACL_IN_MULTI, ACL_IN_SCRIPT };

/* Counts and notes a denial; in the session's thread. Like ones of the last minute become one
 * entry. The object and the name are kept up to a length that no client can make harmful. */
void acl_log_add(const struct session *session, enum acl_reason reason, enum acl_context context,
    struct bytes object, struct bytes user);
/* The newest `count` entries, as ACL LOG replies them. */
void acl_log_reply(struct call *call, size_t count);
void acl_log_reset(void);
/* INFO's counters of denials; before any thread. */
void acl_log_init(void);
/* CONFIG RESETSTAT. */
void acl_log_reset_counters(void);

#endif
