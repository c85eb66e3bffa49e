/* Intsets against a plain array, under random changes; bytes that redis-server has dumped; and
 * bytes that nobody should send. */
#include "server/type/intset.h"

#include <criterion/criterion.h>
#include <inttypes.h>

enum { MODEL_MAX = 400, STEPS = 60000 };

struct model {
    int64_t integers[MODEL_MAX];
    size_t count;
};

static size_t model_place(const struct model *model, int64_t value)
{
    size_t at = 0;
    while (at < model->count && model->integers[at] < value)
        at++;
    return at;
}

static bool model_has(const struct model *model, int64_t value)
{
    size_t at = model_place(model, value);
    return at < model->count && model->integers[at] == value;
}

static bool model_change(struct model *model, int64_t value, bool add)
{
    size_t at = model_place(model, value), after = model->count - at;
    if (model_has(model, value) == add)
        return false;
    int64_t *place = &model->integers[at];
    if (add) {
        memmove(place + 1, place, after * sizeof(*place));
        *place = value;
        model->count++;
    } else {
        memmove(place, place + 1, (after - 1) * sizeof(*place));
        model->count--;
    }
    return true;
}

static void compare(const struct intset *set, const struct model *model)
{
    cr_assert_eq(intset_count(set), model->count);
    for (size_t i = 0; i < model->count; i++)
        cr_assert_eq(intset_at(set, i), model->integers[i]);
    cr_assert_eq(intset_is_valid(intset_bytes(set)), model->count > 0);
}

static uint64_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005 + 1442695040888963407;
    return *state ^ *state >> 31;
}

/* Small numbers as a rule, so that they meet; wide ones come later. */
static int64_t draw_integer(uint64_t *state, int step)
{
    uint64_t number = draw(state);
    if (step < STEPS / 3 || number % 50 > 2)
        return (int64_t)(number >> 8 & 511) - 256;
    static const int64_t edges[] = { INT16_MAX, INT16_MIN, INT16_MAX + 1, INT16_MIN - 1, INT32_MAX,
        INT32_MIN, INT32_MAX + INT64_C(1), INT32_MIN - INT64_C(1), INT64_MAX, INT64_MIN };
    size_t reach = step < STEPS * 2 / 3 ? 6 : 10;
    return edges[(number >> 8) % reach];
}

Test(intset, random_changes)
{
    struct model model = { .count = 0 };
    struct intset *set = intset_create();
    uint64_t state = 12345;
    for (int step = 0; step < STEPS; step++) {
        int64_t value = draw_integer(&state, step);
        bool add = draw(&state) % 3 > 0 && model.count < MODEL_MAX - 1, changed;
        struct intset *old = draw(&state) % 16 == 0 ? intset_hold(set) : NULL;
        struct model before = model;
        set = intset_own(set);
        set = add ? intset_add(set, value, &changed) : intset_remove(set, value, &changed);
        cr_assert_eq(changed, model_change(&model, value, add), "step %d: %" PRId64, step, value);
        cr_assert_eq(intset_has(set, value), add);
        if (old) {
            compare(old, &before);
            intset_release(old);
        }
        if (step % 64 == 0)
            compare(set, &model);
    }
    compare(set, &model);
    for (int64_t value = -300; value < 300; value++)
        cr_assert_eq(intset_has(set, value), model_has(&model, value));
    intset_release(set);
}

static void expect(const int64_t *values, size_t count, struct bytes bytes)
{
    struct intset *set = intset_create();
    for (size_t i = 0; i < count; i++) {
        bool added;
        set = intset_add(set, values[i], &added);
        cr_assert(added);
    }
    cr_assert(bytes_equal(intset_bytes(set), bytes));
    cr_assert(intset_is_valid(bytes));
    struct intset *other = intset_from(bytes);
    cr_assert(bytes_equal(intset_bytes(other), bytes));
    intset_release(other);
    intset_release(set);
}

/* As redis-server 7.0.15 dumps them, without the frame of the payload. */
Test(intset, bytes_as_redis_has_them)
{
    expect((int64_t[]){ 3, 1, -2 }, 3,
        BYTES("\x02\x00\x00\x00\x03\x00\x00\x00\xfe\xff\x01\x00\x03\x00"));
    expect((int64_t[]){ 1, 40000 }, 2,
        BYTES("\x04\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x40\x9c\x00\x00"));
    expect((int64_t[]){ -1, 1, -3000000000 }, 3,
        BYTES("\x08\x00\x00\x00\x03\x00\x00\x00"
              "\x00\xa2\x2f\x4d\xff\xff\xff\xff"
              "\xff\xff\xff\xff\xff\xff\xff\xff"
              "\x01\x00\x00\x00\x00\x00\x00\x00"));
}

Test(intset, damage_is_refused)
{
    cr_expect(!intset_is_valid(BYTES("")));
    cr_expect(!intset_is_valid(BYTES("\x02\x00\x00\x00\x00\x00\x00")), "cut within the header");
    cr_expect(!intset_is_valid(BYTES("\x02\x00\x00\x00\x00\x00\x00\x00")), "empty");
    cr_expect(!intset_is_valid(BYTES("\x03\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00")), "width 3");
    cr_expect(
        !intset_is_valid(BYTES("\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00")), "one is missing");
    cr_expect(!intset_is_valid(BYTES("\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00\x02\x00")),
        "one too many");
    cr_expect(!intset_is_valid(BYTES("\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x01\x00")), "twice");
    cr_expect(
        !intset_is_valid(BYTES("\x02\x00\x00\x00\x02\x00\x00\x00\x02\x00\x01\x00")), "descending");
    cr_expect(!intset_is_valid(BYTES("\x08\x00\x00\x00\xff\xff\xff\xff\x01\x00")), "a false count");
    cr_expect(
        !intset_is_valid(BYTES("\x08\x00\x00\x00\x00\x00\x00\x20")), "a count that overflows");
}
