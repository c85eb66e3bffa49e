/* How the process begins and ends. A shutdown goes through steps in worker 0: writes are paused, so
 * that replicas can catch up; when they have, or the time is over, what must be saved is saved;
 * then the loops stop. If saving fails everything goes on as before, for a server with data that
 * cannot be saved is better than none. */
#include "server/process.h"

#include "server/aof_switch.h"
#include "server/clock.h"
#include "server/cluster/service.h"
#include "server/command/condition.h"
#include "server/config.h"
#include "server/crash.h"
#include "server/log.h"
#include "server/log_system.h"
#include "server/net/listener.h"
#include "server/net/worker.h"
#include "server/oom_score.h"
#include "server/periodic.h"
#include "server/persistence.h"
#include "server/rdb_save.h"
#include "server/replication/replication.h"
#include "server/script/busy.h"
#include "server/supervisor.h"
#include "server/thread.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RESERVED_FILES = 64 }; /* descriptors beside those of clients */

/* The shutdown under way; guarded by mutex. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    bool asked;
    bool decided; /* the loops stop */
    unsigned flags;
    int64_t deadline; /* Unix ms; 0: not begun */
    void (*refused)(void *arg);
    void *arg;
} shutdown_state;
static size_t (*count_laggards)(void); /* set before the workers start */
static int exit_status;                /* worker 0 writes, main reads after it */
static char *pidfile;                  /* "" without one; main only */

/* ---- Beginning ---- */

static bool become_daemon(struct error *error)
{
    pid_t child = fork();
    if (child < 0)
        return error_set(error, "cannot become a daemon: %s", strerror(errno));
    if (child > 0)
        _exit(EXIT_SUCCESS);
    setsid();
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        for (int fd = 0; fd <= 2; fd++)
            dup2(null, fd);
        if (null > 2)
            close(null);
    }
    return true;
}

/* A lack of descriptors lowers maxclients, as Redis does, instead of failing later. */
static void raise_file_limit(void)
{
    int64_t clients = config_number(CONFIG_MAXCLIENTS);
    rlim_t wanted = (rlim_t)clients + RESERVED_FILES;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    struct rlimit raised = limit;
    raised.rlim_cur = wanted;
    if (raised.rlim_max < wanted)
        raised.rlim_max = wanted;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return;
    raised.rlim_max = limit.rlim_max;
    raised.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &raised) < 0)
        raised = limit;
    int64_t fits = (int64_t)raised.rlim_cur - RESERVED_FILES;
    config_set_number(CONFIG_MAXCLIENTS, fits > 1 ? fits : 1);
    log_write(LOG_WARNING, "maxclients is %lld instead of %lld: the limit of open files is %llu",
        (long long)config_number(CONFIG_MAXCLIENTS), (long long)clients,
        (unsigned long long)raised.rlim_cur);
}

static bool write_pidfile(struct error *error)
{
    pidfile = config_text(CONFIG_PIDFILE);
    if (!pidfile[0])
        return true;
    FILE *file = fopen(pidfile, "w");
    if (!file)
        return error_set(error, "cannot write the pidfile %s: %s", pidfile, strerror(errno));
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
    return true;
}

bool process_enter(struct error *error)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    char *dir = config_text(CONFIG_DIR);
    char *logfile = config_text(CONFIG_LOGFILE);
    bool ok =
        chdir(dir) == 0 || error_set(error, "cannot change to dir %s: %s", dir, strerror(errno));
    ok = ok && log_open(logfile, error);
    log_set_level((enum log_level)config_number(CONFIG_LOGLEVEL));
    if (config_is(CONFIG_SYSLOG_ENABLED))
        log_system_open(
            config_text(CONFIG_SYSLOG_IDENT), (int)config_number(CONFIG_SYSLOG_FACILITY));
    bool supervised = ok && supervisor_enter((enum supervisor)config_number(CONFIG_SUPERVISED));
    ok = ok && (supervised || !config_is(CONFIG_DAEMONIZE) || become_daemon(error));
    supervisor_stop_for();
    ok = ok && write_pidfile(error);
    free(dir);
    free(logfile);
    if (!ok)
        return false;
    log_write(LOG_NOTICE, "slotd %s, pid %d, port %lld, %s mode", SLOTD_VERSION, (int)getpid(),
        (long long)config_number(CONFIG_PORT),
        config_is(CONFIG_CLUSTER_ENABLED) ? "cluster" : "standalone");
    raise_file_limit();
    crash_init();
    oom_score_init();
    thread_init();
    if (config_is(CONFIG_DISABLE_THP))
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    return true;
}

void process_leave(void)
{
    if (pidfile && pidfile[0])
        unlink(pidfile);
    free(pidfile);
    pidfile = NULL;
}

/* ---- Ending ---- */

void process_set_laggards(size_t (*laggards)(void))
{
    count_laggards = laggards;
}

/* A script that has written cannot be ended, and its turn not be waited for. What it has changed goes
 * with it: none of that is in the journal. */
static void end_hard(void)
{
    struct error error;
    log_write(LOG_WARNING, "Ending at once: a script is busy and cannot be killed");
    if (!aof_switch_off(&error))
        log_write(LOG_WARNING, "%s", error.text);
    process_leave();
    _exit(EXIT_SUCCESS);
}

bool process_shutdown_flag(struct bytes word, unsigned *flags)
{
    static const struct {
        const char *word;
        enum shutdown_flag flag;
    } words[] = { { "save", SHUTDOWN_SAVE }, { "nosave", SHUTDOWN_NOSAVE }, { "now", SHUTDOWN_NOW },
        { "force", SHUTDOWN_FORCE } };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (bytes_is(word, words[i].word)) {
            *flags |= words[i].flag;
            return true;
        }
    }
    return false;
}

bool process_shutdown_begin(unsigned flags, void (*refused)(void *arg), void *arg)
{
    if (flags & SHUTDOWN_NOSAVE && busy_unkillable())
        end_hard();
    pthread_mutex_lock(&mutex);
    bool begun = !shutdown_state.asked;
    if (begun) {
        shutdown_state.asked = true;
        shutdown_state.flags = flags;
        shutdown_state.deadline = 0;
        shutdown_state.refused = refused;
        shutdown_state.arg = arg;
    }
    pthread_mutex_unlock(&mutex);
    return begun;
}

/* Ends it without an end: everything goes on. False: none was asked for, or another thread was
 * faster. */
static bool call_off(void)
{
    pthread_mutex_lock(&mutex);
    bool asked = shutdown_state.asked && !shutdown_state.decided;
    void (*refused)(void *arg) = shutdown_state.refused;
    void *arg = shutdown_state.arg;
    if (asked)
        shutdown_state.asked = false;
    pthread_mutex_unlock(&mutex);
    if (!asked)
        return false;
    pause_end(PAUSE_SHUTDOWN);
    supervisor_tell("STATUS=Ready to accept connections");
    if (refused)
        refused(arg);
    return true;
}

bool process_shutdown_abort(void)
{
    if (!call_off())
        return false;
    log_write(LOG_NOTICE, "Shutdown aborted");
    return true;
}

/* From here on nothing calls it off. False: it was called off before. */
static bool decide(void)
{
    pthread_mutex_lock(&mutex);
    shutdown_state.decided = shutdown_state.asked;
    bool decided = shutdown_state.decided;
    pthread_mutex_unlock(&mutex);
    return decided;
}

static void finish(unsigned flags)
{
    struct error error;
    if (!rdb_save_last(flags & SHUTDOWN_SAVE, flags & SHUTDOWN_NOSAVE, &error)) {
        log_write(LOG_WARNING, "%s", error.text);
        if (!(flags & SHUTDOWN_FORCE)) {
            log_write(LOG_WARNING, "The data could not be saved, so the shutdown is called off");
            call_off();
            return;
        }
        exit_status = EXIT_FAILURE;
    }
    if (decide()) {
        supervisor_tell("STOPPING=1\nSTATUS=Ending");
        net_stop();
    }
}

/* Ten times a second, in worker 0. */
static void step(struct executor *executor, unsigned worker, unsigned workers)
{
    pthread_mutex_lock(&mutex);
    bool asked = shutdown_state.asked;
    unsigned flags = shutdown_state.flags;
    int64_t deadline = shutdown_state.deadline;
    if (asked && !deadline)
        shutdown_state.deadline = executor->now + config_number(CONFIG_SHUTDOWN_TIMEOUT) * 1000;
    pthread_mutex_unlock(&mutex);
    if (!asked)
        return;
    if (!deadline) {
        log_write(LOG_NOTICE, "Shutting down");
        supervisor_tell("STATUS=Shutting down");
        pause_begin(PAUSE_SHUTDOWN, true, INT64_MAX);
    }
    size_t laggards = flags & SHUTDOWN_NOW || !count_laggards ? 0 : count_laggards();
    bool in_time = !deadline || executor->now < deadline;
    if (laggards > 0 && in_time)
        return;
    if (laggards > 0)
        log_write(LOG_WARNING, "%zu replicas do not have all writes yet", laggards);
    finish(flags);
}

static void tick_pauses(struct executor *executor, unsigned worker, unsigned workers)
{
    pause_tick(executor->now);
}

/* What the directive has for the signal: "default", or flags. */
static unsigned flags_of_signal(int number)
{
    char *text = config_text(number == SIGINT ? CONFIG_SHUTDOWN_ON_SIGINT : CONFIG_SHUTDOWN_ON_SIGTERM);
    unsigned flags = 0;
    for (const char *at = text; *at; at += strspn(at, " ")) {
        struct bytes word = { at, strcspn(at, " ") };
        process_shutdown_flag(word, &flags);
        at += word.len;
    }
    free(text);
    return flags;
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    log_write(LOG_WARNING, "Received %s", number == SIGINT ? "SIGINT" : "SIGTERM");
    if (!process_shutdown_begin(flags_of_signal(number), NULL, NULL) && number == SIGINT) {
        log_write(LOG_WARNING, "Received it a second time: ending at once");
        _exit(EXIT_FAILURE);
    }
}

bool process_listen(struct error *error)
{
    struct event_base *base = net_main_base();
    static const int signals[] = { SIGTERM, SIGINT };
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        struct event *event = evsignal_new(base, signals[i], on_signal, NULL);
        if (!event || event_add(event, NULL) < 0)
            return error_set(error, "cannot take over signal %d", signals[i]);
    }
    periodic_add(step, false);
    periodic_add(tick_pauses, false);
    char *bind = config_text(CONFIG_BIND);
    char *unix_path = config_text(CONFIG_UNIXSOCKET);
    bool ok = listener_open(base, bind, (int)config_number(CONFIG_PORT),
        (int)config_number(CONFIG_TCP_BACKLOG), unix_path,
        (unsigned)config_number(CONFIG_UNIXSOCKETPERM), error);
    free(bind);
    free(unix_path);
    return ok;
}

int process_shutdown(void)
{
    struct error error;
    listener_close();
    cluster_service_stop();
    replication_stop();
    net_finish();
    if (!persistence_close(&error)) {
        log_write(LOG_WARNING, "%s", error.text);
        exit_status = EXIT_FAILURE;
    }
    log_write(LOG_NOTICE, "Bye");
    process_leave();
    return exit_status;
}
