/* The picture of all 16384 slots: how many slots a point stands for, where a slot is, and what a
 * cell looks like. Works on a plain array; knows nothing of nodes. */
#ifndef TUI_SLOTMAP_H
#define TUI_SLOTMAP_H

#include "common/slot.h"
#include "console/tui/draw.h"

enum slotmap_flag {
    SLOTMAP_MARKED = 1,
    SLOTMAP_MOVING = 2,   /* migrating or importing: hatched */
    SLOTMAP_UNSERVED = 4, /* nobody serves it */
    SLOTMAP_DISPUTED = 8,
};

enum { SLOTMAP_NOBODY = -1, SLOTMAP_NO_HEAT = -1 };

struct slotmap_slot {
    int16_t shard;  /* whose colour and letter; SLOTMAP_NOBODY */
    int16_t target; /* of a moving slot: the shard on the other side; SLOTMAP_NOBODY */
    int8_t heat;    /* 0 to THEME_HEAT_LEVELS - 1; SLOTMAP_NO_HEAT: show the owner */
    uint8_t flags;  /* of enum slotmap_flag */
};

/* How the slots lie in an area. A row of cells holds two rows of points where blocks are drawn, one
 * where letters or numbers are. */
struct slotmap {
    struct area area;   /* with the labels */
    int label;          /* columns of the labels at the left, with a space */
    int columns;        /* points in a row */
    int cell_width;     /* columns of a cell: 1, or what a number takes */
    int point_rows;     /* rows of points in a row of cells: 1 or 2 */
    unsigned per_point; /* slots of a point */
    unsigned first;     /* slot of the upper left point; more than 0 only where not all fit */
    bool blocks;        /* half blocks; else letters */
};

/* What zoom levels there are: 0 shows all slots, each further one halves a point about, the last
 * shows one slot a cell with its number. */
int slotmap_zoom_levels(struct area area, bool blocks);
/* Lays the map out; the cursor's slot is made visible, with `first` (of the last time) kept where
 * that is so already. */
void slotmap_layout(
    struct slotmap *map, struct area area, bool blocks, int zoom, unsigned cursor, unsigned first);
/* Scrolls so that the slot is on this row of the area, as far as there is something to scroll. */
void slotmap_scroll(struct slotmap *map, unsigned cursor, int row);
/* Rows of cells that are used. */
int slotmap_rows(const struct slotmap *map);
/* The first slot of the point that has the slot, and the last. */
unsigned slotmap_point_first(const struct slotmap *map, unsigned slot);
unsigned slotmap_point_last(const struct slotmap *map, unsigned slot);
/* The slot `dx` points to the right and `dy` rows of points further down; stays inside. */
unsigned slotmap_step(const struct slotmap *map, unsigned slot, int dx, int dy);
/* The slot at a place of the screen, the upper point of its cell; false where there is none. */
bool slotmap_at(const struct slotmap *map, int y, int x, unsigned *slot);
/* The last slot of the cell there (of its lower point). */
unsigned slotmap_cell_last(const struct slotmap *map, int y, int x);
/* Where the slot's cell is on the screen; false where it isn't shown. */
bool slotmap_place(const struct slotmap *map, unsigned slot, int *y, int *x);

void slotmap_draw(const struct slotmap *map, const struct slotmap_slot *slots, unsigned cursor);

#endif
