/* Ten times a second every worker looks at its share of the slots, going on where it stopped the
 * last time: in each slot that has keys with an expiry it scans some buckets and removes what is
 * over. As long as a good part of what it finds is over it goes on, up to a share of its time; so a
 * burst of expiries is worked off quickly, and a quiet store costs a look at some counts. */
#include "server/command/expire.h"

#include "server/clock.h"
#include "server/command/block.h"
#include "server/command/condition.h"
#include "server/command/key.h"
#include "server/command/notify.h"
#include "server/command/push.h"
#include "server/command/tracking.h"
#include "server/command/watch.h"
#include "server/config.h"
#include "server/journal/journal.h"
#include "server/periodic.h"

#include "common/memory.h"
#include "common/resp.h"
#include <stdlib.h>

enum {
    SCAN = 64,       /* entries looked at under one hold of a slot's lock */
    EFFORT_MAX = 10, /* of active-expire-effort, which begins with 1 */
};

/* What a tick may cost, by active-expire-effort: from the first to the last level in even steps. */
static int64_t by_effort(int64_t first, int64_t last)
{
    int64_t level = config_number(CONFIG_ACTIVE_EXPIRE_EFFORT) - 1;
    return first + (last - first) * level / (EFFORT_MAX - 1);
}

struct effort {
    int64_t budget_us; /* of each 100 ms, while much is over */
    unsigned slots;    /* looked at where there is little to do */
    size_t little;     /* percent of what is seen that may be over without calling for more */
};

static struct effort effort_now(void)
{
    return (struct effort){ .budget_us = by_effort(10000, 33000),
        .slots = (unsigned)by_effort(2048, SLOT_COUNT),
        .little = (size_t)by_effort(25, 5) };
}

/* Where a worker is on its round; its own. */
struct round {
    unsigned database, slot;
    uint64_t position;
};

/* One scan under a lock: finds the cells of entries that are over. */
struct finding {
    int64_t now;
    size_t seen, timed, over;
    struct entry *entries[SCAN * 2];
};

static void look(void *arg, table_cell *cell)
{
    struct finding *finding = arg;
    struct entry *entry = table_cell_entry(cell);
    finding->seen++;
    finding->timed += entry_expiry(entry) != ENTRY_NO_EXPIRY;
    if (entry_is_expired(entry, finding->now) && finding->over < SCAN * 2)
        finding->entries[finding->over++] = entry;
}

/* Whether the name is wanted when the entry is gone. */
static bool is_anyone_told(void)
{
    return tracking_is_on() ||
           atomic_load_explicit(&notify_classes, memory_order_relaxed) & NOTIFY_EXPIRED;
}

static void remove_one(struct executor *executor, unsigned database, struct slot *slot,
    struct entry *entry, struct buffer *effects)
{
    struct bytes name = entry_key(entry);
    uint64_t hash = store_hash(executor->store, name);
    table_cell *cell = store_find(slot, hash, name);
    if (journal_is_active(executor->journal)) {
        effects->len = 0;
        resp_write_command(effects, (struct bytes[]){ BYTES("DEL"), name }, 2);
        journal_append_raw(executor->journal, (int)database, buffer_bytes(effects));
    }
    char few[256];
    bool watched = slot->watches || slot->blocked || is_anyone_told();
    char *copy = watched && name.len > sizeof(few) ? memory_copy(name.data, name.len) : few;
    if (watched && copy == few)
        memcpy(few, name.data, name.len);
    struct bytes kept = { copy, name.len };
    store_remove(executor->store, slot, hash, cell);
    if (watched) {
        watch_touch(slot, kept);
        tracking_touch(executor, 0, kept);
        notify_event(executor, database, kept, NOTIFY_EXPIRED, "expired");
    }
    if (slot->blocked)
        block_mark(executor, slot, hash, kept);
    if (copy != few)
        free(copy);
    counter_add(&executor->counters.expired, 1);
}

/* What may keep it becomes so while all turns are stopped. */
static atomic_bool inactive; /* DEBUG SET-ACTIVE-EXPIRE 0 */

void expire_set_active(bool on)
{
    atomic_store(&inactive, !on);
}

static bool may_expire(void)
{
    if (atomic_load_explicit(&inactive, memory_order_relaxed))
        return false;
    uint32_t conditions = condition_all();
    return !(conditions & (CONDITION_REPLICA | CONDITION_LOADING)) && !pause_is_on();
}

/* Looks at a part of the slot; returns whether there is more of it. In a turn. */
static bool work_on(struct executor *executor, struct round *round, struct finding *finding)
{
    if (!may_expire())
        return false;
    struct slot *slot = store_slot(executor->store, round->database, round->slot);
    /* A glance without the lock would race; most slots of most stores have nothing, and the lock is
     * free. */
    if (!slot_lock_enter(&slot->lock))
        return false; /* a script has it, and time stands still for it */
    bool more = false;
    if (slot->expires > 0 && slot->serving <= SLOT_MIGRATING) {
        struct buffer effects = { 0 };
        finding->over = 0;
        uint64_t next = table_scan(&slot->table, round->position, SCAN, look, finding);
        for (size_t i = 0; i < finding->over; i++)
            remove_one(executor, round->database, slot, finding->entries[i], &effects);
        buffer_free(&effects);
        block_serve(executor, &slot, 1);
        more = next < TABLE_SCAN_END && slot->expires > 0;
        round->position = next;
    }
    slot_lock_release(&slot->lock);
    return more;
}

static void step(struct round *round, unsigned databases, unsigned worker, unsigned workers)
{
    round->position = 0;
    round->slot += workers;
    if (round->slot < SLOT_COUNT)
        return;
    round->slot = worker;
    round->database = (round->database + 1) % databases;
}

static void count(struct executor_counters *counters, const struct finding *finding)
{
    if (finding->timed == 0)
        return;
    counter_add(&counters->expire_looked, finding->timed);
    counter_add(&counters->expire_over, finding->over);
}

static void expire(struct executor *executor, unsigned worker, unsigned workers)
{
    static _Thread_local struct round round;
    static _Thread_local bool placed;
    if (!may_expire())
        return;
    if (!placed) {
        round.slot = worker;
        placed = true;
    }
    unsigned databases = store_databases(executor->store);
    bool any = false;
    for (unsigned i = 0; i < databases; i++)
        any = any || store_expires_count(executor->store, i) > 0;
    if (!any)
        return;
    const struct effort effort = effort_now();
    int64_t start = clock_monotonic_us();
    for (unsigned slots = 0; slots < effort.slots;) {
        struct finding finding = { .now = executor->now };
        turn_begin(executor->turn); /* a short one each: whoever stops all turns waits for it */
        bool more = work_on(executor, &round, &finding);
        turn_end(executor->turn);
        push_flush(executor);
        count(&executor->counters, &finding);
        if (!more) {
            step(&round, databases, worker, workers);
            /* Where much is over it is worth to go on: such a slot does not count. */
            slots += finding.over * 100 < finding.seen * effort.little || finding.seen == 0;
        }
        if (finding.seen > 0 && clock_monotonic_us() > start + effort.budget_us) {
            counter_add(&executor->counters.expire_cut_short, 1);
            break;
        }
    }
    counter_add(&executor->counters.expire_us, (uint64_t)(clock_monotonic_us() - start));
    journal_wake(executor->journal);
}

void expire_start(void)
{
    periodic_add(expire, true);
}
