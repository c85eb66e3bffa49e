/* Taking over a terminal is easy; giving it back is the point here. Before ncurses touches it, its
 * modes are saved, and the text that undoes everything is put together in advance: a crash handler
 * may only write() and tcsetattr(). The handler runs on a stack of its own, so that an overflow of
 * the ordinary one is survived as well, and then lets the signal do what it would have done. */
#include "console/tui/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

enum { RESTORE_MAX = 256, CRASH_STACK = 64 * 1024, ESCAPE_WAIT_MS = 25 };

/* 1002: motion is reported while a button is down, which a drag needs; ncurses asks for presses
 * only. */
static const char drag_on[] = "\033[?1002h";
static const char drag_off[] = "\033[?1002l";
static const char mouse_off[] = "\033[?1002l\033[?1000l\033[?1006l";

static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
enum { CRASH_SIGNALS = sizeof crash_signals / sizeof crash_signals[0] };

/* What this process knows of its terminal; written by terminal_open alone. */
static struct {
    volatile sig_atomic_t open;
    SCREEN *screen;
    struct termios before;
    bool before_known;
    bool mouse;
    char restore[RESTORE_MAX]; /* what to write in a crash */
    size_t restore_len;
    void *crash_stack;
} terminal;

static void terminal_crashed(int number)
{
    if (terminal.open) {
        terminal.open = 0;
        ssize_t ignored = write(STDOUT_FILENO, terminal.restore, terminal.restore_len);
        (void)ignored;
        if (terminal.before_known)
            tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
    }
    /* The handler was reset by SA_RESETHAND; the signal is delivered again when this returns. */
    raise(number);
}

static void terminal_watch_crashes(void)
{
    terminal.crash_stack = malloc(CRASH_STACK);
    stack_t stack = { .ss_sp = terminal.crash_stack, .ss_size = CRASH_STACK };
    bool own_stack = terminal.crash_stack != NULL && sigaltstack(&stack, NULL) == 0;
    struct sigaction action = { .sa_handler = terminal_crashed,
        .sa_flags = (int)SA_RESETHAND | (own_stack ? SA_ONSTACK : 0) };
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < CRASH_SIGNALS; i++)
        sigaction(crash_signals[i], &action, NULL);
}

static void terminal_forget_crashes(void)
{
    for (int i = 0; i < CRASH_SIGNALS; i++)
        signal(crash_signals[i], SIG_DFL);
    stack_t none = { .ss_flags = SS_DISABLE };
    sigaltstack(&none, NULL);
    free(terminal.crash_stack);
    terminal.crash_stack = NULL;
}

static void restore_add(const char *capability)
{
    if (capability == NULL || capability == (char *)-1)
        return;
    size_t len = strlen(capability);
    if (terminal.restore_len + len > sizeof terminal.restore)
        return;
    memcpy(terminal.restore + terminal.restore_len, capability, len);
    terminal.restore_len += len;
}

static void terminal_prepare_restore(void)
{
    terminal.restore_len = 0;
    if (terminal.mouse)
        restore_add(mouse_off);
    restore_add(tigetstr("sgr0"));
    restore_add(tigetstr("cnorm"));
    restore_add(tigetstr("rmkx"));
    if (tigetstr("rmcup") != NULL && tigetstr("rmcup") != (char *)-1)
        restore_add(tigetstr("rmcup"));
    else
        restore_add("\r\n");
}

static void terminal_write(const char *text)
{
    fflush(stdout);
    ssize_t ignored = write(STDOUT_FILENO, text, strlen(text));
    (void)ignored;
}

static void terminal_start_mouse(void)
{
    const char *report = tigetstr("kmous");
    terminal.mouse = false;
    if (report == NULL || report == (char *)-1)
        return;
    mmask_t got = mousemask(BUTTON1_PRESSED | BUTTON1_RELEASED | BUTTON4_PRESSED | BUTTON5_PRESSED |
                                REPORT_MOUSE_POSITION,
        NULL);
    if (got == 0)
        return;
    mouseinterval(0);
    terminal.mouse = true;
    terminal_write(drag_on);
}

bool terminal_open(struct error *error)
{
    setlocale(LC_ALL, "");
    const char *name = getenv("TERM");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return error_set(
            error, "the dashboard needs a terminal; `slotctl status` does without one");
    terminal.before_known = tcgetattr(STDIN_FILENO, &terminal.before) == 0;
    terminal.screen = newterm(NULL, stdout, stdin);
    if (terminal.screen == NULL)
        return error_set(error, "the terminal type TERM=%s is not known or can't place the cursor",
            name != NULL ? name : "");
    if (tigetstr("cup") == NULL || tigetstr("cup") == (char *)-1) {
        endwin();
        delscreen(terminal.screen);
        return error_set(
            error, "the terminal type TERM=%s can't place the cursor", name != NULL ? name : "");
    }
    set_term(terminal.screen);
    cbreak();
    noecho();
    nonl();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    intrflush(stdscr, FALSE);
    set_escdelay(ESCAPE_WAIT_MS);
    curs_set(0);
    terminal_start_mouse();
    terminal_prepare_restore();
    terminal.open = 1;
    terminal_watch_crashes();
    return true;
}

void terminal_close(void)
{
    if (!terminal.open)
        return;
    if (terminal.mouse)
        terminal_write(drag_off);
    curs_set(1);
    endwin();
    terminal.open = 0;
    terminal_forget_crashes();
    delscreen(terminal.screen);
    terminal.screen = NULL;
    if (terminal.before_known)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.before);
}

void terminal_suspend(void)
{
    if (terminal.mouse)
        terminal_write(drag_off);
    endwin();
    raise(SIGSTOP);
    if (terminal.mouse)
        terminal_write(drag_on);
    terminal_resize();
    clearok(curscr, TRUE);
    refresh();
}

void terminal_resize(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        resizeterm(size.ws_row, size.ws_col);
    clearok(curscr, TRUE);
}

bool terminal_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

bool terminal_has_quadrants(void)
{
    const char *name = getenv("TERM");
    return terminal_is_utf8() && (name == NULL || strncmp(name, "linux", 5) != 0);
}
