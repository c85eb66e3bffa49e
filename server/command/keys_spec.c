/* Where the keys of a request are: the key specifications that many families share, and how they
 * are read. */
#include "server/command/command.h"
#include "server/command/rows.h"

#include "common/memory.h"
#include "common/number.h"
#include <stdlib.h>

const struct key_spec keys_first_ro[] = { ONE_KEY(KEY_RO | KEY_ACCESS), { 0 } };
const struct key_spec keys_first_rw_update[] = { ONE_KEY(KEY_RW | KEY_UPDATE), { 0 } };
const struct key_spec keys_first_ow[] = { ONE_KEY(KEY_OW | KEY_UPDATE), { 0 } };
const struct key_spec keys_first_rm[] = { ONE_KEY(KEY_RM | KEY_DELETE), { 0 } };
const struct key_spec keys_all_ro[] = { ALL_KEYS(KEY_RO | KEY_ACCESS), { 0 } };
const struct key_spec keys_all_rm[] = { ALL_KEYS(KEY_RM | KEY_DELETE), { 0 } };
const struct key_spec keys_pairs_ow[] = {
    { KEY_BEGIN_INDEX, KEY_OW | KEY_UPDATE, 1, NULL, KEY_FIND_RANGE, -1, 2, 0, 0, 0, NULL }, { 0 }
};

/* SORT's destination stands behind a word that may be anywhere, but not among what other words take. */
static int behind_word(const struct key_spec *spec, const struct bytes *argv, int argc)
{
    int found = 0;
    for (int i = spec->index; i < argc; i++) {
        if (bytes_is(argv[i], "LIMIT"))
            i += 2;
        else if (bytes_is(argv[i], "GET") || bytes_is(argv[i], "BY"))
            i++;
        else if (bytes_is(argv[i], spec->keyword) && i + 1 < argc)
            found = ++i; /* the name may be such a word, too */
    }
    return found;
}

/* Where the specification begins to count; 0: nowhere in this request. */
static int begin_of(const struct key_spec *spec, const struct bytes *argv, int argc)
{
    if (spec->begin == KEY_BEGIN_INDEX)
        return spec->index < argc ? spec->index : 0;
    if (spec->begin == KEY_BEGIN_UNKNOWN && spec->keyword)
        return behind_word(spec, argv, argc);
    if (spec->begin != KEY_BEGIN_KEYWORD)
        return 0;
    int step = spec->index >= 0 ? 1 : -1;
    int from = spec->index >= 0 ? spec->index : argc + spec->index;
    for (int i = from; i >= 1 && i < argc; i += step) {
        if (bytes_is(argv[i], spec->keyword))
            return i + 1 < argc ? i + 1 : 0;
    }
    return 0;
}

/* Last position of the keys that begin at *first; -1: there are none, or the request makes no
 * sense. */
static int64_t last_of(
    const struct key_spec *spec, const struct bytes *argv, int argc, int begin, int64_t *first)
{
    *first = begin;
    if (spec->find == KEY_FIND_UNKNOWN)
        return begin;
    if (spec->find == KEY_FIND_RANGE) {
        if (spec->last >= 0)
            return (int64_t)begin + spec->last;
        int64_t last = (int64_t)argc + spec->last;
        return spec->limit > 1 ? begin + (argc - begin) / spec->limit + spec->last : last;
    }
    int64_t count, at = (int64_t)begin + spec->count_at;
    if (spec->find != KEY_FIND_KEYNUM || at >= argc || !number_parse(argv[at], &count) ||
        count < 0 || count > argc)
        return -1;
    *first = (int64_t)begin + spec->first;
    return *first + (count - 1) * (spec->step > 0 ? spec->step : 1);
}

/* MIGRATE's keys stand at one of two places: an empty argument at the one says that they are at the
 * other. */
static bool stands_elsewhere(
    const struct key_spec *spec, const struct bytes *argv, int argc, int begin)
{
    return spec[1].begin == KEY_BEGIN_KEYWORD && spec[1].flags & KEY_INCOMPLETE &&
           argv[begin].len == 0 && begin_of(&spec[1], argv, argc) > 0;
}

static int find_all(const struct command *command, unsigned without, const struct bytes *argv,
    int argc, int *positions, int max)
{
    int count = 0;
    for (const struct key_spec *spec = command->keys; spec && spec->begin; spec++) {
        if (spec->flags & without)
            continue;
        int begin = begin_of(spec, argv, argc);
        if (!begin || stands_elsewhere(spec, argv, argc, begin))
            continue;
        int64_t first, last = last_of(spec, argv, argc, begin, &first);
        if (last < 0 || last >= argc)
            return -1;
        for (int64_t i = first; i <= last; i += spec->step > 0 ? spec->step : 1) {
            if (count < max)
                positions[count] = (int)i;
            count++;
        }
        if (spec[1].flags & KEY_INCOMPLETE)
            break; /* the places exclude each other */
    }
    return count;
}

int command_keys(
    const struct command *command, const struct bytes *argv, int argc, int *positions, int max)
{
    return find_all(command, KEY_NOT_KEY, argv, argc, positions, max);
}

int command_slotted(
    const struct command *command, const struct bytes *argv, int argc, int *positions, int max)
{
    return find_all(command, 0, argv, argc, positions, max);
}

/* ---- What is done with a key ---- */

/* GET and OVERFLOW, with their arguments, and nothing else. */
static bool bitfield_reads_only(const struct bytes *argv, int argc)
{
    for (int i = 2; i < argc; i++) {
        int args = bytes_is(argv[i], "get") ? 2 : bytes_is(argv[i], "overflow") ? 1 : argc;
        if (i + args >= argc)
            return false;
        i += args;
    }
    return true;
}

/* The flags of one request's key where its specification says that they depend: SET and BITFIELD
 * are told from their arguments. */
unsigned command_spec_flags(const struct key_spec *spec, const struct command_entry *entry,
    const struct bytes *argv, int argc)
{
    if (!(spec->flags & KEY_VARIABLE_FLAGS))
        return spec->flags;
    if (strcmp(entry->name, "set") == 0) {
        for (int i = 3; i < argc; i++) {
            if (bytes_is(argv[i], "get"))
                return KEY_RW | KEY_ACCESS | KEY_UPDATE;
        }
        return KEY_OW | KEY_UPDATE;
    }
    if (strcmp(entry->name, "bitfield") == 0 && bitfield_reads_only(argv, argc))
        return KEY_RO | KEY_ACCESS;
    return spec->flags & ~(unsigned)KEY_VARIABLE_FLAGS;
}

unsigned *command_key_flags(const struct command_entry *entry, const struct bytes *argv, int argc)
{
    unsigned *flags = memory_alloc_zeroed((size_t)argc, sizeof(*flags));
    int *positions = memory_alloc((size_t)argc * sizeof(*positions));
    for (const struct key_spec *spec = entry->command->keys; spec->begin; spec++) {
        const struct key_spec alone[] = { *spec, { 0 } };
        const struct command command = { .name = entry->command->name, .keys = alone };
        int count = command_keys(&command, argv, argc, positions, argc);
        for (int i = 0; i < count && i < argc; i++) {
            if (!flags[positions[i]])
                flags[positions[i]] = command_spec_flags(spec, entry, argv, argc);
        }
    }
    free(positions);
    return flags;
}
