/* The slot map: all 16384 slots in the colours of their shards. Slots are marked here, with the
 * keys or the mouse, and marks can be dragged onto a shard at the right. */
#include "console/tui/actions.h"
#include "console/tui/app.h"
#include "console/tui/counter.h"
#include "console/tui/format.h"
#include "console/tui/jobs.h"
#include "console/tui/marks.h"
#include "console/tui/nodes.h"
#include "console/tui/panel.h"
#include "console/tui/slotmap.h"
#include "console/tui/terminal.h"
#include "console/tui/views.h"

#include "common/memory.h"
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>

enum heat { HEAT_OWNER, HEAT_KEYS, HEAT_COUNT };
enum drag { DRAG_NONE, DRAG_MARK, DRAG_CARRY };
enum { POINT_COUNT_AGE_MS = 10000, NO_RANGE = -1, NO_SCROLL = -1, LEGEND_ROWS = 1 };

struct slots {
    unsigned cursor;
    bool exact; /* the cursor means this one slot, not all of its point: it was searched for */
    int zoom;
    int scroll_to;        /* the zoom has changed: the cursor goes to this row; NO_SCROLL */
    int wheel_y, wheel_x; /* where the wheel was turned last: it goes on with the same slot */
    int range;            /* the slot where a range was started with m; NO_RANGE */
    enum heat heat;
    int32_t most; /* keys in the fullest slot, when drawn last */
    enum drag drag;
    unsigned drag_first, drag_last; /* the cell where the button went down */
    unsigned drag_at_first, drag_at_last;
    bool moved; /* the mouse, since the button went down */
    struct slotmap map;
    struct slotmap_slot looks[SLOT_COUNT];
};

static void *slots_open(struct tui *tui)
{
    struct slots *slots = memory_alloc_zeroed(1, sizeof *slots);
    slots->range = NO_RANGE;
    slots->scroll_to = NO_SCROLL;
    return slots;
}

static void slots_close(struct tui *tui, void *state)
{
    free(state);
}

/* What the cursor stands for: its point, or the one slot. */
static void cursor_span(const struct slots *slots, unsigned *first, unsigned *last)
{
    *first = slots->exact ? slots->cursor : slotmap_point_first(&slots->map, slots->cursor);
    *last = slots->exact ? slots->cursor : slotmap_point_last(&slots->map, slots->cursor);
}

static void order(unsigned *first, unsigned *last)
{
    if (*first > *last) {
        unsigned swap = *first;
        *first = *last;
        *last = swap;
    }
}

/* The range under way, by key or by mouse; false where there is none. */
static bool open_range(const struct slots *slots, unsigned *first, unsigned *last)
{
    if (slots->drag == DRAG_MARK && slots->moved) {
        bool down = slots->drag_at_first >= slots->drag_first;
        *first = down ? slots->drag_first : slots->drag_at_first;
        *last = down ? slots->drag_at_last : slots->drag_last;
        return true;
    }
    if (slots->range == NO_RANGE)
        return false;
    unsigned here_first, here_last, start = (unsigned)slots->range;
    cursor_span(slots, &here_first, &here_last);
    *first = start < here_first ? start : here_first;
    *last = start;
    if (!slots->exact && slotmap_point_last(&slots->map, start) > *last)
        *last = slotmap_point_last(&slots->map, start);
    *last = here_last > *last ? here_last : *last;
    order(first, last);
    return true;
}

static int shard_of_node(const struct model *model, int node)
{
    return node == MODEL_NOBODY ? -1 : model->nodes[node]->shard;
}

static int16_t shard_number(const struct model *model, int node)
{
    int shard = shard_of_node(model, node);
    return shard < 0 ? SLOTMAP_NOBODY : (int16_t)model->shards[shard].number;
}

static int8_t heat_of(int32_t keys, int32_t most)
{
    if (keys <= 0 || most <= 0)
        return 0;
    return (int8_t)(1 + (int64_t)(keys - 1) * (THEME_HEAT_LEVELS - 2) / (most > 1 ? most - 1 : 1));
}

static void look_at_slots(struct tui *tui, struct slots *slots)
{
    const struct model *model = tui->model;
    unsigned first = 0, last = 0;
    bool range = open_range(slots, &first, &last);
    slots->most = 0;
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        if (model->slot_keys[s] > slots->most)
            slots->most = model->slot_keys[s];
    }
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        const struct model_slot *slot = &model->slots[s];
        struct slotmap_slot *look = &slots->looks[s];
        int other = slot->migrating_to != MODEL_NOBODY ? slot->migrating_to : slot->importing_at;
        look->shard = shard_number(model, slot->owner);
        look->target = shard_number(model, other);
        look->heat = slots->heat == HEAT_KEYS && model->slot_keys[s] >= 0
                         ? heat_of(model->slot_keys[s], slots->most)
                         : SLOTMAP_NO_HEAT;
        look->flags =
            (slot_set_has(&tui->marks, s) || (range && s >= first && s <= last) ? SLOTMAP_MARKED
                                                                                : 0) |
            (other != MODEL_NOBODY ? SLOTMAP_MOVING : 0) | (slot->served ? 0 : SLOTMAP_UNSERVED) |
            (slot->disputed ? SLOTMAP_DISPUTED : 0);
    }
}

/* The slot that an operation of this dashboard moves right now; the model will know a moment later.
 */
static void look_at_job(struct tui *tui, struct slots *slots)
{
    unsigned slot = 0;
    int target = MODEL_NOBODY;
    if (!jobs_slot(tui->jobs, &slot, &target))
        return;
    slots->looks[slot].flags |= SLOTMAP_MOVING;
    slots->looks[slot].target = shard_number(tui->model, target);
}

static bool use_blocks(const struct slots *slots)
{
    if (!terminal_is_utf8() || theme_level() == THEME_NONE)
        return false;
    return slots->heat == HEAT_OWNER || theme_level() == THEME_256;
}

static void draw_heat_scale(struct tui *tui, struct slots *slots, struct area line, int col)
{
    unsigned asked = 0, answered = 0;
    col = draw_text(line, 0, col, theme_style(ROLE_DIM), "keys in a slot  0 ");
    for (unsigned i = 0; i < THEME_HEAT_LEVELS; i++) {
        short colour = theme_heat_colour(i);
        if (colour >= 0)
            col = draw_text(line, 0, col, (struct style){ colour, -1, 0 }, glyph_text(GLYPH_FULL));
        else
            col = draw_format(line, 0, col, theme_style(ROLE_TEXT), "%c", " .:-=+*#"[i]);
    }
    col = draw_format(line, 0, col, theme_style(ROLE_DIM), " %d", slots->most);
    if (counter_busy(tui->counter, &asked, &answered))
        draw_format(line, 0, col, theme_style(ROLE_DIM), "  counting %u/%u", answered, asked);
}

static void draw_legend(struct tui *tui, struct slots *slots, struct area line)
{
    struct style dim = theme_style(ROLE_DIM);
    const struct model *model = tui->model;
    if (slots->heat == HEAT_KEYS) {
        draw_heat_scale(tui, slots, line, 0);
        return;
    }
    int col = slots->map.per_point == 1
                  ? draw_text(line, 0, 0, dim, "1 slot a point")
                  : draw_format(line, 0, 0, dim, "%u slots a point", slots->map.per_point);
    unsigned missing = SLOT_COUNT - model->served;
    if (model->open > 0)
        col =
            draw_format(line, 0, col, dim, "   %s %u moving", glyph_text(GLYPH_HATCH), model->open);
    if (model->disputed > 0)
        col = draw_format(
            line, 0, col + 3, theme_style(ROLE_WARN_TEXT), "? %u disputed", model->disputed);
    if (missing > 0 && model->verdict.level != MODEL_WAITING)
        draw_format(line, 0, col + 3, theme_style(ROLE_BAD_TEXT), "! %u not served", missing);
}

/* The keys of what the cursor stands on are counted, and again when the figure has become old. */
static void count_cursor(struct tui *tui, const struct slots *slots)
{
    struct slot_set set = { 0 };
    unsigned first, last;
    cursor_span(slots, &first, &last);
    slot_set_add_range(&set, first, last);
    counter_want(tui->counter, &set, POINT_COUNT_AGE_MS);
}

static void slots_draw(struct tui *tui, void *state, struct area area)
{
    struct slots *slots = state;
    struct area place = area_rows(area, 0, area.rows - LEGEND_ROWS);
    bool blocks = use_blocks(slots);
    int levels = slotmap_zoom_levels(place, blocks);
    if (slots->zoom >= levels)
        slots->zoom = levels - 1;
    slotmap_layout(&slots->map, place, blocks, slots->zoom, slots->cursor, slots->map.first);
    if (slots->scroll_to != NO_SCROLL)
        slotmap_scroll(&slots->map, slots->cursor, slots->scroll_to);
    slots->scroll_to = NO_SCROLL;
    look_at_slots(tui, slots);
    look_at_job(tui, slots);
    slotmap_draw(&slots->map, slots->looks, slots->cursor);
    if (theme_level() == THEME_NONE &&
        slotmap_place(&slots->map, slots->cursor, &tui->cursor_y, &tui->cursor_x))
        tui->cursor_shown = true;
    draw_legend(tui, slots, area_rows(area, slotmap_rows(&slots->map), LEGEND_ROWS));
    count_cursor(tui, slots);
}

/* Keys in first..last: -1 where some haven't been counted, or not lately. */
static int64_t span_keys(const struct model *model, unsigned first, unsigned last)
{
    int64_t keys = 0;
    for (unsigned s = first; s <= last; s++) {
        if (model->slot_keys[s] == MODEL_KEYS_UNKNOWN)
            return -1;
        keys += model->slot_keys[s];
    }
    return keys;
}

static int draw_owner(const struct model *model, unsigned slot, struct area line, int col)
{
    char name[NODES_NAME_MAX];
    int owner = model->slots[slot].owner;
    if (owner == MODEL_NOBODY)
        return draw_text(line, 0, col, theme_style(ROLE_BAD_TEXT), "nobody's");
    col = nodes_draw_letter(model, line, 0, col, model->nodes[owner]->shard) + 1;
    return draw_text(
        line, 0, col, theme_style(ROLE_TEXT), model_node_name(model, owner, name, sizeof name));
}

static int draw_span(
    const struct model *model, unsigned first, unsigned last, bool exact, struct area line)
{
    char name[NODES_NAME_MAX];
    const struct model_slot *slot = &model->slots[first];
    int col = exact || first == last
                  ? draw_format(line, 0, 1, theme_style(ROLE_STRONG), "slot %u  ", first)
                  : draw_format(line, 0, 1, theme_style(ROLE_STRONG), "slots %u-%u  ", first, last);
    col = draw_owner(model, first, line, col);
    if (model->slots[last].owner != slot->owner)
        col = draw_owner(model, last, line, col + 2);
    int other = slot->migrating_to != MODEL_NOBODY ? slot->migrating_to : slot->importing_at;
    if (other != MODEL_NOBODY)
        col = draw_format(line, 0, col, theme_style(ROLE_WARN_TEXT), " %s %s",
            glyph_text(GLYPH_ARROW), model_node_name(model, other, name, sizeof name));
    if (slot->disputed)
        col = draw_text(line, 0, col, theme_style(ROLE_BAD_TEXT), "  disputed");
    if (!slot->served)
        col = draw_text(line, 0, col, theme_style(ROLE_BAD_TEXT), "  not served");
    int64_t keys = span_keys(model, first, last);
    struct format count;
    if (keys >= 0)
        col = draw_format(line, 0, col, theme_style(ROLE_TEXT), "  %s key%s",
            format_count(&count, keys), keys == 1 ? "" : "s");
    return col;
}

static void slots_status(struct tui *tui, void *state, struct area line)
{
    struct slots *slots = state;
    unsigned first = 0, last = 0;
    char marked[200];
    cursor_span(slots, &first, &last);
    int col = draw_span(tui->model, first, last, slots->exact, line);
    if (open_range(slots, &first, &last))
        snprintf(marked, sizeof marked, "marking %u-%u: %u slots", first, last, last - first + 1);
    else
        marks_describe(tui, marked, sizeof marked, line.cols - col - 3);
    draw_right(line, 0, line.cols - 1, theme_style(ROLE_STRONG), marked);
}

static void step(struct tui *tui, struct slots *slots, int dx, int dy)
{
    slots->cursor = slotmap_step(&slots->map, slots->cursor, dx, dy);
    slots->exact = false;
    tui_changed(tui);
}

static void go_left(struct tui *tui, void *state)
{
    step(tui, state, -1, 0);
}

static void go_right(struct tui *tui, void *state)
{
    step(tui, state, 1, 0);
}

static void go_up(struct tui *tui, void *state)
{
    step(tui, state, 0, -1);
}

static void go_down(struct tui *tui, void *state)
{
    step(tui, state, 0, 1);
}

static void go_page_up(struct tui *tui, void *state)
{
    step(tui, state, 0, -8);
}

static void go_page_down(struct tui *tui, void *state)
{
    step(tui, state, 0, 8);
}

static void go_home(struct tui *tui, void *state)
{
    struct slots *slots = state;
    slots->cursor = 0;
    step(tui, slots, 0, 0);
}

static void go_end(struct tui *tui, void *state)
{
    struct slots *slots = state;
    slots->cursor = SLOT_COUNT - 1;
    step(tui, slots, 0, 0);
}

/* To where the owner changes, onwards or back. */
static void go_border(struct tui *tui, struct slots *slots, int by)
{
    const struct model_slot *all = tui->model->slots;
    int s = (int)slots->cursor;
    if (by < 0 && s > 0)
        s--;
    int owner = all[s].owner;
    while (s >= 0 && s < SLOT_COUNT && all[s].owner == owner)
        s += by;
    s = by < 0 ? s + 1 : s;
    if (s < 0 || s >= SLOT_COUNT)
        return;
    slots->cursor = (unsigned)s;
    slots->exact = true;
    tui_changed(tui);
}

static void go_next_owner(struct tui *tui, void *state)
{
    go_border(tui, state, 1);
}

static void go_previous_owner(struct tui *tui, void *state)
{
    go_border(tui, state, -1);
}

static void mark(struct tui *tui, void *state)
{
    struct slots *slots = state;
    unsigned first = 0, last = 0;
    if (open_range(slots, &first, &last)) {
        slots->range = NO_RANGE;
        marks_add_range(tui, first, last);
        return;
    }
    cursor_span(slots, &first, &last);
    slots->range = (int)first;
    tui_say(tui, MODEL_NEUTRAL, "marking: arrows stretch the range, m ends it, Esc drops it");
}

static const char *mark_word(struct tui *tui, void *state)
{
    return ((struct slots *)state)->range == NO_RANGE ? "mark" : "end of mark";
}

static bool is_marking(struct tui *tui, void *state)
{
    return ((struct slots *)state)->range != NO_RANGE;
}

static void drop_range(struct tui *tui, void *state)
{
    ((struct slots *)state)->range = NO_RANGE;
}

static int slots_shard(struct tui *tui, void *state)
{
    const struct slots *slots = state;
    return shard_of_node(tui->model, tui->model->slots[slots->cursor].owner);
}

static void mark_shard(struct tui *tui, void *state)
{
    marks_add_shard(tui, slots_shard(tui, state));
}

static bool has_shard(struct tui *tui, void *state)
{
    return slots_shard(tui, state) >= 0;
}

static void clear_marks(struct tui *tui, void *state)
{
    marks_clear(tui);
}

static bool has_marks(struct tui *tui, void *state)
{
    return !slot_set_is_empty(&tui->marks);
}

static void zoom(struct tui *tui, struct slots *slots, int by, int row)
{
    int levels = slotmap_zoom_levels(slots->map.area, use_blocks(slots));
    slots->zoom += by;
    if (slots->zoom < 0)
        slots->zoom = 0;
    if (slots->zoom >= levels)
        slots->zoom = levels - 1;
    slots->scroll_to = row;
    tui_changed(tui);
}

static void zoom_in(struct tui *tui, void *state)
{
    zoom(tui, state, 1, ((struct slots *)state)->map.area.rows / 2);
}

static void zoom_out(struct tui *tui, void *state)
{
    zoom(tui, state, -1, ((struct slots *)state)->map.area.rows / 2);
}

static void next_heat(struct tui *tui, void *state)
{
    struct slots *slots = state;
    slots->heat = (slots->heat + 1) % HEAT_COUNT;
    if (slots->heat == HEAT_KEYS) {
        struct slot_set all;
        memset(&all, 0xff, sizeof all);
        counter_want(tui->counter, &all, POINT_COUNT_AGE_MS);
    }
}

static const char *heat_word(struct tui *tui, void *state)
{
    return ((struct slots *)state)->heat == HEAT_OWNER ? "heat" : "owners";
}

static void reshard(struct tui *tui, void *state)
{
    action_reshard(tui, ACTION_ASK_TARGET);
}

static void failover(struct tui *tui, void *state)
{
    action_failover(tui, slots_shard(tui, state));
}

static bool has_replica(struct tui *tui, void *state)
{
    int replica;
    return nodes_replicas(tui->model, slots_shard(tui, state), &replica, 1) > 0;
}

static bool slots_go(struct tui *tui, void *state, int slot, int node)
{
    struct slots *slots = state;
    if (slot < 0)
        return false;
    slots->cursor = (unsigned)slot;
    slots->exact = true;
    tui_changed(tui);
    return true;
}

/* --- The mouse --- */

static void press(struct tui *tui, struct slots *slots, const struct mouse *mouse)
{
    unsigned slot = 0;
    if (!slotmap_at(&slots->map, mouse->y, mouse->x, &slot))
        return;
    slots->wheel_y = slots->wheel_x = -1;
    slots->drag = slot_set_has(&tui->marks, slot) ? DRAG_CARRY : DRAG_MARK;
    slots->moved = false;
    slots->drag_first = slots->drag_at_first = slot;
    slots->drag_last = slots->drag_at_last = slotmap_cell_last(&slots->map, mouse->y, mouse->x);
    slots->cursor = slot;
    slots->exact = false;
    tui_changed(tui);
}

static void drag(struct tui *tui, struct slots *slots, const struct mouse *mouse)
{
    unsigned slot = 0;
    int shard = panel_shard_at(tui->panel, mouse->y, mouse->x);
    slots->moved = true;
    if (slots->drag == DRAG_CARRY && shard >= 0)
        tui_say(tui, MODEL_NEUTRAL, "release: plan to move the marked slots to shard %s",
            tui->model->shards[shard].letter);
    else if (slots->drag == DRAG_CARRY)
        tui_say(tui, MODEL_NEUTRAL, "carrying the marked slots: release on a shard at the right");
    if (slots->drag != DRAG_MARK || !slotmap_at(&slots->map, mouse->y, mouse->x, &slot))
        return;
    slots->drag_at_first = slot;
    slots->drag_at_last = slotmap_cell_last(&slots->map, mouse->y, mouse->x);
    slots->cursor = slot;
    tui_changed(tui);
}

static void release(struct tui *tui, struct slots *slots, const struct mouse *mouse)
{
    unsigned first = 0, last = 0;
    enum drag what = slots->drag;
    bool range = open_range(slots, &first, &last);
    int shard = panel_shard_at(tui->panel, mouse->y, mouse->x);
    slots->drag = DRAG_NONE;
    tui->notice[0] = '\0';
    if (what == DRAG_MARK && slots->moved && range)
        marks_add_range(tui, first, last);
    if (what == DRAG_CARRY && slots->moved && shard >= 0)
        action_reshard(tui, shard);
    slots->moved = false;
}

/* Zooms at the slot under the pointer, which stays on its row. Where the pointer rests, the slot
 * that the first turn found stays the one. */
static void wheel(struct tui *tui, struct slots *slots, const struct mouse *mouse)
{
    unsigned slot = 0;
    bool rests = mouse->y == slots->wheel_y && mouse->x == slots->wheel_x;
    if (!rests && slotmap_at(&slots->map, mouse->y, mouse->x, &slot)) {
        slots->cursor = slot;
        slots->exact = false;
    }
    slots->wheel_y = mouse->y;
    slots->wheel_x = mouse->x;
    zoom(tui, slots, mouse->kind == MOUSE_WHEEL_UP ? 1 : -1, mouse->y - slots->map.area.y);
}

static void slots_mouse(struct tui *tui, void *state, const struct mouse *mouse)
{
    struct slots *slots = state;
    switch (mouse->kind) {
    case MOUSE_PRESS:
        press(tui, slots, mouse);
        break;
    case MOUSE_DRAG:
        drag(tui, slots, mouse);
        break;
    case MOUSE_RELEASE:
        release(tui, slots, mouse);
        break;
    case MOUSE_WHEEL_UP:
    case MOUSE_WHEEL_DOWN:
        wheel(tui, slots, mouse);
        break;
    }
}

static const struct binding slots_bindings[] = {
    { 'm', .other = ' ', .word = "mark", .say = mark_word, .run = mark,
        .help = "starts a range of marked slots at the cursor, and ends it" },
    { 'r', .word = "reshard", .run = reshard, .works = has_marks,
        .help = "plans to move the marked slots to another shard" },
    { 'f', .word = "failover", .run = failover, .works = has_replica,
        .help = "plans that a replica of the shard under the cursor takes over" },
    { 'M', .word = "clear", .run = clear_marks, .works = has_marks, .help = "clears all marks" },
    { '*', .word = "shard", .run = mark_shard, .works = has_shard,
        .help = "marks all slots of the shard under the cursor" },
    { 'h', .word = "heat", .say = heat_word, .run = next_heat,
        .help = "switches what the colours say: owner, or keys in a slot" },
    { '+', .other = '=', .run = zoom_in, .help = "zooms in, down to one slot a cell" },
    { '-', .run = zoom_out, .help = "zooms out" },
    { KEY_LEFT, .label = "arrows", .run = go_left, .help = "move the cursor; stretch a range" },
    { KEY_RIGHT, .run = go_right },
    { KEY_UP, .run = go_up },
    { KEY_DOWN, .run = go_down },
    { KEY_PPAGE, .run = go_page_up, .help = "eight rows up" },
    { KEY_NPAGE, .run = go_page_down, .help = "eight rows down" },
    { KEY_HOME, .run = go_home, .help = "to slot 0" },
    { KEY_END, .run = go_end, .help = "to slot 16383" },
    { '\t', .run = go_next_owner, .help = "to where the next owner begins" },
    { KEY_BTAB, .run = go_previous_owner, .help = "back to where this owner begins" },
    { 27, .run = drop_range, .works = is_marking, .help = "drops the range under way" },
    { 0 },
};

const struct view view_slots = {
    .name = "Slots",
    .open = slots_open,
    .close = slots_close,
    .draw = slots_draw,
    .status = slots_status,
    .mouse = slots_mouse,
    .go = slots_go,
    .shard = slots_shard,
    .bindings = slots_bindings,
};
