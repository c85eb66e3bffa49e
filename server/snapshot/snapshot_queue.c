/* A list of chunks under a mutex. The snapshotter and the consumer each hold the queue; the last to
 * let go frees it. The callbacks run under the mutex, so that none runs once the consumer has
 * closed. */
#include "server/snapshot/snapshot_queue.h"

#include "common/memory.h"
#include "common/node_id.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { CHUNK_MAX = 64 * 1024, MARK_LEN = NODE_ID_LEN };

struct chunk {
    struct chunk *next;
    size_t len, taken;
    char data[];
};

struct snapshot_queue {
    struct snapshot_target target; /* constant but for `next` */
    struct snapshot_queue_options options;
    struct node_id mark; /* 40 random digits */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t room;
    struct chunk *first, **last;
    size_t bytes;
    uint64_t taken; /* bytes taken so far: whether the consumer moves */
    enum snapshot_queue_state state;
    struct error error; /* where SNAPSHOT_QUEUE_FAILED */
    bool closed;        /* the consumer is gone */
    int holders;
};

static struct timespec deadline_in(int ms)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += ms / 1000;
    time.tv_nsec += ms % 1000 * 1000000L;
    if (time.tv_nsec >= 1000000000L) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000L;
    }
    return time;
}

/* Gives the mutex back, and frees where nobody else holds the queue. */
static void let_go(struct snapshot_queue *queue)
{
    bool last = --queue->holders == 0;
    pthread_mutex_unlock(&queue->mutex);
    if (!last)
        return;
    while (queue->first) {
        struct chunk *next = queue->first->next;
        free(queue->first);
        queue->first = next;
    }
    pthread_cond_destroy(&queue->room);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

/* --- The snapshotter's side. --- */

static void notify(struct snapshot_queue *queue)
{
    if (!queue->closed && queue->options.notify)
        queue->options.notify(queue->options.context);
}

static void append(struct snapshot_queue *queue, struct bytes data)
{
    struct chunk *chunk = memory_alloc(sizeof(*chunk) + data.len);
    chunk->next = NULL;
    chunk->len = data.len;
    chunk->taken = 0;
    memcpy(chunk->data, data.data, data.len);
    bool was_empty = !queue->first;
    *queue->last = chunk;
    queue->last = &chunk->next;
    queue->bytes += data.len;
    if (was_empty)
        notify(queue);
}

/* Waits until there is room; under the mutex. */
static bool wait_for_room(struct snapshot_queue *queue, size_t len, struct error *error)
{
    struct timespec deadline = deadline_in(queue->options.stall_ms);
    uint64_t taken = queue->taken;
    while (!queue->closed && queue->bytes + len > queue->options.limit) {
        int failed = pthread_cond_timedwait(&queue->room, &queue->mutex, &deadline);
        if (queue->taken != taken) {
            taken = queue->taken;
            deadline = deadline_in(queue->options.stall_ms);
        } else if (failed == ETIMEDOUT) {
            return error_set(error, "the replica has taken nothing of the snapshot for %d ms",
                queue->options.stall_ms);
        }
    }
    if (queue->closed)
        return error_set(error, "the replica's connection is closed");
    return true;
}

static bool begin(void *context, struct error *error)
{
    struct snapshot_queue *queue = context;
    pthread_mutex_lock(&queue->mutex);
    bool ok = !queue->closed;
    if (!ok)
        error_set(error, "the replica's connection is closed");
    else if (queue->options.begin)
        ok = queue->options.begin(queue->options.context, error);
    if (ok) {
        char head[5 + MARK_LEN + 2];
        memcpy(head, "$EOF:", 5);
        memcpy(head + 5, queue->mark.text, MARK_LEN);
        memcpy(head + 5 + MARK_LEN, "\r\n", 2);
        append(queue, (struct bytes){ head, sizeof(head) });
    }
    pthread_mutex_unlock(&queue->mutex);
    return ok;
}

static bool write_data(void *context, struct bytes data, struct error *error)
{
    struct snapshot_queue *queue = context;
    bool ok = true;
    while (ok && data.len > 0) {
        size_t len = data.len < CHUNK_MAX ? data.len : CHUNK_MAX;
        pthread_mutex_lock(&queue->mutex);
        ok = wait_for_room(queue, len, error);
        if (ok)
            append(queue, (struct bytes){ data.data, len });
        pthread_mutex_unlock(&queue->mutex);
        data = (struct bytes){ data.data + len, data.len - len };
    }
    return ok;
}

static void finish(void *context, const struct error *error)
{
    struct snapshot_queue *queue = context;
    pthread_mutex_lock(&queue->mutex);
    if (error) {
        queue->state = SNAPSHOT_QUEUE_FAILED;
        queue->error = *error;
    } else {
        append(queue, (struct bytes){ queue->mark.text, MARK_LEN });
        queue->state = SNAPSHOT_QUEUE_COMPLETE;
    }
    notify(queue);
    let_go(queue);
}

/* --- The consumer's side. --- */

struct snapshot_queue *snapshot_queue_create(const struct snapshot_queue_options *options)
{
    struct snapshot_queue *queue = memory_alloc_zeroed(1, sizeof(*queue));
    pthread_condattr_t monotonic;
    queue->options = *options;
    if (queue->options.limit < CHUNK_MAX)
        queue->options.limit = CHUNK_MAX;
    queue->mark = node_id_random();
    queue->last = &queue->first;
    queue->holders = 1;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->room, &monotonic);
    pthread_condattr_destroy(&monotonic);
    queue->target = (struct snapshot_target){
        .begin = begin, .write = write_data, .finish = finish, .context = queue
    };
    return queue;
}

struct snapshot_target *snapshot_queue_target(struct snapshot_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->holders++;
    pthread_mutex_unlock(&queue->mutex);
    return &queue->target;
}

struct bytes snapshot_queue_peek(struct snapshot_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    const struct chunk *chunk = queue->first;
    struct bytes head = { NULL, 0 };
    if (chunk)
        head = (struct bytes){ chunk->data + chunk->taken, chunk->len - chunk->taken };
    pthread_mutex_unlock(&queue->mutex);
    return head;
}

void snapshot_queue_advance(struct snapshot_queue *queue, size_t len)
{
    pthread_mutex_lock(&queue->mutex);
    struct chunk *chunk = queue->first;
    chunk->taken += len;
    queue->taken += len;
    queue->bytes -= len;
    bool gone = chunk->taken == chunk->len;
    if (gone) {
        queue->first = chunk->next;
        if (!queue->first)
            queue->last = &queue->first;
    }
    pthread_cond_signal(&queue->room);
    pthread_mutex_unlock(&queue->mutex);
    if (gone)
        free(chunk);
}

enum snapshot_queue_state snapshot_queue_state(struct snapshot_queue *queue, struct error *error)
{
    pthread_mutex_lock(&queue->mutex);
    enum snapshot_queue_state state = queue->state;
    if (state == SNAPSHOT_QUEUE_FAILED && error)
        *error = queue->error;
    pthread_mutex_unlock(&queue->mutex);
    return state;
}

void snapshot_queue_close(struct snapshot_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    pthread_cond_signal(&queue->room);
    let_go(queue);
}
