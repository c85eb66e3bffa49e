/* Putting text, bars and boxes into a rectangle of the screen. Nothing leaves its rectangle; what
 * is shown may come from a hostile node, so control characters never reach the terminal. */
#ifndef TUI_DRAW_H
#define TUI_DRAW_H

#include "console/tui/theme.h"
#include <wchar.h>

struct area {
    int y, x;       /* of the upper left cell */
    int rows, cols; /* may be 0 */
};

/* Characters that have a form in UTF-8 and one in ASCII. */
enum glyph {
    GLYPH_VERTICAL,
    GLYPH_HORIZONTAL,
    GLYPH_CORNER_UPPER_LEFT,
    GLYPH_CORNER_UPPER_RIGHT,
    GLYPH_CORNER_LOWER_LEFT,
    GLYPH_CORNER_LOWER_RIGHT,
    GLYPH_BRANCH,
    GLYPH_ARROW,
    GLYPH_DOT,
    GLYPH_FULL,
    GLYPH_HATCH,
    GLYPH_DOWN,
    GLYPH_UP,
};

/* The character as text: good for use in a format. */
const char *glyph_text(enum glyph glyph);

/* Text (UTF-8) from row and col of the area; cut at its right edge. Returns the column behind it.
 */
int draw_text(struct area area, int row, int col, struct style style, const char *text);
int draw_format(struct area area, int row, int col, struct style style, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* So that its last character stands in column `end` - 1. */
void draw_right(struct area area, int row, int end, struct style style, const char *text);
void draw_wide(struct area area, int row, int col, struct style style, wchar_t character);
void draw_glyph(struct area area, int row, int col, struct style style, enum glyph glyph);

/* Words over several rows, from col of each; returns how many rows they took. Draws nothing where
 * `show` is false: for measuring. */
int draw_wrapped(
    struct area area, int row, int col, struct style style, const char *text, bool show);

/* Blanks from col to the right edge (draw_blank), or all of the area (draw_clear). */
void draw_blank(struct area area, int row, int col, struct style style);
void draw_clear(struct area area);

/* A frame around the area's edge with the title in it; returns what is inside. */
struct area draw_box(struct area area, struct style style, const char *title);

/* A bar of `width` cells, filled to part / whole. */
void draw_bar(
    struct area area, int row, int col, int width, double part, double whole, struct style style);
/* The last `width` of `count` values as little bars, scaled to the greatest of them, which counts
 * as `least` at least, so that noise stays low. */
void draw_spark(struct area area, int row, int col, int width, const double *values, size_t count,
    double least, struct style style);

/* Columns that the text takes. */
int text_width(const char *text);

struct area area_rows(struct area area, int first, int rows); /* a part of it, clipped */
bool area_has(struct area area, int y, int x);

#endif
