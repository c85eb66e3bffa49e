/* The terminal: taken over at the start, given back as it was at the end, whatever the end is.
 * One process has one terminal, so this module has no handle. */
#ifndef TUI_TERMINAL_H
#define TUI_TERMINAL_H

#include "common/error.h"

/* Takes the terminal over: the other screen, no echo, keys one by one, mouse reports where the
 * terminal has them. Installs handlers that give it back when the process crashes (SIGSEGV, SIGBUS,
 * SIGILL, SIGFPE, SIGABRT). False: the error says what the terminal lacks. */
bool terminal_open(struct error *error);

/* Gives it back. Calling it twice, or without terminal_open, does nothing. */
void terminal_close(void);

/* Ctrl-Z: gives the terminal back, stops the process, and takes it over again when it goes on. */
void terminal_suspend(void);

/* The window has another size: tells ncurses. Everything must be drawn again. */
void terminal_resize(void);

/* Whether characters beyond ASCII can be shown: the locale's character set is UTF-8. */
bool terminal_is_utf8(void);

/* Whether the font has quadrant blocks (the Linux console has half blocks only). */
bool terminal_has_quadrants(void);

#endif
