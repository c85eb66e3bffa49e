/* Each node has a probe: a connection, a timer and the state of one poll. A poll is four requests
 * in one go: PING (for the latency), CLUSTER NODES, CLUSTER INFO, INFO. What comes back is fed to
 * the model, and a moment later, for many answers at once, all is merged and the watcher told.
 *
 * A round is complete when every node has finished a poll that began after the round did. */
#include "console/model/poll.h"
#include "common/memory.h"
#include "console/client/client.h"
#include "console/client/node.h"
#include "console/client/reply.h"
#include "console/model/build.h"
#include <event2/event.h>
#include <stdlib.h>

enum {
    INTERVAL_MS = 1000,
    LIMIT_MS = 2000,
    INTERVAL_NODE_MS = 5, /* large clusters are asked less often: at most 200 nodes a second */
    MERGE_DELAY_MS = 15,  /* how long answers are gathered */
};

struct model_probe {
    struct model_poll *poll;
    struct model_node *node;
    struct client_node *connection;
    struct event *timer; /* begins the next poll */
    int64_t started,
        finished;     /* client_now(): the poll under way; the beginning of the last whole one */
    unsigned waiting; /* answers of the poll under way */
    bool again;       /* another poll right behind this one */
};

struct model_poll {
    struct client *client;
    struct model *model;
    struct model_options options;
    struct event *merge_timer;
    bool running;
    int64_t round_started;
    void (*changed)(void *context); /* NULL: nobody watches */
    void *context;
};

static int64_t interval(const struct model_poll *poll)
{
    int64_t scaled = (int64_t)poll->model->node_count * INTERVAL_NODE_MS;
    return scaled > poll->options.interval_ms ? scaled : poll->options.interval_ms;
}

static void set_timer(struct event *timer, int64_t ms)
{
    struct timeval wait = { ms / 1000, ms % 1000 * 1000 };
    event_add(timer, &wait);
}

static void merge_soon(struct model_poll *poll)
{
    if (!event_pending(poll->merge_timer, EV_TIMEOUT, NULL)) {
        set_timer(poll->merge_timer, MERGE_DELAY_MS);
    }
}

static int index_of(const struct model *model, const struct model_node *node)
{
    for (size_t i = 0; i < model->node_count; i++) {
        if (model->nodes[i] == node) {
            return (int)i;
        }
    }
    return MODEL_NOBODY;
}

/* --- one poll --- */

static void begin_poll(struct model_probe *probe);

static void finish_poll(struct model_probe *probe)
{
    probe->finished = probe->started;
    if (probe->again) {
        probe->again = false;
        set_timer(probe->timer, 0);
    } else {
        int64_t next = probe->started + interval(probe->poll) - client_now();
        set_timer(probe->timer, next > 0 ? next : 0);
    }
    merge_soon(probe->poll);
}

/* The text of an answer that should be one; NULL data where the node is silent or refuses. */
static struct bytes take_text(struct model_probe *probe, const struct client_answer *answer)
{
    struct bytes text = { NULL, 0 };
    struct model_node *node = probe->node;
    if (reply_error_is(answer->reply, "LOADING")) {
        node->heard_at = client_now(); /* it lives, and INFO tells the rest */
        node->trouble[0] = '\0';
    } else if (answer->error != NULL || !reply_text(answer->reply, &text)) {
        model_build_silence(probe->poll->model, index_of(probe->poll->model, node),
            answer->error != NULL ? answer->error : "answers with something else than a text");
    }
    return text;
}

static void answered(struct model_probe *probe)
{
    if (--probe->waiting == 0) {
        finish_poll(probe);
    }
}

static void on_ping(void *context, struct client_answer *answer)
{
    struct model_probe *probe = context;
    probe->node->latency_us = answer->result == CLIENT_ANSWERED ? answer->took_us : -1;
    answered(probe);
}

static void on_cluster_nodes(void *context, struct client_answer *answer)
{
    struct model_probe *probe = context;
    struct model *model = probe->poll->model;
    struct bytes text = take_text(probe, answer);
    if (text.data != NULL) {
        model_build_view(
            model, index_of(model, probe->node), text, client_now(), client_wall_clock());
    }
    answered(probe);
}

static void on_cluster_info(void *context, struct client_answer *answer)
{
    struct model_probe *probe = context;
    struct model *model = probe->poll->model;
    struct bytes text;
    if (answer->error == NULL && reply_text(answer->reply, &text)) {
        model_build_cluster_info(model, index_of(model, probe->node), text);
    }
    answered(probe);
}

static void on_info(void *context, struct client_answer *answer)
{
    struct model_probe *probe = context;
    struct model *model = probe->poll->model;
    struct bytes text;
    if (answer->error == NULL && reply_text(answer->reply, &text)) {
        model_build_info(model, index_of(model, probe->node), text, client_now());
    }
    answered(probe);
}

static void begin_poll(struct model_probe *probe)
{
    int64_t limit = probe->poll->options.limit_ms;
    probe->started = client_now();
    probe->waiting = 4;
    client_node_set_address(probe->connection, &probe->node->address);
    client_node_send_words(probe->connection, limit, on_ping, probe, "PING", NULL);
    client_node_send_words(
        probe->connection, limit, on_cluster_nodes, probe, "CLUSTER", "NODES", NULL);
    client_node_send_words(
        probe->connection, limit, on_cluster_info, probe, "CLUSTER", "INFO", NULL);
    client_node_send_words(probe->connection, limit, on_info, probe, "INFO", NULL);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    begin_poll(context);
}

/* --- probes --- */

static void add_probe(struct model_poll *poll, struct model_node *node)
{
    struct model_probe *probe = memory_alloc_zeroed(1, sizeof *probe);
    probe->poll = poll;
    probe->node = node;
    probe->connection = client_node_new(poll->client, &node->address);
    probe->timer = evtimer_new(client_base(poll->client), on_timer, probe);
    node->probe = probe;
    begin_poll(probe);
}

static void drop_probe(struct model_node *node)
{
    struct model_probe *probe = node->probe;
    if (probe == NULL) {
        return;
    }
    node->probe = NULL;
    event_free(probe->timer);
    client_node_free(probe->connection);
    free(probe);
}

/* A node that left: requests of others on its connection must still come back, and ours must not.
 */
static void release_node(struct model_node *node)
{
    struct model_probe *probe = node->probe;
    if (probe != NULL && client_node_pending(probe->connection) > probe->waiting) {
        probe->waiting += 1; /* so that no poll of this node finishes */
        client_node_abort(probe->connection, "was forgotten by the cluster");
    }
    drop_probe(node);
}

static void start_probes(struct model_poll *poll)
{
    for (size_t i = 0; i < poll->model->node_count; i++) {
        struct model_node *node = poll->model->nodes[i];
        if (node->probe == NULL && node->address.ip[0] != '\0' && node->address.port != 0) {
            add_probe(poll, node);
        }
    }
}

/* --- rounds --- */

static bool round_is_complete(const struct model_poll *poll)
{
    for (size_t i = 0; i < poll->model->node_count; i++) {
        const struct model_probe *probe = poll->model->nodes[i]->probe;
        if (probe != NULL && probe->finished < poll->round_started) {
            return false;
        }
    }
    return true;
}

static void merge(struct model_poll *poll)
{
    int64_t fresh = 3 * interval(poll) + poll->options.limit_ms;
    model_build_merge(poll->model, client_now(), client_wall_clock(), fresh, release_node);
}

static void on_merge(evutil_socket_t fd, short what, void *context)
{
    struct model_poll *poll = context;
    struct model *model = poll->model;
    merge(poll);
    start_probes(poll);
    if (round_is_complete(poll)) {
        poll->round_started = client_now();
        if (model->rounds++ == 0) {
            merge(poll); /* the first verdict */
        }
        model_build_sample(model);
    }
    if (poll->changed != NULL) {
        poll->changed(poll->context);
    }
}

/* --- the model's own functions --- */

struct model_poll *model_poll_new(
    struct client *client, struct model *model, const struct model_options *options)
{
    struct model_poll *poll = memory_alloc_zeroed(1, sizeof *poll);
    poll->client = client;
    poll->model = model;
    if (options != NULL) {
        poll->options = *options;
    }
    if (poll->options.interval_ms <= 0) {
        poll->options.interval_ms = INTERVAL_MS;
    }
    if (poll->options.limit_ms <= 0) {
        poll->options.limit_ms = LIMIT_MS;
    }
    poll->merge_timer = evtimer_new(client_base(client), on_merge, poll);
    return poll;
}

void model_poll_free(struct model_poll *poll)
{
    for (size_t i = 0; i < poll->model->node_count; i++) {
        drop_probe(poll->model->nodes[i]);
    }
    event_free(poll->merge_timer);
    free(poll);
}

void model_start(struct model *model)
{
    if (!model->poll->running) {
        model->poll->running = true;
        model->poll->round_started = client_now();
        start_probes(model->poll);
    }
}

void model_poll_now(struct model *model)
{
    model_start(model);
    for (size_t i = 0; i < model->node_count; i++) {
        struct model_probe *probe = model->nodes[i]->probe;
        if (probe == NULL) {
            continue;
        }
        if (probe->waiting > 0) {
            probe->again = true;
        } else {
            set_timer(probe->timer, 0);
        }
    }
}

void model_watch(struct model *model, void (*changed)(void *context), void *context)
{
    model->poll->changed = changed;
    model->poll->context = context;
}

struct client_node *model_connection(struct model *model, int node)
{
    if (node < 0 || (size_t)node >= model->node_count || model->nodes[node]->probe == NULL) {
        return NULL;
    }
    return model->nodes[node]->probe->connection;
}

struct client *model_client(const struct model *model)
{
    return model->poll->client;
}

uint64_t model_request_round(struct model *model)
{
    model_start(model);
    model->poll->round_started = client_now();
    model_poll_now(model);
    return model->rounds + 1;
}

struct refreshing {
    const struct model *model;
    uint64_t rounds;
};

static bool is_refreshed(void *context)
{
    struct refreshing *refreshing = context;
    return refreshing->model->rounds >= refreshing->rounds;
}

bool model_refresh(struct model *model, struct error *error)
{
    struct refreshing refreshing = { model, model_request_round(model) };
    if (!client_run_until(model->poll->client, is_refreshed, &refreshing, -1)) {
        return error_set(error, "interrupted");
    }
    const char *trouble = "no node is known";
    for (size_t i = model->node_count; i-- > 0;) {
        if (model->nodes[i]->trouble[0] == '\0') {
            return true;
        }
        trouble = model->nodes[i]->trouble;
    }
    return error_set(error, "%s", trouble);
}
