/* The cursor moves, the window follows as late as it can. */
#include "console/tui/list.h"

#include <ncurses.h>

static void list_clamp(struct list *list)
{
    if (list->cursor >= list->count)
        list->cursor = list->count - 1;
    if (list->cursor < 0)
        list->cursor = 0;
    if (list->cursor < list->top)
        list->top = list->cursor;
    if (list->visible > 0 && list->cursor >= list->top + list->visible)
        list->top = list->cursor - list->visible + 1;
    if (list->top > list->count - list->visible)
        list->top = list->count - list->visible;
    if (list->top < 0)
        list->top = 0;
}

void list_fit(struct list *list, int count, int visible)
{
    list->count = count;
    list->visible = visible > 0 ? visible : 0;
    list_clamp(list);
}

void list_move(struct list *list, int by)
{
    list->cursor += by;
    list_clamp(list);
}

bool list_key(struct list *list, int key)
{
    int page = list->visible > 1 ? list->visible - 1 : 1;
    switch (key) {
    case KEY_UP:
        list_move(list, -1);
        return true;
    case KEY_DOWN:
        list_move(list, 1);
        return true;
    case KEY_PPAGE:
        list_move(list, -page);
        return true;
    case KEY_NPAGE:
        list_move(list, page);
        return true;
    case KEY_HOME:
        list_move(list, -list->count);
        return true;
    case KEY_END:
        list_move(list, list->count);
        return true;
    default:
        return false;
    }
}

int list_at(const struct list *list, struct area area, int y)
{
    int row = y - area.y;
    if (row < 0 || row >= area.rows || list->top + row >= list->count)
        return -1;
    return list->top + row;
}

void list_draw_more(const struct list *list, struct area area)
{
    if (list->top > 0)
        draw_glyph(area, 0, area.cols - 1, theme_style(ROLE_DIM), GLYPH_UP);
    if (list->top + list->visible < list->count)
        draw_glyph(area, area.rows - 1, area.cols - 1, theme_style(ROLE_DIM), GLYPH_DOWN);
}
