/* The usual dynamic programming: row by row, for each pair of prefixes the length of what they have
 * in common. Only two rows of lengths are kept. To find the way back from the end, one bit for each
 * pair is enough: whether to go up (drop a byte of a) or left (drop a byte of b) where the bytes
 * differ; where they are equal both are taken. */
#include "server/type/lcs.h"

#include "common/memory.h"
#include <stdlib.h>

struct table {
    struct bytes a, b;
    uint32_t *row, *above; /* b.len + 1 lengths each; the first is 0 */
    uint8_t *ups;          /* a.len rows of `stride` bytes; NULL where no way back is wanted */
    size_t stride;
};

uint64_t lcs_effort(struct bytes a, struct bytes b)
{
    uint64_t effort;
    if (__builtin_mul_overflow((uint64_t)a.len + 1, (uint64_t)b.len + 1, &effort) ||
        __builtin_mul_overflow(effort, sizeof(uint32_t), &effort))
        return UINT64_MAX;
    return effort;
}

static void fill_row(struct table *table, size_t i)
{
    uint32_t *row = table->row;
    const uint32_t *above = table->above;
    uint8_t *ups = table->ups ? table->ups + i * table->stride : NULL;
    char c = table->a.data[i];
    for (size_t j = 0; j < table->b.len; j++) {
        if (c == table->b.data[j]) {
            row[j + 1] = above[j] + 1;
            continue;
        }
        bool up = above[j + 1] > row[j];
        row[j + 1] = up ? above[j + 1] : row[j];
        if (ups && up)
            ups[j >> 3] |= (uint8_t)(1 << (j & 7));
    }
}

static void fill(struct table *table)
{
    for (size_t i = 0; i < table->a.len; i++) {
        fill_row(table, i);
        uint32_t *filled = table->row;
        table->row = table->above;
        table->above = filled;
    }
}

static void add_match(struct lcs *lcs, struct lcs_match match)
{
    if (lcs->match_count == lcs->match_capacity) {
        lcs->match_capacity = lcs->match_capacity ? lcs->match_capacity * 2 : 16;
        lcs->matches = memory_resize(lcs->matches, lcs->match_capacity * sizeof(*lcs->matches));
    }
    lcs->matches[lcs->match_count++] = match;
}

static void walk_back(const struct table *table, struct lcs *lcs)
{
    size_t i = table->a.len, j = table->b.len, left = lcs->len;
    struct lcs_match match = { 0 };
    while (i > 0 && j > 0) {
        if (table->a.data[i - 1] == table->b.data[j - 1]) {
            i--;
            j--;
            lcs->text[--left] = table->a.data[i];
            match = (struct lcs_match){ (uint32_t)i, (uint32_t)j, match.len + 1 };
            continue;
        }
        if (match.len > 0)
            add_match(lcs, match);
        match.len = 0;
        if (table->ups[(i - 1) * table->stride + ((j - 1) >> 3)] >> ((j - 1) & 7) & 1)
            i--;
        else
            j--;
    }
    if (match.len > 0)
        add_match(lcs, match);
}

void lcs_find(struct bytes a, struct bytes b, bool only_length, struct lcs *lcs)
{
    *lcs = (struct lcs){ 0 };
    struct table table = { .a = a, .b = b, .stride = (b.len + 7) / 8 };
    table.row = memory_alloc_zeroed(b.len + 1, sizeof(*table.row));
    table.above = memory_alloc_zeroed(b.len + 1, sizeof(*table.above));
    if (!only_length)
        table.ups = memory_alloc_zeroed(a.len + 1, table.stride + 1);
    fill(&table);
    lcs->len = table.above[b.len];
    if (!only_length) {
        lcs->text = memory_alloc((size_t)lcs->len + 1);
        walk_back(&table, lcs);
    }
    free(table.row);
    free(table.above);
    free(table.ups);
}

void lcs_free(struct lcs *lcs)
{
    free(lcs->text);
    free(lcs->matches);
    *lcs = (struct lcs){ 0 };
}
