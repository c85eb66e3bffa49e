#include "server/restart.h"

#include "server/log.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { NOT_WANTED = -1, FIRST_OF_OURS = 3 /* descriptors */ };

/* Set once, by restart_remember. */
static char **words;
static int start_folder = -1;
static atomic_int wanted = NOT_WANTED; /* ms to wait before it */

void restart_remember(char **argv)
{
    words = argv;
    start_folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void restart_now(void)
{
    sigset_t none;
    sigemptyset(&none);
    if (start_folder < 0 || fchdir(start_folder) != 0) {
        log_write(LOG_WARNING, "Cannot restart: the folder of the start is gone");
        return;
    }
    for (int fd = FIRST_OF_OURS, last = (int)sysconf(_SC_OPEN_MAX); fd < last; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    execv("/proc/self/exe", words);
    log_write(LOG_WARNING, "Cannot restart: %s", strerror(errno));
}

void restart_after_shutdown(int delay_ms)
{
    atomic_store(&wanted, delay_ms);
}

void restart_if_wanted(void)
{
    int delay_ms = atomic_load(&wanted);
    if (delay_ms == NOT_WANTED)
        return;
    usleep((useconds_t)delay_ms * 1000);
    restart_now();
}
