/* A picture of a terminal: reads what `tmux capture-pane -p -e` writes (text with SGR sequences) on
 * standard input and writes an SVG. Block and line characters are drawn as rectangles that meet at
 * the cells' edges, because fonts leave gaps between them; all other characters are text, each at
 * the place of its cell.
 *
 * usage: ansi2svg COLUMNS ROWS */
#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum {
    CELL_W = 9,
    CELL_H = 18,
    MARGIN = 8,
    FONT = 15,
    BASELINE = 14,
    COLUMNS_MAX = 500,
    ROWS_MAX = 200
};
enum { SGR_MAX = 32, ESCAPE = 27 };

static const uint32_t ground = 0x16181d, ink = 0xd3d7de;

struct look {
    uint32_t fg, bg; /* 0xRRGGBB */
    bool bold, underline, reverse, dim;
};

struct cell {
    wchar_t character;
    struct look look;
};

static struct cell cells[ROWS_MAX][COLUMNS_MAX];

/* The 256 colours of xterm: 16 named, a cube of 6x6x6, 24 greys. */
static uint32_t palette(int index)
{
    static const uint32_t named[16] = { 0x1c1f26, 0xd7464b, 0x6fb35e, 0xc9a026, 0x5f9ae6, 0xb07fd9,
        0x4fb8c0, 0xc8ccd4, 0x6b7280, 0xff6b6b, 0x9bdc87, 0xffd75f, 0x87b9ff, 0xd7a8ff, 0x7fe0e6,
        0xffffff };
    static const int steps[6] = { 0, 95, 135, 175, 215, 255 };
    if (index < 0 || index > 255)
        return ink;
    if (index < 16)
        return named[index];
    if (index >= 232) {
        uint32_t grey = (uint32_t)(8 + (index - 232) * 10);
        return grey << 16 | grey << 8 | grey;
    }
    index -= 16;
    return (uint32_t)steps[index / 36] << 16 | (uint32_t)steps[index / 6 % 6] << 8 |
           (uint32_t)steps[index % 6];
}

/* 38;5;N and 38;2;R;G;B (and 48): returns how many numbers it took behind the first. */
static int extended_colour(const int *numbers, int count, uint32_t *colour)
{
    if (count >= 2 && numbers[0] == 5) {
        *colour = palette(numbers[1]);
        return 2;
    }
    if (count >= 4 && numbers[0] == 2) {
        *colour = (uint32_t)numbers[1] << 16 | (uint32_t)numbers[2] << 8 | (uint32_t)numbers[3];
        return 4;
    }
    return 0;
}

static void apply_sgr(struct look *look, const int *numbers, int count)
{
    static const struct look plain = { 0xd3d7de, 0x16181d, false, false, false, false };
    for (int i = 0; i < count; i++) {
        int n = numbers[i];
        if (n == 0)
            *look = plain;
        else if (n == 1)
            look->bold = true;
        else if (n == 2)
            look->dim = true;
        else if (n == 4)
            look->underline = true;
        else if (n == 7)
            look->reverse = true;
        else if (n >= 30 && n <= 37)
            look->fg = palette(n - 30);
        else if (n >= 90 && n <= 97)
            look->fg = palette(n - 90 + 8);
        else if (n >= 40 && n <= 47)
            look->bg = palette(n - 40);
        else if (n >= 100 && n <= 107)
            look->bg = palette(n - 100 + 8);
        else if (n == 38)
            i += extended_colour(numbers + i + 1, count - i - 1, &look->fg);
        else if (n == 48)
            i += extended_colour(numbers + i + 1, count - i - 1, &look->bg);
        else if (n == 39)
            look->fg = ink;
        else if (n == 49)
            look->bg = ground;
    }
}

/* Behind ESC: "[...m" changes the look; anything else is skipped. Character set switches (SO, SI)
 * are none of ours, because tmux writes UTF-8. */
static void read_escape(struct look *look)
{
    int numbers[SGR_MAX] = { 0 }, count = 1;
    wint_t c = getwchar();
    if (c == L'(' || c == L')') {
        getwchar();
        return;
    }
    if (c != L'[')
        return;
    while ((c = getwchar()) != WEOF && ((c >= L'0' && c <= L'9') || c == L';' || c == L':')) {
        if (c >= L'0' && c <= L'9')
            numbers[count - 1] = numbers[count - 1] * 10 % 100000 + (int)(c - L'0');
        else if (count < SGR_MAX)
            count++;
    }
    if (c == L'm')
        apply_sgr(look, numbers, count);
}

static void read_screen(int columns, int rows)
{
    struct look look;
    apply_sgr(&look, (int[]){ 0 }, 1);
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++)
            cells[r][c] = (struct cell){ L' ', look };
    }
    int row = 0, col = 0;
    wint_t c;
    while ((c = getwchar()) != WEOF && row < rows) {
        if (c == ESCAPE) {
            read_escape(&look);
        } else if (c == L'\n') {
            row++;
            col = 0;
        } else if (c >= L' ' && col < columns) {
            cells[row][col++] = (struct cell){ (wchar_t)c, look };
        }
    }
}

static uint32_t mix(uint32_t a, uint32_t b)
{
    return ((a & 0xfefefe) >> 1) + ((b & 0xfefefe) >> 1);
}

static uint32_t foreground(const struct cell *cell)
{
    uint32_t fg = cell->look.reverse ? cell->look.bg : cell->look.fg;
    uint32_t bg = cell->look.reverse ? cell->look.fg : cell->look.bg;
    return cell->look.dim ? mix(fg, bg) : fg;
}

static uint32_t background(const struct cell *cell)
{
    return cell->look.reverse ? cell->look.fg : cell->look.bg;
}

static void rectangle(double x, double y, double w, double h, uint32_t colour)
{
    printf("<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"#%06x\"/>\n", x, y, w, h,
        colour);
}

/* --- Characters that are drawn --- */

/* Parts of a cell, in eighths of its width and height: x, y, width, height. */
struct part {
    wchar_t character;
    signed char x, y, w, h;
};

static const struct part parts[] = {
    { L'█', 0, 0, 8, 8 },
    { L'▀', 0, 0, 8, 4 },
    { L'▄', 0, 4, 8, 4 },
    { L'▌', 0, 0, 4, 8 },
    { L'▐', 4, 0, 4, 8 },
    { L'▁', 0, 7, 8, 1 },
    { L'▂', 0, 6, 8, 2 },
    { L'▃', 0, 5, 8, 3 },
    { L'▅', 0, 3, 8, 5 },
    { L'▆', 0, 2, 8, 6 },
    { L'▇', 0, 1, 8, 7 },
    { L'▏', 0, 0, 1, 8 },
    { L'▎', 0, 0, 2, 8 },
    { L'▍', 0, 0, 3, 8 },
    { L'▋', 0, 0, 5, 8 },
    { L'▊', 0, 0, 6, 8 },
    { L'▉', 0, 0, 7, 8 },
    { L'▘', 0, 0, 4, 4 },
    { L'▝', 4, 0, 4, 4 },
    { L'▖', 0, 4, 4, 4 },
    { L'▗', 4, 4, 4, 4 },
    { L'▞', 4, 0, 4, 4 },
    { L'▞', 0, 4, 4, 4 },
    { L'▚', 0, 0, 4, 4 },
    { L'▚', 4, 4, 4, 4 },
    { L'▛', 0, 0, 8, 4 },
    { L'▛', 0, 4, 4, 4 },
    { L'▜', 0, 0, 8, 4 },
    { L'▜', 4, 4, 4, 4 },
    { L'▙', 0, 0, 4, 4 },
    { L'▙', 0, 4, 8, 4 },
    { L'▟', 4, 0, 4, 4 },
    { L'▟', 0, 4, 8, 4 },
};

/* Lines: which arms they have, from the middle of the cell. */
enum { UP = 1, DOWN = 2, LEFT = 4, RIGHT = 8 };
static const struct {
    wchar_t character;
    int arms;
} lines[] = {
    { L'│', UP | DOWN },
    { L'─', LEFT | RIGHT },
    { L'┌', DOWN | RIGHT },
    { L'┐', DOWN | LEFT },
    { L'└', UP | RIGHT },
    { L'┘', UP | LEFT },
};

/* Draws `count` equal cells as one where the character's parts are as wide as the cell. */
static bool draw_parts(const struct cell *cell, double x, double y, int count)
{
    bool found = false;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const struct part *p = &parts[i];
        if (p->character != cell->character)
            continue;
        found = true;
        rectangle(x + p->x * CELL_W / 8.0, y + p->y * CELL_H / 8.0,
            p->w * CELL_W / 8.0 + (count - 1) * CELL_W, p->h * CELL_H / 8.0, foreground(cell));
    }
    return found;
}

/* How many cells from col on look the same and can be drawn as one. */
static int equal_cells(int row, int col, int columns)
{
    const struct cell *cell = &cells[row][col];
    int end = col + 1;
    if (cell->character != L'█' && cell->character != L'▀' && cell->character != L'▄')
        return 1;
    while (end < columns && cells[row][end].character == cell->character &&
           foreground(&cells[row][end]) == foreground(cell))
        end++;
    return end - col;
}

static bool draw_lines(const struct cell *cell, double x, double y)
{
    double middle_x = x + CELL_W / 2.0 - 0.5, middle_y = y + CELL_H / 2.0 - 0.5;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (lines[i].character != cell->character)
            continue;
        uint32_t colour = foreground(cell);
        double top = lines[i].arms & UP ? y : middle_y;
        double bottom = lines[i].arms & DOWN ? y + CELL_H : middle_y + 1;
        double left = lines[i].arms & LEFT ? x : middle_x;
        double right = lines[i].arms & RIGHT ? x + CELL_W : middle_x + 1;
        if (lines[i].arms & (UP | DOWN))
            rectangle(middle_x, top, 1, bottom - top, colour);
        if (lines[i].arms & (LEFT | RIGHT))
            rectangle(left, middle_y, right - left, 1, colour);
        return true;
    }
    return false;
}

/* The hatch: a chequer of small squares. */
static bool draw_hatch(const struct cell *cell, double x, double y)
{
    enum { SQUARE = 3 };
    if (cell->character != L'▒')
        return false;
    for (int row = 0; row < CELL_H / SQUARE; row++) {
        for (int col = row % 2; col < CELL_W / SQUARE; col += 2)
            rectangle(x + col * SQUARE, y + row * SQUARE, SQUARE, SQUARE, foreground(cell));
    }
    return true;
}

/* Draws the cell, and those behind it that go with it; returns how many, 0 where it is no shape. */
static int draw_shape(int row, int col, int columns)
{
    const struct cell *cell = &cells[row][col];
    double x = MARGIN + col * CELL_W, y = MARGIN + row * CELL_H;
    int count = equal_cells(row, col, columns);
    if (draw_parts(cell, x, y, count))
        return count;
    return draw_lines(cell, x, y) || draw_hatch(cell, x, y) ? 1 : 0;
}

/* --- Text --- */

static bool same_look(const struct cell *a, const struct cell *b)
{
    return foreground(a) == foreground(b) && a->look.bold == b->look.bold &&
           a->look.underline == b->look.underline;
}

static bool is_text(const struct cell *cell)
{
    return cell->character > L' ' && cell->character != L'\u00a0';
}

static bool is_shape(const struct cell *cell)
{
    wchar_t c = cell->character;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (lines[i].character == c)
            return true;
    }
    return c >= 0x2580 && c <= 0x259f;
}

static void write_character(wchar_t character)
{
    if (character == L'&')
        printf("&amp;");
    else if (character == L'<')
        printf("&lt;");
    else if (character == L'>')
        printf("&gt;");
    else
        printf("%lc", (wint_t)character);
}

/* A run of cells with one look as one element; each character gets its own place. */
static int draw_run(int row, int col, int columns)
{
    const struct cell *first = &cells[row][col];
    int end = col;
    while (end < columns && is_text(&cells[row][end]) && !is_shape(&cells[row][end]) &&
           same_look(first, &cells[row][end]))
        end++;
    printf("<text y=\"%d\" fill=\"#%06x\"%s%s x=\"", MARGIN + row * CELL_H + BASELINE,
        foreground(first), first->look.bold ? " font-weight=\"bold\"" : "",
        first->look.underline ? " text-decoration=\"underline\"" : "");
    for (int c = col; c < end; c++)
        printf("%s%d", c > col ? " " : "", MARGIN + c * CELL_W);
    printf("\">");
    for (int c = col; c < end; c++)
        write_character(cells[row][c].character);
    printf("</text>\n");
    return end;
}

static void draw_backgrounds(int row, int columns)
{
    int col = 0;
    while (col < columns) {
        uint32_t colour = background(&cells[row][col]);
        int end = col;
        while (end < columns && background(&cells[row][end]) == colour)
            end++;
        if (colour != ground)
            rectangle(
                MARGIN + col * CELL_W, MARGIN + row * CELL_H, (end - col) * CELL_W, CELL_H, colour);
        col = end;
    }
}

static void draw_row(int row, int columns)
{
    draw_backgrounds(row, columns);
    int col = 0;
    while (col < columns) {
        const struct cell *cell = &cells[row][col];
        if (is_shape(cell)) {
            int drawn = draw_shape(row, col, columns);
            col += drawn > 0 ? drawn : 1;
        } else if (is_text(cell)) {
            col = draw_run(row, col, columns);
        } else {
            col++;
        }
    }
}

int main(int argc, char **argv)
{
    int columns = argc == 3 ? atoi(argv[1]) : 0, rows = argc == 3 ? atoi(argv[2]) : 0;
    if (columns < 1 || columns > COLUMNS_MAX || rows < 1 || rows > ROWS_MAX) {
        fprintf(stderr, "usage: ansi2svg COLUMNS ROWS < screen > picture.svg\n");
        return 2;
    }
    if (setlocale(LC_ALL, "C.UTF-8") == NULL) {
        fprintf(stderr, "ansi2svg: there is no locale C.UTF-8\n");
        return 1;
    }
    read_screen(columns, rows);
    int width = columns * CELL_W + 2 * MARGIN, height = rows * CELL_H + 2 * MARGIN;
    printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d "
           "%d\" "
           "font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"%d\" "
           "shape-rendering=\"crispEdges\">\n",
        width, height, width, height, FONT);
    printf("<rect width=\"%d\" height=\"%d\" rx=\"6\" fill=\"#%06x\"/>\n", width, height, ground);
    for (int row = 0; row < rows; row++)
        draw_row(row, columns);
    printf("</svg>\n");
    return ferror(stdout) != 0;
}
