#include "server/command/acl_access.h"

#include "server/command/errorstats.h"
#include "server/command/transaction.h"

enum acl_verdict acl_ask_slowly(struct session *session, const struct command_entry *entry,
    const struct bytes *argv, int argc, enum acl_context context)
{
    static const enum acl_reason reasons[] = { [ACL_DENIED_COMMAND] = ACL_REASON_COMMAND,
        [ACL_DENIED_KEY] = ACL_REASON_KEY,
        [ACL_DENIED_CHANNEL] = ACL_REASON_CHANNEL };
    int position;
    enum acl_verdict verdict = acl_check(acl_session_value(session), entry, argv, argc, &position);
    if (verdict == ACL_ALLOWED)
        return verdict;
    struct bytes object = verdict == ACL_DENIED_COMMAND
                              ? (struct bytes){ entry->name, entry->name_len }
                              : argv[position];
    session->last_command = entry->id + 1;
    acl_log_add(session, reasons[verdict], context, object, bytes_of(acl_session_user(session)));
    return verdict;
}

/* ---- Requests ---- */

bool acl_allows_request(
    struct session *session, const struct command_entry *entry, const struct bytes *argv, int argc)
{
    static const char *const whats[] = { [ACL_DENIED_KEY] = "access one of the keys used as "
                                                            "arguments",
        [ACL_DENIED_CHANNEL] = "access one of the channels used as arguments" };
    bool exec = entry->command->flags & CMD_EXEC;
    const char *begin = exec ? "EXECABORT Transaction discarded because of: " : "";
    if (acl_session_is_deleted(session)) {
        session->flags |= SESSION_CLOSE_NOW;
        reply_error(&session->reply, "NOPERM the user of this connection has been deleted");
        return false;
    }
    enum acl_verdict verdict =
        acl_ask(session, entry, argv, argc, session->transaction ? ACL_IN_MULTI : ACL_TOPLEVEL);
    if (verdict == ACL_ALLOWED)
        return true;
    if (verdict == ACL_DENIED_COMMAND)
        reply_error(&session->reply,
            "%sNOPERM this user has no permissions to run the '%s' command", begin, entry->name);
    else
        reply_error(
            &session->reply, "%sNOPERM this user has no permissions to %s", begin, whats[verdict]);
    if (exec)
        transaction_discard(session);
    return false;
}

bool acl_allows_queued(
    struct session *session, const struct command_entry *entry, const struct bytes *argv, int argc)
{
    static const char *const whats[] = {
        [ACL_DENIED_COMMAND] = "no permission to execute the command or subcommand",
        [ACL_DENIED_KEY] = "no permission to touch the specified keys",
        [ACL_DENIED_CHANNEL] = "no permission to access one of the channels used as arguments to "
                               "the command",
    };
    enum acl_verdict verdict = acl_ask(session, entry, argv, argc, ACL_IN_MULTI);
    if (verdict == ACL_ALLOWED)
        return true;
    reply_error(&session->reply,
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the "
        "EXEC call. This command is no longer allowed for the following reason: %s",
        whats[verdict]);
    counter_add(&session->executor->counters.errors, 1);
    errorstats_count(session->reply.last_error);
    return false;
}

/* ---- Scripts ---- */

const char *acl_refuse_in_script(
    struct session *session, const struct command_entry *entry, const struct bytes *argv, int argc)
{
    static const char *const whats[] = {
        [ACL_DENIED_COMMAND] = "The user executing the script can't run this command or subcommand",
        [ACL_DENIED_KEY] = "The user executing the script can't access at least one of the "
                           "keys mentioned in the command arguments",
        [ACL_DENIED_CHANNEL] =
            "The user executing the script can't publish to the channel mentioned in the "
            "command",
    };
    return whats[acl_ask(session, entry, argv, argc, ACL_IN_SCRIPT)];
}

bool acl_may_call(const struct session *session, const struct command_entry *entry,
    const struct bytes *argv, int argc)
{
    int position;
    return acl_session_may_all(session) ||
           acl_check(acl_session_value(session), entry, argv, argc, &position) == ACL_ALLOWED;
}

bool acl_may_read_all(const struct call *call)
{
    return acl_session_may_all(call->session) ||
           acl_check_reads_all(
               acl_session_value(call->session), call->entry, call->argv, call->argc);
}

/* ---- Who ---- */

bool acl_login(struct call *call, struct bytes name, struct bytes password)
{
    if (acl_session_authenticate(call->session, name, password))
        return true;
    bool multi = call->in_exec || call->session->transaction;
    call->session->last_command = call->entry->id + 1;
    acl_log_add(
        call->session, ACL_REASON_AUTH, multi ? ACL_IN_MULTI : ACL_TOPLEVEL, call->argv[0], name);
    reply_error(call->reply, "WRONGPASS invalid username-password pair or user is disabled.");
    return false;
}
