/* Intersections, unions, differences: returned, counted or stored.
 *
 * An intersection goes over the smallest set and asks the others, smaller ones first. A difference
 * either goes over the first set and asks the others, the largest first, or takes from a copy of it
 * what the others have; whichever has less to do. Results share the items of the sets they are made
 * of. */
#include "server/command/notify.h"
#include "server/command/set.h"

#include "common/memory.h"
#include <stdlib.h>

/* The sets that a command names; of those whose keys are not there only the number. */
struct operands {
    struct set *sets; /* owned; those that are there, in the order named */
    size_t count, missing;
    bool first_is_missing;
    bool first_comes_again; /* the first set is named twice */
};

static void operands_free(struct operands *operands)
{
    free(operands->sets);
}

/* Looks up the keys from argv[first] on. False: WRONGTYPE has been written, nothing is to be freed.
 */
static bool gather(struct call *call, int first, int count, struct operands *operands)
{
    *operands = (struct operands){ .sets = memory_alloc((size_t)count * sizeof(struct set)) };
    for (int i = first; i < first + count; i++) {
        struct key key;
        bool wrong;
        if (key_read_type(call, i, TYPE_SET, &key, &wrong)) {
            struct set set = set_of(&key);
            operands->first_comes_again |= operands->count > 0 && !operands->first_is_missing &&
                                           operands->sets[0].value == set.value;
            operands->sets[operands->count++] = set;
        } else if (wrong) {
            operands_free(operands);
            return false;
        } else {
            operands->missing++;
            operands->first_is_missing |= i == first;
        }
    }
    return true;
}

static int compare_counts(const void *a, const void *b)
{
    size_t left = set_count(a), right = set_count(b);
    return left < right ? -1 : left > right;
}

static int compare_counts_down(const void *a, const void *b)
{
    return compare_counts(b, a);
}

/* ---- Intersections ---- */

/* What an intersection does with a member that all have; false: enough. */
typedef bool each_fn(void *arg, const struct member *member);

static void intersect(struct operands *operands, each_fn *each, void *arg)
{
    if (operands->missing > 0)
        return;
    struct set *sets = operands->sets;
    qsort(sets, operands->count, sizeof(*sets), compare_counts);
    struct set_iterator iterator = set_iterate(&sets[0]);
    struct member member;
    while (set_next(&iterator, &member)) {
        size_t i = 1;
        while (
            i < operands->count && (sets[i].value == sets[0].value || set_has(&sets[i], &member)))
            i++;
        if (i == operands->count && !each(arg, &member))
            return;
    }
}

struct replied {
    struct reply *reply;
    size_t count;
};

static bool reply_each(void *arg, const struct member *member)
{
    struct replied *replied = arg;
    reply_bulk(replied->reply, member->text);
    replied->count++;
    return true;
}

void set_inter_command(struct call *call)
{
    struct operands operands;
    if (!gather(call, 1, call->argc - 1, &operands))
        return;
    struct reply_mark mark = reply_deferred(call->reply);
    struct replied replied = { call->reply, 0 };
    intersect(&operands, reply_each, &replied);
    reply_deferred_set(call->reply, mark, replied.count);
    operands_free(&operands);
}

struct counted {
    int64_t count, limit; /* limit 0: none */
};

static bool count_each(void *arg, const struct member *member)
{
    struct counted *counted = arg;
    return ++counted->count != counted->limit;
}

static bool refuse(struct call *call, const char *text)
{
    reply_error(call->reply, "%s", text);
    return false;
}

/* numkeys key ... [LIMIT limit] */
static bool parse_count(struct call *call, int64_t *keys, int64_t *limit)
{
    *limit = 0;
    if (!number_parse(call->argv[1], keys) || *keys <= 0)
        return refuse(call, "numkeys should be greater than 0");
    if (*keys > call->argc - 2)
        return refuse(call, "Number of keys can't be greater than number of args");
    for (int i = 2 + (int)*keys; i < call->argc; i++) {
        if (!bytes_is(call->argv[i], "LIMIT") || i + 1 == call->argc) {
            call_error_syntax(call);
            return false;
        }
        if (!number_parse(call->argv[++i], limit) || *limit < 0)
            return refuse(call, "LIMIT can't be negative");
    }
    return true;
}

void set_inter_count_command(struct call *call)
{
    struct operands operands;
    struct counted counted = { 0 };
    int64_t keys;
    if (!parse_count(call, &keys, &counted.limit) || !gather(call, 2, (int)keys, &operands))
        return;
    intersect(&operands, count_each, &counted);
    reply_integer(call->reply, counted.count);
    operands_free(&operands);
}

/* ---- Results that are sets ---- */

struct result {
    struct set set;
    size_t intset_max;
};

static struct result result_create(void)
{
    return (struct result){ set_create(), set_intset_max() };
}

static bool add_each(void *arg, const struct member *member)
{
    struct result *result = arg;
    set_add(&result->set, member, result->intset_max);
    return true;
}

static void add_all(struct result *result, const struct set *set)
{
    struct set_iterator iterator = set_iterate(set);
    struct member member;
    while (set_next(&iterator, &member))
        set_add(&result->set, &member, result->intset_max);
}

static void unite(struct operands *operands, struct result *result)
{
    for (size_t i = 0; i < operands->count; i++)
        add_all(result, &operands->sets[i]);
}

/* Goes over the first set and asks the others. */
static void subtract_by_asking(struct operands *operands, struct result *result)
{
    struct set *others = operands->sets + 1;
    size_t count = operands->count - 1;
    qsort(others, count, sizeof(*others), compare_counts_down);
    struct set_iterator iterator = set_iterate(&operands->sets[0]);
    struct member member;
    while (set_next(&iterator, &member)) {
        size_t i = 0;
        while (i < count && !set_has(&others[i], &member))
            i++;
        if (i == count)
            add_each(result, &member);
    }
}

/* Takes what the others have from all that the first one has. */
static void subtract_by_removing(struct operands *operands, struct result *result)
{
    add_all(result, &operands->sets[0]);
    for (size_t i = 1; i < operands->count && set_count(&result->set) > 0; i++) {
        struct set_iterator iterator = set_iterate(&operands->sets[i]);
        struct member member;
        while (set_next(&iterator, &member))
            set_remove(&result->set, &member);
    }
}

static void subtract(struct operands *operands, struct result *result)
{
    if (operands->first_is_missing || operands->first_comes_again)
        return;
    /* Asking may stop at the first set that has the member: half of the questions, say. */
    uint64_t asking = 0, removing = 0;
    for (size_t i = 0; i < operands->count; i++) {
        asking += set_count(&operands->sets[0]);
        removing += set_count(&operands->sets[i]);
    }
    if (asking / 2 <= removing)
        subtract_by_asking(operands, result);
    else
        subtract_by_removing(operands, result);
}

static void intersect_to(struct operands *operands, struct result *result)
{
    intersect(operands, add_each, result);
}

typedef void combine_fn(struct operands *operands, struct result *result);

static void reply_combined(struct call *call, combine_fn *combine)
{
    struct operands operands;
    if (!gather(call, 1, call->argc - 1, &operands))
        return;
    struct result result = result_create();
    combine(&operands, &result);
    struct set_iterator iterator = set_iterate(&result.set);
    struct member member;
    reply_set(call->reply, set_count(&result.set));
    while (set_next(&iterator, &member))
        reply_bulk(call->reply, member.text);
    set_free(&result.set);
    operands_free(&operands);
}

/* An empty result deletes the key. */
static void store_combined(struct call *call, combine_fn *combine, const char *event)
{
    struct operands operands;
    struct key key;
    if (!gather(call, 2, call->argc - 2, &operands))
        return;
    struct result result = result_create();
    combine(&operands, &result);
    operands_free(&operands);
    size_t count = set_count(&result.set);
    key_peek(call, 1, &key);
    reply_integer(call->reply, (int64_t)count);
    if (count > 0) {
        key_set(call, &key,
            entry_create_value(
                key.name, TYPE_SET, result.set.encoding, result.set.value, ENTRY_NO_EXPIRY));
        key_notify(call, &key, NOTIFY_SET, event);
    } else {
        set_free(&result.set);
        if (key.entry) {
            key_delete(call, &key);
            key_notify(call, &key, NOTIFY_GENERIC, "del");
        }
    }
}

void set_inter_store_command(struct call *call)
{
    store_combined(call, intersect_to, "sinterstore");
}

void set_union_command(struct call *call)
{
    reply_combined(call, unite);
}

void set_union_store_command(struct call *call)
{
    store_combined(call, unite, "sunionstore");
}

void set_diff_command(struct call *call)
{
    reply_combined(call, subtract);
}

void set_diff_store_command(struct call *call)
{
    store_combined(call, subtract, "sdiffstore");
}
