/* DEBUG itself, and SLEEP. SLEEP stops the client that asks and nobody else: a node whose workers
 * slept would be taken for dead by the others, and that can be had with SIGSTOP. */
#include "server/command/debug.h"

#include "server/command/background.h"
#include "server/command/latency.h"
#include "server/command/permission.h"
#include "server/command/rows.h"
#include "server/command/slowlog.h"

#include "common/memory.h"
#include <stdlib.h>

enum {
    SLEEP_WORDS = 3,             /* DEBUG SLEEP seconds */
    SLEEP_MAX_MS = 86400 * 1000, /* a day */
    NUMBER_MAX = 64,             /* bytes of a number that are read */
};

/* ---- SLEEP ---- */

/* A client's sleep, with what SLOWLOG will want to know when it is over. */
struct nap {
    struct ticket *ticket;
    struct executor *executor;
    const struct command_entry *entry;
    uint64_t start;                 /* ticks */
    struct bytes argv[SLEEP_WORDS]; /* into text */
    char text[];
};

/* In the session's worker. What dispatch has measured is how long it took to go to bed. */
static void get_up(struct session *session, void *arg)
{
    struct nap *nap = arg;
    uint64_t ticks = clock_ticks() - nap->start;
    struct call call = { .executor = nap->executor,
        .session = session,
        .entry = nap->entry,
        .argv = nap->argv,
        .argc = SLEEP_WORDS };
    counter_add(&nap->executor->commands[nap->entry->id].ticks, ticks);
    if (ticks >= atomic_load_explicit(&latency_threshold, memory_order_relaxed))
        latency_sample_command(&call, ticks);
    if (session) {
        slowlog_note(&call, ticks);
        reply_ok(&session->reply);
    }
    free(nap);
}

static void wake(void *arg)
{
    struct nap *nap = arg;
    ticket_finish(nap->ticket, get_up, nap);
}

/* As C reads the start of a text; what is no number is 0. Nobody sleeps less than asked: what is
 * left of a millisecond is rounded up, and one more is for that which has begun. */
static int milliseconds(struct bytes seconds)
{
    char text[NUMBER_MAX + 1];
    size_t len = seconds.len < NUMBER_MAX ? seconds.len : NUMBER_MAX;
    memcpy(text, seconds.data, len);
    text[len] = '\0';
    double ms = strtod(text, NULL) * 1000;
    if (!(ms > 0)) /* NaN, too */
        return 0;
    int whole = ms < SLEEP_MAX_MS ? (int)ms : SLEEP_MAX_MS;
    return whole + 1 + (whole < ms);
}

static struct nap *nap_create(const struct call *call)
{
    size_t size = 0;
    for (int i = 0; i < SLEEP_WORDS; i++)
        size += call->argv[i].len;
    struct nap *nap = memory_alloc(sizeof(*nap) + size);
    nap->executor = call->executor;
    nap->entry = call->entry;
    nap->start = clock_ticks();
    char *at = nap->text;
    for (int i = 0; i < SLEEP_WORDS; i++) {
        struct bytes word = call->argv[i];
        memcpy(at, word.data, word.len);
        nap->argv[i] = (struct bytes){ at, word.len };
        at += word.len;
    }
    return nap;
}

/* DEBUG SLEEP seconds */
static void debug_sleep(struct call *call)
{
    int ms = milliseconds(call->argv[2]);
    if (ms == 0) {
        reply_ok(call->reply);
    } else if (!call_can_park(call)) {
        reply_error(call->reply, "DEBUG SLEEP is for connections");
    } else {
        struct nap *nap = nap_create(call);
        nap->ticket = call_park(call);
        background_run(ms, wake, nap);
    }
}

/* ---- The words ---- */

static void debug_help(struct call *call);

static const struct debug_word own_words[] = {
    { "sleep", debug_sleep, SLEEP_WORDS, SLEEP_WORDS, "SLEEP <seconds>",
        "    Answers after that time; fractions of a second count." },
    { "help", debug_help, 2, 2, "HELP", "    Prints this help." },
    { 0 },
};

static const struct debug_word *const tables[] = { debug_value_words, debug_digest_words,
    debug_data_words, debug_reply_words, debug_process_words, debug_reload_words, own_words };
enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

static void debug_help(struct call *call)
{
    struct reply_mark mark = reply_deferred(call->reply);
    size_t lines = 1;
    reply_simple(call->reply, "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (size_t i = 0; i < TABLES; i++) {
        for (const struct debug_word *word = tables[i]; word->name; word++) {
            reply_simple(call->reply, word->syntax);
            reply_simple(call->reply, word->summary);
            lines += 2;
        }
    }
    reply_deferred_array(call->reply, mark, lines);
}

static const struct debug_word *find_word(const struct call *call)
{
    for (size_t i = 0; i < TABLES; i++) {
        for (const struct debug_word *word = tables[i]; word->name; word++) {
            if (bytes_is(call->argv[1], word->name) && call->argc >= word->least &&
                (word->most == 0 || call->argc <= word->most))
                return word;
        }
    }
    return NULL;
}

/* DEBUG word [argument ...] */
static void debug(struct call *call)
{
    if (!permission_has(call->session, CONFIG_ENABLE_DEBUG_COMMAND)) {
        reply_error(call->reply,
            "DEBUG command not allowed. If the enable-debug-command option is set to \"local\", "
            "you can run it from a local connection, otherwise you need to set this option in the "
            "configuration file, and then restart the server.");
        return;
    }
    const struct debug_word *word = find_word(call);
    if (word)
        word->run(call);
    else
        call_error_subcommand(call);
}

/* clang-format off */
const struct command debug_commands[] = {
    { "debug", debug, -2,
        CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_PARKS | CMD_ALL_SLOTS,
        .group = "server",
        .since = "1.0.0",
        .summary = "What helps to test a server and its clients",
        .complexity = "Depends on subcommand." },
    { 0 },
};
/* clang-format on */
