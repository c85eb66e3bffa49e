/* RDB as written and read back, and what a reader must survive. Whether redis-server agrees is
 * asked in rdb_interop.c. */
#include "common/memory.h"
#include "server/snapshot/crc64.h"
#include "server/snapshot/rdb_file.h"
#include "server/snapshot/rdb_payload.h"
#include "tests/support/drip.h"
#include "tests/support/scratch.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- A sink that keeps. --- */

static bool keep(void *context, struct bytes data, struct error *error)
{
    buffer_append(context, data.data, data.len);
    return true;
}

static struct rdb_key string_key(struct bytes name)
{
    return (struct rdb_key){ name, RDB_NO_EXPIRY, RDB_NO_IDLE, RDB_NO_FREQ, RDB_TYPE_STRING };
}

static bool contains(const char *text, const char *words)
{
    return strstr(text, words) != NULL;
}

/* A file of one database with one string, in a buffer that the caller frees. */
static struct buffer file_of(struct bytes value, bool compress, bool checksum, size_t flush_at)
{
    struct buffer out = { 0 };
    struct rdb_writer writer;
    struct rdb_preamble preamble = { .created = 1700000000, .used_memory = 1 << 20 };
    rdb_writer_init(&writer, &(struct rdb_writer_options){ .sink = { keep, &out },
                                 .flush_at = flush_at,
                                 .compress = compress,
                                 .checksum = checksum });
    rdb_write_preamble(&writer, &preamble);
    rdb_write_database(&writer, 0);
    rdb_write_sizes(&writer, 1, 0);
    struct rdb_key key = string_key(BYTES("key"));
    rdb_write_key(&writer, &key);
    rdb_write_string(&writer, value);
    cr_assert(rdb_write_end(&writer, NULL));
    cr_assert(eq(sz, rdb_writer_size(&writer), out.len));
    rdb_writer_free(&writer);
    return out;
}

/* What was read of a whole file. */
struct seen {
    size_t keys, aux, databases;
    uint64_t offset;
    bool same; /* all values were `want` */
};

static bool read_all(
    struct rdb_reader *reader, struct bytes want, struct seen *seen, struct error *error)
{
    struct rdb_record record;
    struct bytes value;
    *seen = (struct seen){ .same = true };
    if (!rdb_read_header(reader, error))
        return false;
    for (;;) {
        if (!rdb_read_record(reader, &record, error))
            return false;
        seen->offset = rdb_reader_offset(reader);
        if (record.kind == RDB_RECORD_END)
            return true;
        seen->aux += record.kind == RDB_RECORD_AUX;
        seen->databases += record.kind == RDB_RECORD_DATABASE;
        if (record.kind != RDB_RECORD_KEY)
            continue;
        seen->keys++;
        if (record.key.type != RDB_TYPE_STRING)
            return rdb_refuse_type(reader, &record.key, error);
        if (!rdb_read_string(reader, &value, error))
            return false;
        seen->same = seen->same && bytes_equal(value, want);
    }
}

static bool read_bytes(struct bytes file, struct bytes want, struct seen *seen, struct error *error)
{
    struct rdb_reader reader;
    rdb_reader_init(&reader, &(struct rdb_reader_options){ .memory = file, .verify = true });
    bool ok = read_all(&reader, want, seen, error);
    rdb_reader_free(&reader);
    return ok;
}

/* The error that reading the text gives; cr_asserts that it is one. */
static const char *refusal(struct bytes file)
{
    static struct error error;
    struct seen seen;
    error = (struct error){ "" };
    cr_assert(not(read_bytes(file, BYTES(""), &seen, &error)), "was read");
    return error.text;
}

#define REFUSED(file, words)                                                                       \
    do {                                                                                           \
        const char *said = refusal(BYTES(file));                                                   \
        cr_expect(contains(said, words), "said \"%s\", not \"%s\"", said, words);                  \
    } while (0)

static void fill(char *data, size_t len, unsigned seed, bool compressible)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1103515245 + 12345;
        data[i] = compressible ? "abcd"[i / 7 % 4] : (char)(seed >> 16);
    }
}

/* --- CRC-64. --- */

Test(crc64, check_value)
{
    cr_assert(eq(u64, crc64(0, "123456789", 9), UINT64_C(0xe9c6d914c4b8d9ca)));
    cr_assert(eq(u64, crc64(0, "", 0), 0));
}

Test(crc64, pieces_of_any_length_give_the_same)
{
    char data[257];
    fill(data, sizeof(data), 7, false);
    uint64_t whole = crc64(0, data, sizeof(data));
    for (size_t cut = 0; cut <= sizeof(data); cut++)
        cr_assert(eq(u64, crc64(crc64(0, data, cut), data + cut, sizeof(data) - cut), whole));
    /* One bit a step, as the polynomial defines it. */
    uint64_t slow = 0;
    for (size_t i = 0; i < sizeof(data); i++) {
        slow ^= (unsigned char)data[i];
        for (int bit = 0; bit < 8; bit++)
            slow = slow >> 1 ^ (slow & 1 ? UINT64_C(0x95ac9329ac4bc9b5) : 0);
    }
    cr_assert(eq(u64, whole, slow));
}

/* --- Writing, and reading it back. --- */

Test(rdb_write, lengths_take_the_shortest_form)
{
    static const struct {
        uint64_t length;
        const char *form;
        size_t len;
    } rows[] = {
        { 0, "\x00", 1 },
        { 63, "\x3f", 1 },
        { 64, "\x40\x40", 2 },
        { 16383, "\x7f\xff", 2 },
        { 16384, "\x80\x00\x00\x40\x00", 5 },
        { UINT32_MAX, "\x80\xff\xff\xff\xff", 5 },
        { UINT64_C(1) << 32, "\x81\x00\x00\x00\x01\x00\x00\x00\x00", 9 },
        { UINT64_MAX, "\x81\xff\xff\xff\xff\xff\xff\xff\xff", 9 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rdb_writer writer;
        struct rdb_reader reader;
        uint64_t length;
        rdb_writer_init(&writer, &(struct rdb_writer_options){ .checksum = true });
        rdb_write_length(&writer, rows[i].length);
        struct bytes got = buffer_bytes(&writer.pending);
        cr_expect(bytes_equal(got, (struct bytes){ rows[i].form, rows[i].len }), "row %zu", i);
        rdb_reader_init(&reader, &(struct rdb_reader_options){ .memory = got });
        cr_expect(rdb_read_length(&reader, &length, NULL));
        cr_expect(eq(u64, length, rows[i].length));
        rdb_reader_free(&reader);
        rdb_writer_free(&writer);
    }
}

Test(rdb_write, strings_as_integers_where_the_digits_are_kept)
{
    static const struct {
        const char *text, *form;
        size_t len;
    } rows[] = {
        { "0", "\xc0\x00", 2 },
        { "-128", "\xc0\x80", 2 },
        { "128", "\xc1\x80\x00", 3 },
        { "-32768", "\xc1\x00\x80", 3 },
        { "32768", "\xc2\x00\x80\x00\x00", 5 },
        { "-2147483648", "\xc2\x00\x00\x00\x80", 5 },
        { "2147483648",
            "\x0a"
            "2147483648",
            11 },
        { "007",
            "\x03"
            "007",
            4 },
        { "-0", "\x02-0", 3 },
        { "+1", "\x02+1", 3 },
        { "1 ",
            "\x02"
            "1 ",
            3 },
        { "", "\x00", 1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rdb_writer writer;
        struct rdb_reader reader;
        struct bytes value;
        rdb_writer_init(&writer, &(struct rdb_writer_options){ .compress = true });
        rdb_write_string(&writer, bytes_of(rows[i].text));
        struct bytes got = buffer_bytes(&writer.pending);
        cr_expect(
            bytes_equal(got, (struct bytes){ rows[i].form, rows[i].len }), "%s", rows[i].text);
        rdb_reader_init(&reader, &(struct rdb_reader_options){ .memory = got });
        cr_expect(rdb_read_string(&reader, &value, NULL));
        cr_expect(bytes_equal(value, bytes_of(rows[i].text)), "%s", rows[i].text);
        rdb_reader_free(&reader);
        rdb_writer_free(&writer);
    }
}

Test(rdb_write, integers_are_the_strings_of_their_digits)
{
    static const int64_t numbers[] = { 0, -1, 127, -129, 40000, -40000, INT32_MIN,
        (int64_t)INT32_MAX + 1, INT64_MIN, INT64_MAX };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char text[32];
        struct rdb_writer a, b;
        rdb_writer_init(&a, &(struct rdb_writer_options){ .compress = true });
        rdb_writer_init(&b, &(struct rdb_writer_options){ .compress = true });
        snprintf(text, sizeof(text), "%lld", (long long)numbers[i]);
        rdb_write_integer(&a, numbers[i]);
        rdb_write_string(&b, bytes_of(text));
        cr_expect(bytes_equal(buffer_bytes(&a.pending), buffer_bytes(&b.pending)), "%s", text);
        rdb_writer_free(&a);
        rdb_writer_free(&b);
    }
}

/* Every size around the edges of lengths, windows and flushes; read from memory and in pieces. */
Test(rdb_write, files_read_back_whatever_the_pieces)
{
    static const size_t sizes[] = { 0, 1, 19, 20, 21, 63, 64, 16383, 16384, RDB_READ_AHEAD - 1,
        RDB_READ_AHEAD, RDB_READ_AHEAD + 1, 3 * RDB_READ_AHEAD + 17, 2500000 };
    static const size_t pieces[] = { 1, 7, 4096, SIZE_MAX };
    for (size_t i = 0; i < 4 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t size = sizes[i / 4];
        char *data = memory_alloc(size + 1);
        fill(data, size, (unsigned)i, i & 1);
        struct bytes value = { data, size };
        struct buffer file = file_of(value, i & 2, true, i & 1 ? 0 : 100);
        struct seen seen;
        struct error error;
        cr_assert(read_bytes(buffer_bytes(&file), value, &seen, &error), "%s", error.text);
        cr_assert(seen.same && seen.keys == 1 && seen.aux == 5 && seen.databases == 1);
        for (size_t p = size > 500000 ? 2 : 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
            struct drip drip = { buffer_bytes(&file), pieces[p] };
            struct rdb_reader reader;
            rdb_reader_init(&reader, &(struct rdb_reader_options){ .source = { drip_read, &drip },
                                         .size = p & 1 ? RDB_SIZE_UNKNOWN : file.len,
                                         .verify = true });
            cr_assert(read_all(&reader, value, &seen, &error), "%s", error.text);
            cr_assert(seen.same && seen.keys == 1 && seen.offset == file.len);
            rdb_reader_free(&reader);
        }
        buffer_free(&file);
        free(data);
    }
}

Test(rdb_write, compresses_where_it_saves_and_is_wanted)
{
    char data[1000];
    fill(data, sizeof(data), 1, true);
    struct bytes value = { data, sizeof(data) };
    struct buffer packed = file_of(value, true, true, 0), plain = file_of(value, false, true, 0);
    cr_expect(lt(sz, packed.len, plain.len / 2));
    fill(data, sizeof(data), 1, false);
    struct buffer noise = file_of(value, true, true, 0);
    cr_expect(eq(sz, noise.len, plain.len));
    buffer_free(&packed);
    buffer_free(&plain);
    buffer_free(&noise);
}

Test(rdb_write, what_belongs_to_a_key_comes_back)
{
    struct rdb_writer writer;
    struct rdb_reader reader;
    struct rdb_record record;
    struct bytes value;
    rdb_writer_init(&writer, &(struct rdb_writer_options){ .checksum = true });
    struct rdb_preamble preamble = { .repl_id = "0123456789012345678901234567890123456789",
        .repl_offset = INT64_C(1) << 40,
        .repl_database = -1,
        .aof_base = true };
    rdb_write_preamble(&writer, &preamble);
    rdb_write_database(&writer, 12);
    struct rdb_key key = { BYTES("k"), INT64_C(1893456000123), 3600, 200, RDB_TYPE_STRING };
    rdb_write_key(&writer, &key);
    rdb_write_string(&writer, BYTES("v"));
    cr_assert(rdb_write_end(&writer, NULL));

    static const char *const aux[][2] = { { "redis-ver", "7.0.15" }, { "redis-bits", "64" },
        { "ctime", "0" }, { "used-mem", "0" }, { "repl-stream-db", "-1" },
        { "repl-id", "0123456789012345678901234567890123456789" },
        { "repl-offset", "1099511627776" }, { "aof-base", "1" } };
    struct bytes file = buffer_bytes(&writer.pending);
    cr_assert(eq(int, memcmp(file.data, "REDIS0010", 9), 0));
    rdb_reader_init(&reader, &(struct rdb_reader_options){ .memory = file, .verify = true });
    cr_assert(rdb_read_header(&reader, NULL));
    for (size_t i = 0; i < sizeof(aux) / sizeof(aux[0]); i++) {
        cr_assert(rdb_read_record(&reader, &record, NULL));
        cr_assert(eq(int, record.kind, RDB_RECORD_AUX));
        cr_expect(
            bytes_is(record.name, aux[i][0]) && bytes_is(record.value, aux[i][1]), "%s", aux[i][0]);
    }
    cr_assert(rdb_read_record(&reader, &record, NULL));
    cr_assert(record.kind == RDB_RECORD_DATABASE && record.database == 12);
    cr_assert(rdb_read_record(&reader, &record, NULL));
    cr_assert(eq(int, record.kind, RDB_RECORD_KEY));
    cr_assert(rdb_read_string(&reader, &value, NULL));
    cr_expect(bytes_is(record.key.name, "k") && bytes_is(value, "v"));
    cr_expect(record.key.expiry == key.expiry && record.key.idle == 3600 && record.key.freq == 200);
    cr_assert(rdb_read_record(&reader, &record, NULL));
    cr_assert(eq(int, record.kind, RDB_RECORD_END));
    rdb_reader_free(&reader);
    rdb_writer_free(&writer);
}

Test(rdb_write, a_flush_of_its_own_only_where_wanted)
{
    struct buffer out = { 0 };
    struct rdb_writer writer;
    char data[4096] = "";
    rdb_writer_init(
        &writer, &(struct rdb_writer_options){ .sink = { keep, &out }, .flush_at = SIZE_MAX });
    for (int i = 0; i < 100; i++)
        rdb_write_string(&writer, (struct bytes){ data, sizeof(data) });
    cr_expect(eq(sz, out.len, 0));
    cr_expect(rdb_writer_flush(&writer, NULL));
    cr_expect(eq(sz, out.len, 100 * (sizeof(data) + 2)));
    rdb_writer_free(&writer);
    buffer_free(&out);
}

static bool full(void *context, struct bytes data, struct error *error)
{
    ++*(int *)context;
    return error_set(error, "disk full");
}

Test(rdb_write, a_sink_that_failed_is_left_alone_and_remembered)
{
    int calls = 0;
    struct error error = { "" };
    struct rdb_writer writer;
    rdb_writer_init(
        &writer, &(struct rdb_writer_options){ .sink = { full, &calls }, .flush_at = 10 });
    for (int i = 0; i < 1000; i++)
        rdb_write_string(&writer, BYTES("some value"));
    cr_expect(not(rdb_write_end(&writer, &error)));
    cr_expect(eq(str, error.text, "disk full"));
    cr_expect(eq(int, calls, 1));
    rdb_writer_free(&writer);
}

/* --- The checksum. --- */

Test(rdb_read, any_bit_turned_is_found)
{
    struct seen seen;
    struct buffer file = file_of(BYTES("a value of some length"), true, true, 0);
    for (size_t i = 0; i < file.len * 8; i++) {
        file.data[i / 8] ^= (char)(1 << i % 8);
        bool ok = read_bytes(buffer_bytes(&file), BYTES("a value of some length"), &seen, NULL);
        /* What is left is a version that checksums nothing, or another that checksums all. */
        cr_expect(not(ok), "bit %zu", i);
        file.data[i / 8] ^= (char)(1 << i % 8);
    }
    buffer_free(&file);
}

Test(rdb_read, a_checksum_of_zero_is_not_looked_at)
{
    struct seen seen;
    struct buffer file = file_of(BYTES("value"), true, false, 0);
    cr_expect(eq(int, memcmp(file.data + file.len - 8, "\0\0\0\0\0\0\0\0", 8), 0));
    file.data[file.len - 10] ^= 1;
    cr_expect(read_bytes(buffer_bytes(&file), BYTES("valud"), &seen, NULL));
    cr_expect(seen.same);
    buffer_free(&file);
}

Test(rdb_read, no_verify_reads_a_wrong_checksum)
{
    struct seen seen;
    struct rdb_reader reader;
    struct buffer file = file_of(BYTES("value"), true, true, 0);
    file.data[file.len - 1] ^= 1;
    cr_expect(not(read_bytes(buffer_bytes(&file), BYTES("value"), &seen, NULL)));
    rdb_reader_init(&reader, &(struct rdb_reader_options){ .memory = buffer_bytes(&file) });
    cr_expect(read_all(&reader, BYTES("value"), &seen, NULL));
    rdb_reader_free(&reader);
    buffer_free(&file);
}

Test(rdb_read, every_truncation_is_an_error)
{
    struct seen seen;
    struct error error;
    struct buffer file = file_of(BYTES("valuevaluevaluevaluevaluevaluevalue"), true, true, 0);
    for (size_t len = 0; len < file.len; len++) {
        struct drip drip = { { file.data, len }, 3 };
        struct rdb_reader reader;
        cr_expect(not(read_bytes((struct bytes){ file.data, len }, BYTES(""), &seen, &error)));
        cr_expect(contains(error.text, "at byte "), "%s", error.text);
        rdb_reader_init(&reader, &(struct rdb_reader_options){
                                     .source = { drip_read, &drip }, .size = RDB_SIZE_UNKNOWN });
        cr_expect(not(read_all(&reader, BYTES(""), &seen, &error)));
        rdb_reader_free(&reader);
    }
    buffer_free(&file);
}

Test(rdb_read, what_follows_the_end_is_left)
{
    struct seen seen;
    struct rdb_reader reader;
    struct buffer file = file_of(BYTES("v"), true, true, 0);
    size_t len = file.len;
    buffer_append_text(&file, "*1\r\n$4\r\nPING\r\n");
    rdb_reader_init(
        &reader, &(struct rdb_reader_options){ .memory = buffer_bytes(&file), .verify = true });
    cr_assert(read_all(&reader, BYTES("v"), &seen, NULL));
    cr_expect(eq(u64, rdb_reader_offset(&reader), len));
    cr_expect(bytes_is(rdb_reader_rest(&reader), "*1\r\n$4\r\nPING\r\n"));
    rdb_reader_free(&reader);
    buffer_free(&file);
}

/* Written behind the header, read as records of their own. */
Test(rdb_read, libraries_of_functions)
{
    const struct bytes codes[] = { BYTES("#!lua name=a\n"), BYTES("#!lua name=b\n1234567890") };
    struct rdb_preamble preamble = { .functions = codes, .function_count = 2 };
    struct rdb_writer writer;
    struct rdb_reader reader;
    struct rdb_record record;
    rdb_writer_init(&writer, &(struct rdb_writer_options){ .compress = true });
    rdb_write_preamble(&writer, &preamble);
    rdb_reader_init(
        &reader, &(struct rdb_reader_options){ .memory = buffer_bytes(&writer.pending) });
    cr_assert(rdb_read_header(&reader, NULL));
    do {
        cr_assert(rdb_read_record(&reader, &record, NULL));
    } while (record.kind == RDB_RECORD_AUX);
    for (int i = 0; i < 2; i++) {
        cr_assert(record.kind == RDB_RECORD_FUNCTION);
        cr_expect(bytes_equal(record.value, codes[i]));
        cr_expect(rdb_read_record(&reader, &record, NULL) == (i == 0));
    }
    rdb_reader_free(&reader);
    rdb_writer_free(&writer);
}

/* --- Versions and what is refused. --- */

Test(rdb_read, versions)
{
    struct seen seen;
    char text[64];
    for (int version = 0; version <= 20; version++) {
        int len = snprintf(text, sizeof(text), "REDIS%04d", version);
        memcpy(text + len, "\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0", 14);
        struct bytes file = { text, (size_t)len + (version < 5 ? 6 : 14) };
        struct error error = { "" };
        bool ok = read_bytes(file, BYTES("v"), &seen, &error);
        cr_expect(eq(int, ok, version >= 1 && version <= 11), "%d", version);
        if (version > 11) {
            snprintf(text, sizeof(text), "version %d; versions 1 to 11", version);
            cr_expect(contains(error.text, text), "%s", error.text);
        }
    }
    REFUSED("RODIS0010\xff", "must begin with REDIS");
    REFUSED("REDIS00x0\xff", "four digits");
    REFUSED("REDIS-001\xff", "four digits");
    REFUSED("REDIS\0\0\0\0\xff", "four digits");
    REFUSED("REDIS", "at byte 5: the data end too early");
}

Test(rdb_read, what_would_be_lost_is_refused)
{
    REFUSED("REDIS0010\xf6\x05#!lua", "at byte 9: a function library");
    REFUSED("REDIS0010\xf7\x81\x81\xac\x3d\xa1\x0d\x65\x02\x04\x02", "data of the module ");
    REFUSED("REDIS0010\xf7\xc0", "at byte 10: the encoding of a string");
    REFUSED("REDIS0010\x01\x05"
            "alist\x01",
        "key alist has type 1 (list), which this server");
    REFUSED("REDIS0010\x05\x03z\r\n\x01", "key \"z\\r\\n\" has type 5 (sorted set)");
    REFUSED("REDIS0011\x15\x01s", "key s has type 21 (stream)");
    REFUSED("REDIS0010\xc8\x01x", "type 200 (unknown type)");
}

Test(rdb_read, hints_are_skipped)
{
    struct seen seen;
    static const char file[] = "REDIS0011\xfe\x03\xf4\x05\x01\x00\xfb\x01\x00\x00\x01k\x01v\xff"
                               "\0\0\0\0\0\0\0";
    struct error error = { "" };
    cr_expect(read_bytes((struct bytes){ file, sizeof(file) }, BYTES("v"), &seen, &error), "%s",
        error.text);
    cr_expect(seen.keys == 1 && seen.same && seen.databases == 1);
}

Test(rdb_read, both_expiries)
{
    static const char file[] = "REDIS0003\xfd\x01\x00\x00\x80\x00\x01k\x01v"
                               "\xfc\x01\x02\x00\x00\x00\x01\x00\x00\x00\x01k\x01v";
    struct rdb_reader reader;
    struct rdb_record record;
    struct bytes value;
    rdb_reader_init(&reader, &(struct rdb_reader_options){ .memory = BYTES(file) });
    cr_assert(rdb_read_header(&reader, NULL) && rdb_read_record(&reader, &record, NULL));
    cr_expect(eq(i64, record.key.expiry, ((int64_t)INT32_MIN + 1) * 1000));
    cr_assert(rdb_read_string(&reader, &value, NULL));
    cr_assert(rdb_read_record(&reader, &record, NULL));
    cr_expect(eq(i64, record.key.expiry, INT64_C(0x10000000201)));
    rdb_reader_free(&reader);
}

Test(rdb_read, nonsense)
{
    REFUSED("REDIS0010\x00\x82zzzzzzzz", "at byte 10: 0x82 begins no length");
    REFUSED("REDIS0010\x00\xc4zzzzzzzz", "at byte 10: 4 is no encoding of a string");
    REFUSED("REDIS0010\xfe\xc0\x01", "encoding of a string where a length must stand");
    REFUSED("REDIS0010\x00\xc3\x00\x05hello", "0 bytes of LZF cannot stand for 5");
    REFUSED("REDIS0010\x00\xc3\x05\x00hello", "5 bytes of LZF cannot stand for 0");
    REFUSED("REDIS0010\x00\xc3\x05\x05\xff\xff\xff\xff\xff", "damaged LZF data");
    REFUSED("REDIS0010\x00\xc3\x03\x3f\x01"
            "ab",
        "damaged LZF data");
    REFUSED("REDIS0010\xfc\0\0\0\0\0\0\0\0\xfe\x01", "record 254 between");
    REFUSED("REDIS0010\xf9\x01\xff\0\0\0\0\0\0\0\0", "record 255 between");
    REFUSED("REDIS0010\xf8\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00", "no idle time");
}

/* --- Lengths that lie. --- */

/* With so little address space a reader that believes a length dies. */
static void starve(void)
{
#if !defined(SLOTD_SANITIZE)
    struct rlimit limit = { 256u << 20, 256u << 20 };
    setrlimit(RLIMIT_AS, &limit);
#endif
}

Test(rdb_read, false_lengths_cost_nothing, .init = starve)
{
    static const char *const heads[] = {
        "\x81\x00\x00\x01\x00\x00\x00\x00\x00",         /* 2^40 */
        "\x81\xff\xff\xff\xff\xff\xff\xff\xff",         /* 2^64 - 1 */
        "\x80\xff\xff\xff\xff",                         /* 2^32 - 1 */
        "\xc3\x20\x81\x00\x00\x01\x00\x00\x00\x00",     /* LZF: 32 bytes for 2^40 */
        "\xc3\x81\xff\xff\xff\xff\xff\xff\xff\xff\x20", /* LZF: 2^64 - 1 bytes for 32 */
        "\xc3\x80\x40\x00\x00\x00\x80\x7f\xff\xff\xff", /* LZF: 1 GB for 2 GB */
    };
    static const size_t lens[] = { 9, 9, 5, 11, 11, 11 };
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        for (int part = 0; part < 2; part++) { /* the key, the value */
            struct buffer file = { 0 };
            buffer_append(&file, "REDIS0010\x00", 10);
            if (part == 1)
                buffer_append(&file, "\x01k", 2);
            buffer_append(&file, heads[i], lens[i]);
            if (i == 3)
                buffer_append_char(&file, 0);
            while (file.len < 100)
                buffer_append_char(&file, 'x');
            struct seen seen;
            struct error error = { "" };
            cr_expect(not(read_bytes(buffer_bytes(&file), BYTES(""), &seen, &error)));
            cr_expect(contains(error.text, "at byte "), "%s", error.text);
            struct drip drip = { buffer_bytes(&file), 11 };
            struct rdb_reader reader;
            rdb_reader_init(&reader, &(struct rdb_reader_options){ .source = { drip_read, &drip },
                                         .size = RDB_SIZE_UNKNOWN });
            cr_expect(not(read_all(&reader, BYTES(""), &seen, &error)));
            cr_expect(contains(error.text, "at byte "), "%s", error.text);
            rdb_reader_free(&reader);
            buffer_free(&file);
        }
    }
}

/* --- DUMP and RESTORE. --- */

Test(rdb_payload, as_redis_server_dumps)
{
    /* DUMP k of redis-server 7.0.15 after SET k 10. */
    struct bytes ten = BYTES("\x00\xc0\n\n\x00n\x9f"
                             "WE\x0e\xae"
                             "c\xbb");
    struct rdb_writer writer;
    rdb_payload_begin(&writer, RDB_TYPE_STRING, true);
    rdb_write_integer(&writer, 10);
    struct bytes payload = rdb_payload_end(&writer);
    cr_expect(bytes_equal(payload, ten));
    cr_expect(rdb_payload_verify(ten));
    rdb_writer_free(&writer);
}

Test(rdb_payload, round_trip_and_damage)
{
    struct rdb_writer writer;
    struct rdb_reader reader;
    struct bytes value;
    uint8_t type;
    rdb_payload_begin(&writer, RDB_TYPE_STRING, true);
    rdb_write_string(&writer, BYTES("hello"));
    struct bytes payload = rdb_payload_end(&writer);
    cr_assert(rdb_payload_verify(payload));
    cr_assert(rdb_payload_open(payload, &type, &reader));
    cr_expect(eq(u8, type, RDB_TYPE_STRING));
    cr_expect(rdb_read_string(&reader, &value, NULL) && bytes_is(value, "hello"));
    cr_expect(not(rdb_read_byte(&reader, &type, NULL)), "the tail must not be seen");
    rdb_reader_free(&reader);
    char *data = memory_copy(payload.data, payload.len);
    for (size_t i = 0; i < payload.len * 8; i++) {
        data[i / 8] ^= (char)(1 << i % 8);
        cr_expect(not(rdb_payload_verify((struct bytes){ data, payload.len })), "bit %zu", i);
        data[i / 8] ^= (char)(1 << i % 8);
    }
    for (size_t len = 0; len < payload.len; len++)
        cr_expect(not(rdb_payload_verify((struct bytes){ data, len })));
    free(data);
    rdb_writer_free(&writer);
}

Test(rdb_payload, a_later_version_is_refused_though_its_checksum_is_right)
{
    for (unsigned version = 0; version < 20; version++) {
        char data[13] = { 0, 1, 'v', (char)version, 0 };
        uint64_t crc = crc64(0, data, 5);
        memcpy(data + 5, &crc, sizeof(crc));
        cr_expect(eq(int, rdb_payload_verify((struct bytes){ data, sizeof(data) }), version <= 11));
    }
    char empty[10] = { 10, 0 };
    uint64_t crc = crc64(0, empty, 2);
    memcpy(empty + 2, &crc, sizeof(crc));
    uint8_t type;
    struct rdb_reader reader;
    cr_expect(rdb_payload_verify((struct bytes){ empty, sizeof(empty) }));
    cr_expect(not(rdb_payload_open((struct bytes){ empty, sizeof(empty) }, &type, &reader)));
    rdb_reader_free(&reader);
}

/* --- Files. --- */

static char *path_of(const char *name)
{
    return scratch_printf("%s/%s", scratch_folder(), name);
}

Test(rdb_file, takes_its_name_when_it_is_whole)
{
    struct rdb_file file;
    struct rdb_writer writer;
    struct error error = { "" };
    struct rdb_preamble preamble = { 0 };
    cr_assert(rdb_file_create(&file, path_of("dump.rdb"), &error), "%s", error.text);
    rdb_writer_init(
        &writer, &(struct rdb_writer_options){ .sink = rdb_file_sink(&file), .checksum = true });
    rdb_write_preamble(&writer, &preamble);
    struct rdb_key key = string_key(BYTES("k"));
    rdb_write_key(&writer, &key);
    rdb_write_string(&writer, BYTES("v"));
    cr_assert(rdb_write_end(&writer, &error), "%s", error.text);
    rdb_writer_free(&writer);
    cr_expect(access(path_of("dump.rdb"), F_OK) != 0);
    cr_assert(rdb_file_commit(&file, &error), "%s", error.text);
    cr_expect(access(path_of("dump.rdb.part"), F_OK) != 0);

    int fd = open(path_of("dump.rdb"), O_RDONLY);
    struct rdb_reader reader;
    struct seen seen;
    rdb_reader_init(&reader,
        &(struct rdb_reader_options){ .source = rdb_fd_source(&fd), .size = rdb_fd_size(fd) });
    cr_expect(read_all(&reader, BYTES("v"), &seen, &error), "%s", error.text);
    cr_expect(seen.keys == 1 && seen.same);
    rdb_reader_free(&reader);
    close(fd);
}

Test(rdb_file, leaves_the_old_one_when_abandoned)
{
    struct rdb_file file;
    struct stat stat_of;
    FILE *old = fopen(path_of("dump.rdb"), "w");
    fputs("old", old);
    fclose(old);
    cr_assert(rdb_file_create(&file, path_of("dump.rdb"), NULL));
    rdb_file_abandon(&file);
    cr_expect(access(path_of("dump.rdb.part"), F_OK) != 0);
    cr_expect(stat(path_of("dump.rdb"), &stat_of) == 0 && stat_of.st_size == 3);
}

Test(rdb_file, says_what_it_could_not_do)
{
    struct rdb_file file;
    struct error error = { "" };
    cr_expect(not(rdb_file_create(&file, "/nonexistent/dump.rdb", &error)));
    cr_expect(eq(str, error.text,
        "cannot create /nonexistent/dump.rdb.part: No such file or "
        "directory"));
    int fd = open("/dev/full", O_WRONLY);
    struct rdb_file on_full = { .temporary = (char *)"/dev/full", .fd = fd };
    struct rdb_sink sink = rdb_file_sink(&on_full);
    cr_expect(not(sink.write(sink.context, BYTES("x"), &error)));
    cr_expect(eq(str, error.text, "cannot write /dev/full: No space left on device"));
    close(fd);
}
