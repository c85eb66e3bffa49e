/* The dashboard: a live view of one cluster in a terminal, with keys and mouse. It draws what the
 * model tells and starts operations; it never waits for a node. */
#ifndef TUI_TUI_H
#define TUI_TUI_H

struct model;

struct tui_options {
    struct model
        *model;        /* the caller's: started (model_start), and freed by the caller afterwards */
    const char *theme; /* a name of the theme table; NULL: the first of it */
};

/* Runs the dashboard on standard input and output until the person leaves it; dispatches the loop
 * of the model's client itself. Returns the exit code: 0 left by the person, 2 the theme is
 * unknown, 3 the terminal can't be used (one line on standard error says why), 128 + n ended by
 * signal n. The terminal is as it was before, also when the process crashes inside. */
int tui_run(const struct tui_options *options);

#endif
