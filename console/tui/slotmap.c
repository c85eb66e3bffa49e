/* A cell of the terminal has two colours, so it can show two points, one above the other (a half
 * block), or, where the font has quadrants, four quarters. A point that isn't of one colour is cut
 * into a left and a right half: the border between two owners becomes visible. What matters most
 * wins a cell that can't show everything: unserved, then the cursor, moving, marked, owner.
 *
 * Without colours or without UTF-8 a cell is one point and shows a letter: the shard's, small where
 * the point has slots of others too; ! for unserved, ~ for moving, ? for disputed. */
#include "console/tui/slotmap.h"

#include "console/tui/terminal.h"
#include <ncurses.h>
#include <stdio.h>

/* Slots of a point, finest first. */
static const unsigned scales[] = { 1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 40, 50, 64, 100, 128, 200,
    256 };
enum { SCALES = sizeof scales / sizeof scales[0], LABEL_WIDTH = 6, NUMBER_WIDTH = 6 };

/* How pleasant it is to find a slot when a row of cells holds so many. */
static int roundness(unsigned slots)
{
    static const unsigned units[] = { 1000, 500, 200, 100, 64, 50, 20, 10 };
    int units_count = (int)(sizeof units / sizeof units[0]);
    for (int i = 0; i < units_count; i++) {
        if (slots % units[i] == 0)
            return units_count - i;
    }
    return 0;
}

/* The most pleasant number of columns that still fits; every row of cells must be needed. */
static int choose_columns(int width, int rows, unsigned per_point, int point_rows)
{
    int best = 0, best_score = -1;
    for (int columns = width; columns >= width / 2 && columns > 0; columns--) {
        unsigned per_row = per_point * (unsigned)(columns * point_rows);
        if (rows > 0 && (SLOT_COUNT + per_row - 1) / per_row > (unsigned)rows)
            break;
        if (roundness(per_row) > best_score) {
            best = columns;
            best_score = roundness(per_row);
        }
    }
    return best;
}

static int fitting_scale(struct area area, int point_rows)
{
    for (int i = 0; i < SCALES; i++) {
        if (choose_columns(area.cols - LABEL_WIDTH, area.rows, scales[i], point_rows) > 0)
            return i;
    }
    return SCALES - 1;
}

int slotmap_zoom_levels(struct area area, bool blocks)
{
    return fitting_scale(area, blocks ? 2 : 1) + 2;
}

static unsigned slots_per_row(const struct slotmap *map)
{
    return map->per_point * (unsigned)(map->columns * map->point_rows);
}

/* Where not all rows fit: keeps the row under the cursor inside, moving as little as can be. */
static void scroll_to(struct slotmap *map, unsigned cursor)
{
    unsigned per_row = slots_per_row(map), rows = (unsigned)map->area.rows;
    unsigned all = (SLOT_COUNT + per_row - 1) / per_row;
    unsigned top = map->first / per_row, row = cursor / per_row;
    if (row < top)
        top = row;
    if (rows > 0 && row >= top + rows)
        top = row - rows + 1;
    if (all <= rows)
        top = 0;
    else if (top > all - rows)
        top = all - rows;
    map->first = top * per_row;
}

void slotmap_layout(
    struct slotmap *map, struct area area, bool blocks, int zoom, unsigned cursor, unsigned first)
{
    int point_rows = blocks ? 2 : 1;
    int scale = fitting_scale(area, point_rows);
    *map = (struct slotmap){ .area = area,
        .label = LABEL_WIDTH,
        .cell_width = 1,
        .first = first,
        .point_rows = point_rows,
        .blocks = blocks };
    if (zoom > scale) {
        map->cell_width = NUMBER_WIDTH;
        map->per_point = 1;
        map->point_rows = 1;
        map->blocks = false;
        int fit = (area.cols - LABEL_WIDTH) / NUMBER_WIDTH;
        map->columns = fit >= 20 ? 20 : fit >= 16 ? 16 : fit >= 10 ? 10 : fit > 0 ? fit : 1;
    } else {
        map->per_point = scales[scale - zoom];
        map->columns = choose_columns(
            area.cols - LABEL_WIDTH, zoom == 0 ? area.rows : 0, map->per_point, point_rows);
        if (map->columns == 0)
            map->columns = area.cols > LABEL_WIDTH ? area.cols - LABEL_WIDTH : 1;
    }
    scroll_to(map, cursor);
}

void slotmap_scroll(struct slotmap *map, unsigned cursor, int row)
{
    unsigned per_row = slots_per_row(map), at = cursor / per_row;
    unsigned above = row > 0 ? (unsigned)row : 0;
    map->first = (at > above ? at - above : 0) * per_row;
    scroll_to(map, cursor);
}

int slotmap_rows(const struct slotmap *map)
{
    unsigned per_row = slots_per_row(map);
    unsigned rows = (SLOT_COUNT - map->first + per_row - 1) / per_row;
    return rows < (unsigned)map->area.rows ? (int)rows : map->area.rows;
}

unsigned slotmap_point_first(const struct slotmap *map, unsigned slot)
{
    return slot - slot % map->per_point;
}

unsigned slotmap_point_last(const struct slotmap *map, unsigned slot)
{
    unsigned last = slotmap_point_first(map, slot) + map->per_point - 1;
    return last < SLOT_COUNT ? last : SLOT_COUNT - 1;
}

unsigned slotmap_step(const struct slotmap *map, unsigned slot, int dx, int dy)
{
    long points = (SLOT_COUNT + map->per_point - 1) / map->per_point;
    long point = slot / map->per_point;
    long moved = point + dx + (long)dy * map->columns;
    if (moved < 0)
        moved = dy != 0 ? point % map->columns : 0;
    if (moved >= points)
        moved = points - 1;
    return (unsigned)moved * map->per_point;
}

bool slotmap_at(const struct slotmap *map, int y, int x, unsigned *slot)
{
    int row = y - map->area.y, col = x - map->area.x - map->label;
    if (row < 0 || row >= map->area.rows || col < 0 || col >= map->columns * map->cell_width)
        return false;
    unsigned at = map->first + (unsigned)row * slots_per_row(map) +
                  (unsigned)(col / map->cell_width) * map->per_point;
    if (at >= SLOT_COUNT)
        return false;
    *slot = at;
    return true;
}

unsigned slotmap_cell_last(const struct slotmap *map, int y, int x)
{
    unsigned slot = 0;
    if (!slotmap_at(map, y, x, &slot))
        return slot;
    unsigned lower =
        slot + (unsigned)(map->point_rows - 1) * (unsigned)map->columns * map->per_point;
    return slotmap_point_last(map, lower < SLOT_COUNT ? lower : slot);
}

bool slotmap_place(const struct slotmap *map, unsigned slot, int *y, int *x)
{
    if (slot < map->first)
        return false;
    unsigned per_row = slots_per_row(map);
    unsigned row = (slot - map->first) / per_row;
    if (row >= (unsigned)map->area.rows)
        return false;
    unsigned point = (slot - map->first) % per_row / map->per_point;
    *y = map->area.y + (int)row;
    *x = map->area.x + map->label + (int)(point % (unsigned)map->columns) * map->cell_width;
    return true;
}

/* --- What a run of slots looks like --- */

struct summary {
    int shard, other; /* the most frequent owner, and another one; SLOTMAP_NOBODY */
    int target;
    int heat;
    unsigned flags; /* of any slot; SLOTMAP_MARKED only where at least half are marked */
};

/* Two owners at most are told apart: the one with the most slots by majority vote, and any other.
 */
static struct summary summarize(const struct slotmap_slot *slots, unsigned first, unsigned last)
{
    struct summary sum = { SLOTMAP_NOBODY, SLOTMAP_NOBODY, SLOTMAP_NOBODY, SLOTMAP_NO_HEAT, 0 };
    int votes = 0;
    unsigned marked = 0;
    for (unsigned s = first; s <= last; s++) {
        const struct slotmap_slot *slot = &slots[s];
        if (votes == 0)
            sum.shard = slot->shard;
        votes += slot->shard == sum.shard ? 1 : -1;
        sum.flags |= slot->flags & ~(unsigned)SLOTMAP_MARKED;
        marked += (slot->flags & SLOTMAP_MARKED) != 0;
        if (slot->target != SLOTMAP_NOBODY)
            sum.target = slot->target;
        if (slot->heat > sum.heat)
            sum.heat = slot->heat;
    }
    for (unsigned s = first; s <= last && sum.other == SLOTMAP_NOBODY; s++) {
        if (slots[s].shard != sum.shard)
            sum.other = slots[s].shard;
    }
    if (marked * 2 >= last - first + 1)
        sum.flags |= SLOTMAP_MARKED;
    return sum;
}

static short shard_colour(int shard)
{
    return shard == SLOTMAP_NOBODY ? theme_style(ROLE_UNSERVED).fg
                                   : theme_shard_colour((unsigned)shard);
}

/* The colours of a point's left and right half. */
struct point {
    short left, right;
    bool moving, unserved;
    short other; /* of a moving point: the target's colour */
};

static struct point point_look(
    const struct slotmap *map, const struct slotmap_slot *slots, unsigned first, unsigned cursor)
{
    struct point point = { -1, -1, false, false, -1 };
    if (first >= SLOT_COUNT)
        return point;
    unsigned last = slotmap_point_last(map, first);
    struct summary sum = summarize(slots, first, last);
    point.moving = (sum.flags & SLOTMAP_MOVING) != 0;
    point.unserved = (sum.flags & SLOTMAP_UNSERVED) != 0;
    point.left = point.right = sum.heat == SLOTMAP_NO_HEAT ? shard_colour(sum.shard)
                                                           : theme_heat_colour((unsigned)sum.heat);
    if (sum.heat == SLOTMAP_NO_HEAT && sum.other != SLOTMAP_NOBODY && last > first) {
        point.left = shard_colour(slots[first].shard);
        point.right = shard_colour(slots[last].shard);
        if (point.left == point.right)
            point.right = shard_colour(sum.other == slots[first].shard ? sum.shard : sum.other);
    }
    if (sum.flags & SLOTMAP_MARKED)
        point.right = theme_style(ROLE_MARK).fg;
    if (point.moving)
        point.other = shard_colour(sum.target);
    if (sum.flags & SLOTMAP_DISPUTED)
        point.left = theme_style(ROLE_WARN).bg;
    if (point.unserved)
        point.left = point.right = theme_style(ROLE_UNSERVED).fg;
    if (cursor >= first && cursor <= last)
        point.left = point.right = theme_style(ROLE_CURSOR).fg;
    return point;
}

/* Quarters: upper left 1, upper right 2, lower left 4, lower right 8, set where the colour is the
 * foreground's. */
static const wchar_t quadrants[16] = L" ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█";

static void draw_blocks(
    const struct slotmap *map, int row, int col, struct point upper, struct point lower)
{
    struct style style = { upper.left, lower.left, 0 };
    short quarters[4] = { upper.left, upper.right, lower.left, lower.right };
    if ((upper.moving && !upper.unserved) || (lower.moving && !lower.unserved)) {
        struct point moving = upper.moving ? upper : lower;
        draw_wide(map->area, row, col, (struct style){ moving.left, moving.other, 0 }, L'▒');
        return;
    }
    short fg = quarters[0], bg = fg;
    bool two = true;
    unsigned shape = 0;
    for (int i = 0; i < 4; i++) {
        if (quarters[i] == fg)
            shape |= 1u << i;
        else if (bg == fg || quarters[i] == bg)
            bg = quarters[i];
        else
            two = false;
    }
    bool plain = shape == 3 || shape == 5 || shape == 15;
    if (two && (plain || terminal_has_quadrants())) {
        if (shape == 15)
            bg = -1;
        draw_wide(map->area, row, col, (struct style){ fg, bg, 0 }, quadrants[shape]);
        return;
    }
    /* Three colours or more. Where all is marked, one point's colour stands for both; else each
     * point gives up its left half, which keeps marks and borders. */
    if (upper.right == lower.right && upper.left != upper.right) {
        draw_wide(map->area, row, col, (struct style){ upper.left, upper.right, 0 }, L'▌');
        return;
    }
    style.fg = upper.right;
    style.bg = lower.right;
    draw_wide(map->area, row, col, style, style.fg == style.bg ? L'█' : L'▀');
}

static void draw_letter(const struct slotmap *map, const struct slotmap_slot *slots, int row,
    int col, unsigned first, unsigned cursor)
{
    static const char shades[THEME_HEAT_LEVELS + 1] = " .:-=+*#";
    unsigned last = slotmap_point_last(map, first);
    struct summary sum = summarize(slots, first, last);
    bool nobody = sum.shard == SLOTMAP_NOBODY;
    char letter = nobody ? '!' : theme_shard_letter((unsigned)sum.shard);
    struct style style = nobody ? theme_style(ROLE_UNSERVED) : theme_shard((unsigned)sum.shard);
    style.attrs &= ~(unsigned)A_BOLD;
    if (sum.other != SLOTMAP_NOBODY && letter >= 'A' && letter <= 'Z')
        letter = (char)(letter - 'A' + 'a');
    if (sum.heat != SLOTMAP_NO_HEAT)
        letter = shades[sum.heat];
    if (sum.flags & SLOTMAP_MOVING)
        letter = '~';
    if (sum.flags & SLOTMAP_DISPUTED)
        letter = '?';
    if (sum.flags & SLOTMAP_UNSERVED) {
        letter = '!';
        style = theme_style(ROLE_UNSERVED);
    }
    if (sum.flags & SLOTMAP_MARKED)
        style.attrs |= A_REVERSE;
    if (cursor >= first && cursor <= last)
        style.attrs |= A_BOLD | A_UNDERLINE;
    draw_wide(map->area, row, col, style, (wchar_t)letter);
}

static void draw_number(const struct slotmap *map, const struct slotmap_slot *slots, int row,
    int col, unsigned slot, unsigned cursor)
{
    const struct slotmap_slot *here = &slots[slot];
    bool nobody = here->shard == SLOTMAP_NOBODY || here->flags & SLOTMAP_UNSERVED;
    struct style style = nobody ? theme_style(ROLE_UNSERVED) : theme_shard((unsigned)here->shard);
    if (here->heat != SLOTMAP_NO_HEAT && theme_level() == THEME_256)
        style.fg = theme_heat_colour((unsigned)here->heat);
    char before = nobody ? '!' : here->flags & SLOTMAP_MOVING ? '~' : ' ';
    if (before == ' ' && theme_level() == THEME_NONE)
        before = theme_shard_letter((unsigned)here->shard);
    style.attrs = here->flags & SLOTMAP_MARKED ? A_REVERSE : 0;
    if (slot == cursor)
        style = theme_style(ROLE_SELECT);
    draw_format(map->area, row, col, style, "%c%5u", before, slot);
}

static void draw_row(const struct slotmap *map, const struct slotmap_slot *slots, int row,
    unsigned first, unsigned cursor)
{
    unsigned below = map->per_point * (unsigned)map->columns;
    for (int col = 0; col < map->columns; col++) {
        unsigned slot = first + (unsigned)col * map->per_point;
        if (slot >= SLOT_COUNT)
            break;
        int at = map->label + col * map->cell_width;
        if (map->cell_width > 1)
            draw_number(map, slots, row, at, slot, cursor);
        else if (!map->blocks)
            draw_letter(map, slots, row, at, slot, cursor);
        else
            draw_blocks(map, row, at, point_look(map, slots, slot, cursor),
                point_look(map, slots, slot + below, cursor));
    }
}

void slotmap_draw(const struct slotmap *map, const struct slotmap_slot *slots, unsigned cursor)
{
    unsigned per_row = slots_per_row(map);
    int rows = slotmap_rows(map);
    for (int row = 0; row < rows; row++) {
        unsigned first = map->first + (unsigned)row * per_row;
        bool here = cursor >= first && cursor < first + per_row;
        draw_format(map->area, row, 0, theme_style(here ? ROLE_STRONG : ROLE_DIM), "%5u", first);
        draw_row(map, slots, row, first, cursor);
    }
}
