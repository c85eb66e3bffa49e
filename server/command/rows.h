/* Short words for the rows of command tables: see command.h for what they stand for. Included by
 * the .c files of families only. */
#ifndef SERVER_COMMAND_ROWS_H
#define SERVER_COMMAND_ROWS_H

#include "server/command/command.h"

/* clang-format off */
#define KEYS(...) (const struct key_spec[]) { __VA_ARGS__, { 0 } }
/* Keys from a place on to `last` (relative to it, or negative: from the end). */
#define KEYS_AT(index, access, last) \
    { KEY_BEGIN_INDEX, access, index, NULL, KEY_FIND_RANGE, last, 1, 0, 0, 0, NULL }
#define ONE_KEY(access) KEYS_AT(1, access, 0)
#define ALL_KEYS(access) KEYS_AT(1, access, -1)
/* As many keys as the argument before them, at a place, says. */
#define COUNTED_KEYS_NOTED(index, access, notes) \
    { KEY_BEGIN_INDEX, access, index, NULL, KEY_FIND_KEYNUM, 0, 1, 0, 0, 1, notes }
#define COUNTED_KEYS(index, access) COUNTED_KEYS_NOTED(index, access, NULL)

#define ARGS(...) (const struct command_arg[]) { __VA_ARGS__, { 0 } }
#define ARG(name, type) { name, type, 0, NULL, 0, NULL, NULL }
#define KEY_ARG ARG("key", ARG_KEY)
#define TOKEN(name, token) { name, ARG_PURE_TOKEN, 0, token, 0, NULL, NULL }
#define ARG_MANY(name, type) { name, type, ARG_MULTIPLE, NULL, 0, NULL, NULL }
#define COUNTED_KEY_ARGS ARG("numkeys", ARG_INTEGER), ARG_MANY("key", ARG_KEY)
/* One behind a word. */
#define WITH(name, type, token) { name, type, 0, token, 0, NULL, NULL }
#define CHOICE(name, flags, choices) { name, ARG_ONEOF, flags, NULL, 0, NULL, choices }
/* One that may be left out; token and since may be NULL. */
#define OPTION(name, type, token, since) { name, type, ARG_OPTIONAL, token, 0, since, NULL }

#define HISTORY(...) (const struct command_history[]) { __VA_ARGS__, { 0 } }
#define TIPS(...) (const char *const[]) { __VA_ARGS__, NULL }

/* A row without keys; what else it has comes behind the summary. A family names its group once:
 * #define ROW(...) ROW_OF("its group", __VA_ARGS__) */
#define ROW_OF(group_text, name_text, function, count, command_flags, version, cost, text, ...) \
    { .name = name_text, .run = function, .arity = count, .flags = command_flags, .group = group_text, \
        .since = version, .complexity = cost, .summary = text, __VA_ARGS__ }

/* The row of a container's HELP (command/help.h). */
#define HELP_ROW(group_text, version) \
    { .name = "help", .run = call_help, .arity = 2, .flags = CMD_LOADING | CMD_STALE, .group = group_text, \
        .since = version, .summary = "Lists the subcommands", .complexity = "O(1)" }
/* clang-format on */

#endif
