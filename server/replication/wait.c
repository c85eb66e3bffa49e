/* WAIT and WAITAOF. Each worker has a room for those of its clients that wait, and listens at the gate for them. It
 * looks into the room when the gate says that a replica has come far enough, when a time limit is
 * over, and ten times a second for clients that are gone. A room and all in it is its worker's. */
#include "server/replication/wait.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/clock.h"
#include "server/command/block.h"
#include "server/command/condition.h"
#include "server/info.h"
#include "server/journal/gate.h"
#include "server/net/worker.h"
#include "server/periodic.h"
#include "server/persistence.h"
#include "server/replication/feed.h"
#include "server/replication/replication.h"
#include <pthread.h>
#include <stdlib.h>

struct waiter {
    struct waiter *next;
    struct waiter *next_of_all, **previous_of_all; /* of all rooms: under all_lock */
    _Atomic int unblocked;                         /* enum unblocked: written under all_lock */
    struct room *room;
    struct ticket *ticket;
    uint64_t session_id;
    int64_t offset;
    int64_t deadline; /* monotonic ms; 0: none */
    size_t need;
    bool aof, need_local; /* WAITAOF: replicas' disks, and our own too */
};

enum unblocked { NOT_UNBLOCKED, AS_IF_LATE, WITH_ERROR };

/* Whom a room listens to: what replicas have, what is on their disks, what is on ours. */
enum { REPLICAS, REPLICA_DISKS, OWN_DISK, GATES };

struct room {
    struct executor *executor;
    struct waiter *first;
    struct gate_listener *listeners[GATES];
    struct event *timer;
};

/* By the executor's index; each entry is set and used in its executor's thread. */
static struct room *rooms[EXECUTORS_MAX];

/* For CLIENT UNBLOCK. */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct waiter *all; /* all_lock */

/* ---- Answers ---- */

static void answer_count(struct session *session, void *arg)
{
    if (session)
        reply_integer(&session->reply, (int64_t)(intptr_t)arg);
}

static void reply_disks(struct reply *reply, bool local, size_t replicas)
{
    reply_array(reply, 2);
    reply_integer(reply, local);
    reply_integer(reply, (int64_t)replicas);
}

/* arg: twice the number of replicas, and one more for our own disk. */
static void answer_disks(struct session *session, void *arg)
{
    uintptr_t counts = (uintptr_t)arg;
    if (session)
        reply_disks(&session->reply, counts & 1, counts / 2);
}

static const char no_aof[] =
    "WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

static void answer_no_aof(struct session *session, void *arg)
{
    if (session)
        reply_error(&session->reply, "%s", no_aof);
}

static void answer_change(struct session *session, void *arg)
{
    if (!session)
        return;
    reply_error(&session->reply, "UNBLOCKED force unblock from blocking operation, instance state "
                                 "changed (master -> replica?)");
    session->flags |= SESSION_CLOSE_AFTER_REPLY;
}

static void answer_unblocked(struct session *session, void *arg)
{
    if (session)
        reply_error(&session->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
}

/* From now on nobody unblocks it; says whether somebody has. */
static enum unblocked take_out(struct waiter *waiter)
{
    pthread_mutex_lock(&all_lock);
    *waiter->previous_of_all = waiter->next_of_all;
    if (waiter->next_of_all)
        waiter->next_of_all->previous_of_all = waiter->previous_of_all;
    enum unblocked how = (enum unblocked)atomic_load(&waiter->unblocked);
    pthread_mutex_unlock(&all_lock);
    return how;
}

static void put_in(struct waiter *waiter)
{
    pthread_mutex_lock(&all_lock);
    waiter->next_of_all = all;
    waiter->previous_of_all = &all;
    if (all)
        all->previous_of_all = &waiter->next_of_all;
    all = waiter;
    pthread_mutex_unlock(&all_lock);
}

/* Our own disk's gate stands open where there is no file to wait for; that is no fsync. While the
 * first rewrite is under way the regular look finds its end. */
static bool has_fsynced(int64_t offset)
{
    return aof_synced_offset(persistence_aof()) >= offset;
}

static bool has_come(struct room *room, const struct waiter *waiter)
{
    if (!waiter->aof)
        return gate_wait(room->listeners[REPLICAS], waiter->offset, waiter->need);
    bool local = !waiter->need_local ||
                 (gate_wait(room->listeners[OWN_DISK], waiter->offset, 1) &&
                     has_fsynced(waiter->offset));
    return gate_wait(room->listeners[REPLICA_DISKS], waiter->offset, waiter->need) && local;
}

static void answer(const struct waiter *waiter)
{
    if (!waiter->aof) {
        size_t count = gate_count(feed_gate(), waiter->offset);
        ticket_finish(waiter->ticket, answer_count, (void *)(uintptr_t)count);
        return;
    }
    size_t count = 2 * gate_count(feed_fsync_gate(), waiter->offset) + has_fsynced(waiter->offset);
    ticket_finish(waiter->ticket, answer_disks, (void *)(uintptr_t)count);
}

/* Whether it needs to wait no longer; it has been answered then. */
static bool is_over(struct room *room, struct waiter *waiter, int64_t now)
{
    bool changed = condition_all() & CONDITION_REPLICA;
    bool gone = !room->executor->find_session(room->executor, waiter->session_id);
    bool late = waiter->deadline && now >= waiter->deadline;
    bool off = waiter->need_local && !aof_is_on(persistence_aof());
    if (!changed && !gone && !late && !off && !atomic_load(&waiter->unblocked) &&
        !has_come(room, waiter))
        return false;
    if (take_out(waiter) == WITH_ERROR)
        ticket_finish(waiter->ticket, answer_unblocked, NULL);
    else if (changed)
        ticket_finish(waiter->ticket, answer_change, NULL);
    else if (off)
        ticket_finish(waiter->ticket, answer_no_aof, NULL);
    else
        answer(waiter);
    return true;
}

/* Clients with a time limit, in all rooms. */
static atomic_size_t limited;

static void look(struct room *room)
{
    int64_t now = clock_monotonic_ms(), next = 0;
    for (struct waiter **at = &room->first; *at;) {
        struct waiter *waiter = *at;
        if (is_over(room, waiter, now)) {
            *at = waiter->next;
            atomic_fetch_sub(&limited, waiter->deadline != 0);
            free(waiter);
            continue;
        }
        if (waiter->deadline && (!next || waiter->deadline < next))
            next = waiter->deadline;
        at = &waiter->next;
    }
    if (next) {
        int64_t left = next - now;
        event_add(room->timer,
            &(struct timeval){ (time_t)(left / 1000), (suseconds_t)(left % 1000 * 1000) });
    }
}

static void on_letter(void *arg)
{
    look(arg);
}

/* In the thread of a replica's worker. */
static void on_gate(void *context)
{
    struct room *room = context;
    room->executor->post(room->executor, on_letter, room);
}

/* Any thread. The room is looked through soon; the waiter stays until then, and answers so. */
static bool unblock(uint64_t session_id, bool with_error)
{
    pthread_mutex_lock(&all_lock);
    struct waiter *waiter = all;
    while (waiter && (waiter->session_id != session_id || atomic_load(&waiter->unblocked)))
        waiter = waiter->next_of_all;
    if (waiter) {
        struct executor *executor = waiter->room->executor;
        atomic_store(&waiter->unblocked, with_error ? WITH_ERROR : AS_IF_LATE);
        executor->post(executor, on_letter, waiter->room);
    }
    pthread_mutex_unlock(&all_lock);
    return waiter != NULL;
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
    look(arg);
}

static void look_regularly(struct executor *executor, unsigned worker, unsigned workers)
{
    struct room *room = rooms[executor->index];
    if (room && room->first)
        look(room);
}

/* ---- The command ---- */

static struct room *room_of(struct executor *executor)
{
    struct room *room = rooms[executor->index];
    if (room)
        return room;
    struct worker *worker = executor->worker;
    room = memory_alloc_zeroed(1, sizeof(*room));
    room->executor = executor;
    room->listeners[REPLICAS] = gate_listener_add(feed_gate(), on_gate, room);
    room->listeners[REPLICA_DISKS] = gate_listener_add(feed_fsync_gate(), on_gate, room);
    room->listeners[OWN_DISK] = gate_listener_add(aof_gate(persistence_aof()), on_gate, room);
    room->timer = event_new(worker->base, -1, 0, on_time, room);
    rooms[executor->index] = room;
    return room;
}

static void enter(struct call *call, const struct waiter *wish, int64_t timeout_ms)
{
    struct room *room = room_of(call->executor);
    struct waiter *waiter = memory_alloc(sizeof(*waiter));
    *waiter = *wish;
    waiter->ticket = call_park(call);
    waiter->session_id = call->session->id;
    waiter->deadline = timeout_ms > 0 ? clock_monotonic_ms() + timeout_ms : 0;
    atomic_fetch_add(&limited, waiter->deadline != 0);
    waiter->next = room->first;
    room->first = waiter;
    waiter->room = room;
    put_in(waiter);
    feed_request_acks(false);
    look(room);
}

static bool parse_timeout(struct call *call, int index, int64_t *timeout_ms)
{
    if (!number_parse(call->argv[index], timeout_ms)) {
        reply_error(call->reply, "timeout is not an integer or out of range");
        return false;
    }
    if (*timeout_ms >= 0 && *timeout_ms <= INT64_MAX / 4)
        return true;
    reply_error(call->reply, *timeout_ms < 0 ? "timeout is negative" : "timeout is out of range");
    return false;
}

void replication_wait(struct call *call)
{
    int64_t need, timeout_ms;
    if (condition_all() & CONDITION_REPLICA) {
        reply_error(call->reply, "ERR WAIT cannot be used with replica instances. Please also note "
                                 "that since Redis 4.0 if a "
                                 "replica is configured to be writable (which is not the default) "
                                 "writes to replicas are "
                                 "just local and are not propagated.");
        return;
    }
    if (!call_integer(call, 1, &need) || !parse_timeout(call, 2, &timeout_ms))
        return;
    struct waiter wish = { .offset = (int64_t)call->session->write_offset, .need = (size_t)need };
    size_t reached = gate_count(feed_gate(), wish.offset);
    if ((int64_t)reached >= need || !call_can_park(call))
        reply_integer(call->reply, (int64_t)reached);
    else
        enter(call, &wish, timeout_ms);
}

/* WAITAOF numlocal numreplicas timeout */
void replication_waitaof(struct call *call)
{
    int64_t local, need, timeout_ms;
    if (!call_integer(call, 1, &local))
        return;
    if (local < 0 || local > 1) {
        reply_error(call->reply, "value is out of range, must be between 0 and 1");
        return;
    }
    if (!call_integer(call, 2, &need))
        return;
    if (need < 0) {
        reply_error(call->reply, "value is out of range, must be positive");
        return;
    }
    if (!parse_timeout(call, 3, &timeout_ms))
        return;
    if (condition_all() & CONDITION_REPLICA) {
        reply_error(call->reply, "WAITAOF cannot be used with replica instances. Please also note "
                                 "that writes to replicas are just local and are not propagated.");
        return;
    }
    if (local && !aof_is_on(persistence_aof())) {
        reply_error(call->reply, "%s", no_aof);
        return;
    }
    struct waiter wish = { .offset = (int64_t)call->session->write_offset,
        .need = (size_t)need,
        .aof = true,
        .need_local = local };
    bool here = has_fsynced(wish.offset);
    size_t reached = gate_count(feed_fsync_gate(), wish.offset);
    if ((reached >= wish.need && (here || !local)) || !call_can_park(call))
        reply_disks(call->reply, here, reached);
    else
        enter(call, &wish, timeout_ms);
}

static void tell(struct buffer *out)
{
    buffer_printf(
        out, "clients_in_timeout_table:%zu\r\n", atomic_load(&limited) + block_limited());
}

void wait_open(void)
{
    info_register("clients", tell);
    periodic_add(look_regularly, true);
    block_also(unblock);
}
