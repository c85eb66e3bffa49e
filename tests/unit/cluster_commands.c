/* Slots, epochs, members, and the commands on them, on small clusters under a virtual clock. */
#include "tests/support/simulation.h"

#include "server/cluster/view.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

enum { TIMEOUT = SIM_TIMEOUT };

static bool node_leads(struct sim *sim, void *node)
{
    return sim_leads(sim, *(const unsigned *)node);
}

Test(cluster_commands, an_epoch_collision_is_resolved)
{
    struct sim *sim = sim_small(4, 4, 10);
    sim_cluster(sim, 0)->myself->config_epoch = 3; /* node 2 has it */
    sim_run(sim, 4 * TIMEOUT);
    uint64_t epochs[4];
    for (unsigned i = 0; i < 4; i++) {
        epochs[i] = sim_cluster(sim, i)->myself->config_epoch;
        for (unsigned j = 0; j < i; j++)
            cr_assert_neq(
                epochs[i], epochs[j], "nodes %u and %u have epoch %" PRIu64, i, j, epochs[i]);
    }
    sim_free(sim);
}

static bool set_slot(struct sim *sim, unsigned node, unsigned slot, enum cluster_setslot action,
    unsigned other, struct error *error)
{
    const struct node_id id = *cluster_my_id(sim_cluster(sim, other));
    bool done = cluster_set_slot(
        sim_cluster(sim, node), slot, action, bytes_of(id.text), sim_now(sim), error);
    sim_drain(sim, node);
    return done;
}

Test(cluster_commands, a_slot_moves_as_redis_cli_moves_it)
{
    struct sim *sim = sim_small(6, 3, 11);
    struct error error = { "" };
    sim_set_keys(sim, 0, 5, true);
    cr_assert(set_slot(sim, 1, 5, CLUSTER_SETSLOT_IMPORTING, 0, &error), "%s", error.text);
    cr_assert(set_slot(sim, 0, 5, CLUSTER_SETSLOT_MIGRATING, 1, &error), "%s", error.text);
    cr_assert_eq(cluster_slot_serving(sim_cluster(sim, 1), 5), CLUSTER_SERVING_IMPORTING);
    cr_assert_eq(cluster_slot_serving(sim_cluster(sim, 0), 5), CLUSTER_SERVING_MIGRATING);
    cr_assert_not(set_slot(sim, 0, 5, CLUSTER_SETSLOT_NODE, 1, &error));
    cr_assert_str_eq(error.text, "ERR Can't assign hashslot 5 to a different node while I still "
                                 "hold keys for this hash slot.");
    sim_set_keys(sim, 0, 5, false);
    uint64_t before = sim_cluster(sim, 1)->current_epoch;
    cr_assert(set_slot(sim, 1, 5, CLUSTER_SETSLOT_NODE, 1, &error), "%s", error.text);
    cr_assert_gt(sim_cluster(sim, 1)->myself->config_epoch, before, "a new epoch makes it known");
    cr_assert(set_slot(sim, 0, 5, CLUSTER_SETSLOT_NODE, 1, &error), "%s", error.text);
    cr_assert_eq(cluster_slot_serving(sim_cluster(sim, 1), 5), CLUSTER_SERVING_MINE);
    cr_assert_eq(cluster_slot_serving(sim_cluster(sim, 0), 5), CLUSTER_SERVING_ELSEWHERE);
    sim_run(sim, 100);
    cr_assert(sim_is_settled(sim), "%s", sim_reason(sim));
    sim_free(sim);
}

Test(cluster_commands, keys_of_a_lost_slot_are_deleted)
{
    struct sim *sim = sim_small(3, 3, 12);
    struct error error = { "" };
    sim_set_keys(sim, 0, 5, true);
    sim_set_keys(sim, 0, 6, true);
    cr_assert(set_slot(sim, 1, 5, CLUSTER_SETSLOT_IMPORTING, 0, &error));
    cr_assert(set_slot(sim, 1, 5, CLUSTER_SETSLOT_NODE, 1, &error), "%s", error.text);
    sim_run(sim, 1000);
    cr_assert_not(sim_has_keys(sim, 0, 5));
    cr_assert(sim_has_keys(sim, 0, 6));
    cr_assert(sim_is_settled(sim), "%s", sim_reason(sim));
    sim_free(sim);
}

Test(cluster_commands, a_primary_that_gives_its_last_slot_away_follows_who_got_it)
{
    struct sim *sim = sim_small(4, 3, 13);
    struct error error = { "" };
    struct cluster_range all = { 0, SLOT_COUNT / 3 - 1 };
    all.first = 1;
    cr_assert(cluster_del_slots(sim_cluster(sim, 0), &all, 1, sim_now(sim), &error));
    sim_drain(sim, 0);
    cr_assert(set_slot(sim, 1, 0, CLUSTER_SETSLOT_IMPORTING, 0, &error));
    cr_assert(set_slot(sim, 1, 0, CLUSTER_SETSLOT_NODE, 1, &error));
    sim_run(sim, 1000);
    cr_assert_eq(sim_cluster(sim, 0)->myself->primary, sim_known(sim, 0, 1));
    cr_assert_eq(sim_cluster(sim, 3)->myself->primary, sim_known(sim, 3, 1), "its replica too");
    sim_free(sim);
}

/* By whoever it meets first: where that is its successor itself, by its claim, else by an UPDATE. */
Test(cluster_commands, a_primary_that_was_away_is_told_of_its_successor)
{
    uint64_t updates = 0;
    for (uint64_t seed = 14; seed < 20; seed++) {
        struct sim *sim = sim_small(6, 3, seed);
        unsigned replica = 3;
        sim_isolate(sim, 0);
        cr_assert(sim_run_until(sim, node_leads, &replica, 4 * TIMEOUT), "seed %" PRIu64, seed);
        cr_assert(node_is_primary(sim_cluster(sim, 0)->myself));
        sim_heal(sim);
        cr_assert(sim_settles(sim, 30000), "seed %" PRIu64 ": %s", seed, sim_reason(sim));
        cr_assert_eq(sim_cluster(sim, 0)->myself->primary, sim_known(sim, 0, 3));
        for (unsigned i = 1; i < 6; i++)
            updates += sim_cluster(sim, i)->sent[MESSAGE_UPDATE];
        sim_free(sim);
    }
    cr_assert_gt(updates, 0);
}

Test(cluster_commands, imports_that_end_together_are_saved_and_told_once)
{
    struct sim *sim = sim_small(6, 3, 11);
    struct error error = { "" };
    struct cluster *cluster = sim_cluster(sim, 1);
    const struct node_id id = *cluster_my_id(cluster);
    for (unsigned slot = 0; slot < 3; slot++)
        cr_assert(set_slot(sim, 1, slot, CLUSTER_SETSLOT_IMPORTING, 0, &error), "%s", error.text);
    for (unsigned slot = 0; slot < 3; slot++)
        cr_assert(cluster_set_slot(cluster, slot, CLUSTER_SETSLOT_NODE, bytes_of(id.text),
            sim_now(sim), &error));
    cr_assert_not(cluster_is_urgent(cluster));
    struct cluster_effect effect;
    unsigned saves = 0, sends = 0;
    while (cluster_next_effect(cluster, &effect)) {
        cr_assert(effect.kind != CLUSTER_EFFECT_SAVE || (effect.sync && sends == 0));
        saves += effect.kind == CLUSTER_EFFECT_SAVE;
        sends += effect.kind == CLUSTER_EFFECT_SEND;
    }
    cr_assert_eq(saves, 1);
    cr_assert_eq(sends, 5, "one to each of the others, not %u", sends);
    sim_free(sim);
}

Test(cluster_commands, a_change_of_role_does_not_wait)
{
    struct sim *sim = sim_small(4, 3, 19);
    struct error error = { "" };
    struct cluster *cluster = sim_cluster(sim, 3);
    const struct node_id id = *cluster_my_id(sim_cluster(sim, 1));
    cr_assert_not(cluster_is_urgent(cluster));
    cr_assert(
        cluster_replicate(cluster, bytes_of(id.text), sim_now(sim), &error), "%s", error.text);
    cr_assert(cluster_is_urgent(cluster));
    sim_drain(sim, 3);
    cr_assert_not(cluster_is_urgent(cluster));
    sim_free(sim);
}

Test(cluster_commands, a_slot_its_owner_gave_up_can_be_claimed_with_any_epoch)
{
    struct sim *sim = sim_small(3, 3, 15);
    struct error error = { "" };
    struct cluster_range last = { SLOT_COUNT - 1, SLOT_COUNT - 1 }; /* of node 2, highest epoch */
    cr_assert(cluster_del_slots(sim_cluster(sim, 2), &last, 1, sim_now(sim), &error));
    cr_assert(cluster_del_slots(sim_cluster(sim, 0), &last, 1, sim_now(sim), &error));
    sim_drain(sim, 2);
    sim_drain(sim, 0);
    cr_assert(
        cluster_add_slots(sim_cluster(sim, 0), &last, 1, sim_now(sim), &error), "%s", error.text);
    sim_drain(sim, 0);
    cr_assert(sim_settles(sim, 4 * TIMEOUT), "%s", sim_reason(sim));
    cr_assert_eq(sim_cluster(sim, 1)->slots.owner[SLOT_COUNT - 1], sim_known(sim, 1, 0));
    sim_free(sim);
}

/* What the node `from` would have sent, got by `at`. */
static void receive(struct sim *sim, unsigned at, unsigned from, struct message *message)
{
    static const struct slot_set none;
    struct buffer bytes = { 0 };
    struct cluster *cluster = sim_cluster(sim, at);
    message->type = MESSAGE_PING;
    message->sender = *cluster_my_id(sim_cluster(sim, from));
    message->address = sim_known(sim, at, from)->address;
    if (message->slots == NULL)
        message->slots = &none;
    message_encode(message, &bytes);
    cluster_receive(
        cluster, sim_known(sim, at, from)->inbound->id, bytes.data, bytes.len, sim_now(sim));
    sim_drain(sim, at);
    buffer_free(&bytes);
}

Test(cluster_commands, a_replica_has_not_its_primary_s_epoch)
{
    struct sim *sim = sim_small(4, 3, 24);
    uint64_t before = sim_known(sim, 1, 3)->config_epoch;
    struct message message = {
        .current_epoch = 50, .config_epoch = 50, .primary = *cluster_my_id(sim_cluster(sim, 0))
    };
    receive(sim, 1, 3, &message);
    cr_assert_eq(sim_known(sim, 1, 3)->config_epoch, before);
    cr_assert_eq(sim_cluster(sim, 1)->current_epoch, 50);
    sim_free(sim);
}

Test(cluster_commands, a_message_that_was_overtaken_changes_no_role)
{
    struct sim *sim = sim_small(4, 3, 25);
    struct message message = { .current_epoch = 2, /* node 2 has had its epoch 3 for long */
        .config_epoch = 1,
        .primary = *cluster_my_id(sim_cluster(sim, 0)) };
    receive(sim, 1, 2, &message);
    cr_assert(node_votes(sim_known(sim, 1, 2)));
    message.current_epoch = 50;
    receive(sim, 1, 2, &message);
    cr_assert(node_is_replica(sim_known(sim, 1, 2)), "one of today does");
    sim_free(sim);
}

/* Members. */

Test(cluster_commands, a_forgotten_node_stays_away_for_a_minute)
{
    struct sim *sim = sim_small(4, 4, 18);
    struct error error = { "" };
    struct node_id id = *cluster_my_id(sim_cluster(sim, 3));
    /* Node 0 alone forgets it: the others' gossip would bring it back. */
    cr_assert(cluster_forget(sim_cluster(sim, 0), bytes_of(id.text), sim_now(sim), &error));
    sim_drain(sim, 0);
    sim_run(sim, 59000);
    cr_assert_null(nodes_find(&sim_cluster(sim, 0)->nodes, &id));
    sim_run(sim, 15000);
    cr_assert_not_null(nodes_find(&sim_cluster(sim, 0)->nodes, &id));
    sim_free(sim);
}

Test(cluster_commands, who_is_met_and_does_not_answer_is_dropped)
{
    struct sim_options options = { .seed = 1, .nodes = 2, .node_timeout = 2000, .delay_max = 1 };
    struct sim *sim = sim_create(&options);
    struct error error;
    sim_pause(sim, 1);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert(
            cluster_meet(sim_cluster(sim, 0), BYTES("10.0.0.2"), 7000, -1, sim_now(sim), &error));
        sim_drain(sim, 0);
    }
    sim_run(sim, 1000);
    cr_assert_eq(sim_cluster(sim, 0)->nodes.count, 2, "one handshake for one address");
    sim_run(sim, 1500);
    cr_assert_eq(sim_cluster(sim, 0)->nodes.count, 1);
    /* Itself: found out and dropped. */
    cr_assert(
        cluster_meet(sim_cluster(sim, 0), BYTES("10.0.0.1"), 7000, 17000, sim_now(sim), &error));
    sim_drain(sim, 0);
    sim_run(sim, 1000);
    cr_assert_eq(sim_cluster(sim, 0)->nodes.count, 1);
    sim_free(sim);
}

Test(cluster_commands, a_reset_node_is_alone_and_new)
{
    struct sim *sim = sim_small(4, 3, 19);
    struct error error = { "" };
    struct node_id id = *cluster_my_id(sim_cluster(sim, 3));
    sim_set_keys(sim, 0, 1, true);
    cr_assert_not(cluster_reset(sim_cluster(sim, 0), false, sim_now(sim), &error));
    cr_assert_str_eq(
        error.text, "ERR CLUSTER RESET can't be called with master nodes containing keys");
    cr_assert(cluster_reset(sim_cluster(sim, 3), true, sim_now(sim), &error), "%s", error.text);
    sim_drain(sim, 3);
    const struct cluster *cluster = sim_cluster(sim, 3);
    cr_assert_eq(cluster->nodes.count, 1);
    cr_assert_eq(cluster->current_epoch, 0);
    cr_assert_eq(cluster->slots.assigned, 0);
    cr_assert(cluster_is_primary(cluster));
    cr_assert_not(node_id_equal(&id, cluster_my_id(cluster)));
    cr_assert_not(sim_has_keys(sim, 3, 1), "a replica's data goes with it");
    sim_free(sim);
}

Test(cluster_commands, a_node_that_moved_is_found_at_its_new_address)
{
    struct sim *sim = sim_small(4, 4, 20);
    struct cluster_config config = sim_cluster(sim, 3)->config;
    config.announce_port = 7777;
    snprintf(config.announce_hostname, sizeof(config.announce_hostname), "node-3.example");
    cluster_configure(sim_cluster(sim, 3), &config, sim_now(sim));
    sim_drain(sim, 3);
    sim_run(sim, 2 * TIMEOUT);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(sim_known(sim, i, 3)->address.port, 7777, "node %u", i);
        cr_assert_str_eq(sim_known(sim, i, 3)->hostname, "node-3.example");
    }
    cr_assert(sim_is_settled(sim), "%s", sim_reason(sim));
    sim_free(sim);
}

/* Texts. */

Test(cluster_commands, errors_are_those_of_redis)
{
    struct sim *sim = sim_small(4, 3, 21);
    struct cluster *primary = sim_cluster(sim, 0), *replica = sim_cluster(sim, 3);
    struct bytes me = bytes_of(cluster_my_id(primary)->text);
    struct bytes other = bytes_of(cluster_my_id(replica)->text);
    struct bytes nobody = BYTES("0123456789abcdef0123456789abcdef01234567");
    struct cluster_range one = { 1, 1 }, both[2] = { { 9, 10 }, { 10, 10 } };
    int64_t now = sim_now(sim), count;
    struct error error;
#define EXPECT(call, expected)                                                                     \
    do {                                                                                           \
        cr_assert_not(call);                                                                       \
        cr_assert_str_eq(error.text, expected);                                                    \
    } while (0)
    EXPECT(cluster_meet(primary, BYTES("1.2.3"), 99, -1, now, &error),
        "ERR Invalid node address specified: 1.2.3:99");
    EXPECT(cluster_meet(primary, BYTES("1.2.3.4"), 60000, -1, now, &error),
        "ERR Invalid node address specified: 1.2.3.4:60000");
    EXPECT(cluster_meet(primary, BYTES("1.2.3.4"), 80, 0, now, &error),
        "ERR Invalid node address specified: 1.2.3.4:80");
    EXPECT(cluster_forget(primary, BYTES("abc"), now, &error), "ERR Unknown node abc");
    EXPECT(
        cluster_forget(primary, me, now, &error), "ERR I tried hard but I can't forget myself...");
    EXPECT(cluster_forget(replica, me, now, &error), "ERR Can't forget my master!");
    EXPECT(cluster_add_slots(primary, &one, 1, now, &error), "ERR Slot 1 is already busy");
    EXPECT(
        cluster_del_slots(primary, both, 2, now, &error), "ERR Slot 10 specified multiple times");
    EXPECT(cluster_replicate(primary, me, now, &error), "ERR Can't replicate myself");
    EXPECT(cluster_replicate(primary, other, now, &error),
        "ERR I can only replicate a master, not a replica.");
    EXPECT(
        cluster_replicate(primary, bytes_of(cluster_my_id(sim_cluster(sim, 1))->text), now, &error),
        "ERR To set a master the node must be empty and without assigned slots.");
    EXPECT(cluster_failover(primary, CLUSTER_FAILOVER_PLAIN, now, &error),
        "ERR You should send CLUSTER FAILOVER to a replica");
    EXPECT(cluster_may_set_slot(replica, &error), "ERR You can use SETSLOT only with masters.");
    EXPECT(cluster_set_slot(primary, 16383, CLUSTER_SETSLOT_MIGRATING, me, now, &error),
        "ERR I'm not the owner of hash slot 16383");
    EXPECT(cluster_set_slot(primary, 1, CLUSTER_SETSLOT_MIGRATING, nobody, now, &error),
        "ERR I don't know about node 0123456789abcdef0123456789abcdef01234567");
    EXPECT(cluster_set_slot(primary, 1, CLUSTER_SETSLOT_MIGRATING, other, now, &error),
        "ERR Target node is not a master");
    EXPECT(cluster_set_slot(primary, 1, CLUSTER_SETSLOT_IMPORTING, nobody, now, &error),
        "ERR I'm already the owner of hash slot 1");
    EXPECT(cluster_set_slot(primary, 1, CLUSTER_SETSLOT_NODE, nobody, now, &error),
        "ERR Unknown node 0123456789abcdef0123456789abcdef01234567");
    EXPECT(cluster_set_config_epoch(primary, -1, now, &error),
        "ERR Invalid config epoch specified: -1");
    EXPECT(cluster_set_config_epoch(primary, 9, now, &error),
        "ERR The user can assign a config epoch only when the node does not know any other node.");
    EXPECT(cluster_count_failure_reports(primary, nobody, now, &count, &error),
        "ERR Unknown node 0123456789abcdef0123456789abcdef01234567");
    sim_set_keys(sim, 0, 1, true);
    EXPECT(cluster_flush_slots(primary, now, &error),
        "ERR DB must be empty to perform CLUSTER FLUSHSLOTS.");
    sim_kill(sim, 0);
    sim_run(sim, 200);
    EXPECT(cluster_failover(replica, CLUSTER_FAILOVER_PLAIN, sim_now(sim), &error),
        "ERR Master is down or failed, please use CLUSTER FAILOVER FORCE");
    sim_free(sim);
}

Test(cluster_commands, views_show_what_redis_shows)
{
    struct sim *sim = sim_small(4, 3, 22);
    struct error error;
    set_slot(sim, 0, 7, CLUSTER_SETSLOT_MIGRATING, 1, &error);
    struct cluster_view *view = cluster_view_create(sim_cluster(sim, 0), sim_now(sim));
    struct buffer nodes = { 0 }, info = { 0 };
    struct topology topology;
    cluster_view_render_nodes(view, &nodes);
    cr_assert(topology_parse(buffer_bytes(&nodes), &topology, &error), "%s", error.text);
    cr_assert_eq(topology.count, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct topology_node *node = &topology.nodes[i];
        unsigned index = sim_index(sim, &node->id);
        cr_assert(node->connected);
        cr_assert_eq((node->flags & NODE_MYSELF) != 0, index == 0);
        cr_assert_eq((node->flags & NODE_REPLICA) != 0, index == 3);
        cr_assert_eq(slot_set_is_empty(&node->slots), index == 3);
        cr_assert_eq(node->move_count, index == 0);
        cr_assert_eq(node->config_epoch, index == 3 ? 1 : index + 1);
        cr_assert_eq(cluster_view_find(view, bytes_of(node->id.text)), i);
    }
    topology_free(&topology);
    cr_assert_eq(cluster_view_find(view, BYTES("abc")), CLUSTER_NO_NODE);
    cr_assert_eq(view->owner[0], view->myself);
    cluster_view_render_info(view, 3, &info);
    buffer_terminate(&info);
    static const char head[] = "cluster_state:ok\r\ncluster_slots_assigned:16384\r\n"
                               "cluster_slots_ok:16384\r\ncluster_slots_pfail:0\r\n"
                               "cluster_slots_fail:0\r\ncluster_known_nodes:4\r\ncluster_size:3\r\n"
                               "cluster_current_epoch:4\r\ncluster_my_epoch:1\r\n"
                               "cluster_stats_messages_ping_sent:";
    static const char tail[] = "\r\ntotal_cluster_links_buffer_limit_exceeded:3\r\n";
    cr_assert_eq(strncmp(info.data, head, strlen(head)), 0, "%s", info.data);
    cr_assert_str_eq(info.data + info.len - strlen(tail), tail);
    buffer_free(&nodes);
    buffer_free(&info);
    cluster_view_free(view);
    sim_free(sim);
}

Test(cluster_commands, what_was_saved_is_restored)
{
    struct sim *sim = sim_small(5, 3, 23);
    struct error error;
    struct buffer before = { 0 }, after = { 0 };
    set_slot(sim, 0, 7, CLUSTER_SETSLOT_MIGRATING, 1, &error);
    set_slot(sim, 0, 16000, CLUSTER_SETSLOT_IMPORTING, 2, &error);
    cluster_render_conf(sim_cluster(sim, 0), &before);
    sim_kill(sim, 0);
    sim_start(sim, 0);
    const struct cluster *cluster = sim_cluster(sim, 0);
    cr_assert_eq(cluster->nodes.count, 5);
    cr_assert_eq(cluster->current_epoch, 5);
    cr_assert_eq(cluster->slots.assigned, SLOT_COUNT);
    cr_assert_eq(cluster_slot_serving(cluster, 7), CLUSTER_SERVING_MIGRATING);
    cr_assert_eq(cluster_slot_serving(cluster, 16000), CLUSTER_SERVING_IMPORTING);
    cr_assert_not(cluster_is_ok(cluster), "it waits before it takes writes");
    cluster_render_conf(cluster, &after);
    struct topology first, second;
    cr_assert(topology_parse(buffer_bytes(&before), &first, &error), "%s", error.text);
    cr_assert(topology_parse(buffer_bytes(&after), &second, &error), "%s", error.text);
    for (size_t i = 0; i < first.count; i++) {
        const struct topology_node *a = &first.nodes[i], *b = &second.nodes[i];
        cr_assert(node_id_equal(&a->id, &b->id) && a->flags == b->flags);
        cr_assert(address_equal(&a->address, &b->address));
        cr_assert_str_eq(a->primary.text, b->primary.text);
        cr_assert_eq(memcmp(&a->slots, &b->slots, sizeof(a->slots)), 0);
        cr_assert_eq(a->move_count, b->move_count);
    }
    topology_free(&first);
    topology_free(&second);
    buffer_free(&before);
    buffer_free(&after);
    sim_free(sim);
}
