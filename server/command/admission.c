/* The questions before a command runs, in Redis's order. */
#include "server/command/admission.h"

#include "server/clock.h"
#include "server/command/acl_access.h"
#include "server/command/dispatch.h"
#include "server/command/evict.h"
#include "server/command/transaction.h"
#include "server/config.h"
#include "server/log.h"

bool session_needs_password(const struct session *session)
{
    return condition_all() & CONDITION_PASSWORD && !(session->flags & SESSION_AUTHENTICATED);
}

const char *admission_refusal_slow(const struct session *session, unsigned flags)
{
    uint32_t conditions = condition_all();
    if (session->flags & (SESSION_PRIMARY | SESSION_LOADER))
        return NULL;
    if (flags & CMD_DENYOOM && session->executor->out_of_memory)
        return EVICT_REFUSAL;
    bool needs_disk = flags & (CMD_WRITE | CMD_NEEDS_DISK);
    bool replica = conditions & CONDITION_REPLICA;
    if (conditions & CONDITION_AOF_FAILING && needs_disk && !replica)
        return "MISCONF Errors writing to the AOF file: the append-only file cannot be "
               "written, so writes are refused until it can; see the log";
    if (conditions & CONDITION_RDB_FAILING && needs_disk && !replica)
        return "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to "
               "persist "
               "to disk. Commands that may modify the data set are disabled, because this instance "
               "is "
               "configured to report errors during writes if RDB snapshotting fails "
               "(stop-writes-on-bgsave-error option). Please check the Redis logs for details "
               "about the "
               "RDB error.";
    if (conditions & CONDITION_FEW_REPLICAS && flags & CMD_WRITE && !replica)
        return "NOREPLICAS Not enough good replicas to write.";
    if (replica && flags & CMD_WRITE && config_is(CONFIG_REPLICA_READ_ONLY))
        return "READONLY You can't write against a read only replica.";
    if (conditions & CONDITION_STALE && !(flags & CMD_STALE) &&
        !config_is(CONFIG_REPLICA_SERVE_STALE_DATA))
        return "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    if (conditions & CONDITION_LOADING && !(flags & CMD_LOADING))
        return "LOADING Redis is loading the dataset in memory";
    return NULL;
}

bool dispatch_is_allowed(struct session *session, struct reply *reply, unsigned flags)
{
    const char *why = admission_refusal(session, flags);
    if (__builtin_expect(why != NULL, 0))
        reply_error(reply, "%s", why);
    return !why;
}

unsigned admission_flags(const struct session *session, const struct command *command)
{
    const struct transaction *transaction = session->transaction;
    if (!(command->flags & CMD_EXEC) || !transaction || transaction->count == 0)
        return command->flags;
    return (command->flags | transaction->flags) &
           (transaction->common_flags | ~(unsigned)(CMD_STALE | CMD_LOADING));
}

void admission_abort_exec(struct call *call, const char *why)
{
    reply_error(call->reply, "EXECABORT Transaction discarded because of: %s", why);
    transaction_discard(call->session);
}

bool admission_must_wait_slow(const struct session *session, const struct command_entry *entry)
{
    uint32_t conditions = condition_all();
    if (session->flags & (SESSION_PRIMARY | SESSION_LOADER | SESSION_REPLICA))
        return false;
    unsigned flags = admission_flags(session, entry->command);
    bool writes = flags & (CMD_WRITE | CMD_MAY_REPLICATE);
    if (conditions & CONDITION_ALL_PAUSED)
        return true;
    return writes;
}

static void refuse_unknown(const struct request *request, struct reply *reply)
{
    const struct bytes *argv = request->argv;
    if (request->container) {
        const struct command_entry *container = request->container;
        char upper[sizeof(container->name)];
        size_t i = 0;
        for (; container->name[i]; i++)
            upper[i] = (char)(container->name[i] & ~0x20);
        upper[i] = '\0';
        reply_error(reply, "unknown subcommand '%.*s'. Try %s HELP.",
            (int)(argv[1].len < 128 ? argv[1].len : 128), argv[1].data, upper);
        return;
    }
    struct buffer args = { 0 };
    for (int i = 1; i < request->argc && args.len < 128; i++) {
        size_t room = 128 - args.len;
        buffer_printf(
            &args, "'%.*s' ", (int)(argv[i].len < room ? argv[i].len : room), argv[i].data);
    }
    buffer_terminate(&args);
    reply_error(reply, "unknown command '%.*s', with args beginning with: %s",
        (int)(argv[0].len < 128 ? argv[0].len : 128), argv[0].data, args.data);
    buffer_free(&args);
}

/* A browser that a page has sent to this port: the lines that follow would be the page's commands.
 */
static bool is_of_http(struct bytes name)
{
    return bytes_is(name, "POST") || bytes_is(name, "Host:");
}

static void hang_up(struct session *session)
{
    enum { SAID_EVERY_MS = 60 * 1000 };
    static _Atomic int64_t said; /* when, by the monotonic clock */
    int64_t now = clock_monotonic_ms(), before = atomic_load(&said);
    session->flags |= SESSION_CLOSE_NOW;
    if ((before == 0 || now - before > SAID_EVERY_MS) &&
        atomic_compare_exchange_strong(&said, &before, now))
        log_write(LOG_WARNING,
            "%s speaks HTTP: an attack by way of somebody's browser? Its connection is closed",
            session->peer);
}

bool admission_is_acceptable(const struct request *request, struct session *session)
{
    struct reply *reply = &session->reply;
    if (!request->entry) {
        refuse_unknown(request, reply);
        if (is_of_http(request->argv[0]))
            hang_up(session);
        return false;
    }
    const struct command *command = request->entry->command;
    if ((command->arity > 0 && command->arity != request->argc) ||
        request->argc < -command->arity || !command->run) {
        if (command->flags & CMD_EXEC) {
            reply_error(reply, "EXECABORT Transaction discarded because of: wrong number of "
                               "arguments for 'exec' command");
            transaction_discard(session);
            return false;
        }
        reply_error(reply, "wrong number of arguments for '%s' command", request->entry->name);
        return false;
    }
    if (session->transaction && command->flags & CMD_NO_MULTI && !(command->flags & CMD_IN_MULTI)) {
        reply_error(reply, "Command not allowed inside a transaction");
        return false;
    }
    if (session_needs_password(session) && !(command->flags & CMD_NO_AUTH)) {
        reply_error(reply, "NOAUTH Authentication required.");
        return false;
    }
    return __builtin_expect(acl_session_may_all(session), 1) ||
           acl_allows_request(session, request->entry, request->argv, request->argc);
}
