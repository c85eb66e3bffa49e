#include "server/script/busy.h"

#include "server/clock.h"
#include "server/config.h"
#include "server/log.h"
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the list */
static struct script_run *runs;
atomic_uint busy_count;

static const char busy_eval[] = "BUSY Redis is busy running a script. You can only call SCRIPT "
                                "KILL or SHUTDOWN NOSAVE.";
static const char busy_function[] = "BUSY Redis is busy running a script. You can only call "
                                    "FUNCTION KILL or SHUTDOWN NOSAVE.";

void busy_enter(struct script_run *run)
{
    pthread_mutex_lock(&mutex);
    run->next = runs;
    run->previous = &runs;
    if (runs)
        runs->previous = &run->next;
    runs = run;
    atomic_fetch_add(&busy_count, 1);
    pthread_mutex_unlock(&mutex);
}

void busy_leave(struct script_run *run)
{
    pthread_mutex_lock(&mutex);
    *run->previous = run->next;
    if (run->next)
        run->next->previous = run->previous;
    atomic_fetch_sub(&busy_count, 1);
    pthread_mutex_unlock(&mutex);
}

static bool is_over(const struct script_run *run, int64_t now_us)
{
    return now_us - run->start_us >= config_number(CONFIG_BUSY_REPLY_THRESHOLD) * 1000;
}

const char *busy_error(void)
{
    const char *error = NULL;
    int64_t now = clock_monotonic_us();
    if (!busy_any())
        return NULL;
    pthread_mutex_lock(&mutex);
    for (struct script_run *run = runs; run && !error; run = run->next) {
        if (is_over(run, now))
            error = run->is_function ? busy_function : busy_eval;
    }
    pthread_mutex_unlock(&mutex);
    return error;
}

static const char *kill_one(struct script_run *run, bool functions)
{
    if (run->from_primary)
        return "UNKILLABLE The busy script was sent by a master instance in the context of "
               "replication and cannot be killed.";
    if (script_course(run) == SCRIPT_WRITES)
        return "UNKILLABLE Sorry the script already executed write commands against the dataset. "
               "You can either wait the script termination or kill the server in a hard way using "
               "the SHUTDOWN NOSAVE command.";
    if (run->is_function != functions)
        return run->is_function ? busy_function : busy_eval;
    unsigned goes_on = SCRIPT_GOES_ON;
    if (!atomic_compare_exchange_strong(&run->course, &goes_on, SCRIPT_KILLED) &&
        goes_on == SCRIPT_WRITES)
        return kill_one(run, functions); /* it has begun to, just now */
    log_write(LOG_NOTICE, "Lua script killed by user with SCRIPT KILL.");
    return NULL;
}

/* Whoever can be killed is; why others cannot is told only where nobody was. */
const char *busy_kill(bool functions)
{
    const char *error = NULL;
    bool killed = false, any = false;
    pthread_mutex_lock(&mutex);
    for (struct script_run *run = runs; run; run = run->next) {
        const char *why = kill_one(run, functions);
        any = true;
        killed = killed || !why;
        if (why)
            error = why;
    }
    pthread_mutex_unlock(&mutex);
    if (!any)
        return "NOTBUSY No scripts in execution right now.";
    return killed ? NULL : error;
}

bool busy_tell(bool functions,
    void (*tell)(void *arg, const char *name, const struct bytes *argv, int argc, int64_t ms),
    void *arg)
{
    int64_t now = clock_monotonic_us();
    pthread_mutex_lock(&mutex);
    struct script_run *run = runs;
    while (run && functions && !run->is_function)
        run = run->next;
    if (run)
        tell(arg, run->name, run->argv, run->argc, (now - run->start_us) / 1000);
    pthread_mutex_unlock(&mutex);
    return run != NULL;
}

bool busy_unkillable(void)
{
    pthread_mutex_lock(&mutex);
    struct script_run *run = runs;
    while (run && script_course(run) != SCRIPT_WRITES)
        run = run->next;
    pthread_mutex_unlock(&mutex);
    return run != NULL;
}
