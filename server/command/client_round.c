/* What concerns all clients. A session belongs to its worker, so a round is made through the
 * workers, each of which answers for its own, while the client that asked waits. */
#include "server/command/client_round.h"

#include "server/command/acl_users.h"
#include "server/command/client_describe.h"

#include "common/memory.h"
#include "common/number.h"
#include <stdlib.h>
#include <string.h>

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
        client_describe(&round->text, session, round->now, session->id == round->me);
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

static void set_text(char **place, struct bytes text)
{
    free(*place);
    *place = memory_alloc(text.len + 1);
    memcpy(*place, text.data, text.len);
    (*place)[text.len] = '\0';
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

void client_list(struct call *call)
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

void client_kill(struct call *call)
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
