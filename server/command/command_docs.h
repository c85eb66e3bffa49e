/* COMMAND DOCS, and looking commands up by the name that COMMAND gives them. */
#ifndef SERVER_COMMAND_COMMAND_DOCS_H
#define SERVER_COMMAND_COMMAND_DOCS_H

#include "server/command/call.h"

/* "get" or "config|get"; NULL: there is none. */
const struct command_entry *command_by_name(struct bytes name);

void command_docs(struct call *call);

#endif
