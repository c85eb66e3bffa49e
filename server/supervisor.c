/* systemd's side of the protocol is a datagram socket of the Unix domain, by path or ('@') by a
 * name that is in no file system. One datagram is one message, so nothing has to be kept open. What
 * is told is news, not a request: if it cannot be delivered the node runs on. */
#include "server/supervisor.h"

#include "server/log.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Written before any thread runs. */
static enum supervisor supervisor;
static struct sockaddr_un notify = { .sun_family = AF_UNIX };
static socklen_t notify_len;

static bool find_upstart(void)
{
    if (!getenv("UPSTART_JOB"))
        return false;
    unsetenv("UPSTART_JOB");
    return true;
}

static bool find_systemd(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || (path[0] != '/' && path[0] != '@') || !path[1])
        return false;
    size_t len = strlen(path);
    if (len >= sizeof(notify.sun_path)) {
        log_write(LOG_WARNING, "NOTIFY_SOCKET is too long for the path of a socket: %s", path);
        return false;
    }
    memcpy(notify.sun_path, path, len + 1);
    notify_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (path[0] == '@')
        notify.sun_path[0] = '\0';
    unsetenv("NOTIFY_SOCKET");
    return true;
}

bool supervisor_enter(enum supervisor wanted)
{
    bool any = wanted == SUPERVISOR_AUTO;
    supervisor = SUPERVISOR_NONE;
    if ((any || wanted == SUPERVISOR_UPSTART) && find_upstart())
        supervisor = SUPERVISOR_UPSTART;
    else if ((any || wanted == SUPERVISOR_SYSTEMD) && find_systemd())
        supervisor = SUPERVISOR_SYSTEMD;
    if (supervisor != SUPERVISOR_NONE) {
        log_write(LOG_NOTICE, "Supervised by %s",
            supervisor == SUPERVISOR_UPSTART ? "upstart, ready when this process stops itself"
                                             : "systemd, which is told when this node is ready");
        supervisor_tell("STATUS=Loading");
    } else if (wanted == SUPERVISOR_UPSTART) {
        log_write(LOG_WARNING, "supervised is upstart, but UPSTART_JOB is not in the environment");
    } else if (wanted == SUPERVISOR_SYSTEMD) {
        log_write(
            LOG_WARNING, "supervised is systemd, but NOTIFY_SOCKET is not in the environment");
    }
    return supervisor != SUPERVISOR_NONE;
}

void supervisor_stop_for(void)
{
    if (supervisor == SUPERVISOR_UPSTART)
        raise(SIGSTOP);
}

void supervisor_tell(const char *lines)
{
    if (supervisor != SUPERVISOR_SYSTEMD)
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 ||
        sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (struct sockaddr *)&notify, notify_len) < 0)
        log_write(LOG_WARNING, "systemd could not be told \"%s\": %s", lines, strerror(errno));
    if (fd >= 0)
        close(fd);
}
