/* The payload of DUMP, RESTORE and MIGRATE: a type byte, the value as in an RDB file, the version
 * in two bytes and the CRC-64 of all that, both little endian. */
#ifndef SERVER_SNAPSHOT_RDB_PAYLOAD_H
#define SERVER_SNAPSHOT_RDB_PAYLOAD_H

#include "server/snapshot/rdb_read.h"
#include "server/snapshot/rdb_write.h"

enum { RDB_PAYLOAD_TAIL = 10 };

/* What RESTORE replies behind "-ERR ": the words of redis-server 7.0.15. */
#define RDB_PAYLOAD_BAD_TAIL "DUMP payload version or checksum are wrong"
#define RDB_PAYLOAD_BAD_VALUE "Bad data format"

/* Begins a payload; the value's functions follow, then rdb_payload_end. */
void rdb_payload_begin(struct rdb_writer *writer, uint8_t type, bool compress);
/* The whole payload; good until rdb_writer_free, which the caller does. */
struct bytes rdb_payload_end(struct rdb_writer *writer);

/* Whether length, version (up to 11) and checksum are right. */
bool rdb_payload_verify(struct bytes payload);
/* Opens the value of a payload that was verified: the type byte, and a reader that stands before
 * the value and sees nothing behind it. The caller frees the reader. Any failure to read is
 * RDB_PAYLOAD_BAD_VALUE. Bytes that a value leaves unread are ignored, as redis-server does. */
bool rdb_payload_open(struct bytes payload, uint8_t *type, struct rdb_reader *reader);

#endif
