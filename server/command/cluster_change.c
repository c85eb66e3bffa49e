/* The state machine belongs to the bus thread, so a command that changes it travels: its arguments
 * are parsed and copied here, the bus thread runs it and renders the answer, and once its effects
 * are out (nodes.conf saved, the new view published) the answer comes back to the client's worker.
 * So whoever has got +OK finds what it did. */
#include "server/command/cluster_change.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/cluster/published.h"
#include "server/cluster/service.h"
#include <stdio.h>
#include <stdlib.h>

/* A command on its way to the bus thread and back. */
struct job {
    struct ticket *ticket;
    void (*run)(struct job *job, struct cluster *cluster, int64_t now);
    bool ok;
    struct error error;
    struct reply reply; /* empty where ok: +OK */
    /* Parsed arguments; `id` is a copy of what the client wrote. */
    struct bytes id;
    char *id_memory;
    struct cluster_range *ranges;
    size_t range_count;
    int64_t number, port, bus_port;
    unsigned slot;
    int choice;
};

bool cluster_is_here(struct call *call)
{
    const struct cluster_view *view = cluster_view_hold();
    cluster_view_release(view);
    if (!view)
        reply_error(call->reply, "This instance has cluster support disabled");
    return view != NULL;
}

static void answer(struct session *session, void *arg)
{
    struct job *job = arg;
    if (session && !job->ok)
        reply_error(&session->reply, "%s", job->error.text);
    else if (session && job->reply.bytes.len == 0)
        reply_ok(&session->reply);
    else if (session)
        reply_raw(&session->reply, buffer_bytes(&job->reply.bytes));
    reply_free(&job->reply);
    free(job->id_memory);
    free(job->ranges);
    free(job);
}

static void run(struct cluster *cluster, int64_t now, void *arg)
{
    struct job *job = arg;
    job->ok = true;
    job->run(job, cluster, now);
}

static void done(void *arg)
{
    struct job *job = arg;
    ticket_finish(job->ticket, answer, job);
}

static void send(struct call *call, struct job *job)
{
    if (!call_can_park(call)) {
        reply_error(call->reply,
            "CLUSTER commands that change the cluster are for connections");
        free(job->id_memory);
        free(job->ranges);
        free(job);
        return;
    }
    job->reply.protocol = call->reply->protocol;
    job->ticket = call_park(call);
    cluster_service_post(run, done, job);
}

static struct job *job_create(void (*run_fn)(struct job *job, struct cluster *cluster, int64_t now))
{
    struct job *job = memory_alloc_zeroed(1, sizeof(*job));
    job->run = run_fn;
    return job;
}

static void set_id(struct job *job, struct bytes id)
{
    job->id_memory = memory_copy(id.data, id.len);
    job->id = (struct bytes){ job->id_memory, id.len };
}

/* ---- Nodes ---- */

static void run_meet(struct job *job, struct cluster *cluster, int64_t now)
{
    job->ok = cluster_meet(cluster, job->id, job->port, job->bus_port, now, &job->error);
}

void cluster_change_meet(struct call *call)
{
    int64_t port, bus_port = -1; /* none: port + 10000 */
    if (!cluster_is_here(call))
        return;
    if (call->argc > 5) {
        call_error_arity(call);
        return;
    }
    if (!number_parse(call->argv[3], &port)) {
        reply_error(call->reply, "Invalid TCP base port specified: %.*s",
            (int)(call->argv[3].len < 64 ? call->argv[3].len : 64), call->argv[3].data);
        return;
    }
    if (call->argc == 5 && !number_parse(call->argv[4], &bus_port)) {
        reply_error(call->reply, "Invalid TCP bus port specified: %.*s",
            (int)(call->argv[4].len < 64 ? call->argv[4].len : 64), call->argv[4].data);
        return;
    }
    struct job *job = job_create(run_meet);
    set_id(job, call->argv[2]);
    job->port = port;
    job->bus_port = bus_port;
    send(call, job);
}

/* A command whose one argument is a node's ID. */
static void send_with_id(
    struct call *call, void (*run_fn)(struct job *job, struct cluster *cluster, int64_t now))
{
    if (!cluster_is_here(call))
        return;
    struct job *job = job_create(run_fn);
    set_id(job, call->argv[2]);
    send(call, job);
}

static void run_forget(struct job *job, struct cluster *cluster, int64_t now)
{
    job->ok = cluster_forget(cluster, job->id, now, &job->error);
}

void cluster_change_forget(struct call *call)
{
    send_with_id(call, run_forget);
}

static void run_replicate(struct job *job, struct cluster *cluster, int64_t now)
{
    job->ok = cluster_replicate(cluster, job->id, now, &job->error);
}

void cluster_change_replicate(struct call *call)
{
    send_with_id(call, run_replicate);
}

static void run_count_reports(struct job *job, struct cluster *cluster, int64_t now)
{
    int64_t count;
    job->ok = cluster_count_failure_reports(cluster, job->id, now, &count, &job->error);
    if (job->ok)
        reply_integer(&job->reply, count);
}

void cluster_change_count_failure_reports(struct call *call)
{
    send_with_id(call, run_count_reports);
}

/* ---- Slots ---- */

static bool refuse_slot(struct call *call)
{
    reply_error(call->reply, "Invalid or out of range slot");
    return false;
}

/* Slots from argv[2] on, or ranges of them. */
static bool parse_ranges(struct call *call, bool pairs, struct job *job)
{
    int step = pairs ? 2 : 1;
    job->ranges = memory_alloc((size_t)call->argc * sizeof(*job->ranges));
    for (int i = 2; i + step <= call->argc; i += step) {
        unsigned first, last;
        if (!slot_parse(call->argv[i], &first) || !slot_parse(call->argv[i + step - 1], &last))
            return refuse_slot(call);
        if (first > last) {
            reply_error(call->reply, "start slot number %u is greater than end slot number %u",
                first, last);
            return false;
        }
        job->ranges[job->range_count++] = (struct cluster_range){ (uint16_t)first, (uint16_t)last };
    }
    return true;
}

static void send_ranges(struct call *call, bool pairs,
    void (*run_fn)(struct job *job, struct cluster *cluster, int64_t now))
{
    if (!cluster_is_here(call))
        return;
    if (pairs && call->argc % 2 == 1) {
        call_error_arity(call);
        return;
    }
    struct job *job = job_create(run_fn);
    if (parse_ranges(call, pairs, job)) {
        send(call, job);
        return;
    }
    free(job->ranges);
    free(job);
}

static void run_add(struct job *job, struct cluster *cluster, int64_t now)
{
    job->ok = cluster_add_slots(cluster, job->ranges, job->range_count, now, &job->error);
}

static void run_del(struct job *job, struct cluster *cluster, int64_t now)
{
    job->ok = cluster_del_slots(cluster, job->ranges, job->range_count, now, &job->error);
}

void cluster_change_addslots(struct call *call)
{
    send_ranges(call, false, run_add);
}

void cluster_change_addslotsrange(struct call *call)
{
    send_ranges(call, true, run_add);
}

void cluster_change_delslots(struct call *call)
{
    send_ranges(call, false, run_del);
}

void cluster_change_delslotsrange(struct call *call)
{
    send_ranges(call, true, run_del);
}

static void run_flush(struct job *job, struct cluster *cluster, int64_t now)
{
    job->ok = cluster_flush_slots(cluster, now, &job->error);
}

static void run_setslot(struct job *job, struct cluster *cluster, int64_t now)
{
    job->ok = cluster_may_set_slot(cluster, &job->error);
    if (job->ok && job->number < 0)
        job->ok = error_set(&job->error, "ERR Invalid or out of range slot");
    if (job->ok && job->choice < 0)
        job->ok = error_set(&job->error,
            "ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP");
    if (job->ok)
        job->ok = cluster_set_slot(cluster, (unsigned)job->number,
            (enum cluster_setslot)job->choice, job->id, now, &job->error);
}

static int setslot_action(struct call *call)
{
    static const struct {
        const char *word;
        int argc;
        enum cluster_setslot action;
    } actions[] = {
        { "migrating", 5, CLUSTER_SETSLOT_MIGRATING },
        { "importing", 5, CLUSTER_SETSLOT_IMPORTING },
        { "stable", 4, CLUSTER_SETSLOT_STABLE },
        { "node", 5, CLUSTER_SETSLOT_NODE },
    };
    for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
        if (bytes_is(call->argv[3], actions[i].word) && call->argc == actions[i].argc)
            return (int)actions[i].action;
    }
    return -1;
}

void cluster_change_setslot(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    unsigned slot;
    struct job *job = job_create(run_setslot);
    job->number = slot_parse(call->argv[2], &slot) ? (int64_t)slot : -1;
    job->choice = setslot_action(call);
    if (call->argc > 4)
        set_id(job, call->argv[4]);
    send(call, job);
}

/* ---- Roles and epochs ---- */

static void run_failover(struct job *job, struct cluster *cluster, int64_t now)
{
    job->ok = cluster_failover(cluster, (enum cluster_failover)job->choice, now, &job->error);
}

void cluster_change_failover(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    if (call->argc > 3) {
        call_error_subcommand(call);
        return;
    }
    int choice = CLUSTER_FAILOVER_PLAIN;
    if (call->argc == 3 && bytes_is(call->argv[2], "force"))
        choice = CLUSTER_FAILOVER_FORCE;
    else if (call->argc == 3 && bytes_is(call->argv[2], "takeover"))
        choice = CLUSTER_FAILOVER_TAKEOVER;
    else if (call->argc != 2) {
        call_error_syntax(call);
        return;
    }
    struct job *job = job_create(run_failover);
    job->choice = choice;
    send(call, job);
}

static void run_reset(struct job *job, struct cluster *cluster, int64_t now)
{
    job->ok = cluster_reset(cluster, job->choice, now, &job->error);
}

void cluster_change_reset(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    if (call->argc > 3) {
        call_error_subcommand(call);
        return;
    }
    bool hard = call->argc == 3 && bytes_is(call->argv[2], "hard");
    if (call->argc == 3 && !hard && !bytes_is(call->argv[2], "soft")) {
        call_error_syntax(call);
        return;
    }
    struct job *job = job_create(run_reset);
    job->choice = hard;
    send(call, job);
}

static void run_set_epoch(struct job *job, struct cluster *cluster, int64_t now)
{
    job->ok = cluster_set_config_epoch(cluster, job->number, now, &job->error);
}

void cluster_change_set_config_epoch(struct call *call)
{
    int64_t epoch;
    if (!cluster_is_here(call) || !call_integer(call, 2, &epoch))
        return;
    struct job *job = job_create(run_set_epoch);
    job->number = epoch;
    send(call, job);
}

static void run_bump(struct job *job, struct cluster *cluster, int64_t now)
{
    uint64_t epoch;
    char text[64];
    bool bumped = cluster_bump_epoch(cluster, now, &epoch);
    snprintf(text, sizeof(text), "%s %llu", bumped ? "BUMPED" : "STILL", (unsigned long long)epoch);
    reply_simple(&job->reply, text);
}

static void run_save(struct job *job, struct cluster *cluster, int64_t now)
{
    cluster_save_conf(cluster, now);
}

static void run_links(struct job *job, struct cluster *cluster, int64_t now)
{
    const struct cluster_view *view = cluster_view_hold();
    struct reply *reply = &job->reply;
    reply_array(reply, view->link_count);
    for (size_t i = 0; i < view->link_count; i++) {
        const struct cluster_view_link *link = &view->links[i];
        struct cluster_service_link state = cluster_service_link_state(link->link);
        reply_map(reply, 6);
        reply_bulk_text(reply, "direction");
        reply_bulk_text(reply, link->inbound ? "from" : "to");
        reply_bulk_text(reply, "node");
        reply_bulk_text(reply, view->nodes[link->node].id.text);
        reply_bulk_text(reply, "create-time");
        reply_integer(reply, link->created);
        reply_bulk_text(reply, "events");
        reply_bulk_text(reply, state.is_writing ? "rw" : "r");
        reply_bulk_text(reply, "send-buffer-allocated");
        reply_integer(reply, (int64_t)state.allocated);
        reply_bulk_text(reply, "send-buffer-used");
        reply_integer(reply, (int64_t)state.unsent);
    }
    cluster_view_release(view);
}

static void send_plain(
    struct call *call, void (*run_fn)(struct job *job, struct cluster *cluster, int64_t now))
{
    if (cluster_is_here(call))
        send(call, job_create(run_fn));
}

void cluster_change_flushslots(struct call *call)
{
    send_plain(call, run_flush);
}

void cluster_change_bumpepoch(struct call *call)
{
    send_plain(call, run_bump);
}

void cluster_change_saveconfig(struct call *call)
{
    send_plain(call, run_save);
}

void cluster_change_links(struct call *call)
{
    send_plain(call, run_links);
}
