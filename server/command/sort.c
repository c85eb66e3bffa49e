/* SORT and SORT_RO. The elements are copied out, each with what it is sorted by, and the copies
 * sorted.
 *
 * Patterns of BY and GET name keys by the elements, which are known only when the key has been
 * read; without a cluster these keys lie in any slots. So the locks that dispatch has taken are let
 * go, and taken again together with those of the slots that the elements now there call for, until
 * these are the ones that are wanted; where it is many, or they change in between, with those of
 * all slots. */
#include "server/command/dispatch.h"
#include "server/command/families.h"
#include "server/command/key.h"
#include "server/command/list_key.h"
#include "server/command/rows.h"
#include "server/command/sort_items.h"
#include "server/command/transit.h"
#include "server/command/zset_key.h"

#include "common/memory.h"
#include "common/number.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* ---- Sorting ---- */

struct order {
    const struct sort_args *args;
    bool by_bytes; /* what is stored must be the same everywhere: no locale */
};

static int compare_bytes(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int result = len > 0 ? memcmp(a.data, b.data, len) : 0;
    return result ? result : (a.len > b.len) - (a.len < b.len);
}

/* Both have a zero behind. */
static int compare_texts(struct bytes a, struct bytes b, bool by_bytes)
{
    return by_bytes ? compare_bytes(a, b) : strcoll(a.data, b.data);
}

static int compare(const void *left, const void *right, void *arg)
{
    const struct sort_item *a = left, *b = right;
    const struct order *order = arg;
    int result;
    if (!order->args->alpha) {
        result = (a->score > b->score) - (a->score < b->score);
        if (result == 0)
            result = compare_bytes(a->text, b->text);
    } else if (!order->args->by_pattern) {
        result = compare_texts(a->text, b->text, order->by_bytes);
    } else if (!a->by.data || !b->by.data) {
        result = (a->by.data != NULL) - (b->by.data != NULL);
    } else {
        result = compare_texts(a->by, b->by, order->by_bytes);
    }
    return order->args->descending ? -result : result;
}

/* The text, with a zero behind, as a number. */
static bool read_score(struct bytes text, double *score)
{
    char *end;
    errno = 0;
    *score = strtod(text.data, &end);
    return *end == '\0' && errno != ERANGE && !isnan(*score);
}

/* What each item is sorted by; false: a score is no number. */
static bool find_keys(struct call *call, struct sort_items *items, const struct sort_args *args)
{
    struct buffer name = { 0 };
    char scratch[NUMBER_TEXT_MAX];
    bool ok = true;
    for (size_t i = 0; i < items->count; i++) {
        struct sort_item *item = &items->items[i];
        struct bytes by = item->text;
        if (args->by_pattern) {
            by = sort_pattern_value(call, call->argv[args->by], item->text, &name, scratch);
            if (!by.data)
                continue;
            by = sort_items_keep(items, by);
        }
        if (args->alpha)
            item->by = by;
        else
            ok = read_score(by, &item->score) && ok;
    }
    buffer_free(&name);
    return ok;
}

/* ---- The result ---- */

static void reply_result(
    struct call *call, const struct sort_args *args, const struct sort_item *items, size_t count)
{
    struct buffer name = { 0 };
    char scratch[NUMBER_TEXT_MAX];
    size_t each = args->get_count > 0 ? (size_t)args->get_count : 1;
    reply_array(call->reply, count * each);
    for (size_t i = 0; i < count; i++) {
        if (args->get_count == 0)
            reply_bulk(call->reply, items[i].text);
        for (int g = 0; g < args->get_count; g++) {
            struct bytes value =
                sort_pattern_value(call, call->argv[args->gets[g]], items[i].text, &name, scratch);
            if (value.data)
                reply_bulk(call->reply, value);
            else
                reply_null(call->reply);
        }
    }
    buffer_free(&name);
}

/* The result as a list; what isn't there is an empty element. */
static struct list *list_of_result(
    struct call *call, const struct sort_args *args, const struct sort_item *items, size_t count)
{
    struct buffer name = { 0 };
    char scratch[NUMBER_TEXT_MAX];
    struct list *list = list_new();
    for (size_t i = 0; i < count; i++) {
        if (args->get_count == 0)
            list_push(list, LIST_TAIL, items[i].text);
        for (int g = 0; g < args->get_count; g++)
            list_push(list, LIST_TAIL,
                sort_pattern_value(call, call->argv[args->gets[g]], items[i].text, &name, scratch));
    }
    buffer_free(&name);
    return list;
}

static void store_result(
    struct call *call, const struct sort_args *args, const struct sort_item *items, size_t count)
{
    struct key key;
    struct list *list = list_of_result(call, args, items, count);
    size_t stored = list->count;
    bool there = key_write(call, args->store, &key);
    if (stored > 0) {
        key_set(call, &key,
            entry_create_value(key.name, TYPE_LIST, ENCODING_QUICKLIST, list, ENTRY_NO_EXPIRY));
        key_notify(call, &key, NOTIFY_LIST, "sortstore");
    } else {
        list_release(list);
        if (there) {
            key_delete(call, &key);
            key_notify(call, &key, NOTIFY_GENERIC, "del");
        }
    }
    reply_integer(call->reply, (int64_t)stored);
}

/* What is stored, or a script goes by, must be the same everywhere, and a set has no order of its
 * own. */
static void settle_order(
    const struct call *call, const struct entry *entry, struct sort_args *args)
{
    if (!entry || entry->type != TYPE_SET || !args->unsorted || !(args->store || call->in_script))
        return;
    args->unsorted = args->by_pattern = false;
    args->alpha = true;
}

/* A sorted set that is sorted becomes a large one, as OBJECT ENCODING shows with redis-server. */
static void settle_encoding(struct call *call, struct key *key)
{
    if (!key->entry || key->entry->type != TYPE_ZSET || key->entry->encoding != ENCODING_LISTPACK)
        return;
    struct zset zset = zset_key_begin(call, key);
    zset_enlarge(&zset);
    entry_set_value(key->entry, zset.value);
    key->entry->encoding = zset.encoding;
}

/* All slots that are needed are locked. */
static void sort_locked(struct call *call, struct sort_args *args)
{
    struct key key;
    struct sort_items items;
    size_t first, count;
    key_read(call, 1, &key);
    if (key.entry && !sort_takes(key.entry)) {
        call_error_type(call);
        return;
    }
    settle_order(call, key.entry, args);
    settle_encoding(call, &key);
    sort_items_load(&items, key.entry, args, &first, &count);
    struct order order = { args, args->store > 0 };
    bool ok = args->unsorted || find_keys(call, &items, args);
    if (ok && !args->unsorted && items.count > 1)
        qsort_r(items.items, items.count, sizeof(*items.items), compare, &order);
    if (!ok)
        reply_error(call->reply, "One or more scores can't be converted into double");
    else if (args->store)
        store_result(call, args, items.items + first, count);
    else
        reply_result(call, args, items.items + first, count);
    sort_items_free(&items);
}

/* ---- Locks ---- */

struct wanted {
    struct slot **slots; /* owned */
    size_t count, capacity;
};

static void want(struct wanted *wanted, struct slot *slot)
{
    if (wanted->count == wanted->capacity) {
        wanted->capacity = wanted->capacity ? wanted->capacity * 2 : 64;
        wanted->slots = memory_resize(wanted->slots, wanted->capacity * sizeof(*wanted->slots));
    }
    wanted->slots[wanted->count++] = slot;
}

static void want_pattern(struct call *call, struct wanted *wanted, struct bytes pattern,
    struct bytes element, struct buffer *name)
{
    struct bytes field;
    name->len = 0;
    if (sort_pattern_key(pattern, element, name, &field))
        want(wanted, store_slot(call->store, call->database, slot_of_key(buffer_bytes(name))));
}

/* The slots of the request's own keys: what dispatch has locked. */
static void want_own(struct call *call, const struct sort_args *args, struct wanted *wanted)
{
    want(wanted, call->slot);
    if (args->store)
        want(wanted, store_slot(call->store, call->database, slot_of_key(call->argv[args->store])));
}

/* And those of the keys that the patterns name, as the elements are now. */
static void want_others(struct call *call, const struct sort_args *args, struct wanted *wanted)
{
    struct sort_items items;
    size_t first, count;
    struct buffer name = { 0 };
    table_cell *cell = store_find(call->slot, call->hash, call->argv[1]);
    const struct entry *entry = cell ? table_cell_entry(cell) : NULL;
    if (!entry || !sort_takes(entry))
        return;
    sort_items_load(&items, entry, args, &first, &count);
    for (size_t i = 0; i < items.count; i++) {
        struct bytes text = items.items[i].text;
        if (args->by_pattern && !args->unsorted)
            want_pattern(call, wanted, call->argv[args->by], text, &name);
        for (int g = 0; g < args->get_count; g++)
            want_pattern(call, wanted, call->argv[args->gets[g]], text, &name);
    }
    buffer_free(&name);
    sort_items_free(&items);
}

static int compare_slots(const void *a, const void *b)
{
    const struct slot *const *left = a, *const *right = b;
    return *left < *right ? -1 : *left > *right;
}

static bool are_among(const struct wanted *wanted, const struct wanted *locked)
{
    for (size_t i = 0; i < wanted->count; i++) {
        if (!bsearch(&wanted->slots[i], locked->slots, locked->count, sizeof(struct slot *),
                compare_slots))
            return false;
    }
    return true;
}

/* From the locks of the own keys to those of all that is needed. False, with nothing locked: a script
 * has one of them and takes long. */
static bool lock_others(struct call *call, const struct sort_args *args, struct wanted *locked)
{
    enum { TRIES = 3, MANY = 4096 };
    for (int i = 0; i < TRIES; i++) {
        struct wanted wanted = { .count = 0 };
        want_own(call, args, &wanted);
        want_others(call, args, &wanted);
        if (are_among(&wanted, locked)) {
            free(wanted.slots);
            return true;
        }
        store_unlock_many(locked->slots, locked->count);
        free(locked->slots);
        *locked = wanted;
        if (i + 1 == TRIES || wanted.count > MANY) {
            for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
                want(locked, store_slot(call->store, call->database, slot));
            i = TRIES;
        }
        if (!store_enter_many(locked->slots, &locked->count)) {
            locked->count = 0;
            return false;
        }
    }
    return true;
}

/* Not of a transaction or a script: they have all slots already. */
static void sort_with_patterns(struct call *call, struct sort_args *args)
{
    struct wanted locked = { .count = 0 }, own = { .count = 0 };
    want_own(call, args, &own);
    want_own(call, args, &locked);
    qsort(locked.slots, locked.count, sizeof(*locked.slots), compare_slots);
    if (locked.count == 2 && locked.slots[0] == locked.slots[1])
        locked.count = 1;
    if (!lock_others(call, args, &locked) || (transit_any() && transit_blocks(call))) {
        call->retry = true;
    } else {
        sort_locked(call, args);
        if (call->changed && args->store) {
            /* Journaled before the locks change again. */
            call_effect(call, call->argv, call->argc);
            dispatch_flush_effects(call->executor, call->session);
        }
    }
    store_unlock_many(locked.slots, locked.count);
    free(locked.slots);
    store_lock_many(own.slots, own.count);
    free(own.slots);
}

static void sort_any(struct call *call, bool read_only)
{
    struct sort_args args;
    if (sort_args_parse(call, read_only, &args)) {
        if (args.other_keys && !call->executor->holds_all_slots)
            sort_with_patterns(call, &args);
        else
            sort_locked(call, &args);
    }
    sort_args_free(&args);
}

static void sort(struct call *call)
{
    sort_any(call, false);
}

static void sort_ro(struct call *call)
{
    sort_any(call, true);
}

/* ---- The table ---- */

static const struct command_arg limit_args[] = { ARG("offset", ARG_INTEGER),
    ARG("count", ARG_INTEGER), { 0 } };
static const struct command_arg orders[] = { TOKEN("asc", "ASC"), TOKEN("desc", "DESC"), { 0 } };

#define PATTERN_KEYS                                                                               \
    {                                                                                              \
        KEY_BEGIN_UNKNOWN, KEY_RO | KEY_ACCESS, 0, NULL, KEY_FIND_UNKNOWN, 0, 0, 0, 0, 0,          \
            "For the optional BY/GET keyword. It is marked 'unknown' because the key names "       \
            "derive "                                                                              \
            "from the content of the key we sort"                                                  \
    }
#define SORT_ARGS                                                                                  \
    KEY_ARG, { "pattern", ARG_PATTERN, ARG_OPTIONAL, "BY", 1, NULL, NULL },                        \
        { "offset_count", ARG_BLOCK, ARG_OPTIONAL, "LIMIT", 0, NULL, limit_args },                 \
        { "pattern", ARG_PATTERN, ARG_OPTIONAL | ARG_MULTIPLE | ARG_MULTIPLE_TOKEN, "GET", 1,      \
            NULL, NULL },                                                                          \
        CHOICE("order", ARG_OPTIONAL, orders), OPTION("sorting", ARG_PURE_TOKEN, "ALPHA", NULL)

const struct command sort_commands[] = {
    { "sort", sort, -2, CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS,
        KEYS(ONE_KEY(KEY_RO | KEY_ACCESS), PATTERN_KEYS,
            { KEY_BEGIN_UNKNOWN, KEY_OW | KEY_UPDATE, 2, "STORE", KEY_FIND_UNKNOWN, 0, 0, 0, 0, 0,
                "For the optional STORE keyword. It is marked 'unknown' because the keyword can "
                "appear anywhere in the argument array" }),
        .categories = "@set @sortedset @list @dangerous", .group = "generic", .since = "1.0.0",
        .complexity = "O(N + M * log(M)), N elements, M of them returned",
        .summary = "Returns the elements of a list, a set or a sorted set in order, or stores them",
        .args = ARGS(SORT_ARGS, { "destination", ARG_KEY, ARG_OPTIONAL, "STORE", 2, NULL, NULL }) },
    { "sort_ro", sort_ro, -2, CMD_READONLY | CMD_MOVABLE_KEYS,
        KEYS(ONE_KEY(KEY_RO | KEY_ACCESS), PATTERN_KEYS),
        .categories = "@set @sortedset @list @dangerous", .group = "generic", .since = "7.0.0",
        .complexity = "O(N + M * log(M)), N elements, M of them returned",
        .summary = "Returns the elements of a list, a set or a sorted set in order",
        .args = ARGS(SORT_ARGS) },
    { 0 }
};
