/* COMMAND: the command table, told to clients as Redis tells its own. DOCS is in command_docs.c. */
#include "server/command/category.h"
#include "server/command/command_docs.h"
#include "server/command/glob.h"
#include "server/command/help.h"

#include "common/memory.h"
#include <stdlib.h>

struct flag_name {
    unsigned flag;
    const char *name;
};

/* In the order in which Redis names them. */
static const struct flag_name command_flags[] = {
    { CMD_WRITE, "write" },
    { CMD_READONLY, "readonly" },
    { CMD_DENYOOM, "denyoom" },
    { CMD_ADMIN, "admin" },
    { CMD_PUBSUB, "pubsub" },
    { CMD_NOSCRIPT, "noscript" },
    { CMD_BLOCKING, "blocking" },
    { CMD_LOADING, "loading" },
    { CMD_STALE, "stale" },
    { CMD_SKIP_MONITOR, "skip_monitor" },
    { CMD_SKIP_SLOWLOG, "skip_slowlog" },
    { CMD_ASKING, "asking" },
    { CMD_FAST, "fast" },
    { CMD_NO_AUTH, "no_auth" },
    { CMD_NO_MANDATORY_KEYS, "no_mandatory_keys" },
    { CMD_NO_ASYNC_LOADING, "no_async_loading" },
    { CMD_NO_MULTI, "no_multi" },
    { CMD_MOVABLE_KEYS, "movablekeys" },
    { CMD_ALLOW_BUSY, "allow_busy" },
    { 0, NULL },
};

static const struct flag_name key_flags[] = {
    { KEY_RO, "RO" },
    { KEY_RW, "RW" },
    { KEY_OW, "OW" },
    { KEY_RM, "RM" },
    { KEY_ACCESS, "access" },
    { KEY_UPDATE, "update" },
    { KEY_INSERT, "insert" },
    { KEY_DELETE, "delete" },
    { KEY_NOT_KEY, "not_key" },
    { KEY_INCOMPLETE, "incomplete" },
    { KEY_VARIABLE_FLAGS, "variable_flags" },
    { 0, NULL },
};

static void reply_flags(struct reply *reply, unsigned flags, const struct flag_name *names)
{
    size_t count = 0;
    for (const struct flag_name *row = names; row->name; row++)
        count += (flags & row->flag) != 0;
    reply_set(reply, count);
    for (const struct flag_name *row = names; row->name; row++) {
        if (flags & row->flag)
            reply_simple(reply, row->name);
    }
}

/* ---- One command ---- */

/* First, last and step as Redis before 7.0 told where keys are; what of the specifications fits in.
 */
struct key_range {
    int first, last, step;
};

static struct key_range range_of(const struct key_spec *specs)
{
    struct key_range range = { 0, 0, 0 };
    if (!specs)
        return range;
    bool single =
        specs[0].begin == KEY_BEGIN_INDEX && specs[0].find == KEY_FIND_RANGE && !specs[1].begin;
    if (single)
        return (struct key_range){ specs[0].index,
            specs[0].last >= 0 ? specs[0].index + specs[0].last : specs[0].last, specs[0].step };
    for (const struct key_spec *spec = specs; spec->begin; spec++) {
        if (spec->begin != KEY_BEGIN_INDEX || spec->find != KEY_FIND_RANGE || spec->step != 1 ||
            (range.last && range.last != spec->index - 1))
            continue;
        if (!range.first || spec->index < range.first)
            range.first = spec->index;
        int last = spec->last >= 0 ? spec->index + spec->last : spec->last;
        range.last = last < 0 || last > range.last ? last : range.last;
        range.step = 1;
    }
    return range;
}

static void reply_pair(struct reply *reply, const char *name, int64_t value)
{
    reply_bulk_text(reply, name);
    reply_integer(reply, value);
}

static void reply_begin_search(struct reply *reply, const struct key_spec *spec)
{
    reply_map(reply, 2);
    reply_bulk_text(reply, "type");
    switch (spec->begin) {
    case KEY_BEGIN_INDEX:
        reply_bulk_text(reply, "index");
        reply_bulk_text(reply, "spec");
        reply_map(reply, 1);
        reply_pair(reply, "index", spec->index);
        return;
    case KEY_BEGIN_KEYWORD:
        reply_bulk_text(reply, "keyword");
        reply_bulk_text(reply, "spec");
        reply_map(reply, 2);
        reply_bulk_text(reply, "keyword");
        reply_bulk_text(reply, spec->keyword);
        reply_pair(reply, "startfrom", spec->index);
        return;
    default:
        reply_bulk_text(reply, "unknown");
        reply_bulk_text(reply, "spec");
        reply_map(reply, 0);
    }
}

static void reply_find_keys(struct reply *reply, const struct key_spec *spec)
{
    bool known = spec->begin != KEY_BEGIN_UNKNOWN && spec->find != KEY_FIND_UNKNOWN;
    reply_map(reply, 2);
    reply_bulk_text(reply, "type");
    if (!known) {
        reply_bulk_text(reply, "unknown");
        reply_bulk_text(reply, "spec");
        reply_map(reply, 0);
    } else if (spec->find == KEY_FIND_RANGE) {
        reply_bulk_text(reply, "range");
        reply_bulk_text(reply, "spec");
        reply_map(reply, 3);
        reply_pair(reply, "lastkey", spec->last);
        reply_pair(reply, "keystep", spec->step);
        reply_pair(reply, "limit", spec->limit);
    } else {
        reply_bulk_text(reply, "keynum");
        reply_bulk_text(reply, "spec");
        reply_map(reply, 3);
        reply_pair(reply, "keynumidx", spec->count_at);
        reply_pair(reply, "firstkey", spec->first);
        reply_pair(reply, "keystep", spec->step);
    }
}

static void reply_key_specs(struct reply *reply, const struct key_spec *specs)
{
    size_t count = 0;
    while (specs && specs[count].begin)
        count++;
    reply_set(reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_map(reply, specs[i].notes ? 4 : 3);
        if (specs[i].notes) {
            reply_bulk_text(reply, "notes");
            reply_bulk_text(reply, specs[i].notes);
        }
        reply_bulk_text(reply, "flags");
        reply_flags(reply, specs[i].flags, key_flags);
        reply_bulk_text(reply, "begin_search");
        reply_begin_search(reply, &specs[i]);
        reply_bulk_text(reply, "find_keys");
        reply_find_keys(reply, &specs[i]);
    }
}

static void reply_categories(struct reply *reply, const struct command *command)
{
    uint32_t categories = category_of(command);
    reply_set(reply, (size_t)__builtin_popcount(categories));
    for (unsigned i = 0; i < CATEGORY_COUNT; i++) {
        if (categories >> i & 1) {
            char name[32] = "@";
            strcat(name, category_name(i));
            reply_simple(reply, name);
        }
    }
}

static void reply_tips(struct reply *reply, const char *const *tips)
{
    size_t count = 0;
    while (tips && tips[count])
        count++;
    reply_set(reply, count);
    for (size_t i = 0; i < count; i++)
        reply_bulk_text(reply, tips[i]);
}

static void reply_command(
    struct reply *reply, const struct command *command, const struct command *parent)
{
    struct buffer name = { 0 };
    buffer_printf(&name, "%s%s%s", parent ? parent->name : "", parent ? "|" : "", command->name);
    struct key_range range = range_of(command->keys);
    reply_array(reply, 10);
    reply_bulk(reply, buffer_bytes(&name));
    reply_integer(reply, command->arity);
    reply_flags(reply, command->flags, command_flags);
    reply_integer(reply, range.first);
    reply_integer(reply, range.last);
    reply_integer(reply, range.step);
    reply_categories(reply, command);
    reply_tips(reply, command->tips);
    reply_key_specs(reply, command->keys);
    buffer_free(&name);

    size_t count = 0;
    while (command->subcommands && command->subcommands[count].name)
        count++;
    if (count == 0)
        reply_set(reply, 0);
    else
        reply_array(reply, count);
    for (size_t i = 0; i < count; i++)
        reply_command(reply, &command->subcommands[i], command);
}

/* ---- The subcommands ---- */

/* A command of its own that clients may call. */
static bool is_shown(const struct command_entry *entry)
{
    return !entry->parent && entry->called;
}

static size_t count_commands(void)
{
    size_t count = 0;
    for (unsigned i = 0; i < command_count(); i++)
        count += is_shown(command_by_id(i));
    return count;
}

const struct command_entry *command_by_name(struct bytes name)
{
    const struct command_entry *container, *entry;
    struct bytes words[2] = { name, { NULL, 0 } };
    int count = 1;
    const char *bar = memchr(name.data, '|', name.len);
    if (bar) {
        words[0].len = (size_t)(bar - name.data);
        words[1] = (struct bytes){ bar + 1, name.len - words[0].len - 1 };
        count = 2;
    }
    entry = command_lookup(words, count, &container);
    return bar && entry && !entry->parent ? NULL : entry;
}

static void command_all(struct call *call)
{
    reply_array(call->reply, count_commands());
    for (unsigned i = 0; i < command_count(); i++) {
        if (is_shown(command_by_id(i)))
            reply_command(call->reply, command_by_id(i)->command, NULL);
    }
}

static void command_count_run(struct call *call)
{
    reply_integer(call->reply, (int64_t)count_commands());
}

static void command_info(struct call *call)
{
    if (call->argc == 2) {
        command_all(call);
        return;
    }
    reply_array(call->reply, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        const struct command_entry *entry = command_by_name(call->argv[i]);
        if (entry)
            reply_command(call->reply, entry->command, entry->parent);
        else
            reply_null(call->reply);
    }
}

/* Whether COMMAND LIST FILTERBY (how, what) takes the command. */
typedef bool filter_fn(const struct command_entry *entry, struct bytes what);

static bool is_of_module(const struct command_entry *entry, struct bytes what)
{
    return false; /* all commands are the server's own */
}

static bool is_of_category(const struct command_entry *entry, struct bytes what)
{
    int index = category_find(what);
    return index >= 0 && category_of(entry->command) >> index & 1;
}

static bool has_name_like(const struct command_entry *entry, struct bytes what)
{
    return glob_matches(what, (struct bytes){ entry->name, entry->name_len }, true);
}

static void command_list(struct call *call)
{
    static const struct {
        const char *name;
        filter_fn *filter;
    } filters[] = { { "module", is_of_module }, { "aclcat", is_of_category },
        { "pattern", has_name_like } };
    filter_fn *filter = NULL;
    for (size_t i = 0; call->argc == 5 && i < sizeof(filters) / sizeof(filters[0]); i++) {
        if (bytes_is(call->argv[3], filters[i].name))
            filter = filters[i].filter;
    }
    if (call->argc != 2 && (!filter || !bytes_is(call->argv[2], "filterby"))) {
        call_error_syntax(call);
        return;
    }
    size_t count = 0;
    struct reply_mark mark = reply_deferred(call->reply);
    for (unsigned i = 0; i < command_count(); i++) {
        const struct command_entry *entry = command_by_id(i);
        const struct command_entry *whole =
            entry->parent ? command_by_name(bytes_of(entry->parent->name)) : entry;
        if (!entry->called || !whole || (filter && !filter(entry, call->argv[4])))
            continue;
        reply_bulk(call->reply, (struct bytes){ entry->name, entry->name_len });
        count++;
    }
    reply_deferred_array(call->reply, mark, count);
}

/* ---- GETKEYS ---- */

static void reply_found_keys(struct call *call, const struct command_entry *entry, bool with_flags)
{
    const struct bytes *argv = call->argv + 2;
    int argc = call->argc - 2;
    int *positions = memory_alloc((size_t)argc * sizeof(*positions));
    unsigned *flags = with_flags ? command_key_flags(entry, argv, argc) : NULL;
    int count = command_keys(entry->command, argv, argc, positions, argc);
    if (count < 0 && entry->command->flags & CMD_NO_MANDATORY_KEYS)
        count = 0;
    if (count <= 0 && !(entry->command->flags & CMD_NO_MANDATORY_KEYS)) {
        reply_error(call->reply, "Invalid arguments specified for command");
    } else {
        reply_array(call->reply, (size_t)count);
        for (int i = 0; i < count; i++) {
            if (with_flags)
                reply_array(call->reply, 2);
            reply_bulk(call->reply, argv[positions[i]]);
            if (with_flags)
                reply_flags(call->reply, flags[positions[i]], key_flags);
        }
    }
    free(flags);
    free(positions);
}

static void reply_keys(struct call *call, bool with_flags)
{
    const struct command_entry *container;
    const struct command_entry *entry = command_lookup(call->argv + 2, call->argc - 2, &container);
    int argc = call->argc - 2;
    if (!entry)
        reply_error(call->reply, "Invalid command specified");
    else if (!entry->command->keys || entry->command->keys->flags & KEY_NOT_KEY)
        reply_error(call->reply, "The command has no key arguments");
    else if ((entry->command->arity > 0 && entry->command->arity != argc) ||
             argc < -entry->command->arity)
        reply_error(call->reply, "Invalid number of arguments specified for command");
    else
        reply_found_keys(call, entry, with_flags);
}

static void command_getkeys(struct call *call)
{
    reply_keys(call, false);
}

static void command_getkeysandflags(struct call *call)
{
    reply_keys(call, true);
}

/* ---- The rows ---- */

static const char *const in_any_order[] = { "nondeterministic_output_order", NULL };
static const struct command_arg name_args[] = {
    { .name = "command-name", .type = ARG_STRING, .flags = ARG_OPTIONAL | ARG_MULTIPLE }, { 0 }
};
static const struct command_arg filter_args[] = {
    { .name = "module-name", .type = ARG_STRING, .token = "MODULE" },
    { .name = "category", .type = ARG_STRING, .token = "ACLCAT" },
    { .name = "pattern", .type = ARG_PATTERN, .token = "PATTERN" },
    { 0 },
};
static const struct command_arg list_args[] = {
    { .name = "filterby",
        .type = ARG_ONEOF,
        .flags = ARG_OPTIONAL,
        .token = "FILTERBY",
        .args = filter_args },
    { 0 },
};
static const struct command_history info_history[] = {
    { "7.0.0", "Without a name it tells of all commands." }, { 0 }
};

#define COMMON .flags = CMD_LOADING | CMD_STALE, .categories = "@connection", .group = "server"

static const struct command subcommands[] = {
    { .name = "count",
        .run = command_count_run,
        .arity = 2,
        COMMON,
        .since = "2.8.13",
        .summary = "Tells how many commands there are",
        .complexity = "O(1)" },
    { .name = "docs",
        .run = command_docs,
        .arity = -2,
        COMMON,
        .since = "7.0.0",
        .summary = "Describes commands for people: purpose, arguments, history",
        .complexity = "O(N) where N is the number of commands to look up",
        .tips = in_any_order,
        .args = name_args },
    { .name = "getkeys",
        .run = command_getkeys,
        .arity = -4,
        COMMON,
        .since = "2.8.13",
        .summary = "Finds the keys in a whole command",
        .complexity = "O(N) where N is the number of arguments of the command" },
    { .name = "getkeysandflags",
        .run = command_getkeysandflags,
        .arity = -4,
        COMMON,
        .since = "7.0.0",
        .summary = "Finds the keys in a whole command, and what it does with each",
        .complexity = "O(N) where N is the number of arguments of the command" },
    { .name = "help",
        .run = call_help,
        .arity = 2,
        COMMON,
        .since = "5.0.0",
        .summary = "Lists the subcommands",
        .complexity = "O(1)" },
    { .name = "info",
        .run = command_info,
        .arity = -2,
        COMMON,
        .since = "2.8.13",
        .summary = "Describes commands for programs: arity, flags, keys, categories",
        .complexity = "O(N) where N is the number of commands to look up",
        .tips = in_any_order,
        .args = name_args,
        .history = info_history },
    { .name = "list",
        .run = command_list,
        .arity = -2,
        COMMON,
        .since = "7.0.0",
        .summary = "Names all commands, or those that a filter lets through",
        .complexity = "O(N) where N is the number of commands",
        .tips = in_any_order,
        .args = list_args },
    { 0 },
};

const struct command command_commands[] = {
    { .name = "command",
        .run = command_all,
        .arity = -1,
        COMMON,
        .since = "2.8.13",
        .summary = "Describes all commands for programs",
        .complexity = "O(N) where N is the number of commands",
        .tips = in_any_order,
        .subcommands = subcommands },
    { 0 },
};
