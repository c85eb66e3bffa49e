/* Listpacks against a plain array of strings, under random changes; bytes that redis-server has
 * dumped; and bytes that nobody should send. */
#include "server/type/listpack.h"

#include "common/memory.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { MODEL_MAX = 64, STEPS = 20000 };

struct model {
    char *text[MODEL_MAX];
    size_t len[MODEL_MAX];
    size_t count;
};

static void model_insert(struct model *model, size_t at, struct bytes value)
{
    memmove(&model->text[at + 1], &model->text[at], (model->count - at) * sizeof(char *));
    memmove(&model->len[at + 1], &model->len[at], (model->count - at) * sizeof(size_t));
    model->text[at] = memory_copy(value.data, value.len);
    model->len[at] = value.len;
    model->count++;
}

static void model_remove(struct model *model, size_t at)
{
    free(model->text[at]);
    model->count--;
    memmove(&model->text[at], &model->text[at + 1], (model->count - at) * sizeof(char *));
    memmove(&model->len[at], &model->len[at + 1], (model->count - at) * sizeof(size_t));
}

static void compare(const struct listpack *pack, const struct model *model)
{
    cr_assert(listpack_is_valid(listpack_bytes(pack)));
    cr_assert_eq(listpack_count(pack), model->count);
    char scratch[NUMBER_TEXT_MAX];
    const unsigned char *at = listpack_first(pack);
    for (size_t i = 0; i < model->count; i++, at = listpack_next(pack, at)) {
        struct bytes value = { model->text[i], model->len[i] };
        cr_assert_not_null(at);
        cr_assert(bytes_equal(listpack_get(at, scratch), value));
        cr_assert(listpack_is(at, value));
        cr_assert_eq(listpack_seek(pack, (long)i), at);
        cr_assert_eq(listpack_seek(pack, (long)i - (long)model->count), at);
    }
    cr_assert_null(at);
    at = listpack_last(pack);
    for (size_t i = model->count; i-- > 0; at = listpack_previous(pack, at))
        cr_assert(bytes_equal(
            listpack_get(at, scratch), ((struct bytes){ model->text[i], model->len[i] })));
    cr_assert_null(at);
}

/* Strings and integers of every width. */
static struct bytes draw(unsigned *seed, char *room)
{
    static const int64_t edges[] = { 0, 127, 128, -1, -4096, 4095, -4097, 4096, INT16_MIN,
        INT16_MAX, INT16_MAX + 1, -(1 << 23), (1 << 23) - 1, 1 << 23, INT32_MIN, INT32_MAX,
        (int64_t)INT32_MAX + 1, INT64_MIN, INT64_MAX };
    static const size_t lens[] = { 0, 1, 20, 21, 63, 64, 100, 125, 126, 127, 4095, 4096, 5000,
        17000 };
    if (rand_r(seed) % 2)
        return (struct bytes){ room,
            number_format(room, edges[(size_t)rand_r(seed) % (sizeof(edges) / sizeof(edges[0]))]) };
    size_t len = lens[(size_t)rand_r(seed) % (sizeof(lens) / sizeof(lens[0]))];
    memset(room, 'a' + rand_r(seed) % 26, len);
    return (struct bytes){ room, len };
}

Test(listpack, random_changes)
{
    struct model model = { 0 };
    struct listpack *pack = listpack_create();
    char *room = memory_alloc(20000);
    unsigned seed = 7;
    for (int step = 0; step < STEPS; step++) {
        struct bytes value = draw(&seed, room);
        size_t at = model.count ? (size_t)rand_r(&seed) % model.count : 0;
        const unsigned char *place = listpack_seek(pack, (long)at), *added;
        switch (rand_r(&seed) % 4) {
        case 0:
            if (model.count + 1 < MODEL_MAX) {
                pack = listpack_insert(pack, place, value, &added);
                cr_assert(listpack_is(added, value));
                model_insert(&model, at, value);
            }
            break;
        case 1:
            if (model.count + 1 < MODEL_MAX) {
                pack = listpack_append(pack, value);
                model_insert(&model, model.count, value);
            }
            break;
        case 2:
            if (place) {
                pack = listpack_replace(pack, &place, value);
                cr_assert(listpack_is(place, value));
                model_insert(&model, at, value);
                model_remove(&model, at + 1);
            }
            break;
        default:
            for (size_t count = (size_t)rand_r(&seed) % 3; place && count > 0; count--) {
                pack = listpack_remove(pack, &place, 1);
                model_remove(&model, at);
                cr_assert_eq(place == NULL, at == model.count);
            }
        }
        if (step % 16 == 0)
            compare(pack, &model);
    }
    compare(pack, &model);
    while (model.count)
        model_remove(&model, 0);
    free(room);
    listpack_free(pack);
}

Test(listpack, bytes_of_redis)
{
    /* The payload of RPUSH l a 1 -1 5000 hello, behind the quicklist's head. */
    static const char bytes[] = "\x1a\x00\x00\x00\x05\x00\x81"
                                "a\x02\x01\x01\xdf\xff\x02\xf1\x88\x13\x03\x85hello\x06\xff";
    cr_assert(listpack_is_valid((struct bytes){ bytes, sizeof(bytes) - 1 }));
    struct listpack *pack = listpack_create();
    static const char *const words[] = { "a", "1", "-1", "5000", "hello" };
    for (size_t i = 0; i < 5; i++)
        pack = listpack_append(pack, bytes_of(words[i]));
    cr_assert(bytes_equal(listpack_bytes(pack), ((struct bytes){ bytes, sizeof(bytes) - 1 })));
    listpack_free(pack);
}

Test(listpack, find_and_concatenate)
{
    struct listpack *pack = listpack_create(), *other = listpack_create();
    for (int i = 0; i < 10; i++) {
        pack = listpack_append_integer(pack, i);
        other = listpack_append(other, BYTES("x"));
    }
    const unsigned char *first = listpack_first(pack);
    cr_assert_eq(listpack_find(pack, first, BYTES("4"), 1), listpack_seek(pack, 4));
    cr_assert_null(listpack_find(pack, first, BYTES("5"), 1)); /* at an odd place */
    cr_assert_null(listpack_find(pack, first, BYTES("04"), 0));
    pack = listpack_concatenate(pack, other);
    cr_assert_eq(listpack_count(pack), 20);
    cr_assert_eq(listpack_find(pack, listpack_first(pack), BYTES("x"), 0), listpack_seek(pack, 10));
    const unsigned char *at = listpack_seek(pack, 5);
    pack = listpack_remove(pack, &at, 100);
    cr_assert_null(at);
    cr_assert_eq(listpack_count(pack), 5);
    listpack_free(pack);
    listpack_free(other);
}

Test(listpack, more_than_the_header_can_count)
{
    struct listpack *pack = listpack_create();
    for (int i = 0; i < 70000; i++)
        pack = listpack_append_integer(pack, 1);
    cr_assert_eq(listpack_count(pack), 70000);
    cr_assert(listpack_is_valid(listpack_bytes(pack)));
    const unsigned char *at = listpack_seek(pack, 100);
    pack = listpack_remove(pack, &at, 10000);
    cr_assert_eq(listpack_count(pack), 60000);
    cr_assert_not_null(listpack_seek(pack, 59999));
    cr_assert_null(listpack_seek(pack, 60000));
    listpack_free(pack);
}

/* Every byte of a good listpack is spoilt in turn, and every shorter piece tried: nothing is read
 * beyond the end (the address sanitizer looks on), and what is called valid can be walked. */
Test(listpack, damaged)
{
    struct listpack *pack = listpack_create();
    char room[200];
    memset(room, 'z', sizeof(room));
    pack = listpack_append(pack, BYTES("short"));
    pack = listpack_append(pack, (struct bytes){ room, sizeof(room) });
    pack = listpack_append_integer(pack, 123456789012);
    pack = listpack_append_integer(pack, -70000);
    size_t size = listpack_size(pack);
    for (size_t i = 0; i < size * 256; i++) {
        char *bad = memory_copy(pack->bytes, size);
        bad[i / 256] = (char)(i % 256);
        if (listpack_is_valid((struct bytes){ bad, size })) {
            struct listpack *walked = listpack_from((struct bytes){ bad, size });
            size_t count = 0;
            for (const unsigned char *at = listpack_first(walked); at;
                 at = listpack_next(walked, at))
                count++;
            cr_assert_eq(count, listpack_count(walked));
            listpack_free(walked);
        }
        free(bad);
    }
    for (size_t len = 0; len < size; len++) {
        char *piece = memory_copy(pack->bytes, len);
        cr_assert_not(listpack_is_valid((struct bytes){ piece, len }));
        free(piece);
    }
    listpack_free(pack);
}
