/* The lines above and below every view: the verdict, where one can go, and what happened last. */
#ifndef TUI_HEADER_H
#define TUI_HEADER_H

#include "console/tui/draw.h"

struct tui;

void header_draw_verdict(struct tui *tui, struct area line);
void header_draw_tabs(struct tui *tui, struct area line);
/* The newest events, as many as there are rows; an answer to the person or a running operation
 * takes the last row. */
void header_draw_events(struct tui *tui, struct area area);
/* The answer to the person: at the end of the events' area, and above it where it is long. */
void header_draw_notice(struct tui *tui, struct area area);

#endif
