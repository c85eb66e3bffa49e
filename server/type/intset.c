/* Width and count lie as Redis writes them, so that the bytes from there on are its form. Memory
 * grows with each integer; jemalloc's size classes spare most of the copies. */
#include "server/type/intset.h"

#include "common/memory.h"
#include <endian.h>
#include <stddef.h>
#include <stdlib.h>

enum { HEADER = 2 * sizeof(uint32_t) }; /* of the bytes in RDB */

static size_t size_of(uint32_t width, uint32_t count)
{
    return sizeof(struct intset) + (size_t)width * count;
}

static uint32_t width_of(const struct intset *set)
{
    return le32toh(set->width);
}

static uint32_t count_of(const struct intset *set)
{
    return le32toh(set->count);
}

static uint32_t width_for(int64_t value)
{
    return value >= INT16_MIN && value <= INT16_MAX   ? 2
           : value >= INT32_MIN && value <= INT32_MAX ? 4
                                                      : 8;
}

static int64_t read_at(const char *integers, uint32_t width, size_t index)
{
    uint64_t bits = 0;
    memcpy(&bits, integers + index * width, width);
    unsigned unused = 64 - width * 8;
    return (int64_t)(le64toh(bits) << unused) >> unused;
}

static void write_at(struct intset *set, uint32_t width, size_t index, int64_t value)
{
    uint64_t bits = htole64((uint64_t)value);
    memcpy(set->integers + index * width, &bits, width);
}

/* ---- Life ---- */

static struct intset *make(uint32_t width, uint32_t count)
{
    struct intset *set = memory_alloc(size_of(width, count));
    atomic_init(&set->refs, 1);
    set->width = htole32(width);
    set->count = htole32(count);
    return set;
}

struct intset *intset_create(void)
{
    return make(2, 0);
}

struct intset *intset_hold(struct intset *set)
{
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void intset_release(struct intset *set)
{
    if (atomic_load_explicit(&set->refs, memory_order_acquire) == 1 ||
        atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) == 1)
        free(set);
}

struct intset *intset_own(struct intset *set)
{
    if (atomic_load_explicit(&set->refs, memory_order_acquire) == 1)
        return set;
    struct intset *copy = intset_from(intset_bytes(set));
    intset_release(set);
    return copy;
}

/* ---- Bytes ---- */

bool intset_is_valid(struct bytes bytes)
{
    uint32_t width, count;
    if (bytes.len < HEADER)
        return false;
    memcpy(&width, bytes.data, sizeof(width));
    memcpy(&count, bytes.data + sizeof(width), sizeof(count));
    width = le32toh(width);
    count = le32toh(count);
    if ((width != 2 && width != 4 && width != 8) || count == 0 || count > INTSET_COUNT_MAX ||
        bytes.len != HEADER + (uint64_t)width * count)
        return false;
    for (uint32_t i = 1; i < count; i++) {
        if (read_at(bytes.data + HEADER, width, i - 1) >= read_at(bytes.data + HEADER, width, i))
            return false;
    }
    return true;
}

struct intset *intset_from(struct bytes bytes)
{
    size_t before = offsetof(struct intset, width);
    struct intset *set = memory_alloc(before + bytes.len);
    atomic_init(&set->refs, 1);
    memcpy((char *)set + before, bytes.data, bytes.len);
    return set;
}

struct bytes intset_bytes(const struct intset *set)
{
    size_t before = offsetof(struct intset, width);
    return (struct bytes){ (const char *)set + before, intset_memory(set) - before };
}

size_t intset_memory(const struct intset *set)
{
    return size_of(width_of(set), count_of(set));
}

/* ---- Members ---- */

size_t intset_count(const struct intset *set)
{
    return count_of(set);
}

int64_t intset_at(const struct intset *set, size_t index)
{
    return read_at(set->integers, width_of(set), index);
}

/* How many are less than the value: where it is or would be. */
static uint32_t place_of(const struct intset *set, int64_t value)
{
    uint32_t low = 0, high = count_of(set), width = width_of(set);
    if (high > 0 && read_at(set->integers, width, high - 1) < value)
        return high; /* what counts up is added at the end */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (read_at(set->integers, width, middle) < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct intset *set, uint32_t place, int64_t value)
{
    return place < count_of(set) && read_at(set->integers, width_of(set), place) == value;
}

bool intset_has(const struct intset *set, int64_t value)
{
    return width_for(value) <= width_of(set) && is_at(set, place_of(set, value), value);
}

/* The same integers, wider, and one that needs that: it is less than all, or greater. */
static struct intset *widen(struct intset *set, uint32_t width, int64_t value)
{
    uint32_t count = count_of(set), shift = value < 0;
    struct intset *wide = make(width, count + 1);
    for (uint32_t i = 0; i < count; i++)
        write_at(wide, width, i + shift, intset_at(set, i));
    write_at(wide, width, shift ? 0 : count, value);
    intset_release(set);
    return wide;
}

struct intset *intset_add(struct intset *set, int64_t value, bool *added)
{
    uint32_t width = width_of(set), count = count_of(set);
    *added = true;
    if (width_for(value) > width)
        return widen(set, width_for(value), value);
    uint32_t place = place_of(set, value);
    if (is_at(set, place, value)) {
        *added = false;
        return set;
    }
    set = memory_resize(set, size_of(width, count + 1));
    char *at = set->integers + (size_t)place * width;
    memmove(at + width, at, (size_t)(count - place) * width);
    write_at(set, width, place, value);
    set->count = htole32(count + 1);
    return set;
}

struct intset *intset_remove(struct intset *set, int64_t value, bool *removed)
{
    uint32_t width = width_of(set), count = count_of(set);
    *removed = false;
    if (width_for(value) > width)
        return set;
    uint32_t place = place_of(set, value);
    if (!is_at(set, place, value))
        return set;
    *removed = true;
    char *at = set->integers + (size_t)place * width;
    memmove(at, at + width, (size_t)(count - place - 1) * width);
    set->count = htole32(count - 1);
    return memory_resize(set, size_of(width, count - 1));
}
