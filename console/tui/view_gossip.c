/* Who thinks what of whom: a row for each node that tells, a column for each that is told of. A
 * cell says the opinion and how long ago the one last heard of the other; where many nodes must
 * fit, only the opinion, as one sign. */
#include "console/tui/actions.h"
#include "console/tui/app.h"
#include "console/tui/format.h"
#include "console/tui/list.h"
#include "console/tui/nodes.h"
#include "console/tui/views.h"

#include "common/memory.h"
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDE_CELL = 8, WIDEST_CELL = 11, NARROW_CELL = 2, TITLE_ROWS = 1, NAME_LIMIT = 20 };

struct gossip {
    struct list rows, columns;
    int name_width, cell_width;
    struct area place; /* of the cells, when drawn last */
};

static const struct {
    const char *word, *sign;
    enum role role;
} looks[] = {
    [MODEL_THINKS_NOTHING] = { "", " ", ROLE_DIM },
    [MODEL_THINKS_SELF] = { "-", "-", ROLE_DIM },
    [MODEL_THINKS_OK] = { "ok", "o", ROLE_GOOD_TEXT },
    [MODEL_THINKS_NO_LINK] = { "nolink", "x", ROLE_WARN_TEXT },
    [MODEL_THINKS_HANDSHAKE] = { "shake", "h", ROLE_WARN_TEXT },
    [MODEL_THINKS_PFAIL] = { "pfail", "?", ROLE_WARN_TEXT },
    [MODEL_THINKS_FAIL] = { "FAIL", "F", ROLE_BAD_TEXT },
};

static void *gossip_open(struct tui *tui)
{
    return memory_alloc_zeroed(1, sizeof(struct gossip));
}

static void gossip_close(struct tui *tui, void *state)
{
    free(state);
}

static void measure(const struct model *model, struct gossip *gossip, struct area area)
{
    gossip->name_width = 4;
    for (size_t i = 0; i < model->node_count; i++) {
        char name[NODES_NAME_MAX];
        int width = text_width(model_node_name(model, (int)i, name, sizeof name));
        gossip->name_width = width > gossip->name_width ? width : gossip->name_width;
    }
    if (gossip->name_width > NAME_LIMIT)
        gossip->name_width = NAME_LIMIT;
    int room = area.cols - gossip->name_width - 3, nodes = (int)model->node_count;
    gossip->cell_width = nodes > 0 ? room / nodes : WIDE_CELL;
    if (gossip->cell_width < WIDE_CELL)
        gossip->cell_width = NARROW_CELL;
    if (gossip->cell_width > WIDEST_CELL)
        gossip->cell_width = WIDEST_CELL;
    gossip->place = area_rows(area, TITLE_ROWS, area.rows - TITLE_ROWS);
    gossip->place.x += gossip->name_width + 3;
    gossip->place.cols = room > 0 ? room : 0;
    list_fit(&gossip->rows, nodes, gossip->place.rows);
    list_fit(&gossip->columns, nodes, gossip->place.cols / gossip->cell_width);
}

static void draw_cell(
    const struct model *model, const struct gossip *gossip, int from, int about, int row, int col)
{
    int64_t age = -1;
    enum model_opinion opinion = model_opinion(model, from, about, &age);
    bool here = from == gossip->rows.cursor && about == gossip->columns.cursor;
    struct style style = theme_style(looks[opinion].role);
    if (nodes_is_stale(model->nodes[from]) && opinion != MODEL_THINKS_FAIL)
        style = theme_style(ROLE_DIM);
    struct style aged = theme_style(ROLE_DIM);
    if (here) {
        style = aged = theme_style(ROLE_SELECT);
        for (int i = 0; i < gossip->cell_width - 1; i++)
            draw_text(gossip->place, row, col + i, style, " ");
    }
    if (gossip->cell_width == NARROW_CELL) {
        draw_text(gossip->place, row, col, style, looks[opinion].sign);
        return;
    }
    int at = draw_text(gossip->place, row, col, style, looks[opinion].word) + 1;
    struct format text;
    if (opinion == MODEL_THINKS_SELF || opinion == MODEL_THINKS_NOTHING || age < 0)
        return;
    format_seconds(&text, age);
    if (at + text_width(text.text) < col + gossip->cell_width)
        draw_text(gossip->place, row, at, aged, text.text);
}

static void draw_titles(const struct model *model, const struct gossip *gossip, struct area area)
{
    struct area line = { area.y, gossip->place.x, 1, gossip->place.cols };
    draw_text(area, 0, 0, theme_style(ROLE_DIM), "of:");
    for (int i = 0; i < gossip->columns.visible; i++) {
        int about = gossip->columns.top + i;
        if (about >= (int)model->node_count)
            break;
        int col = i * gossip->cell_width;
        bool here = about == gossip->columns.cursor;
        char name[NODES_NAME_MAX];
        if (gossip->cell_width == NARROW_CELL) {
            nodes_draw_letter(model, line, 0, col, model->nodes[about]->shard);
            continue;
        }
        model_node_name(model, about, name, sizeof name);
        int width = text_width(name), most = gossip->cell_width - 1;
        draw_text(line, 0, col, theme_style(here ? ROLE_STRONG : ROLE_DIM),
            width > most ? name + (width - most) : name);
    }
}

static void gossip_draw(struct tui *tui, void *state, struct area area)
{
    struct gossip *gossip = state;
    const struct model *model = tui->model;
    measure(model, gossip, area);
    draw_titles(model, gossip, area);
    for (int i = 0; i < gossip->rows.visible; i++) {
        int from = gossip->rows.top + i;
        if (from >= (int)model->node_count)
            break;
        const struct model_node *node = model->nodes[from];
        char name[NODES_NAME_MAX];
        struct area line = area_rows(area, TITLE_ROWS + i, 1);
        line.cols = gossip->name_width + 3;
        bool here = from == gossip->rows.cursor;
        nodes_draw_letter(model, line, 0, 0, node->shard);
        draw_text(line, 0, 2,
            theme_style(here             ? ROLE_STRONG
                        : node->has_view ? ROLE_TEXT
                                         : ROLE_DIM),
            model_node_name(model, from, name, sizeof name));
        if (!node->has_view) {
            draw_text(gossip->place, i, 0, theme_style(ROLE_DIM), "has told nothing yet");
            continue;
        }
        for (int c = 0; c < gossip->columns.visible; c++) {
            int about = gossip->columns.top + c;
            if (about < (int)model->node_count)
                draw_cell(model, gossip, from, about, i, c * gossip->cell_width);
        }
    }
    list_draw_more(&gossip->rows, gossip->place);
    struct area legend = area_rows(area, TITLE_ROWS + gossip->rows.count + 1, 2);
    draw_wrapped(legend, 0, 0, theme_style(ROLE_DIM),
        gossip->cell_width != NARROW_CELL
            ? "what a row thinks of a column, and how long ago it last heard of it"
            : "o ok  x no link  h handshake  ? pfail  F fail",
        true);
}

static void gossip_status(struct tui *tui, void *state, struct area line)
{
    const struct gossip *gossip = state;
    const struct model *model = tui->model;
    int from = gossip->rows.cursor, about = gossip->columns.cursor;
    if (from >= (int)model->node_count || about >= (int)model->node_count)
        return;
    int64_t age = -1;
    enum model_opinion opinion = model_opinion(model, from, about, &age);
    char a[NODES_NAME_MAX], b[NODES_NAME_MAX];
    struct format text;
    int col = draw_format(line, 0, 1, theme_style(ROLE_STRONG), "%s thinks of %s: %s",
        model_node_name(model, from, a, sizeof a), model_node_name(model, about, b, sizeof b),
        opinion == MODEL_THINKS_SELF ? "that's itself" : model_opinion_text(opinion));
    if (age >= 0 && opinion != MODEL_THINKS_SELF)
        col = draw_format(line, 0, col, theme_style(ROLE_TEXT), ", last pong %s before it told",
            format_age(&text, age));
    int64_t told = client_now() - model->nodes[from]->view_at;
    if (model->nodes[from]->has_view && told > TUI_STALE_MS)
        draw_format(
            line, 0, col, theme_style(ROLE_WARN_TEXT), ", told %s ago", format_age(&text, told));
}

static bool gossip_key(struct tui *tui, void *state, int key)
{
    struct gossip *gossip = state;
    if (key == KEY_LEFT || key == KEY_RIGHT) {
        list_move(&gossip->columns, key == KEY_LEFT ? -1 : 1);
        return true;
    }
    return list_key(&gossip->rows, key);
}

static void gossip_mouse(struct tui *tui, void *state, const struct mouse *mouse)
{
    struct gossip *gossip = state;
    int row = list_at(&gossip->rows, gossip->place, mouse->y);
    if (mouse->kind == MOUSE_WHEEL_UP || mouse->kind == MOUSE_WHEEL_DOWN) {
        list_move(&gossip->rows, mouse->kind == MOUSE_WHEEL_UP ? -1 : 1);
    } else if (mouse->kind == MOUSE_PRESS && row >= 0) {
        gossip->rows.cursor = row;
        int column = (mouse->x - gossip->place.x) / gossip->cell_width + gossip->columns.top;
        if (mouse->x >= gossip->place.x && column < gossip->columns.count)
            gossip->columns.cursor = column;
    }
}

static bool gossip_go(struct tui *tui, void *state, int slot, int node)
{
    struct gossip *gossip = state;
    if (node == MODEL_NOBODY && slot >= 0)
        node = tui->model->slots[slot].owner;
    if (node == MODEL_NOBODY)
        return false;
    gossip->rows.cursor = node;
    return true;
}

static int gossip_shard(struct tui *tui, void *state)
{
    const struct gossip *gossip = state;
    return gossip->rows.cursor < (int)tui->model->node_count
               ? tui->model->nodes[gossip->rows.cursor]->shard
               : -1;
}

static void show(struct tui *tui, void *state)
{
    const struct gossip *gossip = state;
    if (gossip->rows.cursor < (int)tui->model->node_count)
        action_show_node(tui, gossip->rows.cursor);
}

static const struct binding gossip_bindings[] = {
    { KEY_UP, .other = KEY_DOWN, .label = "arrows", .help = "move over rows and columns" },
    { '\r', .word = "all about it", .run = show, .help = "shows all about the row's node" },
    { 0 },
};

const struct view view_gossip = {
    .name = "Gossip",
    .open = gossip_open,
    .close = gossip_close,
    .draw = gossip_draw,
    .status = gossip_status,
    .mouse = gossip_mouse,
    .key = gossip_key,
    .go = gossip_go,
    .shard = gossip_shard,
    .bindings = gossip_bindings,
};
