/* Everything goes through put(): small pieces gather in `pending`, a piece as large as a whole
 * flush goes to the sink as it lies. The checksum is taken on the way to the sink, where the bytes
 * are together, and so never under a lock that the encoding happens under. */
#include "server/snapshot/rdb_write.h"

#include "common/number.h"
#include "server/snapshot/crc64.h"
#include <endian.h>
#include <liblzf/lzf.h>
#include <stdio.h>

enum {
    KEEP_MAX = 1024 * 1024, /* buffers that a large value has blown up above this are given back */
    INTEGER_TEXT_MAX = 11,  /* "-2147483648" */
    LZF_GAIN = 4,           /* a compressed string must be this much shorter */
};

/* The version that the file says it comes from, for readers that look at it. */
static const char redis_version[] = "7.0.15";

void rdb_writer_init(struct rdb_writer *writer, const struct rdb_writer_options *options)
{
    *writer = (struct rdb_writer){ .options = *options };
    if (writer->options.flush_at == 0)
        writer->options.flush_at = RDB_FLUSH_AT;
    if (!writer->options.sink.write)
        writer->options.flush_at = SIZE_MAX;
}

void rdb_writer_free(struct rdb_writer *writer)
{
    buffer_free(&writer->pending);
    buffer_free(&writer->squeeze);
}

uint64_t rdb_writer_size(const struct rdb_writer *writer)
{
    return writer->flushed + writer->pending.len;
}

static void give(struct rdb_writer *writer, struct bytes data)
{
    if (writer->failed || data.len == 0)
        return;
    if (writer->options.checksum)
        writer->crc = crc64(writer->crc, data.data, data.len);
    writer->flushed += data.len;
    const struct rdb_sink *sink = &writer->options.sink;
    writer->failed = !sink->write(sink->context, data, &writer->error);
}

static void flush(struct rdb_writer *writer)
{
    give(writer, buffer_bytes(&writer->pending));
    writer->pending.len = 0;
    if (writer->pending.capacity > KEEP_MAX)
        buffer_free(&writer->pending);
}

bool rdb_writer_flush(struct rdb_writer *writer, struct error *error)
{
    if (writer->options.sink.write)
        flush(writer);
    if (writer->failed)
        return error_set(error, "%s", writer->error.text);
    return true;
}

static void put(struct rdb_writer *writer, const void *data, size_t len)
{
    if (writer->failed)
        return;
    if (len >= writer->options.flush_at) {
        flush(writer);
        give(writer, (struct bytes){ data, len });
        return;
    }
    buffer_append(&writer->pending, data, len);
    if (writer->pending.len >= writer->options.flush_at)
        flush(writer);
}

void rdb_write_byte(struct rdb_writer *writer, uint8_t byte)
{
    put(writer, &byte, 1);
}

void rdb_write_raw(struct rdb_writer *writer, struct bytes bytes)
{
    put(writer, bytes.data, bytes.len);
}

void rdb_write_length(struct rdb_writer *writer, uint64_t length)
{
    uint8_t text[9];
    if (length < 1 << 6) {
        text[0] = (uint8_t)(RDB_LENGTH_6 | length);
        put(writer, text, 1);
    } else if (length < 1 << 14) {
        text[0] = (uint8_t)(RDB_LENGTH_14 | length >> 8);
        text[1] = (uint8_t)length;
        put(writer, text, 2);
    } else if (length <= UINT32_MAX) {
        uint32_t big = htobe32((uint32_t)length);
        text[0] = RDB_LENGTH_32;
        memcpy(text + 1, &big, sizeof(big));
        put(writer, text, 1 + sizeof(big));
    } else {
        uint64_t big = htobe64(length);
        text[0] = RDB_LENGTH_64;
        memcpy(text + 1, &big, sizeof(big));
        put(writer, text, 1 + sizeof(big));
    }
}

/* False where the number needs more than 32 bits. */
static bool put_integer(struct rdb_writer *writer, int64_t value)
{
    uint8_t text[5];
    uint32_t little = htole32((uint32_t)value);
    size_t len;
    memcpy(text + 1, &little, sizeof(little));
    if (value >= INT8_MIN && value <= INT8_MAX) {
        text[0] = RDB_LENGTH_SPECIAL | RDB_SPECIAL_INT8;
        len = 2;
    } else if (value >= INT16_MIN && value <= INT16_MAX) {
        text[0] = RDB_LENGTH_SPECIAL | RDB_SPECIAL_INT16;
        len = 3;
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
        text[0] = RDB_LENGTH_SPECIAL | RDB_SPECIAL_INT32;
        len = 5;
    } else {
        return false;
    }
    put(writer, text, len);
    return true;
}

static bool put_compressed(struct rdb_writer *writer, struct bytes value)
{
    if (!writer->options.compress || value.len <= RDB_COMPRESS_MIN || value.len > UINT32_MAX)
        return false;
    size_t room = value.len - LZF_GAIN;
    buffer_reserve(&writer->squeeze, room);
    unsigned len =
        lzf_compress(value.data, (unsigned)value.len, writer->squeeze.data, (unsigned)room);
    if (len > 0) {
        rdb_write_byte(writer, RDB_LENGTH_SPECIAL | RDB_SPECIAL_LZF);
        rdb_write_length(writer, len);
        rdb_write_length(writer, value.len);
        put(writer, writer->squeeze.data, len);
    }
    if (writer->squeeze.capacity > KEEP_MAX)
        buffer_free(&writer->squeeze);
    return len > 0;
}

void rdb_write_string(struct rdb_writer *writer, struct bytes value)
{
    int64_t integer;
    if (writer->failed)
        return;
    if (value.len <= INTEGER_TEXT_MAX && number_parse(value, &integer) &&
        put_integer(writer, integer))
        return;
    if (put_compressed(writer, value))
        return;
    rdb_write_length(writer, value.len);
    put(writer, value.data, value.len);
}

void rdb_write_integer(struct rdb_writer *writer, int64_t value)
{
    if (put_integer(writer, value))
        return;
    char text[NUMBER_TEXT_MAX];
    size_t len = number_format(text, value);
    rdb_write_length(writer, len);
    put(writer, text, len);
}

void rdb_write_aux(struct rdb_writer *writer, const char *name, struct bytes value)
{
    rdb_write_byte(writer, RDB_OPCODE_AUX);
    rdb_write_string(writer, bytes_of(name));
    rdb_write_string(writer, value);
}

static void write_aux_number(struct rdb_writer *writer, const char *name, int64_t value)
{
    char text[NUMBER_TEXT_MAX];
    rdb_write_aux(writer, name, (struct bytes){ text, number_format(text, value) });
}

void rdb_write_preamble(struct rdb_writer *writer, const struct rdb_preamble *preamble)
{
    char header[RDB_HEADER_LEN + 1];
    snprintf(header, sizeof(header), "REDIS%04d", RDB_VERSION);
    put(writer, header, RDB_HEADER_LEN);
    rdb_write_aux(writer, "redis-ver", bytes_of(redis_version));
    write_aux_number(writer, "redis-bits", 64);
    write_aux_number(writer, "ctime", preamble->created);
    write_aux_number(writer, "used-mem", (int64_t)preamble->used_memory);
    if (preamble->repl_id) {
        write_aux_number(writer, "repl-stream-db", preamble->repl_database);
        rdb_write_aux(writer, "repl-id", bytes_of(preamble->repl_id));
        write_aux_number(writer, "repl-offset", preamble->repl_offset);
    }
    write_aux_number(writer, "aof-base", preamble->aof_base);
    for (size_t i = 0; i < preamble->function_count; i++) {
        rdb_write_byte(writer, RDB_OPCODE_FUNCTION);
        rdb_write_string(writer, preamble->functions[i]);
    }
}

void rdb_write_database(struct rdb_writer *writer, unsigned database)
{
    rdb_write_byte(writer, RDB_OPCODE_DATABASE);
    rdb_write_length(writer, database);
}

void rdb_write_sizes(struct rdb_writer *writer, uint64_t keys, uint64_t expires)
{
    rdb_write_byte(writer, RDB_OPCODE_SIZES);
    rdb_write_length(writer, keys);
    rdb_write_length(writer, expires);
}

void rdb_write_key(struct rdb_writer *writer, const struct rdb_key *key)
{
    if (key->expiry != RDB_NO_EXPIRY) {
        uint64_t little = htole64((uint64_t)key->expiry);
        rdb_write_byte(writer, RDB_OPCODE_EXPIRY_MS);
        put(writer, &little, sizeof(little));
    }
    if (key->idle != RDB_NO_IDLE) {
        rdb_write_byte(writer, RDB_OPCODE_IDLE);
        rdb_write_length(writer, (uint64_t)key->idle);
    }
    if (key->freq != RDB_NO_FREQ) {
        rdb_write_byte(writer, RDB_OPCODE_FREQ);
        rdb_write_byte(writer, (uint8_t)key->freq);
    }
    rdb_write_byte(writer, key->type);
    rdb_write_string(writer, key->name);
}

bool rdb_write_end(struct rdb_writer *writer, struct error *error)
{
    rdb_write_byte(writer, RDB_OPCODE_END);
    uint64_t crc = 0;
    if (writer->options.sink.write) {
        flush(writer);
        crc = writer->crc;
    } else if (writer->options.checksum) {
        crc = crc64(0, writer->pending.data, writer->pending.len);
    }
    crc = htole64(crc);
    put(writer, &crc, sizeof(crc));
    return rdb_writer_flush(writer, error);
}
