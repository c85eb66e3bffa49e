/* The bus thread. Everything that happens to the cluster (a message, a link that breaks, a tick, a
 * command) is one call of the state machine. What has come together is one turn: its effects are
 * carried out at its end, in their order, so that it costs one save of nodes.conf, one view and one
 * message to all; then the commands of the turn are answered. What cannot wait ends the turn early.
 *
 * When the state machine shows a new revision the slots' serving fields are brought up to date, and
 * a new view is published: fields of slots that are gained are set before the view, those of lost
 * ones after it, so a client is at worst sent to the right node a moment early. */
#include "server/cluster/service.h"

#include "common/memory.h"
#include "server/clock.h"
#include "server/cluster/bus.h"
#include "server/cluster/nodes_conf.h"
#include "server/cluster/post_office.h"
#include "server/cluster/published.h"
#include "server/cluster/serving.h"
#include "server/cluster/settings.h"
#include "server/config.h"
#include "server/log.h"
#include "server/mailbox.h"
#include "server/thread.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

enum { TICK_MS = 100, BACKLOG = 511 };

/* The bus thread's, or, before it runs, the main thread's. */
static struct {
    struct store *store;
    const struct cluster_hooks *hooks;
    struct cluster *cluster; /* NULL without cluster-enabled */
    struct nodes_conf *conf;
    struct event_base *base;
    struct mailbox *mailbox;
    struct bus *bus;
    uint64_t revision; /* of the newest view */
    int64_t unix_start, monotonic_start;
    pthread_t thread;
    bool told_ok; /* what the hooks were told of the cluster's state */
    bool lags;    /* a field could not be set: the next tick tries again */
    bool follows; /* the hooks were told last to follow a primary */
    bool running, stopping;
    bool ending_turn;                      /* what happens now is part of that */
    struct errand *errands, **last_errand; /* that have run in this turn */
    atomic_size_t link_memory;             /* bytes; read by any thread */
} service;

/* Unix time that never goes back. */
static int64_t now_ms(void)
{
    return service.unix_start + (clock_monotonic_ms() - service.monotonic_start);
}

/* ---- What is shown ---- */

static void set_slots(const struct cluster_view *view, bool gained)
{
    struct slot_set left = { 0 };
    if (!serving_set(service.cluster, view, gained, &left))
        service.lags = true;
    if (!slot_set_is_empty(&left))
        service.hooks->slots_left(&left);
}

/* Before slots become mine, as commands on them would be refused as a replica's. */
static void lead(void)
{
    if (service.follows)
        service.hooks->lead();
    service.follows = false;
}

/* Before the view says that the cluster is well, so that who reads it there is served. */
static void tell_state(void)
{
    bool ok = cluster_is_ok(service.cluster);
    if (ok != service.told_ok)
        service.hooks->state(ok);
    service.told_ok = ok;
}

static void show(void)
{
    if (cluster_is_primary(service.cluster))
        lead();
    tell_state();
    struct cluster_view *view = cluster_view_create(service.cluster, now_ms());
    bool changed = view->revision != service.revision || service.lags;
    service.lags = false;
    service.revision = view->revision;
    post_office_set_others(view->node_count > 1);
    if (changed)
        set_slots(view, true);
    cluster_view_publish(view);
    if (changed)
        set_slots(view, false);
}

static void show_if_changed(void)
{
    if (cluster_revision(service.cluster) != service.revision)
        show();
}

/* ---- Effects ---- */

static void save_conf(const struct cluster_effect *effect)
{
    struct buffer text = { 0 };
    struct error error;
    cluster_render_conf(service.cluster, &text);
    if (!nodes_conf_save(service.conf, buffer_bytes(&text), effect->sync, &error)) {
        log_write(LOG_WARNING, "%s", error.text);
        log_write(LOG_WARNING,
            "A node that forgets its votes and epochs could break the cluster: "
            "ending. Make room for the cluster's configuration file and start again");
        _Exit(EXIT_FAILURE);
    }
    buffer_free(&text);
}

static void do_connect(const struct cluster_effect *effect)
{
    bus_connect(service.bus, effect->link, &effect->address);
}

static void do_close(const struct cluster_effect *effect)
{
    bus_close(service.bus, effect->link);
}

static void do_send(const struct cluster_effect *effect)
{
    bus_send(service.bus, effect->link, effect->bytes);
}

static void do_slots(const struct cluster_effect *effect)
{
    show_if_changed();
}

static void do_delete_keys(const struct cluster_effect *effect)
{
    show_if_changed();
    service.hooks->delete_keys(effect->slots);
}

static void do_empty(const struct cluster_effect *effect)
{
    service.hooks->empty();
}

static void do_follow(const struct cluster_effect *effect)
{
    show_if_changed();
    service.follows = true;
    service.hooks->follow(&effect->address);
}

static void do_lead(const struct cluster_effect *effect)
{
    lead();
    show_if_changed();
}

static void do_pause(const struct cluster_effect *effect)
{
    service.hooks->pause(effect->until);
    cluster_writes_paused(service.cluster, true, now_ms());
}

static void do_unpause(const struct cluster_effect *effect)
{
    show_if_changed(); /* those who waited are to see who serves them now */
    service.hooks->unpause();
}

static void do_state(const struct cluster_effect *effect)
{
    show_if_changed();
}

static void do_publish(const struct cluster_effect *effect)
{
    service.hooks->publish(effect->sharded, effect->channel, effect->message);
}

static void do_log(const struct cluster_effect *effect)
{
    log_write(effect->level, "%s", effect->text);
}

static void (*const effect_table[])(const struct cluster_effect *effect) = {
    [CLUSTER_EFFECT_CONNECT] = do_connect,
    [CLUSTER_EFFECT_CLOSE] = do_close,
    [CLUSTER_EFFECT_SEND] = do_send,
    [CLUSTER_EFFECT_SAVE] = save_conf,
    [CLUSTER_EFFECT_SLOTS] = do_slots,
    [CLUSTER_EFFECT_DELETE_KEYS] = do_delete_keys,
    [CLUSTER_EFFECT_EMPTY_DATA] = do_empty,
    [CLUSTER_EFFECT_FOLLOW] = do_follow,
    [CLUSTER_EFFECT_LEAD] = do_lead,
    [CLUSTER_EFFECT_PAUSE] = do_pause,
    [CLUSTER_EFFECT_UNPAUSE] = do_unpause,
    [CLUSTER_EFFECT_STATE] = do_state,
    [CLUSTER_EFFECT_PUBLISH] = do_publish,
    [CLUSTER_EFFECT_LOG] = do_log,
};

/* Whether there were any. */
static bool do_effects(void)
{
    struct cluster_effect effect;
    bool any = false;
    while (cluster_next_effect(service.cluster, &effect)) {
        effect_table[effect.kind](&effect);
        any = true;
    }
    return any;
}

static void carry_out(void)
{
    bool any;
    do { /* a link may break while it is written to */
        any = do_effects();
        bus_flush(service.bus);
    } while (any);
    show_if_changed();
}

/* ---- Turns ---- */

/* A command on its way through the bus thread. */
struct errand {
    struct errand *next; /* of those that have run and are not answered */
    void (*fn)(struct cluster *cluster, int64_t now, void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void answer_errands(void)
{
    struct errand *errand = service.errands;
    service.errands = NULL;
    service.last_errand = &service.errands;
    while (errand) {
        struct errand *next = errand->next;
        if (errand->done)
            errand->done(errand->arg);
        free(errand);
        errand = next;
    }
}

static void end_turn(void)
{
    service.ending_turn = true;
    carry_out();
    service.ending_turn = false;
    answer_errands();
}

/* After each call of the state machine. */
static void input_is_done(void)
{
    if (!service.ending_turn && cluster_is_urgent(service.cluster))
        end_turn();
}

/* ---- Events of the bus ---- */

static uint64_t on_accepted(void *arg, const char *peer_ip, const char *local_ip)
{
    uint64_t link = cluster_link_accepted(service.cluster, peer_ip, local_ip, now_ms());
    input_is_done();
    return link;
}

static void on_connected(void *arg, uint64_t link)
{
    cluster_link_connected(service.cluster, link, now_ms());
    input_is_done();
}

static void on_refused(void *arg, uint64_t link)
{
    cluster_link_refused(service.cluster, link, now_ms());
    input_is_done();
}

static void on_broken(void *arg, uint64_t link)
{
    cluster_link_broken(service.cluster, link, now_ms());
    input_is_done();
}

static void on_message(void *arg, uint64_t link, const void *data, size_t len)
{
    cluster_receive(service.cluster, link, data, len, now_ms());
    input_is_done();
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    cluster_tick(service.cluster, now_ms());
    end_turn();
    show(); /* for the times of pings and pongs */
    atomic_store(&service.link_memory, bus_memory(service.bus));
}

static void run_errand(void *arg)
{
    struct errand *errand = arg;
    errand->fn(service.cluster, now_ms(), errand->arg);
    *service.last_errand = errand;
    service.last_errand = &errand->next;
    input_is_done();
}

void cluster_service_post(
    void (*fn)(struct cluster *cluster, int64_t now, void *arg), void (*done)(void *arg), void *arg)
{
    struct errand *errand = memory_alloc(sizeof(*errand));
    *errand = (struct errand){ NULL, fn, done, arg };
    mailbox_post(service.mailbox, run_errand, errand);
}

static void message_sent(void)
{
    do_effects();
}

static void send_messages(struct cluster *cluster, int64_t now, void *arg)
{
    post_office_send(cluster, now, message_sent);
}

void cluster_service_publish(bool sharded, struct bytes channel, struct bytes message)
{
    if (post_office_put(sharded, channel, message))
        cluster_service_post(send_messages, NULL, NULL);
}

/* ---- Configuration ---- */

static void reconfigure(struct cluster *cluster, int64_t now, void *arg)
{
    struct cluster_config config;
    cluster_settings_read(&config);
    cluster_configure(cluster, &config, now);
}

static bool config_changed(enum config_id id, struct error *error)
{
    if (service.cluster)
        cluster_service_post(reconfigure, NULL, NULL);
    return true;
}

/* ---- What the state machine asks ---- */

static void host_random(void *context, void *out, size_t len)
{
    if (getrandom(out, len, 0) != (ssize_t)len)
        abort();
}

static struct cluster_replication host_replication(void *context)
{
    return service.hooks->replication();
}

static size_t host_count_keys(void *context, unsigned number)
{
    struct slot *slot = store_slot(service.store, 0, number);
    slot_lock_acquire(&slot->lock);
    size_t count = slot->table.used;
    slot_lock_release(&slot->lock);
    return count;
}

static size_t host_count_all_keys(void *context)
{
    return (size_t)store_key_count(service.store, 0);
}

static const struct cluster_host host = { NULL, host_random, host_replication, host_count_keys,
    host_count_all_keys };

/* ---- Life ---- */

static bool restore(bool *found, struct error *error)
{
    struct topology saved = { 0 };
    if (!nodes_conf_load(service.conf, &saved, found, error))
        return false;
    struct cluster_config config;
    cluster_settings_read(&config);
    service.cluster = cluster_create(&config, &host, *found ? &saved : NULL, now_ms(), error);
    topology_free(&saved);
    return service.cluster != NULL;
}

bool cluster_service_open(
    struct store *store, const struct cluster_hooks *hooks, struct error *error)
{
    service.store = store;
    serving_open(store);
    service.hooks = hooks;
    service.last_errand = &service.errands;
    service.unix_start = clock_unix_ms();
    service.monotonic_start = clock_monotonic_ms();
    cluster_settings_watch(config_changed);
    if (!config_is(CONFIG_CLUSTER_ENABLED))
        return true;
    char *path = config_text(CONFIG_CLUSTER_CONFIG_FILE);
    service.conf = nodes_conf_open(path, error);
    free(path);
    bool found;
    if (!service.conf || !restore(&found, error))
        return false;
    service.base = event_base_new();
    service.mailbox = mailbox_create(service.base);
    service.bus = bus_create(service.base, &(struct bus_handler){ on_accepted, on_connected,
                                               on_refused, on_broken, on_message, NULL });
    hooks->state(false);
    show();
    if (!found)
        carry_out(); /* a new ID is on disk before anyone hears of it */
    return true;
}

void cluster_service_data_loaded(void)
{
    if (service.cluster)
        cluster_verify_keys(service.cluster, now_ms());
}

static void *run(void *arg)
{
    thread_enter("bus", THREAD_SERVER);
    end_turn();
    while (!service.stopping) {
        event_base_loop(service.base, EVLOOP_ONCE);
        end_turn();
    }
    return NULL;
}

bool cluster_service_start(struct error *error)
{
    if (!service.cluster)
        return true;
    char *bind = config_text(CONFIG_BIND);
    bool listens = bus_listen(service.bus, bind, cluster_settings_bus_port(), BACKLOG, error);
    free(bind);
    if (!listens)
        return false;
    struct event *tick = event_new(service.base, -1, EV_PERSIST, on_tick, NULL);
    event_add(tick, &(struct timeval){ 0, TICK_MS * 1000 });
    if (pthread_create(&service.thread, NULL, run, NULL) != 0)
        return error_set(error, "cannot start the cluster bus thread: %m");
    service.running = true;
    return true;
}

static void stop(void *arg)
{
    service.stopping = true;
}

void cluster_service_stop(void)
{
    if (service.running) {
        mailbox_post(service.mailbox, stop, NULL);
        pthread_join(service.thread, NULL);
        service.running = false;
    }
    if (service.bus)
        bus_destroy(service.bus);
    service.bus = NULL;
    nodes_conf_close(service.conf);
    service.conf = NULL;
}

struct cluster_service_link cluster_service_link_state(uint64_t link)
{
    struct cluster_service_link state = { 0 };
    state.unsent = bus_unsent(service.bus, link, &state.allocated, &state.is_writing);
    return state;
}

size_t cluster_service_link_memory(void)
{
    return atomic_load(&service.link_memory);
}

uint64_t cluster_service_links_closed(void)
{
    return service.bus ? bus_overflows(service.bus) : 0;
}
