/* CONFIG: the configuration module as commands. */
#include "server/config.h"
#include "server/aof_switch.h"
#include "server/command/acl_log.h"
#include "server/command/background.h"
#include "server/command/errorstats.h"
#include "server/command/glob.h"
#include "server/command/help.h"
#include "server/command/permission.h"
#include "server/command/rows.h"
#include "server/command/slot_stats.h"
#include "server/command/stats.h"
#include "server/log.h"

#include "common/memory.h"
#include <stdlib.h>

/* ---- GET ---- */

struct selection {
    struct call *call;
    size_t count;
};

static void reply_if_selected(void *arg, const char *name, bool is_alias, struct bytes value)
{
    struct selection *selection = arg;
    struct call *call = selection->call;
    for (int i = 2; i < call->argc; i++) {
        if (!glob_matches(call->argv[i], bytes_of(name), true))
            continue;
        reply_bulk_text(call->reply, name);
        reply_bulk(call->reply, value);
        selection->count++;
        return;
    }
}

/* CONFIG GET pattern [pattern ...] */
static void config_get(struct call *call)
{
    struct selection selection = { .call = call };
    struct reply_mark mark = reply_deferred(call->reply);
    config_each(reply_if_selected, &selection);
    reply_deferred_map(call->reply, mark, selection.count);
}

/* ---- SET ---- */

static void answer_ok(void *ticket)
{
    struct buffer ok = { 0 };
    buffer_append_text(&ok, "+OK\r\n");
    ticket_reply(ticket, ok);
}

/* The append-only file may have to be turned off first, which is waited for elsewhere. */
static void reply_when_done(struct call *call)
{
    bool waits = false;
    for (int i = 2; i < call->argc; i += 2)
        waits = waits || bytes_is(call->argv[i], "appendonly");
    if (!waits || !call_can_park(call) || !aof_switch_is_busy()) {
        reply_ok(call->reply);
        return;
    }
    struct ticket *ticket = call_park(call);
    if (!aof_switch_wait(answer_ok, ticket))
        answer_ok(ticket);
}

/* CONFIG SET directive value [directive value ...] */
static void config_set(struct call *call)
{
    if (call->argc % 2 != 0) {
        call_error_syntax(call);
        return;
    }
    size_t count = (size_t)call->argc / 2 - 1, culprit = 0;
    struct config_pair *pairs = memory_alloc(count * sizeof(*pairs));
    for (size_t i = 0; i < count; i++)
        pairs[i] = (struct config_pair){ call->argv[2 + 2 * i], call->argv[3 + 2 * i] };
    struct error error;
    enum config_outcome outcome = config_change(pairs, count,
        permission_has(call->session, CONFIG_ENABLE_PROTECTED_CONFIGS), &culprit, &error);
    if (outcome == CONFIG_CHANGED) {
        reply_when_done(call);
    } else {
        struct bytes name = pairs[culprit].name;
        int shown = (int)(name.len < 128 ? name.len : 128);
        if (outcome == CONFIG_UNKNOWN)
            reply_error(call->reply,
                "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'", shown,
                name.data);
        else
            reply_error(call->reply,
                "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s", shown,
                name.data, error.text);
    }
    free(pairs);
}

/* ---- The others ---- */

static void rewrite(struct reply *reply)
{
    struct error error;
    if (config_rewrite(&error)) {
        log_write(LOG_NOTICE, "CONFIG REWRITE has written %s", config_file());
        reply_ok(reply);
    } else if (config_file()[0] == '\0') {
        reply_error(reply, "ERR %s", error.text);
    } else {
        log_write(LOG_WARNING, "CONFIG REWRITE failed: %s: %s", config_file(), error.text);
        reply_error(reply, "ERR Rewriting config file: %s", error.text);
    }
}

static void rewrite_and_answer(void *arg)
{
    struct reply answer = { .protocol = 2 };
    rewrite(&answer);
    ticket_reply(arg, answer.bytes);
}

/* It waits for the disk, which workers do not. */
static void config_rewrite_run(struct call *call)
{
    if (call_can_park(call) && config_file()[0])
        background_run(0, rewrite_and_answer, call_park(call));
    else
        rewrite(call->reply);
}

static void config_resetstat(struct call *call)
{
    stats_reset();
    errorstats_reset();
    acl_log_reset_counters();
    if (slot_stats_are_on())
        slot_stats_reset_all(call);
    reply_ok(call->reply);
}

/* ---- The rows ---- */

static const char *const set_tips[] = { "request_policy:all_nodes", "response_policy:all_succeeded",
    NULL };
static const struct command_arg get_inner[] = { { .name = "parameter", .type = ARG_STRING },
    { 0 } };
static const struct command_arg get_args[] = {
    { .name = "parameter", .type = ARG_BLOCK, .flags = ARG_MULTIPLE, .args = get_inner }, { 0 }
};
static const struct command_arg set_inner[] = { { .name = "parameter", .type = ARG_STRING },
    { .name = "value", .type = ARG_STRING }, { 0 } };
static const struct command_arg set_args[] = {
    { .name = "parameter_value", .type = ARG_BLOCK, .flags = ARG_MULTIPLE, .args = set_inner },
    { 0 }
};
static const struct command_history get_history[] = { { "7.0.0", "Takes several patterns." },
    { 0 } };
static const struct command_history set_history[] = { { "7.0.0", "Takes several pairs." }, { 0 } };

#define PARKING                                                                                    \
    .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_PARKS, .group = "server"
#define COMMON .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE, .group = "server"

static const struct command subcommands[] = {
    { .name = "get",
        .run = config_get,
        .arity = -3,
        COMMON,
        .since = "2.0.0",
        .summary = "Shows the directives whose names match, and their values",
        .complexity = "O(N) where N is the number of patterns",
        .args = get_args,
        .history = get_history },
    HELP_ROW("server", "5.0.0"),
    { .name = "resetstat",
        .run = config_resetstat,
        .arity = 2,
        COMMON,
        .since = "2.0.0",
        .summary = "Lets the counters of INFO begin at zero again",
        .complexity = "O(1)" },
    { .name = "rewrite",
        .run = config_rewrite_run,
        .arity = 2,
        PARKING,
        .since = "2.8.0",
        .summary = "Writes the configuration in force to its file",
        .complexity = "O(1)" },
    { .name = "set",
        .run = config_set,
        .arity = -4,
        PARKING,
        .since = "2.0.0",
        .summary = "Sets directives, all of them or none",
        .complexity = "O(N) where N is the number of directives",
        .tips = set_tips,
        .args = set_args,
        .history = set_history },
    { 0 },
};

const struct command config_commands[] = {
    { .name = "config",
        .arity = -2,
        .group = "server",
        .since = "2.0.0",
        .summary = "Commands about the configuration",
        .complexity = "Depends on the subcommand.",
        .subcommands = subcommands },
    { 0 },
};
