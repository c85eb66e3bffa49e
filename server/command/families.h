/* The tables of all command families. A new family is a file that ends in its table, and a line here. */
#ifndef SERVER_COMMAND_FAMILIES_H
#define SERVER_COMMAND_FAMILIES_H

#include "server/command/command.h"

extern const struct command string_commands[];
extern const struct command transaction_commands[];
extern const struct command connection_commands[];

#define COMMAND_FAMILIES string_commands, transaction_commands, connection_commands

#endif
