/* INFO: a table of sections. What is in a section comes from the modules that registered for it,
 * and from info_sections.c, which tells what needs no module. */
#include "server/info.h"
#include "server/command/call.h"
#include "server/command/info_fields.h"

#include <stdlib.h>

enum { TELLERS_MAX = 64 };

/* Which words name a section beside its own. */
enum { IN_DEFAULT = 1, IN_ALL = 2, IN_EVERYTHING = 4 };

static const struct section {
    const char *name, *title;
    unsigned groups;
} sections[] = {
    { "server", "Server", IN_DEFAULT | IN_ALL | IN_EVERYTHING },
    { "clients", "Clients", IN_DEFAULT | IN_ALL | IN_EVERYTHING },
    { "memory", "Memory", IN_DEFAULT | IN_ALL | IN_EVERYTHING },
    { "persistence", "Persistence", IN_DEFAULT | IN_ALL | IN_EVERYTHING },
    { "stats", "Stats", IN_DEFAULT | IN_ALL | IN_EVERYTHING },
    { "replication", "Replication", IN_DEFAULT | IN_ALL | IN_EVERYTHING },
    { "cpu", "CPU", IN_DEFAULT | IN_ALL | IN_EVERYTHING },
    { "modules", "Modules", IN_DEFAULT | IN_ALL | IN_EVERYTHING },
    { "commandstats", "Commandstats", IN_ALL | IN_EVERYTHING },
    { "errorstats", "Errorstats", IN_DEFAULT | IN_ALL | IN_EVERYTHING },
    { "latencystats", "Latencystats", IN_ALL | IN_EVERYTHING },
    { "cluster", "Cluster", IN_DEFAULT | IN_ALL | IN_EVERYTHING },
    { "keyspace", "Keyspace", IN_DEFAULT | IN_ALL | IN_EVERYTHING },
};
enum { SECTIONS = sizeof(sections) / sizeof(sections[0]) };

static struct teller {
    const char *section;
    info_fn *tell;
} tellers[TELLERS_MAX]; /* written before any thread runs */
static size_t teller_count;

void info_register(const char *section, info_fn *tell)
{
    if (teller_count == TELLERS_MAX)
        abort(); /* a program with more of them needs a larger table */
    tellers[teller_count++] = (struct teller){ section, tell };
}

void info_tell_section(const char *section, struct buffer *out)
{
    for (size_t i = 0; i < teller_count; i++) {
        if (strcmp(tellers[i].section, section) == 0)
            tellers[i].tell(out);
    }
    info_tell_own(section, out);
}

static void append_section(struct buffer *out, const struct section *section)
{
    struct buffer told = { 0 };
    info_tell_section(section->name, &told);
    buffer_printf(out, "%s# %s\r\n", out->len ? "\r\n" : "", section->title);
    info_append_ordered(out, section->name, buffer_bytes(&told));
    buffer_free(&told);
}

/* Whether the word of a client means this section. */
static bool names_section(struct bytes word, const struct section *section)
{
    static const struct {
        const char *name;
        unsigned group;
    } groups[] = { { "default", IN_DEFAULT }, { "all", IN_ALL }, { "everything", IN_EVERYTHING } };
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (bytes_is(word, groups[i].name))
            return section->groups & groups[i].group;
    }
    return bytes_is(word, section->name);
}

/* INFO [section ...] */
static void info(struct call *call)
{
    struct buffer text = { 0 };
    for (size_t s = 0; s < SECTIONS; s++) {
        bool wanted = call->argc == 1 && sections[s].groups & IN_DEFAULT;
        for (int i = 1; !wanted && i < call->argc; i++)
            wanted = names_section(call->argv[i], &sections[s]);
        if (wanted)
            append_section(&text, &sections[s]);
    }
    reply_verbatim(call->reply, "txt", text.len ? buffer_bytes(&text) : BYTES(""));
    buffer_free(&text);
}

static const char *const tips[] = { "nondeterministic_output", "request_policy:all_shards",
    "response_policy:special", NULL };
static const struct command_arg args[] = {
    { .name = "section", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE }, { 0 }
};
static const struct command_history history[] = { { "7.0.0", "Takes several sections." }, { 0 } };

const struct command info_commands[] = {
    { .name = "info",
        .run = info,
        .arity = -1,
        .flags = CMD_LOADING | CMD_STALE,
        .categories = "@dangerous",
        .group = "server",
        .since = "1.0.0",
        .summary = "Tells what the server is, has and does",
        .complexity = "O(1)",
        .tips = tips,
        .args = args,
        .history = history },
    { 0 },
};
