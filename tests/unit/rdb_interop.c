/* Debian's redis-server as the judge of the RDB codec: it loads what is written here, and what it
 * writes is read here. */
#include "server/snapshot/rdb_file.h"
#include "server/snapshot/rdb_payload.h"
#include "tests/support/node.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

TestSuite(rdb_interop, .init = nodes_begin, .fini = nodes_end, .timeout = 60);

enum { VALUES = 400 };

/* Values of every form: integers at the edges of their sizes, texts that compress and ones that do
 * not, lengths at the edges of their encodings, bytes of all kinds. */
static struct bytes value_of(unsigned i)
{
    static const char *const texts[] = { "", "0", "-1", "127", "128", "-128", "-129", "32767",
        "32768", "-32769", "2147483647", "2147483648", "-2147483648", "-2147483649",
        "9223372036854775807", "007", "-0", "+1", " 1", "1e3", "hello world",
        "a text that is a little longer than twenty bytes", "\r\n\t\"'\\" };
    static const size_t lens[] = { 19, 20, 21, 63, 64, 65, 1000, 16383, 16384, 70000, 200000 };
    size_t text_count = sizeof(texts) / sizeof(texts[0]);
    if (i < text_count)
        return bytes_of(texts[i]);
    size_t len = lens[i % (sizeof(lens) / sizeof(lens[0]))];
    char *data = scratch_printf("%*s", (int)len, "");
    unsigned state = i * 7919;
    for (size_t at = 0; at < len; at++) {
        state = state * 1103515245 + 12345;
        data[at] = i & 1 ? (char)(state >> 16) : "abcdefgh"[at / (1 + i % 40) % 8];
    }
    return (struct bytes){ data, len };
}

static const unsigned databases[] = { 0, 1, 15 };
enum { DATABASES = sizeof(databases) / sizeof(databases[0]) };

static int64_t expiry_of(unsigned i)
{
    return i % 5 ? RDB_NO_EXPIRY : INT64_C(4102444800000) + i; /* the year 2100 */
}

static void write_file(const char *path, bool compress, bool checksum)
{
    struct rdb_file file;
    struct rdb_writer writer;
    struct error error = { "" };
    cr_assert(rdb_file_create(&file, path, &error), "%s", error.text);
    rdb_writer_init(
        &writer, &(struct rdb_writer_options){
                     .sink = rdb_file_sink(&file), .compress = compress, .checksum = checksum });
    rdb_write_preamble(&writer, &(struct rdb_preamble){ .created = 1700000000 });
    for (int d = 0; d < DATABASES; d++) {
        rdb_write_database(&writer, databases[d]);
        rdb_write_sizes(&writer, VALUES, VALUES / 5);
        for (unsigned i = 0; i < VALUES; i++) {
            char name[32];
            int len = snprintf(name, sizeof(name), "key:%d:%u", d, i);
            struct rdb_key key = { { name, (size_t)len }, expiry_of(i), i % 7 ? RDB_NO_IDLE : 1000,
                RDB_NO_FREQ, RDB_TYPE_STRING };
            rdb_write_key(&writer, &key);
            rdb_write_string(&writer, value_of(i));
        }
    }
    cr_assert(rdb_write_end(&writer, &error), "%s", error.text);
    rdb_writer_free(&writer);
    cr_assert(rdb_file_commit(&file, &error), "%s", error.text);
}

static void is_loaded(struct node *node)
{
    struct client *client = node_client(node);
    for (int d = 0; d < DATABASES; d++) {
        client_run(client, "SELECT %d", databases[d]);
        cr_expect_eq(client_integer(client, "DBSIZE"), VALUES);
        for (unsigned i = 0; i < VALUES; i++) {
            struct bytes value = value_of(i);
            redisReply *reply = client_run(client, "GET key:%d:%u", d, i);
            cr_assert(reply != NULL && reply->type == REDIS_REPLY_STRING, "key:%d:%u", d, i);
            cr_expect(
                bytes_equal((struct bytes){ reply->str, reply->len }, value), "key:%d:%u", d, i);
            cr_expect_eq(client_integer(client, "PEXPIRETIME key:%d:%u", d, i), expiry_of(i));
        }
    }
}

Test(rdb_interop, redis_server_loads_what_is_written)
{
    for (int form = 0; form < 3; form++) {
        struct node *node = node_prepare_program("redis-server", "loglevel notice\n");
        const char *output;
        write_file(node_path(node, "dump.rdb"), form != 1, form != 2);
        int status = shell_run(10000, &output, "redis-check-rdb %s", node_path(node, "dump.rdb"));
        cr_expect_eq(status, 0, "%s", output);
        cr_expect(strstr(output, "RDB looks OK") != NULL, "%s", output);
        cr_expect(strstr(output, "[info] 1200 keys read") != NULL, "%s", output);
        node_launch(node);
        is_loaded(node);
        node_kill(node);
    }
}

/* Reads the file that redis-server has saved and compares it with what it replies. */
static size_t compare_file(struct node *node, const char *path)
{
    struct client *client = node_client(node);
    struct rdb_reader reader;
    struct rdb_record record;
    struct error error = { "" };
    struct bytes value;
    size_t keys = 0;
    int fd = open(path, O_RDONLY);
    rdb_reader_init(
        &reader, &(struct rdb_reader_options){
                     .source = rdb_fd_source(&fd), .size = rdb_fd_size(fd), .verify = true });
    cr_assert(rdb_read_header(&reader, &error), "%s", error.text);
    for (;;) {
        cr_assert(rdb_read_record(&reader, &record, &error), "%s", error.text);
        if (record.kind == RDB_RECORD_END)
            break;
        if (record.kind == RDB_RECORD_DATABASE)
            client_run(client, "SELECT %d", (int)record.database);
        if (record.kind != RDB_RECORD_KEY)
            continue;
        keys++;
        cr_assert_eq(record.key.type, RDB_TYPE_STRING);
        cr_assert(rdb_read_string(&reader, &value, &error), "%s", error.text);
        redisReply *reply = client_run(client, "GET %b", record.key.name.data, record.key.name.len);
        cr_expect(reply && bytes_equal((struct bytes){ reply->str, reply->len }, value));
        int64_t expiry =
            client_integer(client, "PEXPIRETIME %b", record.key.name.data, record.key.name.len);
        cr_expect_eq(expiry, record.key.expiry);
    }
    rdb_reader_free(&reader);
    close(fd);
    return keys;
}

Test(rdb_interop, what_redis_server_saves_is_read)
{
    static const char *const configs[] = { "rdbcompression yes\n", "rdbcompression no\n",
        "rdbchecksum no\n", "maxmemory-policy allkeys-lfu\n", "maxmemory-policy allkeys-lru\n" };
    for (size_t c = 0; c < sizeof(configs) / sizeof(configs[0]); c++) {
        struct node *node = node_start_program("redis-server", "%s", configs[c]);
        struct client *client = node_client(node);
        for (int d = 0; d < DATABASES; d++) {
            client_run(client, "SELECT %d", databases[d]);
            for (unsigned i = 0; i < VALUES; i++) {
                struct bytes value = value_of(i);
                client_run(client, "SET key:%d:%u %b", d, i, value.data, value.len);
                if (expiry_of(i) != RDB_NO_EXPIRY)
                    client_run(client, "PEXPIREAT key:%d:%u %lld", d, i, (long long)expiry_of(i));
            }
        }
        client_run(client, "SET %b %s", "\0\xff\r\n", (size_t)4, "binary key");
        client_run(client, "SET %b %s", "", (size_t)0, "empty key");
        client_run(client, "SAVE");
        cr_expect_eq(compare_file(node, node_path(node, "dump.rdb")), DATABASES * VALUES + 2);
        node_kill(node);
    }
}

Test(rdb_interop, payloads_go_both_ways)
{
    struct node *node = node_start_program("redis-server", "rdbcompression yes\n");
    struct client *client = node_client(node);
    for (unsigned i = 0; i < VALUES; i++) {
        struct bytes value = value_of(i), read;
        struct rdb_writer writer;
        struct rdb_reader reader;
        uint8_t type;
        rdb_payload_begin(&writer, RDB_TYPE_STRING, true);
        rdb_write_string(&writer, value);
        struct bytes payload = rdb_payload_end(&writer);
        client_run(client, "RESTORE mine 0 %b REPLACE", payload.data, payload.len);
        redisReply *reply = client_run(client, "GET mine");
        cr_expect(bytes_equal((struct bytes){ reply->str, reply->len }, value), "value %u", i);

        client_run(client, "SET theirs %b", value.data, value.len);
        reply = client_run(client, "DUMP theirs");
        struct bytes theirs = { reply->str, reply->len };
        if (value.len <= RDB_COMPRESS_MIN)
            cr_expect(bytes_equal(theirs, payload), "value %u", i);
        cr_expect(rdb_payload_verify(theirs));
        cr_assert(rdb_payload_open(theirs, &type, &reader));
        cr_expect_eq(type, RDB_TYPE_STRING);
        cr_assert(rdb_read_string(&reader, &read, NULL));
        cr_expect(bytes_equal(read, value), "value %u", i);
        rdb_reader_free(&reader);
        rdb_writer_free(&writer);
    }
}

Test(rdb_interop, payload_errors_are_those_of_redis_server)
{
    struct node *node = node_start_program("redis-server", "save \"\"\n");
    struct client *client = node_client(node);
    struct rdb_writer writer;
    redisReply *reply = client_run(client, "RESTORE k 0 %s", "short");
    cr_expect_str_eq(reply->str, "ERR " RDB_PAYLOAD_BAD_TAIL);
    rdb_payload_begin(&writer, 200, true);
    struct bytes payload = rdb_payload_end(&writer);
    reply = client_run(client, "RESTORE k 0 %b", payload.data, payload.len);
    cr_expect_str_eq(reply->str, "ERR " RDB_PAYLOAD_BAD_VALUE);
    rdb_writer_free(&writer);
}

Test(rdb_interop, types_that_are_not_held_are_named)
{
    static const char *const rows[][2] = {
        { "RPUSH it a b", "key it has type 18 (list)" },
        { "HSET it a b", "key it has type 16 (hash)" },
        { "SADD it 1 2", "key it has type 11 (set)" },
        { "SADD it a b", "key it has type 2 (set)" },
        { "ZADD it 1 a", "key it has type 17 (sorted set)" },
        { "XADD it 1-1 a b", "key it has type 19 (stream)" },
    };
    struct node *node = node_start_program("redis-server", "save \"\"\n");
    struct client *client = node_client(node);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rdb_reader reader;
        struct rdb_record record;
        struct error error = { "" };
        bool ok;
        client_run(client, "FLUSHALL");
        client_run(client, rows[i][0]);
        client_run(client, "SAVE");
        int fd = open(node_path(node, "dump.rdb"), O_RDONLY);
        rdb_reader_init(&reader,
            &(struct rdb_reader_options){ .source = rdb_fd_source(&fd), .size = rdb_fd_size(fd) });
        for (ok = rdb_read_header(&reader, &error); ok;) {
            ok = rdb_read_record(&reader, &record, &error);
            cr_assert(!ok || record.kind != RDB_RECORD_END, "%s: all was read", rows[i][0]);
            if (ok && record.kind == RDB_RECORD_KEY)
                ok = rdb_refuse_type(&reader, &record.key, &error);
        }
        cr_expect(strstr(error.text, rows[i][1]) != NULL, "%s", error.text);
        rdb_reader_free(&reader);
        close(fd);
    }
}
