#include "common/node_id.h"

#include <criterion/criterion.h>

Test(node_id, is_read_strictly)
{
    static const char good[] = "0123456789abcdef0123456789abcdef01234567";
    struct node_id id = { "" };
    cr_assert_not(node_id_is_set(&id));
    cr_assert(node_id_parse(BYTES(good), &id));
    cr_assert_str_eq(id.text, good);
    cr_assert(node_id_is_set(&id));

    static const struct bytes refused[] = {
        { "", 0 },
        BYTES("0123456789abcdef0123456789abcdef0123456"),
        BYTES("0123456789abcdef0123456789abcdef012345678"),
        BYTES("0123456789ABCDEF0123456789ABCDEF01234567"),
        BYTES("0123456789abcdef0123456789abcdef0123456g"),
        BYTES("0123456789abcdef0123456789abcdef0123456\0"),
        BYTES(" 123456789abcdef0123456789abcdef01234567"),
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        cr_assert_not(node_id_parse(refused[i], &id), "row %zu", i);
    cr_assert_str_eq(id.text, good, "a refused text must leave the ID alone");
}

Test(node_id, is_random)
{
    struct node_id seen[100], read;
    for (int i = 0; i < 100; i++) {
        seen[i] = node_id_random();
        cr_assert(node_id_parse(bytes_of(seen[i].text), &read));
        cr_assert(node_id_equal(&seen[i], &read));
        for (int j = 0; j < i; j++)
            cr_assert_not(node_id_equal(&seen[i], &seen[j]));
    }
}
