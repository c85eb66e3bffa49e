/* A queue of events in the order of their time, and of their making where the time is the same.
 * Each direction of a connection is a queue of its own with one event for its head, so that nothing
 * overtakes. */
#include "tests/support/simulation.h"

#include "common/memory.h"
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TICK = 100, /* ms */
    REPLICATION_STEP = 20,
    SYNC_TIME = SIM_SYNC_TIME, /* until a replica is in sync */
    RETRY = 50,                /* of what is held up by a cut or a pause */
    SEND_AGAIN = 200,          /* after a loss */
};
static const int64_t start_of_time = 1700000000000;

enum packet_kind { PACKET_DATA, PACKET_CLOSE, PACKET_ACCEPT, PACKET_CONNECTED, PACKET_REFUSED };

struct packet {
    enum packet_kind kind;
    int64_t arrives;
    size_t len;
    struct packet *next;
    char data[];
};

struct pipe {
    struct packet *head, *tail;
    bool scheduled;
};

/* Direction 0 goes from the side that connects (side 0) to the other (side 1). */
struct connection {
    unsigned node[2];
    uint64_t link[2]; /* 0: that side has no link yet */
    bool open[2];
    struct pipe pipes[2]; /* [d]: from side d */
};

enum event_kind { EVENT_TICK, EVENT_PUMP, EVENT_CONNECT, EVENT_REPLICATION, EVENT_PAUSED };

struct event {
    int64_t time;
    uint64_t number;
    enum event_kind kind;
    unsigned node; /* or the direction */
    struct connection *connection;
};

struct sim_node {
    struct sim *sim;
    unsigned index;
    struct cluster *cluster; /* NULL: does not run */
    bool paused, powered, refuses, mute;
    char ip[ADDRESS_IP_MAX];
    struct buffer saved, synced; /* nodes.conf */
    struct connection **by_link; /* [link number] */
    size_t links;
    uint64_t offset;
    bool follows;
    unsigned primary;
    int64_t sync_since, heard; /* 0: not, never */
    int64_t writes_paused_until;
    struct slot_set keys;
};

struct sim {
    struct sim_options options;
    uint64_t random;
    int64_t now;
    uint64_t events_made;
    struct event *events; /* a heap */
    size_t event_count, event_capacity;
    struct connection **connections;
    size_t connection_count;
    struct sim_node nodes[SIM_NODES_MAX];
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX];
    char reason[SIM_REASON_MAX];
};

/* splitmix64 */
static uint64_t next_random(struct sim *sim)
{
    uint64_t z = sim->random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t sim_random(struct sim *sim, uint64_t bound)
{
    return next_random(sim) % bound;
}

static bool is_before(const struct event *a, const struct event *b)
{
    return a->time != b->time ? a->time < b->time : a->number < b->number;
}

static void add_event(struct sim *sim, int64_t time, enum event_kind kind, unsigned node,
    struct connection *connection)
{
    if (sim->event_count == sim->event_capacity) {
        sim->event_capacity = sim->event_capacity != 0 ? sim->event_capacity * 2 : 256;
        sim->events = memory_resize(sim->events, sim->event_capacity * sizeof(sim->events[0]));
    }
    struct event event = { time, ++sim->events_made, kind, node, connection };
    size_t at = sim->event_count++;
    for (; at > 0 && is_before(&event, &sim->events[(at - 1) / 2]); at = (at - 1) / 2)
        sim->events[at] = sim->events[(at - 1) / 2];
    sim->events[at] = event;
}

static struct event take_event(struct sim *sim)
{
    struct event first = sim->events[0], last = sim->events[--sim->event_count];
    size_t at = 0, child;
    while ((child = at * 2 + 1) < sim->event_count) {
        if (child + 1 < sim->event_count && is_before(&sim->events[child + 1], &sim->events[child]))
            child++;
        if (is_before(&last, &sim->events[child]))
            break;
        sim->events[at] = sim->events[child];
        at = child;
    }
    sim->events[at] = last;
    return first;
}

static void send_packet(struct sim *sim, struct connection *connection, unsigned direction,
    enum packet_kind kind, struct bytes data)
{
    struct pipe *pipe = &connection->pipes[direction];
    struct packet *packet = memory_alloc(sizeof(*packet) + data.len);
    int64_t delay = 1 + (int64_t)sim_random(sim, (uint64_t)sim->options.delay_max);
    if (sim_random(sim, 1000) < sim->options.loss)
        delay += SEND_AGAIN;
    *packet = (struct packet){ .kind = kind, .arrives = sim->now + delay, .len = data.len };
    if (data.len > 0)
        memcpy(packet->data, data.data, data.len);
    if (pipe->tail != NULL) {
        if (packet->arrives < pipe->tail->arrives)
            packet->arrives = pipe->tail->arrives;
        pipe->tail->next = packet;
    } else {
        pipe->head = packet;
    }
    pipe->tail = packet;
    if (!pipe->scheduled) {
        pipe->scheduled = true;
        add_event(sim, packet->arrives, EVENT_PUMP, direction, connection);
    }
}

static struct packet *take_packet(struct pipe *pipe)
{
    struct packet *packet = pipe->head;
    pipe->head = packet->next;
    if (pipe->head == NULL)
        pipe->tail = NULL;
    return packet;
}

static void remember_link(struct sim_node *node, uint64_t link, struct connection *connection)
{
    if (link >= node->links) {
        size_t links = link * 2 + 64;
        node->by_link = memory_resize(node->by_link, links * sizeof(node->by_link[0]));
        memset(node->by_link + node->links, 0, (links - node->links) * sizeof(node->by_link[0]));
        node->links = links;
    }
    node->by_link[link] = connection;
}

/* One side is gone: it takes nothing any more, and the other gets to know behind what was sent. */
static void close_side(struct sim *sim, struct connection *connection, unsigned side, bool tell)
{
    if (!connection->open[side])
        return;
    connection->open[side] = false;
    if (connection->link[side] != 0)
        sim->nodes[connection->node[side]].by_link[connection->link[side]] = NULL;
    if (tell)
        send_packet(sim, connection, side, PACKET_CLOSE, (struct bytes){ 0 });
}

static struct sim_node *node_at(struct sim *sim, const struct address *address)
{
    for (unsigned i = 0; i < sim->options.nodes; i++) {
        if (strcmp(sim->nodes[i].ip, address->ip) == 0 && address->bus_port == SIM_BUS_PORT)
            return &sim->nodes[i];
    }
    return NULL;
}

static void start_connecting(
    struct sim *sim, struct sim_node *node, uint64_t link, const struct address *address)
{
    struct sim_node *target = node_at(sim, address);
    cr_assert_not_null(
        target, "connects to %s:%u, where nobody is", address->ip, (unsigned)address->bus_port);
    struct connection *connection = memory_alloc_zeroed(1, sizeof(*connection));
    sim->connections =
        memory_resize(sim->connections, (sim->connection_count + 1) * sizeof(sim->connections[0]));
    sim->connections[sim->connection_count++] = connection;
    connection->node[0] = node->index;
    connection->node[1] = target->index;
    connection->link[0] = link;
    connection->open[0] = true;
    remember_link(node, link, connection);
    add_event(sim, sim->now + 1 + (int64_t)sim_random(sim, (uint64_t)sim->options.delay_max),
        EVENT_CONNECT, 0, connection);
}

/* The first packet of a connection is at the other host, or is on its way again. */
static void arrive(struct sim *sim, struct connection *connection)
{
    unsigned from = connection->node[0], to = connection->node[1];
    struct sim_node *target = &sim->nodes[to];
    if (!connection->open[0])
        return;
    if (sim->cut[from][to] || sim->cut[to][from] || !target->powered || sim->nodes[from].mute) {
        add_event(sim, sim->now + SEND_AGAIN, EVENT_CONNECT, 0, connection);
        return;
    }
    if (target->cluster == NULL || target->refuses) {
        send_packet(sim, connection, 1, PACKET_REFUSED, (struct bytes){ 0 });
        return;
    }
    connection->open[1] = true;
    send_packet(sim, connection, 0, PACKET_ACCEPT, (struct bytes){ 0 });
    send_packet(sim, connection, 1, PACKET_CONNECTED, (struct bytes){ 0 });
}

static void save(struct sim_node *node, bool sync)
{
    node->saved.len = 0;
    cluster_render_conf(node->cluster, &node->saved);
    if (!sync)
        return;
    node->synced.len = 0;
    buffer_append(&node->synced, node->saved.data, node->saved.len);
}

static void carry_out(struct sim *sim, struct sim_node *node, const struct cluster_effect *effect)
{
    struct connection *connection;
    switch (effect->kind) {
    case CLUSTER_EFFECT_CONNECT:
        start_connecting(sim, node, effect->link, &effect->address);
        break;
    case CLUSTER_EFFECT_CLOSE:
        connection = effect->link < node->links ? node->by_link[effect->link] : NULL;
        if (connection != NULL)
            close_side(sim, connection,
                connection->link[0] != effect->link || connection->node[0] != node->index, true);
        break;
    case CLUSTER_EFFECT_SEND:
        connection = effect->link < node->links ? node->by_link[effect->link] : NULL;
        if (connection != NULL)
            send_packet(sim, connection,
                connection->link[0] != effect->link || connection->node[0] != node->index,
                PACKET_DATA, effect->bytes);
        break;
    case CLUSTER_EFFECT_SAVE:
        save(node, effect->sync);
        break;
    case CLUSTER_EFFECT_DELETE_KEYS:
        for (size_t i = 0; i < SLOT_BITMAP_SIZE; i++)
            node->keys.bits[i] &= (uint8_t)~effect->slots->bits[i];
        break;
    case CLUSTER_EFFECT_EMPTY_DATA:
        node->keys = (struct slot_set){ 0 };
        break;
    case CLUSTER_EFFECT_FOLLOW:
        node->follows = true;
        node->primary = sim_index(sim, &effect->node);
        node->sync_since = 0;
        break;
    case CLUSTER_EFFECT_LEAD:
        node->follows = false;
        break;
    case CLUSTER_EFFECT_PAUSE:
        node->writes_paused_until = effect->until;
        add_event(sim, sim->now + 1, EVENT_PAUSED, node->index, NULL);
        break;
    case CLUSTER_EFFECT_UNPAUSE:
        node->writes_paused_until = 0;
        break;
    case CLUSTER_EFFECT_LOG:
        if (getenv("SIM_LOG") != NULL)
            fprintf(stderr, "%8" PRId64 " #%-2u %s\n", sim->now - start_of_time, node->index,
                effect->text);
        break;
    case CLUSTER_EFFECT_SLOTS:
    case CLUSTER_EFFECT_STATE:
    case CLUSTER_EFFECT_PUBLISH:
        break;
    }
}

void sim_drain(struct sim *sim, unsigned index)
{
    struct sim_node *node = &sim->nodes[index];
    struct cluster_effect effect;
    while (cluster_next_effect(node->cluster, &effect))
        carry_out(sim, node, &effect);
}

static void deliver(
    struct sim *sim, struct connection *connection, unsigned side, const struct packet *packet)
{
    struct sim_node *node = &sim->nodes[connection->node[side]];
    uint64_t link = connection->link[side];
    switch (packet->kind) {
    case PACKET_ACCEPT:
        connection->link[side] = cluster_link_accepted(
            node->cluster, sim->nodes[connection->node[!side]].ip, node->ip, sim->now);
        remember_link(node, connection->link[side], connection);
        break;
    case PACKET_CONNECTED:
        cluster_link_connected(node->cluster, link, sim->now);
        break;
    case PACKET_DATA:
        cluster_receive(node->cluster, link, packet->data, packet->len, sim->now);
        break;
    case PACKET_CLOSE:
        close_side(sim, connection, side, false);
        cluster_link_broken(node->cluster, link, sim->now);
        break;
    case PACKET_REFUSED:
        close_side(sim, connection, side, false);
        cluster_link_refused(node->cluster, link, sim->now);
        break;
    }
    if (cluster_is_urgent(node->cluster))
        sim_drain(sim, node->index);
}

/* What arrives at one moment is one turn of the node, as in the bus thread. */
static void pump(struct sim *sim, struct connection *connection, unsigned direction)
{
    struct pipe *pipe = &connection->pipes[direction];
    unsigned from = connection->node[direction], side = !direction;
    struct sim_node *target = &sim->nodes[connection->node[side]];
    pipe->scheduled = false;
    while (pipe->head != NULL) {
        int64_t when = pipe->head->arrives;
        if (connection->open[side] && (sim->cut[from][target->index] || target->paused))
            when = sim->now + RETRY;
        if (when > sim->now) {
            pipe->scheduled = true;
            add_event(sim, when, EVENT_PUMP, direction, connection);
            break;
        }
        struct packet *packet = take_packet(pipe);
        if (connection->open[side] && target->cluster != NULL)
            deliver(sim, connection, side, packet);
        free(packet);
    }
    if (target->cluster != NULL)
        sim_drain(sim, target->index);
}

/* Replication. */

static bool hears_primary(struct sim *sim, const struct sim_node *node)
{
    const struct sim_node *primary = &sim->nodes[node->primary];
    return primary->cluster != NULL && !primary->paused && !sim->cut[node->index][primary->index] &&
           !sim->cut[primary->index][node->index];
}

static void follow(struct sim *sim, struct sim_node *node)
{
    const struct sim_node *primary = &sim->nodes[node->primary];
    if (!hears_primary(sim, node)) {
        node->sync_since = 0;
        return;
    }
    if (node->sync_since == 0)
        node->sync_since = sim->now;
    if (sim->now - node->sync_since < SYNC_TIME)
        return;
    node->heard = sim->now;
    node->offset = primary->offset;
    node->keys = primary->keys;
}

static void step_replication(struct sim *sim)
{
    /* Replicas first: they are one step behind. */
    for (unsigned i = 0; i < sim->options.nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->cluster != NULL && !node->paused && node->follows)
            follow(sim, node);
    }
    for (unsigned i = 0; i < sim->options.nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->cluster != NULL && !node->paused && !node->follows &&
            sim->now >= node->writes_paused_until && cluster_is_ok(node->cluster))
            node->offset += sim_random(sim, 100);
    }
    add_event(sim, sim->now + REPLICATION_STEP, EVENT_REPLICATION, 0, NULL);
}

static struct cluster_replication tell_replication(void *context)
{
    const struct sim_node *node = context;
    return (struct cluster_replication){
        .offset = node->offset,
        .link_up = node->heard != 0 && node->sync_since != 0,
        .age = node->heard != 0 ? node->sim->now - node->heard : -1,
    };
}

static void make_random(void *context, void *out, size_t len)
{
    struct sim_node *node = context;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)next_random(node->sim);
}

static size_t count_keys(void *context, unsigned slot)
{
    const struct sim_node *node = context;
    return slot_set_has(&node->keys, slot);
}

static size_t count_all_keys(void *context)
{
    const struct sim_node *node = context;
    return slot_set_count(&node->keys);
}

/* Time. */

static void run_event(struct sim *sim, const struct event *event)
{
    struct sim_node *node = &sim->nodes[event->node];
    switch (event->kind) {
    case EVENT_TICK:
        add_event(sim, sim->now + TICK, EVENT_TICK, event->node, NULL);
        if (node->cluster == NULL || node->paused)
            return;
        cluster_tick(node->cluster, sim->now);
        sim_drain(sim, event->node);
        return;
    case EVENT_PUMP:
        pump(sim, event->connection, event->node);
        return;
    case EVENT_CONNECT:
        arrive(sim, event->connection);
        return;
    case EVENT_REPLICATION:
        step_replication(sim);
        return;
    case EVENT_PAUSED:
        if (node->cluster == NULL)
            return;
        cluster_writes_paused(node->cluster, true, sim->now);
        sim_drain(sim, event->node);
        return;
    }
}

void sim_run(struct sim *sim, int64_t ms)
{
    int64_t end = sim->now + ms;
    while (sim->event_count > 0 && sim->events[0].time <= end) {
        struct event event = take_event(sim);
        sim->now = event.time;
        run_event(sim, &event);
        cr_assert_not(sim_has_conflict(sim), "seed %" PRIu64 ", at %" PRId64 " ms: %s",
            sim->options.seed, sim->now - start_of_time, sim->reason);
    }
    sim->now = end;
}

bool sim_run_until(
    struct sim *sim, bool (*holds)(struct sim *sim, void *context), void *context, int64_t limit)
{
    enum { STEP = 10 };
    for (int64_t end = sim->now + limit; !holds(sim, context);) {
        if (sim->now >= end)
            return false;
        sim_run(sim, STEP);
    }
    return true;
}

/* Nodes. */

static void launch(struct sim *sim, unsigned index)
{
    struct sim_node *node = &sim->nodes[index];
    struct cluster_config config = {
        .node_timeout = sim->options.node_timeout,
        .require_full_coverage = true,
        .allow_replica_migration = true,
        .replica_validity_factor = 10,
        .migration_barrier = sim->options.migration_barrier,
        .replica_ping_period = 10000,
        .listen = { .port = SIM_PORT, .bus_port = SIM_BUS_PORT },
    };
    struct cluster_host host = { node, make_random, tell_replication, count_keys, count_all_keys };
    struct topology saved;
    struct error error = { "" };
    bool is_new = node->saved.len == 0;
    if (!is_new)
        cr_assert(topology_parse(buffer_bytes(&node->saved), &saved, &error),
            "seed %" PRIu64 ": %s", sim->options.seed, error.text);
    node->cluster = cluster_create(&config, &host, is_new ? NULL : &saved, sim->now, &error);
    cr_assert_not_null(node->cluster, "seed %" PRIu64 ": %s", sim->options.seed, error.text);
    if (!is_new)
        topology_free(&saved);
    sim_drain(sim, index);
    cluster_verify_keys(node->cluster, sim->now);
    sim_drain(sim, index);
}

struct sim *sim_create(const struct sim_options *options)
{
    struct sim *sim = memory_alloc_zeroed(1, sizeof(*sim));
    sim->options = *options;
    sim->random = options->seed * 0x2545f4914f6cdd1d + 1;
    sim->now = start_of_time;
    for (unsigned i = 0; i < options->nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        node->sim = sim;
        node->index = i;
        node->powered = true;
        snprintf(node->ip, sizeof(node->ip), "10.0.0.%u", i + 1);
        launch(sim, i);
        add_event(sim, sim->now + (int64_t)sim_random(sim, TICK), EVENT_TICK, i, NULL);
    }
    add_event(sim, sim->now, EVENT_REPLICATION, 0, NULL);
    return sim;
}

static void drop_packets(struct pipe *pipe)
{
    while (pipe->head != NULL)
        free(take_packet(pipe));
}

void sim_free(struct sim *sim)
{
    for (size_t i = 0; i < sim->connection_count; i++) {
        drop_packets(&sim->connections[i]->pipes[0]);
        drop_packets(&sim->connections[i]->pipes[1]);
        free(sim->connections[i]);
    }
    for (unsigned i = 0; i < sim->options.nodes; i++) {
        cluster_free(sim->nodes[i].cluster);
        buffer_free(&sim->nodes[i].saved);
        buffer_free(&sim->nodes[i].synced);
        free(sim->nodes[i].by_link);
    }
    free(sim->connections);
    free(sim->events);
    free(sim);
}

static void end_process(struct sim *sim, unsigned index, bool tell)
{
    struct sim_node *node = &sim->nodes[index];
    for (size_t i = 0; i < sim->connection_count; i++) {
        struct connection *connection = sim->connections[i];
        for (unsigned side = 0; side < 2; side++) {
            if (connection->node[side] == index)
                close_side(sim, connection, side, tell);
        }
    }
    cluster_free(node->cluster);
    node->cluster = NULL;
    node->paused = node->follows = false;
    node->sync_since = node->heard = node->writes_paused_until = 0;
}

void sim_kill(struct sim *sim, unsigned node)
{
    end_process(sim, node, true);
}

void sim_cut_power(struct sim *sim, unsigned index)
{
    struct sim_node *node = &sim->nodes[index];
    end_process(sim, index, false);
    node->powered = false;
    node->saved.len = 0;
    buffer_append(&node->saved, node->synced.data, node->synced.len);
}

/* What its host said to connections of before comes now: a reset for each that is still open on the
 * other side. */
static void reset_old_connections(struct sim *sim, unsigned index)
{
    for (size_t i = 0; i < sim->connection_count; i++) {
        struct connection *connection = sim->connections[i];
        for (unsigned side = 0; side < 2; side++) {
            if (connection->node[side] == index && !connection->open[side] &&
                connection->link[side] != 0 && connection->open[!side])
                send_packet(sim, connection, side, PACKET_CLOSE, (struct bytes){ 0 });
        }
    }
}

void sim_start(struct sim *sim, unsigned index)
{
    struct sim_node *node = &sim->nodes[index];
    bool was_powered = node->powered;
    node->powered = true;
    if (!was_powered)
        reset_old_connections(sim, index);
    launch(sim, index);
}

void sim_pause(struct sim *sim, unsigned node)
{
    sim->nodes[node].paused = true;
}

void sim_resume(struct sim *sim, unsigned node)
{
    sim->nodes[node].paused = false;
}

void sim_cut(struct sim *sim, unsigned from, unsigned to, bool cut)
{
    sim->cut[from][to] = cut;
}

void sim_isolate(struct sim *sim, unsigned node)
{
    for (unsigned i = 0; i < sim->options.nodes; i++)
        sim->cut[i][node] = sim->cut[node][i] = i != node;
}

void sim_heal(struct sim *sim)
{
    memset(sim->cut, 0, sizeof(sim->cut));
}

void sim_reset_connections(struct sim *sim, unsigned node)
{
    for (size_t i = 0; i < sim->connection_count; i++) {
        struct connection *connection = sim->connections[i];
        if ((connection->node[0] != node && connection->node[1] != node) || !connection->open[0] ||
            !connection->open[1] || connection->link[1] == 0)
            continue;
        send_packet(sim, connection, 0, PACKET_CLOSE, (struct bytes){ 0 });
        send_packet(sim, connection, 1, PACKET_CLOSE, (struct bytes){ 0 });
    }
}

void sim_refuse(struct sim *sim, unsigned node, bool refuse)
{
    sim->nodes[node].refuses = refuse;
    if (refuse)
        sim_reset_connections(sim, node);
}

void sim_mute(struct sim *sim, unsigned node, bool mute)
{
    sim->nodes[node].mute = mute;
}

struct cluster *sim_cluster(struct sim *sim, unsigned node)
{
    return sim->nodes[node].cluster;
}

bool sim_runs(struct sim *sim, unsigned node)
{
    return sim->nodes[node].cluster != NULL && !sim->nodes[node].paused;
}

bool sim_is_up(struct sim *sim, unsigned node)
{
    return sim->nodes[node].cluster != NULL;
}

int64_t sim_now(const struct sim *sim)
{
    return sim->now;
}

unsigned sim_index(struct sim *sim, const struct node_id *id)
{
    for (unsigned i = 0; i < sim->options.nodes; i++) {
        if (sim->nodes[i].cluster != NULL &&
            node_id_equal(cluster_my_id(sim->nodes[i].cluster), id))
            return i;
        if (sim->nodes[i].cluster == NULL && sim->nodes[i].saved.len > 0 &&
            memmem(sim->nodes[i].saved.data, sim->nodes[i].saved.len, id->text, NODE_ID_LEN)) {
            struct topology topology;
            if (!topology_parse(buffer_bytes(&sim->nodes[i].saved), &topology, NULL))
                continue;
            bool found = false;
            for (size_t n = 0; n < topology.count; n++)
                found |= (topology.nodes[n].flags & NODE_MYSELF) != 0 &&
                         node_id_equal(&topology.nodes[n].id, id);
            topology_free(&topology);
            if (found)
                return i;
        }
    }
    cr_assert_fail("nobody has the ID %s", id->text);
    return 0;
}

uint64_t sim_offset(struct sim *sim, unsigned node)
{
    return sim->nodes[node].offset;
}

bool sim_has_keys(struct sim *sim, unsigned node, unsigned slot)
{
    return slot_set_has(&sim->nodes[node].keys, slot);
}

void sim_set_keys(struct sim *sim, unsigned node, unsigned slot, bool keys)
{
    if (keys)
        slot_set_add(&sim->nodes[node].keys, slot);
    else
        slot_set_remove(&sim->nodes[node].keys, slot);
}

bool sim_writes_are_paused(struct sim *sim, unsigned node)
{
    return sim->now < sim->nodes[node].writes_paused_until;
}

const struct sim_options *sim_options(const struct sim *sim)
{
    return &sim->options;
}

char *sim_reason(struct sim *sim)
{
    return sim->reason;
}
