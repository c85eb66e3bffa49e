/* Keys, whatever their values are: DEL, UNLINK, EXISTS, TOUCH, TYPE, RENAME, RENAMENX, COPY. */
#include "server/command/dispatch.h"
#include "server/command/families.h"
#include "server/command/far.h"
#include "server/command/key.h"
#include "server/command/key_look.h"
#include "server/command/notify.h"
#include "server/command/rows.h"
#include "server/config.h"
#include "server/store/access.h"

#include "common/number.h"

/* UNLINK is the same: what is costly to free, the store always frees in another thread. */
static void del(struct call *call)
{
    int64_t count = 0;
    for (int i = 1; i < call->argc; i++) {
        struct key key;
        if (key_peek(call, i, &key)) {
            key_delete(call, &key);
            key_notify(call, &key, NOTIFY_GENERIC, "del");
            count++;
        }
    }
    reply_integer(call->reply, count);
}

static void exists(struct call *call)
{
    int64_t count = 0;
    for (int i = 1; i < call->argc; i++) {
        struct key key;
        count += key_look(call, i, &key);
    }
    reply_integer(call->reply, count);
}

/* It counts as a use also for those who asked that none of theirs does. */
static void touch(struct call *call)
{
    int64_t count = 0;
    for (int i = 1; i < call->argc; i++) {
        struct key key;
        count += key_read(call, i, &key);
        if (key.entry && call->session->flags & SESSION_NO_TOUCH)
            access_touch(key.entry, call->now);
    }
    reply_integer(call->reply, count);
}

static void type(struct call *call)
{
    struct key key;
    bool there = key_look(call, 1, &key);
    reply_simple(call->reply, there ? type_of(key.entry->type)->name : "none");
}

/* ---- RENAME ---- */

/* Whether both names are the same key. */
static bool is_same_name(const struct call *call)
{
    return bytes_equal(call->argv[1], call->argv[2]);
}

/* A key that takes the place of another counts as new here: the other is gone. */
static void set_anew(struct call *call, struct key *key, struct entry *entry)
{
    bool there = key->cell;
    key_set(call, key, entry);
    if (there)
        key_notify(call, key, NOTIFY_NEW, "new");
}

/* The key moves to its new name, with its expiry. Of `from` only the entry is sure still: looking
 * for the other may have moved cells, and so does inserting it. */
static void rename_to(struct call *call, struct key *from, struct key *to)
{
    uint32_t access = from->entry->access;
    set_anew(call, to, entry_copy(from->entry, to->name, entry_expiry(from->entry)));
    to->entry->access = access & ACCESS_MASK; /* its uses go with it */
    if (key_peek(call, 1, from))
        key_delete(call, from);
    key_notify(call, from, NOTIFY_GENERIC, "rename_from");
    key_notify(call, to, NOTIFY_GENERIC, "rename_to");
}

static void rename_key(struct call *call)
{
    struct key from, to;
    if (!key_write(call, 1, &from)) {
        reply_error(call->reply, "no such key");
        return;
    }
    if (!is_same_name(call)) {
        key_write(call, 2, &to);
        rename_to(call, &from, &to);
    }
    reply_ok(call->reply);
}

static void renamenx(struct call *call)
{
    struct key from, to;
    if (!key_write(call, 1, &from)) {
        reply_error(call->reply, "no such key");
        return;
    }
    if (is_same_name(call) || key_write(call, 2, &to)) {
        reply_integer(call->reply, 0);
        return;
    }
    rename_to(call, &from, &to);
    reply_integer(call->reply, 1);
}

/* ---- COPY ---- */

struct copy_args {
    unsigned database;
    bool replace;
};

static bool copy_parse(struct call *call, struct copy_args *args)
{
    *args = (struct copy_args){ .database = call->database };
    for (int i = 3; i < call->argc; i++) {
        int64_t database;
        if (bytes_is(call->argv[i], "REPLACE")) {
            args->replace = true;
        } else if (bytes_is(call->argv[i], "DB") && i + 1 < call->argc) {
            if (!call_integer(call, ++i, &database))
                return false;
            if (database < 0 || database >= config_number(CONFIG_DATABASES)) {
                reply_error(call->reply, "ERR DB index is out of range");
                return false;
            }
            args->database = (unsigned)database;
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    if (dispatch_is_cluster() && (args->database != 0 || call->database != 0)) {
        reply_error(call->reply, "Copying to another database is not allowed in cluster mode");
        return false;
    }
    if (args->database == call->database && is_same_name(call)) {
        reply_error(call->reply, "source and destination objects are the same");
        return false;
    }
    return true;
}

static void copy_near(struct call *call, bool replace)
{
    struct key from, to;
    if (!key_read(call, 1, &from)) {
        reply_integer(call->reply, 0);
        return;
    }
    if (key_write(call, 2, &to) && !replace) {
        reply_integer(call->reply, 0);
        return;
    }
    set_anew(call, &to, entry_copy(from.entry, to.name, entry_expiry(from.entry)));
    key_notify(call, &to, NOTIFY_GENERIC, "copy_to");
    reply_integer(call->reply, 1);
}

/* To another database. A replica does not judge whether an old copy there has expired, so it is
 * told to replace. */
static void copy_far(struct call *call, const struct copy_args *args)
{
    struct far far;
    if (!far_lock(call, args->database, 2, &far))
        return;
    struct key from, to;
    bool done = key_read(call, 1, &from) && (!key_write(&far.call, 2, &to) || args->replace);
    if (done) {
        char digits[NUMBER_TEXT_MAX];
        struct bytes database = { digits, number_format(digits, args->database) };
        set_anew(&far.call, &to, entry_copy(from.entry, to.name, entry_expiry(from.entry)));
        key_notify(&far.call, &to, NOTIFY_GENERIC, "copy_to");
        call_changed(call);
        call_effect(call,
            (struct bytes[]){ BYTES("COPY"), call->argv[1], call->argv[2], BYTES("DB"), database,
                BYTES("REPLACE") },
            6);
    }
    reply_integer(call->reply, done);
    far_unlock(call, &far);
}

static void copy(struct call *call)
{
    struct copy_args args;
    if (!copy_parse(call, &args))
        return;
    if (args.database == call->database)
        copy_near(call, args.replace);
    else
        copy_far(call, &args);
}

/* ---- The table ---- */

const struct command keys_commands[] = {
    { "copy", copy, -3, CMD_WRITE | CMD_DENYOOM,
        KEYS(ONE_KEY(KEY_RO | KEY_ACCESS), KEYS_AT(2, KEY_OW | KEY_UPDATE, 0)), .group = "generic",
        .since = "6.2.0", .complexity = "O(1) for a string; O(N) for a collection of N elements",
        .summary = "Copies a key, with its value and expiry, to another name",
        .args = ARGS(ARG("source", ARG_KEY), { "destination", ARG_KEY, 0, NULL, 1, NULL, NULL },
            OPTION("destination-db", ARG_INTEGER, "DB", NULL),
            OPTION("replace", ARG_PURE_TOKEN, "REPLACE", NULL)) },
    { "del", del, -2, CMD_WRITE, KEYS(ALL_KEYS(KEY_RM | KEY_DELETE)), .group = "generic",
        .since = "1.0.0", .complexity = "O(N), N keys", .summary = "Deletes keys",
        .tips = TIPS("request_policy:multi_shard", "response_policy:agg_sum"),
        .args = ARGS({ "key", ARG_KEY, ARG_MULTIPLE, NULL, 0, NULL, NULL }) },
    { "exists", exists, -2, CMD_READONLY | CMD_FAST, KEYS(ALL_KEYS(KEY_RO)), .group = "generic",
        .since = "1.0.0", .complexity = "O(N), N keys",
        .summary = "Counts how many of the keys are there",
        .tips = TIPS("request_policy:multi_shard", "response_policy:agg_sum"),
        .history = HISTORY({ "3.0.3", "Accepts multiple `key` arguments." }),
        .args = ARGS({ "key", ARG_KEY, ARG_MULTIPLE, NULL, 0, NULL, NULL }) },
    { "rename", rename_key, 3, CMD_WRITE,
        KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE), KEYS_AT(2, KEY_OW | KEY_UPDATE, 0)),
        .group = "generic", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Gives a key another name, in place of a key that had it",
        .args = ARGS(KEY_ARG, { "newkey", ARG_KEY, 0, NULL, 1, NULL, NULL }) },
    { "renamenx", renamenx, 3, CMD_WRITE | CMD_FAST,
        KEYS(ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE), KEYS_AT(2, KEY_OW | KEY_INSERT, 0)),
        .group = "generic", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Gives a key another name, but only if no key has it",
        .history = HISTORY({ "3.2.0", "The command no longer returns an error when source and "
                                      "destination names are the same." }),
        .args = ARGS(KEY_ARG, { "newkey", ARG_KEY, 0, NULL, 1, NULL, NULL }) },
    { "touch", touch, -2, CMD_READONLY | CMD_FAST, KEYS(ALL_KEYS(KEY_RO)), .group = "generic",
        .since = "3.2.1", .complexity = "O(N), N keys",
        .summary = "Marks keys as used just now; counts how many of them are there",
        .tips = TIPS("request_policy:multi_shard", "response_policy:agg_sum"),
        .args = ARGS({ "key", ARG_KEY, ARG_MULTIPLE, NULL, 0, NULL, NULL }) },
    { "type", type, 2, CMD_READONLY | CMD_FAST, KEYS(ONE_KEY(KEY_RO)), .group = "generic",
        .since = "1.0.0", .complexity = "O(1)", .summary = "Tells the type of a key's value",
        .args = ARGS(KEY_ARG) },
    { "unlink", del, -2, CMD_WRITE | CMD_FAST, KEYS(ALL_KEYS(KEY_RM | KEY_DELETE)),
        .group = "generic", .since = "4.0.0",
        .complexity = "O(1) for each key; another thread frees large values",
        .summary = "Deletes keys; large values are freed by another thread",
        .tips = TIPS("request_policy:multi_shard", "response_policy:agg_sum"),
        .args = ARGS({ "key", ARG_KEY, ARG_MULTIPLE, NULL, 0, NULL, NULL }) },
    { 0 }
};
