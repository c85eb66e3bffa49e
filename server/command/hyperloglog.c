/* HyperLogLogs by commands: strings that GET shows and SET may restore. A dense one is changed
 * where it lies; a sparse one, small as it is, in a copy that then takes its place. */
#include "server/type/hyperloglog.h"

#include "server/command/families.h"
#include "server/command/notify.h"
#include "server/command/rows.h"
#include "server/command/string_edit.h"
#include "server/config.h"

#include "common/memory.h"
#include <stdlib.h>

static void error_corrupt(struct call *call)
{
    reply_error(call->reply, "INVALIDOBJ Corrupted HLL object detected");
}

static size_t sparse_max(void)
{
    return (size_t)config_number(CONFIG_HLL_SPARSE_MAX_BYTES);
}

/* Whether what the key holds, if it is there, is one; else the error has been written. */
static bool is_one(struct call *call, const struct key *key)
{
    if (!key->entry)
        return true;
    if (key->entry->type != TYPE_STRING) {
        call_error_type(call);
        return false;
    }
    if (key->entry->encoding != ENCODING_INT && hll_is_valid(entry_string(key->entry, NULL)))
        return true;
    reply_error(call->reply, "WRONGTYPE Key is not a valid HyperLogLog string value.");
    return false;
}

static struct bytes bytes_of_key(const struct key *key)
{
    return entry_string(key->entry, NULL); /* it is_one, so no integer */
}

/* Who looks at one leaves it "raw", as Redis does: the count is remembered in it. */
static void make_raw(struct call *call, struct key *key)
{
    if (key->entry && key->entry->encoding != ENCODING_RAW)
        string_open(call, key, 0);
}

/* ---- Changing ---- */

/* A HyperLogLog under change. The buffer has borrowed the key's own bytes, or is a copy. */
struct work {
    struct buffer hll;
    bool is_copy;
    bool is_new;
};

static struct work work_begin(struct call *call, struct key *key)
{
    struct work work = { .is_copy = true, .is_new = !key->entry };
    if (work.is_new) {
        hll_create(&work.hll);
    } else if (hll_is_dense(bytes_of_key(key))) {
        work.is_copy = false;
        work.hll.data = string_open(call, key, 0);
        work.hll.len = work.hll.capacity = HLL_DENSE_SIZE;
    } else {
        struct bytes bytes = bytes_of_key(key);
        buffer_append(&work.hll, bytes.data, bytes.len);
    }
    return work;
}

/* What has become of it is the key's value now. */
static void work_end(struct call *call, struct key *key, struct work *work, bool changed)
{
    if (!work->is_copy) {
        if (changed)
            key_did_change(call, key);
        return;
    }
    if (!work->is_new && work->hll.len == bytes_of_key(key).len) {
        char *bytes = string_open(call, key, 0);
        memcpy(bytes, work->hll.data, work->hll.len);
        if (changed)
            key_did_change(call, key);
    } else if (changed) {
        key_set(call, key,
            entry_create_raw(key->name, buffer_bytes(&work->hll), NULL, string_expiry(key)));
    }
    buffer_free(&work->hll);
}

/* PFADD key [element ...] */
static void pfadd(struct call *call)
{
    struct key key;
    key_write(call, 1, &key);
    if (!is_one(call, &key))
        return;
    struct work work = work_begin(call, &key);
    bool changed = work.is_new, corrupt = false;
    for (int i = 2; i < call->argc && !corrupt; i++) {
        enum hll_outcome outcome = hll_add(&work.hll, call->argv[i], sparse_max());
        changed |= outcome == HLL_CHANGED;
        corrupt = outcome == HLL_CORRUPT;
    }
    if (changed)
        hll_forget_cached(work.hll.data);
    work_end(call, &key, &work, changed);
    if (changed)
        key_notify(call, &key, NOTIFY_STRING, "pfadd");
    if (corrupt)
        error_corrupt(call);
    else
        reply_integer(call->reply, changed);
}

/* ---- Counting and merging ---- */

/* Merges the HyperLogLogs of argv[first] and following; false: the error has been written. */
static bool merge_keys(struct call *call, int first, uint8_t *registers, bool *any_dense)
{
    for (int i = first; i < call->argc; i++) {
        struct key key;
        bool there = key_read(call, i, &key);
        if (!is_one(call, &key))
            return false;
        if (!there)
            continue;
        *any_dense |= hll_is_dense(bytes_of_key(&key));
        if (!hll_merge(registers, bytes_of_key(&key))) {
            error_corrupt(call);
            return false;
        }
    }
    return true;
}

/* The count is remembered in the value, which is a change like any other. */
static void count_one(struct call *call)
{
    struct key key;
    uint64_t count = 0;
    bool there = key_read(call, 1, &key);
    if (!is_one(call, &key))
        return;
    make_raw(call, &key);
    if (there && !hll_cached(bytes_of_key(&key), &count)) {
        if (!hll_count(bytes_of_key(&key), &count)) {
            error_corrupt(call);
            return;
        }
        hll_cache(string_open(call, &key, 0), count);
        key_did_change(call, &key);
    }
    reply_integer(call->reply, (int64_t)count);
}

/* PFCOUNT key [key ...] */
static void pfcount(struct call *call)
{
    if (call->argc == 2) {
        count_one(call);
        return;
    }
    uint8_t registers[HLL_REGISTERS] = { 0 };
    bool any_dense = false;
    if (merge_keys(call, 1, registers, &any_dense))
        reply_integer(call->reply, (int64_t)hll_count_registers(registers));
}

/* PFMERGE destination [source ...] */
static void pfmerge(struct call *call)
{
    uint8_t registers[HLL_REGISTERS] = { 0 };
    bool any_dense = false;
    if (!merge_keys(call, 1, registers, &any_dense))
        return;
    struct key key;
    key_write(call, 1, &key);
    struct work work = work_begin(call, &key);
    bool corrupt = any_dense && hll_make_dense(&work.hll) == HLL_CORRUPT;
    for (unsigned i = 0; i < HLL_REGISTERS && !corrupt; i++) {
        if (registers[i] > 0)
            corrupt = hll_raise(&work.hll, i, registers[i], sparse_max()) == HLL_CORRUPT;
    }
    hll_forget_cached(work.hll.data);
    work_end(call, &key, &work, !corrupt);
    if (!corrupt)
        key_notify(call, &key, NOTIFY_STRING, "pfadd");
    if (corrupt)
        error_corrupt(call);
    else
        reply_ok(call->reply);
}

/* ---- Debugging ---- */

static bool make_dense(struct call *call, struct key *key, bool *changed)
{
    struct work work = work_begin(call, key);
    enum hll_outcome outcome = hll_make_dense(&work.hll);
    *changed = outcome == HLL_CHANGED;
    work_end(call, key, &work, *changed);
    if (outcome == HLL_CORRUPT)
        error_corrupt(call);
    return outcome != HLL_CORRUPT;
}

static void debug_registers(struct call *call, struct key *key)
{
    bool changed;
    uint8_t registers[HLL_REGISTERS] = { 0 };
    if (!make_dense(call, key, &changed))
        return;
    hll_merge(registers, bytes_of_key(key));
    reply_array(call->reply, HLL_REGISTERS);
    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        reply_integer(call->reply, registers[i]);
}

static void debug_decode(struct call *call, struct key *key)
{
    struct buffer text = { 0 };
    if (hll_is_dense(bytes_of_key(key)))
        reply_error(call->reply, "HLL encoding is not sparse");
    else if (!hll_describe(bytes_of_key(key), &text))
        error_corrupt(call);
    else
        reply_bulk(call->reply, text.len ? buffer_bytes(&text) : BYTES(""));
    buffer_free(&text);
}

static void debug_encoding(struct call *call, struct key *key)
{
    reply_simple(call->reply, hll_is_dense(bytes_of_key(key)) ? "dense" : "sparse");
}

static void debug_todense(struct call *call, struct key *key)
{
    bool changed;
    if (make_dense(call, key, &changed))
        reply_integer(call->reply, changed);
}

/* PFDEBUG subcommand key */
static void pfdebug(struct call *call)
{
    static const struct {
        const char *name;
        void (*run)(struct call *call, struct key *key);
    } subcommands[] = { { "getreg", debug_registers }, { "decode", debug_decode },
        { "encoding", debug_encoding }, { "todense", debug_todense } };
    struct key key;
    if (!key_write(call, 2, &key)) {
        reply_error(call->reply, "The specified key does not exist");
        return;
    }
    if (!is_one(call, &key))
        return;
    make_raw(call, &key);
    for (size_t i = 0; i < sizeof(subcommands) / sizeof(*subcommands); i++) {
        if (bytes_is(call->argv[1], subcommands[i].name)) {
            subcommands[i].run(call, &key);
            return;
        }
    }
    reply_error(call->reply, "Unknown PFDEBUG subcommand '%.*s'", (int)call->argv[1].len,
        call->argv[1].data);
}

static void pfselftest(struct call *call)
{
    const char *wrong = hll_self_test();
    if (wrong)
        reply_error(call->reply, "TESTFAILED %s", wrong);
    else
        reply_ok(call->reply);
}

/* ---- The table ---- */

const struct command hyperloglog_commands[] = {
    { "pfadd", pfadd, -2, CMD_WRITE | CMD_DENYOOM | CMD_FAST, KEYS(ONE_KEY(KEY_RW | KEY_INSERT)),
        .group = "hyperloglog", .since = "2.8.9", .complexity = "O(1) for each element",
        .summary = "Adds elements to a HyperLogLog, which is made if it is not there",
        .args = ARGS(
            KEY_ARG, { "element", ARG_STRING, ARG_OPTIONAL | ARG_MULTIPLE, NULL, 0, NULL, NULL }) },
    { "pfcount", pfcount, -2, CMD_READONLY | CMD_MAY_REPLICATE,
        KEYS({ KEY_BEGIN_INDEX, KEY_RW | KEY_ACCESS, 1, NULL, KEY_FIND_RANGE, -1, 1, 0, 0, 0,
            "RW because it may change the internal representation of the key, and propagate to "
            "replicas" }),
        .group = "hyperloglog", .since = "2.8.9",
        .complexity = "O(1) for one key, as a rule without counting; O(N) for N keys",
        .summary = "Estimates how many different elements HyperLogLogs have seen together",
        .args = ARGS(ARG_MANY("key", ARG_KEY)) },
    { "pfdebug", pfdebug, 3, CMD_WRITE | CMD_DENYOOM | CMD_ADMIN,
        KEYS(KEYS_AT(2, KEY_RW | KEY_ACCESS, 0)), .group = "hyperloglog", .since = "2.8.9",
        .complexity = "N/A", .summary = "Shows the inside of a HyperLogLog",
        .args = ARGS(ARG("subcommand", ARG_STRING), ARG("key", ARG_KEY)) },
    { "pfmerge", pfmerge, -2, CMD_WRITE | CMD_DENYOOM,
        KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_INSERT), KEYS_AT(2, KEY_RO | KEY_ACCESS, -1)),
        .group = "hyperloglog", .since = "2.8.9", .complexity = "O(N) for N HyperLogLogs",
        .summary = "Makes one HyperLogLog that has seen what several have",
        .args = ARGS(
            ARG("destkey", ARG_KEY), { "sourcekey", ARG_KEY, ARG_MULTIPLE, NULL, 1, NULL, NULL }) },
    { "pfselftest", pfselftest, 1, CMD_ADMIN, .group = "hyperloglog", .since = "2.8.9",
        .complexity = "N/A", .summary = "Tests the HyperLogLogs of this program" },
    { 0 }
};
