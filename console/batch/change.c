/* The commands that change a cluster: their arguments become a request, the request a plan. */
#include "common/memory.h"
#include "console/batch/command.h"
#include "console/client/resolve.h"
#include <stdio.h>
#include <stdlib.h>

/* --- create --- */

static int parse_addresses(
    struct batch *batch, const struct batch_arguments *arguments, struct address *addresses)
{
    struct error error;
    for (int i = 0; i < arguments->count; i++) {
        if (!address_parse(bytes_of(arguments->words[i]), &addresses[i], &error) ||
            addresses[i].port == 0) {
            return batch_fail(batch, BATCH_USAGE, "\"%.100s\" is no address: it must be host:port",
                arguments->words[i]);
        }
        if (!client_resolve(&addresses[i], &error)) {
            return batch_fail(batch, BATCH_NO_CONNECTION, "%s", error.text);
        }
    }
    return BATCH_DONE;
}

int batch_create_cluster(
    struct batch *batch, const struct address *addresses, size_t count, unsigned replicas)
{
    struct plan plan;
    struct error error;
    struct model_options options = { .limit_ms = batch_request_ms(batch) };
    model_free(batch->model); /* of the -h -p node, which isn't asked here */
    batch->model = model_new(batch->client, addresses, count, &options);
    batch->options.seed = addresses[0];
    if (!model_refresh(batch->model, &error)) {
        return batch_fail(batch, BATCH_NO_CONNECTION, "%s", error.text);
    }
    if (!plan_create(batch->model, addresses, count, replicas, &plan, &error)) {
        return batch_fail(batch, BATCH_PROBLEM, "%s", error.text);
    }
    return batch_run_plan(batch, &plan);
}

int batch_create(struct batch *batch, const struct batch_arguments *arguments)
{
    int64_t replicas = 0;
    const char *text = arguments->values[CREATE_REPLICAS];
    if (text != NULL && !batch_number(batch, "--replicas", text, 0, 100, &replicas)) {
        return BATCH_USAGE;
    }
    struct address *addresses = memory_alloc((size_t)arguments->count * sizeof *addresses);
    int code = parse_addresses(batch, arguments, addresses);
    if (code == BATCH_DONE) {
        code = batch_create_cluster(batch, addresses, (size_t)arguments->count, (unsigned)replicas);
    }
    free(addresses);
    return code;
}

/* --- reshard --- */

/* "A,B": nodes, or letters of shards. */
static bool parse_sources(
    struct batch *batch, const struct model *model, const char *text, int *sources, size_t *count)
{
    struct error error;
    *count = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        int node = model_find_node(model, (struct bytes){ text, len }, &error);
        if (node == MODEL_NOBODY) {
            batch_fail(batch, BATCH_USAGE, "--from: %s", error.text);
            return false;
        }
        if (*count == model->node_count) {
            batch_fail(batch, BATCH_USAGE, "--from names more nodes than there are");
            return false;
        }
        sources[(*count)++] = node;
        text += len + (text[len] == ',');
    }
    return true;
}

/* Reads the options into the request; ranges and sources are the caller's memory. */
static bool read_reshard(struct batch *batch, const struct batch_arguments *arguments,
    const struct model *model, struct plan_reshard_request *request, struct slot_set *ranges,
    int *sources)
{
    struct error error;
    int64_t slots;
    const char *const *values = arguments->values;
    if (values[RESHARD_TO] == NULL) {
        batch_fail(batch, BATCH_USAGE, "reshard wants --to NODE: who gets the slots");
        return false;
    }
    if ((values[RESHARD_SLOTS] == NULL) == (values[RESHARD_RANGE] == NULL)) {
        batch_fail(
            batch, BATCH_USAGE, "reshard wants either --slots N or --range FIRST-LAST[,...]");
        return false;
    }
    request->to = model_find_node(model, bytes_of(values[RESHARD_TO]), &error);
    if (request->to == MODEL_NOBODY) {
        batch_fail(batch, BATCH_USAGE, "--to: %s", error.text);
        return false;
    }
    if (values[RESHARD_SLOTS] != NULL) {
        if (!batch_number(batch, "--slots", values[RESHARD_SLOTS], 1, SLOT_COUNT, &slots)) {
            return false;
        }
        request->slots = (unsigned)slots;
    } else {
        if (!slot_set_parse(bytes_of(values[RESHARD_RANGE]), ranges, &error)) {
            batch_fail(batch, BATCH_USAGE, "--range: %s", error.text);
            return false;
        }
        request->ranges = ranges;
    }
    request->from = sources;
    request->replace = values[RESHARD_REPLACE] != NULL;
    return values[RESHARD_FROM] == NULL ||
           parse_sources(batch, model, values[RESHARD_FROM], sources, &request->from_count);
}

int batch_reshard(struct batch *batch, const struct batch_arguments *arguments)
{
    struct model *model = batch_model(batch);
    if (model == NULL) {
        return BATCH_NO_CONNECTION;
    }
    struct slot_set ranges = { { 0 } };
    struct plan_reshard_request request = { 0 };
    int *sources = memory_alloc(model->node_count * sizeof *sources);
    int code = BATCH_USAGE;
    if (read_reshard(batch, arguments, model, &request, &ranges, sources)) {
        struct plan plan;
        struct error error;
        code = plan_reshard(model, &request, &plan, &error)
                   ? batch_run_plan(batch, &plan)
                   : batch_fail(batch, BATCH_PROBLEM, "%s", error.text);
    }
    free(sources);
    return code;
}

/* --- failover --- */

int batch_failover(struct batch *batch, const struct batch_arguments *arguments)
{
    bool force = arguments->values[FAILOVER_FORCE] != NULL;
    bool takeover = arguments->values[FAILOVER_TAKEOVER] != NULL;
    struct plan plan;
    struct error error;
    if (force && takeover) {
        return batch_fail(batch, BATCH_USAGE, "--force and --takeover: give one of them");
    }
    struct model *model = batch_model(batch);
    if (model == NULL) {
        return BATCH_NO_CONNECTION;
    }
    int node = model_find_node(model, bytes_of(arguments->words[0]), &error);
    if (node == MODEL_NOBODY) {
        return batch_fail(batch, BATCH_USAGE, "%s", error.text);
    }
    enum plan_failover_mode mode = takeover ? PLAN_FAILOVER_TAKEOVER
                                   : force  ? PLAN_FAILOVER_FORCE
                                            : PLAN_FAILOVER_PLAIN;
    if (!plan_failover(model, node, mode, &plan, &error)) {
        return batch_fail(batch, BATCH_PROBLEM, "%s", error.text);
    }
    return batch_run_plan(batch, &plan);
}
