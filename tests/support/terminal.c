/* tmux's server runs as a child of the test, not as a daemon, and dies with it; its clients are one
 * shell command each. What the terminal was like before and after the command is kept in files of
 * the test's folder. */
#include "tests/support/terminal.h"

#include "common/memory.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/wait.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENT_MS = 10000, START_MS = 10000 };

struct terminal {
    pid_t server;
    char *socket; /* scratch */
    char *base;   /* start of the names of its files; scratch */
};

#define tmux(terminal, output, format, ...)                                                        \
    shell_run(CLIENT_MS, output, "tmux -u -S '%s' " format, (terminal)->socket, ##__VA_ARGS__)

static pid_t start_server(const char *socket)
{
    const char *program = program_path("tmux");
    pid_t pid = fork();
    cr_assert(pid >= 0, "fork failed");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0);
        unsetenv("TMUX");
        execl(program, "tmux", "-u", "-S", socket, "-f", "/dev/null", "-D", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void write_script(
    const struct terminal *terminal, const char *environment, const char *command)
{
    FILE *file = fopen(terminal->base, "w");
    cr_assert(file != NULL, "can't write %s", terminal->base);
    fprintf(file, "stty -g >'%s.before'\n", terminal->base);
    fprintf(file, "env LC_ALL=C.UTF-8 TERM=xterm-256color %s %s\n", environment, command);
    fprintf(file, "echo \"ended: $?\"\nstty -g >'%s.after'\n", terminal->base);
    fprintf(file, "while :; do read -r line; done\n");
    fclose(file);
}

struct terminal *terminal_start(
    int columns, int rows, const char *environment, const char *command, ...)
{
    static int count;
    struct terminal *terminal = memory_alloc_zeroed(1, sizeof *terminal);
    va_list args;
    va_start(args, command);
    const char *line = scratch_vprintf(command, args);
    va_end(args);
    terminal->base = scratch_printf("%s/terminal-%d", scratch_folder(), ++count);
    terminal->socket = scratch_printf("%s.socket", terminal->base);
    write_script(terminal, environment, line);
    terminal->server = start_server(terminal->socket);
    wait_until(START_MS, access(terminal->socket, F_OK) == 0);
    wait_until(START_MS,
        tmux(terminal, NULL, "new-session -d -x %d -y %d 'exec sh %s' \\; set -g status off",
            columns, rows, terminal->base) == 0);
    return terminal;
}

void terminal_end(struct terminal *terminal)
{
    tmux(terminal, NULL, "kill-server");
    if (!wait_for(START_MS, waitpid(terminal->server, NULL, WNOHANG) != 0)) {
        kill(terminal->server, SIGKILL);
        waitpid(terminal->server, NULL, 0);
    }
    free(terminal);
}

const char *terminal_screen(struct terminal *terminal)
{
    const char *screen = NULL;
    tmux(terminal, &screen, "capture-pane -p");
    return scratch_printf("%s", screen != NULL ? screen : "");
}

bool terminal_shows(struct terminal *terminal, const char *text)
{
    return strstr(terminal_screen(terminal), text) != NULL;
}

bool terminal_find(struct terminal *terminal, const char *text, int *column, int *row)
{
    const char *screen = terminal_screen(terminal), *found = strstr(screen, text);
    if (found == NULL)
        return false;
    size_t before = (size_t)(found - screen);
    *column = *row = 0;
    for (size_t i = 0; i < before; i++) {
        if (screen[i] == '\n') {
            *row += 1;
            *column = 0;
        } else {
            *column += ((unsigned char)screen[i] & 0xc0) != 0x80;
        }
    }
    return true;
}

void terminal_press(struct terminal *terminal, const char *keys)
{
    cr_assert_eq(tmux(terminal, NULL, "send-keys %s", keys), 0);
}

void terminal_type(struct terminal *terminal, const char *text)
{
    cr_assert_eq(tmux(terminal, NULL, "send-keys -l -- '%s'", text), 0);
}

/* Reports go in as the terminal would send them. */
static void send_report(struct terminal *terminal, int code, int column, int row, char end)
{
    cr_assert_eq(
        tmux(terminal, NULL, "send-keys -l $'\\e[<%d;%d;%d%c'", code, column + 1, row + 1, end), 0);
}

void terminal_click(struct terminal *terminal, int column, int row)
{
    send_report(terminal, 0, column, row, 'M');
    send_report(terminal, 0, column, row, 'm');
}

void terminal_click_text(struct terminal *terminal, const char *text)
{
    int column = 0, row = 0;
    cr_assert(terminal_find(terminal, text, &column, &row), "\"%s\" isn't there to be clicked:\n%s",
        text, terminal_screen(terminal));
    terminal_click(terminal, column, row);
}

void terminal_drag(
    struct terminal *terminal, int from_column, int from_row, int to_column, int to_row)
{
    enum { MOTION = 32, STEPS = 4 };
    send_report(terminal, 0, from_column, from_row, 'M');
    for (int i = 1; i <= STEPS; i++)
        send_report(terminal, MOTION, from_column + (to_column - from_column) * i / STEPS,
            from_row + (to_row - from_row) * i / STEPS, 'M');
    send_report(terminal, 0, to_column, to_row, 'm');
}

void terminal_wheel(struct terminal *terminal, int column, int row, bool up)
{
    enum { WHEEL_UP = 64, WHEEL_DOWN = 65 };
    send_report(terminal, up ? WHEEL_UP : WHEEL_DOWN, column, row, 'M');
}

void terminal_resize(struct terminal *terminal, int columns, int rows)
{
    cr_assert_eq(tmux(terminal, NULL, "resize-window -x %d -y %d", columns, rows), 0);
}

pid_t terminal_process(struct terminal *terminal)
{
    const char *output = "";
    shell_run(CLIENT_MS, &output,
        "pgrep -P \"$(tmux -u -S '%s' display-message -p '#{pane_pid}')\" || true",
        terminal->socket);
    return (pid_t)atoi(output);
}

bool terminal_is_restored(struct terminal *terminal)
{
    const char *flags = "", *modes = "";
    tmux(terminal, &flags,
        "display-message -p '#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{keypad_flag}'");
    int differs =
        shell_run(CLIENT_MS, &modes, "cmp '%s.before' '%s.after'", terminal->base, terminal->base);
    if (strncmp(flags, "0 1 0 0", 7) == 0 && differs == 0)
        return true;
    cr_log_warn("alternate screen, cursor, mouse, keypad: %s; modes: %s", flags, modes);
    return false;
}
