/* SHA-1, for what must have the same names and digests as in Redis; not for secrets. */
#ifndef COMMON_SHA1_H
#define COMMON_SHA1_H

#include "common/bytes.h"
#include <stdint.h>

enum { SHA1_SIZE = 20 };

void sha1(struct bytes data, uint8_t digest[SHA1_SIZE]);

#endif
