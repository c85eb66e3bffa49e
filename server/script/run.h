/* One script under way, as this room and the commands see it. */
#ifndef SERVER_SCRIPT_RUN_H
#define SERVER_SCRIPT_RUN_H

#include "server/command/reply.h"
#include <stdatomic.h>
#include <stdint.h>

struct script_run;

/* What is behind redis.call and its kin: command/script_run.c fills it in. */
struct script_host {
    /* Runs a command. Its reply is the host's until the next call. NULL: it was not begun, and
     * *error says why: "-CODE text", or a text without a code; *counted: the statistics of errors
     * have it already. */
    struct reply *(*call)(struct script_run *run, const struct bytes *argv, int argc,
        const char **error, bool *counted);
    /* 1: the script's user may run it; 0: not; -1: there is no such command. */
    int (*may_run)(struct script_run *run, const struct bytes *argv, int argc);
    void (*set_protocol)(struct script_run *run, int protocol);
    /* Whether what changes from here on goes to the AOF and the replicas. */
    void (*set_replication)(struct script_run *run, bool on);
    /* Called in the midst of the script, about every millisecond. */
    void (*tick)(struct script_run *run);
};

/* Goes from GOES_ON to one of the others, and no further: who writes cannot be killed. */
enum script_course {
    SCRIPT_GOES_ON,
    SCRIPT_WRITES,     /* a write command has begun */
    SCRIPT_KILLED,     /* SCRIPT KILL or FUNCTION KILL was said */
    SCRIPT_STARTS_OVER /* it needs locks that it did not take, and runs again from its start */
};

struct script_run {
    const struct script_host *host;
    const char *name; /* SHA of the script, name of the function */
    bool is_function;
    int protocol;             /* that commands reply in to it: see redis.setresp */
    int64_t start_us;         /* monotonic */
    int64_t ticked_us;        /* monotonic: the last tick */
    atomic_uint course;       /* enum script_course */
    bool from_primary;        /* cannot be killed */
    const struct bytes *argv; /* of the command that began it: stays while it runs */
    int argc;
    struct script_run *next, **previous; /* busy.c's */
};

static inline enum script_course script_course(const struct script_run *run)
{
    return (enum script_course)atomic_load(&run->course);
}

static inline bool script_must_end(const struct script_run *run)
{
    return script_course(run) > SCRIPT_WRITES;
}

#endif
