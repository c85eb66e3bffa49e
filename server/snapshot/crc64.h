/* CRC-64 as RDB files and DUMP payloads end with it: polynomial ad93d23594c935a9 (Jones),
 * reflected, starting with 0, result as it is. crc64(0, "123456789") is e9c6d914c4b8d9ca. */
#ifndef SERVER_SNAPSHOT_CRC64_H
#define SERVER_SNAPSHOT_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from crc (0 at the start) over len bytes. Any thread. */
uint64_t crc64(uint64_t crc, const void *data, size_t len);

#endif
