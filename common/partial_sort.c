/* Quicksort as Bentley and McIlroy engineered it (1993): the pivot is a median of three, or of
 * three medians; what equals it gathers at both ends and is moved to the middle. Parts that lie
 * outside of what is asked for are left as they are. Which of equal elements comes first follows
 * from each of these choices. */
#include "common/partial_sort.h"

#include <stdbool.h>
#include <string.h>

enum { FEW = 7, MANY = 40 };

struct sort {
    size_t size;
    int (*compare)(const void *a, const void *b);
    const char *first, *last; /* elements asked for */
};

static void swap(char *a, char *b, size_t bytes)
{
    char room[PARTIAL_SORT_SIZE_MAX];
    while (bytes > 0) {
        size_t some = bytes < sizeof(room) ? bytes : sizeof(room);
        memcpy(room, a, some);
        memcpy(a, b, some);
        memcpy(b, room, some);
        a += some;
        b += some;
        bytes -= some;
    }
}

static void insertion_sort(const struct sort *sort, char *from, size_t count)
{
    for (char *next = from + sort->size; next < from + count * sort->size; next += sort->size) {
        for (char *at = next; at > from && sort->compare(at - sort->size, at) > 0; at -= sort->size)
            swap(at, at - sort->size, sort->size);
    }
}

static char *median(const struct sort *sort, char *a, char *b, char *c)
{
    if (sort->compare(a, b) < 0)
        return sort->compare(b, c) < 0 ? b : sort->compare(a, c) < 0 ? c : a;
    return sort->compare(b, c) > 0 ? b : sort->compare(a, c) < 0 ? a : c;
}

static char *choose_pivot(const struct sort *sort, char *from, size_t count)
{
    size_t size = sort->size, step = count / 8 * size;
    char *low = from, *middle = from + count / 2 * size, *high = from + (count - 1) * size;
    if (count <= FEW)
        return middle;
    if (count > MANY) {
        low = median(sort, low, low + step, low + 2 * step);
        middle = median(sort, middle - step, middle, middle + step);
        high = median(sort, high - 2 * step, high - step, high);
    }
    return median(sort, low, middle, high);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Puts what is less than the pivot to the left, what is greater to the right; bytes of each. */
static void divide(const struct sort *sort, char *from, size_t count, size_t *left, size_t *right)
{
    size_t size = sort->size;
    char *end = from + count * size;
    swap(from, choose_pivot(sort, from, count), size);
    char *equal = from + size, *up = equal, *down = end - size, *also_equal = down;
    for (;;) {
        int order;
        for (; up <= down && (order = sort->compare(up, from)) <= 0; up += size) {
            if (order == 0) {
                swap(equal, up, size);
                equal += size;
            }
        }
        for (; up <= down && (order = sort->compare(down, from)) >= 0; down -= size) {
            if (order == 0) {
                swap(down, also_equal, size);
                also_equal -= size;
            }
        }
        if (up > down)
            break;
        swap(up, down, size);
        up += size;
        down -= size;
    }
    size_t moved = smaller((size_t)(equal - from), (size_t)(up - equal));
    swap(from, up - moved, moved);
    moved = smaller((size_t)(also_equal - down), (size_t)(end - also_equal) - size);
    swap(up, end - moved, moved);
    *left = (size_t)(up - equal);
    *right = (size_t)(also_equal - down);
}

static bool is_asked_for(const struct sort *sort, const char *from, size_t bytes)
{
    return bytes > sort->size && sort->last >= from && sort->first < from + bytes;
}

static void sort_part(const struct sort *sort, char *from, size_t count)
{
    while (count >= FEW) {
        size_t left, right;
        char *end = from + count * sort->size;
        divide(sort, from, count, &left, &right);
        if (is_asked_for(sort, from, left))
            sort_part(sort, from, left / sort->size);
        if (!is_asked_for(sort, end - right, right))
            return;
        from = end - right;
        count = right / sort->size;
    }
    insertion_sort(sort, from, count);
}

void partial_sort(void *base, size_t count, size_t size,
    int (*compare)(const void *a, const void *b), size_t first, size_t last)
{
    char *from = base;
    struct sort sort = { size, compare, from + first * size, from + last * size };
    sort_part(&sort, from, count);
}
