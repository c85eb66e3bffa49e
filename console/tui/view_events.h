/* The log of events, newest first, with a filter. */
#ifndef TUI_VIEW_EVENTS_H
#define TUI_VIEW_EVENTS_H

#include "console/tui/view.h"

extern const struct view view_events;

/* Shows only events that have the text in them; empty: all. */
void view_events_filter(void *state, const char *text);

#endif
