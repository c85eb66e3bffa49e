/* What a client says about its connection: PING, HELLO, AUTH, SELECT and the like. CLIENT is in
 * client.c. */
#include "server/command/families.h"

#include "common/number.h"
#include "server/command/acl_access.h"
#include "server/command/call.h"
#include "server/command/client.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/command/monitor.h"
#include "server/command/rows.h"
#include "server/command/topic.h"
#include "server/command/tracking.h"
#include "server/command/transaction.h"
#include "server/config.h"
#include "server/info.h"
#include <stdlib.h>

static void ping(struct call *call)
{
    bool listens = call->session->flags & SESSION_SUBSCRIBED && call->reply->protocol == 2;
    if (call->argc > 2) {
        call_error_arity(call);
    } else if (listens) {
        reply_array(call->reply, 2);
        reply_bulk_text(call->reply, "pong");
        reply_bulk(call->reply, call->argc == 2 ? call->argv[1] : (struct bytes){ "", 0 });
    } else if (call->argc == 2) {
        reply_bulk(call->reply, call->argv[1]);
    } else {
        reply_simple(call->reply, "PONG");
    }
}

static void echo(struct call *call)
{
    reply_bulk(call->reply, call->argv[1]);
}

static void quit(struct call *call)
{
    reply_ok(call->reply);
    call->session->flags |= SESSION_CLOSE_AFTER_REPLY;
}

static void select_database(struct call *call)
{
    int64_t number;
    if (!call_integer(call, 1, &number))
        return;
    if (dispatch_is_cluster() && number != 0) {
        reply_error(call->reply, "SELECT is not allowed in cluster mode");
    } else if (number < 0 || number >= store_databases(call->store)) {
        reply_error(call->reply, "DB index is out of range");
    } else {
        call->session->database = (unsigned)number;
        reply_ok(call->reply);
    }
}

/* ---- Who it is ---- */

static void auth(struct call *call)
{
    if (call->argc > 3) {
        call_error_syntax(call);
        return;
    }
    if (call->argc == 2 && acl_default_is_nopass()) {
        reply_error(call->reply,
            "AUTH <password> called without any password configured for the default user. Are you "
            "sure your configuration is correct?");
        return;
    }
    struct bytes user = call->argc == 3 ? call->argv[1] : BYTES("default");
    if (acl_login(call, user, call->argv[call->argc - 1]))
        reply_ok(call->reply);
}

/* ---- HELLO [protover [AUTH user password] [SETNAME name]] ---- */

static void reply_greeting(struct call *call)
{
    bool replica = condition_all() & CONDITION_REPLICA;
    struct reply *reply = call->reply;
    reply_map(reply, 7);
    reply_bulk_text(reply, "server");
    reply_bulk_text(reply, "redis");
    reply_bulk_text(reply, "version");
    reply_bulk_text(reply, INFO_REDIS_VERSION);
    reply_bulk_text(reply, "proto");
    reply_integer(reply, reply->protocol);
    reply_bulk_text(reply, "id");
    reply_integer(reply, (int64_t)call->session->id);
    reply_bulk_text(reply, "mode");
    reply_bulk_text(reply, dispatch_is_cluster() ? "cluster" : "standalone");
    reply_bulk_text(reply, "role");
    reply_bulk_text(reply, replica ? "replica" : "master");
    reply_bulk_text(reply, "modules");
    reply_array(reply, 0);
}

static void hello(struct call *call)
{
    int64_t version = call->reply->protocol;
    if (call->argc >= 2 && (!number_parse(call->argv[1], &version) || version < 2 || version > 3)) {
        if (!number_parse(call->argv[1], &version))
            reply_error(call->reply, "Protocol version is not an integer or out of range");
        else
            reply_error(call->reply, "NOPROTO unsupported protocol version");
        return;
    }
    struct bytes name = { NULL, 0 };
    for (int i = 2; i < call->argc; i++) {
        int more = call->argc - 1 - i;
        if (bytes_is(call->argv[i], "AUTH") && more >= 2) {
            if (!acl_login(call, call->argv[i + 1], call->argv[i + 2]))
                return;
            i += 2;
        } else if (bytes_is(call->argv[i], "SETNAME") && more >= 1) {
            name = call->argv[++i];
            if (!client_name_is_valid(call, name))
                return;
        } else {
            reply_error(call->reply, "Syntax error in HELLO option '%.*s'",
                (int)(call->argv[i].len < 64 ? call->argv[i].len : 64), call->argv[i].data);
            return;
        }
    }
    if (session_needs_password(call->session)) {
        reply_error(call->reply,
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the "
            "HELLO "
            "AUTH <user> <pass> option can be used to authenticate the client and select the "
            "RESP protocol version at the same time");
        return;
    }
    if (name.data)
        client_set_name(call->session, name);
    call->reply->protocol = (uint8_t)version;
    reply_greeting(call);
}

static void reset(struct call *call)
{
    struct session *session = call->session;
    bool muted = session->reply.muted && !(session->flags & SESSION_REPLY_OFF); /* by a SKIP */
    transaction_discard(session);
    push_drain(session->executor);
    monitor_stop(session);
    tracking_stop(session);
    topic_leave_all(session);
    session->flags &=
        ~(unsigned)(SESSION_ASKING | SESSION_READONLY | SESSION_NO_TOUCH | SESSION_NO_EVICT |
                    SESSION_REPLY_OFF | SESSION_REPLY_SKIP_NEXT);
    acl_session_begin(session);
    session->database = 0;
    client_set_name(session, (struct bytes){ "", 0 });
    session->reply.muted = muted;
    session->reply.protocol = 2;
    reply_simple(call->reply, "RESET");
}

/* ---- The table ---- */

enum {
    ANYTIME = CMD_LOADING | CMD_STALE | CMD_FAST,
    WITHOUT_AUTH = ANYTIME | CMD_NOSCRIPT | CMD_NO_AUTH | CMD_ALLOW_BUSY,
};

static const struct command_arg hello_auth[] = { ARG("username", ARG_STRING),
    ARG("password", ARG_STRING), { 0 } };
static const struct command_arg hello_args[] = { ARG("protover", ARG_INTEGER),
    { "username_password", ARG_BLOCK, ARG_OPTIONAL, "AUTH", 0, NULL, hello_auth },
    OPTION("clientname", ARG_STRING, "SETNAME", NULL), { 0 } };

const struct command connection_commands[] = {
    { "ping", ping, -1, CMD_FAST | CMD_NEEDS_DISK, .group = "connection", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Answers PONG, or what it is given",
        .tips = TIPS("request_policy:all_shards", "response_policy:all_succeeded"),
        .args = ARGS(OPTION("message", ARG_STRING, NULL, NULL)) },
    { "echo", echo, 2, ANYTIME, .group = "connection", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Answers with what it is given", .args = ARGS(ARG("message", ARG_STRING)) },
    { "auth", auth, -2, WITHOUT_AUTH, .group = "connection", .since = "1.0.0",
        .complexity = "O(N), N passwords of the user", .summary = "Says who the client is",
        .history = HISTORY({ "6.0.0", "Added ACL style (username and password)." }),
        .args = ARGS(OPTION("username", ARG_STRING, NULL, "6.0.0"), ARG("password", ARG_STRING)) },
    { "hello", hello, -1, WITHOUT_AUTH, .group = "connection", .since = "6.0.0",
        .complexity = "O(1)", .summary = "Chooses the protocol, and may say who the client is",
        .history =
            HISTORY({ "6.2.0", "`protover` made optional; when called without arguments, the "
                               "connection's current protocol version is reported." }),
        .args = ARGS({ "arguments", ARG_BLOCK, ARG_OPTIONAL, NULL, 0, NULL, hello_args }) },
    { "quit", quit, -1, WITHOUT_AUTH | CMD_IN_MULTI, .group = "connection", .since = "1.0.0",
        .complexity = "O(1)", .summary = "Closes the connection" },
    { "reset", reset, 1, WITHOUT_AUTH | CMD_IN_MULTI, .group = "connection", .since = "6.2.0",
        .complexity = "O(1)", .summary = "Makes the connection as it was when it was new" },
    { "select", select_database, 2, ANYTIME, .group = "connection", .since = "1.0.0",
        .complexity = "O(1)", .summary = "Changes to another database",
        .args = ARGS(ARG("index", ARG_INTEGER)) },
    { 0 },
};
