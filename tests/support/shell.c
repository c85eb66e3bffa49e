/* Running programs; see the header. A shell and all it starts are one process group, ended as one.
 */
#include "tests/support/shell.h"
#include "common/buffer.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const char *program_path(const char *name)
{
    if (strchr(name, '/') != NULL) {
        char folder[PATH_MAX];
        cr_assert_not_null(getcwd(folder, sizeof(folder)));
        const char *path = name[0] == '/' ? name : scratch_printf("%s/%s", folder, name);
        cr_assert_eq(access(path, X_OK), 0, "%s: %s (SERVER and CONSOLE name other programs)", path,
            strerror(errno));
        return path;
    }
    char *folders = scratch_printf("%s", getenv("PATH")), *rest = NULL;
    for (char *folder = strtok_r(folders, ":", &rest); folder != NULL;
         folder = strtok_r(NULL, ":", &rest)) {
        char *path = scratch_printf("%s/%s", folder, name);
        if (access(path, X_OK) == 0)
            return path;
    }
    cr_assert_fail("%s is not in PATH", name);
    return NULL;
}

const char *server_path(void)
{
    const char *server = getenv("SERVER");
    return program_path(server != NULL && server[0] != 0 ? server : "build/slotd");
}

const char *console_path(void)
{
    const char *console = getenv("CONSOLE");
    return program_path(console != NULL && console[0] != 0 ? console : "build/slotctl");
}

bool server_is_slotd(void)
{
    return strcmp(strrchr(server_path(), '/'), "/slotd") == 0;
}

static pid_t start(const char *line, int output)
{
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(output, 1);
    dup2(output, 2);
    if (chdir(scratch_folder()) == 0)
        execl("/bin/bash", "bash", "-o", "pipefail", "-c", line, (char *)NULL);
    _exit(127);
}

/* Collects what is written until the end of it or the deadline; false: the deadline. */
static bool collect(int fd, int64_t deadline, struct buffer *text)
{
    for (;;) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        int64_t left = deadline - now_ms();
        if (left <= 0 || poll(&poll_fd, 1, (int)left) == 0)
            return false;
        buffer_reserve(text, 4096);
        ssize_t got = read(fd, text->data + text->len, 4096);
        if (got == 0 || (got < 0 && errno != EINTR))
            return true;
        if (got > 0)
            text->len += (size_t)got;
    }
}

int shell_run(int limit_ms, const char **output, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *line = scratch_vprintf(format, args);
    va_end(args);
    scratch_folder();
    int64_t deadline = wait_deadline(limit_ms);
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = start(line, ends[1]);
    close(ends[1]);
    struct buffer text = { 0 };
    bool ended = collect(ends[0], deadline, &text);
    close(ends[0]);
    int status = 0;
    /* Something in the background may hold or have closed the pipe: the shell itself counts. */
    while (ended && waitpid(pid, &status, WNOHANG) == 0)
        ended = wait_pause(deadline);
    kill(-pid, SIGKILL);
    if (!ended)
        waitpid(pid, NULL, 0);
    if (output != NULL)
        *output = scratch_copy(text.len > 0 ? text.data : "", text.len);
    buffer_free(&text);
    if (!ended)
        return 124;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
