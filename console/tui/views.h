/* The five views; tui_views in tui.c puts them in order. */
#ifndef TUI_VIEWS_H
#define TUI_VIEWS_H

#include "console/tui/view.h"
#include "console/tui/view_events.h"

extern const struct view view_slots, view_nodes, view_gossip, view_operations;

#endif
