#include "server/thread.h"

#include "server/config.h"
#include "server/log.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Written before any thread runs. */
static bool any_list;
static struct {
    bool is_set;
    cpu_set_t cpus;
} lists[THREAD_KINDS];
static cpu_set_t initial; /* as the process was started */

static bool parse_cpu(const char **at, long max, long *number)
{
    char *end;
    if (!isdigit((unsigned char)**at))
        return false;
    errno = 0;
    *number = strtol(*at, &end, 10);
    *at = end;
    return errno == 0 && *number <= max;
}

/* One range: first, last, step. */
static bool parse_range(const char **at, cpu_set_t *cpus)
{
    long first, last, stride = 1;
    if (!parse_cpu(at, CPU_SETSIZE - 1, &first))
        return false;
    last = first;
    if (**at == '-') {
        ++*at;
        if (!parse_cpu(at, CPU_SETSIZE - 1, &last) || last < first)
            return false;
    }
    if (**at == ':') {
        ++*at;
        if (!parse_cpu(at, CPU_SETSIZE, &stride) || stride == 0)
            return false;
    }
    for (long cpu = first; cpu <= last; cpu += stride)
        CPU_SET((size_t)cpu, cpus);
    return true;
}

bool thread_parse_cpus(const char *text, cpu_set_t *cpus)
{
    CPU_ZERO(cpus);
    const char *at = text;
    for (;;) {
        if (!parse_range(&at, cpus))
            return false;
        if (*at == '\0')
            return true;
        if (*at++ != ',')
            return false;
    }
}

void thread_init(void)
{
    static const struct {
        enum config_id id;
        const char *name;
    } rows[THREAD_KINDS] = {
        [THREAD_SERVER] = { CONFIG_SERVER_CPULIST, "server_cpulist" },
        [THREAD_BACKGROUND] = { CONFIG_BIO_CPULIST, "bio_cpulist" },
        [THREAD_SNAPSHOT] = { CONFIG_BGSAVE_CPULIST, "bgsave_cpulist" },
        [THREAD_AOF_REWRITE] = { CONFIG_AOF_REWRITE_CPULIST, "aof_rewrite_cpulist" },
    };
    sched_getaffinity(0, sizeof(initial), &initial);
    for (int kind = 0; kind < THREAD_KINDS; kind++) {
        char *text = config_text(rows[kind].id);
        lists[kind].is_set = text[0] && thread_parse_cpus(text, &lists[kind].cpus);
        any_list = any_list || lists[kind].is_set;
        if (text[0] && !lists[kind].is_set)
            log_write(LOG_WARNING,
                "%s %s is no list of CPUs like 0-3,6 or 0-7:2: it is passed over", rows[kind].name,
                text);
        free(text);
    }
}

void thread_enter(const char *name, enum thread_kind kind)
{
    if (name)
        pthread_setname_np(pthread_self(), name);
    if (!any_list)
        return;
    bool as_server = !lists[kind].is_set && kind != THREAD_BACKGROUND;
    enum thread_kind from = as_server ? THREAD_SERVER : kind;
    const cpu_set_t *cpus = lists[from].is_set ? &lists[from].cpus : &initial;
    if (sched_setaffinity(0, sizeof(*cpus), cpus) < 0)
        log_write(LOG_WARNING, "A thread cannot run on the CPUs that are configured for it: %s",
            strerror(errno));
}
