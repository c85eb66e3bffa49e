/* A mailbox for one request: idle, working, done, and idle again when the owner has taken the
 * result. */
#include "server/journal/aof_sync.h"
#include "server/thread.h"
#include <errno.h>
#include <signal.h>
#include <unistd.h>

static void *run(void *argument)
{
    struct aof_sync *sync = argument;
    thread_enter("aof-fsync", THREAD_BACKGROUND);
    pthread_mutex_lock(&sync->mutex);
    for (;;) {
        while (sync->phase != AOF_SYNC_WORKING && sync->phase != AOF_SYNC_QUIT) {
            pthread_cond_wait(&sync->changed, &sync->mutex);
        }
        if (sync->phase == AOF_SYNC_QUIT) {
            break;
        }
        int fd = sync->fd;
        pthread_mutex_unlock(&sync->mutex);
        int error = fdatasync(fd) == 0 ? 0 : errno;
        pthread_mutex_lock(&sync->mutex);
        sync->error = error;
        sync->phase = AOF_SYNC_DONE;
        pthread_cond_broadcast(&sync->changed);
        pthread_mutex_unlock(&sync->mutex);
        sync->done(sync->context);
        pthread_mutex_lock(&sync->mutex);
    }
    pthread_mutex_unlock(&sync->mutex);
    return NULL;
}

bool aof_sync_open(struct aof_sync *sync, void (*done)(void *context), void *context)
{
    sigset_t all, before;
    *sync = (struct aof_sync){ .phase = AOF_SYNC_IDLE, .fd = -1, .done = done, .context = context };
    pthread_mutex_init(&sync->mutex, NULL);
    pthread_cond_init(&sync->changed, NULL);
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&sync->thread, NULL, run, sync);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        pthread_mutex_destroy(&sync->mutex);
        pthread_cond_destroy(&sync->changed);
        errno = failed;
    }
    return failed == 0;
}

void aof_sync_close(struct aof_sync *sync)
{
    int64_t offset;
    int error;
    (void)aof_sync_take(sync, true, &offset, &error); /* whoever needs the result took it before */
    pthread_mutex_lock(&sync->mutex);
    sync->phase = AOF_SYNC_QUIT;
    pthread_cond_broadcast(&sync->changed);
    pthread_mutex_unlock(&sync->mutex);
    pthread_join(sync->thread, NULL);
    pthread_mutex_destroy(&sync->mutex);
    pthread_cond_destroy(&sync->changed);
}

void aof_sync_start(struct aof_sync *sync, int fd, int64_t offset)
{
    pthread_mutex_lock(&sync->mutex);
    sync->fd = fd;
    sync->offset = offset;
    sync->phase = AOF_SYNC_WORKING;
    pthread_cond_broadcast(&sync->changed);
    pthread_mutex_unlock(&sync->mutex);
}

bool aof_sync_is_idle(struct aof_sync *sync)
{
    pthread_mutex_lock(&sync->mutex);
    bool idle = sync->phase == AOF_SYNC_IDLE;
    pthread_mutex_unlock(&sync->mutex);
    return idle;
}

bool aof_sync_take(struct aof_sync *sync, bool wait, int64_t *offset, int *error)
{
    pthread_mutex_lock(&sync->mutex);
    while (wait && sync->phase == AOF_SYNC_WORKING) {
        pthread_cond_wait(&sync->changed, &sync->mutex);
    }
    bool done = sync->phase == AOF_SYNC_DONE;
    if (done) {
        *offset = sync->offset;
        *error = sync->error;
        sync->phase = AOF_SYNC_IDLE;
    }
    pthread_mutex_unlock(&sync->mutex);
    return done;
}
