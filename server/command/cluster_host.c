#include "server/command/cluster_host.h"

#include "common/resp.h"
#include "server/command/condition.h"
#include "server/command/executor.h"
#include "server/command/pubsub.h"
#include "server/command/tracking.h"
#include "server/command/slot_stats.h"
#include "server/command/watch.h"
#include "server/persistence.h"
#include "server/replication/replication.h"
#include "server/store/lazy.h"

/* Set once; the executor is the bus thread's. */
static struct store *store;
static struct journal *journal;
static struct executor *executor;

static void follow(const struct address *address)
{
    replication_follow(address->ip, address->port);
}

static void pause_writes(int64_t until_ms)
{
    pause_begin(PAUSE_FAILOVER, true, until_ms);
}

static void unpause(void)
{
    pause_end(PAUSE_FAILOVER);
}

static void show_state(bool ok)
{
    condition_set(CONDITION_CLUSTER_DOWN, !ok);
}

/* ---- Keys of slots that another node owns now ---- */

struct key_journal {
    struct buffer resp;
};

static void journal_del(void *arg, table_cell *cell)
{
    struct key_journal *keys = arg;
    struct bytes name = entry_key(table_cell_entry(cell));
    keys->resp.len = 0;
    resp_write_command(&keys->resp, (struct bytes[]){ BYTES("DEL"), name }, 2);
    journal_append_raw(journal, 0, buffer_bytes(&keys->resp));
}

static void tell_trackers(void *arg, table_cell *cell)
{
    tracking_touch(executor, 0, entry_key(table_cell_entry(cell)));
}

/* The slot's table is taken out as a whole; a primary's replicas and its AOF hear of every key. */
static void empty_slot(unsigned number, struct key_journal *keys)
{
    struct slot *slot = store_slot(store, 0, number);
    slot_lock_acquire(&slot->lock);
    bool tells = journal_is_active(journal) && !(condition_all() & CONDITION_REPLICA);
    if (tells && slot->table.used > 0)
        table_scan(&slot->table, 0, SIZE_MAX, journal_del, keys);
    if (tracking_is_on() && slot->table.used > 0)
        table_scan(&slot->table, 0, SIZE_MAX, tell_trackers, NULL);
    watch_touch_slot(slot);
    struct table table = store_take_table(store, slot);
    slot_stats_reset(number);
    slot_lock_release(&slot->lock);
    lazy_free_table(table);
}

static void delete_keys(const struct slot_set *slots)
{
    struct key_journal keys = { 0 };
    for (unsigned first = 0, last; slot_set_next_range(slots, &first, &last); first = last + 1) {
        for (unsigned number = first; number <= last; number++) {
            turn_begin(executor->turn);
            empty_slot(number, &keys);
            turn_end(executor->turn);
            push_flush(executor);
        }
    }
    buffer_free(&keys.resp);
    journal_wake(journal);
}

static void empty(void)
{
    struct slot_set all;
    memset(&all, 0xff, sizeof(all));
    delete_keys(&all);
}

static void publish(bool sharded, struct bytes channel, struct bytes message)
{
    pubsub_publish(NULL, sharded ? TOPIC_SHARD : TOPIC_CHANNEL, channel, message, false);
}

static const struct cluster_hooks hooks = { replication_for_cluster, follow, replication_lead,
    pause_writes, unpause, show_state, delete_keys, empty, publish, pubsub_slots_left };

const struct cluster_hooks *cluster_host_hooks(struct store *the_store, struct journal *the_journal)
{
    store = the_store;
    journal = the_journal;
    executor = executor_create(store, journal);
    return &hooks;
}
