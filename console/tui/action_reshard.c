/* Reshard: the marks and a target make a plan; the plan is shown with how the shards look before
 * and after it; Enter runs it, d saves it as a line for `slotctl batch`. While it is shown the keys
 * of the marked slots are counted, and the plan is made again when the figures are there. */
#include "console/tui/actions.h"

#include "common/memory.h"
#include "console/tui/app.h"
#include "console/tui/choice.h"
#include "console/tui/counter.h"
#include "console/tui/format.h"
#include "console/tui/jobs.h"
#include "console/tui/list.h"
#include "console/tui/nodes.h"
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    PLAN_COUNT_AGE_MS = 10000,
    PLAN_WIDTH = 74,
    PLAN_TABLE_MAX = 12,
    PLAN_BAR = 12,
    FILE_MAX = 64
};

/* Rows of the question that are always there: frame, gaps, titles, effort, keys. */
enum { PLAN_FRAME = 8 };

/* The question: what was asked for, and the plan made of it. */
struct offer {
    struct slot_set slots;
    struct node_id target;
    struct plan plan;
    bool counting;    /* the plan is made again when the count is over */
    struct list list; /* of the table's rows */
    int rows;         /* the most that it ever took: it doesn't shrink under the pointer */
};

static bool offer_make_plan(struct tui *tui, struct offer *offer, struct error *error)
{
    int to = model_find_id(tui->model, &offer->target);
    if (to == MODEL_NOBODY)
        return error_set(error, "the target is no member of the cluster any more");
    struct plan_reshard_request request = { .to = to, .ranges = &offer->slots };
    struct plan plan = { 0 };
    if (!plan_reshard(tui->model, &request, &plan, error))
        return false;
    plan_free(&offer->plan);
    offer->plan = plan;
    return true;
}

static void offer_close(struct tui *tui, void *state)
{
    struct offer *offer = state;
    plan_free(&offer->plan);
    free(offer);
}

static char *plan_text(const struct plan *plan, void (*write)(const struct plan *, struct buffer *))
{
    struct buffer text = { 0 };
    write(plan, &text);
    buffer_terminate(&text);
    return text.data;
}

static int table_rows(const struct plan *plan)
{
    int rows = 0;
    for (size_t i = 0; i < plan->node_count; i++)
        rows += plan->nodes[i].primary;
    return rows;
}

static void offer_size(struct tui *tui, void *state, int *rows, int *cols)
{
    struct offer *offer = state;
    struct area measure = { 0, 0, 1000, PLAN_WIDTH - 4 };
    char *summary = plan_text(&offer->plan, plan_write_summary);
    int table = table_rows(&offer->plan);
    int notes = draw_wrapped(measure, 0, 0, theme_style(ROLE_TEXT), offer->plan.notes, false);
    *cols = PLAN_WIDTH;
    *rows = draw_wrapped(measure, 0, 0, theme_style(ROLE_TEXT), summary, false) +
            (table < PLAN_TABLE_MAX ? table : PLAN_TABLE_MAX) + (notes > 0 ? notes + 1 : 0) +
            PLAN_FRAME;
    if (*rows < offer->rows)
        *rows = offer->rows;
    offer->rows = *rows;
    free(summary);
}

static int node_shard(const struct model *model, const struct plan_node *node)
{
    int index = model_find_id(model, &node->id);
    return index == MODEL_NOBODY ? -1 : model->nodes[index]->shard;
}

/* Columns of the table, from its left: before, its bar, the arrow, after, its bar. */
enum {
    COLUMN_BEFORE = 24,
    COLUMN_ARROW = COLUMN_BEFORE + PLAN_BAR + 8,
    COLUMN_AFTER = COLUMN_ARROW + 3
};

static void draw_node(const struct model *model, const struct plan_node *node, unsigned most,
    struct area area, int row)
{
    struct style text = theme_style(ROLE_TEXT);
    int shard = node_shard(model, node);
    struct style bar = shard >= 0 ? theme_shard(model->shards[shard].number) : text;
    bool same = node->slots_before == node->slots_after;
    nodes_draw_letter(model, area, row, 0, shard);
    draw_format(area, row, 2, text, "%.20s", node->name);
    draw_format(area, row, COLUMN_BEFORE, text, "%6u", node->slots_before);
    draw_bar(area, row, COLUMN_BEFORE + 7, PLAN_BAR, node->slots_before, most, bar);
    draw_glyph(area, row, COLUMN_ARROW, theme_style(ROLE_DIM), GLYPH_ARROW);
    draw_format(area, row, COLUMN_AFTER, theme_style(same ? ROLE_DIM : ROLE_STRONG), "%6u",
        node->slots_after);
    draw_bar(area, row, COLUMN_AFTER + 7, PLAN_BAR, node->slots_after, most, bar);
}

static int draw_table(const struct model *model, struct offer *offer, struct area area, int row)
{
    const struct plan *plan = &offer->plan;
    struct style dim = theme_style(ROLE_DIM);
    unsigned most = 1;
    draw_text(area, row, 2, dim, "primary");
    draw_right(area, row, COLUMN_BEFORE + 6, dim, "slots now");
    draw_right(area, row, COLUMN_AFTER + 6, dim, "after");
    row++;
    for (size_t i = 0; i < plan->node_count; i++) {
        most = plan->nodes[i].slots_before > most ? plan->nodes[i].slots_before : most;
        most = plan->nodes[i].slots_after > most ? plan->nodes[i].slots_after : most;
    }
    int rows = table_rows(plan), shown = rows < PLAN_TABLE_MAX ? rows : PLAN_TABLE_MAX;
    struct area place = area_rows(area, row, shown);
    list_fit(&offer->list, rows - shown + 1, 1);
    int at = -offer->list.cursor;
    for (int shard = -1; shard < (int)model->shard_count; shard++) {
        for (size_t i = 0; i < plan->node_count; i++) {
            if (plan->nodes[i].primary && node_shard(model, &plan->nodes[i]) == shard)
                draw_node(model, &plan->nodes[i], most, place, at++);
        }
    }
    return row + shown;
}

static int draw_effort(const struct plan *plan, struct area area, int row, int64_t counting)
{
    struct format time;
    if (counting >= 0)
        draw_format(area, row, 0, theme_style(ROLE_DIM), "counting keys: %d%%", (int)counting);
    else if (plan->seconds >= 0)
        draw_format(area, row, 0, theme_style(ROLE_TEXT), "takes about %s",
            format_duration(&time, (plan->seconds > 0 ? plan->seconds : 1) * 1000));
    return row + 1;
}

static void offer_draw(struct tui *tui, void *state, struct area area)
{
    struct offer *offer = state;
    struct error ignored;
    unsigned asked = 0, answered = 0;
    bool busy = counter_busy(tui->counter, &asked, &answered);
    if (offer->counting && !busy) {
        offer->counting = false;
        offer_make_plan(tui, offer, &ignored);
    }
    char *summary = plan_text(&offer->plan, plan_write_summary);
    int row = draw_wrapped(area, 0, 0, theme_style(ROLE_STRONG), summary, true) + 1;
    free(summary);
    row = draw_table(tui->model, offer, area, row) + 1;
    row = draw_effort(
        &offer->plan, area, row, busy && asked > 0 ? (int64_t)(100 * answered / asked) : -1);
    draw_wrapped(area, row + 1, 0, theme_style(ROLE_DIM), offer->plan.notes, true);
}

static void offer_run(struct tui *tui, void *state)
{
    struct offer *offer = state;
    bool started = jobs_start(tui->jobs, &offer->plan);
    tui_answered(tui);
    if (started)
        tui_show(tui, tui->current == VIEW_SLOTS ? VIEW_SLOTS : VIEW_OPERATIONS);
}

static void offer_save(struct tui *tui, void *state)
{
    struct offer *offer = state;
    char name[FILE_MAX];
    time_t now = time(NULL);
    struct tm parts;
    localtime_r(&now, &parts);
    strftime(name, sizeof name, "reshard-%Y%m%d-%H%M%S.slotctl", &parts);
    FILE *file = fopen(name, "wx");
    if (file == NULL) {
        tui_say(tui, MODEL_BAD, "can't write %s here: %m", name);
        return;
    }
    char *summary = plan_text(&offer->plan, plan_write_summary);
    char *command = plan_text(&offer->plan, plan_write_command);
    bool written = fprintf(file, "# %s\n%s\n", summary, command) > 0;
    written = fclose(file) == 0 && written;
    free(summary);
    free(command);
    tui_answered(tui);
    if (written)
        tui_say(tui, MODEL_GOOD, "saved; run it with: slotctl ... batch %s", name);
    else
        tui_say(tui, MODEL_BAD, "can't write %s here: %m", name);
}

static void offer_leave(struct tui *tui, void *state)
{
    tui_answered(tui);
}

static bool offer_key(struct tui *tui, void *state, int key)
{
    struct offer *offer = state;
    return list_key(&offer->list, key);
}

static const struct binding offer_bindings[] = {
    { '\r', .word = "run it", .help = "runs the plan that is shown", .run = offer_run },
    { 'd', .word = "save as batch command", .help = "writes the plan to a file for slotctl batch",
        .run = offer_save },
    { 27, .other = 'q', .word = "leave", .help = "leaves without a trace", .run = offer_leave },
    { 0 },
};

static const struct view offer_view = {
    .name = "Reshard: the plan",
    .close = offer_close,
    .size = offer_size,
    .draw = offer_draw,
    .key = offer_key,
    .bindings = offer_bindings,
};

static void offer_ask(struct tui *tui, int shard)
{
    const struct model *model = tui->model;
    if (shard < 0 || (size_t)shard >= model->shard_count ||
        model->shards[shard].primary == MODEL_NOBODY) {
        tui_say(tui, MODEL_BAD, "that shard has no primary that could take slots");
        return;
    }
    struct offer *offer = memory_alloc_zeroed(1, sizeof *offer);
    struct error error;
    offer->slots = tui->marks;
    offer->target = model->nodes[model->shards[shard].primary]->id;
    if (!offer_make_plan(tui, offer, &error)) {
        tui_say(tui, MODEL_BAD, "%s", error.text);
        free(offer);
        return;
    }
    counter_want(tui->counter, &offer->slots, PLAN_COUNT_AGE_MS);
    offer->counting = true;
    tui_ask(tui, &offer_view, offer);
}

/* The value is the shard's number, which stays the same when the model changes. */
static void target_chosen(struct tui *tui, void *context, int number)
{
    for (size_t i = 0; i < tui->model->shard_count; i++) {
        if (tui->model->shards[i].number == (unsigned)number) {
            offer_ask(tui, (int)i);
            return;
        }
    }
    tui_say(tui, MODEL_BAD, "that shard is gone");
}

static unsigned marked_in(const struct tui *tui, const struct model_shard *shard)
{
    unsigned count = 0;
    const struct slot_set *slots = &tui->model->nodes[shard->primary]->slots;
    for (unsigned s = 0; s < SLOT_COUNT; s++)
        count += slot_set_has(&tui->marks, s) && slot_set_has(slots, s);
    return count;
}

static void ask_target(struct tui *tui)
{
    const struct model *model = tui->model;
    unsigned marked = slot_set_count(&tui->marks);
    struct choice *choice = choice_new("Reshard: where to");
    choice_say(choice, "Which shard gets the %u marked slot%s?", marked, marked == 1 ? "" : "s");
    for (size_t i = 0; i < model->shard_count; i++) {
        const struct model_shard *shard = &model->shards[i];
        if (shard->primary == MODEL_NOBODY)
            continue;
        unsigned has = marked_in(tui, shard);
        if (has == marked)
            continue;
        char name[NODES_NAME_MAX];
        struct format keys;
        choice_add(choice, (int)shard->number, (int)i, "%-18s %5u slots -> %5u  %8s keys  %s",
            model_node_name(model, shard->primary, name, sizeof name), shard->slot_count,
            shard->slot_count + marked - has, format_short(&keys, (double)shard->keys),
            model_health_text(model->nodes[shard->primary]->health));
    }
    choice_ask(tui, choice, target_chosen, NULL);
}

void action_reshard(struct tui *tui, int shard)
{
    if (jobs_running(tui->jobs) != NULL) {
        tui_say(tui, MODEL_BAD, "an operation is running already: 4 shows it");
        return;
    }
    if (slot_set_is_empty(&tui->marks)) {
        tui_say(tui, MODEL_NEUTRAL,
            "mark slots first: m and arrows, * for a shard's, or drag on the map");
        return;
    }
    if (shard == ACTION_ASK_TARGET)
        ask_target(tui);
    else
        offer_ask(tui, shard);
}
