/* up and down: nodes on this machine, for a first look and for tests. Both look first, so that run
 * twice they find nothing to do. */
#include "console/batch/command.h"
#include "console/client/client.h"
#include "console/operation/local.h"
#include <stdio.h>
#include <stdlib.h>

enum { NODES_DEFAULT = 6, PORT_DEFAULT = 7001, REPLICAS_DEFAULT = 1, WAIT_DEFAULT_MS = 60000 };

struct fleet {
    struct batch *batch;
    const char *dir;
    int64_t count, port, replicas;
    char server[LOCAL_PATH_MAX];
    bool running[LOCAL_NODES_MAX];
    unsigned absent;
};

static int64_t limit(const struct batch *batch)
{
    return batch->options.timeout_ms > 0 ? batch->options.timeout_ms : WAIT_DEFAULT_MS;
}

static bool read_number(struct batch *batch, const char *name, const char *text, int64_t otherwise,
    int64_t min, int64_t max, int64_t *number)
{
    *number = otherwise;
    return text == NULL || batch_number(batch, name, text, min, max, number);
}

static bool read_fleet(struct fleet *fleet, const struct batch_arguments *arguments)
{
    struct batch *batch = fleet->batch;
    const char *const *values = arguments->values;
    struct error error;
    fleet->dir = values[UP_DIR];
    if (fleet->dir == NULL || fleet->dir[0] == '\0') {
        batch_fail(batch, BATCH_USAGE, "up wants --dir DIR: the folder for the nodes' folders");
        return false;
    }
    if (!read_number(
            batch, "--nodes", values[UP_NODES], NODES_DEFAULT, 1, LOCAL_NODES_MAX, &fleet->count) ||
        !read_number(batch, "--port", values[UP_PORT], PORT_DEFAULT, 1, 55535, &fleet->port) ||
        !read_number(
            batch, "--replicas", values[UP_REPLICAS], REPLICAS_DEFAULT, 0, 100, &fleet->replicas)) {
        return false;
    }
    if (fleet->port + fleet->count - 1 > 55535) {
        batch_fail(batch, BATCH_USAGE,
            "--port: the last node would have port %lld; 55535 is the highest, "
            "for the bus is 10000 above",
            (long long)(fleet->port + fleet->count - 1));
        return false;
    }
    if (fleet->count / (fleet->replicas + 1) < 3) {
        batch_fail(batch, BATCH_USAGE,
            "%lld nodes with %lld replicas each make fewer than 3 primaries; "
            "give at least --nodes %lld",
            (long long)fleet->count, (long long)fleet->replicas,
            (long long)(3 * (fleet->replicas + 1)));
        return false;
    }
    if (!local_find_server(values[UP_SERVER], fleet->server, &error)) {
        batch_fail(batch, BATCH_PROBLEM, "%s", error.text);
        return false;
    }
    return true;
}

static bool probe_all(struct fleet *fleet)
{
    for (int64_t i = 0; i < fleet->count; i++) {
        struct error error;
        enum local_state state;
        if (!local_probe(
                fleet->batch->client, fleet->dir, (uint16_t)(fleet->port + i), &state, &error)) {
            batch_fail(fleet->batch, BATCH_PROBLEM, "%s", error.text);
            return false;
        }
        fleet->running[i] = state == LOCAL_RUNNING;
        fleet->absent += state == LOCAL_ABSENT;
    }
    return true;
}

static bool start_all(struct fleet *fleet)
{
    for (int64_t i = 0; i < fleet->count; i++) {
        struct error error;
        uint16_t port = (uint16_t)(fleet->port + i);
        if (fleet->running[i]) {
            batch_print(fleet->batch, "%u runs already\n", port);
        } else if (local_start(fleet->batch->client, fleet->dir, port, fleet->server,
                       limit(fleet->batch), &error)) {
            batch_print(fleet->batch, "%u started\n", port);
        } else {
            batch_fail(fleet->batch, BATCH_PROBLEM, "%s", error.text);
            return false;
        }
    }
    return true;
}

/* Whether the first node knows others or has slots: then it's in a cluster, and that is left alone.
 */
static bool is_cluster(const struct model *model)
{
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (node->has_view && (node->view.line_count > 1 || node->view.range_count > 0)) {
            return true;
        }
    }
    return false;
}

static int create(struct fleet *fleet)
{
    struct batch *batch = fleet->batch;
    struct address addresses[LOCAL_NODES_MAX];
    for (int64_t i = 0; i < fleet->count; i++) {
        addresses[i] = (struct address){ .ip = "127.0.0.1", .port = (uint16_t)(fleet->port + i) };
    }
    bool yes = batch->options.yes;
    batch->options.yes = true; /* asked for all of it before */
    int code =
        batch_create_cluster(batch, addresses, (size_t)fleet->count, (unsigned)fleet->replicas);
    batch->options.yes = yes;
    return code;
}

static void use_first_node(struct fleet *fleet)
{
    struct batch *batch = fleet->batch;
    batch->options.seed = (struct address){ .ip = "127.0.0.1", .port = (uint16_t)fleet->port };
    model_free(batch->model);
    batch->model = NULL;
}

static int bring_up(struct fleet *fleet)
{
    struct batch *batch = fleet->batch;
    char question[LOCAL_PATH_MAX + 100];
    snprintf(question, sizeof question, "start %u node%s (%s) in %s", fleet->absent,
        fleet->absent == 1 ? "" : "s", fleet->server, fleet->dir);
    if (fleet->absent > 0) {
        batch_print(batch, "%s\n", question);
        batch_set(batch, "plan", json_string(question));
    }
    if (batch->options.dry_run) {
        batch_print(batch,
            "and make them a cluster with %lld replica%s for each primary, where they are none "
            "yet\n",
            (long long)fleet->replicas, fleet->replicas == 1 ? "" : "s");
        return BATCH_DONE;
    }
    if (fleet->absent > 0 && !batch_confirm(batch, "Do it?")) {
        return BATCH_NOT_CONFIRMED;
    }
    if (!start_all(fleet)) {
        return BATCH_PROBLEM;
    }
    use_first_node(fleet);
    struct model *model = batch_model(batch);
    if (model == NULL) {
        return BATCH_NO_CONNECTION;
    }
    if (is_cluster(model)) {
        return batch_wait_ok(batch, limit(batch));
    }
    if (fleet->absent == 0 && !batch_confirm(batch, "make these nodes a cluster?")) {
        return BATCH_NOT_CONFIRMED;
    }
    return create(fleet);
}

int batch_up(struct batch *batch, const struct batch_arguments *arguments)
{
    struct fleet fleet = { .batch = batch };
    if (!read_fleet(&fleet, arguments)) {
        return batch->error[0] != '\0' && strstr(batch->error, "--server") != NULL ? BATCH_PROBLEM
                                                                                   : BATCH_USAGE;
    }
    int code = probe_all(&fleet) ? bring_up(&fleet) : BATCH_PROBLEM;
    batch_set(batch, "started", json_integer(fleet.absent));
    batch_set(batch, "running", json_integer(fleet.count - fleet.absent));
    return code;
}

int batch_down(struct batch *batch, const struct batch_arguments *arguments)
{
    const char *dir = arguments->values[DOWN_DIR];
    uint16_t ports[LOCAL_NODES_MAX];
    size_t count;
    unsigned stopped = 0;
    struct error error;
    if (dir == NULL) {
        return batch_fail(batch, BATCH_USAGE, "down wants --dir DIR: the folder that up was given");
    }
    if (!local_list(dir, ports, &count, &error)) {
        return batch_fail(batch, BATCH_USAGE, "%s", error.text);
    }
    batch_print(batch, "stop %zu nodes in %s\n", count, dir);
    if (batch->options.dry_run) {
        return BATCH_DONE;
    }
    if (!batch_confirm(batch, "Do it?")) {
        return BATCH_NOT_CONFIRMED;
    }
    for (size_t i = 0; i < count; i++) {
        bool was_running;
        if (!local_stop(batch->client, dir, ports[i], limit(batch), &was_running, &error)) {
            return batch_fail(batch, BATCH_PROBLEM, "%s", error.text);
        }
        batch_print(batch, "%u %s\n", ports[i], was_running ? "stopped" : "wasn't running");
        stopped += was_running;
    }
    batch_set(batch, "stopped", json_integer(stopped));
    return BATCH_DONE;
}
