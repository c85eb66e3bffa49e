/* "/": a slot by number, a node by name, or the slot of a key. */
#ifndef TUI_FIND_H
#define TUI_FIND_H

struct tui;

/* Puts the cursor there, or says what was not found. */
void find_run(struct tui *tui, const char *text);
const char *find_hint(void);

#endif
