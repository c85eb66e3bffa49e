#include "server/command/background.h"

#include "common/memory.h"
#include "server/clock.h"
#include "server/thread.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

struct job {
    struct job *next;
    int64_t due; /* monotonic ms */
    void (*fn)(void *arg);
    void *arg;
};

/* The jobs that wait, in the order of `due`, and the threads. All guarded by `mutex`. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static bool ready; /* `changed` counts monotonic time */
static struct job *first;
static int threads, idle;

/* Waits until there may be something to do. mutex is held. */
static void wait_for_job(void)
{
    idle++;
    if (first) {
        struct timespec until = { first->due / 1000, first->due % 1000 * 1000000 };
        pthread_cond_timedwait(&changed, &mutex, &until);
    } else {
        pthread_cond_wait(&changed, &mutex);
    }
    idle--;
}

static void *run(void *arg)
{
    thread_enter("background", THREAD_BACKGROUND);
    pthread_mutex_lock(&mutex);
    for (;;) {
        while (!first || first->due > clock_monotonic_ms())
            wait_for_job();
        struct job *job = first;
        first = job->next;
        pthread_mutex_unlock(&mutex);
        job->fn(job->arg);
        free(job);
        pthread_mutex_lock(&mutex);
    }
    return NULL;
}

/* mutex is held. */
static void start_thread(void)
{
    if (!ready) {
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&changed, &attributes);
        pthread_condattr_destroy(&attributes);
        ready = true;
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL) == 0) {
        pthread_detach(thread);
        threads++;
    } else if (threads == 0) {
        memory_exhausted(0); /* nobody would ever run it */
    }
}

/* Whether there are more jobs than threads that wait for one. mutex is held. */
static bool is_short_of_threads(void)
{
    int jobs = 0;
    for (const struct job *job = first; job && jobs <= idle; job = job->next)
        jobs++;
    return jobs > idle && threads < BACKGROUND_THREADS_MAX;
}

void background_run(int after_ms, void (*fn)(void *arg), void *arg)
{
    struct job *job = memory_alloc(sizeof(*job));
    *job = (struct job){ .due = clock_monotonic_ms() + after_ms, .fn = fn, .arg = arg };
    pthread_mutex_lock(&mutex);
    struct job **at = &first;
    while (*at && (*at)->due <= job->due)
        at = &(*at)->next;
    job->next = *at;
    *at = job;
    if (is_short_of_threads())
        start_thread();
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
}
