/* Offsets of bits, as the bit commands take them. */
#ifndef SERVER_COMMAND_BIT_OFFSET_H
#define SERVER_COMMAND_BIT_OFFSET_H

#include "server/command/call.h"

/* argv[index] as the offset of a bit, within the largest string there may be. unit: bits that "#1"
 * stands for; 0: there is no such form. False: the error has been written. */
bool bit_offset_parse(struct call *call, int index, unsigned unit, int64_t *offset);

#endif
