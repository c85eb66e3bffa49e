/* Clusters under test; see the header. Everything is asked of the nodes by the commands that people
 * use: CLUSTER INFO, NODES and SLOTS. */
#include "tests/support/cluster.h"
#include "common/slot.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 500, CREATE_LIMIT_MS = 60000, OK_LIMIT_MS = 30000 };

static struct cluster *start_nodes(int primaries, int replicas, const char *config, va_list args)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));
    cr_assert_not_null(cluster);
    const char *lines = scratch_vprintf(config, args);
    cluster->primaries = primaries;
    cluster->replicas = replicas;
    cluster->count = primaries * (1 + replicas);
    for (int i = 0; i < cluster->count; i++) {
        cluster->nodes[i] =
            node_prepare("cluster-enabled yes\ncluster-node-timeout 2000\n%s", lines);
        node_spawn(cluster->nodes[i], NULL);
    }
    for (int i = 0; i < cluster->count; i++)
        node_wait_ready(cluster->nodes[i], 15000);
    return cluster;
}

struct cluster *cluster_start_nodes(int primaries, int replicas, const char *config, ...)
{
    va_list args;
    va_start(args, config);
    struct cluster *cluster = start_nodes(primaries, replicas, config, args);
    va_end(args);
    return cluster;
}

struct cluster *cluster_start(int primaries, int replicas, const char *config, ...)
{
    va_list args;
    va_start(args, config);
    struct cluster *cluster = start_nodes(primaries, replicas, config, args);
    va_end(args);
    cluster_make(cluster, CLUSTER_BY_COMMANDS);
    return cluster;
}

struct node *cluster_add_node(struct cluster *cluster, const char *program)
{
    struct node *node =
        node_start_program(program, "cluster-enabled yes\ncluster-node-timeout 2000\n");
    cluster->nodes[cluster->count++] = node;
    return node;
}

/* All nodes know all nodes, with handshakes over. */
static bool all_know_all(struct cluster *cluster)
{
    for (int i = 0; i < cluster->count; i++) {
        const char *text = node_try(cluster->nodes[i], "CLUSTER NODES");
        int lines = 0;
        if (text == NULL || strstr(text, "handshake") != NULL)
            return false;
        for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
            lines++;
        if (lines != cluster->count)
            return false;
    }
    return true;
}

static void meet(struct node *host, struct node *node)
{
    node_expect(host, "OK", "CLUSTER MEET 127.0.0.1 %d", node_port(node));
}

void cluster_introduce(struct cluster *cluster, struct node *node)
{
    meet(cluster->nodes[0], node);
    wait_until(OK_LIMIT_MS, all_know_all(cluster));
}

static void create_by_commands(struct cluster *cluster)
{
    int primaries = cluster->primaries;
    for (int i = 0; i < primaries; i++) {
        node_expect(cluster->nodes[i], "OK", "CLUSTER ADDSLOTSRANGE %d %d",
            i * SLOT_COUNT / primaries, (i + 1) * SLOT_COUNT / primaries - 1);
        node_expect(cluster->nodes[i], "OK", "CLUSTER SET-CONFIG-EPOCH %d", i + 1);
    }
    for (int i = 1; i < cluster->count; i++)
        meet(cluster->nodes[0], cluster->nodes[i]);
    wait_until(OK_LIMIT_MS, all_know_all(cluster));
    for (int i = primaries; i < cluster->count; i++) {
        struct node *primary = cluster->nodes[(i - primaries) / cluster->replicas];
        wait_until(10000,
            strcmp(node_text(cluster->nodes[i], "CLUSTER REPLICATE %s", node_id(primary)), "OK") ==
                0);
    }
}

static void create_by_tool(struct cluster *cluster, const char *before, const char *after)
{
    const char *addresses = "", *output;
    for (int i = 0; i < cluster->count; i++)
        addresses = scratch_printf("%s %s", addresses, node_address(cluster->nodes[i]));
    int status = shell_run(CREATE_LIMIT_MS, &output, "%s%s%s", before, addresses, after);
    cr_assert_eq(status, 0, "%s%s%s: exit status %d\n%s", before, addresses, after, status, output);
    if (strstr(before, "redis-cli") != NULL)
        cr_assert_not_null(strstr(output, "[OK] All 16384 slots covered."), "%s", output);
}

void cluster_make(struct cluster *cluster, enum cluster_tool tool)
{
    if (tool == CLUSTER_BY_COMMANDS)
        create_by_commands(cluster);
    else if (tool == CLUSTER_BY_REDIS_CLI)
        create_by_tool(cluster,
            scratch_printf("redis-cli --cluster create --cluster-yes --cluster-replicas %d",
                cluster->replicas),
            "");
    else
        create_by_tool(cluster,
            scratch_printf("'%s' create --yes --replicas %d", console_path(), cluster->replicas),
            "");
    cluster_wait_ok(cluster, OK_LIMIT_MS);
}

/* The port that serves each slot as the node sees it, 0: none; false where it does not answer. */
static bool read_owners(struct node *node, int *ports)
{
    redisReply *reply = client_ask(node_client(node), "CLUSTER SLOTS");
    memset(ports, 0, SLOT_COUNT * sizeof(*ports));
    bool good = reply != NULL && reply->type == REDIS_REPLY_ARRAY;
    for (size_t i = 0; good && i < reply->elements; i++) {
        redisReply **row = reply->element[i]->element;
        for (long long slot = row[0]->integer; slot <= row[1]->integer; slot++)
            ports[slot] = (int)row[2]->element[1]->integer;
    }
    if (reply != NULL)
        freeReplyObject(reply);
    return good;
}

bool cluster_agrees(struct cluster *cluster)
{
    int first[SLOT_COUNT], ports[SLOT_COUNT];
    bool have_first = false;
    for (int i = 0; i < cluster->count; i++) {
        if (!node_runs(cluster->nodes[i]))
            continue;
        if (!read_owners(cluster->nodes[i], ports))
            return false;
        if (!have_first)
            memcpy(first, ports, sizeof(first));
        have_first = true;
        for (int slot = 0; slot < SLOT_COUNT; slot++)
            if (ports[slot] == 0 || ports[slot] != first[slot])
                return false;
    }
    return have_first;
}

const char *node_id(struct node *node)
{
    return node_text(node, "CLUSTER MYID");
}

const char *node_role(struct node *node)
{
    const char *role = node_info(node, "role");
    return role != NULL ? role : "";
}

struct node *cluster_node_by_id(struct cluster *cluster, const char *id)
{
    for (int i = 0; i < cluster->count; i++) {
        struct node *node = cluster->nodes[i];
        if (node_runs(node) && strcmp(node_id(node), id) == 0)
            return node;
    }
    return NULL;
}

static struct node *node_by_port(struct cluster *cluster, int port)
{
    for (int i = 0; i < cluster->count; i++)
        if (node_port(cluster->nodes[i]) == port)
            return cluster->nodes[i];
    return NULL;
}

static bool owners(struct cluster *cluster, int *ports)
{
    for (int i = 0; i < cluster->count; i++)
        if (node_runs(cluster->nodes[i]) && read_owners(cluster->nodes[i], ports))
            return true;
    return false;
}

struct node *cluster_owner_of_slot(struct cluster *cluster, unsigned slot)
{
    int ports[SLOT_COUNT];
    return owners(cluster, ports) ? node_by_port(cluster, ports[slot]) : NULL;
}

struct node *cluster_owner_of_key(struct cluster *cluster, const char *key)
{
    return cluster_owner_of_slot(cluster, slot_of_key(bytes_of(key)));
}

struct node *cluster_replica_of(struct cluster *cluster, struct node *primary)
{
    for (int i = 0; i < cluster->count; i++) {
        struct node *node = cluster->nodes[i];
        if (node_runs(node) && strcmp(node_role(node), "slave") == 0 &&
            node_info_number(node, "master_port") == node_port(primary))
            return node;
    }
    return NULL;
}

/* The line of a node in a text of CLUSTER NODES; "" where it has none. */
static const char *line_in(const char *text, struct node *node)
{
    const char *address = scratch_printf(" %s@", node_address(node));
    for (const char *line = text; line != NULL && *line != 0;) {
        size_t len = strcspn(line, "\n");
        const char *copy = scratch_copy(line, len);
        if (strstr(copy, address) != NULL)
            return copy;
        line += len + (line[len] != 0);
    }
    return "";
}

static bool has_flag(const char *line, const char *flag)
{
    char flags[256] = "", *rest = NULL;
    if (sscanf(line, "%*s %*s %255s", flags) != 1)
        return false;
    for (char *word = strtok_r(flags, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest))
        if (strcmp(word, flag) == 0)
            return true;
    return false;
}

const char *cluster_line_of(struct node *observer, struct node *node)
{
    return line_in(node_try(observer, "CLUSTER NODES"), node);
}

bool cluster_sees(struct node *observer, struct node *node, const char *flag)
{
    return has_flag(cluster_line_of(observer, node), flag);
}

/* Whether the node sees those that run as what they say they are themselves. */
static bool sees_all_well(struct cluster *cluster, struct node *node, const char *const *roles)
{
    const char *text = node_try(node, "CLUSTER NODES");
    for (int i = 0; i < cluster->count; i++) {
        if (!node_runs(cluster->nodes[i]))
            continue;
        const char *line = line_in(text, cluster->nodes[i]);
        if (!has_flag(line, roles[i]) || has_flag(line, "fail") || has_flag(line, "fail?") ||
            has_flag(line, "handshake"))
            return false;
    }
    return true;
}

static bool node_is_ok(struct cluster *cluster, struct node *node, const char *const *roles)
{
    const char *state = info_field(node_try(node, "CLUSTER INFO"), "cluster_state");
    if (state == NULL || strcmp(state, "ok") != 0 || !sees_all_well(cluster, node, roles))
        return false;
    if (strcmp(node_role(node), "slave") != 0)
        return true;
    const char *link = node_info(node, "master_link_status");
    return link != NULL && strcmp(link, "up") == 0;
}

bool cluster_is_well(struct cluster *cluster)
{
    const char *roles[sizeof(cluster->nodes) / sizeof(*cluster->nodes)] = { 0 };
    for (int i = 0; i < cluster->count; i++)
        if (node_runs(cluster->nodes[i]))
            roles[i] = node_role(cluster->nodes[i]);
    for (int i = 0; i < cluster->count; i++)
        if (node_runs(cluster->nodes[i]) && !node_is_ok(cluster, cluster->nodes[i], roles))
            return false;
    return cluster_agrees(cluster);
}

void cluster_wait_ok(struct cluster *cluster, int limit_ms)
{
    if (wait_for(limit_ms, cluster_is_well(cluster)))
        return;
    for (int i = 0; i < cluster->count; i++)
        if (node_runs(cluster->nodes[i]))
            fprintf(stderr, "%s (%s):\n%s", node_address(cluster->nodes[i]),
                info_field(node_try(cluster->nodes[i], "CLUSTER INFO"), "cluster_state"),
                node_try(cluster->nodes[i], "CLUSTER NODES"));
    cr_assert_fail("after %d ms the cluster was not ok", limit_ms);
}

/* Runs one command for each key by way of the key's owner, a batch at a time; gives how many
 * replies were not as expected. */
static int run_batches(struct cluster *cluster, const char *prefix, int count, bool write)
{
    int ports[SLOT_COUNT], wrong = 0;
    cr_assert(owners(cluster, ports), "no node answers CLUSTER SLOTS");
    for (int at = 0; at < count; at += BATCH) {
        struct node *owner[BATCH];
        int size = count - at < BATCH ? count - at : BATCH;
        for (int i = 0; i < size; i++) {
            char key[128];
            snprintf(key, sizeof(key), "%s%d", prefix, at + i);
            owner[i] = node_by_port(cluster, ports[slot_of_key(bytes_of(key))]);
            cr_assert_not_null(owner[i], "nobody serves the slot of %s", key);
            if (write)
                client_queue(node_client(owner[i]), "SET %s value-of-%s", key, key);
            else
                client_queue(node_client(owner[i]), "GET %s", key);
        }
        for (int i = 0; i < size; i++) {
            char expected[256];
            snprintf(expected, sizeof(expected), "value-of-%s%d", prefix, at + i);
            redisReply *reply = client_next(node_client(owner[i]));
            wrong += reply == NULL || reply->str == NULL ||
                     strcmp(reply->str, write ? "OK" : expected) != 0;
            if (reply != NULL)
                freeReplyObject(reply);
        }
    }
    return wrong;
}

void cluster_fill(struct cluster *cluster, const char *prefix, int count)
{
    cr_assert_eq(run_batches(cluster, prefix, count, true), 0, "a write was refused");
}

int cluster_verify(struct cluster *cluster, const char *prefix, int count)
{
    return run_batches(cluster, prefix, count, false);
}

int64_t cluster_keys(struct cluster *cluster)
{
    int64_t keys = 0;
    for (int i = 0; i < cluster->count; i++)
        if (node_runs(cluster->nodes[i]) && strcmp(node_role(cluster->nodes[i]), "master") == 0)
            keys += node_integer(cluster->nodes[i], "DBSIZE");
    return keys;
}
