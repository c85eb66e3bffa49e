/* Where the keys of a request are: the key specifications that many families share, and how they are read. */
#include "server/command/command.h"

#include "common/number.h"

#define FIRST(access) \
    { \
        { KEY_BEGIN_INDEX, access, 1, NULL, KEY_FIND_RANGE, 0, 1, 0, 0, 0, NULL }, { 0 } \
    }

const struct key_spec keys_first_ro[] = FIRST(KEY_RO | KEY_ACCESS);
const struct key_spec keys_first_rw_update[] = FIRST(KEY_RW | KEY_UPDATE);
const struct key_spec keys_first_ow[] = FIRST(KEY_OW | KEY_UPDATE);
const struct key_spec keys_first_rm[] = FIRST(KEY_RM | KEY_DELETE);
const struct key_spec keys_all_ro[] = {
    { KEY_BEGIN_INDEX, KEY_RO | KEY_ACCESS, 1, NULL, KEY_FIND_RANGE, -1, 1, 0, 0, 0, NULL }, { 0 }
};
const struct key_spec keys_all_rm[] = {
    { KEY_BEGIN_INDEX, KEY_RM | KEY_DELETE, 1, NULL, KEY_FIND_RANGE, -1, 1, 0, 0, 0, NULL }, { 0 }
};
const struct key_spec keys_pairs_ow[] = {
    { KEY_BEGIN_INDEX, KEY_OW | KEY_UPDATE, 1, NULL, KEY_FIND_RANGE, -1, 2, 0, 0, 0, NULL }, { 0 }
};

/* Where the specification begins to count; 0: nowhere in this request. */
static int begin_of(const struct key_spec *spec, const struct bytes *argv, int argc)
{
    if (spec->begin == KEY_BEGIN_INDEX)
        return spec->index < argc ? spec->index : 0;
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

/* First and last position and step of one specification; false: the request makes no sense. */
static bool range_of(const struct key_spec *spec, const struct bytes *argv, int argc, int begin,
    int *first, int *last)
{
    if (spec->find == KEY_FIND_RANGE) {
        *first = begin;
        *last = begin + spec->last;
        if (spec->last < 0) {
            *last = argc + spec->last;
            if (spec->limit > 1)
                *last = begin + (argc - begin) / spec->limit + spec->last;
        }
        return true;
    }
    if (spec->find != KEY_FIND_KEYNUM)
        return false;
    int64_t count;
    int at = begin + spec->count_at;
    if (at >= argc || !number_parse(argv[at], &count) || count < 0 || count > argc)
        return false;
    *first = begin + spec->first;
    *last = *first + ((int)count - 1) * spec->step;
    return true;
}

int command_keys(
    const struct command *command, const struct bytes *argv, int argc, int *positions, int max)
{
    int count = 0;
    for (const struct key_spec *spec = command->keys; spec && spec->begin; spec++) {
        if (spec->flags & KEY_NOT_KEY)
            continue;
        int begin = begin_of(spec, argv, argc), first, last;
        if (!begin)
            continue;
        if (!range_of(spec, argv, argc, begin, &first, &last) || last >= argc)
            return -1;
        for (int i = first; i <= last; i += spec->step > 0 ? spec->step : 1) {
            if (count < max)
                positions[count] = i;
            count++;
        }
    }
    return count;
}
