#include "server/store/lazy.h"

#include "common/memory.h"
#include "server/memory_usage.h"
#include "server/thread.h"
#include <pthread.h>
#include <stdlib.h>

enum { CHEAP = 64 }; /* allocations that are freed on the spot */

struct chore {
    struct chore *next;
    struct entry *entry; /* or, where NULL, the table */
    struct table table;
};

/* The queue and its thread; all guarded by `mutex`. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER;
static struct chore *first, **last = &first;
static bool started;
static size_t pending, freed;

static size_t effort_of(const struct entry *entry)
{
    return entry->flags & ENTRY_OUT_OF_LINE
               ? type_of(entry->type)->effort(entry_value(entry), entry->encoding)
               : 1;
}

static void *run(void *arg)
{
    thread_enter("lazy", THREAD_BACKGROUND);
    pthread_mutex_lock(&mutex);
    for (;;) {
        while (!first)
            pthread_cond_wait(&wanted, &mutex);
        struct chore *chore = first;
        first = chore->next;
        if (!first)
            last = &first;
        pthread_mutex_unlock(&mutex);
        size_t count = chore->entry ? 1 : chore->table.used;
        if (chore->entry)
            entry_free(chore->entry);
        else
            table_free(&chore->table);
        free(chore);
        memory_usage_note();
        lazy_end(count);
        pthread_mutex_lock(&mutex);
    }
    return NULL;
}

static void hand_over(struct entry *entry, struct table table)
{
    struct chore *chore = memory_alloc(sizeof(*chore));
    *chore = (struct chore){ .entry = entry, .table = table };
    pthread_mutex_lock(&mutex);
    if (!started) {
        pthread_t thread;
        started = pthread_create(&thread, NULL, run, NULL) == 0;
        if (started)
            pthread_detach(thread);
    }
    pending += entry ? 1 : table.used;
    *last = chore;
    last = &chore->next;
    pthread_cond_signal(&wanted);
    pthread_mutex_unlock(&mutex);
}

void lazy_free_entry(struct entry *entry)
{
    if (effort_of(entry) <= CHEAP)
        entry_free(entry);
    else
        hand_over(entry, (struct table){ 0 });
}

struct effort {
    size_t sum, enough;
};

static void add_effort(void *arg, table_cell *cell)
{
    struct effort *effort = arg;
    if (effort->sum <= effort->enough)
        effort->sum += effort_of(table_cell_entry(cell));
}

/* A table of few keys may hold a large collection. */
size_t lazy_effort(const struct table *table, size_t enough)
{
    struct effort effort = { 0, enough };
    if (table->used > enough)
        return table->used;
    if (table->used > 0)
        table_scan(table, 0, SIZE_MAX, add_effort, &effort);
    return effort.sum;
}

void lazy_free_table(struct table table)
{
    if (lazy_effort(&table, CHEAP) <= CHEAP)
        table_free(&table);
    else
        hand_over(NULL, table);
}

void lazy_begin(size_t count)
{
    pthread_mutex_lock(&mutex);
    pending += count;
    pthread_mutex_unlock(&mutex);
}

void lazy_end(size_t count)
{
    pthread_mutex_lock(&mutex);
    pending -= count;
    freed += count;
    pthread_mutex_unlock(&mutex);
}

size_t lazy_pending(void)
{
    pthread_mutex_lock(&mutex);
    size_t count = pending;
    pthread_mutex_unlock(&mutex);
    return count;
}

size_t lazy_freed(void)
{
    pthread_mutex_lock(&mutex);
    size_t count = freed;
    pthread_mutex_unlock(&mutex);
    return count;
}
