/* Lines that scroll. */
#include "console/tui/page.h"

#include "common/memory.h"
#include "console/tui/app.h"
#include "console/tui/list.h"
#include <ncurses.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAGE_TEXT = 700, PAGE_WIDTH = 76, PAGE_WIDTH_WIDE = 110 };

struct page_line {
    enum role role;
    char mark[24];
    char text[PAGE_TEXT];
};

struct page {
    char title[80];
    struct page_line *lines; /* owned */
    int count;
    int mark_width;
    struct list list; /* its cursor is the first row shown */
};

struct page *page_new(const char *title)
{
    struct page *page = memory_alloc_zeroed(1, sizeof *page);
    snprintf(page->title, sizeof page->title, "%s", title);
    return page;
}

void page_add(struct page *page, enum role role, const char *mark, const char *format, ...)
{
    page->lines = memory_resize(page->lines, ((size_t)page->count + 1) * sizeof *page->lines);
    struct page_line *line = &page->lines[page->count++];
    line->role = role;
    snprintf(line->mark, sizeof line->mark, "%s", mark != NULL ? mark : "");
    int width = text_width(line->mark);
    page->mark_width = width > page->mark_width ? width : page->mark_width;
    va_list args;
    va_start(args, format);
    vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
}

static void page_close(struct tui *tui, void *state)
{
    struct page *page = state;
    free(page->lines);
    free(page);
}

/* Draws the line with its first row at `row` (rows outside of the area are left out), or only
 * measures it; returns its rows. */
static int line_draw(
    const struct page *page, const struct page_line *line, struct area area, int row, bool show)
{
    bool marked = line->mark[0] != '\0';
    int indent = marked ? page->mark_width + 2 : 0;
    struct style style = theme_style(marked ? ROLE_TEXT : line->role);
    if (marked && show)
        draw_text(area, row, 0, theme_style(line->role), line->mark);
    int rows = draw_wrapped(area, row, indent, style, line->text, show);
    return rows > 0 ? rows : 1;
}

static int page_height(const struct page *page, int cols)
{
    struct area area = { 0, 0, 10000, cols };
    int rows = 0;
    for (int i = 0; i < page->count; i++)
        rows += line_draw(page, &page->lines[i], area, 0, false);
    return rows;
}

static void page_size(struct tui *tui, void *state, int *rows, int *cols)
{
    *cols = COLS > PAGE_WIDTH_WIDE + 10 ? PAGE_WIDTH_WIDE : PAGE_WIDTH;
    *rows = page_height(state, *cols - 4) + 4;
}

static void page_draw(struct tui *tui, void *state, struct area area)
{
    struct page *page = state;
    struct area place = area_rows(area, 0, area.rows - 2);
    int height = page_height(page, place.cols);
    list_fit(&page->list, height > place.rows ? height - place.rows + 1 : 1, 1);
    int row = -page->list.cursor;
    for (int i = 0; i < page->count; i++)
        row += line_draw(page, &page->lines[i], place, row, true);
    if (page->list.cursor > 0)
        draw_glyph(place, 0, place.cols - 1, theme_style(ROLE_DIM), GLYPH_UP);
    if (page->list.cursor + place.rows < height)
        draw_glyph(place, place.rows - 1, place.cols - 1, theme_style(ROLE_DIM), GLYPH_DOWN);
}

static bool page_key(struct tui *tui, void *state, int key)
{
    struct page *page = state;
    return list_key(&page->list, key);
}

static void page_mouse(struct tui *tui, void *state, const struct mouse *mouse)
{
    struct page *page = state;
    if (mouse->kind == MOUSE_WHEEL_UP || mouse->kind == MOUSE_WHEEL_DOWN)
        list_move(&page->list, mouse->kind == MOUSE_WHEEL_UP ? -3 : 3);
}

static void page_leave(struct tui *tui, void *state)
{
    tui_answered(tui);
}

static const char *page_title(void *state)
{
    return ((struct page *)state)->title;
}

static const struct binding page_bindings[] = {
    { 27, .other = 'q', .word = "leave", .help = "leaves the page", .run = page_leave },
    { '\r', .other = '?', .help = "leaves the page", .run = page_leave },
    { 0 },
};

static const struct view page_view = {
    .name = "page",
    .title = page_title,
    .close = page_close,
    .size = page_size,
    .draw = page_draw,
    .mouse = page_mouse,
    .key = page_key,
    .bindings = page_bindings,
};

void page_show(struct tui *tui, struct page *page)
{
    tui_ask(tui, &page_view, page);
}
