/* SHA-1 as FIPS 180-4 describes it: blocks of 64 bytes, 80 rounds each. It names scripts here, and
 * protects nothing. */
#include "server/script/sha1.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK = 64, ROUNDS = 80 };

static uint32_t rotate(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

static void add_block(uint32_t state[5], const unsigned char *block)
{
    uint32_t words[ROUNDS];
    memcpy(words, block, BLOCK);
    for (int i = 0; i < 16; i++)
        words[i] = be32toh(words[i]);
    for (int i = 16; i < ROUNDS; i++)
        words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t mixed;
        if (i < 20)
            mixed = (d ^ (b & (c ^ d))) + 0x5a827999;
        else if (i < 40)
            mixed = (b ^ c ^ d) + 0x6ed9eba1;
        else if (i < 60)
            mixed = ((b & c) | (d & (b | c))) + 0x8f1bbcdc;
        else
            mixed = (b ^ c ^ d) + 0xca62c1d6;
        uint32_t next = rotate(a, 5) + mixed + e + words[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* What is left over, the bit that ends the data, and its length in bits. */
static void add_end(uint32_t state[5], struct bytes rest, uint64_t total)
{
    unsigned char last[2 * BLOCK] = { 0 };
    if (rest.len > 0)
        memcpy(last, rest.data, rest.len);
    last[rest.len] = 0x80;
    size_t len = rest.len < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    uint64_t bits = htobe64(total * 8);
    memcpy(last + len - sizeof(bits), &bits, sizeof(bits));
    for (size_t i = 0; i < len; i += BLOCK)
        add_block(state, last + i);
}

void sha1_hex(struct bytes data, char hex[SHA1_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint32_t state[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
    size_t whole = data.len - data.len % BLOCK;
    for (size_t i = 0; i < whole; i += BLOCK)
        add_block(state, (const unsigned char *)data.data + i);
    add_end(state, (struct bytes){ data.data + whole, data.len - whole }, data.len);
    for (int i = 0; i < SHA1_HEX; i++)
        hex[i] = digits[state[i / 8] >> (28 - i % 8 * 4) & 15];
    hex[SHA1_HEX] = '\0';
}
