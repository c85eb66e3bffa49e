/* The shards at the right: always there, always in the same order and colours. */
#ifndef TUI_PANEL_H
#define TUI_PANEL_H

#include "console/tui/draw.h"

struct panel;
struct mouse;
struct tui;

struct panel *panel_new(void);
void panel_free(struct panel *panel);
/* Columns that the panel wants on a screen of so many. */
int panel_width(int screen_cols);
void panel_draw(struct panel *panel, struct tui *tui, struct area area);
/* The shard (index in the model) drawn at that place; -1: none. */
int panel_shard_at(const struct panel *panel, int y, int x);
void panel_mouse(struct panel *panel, struct tui *tui, const struct mouse *mouse);

#endif
