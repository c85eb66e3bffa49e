/* CLIENT. A session belongs to its worker, so what concerns all clients (LIST, KILL) makes a round
 * through the workers, each of which answers for its own, while the client that asked waits. */
#include "server/command/acl_users.h"
#include "server/command/block.h"
#include "server/command/client.h"
#include "server/command/client_tracking.h"
#include "server/command/background.h"
#include "server/command/condition.h"
#include "server/command/families.h"
#include "server/command/help.h"
#include "server/command/rows.h"
#include "server/command/topic.h"
#include "server/command/tracking.h"
#include "server/command/transaction.h"
#include "server/command/watch.h"

#include "common/memory.h"
#include "common/number.h"
#include <stdlib.h>

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

static void set_text(char **place, struct bytes text)
{
    free(*place);
    *place = memory_alloc(text.len + 1);
    memcpy(*place, text.data, text.len);
    (*place)[text.len] = '\0';
}

/* An empty name is none. */
static void set_name(char **place, struct bytes name)
{
    set_text(place, name);
    if (name.len == 0) {
        free(*place);
        *place = NULL;
    }
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

/* ---- One line a client ---- */

/* `asks`: the session waits for nothing but this. */
static void append_flags(struct buffer *out, const struct session *session, bool asks)
{
    unsigned flags = session->flags, tracking = session->tracking ? session->tracking->flags : 0;
    const struct {
        bool on;
        char letter;
    } letters[] = {
        { flags & SESSION_REPLICA, 'S' },
        { flags & SESSION_MONITOR, 'O' },
        { flags & SESSION_PRIMARY, 'M' },
        { flags & SESSION_SUBSCRIBED, 'P' },
        { session->transaction, 'x' },
        { flags & SESSION_PARKED && !asks, 'b' },
        { flags & SESSION_TRACKING, 't' },
        { tracking & TRACKING_BROKEN, 'R' },
        { tracking & TRACKING_BCAST, 'B' },
        { atomic_load(&session->watch_broken), 'd' },
        { flags & SESSION_CLOSE_AFTER_REPLY, 'c' },
        { flags & SESSION_UNIX_SOCKET, 'U' },
        { flags & SESSION_READONLY, 'r' },
        { flags & SESSION_NO_EVICT, 'e' },
        { flags & SESSION_NO_TOUCH, 'T' },
    };
    size_t before = out->len;
    for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++) {
        if (letters[i].on)
            buffer_append_char(out, letters[i].letter);
    }
    if (out->len == before)
        buffer_append_char(out, 'N');
}

/* In the session's thread. */
static void describe(struct buffer *out, const struct session *session, int64_t now, bool asks)
{
    struct session_figures figures = { 0 };
    session->executor->measure(session, &figures);
    buffer_printf(out, "id=%llu addr=%s laddr=%s fd=%d name=%s age=%lld idle=%lld flags=",
        (unsigned long long)session->id, session->peer, session->local, figures.fd,
        session->name ? session->name : "", (long long)(now - session->created_ms) / 1000,
        (long long)(now - session->active_ms) / 1000);
    append_flags(out, session, asks);
    buffer_printf(out,
        " db=%u sub=%zu psub=%zu ssub=%zu multi=%d qbuf=%zu qbuf-free=%zu argv-mem=0 multi-mem=%zu "
        "rbs=%zu "
        "rbp=%zu obl=%zu oll=%zu omem=%zu tot-mem=%zu events=%s cmd=%s user=%s redir=%lld "
        "resp=%d",
        session->database, topic_count_of(session, TOPIC_CHANNEL),
        topic_count_of(session, TOPIC_PATTERN), topic_count_of(session, TOPIC_SHARD),
        session->transaction ? (int)session->transaction->count : -1,
        figures.input, figures.input_free, transaction_memory(session), figures.output_memory,
        figures.output_buffer, figures.output_buffer, figures.output_blobs, figures.output_memory,
        figures.memory, figures.is_writing ? "rw" : "r",
        session->last_command ? command_by_id(session->last_command - 1)->name : "NULL",
        acl_session_user(session), (long long)client_redirect_of(session), session->reply.protocol);
    buffer_printf(out, " lib-name=%s lib-ver=%s",
        session->library_name ? session->library_name : "",
        session->library_version ? session->library_version : "");
}

void client_describe(struct buffer *out, const struct session *session, int64_t now)
{
    describe(out, session, now, false);
}

static void client_info(struct call *call)
{
    struct buffer line = { 0 };
    if (!call->in_exec)
        call->session->last_command = call->entry->id + 1;
    describe(&line, call->session, call->now, true);
    buffer_append_char(&line, '\n');
    reply_verbatim(call->reply, "txt", buffer_bytes(&line));
    buffer_free(&line);
}

/* ---- Rounds: LIST and KILL ---- */

enum client_type { CLIENT_ANY, CLIENT_NORMAL, CLIENT_REPLICA, CLIENT_PRIMARY, CLIENT_PUBSUB };

/* Which clients a round is about. */
struct filter {
    uint64_t *ids; /* owned */
    size_t id_count;
    enum client_type type;
    char *peer, *local, *user; /* owned; NULL: any */
    bool skip_me;
};

struct round {
    struct ticket *ticket;
    struct filter filter;
    uint64_t me;
    int64_t now;
    bool kills, by_address; /* by_address: the old form, whose answer is OK or an error */
    size_t count;
    struct buffer text;
};

static bool parse_type(struct bytes word, enum client_type *type)
{
    static const struct {
        const char *word;
        enum client_type type;
    } types[] = {
        { "normal", CLIENT_NORMAL },
        { "slave", CLIENT_REPLICA },
        { "replica", CLIENT_REPLICA },
        { "pubsub", CLIENT_PUBSUB },
        { "master", CLIENT_PRIMARY },
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (bytes_is(word, types[i].word)) {
            *type = types[i].type;
            return true;
        }
    }
    return false;
}

static enum client_type type_of_session(const struct session *session)
{
    if (session->flags & SESSION_REPLICA)
        return CLIENT_REPLICA;
    if (session->flags & SESSION_PRIMARY)
        return CLIENT_PRIMARY;
    return session->flags & SESSION_SUBSCRIBED ? CLIENT_PUBSUB : CLIENT_NORMAL;
}

static bool is_wanted(const struct round *round, const struct session *session)
{
    const struct filter *filter = &round->filter;
    bool listed = filter->id_count == 0;
    for (size_t i = 0; i < filter->id_count; i++)
        listed = listed || filter->ids[i] == session->id;
    return listed && (filter->type == CLIENT_ANY || filter->type == type_of_session(session)) &&
           (!filter->peer || strcmp(filter->peer, session->peer) == 0) &&
           (!filter->local || strcmp(filter->local, session->local) == 0) &&
           (!filter->user || (strcmp(filter->user, acl_session_user(session)) == 0 &&
                                 type_of_session(session) != CLIENT_PRIMARY)) &&
           !(filter->skip_me && session->id == round->me);
}

static void visit(void *arg, struct session *session)
{
    struct round *round = arg;
    if (!is_wanted(round, session))
        return;
    round->count++;
    if (!round->kills) {
        describe(&round->text, session, round->now, session->id == round->me);
        buffer_append_char(&round->text, '\n');
    } else if (session->id == round->me) {
        session->flags |= SESSION_CLOSE_AFTER_REPLY;
    } else {
        session->executor->close(session);
    }
}

static void free_filter(struct filter *filter)
{
    free(filter->ids);
    free(filter->peer);
    free(filter->local);
    free(filter->user);
}

static void answer(struct session *session, void *arg)
{
    struct round *round = arg;
    if (session && !round->kills)
        reply_verbatim(&session->reply, "txt", buffer_bytes(&round->text));
    else if (session && round->by_address && round->count > 0)
        reply_ok(&session->reply);
    else if (session && round->by_address)
        reply_error(&session->reply, "No such client");
    else if (session)
        reply_integer(&session->reply, (int64_t)round->count);
    free_filter(&round->filter);
    buffer_free(&round->text);
    free(round);
}

static void done(void *arg)
{
    struct round *round = arg;
    ticket_finish(round->ticket, answer, round);
}

static void start_round(struct call *call, struct filter *filter, bool kills, bool by_address)
{
    if (!call_can_park(call)) {
        reply_error(call->reply, "CLIENT %s is for connections", kills ? "KILL" : "LIST");
        free_filter(filter);
        return;
    }
    if (!call->in_exec)
        call->session->last_command = call->entry->id + 1;
    struct round *round = memory_alloc_zeroed(1, sizeof(*round));
    round->filter = *filter;
    round->me = call->session->id;
    round->now = call->now;
    round->kills = kills;
    round->by_address = by_address;
    round->ticket = call_park(call);
    call->executor->visit(call->executor, visit, done, round);
}

static bool add_id(struct call *call, struct filter *filter, struct bytes text, const char *error)
{
    int64_t id;
    if (!number_parse(text, &id) || id < 1) {
        reply_error(call->reply, "%s", error);
        return false;
    }
    filter->ids = memory_resize(filter->ids, (filter->id_count + 1) * sizeof(*filter->ids));
    filter->ids[filter->id_count++] = (uint64_t)id;
    return true;
}

static bool read_list_filter(struct call *call, struct filter *filter)
{
    if (call->argc == 2)
        return true;
    if (call->argc == 4 && bytes_is(call->argv[2], "type")) {
        if (parse_type(call->argv[3], &filter->type))
            return true;
        reply_error(call->reply, "Unknown client type '%.*s'",
            (int)(call->argv[3].len < 64 ? call->argv[3].len : 64), call->argv[3].data);
        return false;
    }
    if (call->argc > 3 && bytes_is(call->argv[2], "id")) {
        for (int i = 3; i < call->argc; i++) {
            if (!add_id(call, filter, call->argv[i], "Invalid client ID"))
                return false;
        }
        return true;
    }
    call_error_syntax(call);
    return false;
}

static void client_list(struct call *call)
{
    struct filter filter = { 0 };
    if (read_list_filter(call, &filter))
        start_round(call, &filter, false, false);
    else
        free_filter(&filter);
}

/* One pair of CLIENT KILL's filters. */
static bool read_kill_pair(struct call *call, int at, struct filter *filter)
{
    struct bytes word = call->argv[at], value = call->argv[at + 1];
    if (bytes_is(word, "id"))
        return add_id(call, filter, value, "client-id should be greater than 0");
    if (bytes_is(word, "type")) {
        if (parse_type(value, &filter->type))
            return true;
        reply_error(call->reply, "Unknown client type '%.*s'",
            (int)(value.len < 64 ? value.len : 64), value.data);
        return false;
    }
    if (bytes_is(word, "addr")) {
        set_text(&filter->peer, value);
        return true;
    }
    if (bytes_is(word, "laddr")) {
        set_text(&filter->local, value);
        return true;
    }
    if (bytes_is(word, "user")) {
        if (!acl_users_has(value)) {
            reply_error(call->reply, "No such user '%.*s'", (int)(value.len < 64 ? value.len : 64),
                value.data);
            return false;
        }
        set_text(&filter->user, value);
        return true;
    }
    if (bytes_is(word, "skipme") && (bytes_is(value, "yes") || bytes_is(value, "no"))) {
        filter->skip_me = bytes_is(value, "yes");
        return true;
    }
    call_error_syntax(call);
    return false;
}

static void client_kill(struct call *call)
{
    struct filter filter = { .skip_me = true };
    if (call->argc == 3) {
        filter.skip_me = false;
        set_text(&filter.peer, call->argv[2]);
        start_round(call, &filter, true, true);
        return;
    }
    bool ok = call->argc % 2 == 0;
    if (!ok)
        call_error_syntax(call);
    for (int i = 2; ok && i + 1 < call->argc; i += 2)
        ok = read_kill_pair(call, i, &filter);
    if (ok)
        start_round(call, &filter, true, false);
    else
        free_filter(&filter);
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

/* ---- Pauses ---- */

/* pause_begin stops all turns, and this is one: it runs in the executor's thread behind the turn.
 */
struct pause_order {
    struct executor *executor;
    bool writes_only;
    int64_t until_ms;
    struct ticket *ticket; /* NULL: it has been told already */
};

static void pause_told(struct session *session, void *arg)
{
    if (session)
        reply_ok(&session->reply);
    free(arg);
}

static void begin_pause_now(void *arg)
{
    struct pause_order *order = arg;
    pause_begin(PAUSE_CLIENT, order->writes_only, order->until_ms);
    if (order->ticket)
        ticket_finish(order->ticket, pause_told, order);
    else
        free(order);
}

/* Between two turns of the executor, or in the midst of one whose script takes long. */
static void begin_pause(void *arg)
{
    struct pause_order *order = arg;
    if (turn_is_held(order->executor->turn))
        background_run(0, begin_pause_now, order);
    else
        begin_pause_now(order);
}

static void client_pause(struct call *call)
{
    int64_t timeout, until;
    bool writes_only = false;
    if (call->argc == 4 && bytes_is(call->argv[3], "write")) {
        writes_only = true;
    } else if (call->argc > 4) {
        call_error_arity(call);
        return;
    } else if (call->argc == 4 && !bytes_is(call->argv[3], "all")) {
        reply_error(call->reply, "CLIENT PAUSE mode must be WRITE or ALL");
        return;
    }
    if (!number_parse(call->argv[2], &timeout) ||
        __builtin_add_overflow(timeout, call->now, &until)) {
        reply_error(call->reply, "timeout is not an integer or out of range");
        return;
    }
    if (timeout < 0) {
        reply_error(call->reply, "timeout is negative");
        return;
    }
    if (!call->executor->post) {
        reply_error(call->reply, "CLIENT PAUSE is for connections");
        return;
    }
    struct pause_order *order = memory_alloc(sizeof(*order));
    *order = (struct pause_order){ call->executor, writes_only, until, NULL };
    if (call_can_park(call))
        order->ticket = call_park(call);
    else
        reply_ok(call->reply);
    call->executor->post(call->executor, begin_pause, order);
}

static void client_unpause(struct call *call)
{
    pause_end(PAUSE_CLIENT);
    reply_ok(call->reply);
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
