/* What this dashboard runs and ran: the operation under way with its bar, and below it the history;
 * of the one under the cursor all phases with their times. */
#include "console/tui/app.h"
#include "console/tui/format.h"
#include "console/tui/jobs.h"
#include "console/tui/list.h"
#include "console/tui/views.h"

#include "common/memory.h"
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIST_SHARE = 3 }; /* the list gets a third of the rows at most */

struct operations {
    struct list list;
    struct area place;
};

static const struct {
    const char *word;
    enum role role;
} outcomes[] = {
    [OPERATION_RUNNING] = { "running", ROLE_STRONG },
    [OPERATION_SUCCEEDED] = { "done", ROLE_GOOD_TEXT },
    [OPERATION_FAILED] = { "failed", ROLE_BAD_TEXT },
    [OPERATION_CANCELLED] = { "cancelled", ROLE_WARN_TEXT },
};

static void *operations_open(struct tui *tui)
{
    return memory_alloc_zeroed(1, sizeof(struct operations));
}

static void operations_close(struct tui *tui, void *state)
{
    free(state);
}

static int draw_progress(const struct job *job, struct area area, int row)
{
    const struct operation_progress *p = &job->progress;
    struct format a, b;
    struct style text = theme_style(ROLE_TEXT);
    if (p->slots_total > 0) {
        int width = area.cols - 22;
        draw_bar(area, row, 0, width, p->slots_done, p->slots_total, theme_style(ROLE_DIALOG));
        draw_format(area, row++, width + 1, theme_style(ROLE_STRONG), "%3.0f%%  %u/%u",
            100.0 * p->slots_done / p->slots_total, p->slots_done, p->slots_total);
        int col = draw_format(area, row, 0, text, "%s keys moved", format_count(&a, p->keys_done));
        if (p->keys_total >= 0)
            col = draw_format(area, row, col, text, " of %s", format_count(&a, p->keys_total));
        if (p->slot >= 0)
            draw_format(area, row, col, text, ", slot %d under way", p->slot);
        row++;
    }
    int col = draw_format(area, row, 0, text, "%s", format_duration(&a, p->elapsed_ms));
    if (p->slots_total > 0)
        col = draw_format(area, row, col, text, ", %s slots/s, %s keys/s",
            format_short(&a, p->slots_rate), format_short(&b, p->keys_rate));
    if (p->left_ms >= 0 && job->report.outcome == OPERATION_RUNNING)
        col = draw_format(area, row, col, text, ", about %s left", format_duration(&a, p->left_ms));
    if (p->cancelling || p->paused)
        draw_text(area, row, col + 2, theme_style(ROLE_WARN_TEXT),
            p->cancelling ? "cancelling" : "paused");
    return row + 1;
}

static int draw_report(const struct job *job, struct area area, int row)
{
    const struct operation_report *report = &job->report;
    if (report->text[0] != '\0')
        row += draw_wrapped(
            area, row, 0, theme_style(outcomes[report->outcome].role), report->text, true);
    if (report->state[0] != '\0')
        row += draw_wrapped(area, row, 0, theme_style(ROLE_TEXT), report->state, true);
    if (report->resume[0] != '\0') {
        draw_text(area, row++, 0, theme_style(ROLE_DIM), "to go on from there:");
        row += draw_wrapped(area, row, 2, theme_style(ROLE_STRONG), report->resume, true);
    }
    return row;
}

/* The phases; the last ones where not all fit. */
static void draw_phases(const struct job *job, struct area area, int row)
{
    enum { COLUMN = 11 };
    struct style text = theme_style(ROLE_TEXT);
    int first = (int)job->line_count, room = area.rows - row;
    while (first > 0) {
        room -= draw_wrapped(area, row, COLUMN, text, job->lines[first - 1].text, false);
        if (room < 0)
            break;
        first--;
    }
    for (int i = first; i < (int)job->line_count; i++) {
        struct format at;
        draw_right(area, row, COLUMN - 2, theme_style(ROLE_DIM),
            format_duration(&at, job->lines[i].at_ms));
        row += draw_wrapped(area, row, COLUMN, text, job->lines[i].text, true);
    }
}

static void draw_job(const struct job *job, struct area area)
{
    int row = draw_wrapped(area, 0, 0, theme_style(ROLE_STRONG), job->title, true);
    if (job->report.outcome == OPERATION_RUNNING)
        row = draw_progress(job, area, row);
    else
        row = draw_report(job, area, row);
    draw_phases(job, area, row + 1);
}

static void draw_history(struct tui *tui, struct operations *operations)
{
    int64_t now = client_wall_clock();
    for (int i = 0; i < operations->list.visible; i++) {
        int index = operations->list.top + i;
        const struct job *job = jobs_at(tui->jobs, (unsigned)index);
        if (job == NULL)
            break;
        bool here = index == operations->list.cursor;
        struct style style = theme_style(here ? ROLE_SELECT : ROLE_TEXT);
        struct format moment;
        draw_blank(operations->place, i, 0, style);
        draw_text(operations->place, i, 0,
            here ? style : theme_style(outcomes[job->report.outcome].role),
            outcomes[job->report.outcome].word);
        draw_text(operations->place, i, 10, style, format_moment(&moment, job->started, now));
        draw_text(operations->place, i, 22, style, job->title);
    }
    list_draw_more(&operations->list, operations->place);
}

static void operations_draw(struct tui *tui, void *state, struct area area)
{
    struct operations *operations = state;
    int count = (int)jobs_count(tui->jobs);
    if (count == 0) {
        draw_wrapped(area, 1, 0, theme_style(ROLE_DIM),
            "Nothing was run from here yet. Mark slots on the map (1) and press r to reshard, or "
            "press "
            "f on a shard for a failover.",
            true);
        operations->place = area_rows(area, 0, 0);
        return;
    }
    int rows = count < area.rows / LIST_SHARE ? count : area.rows / LIST_SHARE;
    operations->place = area_rows(area, 0, rows);
    list_fit(&operations->list, count, rows);
    draw_history(tui, operations);
    const struct job *job = jobs_at(tui->jobs, (unsigned)operations->list.cursor);
    draw_job(job, area_rows(area, rows + 1, area.rows - rows - 1));
}

static bool operations_key(struct tui *tui, void *state, int key)
{
    return list_key(&((struct operations *)state)->list, key);
}

static void operations_mouse(struct tui *tui, void *state, const struct mouse *mouse)
{
    struct operations *operations = state;
    int row = list_at(&operations->list, operations->place, mouse->y);
    if (mouse->kind == MOUSE_WHEEL_UP || mouse->kind == MOUSE_WHEEL_DOWN)
        list_move(&operations->list, mouse->kind == MOUSE_WHEEL_UP ? -1 : 1);
    else if (mouse->kind == MOUSE_PRESS && row >= 0)
        operations->list.cursor = row;
}

static void operations_status(struct tui *tui, void *state, struct area line)
{
    unsigned count = jobs_count(tui->jobs);
    if (count > 0)
        draw_format(line, 0, 1, theme_style(ROLE_DIM), "%u operation%s from this dashboard", count,
            count == 1 ? "" : "s");
}

static const struct binding operations_bindings[] = {
    { KEY_UP, .other = KEY_DOWN, .label = "Up Down", .help = "choose the operation that is shown" },
    { 0 },
};

const struct view view_operations = {
    .name = "Operations",
    .open = operations_open,
    .close = operations_close,
    .draw = operations_draw,
    .status = operations_status,
    .mouse = operations_mouse,
    .key = operations_key,
    .bindings = operations_bindings,
};
