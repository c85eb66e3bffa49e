/* A view is a small table: what to do when it is opened, drawn, pressed and clicked. The five
 * views, and the questions that stand before them, are all of this shape; a binding is a key, what
 * it does, and whether it works here and now. The key line and the help are made from the bindings.
 */
#ifndef TUI_VIEW_H
#define TUI_VIEW_H

#include "common/error.h"
#include "console/tui/draw.h"

struct tui;

struct binding {
    int key;           /* ncurses' number; 0 ends a table */
    int other;         /* another key that does the same; 0: none */
    const char *label; /* the key's name; NULL: as keys_name says */
    const char *word;  /* for the key line: "mark"; NULL: not shown there */
    const char *help;  /* for the help: a sentence without a full stop */
    void (*run)(struct tui *tui, void *state);
    bool (*works)(struct tui *tui, void *state); /* NULL: always */
    /* Instead of word, where it depends on the state; NULL: word */
    const char *(*say)(struct tui *tui, void *state);
};

enum mouse_kind { MOUSE_PRESS, MOUSE_DRAG, MOUSE_RELEASE, MOUSE_WHEEL_UP, MOUSE_WHEEL_DOWN };

struct mouse {
    enum mouse_kind kind;
    int y, x; /* of the screen. The view that got a press gets its drag and release too, wherever */
};

struct view {
    const char *name;
    /* The state, freed by close; NULL functions are left out. Questions get theirs from who asks.
     */
    void *(*open)(struct tui *tui);
    void (*close)(struct tui *tui, void *state);
    /* Of a question only: how large it would like to be, frame included. */
    void (*size)(struct tui *tui, void *state, int *rows, int *cols);
    /* Draws all of the area, which was cleared; remembers it for the mouse. */
    void (*draw)(struct tui *tui, void *state, struct area area);
    /* One row: what is under the cursor. */
    void (*status)(struct tui *tui, void *state, struct area area);
    void (*mouse)(struct tui *tui, void *state, const struct mouse *mouse);
    /* A key that no binding has (questions with a text); true: it was used. */
    bool (*key)(struct tui *tui, void *state, int key);
    /* Puts the cursor on a slot or a node; -1: not given. False: the view can't show such. */
    bool (*go)(struct tui *tui, void *state, int slot, int node);
    /* The shard (index in the model) under the cursor; -1: none. */
    int (*shard)(struct tui *tui, void *state);
    /* The title of a question where it isn't the name. */
    const char *(*title)(void *state);
    const struct binding *bindings;
};

/* A key's name: "Enter", "Esc", "Up", "m". out has 16 bytes. */
const char *keys_name(int key, char *out);
/* The binding of the key; NULL where the table has none or it doesn't work now. */
const struct binding *keys_find(
    const struct binding *bindings, int key, struct tui *tui, void *state);
/* Columns that all keys of the table take which work now. */
int keys_width(struct tui *tui, void *state, const struct binding *bindings);
/* Draws the keys of the table that work now, from col on, as many as fit; each can be clicked.
 * Returns the column behind them. */
int keys_draw(struct tui *tui, void *state, const struct binding *bindings, struct area area,
    int row, int col);

#endif
