/* Eight bytes a step: table k holds what a byte does to the sum when k more bytes follow it, so the
 * eight look-ups of a step do not wait for each other. The tables are made once, from the
 * polynomial. */
#include "server/snapshot/crc64.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

#define POLYNOMIAL UINT64_C(0x95ac9329ac4bc9b5) /* ad93d23594c935a9 with its bits turned round */

static uint64_t table[8][256]; /* written once, under `once` */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][byte] = crc;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        for (int k = 1; k < 8; k++)
            table[k][byte] = table[k - 1][byte] >> 8 ^ table[0][table[k - 1][byte] & 0xff];
    }
}

uint64_t crc64(uint64_t crc, const void *data, size_t len)
{
    pthread_once(&once, make_tables);
    const unsigned char *p = data;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        word = le64toh(word) ^ crc;
        crc = table[7][word & 0xff] ^ table[6][word >> 8 & 0xff] ^ table[5][word >> 16 & 0xff] ^
              table[4][word >> 24 & 0xff] ^ table[3][word >> 32 & 0xff] ^
              table[2][word >> 40 & 0xff] ^ table[1][word >> 48 & 0xff] ^ table[0][word >> 56];
    }
    for (; len > 0; p++, len--)
        crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
    return crc;
}
