#include "server/command/errorstats.h"

#include "common/buffer.h"
#include "tests/support/scratch.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

static void append(void *arg, const char *word, uint64_t count)
{
    buffer_printf(arg, "%s=%lu ", word, count);
}

static const char *all(void)
{
    struct buffer text = { 0 };
    errorstats_each(append, &text);
    const char *copy = scratch_copy(text.data ? text.data : "", text.len);
    buffer_free(&text);
    return copy;
}

Test(errorstats, words_are_counted_and_told_in_order)
{
    errorstats_count("WRONGTYPE");
    errorstats_count("ERR");
    errorstats_count("MOVED");
    errorstats_count("ERR");
    cr_assert_str_eq(all(), "ERR=2 MOVED=1 WRONGTYPE=1 ");
    errorstats_reset();
    cr_assert_str_eq(all(), "");
    errorstats_count("MOVED");
    cr_assert_str_eq(all(), "MOVED=1 ");
}

Test(errorstats, the_table_has_a_bound)
{
    for (int i = 0; i < 1000; i++)
        errorstats_count(scratch_printf("E%03d", i));
    const char *text = all();
    cr_assert(strstr(text, "E000=1 ") && strstr(text, "E127=1 "));
    cr_assert_not(strstr(text, "E128"));
    cr_assert(strstr(text, "OTHERS=872 "), "%s", text);
    errorstats_count("E005");
    cr_assert(strstr(all(), "E005=2 "));
}

Test(errorstats, a_long_word_is_cut)
{
    errorstats_count("A234567890123456789012345678901234567890");
    errorstats_count("A234567890123456789012345678901234567899");
    cr_assert_str_eq(all(), "A234567890123456789012345678901=2 ");
}

enum { THREADS = 4, TIMES = 10000 };

static void *count_words(void *arg)
{
    static const char *const words[] = { "ERR", "ASK", "MOVED", "TRYAGAIN" };
    for (int i = 0; i < TIMES; i++)
        errorstats_count(words[i % 4]);
    return NULL;
}

Test(errorstats, nothing_is_lost_between_threads)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, count_words, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_str_eq(all(), "ASK=10000 ERR=10000 MOVED=10000 TRYAGAIN=10000 ");
}
