/* Where the processor's time is short is told by the kernel: how long the thread ran, and how long
 * it waited for a processor. The longest rest is that of a network card that gathers packets before
 * it interrupts; clients that come more seldom than that are not worth waiting for. Few connections
 * are not either: all of them may be waiting for us. */
#include "server/net/patience.h"

#include "server/clock.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    MANY_CONNECTIONS = 16,
    /* Workers that share the cores with each other pay more for each waking, and gather more. */
    ENOUGH_ALONE = 6,
    ENOUGH_SHARED = 10,
    REST_MAX_NS = 200000,
    READS_MIN = 8, /* to be expected in the longest rest */
    TIMER_SLACK_NS = 1000,
    /* Percent of one processor's time that all workers together want: patient from the first on,
     * eager again below the second. */
    PRESSED = 60,
    CALM = 40,
};

/* How long the thread ran or waited to run, since it began. Source: Linux,
 * Documentation/scheduler/sched-stats.rst. */
static uint64_t wanted_ns(struct patience *patience)
{
    if (patience->schedstat == 0)
        patience->schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    char text[96];
    ssize_t len = pread(patience->schedstat, text, sizeof(text) - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    unsigned long long ran, waited;
    return sscanf(text, "%llu %llu", &ran, &waited) == 2 ? ran + waited : 0;
}

/* A thread to which somebody has given another policy keeps it. */
static void change_policy(int from, int to)
{
    if (sched_getscheduler(0) == from)
        sched_setscheduler(0, to, &(struct sched_param){ 0 });
}

void patience_tick(struct patience *patience, struct patience_load load)
{
    int64_t now = clock_monotonic_us() * 1000, passed = now - patience->at_ns;
    uint64_t wanted = wanted_ns(patience);
    uint64_t came = load.reads - patience->reads;
    uint64_t share = (wanted - patience->wanted_ns) * 100 * load.workers / (uint64_t)(passed + 1);
    patience->at_ns = now;
    patience->wanted_ns = wanted;
    patience->reads = load.reads;

    bool was_patient = patience->rest_ns > 0;
    bool patient = share >= (was_patient ? CALM : PRESSED) && load.connections >= MANY_CONNECTIONS &&
                   came * REST_MAX_NS >= (uint64_t)passed * READS_MIN;
    patience->rest_ns = 0;
    if (patient) {
        patience->enough = load.workers > 1 ? ENOUGH_SHARED : ENOUGH_ALONE;
        int64_t rest = passed * (int64_t)patience->enough / (int64_t)came;
        patience->rest_ns = rest < REST_MAX_NS ? rest : REST_MAX_NS;
    }
    if (patient == was_patient)
        return;
    change_policy(patient ? SCHED_OTHER : SCHED_BATCH, patient ? SCHED_BATCH : SCHED_OTHER);
    prctl(PR_SET_TIMERSLACK, patient ? TIMER_SLACK_NS : 0); /* 0: what it was */
}

void patience_rest(const struct patience *patience, size_t found)
{
    if (patience->rest_ns > 0 && found > 0 && found < patience->enough)
        nanosleep(&(struct timespec){ 0, patience->rest_ns }, NULL);
}
