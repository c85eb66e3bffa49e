/* Valkey 8's light header, with one node alone and messages made by hand: it names nobody, so what it
 * carries is given out only where the link has told who is at its other end, and that is a member. */
#include "tests/support/lone_node.h"
#include <criterion/criterion.h>

#define ME "1111111111111111111111111111111111111111"
#define MEMBER "2222222222222222222222222222222222222222"
#define STRANGER "3333333333333333333333333333333333333333"

static const char conf[] = ME " 10.0.0.1:1@2 myself,master - 0 0 1 connected 0-100\n" //
    MEMBER " 10.0.0.2:1@2 master - 0 0 2 connected 101-16383\n"
                              "vars currentEpoch 2 lastVoteEpoch 0\n";

struct hearer {
    struct cluster *cluster;
    uint64_t connected; /* the last link that was asked for */
    unsigned heard, closed;
    int64_t now;
};

static void drain(struct hearer *hearer)
{
    struct cluster_effect effect;
    while (cluster_next_effect(hearer->cluster, &effect)) {
        if (effect.kind == CLUSTER_EFFECT_CONNECT)
            hearer->connected = effect.link;
        hearer->heard += effect.kind == CLUSTER_EFFECT_PUBLISH;
        hearer->closed += effect.kind == CLUSTER_EFFECT_CLOSE;
    }
}

static void tick(struct hearer *hearer)
{
    hearer->now += 100;
    cluster_tick(hearer->cluster, hearer->now);
    drain(hearer);
}

static struct hearer create(void)
{
    struct hearer hearer = { .now = 1000000 };
    hearer.cluster = lone_node_create(conf, 2000, hearer.now);
    tick(&hearer);
    return hearer;
}

static uint64_t accept_link(struct hearer *hearer)
{
    return cluster_link_accepted(hearer->cluster, "10.0.0.9", "10.0.0.1", hearer->now);
}

static void receive(struct hearer *hearer, uint64_t link, const struct message *message)
{
    struct buffer bytes = { 0 };
    message_encode(message, &bytes);
    cluster_receive(hearer->cluster, link, bytes.data, bytes.len, hearer->now);
    buffer_free(&bytes);
    drain(hearer);
}

static void tell_full(
    struct hearer *hearer, uint64_t link, enum message_type type, const char *sender)
{
    struct slot_set slots = { 0 };
    struct message message = { .type = type,
        .current_epoch = 2,
        .config_epoch = 2,
        .flags = NODE_PRIMARY,
        .slots = &slots,
        .channel = BYTES("channel"),
        .payload = BYTES("text") };
    node_id_parse(bytes_of(sender), &message.sender);
    receive(hearer, link, &message);
}

/* Whether a message with a light header is given out. It never ends the link. */
static bool is_heard(struct hearer *hearer, uint64_t link, enum message_type type)
{
    unsigned heard = hearer->heard, closed = hearer->closed;
    receive(hearer, link,
        &(struct message){
            .type = type, .light = true, .channel = BYTES("channel"), .payload = BYTES("text") });
    cr_assert_eq(hearer->closed, closed);
    cr_assert_not_null(links_find(hearer->cluster, link));
    return hearer->heard > heard;
}

Test(cluster_light, before_a_full_header_it_is_nobodys)
{
    struct hearer hearer = create();
    uint64_t link = accept_link(&hearer);
    cr_expect_not(is_heard(&hearer, link, MESSAGE_PUBLISH));
    cr_expect_not(is_heard(&hearer, link, MESSAGE_PUBLISHSHARD));
    tell_full(&hearer, link, MESSAGE_PING, MEMBER);
    cr_expect(is_heard(&hearer, link, MESSAGE_PUBLISH));
    cr_expect(is_heard(&hearer, link, MESSAGE_PUBLISHSHARD));
    cluster_free(hearer.cluster);
}

/* Any kind of message tells, and each link for itself. */
Test(cluster_light, each_link_tells_for_itself)
{
    struct hearer hearer = create();
    uint64_t link = accept_link(&hearer), other = accept_link(&hearer);
    tell_full(&hearer, link, MESSAGE_PUBLISH, MEMBER);
    cr_expect_eq(hearer.heard, 1);
    cr_expect(is_heard(&hearer, link, MESSAGE_PUBLISH));
    cr_expect_not(is_heard(&hearer, other, MESSAGE_PUBLISH));
    tell_full(&hearer, other, MESSAGE_PING, STRANGER);
    cr_expect_not(is_heard(&hearer, other, MESSAGE_PUBLISH));
    cr_expect(is_heard(&hearer, link, MESSAGE_PUBLISH));
    tell_full(&hearer, other, MESSAGE_PING, ME);
    cr_expect_not(is_heard(&hearer, other, MESSAGE_PUBLISH), "who says that it is this node");
    cluster_free(hearer.cluster);
}

/* The last full header counts. */
Test(cluster_light, who_becomes_another_is_heard_as_that)
{
    struct hearer hearer = create();
    uint64_t link = accept_link(&hearer);
    tell_full(&hearer, link, MESSAGE_PING, MEMBER);
    cr_expect(is_heard(&hearer, link, MESSAGE_PUBLISH));
    tell_full(&hearer, link, MESSAGE_PING, STRANGER);
    cr_expect_not(is_heard(&hearer, link, MESSAGE_PUBLISH));
    tell_full(&hearer, link, MESSAGE_PING, MEMBER);
    cr_expect(is_heard(&hearer, link, MESSAGE_PUBLISH));
    cluster_free(hearer.cluster);
}

/* Its first full header comes while nobody here knows it: what it publishes once it is a member comes
 * through, although the link has had no other full header since. And no more when it is forgotten. */
Test(cluster_light, a_newcomer_is_heard_as_soon_as_it_is_a_member)
{
    struct hearer hearer = create();
    struct error error = { "" };
    uint64_t inbound = accept_link(&hearer);
    tell_full(&hearer, inbound, MESSAGE_PING, STRANGER);
    cr_expect_not(is_heard(&hearer, inbound, MESSAGE_PUBLISH));
    cr_assert(
        cluster_meet(hearer.cluster, BYTES("10.0.0.3"), 1, 2, hearer.now, &error), "%s", error.text);
    uint64_t before = hearer.connected;
    tick(&hearer);
    uint64_t outbound = hearer.connected;
    cr_assert_neq(outbound, before);
    cluster_link_connected(hearer.cluster, outbound, hearer.now);
    drain(&hearer);
    cr_expect_not(is_heard(&hearer, inbound, MESSAGE_PUBLISH), "the handshake is under way");
    cr_expect_not(is_heard(&hearer, outbound, MESSAGE_PUBLISH));
    tell_full(&hearer, outbound, MESSAGE_PONG, STRANGER);
    cr_expect(is_heard(&hearer, inbound, MESSAGE_PUBLISH));
    cr_expect(is_heard(&hearer, outbound, MESSAGE_PUBLISH));
    cr_assert(
        cluster_forget(hearer.cluster, BYTES(STRANGER), hearer.now, &error), "%s", error.text);
    drain(&hearer);
    cr_expect_not(is_heard(&hearer, inbound, MESSAGE_PUBLISH));
    cluster_free(hearer.cluster);
}
