/* Every character passes draw_wide, which clips and lets nothing but printable characters through.
 */
#include "console/tui/draw.h"

#include "console/tui/terminal.h"
#include <ncurses.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

enum { TEXT_MAX = 1024, SPARK_LEVELS = 8 };

static const struct {
    const char *utf8, *ascii;
} glyphs[] = {
    [GLYPH_VERTICAL] = { "│", "|" },
    [GLYPH_HORIZONTAL] = { "─", "-" },
    [GLYPH_CORNER_UPPER_LEFT] = { "┌", "+" },
    [GLYPH_CORNER_UPPER_RIGHT] = { "┐", "+" },
    [GLYPH_CORNER_LOWER_LEFT] = { "└", "+" },
    [GLYPH_CORNER_LOWER_RIGHT] = { "┘", "+" },
    [GLYPH_BRANCH] = { "└", "`" },
    [GLYPH_ARROW] = { "→", "->" },
    [GLYPH_DOT] = { "·", "." },
    [GLYPH_FULL] = { "█", "#" },
    [GLYPH_HATCH] = { "▒", "~" },
    [GLYPH_DOWN] = { "▼", "v" },
    [GLYPH_UP] = { "▲", "^" },
};

static const wchar_t spark_utf8[SPARK_LEVELS] = L"▁▂▃▄▅▆▇█";
static const wchar_t spark_ascii[SPARK_LEVELS] = L"_.-~=+*#";
static const wchar_t part_utf8[8] = L" ▏▎▍▌▋▊▉";

const char *glyph_text(enum glyph glyph)
{
    return terminal_is_utf8() ? glyphs[glyph].utf8 : glyphs[glyph].ascii;
}

void draw_wide(struct area area, int row, int col, struct style style, wchar_t character)
{
    if (row < 0 || row >= area.rows || col < 0 || col >= area.cols)
        return;
    if (!iswprint((wint_t)character))
        character = L'?';
    cchar_t cell;
    wchar_t text[2] = { character, L'\0' };
    int pair = theme_pair(style);
    setcchar(&cell, text, style.attrs, (short)pair, &pair);
    mvadd_wch(area.y + row, area.x + col, &cell);
}

/* One character of the text; steps over it. Bytes that are no character give '?'. */
static wchar_t text_next(const char **text, mbstate_t *state)
{
    wchar_t character = L'?';
    size_t len = mbrtowc(&character, *text, strlen(*text), state);
    if (len == 0 || len == (size_t)-1 || len == (size_t)-2) {
        memset(state, 0, sizeof *state);
        *text += 1;
        return L'?';
    }
    *text += len;
    return character;
}

int draw_text(struct area area, int row, int col, struct style style, const char *text)
{
    mbstate_t state = { 0 };
    while (*text != '\0') {
        wchar_t character = text_next(&text, &state);
        int width = wcwidth(character);
        if (width == 0)
            continue;
        if (width == 2 && col + 2 > area.cols)
            break;
        draw_wide(area, row, col, style, character);
        col += width == 2 ? 2 : 1;
    }
    return col;
}

int draw_format(struct area area, int row, int col, struct style style, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return draw_text(area, row, col, style, text);
}

int draw_wrapped(
    struct area area, int row, int col, struct style style, const char *text, bool show)
{
    int first = row, at = col;
    while (*text != '\0') {
        size_t len = strcspn(text, " \n");
        char word[TEXT_MAX];
        snprintf(word, sizeof word, "%.*s", (int)len, text);
        int width = text_width(word);
        if (at > col && at + width > area.cols) {
            row++;
            at = col;
        }
        if (show)
            draw_text(area, row, at, style, word);
        at += width + 1;
        text += len;
        if (*text == '\n') {
            row++;
            at = col;
        }
        text += *text != '\0';
    }
    return row - first + (at > col);
}

int text_width(const char *text)
{
    mbstate_t state = { 0 };
    int total = 0;
    while (*text != '\0') {
        int width = wcwidth(text_next(&text, &state));
        total += width < 0 ? 1 : width;
    }
    return total;
}

void draw_right(struct area area, int row, int end, struct style style, const char *text)
{
    draw_text(area, row, end - text_width(text), style, text);
}

void draw_glyph(struct area area, int row, int col, struct style style, enum glyph glyph)
{
    draw_text(area, row, col, style, glyph_text(glyph));
}

void draw_blank(struct area area, int row, int col, struct style style)
{
    for (; col < area.cols; col++)
        draw_wide(area, row, col, style, L' ');
}

void draw_clear(struct area area)
{
    for (int row = 0; row < area.rows; row++)
        draw_blank(area, row, 0, theme_style(ROLE_TEXT));
}

struct area draw_box(struct area area, struct style style, const char *title)
{
    draw_clear(area);
    for (int col = 1; col < area.cols - 1; col++) {
        draw_glyph(area, 0, col, style, GLYPH_HORIZONTAL);
        draw_glyph(area, area.rows - 1, col, style, GLYPH_HORIZONTAL);
    }
    for (int row = 1; row < area.rows - 1; row++) {
        draw_glyph(area, row, 0, style, GLYPH_VERTICAL);
        draw_glyph(area, row, area.cols - 1, style, GLYPH_VERTICAL);
    }
    draw_glyph(area, 0, 0, style, GLYPH_CORNER_UPPER_LEFT);
    draw_glyph(area, 0, area.cols - 1, style, GLYPH_CORNER_UPPER_RIGHT);
    draw_glyph(area, area.rows - 1, 0, style, GLYPH_CORNER_LOWER_LEFT);
    draw_glyph(area, area.rows - 1, area.cols - 1, style, GLYPH_CORNER_LOWER_RIGHT);
    if (title != NULL && title[0] != '\0')
        draw_format(area, 0, 2, theme_style(ROLE_STRONG), " %s ", title);
    return (struct area){ area.y + 1, area.x + 2, area.rows - 2, area.cols - 4 };
}

void draw_bar(
    struct area area, int row, int col, int width, double part, double whole, struct style style)
{
    double fraction = whole > 0 ? part / whole : 0;
    fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
    int eighths = (int)(fraction * width * 8 + 0.5);
    if (part > 0 && eighths == 0)
        eighths = 1;
    bool utf8 = terminal_is_utf8();
    for (int i = 0; i < width; i++) {
        int here = eighths - i * 8;
        if (here >= 8 || (!utf8 && here >= 4))
            draw_glyph(area, row, col + i, style, GLYPH_FULL);
        else if (utf8 && here > 0)
            draw_wide(area, row, col + i, style, part_utf8[here]);
        else
            draw_glyph(area, row, col + i, theme_style(ROLE_DIM), GLYPH_DOT);
    }
}

void draw_spark(struct area area, int row, int col, int width, const double *values, size_t count,
    double least, struct style style)
{
    double most = least;
    size_t first = count > (size_t)width ? count - (size_t)width : 0;
    for (size_t i = first; i < count; i++)
        most = values[i] > most ? values[i] : most;
    const wchar_t *levels = terminal_is_utf8() ? spark_utf8 : spark_ascii;
    for (size_t i = first; i < count; i++) {
        int level = most > 0 ? (int)(values[i] / most * (SPARK_LEVELS - 1) + 0.5) : 0;
        draw_wide(area, row, col + (int)(i - first), style, levels[level]);
    }
}

struct area area_rows(struct area area, int first, int rows)
{
    if (first > area.rows)
        first = area.rows;
    if (rows > area.rows - first)
        rows = area.rows - first;
    return (struct area){ area.y + first, area.x, rows < 0 ? 0 : rows, area.cols };
}

bool area_has(struct area area, int y, int x)
{
    return y >= area.y && y < area.y + area.rows && x >= area.x && x < area.x + area.cols;
}
