/* The cursor of a list that is longer than its place: which row it is on, and which rows show. */
#ifndef TUI_LIST_H
#define TUI_LIST_H

#include "console/tui/draw.h"

struct list {
    int cursor, top;
    int count, visible; /* as of the last list_fit */
};

/* Before drawing: how many rows there are, and how many fit. Keeps the cursor inside and visible.
 */
void list_fit(struct list *list, int count, int visible);
void list_move(struct list *list, int by);
/* Up, Down, PgUp, PgDn, Home, End; true: it was one of these. */
bool list_key(struct list *list, int key);
/* The row at line y of the area where the list was drawn; -1: none. */
int list_at(const struct list *list, struct area area, int y);
/* Arrows at the right edge where there is more above or below. */
void list_draw_more(const struct list *list, struct area area);

#endif
