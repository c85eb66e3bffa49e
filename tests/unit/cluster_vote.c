/* Votes, with one node alone and messages made by hand: who gets one, that it is on disk before it
 * leaves, and what is believed of who has won. */
#include "tests/support/lone_node.h"
#include <criterion/criterion.h>

#define ME "1111111111111111111111111111111111111111"
#define FAILED "2222222222222222222222222222222222222222"
#define REPLICA "3333333333333333333333333333333333333333"
#define OTHER_REPLICA "4444444444444444444444444444444444444444"
#define THIRD "5555555555555555555555555555555555555555"

enum { TIMEOUT = 2000, START = 1000000 };

static const char conf[] = ME " 10.0.0.1:1@2 myself,master - 0 0 1 connected 0-99\n" //
    FAILED " 10.0.0.2:1@2 master,fail - 0 0 2 connected 100-16000\n"                 //
    REPLICA " 10.0.0.3:1@2 slave " FAILED " 0 0 2 connected\n"                       //
    OTHER_REPLICA " 10.0.0.4:1@2 slave " FAILED " 0 0 2 connected\n"                 //
    THIRD " 10.0.0.5:1@2 master - 0 0 4 connected 16001-16383\n"
                              "vars currentEpoch 5 lastVoteEpoch 5\n";

struct voter {
    struct cluster *cluster;
    int64_t now;
    uint64_t links[16]; /* outbound, in the order of the nodes */
    unsigned link_count;
};

static void drain(struct voter *voter)
{
    struct cluster_effect effect;
    while (cluster_next_effect(voter->cluster, &effect)) {
        if (effect.kind == CLUSTER_EFFECT_CONNECT)
            voter->links[voter->link_count++] = effect.link;
    }
}

static struct voter create(void)
{
    struct voter voter = { .now = START };
    voter.cluster = lone_node_create(conf, TIMEOUT, voter.now);
    cluster_tick(voter.cluster, voter.now);
    drain(&voter);
    cr_assert_eq(voter.link_count, 4);
    for (unsigned i = 0; i < voter.link_count; i++)
        cluster_link_connected(voter.cluster, voter.links[i], voter.now);
    drain(&voter);
    return voter;
}

struct request {
    const char *candidate;
    uint64_t epoch, config_epoch;
    unsigned slot; /* that it claims beside its primary's */
    uint8_t marks;
    bool as_primary;
};

static struct request good(const char *candidate, uint64_t epoch)
{
    return (struct request){ candidate, epoch, 2, 100, 0, false };
}

static void receive(struct voter *voter, const struct message *message)
{
    struct buffer bytes = { 0 };
    message_encode(message, &bytes);
    uint64_t link = cluster_link_accepted(voter->cluster, "10.0.0.9", "10.0.0.1", voter->now);
    cluster_receive(voter->cluster, link, bytes.data, bytes.len, voter->now);
    buffer_free(&bytes);
}

/* Whether there is a vote in return, saved and synced before it is sent. */
static bool gets_vote(struct voter *voter, struct request request)
{
    struct slot_set slots = { 0 };
    struct cluster_effect effect;
    slot_set_add_range(&slots, 100, 16000);
    slot_set_add(&slots, request.slot);
    struct message message = { .type = MESSAGE_AUTH_REQUEST,
        .current_epoch = request.epoch,
        .config_epoch = request.config_epoch,
        .slots = &slots,
        .marks = request.marks };
    node_id_parse(bytes_of(request.candidate), &message.sender);
    if (!request.as_primary)
        node_id_parse(BYTES(FAILED), &message.primary);
    receive(voter, &message);
    bool voted = false, saved = false;
    while (cluster_next_effect(voter->cluster, &effect)) {
        struct message sent;
        saved |= effect.kind == CLUSTER_EFFECT_SAVE && effect.sync;
        if (effect.kind != CLUSTER_EFFECT_SEND)
            continue;
        cr_assert(message_decode(effect.bytes.data, effect.bytes.len, &sent, NULL));
        if (sent.type != MESSAGE_AUTH_ACK)
            continue;
        voted = true;
        cr_assert(saved, "a vote left before it was on disk");
        cr_assert_eq(sent.current_epoch, request.epoch);
    }
    return voted;
}

Test(cluster_vote, a_replica_of_a_failed_primary_gets_one)
{
    struct voter voter = create();
    cr_assert(gets_vote(&voter, good(REPLICA, 6)));
    cr_assert_eq(voter.cluster->last_vote_epoch, 6);
    struct buffer text = { 0 };
    cluster_render_conf(voter.cluster, &text);
    cr_assert_not_null(memmem(text.data, text.len, "currentEpoch 6 lastVoteEpoch 6", 30));
    buffer_free(&text);
    cluster_free(voter.cluster);
}

Test(cluster_vote, there_is_one_in_an_epoch_and_one_in_two_timeouts_for_a_primary)
{
    struct voter voter = create();
    cr_assert(gets_vote(&voter, good(REPLICA, 6)));
    cr_assert(gets_vote(&voter, good(REPLICA, 6)), "the answer may have been lost");
    cr_assert_not(gets_vote(&voter, good(OTHER_REPLICA, 6)), "the same epoch");
    cr_assert_not(gets_vote(&voter, good(OTHER_REPLICA, 7)), "too early");
    voter.now += 2 * TIMEOUT + 1;
    cr_assert_not(gets_vote(&voter, good(OTHER_REPLICA, 6)), "still the same epoch");
    cr_assert(gets_vote(&voter, good(OTHER_REPLICA, 7)));
    struct request by_hand = good(REPLICA, 8);
    by_hand.marks = MESSAGE_FORCE_VOTE;
    cr_assert(gets_vote(&voter, by_hand), "by hand it need not wait");
    by_hand.candidate = OTHER_REPLICA;
    cr_assert_not(gets_vote(&voter, by_hand), "the same epoch, by hand");
    cr_assert_not(gets_vote(&voter, good(REPLICA, 6)), "an epoch that is over");
    cluster_free(voter.cluster);
}

Test(cluster_vote, these_get_none)
{
    static const struct {
        const char *why;
        struct request request;
    } cases[] = {
        { "a stranger", { "9999999999999999999999999999999999999999", 6, 2, 100, 0, false } },
        { "an epoch that is behind", { REPLICA, 4, 2, 100, 0, false } },
        { "the epoch of the last vote", { REPLICA, 5, 2, 100, 0, false } },
        { "a slot with a newer owner", { REPLICA, 6, 2, 16001, 0, false } },
        { "a slot with a newer owner than itself knows", { REPLICA, 6, 1, 100, 0, false } },
        { "a primary", { THIRD, 6, 4, 100, 0, true } },
        { "a primary, by force", { THIRD, 6, 4, 100, MESSAGE_FORCE_VOTE, true } },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct voter voter = create();
        cr_assert_not(gets_vote(&voter, cases[i].request), "%s", cases[i].why);
        cluster_free(voter.cluster);
    }
}

Test(cluster_vote, while_the_primary_is_well_only_force_gets_one)
{
    struct voter voter = create();
    struct request request = good(REPLICA, 6);
    voter.cluster->nodes.items[1]->flags &= ~(unsigned)NODE_FAIL;
    cr_assert_not(gets_vote(&voter, request));
    request.marks = MESSAGE_FORCE_VOTE;
    cr_assert(gets_vote(&voter, request));
    cluster_free(voter.cluster);
}

Test(cluster_vote, an_epoch_that_someone_has_taken_is_not_given_away)
{
    struct voter voter = create();
    voter.cluster->nodes.items[1]->config_epoch = 6; /* the failed one, by an import's end */
    struct request request = good(REPLICA, 6);
    request.config_epoch = 6;
    cr_assert_not(gets_vote(&voter, request));
    request.epoch = 7;
    cr_assert(gets_vote(&voter, request));
    cluster_free(voter.cluster);
}

Test(cluster_vote, who_has_no_slots_has_no_vote)
{
    struct voter voter = create();
    struct cluster_range mine = { 0, 99 };
    cr_assert(cluster_del_slots(voter.cluster, &mine, 1, voter.now, NULL));
    drain(&voter);
    cr_assert_not(gets_vote(&voter, good(REPLICA, 6)));
    cluster_free(voter.cluster);
}

Test(cluster_vote, votes_are_counted_once_and_of_primaries_with_slots_only)
{
    struct voter voter = create();
    struct cluster *cluster = voter.cluster;
    struct cluster_node **nodes = cluster->nodes.items;
    cluster->election = (struct election){ .requested = true, .epoch = 6 };
    election_voted(cluster, nodes[4], 5);
    cr_assert_eq(cluster->election.votes, 0, "of an older epoch");
    election_voted(cluster, nodes[2], 6);
    cr_assert_eq(cluster->election.votes, 0, "of a replica");
    election_voted(cluster, nodes[4], 6);
    election_voted(cluster, nodes[4], 6);
    cr_assert_eq(cluster->election.votes, 1);
    cluster_free(cluster);
}

static void hear_of_itself(struct voter *voter, const char *id, const char *primary,
    uint64_t current_epoch, uint64_t config_epoch)
{
    struct slot_set slots = { 0 };
    slot_set_add_range(&slots, 100, 16000);
    struct message message = { .type = MESSAGE_PONG,
        .current_epoch = current_epoch,
        .config_epoch = config_epoch,
        .slots = &slots };
    node_id_parse(bytes_of(id), &message.sender);
    if (primary != NULL)
        node_id_parse(bytes_of(primary), &message.primary);
    receive(voter, &message);
    drain(voter);
}

/* The two links between two nodes keep no order: a candidate's messages may come behind the first
 * of the primary that it has become. */
Test(cluster_vote, a_winner_is_not_believed_to_be_a_candidate_again)
{
    struct voter voter = create();
    const struct cluster_node *failed = voter.cluster->nodes.items[1],
                              *winner = voter.cluster->nodes.items[2];
    hear_of_itself(&voter, REPLICA, NULL, 6, 6);
    cr_assert(node_is_primary(winner));
    cr_assert_eq(winner->slot_count, 15901);
    voter.now += 1700;
    hear_of_itself(&voter, REPLICA, FAILED, 6, 2);
    cr_assert(node_is_primary(winner));
    cr_assert_eq(winner->slot_count, 15901);
    cr_assert_eq(failed->slot_count, 0);
    hear_of_itself(&voter, REPLICA, FAILED, 5, 2);
    cr_assert(node_is_primary(winner), "it did not even know of the epoch");
    voter.now += 301;
    hear_of_itself(&voter, REPLICA, FAILED, 6, 2);
    cr_assert_not(node_is_primary(winner), "it says so for a timeout: it was done by hand");
    cr_assert_eq(winner->primary, failed);
    cluster_free(voter.cluster);
}

Test(cluster_vote, a_loser_against_a_newer_epoch_is_believed_at_once)
{
    struct voter voter = create();
    const struct cluster_node *winner = voter.cluster->nodes.items[2];
    hear_of_itself(&voter, REPLICA, NULL, 6, 6);
    hear_of_itself(&voter, REPLICA, OTHER_REPLICA, 8, 8);
    cr_assert_not(node_is_primary(winner));
    cr_assert_eq(winner->primary, voter.cluster->nodes.items[3]);
    cluster_free(voter.cluster);
}
