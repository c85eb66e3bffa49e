/* check and wait: what is wrong, and waiting until nothing is. */
#include "console/operation/check.h"
#include "console/batch/command.h"
#include "console/client/client.h"
#include <stdio.h>

enum { WAIT_DEFAULT_MS = 60000 };

static void print_finding(const struct batch *batch, const struct check_finding *finding)
{
    static const char *const colors[] = {
        [CHECK_NOTE] = "",
        [CHECK_WARNING] = "\033[33m",
        [CHECK_PROBLEM] = "\033[31m",
    };
    const char *color = batch->color ? colors[finding->severity] : "";
    batch_print(batch, "%s%s%s: %s\n", color, check_severity_text(finding->severity),
        color[0] != '\0' ? "\033[0m" : "", finding->text);
    if (finding->repair[0] != '\0') {
        batch_print(batch, "    repair: %s\n", finding->repair);
    }
}

int batch_check(struct batch *batch, const struct batch_arguments *arguments)
{
    struct model *model = batch_model(batch);
    if (model == NULL) {
        return BATCH_NO_CONNECTION;
    }
    struct check check;
    check_build(model, &check);
    for (size_t i = 0; i < check.count; i++) {
        print_finding(batch, &check.findings[i]);
    }
    batch_print(batch, "%s%zu nodes, %u of %d slots served: %u problem%s, %u warning%s\n",
        check.problems + check.warnings == 0 ? "OK  " : "", model->node_count, model->served,
        SLOT_COUNT, check.problems, check.problems == 1 ? "" : "s", check.warnings,
        check.warnings == 1 ? "" : "s");
    batch_set(batch, "problems", json_integer(check.problems));
    batch_set(batch, "warnings", json_integer(check.warnings));
    batch_set(batch, "slots_served", json_integer(model->served));
    batch_set(batch, "findings", check_to_json(&check));
    int code = check.problems + check.warnings > 0 ? BATCH_PROBLEM : BATCH_DONE;
    check_free(&check);
    return code;
}

/* Served by all, and all that answer say so: a replica that is down doesn't make a cluster wait. */
static bool is_ok(const struct model *model)
{
    if (model->served != SLOT_COUNT || model->disputed > 0) {
        return false;
    }
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (!model_node_is_lost(node) &&
            (!node->has_view || !node->says_ok || node->health == MODEL_SUSPECTED)) {
            return false;
        }
    }
    return true;
}

struct waiting {
    const struct model *model;
    uint64_t rounds; /* before that, what the model knows is from before we came */
};

static bool is_ok_by_now(void *context)
{
    const struct waiting *waiting = context;
    return waiting->model->rounds >= waiting->rounds && is_ok(waiting->model);
}

/* Why not: nobody answers, or the verdict, or only that nodes haven't agreed yet. */
static int still_not_ok(struct batch *batch, const struct model *model, int64_t limit_ms)
{
    char age[24];
    bool any = false;
    model_write_age(limit_ms, age, sizeof age);
    for (size_t i = 0; i < model->node_count; i++) {
        any |= model->nodes[i]->heard_at != 0;
    }
    if (!any) {
        return batch_fail(batch, BATCH_NO_CONNECTION, "no node answers after %s: %s", age,
            model->nodes[0]->trouble);
    }
    return batch_fail(batch, BATCH_PROBLEM, "not ok after %s: %s", age,
        model->verdict.text[0] != '\0' ? model->verdict.text : "the nodes don't agree yet");
}

int batch_wait_ok(struct batch *batch, int64_t limit_ms)
{
    int64_t start = client_now();
    struct model *model = batch_watch(batch);
    struct waiting waiting = { model, model_request_round(model) };
    char age[24];
    bool ok = client_run_until(batch->client, is_ok_by_now, &waiting, limit_ms);
    batch_set(batch, "waited_ms", json_integer(client_now() - start));
    if (!ok) {
        return still_not_ok(batch, model, limit_ms);
    }
    batch_print(batch, "OK after %s\n", model_write_age(client_now() - start, age, sizeof age));
    return BATCH_DONE;
}

int batch_wait(struct batch *batch, const struct batch_arguments *arguments)
{
    if (strcmp(arguments->words[0], "ok") != 0) {
        return batch_fail(
            batch, BATCH_USAGE, "wait knows only \"ok\", not \"%.60s\"", arguments->words[0]);
    }
    return batch_wait_ok(
        batch, batch->options.timeout_ms > 0 ? batch->options.timeout_ms : WAIT_DEFAULT_MS);
}
