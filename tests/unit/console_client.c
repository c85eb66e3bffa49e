/* What the console reads from outside: URIs, replies, fields of INFO. */
#include "console/client/reply.h"
#include "console/client/uri.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static struct address address;
static struct client_options options;
static struct error error;

static bool parse(const char *text)
{
    address = (struct address){ .ip = "127.0.0.1", .port = 6379 };
    options = (struct client_options){ 0 };
    return uri_parse(text, &address, &options, &error);
}

Test(console_client, uris)
{
    cr_assert(parse("redis://10.0.0.1:7001"), "%s", error.text);
    cr_assert_str_eq(address.ip, "10.0.0.1");
    cr_assert_eq(address.port, 7001);
    cr_assert(parse("redis://host"));
    cr_assert_eq(address.port, 6379);
    cr_assert(parse("redis://ann:p%40ss:w%25@h:1/0"));
    cr_assert_str_eq(options.user, "ann");
    cr_assert_str_eq(options.password, "p@ss:w%");
    cr_assert(parse("redis://secret@h"));
    cr_assert_str_eq(options.user, "");
    cr_assert_str_eq(options.password, "secret");
    cr_assert(parse("redis://[::1]:7002"));
    cr_assert_str_eq(address.ip, "::1");
    cr_assert_eq(address.port, 7002);
    cr_assert(parse("redis://[::1]"));
    cr_assert_eq(address.port, 6379);
    cr_assert(parse("redis://"), "all from the defaults");
    cr_assert_eq(address.port, 6379);
}

Test(console_client, uris_that_are_wrong)
{
    static const char *const wrong[] = { "", "http://h", "redis://h:99999", "redis://h:x",
        "redis://a:%4@h", "redis://a:%@h", "redis://a:%00@h", "redis://h/3", "redis://u:p@h:1:" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_not(parse(wrong[i]), "%s", wrong[i]);
    }
}

static redisReply *read_reply(const char *text)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    redisReaderFeed(reader, text, strlen(text));
    redisReaderGetReply(reader, &reply);
    redisReaderFree(reader);
    cr_assert_not_null(reply);
    return reply;
}

static bool redirect_of(const char *text, struct reply_redirect *redirect)
{
    redisReply *reply = read_reply(text);
    bool is = reply_redirect_parse(reply, redirect);
    freeReplyObject(reply);
    return is;
}

Test(console_client, redirects)
{
    struct reply_redirect redirect;
    cr_assert(redirect_of("-MOVED 3999 127.0.0.1:6381\r\n", &redirect));
    cr_assert_not(redirect.ask);
    cr_assert_eq(redirect.slot, 3999);
    cr_assert_str_eq(redirect.host, "127.0.0.1");
    cr_assert_eq(redirect.port, 6381);
    cr_assert(redirect_of("-ASK 1 ::1:7000\r\n", &redirect));
    cr_assert(redirect.ask);
    cr_assert_str_eq(redirect.host, "::1");
    cr_assert(redirect_of("-MOVED 1 :7000\r\n", &redirect));
    cr_assert_str_eq(redirect.host, "", "the node that answered");
    static const char *const none[] = { "-ERR no\r\n", "+MOVED 1 h:1\r\n", "-MOVED\r\n",
        "-MOVED 1\r\n", "-MOVED 1 h\r\n", "-MOVED 16384 h:1\r\n", "-MOVED 1 h:0\r\n",
        "-MOVED 1 h:70000\r\n", "-MOVEDX 1 h:1\r\n", ":1\r\n" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        cr_expect_not(redirect_of(none[i], &redirect), "%s", none[i]);
    }
}

Test(console_client, fields)
{
    struct bytes info =
        BYTES("# Server\r\nredis_version:7.0.15\r\nused:12\r\nused_more:x\r\nlast:9");
    struct bytes value;
    cr_assert(reply_field(info, "redis_version", &value));
    cr_assert(bytes_is(value, "7.0.15"));
    cr_assert_eq(reply_field_number(info, "used", -1), 12);
    cr_assert_eq(reply_field_number(info, "used_more", -1), -1, "it is no number");
    cr_assert_eq(reply_field_number(info, "last", -1), 9);
    cr_assert_not(reply_field(info, "version", &value));
    cr_assert_not(reply_field((struct bytes){ NULL, 0 }, "a", &value));
}
