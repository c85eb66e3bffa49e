/* Rows are chosen with the cursor and Enter, or with a click. */
#include "console/tui/choice.h"

#include "common/memory.h"
#include "console/tui/app.h"
#include "console/tui/list.h"
#include "console/tui/nodes.h"
#include <ncurses.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHOICE_LINES = 8, CHOICE_TEXT = 400, CHOICE_WIDTH = 72 };

struct choice_row {
    int value, shard;
    char text[CHOICE_TEXT];
};

struct choice {
    char title[80];
    char lines[CHOICE_LINES][CHOICE_TEXT];
    unsigned line_count;
    struct choice_row *rows; /* owned */
    int row_count;
    struct list list;
    struct area place; /* of the rows, when last drawn */
    void (*answer)(struct tui *tui, void *context, int value);
    void *context;
};

struct choice *choice_new(const char *title)
{
    struct choice *choice = memory_alloc_zeroed(1, sizeof *choice);
    snprintf(choice->title, sizeof choice->title, "%s", title);
    return choice;
}

void choice_say(struct choice *choice, const char *format, ...)
{
    if (choice->line_count == CHOICE_LINES)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(choice->lines[choice->line_count++], CHOICE_TEXT, format, args);
    va_end(args);
}

void choice_add(struct choice *choice, int value, int shard, const char *format, ...)
{
    choice->rows =
        memory_resize(choice->rows, ((size_t)choice->row_count + 1) * sizeof *choice->rows);
    struct choice_row *row = &choice->rows[choice->row_count++];
    row->value = value;
    row->shard = shard;
    va_list args;
    va_start(args, format);
    vsnprintf(row->text, sizeof row->text, format, args);
    va_end(args);
}

static void choice_close(struct tui *tui, void *state)
{
    struct choice *choice = state;
    free(choice->context);
    free(choice->rows);
    free(choice);
}

static int lines_height(const struct choice *choice, int cols)
{
    struct area area = { 0, 0, 1000, cols };
    int rows = 0;
    for (unsigned i = 0; i < choice->line_count; i++)
        rows += draw_wrapped(area, 0, 0, theme_style(ROLE_TEXT), choice->lines[i], false);
    return rows;
}

static void choice_size(struct tui *tui, void *state, int *rows, int *cols)
{
    const struct choice *choice = state;
    *cols = CHOICE_WIDTH;
    *rows = lines_height(choice, CHOICE_WIDTH - 4) + 1 + choice->row_count + 4;
}

static void choice_draw(struct tui *tui, void *state, struct area area)
{
    struct choice *choice = state;
    int row = 0;
    for (unsigned i = 0; i < choice->line_count; i++)
        row += draw_wrapped(area, row, 0, theme_style(ROLE_TEXT), choice->lines[i], true);
    choice->place = area_rows(area, row + 1, area.rows - row - 3);
    list_fit(&choice->list, choice->row_count, choice->place.rows);
    for (int i = 0; i < choice->list.visible && choice->list.top + i < choice->row_count; i++) {
        const struct choice_row *r = &choice->rows[choice->list.top + i];
        bool here = choice->list.top + i == choice->list.cursor;
        struct style style = theme_style(here ? ROLE_SELECT : ROLE_TEXT);
        draw_blank(choice->place, i, 0, style);
        draw_text(choice->place, i, 0, style, here ? ">" : " ");
        int col = 2;
        if (r->shard >= 0)
            col = nodes_draw_letter(tui->model, choice->place, i, col, r->shard) + 1;
        draw_text(choice->place, i, col, style, r->text);
    }
    list_draw_more(&choice->list, choice->place);
}

static void choice_take(struct tui *tui, struct choice *choice, int row)
{
    int value = choice->rows[row].value;
    void *context = choice->context;
    void (*answer)(struct tui *, void *, int) = choice->answer;
    choice->context = NULL;
    tui_answered(tui);
    if (value != CHOICE_NOTHING)
        answer(tui, context, value);
    free(context);
}

static void choice_enter(struct tui *tui, void *state)
{
    struct choice *choice = state;
    if (choice->row_count > 0)
        choice_take(tui, choice, choice->list.cursor);
}

static void choice_leave(struct tui *tui, void *state)
{
    tui_answered(tui);
}

static bool choice_key(struct tui *tui, void *state, int key)
{
    struct choice *choice = state;
    return list_key(&choice->list, key);
}

static void choice_mouse(struct tui *tui, void *state, const struct mouse *mouse)
{
    struct choice *choice = state;
    int row = list_at(&choice->list, choice->place, mouse->y);
    if (mouse->kind == MOUSE_WHEEL_UP || mouse->kind == MOUSE_WHEEL_DOWN)
        list_move(&choice->list, mouse->kind == MOUSE_WHEEL_UP ? -1 : 1);
    else if (mouse->kind == MOUSE_PRESS && row >= 0 && area_has(choice->place, mouse->y, mouse->x))
        choice_take(tui, choice, row);
}

static const char *choice_title(void *state)
{
    return ((struct choice *)state)->title;
}

static const struct binding choice_bindings[] = {
    { '\r', .word = "choose", .help = "takes the row under the cursor", .run = choice_enter },
    { 27, .other = 'q', .word = "leave", .help = "leaves without a change", .run = choice_leave },
    { 0 },
};

static const struct view choice_view = {
    .name = "question",
    .title = choice_title,
    .close = choice_close,
    .size = choice_size,
    .draw = choice_draw,
    .mouse = choice_mouse,
    .key = choice_key,
    .bindings = choice_bindings,
};

void choice_ask(struct tui *tui, struct choice *choice,
    void (*answer)(struct tui *tui, void *context, int value), void *context)
{
    choice->answer = answer;
    choice->context = context;
    tui_ask(tui, &choice_view, choice);
}
