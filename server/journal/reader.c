/* A reader stands in a block of the chain. Peeking takes no lock: it loads the offset, and all
 * bytes below it, with the links between their blocks, were written before. Only when it leaves a
 * block, once in 64 KB, does it take the mutex, to move its count to the next one.
 *
 * When a reader that waits is armed, and the check that there is nothing to read, are one step
 * under the mutex; so is an append. No wake-up gets lost between the two. */
#include "server/journal/reader.h"
#include "common/memory.h"
#include "server/journal/blocks.h"
#include <stdlib.h>

static struct block *next_of(struct block *block)
{
    return atomic_load_explicit(&block->next, memory_order_acquire);
}

struct journal_reader *journal_reader_open(
    struct journal *journal, int64_t offset, journal_notify *notify, void *context)
{
    pthread_mutex_lock(&journal->mutex);
    bool active = atomic_load_explicit(&journal->state.active, memory_order_relaxed);
    int64_t now = atomic_load_explicit(&journal->state.offset, memory_order_relaxed);
    if (offset == JOURNAL_NOW) {
        offset = now;
        journal->last_db = JOURNAL_NO_DB;
    }
    if (offset != now && (!active || blocks_find(journal, offset) == NULL)) {
        pthread_mutex_unlock(&journal->mutex);
        return NULL;
    }
    journal->live_readers++;
    (void)blocks_update_active(journal); /* can only become active: there is nothing to free */
    struct journal_reader *reader = memory_alloc_zeroed(1, sizeof *reader);
    reader->journal = journal;
    reader->chain = journal->chain;
    reader->block = blocks_find(journal, offset);
    reader->notify = notify;
    reader->context = context;
    reader->soft_since = -1;
    atomic_init(&reader->offset, offset);
    atomic_init(&reader->cut, false);
    reader->block->readers++;
    reader->chain->readers++;
    reader->next = journal->readers;
    if (reader->next != NULL) {
        reader->next->previous = reader;
    }
    journal->readers = reader;
    pthread_mutex_unlock(&journal->mutex);
    return reader;
}

static void unlink_reader(struct journal *journal, struct journal_reader *reader)
{
    if (reader->previous != NULL) {
        reader->previous->next = reader->next;
    } else {
        journal->readers = reader->next;
    }
    if (reader->next != NULL) {
        reader->next->previous = reader->previous;
    }
    reader->block->readers--;
    reader->chain->readers--;
}

void journal_reader_close(struct journal_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    struct journal *journal = reader->journal;
    struct block *unneeded = NULL;
    pthread_mutex_lock(&journal->wake_mutex);
    pthread_mutex_lock(&journal->mutex);
    unlink_reader(journal, reader);
    if (!atomic_load_explicit(&reader->cut, memory_order_relaxed)) {
        journal->live_readers--;
        unneeded = blocks_update_active(journal);
    } else if (reader->chain->readers == 0) {
        unneeded = blocks_take_chain(journal, reader->chain);
    }
    pthread_mutex_unlock(&journal->mutex);
    pthread_mutex_unlock(&journal->wake_mutex);
    blocks_free_list(unneeded);
    blocks_trim_all(journal);
    free(reader);
}

size_t journal_reader_peek(struct journal_reader *reader, struct iovec *views, size_t max)
{
    if (journal_reader_is_cut(reader)) {
        return 0;
    }
    int64_t end = journal_offset(reader->journal);
    int64_t at = atomic_load_explicit(&reader->offset, memory_order_relaxed);
    struct block *block = reader->block;
    size_t count = 0;
    while (count < max && at < end) {
        struct block *next = next_of(block);
        int64_t block_end = next != NULL && next->start < end ? next->start : end;
        if (block_end > at) {
            views[count].iov_base = block->data + (at - block->start);
            views[count].iov_len = (size_t)(block_end - at);
            count++;
            at = block_end;
        }
        block = next;
    }
    return count;
}

void journal_reader_advance(struct journal_reader *reader, size_t len)
{
    int64_t offset = atomic_load_explicit(&reader->offset, memory_order_relaxed) + (int64_t)len;
    struct block *from = reader->block, *to = from, *next;
    while ((next = next_of(to)) != NULL && next->start <= offset) {
        to = next;
    }
    if (to != from) {
        struct block *unneeded = NULL;
        struct journal *journal = reader->journal;
        pthread_mutex_lock(&journal->mutex);
        from->readers--;
        to->readers++;
        reader->block = to;
        atomic_store_explicit(&reader->offset, offset, memory_order_release);
        if (!atomic_load_explicit(&reader->cut, memory_order_relaxed)) {
            unneeded = blocks_trim(journal);
        }
        pthread_mutex_unlock(&journal->mutex);
        blocks_free_list(unneeded);
    } else {
        atomic_store_explicit(&reader->offset, offset, memory_order_release);
    }
}

bool journal_reader_wait(struct journal_reader *reader)
{
    struct journal *journal = reader->journal;
    pthread_mutex_lock(&journal->mutex);
    bool wait = !atomic_load_explicit(&reader->cut, memory_order_relaxed) &&
                journal_reader_lag(reader) == 0 && reader->notify != NULL;
    if (wait) {
        reader->armed = true;
        journal->armed = true;
    }
    pthread_mutex_unlock(&journal->mutex);
    return wait;
}

int64_t journal_reader_offset(const struct journal_reader *reader)
{
    return atomic_load_explicit(&reader->offset, memory_order_acquire);
}

int64_t journal_reader_lag(const struct journal_reader *reader)
{
    int64_t offset = journal_reader_offset(reader);
    return journal_reader_is_cut(reader) ? 0 : journal_offset(reader->journal) - offset;
}

bool journal_reader_is_cut(const struct journal_reader *reader)
{
    return atomic_load_explicit(&reader->cut, memory_order_acquire);
}

bool journal_reader_over_limit(
    struct journal_reader *reader, const struct journal_limit *limit, int64_t now_ms)
{
    int64_t lag = journal_reader_lag(reader);
    struct journal_backlog backlog = journal_backlog(reader->journal);
    int64_t floor = backlog.active ? (int64_t)backlog.size : 0;
    int64_t hard = limit->hard > floor ? limit->hard : floor;
    int64_t soft = limit->soft > floor ? limit->soft : floor;
    if (limit->hard > 0 && lag > hard) {
        return true;
    }
    if (limit->soft <= 0 || lag <= soft) {
        reader->soft_since = -1;
        return false;
    }
    if (reader->soft_since < 0) {
        reader->soft_since = now_ms;
    }
    return now_ms - reader->soft_since > limit->soft_ms;
}
