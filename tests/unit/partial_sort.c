/* A part of a sorted array is that part, whatever was in the array. */
#include "common/partial_sort.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct thing {
    int value;
    char more[20];
};

static int compare(const void *a, const void *b)
{
    int one = ((const struct thing *)a)->value, other = ((const struct thing *)b)->value;
    return (one > other) - (one < other);
}

static void fill(struct thing *things, int count, int kind)
{
    for (int i = 0; i < count; i++) {
        static const int few = 5;
        things[i].value = kind == 0   ? rand()
                          : kind == 1 ? rand() % few
                          : kind == 2 ? i
                          : kind == 3 ? -i
                          : kind == 4 ? (i % 2 ? i : -i)
                                      : 7;
        memset(things[i].more, things[i].value & 0x7f, sizeof(things[i].more));
    }
}

Test(partial_sort, against_a_whole_sort)
{
    enum { MOST = 600, KINDS = 6 };
    static struct thing things[MOST], sorted[MOST];
    srand(8);
    for (int round = 0; round < 4000; round++) {
        int count = 1 + rand() % (round % 2 ? MOST : 12);
        int first = rand() % count, last = first + rand() % (count - first);
        fill(things, count, round % KINDS);
        memcpy(sorted, things, sizeof(things));
        qsort(sorted, (size_t)count, sizeof(*sorted), compare);
        partial_sort(things, (size_t)count, sizeof(*things), compare, (size_t)first, (size_t)last);
        for (int i = first; i <= last; i++) {
            cr_assert_eq(
                things[i].value, sorted[i].value, "%d of %d to %d of %d", i, first, last, count);
            cr_assert_eq(things[i].more[19], (char)(things[i].value & 0x7f));
        }
        qsort(things, (size_t)count, sizeof(*things), compare);
        for (int i = 0; i < count; i++)
            cr_assert_eq(things[i].value, sorted[i].value, "nothing is lost");
    }
}
