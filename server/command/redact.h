/* Arguments that must not be seen by those who look at what others sent (SLOWLOG, MONITOR):
 * passwords. */
#ifndef SERVER_COMMAND_REDACT_H
#define SERVER_COMMAND_REDACT_H

#include "server/command/command.h"

/* Whether argv[index] is to be shown as "(redacted)". */
bool redact_hides(const struct command_entry *entry, const struct bytes *argv, int argc, int index);

#endif
