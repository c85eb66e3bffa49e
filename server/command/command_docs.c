/* COMMAND DOCS: maps of what the rows say for people. A field that a row leaves empty is not in the
 * map. */
#include "server/command/command_docs.h"

static const char *const type_names[] = {
    [ARG_STRING] = "string",
    [ARG_INTEGER] = "integer",
    [ARG_DOUBLE] = "double",
    [ARG_KEY] = "key",
    [ARG_PATTERN] = "pattern",
    [ARG_UNIX_TIME] = "unix-time",
    [ARG_PURE_TOKEN] = "pure-token",
    [ARG_ONEOF] = "oneof",
    [ARG_BLOCK] = "block",
};

/* Commands that servers say to each other, or that are there for their authors. */
static const char *const internal[] = { "debug", "pfdebug", "pfselftest", "replconf",
    "restore-asking" };

/* One more field of a map under way, where there is a text. */
static void field(struct reply *reply, size_t *fields, const char *name, const char *text)
{
    if (!text)
        return;
    reply_bulk_text(reply, name);
    reply_bulk_text(reply, text);
    ++*fields;
}

static void reply_arg_flags(struct reply *reply, unsigned flags)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = { { ARG_OPTIONAL, "optional" }, { ARG_MULTIPLE, "multiple" },
        { ARG_MULTIPLE_TOKEN, "multiple_token" } };
    reply_set(reply, (size_t)__builtin_popcount(flags));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (flags & names[i].flag)
            reply_simple(reply, names[i].name);
    }
}

static void reply_args(struct reply *reply, const struct command_arg *args)
{
    size_t count = 0;
    while (args[count].type != ARG_END)
        count++;
    reply_array(reply, count);
    for (const struct command_arg *arg = args; arg->type != ARG_END; arg++) {
        size_t fields = 0;
        struct reply_mark mark = reply_deferred(reply);
        field(reply, &fields, "name", arg->name);
        field(reply, &fields, "type", type_names[arg->type]);
        if (arg->type == ARG_KEY || arg->key_spec > 0) { /* SORT's patterns name keys */
            reply_bulk_text(reply, "key_spec_index");
            reply_integer(reply, arg->key_spec);
            fields++;
        }
        field(reply, &fields, "token", arg->token);
        field(reply, &fields, "since", arg->since);
        if (arg->flags) {
            reply_bulk_text(reply, "flags");
            reply_arg_flags(reply, arg->flags);
            fields++;
        }
        if (arg->type == ARG_ONEOF || arg->type == ARG_BLOCK) {
            reply_bulk_text(reply, "arguments");
            reply_args(reply, arg->args);
            fields++;
        }
        reply_deferred_map(reply, mark, fields);
    }
}

static void reply_history(struct reply *reply, const struct command_history *history)
{
    size_t count = 0;
    while (history[count].since)
        count++;
    reply_set(reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_array(reply, 2);
        reply_bulk_text(reply, history[i].since);
        reply_bulk_text(reply, history[i].change);
    }
}

static const char *internal_flag(const struct command *command)
{
    for (size_t i = 0; i < sizeof(internal) / sizeof(internal[0]); i++) {
        if (strcmp(internal[i], command->name) == 0)
            return "syscmd";
    }
    return NULL;
}

static void reply_docs(
    struct reply *reply, const struct command *command, const struct command *parent)
{
    struct buffer name = { 0 };
    buffer_printf(&name, "%s%s%s", parent ? parent->name : "", parent ? "|" : "", command->name);
    reply_bulk(reply, buffer_bytes(&name));
    buffer_free(&name);

    size_t fields = 0;
    struct reply_mark mark = reply_deferred(reply);
    const char *flag = parent ? NULL : internal_flag(command);
    if (command->deprecated_since)
        flag = "deprecated";
    field(reply, &fields, "summary", command->summary);
    field(reply, &fields, "since", command->since);
    field(reply, &fields, "group", command->group);
    field(reply, &fields, "complexity", command->complexity);
    if (flag) {
        reply_bulk_text(reply, "doc_flags");
        reply_set(reply, 1);
        reply_simple(reply, flag);
        fields++;
    }
    field(reply, &fields, "deprecated_since", command->deprecated_since);
    field(reply, &fields, "replaced_by", command->replaced_by);
    if (command->history && command->history[0].since) {
        reply_bulk_text(reply, "history");
        reply_history(reply, command->history);
        fields++;
    }
    if (command->args && command->args[0].type != ARG_END) {
        reply_bulk_text(reply, "arguments");
        reply_args(reply, command->args);
        fields++;
    }
    if (command->subcommands && command->subcommands[0].name) {
        size_t count = 0;
        while (command->subcommands[count].name)
            count++;
        reply_bulk_text(reply, "subcommands");
        reply_map(reply, count);
        for (size_t i = 0; i < count; i++)
            reply_docs(reply, &command->subcommands[i], command);
        fields++;
    }
    reply_deferred_map(reply, mark, fields);
}

void command_docs(struct call *call)
{
    size_t count = 0;
    struct reply_mark mark = reply_deferred(call->reply);
    for (unsigned i = 0; call->argc == 2 && i < command_count(); i++) {
        const struct command_entry *entry = command_by_id(i);
        if (entry->parent || !entry->called)
            continue;
        reply_docs(call->reply, entry->command, NULL);
        count++;
    }
    for (int i = 2; i < call->argc; i++) {
        const struct command_entry *entry = command_by_name(call->argv[i]);
        if (!entry)
            continue;
        reply_docs(call->reply, entry->command, entry->parent);
        count++;
    }
    reply_deferred_map(call->reply, mark, count);
}
