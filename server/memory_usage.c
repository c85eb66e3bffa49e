#include "server/memory_usage.h"

#include "server/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    FRESH_MS = 100,
    RECENT_MS = 5,         /* for an estimate above the limit */
    NOTED_FROM = 4 * 1024, /* bytes that a thread keeps to itself */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct memory_usage last; /* these two under mutex */
static int64_t last_ms = INT64_MIN;

/* What was told last, when, and the bytes that threads have noted since. */
static _Atomic int64_t told_used, told_ms = INT64_MIN / 2, noted;

#if defined(SLOTD_SANITIZE)

/* The sanitizers bring an allocator of their own, which counts bytes and nothing else; gcc brings no header. */
size_t __sanitizer_get_current_allocated_bytes(void);

static void ask_allocator(struct memory_usage *usage)
{
    usage->used = usage->active = usage->resident = __sanitizer_get_current_allocated_bytes();
}

/* It counts for all threads at once. */
static bool ask_thread(int64_t *balance)
{
    *balance = 0;
    return false;
}

void memory_usage_purge(void)
{
}

bool memory_usage_print(struct buffer *out)
{
    return false;
}

const char *memory_usage_allocator(void)
{
    return "sanitizer";
}

#else

#include <jemalloc/jemalloc.h>

static size_t ask(const char *name)
{
    size_t value = 0, size = sizeof(value);
    return mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

static void ask_allocator(struct memory_usage *usage)
{
    uint64_t epoch = 1;
    size_t size = sizeof(epoch);
    mallctl("epoch", &epoch, &size, &epoch, size); /* the figures are those of this moment */
    usage->used = ask("stats.allocated");
    usage->active = ask("stats.active");
    usage->resident = ask("stats.resident");
}

/* What the thread has allocated in its life, less what it has freed. */
static bool ask_thread(int64_t *balance)
{
    static _Thread_local uint64_t *allocated, *freed;
    size_t size = sizeof(uint64_t *);
    if (!allocated && mallctl("thread.allocatedp", &allocated, &size, NULL, 0) != 0)
        return false;
    if (!freed && mallctl("thread.deallocatedp", &freed, &size, NULL, 0) != 0)
        return false;
    *balance = (int64_t)(*allocated - *freed);
    return true;
}

void memory_usage_purge(void)
{
    char name[64];
    mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
    snprintf(name, sizeof(name), "arena.%u.purge", (unsigned)MALLCTL_ARENAS_ALL);
    mallctl(name, NULL, NULL, NULL, 0);
}

static void append_text(void *arg, const char *text)
{
    buffer_append_text(arg, text);
}

bool memory_usage_print(struct buffer *out)
{
    malloc_stats_print(append_text, out, NULL);
    return true;
}

/* "5.3.0-0-g54ea..." of the library that is loaded, which need not be the one compiled with. */
static char allocator_name[32];

static void name_allocator(void)
{
    const char *version = "";
    size_t size = sizeof(version);
    mallctl("version", &version, &size, NULL, 0);
    snprintf(allocator_name, sizeof(allocator_name), "jemalloc-%.*s", (int)strcspn(version, "-"),
        version);
}

const char *memory_usage_allocator(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, name_allocator);
    return allocator_name;
}

#endif

/* The second number of /proc/self/statm, in pages. */
static size_t read_rss(void)
{
    unsigned long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* The balance of the thread when it noted it last. */
static _Thread_local int64_t noted_balance;

/* mutex is held. What other threads have not noted yet is told now, and noted later: so they keep
 * but little to themselves. */
static void refresh(int64_t now)
{
    int64_t balance;
    if (ask_thread(&balance))
        noted_balance = balance;
    atomic_store(&noted, 0);
    ask_allocator(&last);
    last_ms = now;
    if (last.used > last.peak)
        last.peak = last.used;
    atomic_store(&told_used, (int64_t)last.used);
    atomic_store(&told_ms, now);
}

void memory_usage_note(void)
{
    int64_t balance;
    if (!ask_thread(&balance))
        return;
    int64_t change = balance - noted_balance;
    if (change < NOTED_FROM && change > -NOTED_FROM)
        return;
    atomic_fetch_add_explicit(&noted, change, memory_order_relaxed);
    noted_balance = balance;
}

static size_t estimate(void)
{
    int64_t used = atomic_load_explicit(&told_used, memory_order_relaxed) +
                   atomic_load_explicit(&noted, memory_order_relaxed);
    return used > 0 ? (size_t)used : 0;
}

size_t memory_usage_estimate(size_t limit)
{
    memory_usage_note();
    size_t used = estimate();
    int64_t balance, age_max = used > limit ? RECENT_MS : FRESH_MS;
    if (!ask_thread(&balance))
        age_max = 0; /* there is nothing but the allocator to go by */
    int64_t now = clock_monotonic_ms();
    if (now - atomic_load_explicit(&told_ms, memory_order_relaxed) < age_max)
        return used;
    if (pthread_mutex_trylock(&mutex) == 0) {
        refresh(now);
        pthread_mutex_unlock(&mutex);
    }
    return estimate();
}

void memory_usage_read(struct memory_usage *usage)
{
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&mutex);
    static int64_t rss_ms = INT64_MIN; /* under mutex */
    if (last_ms == INT64_MIN || now - last_ms >= FRESH_MS)
        refresh(now);
    if (rss_ms == INT64_MIN || now - rss_ms >= FRESH_MS) {
        last.rss = read_rss();
        rss_ms = now;
    }
    *usage = last;
    pthread_mutex_unlock(&mutex);
}

size_t memory_usage_total(void)
{
    return (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
}
