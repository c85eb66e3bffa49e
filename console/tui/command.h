/* ":" commands: a table; the help and the completion are made from it. */
#ifndef TUI_COMMAND_H
#define TUI_COMMAND_H

#include <stddef.h>

struct page;
struct tui;

/* Runs what was typed; an error is said to the person. */
void command_run(struct tui *tui, const char *line);
/* Completes the first word in place where it is the start of one command only. */
void command_complete(char *line, size_t size);
/* What may come next, by what is typed so far. */
const char *command_hint(const char *line);
/* Adds a line for each command. */
void command_help(struct page *page);

#endif
