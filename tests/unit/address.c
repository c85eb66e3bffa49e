#include "common/address.h"

#include <criterion/criterion.h>

Test(address, is_read)
{
    static const struct row {
        const char *text, *ip;
        unsigned port, bus_port;
    } rows[] = {
        { "127.0.0.1:7001", "127.0.0.1", 7001, 0 },
        { "127.0.0.1:7001@17001", "127.0.0.1", 7001, 17001 },
        { "[::1]:7001", "::1", 7001, 0 },
        { "::1:7001@17001", "::1", 7001, 17001 },
        { "fe80::1%eth0:65535", "fe80::1%eth0", 65535, 0 },
        { "node-1.example_2.com:1", "node-1.example_2.com", 1, 0 },
        { ":0@0", "", 0, 0 },
        { ":0", "", 0, 0 },
        { ":7001@17001", "", 7001, 17001 },
        { "10.0.0.1:0@17001", "10.0.0.1", 0, 17001 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address address;
        struct error error = { "" };
        cr_assert(address_parse(bytes_of(rows[i].text), &address, &error), "%s: %s", rows[i].text,
            error.text);
        cr_assert_str_eq(address.ip, rows[i].ip);
        cr_assert_eq(address.port, rows[i].port, "%s", rows[i].text);
        cr_assert_eq(address.bus_port, rows[i].bus_port, "%s", rows[i].text);
    }
}

Test(address, is_refused_with_what_would_be_right)
{
    static const struct row {
        struct bytes text;
        const char *expected; /* in the error */
    } rows[] = {
        { { "", 0 }, "must be host:port" },
        { BYTES("localhost"), "must be host:port" },
        { BYTES("localhost@17001"), "must be host:port" },
        { BYTES("localhost:"), "port must be 1 to 65535" },
        { BYTES("localhost:0"), "port must be 1 to 65535" },
        { BYTES("localhost:65536"), "port must be 1 to 65535" },
        { BYTES("localhost:+1"), "port must be 1 to 65535" },
        { BYTES("localhost:07001"), "port must be 1 to 65535" },
        { BYTES("localhost: 7001"), "port must be 1 to 65535" },
        { BYTES("localhost:7001 "), "port must be 1 to 65535" },
        { BYTES("localhost:7001@"), "bus port must be 0 to 65535" },
        { BYTES("localhost:7001@65536"), "bus port must be 0 to 65535" },
        { BYTES("a b:7001"), "host must be" },
        { BYTES("a\0b:7001"), "host must be" },
        { BYTES("a,b:7001"), "host must be" },
        { BYTES("a@b:7001"), "must be host:port" },
        { BYTES("a@b:7001@17001"), "host must be" },
        { BYTES("[::1:7001"), "host must be" },
        { BYTES("0123456789012345678901234567890123456789012345:1"), "host must be" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address address;
        struct error error = { "" };
        cr_assert_not(address_parse(rows[i].text, &address, &error), "row %zu", i);
        cr_assert_not_null(strstr(error.text, rows[i].expected), "row %zu: %s", i, error.text);
    }
}

Test(address, is_written_as_redis_does)
{
    struct address address;
    char text[ADDRESS_TEXT_MAX];
    cr_assert(address_parse(BYTES("[2001:db8::1]:7001@17001"), &address, NULL));
    cr_assert_eq(address_format(text, &address), strlen("2001:db8::1:7001"));
    cr_assert_str_eq(text, "2001:db8::1:7001");
}

Test(address, is_equal_by_ip_and_port)
{
    struct address a, b;
    cr_assert(address_parse(BYTES("10.0.0.1:7001@17001"), &a, NULL));
    cr_assert(address_parse(BYTES("10.0.0.1:7001"), &b, NULL));
    cr_assert(address_equal(&a, &b));
    cr_assert(address_parse(BYTES("10.0.0.1:7002@17001"), &b, NULL));
    cr_assert_not(address_equal(&a, &b));
    cr_assert(address_parse(BYTES("10.0.0.2:7001@17001"), &b, NULL));
    cr_assert_not(address_equal(&a, &b));
}
