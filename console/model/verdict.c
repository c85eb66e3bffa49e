/* The first line. Judges are asked in the order of what hurts most; the first that has something to
 * say (it writes its sentence and returns true) gives the verdict. */
#include "common/buffer.h"
#include "console/model/build.h"
#include <stdio.h>

enum { DISPUTE_PATIENCE_MS = 5000 }; /* gossip needs a moment after each move */

static bool nobody_answers(const struct model *model, int64_t now, struct buffer *out)
{
    for (size_t i = 0; i < model->node_count; i++) {
        if (!model_node_is_lost(model->nodes[i])) {
            return false;
        }
    }
    buffer_append_text(out, "no node answers: ");
    buffer_append_text(out, model->node_count > 0 ? model->nodes[0]->trouble : "none is known");
    return true;
}

static unsigned working_replicas(const struct model *model, const struct model_shard *shard)
{
    unsigned count = 0;
    for (unsigned m = 0; m < shard->member_count; m++) {
        const struct model_node *node = model->nodes[shard->members[m]];
        count += node->replica && !model_node_is_lost(node);
    }
    return count;
}

/* " 12 s"; nothing where it has only just begun: the event that tells of it has its own time. */
struct since {
    char text[32];
};

static struct since since(int64_t ms)
{
    enum { WORTH_TELLING_MS = 1000 };
    struct since since = { "" };
    char age[24];
    if (ms >= WORTH_TELLING_MS) {
        snprintf(since.text, sizeof since.text, " %s", model_write_age(ms, age, sizeof age));
    }
    return since;
}

/* "slots 0-5460 not served: 7001 down 12 s, no replica" */
static bool slots_not_served(const struct model *model, int64_t now, struct buffer *out)
{
    struct slot_set set = { { 0 } };
    int owner = MODEL_NOBODY;
    unsigned owners = 0;
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        if (model->slots[s].owner != MODEL_NOBODY && !model->slots[s].served) {
            slot_set_add(&set, s);
            owners += model->slots[s].owner != owner;
            owner = model->slots[s].owner;
        }
    }
    if (owner == MODEL_NOBODY) {
        return false;
    }
    const struct model_node *node = model->nodes[owner];
    char name[64];
    buffer_append_text(out, "slots ");
    model_write_ranges(&set, 3, out);
    buffer_printf(out, " not served: %s %s%s", model_node_name(model, owner, name, sizeof name),
        model_node_is_lost(node) ? "down" : "loading",
        since(now - (node->lost_at != 0 ? node->lost_at : node->health_since)).text);
    unsigned replicas = node->shard >= 0 ? working_replicas(model, &model->shards[node->shard]) : 0;
    buffer_append_text(out, replicas > 0 ? ", a replica can take over" : ", no replica");
    if (owners > 1) {
        buffer_append_text(out, "; others too");
    }
    return true;
}

static bool slots_without_owner(const struct model *model, int64_t now, struct buffer *out)
{
    struct slot_set set = { { 0 } };
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        if (model->slots[s].owner == MODEL_NOBODY) {
            slot_set_add(&set, s);
        }
    }
    if (model->covered == SLOT_COUNT) {
        return false;
    }
    buffer_printf(out, "%u slots have no owner: ", SLOT_COUNT - model->covered);
    model_write_ranges(&set, 4, out);
    return true;
}

static bool node_says_fail(const struct model *model, int64_t now, struct buffer *out)
{
    char name[64];
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (node->has_view && !model_node_is_lost(node) && !node->says_ok) {
            buffer_printf(out, "%s refuses commands: its cluster_state is fail",
                model_node_name(model, (int)i, name, sizeof name));
            return true;
        }
    }
    return false;
}

static bool node_is_lost(const struct model *model, int64_t now, struct buffer *out)
{
    char name[64];
    unsigned count = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (model_node_is_lost(node) && count++ < 3) {
            buffer_printf(out, "%s%s%s down%s", count > 1 ? ", " : "",
                node->replica ? "replica " : "", model_node_name(model, (int)i, name, sizeof name),
                since(now - (node->lost_at != 0 ? node->lost_at : now)).text);
        }
    }
    if (count > 3) {
        buffer_printf(out, " and %u more", count - 3);
    }
    return count > 0;
}

static bool node_is_suspected(const struct model *model, int64_t now, struct buffer *out)
{
    char name[64];
    for (size_t i = 0; i < model->node_count; i++) {
        if (model->nodes[i]->health == MODEL_SUSPECTED) {
            buffer_printf(out, "%s is suspected to be down by other nodes",
                model_node_name(model, (int)i, name, sizeof name));
            return true;
        }
    }
    return false;
}

static bool slots_are_disputed(const struct model *model, int64_t now, struct buffer *out)
{
    if (model->disputed == 0 || now - model->disputed_since < DISPUTE_PATIENCE_MS) {
        return false;
    }
    struct slot_set set = { { 0 } };
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        if (model->slots[s].disputed) {
            slot_set_add(&set, s);
        }
    }
    buffer_printf(out, "nodes disagree who has %u slot%s: ", model->disputed,
        model->disputed == 1 ? "" : "s");
    model_write_ranges(&set, 4, out);
    return true;
}

static bool replica_is_behind(const struct model *model, int64_t now, struct buffer *out)
{
    char name[64];
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (node->health == MODEL_LOADING) {
            model_node_name(model, (int)i, name, sizeof name);
            buffer_printf(out,
                node->figures.loading   ? "%s is reading its data"
                : node->figures.syncing ? "replica %s gets a full copy of its primary"
                                        : "replica %s has no link to its primary",
                name);
            return true;
        }
    }
    return false;
}

static bool slots_are_open(const struct model *model, int64_t now, struct buffer *out)
{
    if (model->open > 0) {
        buffer_printf(out, "%u slot%s on the way", model->open, model->open == 1 ? " is" : "s are");
    }
    return model->open > 0;
}

static const struct {
    bool (*judge)(const struct model *model, int64_t now, struct buffer *out);
    enum model_level level;
} judges[] = {
    { nobody_answers, MODEL_FAIL },
    { slots_not_served, MODEL_FAIL },
    { slots_without_owner, MODEL_FAIL },
    { node_says_fail, MODEL_FAIL },
    { node_is_lost, MODEL_WARNING },
    { node_is_suspected, MODEL_WARNING },
    { slots_are_disputed, MODEL_WARNING },
    { replica_is_behind, MODEL_WARNING },
    { slots_are_open, MODEL_WARNING },
};

static void set_verdict(struct model *model, enum model_level level, const struct buffer *text,
    int64_t now, int64_t wall)
{
    struct model_verdict *verdict = &model->verdict;
    snprintf(verdict->text, sizeof verdict->text, "%.*s", (int)text->len,
        text->data != NULL ? text->data : "");
    if (level == verdict->level) {
        return;
    }
    bool first = verdict->level == MODEL_WAITING;
    char age[24];
    if (level == MODEL_OK && !first) {
        model_log_add(&model->log, wall, MODEL_EVENT_STATE, MODEL_GOOD, "OK again after %s",
            model_write_age(now - verdict->since, age, sizeof age));
    } else if (level != MODEL_OK) {
        model_log_add(&model->log, wall, MODEL_EVENT_STATE,
            level == MODEL_FAIL ? MODEL_BAD : MODEL_NEUTRAL, "%s: %s",
            level == MODEL_FAIL ? "FAIL" : "warning", verdict->text);
    }
    verdict->level = level;
    verdict->since = now;
}

void model_judge(struct model *model, int64_t now, int64_t wall)
{
    if (model->rounds == 0) {
        return; /* MODEL_WAITING until all were asked */
    }
    struct buffer text = { 0 };
    enum model_level level = MODEL_OK;
    for (size_t i = 0; level == MODEL_OK && i < sizeof judges / sizeof *judges; i++) {
        if (judges[i].judge(model, now, &text)) {
            level = judges[i].level;
        }
    }
    set_verdict(model, level, &text, now, wall);
    buffer_free(&text);
}
