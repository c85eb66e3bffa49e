#include "server/script/sha1.h"

#include <openssl/sha.h>

void sha1_hex(struct bytes data, char hex[SHA1_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[SHA_DIGEST_LENGTH];
    SHA1((const unsigned char *)data.data, data.len, digest);
    for (int i = 0; i < SHA_DIGEST_LENGTH; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[SHA1_HEX] = '\0';
}
