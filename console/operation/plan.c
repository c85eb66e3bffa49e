/* Plans as values: their parts, and how they are shown. What a step says is a row of a table. */
#include "console/operation/plan.h"
#include "common/memory.h"
#include "console/model/model.h"
#include "console/operation/plan_build.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void plan_free(struct plan *plan)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        free(plan->steps[i].slots);
    }
    free(plan->steps);
    free(plan->nodes);
    *plan = (struct plan){ 0 };
}

/* --- building, see plan_build.h --- */

int plan_add_node(struct plan *plan, const struct model *model, int index)
{
    const struct model_node *from = model->nodes[index];
    for (size_t i = 0; i < plan->node_count; i++) {
        if (node_id_equal(&plan->nodes[i].id, &from->id)) {
            return (int)i;
        }
    }
    plan->nodes = memory_resize(plan->nodes, (plan->node_count + 1) * sizeof *plan->nodes);
    struct plan_node *node = &plan->nodes[plan->node_count];
    *node =
        (struct plan_node){ .id = from->id, .address = from->address, .primary = !from->replica };
    model_node_name(model, index, node->name, sizeof node->name);
    if (from->shard >= 0) {
        snprintf(node->letter, sizeof node->letter, "%s", model->shards[from->shard].letter);
    }
    node->slots_before = node->slots_after = from->slot_count;
    return (int)plan->node_count++;
}

struct plan_step *plan_add_step(struct plan *plan, enum plan_step_kind kind, int node, int peer)
{
    plan->steps = memory_resize(plan->steps, (plan->step_count + 1) * sizeof *plan->steps);
    struct plan_step *step = &plan->steps[plan->step_count++];
    *step = (struct plan_step){ .kind = kind, .node = node, .peer = peer, .keys = -1, .bytes = -1 };
    return step;
}

void plan_note(struct plan *plan, const char *format, ...)
{
    size_t len = strlen(plan->notes);
    va_list args;
    va_start(args, format);
    vsnprintf(plan->notes + len, sizeof plan->notes - len, format, args);
    va_end(args);
    len = strlen(plan->notes);
    if (len + 1 < sizeof plan->notes) {
        plan->notes[len] = '\n';
        plan->notes[len + 1] = '\0';
    }
}

void plan_copy(struct plan *to, const struct plan *from)
{
    *to = *from;
    to->nodes = memory_copy(from->nodes, from->node_count * sizeof *from->nodes);
    to->steps = memory_copy(from->steps, from->step_count * sizeof *from->steps);
    for (size_t i = 0; i < to->step_count; i++) {
        if (from->steps[i].slots != NULL) {
            to->steps[i].slots = memory_copy(from->steps[i].slots, sizeof *from->steps[i].slots);
        }
    }
}

/* --- counting --- */

unsigned plan_slot_count(const struct plan *plan)
{
    unsigned count = 0;
    for (size_t i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].kind == PLAN_MOVE) {
            count += slot_set_count(plan->steps[i].slots);
        }
    }
    return count;
}

/* Sums a figure of the moves; -1 where one isn't known. */
static int64_t sum_moves(const struct plan *plan, bool bytes)
{
    int64_t sum = 0;
    for (size_t i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].kind != PLAN_MOVE) {
            continue;
        }
        int64_t figure = bytes ? plan->steps[i].bytes : plan->steps[i].keys;
        if (figure < 0) {
            return -1;
        }
        sum += figure;
    }
    return sum;
}

int64_t plan_key_count(const struct plan *plan)
{
    return sum_moves(plan, false);
}

/* --- words --- */

static void write_name(const struct plan *plan, int index, struct buffer *out)
{
    const struct plan_node *node = &plan->nodes[index];
    buffer_printf(out, "%s%s%s", node->letter, node->letter[0] != '\0' ? " " : "", node->name);
}

static void write_amount(int64_t keys, int64_t bytes, struct buffer *out)
{
    static const char *const units[] = { "bytes", "KB", "MB", "GB", "TB" };
    if (keys < 0) {
        return;
    }
    buffer_printf(out, " (%lld key%s", (long long)keys, keys == 1 ? "" : "s");
    if (bytes >= 0) {
        double scaled = (double)bytes;
        size_t unit = 0;
        while (scaled >= 1024 && unit < 4) {
            scaled /= 1024;
            unit++;
        }
        buffer_printf(out, ", about %.0f %s", scaled, units[unit]);
    }
    buffer_append_char(out, ')');
}

/* In a step's words %n is the node, %p the peer, %s the slots, %c the count, %k keys and bytes. */
static const struct {
    const char *name, *words;
} step_texts[PLAN_STEP_KINDS] = {
    [PLAN_ADD_SLOTS] = { "add-slots", "%n gets slots %s" },
    [PLAN_SET_EPOCH] = { "set-epoch", "%n gets config epoch %c" },
    [PLAN_MEET] = { "meet", "%n meets %p" },
    [PLAN_AGREE] = { "agree", "wait until all nodes agree" },
    [PLAN_REPLICATE] = { "replicate", "%n becomes a replica of %p" },
    [PLAN_PUT_BACK] = { "put-back", "slots %s are put back at %n" },
    [PLAN_MOVE] = { "move", "slots %s%k go from %p to %n" },
    [PLAN_FAILOVER_STEP] = { "failover", "%n takes over from %p" },
    [PLAN_WAIT_OK] = { "wait-ok", "wait until all nodes say that the cluster is ok" },
};

void plan_write_step(const struct plan *plan, size_t index, struct buffer *out)
{
    const struct plan_step *step = &plan->steps[index];
    for (const char *at = step_texts[step->kind].words; *at != '\0'; at++) {
        if (*at != '%') {
            buffer_append_char(out, *at);
            continue;
        }
        switch (*++at) {
        case 'n':
            write_name(plan, step->node, out);
            break;
        case 'p':
            write_name(plan, step->peer, out);
            break;
        case 's':
            model_write_ranges(step->slots, 8, out);
            break;
        case 'c':
            buffer_printf(out, "%llu", (unsigned long long)step->count);
            break;
        default:
            write_amount(step->keys, step->bytes, out);
        }
    }
    if (step->resumed) {
        buffer_append_text(out, ", taken up again");
    }
}

static void write_create_summary(const struct plan *plan, struct buffer *out)
{
    unsigned primaries = 0;
    for (size_t i = 0; i < plan->node_count; i++) {
        primaries += plan->nodes[i].primary;
    }
    unsigned replicas = (unsigned)plan->node_count - primaries;
    buffer_printf(out, "make a cluster of %u primaries with %u replica%s", primaries, replicas,
        replicas == 1 ? "" : "s");
}

static void write_reshard_summary(const struct plan *plan, struct buffer *out)
{
    unsigned count = plan_slot_count(plan), sources = 0;
    int last = PLAN_NO_NODE;
    if (count == 0) {
        plan_write_step(plan, 0, out);
        return;
    }
    buffer_printf(out, "move %u slot%s", count, count == 1 ? "" : "s");
    write_amount(plan_key_count(plan), sum_moves(plan, true), out);
    buffer_append_text(out, " from ");
    for (size_t i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].kind == PLAN_MOVE && plan->steps[i].peer != last) {
            last = plan->steps[i].peer;
            buffer_append_text(out, sources++ > 0 ? ", " : "");
            write_name(plan, last, out);
        }
    }
    buffer_append_text(out, " to ");
    write_name(plan, plan->steps[plan->step_count - 1].node, out);
}

static const char *const mode_texts[] = {
    [PLAN_FAILOVER_PLAIN] = "",
    [PLAN_FAILOVER_FORCE] = ", without asking the primary",
    [PLAN_FAILOVER_TAKEOVER] = ", without asking anyone",
};

static void write_failover_summary(const struct plan *plan, struct buffer *out)
{
    plan_write_step(plan, 0, out);
    buffer_append_text(out, mode_texts[plan->mode]);
}

/* --- the command that does it --- */

static void write_create_command(const struct plan *plan, struct buffer *out)
{
    unsigned primaries = 0;
    char address[ADDRESS_TEXT_MAX];
    buffer_append_text(out, "create");
    for (size_t i = 0; i < plan->node_count; i++) {
        primaries += plan->nodes[i].primary;
        address_format(address, &plan->nodes[i].address);
        buffer_printf(out, " %s", address);
    }
    buffer_printf(out, " --replicas %u", ((unsigned)plan->node_count - primaries) / primaries);
}

static void write_reshard_command(const struct plan *plan, struct buffer *out)
{
    struct slot_set all = { { 0 } };
    for (size_t i = 0; i < plan->step_count; i++) {
        for (unsigned b = 0; plan->steps[i].slots != NULL && b < SLOT_BITMAP_SIZE; b++) {
            all.bits[b] |= plan->steps[i].slots->bits[b];
        }
    }
    buffer_printf(out, "reshard --to %s --range ",
        plan->nodes[plan->steps[plan->step_count - 1].node].id.text);
    model_write_ranges(&all, 0, out);
    buffer_append_text(out, plan->replace ? " --replace" : "");
}

static void write_failover_command(const struct plan *plan, struct buffer *out)
{
    static const char *const options[] = { "", " --force", " --takeover" };
    buffer_printf(
        out, "failover %s%s", plan->nodes[plan->steps[0].node].id.text, options[plan->mode]);
}

static const struct {
    const char *name;
    void (*summary)(const struct plan *plan, struct buffer *out);
    void (*command)(const struct plan *plan, struct buffer *out);
} kinds[] = {
    [PLAN_CREATE] = { "create", write_create_summary, write_create_command },
    [PLAN_RESHARD] = { "reshard", write_reshard_summary, write_reshard_command },
    [PLAN_FAILOVER] = { "failover", write_failover_summary, write_failover_command },
};

void plan_write_summary(const struct plan *plan, struct buffer *out)
{
    kinds[plan->kind].summary(plan, out);
}

void plan_write_command(const struct plan *plan, struct buffer *out)
{
    kinds[plan->kind].command(plan, out);
}

/* Steps that are the same for every node need no lines of their own. */
static bool is_told(enum plan_step_kind kind)
{
    return kind != PLAN_SET_EPOCH && kind != PLAN_MEET && kind != PLAN_AGREE &&
           kind != PLAN_WAIT_OK;
}

void plan_write_text(const struct plan *plan, struct buffer *out)
{
    plan_write_summary(plan, out);
    buffer_append_text(out, "\n");
    for (size_t i = 0; plan->kind != PLAN_FAILOVER && i < plan->step_count; i++) {
        if (is_told(plan->steps[i].kind)) {
            buffer_append_text(out, "  ");
            plan_write_step(plan, i, out);
            buffer_append_text(out, "\n");
        }
    }
    buffer_append_text(out, plan->notes);
}

/* --- JSON --- */

static json_t *text_to_json(struct buffer *text)
{
    json_t *json = json_stringn(text->len > 0 ? text->data : "", text->len);
    buffer_free(text);
    return json;
}

static json_t *step_to_json(const struct plan *plan, size_t index)
{
    const struct plan_step *step = &plan->steps[index];
    struct buffer text = { 0 }, ranges = { 0 };
    json_t *object = json_pack("{s:s}", "step", step_texts[step->kind].name);
    if (step->node != PLAN_NO_NODE) {
        json_object_set_new(object, "node", json_string(plan->nodes[step->node].id.text));
    }
    if (step->peer != PLAN_NO_NODE) {
        json_object_set_new(object, "peer", json_string(plan->nodes[step->peer].id.text));
    }
    if (step->slots != NULL) {
        model_write_ranges(step->slots, 0, &ranges);
        json_object_set_new(object, "slots", text_to_json(&ranges));
        json_object_set_new(object, "slot_count", json_integer(slot_set_count(step->slots)));
    }
    if (step->keys >= 0) {
        json_object_set_new(object, "keys", json_integer(step->keys));
    }
    if (step->kind == PLAN_SET_EPOCH) {
        json_object_set_new(object, "epoch", json_integer((json_int_t)step->count));
    }
    plan_write_step(plan, index, &text);
    json_object_set_new(object, "text", text_to_json(&text));
    return object;
}

json_t *plan_to_json(const struct plan *plan)
{
    json_t *nodes = json_array(), *steps = json_array();
    char address[ADDRESS_TEXT_MAX];
    for (size_t i = 0; i < plan->node_count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        address_format(address, &node->address);
        json_array_append_new(
            nodes, json_pack("{s:s,s:s,s:s,s:i,s:i}", "id", node->id.text, "address", address,
                       "role", node->primary ? "primary" : "replica", "slots_before",
                       (int)node->slots_before, "slots_after", (int)node->slots_after));
    }
    for (size_t i = 0; i < plan->step_count; i++) {
        json_array_append_new(steps, step_to_json(plan, i));
    }
    struct buffer summary = { 0 }, command = { 0 };
    plan_write_summary(plan, &summary);
    plan_write_command(plan, &command);
    return json_pack("{s:s,s:o,s:o,s:o,s:o,s:s}", "operation", kinds[plan->kind].name, "summary",
        text_to_json(&summary), "command", text_to_json(&command), "nodes", nodes, "steps", steps,
        "notes", plan->notes);
}
