/* One thread, started with the first request, makes one snapshot after the other. Who takes part is
 * an array of participants, the thread's own; requests that come meanwhile wait in a list for the
 * next one. The writer of the RDB has one sink, which gives every piece to each participant that is
 * still there. */
#include "server/snapshot/snapshot.h"

#include "common/memory.h"
#include "server/snapshot/walk.h"
#include "server/store/turn.h"
#include "server/thread.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* A target in the snapshot under way. */
struct participant {
    struct snapshot_target *target;
    bool refused; /* could not begin: is out as soon as turns go on */
    bool out;     /* failed, finish has been called */
    struct error error;
};

struct snapshotter {
    struct snapshotter_options options; /* constant but for compress */
    _Atomic bool compress;
    struct walk walk;

    pthread_mutex_t mutex; /* guards what follows, up to the next group */
    pthread_cond_t wanted;
    struct snapshot_target *waiting, **waiting_end; /* for the next snapshot, in order */
    struct snapshot_target *doomed;                 /* cancelled before they began */
    struct error reason;                            /* of the last cancel */
    bool busy;                                      /* a snapshot is being made */
    bool stopping;
    bool started; /* the thread */
    pthread_t thread;

    _Atomic bool running;   /* see snapshot_progress */
    _Atomic bool cancelled; /* the one under way */
    _Atomic int64_t started_at;

    struct participant *participants; /* the thread's */
    size_t count, live;
};

struct snapshotter *snapshotter_create(
    struct store *store, const struct snapshotter_options *options)
{
    struct snapshotter *snapshotter = memory_alloc_zeroed(1, sizeof(*snapshotter));
    snapshotter->options = *options;
    atomic_init(&snapshotter->compress, options->compress);
    walk_init(&snapshotter->walk, store);
    pthread_mutex_init(&snapshotter->mutex, NULL);
    pthread_cond_init(&snapshotter->wanted, NULL);
    snapshotter->waiting_end = &snapshotter->waiting;
    return snapshotter;
}

void snapshotter_set_compress(struct snapshotter *snapshotter, bool compress)
{
    atomic_store(&snapshotter->compress, compress);
}

/* --- Participants. --- */

static void drop(
    struct snapshotter *snapshotter, struct participant *participant, const struct error *error)
{
    participant->out = true;
    snapshotter->live--;
    struct snapshot_target *target = participant->target;
    target->finish(target->context, error);
}

static void drop_all(struct snapshotter *snapshotter, const struct error *error)
{
    for (size_t i = 0; i < snapshotter->count; i++) {
        if (!snapshotter->participants[i].out)
            drop(snapshotter, &snapshotter->participants[i], error);
    }
}

static struct error cancel_reason(struct snapshotter *snapshotter)
{
    pthread_mutex_lock(&snapshotter->mutex);
    struct error reason = snapshotter->reason;
    pthread_mutex_unlock(&snapshotter->mutex);
    return reason;
}

/* The writer's sink. */
static bool give_to_all(void *context, struct bytes data, struct error *error)
{
    struct snapshotter *snapshotter = context;
    if (atomic_load(&snapshotter->cancelled)) {
        struct error reason = cancel_reason(snapshotter);
        drop_all(snapshotter, &reason);
    }
    for (size_t i = 0; i < snapshotter->count; i++) {
        struct participant *participant = &snapshotter->participants[i];
        struct snapshot_target *target = participant->target;
        if (!participant->out && !target->write(target->context, data, &participant->error))
            drop(snapshotter, participant, &participant->error);
    }
    if (snapshotter->live > 0)
        return true;
    walk_forget(&snapshotter->walk);
    return error_set(error, "nobody takes the snapshot any more");
}

/* --- One snapshot. --- */

static void prepare_all(struct snapshotter *snapshotter)
{
    for (size_t i = 0; i < snapshotter->count; i++) {
        struct participant *participant = &snapshotter->participants[i];
        struct snapshot_target *target = participant->target;
        if (target->prepare && !target->prepare(target->context, &participant->error))
            drop(snapshotter, participant, &participant->error);
    }
}

/* The moment. Those who cannot begin are told when turns go on. */
static void begin_all(struct snapshotter *snapshotter, struct rdb_preamble *preamble)
{
    size_t begun = 0;
    turn_stop_all();
    if (snapshotter->options.moment)
        snapshotter->options.moment(snapshotter->options.context, preamble);
    for (size_t i = 0; i < snapshotter->count; i++) {
        struct participant *participant = &snapshotter->participants[i];
        struct snapshot_target *target = participant->target;
        if (participant->out)
            continue;
        participant->refused =
            target->begin && !target->begin(target->context, &participant->error);
        begun += !participant->refused;
    }
    if (begun > 0) {
        walk_begin(&snapshotter->walk);
        atomic_store(&snapshotter->started_at, preamble->created);
        atomic_store(&snapshotter->running, true);
    }
    turn_resume_all();
    for (size_t i = 0; i < snapshotter->count; i++) {
        struct participant *participant = &snapshotter->participants[i];
        if (participant->refused)
            drop(snapshotter, participant, &participant->error);
    }
}

static bool all_are_aof_bases(const struct snapshotter *snapshotter)
{
    bool all = true;
    for (size_t i = 0; i < snapshotter->count; i++)
        all = all &&
              (snapshotter->participants[i].out || snapshotter->participants[i].target->aof_base);
    return all;
}

static void write_all(struct snapshotter *snapshotter, struct rdb_preamble *preamble)
{
    struct rdb_writer writer;
    struct rdb_writer_options options = { .sink = { give_to_all, snapshotter },
        .compress = atomic_load(&snapshotter->compress),
        .checksum = snapshotter->options.checksum };
    preamble->aof_base = all_are_aof_bases(snapshotter);
    rdb_writer_init(&writer, &options);
    rdb_write_preamble(&writer, preamble);
    walk_run(&snapshotter->walk, &writer);
    rdb_write_end(&writer, NULL);
    atomic_store(&snapshotter->running, false);
    rdb_writer_free(&writer);
}

static void make_snapshot(struct snapshotter *snapshotter)
{
    struct rdb_preamble preamble = { .created = time(NULL), .repl_database = -1 };
    prepare_all(snapshotter);
    if (snapshotter->live > 0)
        begin_all(snapshotter, &preamble);
    if (snapshotter->live > 0)
        write_all(snapshotter, &preamble);
    for (size_t i = 0; i < snapshotter->count; i++) {
        struct participant *participant = &snapshotter->participants[i];
        if (!participant->out)
            participant->target->finish(participant->target->context, NULL);
    }
}

/* --- The thread. --- */

static void fail_list(struct snapshot_target *target, const struct error *error)
{
    while (target) {
        struct snapshot_target *next = target->next;
        target->finish(target->context, error);
        target = next;
    }
}

static void gather_participants(struct snapshotter *snapshotter, struct snapshot_target *first)
{
    size_t count = 0;
    for (struct snapshot_target *target = first; target; target = target->next)
        count++;
    snapshotter->participants = memory_alloc_zeroed(count, sizeof(struct participant));
    snapshotter->count = snapshotter->live = count;
    for (size_t i = 0; i < count; i++, first = first->next)
        snapshotter->participants[i].target = first;
}

static bool is_rewrite(const struct snapshotter *snapshotter)
{
    bool rewrite = true;
    for (size_t i = 0; i < snapshotter->count; i++)
        rewrite = rewrite && snapshotter->participants[i].target->aof_base;
    return rewrite;
}

/* What there is to do next; false: end. */
static bool next_work(struct snapshotter *snapshotter, struct snapshot_target **targets,
    struct snapshot_target **doomed, struct error *reason)
{
    pthread_mutex_lock(&snapshotter->mutex);
    snapshotter->busy = false;
    while (!snapshotter->waiting && !snapshotter->doomed && !snapshotter->stopping)
        pthread_cond_wait(&snapshotter->wanted, &snapshotter->mutex);
    bool stopping = snapshotter->stopping;
    *reason = snapshotter->reason;
    *doomed = snapshotter->doomed;
    snapshotter->doomed = NULL;
    *targets = snapshotter->waiting;
    snapshotter->waiting = NULL;
    snapshotter->waiting_end = &snapshotter->waiting;
    snapshotter->busy = *targets != NULL;
    atomic_store(&snapshotter->cancelled, false);
    pthread_mutex_unlock(&snapshotter->mutex);
    return !stopping;
}

static void *run(void *arg)
{
    struct snapshotter *snapshotter = arg;
    struct snapshot_target *targets, *doomed;
    struct error reason;
    while (next_work(snapshotter, &targets, &doomed, &reason)) {
        fail_list(doomed, &reason);
        if (!targets)
            continue;
        gather_participants(snapshotter, targets);
        thread_enter("snapshot", is_rewrite(snapshotter) ? THREAD_AOF_REWRITE : THREAD_SNAPSHOT);
        make_snapshot(snapshotter);
        free(snapshotter->participants);
    }
    fail_list(doomed, &reason);
    fail_list(targets, &reason);
    return NULL;
}

/* Under the mutex. */
static void start_thread(struct snapshotter *snapshotter)
{
    if (snapshotter->started)
        return;
    snapshotter->started = pthread_create(&snapshotter->thread, NULL, run, snapshotter) == 0;
}

void snapshotter_request(struct snapshotter *snapshotter, struct snapshot_target *target)
{
    target->next = NULL;
    pthread_mutex_lock(&snapshotter->mutex);
    start_thread(snapshotter);
    bool started = snapshotter->started;
    if (started) {
        *snapshotter->waiting_end = target;
        snapshotter->waiting_end = &target->next;
        pthread_cond_signal(&snapshotter->wanted);
    }
    pthread_mutex_unlock(&snapshotter->mutex);
    if (!started) {
        struct error error;
        error_set(&error, "no thread can be started for a snapshot");
        target->finish(target->context, &error);
    }
}

/* Under the mutex. */
static void cancel(struct snapshotter *snapshotter, const char *reason)
{
    error_set(&snapshotter->reason, "%s", reason);
    *snapshotter->waiting_end = snapshotter->doomed;
    snapshotter->doomed = snapshotter->waiting;
    snapshotter->waiting = NULL;
    snapshotter->waiting_end = &snapshotter->waiting;
    if (snapshotter->busy)
        atomic_store(&snapshotter->cancelled, true);
    pthread_cond_signal(&snapshotter->wanted);
}

void snapshotter_cancel(struct snapshotter *snapshotter, const char *reason)
{
    pthread_mutex_lock(&snapshotter->mutex);
    cancel(snapshotter, reason);
    pthread_mutex_unlock(&snapshotter->mutex);
}

void snapshotter_destroy(struct snapshotter *snapshotter)
{
    pthread_mutex_lock(&snapshotter->mutex);
    cancel(snapshotter, "the server is shutting down");
    snapshotter->stopping = true;
    bool started = snapshotter->started;
    walk_stop(&snapshotter->walk);
    pthread_mutex_unlock(&snapshotter->mutex);
    if (started)
        pthread_join(snapshotter->thread, NULL);
    walk_free(&snapshotter->walk);
    pthread_cond_destroy(&snapshotter->wanted);
    pthread_mutex_destroy(&snapshotter->mutex);
    free(snapshotter);
}

struct snapshot_progress snapshotter_progress(struct snapshotter *snapshotter)
{
    struct walk *walk = &snapshotter->walk;
    pthread_mutex_lock(&snapshotter->mutex);
    bool waiting = snapshotter->waiting != NULL;
    pthread_mutex_unlock(&snapshotter->mutex);
    return (struct snapshot_progress){
        .running = atomic_load(&snapshotter->running),
        .waiting = waiting,
        .started = atomic_load(&snapshotter->started_at),
        .keys_total = atomic_load(&walk->keys_total),
        .keys_done = atomic_load(&walk->keys_done),
        .preserved = atomic_load(&walk->preserved_bytes),
        .preserved_peak = atomic_load(&walk->preserved_peak),
    };
}
