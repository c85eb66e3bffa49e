/* What a session may: the question that is asked of every request, when it comes, when EXEC runs
 * it, and when a script calls it. A session without an account (my primary's stream, a file that is
 * replayed, who stands in for a client that waited) may do all. In the session's thread and turn,
 * of a request whose arity is right. */
#ifndef SERVER_COMMAND_ACL_ACCESS_H
#define SERVER_COMMAND_ACL_ACCESS_H

#include "server/command/acl_log.h"
#include "server/command/acl_users.h"

/* Notes what it denies in ACL LOG. */
enum acl_verdict acl_ask_slowly(struct session *session, const struct command_entry *entry,
    const struct bytes *argv, int argc, enum acl_context context);
static inline enum acl_verdict acl_ask(struct session *session, const struct command_entry *entry,
    const struct bytes *argv, int argc, enum acl_context context)
{
    if (__builtin_expect(acl_session_may_all(session), 1))
        return ACL_ALLOWED;
    return acl_ask_slowly(session, entry, argv, argc, context);
}

/* For dispatch: writes the error. */
bool acl_allows_request(
    struct session *session, const struct command_entry *entry, const struct bytes *argv, int argc);
/* For EXEC, of a command that was allowed when it was queued: writes the error. */
bool acl_allows_queued(
    struct session *session, const struct command_entry *entry, const struct bytes *argv, int argc);
/* For redis.call, with the session of who runs the script: NULL, or why not, without a
 * code. */
const char *acl_refuse_in_script(
    struct session *session, const struct command_entry *entry, const struct bytes *argv, int argc);
/* For redis.acl_check_cmd: notes nothing. */
bool acl_may_call(const struct session *session, const struct command_entry *entry,
    const struct bytes *argv, int argc);
/* For SORT, whose patterns read keys that no specification tells of. */
bool acl_may_read_all(const struct call *call);

/* AUTH and HELLO: becomes the user, or notes the attempt and writes the error. */
bool acl_login(struct call *call, struct bytes name, struct bytes password);

#endif
