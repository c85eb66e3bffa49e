/* The line at the bottom where text is typed: behind / to find, behind : to command. */
#ifndef TUI_PROMPT_H
#define TUI_PROMPT_H

#include "console/tui/draw.h"

struct prompt;
struct tui;

struct prompt *prompt_new(void);
void prompt_free(struct prompt *prompt);
bool prompt_is_open(const struct prompt *prompt);
/* kind: '/' or ':'; text: what stands there at first. */
void prompt_open(struct prompt *prompt, char kind, const char *text);
void prompt_close(struct prompt *prompt);
/* Every key while it is open; Enter runs what was typed. character: of a key that types one, else
 * 0. */
void prompt_key(struct prompt *prompt, struct tui *tui, int key, wchar_t character);
/* Draws it and puts the terminal's cursor there. */
void prompt_draw(struct prompt *prompt, struct area line);

#endif
