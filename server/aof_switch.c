#include "server/aof_switch.h"

#include "server/command/background.h"
#include "server/config.h"
#include "server/log.h"

#include "common/memory.h"
#include <pthread.h>
#include <stdlib.h>

static struct aof *aof; /* set once, by aof_switch_open */

/* Held by whoever turns it on or off, for as long as that takes. */
static pthread_mutex_t switch_mutex = PTHREAD_MUTEX_INITIALIZER;

/* The jobs under way and who waits for their end, guarded by `jobs_mutex`. */
struct waiter {
    struct waiter *next;
    void (*done)(void *arg);
    void *arg;
};
static pthread_mutex_t jobs_mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned jobs;
static struct waiter *waiters;

void aof_switch_open(struct aof *the_aof)
{
    aof = the_aof;
}

bool aof_switch_on(struct error *error)
{
    if (pthread_mutex_trylock(&switch_mutex) != 0)
        return error_set(error, "the append-only file is being turned on or off: try again");
    bool ok = aof_is_on(aof) || aof_start_with_rewrite(aof, error);
    pthread_mutex_unlock(&switch_mutex);
    return ok;
}

/* switch_mutex is held. */
static bool stop(struct error *error)
{
    return !aof_is_on(aof) || aof_stop(aof, AOF_STOP_MS, error);
}

bool aof_switch_off(struct error *error)
{
    pthread_mutex_lock(&switch_mutex);
    bool ok = stop(error);
    pthread_mutex_unlock(&switch_mutex);
    return ok;
}

bool aof_switch_restart(struct error *error)
{
    bool ok = true;
    pthread_mutex_lock(&switch_mutex);
    if (config_is(CONFIG_APPENDONLY)) {
        stop(NULL);
        ok = aof_start_with_rewrite(aof, error);
    }
    pthread_mutex_unlock(&switch_mutex);
    return ok;
}

/* ---- In the background ---- */

static void end_job(void)
{
    struct waiter *waiter = NULL;
    pthread_mutex_lock(&jobs_mutex);
    if (--jobs == 0) {
        waiter = waiters;
        waiters = NULL;
    }
    pthread_mutex_unlock(&jobs_mutex);
    while (waiter) {
        struct waiter *next = waiter->next;
        waiter->done(waiter->arg);
        free(waiter);
        waiter = next;
    }
}

/* What is configured may have changed while the job waited, and again while it stopped the AOF. */
static void switch_off(void *arg)
{
    struct error error;
    pthread_mutex_lock(&switch_mutex);
    if (!config_is(CONFIG_APPENDONLY) && !stop(&error))
        log_write(LOG_WARNING, "The append-only file is off: %s", error.text);
    if (config_is(CONFIG_APPENDONLY) && !aof_is_on(aof) && !aof_start_with_rewrite(aof, &error))
        log_write(LOG_WARNING, "The append-only file cannot be started again: %s", error.text);
    pthread_mutex_unlock(&switch_mutex);
    end_job();
}

void aof_switch_off_soon(void)
{
    pthread_mutex_lock(&jobs_mutex);
    jobs++;
    pthread_mutex_unlock(&jobs_mutex);
    background_run(0, switch_off, NULL);
}

bool aof_switch_is_busy(void)
{
    pthread_mutex_lock(&jobs_mutex);
    bool busy = jobs > 0;
    pthread_mutex_unlock(&jobs_mutex);
    return busy;
}

bool aof_switch_wait(void (*done)(void *arg), void *arg)
{
    pthread_mutex_lock(&jobs_mutex);
    bool waits = jobs > 0;
    if (waits) {
        struct waiter *waiter = memory_alloc(sizeof(*waiter));
        *waiter = (struct waiter){ waiters, done, arg };
        waiters = waiter;
    }
    pthread_mutex_unlock(&jobs_mutex);
    return waits;
}
