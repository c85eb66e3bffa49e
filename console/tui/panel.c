/* A shard takes as many lines as there is room for: all its figures and nodes, or two lines, or
 * one. Where even that is too much the list scrolls, and follows the shard under the view's cursor.
 */
#include "console/tui/panel.h"

#include "common/memory.h"
#include "console/tui/app.h"
#include "console/tui/format.h"
#include "console/tui/nodes.h"
#include <stdio.h>
#include <stdlib.h>

enum { PANEL_ROWS_MAX = 512, PANEL_WIDE = 34, LOAD_LEAST = 20, FIGURE_MAX = 80 };

enum detail { DETAIL_ONE, DETAIL_TWO, DETAIL_ALL };

struct panel {
    struct area area;
    int first;                  /* line of the list at the top of the area */
    int lines;                  /* of the whole list */
    int shown;                  /* the shard that the list followed last */
    int shards[PANEL_ROWS_MAX]; /* of each row of the area; -1: none */
};

/* Where drawing is: a line of the list, which may be outside of the area. */
struct pen {
    struct panel *panel;
    struct tui *tui;
    int line;
    int shard;
};

struct panel *panel_new(void)
{
    struct panel *panel = memory_alloc_zeroed(1, sizeof *panel);
    panel->shown = -1;
    return panel;
}

void panel_free(struct panel *panel)
{
    free(panel);
}

int panel_width(int screen_cols)
{
    if (screen_cols >= 130)
        return 40;
    return screen_cols >= 100 ? 30 : 23;
}

/* The row of the area where the pen's line is, -1 where it is outside; goes to the next line. */
static int pen_row(struct pen *pen)
{
    int row = pen->line++ - pen->panel->first;
    if (row < 0 || row >= pen->panel->area.rows || row >= PANEL_ROWS_MAX)
        return -1;
    pen->panel->shards[row] = pen->shard;
    return row;
}

static void draw_title(struct pen *pen, const struct model_shard *shard, enum detail detail)
{
    struct area area = pen->panel->area;
    const struct model *model = pen->tui->model;
    int row = pen_row(pen);
    if (row < 0)
        return;
    struct style strong = theme_style(ROLE_STRONG);
    if (pen->shard == tui_shard(pen->tui)) {
        strong = theme_style(ROLE_SELECT);
        draw_blank(area, row, 1, strong);
    }
    int col = nodes_draw_letter(model, area, row, 0, pen->shard) + 1;
    if (shard->primary == MODEL_NOBODY) {
        draw_text(area, row, col, theme_style(ROLE_BAD_TEXT), "no primary");
        return;
    }
    const struct model_node *node = model->nodes[shard->primary];
    char name[NODES_NAME_MAX], text[FIGURE_MAX];
    if (area.cols >= PANEL_WIDE && detail != DETAIL_ONE) {
        snprintf(text, sizeof text, "%s:%u", node->address.ip, node->address.port);
        col = draw_text(area, row, col, strong, text);
    } else {
        col = draw_text(
            area, row, col, strong, model_node_name(model, shard->primary, name, sizeof name));
    }
    if (detail == DETAIL_ONE) {
        struct format ops;
        draw_format(area, row, col + 1, strong, "%u %s/s", shard->slot_count,
            format_short(&ops, shard->ops));
    }
    struct style health = nodes_health_style(node->health);
    if (pen->shard == tui_shard(pen->tui))
        health = style_on_select(health);
    draw_right(area, row, area.cols, health, nodes_health_text(node, text, sizeof text));
}

static void draw_holdings(struct pen *pen, const struct model_shard *shard, bool stale)
{
    struct area area = pen->panel->area;
    int row = pen_row(pen);
    if (row < 0)
        return;
    struct format keys, bytes;
    struct style style = theme_style(stale ? ROLE_DIM : ROLE_TEXT);
    int col = draw_format(area, row, 2, style, "%u slots %s keys", shard->slot_count,
        format_short(&keys, (double)shard->keys));
    if (area.cols >= PANEL_WIDE && shard->memory >= 0)
        draw_format(area, row, col + 2, style, "%s", format_bytes(&bytes, shard->memory));
}

static void draw_load(struct pen *pen, const struct model_shard *shard, bool stale)
{
    struct area area = pen->panel->area;
    const struct model *model = pen->tui->model;
    int row = pen_row(pen);
    if (row < 0 || shard->primary == MODEL_NOBODY)
        return;
    const struct model_node *node = model->nodes[shard->primary];
    struct format ops, age;
    if (stale) {
        if (node->heard_at == 0)
            draw_text(area, row, 2, theme_style(ROLE_DIM), "never answered");
        else
            draw_format(area, row, 2, theme_style(ROLE_DIM), "figures are %s old",
                format_seconds(&age, client_now() - node->heard_at));
        return;
    }
    char latency[FIGURE_MAX] = "";
    if (node->latency_us >= 1000)
        snprintf(latency, sizeof latency, "%d ms", (int)(node->latency_us / 1000));
    else if (node->latency_us >= 0)
        snprintf(latency, sizeof latency, "<1 ms");
    int col = draw_format(
        area, row, 2, theme_style(ROLE_TEXT), "%s op/s ", format_short(&ops, shard->ops));
    draw_right(area, row, area.cols, theme_style(ROLE_DIM), latency);
    int width = area.cols - col - text_width(latency) - 1;
    double values[MODEL_HISTORY];
    unsigned count = shard->ops_history.count;
    count = width < 0 ? 0 : count > (unsigned)width ? (unsigned)width : count;
    for (unsigned i = 0; i < count; i++)
        values[i] = (double)model_history_at(&shard->ops_history, count - 1 - i);
    draw_spark(area, row, col, width, values, count, LOAD_LEAST, theme_shard(shard->number));
}

static void draw_member(struct pen *pen, int index)
{
    struct area area = pen->panel->area;
    const struct model *model = pen->tui->model;
    const struct model_node *node = model->nodes[index];
    int row = pen_row(pen);
    if (row < 0)
        return;
    char name[NODES_NAME_MAX], text[FIGURE_MAX];
    bool stale = nodes_is_stale(node);
    struct style style = theme_style(stale ? ROLE_DIM : ROLE_TEXT);
    draw_glyph(area, row, 2, theme_style(ROLE_DIM), GLYPH_BRANCH);
    int col = draw_text(area, row, 4, style, model_node_name(model, index, name, sizeof name));
    if (node->health != MODEL_UP) {
        draw_right(area, row, area.cols, nodes_health_style(node->health),
            nodes_health_text(node, text, sizeof text));
        return;
    }
    col = draw_text(area, row, col + 1, style, node->replica ? "replica" : "primary, no slots");
    struct format lag;
    if (node->replica && !node->figures.link_up)
        draw_right(area, row, area.cols, theme_style(ROLE_WARN_TEXT), "no link");
    else if (node->replica && node->lag >= 0 && !stale) {
        snprintf(text, sizeof text, "lag %s", format_short(&lag, (double)node->lag));
        draw_right(area, row, area.cols, style, text);
    }
}

static int shard_lines(const struct model_shard *shard, enum detail detail)
{
    static const int lines[] = { [DETAIL_ONE] = 1, [DETAIL_TWO] = 2, [DETAIL_ALL] = 3 };
    return lines[detail] + (detail == DETAIL_ALL ? (int)shard->member_count : 0);
}

static int list_lines(const struct model *model, enum detail detail, int gap)
{
    int lines = 0;
    for (size_t i = 0; i < model->shard_count; i++)
        lines += shard_lines(&model->shards[i], detail) + (i > 0 ? gap : 0);
    return lines;
}

/* Brings the shard under the cursor into sight, once for each time it becomes another. */
static void follow(struct panel *panel, struct tui *tui, enum detail detail, int gap)
{
    int shard = tui_shard(tui), line = 0;
    if (shard >= 0 && shard != panel->shown) {
        for (int i = 0; i < shard && (size_t)i < tui->model->shard_count; i++)
            line += shard_lines(&tui->model->shards[i], detail) + gap;
        int end = line + shard_lines(&tui->model->shards[shard], detail);
        if (line < panel->first)
            panel->first = line;
        if (end > panel->first + panel->area.rows)
            panel->first = end - panel->area.rows;
    }
    panel->shown = shard;
    if (panel->first > panel->lines - panel->area.rows)
        panel->first = panel->lines - panel->area.rows;
    if (panel->first < 0)
        panel->first = 0;
}

static void draw_shard(struct pen *pen, const struct model_shard *shard, enum detail detail)
{
    const struct model *model = pen->tui->model;
    bool stale = shard->primary == MODEL_NOBODY || nodes_is_stale(model->nodes[shard->primary]);
    draw_title(pen, shard, detail);
    if (detail >= DETAIL_TWO)
        draw_holdings(pen, shard, stale);
    if (detail < DETAIL_ALL)
        return;
    draw_load(pen, shard, stale);
    for (unsigned i = 0; i < shard->member_count; i++)
        draw_member(pen, shard->members[i]);
}

void panel_draw(struct panel *panel, struct tui *tui, struct area area)
{
    const struct model *model = tui->model;
    panel->area = area;
    for (int i = 0; i < PANEL_ROWS_MAX; i++)
        panel->shards[i] = -1;
    int gap = 1;
    enum detail detail = DETAIL_ALL;
    if (list_lines(model, detail, gap) > area.rows)
        gap = 0;
    while (detail > DETAIL_ONE && list_lines(model, detail, gap) > area.rows)
        detail--;
    panel->lines = list_lines(model, detail, gap);
    follow(panel, tui, detail, gap);
    struct pen pen = { .panel = panel, .tui = tui };
    for (size_t i = 0; i < model->shard_count; i++) {
        pen.shard = (int)i;
        draw_shard(&pen, &model->shards[i], detail);
        pen.line += gap;
    }
    if (model->shard_count == 0)
        draw_text(area, 0, 0, theme_style(ROLE_DIM), "no shards yet");
    if (panel->first > 0)
        draw_glyph(area, 0, area.cols - 1, theme_style(ROLE_DIM), GLYPH_UP);
    if (panel->first + area.rows < panel->lines)
        draw_glyph(area, area.rows - 1, area.cols - 1, theme_style(ROLE_DIM), GLYPH_DOWN);
}

int panel_shard_at(const struct panel *panel, int y, int x)
{
    int row = y - panel->area.y;
    if (!area_has(panel->area, y, x) || row >= PANEL_ROWS_MAX)
        return -1;
    return panel->shards[row];
}

void panel_mouse(struct panel *panel, struct tui *tui, const struct mouse *mouse)
{
    int shard = panel_shard_at(panel, mouse->y, mouse->x);
    if (mouse->kind == MOUSE_WHEEL_UP)
        panel->first--;
    else if (mouse->kind == MOUSE_WHEEL_DOWN)
        panel->first++;
    else if (mouse->kind == MOUSE_PRESS && shard >= 0)
        tui_go(tui, tui->model->shards[shard].first_slot, tui->model->shards[shard].primary);
    tui_changed(tui);
}
