#include "server/memory_usage.h"

#include "server/clock.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FRESH_MS = 100 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct memory_usage last; /* these two under mutex */
static int64_t last_ms = INT64_MIN;

#if defined(SLOTD_SANITIZE)

/* The sanitizers bring an allocator of their own, which counts bytes and nothing else; gcc brings no header. */
size_t __sanitizer_get_current_allocated_bytes(void);

static void ask_allocator(struct memory_usage *usage)
{
    usage->used = usage->active = usage->resident = __sanitizer_get_current_allocated_bytes();
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

void memory_usage_read(struct memory_usage *usage)
{
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&mutex);
    if (last_ms == INT64_MIN || now - last_ms >= FRESH_MS) {
        ask_allocator(&last);
        last.rss = read_rss();
        last_ms = now;
        if (last.used > last.peak)
            last.peak = last.used;
    }
    *usage = last;
    pthread_mutex_unlock(&mutex);
}

size_t memory_usage_total(void)
{
    return (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
}
