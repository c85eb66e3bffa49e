/* A thread that does one fsync at a time for another, so that the other can go on writing. All
 * functions are called by that one thread, the owner. */
#ifndef SERVER_JOURNAL_AOF_SYNC_H
#define SERVER_JOURNAL_AOF_SYNC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum aof_sync_phase { AOF_SYNC_IDLE, AOF_SYNC_WORKING, AOF_SYNC_DONE, AOF_SYNC_QUIT };

struct aof_sync {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum aof_sync_phase phase;   /* mutex */
    int fd;                      /* mutex; of the owner, open while an fsync is under way */
    int64_t offset;              /* mutex; what the owner takes to be on disk when it is done */
    int error;                   /* mutex; errno of the fsync, or 0 */
    void (*done)(void *context); /* in the thread, when an fsync has ended; cheap */
    void *context;
};

/* False where no thread could be made (errno). */
bool aof_sync_open(struct aof_sync *sync, void (*done)(void *context), void *context);
void aof_sync_close(struct aof_sync *sync); /* waits for an fsync under way */
/* Starts one; the phase must be idle (aof_sync_take has returned the last one's result). */
void aof_sync_start(struct aof_sync *sync, int fd, int64_t offset);
bool aof_sync_is_idle(struct aof_sync *sync);
/* True: an fsync has ended, here are its offset and errno; the phase is idle again. wait: if one
 * is under way, first waits until it ends. */
bool aof_sync_take(struct aof_sync *sync, bool wait, int64_t *offset, int *error);

#endif
