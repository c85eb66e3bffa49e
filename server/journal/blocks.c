/* The bytes of the stream lie in a chain of blocks, each allocated once and filled from its front.
 * A reader stands in one block and keeps it and all that follow; the backlog keeps the last bytes.
 * So memory is freed from the front only, up to the first block that a reader stands in or that the
 * backlog covers. What is freed is collected under the mutex and given back without it. */
#include "server/journal/blocks.h"
#include "common/memory.h"
#include <stdlib.h>

static const size_t STANDARD_CAPACITY = BLOCK_SIZE - sizeof(struct block);

struct block *blocks_new(size_t capacity)
{
    struct block *block = memory_alloc(sizeof *block + capacity);
    atomic_init(&block->next, NULL);
    block->previous = NULL;
    block->start = 0;
    block->used = 0;
    block->capacity = capacity;
    block->readers = 0;
    return block;
}

void blocks_free_list(struct block *list)
{
    while (list != NULL) {
        struct block *block = list;
        list = block->previous;
        free(block);
    }
}

void blocks_link(struct journal *journal, struct block *block)
{
    struct chain *chain = journal->chain;
    struct block *last = chain->last;
    block->previous = last;
    block->start = last == NULL ? atomic_load_explicit(&journal->state.offset, memory_order_relaxed)
                                : last->start + (int64_t)last->used;
    if (last == NULL) {
        chain->first = block;
    } else {
        atomic_store_explicit(&last->next, block, memory_order_release);
    }
    chain->last = block;
    journal->memory += sizeof *block + block->capacity;
}

static struct block *take_standard(struct journal *journal)
{
    struct block *block = journal->spares;
    if (block == NULL) {
        return blocks_new(STANDARD_CAPACITY);
    }
    journal->spares = block->previous;
    journal->spare_count--;
    journal->memory -= BLOCK_SIZE;
    return block;
}

bool blocks_put(struct journal *journal, struct bytes data)
{
    struct block *last = journal->chain->last;
    if (__builtin_expect(data.len <= last->capacity - last->used, 1)) {
        memcpy(last->data + last->used, data.data, data.len);
        last->used += data.len;
        return false;
    }
    while (data.len > 0) {
        if (last->used == last->capacity) {
            last = take_standard(journal);
            blocks_link(journal, last);
        }
        size_t room = last->capacity - last->used;
        size_t len = data.len < room ? data.len : room;
        memcpy(last->data + last->used, data.data, len);
        last->used += len;
        data.data += len;
        data.len -= len;
    }
    return true;
}

int64_t blocks_backlog_first(const struct journal *journal)
{
    int64_t offset = atomic_load_explicit(&journal->state.offset, memory_order_relaxed);
    int64_t first = offset - (int64_t)journal->backlog_size;
    if (first < journal->backlog_start) {
        first = journal->backlog_start;
    }
    return first < journal->chain->first->start ? journal->chain->first->start : first;
}

/* Puts a block aside as a spare, or on the list of those to be freed. */
static void retire(struct journal *journal, struct block *block, struct block **list)
{
    if (block->capacity == STANDARD_CAPACITY && journal->spare_count < BLOCK_SPARES) {
        atomic_store_explicit(&block->next, NULL, memory_order_relaxed);
        block->used = 0;
        block->previous = journal->spares;
        journal->spares = block;
        journal->spare_count++;
        return;
    }
    journal->memory -= sizeof *block + block->capacity;
    block->previous = *list;
    *list = block;
}

struct block *blocks_trim(struct journal *journal)
{
    struct chain *chain = journal->chain;
    if (chain == NULL || chain->first == NULL) {
        return NULL;
    }
    int64_t keep_from = journal->backlog
                            ? blocks_backlog_first(journal)
                            : atomic_load_explicit(&journal->state.offset, memory_order_relaxed);
    struct block *list = NULL;
    for (int i = 0; i < BLOCK_TRIM; i++) {
        struct block *first = chain->first;
        struct block *next = atomic_load_explicit(&first->next, memory_order_relaxed);
        if (next == NULL || first->readers > 0 || next->start > keep_from) {
            break;
        }
        chain->first = next;
        next->previous = NULL;
        retire(journal, first, &list);
    }
    return list;
}

void blocks_trim_all(struct journal *journal)
{
    struct block *list;
    do {
        pthread_mutex_lock(&journal->mutex);
        list = blocks_trim(journal);
        pthread_mutex_unlock(&journal->mutex);
        blocks_free_list(list);
    } while (list != NULL);
}

struct block *blocks_take_chain(struct journal *journal, struct chain *chain)
{
    struct block *list = NULL;
    struct block *block = chain->first;
    while (block != NULL) {
        struct block *next = atomic_load_explicit(&block->next, memory_order_relaxed);
        journal->memory -= sizeof *block + block->capacity;
        block->previous = list;
        list = block;
        block = next;
    }
    free(chain);
    return list;
}

struct block *blocks_update_active(struct journal *journal)
{
    bool active = journal->backlog || journal->live_readers > 0;
    if (active == atomic_load_explicit(&journal->state.active, memory_order_relaxed)) {
        return NULL;
    }
    if (active) {
        journal->chain = memory_alloc_zeroed(1, sizeof *journal->chain);
        blocks_link(journal, take_standard(journal));
        journal->last_db = JOURNAL_NO_DB;
        atomic_store_explicit(&journal->state.active, true, memory_order_relaxed);
        return NULL;
    }
    atomic_store_explicit(&journal->state.active, false, memory_order_relaxed);
    struct block *list = blocks_take_chain(journal, journal->chain);
    journal->chain = NULL;
    while (journal->spares != NULL) {
        struct block *spare = journal->spares;
        journal->spares = spare->previous;
        journal->memory -= BLOCK_SIZE;
        spare->previous = list;
        list = spare;
    }
    journal->spare_count = 0;
    return list;
}

struct block *blocks_find(const struct journal *journal, int64_t offset)
{
    if (journal->chain == NULL || offset < journal->chain->first->start ||
        offset > atomic_load_explicit(&journal->state.offset, memory_order_relaxed)) {
        return NULL;
    }
    struct block *block = journal->chain->last;
    while (block->start > offset) {
        block = block->previous;
    }
    return block;
}
