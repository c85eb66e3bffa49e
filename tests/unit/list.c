/* Lists against plain arrays: random changes, clones that come, go and change, all ways to fill and
 * to compress chunks. */
#include "server/type/list.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { ELEMENTS_MAX = 6000, CLONES = 3 };

/* The same list as an array of texts, which are never changed. */
struct model {
    char *texts[ELEMENTS_MAX];
    size_t count;
};

struct pair {
    struct list *list;
    struct model model;
};

static uint64_t state;

static size_t below(size_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)((state >> 11) % limit);
}

/* Models share texts, which all live until the end of a run. */
struct text {
    struct text *next;
    char data[];
};
static struct text *all_texts;

static char *new_text(size_t size)
{
    struct text *text = malloc(sizeof(*text) + size);
    text->next = all_texts;
    all_texts = text;
    return text->data;
}

static void free_texts(void)
{
    while (all_texts) {
        struct text *text = all_texts;
        all_texts = text->next;
        free(text);
    }
}

static char *draw_text(void)
{
    static const size_t lengths[] = { 0, 1, 3, 10, 30, 63, 64, 100, 500, 4095, 4096, 9000 };
    size_t len = lengths[below(below(4) ? 8 : 12)];
    char *text = new_text(len + 30);
    if (below(3) == 0) {
        snprintf(text, 30, "%lld", (long long)(state >> below(64)) - 5000);
        return text;
    }
    memset(text, 'a' + (int)below(3), len);
    text[len] = '\0';
    return text;
}

static void check(const struct pair *pair)
{
    struct list_cursor cursor;
    char scratch[NUMBER_TEXT_MAX];
    const struct model *model = &pair->model;
    cr_assert_eq(pair->list->count, model->count, "%zu elements instead of %zu", pair->list->count,
        model->count);
    size_t i = 0;
    for (bool there = list_seek(&cursor, pair->list, 0); there; there = list_next(&cursor), i++) {
        cr_assert_eq(cursor.index, i);
        cr_assert(bytes_equal(list_get(&cursor, scratch), bytes_of(model->texts[i])), "at %zu", i);
    }
    list_cursor_end(&cursor);
    cr_assert_eq(i, model->count);
    for (bool there = list_seek(&cursor, pair->list, -1); there; there = list_previous(&cursor))
        cr_assert(bytes_equal(list_get(&cursor, scratch), bytes_of(model->texts[--i])));
    list_cursor_end(&cursor);
    cr_assert_eq(i, 0);
    for (int n = 0; n < 20 && model->count > 0; n++) {
        size_t index = below(model->count);
        cr_assert(
            list_seek(&cursor, pair->list, (int64_t)index - (n % 2 ? (int64_t)model->count : 0)));
        cr_assert(list_is(&cursor, bytes_of(model->texts[index])));
        list_cursor_end(&cursor);
    }
    cr_assert(!list_seek(&cursor, pair->list, (int64_t)model->count));
    cr_assert(!list_seek(&cursor, pair->list, -1 - (int64_t)model->count));
}

static void model_insert(struct model *model, size_t index, char *text)
{
    memmove(&model->texts[index + 1], &model->texts[index],
        (model->count - index) * sizeof(*model->texts));
    model->texts[index] = text;
    model->count++;
}

static void model_remove(struct model *model, size_t index, size_t count)
{
    model->count -= count;
    memmove(&model->texts[index], &model->texts[index + count],
        (model->count - index) * sizeof(*model->texts));
}

/* One change; `grow`: rather more than less. */
static void change(struct pair *pair, bool grow)
{
    struct list *list = pair->list = list_type.own(pair->list, ENCODING_QUICKLIST);
    struct model *model = &pair->model;
    size_t count = model->count, what = below(20);
    if (count == 0 || (grow && what < 14 && count < ELEMENTS_MAX) || what < 6) {
        if (count >= ELEMENTS_MAX)
            return;
        char *text = draw_text();
        bool head = below(2) == 0;
        list_push(list, head ? LIST_HEAD : LIST_TAIL, bytes_of(text));
        model_insert(model, head ? 0 : count, text);
    } else if (what < 15 && count < ELEMENTS_MAX) {
        char *text = draw_text();
        size_t index = below(count);
        bool behind = below(2) == 0;
        list_insert(list, index, behind, bytes_of(text));
        model_insert(model, index + behind, text);
    } else if (what < 17) {
        size_t index = below(count);
        model->texts[index] = draw_text();
        list_replace(list, index, bytes_of(model->texts[index]));
    } else {
        size_t most = below(8) == 0 ? count : 3;
        size_t index = below(3) == 0 ? 0 : below(count), some = 1 + below(most);
        some = some > count - index ? count - index : some;
        if (below(3) == 0)
            index = count - some;
        list_remove(list, index, some);
        model_remove(model, index, some);
    }
}

static void run(int64_t fill, int64_t compress, size_t plain_min, int steps)
{
    static struct pair pairs[1 + CLONES];
    memset(pairs, 0, sizeof(pairs));
    atomic_store(&list_plain_min, plain_min);
    state = (uint64_t)(fill * 31 + compress * 7 + (int64_t)plain_min) * 2 + 88172645463325252u;
    for (int i = 0; i <= CLONES; i++)
        pairs[i].list = list_create(fill, compress);
    for (int step = 0; step < steps; step++) {
        size_t which = below(4) == 0 ? below(1 + CLONES) : 0;
        change(&pairs[which], step % 2000 < 1400);
        if (below(200) == 0) { /* one becomes a clone of another */
            size_t from = below(1 + CLONES), to = below(1 + CLONES);
            struct list *clone = list_type.share(pairs[from].list, ENCODING_QUICKLIST);
            list_type.release(pairs[to].list, ENCODING_QUICKLIST);
            pairs[to] = (struct pair){ clone, pairs[from].model };
        }
        if (step % 500 == 0)
            check(&pairs[below(1 + CLONES)]);
    }
    for (int i = 0; i <= CLONES; i++) {
        check(&pairs[i]);
        cr_assert_geq(list_type.memory(pairs[i].list, ENCODING_QUICKLIST), sizeof(struct list));
        list_type.release(pairs[i].list, ENCODING_QUICKLIST);
    }
    atomic_store(&list_plain_min, LISTPACK_BYTES_MAX);
    free_texts();
}

Test(list, by_size)
{
    run(-2, 0, LISTPACK_BYTES_MAX, 20000);
    run(-1, 0, LISTPACK_BYTES_MAX, 10000);
}

Test(list, by_count)
{
    run(1, 0, LISTPACK_BYTES_MAX, 20000); /* a chunk an element: a tree of some levels */
    run(3, 0, LISTPACK_BYTES_MAX, 20000);
    run(128, 0, LISTPACK_BYTES_MAX, 10000);
    run(0, 0, LISTPACK_BYTES_MAX, 3000);
}

Test(list, compressed)
{
    run(3, 1, LISTPACK_BYTES_MAX, 8000);
    run(-1, 2, LISTPACK_BYTES_MAX, 8000);
    run(1, 5, LISTPACK_BYTES_MAX, 5000);
}

Test(list, plain_elements)
{
    run(-2, 0, 100, 10000);
    run(2, 1, 50, 8000);
}

/* A million elements: any index is near. */
Test(list, large)
{
    struct list *list = list_create(1, 0);
    char text[32];
    for (int i = 0; i < 1000000; i++) {
        snprintf(text, sizeof(text), "%d", i);
        list_push(list, LIST_TAIL, bytes_of(text));
    }
    cr_assert_leq(list->height, 5);
    for (int n = 0; n < 1000; n++) {
        struct list_cursor cursor;
        int index = (int)((unsigned)n * 2654435761u % 1000000u);
        snprintf(text, sizeof(text), "%d", index);
        cr_assert(list_seek(&cursor, list, index) && list_is(&cursor, bytes_of(text)));
        list_cursor_end(&cursor);
    }
    list_remove(list, 10, 999980);
    cr_assert_eq(list->count, 20);
    cr_assert_eq(list->chunks, 20);
    list_release(list);
}
