/* The first line must be right when it is the only one that is read. */
#include "console/tui/header.h"

#include "console/tui/app.h"
#include "console/tui/format.h"
#include "console/tui/jobs.h"
#include "console/tui/nodes.h"
#include "console/tui/zones.h"
#include <stdio.h>

enum { NAME_COLUMNS = 24, BAR_COLUMNS = 12, FIGURE_MAX = 80, WIDE = 90 };

static const struct {
    const char *word;
    enum role badge, text;
} levels[] = {
    [MODEL_WAITING] = { "...", ROLE_TAB, ROLE_DIM },
    [MODEL_OK] = { "OK", ROLE_OK, ROLE_TEXT },
    [MODEL_WARNING] = { "WARN", ROLE_WARN, ROLE_WARN_TEXT },
    [MODEL_FAIL] = { "FAIL", ROLE_BAD, ROLE_BAD_TEXT },
};

/* One figure with a gap before it, where it fits. */
static int draw_figure(struct area line, int col, const char *text)
{
    if (col + text_width(text) > line.cols)
        return line.cols;
    return draw_text(line, 0, col, theme_style(ROLE_TEXT), text) + 2;
}

static void draw_figures(const struct model *model, struct area line, int col)
{
    struct format keys, ops, bytes;
    char text[FIGURE_MAX];
    unsigned nodes = (unsigned)model->node_count, shards = (unsigned)model->shard_count;
    snprintf(text, sizeof text, "%u node%s  %u shard%s", nodes, nodes == 1 ? "" : "s", shards,
        shards == 1 ? "" : "s");
    col = draw_figure(line, col, text);
    snprintf(text, sizeof text, line.cols < WIDE ? "%u slots" : "%u/16384 slots", model->served);
    col = draw_figure(line, col, text);
    snprintf(text, sizeof text, "%s keys", format_count(&keys, model->keys));
    col = draw_figure(line, col, text);
    snprintf(text, sizeof text, "%s op/s", format_short(&ops, model->ops));
    col = draw_figure(line, col, text);
    col = draw_figure(line, col, format_bytes(&bytes, model->memory));
    snprintf(text, sizeof text, "epoch %llu", (unsigned long long)model->epoch);
    draw_figure(line, col, text);
}

/* Anything but OK is said in words; the cluster's name gives way where they are long. */
static void draw_trouble(const struct model *model, struct area line, const char *name)
{
    const struct model_verdict *verdict = &model->verdict;
    bool fail = verdict->level == MODEL_FAIL;
    struct style badge = theme_style(levels[verdict->level].badge);
    struct style text = fail ? badge : theme_style(levels[verdict->level].text);
    const char *words = verdict->text[0] != '\0' ? verdict->text : "asking the nodes";
    const char *level = levels[verdict->level].word;
    struct format age;
    char since[FORMAT_MAX + 8];
    snprintf(since, sizeof since, "for %s ", format_seconds(&age, client_now() - verdict->since));
    if (fail)
        draw_blank(line, 0, 0, badge);
    int col = 0;
    if (text_width(name) + text_width(level) + text_width(words) + 5 <= line.cols)
        col = draw_format(line, 0, 1, fail ? badge : theme_style(ROLE_STRONG), "%s", name) + 1;
    col = draw_format(line, 0, col, badge, " %s ", level);
    col = draw_text(line, 0, col + 1, text, words);
    if (verdict->level != MODEL_WAITING && col + 1 + text_width(since) <= line.cols)
        draw_right(line, 0, line.cols, text, since);
}

void header_draw_verdict(struct tui *tui, struct area line)
{
    const struct model *model = tui->model;
    char name[NODES_NAME_MAX];
    nodes_cluster_name(model, name, sizeof name);
    name[NAME_COLUMNS] = '\0';
    if (model->verdict.level != MODEL_OK) {
        draw_trouble(model, line, name);
        return;
    }
    int col = draw_format(line, 0, 1, theme_style(ROLE_STRONG), "%s", name) + 1;
    col = draw_format(line, 0, col, theme_style(ROLE_OK), " %s ", levels[MODEL_OK].word);
    draw_figures(model, line, col + 2);
}

void header_draw_tabs(struct tui *tui, struct area line)
{
    struct style tab = theme_style(ROLE_TAB);
    draw_blank(line, 0, 0, tab);
    int col = 0;
    for (int i = 0; i < VIEW_COUNT; i++) {
        struct style style = i == (int)tui->current ? theme_style(ROLE_TAB_ACTIVE) : tab;
        int end = draw_format(line, 0, col, style, " %d %s ", i + 1, tui_views[i]->name);
        zones_add(tui->zones, line.y, line.x + col, end - col, '1' + i);
        col = end + 1;
    }
    static const char help[] = " ? help ";
    int at = line.cols - text_width(help);
    draw_text(line, 0, at, tab, help);
    zones_add(tui->zones, line.y, line.x + at, text_width(help), '?');
}

static enum role severity_role(enum model_severity severity)
{
    if (severity == MODEL_BAD)
        return ROLE_BAD_TEXT;
    return severity == MODEL_GOOD ? ROLE_GOOD_TEXT : ROLE_TEXT;
}

static void draw_job(const struct job *job, struct area line)
{
    const struct operation_progress *p = &job->progress;
    struct format rate, left;
    int col = 1;
    if (p->slots_total > 0) {
        draw_bar(
            line, 0, col, BAR_COLUMNS, p->slots_done, p->slots_total, theme_style(ROLE_DIALOG));
        col = draw_format(line, 0, col + BAR_COLUMNS + 1, theme_style(ROLE_STRONG), "%u/%u slots  ",
            p->slots_done, p->slots_total);
        col = draw_format(
            line, 0, col, theme_style(ROLE_TEXT), "%s keys/s  ", format_short(&rate, p->keys_rate));
    }
    if (p->cancelling || p->paused) {
        draw_text(
            line, 0, col, theme_style(ROLE_WARN_TEXT), p->cancelling ? "cancelling" : "paused");
        return;
    }
    if (p->left_ms >= 0)
        col = draw_format(
            line, 0, col, theme_style(ROLE_TEXT), "%s left  ", format_duration(&left, p->left_ms));
    if (p->slots_total == 0 && job->line_count > 0)
        draw_text(line, 0, col, theme_style(ROLE_DIM), job->lines[job->line_count - 1].text);
}

void header_draw_events(struct tui *tui, struct area area)
{
    int rows = area.rows;
    struct area last = area_rows(area, rows - 1, 1);
    if (tui->notice[0] != '\0') {
        rows--; /* see header_draw_notice */
    } else if (jobs_running(tui->jobs) != NULL) {
        draw_job(jobs_at(tui->jobs, 0), last);
        rows--;
    }
    if (rows > 0 && model_log_at(&tui->model->log, 0) == NULL)
        draw_text(area, rows - 1, 1, theme_style(ROLE_DIM), "nothing has happened yet");
    for (int i = 0; i < rows; i++) {
        const struct model_event *event = model_log_at(&tui->model->log, (size_t)i);
        if (event == NULL)
            break;
        struct format clock;
        int row = rows - 1 - i;
        int col = draw_text(area, row, 1, theme_style(ROLE_DIM), format_clock(&clock, event->wall));
        draw_text(area, row, col + 2, theme_style(severity_role(event->severity)), event->text);
    }
}

/* What doesn't fit in one row grows upwards, over what stands there: it goes with the next key. */
void header_draw_notice(struct tui *tui, struct area area)
{
    enum { NOTICE_ROWS = 3 };
    struct style style = theme_style(severity_role(tui->notice_kind));
    struct area measure = { 0, 0, 1000, area.cols - 1 };
    if (tui->notice[0] == '\0')
        return;
    int rows = draw_wrapped(measure, 0, 1, style, tui->notice, false);
    rows = rows < NOTICE_ROWS ? rows : NOTICE_ROWS;
    struct area place = { area.y + area.rows - rows, area.x, rows, area.cols - 1 };
    draw_clear(place);
    draw_wrapped(place, 0, 1, style, tui->notice, true);
}
