/* DEBUG RELOAD and LOADAOF: the data set is written, emptied and read again, in a background thread
 * while all clients pause. What is a replica's comes from its primary, so it refuses. */
#include "server/command/debug.h"

#include "common/memory.h"
#include "server/command/background.h"
#include "server/command/condition.h"
#include "server/config.h"
#include "server/log.h"
#include "server/persistence.h"
#include "server/rdb_save.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct reload {
    struct ticket *ticket;
    bool aof, save, flush, merge;
    bool failed;
    struct error error;
};

/* One at a time, of all clients: the pause is there once. */
static atomic_bool under_way;

static void answer(struct session *session, void *arg)
{
    struct reload *reload = arg;
    if (session && reload->failed)
        reply_error(&session->reply, "%s", reload->error.text);
    else if (session)
        reply_ok(&session->reply);
    free(reload);
}

static void end(struct reload *reload)
{
    pause_end(PAUSE_RELOAD);
    atomic_store(&under_way, false);
    ticket_finish(reload->ticket, answer, reload);
}

/* In a background thread. */
static void load(void *arg)
{
    struct reload *reload = arg;
    bool ok = reload->aof ? persistence_reload_aof(&reload->error)
                          : persistence_reload_rdb(reload->flush, reload->merge, &reload->error);
    reload->failed = !ok;
    if (!ok)
        log_write(LOG_WARNING, "DEBUG RELOAD failed: %s", reload->error.text);
    end(reload);
}

static void end_failed(void *arg)
{
    end(arg);
}

/* In the snapshotter's thread, which others wait for. */
static void saved(void *context, const struct error *error)
{
    struct reload *reload = context;
    if (error) {
        reload->error = *error;
        reload->failed = true;
        background_run(0, end_failed, reload);
        return;
    }
    background_run(0, load, reload);
}

/* In a background thread, since all turns are stopped for the pause. */
static void begin(void *arg)
{
    struct reload *reload = arg;
    pause_begin(PAUSE_RELOAD, false, INT64_MAX);
    if (!reload->save) {
        load(reload);
    } else if (!rdb_save_begin(false, saved, reload, &reload->error)) {
        reload->failed = true;
        end(reload);
    }
}

static void start(struct call *call, const struct reload *wish)
{
    if (condition_all() & (CONDITION_REPLICA | CONDITION_LOADING)) {
        reply_error(call->reply, "the data is this node's primary's, or is being loaded");
    } else if (call->in_exec || !call_can_park(call)) {
        reply_error(call->reply, "the data cannot be loaded again within a transaction");
    } else if (atomic_exchange(&under_way, true)) {
        reply_error(call->reply, "the data is being loaded again already");
    } else {
        struct reload *reload = memory_alloc(sizeof(*reload));
        *reload = *wish;
        reload->ticket = call_park(call);
        background_run(0, begin, reload);
    }
}

/* DEBUG RELOAD [NOSAVE] [NOFLUSH] [MERGE] */
static void debug_reload(struct call *call)
{
    struct reload wish = { .save = true, .flush = true };
    for (int i = 2; i < call->argc; i++) {
        if (bytes_is(call->argv[i], "MERGE")) {
            wish.merge = true;
        } else if (bytes_is(call->argv[i], "NOFLUSH")) {
            wish.flush = false;
        } else if (bytes_is(call->argv[i], "NOSAVE")) {
            wish.save = false;
        } else {
            reply_error(call->reply,
                "DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
            return;
        }
    }
    start(call, &wish);
}

/* DEBUG LOADAOF */
static void debug_loadaof(struct call *call)
{
    if (!aof_is_on(persistence_aof()))
        reply_error(call->reply, "there is no append-only file: appendonly is no");
    else
        start(call, &(struct reload){ .aof = true });
}

const struct debug_word debug_reload_words[] = {
    { "reload", debug_reload, 2, 0, "RELOAD [NOSAVE] [NOFLUSH] [MERGE]",
        "    Saves the RDB file, deletes all keys and loads it. NOSAVE: the file that is there; "
        "NOFLUSH: deletes nothing; MERGE: keys that are there already are replaced." },
    { "loadaof", debug_loadaof, 2, 2, "LOADAOF",
        "    Writes what the append-only file lacks, deletes all keys and loads it." },
    { 0 },
};
