/* What each thread says of itself when it begins: its name (for top, debuggers and the report of a
 * crash), and what it is for, which has the CPUs that it may run on: server_cpulist and its kin. */
#ifndef SERVER_THREAD_H
#define SERVER_THREAD_H

#include <sched.h>
#include <stdbool.h>

enum thread_kind {
    THREAD_SERVER,      /* server_cpulist: workers, bus, replication, writing the AOF */
    THREAD_BACKGROUND,  /* bio_cpulist: fsyncs, freeing, jobs that may block */
    THREAD_SNAPSHOT,    /* bgsave_cpulist; without it as THREAD_SERVER */
    THREAD_AOF_REWRITE, /* aof_rewrite_cpulist; likewise */
    THREAD_KINDS
};

/* Reads the lists. Before any thread. */
void thread_init(void);
/* In the thread itself. name: at most 15 characters; NULL leaves the one it has. May be called
 * again by a thread that does something of another kind. */
void thread_enter(const char *name, enum thread_kind kind);

/* "0-3,6" or with steps "0-7:2"; false: it is something else, or names no CPU. */
bool thread_parse_cpus(const char *text, cpu_set_t *cpus);

#endif
