/* Libraries of functions that come from files and primaries. */
#ifndef SERVER_COMMAND_FUNCTION_H
#define SERVER_COMMAND_FUNCTION_H

#include "common/bytes.h"
#include "common/error.h"

/* Adds a library that an RDB has. Any thread. */
bool function_load_library(struct bytes code, struct error *error);

#endif
