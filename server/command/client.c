/* CLIENT: names and switches of the client that asks, and the table of all subcommands; those of its
 * other ideas are in client_*.c. */
#include "server/command/client.h"

#include "server/command/block.h"
#include "server/command/client_describe.h"
#include "server/command/client_pause.h"
#include "server/command/client_round.h"
#include "server/command/client_tracking.h"
#include "server/command/families.h"
#include "server/command/help.h"
#include "server/command/rows.h"

#include "common/memory.h"
#include <stdlib.h>
#include <string.h>

/* ---- Names ---- */

static bool is_visible(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '!' || text.data[i] > '~')
            return false;
    }
    return true;
}

bool client_name_is_valid(struct call *call, struct bytes name)
{
    if (is_visible(name))
        return true;
    reply_error(call->reply, "Client names cannot contain spaces, newlines or special characters.");
    return false;
}

/* An empty name is none. */
static void set_name(char **place, struct bytes name)
{
    free(*place);
    *place = NULL;
    if (name.len == 0)
        return;
    *place = memory_alloc(name.len + 1);
    memcpy(*place, name.data, name.len);
    (*place)[name.len] = '\0';
}

void client_set_name(struct session *session, struct bytes name)
{
    set_name(&session->name, name);
}

static void client_setname(struct call *call)
{
    if (!client_name_is_valid(call, call->argv[2]))
        return;
    client_set_name(call->session, call->argv[2]);
    reply_ok(call->reply);
}

static void client_getname(struct call *call)
{
    if (call->session->name)
        reply_bulk_text(call->reply, call->session->name);
    else
        reply_null(call->reply);
}

static void client_setinfo(struct call *call)
{
    struct session *session = call->session;
    bool is_name = bytes_is(call->argv[2], "lib-name");
    if (!is_name && !bytes_is(call->argv[2], "lib-ver")) {
        reply_error(call->reply, "Unrecognized option '%.*s'",
            (int)(call->argv[2].len < 64 ? call->argv[2].len : 64), call->argv[2].data);
        return;
    }
    if (!is_visible(call->argv[3])) {
        reply_error(call->reply, "%s cannot contain spaces, newlines or special characters.",
            is_name ? "lib-name" : "lib-ver");
        return;
    }
    set_name(is_name ? &session->library_name : &session->library_version, call->argv[3]);
    reply_ok(call->reply);
}

static void client_id(struct call *call)
{
    reply_integer(call->reply, (int64_t)call->session->id);
}

static void client_info(struct call *call)
{
    struct buffer line = { 0 };
    if (!call->in_exec)
        call->session->last_command = call->entry->id + 1;
    client_describe(&line, call->session, call->now, true);
    buffer_append_char(&line, '\n');
    reply_verbatim(call->reply, "txt", buffer_bytes(&line));
    buffer_free(&line);
}

static void client_unblock(struct call *call)
{
    int64_t id;
    bool with_error = call->argc == 4 && bytes_is(call->argv[3], "error");
    if (call->argc > 4) {
        call_error_subcommand(call);
        return;
    }
    if (call->argc == 4 && !with_error && !bytes_is(call->argv[3], "timeout")) {
        reply_error(call->reply, "CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        return;
    }
    if (call_integer(call, 2, &id))
        reply_integer(call->reply, id > 0 && block_unblock((uint64_t)id, with_error));
}

/* ---- Switches ---- */

static bool read_switch(struct call *call, bool *on)
{
    *on = bytes_is(call->argv[2], "on");
    if (*on || bytes_is(call->argv[2], "off"))
        return true;
    call_error_syntax(call);
    return false;
}

static void set_flag(struct call *call, unsigned flag)
{
    bool on;
    if (!read_switch(call, &on))
        return;
    if (on)
        call->session->flags |= flag;
    else
        call->session->flags &= ~flag;
    reply_ok(call->reply);
}

static void client_no_evict(struct call *call)
{
    set_flag(call, SESSION_NO_EVICT);
}

static void client_no_touch(struct call *call)
{
    set_flag(call, SESSION_NO_TOUCH);
}

static void client_reply(struct call *call)
{
    struct session *session = call->session;
    if (bytes_is(call->argv[2], "on")) {
        session->flags &= ~(unsigned)(SESSION_REPLY_OFF | SESSION_REPLY_SKIP_NEXT);
        session->reply.muted = false;
        reply_ok(call->reply);
    } else if (bytes_is(call->argv[2], "off")) {
        session->flags |= SESSION_REPLY_OFF;
        session->reply.muted = true;
    } else if (bytes_is(call->argv[2], "skip")) {
        if (!(session->flags & SESSION_REPLY_OFF))
            session->flags |= SESSION_REPLY_SKIP_NEXT;
    } else {
        call_error_syntax(call);
    }
}

/* ---- The table ---- */

enum {
    ANYONE = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
    ADMIN = ANYONE | CMD_ADMIN,
};

#define ROW(...) ROW_OF("connection", __VA_ARGS__)

static const char *const varies[] = { "nondeterministic_output", NULL };
static const struct command_arg on_off[] = { TOKEN("on", "ON"), TOKEN("off", "OFF"), { 0 } };
static const struct command_arg on_off_skip[] = { TOKEN("on", "ON"), TOKEN("off", "OFF"),
    TOKEN("skip", "SKIP"), { 0 } };
static const struct command_arg pause_modes[] = { TOKEN("write", "WRITE"), TOKEN("all", "ALL"),
    { 0 } };
static const struct command_arg types[] = { TOKEN("normal", "NORMAL"), TOKEN("master", "MASTER"),
    TOKEN("replica", "REPLICA"), TOKEN("pubsub", "PUBSUB"), { 0 } };
static const struct command_arg unblock_reasons[] = { TOKEN("timeout", "TIMEOUT"),
    TOKEN("error", "ERROR"), { 0 } };
static const struct command_arg info_choices[] = { WITH("libname", ARG_STRING, "LIB-NAME"),
    WITH("libver", ARG_STRING, "LIB-VER"), { 0 } };
static const struct command_arg kill_types[] = { TOKEN("normal", "NORMAL"),
    { "master", ARG_PURE_TOKEN, 0, "MASTER", 0, "3.2.0", NULL }, TOKEN("slave", "SLAVE"),
    { "replica", ARG_PURE_TOKEN, 0, "REPLICA", 0, "5.0.0", NULL }, TOKEN("pubsub", "PUBSUB"),
    { 0 } };
static const struct command_arg kill_filters[] = {
    OPTION("client-id", ARG_INTEGER, "ID", "2.8.12"),
    { "normal_master_slave_pubsub", ARG_ONEOF, ARG_OPTIONAL, "TYPE", 0, "2.8.12", kill_types },
    OPTION("username", ARG_STRING, "USER", NULL), OPTION("ip:port", ARG_STRING, "ADDR", NULL),
    OPTION("ip:port", ARG_STRING, "LADDR", "6.2.0"), OPTION("yes/no", ARG_STRING, "SKIPME", NULL),
    { 0 }
};
static const struct command_arg list_ids[] = { ARG_MANY("client-id", ARG_INTEGER), { 0 } };
static const struct command_arg kill_forms[] = { ARG("ip:port", ARG_STRING),
    { "new-format", ARG_ONEOF, ARG_MULTIPLE, NULL, 0, NULL, kill_filters }, { 0 } };

static const struct command_arg yes_no[] = { TOKEN("yes", "YES"), TOKEN("no", "NO"), { 0 } };

static const struct command subcommands[] = {
    ROW("caching", client_caching, 3, ANYONE, "6.0.0", "O(1)",
        "Says whether the keys of the next command are tracked",
        .args = ARGS(CHOICE("mode", 0, yes_no))),
    ROW("getredir", client_getredir, 2, ANYONE, "6.0.0", "O(1)",
        "Tells which connection hears of this one's keys"),
    ROW("getname", client_getname, 2, ANYONE, "2.6.9", "O(1)", "Tells this connection's name"),
    ROW("help", call_help, 2, CMD_LOADING | CMD_STALE, "5.0.0", "O(1)",
        "Tells what the subcommands do"),
    ROW("id", client_id, 2, ANYONE, "5.0.0", "O(1)", "Tells this connection's ID"),
    ROW("info", client_info, 2, ANYONE, "6.2.0", "O(1)", "Tells of this connection",
        .tips = varies),
    ROW("kill", client_kill, -3, ADMIN | CMD_PARKS, "2.4.0", "O(N), N connections",
        "Closes connections, by address or by filters",
        .history = HISTORY({ "2.8.12", "Takes filters." }, { "2.8.12", "`ID`." },
            { "3.2.0", "`TYPE master`." }, { "5.0.0", "`TYPE replica`, for `slave`." },
            { "6.2.0", "`LADDR`." }),
        .args = ARGS(CHOICE("filter", 0, kill_forms))),
    ROW("list", client_list, -2, ADMIN | CMD_PARKS, "2.4.0", "O(N), N connections", "Tells of the connections",
        .tips = varies,
        .history = HISTORY({ "2.8.12", "Tells the `id`." }, { "5.0.0", "Takes a `TYPE`." },
            { "6.0.0", "Tells the `user`." },
            { "6.2.0", "Tells `argv-mem`, `tot-mem`, `laddr` and `redir`; takes `ID`s." },
            { "7.0.0", "Tells `resp`, `multi-mem`, `rbs` and `rbp`." },
            { "7.0.3", "Tells `ssub`." }),
        .args = ARGS(
            { "normal_master_replica_pubsub", ARG_ONEOF, ARG_OPTIONAL, "TYPE", 0, "5.0.0", types },
            { "id", ARG_BLOCK, ARG_OPTIONAL, "ID", 0, "6.2.0", list_ids })),
    ROW("no-evict", client_no_evict, 3, ADMIN, "7.0.0", "O(1)",
        "Keeps this connection open when clients take too much memory",
        .args = ARGS(CHOICE("enabled", 0, on_off))),
    ROW("no-touch", client_no_touch, 3, ANYONE, "7.2.0", "O(1)",
        "Lets this connection's commands leave the keys' access times as they are",
        .args = ARGS(CHOICE("enabled", 0, on_off))),
    ROW("pause", client_pause, -3, ADMIN | CMD_PARKS, "2.9.50", "O(1)",
        "Lets commands of clients, or their writes only, wait for a time",
        .history = HISTORY({ "6.2.0", "Takes `WRITE` or `ALL`." }),
        .args = ARGS(ARG("timeout", ARG_INTEGER),
            { "mode", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, "6.2.0", pause_modes })),
    ROW("reply", client_reply, 3, ANYONE, "3.2.0", "O(1)",
        "Says whether this connection wants replies",
        .args = ARGS(CHOICE("on_off_skip", 0, on_off_skip))),
    ROW("setinfo", client_setinfo, 4, ANYONE, "7.2.0", "O(1)",
        "Tells the server which library this client uses",
        .args = ARGS(CHOICE("attr", 0, info_choices))),
    ROW("setname", client_setname, 3, ANYONE, "2.6.9", "O(1)", "Gives this connection a name",
        .args = ARGS(ARG("connection-name", ARG_STRING))),
    ROW("unblock", client_unblock, -3, ADMIN, "5.0.0", "O(log N), N connections",
        "Ends the waiting of a connection whose command waits",
        .args = ARGS(ARG("client-id", ARG_INTEGER),
            CHOICE("timeout_error", ARG_OPTIONAL, unblock_reasons))),
    ROW("tracking", client_tracking, -3, ANYONE, "6.0.0",
        "O(1), with options O(N), N prefixes",
        "Has this connection told of changes of the keys that it has read",
        .args = ARGS(CHOICE("status", 0, on_off), OPTION("client-id", ARG_INTEGER, "REDIRECT", NULL),
            { "prefix", ARG_STRING, ARG_OPTIONAL | ARG_MULTIPLE | ARG_MULTIPLE_TOKEN, "PREFIX", 0,
                NULL, NULL },
            OPTION("bcast", ARG_PURE_TOKEN, "BCAST", NULL),
            OPTION("optin", ARG_PURE_TOKEN, "OPTIN", NULL),
            OPTION("optout", ARG_PURE_TOKEN, "OPTOUT", NULL),
            OPTION("noloop", ARG_PURE_TOKEN, "NOLOOP", NULL))),
    ROW("trackinginfo", client_trackinginfo, 2, ANYONE, "6.2.0", "O(1)",
        "Tells how this connection tracks keys"),
    ROW("unpause", client_unpause, 2, ADMIN | CMD_AFTER_PARKED, "6.2.0", "O(N), N clients that wait",
        "Ends CLIENT PAUSE"),
    { 0 },
};

const struct command client_commands[] = {
    ROW("client", NULL, -2, 0, "2.4.0", "Depends on the subcommand",
        "Looks at connections and changes them", .subcommands = subcommands),
    { 0 },
};
