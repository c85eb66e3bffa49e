#include "server/type/lcs.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { LONG = 60 };

/* The definition, with a whole table; ties go the way that Redis goes. */
struct reference {
    int lengths[LONG + 1][LONG + 1];
    char text[LONG];
    struct lcs_match matches[LONG];
    size_t match_count;
};

static void refer(struct bytes a, struct bytes b, struct reference *ref)
{
    memset(ref, 0, sizeof(*ref));
    for (size_t i = 1; i <= a.len; i++) {
        for (size_t j = 1; j <= b.len; j++) {
            int up = ref->lengths[i - 1][j], left = ref->lengths[i][j - 1];
            bool same = a.data[i - 1] == b.data[j - 1];
            ref->lengths[i][j] = same ? ref->lengths[i - 1][j - 1] + 1 : up > left ? up : left;
        }
    }
    size_t i = a.len, j = b.len;
    int left = ref->lengths[i][j];
    bool open = false;
    while (i > 0 && j > 0) {
        if (a.data[i - 1] == b.data[j - 1]) {
            i--, j--;
            ref->text[--left] = a.data[i];
            if (!open)
                ref->matches[ref->match_count++].len = 0;
            struct lcs_match *match = &ref->matches[ref->match_count - 1];
            *match = (struct lcs_match){ (uint32_t)i, (uint32_t)j, match->len + 1 };
            open = true;
        } else {
            open = false;
            if (ref->lengths[i - 1][j] > ref->lengths[i][j - 1])
                i--;
            else
                j--;
        }
    }
}

static void check(struct bytes a, struct bytes b)
{
    struct reference ref;
    struct lcs lcs;
    refer(a, b, &ref);
    lcs_find(a, b, false, &lcs);
    cr_assert_eq(lcs.len, (uint32_t)ref.lengths[a.len][b.len]);
    cr_assert(memcmp(lcs.text, ref.text, lcs.len) == 0);
    cr_assert_eq(lcs.match_count, ref.match_count);
    for (size_t i = 0; i < lcs.match_count; i++) {
        cr_assert_eq(lcs.matches[i].a, ref.matches[i].a);
        cr_assert_eq(lcs.matches[i].b, ref.matches[i].b);
        cr_assert_eq(lcs.matches[i].len, ref.matches[i].len);
    }
    lcs_free(&lcs);
    lcs_find(a, b, true, &lcs);
    cr_assert_eq(lcs.len, (uint32_t)ref.lengths[a.len][b.len]);
    cr_assert_null(lcs.text);
    lcs_free(&lcs);
}

Test(lcs, finds_what_the_definition_says)
{
    srandom(7);
    for (int round = 0; round < 4000; round++) {
        char text[2][LONG];
        size_t len[2];
        int letters = 1 + round % 5;
        for (int k = 0; k < 2; k++) {
            len[k] = (size_t)random() % (LONG + 1);
            for (size_t i = 0; i < len[k]; i++)
                text[k][i] = (char)('a' + random() % letters);
        }
        check((struct bytes){ text[0], len[0] }, (struct bytes){ text[1], len[1] });
    }
}

Test(lcs, takes_empty_strings_and_any_bytes)
{
    check(BYTES(""), BYTES(""));
    check(BYTES(""), BYTES("abc"));
    check(BYTES("abc"), BYTES(""));
    check((struct bytes){ "\0\xff\0", 3 }, (struct bytes){ "\xff\0\0", 3 });
}

Test(lcs, tells_the_effort)
{
    char byte = 0;
    cr_assert_eq(lcs_effort(BYTES(""), BYTES("")), 4);
    cr_assert_eq(lcs_effort((struct bytes){ &byte, 511 }, (struct bytes){ &byte, 511 }), 1 << 20);
    cr_assert_eq(
        lcs_effort((struct bytes){ &byte, UINT32_MAX }, (struct bytes){ &byte, UINT32_MAX }),
        UINT64_MAX);
}
