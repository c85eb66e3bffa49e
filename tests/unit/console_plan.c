/* Plans and findings, made from models that are put together by hand. */
#include "console/model/build.h"
#include "console/operation/check.h"
#include "console/operation/plan.h"
#include <criterion/criterion.h>
#include <stdio.h>

enum { HOSTS_MAX = 12 };

static struct model *model;
static struct plan plan;
static struct error error;

static void setup(void)
{
    model = model_build_new();
    plan = (struct plan){ 0 };
}

static void teardown(void)
{
    plan_free(&plan);
    model_build_free(model);
}

TestSuite(console_plan, .init = setup, .fini = teardown);

/* --- models --- */

static const char *id_of(int node)
{
    static char ids[HOSTS_MAX][NODE_ID_LEN + 1];
    snprintf(ids[node], sizeof ids[node], "%040x", 0xa00 + node);
    return ids[node];
}

static int add(const char *ip, int port)
{
    static const struct node_id none;
    struct address address = { .port = (uint16_t)port };
    snprintf(address.ip, sizeof address.ip, "%s", ip);
    int index = model_build_add(model, &none, &address);
    model->nodes[index]->seed = true;
    return index;
}

static void say(int index, const char *cluster_nodes, const char *info)
{
    cr_assert(model_build_view(model, index, bytes_of(cluster_nodes), 1000, 1700000000000), "%s",
        model->nodes[index]->trouble);
    model_build_cluster_info(model, index, BYTES("cluster_state:ok\r\n"));
    model_build_info(model, index, bytes_of(info), 1000);
}

static void merge(void)
{
    model->rounds = 1;
    model_build_merge(model, 1000, 1700000000000, 5000, NULL);
}

/* Empty nodes for a create, at the hosts given. */
static void make_empty(const char *const *hosts, int count, struct address *addresses)
{
    for (int i = 0; i < count; i++) {
        char line[600];
        int index = add(hosts[i], 7001 + i);
        addresses[i] = model->nodes[index]->address;
        snprintf(line, sizeof line, "%s :%d@%d myself,master - 0 0 0 connected\n", id_of(i),
            7001 + i, 17001 + i);
        say(index, line, "used_memory:1\r\n");
    }
    merge();
}

/* 7001-7003 primaries, 7004 and 7005 replicas of 7001; extra: more slots of a line. */
static void make_cluster(const char *first_slots, const char *third_slots)
{
    static const char *const roles[] = { "master", "master", "master", "slave", "slave" };
    const char *slots[] = { first_slots, "5461-10922", third_slots, "", "" };
    static const char *const infos[] = {
        "master_repl_offset:100\r\nused_memory_dataset:5461000\r\ndb0:keys=5461,expires=0\r\n",
        "master_repl_offset:100\r\n",
        "master_repl_offset:100\r\n",
        "master_link_status:up\r\nslave_repl_offset:90\r\n",
        "master_link_status:up\r\nslave_repl_offset:99\r\n",
    };
    for (int viewer = 0; viewer < 5; viewer++) {
        struct buffer text = { 0 };
        for (int i = 0; i < 5; i++) {
            bool own = i == viewer;
            const char *bracket = strchr(slots[i], '[');
            int shown = own || bracket == NULL ? (int)strlen(slots[i]) : (int)(bracket - slots[i]);
            while (shown > 0 && slots[i][shown - 1] == ' ') {
                shown--;
            }
            buffer_printf(&text, "%s 127.0.0.1:%d@%d %s%s %s 0 1700000000000 %d connected%s%.*s\n",
                id_of(i), 7001 + i, 17001 + i, own ? "myself," : "", roles[i],
                i >= 3 ? id_of(0) : "-", i >= 3 ? 1 : i + 1, shown > 0 ? " " : "", shown, slots[i]);
        }
        buffer_terminate(&text);
        say(add("127.0.0.1", 7001 + viewer), text.data, infos[viewer]);
        buffer_free(&text);
    }
    merge();
    cr_assert_eq(model->node_count, 5);
}

static int at(int port)
{
    char name[8];
    snprintf(name, sizeof name, "%d", port);
    return model_find_node(model, bytes_of(name), &error);
}

static const char *shown(void (*write)(const struct plan *plan, struct buffer *out))
{
    static char text[4096];
    struct buffer out = { 0 };
    write(&plan, &out);
    snprintf(text, sizeof text, "%.*s", (int)out.len, out.data);
    buffer_free(&out);
    return text;
}

/* --- create --- */

static const char *const one_host[] = { "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1",
    "127.0.0.1", "127.0.0.1", "127.0.0.1" };

Test(console_plan, create_gives_equal_shares)
{
    struct address addresses[6];
    make_empty(one_host, 6, addresses);
    cr_assert(plan_create(model, addresses, 6, 1, &plan, &error), "%s", error.text);
    cr_assert_eq(plan.node_count, 6);
    unsigned given = 0, replicas = 0;
    for (size_t i = 0; i < plan.step_count; i++) {
        if (plan.steps[i].kind == PLAN_ADD_SLOTS) {
            unsigned count = slot_set_count(plan.steps[i].slots);
            cr_assert(count == 5461 || count == 5462);
            given += count;
        }
        replicas += plan.steps[i].kind == PLAN_REPLICATE;
    }
    cr_assert_eq(given, SLOT_COUNT);
    cr_assert_eq(replicas, 3);
    cr_assert_str_eq(shown(plan_write_summary), "make a cluster of 3 primaries with 3 replicas");
    cr_assert(strstr(plan.notes, "same host") != NULL);
    cr_assert_str_eq(shown(plan_write_command),
        "create 127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:7003 127.0.0.1:7004 127.0.0.1:7005 "
        "127.0.0.1:7006 --replicas 1");
}

Test(console_plan, create_spreads_over_hosts)
{
    static const char *const hosts[] = { "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.3",
        "10.0.0.3" };
    struct address addresses[6];
    make_empty(hosts, 6, addresses);
    cr_assert(plan_create(model, addresses, 6, 1, &plan, &error), "%s", error.text);
    const char *seen[3];
    int primaries = 0;
    for (size_t i = 0; i < plan.step_count; i++) {
        const struct plan_step *step = &plan.steps[i];
        if (step->kind == PLAN_ADD_SLOTS) {
            seen[primaries++] = plan.nodes[step->node].address.ip;
        } else if (step->kind == PLAN_REPLICATE) {
            cr_assert_str_neq(plan.nodes[step->node].address.ip, plan.nodes[step->peer].address.ip);
        }
    }
    cr_assert_eq(primaries, 3);
    cr_assert_str_neq(seen[0], seen[1]);
    cr_assert_str_neq(seen[1], seen[2]);
    cr_assert_str_neq(seen[0], seen[2]);
    cr_assert_str_eq(plan.notes, "");
}

Test(console_plan, create_refuses_too_few)
{
    struct address addresses[5];
    make_empty(one_host, 5, addresses);
    cr_assert_not(plan_create(model, addresses, 5, 1, &plan, &error));
    cr_assert(strstr(error.text, "give at least 6 nodes") != NULL, "%s", error.text);
}

Test(console_plan, create_refuses_what_is_in_use)
{
    struct address addresses[3];
    make_empty(one_host, 3, addresses);
    model->nodes[1]->figures.keys = 5;
    cr_assert_not(plan_create(model, addresses, 3, 0, &plan, &error));
    cr_assert(strstr(error.text, "127.0.0.1:7002 holds 5 keys") != NULL, "%s", error.text);
    model->nodes[1]->figures.keys = 0;
    model_build_silence(model, 2, "127.0.0.1:7003: Connection refused");
    cr_assert_not(plan_create(model, addresses, 3, 0, &plan, &error));
    cr_assert(strstr(error.text, "refused") != NULL, "%s", error.text);
    model->nodes[2]->trouble[0] = '\0';
    addresses[2] = addresses[0];
    cr_assert_not(plan_create(model, addresses, 3, 0, &plan, &error));
    cr_assert(strstr(error.text, "twice") != NULL, "%s", error.text);
}

Test(console_plan, create_refuses_members_of_a_cluster)
{
    make_cluster("0-5460", "10923-16383");
    struct address addresses[3];
    for (int i = 0; i < 3; i++) {
        addresses[i] = model->nodes[at(7001 + i)]->address;
    }
    cr_assert_not(plan_create(model, addresses, 3, 0, &plan, &error));
    cr_assert(strstr(error.text, "in a cluster already") != NULL, "%s", error.text);
}

/* --- reshard --- */

Test(console_plan, reshard_takes_in_proportion)
{
    make_cluster("0-5460", "10923-16383");
    struct plan_reshard_request request = { .to = at(7003), .slots = 1001 };
    cr_assert(plan_reshard(model, &request, &plan, &error), "%s", error.text);
    cr_assert_eq(plan_slot_count(&plan), 1001);
    cr_assert_eq(plan.step_count, 2);
    for (size_t i = 0; i < 2; i++) {
        unsigned count = slot_set_count(plan.steps[i].slots);
        cr_assert(count == 500 || count == 501, "%u", count);
        cr_assert_not(plan.steps[i].resumed);
    }
    const struct plan_node *target = &plan.nodes[plan.steps[0].node];
    cr_assert_eq(target->slots_before, 5461);
    cr_assert_eq(target->slots_after, 6462);
}

Test(console_plan, reshard_of_ranges)
{
    make_cluster("0-5460", "10923-16383");
    struct slot_set ranges = { { 0 } };
    slot_set_add_range(&ranges, 0, 99);
    slot_set_add_range(&ranges, 16000, 16010); /* the target has these */
    struct plan_reshard_request request = { .to = at(7003), .ranges = &ranges };
    cr_assert(plan_reshard(model, &request, &plan, &error), "%s", error.text);
    cr_assert_eq(plan_slot_count(&plan), 100);
    cr_assert_eq(plan.steps[0].keys, 100, "the source has a key a slot");
    cr_assert_eq(plan.steps[0].bytes, 100000);
    cr_assert_str_eq(
        shown(plan_write_summary), "move 100 slots (100 keys, about 98 KB) from A 7001 to C 7003");
    char command[200];
    snprintf(command, sizeof command, "reshard --to %s --range 0-99", id_of(2));
    cr_assert_str_eq(shown(plan_write_command), command);
}

Test(console_plan, reshard_counts_what_was_counted)
{
    make_cluster("0-5460", "10923-16383");
    struct slot_set ranges = { { 0 } };
    slot_set_add_range(&ranges, 0, 1);
    model->slot_keys[0] = 7;
    model->slot_keys[1] = 0;
    struct plan_reshard_request request = { .to = at(7003), .ranges = &ranges };
    cr_assert(plan_reshard(model, &request, &plan, &error), "%s", error.text);
    cr_assert_eq(plan_key_count(&plan), 7);
}

Test(console_plan, a_replica_stands_for_its_primary)
{
    make_cluster("0-5460", "10923-16383");
    int from = at(7004);
    struct plan_reshard_request request = {
        .from = &from, .from_count = 1, .to = at(7002), .slots = 10
    };
    cr_assert(plan_reshard(model, &request, &plan, &error), "%s", error.text);
    cr_assert_eq(plan.nodes[plan.steps[0].peer].address.port, 7001);
}

Test(console_plan, reshard_says_what_is_wrong)
{
    make_cluster("0-5460", "10923-16383");
    int from = at(7001);
    struct slot_set ranges = { { 0 } };
    struct plan_reshard_request request = {
        .from = &from, .from_count = 1, .to = at(7002), .slots = 6000
    };
    cr_assert_not(plan_reshard(model, &request, &plan, &error));
    cr_assert(strstr(error.text, "have 5461 slots, 6000 are wanted") != NULL, "%s", error.text);
    request.to = at(7001);
    cr_assert_not(plan_reshard(model, &request, &plan, &error));
    cr_assert(strstr(error.text, "one node") != NULL, "%s", error.text);
    slot_set_add(&ranges, 20);
    request = (struct plan_reshard_request){ .to = at(7001), .ranges = &ranges };
    cr_assert_not(plan_reshard(model, &request, &plan, &error));
    cr_assert(strstr(error.text, "nothing to do") != NULL, "%s", error.text);
    request = (struct plan_reshard_request){ .to = at(7002) };
    cr_assert_not(plan_reshard(model, &request, &plan, &error));
}

Test(console_plan, open_slots_are_taken_up_again)
{
    char first[120], third[120];
    snprintf(first, sizeof first, "0-5460 [77->-%s]", id_of(2));
    snprintf(third, sizeof third, "10923-16383 [77-<-%s]", id_of(0));
    make_cluster(first, third);
    cr_assert_eq(model->open, 1);
    struct plan_reshard_request request = { .to = at(7003), .slots = 10 };
    cr_assert(plan_reshard(model, &request, &plan, &error), "%s", error.text);
    cr_assert(plan.steps[0].resumed);
    cr_assert(slot_set_has(plan.steps[0].slots, 77));
    cr_assert_eq(plan_slot_count(&plan), 11);
    plan_free(&plan);
    struct slot_set ranges = { { 0 } };
    slot_set_add(&ranges, 77);
    request = (struct plan_reshard_request){ .to = at(7002), .ranges = &ranges };
    cr_assert_not(plan_reshard(model, &request, &plan, &error));
    cr_assert(strstr(error.text, "on its way to 7003 already") != NULL, "%s", error.text);
}

static void plan_slot(unsigned slot, int to, bool possible)
{
    struct slot_set ranges = { { 0 } };
    slot_set_add(&ranges, slot);
    struct plan_reshard_request request = { .to = to, .ranges = &ranges };
    plan_free(&plan);
    cr_assert_eq(plan_reshard(model, &request, &plan, &error), possible, "%s", error.text);
}

static void expect_repair(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void expect_repair(const char *format, ...)
{
    struct check check;
    char wanted[200];
    va_list args;
    va_start(args, format);
    vsnprintf(wanted, sizeof wanted, format, args);
    va_end(args);
    check_build(model, &check);
    const struct check_finding *open = NULL;
    for (size_t i = 0; i < check.count; i++) {
        open = check.findings[i].kind == CHECK_OPEN ? &check.findings[i] : open;
    }
    cr_assert_not_null(open);
    cr_assert_str_eq(open->repair, wanted, "%s", open->text);
    check_free(&check);
}

/* 7004 got some of slot 16000 while it led a shard; now it follows 7001, and so do the keys. */
Test(console_plan, an_open_slot_goes_on_to_whom_its_target_follows)
{
    char third[120];
    snprintf(third, sizeof third, "10923-16383 [16000->-%s]", id_of(3));
    make_cluster("0-5460", third);
    plan_slot(16000, at(7001), true);
    cr_assert_eq(plan.step_count, 1);
    cr_assert(plan.steps[0].resumed);
    cr_assert_eq(plan.nodes[plan.steps[0].peer].address.port, 7003);
    plan_slot(16000, at(7004), true);
    cr_assert_eq(plan.nodes[plan.steps[0].node].address.port, 7001);
    plan_slot(16000, at(7002), false);
    char way[120];
    snprintf(way, sizeof way, "reshard --to %s --range 16000", id_of(0));
    cr_assert(strstr(error.text, way) != NULL, "%s", error.text);
    expect_repair("slotctl -h 127.0.0.1 -p 7001 %s", way);
}

Test(console_plan, an_open_slot_that_leads_home_is_put_back)
{
    char first[120];
    snprintf(first, sizeof first, "0-5460 [77->-%s]", id_of(3));
    make_cluster(first, "10923-16383");
    expect_repair("slotctl -h 127.0.0.1 -p 7001 reshard --to %s --range 77", id_of(0));
    plan_slot(77, at(7001), true);
    cr_assert_eq(plan.step_count, 1);
    cr_assert_eq(plan.steps[0].kind, PLAN_PUT_BACK);
    cr_assert_str_eq(shown(plan_write_summary), "slots 77 are put back at A 7001");
    plan_slot(77, at(7002), true);
    cr_assert_eq(plan.step_count, 2);
    cr_assert_eq(plan.steps[0].kind, PLAN_PUT_BACK);
    cr_assert_eq(plan.steps[1].kind, PLAN_MOVE);
    cr_assert_eq(plan_slot_count(&plan), 1);
    char command[120];
    snprintf(command, sizeof command, "reshard --to %s --range 77", id_of(1));
    cr_assert_str_eq(shown(plan_write_command), command);
    struct plan_reshard_request request = { .to = at(7002), .slots = 78, .from_count = 0 };
    plan_free(&plan);
    cr_assert(plan_reshard(model, &request, &plan, &error), "%s", error.text);
    for (size_t i = 0; i < plan.step_count; i++) {
        cr_assert_not(slot_set_has(plan.steps[i].slots, 77), "by number only free ones are taken");
    }
}

Test(console_plan, an_open_slot_whose_target_is_lost)
{
    char first[120], third[120];
    snprintf(first, sizeof first, "0-5460 [77->-%s]", id_of(2));
    make_cluster(first, "10923-16383");
    model_build_silence(model, at(7003), "Connection refused");
    merge();
    plan_slot(77, at(7002), true);
    cr_assert_eq(plan.steps[0].kind, PLAN_PUT_BACK);
    cr_assert(strstr(plan.notes, "7003, which is lost") != NULL, "%s", plan.notes);
    teardown();

    setup(); /* its replica can take over, and would have the keys */
    snprintf(third, sizeof third, "10923-16383 [16000->-%s]", id_of(0));
    make_cluster("0-5460", third);
    model_build_silence(model, at(7001), "Connection refused");
    merge();
    plan_slot(16000, at(7002), false);
    cr_assert(strstr(error.text, "slotctl failover") != NULL, "%s", error.text);
    expect_repair("slotctl -h 127.0.0.1 -p 7004 failover %s --force", id_of(3));
}

/* --- failover --- */

Test(console_plan, failover_of_a_primary_takes_its_best_replica)
{
    make_cluster("0-5460", "10923-16383");
    cr_assert(plan_failover(model, at(7001), PLAN_FAILOVER_PLAIN, &plan, &error), "%s", error.text);
    cr_assert_str_eq(shown(plan_write_summary), "A 7005 takes over from A 7001");
    cr_assert_eq(plan.nodes[plan.steps[0].node].slots_after, 5461);
}

Test(console_plan, failover_needs_a_replica_and_a_live_primary)
{
    make_cluster("0-5460", "10923-16383");
    cr_assert_not(plan_failover(model, at(7002), PLAN_FAILOVER_PLAIN, &plan, &error));
    cr_assert(strstr(error.text, "no replica") != NULL, "%s", error.text);
    model_build_silence(model, at(7001), "Connection refused");
    merge();
    cr_assert_not(plan_failover(model, at(7004), PLAN_FAILOVER_PLAIN, &plan, &error));
    cr_assert(strstr(error.text, "--force") != NULL, "%s", error.text);
    cr_assert(plan_failover(model, at(7004), PLAN_FAILOVER_FORCE, &plan, &error), "%s", error.text);
    char command[100];
    snprintf(command, sizeof command, "failover %s --force", id_of(3));
    cr_assert_str_eq(shown(plan_write_command), command);
}

/* --- JSON --- */

Test(console_plan, json_has_all_steps)
{
    make_cluster("0-5460", "10923-16383");
    struct plan_reshard_request request = { .to = at(7003), .slots = 10 };
    cr_assert(plan_reshard(model, &request, &plan, &error), "%s", error.text);
    json_t *json = plan_to_json(&plan);
    cr_assert_not_null(json);
    cr_assert_str_eq(json_string_value(json_object_get(json, "operation")), "reshard");
    cr_assert_eq(json_array_size(json_object_get(json, "steps")), plan.step_count);
    cr_assert_eq(json_array_size(json_object_get(json, "nodes")), plan.node_count);
    json_decref(json);
}

/* --- check --- */

static const struct check_finding *finding(const struct check *check, enum check_kind kind)
{
    for (size_t i = 0; i < check->count; i++) {
        if (check->findings[i].kind == kind) {
            return &check->findings[i];
        }
    }
    return NULL;
}

Test(console_plan, check_finds_primaries_without_replicas)
{
    struct check check;
    make_cluster("0-5460", "10923-16383");
    check_build(model, &check);
    cr_assert_eq(check.problems, 0);
    cr_assert_eq(check.warnings, 2, "7002 and 7003");
    cr_assert_not_null(finding(&check, CHECK_NO_REPLICA));
    cr_assert(strstr(finding(&check, CHECK_NO_REPLICA)->repair, "REPLICATE") != NULL);
    check_free(&check);
}

Test(console_plan, check_finds_holes_and_open_slots)
{
    struct check check;
    char first[120];
    snprintf(first, sizeof first, "0-99 101-5460 [77->-%s]", id_of(2));
    make_cluster(first, "10923-16383");
    check_build(model, &check);
    const struct check_finding *uncovered = finding(&check, CHECK_UNCOVERED);
    cr_assert_not_null(uncovered);
    cr_assert_eq(uncovered->severity, CHECK_PROBLEM);
    cr_assert_str_eq(uncovered->text, "1 slot has no owner: 100");
    cr_assert(strstr(uncovered->repair, "ADDSLOTSRANGE 100 100") != NULL, "%s", uncovered->repair);
    const struct check_finding *open = finding(&check, CHECK_OPEN);
    cr_assert_not_null(open);
    cr_assert(slot_set_has(open->slots, 77));
    cr_assert(strstr(open->repair, "--range 77") != NULL, "%s", open->repair);
    cr_assert_eq(check.findings[0].severity, CHECK_PROBLEM, "the worst is first");
    check_free(&check);
}

Test(console_plan, check_finds_the_dead)
{
    struct check check;
    make_cluster("0-5460", "10923-16383");
    model_build_silence(model, at(7001), "127.0.0.1:7001: no answer to PING within 2 s");
    merge();
    check_build(model, &check);
    cr_assert_not_null(finding(&check, CHECK_UNREACHABLE));
    const struct check_finding *lost = finding(&check, CHECK_NOT_SERVED);
    cr_assert_not_null(lost);
    cr_assert(strstr(lost->repair, "failover") != NULL);
    cr_assert(
        strstr(lost->repair, id_of(4)) != NULL, "the replica that is ahead: %s", lost->repair);
    json_t *json = check_to_json(&check);
    cr_assert_eq(json_array_size(json), check.count);
    json_decref(json);
    check_free(&check);
}
