/* Glob patterns as KEYS, SCAN, CONFIG GET and PSUBSCRIBE have them: * ? [abc] [^a-z] \x. */
#ifndef SERVER_COMMAND_GLOB_H
#define SERVER_COMMAND_GLOB_H

#include "common/bytes.h"

/* Whether the whole text matches. No allocation, no recursion; the work is at most the product of
 * the two lengths. ignore_case looks at ASCII letters alone. */
bool glob_matches(struct bytes pattern, struct bytes text, bool ignore_case);

/* Whether the pattern has any character that means something else than itself. */
bool glob_is_pattern(struct bytes pattern);

#endif
