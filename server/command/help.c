#include "server/command/help.h"

#include <ctype.h>

static void append_args(struct buffer *out, const struct command_arg *args, const char *between);

/* The argument once, without what says that it may be left out or repeated. */
static void append_one(struct buffer *out, const struct command_arg *arg)
{
    if (arg->token) {
        buffer_append_text(out, arg->token[0] ? arg->token : "\"\"");
        if (arg->type == ARG_PURE_TOKEN)
            return;
        buffer_append_char(out, ' ');
    }
    if (arg->type == ARG_ONEOF)
        append_args(out, arg->args, "|");
    else if (arg->type == ARG_BLOCK)
        append_args(out, arg->args, " ");
    else
        buffer_printf(out, "<%s>", arg->name);
}

static void append_args(struct buffer *out, const struct command_arg *args, const char *between)
{
    for (const struct command_arg *arg = args; arg->type != ARG_END; arg++) {
        if (arg != args)
            buffer_append_text(out, between);
        if (arg->flags & ARG_OPTIONAL)
            buffer_append_char(out, '[');
        append_one(out, arg);
        if (arg->flags & ARG_MULTIPLE) {
            buffer_append_text(out, " [");
            append_one(out, arg);
            buffer_append_text(out, " ...]");
        }
        if (arg->flags & ARG_OPTIONAL)
            buffer_append_char(out, ']');
    }
}

void help_append_syntax(struct buffer *out, const struct command_arg *args)
{
    if (args == NULL || args->type == ARG_END)
        return;
    buffer_append_char(out, ' ');
    append_args(out, args, " ");
}

/* Appends the word in capitals. */
static void append_upper(struct buffer *out, const char *word)
{
    for (; *word; word++)
        buffer_append_char(out, (char)toupper((unsigned char)*word));
}

static void reply_line(struct reply *reply, struct buffer *line)
{
    buffer_terminate(line);
    reply_simple(reply, line->data);
    line->len = 0;
}

/* What the container does on its own, where it does something. */
static size_t reply_container(
    struct reply *reply, const struct command *container, struct buffer *line)
{
    if (!container->run)
        return 0;
    buffer_append_text(line, "(no subcommand)");
    reply_line(reply, line);
    buffer_printf(line, "    %s.", container->summary);
    reply_line(reply, line);
    return 2;
}

void call_help(struct call *call)
{
    const struct command *container = call->entry->parent;
    struct buffer line = { 0 };
    struct reply_mark mark = reply_deferred(call->reply);
    append_upper(&line, container->name);
    buffer_append_text(&line, " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    reply_line(call->reply, &line);
    size_t lines = 1 + reply_container(call->reply, container, &line);
    for (const struct command *sub = container->subcommands; sub->name; sub++) {
        if (sub->run == call_help)
            continue;
        append_upper(&line, sub->name);
        help_append_syntax(&line, sub->args);
        reply_line(call->reply, &line);
        buffer_printf(&line, "    %s.", sub->summary);
        reply_line(call->reply, &line);
        lines += 2;
    }
    reply_simple(call->reply, "HELP");
    reply_simple(call->reply, "    Prints this help.");
    reply_deferred_array(call->reply, mark, lines + 2);
    buffer_free(&line);
}
