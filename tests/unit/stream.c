/* Streams and what is pending in their groups against plain arrays, while holders come and go. */
#include "server/type/stream.h"

#include "server/type/stream_group.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { ENTRIES_MAX = 3000, STEPS = 30000, PENDING_MAX = 500 };

static const struct stream_limits limits = { 400, 20 };

/* Entries by their number: the ID is number-0, the one field's value the number. */
struct model {
    bool there[ENTRIES_MAX];
    uint64_t count;
    uint64_t next; /* the number to be added */
};

static struct stream *add(struct stream *stream, struct model *model)
{
    char digits[NUMBER_TEXT_MAX];
    struct bytes value = { digits, number_format(digits, (int64_t)model->next) };
    struct bytes fields[] = { model->next % 7 ? BYTES("name") : BYTES("other"), value };
    stream = stream_own(stream);
    cr_assert(stream_append(stream, (struct stream_id){ model->next, 0 }, fields, 1, &limits));
    model->there[model->next++] = true;
    model->count++;
    return stream;
}

static void expect_entry(struct stream_entry *entry, uint64_t number)
{
    char scratch[2][NUMBER_TEXT_MAX];
    struct bytes name, value;
    int64_t read;
    cr_assert_eq(entry->id.ms, number);
    cr_assert_eq(entry->field_count, 1);
    stream_field(entry, &name, &value, scratch[0], scratch[1]);
    cr_assert(bytes_equal(name, number % 7 ? BYTES("name") : BYTES("other")));
    cr_assert(number_parse(value, &read));
    cr_assert_eq((uint64_t)read, number);
}

static void compare(const struct stream *stream, const struct model *model)
{
    struct stream_cursor cursor = stream_walk(stream, STREAM_ID_MIN, STREAM_ID_MAX, false);
    struct stream_entry entry;
    cr_assert_eq(stream->length, model->count);
    for (uint64_t i = 0; i < model->next; i++) {
        cr_assert_eq(stream_has(stream, (struct stream_id){ i, 0 }), model->there[i]);
        if (model->there[i]) {
            cr_assert(stream_next(&cursor, &entry));
            expect_entry(&entry, i);
        }
    }
    cr_assert_not(stream_next(&cursor, &entry));
    cursor = stream_walk(stream, STREAM_ID_MIN, STREAM_ID_MAX, true);
    for (uint64_t i = model->next; i-- > 0;) {
        if (model->there[i]) {
            cr_assert(stream_next(&cursor, &entry));
            expect_entry(&entry, i);
        }
    }
    cr_assert_not(stream_next(&cursor, &entry));
}

static void trim_to(struct model *model, uint64_t length)
{
    for (uint64_t i = 0; model->count > length; i++) {
        model->count -= model->there[i];
        model->there[i] = false;
    }
}

Test(stream, random_changes_and_holders)
{
    static struct model model, held_model;
    struct stream *stream = stream_create(), *held = NULL;
    unsigned seed = 5;
    model.next = 1;
    for (int step = 0; step < STEPS && model.next < ENTRIES_MAX; step++) {
        switch (rand_r(&seed) % 8) {
        case 0:
        case 1:
        case 2:
            stream = add(stream, &model);
            break;
        case 3:
        case 4: {
            uint64_t number = 1 + (uint64_t)rand_r(&seed) % model.next;
            stream = stream_own(stream);
            bool deleted = stream_delete(stream, (struct stream_id){ number, 0 });
            cr_assert_eq(deleted, number < model.next && model.there[number]);
            if (deleted) {
                model.there[number] = false;
                model.count--;
            }
            break;
        }
        case 5:
            if (rand_r(&seed) % 20 == 0) {
                uint64_t length = (uint64_t)rand_r(&seed) % 100;
                stream = stream_own(stream);
                stream_trim(stream, &(struct stream_trim){ STREAM_TRIM_LENGTH, .length = length });
                trim_to(&model, length);
            }
            break;
        default:
            if (step % 500 == 0) {
                if (held) {
                    compare(held, &held_model);
                    stream_release(held);
                }
                held = stream_share(stream);
                held_model = model;
            }
        }
        if (step % 400 == 0)
            compare(stream, &model);
    }
    compare(stream, &model);
    stream_release(stream);
    if (held) {
        compare(held, &held_model);
        stream_release(held);
    }
}

/* What comes from a file is refused unless it is what it says. */
Test(stream, packs_that_are_damaged)
{
    static struct model model;
    struct stream *stream = stream_create();
    model.next = 1;
    for (int i = 0; i < 15; i++)
        stream = add(stream, &model);
    const struct listpack *pack = stream_node_pack(stream, 0);
    for (size_t at = 0; at < listpack_size(pack); at++) {
        for (int bit = 0; bit < 8; bit++) {
            struct listpack *copy = listpack_copy(pack);
            copy->bytes[at] ^= (unsigned char)(1 << bit);
            struct stream *other = stream_create();
            if (listpack_is_valid((struct bytes){ (char *)copy->bytes, listpack_size(pack) }) &&
                stream_add_pack(other, (struct stream_id){ 1, 0 }, copy, NULL)) {
                struct stream_cursor cursor =
                    stream_walk(other, STREAM_ID_MIN, STREAM_ID_MAX, at % 2);
                struct stream_entry entry;
                uint64_t count = 0;
                while (stream_next(&cursor, &entry))
                    count++;
                cr_assert_eq(count, other->length);
            } else {
                listpack_free(copy);
            }
            stream_release(other);
        }
    }
    stream_release(stream);
}

static void expect_pending(const struct stream_group *group, const int *owner)
{
    size_t count = 0, of_consumer[3] = { 0 };
    for (int i = 0; i < PENDING_MAX; i++) {
        const struct stream_pending *pending =
            idmap_find(&group->pending, (struct stream_id){ (uint64_t)i, 0 });
        cr_assert_eq(pending != NULL, owner[i] >= 0);
        if (!pending)
            continue;
        char name[2] = { (char)('a' + owner[i]), 0 };
        const struct stream_consumer *consumer = stream_consumer_find(group, bytes_of(name));
        cr_assert_eq(stream_consumer_of(group, pending), consumer);
        cr_assert_not_null(idmap_find(&consumer->pending, (struct stream_id){ (uint64_t)i, 0 }));
        cr_assert_eq(pending->deliveries, (uint64_t)i);
        count++;
        of_consumer[owner[i]]++;
    }
    cr_assert_eq(group->pending.count, count);
    for (int i = 0; i < 3; i++) {
        char name[2] = { (char)('a' + i), 0 };
        cr_assert_eq(stream_consumer_find(group, bytes_of(name))->pending.count, of_consumer[i]);
    }
}

Test(stream, pending_entries_and_clones)
{
    static int owner[PENDING_MAX], held_owner[PENDING_MAX];
    struct stream *stream = stream_create(), *held = NULL;
    unsigned seed = 9;
    stream_group_add(stream, BYTES("group"), STREAM_ID_MIN, 0);
    for (int i = 0; i < 3; i++)
        stream_consumer_add(stream->groups[0], (struct bytes){ &"abc"[i], 1 });
    memset(owner, -1, sizeof(owner));
    for (int step = 0; step < STEPS; step++) {
        int i = rand_r(&seed) % PENDING_MAX;
        struct stream_id id = { (uint64_t)i, 0 };
        stream = stream_own(stream);
        struct stream_group *group = stream->groups[0];
        if (rand_r(&seed) % 2) {
            owner[i] = rand_r(&seed) % 3;
            struct stream_pending *pending = stream_pending_give(
                group, id, stream_consumer_find(group, (struct bytes){ &"abc"[owner[i]], 1 }));
            pending->deliveries = (uint64_t)i;
        } else {
            cr_assert_eq(stream_pending_remove(group, id), owner[i] >= 0);
            owner[i] = -1;
        }
        if (step % 3000 == 1500) {
            if (held) {
                expect_pending(held->groups[0], held_owner);
                stream_release(held);
            }
            held = stream_share(stream);
            memcpy(held_owner, owner, sizeof(owner));
            expect_pending(group, owner);
        }
    }
    expect_pending(stream->groups[0], owner);
    expect_pending(held->groups[0], held_owner);
    stream_release(stream);
    stream_release(held);
}
