/* SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF, SHUTDOWN. */
#include "server/command/families.h"

#include "common/memory.h"
#include "server/command/call.h"
#include "server/command/rows.h"
#include "server/persistence.h"
#include "server/process.h"
#include "server/rdb_save.h"
#include "server/script/busy.h"
#include <stdlib.h>

/* ---- SAVE waits, but only its own client does ---- */

struct outcome {
    struct ticket *ticket;
    bool ok;
    struct error error;
};

static void tell_outcome(struct session *session, void *arg)
{
    struct outcome *outcome = arg;
    if (session && outcome->ok)
        reply_ok(&session->reply);
    else if (session)
        reply_error(&session->reply, "%s", outcome->error.text);
    free(outcome);
}

static void saved(void *context, const struct error *error)
{
    struct outcome *outcome = context;
    outcome->ok = error == NULL;
    if (error)
        outcome->error = *error;
    ticket_finish(outcome->ticket, tell_outcome, outcome);
}

static void save(struct call *call)
{
    struct error error;
    if (!call_can_park(call)) {
        reply_error(call->reply, "SAVE cannot wait here; use BGSAVE");
        return;
    }
    struct outcome *outcome = memory_alloc_zeroed(1, sizeof(*outcome));
    outcome->ticket = call_park(call);
    if (!rdb_save_begin(false, saved, outcome, &error))
        saved(outcome, &error);
}

static void bgsave(struct call *call)
{
    struct error error;
    bool schedule = call->argc == 2 && bytes_is(call->argv[1], "SCHEDULE");
    if (call->argc > 1 && !schedule)
        call_error_syntax(call);
    else if (!rdb_save_begin(schedule, NULL, NULL, &error))
        reply_error(call->reply, "%s", error.text);
    else
        reply_simple(call->reply, "Background saving started");
}

static void lastsave(struct call *call)
{
    reply_integer(call->reply, rdb_save_figures().last_save);
}

static void bgrewriteaof(struct call *call)
{
    struct error error;
    bool scheduled;
    if (!persistence_rewrite_aof(&scheduled, &error))
        reply_error(call->reply, "%s", error.text);
    else
        reply_simple(call->reply, scheduled ? "Background append only file rewriting scheduled"
                                            : "Background append only file rewriting started");
}

/* ---- SHUTDOWN answers only if it does not come to pass ---- */

static void shutdown_refused(void *arg)
{
    struct outcome *outcome = arg;
    error_set(&outcome->error, "ERR Errors trying to SHUTDOWN. Check logs.");
    ticket_finish(outcome->ticket, tell_outcome, outcome);
}

static void shut_down(struct call *call)
{
    unsigned flags = 0;
    bool abort_it = false, ok = true;
    for (int i = 1; i < call->argc; i++) {
        if (bytes_is(call->argv[i], "abort"))
            abort_it = true;
        else
            ok = ok && process_shutdown_flag(call->argv[i], &flags);
    }
    if (!ok || (abort_it && call->argc > 2) || (flags & SHUTDOWN_SAVE && flags & SHUTDOWN_NOSAVE)) {
        call_error_syntax(call);
        return;
    }
    if (abort_it) {
        if (process_shutdown_abort())
            reply_ok(call->reply);
        else
            reply_error(call->reply, "No shutdown in progress.");
        return;
    }
    const char *busy = flags & SHUTDOWN_NOSAVE ? NULL : busy_error();
    if (busy) {
        reply_error(call->reply, "%s", busy);
        return;
    }
    if (!call_can_park(call)) {
        process_shutdown_begin(flags, NULL, NULL);
        reply_ok(call->reply);
        return;
    }
    struct outcome *outcome = memory_alloc_zeroed(1, sizeof(*outcome));
    outcome->ticket = call_park(call);
    if (!process_shutdown_begin(flags, shutdown_refused, outcome)) {
        error_set(&outcome->error, "ERR Shutdown is already in progress.");
        ticket_finish(outcome->ticket, tell_outcome, outcome);
    }
}

static const struct command_arg nosave_save[] = {
    TOKEN("nosave", "NOSAVE"),
    TOKEN("save", "SAVE"),
    { 0 },
};

const struct command persistence_commands[] = {
    { "save", save, 1, .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING | CMD_NO_MULTI,
        .group = "server", .since = "1.0.0", .complexity = "O(N), N keys in all",
        .summary = "Writes the data set to the RDB file and answers when that is done" },
    { "bgsave", bgsave, -1, .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING,
        .group = "server", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Writes the data set to the RDB file in the background",
        .history = HISTORY({ "3.2.2", "Added the `SCHEDULE` option." }),
        .args = ARGS(OPTION("schedule", ARG_PURE_TOKEN, "SCHEDULE", "3.2.2")) },
    { "lastsave", lastsave, 1, .flags = CMD_LOADING | CMD_STALE | CMD_FAST,
        .categories = "@admin @dangerous", .group = "server", .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Returns the Unix time of the last RDB file that was written",
        .tips = TIPS("nondeterministic_output") },
    { "bgrewriteaof", bgrewriteaof, 1, .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING,
        .group = "server", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Rewrites the append-only file in the background, as short as it can be" },
    { "shutdown", shut_down, -1,
        .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_ALLOW_BUSY | CMD_NO_MULTI,
        .group = "server", .since = "1.0.0", .complexity = "O(N) when saving, N keys in all",
        .summary = "Saves what is to be saved and ends the server",
        .history = HISTORY({ "7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers." }),
        .args = ARGS({ "nosave_save", ARG_ONEOF, ARG_OPTIONAL, NULL, 0, NULL, nosave_save },
            OPTION("now", ARG_PURE_TOKEN, "NOW", "7.0.0"),
            OPTION("force", ARG_PURE_TOKEN, "FORCE", "7.0.0"),
            OPTION("abort", ARG_PURE_TOKEN, "ABORT", "7.0.0")) },
    { 0 },
};
