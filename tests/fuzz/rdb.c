/* Reads the bytes as an RDB file, from memory and in pieces: both must see the same records and the
 * same error. What could be read is written again and must be read back the same. The bytes are
 * also the value of a DUMP payload with the right tail. */
#include "server/snapshot/crc64.h"
#include "server/snapshot/rdb_payload.h"
#include "tests/support/drip.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(struct buffer *out, struct bytes text)
{
    buffer_printf(out, "%zu:", text.len);
    buffer_append(out, text.data, text.len);
}

static void note_record(struct buffer *out, const struct rdb_record *record)
{
    buffer_printf(out, "\n%d %llu %llu %llu %lld %lld %d %d ", record->kind,
        (unsigned long long)record->database, (unsigned long long)record->keys,
        (unsigned long long)record->expires, (long long)record->key.expiry,
        (long long)record->key.idle, record->key.freq, record->key.type);
    note(out, record->name);
    note(out, record->value);
    note(out, record->key.name);
}

static void write_again(struct rdb_writer *writer, const struct rdb_record *record)
{
    if (record->kind == RDB_RECORD_DATABASE && record->database <= UINT32_MAX)
        rdb_write_database(writer, (unsigned)record->database);
    if (record->kind == RDB_RECORD_SIZES)
        rdb_write_sizes(writer, record->keys, record->expires);
    if (record->kind == RDB_RECORD_KEY)
        rdb_write_key(writer, &record->key);
}

/* Notes to `out` what was read, and writes keys, values and the like to `writer`. */
static bool read_all(
    struct rdb_reader *reader, struct buffer *out, struct rdb_writer *writer, struct error *error)
{
    struct rdb_record record;
    struct bytes value;
    if (!rdb_read_header(reader, error))
        return false;
    for (;;) {
        if (!rdb_read_record(reader, &record, error))
            return false;
        note_record(out, &record);
        if (record.kind == RDB_RECORD_END)
            return true;
        write_again(writer, &record);
        if (record.kind != RDB_RECORD_KEY)
            continue;
        if (record.key.type != RDB_TYPE_STRING)
            return rdb_refuse_type(reader, &record.key, error);
        if (!rdb_read_string(reader, &value, error))
            return false;
        note(out, value);
        rdb_write_string(writer, value);
    }
}

/* The strings of the file of the writer are those of the one before, in the same order. */
static void read_again(struct rdb_writer *writer)
{
    struct buffer first = { 0 }, second = { 0 };
    struct rdb_writer again, scratch;
    struct rdb_reader reader;
    struct error error;
    struct rdb_reader_options options = { .verify = true };
    rdb_writer_init(&again, &(struct rdb_writer_options){ .compress = true, .checksum = true });
    rdb_writer_init(&scratch, &(struct rdb_writer_options){ .checksum = true });
    rdb_write_end(writer, NULL);
    for (int round = 0; round < 2; round++) {
        options.memory = buffer_bytes(round ? &again.pending : &writer->pending);
        rdb_reader_init(&reader, &options);
        if (!round)
            rdb_write_preamble(&again, &(struct rdb_preamble){ 0 });
        bool ok = read_all(&reader, round ? &second : &first, round ? &scratch : &again, &error);
        rdb_reader_free(&reader);
        if (!ok)
            abort();
        if (!round)
            rdb_write_end(&again, NULL);
    }
    if (!bytes_equal(buffer_bytes(&first), buffer_bytes(&second)))
        abort();
    buffer_free(&first);
    buffer_free(&second);
    rdb_writer_free(&again);
    rdb_writer_free(&scratch);
}

static void as_file(struct bytes file, size_t piece, bool verify)
{
    struct buffer whole = { 0 }, cut = { 0 };
    struct error error[2] = { { "" }, { "" } };
    struct rdb_writer writer, scratch;
    struct drip drip = { file, piece };
    struct rdb_reader_options options = { .memory = file, .verify = verify };
    struct rdb_reader reader;
    rdb_writer_init(&writer, &(struct rdb_writer_options){ .compress = true, .checksum = true });
    rdb_writer_init(&scratch, &(struct rdb_writer_options){ .compress = true });
    rdb_write_preamble(&writer, &(struct rdb_preamble){ 0 });
    rdb_reader_init(&reader, &options);
    bool ok = read_all(&reader, &whole, &writer, &error[0]);
    rdb_reader_free(&reader);
    options = (struct rdb_reader_options){
        .source = { drip_read, &drip }, .size = file.len, .verify = verify
    };
    rdb_reader_init(&reader, &options);
    bool cut_ok = read_all(&reader, &cut, &scratch, &error[1]);
    rdb_reader_free(&reader);
    if (ok != cut_ok || !bytes_equal(buffer_bytes(&whole), buffer_bytes(&cut)) ||
        strcmp(error[0].text, error[1].text) != 0)
        abort();
    if (ok)
        read_again(&writer);
    rdb_writer_free(&writer);
    rdb_writer_free(&scratch);
    buffer_free(&whole);
    buffer_free(&cut);
}

static void as_payload(struct bytes body)
{
    struct buffer payload = { 0 };
    struct rdb_reader reader;
    struct bytes value;
    struct error error;
    uint8_t type;
    buffer_append(&payload, body.data, body.len);
    buffer_append(&payload, "\x0a", 2);
    uint64_t crc = crc64(0, payload.data, payload.len);
    buffer_append(&payload, &crc, sizeof(crc));
    if (!rdb_payload_verify(buffer_bytes(&payload)))
        abort();
    if (rdb_payload_open(buffer_bytes(&payload), &type, &reader) &&
        rdb_read_string(&reader, &value, &error)) {
        uint64_t sum = crc64(0, value.data, value.len); /* touches every byte */
        if (sum == 1)
            abort();
    }
    rdb_reader_free(&reader);
    buffer_free(&payload);
}

/* The first byte sets the size of the pieces and whether the checksum is compared. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct bytes text = { (const char *)data + 1, size - 1 };
    as_file(text, 1 + data[0] % 64, (data[0] & 128) != 0);
    as_payload(text);
    return 0;
}
