/* Which history the offsets count in (replication id and second id), and how much of it is kept for
 * replicas that come back (the backlog). Source: Redis documentation, "Replication", and the
 * replies of redis-server 7.0 to INFO replication and PSYNC. */
#include "common/memory.h"
#include "common/node_id.h"
#include "server/journal/blocks.h"
#include <stdlib.h>

static void lock(const struct journal *journal)
{
    pthread_mutex_lock((pthread_mutex_t *)&journal->mutex);
}

static void unlock(const struct journal *journal)
{
    pthread_mutex_unlock((pthread_mutex_t *)&journal->mutex);
}

static int64_t offset_now(const struct journal *journal)
{
    return atomic_load_explicit(&journal->state.offset, memory_order_relaxed);
}

static void set_random_id(struct journal *journal)
{
    struct node_id id = node_id_random(); /* 40 random hexadecimal digits */
    memcpy(journal->history.id, id.text, JOURNAL_ID_LEN + 1);
}

static void clear_second(struct journal *journal)
{
    memset(journal->history.second_id, '0', JOURNAL_ID_LEN);
    journal->history.second_id[JOURNAL_ID_LEN] = '\0';
    journal->history.second_offset = -1;
}

/* The id so far is good for what a replica knows up to here. */
static void retire_id(struct journal *journal)
{
    memcpy(journal->history.second_id, journal->history.id, JOURNAL_ID_LEN + 1);
    journal->history.second_offset = offset_now(journal) + 1;
}

static void set_id(struct journal *journal, const char *id)
{
    memcpy(journal->history.id, id, JOURNAL_ID_LEN);
    journal->history.id[JOURNAL_ID_LEN] = '\0';
}

struct journal_history journal_history(const struct journal *journal)
{
    lock(journal);
    struct journal_history history = journal->history;
    unlock(journal);
    return history;
}

void journal_history_shift(struct journal *journal)
{
    lock(journal);
    retire_id(journal);
    set_random_id(journal);
    journal->last_db = JOURNAL_NO_DB; /* the primary's stream may have left any database selected */
    unlock(journal);
}

void journal_history_continue(struct journal *journal, const char *id)
{
    lock(journal);
    if (memcmp(journal->history.id, id, JOURNAL_ID_LEN) != 0) {
        retire_id(journal);
        set_id(journal, id);
    }
    unlock(journal);
}

void journal_history_clear_second(struct journal *journal)
{
    lock(journal);
    clear_second(journal);
    unlock(journal);
}

/* Cuts all readers off the chain they read; the mutex is held. */
static void cut_readers(struct journal *journal)
{
    for (struct journal_reader *reader = journal->readers; reader != NULL; reader = reader->next) {
        atomic_store_explicit(&reader->cut, true, memory_order_release);
        reader->armed = false;
    }
    journal->live_readers = 0;
}

void journal_restart(struct journal *journal, const char *id, int64_t offset)
{
    struct block *unneeded = NULL;
    lock(journal);
    cut_readers(journal);
    if (journal->chain != NULL) {
        if (journal->chain->readers == 0) {
            unneeded = blocks_take_chain(journal, journal->chain);
        }
        journal->chain = NULL;
        atomic_store_explicit(&journal->state.active, false, memory_order_relaxed);
    }
    atomic_store_explicit(&journal->state.offset, offset, memory_order_release);
    journal->backlog_start = offset;
    if (id != NULL) {
        set_id(journal, id);
        clear_second(journal);
    }
    (void)blocks_update_active(journal); /* active with the backlog alone: nothing to free */
    journal->last_db = JOURNAL_NO_DB;
    unlock(journal);
    blocks_free_list(unneeded);
}

void journal_backlog_start(struct journal *journal)
{
    lock(journal);
    if (!journal->backlog) {
        journal->backlog = true;
        journal->backlog_start = offset_now(journal);
        (void)blocks_update_active(journal); /* can only become active */
    }
    unlock(journal);
}

void journal_backlog_stop(struct journal *journal)
{
    struct block *unneeded = NULL;
    lock(journal);
    if (journal->backlog) {
        journal->backlog = false;
        set_random_id(journal);
        clear_second(journal);
        unneeded = blocks_update_active(journal);
    }
    unlock(journal);
    blocks_free_list(unneeded);
    blocks_trim_all(journal);
}

void journal_backlog_resize(struct journal *journal, size_t size)
{
    lock(journal);
    journal->backlog_size = size < JOURNAL_BACKLOG_MIN ? JOURNAL_BACKLOG_MIN : size;
    unlock(journal);
    blocks_trim_all(journal);
}

struct journal_backlog journal_backlog(const struct journal *journal)
{
    lock(journal);
    struct journal_backlog backlog = { .active = journal->backlog, .size = journal->backlog_size };
    if (backlog.active) {
        int64_t first = blocks_backlog_first(journal);
        backlog.first_offset = first + 1;
        backlog.length = offset_now(journal) - first;
    }
    unlock(journal);
    return backlog;
}

static bool is_ours(const struct journal_history *history, struct bytes id, int64_t psync_offset)
{
    if (id.len != JOURNAL_ID_LEN) {
        return false;
    }
    return strncasecmp(id.data, history->id, JOURNAL_ID_LEN) == 0 ||
           (strncasecmp(id.data, history->second_id, JOURNAL_ID_LEN) == 0 &&
               psync_offset <= history->second_offset);
}

bool journal_can_continue(const struct journal *journal, struct bytes id, int64_t psync_offset)
{
    lock(journal);
    bool possible = journal->backlog && is_ours(&journal->history, id, psync_offset) &&
                    psync_offset > blocks_backlog_first(journal) &&
                    psync_offset <= offset_now(journal) + 1;
    unlock(journal);
    return possible;
}
