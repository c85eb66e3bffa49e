/* A table that only grows: a place, once it has a word, keeps it, so readers need no lock. What
 * clients can make the server say as a first word is not without bound (scripts say what they
 * like), so the table has one. */
#include "server/command/errorstats.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 128, WORD_SIZE = 32 };

struct word {
    char text[WORD_SIZE];   /* written before `used` counts it, then constant */
    _Atomic uint64_t count; /* any thread */
};

static struct word words[WORDS_MAX + 1]; /* the last one: all the others */
static atomic_size_t used;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* held to add a word */

static struct word *find(const char *text)
{
    size_t count = atomic_load_explicit(&used, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(words[i].text, text, WORD_SIZE - 1) == 0)
            return &words[i];
    }
    return NULL;
}

static struct word *find_or_add(const char *text)
{
    struct word *word = find(text);
    if (word)
        return word;
    pthread_mutex_lock(&mutex);
    word = find(text);
    size_t count = atomic_load_explicit(&used, memory_order_relaxed);
    if (!word && count < WORDS_MAX) {
        word = &words[count];
        strncpy(word->text, text, WORD_SIZE - 1);
        atomic_store_explicit(&used, count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&mutex);
    return word ? word : &words[WORDS_MAX];
}

void errorstats_count(const char *text)
{
    atomic_fetch_add_explicit(&find_or_add(text)->count, 1, memory_order_relaxed);
}

static int by_text(const void *a, const void *b)
{
    return strcmp((*(struct word *const *)a)->text, (*(struct word *const *)b)->text);
}

void errorstats_each(void (*visit)(void *arg, const char *word, uint64_t count), void *arg)
{
    struct word *sorted[WORDS_MAX];
    size_t count = atomic_load_explicit(&used, memory_order_acquire);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &words[i];
    qsort(sorted, count, sizeof(sorted[0]), by_text);
    for (size_t i = 0; i < count; i++) {
        uint64_t seen = atomic_load_explicit(&sorted[i]->count, memory_order_relaxed);
        if (seen)
            visit(arg, sorted[i]->text, seen);
    }
    uint64_t others = atomic_load_explicit(&words[WORDS_MAX].count, memory_order_relaxed);
    if (others)
        visit(arg, "OTHERS", others);
}

void errorstats_reset(void)
{
    for (size_t i = 0; i <= WORDS_MAX; i++)
        atomic_store_explicit(&words[i].count, 0, memory_order_relaxed);
}
