/* HELP of commands that have subcommands. */
#ifndef SERVER_COMMAND_HELP_H
#define SERVER_COMMAND_HELP_H

#include "server/command/call.h"

/* The run function of any HELP subcommand: replies with the syntax and summary of its siblings, as
 * their rows have them. */
void call_help(struct call *call);

/* Appends the arguments as a person writes them: " <key> [EX <seconds>|PERSIST]". args may be NULL.
 */
void help_append_syntax(struct buffer *out, const struct command_arg *args);

#endif
