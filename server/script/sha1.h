/* SHA-1, by which scripts are named. */
#ifndef SERVER_SCRIPT_SHA1_H
#define SERVER_SCRIPT_SHA1_H

#include "common/bytes.h"

enum { SHA1_HEX = 40 };

/* The digest in 40 lower-case digits, with a zero behind them. */
void sha1_hex(struct bytes data, char hex[SHA1_HEX + 1]);
/* The same, faster for a text that this thread has lately asked for: EVAL sends its script each time,
 * and to compare it costs far less than the digest. */
void sha1_hex_again(struct bytes data, char hex[SHA1_HEX + 1]);

#endif
