/* A question with rows to choose from: who is the target, which replica, yes or no. The cursor
 * starts on the first row, which is the safe answer where one of them changes something. */
#ifndef TUI_CHOICE_H
#define TUI_CHOICE_H

#include <stdbool.h>

struct choice;
struct tui;

enum { CHOICE_NOTHING = -1 };

struct choice *choice_new(const char *title);
/* A line above the rows (wrapped), and a row to choose; shard: whose letter stands before it (an
 * index of the model), -1: none. Value is what the answer function gets. */
void choice_say(struct choice *choice, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void choice_add(struct choice *choice, int value, int shard, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Asks; takes the choice over. answer is called with the row's value after the question was closed,
 * or not at all where the person leaves it. context is freed with free() afterwards. */
void choice_ask(struct tui *tui, struct choice *choice,
    void (*answer)(struct tui *tui, void *context, int value), void *context);

#endif
