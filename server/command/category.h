/* ACL categories: which commands are of which. Made from the flags and the group of a command's
 * row. */
#ifndef SERVER_COMMAND_CATEGORY_H
#define SERVER_COMMAND_CATEGORY_H

#include "server/command/command.h"

enum { CATEGORY_COUNT = 21 };

/* The name without its @, in the order of Redis's list; index below CATEGORY_COUNT. */
const char *category_name(unsigned index);
/* The index, or -1; in any case of letters, without @. */
int category_find(struct bytes name);
/* A set of bits, 1 << index. */
uint32_t category_of(const struct command *command);

#endif
