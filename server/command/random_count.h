/* The count of HRANDFIELD, SRANDMEMBER and ZRANDMEMBER. */
#ifndef SERVER_COMMAND_RANDOM_COUNT_H
#define SERVER_COMMAND_RANDOM_COUNT_H

#include "server/command/call.h"

/* argv[index] as a count from -INT64_MAX to INT64_MAX. False: the error has been written. */
bool random_count_parse(struct call *call, int index, int64_t *count);

/* A negative count may ask for more elements than anyone can be sent. Whether there is room for one
 * more; if there is not, the client is closed and the command had better end. */
bool random_count_goes_on(struct call *call);

#endif
