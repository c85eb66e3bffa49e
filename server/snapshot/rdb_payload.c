#include "server/snapshot/rdb_payload.h"

#include "server/snapshot/crc64.h"
#include <endian.h>

enum { CHECKSUM_LEN = 8 };

void rdb_payload_begin(struct rdb_writer *writer, uint8_t type, bool compress)
{
    rdb_writer_init(writer, &(struct rdb_writer_options){ .compress = compress });
    rdb_write_byte(writer, type);
}

struct bytes rdb_payload_end(struct rdb_writer *writer)
{
    struct buffer *pending = &writer->pending;
    uint16_t version = htole16(RDB_VERSION);
    buffer_append(pending, &version, sizeof(version));
    uint64_t crc = htole64(crc64(0, pending->data, pending->len));
    buffer_append(pending, &crc, sizeof(crc));
    return buffer_bytes(pending);
}

bool rdb_payload_verify(struct bytes payload)
{
    uint16_t version;
    uint64_t crc;
    if (payload.len < RDB_PAYLOAD_TAIL)
        return false;
    memcpy(&version, payload.data + payload.len - RDB_PAYLOAD_TAIL, sizeof(version));
    memcpy(&crc, payload.data + payload.len - CHECKSUM_LEN, sizeof(crc));
    return le16toh(version) <= RDB_VERSION_READ_MAX &&
           le64toh(crc) == crc64(0, payload.data, payload.len - CHECKSUM_LEN);
}

bool rdb_payload_open(struct bytes payload, uint8_t *type, struct rdb_reader *reader)
{
    rdb_reader_init(reader,
        &(struct rdb_reader_options){ .memory = { payload.data, payload.len - RDB_PAYLOAD_TAIL } });
    return rdb_read_byte(reader, type, NULL);
}
