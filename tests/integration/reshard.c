/* Slots that change hands: one by one with the commands, and many by both tools under a writer. */
#include "common/slot.h"
#include "tests/support/cluster.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include "tests/support/writer.h"
#include <stdio.h>

TestSuite(reshard, .init = nodes_begin, .fini = nodes_end, .timeout = 120);

enum { SLOTS = 1000, KEYS = 10000 };

static int slots_of(struct cluster *cluster, struct node *owner)
{
    int count = 0;
    redisReply *reply = client_run(node_client(cluster->nodes[0]), "CLUSTER SLOTS");
    for (size_t i = 0; i < reply->elements; i++) {
        redisReply **row = reply->element[i]->element;
        if (row[2]->element[1]->integer == node_port(owner))
            count += (int)(row[1]->integer - row[0]->integer) + 1;
    }
    return count;
}

/* 1000 slots from node 0 to node 1 by a command line, under a writer that sees no error. */
static void reshard_under_writer(struct cluster *cluster, const char *command)
{
    struct node *from = cluster->nodes[0], *to = cluster->nodes[1];
    int from_before = slots_of(cluster, from), to_before = slots_of(cluster, to);
    cluster_fill(cluster, "k", KEYS);
    struct writer *writer = writer_start(cluster, NULL);
    writer_wait(writer, 1000, 20000);
    const char *output;
    int64_t start = now_ms();
    int status = shell_run(90000, &output, "%s", command);
    int64_t took = now_ms() - start;
    cr_assert_eq(status, 0, "%s: status %d\n%s", command, status, output);
    writer_wait(writer, 1000, 20000);
    writer_stop(writer);
    struct writer_report report = writer_report(writer);
    fprintf(stderr,
        "reshard of %d slots took %lld ms; %ld writes, %ld redirects, longest time without a write "
        "%lld ms\n",
        SLOTS, (long long)took, report.acknowledged, report.redirects,
        (long long)writer_gap(writer, start, now_ms(), 0, SLOT_COUNT - 1));
    cr_expect_eq(report.errors, 0, "%ld errors, the first: %s", report.errors, report.first_error);
    cr_expect_eq(report.broken, 0);
    cr_expect_eq(writer_lost(writer, INT64_MAX), 0);
    cluster_wait_ok(cluster, 20000);
    cr_expect_eq(slots_of(cluster, from), from_before - SLOTS);
    cr_expect_eq(slots_of(cluster, to), to_before + SLOTS);
    cr_expect_eq(cluster_verify(cluster, "k", KEYS), 0);
    for (int i = 0; i < 3; i++) {
        wait_until(10000, node_in_sync(cluster->nodes[3 + i], cluster->nodes[i]));
        cr_expect(node_same_data(cluster->nodes[i], cluster->nodes[3 + i]));
    }
    writer_free(writer);
}

Test(reshard, by_redis_cli)
{
    struct cluster *cluster = cluster_start(3, 1, "%s", "");
    reshard_under_writer(
        cluster, scratch_printf("redis-cli --cluster reshard %s --cluster-from %s --cluster-to %s "
                                "--cluster-slots %d --cluster-yes | tail -n 15",
                     node_address(cluster->nodes[2]), node_id(cluster->nodes[0]),
                     node_id(cluster->nodes[1]), SLOTS));
}

Test(reshard, by_slotctl)
{
    struct cluster *cluster = cluster_start(3, 1, "%s", "");
    reshard_under_writer(cluster,
        scratch_printf("'%s' -h 127.0.0.1 -p %d reshard --from %s --to %s --slots %d --yes",
            console_path(), node_port(cluster->nodes[2]), node_address(cluster->nodes[0]),
            node_address(cluster->nodes[1]), SLOTS));
}

/* Slot 0 is node 0's; {06S} is a tag of slot 0. */
static const char *const tag = "{06S}";

struct move {
    struct cluster *cluster;
    struct node *from, *to;
};

static struct move begin_move(void)
{
    struct move move = { .cluster = cluster_start(2, 0, "%s", "") };
    cr_assert_eq(slot_of_key(bytes_of(tag)), 0);
    move.from = move.cluster->nodes[0];
    move.to = move.cluster->nodes[1];
    node_expect(move.from, "OK", "MSET %sa 1 %sb 2", tag, tag);
    node_expect(move.to, "OK", "CLUSTER SETSLOT 0 IMPORTING %s", node_id(move.from));
    node_expect(move.from, "OK", "CLUSTER SETSLOT 0 MIGRATING %s", node_id(move.to));
    return move;
}

static const char *redirect(const char *word, struct node *to)
{
    return scratch_printf("-%s 0 %s", word, node_address(to));
}

/* Keys that are there are served by the old owner, absent ones by the new one after ASKING. */
Test(reshard, redirects_of_a_slot_under_way)
{
    struct move move = begin_move();
    node_expect(move.from, "1", "GET %sa", tag);
    node_expect(move.from, redirect("ASK", move.to), "GET %sc", tag);
    node_expect(move.to, redirect("MOVED", move.from), "GET %sc", tag);
    node_expect(move.to, "OK", "ASKING");
    node_expect(move.to, "OK", "SET %sc 3", tag);
    node_expect(move.to, redirect("MOVED", move.from), "GET %sc", tag);
    node_expect(move.from, "-TRYAGAIN Multiple keys request during rehashing of slot",
        "MGET %sa %sc", tag, tag);
    node_expect(move.to, "OK", "ASKING");
    node_expect(move.to, "-TRYAGAIN Multiple keys request during rehashing of slot", "MGET %sa %sc",
        tag, tag);
    node_expect(move.from, "[1, 2]", "MGET %sa %sb", tag, tag);

    node_expect(move.from, "OK", "MIGRATE 127.0.0.1 %d %sa 0 5000", node_port(move.to), tag);
    node_expect(move.from, redirect("ASK", move.to), "GET %sa", tag);
    node_expect(move.from, "NOKEY", "MIGRATE 127.0.0.1 %d %sa 0 5000", node_port(move.to), tag);
    node_expect(
        move.from, "OK", "MIGRATE 127.0.0.1 %d %s 0 5000 KEYS %sb", node_port(move.to), "", tag);
    node_expect(move.from, "0", "CLUSTER COUNTKEYSINSLOT 0");
    node_expect(move.to, "3", "CLUSTER COUNTKEYSINSLOT 0");
    node_expect(move.to, "OK", "CLUSTER SETSLOT 0 NODE %s", node_id(move.to));
    node_expect(move.from, "OK", "CLUSTER SETSLOT 0 NODE %s", node_id(move.to));
    node_expect(move.from, redirect("MOVED", move.to), "GET %sa", tag);
    node_expect(move.to, "[1, 2, 3]", "MGET %sa %sb %sc", tag, tag, tag);
    cluster_wait_ok(move.cluster, 10000);
}

/* An expiry goes along; a key that is there already is not overwritten without REPLACE. */
Test(reshard, migrate_options)
{
    struct move move = begin_move();
    node_expect(move.from, "1", "PEXPIRE %sa 100000", tag);
    node_expect(move.from, "OK", "MIGRATE 127.0.0.1 %d %sa 0 5000 COPY", node_port(move.to), tag);
    node_expect(move.from, "1", "GET %sa", tag);
    node_expect(move.to, "OK", "ASKING");
    int64_t left = node_integer(move.to, "PTTL %sa", tag);
    cr_expect(left > 80000 && left <= 100000, "%lld", (long long)left);
    node_expect(move.from, "-ERR Target instance replied with error: BUSYKEY *",
        "MIGRATE 127.0.0.1 %d %sa 0 5000", node_port(move.to), tag);
    node_expect(
        move.from, "OK", "MIGRATE 127.0.0.1 %d %sa 0 5000 REPLACE", node_port(move.to), tag);
    node_expect(move.from, "-IOERR *", "MIGRATE 127.0.0.1 %d %sb 0 1000", port_reserve(), tag);
    node_expect(move.from, "2", "GET %sb", tag);
    node_expect(move.from, "OK", "CLUSTER SETSLOT 0 STABLE");
    node_expect(move.to, "OK", "CLUSTER SETSLOT 0 STABLE");
}

/* A slot with keys cannot be given away; one can't migrate what one has not. */
Test(reshard, refused_changes)
{
    struct move move = begin_move();
    const char *unknown = "0123456789012345678901234567890123456789";
    node_expect(move.from, "-ERR Can't assign hashslot 0 to a different node while I still hold *",
        "CLUSTER SETSLOT 0 NODE %s", node_id(move.to));
    node_expect(move.to, "-ERR I'm not the owner of hash slot 0", "CLUSTER SETSLOT 0 MIGRATING %s",
        node_id(move.from));
    node_expect(move.from, "-ERR I'm already the owner of hash slot 0",
        "CLUSTER SETSLOT 0 IMPORTING %s", node_id(move.to));
    node_expect(move.from, scratch_printf("-ERR I don't know about node %s", unknown),
        "CLUSTER SETSLOT 0 MIGRATING %s", unknown);
    node_expect(move.from, "-ERR Slot 0 is already busy", "CLUSTER ADDSLOTS 0");
    node_expect(move.from, "-ERR Invalid or out of range slot", "CLUSTER SETSLOT 16384 STABLE");
}

/* Open slots outlive a restart of both sides. */
Test(reshard, open_slot_survives_restart)
{
    struct move move = begin_move();
    node_stop(move.from);
    node_stop(move.to);
    node_restart(move.from);
    node_restart(move.to);
    cluster_wait_ok(move.cluster, 20000);
    const char *expected = scratch_printf("[0->-%s]", node_id(move.to));
    cr_expect_not_null(strstr(cluster_line_of(move.from, move.from), expected), "%s",
        cluster_line_of(move.from, move.from));
    expected = scratch_printf("[0-<-%s]", node_id(move.from));
    cr_expect_not_null(strstr(cluster_line_of(move.to, move.to), expected), "%s",
        cluster_line_of(move.to, move.to));
}
