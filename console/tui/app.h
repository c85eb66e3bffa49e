/* What the parts of the dashboard share: the model, the marks, what is shown, and what was said.
 * Only the loop's thread touches it. */
#ifndef TUI_APP_H
#define TUI_APP_H

#include "common/slot.h"
#include "console/client/client.h"
#include "console/model/model.h"
#include "console/tui/view.h"

struct counter;
struct jobs;
struct panel;
struct prompt;
struct zones;

enum tui_view { VIEW_SLOTS, VIEW_NODES, VIEW_GOSSIP, VIEW_OPERATIONS, VIEW_EVENTS, VIEW_COUNT };
enum { TUI_MIN_ROWS = 24, TUI_MIN_COLS = 80, TUI_STALE_MS = 3500, TUI_NOTICE_MAX = 320 };

/* An area and what draws it: one of the five views, or a question before them. */
struct layer {
    const struct view *view;
    void *state;
    struct area area;
};

struct tui {
    struct model *model;
    struct client *client;
    struct slot_set marks;
    struct counter *counter;
    struct jobs *jobs;
    struct panel *panel;
    struct prompt *prompt;
    struct zones *zones;
    struct layer views[VIEW_COUNT];
    enum tui_view current;
    bool cursor_shown; /* the terminal's cursor stands in what was drawn: */
    int cursor_y, cursor_x;
    enum model_severity notice_kind;
    char notice[TUI_NOTICE_MAX]; /* an answer to the last key; empty: none */
};

/* --- What the parts may ask for (tui.c) --- */

/* Something changed: it is drawn soon. */
void tui_changed(struct tui *tui);
void tui_show(struct tui *tui, enum tui_view view);
/* Opens a question over the views; its state is freed by the view's close. */
void tui_ask(struct tui *tui, const struct view *view, void *state);
/* Closes the question on top. */
void tui_answered(struct tui *tui);
/* One line for the person, until the next key. */
void tui_say(struct tui *tui, enum model_severity kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Leaves: at once, or, where something runs, when that has come to its end. */
void tui_leave(struct tui *tui);
/* As though the key had been pressed. */
void tui_press(struct tui *tui, int key);
/* The shard under the cursor of the view that is shown; -1: none. */
int tui_shard(struct tui *tui);
/* Shows a slot or a node (-1: not given) in the current view, or in one that can. */
void tui_go(struct tui *tui, int slot, int node);
/* The bindings that work everywhere. */
extern const struct binding tui_bindings[];
extern const struct view *const tui_views[VIEW_COUNT];

#endif
