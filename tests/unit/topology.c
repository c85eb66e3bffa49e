#include "common/topology.h"

#include <criterion/criterion.h>

#define ID_A "c87db252753d63feaf402805502ccf5ab9ba899a"
#define ID_B "da215f8a446db28c0b6baa6d092954ecfc9a9968"
#define ID_C "c07f358e2d1798981f228299568359594c173707"

/* What redis-server 7.0 says of itself in CLUSTER NODES. */
static const char nodes_7_0[] =
    ID_C " 127.0.0.1:21383@31383 master - 0 1795485960291 3 connected 10923-16383\n" ID_A
         " 127.0.0.1:21381@31381 myself,master - 0 1795485959000 1 connected 0-99 101-5460"
         " [77->-" ID_B "] [79->-" ID_B "]\n"
         "bff3e92521615f2080f408c8fe973c03a18c4f14 ::1:21998@31998 handshake - 0 0 0"
         " disconnected\n" ID_B " 127.0.0.1:21382@31382,host-b.example.com master,nofailover"
         " - 0 1795485960090 2 connected 5461-10922\n"
         "3e77d00b677f0bb7cb313f5a08ce60a9d40b5782 127.0.0.1:21384@31384 slave " ID_A
         " 0 1795485959286 1 connected\n"
         "6fd3a25aea37d7500388d6127e9e79a58971e74f :0@0 master,fail,noaddr"
         " - 1795485950000 1795485949000 7 disconnected\n";

static void parse(struct topology *topology, const char *text)
{
    struct error error = { "" };
    cr_assert(topology_parse(bytes_of(text), topology, &error), "%s", error.text);
}

static void expect_round_trip(const char *text, bool with_aux, const char *expected)
{
    struct topology topology;
    struct buffer out = { 0 };
    parse(&topology, text);
    for (size_t i = 0; i < topology.count; i++)
        topology_write_node(&out, &topology.nodes[i], with_aux);
    cr_assert(bytes_equal(buffer_bytes(&out), bytes_of(expected)), "%.*s\ninstead of\n%s",
        (int)out.len, out.data, expected);
    buffer_free(&out);
    topology_free(&topology);
    cr_assert(topology.nodes == NULL && topology.count == 0);
}

Test(topology, is_read_and_written_back)
{
    expect_round_trip(nodes_7_0, false, nodes_7_0);
    expect_round_trip(nodes_7_0, true, nodes_7_0);
    expect_round_trip("", false, "");
    expect_round_trip("\n\nvars currentEpoch 1 lastVoteEpoch 0", false, "");
}

Test(topology, has_every_field)
{
    struct topology topology;
    parse(&topology, nodes_7_0);
    cr_assert_eq(topology.count, 6);
    const struct topology_node *a = &topology.nodes[1], *b = &topology.nodes[3],
                               *replica = &topology.nodes[4], *lost = &topology.nodes[5];
    cr_assert_str_eq(a->id.text, ID_A);
    cr_assert_str_eq(a->address.ip, "127.0.0.1");
    cr_assert_eq(a->address.port, 21381);
    cr_assert_eq(a->address.bus_port, 31381);
    cr_assert_str_eq(a->hostname, "");
    cr_assert_eq(a->flags, NODE_MYSELF | NODE_PRIMARY);
    cr_assert_not(node_id_is_set(&a->primary));
    cr_assert_eq(a->ping_sent, 0);
    cr_assert_eq(a->pong_received, 1795485959000);
    cr_assert_eq(a->config_epoch, 1);
    cr_assert(a->connected);
    cr_assert_eq(slot_set_count(&a->slots), 5460);
    cr_assert_not(slot_set_has(&a->slots, 100));
    cr_assert_eq(a->move_count, 2);
    cr_assert_eq(a->moves[1].slot, 79);
    cr_assert_not(a->moves[1].importing);
    cr_assert_str_eq(a->moves[1].peer.text, ID_B);
    cr_assert_str_eq(b->hostname, "host-b.example.com");
    cr_assert_eq(b->flags, NODE_PRIMARY | NODE_NO_FAILOVER);
    cr_assert_eq(replica->flags, NODE_REPLICA);
    cr_assert(node_id_equal(&replica->primary, &a->id));
    cr_assert_eq(lost->flags, NODE_PRIMARY | NODE_FAIL | NODE_NO_ADDRESS);
    cr_assert_str_eq(lost->address.ip, "");
    cr_assert_eq(lost->ping_sent, 1795485950000);
    cr_assert_not(lost->connected);
    topology_free(&topology);
}

Test(topology, of_nodes_conf_has_epochs_and_aux_fields)
{
#define REST " myself,slave " ID_B " 0 0 3 connected [77-<-" ID_B "]\n"
    static const char text[] = ID_A " 127.0.0.1:7001@17001,,shard-id=" ID_C REST
                                    "vars currentEpoch 18446744073709551615 lastVoteEpoch 5"
                                    " futureVariable x\n";
    struct topology topology;
    parse(&topology, text);
    cr_assert_eq(topology.current_epoch, UINT64_MAX);
    cr_assert_eq(topology.last_vote_epoch, 5);
    cr_assert_eq(topology.count, 1);
    cr_assert_str_eq(topology.nodes[0].hostname, "");
    cr_assert_str_eq(topology.nodes[0].shard_id.text, ID_C);
    cr_assert(topology.nodes[0].moves[0].importing);
    topology_free(&topology);

    expect_round_trip(text, true, ID_A " 127.0.0.1:7001@17001,,shard-id=" ID_C REST);
    expect_round_trip(text, false, ID_A " 127.0.0.1:7001@17001" REST);
    expect_round_trip(ID_A " ::1:1@2,h,nodename=x,shard-id=" ID_C ",tls-port=0" REST, true,
        ID_A " ::1:1@2,h,shard-id=" ID_C REST);
    expect_round_trip(
        ID_A " ::1:1@2,shard-id=" ID_C REST, true, ID_A " ::1:1@2,,shard-id=" ID_C REST);
    expect_round_trip(ID_A " ::1:1@2," REST, true, ID_A " ::1:1@2" REST);
    expect_round_trip(ID_A " ::1:1@2,h" REST, true, ID_A " ::1:1@2,h" REST);
#undef REST
}

Test(topology, flags_have_the_names_of_the_wire)
{
    struct buffer out = { 0 };
    topology_write_flags(&out, 0);
    buffer_append_char(&out, ' ');
    topology_write_flags(&out, NODE_MEET | NODE_EXTENSIONS | NODE_LIGHT_HEADER | NODE_MIGRATE_TO);
    buffer_append_char(&out, ' ');
    topology_write_flags(&out, 0xffff);
    static const char expected[] =
        "noflags noflags myself,master,slave,fail?,fail,handshake,noaddr,nofailover";
    cr_assert(bytes_equal(buffer_bytes(&out), BYTES(expected)), "%.*s", (int)out.len, out.data);
    buffer_free(&out);
    expect_round_trip(ID_A " :0@0 noflags - 0 0 0 disconnected\n", false,
        ID_A " :0@0 noflags - 0 0 0 disconnected\n");
}

Test(topology, is_refused_with_the_line_and_the_reason)
{
#define GOOD ID_A " 127.0.0.1:7001@17001 master - 0 0 1 connected"
#define AFTER_ID(text) ID_A " " text
#define AFTER_ADDRESS(text) AFTER_ID("127.0.0.1:7001@17001 " text)
    static const struct row {
        struct bytes text;
        const char *expected[2];
    } rows[] = {
        { BYTES("x"), { "line 1: node ID: \"x\"", "40 hex digits" } },
        { BYTES("\n\n" ID_A), { "line 3: ", "ends before its address" } },
        { BYTES(GOOD "\n" ID_B " 127.0.0.1:7002@17002 master - 0 0 2"),
            { "line 2: ", "ends before its link state" } },
        { BYTES(AFTER_ID("127.0.0.1 master - 0 0 1 connected")), { "address: ", "host:port" } },
        { BYTES(AFTER_ID("127.0.0.1:7001@x master - 0 0 1 connected")), { "address: ", "bus" } },
        { BYTES(AFTER_ID("a:1@2,\x01 master - 0 0 1 connected")), { "address: ", "host name" } },
        { BYTES(AFTER_ID("a:1@2,,shard-id=1 master - 0 0 1 connected")), { "address", "shard" } },
        { BYTES(AFTER_ADDRESS("boss - 0 0 1 connected")), { "flags: \"boss\"", "node flag" } },
        { BYTES(AFTER_ADDRESS("master, - 0 0 1 connected")), { "flags: \"\"", "node flag" } },
        { BYTES(AFTER_ADDRESS("master x 0 0 1 connected")), { "primary: \"x\"", "or -" } },
        { BYTES(AFTER_ADDRESS("master - -1 0 1 connected")), { "ping-sent: \"-1\"", "time" } },
        { BYTES(AFTER_ADDRESS("master - 0 1.5 1 connected")), { "pong-received", "time" } },
        { BYTES(AFTER_ADDRESS("master - 0 0 -1 connected")), { "config-epoch: \"-1\"", "" } },
        { BYTES(AFTER_ADDRESS("master - 0 0 1 maybe")), { "link state", "or disconnected" } },
        { BYTES(GOOD " 16384"), { "\"16384\"", "0 to 16383" } },
        { BYTES(GOOD " 5-3"), { "\"5-3\"", "range" } },
        { BYTES(GOOD " 0-1-2"), { "\"0-1-2\"", "range" } },
        { BYTES(GOOD " x\0y"), { "line 1", "slot" } },
        { BYTES(GOOD " ["), { "\"[\"", "[slot->-id]" } },
        { BYTES(GOOD " []"), { "\"[]\"", "[slot->-id]" } },
        { BYTES(GOOD " [1-]"), { "\"[1-]\"", "[slot->-id]" } },
        { BYTES(GOOD " [1->-" ID_B), { "[1->-", "[slot-<-id]" } },
        { BYTES(GOOD " [1->-" ID_B "x]"), { "[1->-", "[slot-<-id]" } },
        { BYTES(GOOD " [1-?-" ID_B "]"), { "[1-?-", "[slot-<-id]" } },
        { BYTES(GOOD " [16384->-" ID_B "]"), { "[16384->-", "[slot-<-id]" } },
        { BYTES(GOOD "\n\n" ID_B " :0@0 master - 0 0 1 connected\n" GOOD "\n"),
            { "line 4: node " ID_A, "earlier line" } },
        { BYTES(ID_A " :0@0 myself - 0 0 1 connected\n" ID_B " :0@0 myself - 0 0 1 connected\n"),
            { "line 2: ", "myself" } },
        { BYTES("vars currentEpoch"), { "line 1: \"currentEpoch\"", "value" } },
        { BYTES("vars currentEpoch 1 lastVoteEpoch -1"), { "line 1: \"-1\"", "epoch" } },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct topology topology;
        struct error error = { "" };
        cr_assert_not(topology_parse(rows[i].text, &topology, &error), "row %zu", i);
        cr_assert(topology.nodes == NULL && topology.count == 0);
        for (int j = 0; j < 2; j++)
            cr_assert_not_null(
                strstr(error.text, rows[i].expected[j]), "row %zu: %s", i, error.text);
    }
}

static void append_nodes(struct buffer *text, int count)
{
    for (int i = 0; i < count; i++)
        buffer_printf(text, "%040x 10.0.0.1:7001@17001 master - 0 0 1 connected\n", i + 1);
}

Test(topology, of_too_many_nodes_is_refused)
{
    struct buffer text = { 0 };
    struct topology topology;
    struct error error = { "" };
    append_nodes(&text, 16384);
    cr_assert(topology_parse(buffer_bytes(&text), &topology, &error), "%s", error.text);
    cr_assert_eq(topology.count, 16384);
    topology_free(&topology);
    buffer_append_text(&text, ID_A " 10.0.0.1:7001@17001 master - 0 0 1 connected\n");
    cr_assert_not(topology_parse(buffer_bytes(&text), &topology, &error));
    cr_assert_str_eq(error.text, "line 16385: more than 16384 nodes");
    buffer_free(&text);
}

Test(topology, of_too_many_moves_is_refused)
{
    struct buffer text = { 0 };
    struct topology topology;
    struct error error = { "" };
    buffer_append_text(&text, GOOD);
    for (int i = 0; i <= 16384; i++)
        buffer_append_text(&text, " [1->-" ID_B "]");
    cr_assert_not(topology_parse(buffer_bytes(&text), &topology, &error));
    cr_assert_not_null(strstr(error.text, "on their way"), "%s", error.text);
    buffer_free(&text);
}
