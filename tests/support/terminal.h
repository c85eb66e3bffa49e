/* A program in a real terminal: tmux, without a configuration and on a socket of its own. Keys and
 * the mouse go in, the screen comes out. The terminal ends with the test, however that ends. */
#ifndef TESTS_SUPPORT_TERMINAL_H
#define TESTS_SUPPORT_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

struct terminal;

/* Runs the command (a line of sh) in a terminal of that size; environment: "NAME=value ..." put
 * before it. When the command ends, the line "ended: STATUS" is written to the screen. */
struct terminal *terminal_start(int columns, int rows, const char *environment, const char *command,
    ...) __attribute__((format(printf, 4, 5)));
void terminal_end(struct terminal *terminal);

/* The screen as it is now: rows with '\n', as scratch text in UTF-8. */
const char *terminal_screen(struct terminal *terminal);
bool terminal_shows(struct terminal *terminal, const char *text);
/* Where the text begins, from 0; false where it isn't there. Every character takes one column. */
bool terminal_find(struct terminal *terminal, const char *text, int *column, int *row);

/* Keys by tmux's names, with spaces between: "m Right Enter". */
void terminal_press(struct terminal *terminal, const char *keys);
void terminal_type(struct terminal *terminal, const char *text);
/* The left button (SGR reports), from 0. */
void terminal_click(struct terminal *terminal, int column, int row);
void terminal_click_text(struct terminal *terminal, const char *text); /* on its first character */
void terminal_drag(
    struct terminal *terminal, int from_column, int from_row, int to_column, int to_row);
void terminal_wheel(struct terminal *terminal, int column, int row, bool up);
void terminal_resize(struct terminal *terminal, int columns, int rows);

/* The process that the command's shell has started; 0: none runs. */
pid_t terminal_process(struct terminal *terminal);
/* Whether the terminal is as a program should leave it: the main screen, the cursor shown, no mouse
 * reports, and its modes (stty) as before the command. Only after the command has ended. */
bool terminal_is_restored(struct terminal *terminal);

/* Waits until the text is shown, or isn't any more; the failure shows the screen. */
#define terminal_wait(terminal, limit_ms, text)                                                    \
    cr_assert(wait_for(limit_ms, terminal_shows(terminal, text)), "\"%s\" didn't come:\n%s", text, \
        terminal_screen(terminal))
#define terminal_wait_gone(terminal, limit_ms, text)                                               \
    cr_assert(wait_for(limit_ms, !terminal_shows(terminal, text)), "\"%s\" didn't go:\n%s", text,  \
        terminal_screen(terminal))

#endif
