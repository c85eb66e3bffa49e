/* The steps: writes of clients are paused; the target, or whichever replica is first, acknowledges
 * all there is; then this node becomes its replica with a PSYNC that asks it to lead. The steps are
 * taken in worker 0, ten times a second. Until the target has agreed, everything can be taken back.
 */
#include "server/replication/failover.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/clock.h"
#include "server/command/background.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/config.h"
#include "server/log.h"
#include "server/periodic.h"
#include "server/replication/feed.h"
#include "server/replication/link.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum state { NONE, ASKED, WAITING, HANDING_OVER };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the following */
static struct {
    enum state state;
    char host[REPLICA_IP_MAX]; /* empty: any replica */
    int port;
    bool force;
    int64_t deadline; /* monotonic ms; 0: none */
} failover;

static enum state state_now(void)
{
    pthread_mutex_lock(&mutex);
    enum state state = failover.state;
    pthread_mutex_unlock(&mutex);
    return state;
}

bool failover_is_on(void)
{
    return state_now() != NONE;
}

const char *failover_state(void)
{
    static const char *const names[] = { [NONE] = "no-failover",
        [ASKED] = "waiting-for-sync",
        [WAITING] = "waiting-for-sync",
        [HANDING_OVER] = "failover-in-progress" };
    return names[state_now()];
}

/* From one state to another; false: it is in a third one meanwhile. */
static bool move(enum state from, enum state to)
{
    pthread_mutex_lock(&mutex);
    bool moved = failover.state == from;
    if (moved)
        failover.state = to;
    pthread_mutex_unlock(&mutex);
    return moved;
}

void failover_succeeded(void)
{
    if (!move(HANDING_OVER, NONE))
        return;
    char text[REPLICATION_HOST_MAX + 16];
    struct link_target target = role_target();
    snprintf(text, sizeof(text), "%s %d", target.host, target.port);
    config_set_text(CONFIG_REPLICAOF, text);
    pause_end(PAUSE_FAILOVER);
    log_write(LOG_NOTICE, "The failover is done: %s:%d is the primary", target.host, target.port);
}

/* Not from within a turn. */
static void take_back(void)
{
    role_lead();
    pause_end(PAUSE_FAILOVER);
}

void failover_refused(const char *reason)
{
    if (!move(HANDING_OVER, NONE))
        return;
    log_write(LOG_WARNING, "The failover is called off, its target has refused: %s", reason);
    take_back();
}

static void take_back_later(void *arg)
{
    take_back();
}

static void call_off(const char *why)
{
    pthread_mutex_lock(&mutex);
    enum state before = failover.state;
    failover.state = NONE;
    pthread_mutex_unlock(&mutex);
    if (before == NONE)
        return;
    log_write(LOG_NOTICE, "The failover is called off: %s", why);
    if (before == HANDING_OVER)
        background_run(0, take_back_later, NULL);
    else
        pause_end(PAUSE_FAILOVER);
}

/* ---- The steps ---- */

static void hand_over(const char *host, int port)
{
    if (!move(WAITING, HANDING_OVER))
        return;
    log_write(LOG_NOTICE, "Handing over to the replica %s:%d", host, port);
    role_follow(host, port, true);
    if (!failover_is_on()) /* called off between the two */
        background_run(0, take_back_later, NULL);
}

static void wait_for_target(int64_t now)
{
    struct feed_replica target;
    pthread_mutex_lock(&mutex);
    char host[REPLICA_IP_MAX];
    memcpy(host, failover.host, sizeof(host));
    int port = failover.port;
    bool force = failover.force, late = failover.deadline && now >= failover.deadline;
    pthread_mutex_unlock(&mutex);
    if (feed_find(host, port, feed_needed_offset(), &target))
        hand_over(target.ip, target.port);
    else if (late && force)
        hand_over(host, port);
    else if (late)
        call_off("no replica has got everything within the TIMEOUT");
}

static void step(struct executor *executor, unsigned worker, unsigned workers)
{
    switch (state_now()) {
    case ASKED:
        pause_begin(PAUSE_FAILOVER, true, INT64_MAX);
        feed_request_acks(true);
        if (!move(ASKED, WAITING))
            pause_end(PAUSE_FAILOVER);
        break;
    case WAITING:
        wait_for_target(clock_monotonic_ms());
        break;
    case NONE:
    case HANDING_OVER:
        break;
    }
}

void failover_open(void)
{
    periodic_add(step, false);
}

/* ---- The command ---- */

struct options {
    bool has_target, force, abort, has_timeout;
    char host[REPLICA_IP_MAX]; /* empty: any replica */
    int64_t port, timeout_ms;
};

static bool parse(struct call *call, struct options *options)
{
    *options = (struct options){ 0 };
    for (int i = 1; i < call->argc; i++) {
        struct bytes word = call->argv[i];
        if (bytes_is(word, "timeout") && i + 1 < call->argc && !options->has_timeout) {
            if (!call_integer(call, ++i, &options->timeout_ms))
                return false;
            if (options->timeout_ms <= 0) {
                reply_error(call->reply, "ERR FAILOVER timeout must be greater than 0");
                return false;
            }
            options->has_timeout = true;
        } else if (bytes_is(word, "abort") && i == 1 && call->argc == 2) {
            options->abort = true;
        } else if (bytes_is(word, "to") && i + 2 < call->argc && !options->has_target) {
            struct bytes host = call->argv[i + 1];
            snprintf(options->host, sizeof(options->host), "%.*s", (int)host.len, host.data);
            if (!call_integer(call, i + 2, &options->port))
                return false;
            options->has_target = true;
            i += 2;
        } else if (bytes_is(word, "force") && !options->force) {
            options->force = true;
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    return true;
}

/* What is against it, as the text of the reply; NULL: nothing. */
static const char *objection(const struct options *options)
{
    struct feed_replica replica;
    if (failover_is_on())
        return "FAILOVER already in progress.";
    if (condition_all() & CONDITION_REPLICA)
        return "FAILOVER is not valid when server is a replica.";
    if (feed_count(0).attached == 0)
        return "FAILOVER requires connected replicas.";
    if (options->force && (!options->has_timeout || !options->has_target))
        return "FAILOVER with force option requires both a timeout and target HOST and IP.";
    if (!options->has_target)
        return NULL;
    if (!feed_find(options->host, (int)options->port, -1, &replica))
        return "FAILOVER target HOST and PORT is not a replica.";
    return replica.state == REPLICA_ONLINE ? NULL : "FAILOVER target replica is not online.";
}

static void begin(const struct options *options)
{
    pthread_mutex_lock(&mutex);
    failover.state = ASKED;
    failover.force = options->force;
    failover.port = (int)options->port;
    failover.deadline = options->has_timeout ? clock_monotonic_ms() + options->timeout_ms : 0;
    memcpy(failover.host, options->host, sizeof(failover.host));
    pthread_mutex_unlock(&mutex);
    log_write(LOG_NOTICE, "A failover is asked for: writes pause");
}

void replication_failover(struct call *call)
{
    struct options options;
    if (dispatch_is_cluster()) {
        reply_error(call->reply, "FAILOVER not allowed in cluster mode. "
                                 "Use CLUSTER FAILOVER command instead.");
        return;
    }
    if (!parse(call, &options))
        return;
    if (options.abort && !failover_is_on()) {
        reply_error(call->reply, "No failover in progress.");
        return;
    }
    const char *against = options.abort ? NULL : objection(&options);
    if (against) {
        reply_error(call->reply, "ERR %s", against);
        return;
    }
    if (options.abort)
        call_off("FAILOVER ABORT");
    else
        begin(&options);
    reply_ok(call->reply);
}
