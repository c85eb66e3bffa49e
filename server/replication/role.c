/* Primary or replica, and whose. A change happens while all turns are stopped: no command sees half
 * of it, and no byte of the old primary's stream is applied after it. Only a full sync that is just
 * being read into the store puts a change off, since the store must not change hands half full. */
#include "server/replication/link.h"

#include "server/aof_switch.h"
#include "server/command/background.h"
#include "server/command/condition.h"
#include "server/config.h"
#include "server/journal/gate.h"
#include "server/log.h"
#include "server/oom_score.h"
#include "server/persistence.h"
#include "server/replication/feed.h"
#include "server/store/turn.h"
#include <pthread.h>
#include <stdio.h>

static struct journal *journal; /* set by role_open */

/* One change at a time. Held while turns are stopped, so never taken within a turn. */
static pthread_mutex_t change = PTHREAD_MUTEX_INITIALIZER;
static struct link_target wanted; /* change */
static bool loading, put_off;     /* change */

/* Guards the target, and CONDITION_STALE with it; held for a few instructions. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct link_target target;   /* written under both, read under either */
static _Atomic uint64_t generation; /* the target's; written under mutex */

void role_open(struct journal *the_journal)
{
    journal = the_journal;
}

uint64_t role_generation(void)
{
    return atomic_load_explicit(&generation, memory_order_acquire);
}

struct link_target role_target(void)
{
    pthread_mutex_lock(&mutex);
    struct link_target copy = target;
    pthread_mutex_unlock(&mutex);
    return copy;
}

static void set_target(const struct link_target *next)
{
    target = *next;
    target.generation = role_generation() + 1;
    atomic_store_explicit(&generation, target.generation, memory_order_release);
}

/* A full sync that failed has left the append-only file off. */
static void start_aof(void *arg)
{
    struct error error;
    if (!aof_is_on(persistence_aof()) && !aof_switch_restart(&error))
        log_write(LOG_WARNING, "%s", error.text);
}

static void tell_change(const struct link_target *now, bool was_replica)
{
    if (now->host[0]) {
        log_set_role('S');
        oom_score_set_role(true);
        log_write(LOG_NOTICE, "Following the primary at %s:%d", now->host, now->port);
        gate_wake_all(feed_gate()); /* nobody waits for acknowledgements on a replica */
        return;
    }
    log_set_role('M');
    oom_score_set_role(false);
    if (!was_replica)
        return;
    struct journal_history history = journal_history(journal);
    log_write(LOG_NOTICE,
        "This node is a primary now, with replication ID %s; the one before is %s, "
        "good up to offset %lld",
        history.id, history.second_id, (long long)history.second_offset);
    feed_lead();
    if (config_is(CONFIG_APPENDONLY) && !aof_is_on(persistence_aof()))
        background_run(0, start_aof, NULL);
}

/* Makes what is wanted so. `change` is held. */
static void settle(void)
{
    turn_stop_all();
    pthread_mutex_lock(&mutex);
    bool was_replica = target.host[0], will = wanted.host[0];
    set_target(&wanted);
    if (was_replica && !will)
        journal_history_shift(journal);
    condition_set(CONDITION_REPLICA, will);
    condition_set(CONDITION_STALE, will);
    struct link_target now = target;
    pthread_mutex_unlock(&mutex);
    turn_resume_all();
    put_off = false;
    link_retarget(now.generation, will);
    tell_change(&now, was_replica);
}

static bool is_wanted_already(const struct link_target *next)
{
    return strcmp(next->host, wanted.host) == 0 && next->port == wanted.port &&
           next->failover == wanted.failover && (!next->host[0] || !link_has_failed());
}

static void want(const struct link_target *next)
{
    pthread_mutex_lock(&change);
    if (!is_wanted_already(next)) {
        wanted = *next;
        put_off = loading;
        if (!loading)
            settle();
    }
    pthread_mutex_unlock(&change);
}

void role_start(bool replica)
{
    pthread_mutex_lock(&change);
    feed_start(replica || target.host[0]);
    pthread_mutex_unlock(&change);
}

void role_follow(const char *host, int port, bool failover)
{
    struct link_target next = { .port = port, .failover = failover };
    snprintf(next.host, sizeof(next.host), "%s", host);
    want(&next);
}

void role_lead(void)
{
    want(&(struct link_target){ .port = 0 });
}

void role_close(void)
{
    pthread_mutex_lock(&change);
    pthread_mutex_lock(&mutex);
    struct link_target same = target;
    set_target(&same);
    pthread_mutex_unlock(&mutex);
    pthread_mutex_unlock(&change);
}

/* ---- For the link's thread ---- */

void role_set_stale(uint64_t of, bool stale)
{
    pthread_mutex_lock(&mutex);
    if (target.generation == of && target.host[0])
        condition_set(CONDITION_STALE, stale);
    pthread_mutex_unlock(&mutex);
}

bool role_begin_load(uint64_t of)
{
    pthread_mutex_lock(&change);
    loading = role_generation() == of;
    bool begun = loading;
    pthread_mutex_unlock(&change);
    return begun;
}

void role_end_load(void)
{
    pthread_mutex_lock(&change);
    loading = false;
    if (put_off)
        settle();
    pthread_mutex_unlock(&change);
}

void role_failover_done(uint64_t of)
{
    pthread_mutex_lock(&change);
    pthread_mutex_lock(&mutex);
    if (target.generation == of)
        target.failover = wanted.failover = false;
    pthread_mutex_unlock(&mutex);
    pthread_mutex_unlock(&change);
}
