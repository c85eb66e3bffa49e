/* Which keys go is told by samples, as Redis does it. A walk goes round the slots and takes a
 * bucket of keys now and then, so that each key is as likely to be looked at as any other: a slot
 * with many keys is sampled more often. The best candidates seen are kept in a pool, from sample to
 * sample; the best of them goes if it is still there and has not been used since.
 *
 * Each thread has a walk and a pool of its own. A candidate is known by its place, the entry's
 * address and hash; it is looked for there, under the slot's lock, before anything is done with it,
 * so that it may be gone, or be another key by now: that one is judged anew. */
#include "server/command/evict.h"

#include "server/clock.h"
#include "server/command/block.h"
#include "server/command/latency.h"
#include "server/command/notify.h"
#include "server/command/push.h"
#include "server/command/stats.h"
#include "server/command/tracking.h"
#include "server/command/watch.h"
#include "server/config.h"
#include "server/info.h"
#include "server/journal/journal.h"
#include "server/log.h"
#include "server/memory_usage.h"
#include "server/periodic.h"
#include "server/store/access.h"
#include "server/store/lazy.h"

#include "common/memory.h"
#include "common/resp.h"
#include <inttypes.h>
#include <stdlib.h>

enum {
    POOL = 16,
    BUCKET = 64, /* entries of one bucket that are looked at, at most */
    LOOKS_FEW = SLOT_COUNT / 8,
    LOOKS = 4 * SLOT_COUNT, /* slots and buckets that one search passes at most */
    TRIES = 64,             /* candidates that turn out to be gone before the search is given up */
    TICK_US = 10000,        /* of each 100 ms, without commands */
    CLOCK_EVERY = 16,       /* evictions between two looks at the clock */
};

/* Higher scores go first. */
struct candidate {
    uint64_t score;
    uint64_t hash;
    struct slot *slot;
    struct entry *entry; /* only to be compared with what is found under the slot's lock */
    unsigned database;
};

/* Of one thread. */
struct evictor {
    uint64_t random; /* 0: not begun */
    unsigned database, slot;
    uint64_t skip;               /* keys to pass before the next sample */
    struct candidate pool[POOL]; /* by score, the best last */
    size_t pool_count;
    int64_t pool_policy; /* that the scores are of */
};

static struct journal *journal; /* set before any worker runs */

/* Since when memory has been over the limit without a break, microseconds; 0: it is not. And how
 * long it was in all before that. */
static _Atomic int64_t over_since, over_total;

static uint64_t draw(struct evictor *evictor)
{
    if (!evictor->random)
        evictor->random = (uint64_t)clock_ticks() * UINT64_C(0x9e3779b97f4a7c15) | 1;
    evictor->random ^= evictor->random << 13;
    evictor->random ^= evictor->random >> 7;
    evictor->random ^= evictor->random << 17;
    return evictor->random * UINT64_C(0x2545f4914f6cdd1d);
}

/* ---- How much ---- */

size_t evict_not_counted(void)
{
    if (!journal)
        return 0;
    struct journal_backlog backlog = journal_backlog(journal);
    size_t held = journal_memory(journal), kept = backlog.active ? backlog.size : 0;
    return held > kept ? held - kept : 0;
}

/* Bytes above the limit; 0: within it. */
static size_t excess(void)
{
    size_t limit = (size_t)config_number(CONFIG_MAXMEMORY);
    size_t used = memory_usage_estimate(limit);
    if (limit == 0 || used <= limit)
        return 0;
    size_t other = evict_not_counted();
    return used - other > limit && used > other ? used - other - limit : 0;
}

/* ---- What ---- */

/* Whether the policy lets the entry go, and how soon. */
static bool judge(const struct entry *entry, int64_t policy, int64_t now, uint64_t *score)
{
    if (policy & CONFIG_EVICT_VOLATILE && !(entry->flags & ENTRY_EXPIRES))
        return false;
    if (policy & CONFIG_EVICT_LRU)
        *score = (uint64_t)access_idle_seconds(entry, now);
    else if (policy & CONFIG_EVICT_LFU)
        *score = ACCESS_COUNT_MAX - access_count(entry, now);
    else if (policy & CONFIG_EVICT_TTL)
        *score = UINT64_MAX - (uint64_t)entry_expiry(entry);
    else
        *score = 0;
    return true;
}

/* A bucket on the slot's table. */
struct sample {
    struct evictor *evictor;
    struct store *store;
    struct slot *slot;
    unsigned database;
    int64_t policy, now;
    size_t seen, fit;
};

static void put_into_pool(struct sample *sample, struct entry *entry, uint64_t score)
{
    struct evictor *evictor = sample->evictor;
    for (size_t i = 0; i < evictor->pool_count; i++) {
        if (evictor->pool[i].entry == entry)
            return;
    }
    size_t at = evictor->pool_count;
    while (at > 0 && evictor->pool[at - 1].score > score)
        at--;
    if (evictor->pool_count == POOL) {
        if (at == 0)
            return;
        at--;
        memmove(&evictor->pool[0], &evictor->pool[1], at * sizeof(evictor->pool[0]));
    } else {
        memmove(&evictor->pool[at + 1], &evictor->pool[at],
            (evictor->pool_count - at) * sizeof(evictor->pool[0]));
        evictor->pool_count++;
    }
    evictor->pool[at] = (struct candidate){ .score = score,
        .hash = store_hash(sample->store, entry_key(entry)),
        .slot = sample->slot,
        .entry = entry,
        .database = sample->database };
}

static void look(void *arg, table_cell *cell)
{
    struct sample *sample = arg;
    struct entry *entry = table_cell_entry(cell);
    uint64_t score;
    sample->seen++;
    if (!judge(entry, sample->policy, sample->now, &score))
        return;
    sample->fit++;
    put_into_pool(sample, entry, score);
}

static uint64_t weight_of(const struct slot *slot, int64_t policy)
{
    return policy & CONFIG_EVICT_VOLATILE ? slot->expires : slot->table.used;
}

static uint64_t candidates(const struct store *store, unsigned database, int64_t policy)
{
    int64_t count = policy & CONFIG_EVICT_VOLATILE ? store_expires_count(store, database)
                                                   : store_key_count(store, database);
    return count > 0 ? (uint64_t)count : 0;
}

/* Looks at keys from a random place of the slot on until so many fit; the slot is locked. */
static void sample_slot(struct sample *sample, size_t wanted)
{
    uint64_t start = draw(sample->evictor) >> 32;
    for (uint64_t at = start; at < TABLE_SCAN_END && sample->fit < wanted;) {
        if (sample->seen > BUCKET)
            break;
        at = table_scan(&sample->slot->table, at, 1, look, sample);
    }
    for (uint64_t at = 0; at < start && sample->fit < wanted && sample->seen <= BUCKET;)
        at = table_scan(&sample->slot->table, at, 1, look, sample);
}

/* How many keys there are to choose from in the database where the walk is, or in the next one that
 * has any; no more is passed over than one way round. */
static uint64_t enter_database(struct evictor *evictor, const struct store *store, int64_t policy)
{
    uint64_t count = candidates(store, evictor->database, policy);
    for (unsigned i = 1; count == 0 && i < store_databases(store); i++) {
        evictor->slot = 0;
        evictor->database = (evictor->database + 1) % store_databases(store);
        count = candidates(store, evictor->database, policy);
    }
    if (evictor->skip >= count)
        evictor->skip = count ? evictor->skip % count : 0;
    return count;
}

/* Looks into the slot where the walk is, and moves on when it is through with it. */
static void visit_slot(struct sample *sample, uint64_t mean, size_t wanted)
{
    struct evictor *evictor = sample->evictor;
    struct slot *slot = sample->slot;
    if (!slot_lock_try(&slot->lock)) {
        evictor->slot++;
        return;
    }
    uint64_t weight = slot->in_transit ? 0 : weight_of(slot, sample->policy);
    if (evictor->skip < weight) {
        size_t before = sample->fit;
        sample->seen = 0;
        sample_slot(sample, wanted);
        /* So many keys stand for as many others, which are passed over. */
        size_t got = sample->fit > before ? sample->fit - before : 1;
        evictor->skip += (mean + draw(evictor) % mean) * got;
    }
    slot_lock_release(&slot->lock);
    if (evictor->skip < weight)
        return;
    evictor->skip -= weight;
    evictor->slot++;
}

/* Gives the pool some more candidates; false: a long search has found none. */
static bool sample(struct evictor *evictor, struct executor *executor, int64_t policy)
{
    struct store *store = executor->store;
    struct sample sample = {
        .evictor = evictor, .store = store, .policy = policy, .now = executor->now
    };
    size_t wanted = (size_t)config_number(CONFIG_MAXMEMORY_SAMPLES);
    if (wanted > BUCKET)
        wanted = BUCKET;
    uint64_t count = enter_database(evictor, store, policy);
    for (unsigned looks = 0; looks < LOOKS && sample.fit < wanted && count > 0; looks++) {
        if (looks > LOOKS_FEW && sample.fit > 0)
            break; /* there are so few that one is as good as another */
        sample.database = evictor->database;
        sample.slot = store_slot(store, evictor->database, evictor->slot);
        visit_slot(&sample, count / SLOT_COUNT + 1, wanted);
        if (evictor->slot == SLOT_COUNT) {
            evictor->slot = 0;
            evictor->database = (evictor->database + 1) % store_databases(store);
            count = enter_database(evictor, store, policy);
        }
    }
    return sample.fit > 0;
}

/* ---- Away ---- */

/* The cell of the entry, where it still is in its place. */
struct search {
    const struct entry *entry;
    table_cell *cell;
};

static void compare(void *arg, table_cell *cell)
{
    struct search *search = arg;
    if (table_cell_entry(cell) == search->entry)
        search->cell = cell;
}

/* What must be told of a key that goes, before it goes; its slot is locked. */
static void tell(struct executor *executor, const struct candidate *candidate, struct bytes name)
{
    bool replica = condition_all() & CONDITION_REPLICA;
    if (journal_is_active(journal) && !replica) {
        struct buffer effect = { 0 };
        struct bytes verb =
            config_is(CONFIG_LAZYFREE_LAZY_EVICTION) ? BYTES("UNLINK") : BYTES("DEL");
        resp_write_command(&effect, (struct bytes[]){ verb, name }, 2);
        journal_append_raw(journal, (int)candidate->database, buffer_bytes(&effect));
        buffer_free(&effect);
    }
    watch_touch(candidate->slot, name);
    tracking_touch(executor, 0, name);
    if (candidate->slot->blocked)
        block_mark(executor, candidate->slot, candidate->hash, name);
    notify_event(executor, candidate->database, name, NOTIFY_EVICTED, "evicted");
}

/* Removes it if it is still there and as good a choice as it was; *freed grows by its bytes. */
static bool evict(struct executor *executor, const struct candidate *candidate, int64_t policy,
    size_t *freed)
{
    struct slot *slot = candidate->slot;
    struct search search = { candidate->entry, NULL };
    uint64_t score;
    slot_lock_acquire(&slot->lock);
    table_scan(&slot->table, candidate->hash >> 32, 1, compare, &search);
    struct entry *entry = search.cell ? table_cell_entry(search.cell) : NULL;
    bool goes = entry && !slot->in_transit && judge(entry, policy, executor->now, &score) &&
                score >= candidate->score &&
                store_hash(executor->store, entry_key(entry)) == candidate->hash;
    if (goes) {
        *freed += entry_memory(entry);
        int64_t start = clock_monotonic_us();
        tell(executor, candidate, entry_key(entry));
        store_remove(executor->store, slot, candidate->hash, search.cell);
        latency_sample("eviction-del", (clock_monotonic_us() - start) / 1000);
        counter_add(&executor->counters.evicted, 1);
        block_serve(executor, &slot, 1);
    }
    slot_lock_release(&slot->lock);
    return goes;
}

/* One key; false: there was none to be found. */
static bool evict_one(
    struct evictor *evictor, struct executor *executor, int64_t policy, size_t *freed)
{
    if (evictor->pool_policy != policy) {
        evictor->pool_count = 0; /* scores of another kind */
        evictor->pool_policy = policy;
    }
    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (policy & CONFIG_EVICT_RANDOM)
            evictor->pool_count = 0;
        if (!sample(evictor, executor, policy) && evictor->pool_count == 0)
            return false;
        while (evictor->pool_count > 0) {
            size_t chosen = evictor->pool_count - 1;
            if (policy & CONFIG_EVICT_RANDOM)
                chosen = draw(evictor) % evictor->pool_count;
            struct candidate candidate = evictor->pool[chosen];
            evictor->pool_count = chosen;
            if (evict(executor, &candidate, policy, freed))
                return true;
        }
    }
    return false;
}

/* ---- When ---- */

/* Microseconds that one making of room may take. */
static int64_t time_limit(void)
{
    int64_t tenacity = config_number(CONFIG_MAXMEMORY_EVICTION_TENACITY);
    if (tenacity <= 10)
        return 50 * tenacity;
    if (tenacity >= 100)
        return INT64_MAX;
    double limit = 500;
    for (int64_t i = 10; i < tenacity; i++)
        limit *= 1.15;
    return (int64_t)limit;
}

/* Keeps the time spent over the limit. */
static void note_excess(bool over)
{
    int64_t since = atomic_load_explicit(&over_since, memory_order_relaxed);
    if (over == (since != 0))
        return;
    int64_t now = clock_monotonic_us();
    if (over)
        atomic_compare_exchange_strong(&over_since, &since, now);
    else if (atomic_compare_exchange_strong(&over_since, &since, 0))
        atomic_fetch_add(&over_total, now - since);
}

static bool has_candidates(const struct store *store, int64_t policy)
{
    uint64_t count = 0;
    for (unsigned i = 0; policy && i < store_databases(store); i++)
        count += candidates(store, i, policy);
    return count > 0;
}

/* What becomes so while all turns are stopped. A replica leaves it to its primary. */
static bool may_evict(void)
{
    uint32_t conditions = condition_all();
    if (conditions & CONDITION_REPLICA && config_is(CONFIG_REPLICA_IGNORE_MAXMEMORY))
        return false;
    return !(conditions & CONDITION_LOADING) && !pause_is_on();
}

/* Evicts until memory is within the limit, or time is over; false: nothing may go. */
static bool make_room(struct executor *executor, size_t over)
{
    static _Thread_local struct evictor evictor;
    int64_t policy = config_number(CONFIG_MAXMEMORY_POLICY);
    int64_t start = clock_monotonic_us(), limit = time_limit();
    size_t freed = 0;
    for (unsigned count = 1; excess() > 0 && freed < over; count++) {
        if (!has_candidates(executor->store, policy))
            return lazy_pending() > 0; /* some is about to be free */
        if (!evict_one(&evictor, executor, policy, &freed))
            break; /* others have the slots, or the keys were used: the next command looks again */
        if (count % CLOCK_EVERY == 0 && clock_monotonic_us() - start > limit)
            break;
    }
    latency_sample("eviction-cycle", (clock_monotonic_us() - start) / 1000);
    return true;
}

void evict_make_room(struct executor *executor)
{
    executor->out_of_memory = false;
    if (!may_evict())
        return;
    size_t over = excess();
    if (over > 0 && !make_room(executor, over))
        executor->out_of_memory = true;
    note_excess(over > 0 && excess() > 0);
}

/* A limit that was lowered, and what commands have left. */
static void tick(struct executor *executor, unsigned worker, unsigned workers)
{
    if (!(condition_all() & CONDITION_MAXMEMORY))
        return;
    int64_t start = clock_monotonic_us();
    bool more;
    do {
        turn_begin(executor->turn); /* a short one each: whoever stops all turns waits for it */
        evict_make_room(executor);
        push_flush(executor);
        more = !executor->out_of_memory && may_evict() && excess() > 0;
        turn_end(executor->turn);
    } while (more && clock_monotonic_us() - start < TICK_US);
    journal_wake(executor->journal);
}

/* ---- The other modules ---- */

static void follow_configuration(void)
{
    access_configure(config_number(CONFIG_MAXMEMORY_POLICY) & CONFIG_EVICT_LFU,
        config_number(CONFIG_LFU_LOG_FACTOR), config_number(CONFIG_LFU_DECAY_TIME));
    condition_set(CONDITION_MAXMEMORY, config_number(CONFIG_MAXMEMORY) > 0);
    if (config_number(CONFIG_MAXMEMORY) == 0)
        note_excess(false);
}

static bool changed(enum config_id id, struct error *error)
{
    follow_configuration();
    size_t limit = (size_t)config_number(CONFIG_MAXMEMORY), used = memory_usage_estimate(limit);
    if (id == CONFIG_MAXMEMORY && limit > 0 && used > limit)
        log_write(LOG_WARNING,
            "maxmemory is now %zu, less than the %zu bytes in use: keys will be evicted or "
            "commands refused, as maxmemory-policy has it",
            limit, used);
    return true;
}

static void tell_stats(struct buffer *out)
{
    struct executor_counters total;
    stats_total(&total);
    int64_t since = atomic_load(&over_since);
    int64_t current = since ? clock_monotonic_us() - since : 0;
    buffer_printf(out,
        "evicted_keys:%" PRIu64 "\r\ntotal_eviction_exceeded_time:%" PRId64
        "\r\ncurrent_eviction_exceeded_time:%" PRId64 "\r\n",
        total.evicted, (atomic_load(&over_total) + current) / 1000, current / 1000);
}

static void forget_time(void)
{
    atomic_store(&over_total, 0);
}

void evict_start(struct journal *of)
{
    journal = of;
    static const enum config_id ids[] = { CONFIG_MAXMEMORY, CONFIG_MAXMEMORY_POLICY,
        CONFIG_LFU_LOG_FACTOR, CONFIG_LFU_DECAY_TIME };
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        config_on_change(ids[i], changed);
    follow_configuration();
    periodic_add(tick, true);
    info_register("stats", tell_stats);
    stats_on_reset(forget_time);
}
