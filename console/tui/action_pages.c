/* What is only shown: the findings of a check, all about a node, the help; and the two questions
 * about stopping. */
#include "console/tui/actions.h"

#include "console/operation/check.h"
#include "console/tui/app.h"
#include "console/tui/choice.h"
#include "console/tui/command.h"
#include "console/tui/format.h"
#include "console/tui/jobs.h"
#include "console/tui/nodes.h"
#include "console/tui/page.h"
#include <stdio.h>
#include <stdlib.h>

void action_check(struct tui *tui)
{
    static const enum role roles[] = {
        [CHECK_NOTE] = ROLE_DIM,
        [CHECK_WARNING] = ROLE_WARN_TEXT,
        [CHECK_PROBLEM] = ROLE_BAD_TEXT,
    };
    struct check check = { 0 };
    struct page *page = page_new("Check");
    check_build(tui->model, &check);
    if (check.count == 0)
        page_add(page, ROLE_GOOD_TEXT, NULL,
            "All 16384 slots are covered and served, all nodes answer and agree.");
    for (size_t i = 0; i < check.count; i++) {
        const struct check_finding *finding = &check.findings[i];
        page_add(page, roles[finding->severity], check_severity_text(finding->severity), "%s",
            finding->text);
        if (finding->repair[0] != '\0')
            page_add(page, ROLE_DIM, "repair", "%s", finding->repair);
    }
    check_free(&check);
    page_show(tui, page);
}

static void add_figures(struct page *page, const struct model_node *node)
{
    const struct model_figures *f = &node->figures;
    struct format a, b, c;
    int64_t age = client_now() - node->figures_at;
    if (node->figures_at == 0) {
        page_add(page, ROLE_DIM, "figures", "none yet");
        return;
    }
    page_add(page, ROLE_DIM, "version", "%s, up for %s", f->version,
        format_duration(&a, f->uptime * 1000));
    page_add(page, ROLE_DIM, "keys", "%s, %s of them expire", format_count(&a, f->keys),
        format_count(&b, f->expires));
    page_add(page, ROLE_DIM, "memory", "%s, at most %s, limit %s", format_bytes(&a, f->memory),
        format_bytes(&b, f->memory_peak),
        f->memory_max > 0 ? format_bytes(&c, f->memory_max) : "none");
    page_add(page, ROLE_DIM, "load", "%s op/s, %s clients, %s/s in", format_short(&a, node->ops),
        format_count(&b, f->clients), format_bytes(&c, (int64_t)node->input_rate));
    page_add(page, ROLE_DIM, "offset", "%s", format_count(&a, f->offset));
    if (node->replica)
        page_add(page, ROLE_DIM, "replication", "link %s, %s bytes behind",
            f->link_up ? "up" : "down", format_count(&a, node->lag));
    page_add(page, ROLE_DIM, "as of", "%s ago", format_age(&a, age));
}

void action_show_node(struct tui *tui, int index)
{
    const struct model *model = tui->model;
    const struct model_node *node = model->nodes[index];
    char name[NODES_NAME_MAX], text[64];
    snprintf(text, sizeof text, "Node %s", model_node_name(model, index, name, sizeof name));
    struct page *page = page_new(text);
    page_add(
        page, ROLE_DIM, "id", "%s", node_id_is_set(&node->id) ? node->id.text : "not known yet");
    page_add(page, ROLE_DIM, "address", "%s:%u, bus %u %s", node->address.ip, node->address.port,
        node->address.bus_port, node->hostname);
    page_add(page, ROLE_DIM, "role", "%s of shard %s", node->replica ? "replica" : "primary",
        node->shard >= 0 ? model->shards[node->shard].letter : "none");
    if (node->replica)
        page_add(page, ROLE_DIM, "primary", "%s", node->primary.text);
    page_add(page, ROLE_DIM, "state", "%s", nodes_health_text(node, text, sizeof text));
    if (node->trouble[0] != '\0')
        page_add(page, ROLE_WARN_TEXT, "trouble", "%s", node->trouble);
    page_add(page, ROLE_DIM, "epoch", "%llu", (unsigned long long)node->config_epoch);
    if (node->slot_count > 0) {
        struct buffer ranges = { 0 };
        model_write_ranges(&node->slots, 20, &ranges);
        buffer_terminate(&ranges);
        page_add(page, ROLE_DIM, "slots", "%u: %s", node->slot_count, ranges.data);
        buffer_free(&ranges);
    }
    add_figures(page, node);
    page_show(tui, page);
}

static void add_bindings(struct page *page, const char *title, const struct binding *bindings)
{
    page_add(page, ROLE_STRONG, NULL, "%s", title);
    for (const struct binding *b = bindings; b != NULL && b->key != 0; b++) {
        char name[16], other[16], label[34];
        if (b->help == NULL)
            continue;
        snprintf(label, sizeof label, "%s", b->label != NULL ? b->label : keys_name(b->key, name));
        if (b->other != 0 && b->label == NULL)
            snprintf(
                label, sizeof label, "%s %s", keys_name(b->key, name), keys_name(b->other, other));
        page_add(page, ROLE_STRONG, label, "%s", b->help);
    }
    page_add(page, ROLE_TEXT, NULL, "%s", "");
}

void action_help(struct tui *tui)
{
    const struct view *view = tui_views[tui->current];
    struct page *page = page_new("Help");
    char title[64];
    snprintf(title, sizeof title, "In the view %s", view->name);
    add_bindings(page, title, view->bindings);
    add_bindings(page, "Everywhere", tui_bindings);
    page_add(page, ROLE_STRONG, NULL, "%s", "Mouse");
    page_add(page, ROLE_STRONG, "click", "tabs, rows, shards, and the keys of the last line");
    page_add(
        page, ROLE_STRONG, "drag", "on the map: marks slots; marked slots onto a shard: reshards");
    page_add(page, ROLE_STRONG, "wheel", "zooms the map, scrolls lists");
    page_add(page, ROLE_TEXT, NULL, "%s", "");
    page_add(page, ROLE_STRONG, NULL, "%s", "Commands, behind :");
    command_help(page);
    page_add(page, ROLE_TEXT, NULL, "%s", "");
    page_add(page, ROLE_STRONG, NULL, "%s", "The map");
    page_add(page, ROLE_STRONG, "colours",
        "one for each shard, the same in every view; without "
        "colours the shard's letter, small where slots of others "
        "are among them");
    page_add(page, ROLE_STRONG, "stripes", "marked slots (reversed letters without colours)");
    page_add(page, ROLE_STRONG, glyph_text(GLYPH_HATCH), "slots on their way to another shard");
    page_add(page, ROLE_STRONG, "red, !", "slots that nobody serves");
    page_show(tui, page);
}

enum { ANSWER_STOP = 1, ANSWER_STOP_AND_LEAVE };

static void stop_answered(struct tui *tui, void *context, int value)
{
    jobs_cancel(tui->jobs);
    if (value == ANSWER_STOP_AND_LEAVE)
        tui_leave(tui);
}

void action_cancel(struct tui *tui)
{
    struct choice *choice = choice_new("Cancel the operation?");
    choice_say(choice, "%s", jobs_at(tui->jobs, 0)->title);
    choice_say(
        choice, "What has been moved stays moved; the slot under way is finished or put back.");
    choice_add(choice, CHOICE_NOTHING, -1, "Let it go on");
    choice_add(choice, ANSWER_STOP, -1, "Cancel it cleanly");
    choice_ask(tui, choice, stop_answered, NULL);
}

void action_leave(struct tui *tui)
{
    if (jobs_running(tui->jobs) == NULL) {
        tui_leave(tui);
        return;
    }
    struct choice *choice = choice_new("An operation is running");
    choice_say(choice, "%s", jobs_at(tui->jobs, 0)->title);
    choice_say(choice, "It runs inside this dashboard, so it ends when you leave.");
    choice_add(choice, CHOICE_NOTHING, -1, "Stay");
    choice_add(choice, ANSWER_STOP_AND_LEAVE, -1, "Cancel it cleanly, then leave");
    choice_ask(tui, choice, stop_answered, NULL);
}
