/* A chain of entries, the newest first, as long as slowlog-max-len says. An entry is one
 * allocation: few commands are slow, and one that is has time for it. */
#include "server/command/slowlog.h"

#include "server/command/help.h"
#include "server/command/redact.h"
#include "server/command/rows.h"
#include "server/config.h"

#include "common/memory.h"
#include "common/number.h"
#include <pthread.h>
#include <stdlib.h>

enum { ARGS_MAX = 32, ARG_MAX_BYTES = 128, SHOWN_BY_DEFAULT = 10 };

struct slow {
    struct slow *next; /* older */
    uint64_t id;
    int64_t at; /* Unix time in seconds */
    uint64_t us;
    char *peer, *name; /* owned */
    size_t argc;
    struct buffer args[ARGS_MAX]; /* owned */
};

_Atomic uint64_t slowlog_threshold = UINT64_MAX;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards these */
static struct slow *newest;
static size_t length;
static uint64_t next_id;

static void slow_free(struct slow *slow)
{
    for (size_t i = 0; i < slow->argc; i++)
        buffer_free(&slow->args[i]);
    free(slow->peer);
    free(slow->name);
    free(slow);
}

/* Takes what is beyond max off the chain; the caller frees it without the lock. */
static struct slow *cut(size_t max)
{
    struct slow **link = &newest;
    for (size_t i = 0; *link && i < max; i++)
        link = &(*link)->next;
    struct slow *rest = *link;
    *link = NULL;
    length = length < max ? length : max;
    return rest;
}

static void free_chain(struct slow *slow)
{
    while (slow) {
        struct slow *next = slow->next;
        slow_free(slow);
        slow = next;
    }
}

/* ---- Configuration ---- */

static bool apply(enum config_id id, struct error *error)
{
    int64_t us = config_number(CONFIG_SLOWLOG_LOG_SLOWER_THAN);
    atomic_store(&slowlog_threshold, us < 0 ? UINT64_MAX : clock_us_to_ticks((uint64_t)us));
    pthread_mutex_lock(&mutex);
    struct slow *rest = cut((size_t)config_number(CONFIG_SLOWLOG_MAX_LEN));
    pthread_mutex_unlock(&mutex);
    free_chain(rest);
    return true;
}

void slowlog_init(void)
{
    config_on_change(CONFIG_SLOWLOG_LOG_SLOWER_THAN, apply);
    config_on_change(CONFIG_SLOWLOG_MAX_LEN, apply);
    apply(CONFIG_SLOWLOG_LOG_SLOWER_THAN, NULL);
}

/* ---- Adding ---- */

static void keep_argument(struct buffer *out, struct bytes arg)
{
    size_t kept = arg.len < ARG_MAX_BYTES ? arg.len : ARG_MAX_BYTES;
    buffer_append(out, arg.data, kept);
    if (kept < arg.len)
        buffer_printf(out, "... (%zu more bytes)", arg.len - kept);
}

static void keep_arguments(struct slow *slow, const struct call *call)
{
    size_t argc = (size_t)call->argc;
    slow->argc = argc < ARGS_MAX ? argc : ARGS_MAX;
    for (size_t i = 0; i < slow->argc; i++) {
        if (argc > ARGS_MAX && i == ARGS_MAX - 1)
            buffer_printf(&slow->args[i], "... (%zu more arguments)", argc - ARGS_MAX + 1);
        else if (redact_hides(call->entry, call->argv, call->argc, (int)i))
            buffer_append_text(&slow->args[i], "(redacted)");
        else
            keep_argument(&slow->args[i], call->argv[i]);
    }
}

void slowlog_add(const struct call *call, uint64_t microseconds)
{
    size_t max = (size_t)config_number(CONFIG_SLOWLOG_MAX_LEN);
    if (call->entry->command->flags & CMD_SKIP_SLOWLOG || max == 0)
        return;
    struct slow *slow = memory_alloc_zeroed(1, sizeof(*slow));
    slow->at = clock_unix_ms() / 1000;
    slow->us = microseconds;
    slow->peer = memory_copy_text(call->session->peer);
    slow->name = memory_copy_text(call->session->name ? call->session->name : "");
    keep_arguments(slow, call);

    pthread_mutex_lock(&mutex);
    slow->id = next_id++;
    slow->next = newest;
    newest = slow;
    length++;
    struct slow *rest = length > max ? cut(max) : NULL;
    pthread_mutex_unlock(&mutex);
    free_chain(rest);
}

/* ---- The commands ---- */

static void reply_slow(struct reply *reply, const struct slow *slow)
{
    reply_array(reply, 6);
    reply_integer(reply, (int64_t)slow->id);
    reply_integer(reply, slow->at);
    reply_integer(reply, (int64_t)slow->us);
    reply_array(reply, slow->argc);
    for (size_t i = 0; i < slow->argc; i++)
        reply_bulk(reply, slow->args[i].len ? buffer_bytes(&slow->args[i]) : BYTES(""));
    reply_bulk_text(reply, slow->peer);
    reply_bulk_text(reply, slow->name);
}

/* SLOWLOG GET [count] */
static void slowlog_get(struct call *call)
{
    int64_t count = SHOWN_BY_DEFAULT;
    if (call->argc > 3) {
        call_error_subcommand(call);
        return;
    }
    if (call->argc == 3 && (!number_parse(call->argv[2], &count) || count < -1)) {
        reply_error(call->reply, "count should be greater than or equal to -1");
        return;
    }
    pthread_mutex_lock(&mutex);
    size_t shown = count < 0 || (uint64_t)count > length ? length : (size_t)count;
    reply_array(call->reply, shown);
    const struct slow *slow = newest;
    for (size_t i = 0; i < shown; i++, slow = slow->next)
        reply_slow(call->reply, slow);
    pthread_mutex_unlock(&mutex);
}

static void slowlog_len(struct call *call)
{
    pthread_mutex_lock(&mutex);
    size_t count = length;
    pthread_mutex_unlock(&mutex);
    reply_integer(call->reply, (int64_t)count);
}

static void slowlog_reset(struct call *call)
{
    pthread_mutex_lock(&mutex);
    struct slow *all = cut(0);
    pthread_mutex_unlock(&mutex);
    free_chain(all);
    reply_ok(call->reply);
}

/* ---- The rows ---- */

#define ROW(...) ROW_OF("server", __VA_ARGS__)

enum { ADMIN = CMD_ADMIN | CMD_LOADING | CMD_STALE };

static const struct command subcommands[] = {
    ROW("get", slowlog_get, -2, ADMIN, "2.2.12", "O(N) where N is the number of entries returned",
        "Shows the newest entries of the slow log: 10, or count, or all (-1)",
        .tips = TIPS("request_policy:all_nodes", "nondeterministic_output"),
        .args = ARGS(OPTION("count", ARG_INTEGER, NULL, NULL)),
        .history = HISTORY({ "4.0.0", "Tells the address and the name of the client." })),
    HELP_ROW("server", "6.2.0"),
    ROW("len", slowlog_len, 2, ADMIN, "2.2.12", "O(1)", "Tells how many entries the slow log has",
        .tips =
            TIPS("request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output")),
    ROW("reset", slowlog_reset, 2, ADMIN, "2.2.12", "O(N) where N is the number of entries",
        "Empties the slow log",
        .tips = TIPS("request_policy:all_nodes", "response_policy:all_succeeded")),
    { 0 },
};

const struct command slowlog_commands[] = {
    { .name = "slowlog",
        .arity = -2,
        .group = "server",
        .since = "2.2.12",
        .summary = "Commands about the slow log",
        .complexity = "Depends on the subcommand.",
        .subcommands = subcommands },
    { 0 },
};
