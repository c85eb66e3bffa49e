/* The model, fed with what nodes would say: no sockets, and the time is a number. */
#include "console/model/build.h"
#include "console/operation/check.h"
#include <criterion/criterion.h>
#include <stdio.h>

enum { NODES = 4, FRESH_MS = 5000 };

/* a, b, c are primaries of 7001, 7002, 7003; d is a replica of a at 7004. */
static const char *const ids[NODES] = {
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "cccccccccccccccccccccccccccccccccccccccc",
    "dddddddddddddddddddddddddddddddddddddddd",
};

/* What one node tells of another. */
struct told {
    const char *flags;
    int primary; /* -1: none */
    int epoch;
    const char *slots;
};

static const struct told healthy[NODES] = {
    { "master", -1, 1, "0-5460" },
    { "master", -1, 2, "5461-10922" },
    { "master", -1, 3, "10923-16383" },
    { "slave", 0, 1, "" },
};

static struct model *model;
static int64_t now;
static int64_t wall;

static void setup(void)
{
    model = model_build_new();
    now = 100000;
    wall = 1700000000000;
}

static void teardown(void)
{
    model_build_free(model);
}

TestSuite(console_model, .init = setup, .fini = teardown);

static int find(int node)
{
    struct node_id id;
    cr_assert(node_id_parse(bytes_of(ids[node]), &id));
    return model_find_id(model, &id);
}

static void add_seed(int node)
{
    static const struct node_id none;
    struct address address = { .ip = "127.0.0.1", .port = (uint16_t)(7001 + node) };
    int added = model_build_add(model, &none, &address);
    model->nodes[added]->seed = true;
}

static void write_view(struct buffer *text, int viewer, const struct told *told, int count)
{
    for (int i = 0; i < count; i++) {
        buffer_printf(text, "%s 127.0.0.1:%d@%d %s%s %s 0 %lld %d connected%s%s\n", ids[i],
            7001 + i, 17001 + i, i == viewer ? "myself," : "", told[i].flags,
            told[i].primary >= 0 ? ids[told[i].primary] : "-",
            i == viewer ? 0LL : (long long)wall - 300, told[i].epoch,
            told[i].slots[0] != '\0' ? " " : "", told[i].slots);
    }
}

/* The node at `index` of the model says this, and that its state is ok. */
static void say_at(int index, int viewer, const struct told *told, int count)
{
    struct buffer text = { 0 };
    write_view(&text, viewer, told, count);
    cr_assert(model_build_view(model, index, buffer_bytes(&text), now, wall), "%s",
        model->nodes[index]->trouble);
    model_build_cluster_info(
        model, index, BYTES("cluster_state:ok\r\ncluster_current_epoch:7\r\n"));
    model->nodes[index]->heard_at = now;
    buffer_free(&text);
}

static void say(int viewer, const struct told *told)
{
    say_at(find(viewer), viewer, told, NODES);
}

static void merge(void)
{
    model_build_merge(model, now, wall, FRESH_MS, NULL);
}

/* All four know each other and are asked once. */
static void make_healthy(void)
{
    add_seed(0);
    say_at(0, 0, healthy, NODES);
    merge();
    for (int i = 1; i < NODES; i++) {
        say(i, healthy);
    }
    model->rounds = 1;
    merge();
}

static bool has_event(enum model_event_kind kind, const char *part)
{
    const struct model_event *event;
    for (size_t ago = 0; (event = model_log_at(&model->log, ago)) != NULL; ago++) {
        if (event->kind == kind && strstr(event->text, part) != NULL) {
            return true;
        }
    }
    return false;
}

Test(console_model, one_view_makes_all_nodes_known)
{
    add_seed(0);
    say_at(0, 0, healthy, NODES);
    merge();
    cr_assert_eq(model->node_count, NODES);
    cr_assert_eq(model->covered, SLOT_COUNT);
    cr_assert_eq(model->verdict.level, MODEL_WAITING, "not all were asked yet");
}

Test(console_model, healthy_cluster_is_ok)
{
    make_healthy();
    cr_assert_eq(model->verdict.level, MODEL_OK, "%s", model->verdict.text);
    cr_assert_eq(model->served, SLOT_COUNT);
    cr_assert_eq(model->shard_count, 3);
    cr_assert_str_eq(model->shards[0].letter, "A");
    cr_assert_eq(model->shards[0].primary, find(0));
    cr_assert_eq(model->shards[0].member_count, 1);
    cr_assert_eq(model->shards[0].members[0], find(3));
    cr_assert_eq(model->nodes[find(2)]->slot_count, 5461);
    cr_assert_eq(model->slots[5461].owner, find(1));
}

Test(console_model, highest_epoch_owns_a_disputed_slot)
{
    struct told stale[NODES];
    make_healthy();
    memcpy(stale, healthy, sizeof stale);
    struct told moved[NODES];
    memcpy(moved, healthy, sizeof moved);
    moved[0].slots = "1-5460";
    moved[2].slots = "0 10923-16383";
    moved[2].epoch = 8;
    say(2, moved); /* the others haven't heard of it */
    merge();
    cr_assert_eq(model->slots[0].owner, find(2));
    cr_assert_eq(model->disputed, 1);
    cr_assert(model->slots[0].disputed);
    cr_assert_eq(model->verdict.level, MODEL_OK, "gossip gets a moment: %s", model->verdict.text);
    now += 6000;
    for (int i = 0; i < NODES; i++) {
        say(i, i == 2 ? moved : stale);
    }
    merge();
    cr_assert_eq(model->verdict.level, MODEL_WARNING);
    cr_assert(strstr(model->verdict.text, "disagree") != NULL, "%s", model->verdict.text);
    for (int i = 0; i < NODES; i++) {
        say(i, moved);
    }
    merge();
    cr_assert_eq(model->disputed, 0);
    cr_assert_eq(model->verdict.level, MODEL_OK);
}

Test(console_model, moved_slots_are_told_once_it_is_quiet)
{
    struct told moved[NODES];
    make_healthy();
    memcpy(moved, healthy, sizeof moved);
    moved[0].slots = "100-5460";
    moved[2].slots = "0-99 10923-16383";
    moved[2].epoch = 8;
    for (int i = 0; i < NODES; i++) {
        say(i, moved);
    }
    merge();
    cr_assert_not(has_event(MODEL_EVENT_SLOTS, ""), "more may follow");
    now += 2500;
    for (int i = 0; i < NODES; i++) {
        say(i, moved);
    }
    merge();
    cr_assert(has_event(MODEL_EVENT_SLOTS, "100 slots moved from A 7001 to C 7003: 0-99"));
}

Test(console_model, failover_keeps_the_shard)
{
    static const struct told failed[NODES] = {
        { "master,fail", -1, 1, "0-5460" },
        { "master", -1, 2, "5461-10922" },
        { "master", -1, 3, "10923-16383" },
        { "slave", 0, 1, "" },
    };
    static const struct told taken[NODES] = {
        { "master,fail", -1, 1, "" },
        { "master", -1, 2, "5461-10922" },
        { "master", -1, 3, "10923-16383" },
        { "master", -1, 9, "0-5460" },
    };
    make_healthy();
    model_build_silence(model, find(0), "127.0.0.1:7001: Connection refused");
    for (int i = 1; i < NODES; i++) {
        say(i, failed);
    }
    merge();
    cr_assert_eq(model->nodes[find(0)]->health, MODEL_FAILED);
    cr_assert_eq(model->verdict.level, MODEL_FAIL);
    cr_assert_eq(model->served, SLOT_COUNT - 5461);
    cr_assert(strstr(model->verdict.text, "slots 0-5460 not served: 7001 down") != NULL, "%s",
        model->verdict.text);
    cr_assert(
        strstr(model->verdict.text, "a replica can take over") != NULL, "%s", model->verdict.text);
    cr_assert(has_event(MODEL_EVENT_NODE_LOST, "7001"));
    now += 600;
    for (int i = 1; i < NODES; i++) {
        say(i, taken);
    }
    merge();
    cr_assert_eq(model->shard_count, 3);
    cr_assert_str_eq(model->shards[0].letter, "A");
    cr_assert_eq(model->shards[0].primary, find(3));
    cr_assert_eq(model->nodes[find(0)]->shard, 0, "the old primary stays a member");
    cr_assert(has_event(MODEL_EVENT_FAILOVER, "7004 took over from 7001 (epoch 9) after 0.6 s"));
    cr_assert_eq(model->verdict.level, MODEL_WARNING);
    cr_assert_not(has_event(MODEL_EVENT_SLOTS, ""), "the slots stayed in their shard");
}

Test(console_model, no_replica_is_said)
{
    static const struct told alone[3] = {
        { "master", -1, 1, "0-5460" },
        { "master", -1, 2, "5461-10922" },
        { "master", -1, 3, "10923-16383" },
    };
    add_seed(0);
    say_at(0, 0, alone, 3);
    merge();
    say_at(find(1), 1, alone, 3);
    say_at(find(2), 2, alone, 3);
    model->rounds = 1;
    model_build_silence(model, find(1), "no answer");
    merge();
    cr_assert_eq(model->nodes[find(1)]->health, MODEL_SILENT);
    now += 12000;
    say_at(find(0), 0, alone, 3);
    say_at(find(2), 2, alone, 3);
    merge();
    cr_assert_str_eq(
        model->verdict.text, "slots 5461-10922 not served: 7002 down 12 s, no replica");
    struct check check = { 0 };
    check_build(model, &check);
    cr_assert_eq(check.findings[0].kind, CHECK_NOT_SERVED);
    cr_assert_str_eq(check.findings[0].repair, "bring 7002 back: no other node has its keys");
    check_free(&check);
}

Test(console_model, open_slots)
{
    struct told source[NODES], target[NODES];
    char migrating[80], importing[80];
    make_healthy();
    memcpy(source, healthy, sizeof source);
    memcpy(target, healthy, sizeof target);
    snprintf(migrating, sizeof migrating, "0-5460 [77->-%s]", ids[2]);
    snprintf(importing, sizeof importing, "10923-16383 [77-<-%s]", ids[0]);
    source[0].slots = migrating;
    target[2].slots = importing;
    say(0, source);
    say(2, target);
    merge();
    cr_assert_eq(model->open, 1);
    cr_assert_eq(model->slots[77].owner, find(0));
    cr_assert_eq(model->slots[77].source, find(0));
    cr_assert_eq(model->slots[77].migrating_to, find(2));
    cr_assert_eq(model->slots[77].importing_at, find(2));
    cr_assert_eq(model->verdict.level, MODEL_WARNING);
}

Test(console_model, opinions)
{
    struct told doubting[NODES];
    int64_t age;
    make_healthy();
    memcpy(doubting, healthy, sizeof doubting);
    doubting[1].flags = "master,fail?";
    say(0, doubting);
    merge();
    cr_assert_eq(model_opinion(model, find(0), find(1), &age), MODEL_THINKS_PFAIL);
    cr_assert_eq(age, 300);
    cr_assert_eq(model_opinion(model, find(2), find(1), &age), MODEL_THINKS_OK);
    cr_assert_eq(model_opinion(model, find(2), find(2), &age), MODEL_THINKS_SELF);
    cr_assert_eq(age, -1);
    cr_assert_eq(model->nodes[find(1)]->health, MODEL_SUSPECTED);
    cr_assert_eq(model->verdict.level, MODEL_WARNING);
}

Test(console_model, forgotten_nodes_go)
{
    make_healthy();
    for (int i = 0; i < 3; i++) {
        say_at(find(i), i, healthy, 3);
    }
    model_build_silence(model, find(3), "gone");
    merge();
    cr_assert_eq(model->node_count, 3);
    cr_assert_eq(find(3), MODEL_NOBODY);
    cr_assert(has_event(MODEL_EVENT_NODE_GONE, "127.0.0.1:7004"));
}

Test(console_model, two_seeds_may_be_one_node)
{
    static const struct node_id none;
    struct address again = { .ip = "localhost", .port = 7001 };
    make_healthy();
    int twin = model_build_add(model, &none, &again);
    model->nodes[twin]->seed = true;
    say_at(twin, 0, healthy, NODES);
    merge();
    cr_assert_eq(model->node_count, NODES);
    cr_assert_neq(find(0), MODEL_NOBODY);
}

Test(console_model, another_node_at_the_address_is_no_answer)
{
    struct buffer text = { 0 };
    make_healthy();
    buffer_append_text(&text,
        "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee :7002@17002 myself,master - 0 0 0 "
        "connected\n");
    cr_assert_not(model_build_view(model, find(1), buffer_bytes(&text), now, wall));
    cr_assert(strstr(model->nodes[find(1)]->trouble, "another node (eeeeeeee)") != NULL);
    buffer_free(&text);
}

Test(console_model, nonsense_is_no_answer)
{
    make_healthy();
    cr_assert_not(model_build_view(model, find(1), BYTES("hello\n"), now, wall));
    merge();
    cr_assert_eq(model->nodes[find(1)]->health, MODEL_SILENT);
    cr_assert_eq(model->covered, SLOT_COUNT, "the others still tell of its slots");
}

Test(console_model, what_nobody_tells_stays_as_it_was)
{
    make_healthy();
    for (int i = 0; i < NODES; i++) {
        model_build_silence(model, i, "Connection refused");
    }
    merge();
    cr_assert_eq(model->covered, SLOT_COUNT);
    cr_assert_eq(model->served, 0);
    cr_assert_eq(model->verdict.level, MODEL_FAIL);
    cr_assert(strstr(model->verdict.text, "no node answers") != NULL, "%s", model->verdict.text);
}

Test(console_model, names)
{
    struct error error;
    char name[64];
    make_healthy();
    cr_assert_eq(model_find_node(model, BYTES("127.0.0.1:7002"), &error), find(1));
    cr_assert_eq(model_find_node(model, BYTES(":7002"), &error), find(1));
    cr_assert_eq(model_find_node(model, BYTES("7002"), &error), find(1));
    cr_assert_eq(model_find_node(model, BYTES("localhost:7002"), &error), find(1));
    cr_assert_eq(model_find_node(model, BYTES("c"), &error), find(2));
    cr_assert_eq(model_find_node(model, BYTES("CCCC"), &error), find(2));
    cr_assert_eq(model_find_node(model, BYTES("e"), &error), MODEL_NOBODY);
    cr_assert(strstr(error.text, "\"e\"") != NULL, "%s", error.text);
    cr_assert_eq(model_find_node(model, BYTES(""), &error), MODEL_NOBODY);
    cr_assert_eq(model_find_shard(model, BYTES("b"), &error), 1);
    cr_assert_eq(model_find_shard(model, BYTES("7004"), &error), 0);
    cr_assert_str_eq(model_node_name(model, find(3), name, sizeof name), "7004");
    struct address far = { .ip = "10.0.0.9", .port = 7002 };
    static const struct node_id none;
    model_build_add(model, &none, &far);
    cr_assert_eq(model_find_node(model, BYTES("7002"), &error), MODEL_NOBODY, "two have it now");
    cr_assert(strstr(error.text, "fits 2 nodes") != NULL, "%s", error.text);
    cr_assert_str_eq(model_node_name(model, find(3), name, sizeof name), "127.0.0.1:7004");
}

Test(console_model, rates_are_of_the_time_between_polls)
{
    make_healthy();
    int node = find(0);
    model_build_info(model, node,
        BYTES("redis_version:7.0.15\r\nused_memory:1000\r\n"
              "total_commands_processed:500\r\ninstantaneous_ops_per_sec:12\r\n"
              "db0:keys=42,expires=1,avg_ttl=0\r\n"),
        now);
    cr_assert_eq(model->nodes[node]->figures.keys, 42);
    cr_assert_float_eq(model->nodes[node]->ops, 12, 0.001, "the node's own word at first");
    cr_assert_eq(model->nodes[node]->figures.clients, -1, "it doesn't say");
    cr_assert_str_eq(model->nodes[node]->figures.version, "redis 7.0.15");
    model_build_info(
        model, node, BYTES("used_memory:1000\r\ntotal_commands_processed:2504\r\n"), now + 2000);
    cr_assert_float_eq(model->nodes[node]->ops, 1000, 0.001, "four of them were ours");
    model_build_info(
        model, node, BYTES("used_memory:1\r\ntotal_commands_processed:3\r\n"), now + 3000);
    cr_assert_float_eq(model->nodes[node]->ops, 0, 0.001, "it was restarted");
}

static void feed_commands(int node, int total, int64_t after)
{
    char info[80];
    snprintf(info, sizeof info, "used_memory:1\r\ntotal_commands_processed:%d\r\n", total);
    model_build_info(model, node, bytes_of(info), now + after);
}

Test(console_model, rates_leave_out_what_we_asked_ourselves)
{
    make_healthy();
    int node = find(0);
    feed_commands(node, 1000, 10000);
    feed_commands(node, 1030, 10010);
    cr_assert_lt(model->nodes[node]->ops, 100, "10 ms tell nothing of a second");
    model->nodes[node]->own_requests += 500; /* counted keys */
    feed_commands(node, 1000 + 500 + 8 + 1000, 11000);
    cr_assert_float_eq(model->nodes[node]->ops, 1000, 0.001, "two polls and the count were ours");
    cr_assert_eq(model->nodes[node]->own_requests, 0);
}

Test(console_model, events_told_late_go_where_their_time_belongs)
{
    model_log_add(&model->log, 100, MODEL_EVENT_STATE, MODEL_NEUTRAL, "first");
    model_log_add(&model->log, 300, MODEL_EVENT_STATE, MODEL_NEUTRAL, "third");
    model_log_add(&model->log, 200, MODEL_EVENT_SLOTS, MODEL_NEUTRAL, "second");
    static const char *const texts[] = { "third", "second", "first" };
    for (size_t ago = 0; ago < 3; ago++) {
        const struct model_event *event = model_log_at(&model->log, ago);
        cr_assert_str_eq(event->text, texts[ago]);
        cr_assert_eq(event->number, 3 - ago);
    }
}

Test(console_model, lag_is_what_the_primary_is_ahead)
{
    make_healthy();
    model_build_info(model, find(0), BYTES("master_repl_offset:1000\r\n"), now);
    model_build_info(model, find(3),
        BYTES("master_link_status:up\r\nmaster_repl_offset:900\r\n"
              "slave_repl_offset:940\r\n"),
        now);
    merge();
    cr_assert_eq(model->nodes[find(3)]->lag, 60);
    cr_assert_eq(model->nodes[find(0)]->lag, -1);
}

Test(console_model, histories_are_rings)
{
    struct model_history history = { .count = 0 };
    cr_assert_eq(model_history_at(&history, 0), 0);
    for (int i = 1; i <= MODEL_HISTORY + 5; i++) {
        model_history_add(&history, i);
    }
    cr_assert_eq(model_history_at(&history, 0), MODEL_HISTORY + 5);
    cr_assert_eq(model_history_at(&history, MODEL_HISTORY - 1), 6);
    cr_assert_eq(model_history_at(&history, MODEL_HISTORY), 0);
}

Test(console_model, events_are_a_ring)
{
    for (int i = 0; i < MODEL_EVENTS_MAX + 10; i++) {
        model_log_add(&model->log, wall, MODEL_EVENT_OPERATION, MODEL_NEUTRAL, "event %d", i);
    }
    cr_assert_eq(model->log.total, MODEL_EVENTS_MAX + 10);
    cr_assert_str_eq(model_log_at(&model->log, 0)->text, "event 1009");
    cr_assert_str_eq(model_log_at(&model->log, MODEL_EVENTS_MAX - 1)->text, "event 10");
    cr_assert_null(model_log_at(&model->log, MODEL_EVENTS_MAX));
}

Test(console_model, ages)
{
    char text[24];
    cr_assert_str_eq(model_write_age(38, text, sizeof text), "38 ms");
    cr_assert_str_eq(model_write_age(600, text, sizeof text), "0.6 s");
    cr_assert_str_eq(model_write_age(12900, text, sizeof text), "12 s");
    cr_assert_str_eq(model_write_age(180000, text, sizeof text), "3 min");
    cr_assert_str_eq(model_write_age(-5, text, sizeof text), "0.0 s");
}
