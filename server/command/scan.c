/* The key space as a whole: DBSIZE, KEYS, RANDOMKEY, SCAN. Slots are looked at one after another,
 * each under its own lock and for a piece of its keys at a time; so nobody waits for a scan, and a
 * scan sees no single moment. */
#include "server/command/families.h"
#include "server/command/glob.h"
#include "server/command/key.h"
#include "server/command/rows.h"
#include "server/command/scan_cursor.h"
#include "server/command/visit.h"

#include "common/number.h"
#include <stdatomic.h>
#include <sys/random.h>

static void dbsize(struct call *call)
{
    reply_integer(call->reply, store_key_count(call->store, call->database));
}

/* Which keys are wanted. */
struct filter {
    bool all; /* any name */
    struct bytes pattern;
    struct bytes type; /* data NULL: any */
};

static bool is_wanted(const struct call *call, const struct filter *filter, struct entry *entry)
{
    if (entry_is_expired(entry, call->now))
        return false;
    if (filter->type.data && !bytes_is(filter->type, type_of(entry->type)->name))
        return false;
    return filter->all || glob_matches(filter->pattern, entry_key(entry), false);
}

/* One piece of a slot: replies with the names wanted and counts them. Returns how many entries were
 * looked at; *position goes on. */
static size_t reply_piece(struct call *call, unsigned number, uint64_t *position, size_t enough,
    const struct filter *filter, struct visit *visit, struct reply *reply, size_t *found)
{
    struct slot *slot = store_slot(call->store, call->database, number);
    call_lock_slot(call, slot);
    *position = visit_piece(call->store, slot, *position, enough, visit);
    for (size_t i = 0; i < visit->count; i++) {
        if (is_wanted(call, filter, visit->entries[i])) {
            reply_bulk(reply, entry_key(visit->entries[i]));
            ++*found;
        }
    }
    call_unlock_slot(call, slot);
    return visit->count;
}

static bool is_any_name(struct bytes pattern)
{
    return pattern.len == 1 && pattern.data[0] == '*';
}

static void keys(struct call *call)
{
    struct filter filter = { .all = is_any_name(call->argv[1]), .pattern = call->argv[1] };
    unsigned first = 0, last = SLOT_COUNT - 1;
    if (scan_pattern_slot(filter.pattern, &first))
        last = first;
    struct visit visit = { 0 };
    size_t found = 0;
    struct reply_mark mark = reply_deferred(call->reply);
    bool any = store_key_count(call->store, call->database) > 0;
    for (unsigned slot = first; any && slot <= last; slot++) {
        for (uint64_t position = 0; position < TABLE_SCAN_END;)
            reply_piece(call, slot, &position, VISIT_PIECE, &filter, &visit, call->reply, &found);
    }
    reply_deferred_array(call->reply, mark, found);
    visit_free(&visit);
}

/* ---- SCAN ---- */

struct scan_args {
    struct scan_cursor cursor;
    size_t count;
    struct filter filter;
    unsigned last; /* slot to look at */
};

static bool scan_parse_options(struct call *call, struct scan_args *args)
{
    for (int i = 2; i < call->argc; i += 2) {
        struct bytes word = call->argv[i];
        bool has_value = i + 1 < call->argc;
        struct bytes value = has_value ? call->argv[i + 1] : BYTES("");
        int64_t count;
        if (has_value && bytes_is(word, "COUNT")) {
            if (!call_integer(call, i + 1, &count))
                return false;
            if (count < 1) {
                call_error_syntax(call);
                return false;
            }
            args->count = (size_t)count;
        } else if (has_value && bytes_is(word, "MATCH")) {
            args->filter.pattern = value;
            args->filter.all = is_any_name(value);
        } else if (has_value && bytes_is(word, "TYPE")) {
            args->filter.type = value;
            args->filter.type.data = value.data ? value.data : "";
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    return true;
}

/* A pattern that is about one slot lets the scan begin and end there. */
static void scan_narrow(struct scan_args *args)
{
    unsigned only;
    if (args->filter.all || !scan_pattern_slot(args->filter.pattern, &only))
        return;
    if (args->cursor.slot < only)
        args->cursor = (struct scan_cursor){ only, 0 };
    args->last = only;
}

/* Goes on until `count` keys have been looked at. Slots without keys cost little, and all calls of
 * a scan together look at each but once; so there is no other bound. Returns how many names are in
 * the reply. */
static size_t scan_on(struct call *call, struct scan_args *args, struct reply *reply)
{
    struct visit visit = { 0 };
    unsigned slot = args->cursor.slot;
    uint64_t position = args->cursor.position;
    size_t seen = 0, found = 0;
    if (store_key_count(call->store, call->database) <= 0)
        slot = SLOT_COUNT;
    while (slot <= args->last && seen < args->count) {
        size_t left = args->count - seen;
        seen += reply_piece(call, slot, &position, left < VISIT_PIECE ? left : VISIT_PIECE,
            &args->filter, &visit, reply, &found);
        if (position >= TABLE_SCAN_END) {
            position = 0;
            slot++;
        }
    }
    visit_free(&visit);
    args->cursor =
        (struct scan_cursor){ slot > args->last ? SLOT_COUNT : slot, (uint32_t)position };
    return found;
}

static void scan(struct call *call)
{
    struct scan_args args = { .count = 10, .filter = { .all = true }, .last = SLOT_COUNT - 1 };
    if (!scan_cursor_parse(call->argv[1], &args.cursor)) {
        reply_error(call->reply, "invalid cursor");
        return;
    }
    if (!scan_parse_options(call, &args))
        return;
    scan_narrow(&args);
    struct reply names = { .protocol = call->reply->protocol, .muted = call->reply->muted };
    size_t found = scan_on(call, &args, &names);
    char digits[NUMBER_TEXT_MAX];
    size_t len = number_format_unsigned(digits, scan_cursor_pack(args.cursor));
    reply_array(call->reply, 2);
    reply_bulk(call->reply, (struct bytes){ digits, len });
    reply_array(call->reply, found);
    reply_raw(call->reply, buffer_bytes(&names.bytes));
    reply_free(&names);
}

/* ---- RANDOMKEY ---- */

/* Every key has the same chance where a slot is drawn by chance and then taken with a chance in
 * proportion to its keys: as many as it has of as many as the largest has. Where most slots have
 * next to none that may take too long; then all slots are counted, and one is drawn of that. */

/* About the most keys in a slot, from the last count; any thread. Too large a number costs time. */
static _Atomic uint32_t largest;

static uint64_t draw_number(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state ^ *state >> 32) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Whether something with `part` chances of `all` happens. */
static bool draw_chance(uint64_t *state, uint64_t part, uint64_t all)
{
    return (uint64_t)((unsigned __int128)draw_number(state) * all >> 64) < part;
}

static uint32_t count_keys(struct call *call, unsigned number)
{
    struct slot *slot = store_slot(call->store, call->database, number);
    call_lock_slot(call, slot);
    uint32_t count = slot->table.used;
    call_unlock_slot(call, slot);
    return count;
}

static bool draw_by_chance(struct call *call, uint64_t *state, unsigned *number)
{
    enum { TRIES = 256 };
    for (int i = 0; i < TRIES; i++) {
        uint32_t most = atomic_load(&largest);
        *number = (unsigned)(draw_number(state) % SLOT_COUNT);
        uint32_t count = count_keys(call, *number);
        if (count > most && most > 0)
            atomic_store(&largest, count);
        if (most > 0 && draw_chance(state, count, most))
            return true;
    }
    return false;
}

static bool draw_from_all(struct call *call, uint64_t *state, unsigned *number)
{
    uint64_t total = 0;
    uint32_t most = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        uint32_t count = count_keys(call, i);
        total += count;
        most = count > most ? count : most;
        if (count > 0 && draw_chance(state, count, total))
            *number = i;
    }
    atomic_store(&largest, most);
    return total > 0;
}

/* Replies with a key of the slot, if the one drawn from it is live. */
static bool reply_drawn(struct call *call, unsigned number, uint64_t random)
{
    struct slot *slot = store_slot(call->store, call->database, number);
    call_lock_slot(call, slot);
    struct entry *entry = table_random(&slot->table, random);
    bool live = entry && !entry_is_expired(entry, call->now);
    if (live)
        reply_bulk(call->reply, entry_key(entry));
    call_unlock_slot(call, slot);
    return live;
}

/* Any live key at all, where almost all have expired and are about to be removed. Looks at so many
 * at most. */
static bool reply_any(struct call *call)
{
    enum { LOOKS = 64 * 1024 };
    struct visit visit = { 0 };
    bool found = false;
    size_t looks = 0;
    for (unsigned number = 0; number < SLOT_COUNT && !found && looks < LOOKS; number++) {
        struct slot *slot = store_slot(call->store, call->database, number);
        call_lock_slot(call, slot);
        for (uint64_t at = 0; at < TABLE_SCAN_END && !found && looks < LOOKS;
             looks += visit.count) {
            at = visit_piece(call->store, slot, at, VISIT_PIECE, &visit);
            for (size_t i = 0; i < visit.count && !found; i++) {
                found = !entry_is_expired(visit.entries[i], call->now);
                if (found)
                    reply_bulk(call->reply, entry_key(visit.entries[i]));
            }
        }
        call_unlock_slot(call, slot);
    }
    visit_free(&visit);
    return found;
}

static void randomkey(struct call *call)
{
    enum { TRIES = 16 };
    uint64_t state;
    unsigned number = 0;
    if (getrandom(&state, sizeof(state), 0) != sizeof(state))
        state = (uint64_t)call->now;
    bool empty = store_key_count(call->store, call->database) <= 0;
    for (int i = 0; i < TRIES && !empty; i++) {
        empty = !draw_by_chance(call, &state, &number) && !draw_from_all(call, &state, &number);
        if (!empty && reply_drawn(call, number, draw_number(&state)))
            return;
    }
    if (empty || !reply_any(call))
        reply_null(call->reply);
}

/* ---- The table ---- */

const struct command scan_commands[] = {
    { "dbsize", dbsize, 1, CMD_READONLY | CMD_FAST, .categories = "@keyspace", .group = "server",
        .since = "1.0.0", .complexity = "O(1)", .summary = "Counts the keys of the database",
        .tips = TIPS("request_policy:all_shards", "response_policy:agg_sum") },
    { "keys", keys, 2, CMD_READONLY | CMD_ALL_SLOTS, .categories = "@dangerous", .group = "generic",
        .since = "1.0.0",
        .complexity = "O(N), N keys in the database; in the slot where the pattern is about one",
        .summary = "Lists the keys whose names match a pattern",
        .tips = TIPS("request_policy:all_shards", "nondeterministic_output_order"),
        .args = ARGS(ARG("pattern", ARG_PATTERN)) },
    { "randomkey", randomkey, 1, CMD_READONLY | CMD_ALL_SLOTS, .group = "generic", .since = "1.0.0",
        .complexity = "O(1)", .summary = "Returns some key of the database",
        .tips = TIPS("request_policy:all_shards", "nondeterministic_output") },
    { "scan", scan, -2, CMD_READONLY | CMD_ALL_SLOTS, .group = "generic", .since = "2.8.0",
        .complexity = "O(1) for each call, O(N) for the whole, N keys in the database",
        .summary = "Goes through the keys of the database, some with each call",
        .tips = TIPS("nondeterministic_output", "request_policy:special"),
        .history = HISTORY({ "6.0.0", "Added the `TYPE` subcommand." }),
        .args = ARGS(ARG("cursor", ARG_INTEGER), OPTION("pattern", ARG_PATTERN, "MATCH", NULL),
            OPTION("count", ARG_INTEGER, "COUNT", NULL),
            OPTION("type", ARG_STRING, "TYPE", "6.0.0")) },
    { 0 }
};
