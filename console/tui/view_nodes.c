/* All nodes as a table: as many columns as fit, a row for each node. Rows are sorted when the
 * person asks for it, and keep their places otherwise: nothing moves under the cursor. */
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

enum { CELL_MAX = 80 };

struct key {
    char text[NODES_KEY_MAX];
};

struct nodes {
    struct key *order; /* owned; which node is on which row */
    int count;
    struct list list;
    int sort;          /* index of the column */
    struct area place; /* of the rows, when drawn last */
};

/* A column: what stands there, and what it sorts by (greater first where `down`). */
struct column {
    const char *title;
    int width;                /* without the gap; 0: as wide as the longest name */
    bool right, down, figure; /* figure: grey where it is old */
    void (*cell)(const struct model *model, int node, char *out);
    double (*rank)(
        const struct model *model, const struct model_node *node); /* NULL: by the text */
};

static void cell_name(const struct model *model, int node, char *out)
{
    model_node_name(model, node, out, CELL_MAX);
}

static double rank_shard(const struct model *model, const struct model_node *node)
{
    return (node->shard < 0 ? 1e6 : node->shard) + (node->replica ? 0.5 : 0);
}

static void cell_role(const struct model *model, int node, char *out)
{
    const struct model_node *n = model->nodes[node];
    snprintf(out, CELL_MAX, "%s",
        !node_id_is_set(&n->id) ? "?"
        : n->replica            ? "replica"
                                : "primary");
}

static void cell_state(const struct model *model, int node, char *out)
{
    nodes_health_text(model->nodes[node], out, CELL_MAX);
}

static double rank_state(const struct model *model, const struct model_node *node)
{
    return node->health;
}

static void cell_slots(const struct model *model, int node, char *out)
{
    const struct model_node *n = model->nodes[node];
    if (n->slot_count > 0 || !n->replica)
        snprintf(out, CELL_MAX, "%u", n->slot_count);
}

static double rank_slots(const struct model *model, const struct model_node *node)
{
    return node->slot_count;
}

static void cell_keys(const struct model *model, int node, char *out)
{
    struct format text;
    snprintf(out, CELL_MAX, "%s", format_short(&text, (double)model->nodes[node]->figures.keys));
}

static double rank_keys(const struct model *model, const struct model_node *node)
{
    return (double)node->figures.keys;
}

static void cell_ops(const struct model *model, int node, char *out)
{
    struct format text;
    snprintf(out, CELL_MAX, "%s", format_short(&text, model->nodes[node]->ops));
}

static double rank_ops(const struct model *model, const struct model_node *node)
{
    return node->ops;
}

static void cell_lag(const struct model *model, int node, char *out)
{
    struct format text;
    const struct model_node *n = model->nodes[node];
    if (n->replica)
        snprintf(out, CELL_MAX, "%s",
            n->figures.link_up ? format_short(&text, (double)n->lag) : "no link");
}

static double rank_lag(const struct model *model, const struct model_node *node)
{
    return node->replica ? (double)node->lag : -2;
}

static void cell_memory(const struct model *model, int node, char *out)
{
    struct format text;
    snprintf(out, CELL_MAX, "%s", format_bytes(&text, model->nodes[node]->figures.memory));
}

static double rank_memory(const struct model *model, const struct model_node *node)
{
    return (double)node->figures.memory;
}

static void cell_latency(const struct model *model, int node, char *out)
{
    if (model->nodes[node]->latency_us >= 0)
        snprintf(out, CELL_MAX, "%.1f", (double)model->nodes[node]->latency_us / 1000);
}

static double rank_latency(const struct model *model, const struct model_node *node)
{
    return (double)node->latency_us;
}

static void cell_clients(const struct model *model, int node, char *out)
{
    struct format text;
    snprintf(out, CELL_MAX, "%s", format_count(&text, model->nodes[node]->figures.clients));
}

static double rank_clients(const struct model *model, const struct model_node *node)
{
    return (double)node->figures.clients;
}

static void cell_id(const struct model *model, int node, char *out)
{
    snprintf(out, CELL_MAX, "%.8s", model->nodes[node]->id.text);
}

static void cell_epoch(const struct model *model, int node, char *out)
{
    snprintf(out, CELL_MAX, "%llu", (unsigned long long)model->nodes[node]->config_epoch);
}

static double rank_epoch(const struct model *model, const struct model_node *node)
{
    return (double)node->config_epoch;
}

static void cell_uptime(const struct model *model, int node, char *out)
{
    struct format text;
    snprintf(out, CELL_MAX, "%s", format_age(&text, model->nodes[node]->figures.uptime * 1000));
}

static double rank_uptime(const struct model *model, const struct model_node *node)
{
    return (double)node->figures.uptime;
}

static void cell_version(const struct model *model, int node, char *out)
{
    snprintf(out, CELL_MAX, "%s", model->nodes[node]->figures.version);
}

/* The most important first: those that don't fit are left out from the right. */
static const struct column columns[] = {
    { "node", 0, false, false, false, cell_name, rank_shard },
    { "role", 7, false, false, false, cell_role, NULL },
    { "state", 11, false, true, false, cell_state, rank_state },
    { "slots", 5, true, true, false, cell_slots, rank_slots },
    { "keys", 5, true, true, true, cell_keys, rank_keys },
    { "op/s", 5, true, true, true, cell_ops, rank_ops },
    { "lag", 7, true, true, true, cell_lag, rank_lag },
    { "memory", 7, true, true, true, cell_memory, rank_memory },
    { "ms", 6, true, true, true, cell_latency, rank_latency },
    { "clients", 7, true, true, true, cell_clients, rank_clients },
    { "epoch", 6, true, true, false, cell_epoch, rank_epoch },
    { "id", 8, false, false, false, cell_id, NULL },
    { "uptime", 6, true, true, true, cell_uptime, rank_uptime },
    { "version", 14, false, false, false, cell_version, NULL },
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

static void *nodes_open(struct tui *tui)
{
    return memory_alloc_zeroed(1, sizeof(struct nodes));
}

static void nodes_close(struct tui *tui, void *state)
{
    struct nodes *nodes = state;
    free(nodes->order);
    free(nodes);
}

static int row_of_key(const struct nodes *nodes, const char *key)
{
    for (int i = 0; i < nodes->count; i++) {
        if (strcmp(nodes->order[i].text, key) == 0)
            return i;
    }
    return -1;
}

struct sorting {
    const struct model *model;
    const struct column *column;
};

static int compare(const void *a, const void *b, void *context)
{
    const struct sorting *sorting = context;
    int left = nodes_by_key(sorting->model, ((const struct key *)a)->text);
    int right = nodes_by_key(sorting->model, ((const struct key *)b)->text);
    if (left == MODEL_NOBODY || right == MODEL_NOBODY)
        return 0;
    int order = 0;
    if (sorting->column->rank != NULL) {
        double l = sorting->column->rank(sorting->model, sorting->model->nodes[left]);
        double r = sorting->column->rank(sorting->model, sorting->model->nodes[right]);
        order = l < r ? -1 : l > r;
    } else {
        char l[CELL_MAX] = "", r[CELL_MAX] = "";
        sorting->column->cell(sorting->model, left, l);
        sorting->column->cell(sorting->model, right, r);
        order = strcmp(l, r);
    }
    if (sorting->column->down)
        order = -order;
    return order != 0 ? order : left - right;
}

static void sort(struct tui *tui, struct nodes *nodes)
{
    char under[NODES_KEY_MAX] = "";
    if (nodes->list.cursor < nodes->count)
        snprintf(under, sizeof under, "%s", nodes->order[nodes->list.cursor].text);
    struct sorting sorting = { tui->model, &columns[nodes->sort] };
    qsort_r(nodes->order, (size_t)nodes->count, sizeof *nodes->order, compare, &sorting);
    int row = row_of_key(nodes, under);
    nodes->list.cursor = row >= 0 ? row : 0;
}

/* Takes rows of nodes that are gone away, and puts new ones where the sort wants them. */
static void follow_model(struct tui *tui, struct nodes *nodes)
{
    const struct model *model = tui->model;
    int kept = 0, before = nodes->count;
    for (int i = 0; i < nodes->count; i++) {
        if (nodes_by_key(model, nodes->order[i].text) == MODEL_NOBODY) {
            nodes->list.cursor -= i < nodes->list.cursor;
            continue;
        }
        nodes->order[kept++] = nodes->order[i];
    }
    nodes->count = kept;
    nodes->order =
        memory_resize(nodes->order, (model->node_count + (size_t)kept + 1) * sizeof *nodes->order);
    for (size_t i = 0; i < model->node_count; i++) {
        char key[NODES_KEY_MAX];
        if (row_of_key(nodes, nodes_key(model->nodes[i], key)) < 0)
            memcpy(nodes->order[nodes->count++].text, key, sizeof key);
    }
    if (before == 0 || nodes->count > kept)
        sort(tui, nodes);
}

static int name_width(const struct model *model)
{
    int width = 6;
    for (size_t i = 0; i < model->node_count; i++) {
        char name[NODES_NAME_MAX];
        int one = text_width(model_node_name(model, (int)i, name, sizeof name));
        width = one > width ? one : width;
    }
    return width < 24 ? width : 24;
}

static int column_width(const struct model *model, int column)
{
    return columns[column].width > 0 ? columns[column].width : name_width(model);
}

/* A column that stands at its left edge keeps away from one that stands at its right. */
static int column_gap(int column)
{
    return column + 1 < COLUMNS && columns[column].right && !columns[column + 1].right ? 2 : 1;
}

static void draw_cell(const struct column *column, struct area area, int row, int col, int width,
    struct style style, const char *text)
{
    struct area cell = { area.y, area.x, area.rows,
        col + width < area.cols ? col + width : area.cols };
    if (column->right)
        draw_right(cell, row, col + width, style, text);
    else
        draw_text(cell, row, col, style, text);
}

static void draw_titles(const struct model *model, const struct nodes *nodes, struct area area)
{
    int col = 2;
    for (int i = 0; i < COLUMNS; i++) {
        int width = column_width(model, i);
        if (col + width > area.cols)
            break;
        struct style style = theme_style(i == nodes->sort ? ROLE_STRONG : ROLE_DIM);
        if (i == nodes->sort)
            style.attrs |= A_UNDERLINE;
        draw_cell(&columns[i], area, 0, col, width, style, columns[i].title);
        col += width + column_gap(i);
    }
}

static void draw_node(const struct model *model, int index, struct area area, int row, bool here)
{
    const struct model_node *node = model->nodes[index];
    bool stale = nodes_is_stale(node);
    int col = 2;
    if (here)
        draw_blank(area, row, 0, theme_style(ROLE_SELECT));
    nodes_draw_letter(model, area, row, 0, node->shard);
    for (int i = 0; i < COLUMNS; i++) {
        int width = column_width(model, i);
        if (col + width > area.cols)
            break;
        char text[CELL_MAX] = "";
        columns[i].cell(model, index, text);
        struct style style = theme_style(stale && columns[i].figure ? ROLE_DIM : ROLE_TEXT);
        if (columns[i].cell == cell_state)
            style = nodes_health_style(node->health);
        if (here)
            style = style_on_select(style);
        draw_cell(&columns[i], area, row, col, width, style, text);
        col += width + column_gap(i);
    }
}

static void nodes_draw(struct tui *tui, void *state, struct area area)
{
    struct nodes *nodes = state;
    follow_model(tui, nodes);
    draw_titles(tui->model, nodes, area);
    nodes->place = area_rows(area, 1, area.rows - 1);
    list_fit(&nodes->list, nodes->count, nodes->place.rows);
    for (int i = 0; i < nodes->list.visible && nodes->list.top + i < nodes->count; i++) {
        int row = nodes->list.top + i;
        int index = nodes_by_key(tui->model, nodes->order[row].text);
        draw_node(tui->model, index, nodes->place, i, row == nodes->list.cursor);
    }
    list_draw_more(&nodes->list, nodes->place);
}

/* Also right for keys that come before the first drawing. */
static int node_under(struct tui *tui, struct nodes *nodes)
{
    follow_model(tui, nodes);
    if (nodes->list.cursor >= nodes->count)
        return MODEL_NOBODY;
    return nodes_by_key(tui->model, nodes->order[nodes->list.cursor].text);
}

static void nodes_status(struct tui *tui, void *state, struct area line)
{
    int index = node_under(tui, state);
    if (index == MODEL_NOBODY)
        return;
    const struct model_node *node = tui->model->nodes[index];
    struct format age;
    int col = draw_format(
        line, 0, 1, theme_style(ROLE_STRONG), "%s:%u  ", node->address.ip, node->address.port);
    col = draw_format(line, 0, col, theme_style(ROLE_DIM), "%.8s  ", node->id.text);
    if (node->trouble[0] != '\0')
        draw_text(line, 0, col, theme_style(ROLE_WARN_TEXT), node->trouble);
    else if (nodes_is_stale(node) && node->heard_at != 0)
        draw_format(line, 0, col, theme_style(ROLE_WARN_TEXT), "figures are %s old",
            format_age(&age, client_now() - node->heard_at));
    else
        draw_format(line, 0, col, theme_style(ROLE_DIM), "%s", node->figures.version);
}

static int nodes_shard(struct tui *tui, void *state)
{
    int index = node_under(tui, state);
    return index == MODEL_NOBODY ? -1 : tui->model->nodes[index]->shard;
}

static void nodes_mouse(struct tui *tui, void *state, const struct mouse *mouse)
{
    struct nodes *nodes = state;
    int row = list_at(&nodes->list, nodes->place, mouse->y);
    if (mouse->kind == MOUSE_WHEEL_UP || mouse->kind == MOUSE_WHEEL_DOWN) {
        list_move(&nodes->list, mouse->kind == MOUSE_WHEEL_UP ? -1 : 1);
    } else if (mouse->kind == MOUSE_PRESS && row >= 0) {
        nodes->list.cursor = row;
    } else if (mouse->kind == MOUSE_PRESS && mouse->y == nodes->place.y - 1) {
        int col = 2, at = mouse->x - nodes->place.x;
        for (int i = 0; i < COLUMNS; i++) {
            int width = column_width(tui->model, i);
            if (at >= col && at < col + width && col + width <= nodes->place.cols) {
                nodes->sort = i;
                sort(tui, nodes);
            }
            col += width + column_gap(i);
        }
    }
}

static bool nodes_key_pressed(struct tui *tui, void *state, int key)
{
    return list_key(&((struct nodes *)state)->list, key);
}

static bool nodes_go(struct tui *tui, void *state, int slot, int node)
{
    struct nodes *nodes = state;
    char key[NODES_KEY_MAX];
    if (node == MODEL_NOBODY && slot >= 0)
        node = tui->model->slots[slot].owner;
    if (node == MODEL_NOBODY)
        return false;
    follow_model(tui, nodes);
    int row = row_of_key(nodes, nodes_key(tui->model->nodes[node], key));
    if (row < 0)
        return false;
    nodes->list.cursor = row;
    return true;
}

static void next_sort(struct tui *tui, void *state)
{
    struct nodes *nodes = state;
    int col = 2, shown = 0;
    for (; shown < COLUMNS; shown++) {
        if (col + column_width(tui->model, shown) > nodes->place.cols)
            break;
        col += column_width(tui->model, shown) + column_gap(shown);
    }
    nodes->sort = shown > 0 ? (nodes->sort + 1) % shown : 0;
    sort(tui, nodes);
}

static void show(struct tui *tui, void *state)
{
    int index = node_under(tui, state);
    if (index != MODEL_NOBODY)
        action_show_node(tui, index);
}

static void failover(struct tui *tui, void *state)
{
    action_failover(tui, nodes_shard(tui, state));
}

static bool has_replica(struct tui *tui, void *state)
{
    int replica;
    return nodes_replicas(tui->model, nodes_shard(tui, state), &replica, 1) > 0;
}

static const struct binding nodes_bindings[] = {
    { '\r', .word = "all about it", .run = show,
        .help = "shows all about the node, with its whole ID" },
    { 's', .word = "sort", .run = next_sort,
        .help = "sorts by the next column; again for new figures" },
    { 'f', .word = "failover", .run = failover, .works = has_replica,
        .help = "plans that a replica of the node's shard takes over" },
    { 0 },
};

const struct view view_nodes = {
    .name = "Nodes",
    .open = nodes_open,
    .close = nodes_close,
    .draw = nodes_draw,
    .status = nodes_status,
    .mouse = nodes_mouse,
    .key = nodes_key_pressed,
    .go = nodes_go,
    .shard = nodes_shard,
    .bindings = nodes_bindings,
};
