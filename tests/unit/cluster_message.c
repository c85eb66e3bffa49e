/* Against bytes that a redis-server 7.0.15 has sent: a node on 127.0.0.1:21501 with the slots 0-99
 * and 16383, which knows another and (but for "ping_without_name") announces a host name. Of each
 * message all is here but the bitmap of slots and the zeroes up to the count of extensions. */
#include "server/cluster/message.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { BITMAP_AT = 80, TAIL_AT = 2214 };

static const struct captured {
    const char *name, *head, *tail;
} captured[] = {
    { "meet",
        "52436d6200000950000153fd000200010000000000000001000000000000000100000000000000003366"
        "6364356332343037663763393832656334383766643861646466326666653836313632383430",
        "000100000000000000000000000000000000000000000000000000000000000000007b0d001101040000"
        "613735646261373732353665373166616138303266613766666334613636383235383631633466640000"
        "00006b04f38d3132372e302e302e31000000000000000000000000000000000000000000000000000000"
        "0000000000000000000053fe7b0e0001000000000000001800000000686f73742d612e6578616d706c65"
        "0000" },
    { "ping",
        "52436d6200000950000153fd000000010000000000000001000000000000000100000000000000003366"
        "6364356332343037663763393832656334383766643861646466326666653836313632383430",
        "000100000000000000000000000000000000000000000000000000000000000000007b0d001101040000"
        "613735646261373732353665373166616138303266613766666334613636383235383631633466640000"
        "00006b04f38e3132372e302e302e31000000000000000000000000000000000000000000000000000000"
        "0000000000000000000053fe7b0e0001000000000000001800000000686f73742d612e6578616d706c65"
        "0000" },
    { "pong",
        "52436d6200000950000153fd000100010000000000000001000000000000000100000000000000003366"
        "6364356332343037663763393832656334383766643861646466326666653836313632383430",
        "000100000000000000000000000000000000000000000000000000000000000000007b0d001101040000"
        "653764316565636365313066643662623565623335623966393961353134333335643962613963610000"
        "00006b04f38f3132372e302e302e31000000000000000000000000000000000000000000000000000000"
        "0000000000000000000053ff7b0f0001000000000000001800000000686f73742d612e6578616d706c65"
        "0000" },
    { "ping_without_name",
        "52436d6200000938000153fd000000010000000000000002000000000000000200000000000000003761"
        "6536326539316463363731306561323632306330303930356334636439656462373230663661",
        "000000000000000000000000000000000000000000000000000000000000000000007b0d001101000000"
        "653764316565636365313066643662623565623335623966393961353134333335643962613963616b04"
        "f3ba6b04f3b83132372e302e302e31000000000000000000000000000000000000000000000000000000"
        "0000000000000000000053ff7b0f000100000000" },
    { "publish",
        "52436d62000008e1000153fd000400000000000000000001000000000000000100000000000000003366"
        "6364356332343037663763393832656334383766643861646466326666653836313632383430",
        "000000000000000000000000000000000000000000000000000000000000000000007b0d001101000000"
        "00000004000000056368616e68656c6c6f" },
};
enum { CAPTURED = sizeof(captured) / sizeof(captured[0]) };

static void append_hex(struct buffer *out, const char *hex)
{
    for (; *hex != '\0'; hex += 2) {
        char digits[3] = { hex[0], hex[1], '\0' };
        buffer_append_char(out, (char)strtoul(digits, NULL, 16));
    }
}

static struct slot_set captured_slots(void)
{
    struct slot_set slots = { 0 };
    slot_set_add_range(&slots, 0, 99);
    slot_set_add(&slots, 16383);
    return slots;
}

static struct buffer captured_bytes(const char *name)
{
    static const char zeroes[TAIL_AT - BITMAP_AT - SLOT_BITMAP_SIZE];
    struct slot_set slots = captured_slots();
    struct buffer out = { 0 };
    for (size_t i = 0; i < CAPTURED; i++) {
        if (strcmp(captured[i].name, name) != 0)
            continue;
        append_hex(&out, captured[i].head);
        buffer_append(&out, slots.bits, sizeof(slots.bits));
        buffer_append(&out, zeroes, sizeof(zeroes));
        append_hex(&out, captured[i].tail);
    }
    cr_assert_neq(out.len, 0);
    return out;
}

static void decode(const struct buffer *bytes, struct message *message)
{
    struct error error = { "" };
    size_t len = 0;
    cr_assert_eq(message_frame(bytes->data, bytes->len, &len), MESSAGE_FRAME_OK);
    cr_assert_eq(len, bytes->len);
    cr_assert(message_decode(bytes->data, bytes->len, message, &error), "%s", error.text);
}

static bool is_refused(const struct buffer *bytes)
{
    struct message message;
    struct error error = { "" };
    bool refused = !message_decode(bytes->data, bytes->len, &message, &error);
    cr_assert_eq(refused, error.text[0] != '\0');
    return refused;
}

static void put16(struct buffer *bytes, size_t at, unsigned value)
{
    bytes->data[at] = (char)(value >> 8);
    bytes->data[at + 1] = (char)value;
}

static void put32(struct buffer *bytes, size_t at, size_t value)
{
    put16(bytes, at, (unsigned)(value >> 16));
    put16(bytes, at + 2, (unsigned)value);
}

Test(cluster_message, what_redis_sent_is_understood)
{
    static const char *const id = "3fcd5c2407f7c982ec487fd8addf2ffe86162840";
    struct buffer bytes = captured_bytes("meet");
    struct message message;
    decode(&bytes, &message);
    cr_assert_eq(message.type, MESSAGE_MEET);
    cr_assert_str_eq(message.sender.text, id);
    cr_assert_eq(message.address.port, 21501);
    cr_assert_eq(message.address.bus_port, 31501);
    cr_assert_str_eq(message.address.ip, "");
    cr_assert_eq(message.other_port, 0);
    cr_assert_eq(message.current_epoch, 1);
    cr_assert_eq(message.config_epoch, 1);
    cr_assert_eq(message.offset, 0);
    cr_assert_eq(message.flags, 0x11 /* primary, myself */);
    cr_assert(message.is_down);
    cr_assert_eq(message.marks, MESSAGE_HAS_EXTENSIONS);
    cr_assert_not(node_id_is_set(&message.primary));
    cr_assert_eq(slot_set_count(message.slots), 101);
    cr_assert_eq(message.gossip_count, 1);
    cr_assert_str_eq(message.hostname, "host-a.example");
    struct message_gossip gossip;
    cr_assert(message_gossip_at(&message, 0, &gossip));
    cr_assert_str_eq(gossip.id.text, "a75dba77256e71faa802fa7ffc4a66825861c4fd");
    cr_assert_str_eq(gossip.address.ip, "127.0.0.1");
    cr_assert_eq(gossip.address.port, 21502);
    cr_assert_eq(gossip.address.bus_port, 31502);
    cr_assert_eq(gossip.pong_received, 0x6b04f38d);
    cr_assert_eq(gossip.ping_sent, 0);
    cr_assert_eq(gossip.flags, 1);
    buffer_free(&bytes);
}

Test(cluster_message, what_redis_sent_is_written_byte_for_byte)
{
    for (size_t i = 0; i < CAPTURED; i++) {
        struct buffer bytes = captured_bytes(captured[i].name), again = { 0 };
        struct message message;
        struct message_gossip gossip[1];
        decode(&bytes, &message);
        if (message.gossip_count > 0)
            cr_assert(message_gossip_at(&message, 0, &gossip[0]));
        message.gossip = gossip;
        message_encode(&message, &again);
        cr_assert(bytes_equal(buffer_bytes(&bytes), buffer_bytes(&again)), "%s", captured[i].name);
        buffer_free(&bytes);
        buffer_free(&again);
    }
}

Test(cluster_message, a_published_message_is_cut_in_two)
{
    struct buffer bytes = captured_bytes("publish");
    struct message message;
    decode(&bytes, &message);
    cr_assert_eq(message.type, MESSAGE_PUBLISH);
    cr_assert(bytes_equal(message.channel, BYTES("chan")));
    cr_assert(bytes_equal(message.payload, BYTES("hello")));
    put32(&bytes, MESSAGE_HEADER_SIZE, 5); /* a channel that is longer than told */
    cr_assert(is_refused(&bytes));
    put32(&bytes, MESSAGE_HEADER_SIZE, UINT32_MAX);
    cr_assert(is_refused(&bytes));
    buffer_free(&bytes);
}

static struct message simple(enum message_type type, const struct slot_set *slots)
{
    struct message message = { .type = type, .slots = slots, .current_epoch = 7 };
    memset(message.sender.text, 'a', NODE_ID_LEN);
    memset(message.node.text, 'b', NODE_ID_LEN);
    return message;
}

Test(cluster_message, the_other_types_have_their_lengths)
{
    static const struct {
        enum message_type type;
        size_t body;
    } cases[] = {
        { MESSAGE_PING, 0 },
        { MESSAGE_FAIL, 40 },
        { MESSAGE_AUTH_REQUEST, 0 },
        { MESSAGE_AUTH_ACK, 0 },
        { MESSAGE_UPDATE, 8 + 40 + 2048 },
        { MESSAGE_MFSTART, 0 },
    };
    struct slot_set slots = captured_slots(), owned = { 0 };
    slot_set_add(&owned, 7);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer bytes = { 0 };
        struct message message = simple(cases[i].type, &slots), read;
        message.node_slots = &owned;
        message.node_epoch = 99;
        message_encode(&message, &bytes);
        cr_assert_eq(bytes.len, MESSAGE_HEADER_SIZE + cases[i].body, "type %u", cases[i].type);
        decode(&bytes, &read);
        cr_assert_eq(read.type, cases[i].type);
        cr_assert_eq(read.current_epoch, 7);
        if (cases[i].type == MESSAGE_UPDATE) {
            cr_assert_eq(read.node_epoch, 99);
            cr_assert(slot_set_has(read.node_slots, 7));
        }
        if (cases[i].type == MESSAGE_UPDATE || cases[i].type == MESSAGE_FAIL)
            cr_assert(node_id_equal(&read.node, &message.node));
        buffer_append_char(&bytes, 'x'); /* one byte more than the type has */
        put32(&bytes, 4, bytes.len);
        cr_assert(is_refused(&bytes), "type %u", cases[i].type);
        buffer_free(&bytes);
    }
}

Test(cluster_message, a_light_header_carries_published_messages_only)
{
    struct buffer bytes = { 0 };
    struct message message;
    buffer_append(&bytes, "RCmb", 4);
    buffer_append_u32be(&bytes, 16 + 8 + 3);
    buffer_append_u16be(&bytes, 1);
    buffer_append_u16be(&bytes, 0);
    buffer_append_u16be(&bytes, 0x8000 | MESSAGE_PUBLISHSHARD);
    buffer_append_u16be(&bytes, 0);
    buffer_append_u32be(&bytes, 1);
    buffer_append_u32be(&bytes, 2);
    buffer_append_text(&bytes, "cmm");
    decode(&bytes, &message);
    cr_assert(message.light);
    cr_assert_eq(message.type, MESSAGE_PUBLISHSHARD);
    cr_assert(bytes_equal(message.channel, BYTES("c")));
    cr_assert(bytes_equal(message.payload, BYTES("mm")));
    put16(&bytes, 12, 0x8000 | MESSAGE_PING);
    cr_assert(is_refused(&bytes));
    buffer_free(&bytes);
}

Test(cluster_message, the_frame_is_found_and_nonsense_is_not)
{
    struct buffer bytes = captured_bytes("ping");
    size_t len;
    for (size_t i = 0; i < MESSAGE_PREFIX_SIZE; i++)
        cr_assert_eq(message_frame(bytes.data, i, &len), MESSAGE_FRAME_SHORT);
    cr_assert_eq(message_frame(bytes.data, MESSAGE_PREFIX_SIZE, &len), MESSAGE_FRAME_OK);
    cr_assert_eq(len, bytes.len);
    cr_assert_eq(message_frame("GET / HTTP/1.1\r\n", 16, &len), MESSAGE_FRAME_BAD);
    cr_assert_eq(message_frame("G", 1, &len), MESSAGE_FRAME_BAD);
    put32(&bytes, 4, MESSAGE_HEADER_SIZE - 1);
    cr_assert_eq(message_frame(bytes.data, bytes.len, &len), MESSAGE_FRAME_BAD);
    put32(&bytes, 4, UINT32_MAX);
    cr_assert_eq(message_frame(bytes.data, bytes.len, &len), MESSAGE_FRAME_BAD);
    buffer_free(&bytes);
}

Test(cluster_message, counts_and_lengths_that_lie_are_refused)
{
    static const struct {
        const char *what;
        size_t at;
        unsigned value;
    } lies[] = {
        { "version", 8, 2 },
        { "type", 12, MESSAGE_TYPES },
        { "gossip count", 14, 2 },
        { "gossip count", 14, 65535 },
        { "no gossip", 14, 0 },
        { "extension count", 2214, 2 },
        { "extension count", 2214, 0 },
        { "sender", 40, 0x0000 },
        { "primary", 2128, 0x7878 },
        { "ip", 2168, 0x2020 },
        { "extension length", 2256 + 104 + 2, 23 },
        { "extension length", 2256 + 104 + 2, 0 },
        { "extension length", 2256 + 104 + 2, 32 },
        { "extension length", 2256 + 104, 0xffff },
    };
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct buffer bytes = captured_bytes("ping");
        put16(&bytes, lies[i].at, lies[i].value);
        cr_assert(is_refused(&bytes), "%s %u", lies[i].what, lies[i].value);
        buffer_free(&bytes);
    }
    struct buffer bytes = captured_bytes("ping");
    for (bytes.len--; bytes.len > 0; bytes.len -= bytes.len < 97 ? bytes.len : 97) {
        cr_assert(is_refused(&bytes), "cut to %zu", bytes.len);
        if (bytes.len < MESSAGE_HEADER_SIZE)
            continue;
        struct buffer told = { 0 };
        buffer_append(&told, bytes.data, bytes.len);
        put32(&told, 4, told.len);
        cr_assert(is_refused(&told), "cut to %zu and told so", told.len);
        buffer_free(&told);
    }
    buffer_free(&bytes);
}

Test(cluster_message, texts_that_would_break_a_file_are_not_taken)
{
    struct buffer bytes = captured_bytes("ping");
    struct message message;
    struct message_gossip gossip;
    size_t hostname = bytes.len - 16;
    bytes.data[hostname + 4] = ' ';
    decode(&bytes, &message);
    cr_assert_null(message.hostname);
    memset(bytes.data + hostname, 'a', 16); /* no zero at its end */
    decode(&bytes, &message);
    cr_assert_null(message.hostname);
    bytes.data[MESSAGE_HEADER_SIZE + 50] = '\n'; /* in the IP of the gossip entry */
    decode(&bytes, &message);
    cr_assert_not(message_gossip_at(&message, 0, &gossip));
    buffer_free(&bytes);
}

static void append_extension(struct buffer *bytes, unsigned type, const char *data, size_t len)
{
    buffer_append_u32be(bytes, (uint32_t)(8 + len));
    buffer_append_u16be(bytes, (uint16_t)type);
    buffer_append_u16be(bytes, 0);
    buffer_append(bytes, data, len);
}

Test(cluster_message, extensions_of_newer_versions_are_read_or_skipped)
{
    struct slot_set slots = { 0 };
    struct message message = simple(MESSAGE_PONG, &slots), read;
    struct buffer bytes = { 0 };
    char forgotten[48];
    message_encode(&message, &bytes);
    memset(forgotten, 'c', 40);
    memcpy(forgotten + 40, "\0\0\0\0\0\0\0\x3c", 8);
    append_extension(&bytes, 1, "a name\0", 8);
    append_extension(&bytes, 2, forgotten, 48);
    append_extension(&bytes, 2, forgotten, 40); /* too short to have a time */
    append_extension(&bytes, 3, "dddddddddddddddddddddddddddddddddddddddd", 40);
    append_extension(&bytes, 77, "", 0);
    put32(&bytes, 4, bytes.len);
    put16(&bytes, 2214, 5);
    bytes.data[2253] = MESSAGE_HAS_EXTENSIONS;
    decode(&bytes, &read);
    cr_assert_eq(read.told_shard_id.text[39], 'd');
    struct message_forgotten forgot;
    size_t cursor = 0;
    cr_assert(message_next_forgotten(&read, &cursor, &forgot));
    cr_assert_eq(forgot.seconds, 60);
    cr_assert_eq(forgot.id.text[0], 'c');
    cr_assert_not(message_next_forgotten(&read, &cursor, &forgot));
    buffer_free(&bytes);
}

Test(cluster_message, a_host_name_and_a_shard_go_out_and_come_in)
{
    struct slot_set slots = { 0 };
    struct node_id shard = { "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee" };
    static const char *const names[] = { "a", "seven-b", "eight-by", "node-1.example.org" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct message message = simple(MESSAGE_PING, &slots), read;
        struct buffer bytes = { 0 };
        message.hostname = names[i];
        message.shard_id = &shard;
        message_encode(&message, &bytes);
        cr_assert_eq(bytes.len % 8, MESSAGE_HEADER_SIZE % 8);
        decode(&bytes, &read);
        cr_assert_str_eq(read.hostname, names[i]);
        cr_assert_str_eq(read.told_shard_id.text, shard.text);
        buffer_free(&bytes);
    }
}

Test(cluster_message, a_light_header_is_written_as_it_is_read)
{
    struct message message = { .type = MESSAGE_PUBLISHSHARD,
        .light = true,
        .channel = BYTES("channel"),
        .payload = BYTES("payload") };
    struct buffer out = { 0 };
    message_encode(&message, &out);
    cr_assert_eq(out.len, MESSAGE_LIGHT_HEADER_SIZE + 8 + 14);
    size_t len;
    cr_expect_eq(message_frame(out.data, out.len, &len), MESSAGE_FRAME_OK);
    cr_expect_eq(len, out.len);
    struct message read;
    struct error error;
    cr_assert(message_decode(out.data, out.len, &read, &error), "%s", error.text);
    cr_expect(read.light);
    cr_expect_eq(read.type, MESSAGE_PUBLISHSHARD);
    cr_expect(bytes_equal(read.channel, message.channel));
    cr_expect(bytes_equal(read.payload, message.payload));
    buffer_free(&out);
}
