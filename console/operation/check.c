/* Each inspector looks for one kind of trouble and adds its findings; the table at the end is the
 * order in which they look. */
#include "console/operation/check.h"
#include "common/memory.h"
#include "console/client/client.h"
#include "console/model/model.h"
#include "console/operation/plan_build.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { RANGES_SHOWN = 6 };

static struct check_finding *add(struct check *check, enum check_kind kind,
    enum check_severity severity, const char *node, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static struct check_finding *add(struct check *check, enum check_kind kind,
    enum check_severity severity, const char *node, const char *format, ...)
{
    if (check->count == check->capacity) {
        check->capacity = check->capacity > 0 ? 2 * check->capacity : 8;
        check->findings = memory_resize(check->findings, check->capacity * sizeof *check->findings);
    }
    struct check_finding *finding = &check->findings[check->count++];
    *finding = (struct check_finding){ .kind = kind, .severity = severity };
    snprintf(finding->node, sizeof finding->node, "%s", node);
    va_list args;
    va_start(args, format);
    vsnprintf(finding->text, sizeof finding->text, format, args);
    va_end(args);
    return finding;
}

static void repair_with(struct check_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void repair_with(struct check_finding *finding, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(finding->repair, sizeof finding->repair, format, args);
    va_end(args);
}

static void set_slots(struct check_finding *finding, const struct slot_set *set)
{
    finding->slots = memory_copy(set, sizeof *set);
}

/* A text of ranges that is freed by itself. */
struct ranges {
    char text[200];
};

static struct ranges shown_ranges(const struct slot_set *set)
{
    struct ranges ranges;
    struct buffer buffer = { 0 };
    model_write_ranges(set, RANGES_SHOWN, &buffer);
    snprintf(ranges.text, sizeof ranges.text, "%.*s", (int)buffer.len,
        buffer.len > 0 ? buffer.data : "");
    buffer_free(&buffer);
    return ranges;
}

static const char *plural(unsigned count)
{
    return count == 1 ? "" : "s";
}

/* --- inspectors --- */

static void find_lost_nodes(const struct model *model, struct check *check)
{
    char name[64], age[24];
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        model_node_name(model, (int)i, name, sizeof name);
        if (node->health == MODEL_SILENT) {
            add(check, CHECK_UNREACHABLE, CHECK_PROBLEM, name, "%s doesn't answer: %s", name,
                node->trouble);
        } else if (node->health == MODEL_FAILED) {
            struct check_finding *finding = add(check, CHECK_FAILED, CHECK_PROBLEM, name,
                "%s is down, the cluster says fail%s%s", name,
                node->heard_at != 0 ? "; last heard " : "",
                node->heard_at != 0
                    ? model_write_age(client_now() - node->heard_at, age, sizeof age)
                    : "");
            if (node->slot_count == 0) {
                repair_with(finding,
                    "start it again, or tell each node to forget it: "
                    "CLUSTER FORGET %s",
                    node->id.text);
            }
        } else if (node->health == MODEL_SUSPECTED) {
            add(check, CHECK_FAILED, CHECK_WARNING, name,
                "%s answers, but other nodes suspect that it is down", name);
        }
    }
}

static int first_primary_that_answers(const struct model *model)
{
    for (size_t i = 0; i < model->node_count; i++) {
        if (!model->nodes[i]->replica && !model_node_is_lost(model->nodes[i])) {
            return (int)i;
        }
    }
    return MODEL_NOBODY;
}

/* CLUSTER ADDSLOTSRANGE wants pairs. */
static void write_addslots(
    const struct model *model, const struct slot_set *set, struct check_finding *finding)
{
    int node = first_primary_that_answers(model);
    if (node == MODEL_NOBODY) {
        return;
    }
    struct buffer command = { 0 };
    const struct address *address = &model->nodes[node]->address;
    buffer_printf(
        &command, "slotctl -h %s -p %u exec CLUSTER ADDSLOTSRANGE", address->ip, address->port);
    unsigned first = 0, last;
    while (slot_set_next_range(set, &first, &last)) {
        buffer_printf(&command, " %u %u", first, last);
        first = last + 1;
    }
    if (command.len < sizeof finding->repair) {
        repair_with(finding, "%.*s", (int)command.len, command.data);
    }
    buffer_free(&command);
}

static void find_uncovered(const struct model *model, struct check *check)
{
    struct slot_set uncovered = { { 0 } };
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        if (model->slots[s].owner == MODEL_NOBODY) {
            slot_set_add(&uncovered, s);
        }
    }
    unsigned count = SLOT_COUNT - model->covered;
    if (count > 0) {
        struct check_finding *finding =
            add(check, CHECK_UNCOVERED, CHECK_PROBLEM, "", "%u slot%s ha%s no owner: %s", count,
                plural(count), count == 1 ? "s" : "ve", shown_ranges(&uncovered).text);
        set_slots(finding, &uncovered);
        write_addslots(model, &uncovered, finding);
    }
}

/* The replica of a lost primary that could take over by force. */
static int replica_for(const struct model *model, const struct model_node *primary)
{
    int best = MODEL_NOBODY;
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        bool fits = node->replica && !model_node_is_lost(node) &&
                    node_id_equal(&node->primary, &primary->id);
        if (fits &&
            (best == MODEL_NOBODY || node->figures.offset > model->nodes[best]->figures.offset)) {
            best = (int)i;
        }
    }
    return best;
}

static void find_not_served(const struct model *model, struct check *check)
{
    char name[64];
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (node->slot_count == 0 || !model_node_is_lost(node)) {
            continue;
        }
        model_node_name(model, (int)i, name, sizeof name);
        struct check_finding *finding = add(check, CHECK_NOT_SERVED, CHECK_PROBLEM, name,
            "%u slot%s of %s %s not served: %s", node->slot_count, plural(node->slot_count), name,
            node->slot_count == 1 ? "is" : "are", shown_ranges(&node->slots).text);
        set_slots(finding, &node->slots);
        int replica = replica_for(model, node);
        if (replica != MODEL_NOBODY) {
            const struct model_node *heir = model->nodes[replica];
            repair_with(finding, "slotctl -h %s -p %u failover %s --force", heir->address.ip,
                heir->address.port, heir->id.text);
        } else {
            repair_with(finding, "bring %s back: no other node has its keys", name);
        }
    }
}

static void describe_move(
    const struct model *model, const struct model_slot *slot, char *out, size_t size)
{
    char source[64], target[64];
    if (slot->source != MODEL_NOBODY && slot->migrating_to != MODEL_NOBODY) {
        const struct model_node *to = model->nodes[slot->migrating_to];
        bool able = !to->replica && !model_node_is_lost(to);
        snprintf(out, size, "%s is migrating it to %s%s",
            model_node_name(model, slot->source, source, sizeof source),
            model_node_name(model, slot->migrating_to, target, sizeof target),
            able && slot->importing_at == MODEL_NOBODY ? ", which doesn't import it" : "");
    } else {
        snprintf(out, size, "%s is importing it, and nobody is migrating it there",
            model_node_name(model, slot->importing_at, target, sizeof target));
    }
}

/* Open slots with the same ends are one finding. */
static bool same_move(const struct model_slot *a, const struct model_slot *b)
{
    return a->owner == b->owner && a->migrating_to == b->migrating_to &&
           a->importing_at == b->importing_at && a->source == b->source;
}

/* "--range ..." of as many slots as there is room for: the rest is told by the next check. */
static struct ranges command_ranges(const struct slot_set *set)
{
    struct ranges ranges;
    struct buffer buffer = { 0 };
    model_write_ranges(set, 0, &buffer);
    buffer_terminate(&buffer);
    snprintf(ranges.text, sizeof ranges.text, "%s", buffer.data);
    if (buffer.len >= sizeof ranges.text) {
        *strrchr(ranges.text, ',') = '\0';
    }
    buffer_free(&buffer);
    return ranges;
}

/* What became of the node that it is on its way to. */
static void describe_fate(
    const struct model *model, const struct model_slot *slot, char *out, size_t size)
{
    int named = slot->migrating_to != MODEL_NOBODY ? slot->migrating_to : slot->importing_at;
    const struct model_node *node = model->nodes[named];
    char name[64] = "a node that nobody knows";
    out[0] = '\0';
    if (node->replica) {
        int primary = model_find_id(model, &node->primary);
        if (primary != MODEL_NOBODY) {
            model_node_name(model, primary, name, sizeof name);
        }
        snprintf(out, size, ", which is a replica of %s now", name);
    } else if (model_node_is_lost(node)) {
        snprintf(out, size, ", which is down");
    }
}

static void repair_open(const struct model *model, const struct slot_set *set, unsigned slot,
    struct check_finding *finding)
{
    int target = plan_open_target(model, slot), heir = plan_open_heir(model, slot);
    if (target == MODEL_NOBODY && heir != MODEL_NOBODY) {
        const struct model_node *node = model->nodes[heir];
        repair_with(finding, "slotctl -h %s -p %u failover %s --force", node->address.ip,
            node->address.port, node->id.text);
        return;
    }
    if (target == MODEL_NOBODY) { /* put back where it is */
        target = model->slots[slot].owner;
    }
    if (target == MODEL_NOBODY) {
        return;
    }
    const struct model_node *node = model->nodes[target];
    repair_with(finding, "slotctl -h %s -p %u reshard --to %s --range %s", node->address.ip,
        node->address.port, node->id.text, command_ranges(set).text);
}

static void tell_open(const struct model *model, const struct slot_set *set, unsigned count,
    unsigned slot, struct check *check)
{
    char move[200], fate[120];
    describe_move(model, &model->slots[slot], move, sizeof move);
    describe_fate(model, &model->slots[slot], fate, sizeof fate);
    struct check_finding *finding =
        add(check, CHECK_OPEN, CHECK_WARNING, "", "slot%s %s %s open: %s%s", plural(count),
            shown_ranges(set).text, count == 1 ? "is" : "are", move, fate);
    set_slots(finding, set);
    repair_open(model, set, slot, finding);
}

static void find_open(const struct model *model, struct check *check)
{
    struct slot_set told = { { 0 } };
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        if (!plan_is_open(model, s) || slot_set_has(&told, s)) {
            continue;
        }
        struct slot_set set = { { 0 } };
        unsigned count = 0;
        for (unsigned t = s; t < SLOT_COUNT; t++) {
            if (plan_is_open(model, t) && same_move(&model->slots[s], &model->slots[t])) {
                slot_set_add(&set, t);
                slot_set_add(&told, t);
                count++;
            }
        }
        tell_open(model, &set, count, s, check);
    }
}

static void find_disputed(const struct model *model, struct check *check)
{
    struct slot_set set = { { 0 } };
    unsigned first = 0, last;
    char name[64];
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        if (model->slots[s].disputed) {
            slot_set_add(&set, s);
        }
    }
    if (model->disputed == 0 || !slot_set_next_range(&set, &first, &last)) {
        return;
    }
    int owner = model->slots[first].owner;
    struct check_finding *finding = add(check, CHECK_DISPUTED, CHECK_PROBLEM, "",
        "nodes disagree who has %u slot%s: %s; by the highest epoch slot %u belongs to %s",
        model->disputed, plural(model->disputed), shown_ranges(&set).text, first,
        model_node_name(model, owner, name, sizeof name));
    set_slots(finding, &set);
    if (owner != MODEL_NOBODY) {
        repair_with(finding,
            "where it stays so: slotctl -h %s -p %u exec CLUSTER BUMPEPOCH, at the owner",
            model->nodes[owner]->address.ip, model->nodes[owner]->address.port);
    }
}

/* Pairs of which the one doesn't know the other. */
static void find_strangers(const struct model *model, struct check *check)
{
    char from_name[64], about_name[64];
    for (size_t from = 0; from < model->node_count; from++) {
        unsigned strangers = 0, no_link = 0;
        int last = MODEL_NOBODY, last_down = MODEL_NOBODY;
        const struct model_node *node = model->nodes[from];
        if (!node->has_view || model_node_is_lost(node)) {
            continue;
        }
        for (size_t about = 0; about < model->node_count; about++) {
            int64_t age;
            enum model_opinion opinion = model_opinion(model, (int)from, (int)about, &age);
            if (opinion == MODEL_THINKS_NOTHING || opinion == MODEL_THINKS_HANDSHAKE) {
                strangers++;
                last = (int)about;
            } else if (opinion == MODEL_THINKS_NO_LINK &&
                       !model_node_is_lost(model->nodes[about])) {
                no_link++;
                last_down = (int)about;
            }
        }
        model_node_name(model, (int)from, from_name, sizeof from_name);
        if (strangers > 0) {
            const struct address *other = &model->nodes[last]->address;
            struct check_finding *finding = add(check, CHECK_DISAGREEING, CHECK_WARNING, from_name,
                "%s doesn't know %u other node%s, %s among them", from_name, strangers,
                plural(strangers), model_node_name(model, last, about_name, sizeof about_name));
            repair_with(finding, "slotctl -h %s -p %u exec CLUSTER MEET %s %u", node->address.ip,
                node->address.port, other->ip, other->port);
        }
        if (no_link > 0) {
            add(check, CHECK_DISAGREEING, CHECK_WARNING, from_name,
                "%s has no bus link to %u other node%s, %s among them", from_name, no_link,
                plural(no_link), model_node_name(model, last_down, about_name, sizeof about_name));
        }
    }
}

static void find_collisions(const struct model *model, struct check *check)
{
    char one[64], other[64];
    for (size_t i = 0; i < model->node_count; i++) {
        for (size_t j = i + 1; j < model->node_count; j++) {
            const struct model_node *a = model->nodes[i], *b = model->nodes[j];
            if (!a->replica && !b->replica && a->slot_count > 0 && b->slot_count > 0 &&
                a->config_epoch == b->config_epoch) {
                struct check_finding *finding = add(check, CHECK_EPOCH_COLLISION, CHECK_WARNING, "",
                    "%s and %s have one config epoch (%llu)",
                    model_node_name(model, (int)i, one, sizeof one),
                    model_node_name(model, (int)j, other, sizeof other),
                    (unsigned long long)a->config_epoch);
                repair_with(finding,
                    "the nodes repair this by themselves; else: slotctl -h %s -p %u "
                    "exec CLUSTER BUMPEPOCH",
                    b->address.ip, b->address.port);
            }
        }
    }
}

static void find_replicas(const struct model *model, struct check *check)
{
    char name[64];
    for (size_t i = 0; i < model->shard_count; i++) {
        const struct model_shard *shard = &model->shards[i];
        if (shard->primary == MODEL_NOBODY || shard->slot_count == 0) {
            continue;
        }
        unsigned working = 0;
        for (unsigned m = 0; m < shard->member_count; m++) {
            const struct model_node *node = model->nodes[shard->members[m]];
            working += node->replica && !model_node_is_lost(node);
        }
        if (working == 0) {
            model_node_name(model, shard->primary, name, sizeof name);
            struct check_finding *finding = add(check, CHECK_NO_REPLICA, CHECK_WARNING, name,
                "primary %s has no working replica: "
                "its %u slots are lost if it dies",
                name, shard->slot_count);
            repair_with(finding, "at an empty node that has met the cluster: CLUSTER REPLICATE %s",
                model->nodes[shard->primary]->id.text);
        }
    }
}

static void find_links(const struct model *model, struct check *check)
{
    char name[64], primary[64];
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (node->replica && !model_node_is_lost(node) && node->figures_at != 0 &&
            !node->figures.link_up) {
            add(check, CHECK_REPLICA_LINK, CHECK_WARNING,
                model_node_name(model, (int)i, name, sizeof name),
                "replica %s has no link to its primary %s%s", name,
                model_node_name(
                    model, model_find_id(model, &node->primary), primary, sizeof primary),
                node->figures.syncing ? ": a full copy is under way" : "");
        }
    }
}

static void find_states(const struct model *model, struct check *check)
{
    char name[64];
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        if (node->has_view && !model_node_is_lost(node) && !node->says_ok) {
            add(check, CHECK_STATE, CHECK_PROBLEM,
                model_node_name(model, (int)i, name, sizeof name),
                "%s refuses commands: its cluster_state is fail", name);
        }
    }
}

static void (*const inspectors[])(const struct model *model, struct check *check) = {
    find_uncovered,
    find_not_served,
    find_disputed,
    find_lost_nodes,
    find_states,
    find_open,
    find_strangers,
    find_collisions,
    find_replicas,
    find_links,
};

/* Worst first, else in the order found. */
static void sort_by_severity(struct check *check)
{
    for (size_t i = 1; i < check->count; i++) {
        struct check_finding finding = check->findings[i];
        size_t at = i;
        while (at > 0 && check->findings[at - 1].severity < finding.severity) {
            check->findings[at] = check->findings[at - 1];
            at--;
        }
        check->findings[at] = finding;
    }
}

void check_build(const struct model *model, struct check *check)
{
    *check = (struct check){ 0 };
    for (size_t i = 0; i < sizeof inspectors / sizeof *inspectors; i++) {
        inspectors[i](model, check);
    }
    sort_by_severity(check);
    for (size_t i = 0; i < check->count; i++) {
        check->problems += check->findings[i].severity == CHECK_PROBLEM;
        check->warnings += check->findings[i].severity == CHECK_WARNING;
    }
}

void check_free(struct check *check)
{
    for (size_t i = 0; i < check->count; i++) {
        free(check->findings[i].slots);
    }
    free(check->findings);
    *check = (struct check){ 0 };
}

const char *check_kind_text(enum check_kind kind)
{
    static const char *const texts[] = {
        [CHECK_UNREACHABLE] = "unreachable",
        [CHECK_FAILED] = "failed",
        [CHECK_UNCOVERED] = "uncovered",
        [CHECK_NOT_SERVED] = "not-served",
        [CHECK_OPEN] = "open",
        [CHECK_DISPUTED] = "disputed",
        [CHECK_DISAGREEING] = "disagreeing",
        [CHECK_NO_REPLICA] = "no-replica",
        [CHECK_REPLICA_LINK] = "replica-link",
        [CHECK_EPOCH_COLLISION] = "epoch-collision",
        [CHECK_STATE] = "state",
    };
    return texts[kind];
}

const char *check_severity_text(enum check_severity severity)
{
    static const char *const texts[] = {
        [CHECK_NOTE] = "note",
        [CHECK_WARNING] = "warning",
        [CHECK_PROBLEM] = "problem",
    };
    return texts[severity];
}

json_t *check_to_json(const struct check *check)
{
    json_t *array = json_array();
    for (size_t i = 0; i < check->count; i++) {
        const struct check_finding *finding = &check->findings[i];
        json_t *object = json_pack("{s:s,s:s,s:s}", "kind", check_kind_text(finding->kind),
            "severity", check_severity_text(finding->severity), "text", finding->text);
        if (finding->node[0] != '\0') {
            json_object_set_new(object, "node", json_string(finding->node));
        }
        if (finding->slots != NULL) {
            struct buffer ranges = { 0 };
            model_write_ranges(finding->slots, 0, &ranges);
            json_object_set_new(object, "slots", json_stringn(ranges.data, ranges.len));
            buffer_free(&ranges);
        }
        json_object_set_new(object, "repair",
            finding->repair[0] != '\0' ? json_string(finding->repair) : json_null());
        json_array_append_new(array, object);
    }
    return array;
}
