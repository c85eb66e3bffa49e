/* SPOP, SRANDMEMBER and SSCAN: some of the members. */
#include "server/command/member_scan.h"
#include "server/command/notify.h"
#include "server/command/random_count.h"
#include "server/command/set.h"

#include "common/memory.h"
#include "server/type/sample.h"
#include <stdlib.h>

/* So many different members, fewer than there are: items of a dictionary, or integers. */
struct drawn {
    const struct dict *dict;
    struct item **items;
    int64_t *integers;
};

static struct drawn draw(const struct set *set, size_t wanted)
{
    if (set->encoding == ENCODING_HASHTABLE)
        return (
            struct drawn){ .dict = set_dict(set), .items = sample_items(set_dict(set), wanted) };
    const struct intset *all = set->value;
    struct drawn drawn = { .integers = memory_alloc((wanted + 1) * sizeof(int64_t)) };
    struct sample sample = { intset_count(all), wanted };
    for (size_t i = 0, taken = 0; taken < wanted; i++) {
        if (sample_takes(&sample))
            drawn.integers[taken++] = intset_at(all, i);
    }
    return drawn;
}

static struct member drawn_member(const struct drawn *drawn, size_t i, char *scratch)
{
    if (drawn->dict)
        return set_item_member(drawn->dict, drawn->items[i]);
    return (struct member){ .text = { scratch, number_format(scratch, drawn->integers[i]) },
        .integer = drawn->integers[i],
        .is_integer = true };
}

static void drawn_free(struct drawn *drawn)
{
    free(drawn->items);
    free(drawn->integers);
}

/* ---- SPOP ---- */

static void effect_of_delete(struct call *call)
{
    call_effect(call, (struct bytes[]){ BYTES("DEL"), call->argv[1] }, 2);
}

static void pop_one(struct call *call, struct key *key)
{
    char scratch[NUMBER_TEXT_MAX];
    struct set set = set_open(call, key);
    struct member member = set_random(&set, scratch);
    key_notify(call, key, NOTIFY_SET, "spop");
    reply_bulk(call->reply, member.text);
    call_effect(call, (struct bytes[]){ BYTES("SREM"), call->argv[1], member.text }, 3);
    set_remove(&set, &member);
    set_close(call, key, &set);
    if (set_count(&set) > 0)
        return;
    key_delete(call, key);
    key_notify(call, key, NOTIFY_GENERIC, "del");
}

/* The effect is one SREM for every few dozen members. They are told before they go. */
static void pop_some(struct call *call, struct key *key, size_t wanted)
{
    enum { BATCH = 64 };
    struct set set = set_open(call, key);
    struct drawn drawn = draw(&set, wanted);
    reply_set(call->reply, wanted);
    for (size_t done = 0; done < wanted;) {
        struct bytes argv[2 + BATCH] = { BYTES("SREM"), call->argv[1] };
        struct member members[BATCH];
        char scratch[BATCH][NUMBER_TEXT_MAX];
        int count = 0;
        for (; count < BATCH && done < wanted; count++, done++) {
            members[count] = drawn_member(&drawn, done, scratch[count]);
            argv[2 + count] = members[count].text;
            reply_bulk(call->reply, members[count].text);
        }
        call_effect(call, argv, 2 + count);
        for (int i = 0; i < count; i++)
            set_remove(&set, &members[i]);
    }
    drawn_free(&drawn);
    set_close(call, key, &set);
}

static void pop_count(struct call *call, struct key *key, size_t wanted)
{
    struct set set = set_of(key);
    key_notify(call, key, NOTIFY_SET, "spop");
    if (wanted < set_count(&set)) {
        pop_some(call, key, wanted);
        return;
    }
    key_read(call, 1, key); /* counts as one that reads them all */
    set_reply_members(call, key);
    key_delete(call, key);
    key_notify(call, key, NOTIFY_GENERIC, "del");
    effect_of_delete(call);
}

void set_pop_command(struct call *call)
{
    struct key key;
    bool wrong, with_count = call->argc == 3;
    int64_t count = 1;
    if (call->argc > 3) {
        call_error_syntax(call);
        return;
    }
    if (with_count && (!number_parse(call->argv[2], &count) || count < 0)) {
        reply_error(call->reply, "value is out of range, must be positive");
        return;
    }
    bool there = key_write_type(call, 1, TYPE_SET, &key, &wrong);
    if (wrong)
        return;
    if (!there && !with_count)
        reply_null(call->reply);
    else if (!there || count == 0)
        reply_set(call->reply, 0);
    else if (with_count)
        pop_count(call, &key, (size_t)count);
    else
        pop_one(call, &key);
}

/* ---- SRANDMEMBER ---- */

/* The same member may come again. */
static void reply_drawn(struct call *call, const struct set *set, uint64_t wanted)
{
    reply_array(call->reply, wanted);
    for (uint64_t i = 0; i < wanted && random_count_goes_on(call); i++) {
        char scratch[NUMBER_TEXT_MAX];
        reply_bulk(call->reply, set_random(set, scratch).text);
    }
}

static void reply_different(struct call *call, const struct key *key, uint64_t wanted)
{
    struct set set = set_of(key);
    struct member member;
    if (wanted >= set_count(&set)) {
        struct set_iterator iterator = set_iterate(&set);
        reply_array(call->reply, set_count(&set));
        while (set_next(&iterator, &member))
            reply_bulk(call->reply, member.text);
        return;
    }
    struct drawn drawn = draw(&set, wanted);
    reply_array(call->reply, wanted);
    for (size_t i = 0; i < wanted; i++) {
        char scratch[NUMBER_TEXT_MAX];
        reply_bulk(call->reply, drawn_member(&drawn, i, scratch).text);
    }
    drawn_free(&drawn);
}

void set_random_command(struct call *call)
{
    struct key key;
    bool wrong, with_count = call->argc == 3;
    int64_t count = 1;
    if (call->argc > 3) {
        call_error_syntax(call);
        return;
    }
    if (with_count && !random_count_parse(call, 2, &count))
        return;
    bool there = key_read_type(call, 1, TYPE_SET, &key, &wrong);
    if (wrong)
        return;
    if (!there && !with_count) {
        reply_null(call->reply);
    } else if (!there || count == 0) {
        reply_array(call->reply, 0);
    } else if (count < 0) {
        struct set set = set_of(&key);
        reply_drawn(call, &set, (uint64_t)-count);
    } else if (with_count) {
        reply_different(call, &key, (uint64_t)count);
    } else {
        char scratch[NUMBER_TEXT_MAX];
        struct set set = set_of(&key);
        reply_bulk(call->reply, set_random(&set, scratch).text);
    }
}

/* ---- SSCAN ---- */

struct table_scan {
    struct member_scan scan;
    const struct dict *dict;
};

static void add(struct member_scan *scan, struct bytes member)
{
    if (member_scan_wants(scan, member))
        member_scan_add(scan, member);
}

static void visit(void *arg, struct item *item)
{
    struct table_scan *at = arg;
    add(&at->scan, dict_key(at->dict, item));
}

void set_scan_command(struct call *call)
{
    struct key key;
    struct table_scan at;
    if (!member_scan_begin(call, TYPE_SET, &key, &at.scan))
        return;
    struct set set = set_of(&key);
    if (set.encoding == ENCODING_HASHTABLE) {
        at.dict = set_dict(&set);
        member_scan_dict(&at.scan, at.dict, visit, &at);
    } else {
        struct set_iterator iterator = set_iterate(&set);
        struct member member;
        while (set_next(&iterator, &member))
            add(&at.scan, member.text);
        at.scan.position = 0;
    }
    member_scan_end(call, &at.scan);
}
