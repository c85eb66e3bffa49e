/* Which 16 bits of a hash do what: the top ones choose the segment, the lowest 16 are the tag in
 * the cell and give the place where the search in the segment begins. Within a segment: linear
 * probing, no gravestones; what follows a removed cell moves up. */
#define XXH_INLINE_ALL
#include "server/type/dict.h"

#include "common/memory.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <xxhash.h>

enum {
    CELLS_MAX = 31,  /* a whole segment is four cache lines */
    FULL = 29,       /* cells that may be used before a segment splits or grows */
    CELLS_FIRST = 4, /* of the only segment of a small dictionary; then 8, 16, 31 */
    MERGE_AT = 12,   /* two neighbours with that many together become one */
    DEPTH_MAX = 32,
};

struct segment {
    _Atomic uint32_t refs;
    uint8_t depth; /* top bits of the hash that all items here share */
    uint8_t used;
    uint8_t capacity;
    uint64_t cells[]; /* 0: empty; else pointer | tag << 48 */
};

/* ---- Hashes ---- */

static uint64_t seed;
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void draw_seed(void)
{
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        seed = (uint64_t)time(NULL) * 0x9e3779b97f4a7c15;
}

uint64_t dict_hash(struct bytes key)
{
    pthread_once(&seeded, draw_seed);
    return XXH3_64bits_withSeed(key.data, key.len, seed);
}

static uint16_t tag_of(uint64_t hash)
{
    return (uint16_t)hash;
}

static struct item *item_of(uint64_t cell)
{
    return (struct item *)(uintptr_t)(cell & 0x0000ffffffffffff);
}

static uint64_t cell_of(uint16_t tag, struct item *item)
{
    return (uint64_t)tag << 48 | (uintptr_t)item;
}

static unsigned home_in(unsigned capacity, uint16_t tag)
{
    return (unsigned)tag * capacity >> 16;
}

static unsigned home_of(const struct segment *segment, uint16_t tag)
{
    return home_in(segment->capacity, tag);
}

/* ---- Items ---- */

struct item *item_create(size_t prefix, struct bytes key, size_t extra)
{
    if (key.len > UINT32_MAX)
        memory_exhausted(key.len); /* what comes in is bounded before */
    struct item *item = memory_alloc(sizeof(*item) + prefix + key.len + extra);
    atomic_init(&item->refs, 1);
    item->key_len = (uint32_t)key.len;
    if (key.len > 0)
        memcpy(item->data + prefix, key.data, key.len);
    return item;
}

struct item *item_hold(struct item *item)
{
    atomic_fetch_add_explicit(&item->refs, 1, memory_order_relaxed);
    return item;
}

/* Whether the last reference has gone. Who holds the only one needs no atomic subtraction. */
static bool drop(_Atomic uint32_t *refs)
{
    return atomic_load_explicit(refs, memory_order_acquire) == 1 ||
           atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

void item_release(struct item *item)
{
    if (drop(&item->refs))
        free(item);
}

/* ---- Segments ---- */

static struct segment *segment_create(unsigned capacity, unsigned depth)
{
    struct segment *segment =
        memory_alloc_zeroed(1, sizeof(*segment) + capacity * sizeof(segment->cells[0]));
    atomic_init(&segment->refs, 1);
    segment->capacity = (uint8_t)capacity;
    segment->depth = (uint8_t)depth;
    return segment;
}

static void segment_release(struct segment *segment)
{
    if (!drop(&segment->refs))
        return;
    for (unsigned i = 0; i < segment->capacity; i++) {
        if (segment->cells[i])
            item_release(item_of(segment->cells[i]));
    }
    free(segment);
}

static void put_cell(struct segment *segment, uint64_t cell)
{
    unsigned i = home_of(segment, (uint16_t)(cell >> 48));
    while (segment->cells[i])
        i = i + 1 < segment->capacity ? i + 1 : 0;
    segment->cells[i] = cell;
    segment->used++;
}

/* Another one with the same items; this one's reference goes, if nobody else has it its items move
 * over. */
static struct segment *segment_remake(struct segment *old, unsigned capacity)
{
    struct segment *segment = segment_create(capacity, old->depth);
    bool shared = atomic_load_explicit(&old->refs, memory_order_acquire) > 1;
    for (unsigned i = 0; i < old->capacity; i++) {
        if (!old->cells[i])
            continue;
        put_cell(segment, old->cells[i]);
        if (shared)
            item_hold(item_of(old->cells[i]));
    }
    if (shared)
        segment_release(old);
    else
        free(old);
    return segment;
}

/* Of several segments all are whole: a look need not touch the line that says so. */
static unsigned capacity_of(const struct dict *dict, const struct segment *segment)
{
    return dict->depth ? CELLS_MAX : segment->capacity;
}

static uint64_t *segment_find(
    const struct dict *dict, struct segment *segment, uint16_t tag, struct bytes key)
{
    unsigned capacity = capacity_of(dict, segment), i = home_in(capacity, tag);
    for (unsigned seen = 0; seen < capacity; seen++) {
        uint64_t cell = segment->cells[i];
        if (!cell)
            return NULL;
        if (cell >> 48 == tag && bytes_equal(dict_key(dict, item_of(cell)), key))
            return &segment->cells[i];
        i = i + 1 < capacity ? i + 1 : 0;
    }
    return NULL;
}

/* Closes the gap that a removed cell leaves: what was pushed past its home comes nearer. */
static void segment_remove(struct segment *segment, uint64_t *cell)
{
    unsigned gap = (unsigned)(cell - segment->cells), i = gap, size = segment->capacity;
    segment->cells[gap] = 0;
    segment->used--;
    for (;;) {
        i = i + 1 < size ? i + 1 : 0;
        uint64_t moving = segment->cells[i];
        if (!moving)
            return;
        unsigned home = home_of(segment, (uint16_t)(moving >> 48));
        /* It may move where its home does not lie between the gap and it. */
        unsigned from_home = i >= home ? i - home : i + size - home;
        unsigned from_gap = i >= gap ? i - gap : i + size - gap;
        if (from_home >= from_gap) {
            segment->cells[gap] = moving;
            segment->cells[i] = 0;
            gap = i;
        }
    }
}

/* ---- The directory ---- */

static size_t places(const struct dict *dict)
{
    return (size_t)1 << dict->depth;
}

static struct segment **all(const struct dict *dict)
{
    return dict->depth ? dict->directory : (struct segment **)&dict->single;
}

static size_t place_of(const struct dict *dict, uint64_t hash)
{
    return dict->depth ? hash >> (64 - dict->depth) : 0;
}

/* The places that show the same segment as this one begin here; there are 2^(depth - its depth) of
 * them. */
static size_t first_place(const struct dict *dict, size_t place, const struct segment *segment)
{
    return place & ~(((size_t)1 << (dict->depth - segment->depth)) - 1);
}

static void set_places(struct dict *dict, size_t place, struct segment *segment)
{
    size_t count = (size_t)1 << (dict->depth - segment->depth);
    struct segment **directory = all(dict);
    for (size_t i = 0; i < count; i++)
        directory[place + i] = segment;
}

/* The segment at this place, in nobody's hands but this dictionary's. */
static struct segment *own(struct dict *dict, size_t place)
{
    struct segment *segment = all(dict)[place];
    if (atomic_load_explicit(&segment->refs, memory_order_acquire) == 1)
        return segment;
    struct segment *mine = segment_remake(segment, segment->capacity);
    set_places(dict, first_place(dict, place, mine), mine);
    return mine;
}

static void deepen(struct dict *dict)
{
    size_t count = places(dict);
    struct segment **old = all(dict);
    struct segment **directory = memory_alloc(2 * count * sizeof(struct segment *));
    for (size_t i = 0; i < count; i++)
        directory[2 * i] = directory[2 * i + 1] = old[i];
    if (dict->depth)
        free(dict->directory);
    dict->directory = directory;
    dict->depth++;
    dict->deepest = 0;
}

/* No segment needs the last bit of the directory any more: every two places show the same one. */
static void flatten(struct dict *dict)
{
    while (dict->depth > 0 && dict->deepest == 0) {
        struct segment **old = dict->directory;
        size_t count = places(dict) / 2;
        dict->depth--;
        if (dict->depth == 0) {
            dict->single = old[0];
            free(old);
            return;
        }
        for (size_t i = 0; i < count; i++) {
            old[i] = old[2 * i];
            dict->deepest += old[i]->depth == dict->depth;
        }
        dict->directory = memory_resize(old, count * sizeof(struct segment *));
    }
}

/* Splits the segment at this place in two by one bit more of the hashes; it is this dictionary's
 * own. */
static void split(struct dict *dict, size_t place)
{
    struct segment *old = all(dict)[place];
    if (old->depth == dict->depth) {
        deepen(dict);
        place *= 2;
    }
    place = first_place(dict, place, old);
    struct segment *low = segment_create(CELLS_MAX, old->depth + 1u);
    struct segment *high = segment_create(CELLS_MAX, old->depth + 1u);
    for (unsigned i = 0; i < old->capacity; i++) {
        if (!old->cells[i])
            continue;
        uint64_t hash = dict_hash(dict_key(dict, item_of(old->cells[i])));
        put_cell(hash >> (63 - old->depth) & 1 ? high : low, old->cells[i]);
    }
    set_places(dict, place, low);
    set_places(dict, place + ((size_t)1 << (dict->depth - high->depth)), high);
    if (low->depth == dict->depth)
        dict->deepest += 2;
    free(old);
}

/* Where this place's segment and its neighbour have become small, they become one. */
static void merge(struct dict *dict, size_t place)
{
    struct segment *segment = all(dict)[place];
    if (segment->depth == 0 || segment->used > MERGE_AT)
        return;
    place = first_place(dict, place, segment);
    size_t width = (size_t)1 << (dict->depth - segment->depth), buddy_place = place ^ width;
    struct segment *buddy = all(dict)[buddy_place];
    if (buddy->depth != segment->depth || buddy->used + segment->used > MERGE_AT)
        return;
    buddy = own(dict, buddy_place);
    for (unsigned i = 0; i < buddy->capacity; i++) {
        if (buddy->cells[i])
            put_cell(segment, buddy->cells[i]);
    }
    free(buddy);
    if (segment->depth == dict->depth)
        dict->deepest -= 2;
    segment->depth--;
    set_places(dict, place & ~width, segment);
    flatten(dict);
}

/* ---- Life ---- */

void dict_init(struct dict *dict, unsigned prefix)
{
    memset(dict, 0, sizeof(*dict));
    dict->prefix = (uint8_t)prefix;
}

/* The place behind those of the segment at this place. */
static size_t next_place(const struct dict *dict, size_t place)
{
    return place + ((size_t)1 << (dict->depth - all(dict)[place]->depth));
}

void dict_clone(struct dict *to, const struct dict *from)
{
    enum { AHEAD = 32 };
    *to = *from;
    if (from->count == 0 && !all(from)[0])
        return;
    if (from->depth) {
        to->directory = memory_alloc(places(from) * sizeof(struct segment *));
        memcpy(to->directory, from->directory, places(from) * sizeof(struct segment *));
    }
    /* A writer waits for this while a snapshot goes on: the segments are asked for ahead. */
    for (size_t i = 0, count = places(from); i < count; i = next_place(from, i)) {
        if (i + AHEAD < count)
            __builtin_prefetch(all(from)[i + AHEAD], 1);
        atomic_fetch_add_explicit(&all(from)[i]->refs, 1, memory_order_relaxed);
    }
}

void dict_free(struct dict *dict)
{
    if (!all(dict)[0])
        return;
    for (size_t i = 0; i < places(dict);) {
        size_t next = next_place(dict, i);
        segment_release(all(dict)[i]);
        i = next;
    }
    if (dict->depth)
        free(dict->directory);
    dict_init(dict, dict->prefix);
}

size_t dict_memory(const struct dict *dict)
{
    size_t cells = dict->depth    ? dict->count + dict->count / 2
                   : dict->single ? dict->single->capacity
                                  : 0;
    size_t directory = dict->depth ? places(dict) * sizeof(struct segment *) : 0;
    return directory + cells * sizeof(uint64_t) + dict->memory;
}

/* ---- Members ---- */

struct item *dict_find(const struct dict *dict, uint64_t hash, struct bytes key)
{
    struct segment *segment = all(dict)[place_of(dict, hash)];
    uint64_t *cell = segment ? segment_find(dict, segment, tag_of(hash), key) : NULL;
    return cell ? item_of(*cell) : NULL;
}

/* Reads a byte rather than ask for its line: where the page's translation is missing too,
 * processors drop what they are asked for. Nothing depends on the byte, so several of these are
 * under way at once. */
static void touch(const void *at)
{
    (void)*(const volatile char *)at;
}

/* Items that are likely the one looked for, by their tags. */
static void prefetch_items(const struct dict *dict, const struct segment *segment, uint16_t tag)
{
    unsigned capacity = capacity_of(dict, segment), i = home_in(capacity, tag);
    for (unsigned seen = 0; seen < capacity && segment->cells[i]; seen++) {
        if (segment->cells[i] >> 48 == tag)
            touch(&item_of(segment->cells[i])->key_len);
        i = i + 1 < capacity ? i + 1 : 0;
    }
}

void dict_prefetch(const struct dict *dict, uint64_t hash, unsigned step)
{
    size_t place = place_of(dict, hash);
    if (step == 0) {
        __builtin_prefetch(&all(dict)[place]);
        return;
    }
    const struct segment *segment = all(dict)[place];
    if (step == 2 && segment) {
        prefetch_items(dict, segment, tag_of(hash));
    } else if (segment) {
        __builtin_prefetch(segment);
        __builtin_prefetch(&segment->cells[home_in(CELLS_MAX, tag_of(hash))]);
    }
}

/* The cell of the key, in a segment that is this dictionary's own; NULL: it is not there. */
static uint64_t *find_own(struct dict *dict, uint64_t hash, struct bytes key)
{
    size_t place = place_of(dict, hash);
    struct segment *segment = all(dict)[place];
    uint64_t *cell = segment ? segment_find(dict, segment, tag_of(hash), key) : NULL;
    if (!cell || atomic_load_explicit(&segment->refs, memory_order_acquire) == 1)
        return cell;
    return segment_find(dict, own(dict, place), tag_of(hash), key);
}

struct item *dict_find_for_change(struct dict *dict, uint64_t hash, struct bytes key)
{
    uint64_t *cell = find_own(dict, hash, key);
    return cell ? item_of(*cell) : NULL;
}

/* A segment with a free cell for this hash. */
static struct segment *with_room(struct dict *dict, uint64_t hash)
{
    if (!all(dict)[0])
        dict->single = segment_create(CELLS_FIRST, 0);
    for (;;) {
        size_t place = place_of(dict, hash);
        struct segment *segment = own(dict, place);
        if (segment->used < (segment->capacity < CELLS_MAX ? segment->capacity : FULL))
            return segment;
        if (segment->capacity < CELLS_MAX) {
            unsigned larger = segment->capacity < 16 ? segment->capacity * 2u : CELLS_MAX;
            segment = segment_remake(segment, larger);
            set_places(dict, first_place(dict, place, segment), segment);
        } else if (segment->used < CELLS_MAX && segment->depth == DEPTH_MAX) {
            return segment;
        } else {
            split(dict, place);
        }
    }
}

void dict_insert(struct dict *dict, uint64_t hash, struct item *item, size_t size)
{
    put_cell(with_room(dict, hash), cell_of(tag_of(hash), item));
    dict->count++;
    dict->memory += size;
}

void dict_replace(struct dict *dict, uint64_t hash, struct item *item, int64_t growth)
{
    struct segment *segment = own(dict, place_of(dict, hash));
    uint64_t *cell = segment_find(dict, segment, tag_of(hash), dict_key(dict, item));
    struct item *old = item_of(*cell);
    *cell = cell_of(tag_of(hash), item);
    dict->memory += (size_t)growth;
    item_release(old);
}

struct item *dict_remove(struct dict *dict, uint64_t hash, struct bytes key)
{
    uint64_t *cell = find_own(dict, hash, key);
    if (!cell)
        return NULL;
    size_t place = place_of(dict, hash);
    struct item *item = item_of(*cell);
    segment_remove(all(dict)[place], cell);
    dict->count--;
    merge(dict, place);
    return item;
}

void dict_reserve(struct dict *dict, size_t count)
{
    enum { FILL = 20 }; /* items for a segment */
    if (all(dict)[0] || count <= CELLS_MAX)
        return;
    unsigned depth = 1;
    while (((size_t)FILL << depth) < count)
        depth++;
    dict->directory = memory_alloc(((size_t)1 << depth) * sizeof(struct segment *));
    dict->depth = (uint8_t)depth;
    dict->deepest = UINT32_C(1) << depth;
    for (size_t i = 0; i < places(dict); i++)
        dict->directory[i] = segment_create(CELLS_MAX, depth);
}

/* ---- Going about ---- */

struct item *dict_next(struct dict_iterator *iterator)
{
    const struct dict *dict = iterator->dict;
    if (!all(dict)[0])
        return NULL;
    while (iterator->at < places(dict)) {
        const struct segment *segment = all(dict)[iterator->at];
        while (iterator->cell < segment->capacity) {
            uint64_t cell = segment->cells[iterator->cell++];
            if (cell)
                return item_of(cell);
        }
        iterator->at = next_place(dict, iterator->at);
        iterator->cell = 0;
    }
    return NULL;
}

uint64_t dict_scan(
    const struct dict *dict, uint64_t position, size_t enough, dict_visit_fn *visit, void *arg)
{
    size_t visited = 0;
    if (!all(dict)[0] || position >= DICT_SCAN_END)
        return DICT_SCAN_END;
    size_t place = place_of(dict, position << 32);
    place = first_place(dict, place, all(dict)[place]);
    while (place < places(dict) && visited < enough) {
        const struct segment *segment = all(dict)[place];
        for (unsigned i = 0; i < segment->capacity; i++) {
            if (segment->cells[i])
                visit(arg, item_of(segment->cells[i]));
        }
        visited += segment->used;
        place = next_place(dict, place);
    }
    return place >= places(dict) ? DICT_SCAN_END : (uint64_t)place << (32 - dict->depth);
}

/* The next of a row of numbers, each as good as drawn. */
static uint64_t mix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* Any item of the segments from the place on: not fair. */
static struct item *some_item(const struct dict *dict, size_t place)
{
    while (all(dict)[place]->used == 0) {
        place = next_place(dict, first_place(dict, place, all(dict)[place]));
        if (place >= places(dict))
            place = 0;
    }
    for (const uint64_t *cell = all(dict)[place]->cells;; cell++) {
        if (*cell)
            return item_of(*cell);
    }
}

/* Every segment has one place where it begins, and every item one cell of so many: who draws a
 * place and a cell until there is an item, draws each with the same chance. Some ten tries as a
 * rule. */
struct item *dict_random(const struct dict *dict, uint64_t random)
{
    enum { TRIES = 2000 };
    if (dict->count == 0)
        return NULL;
    unsigned cells = dict->depth ? CELLS_MAX : dict->single->capacity;
    size_t place = 0;
    for (int i = 0; i < TRIES; i++) {
        uint64_t number = mix(&random);
        place = place_of(dict, number);
        const struct segment *segment = all(dict)[place];
        unsigned cell = (unsigned)((number & 0xffffffff) * cells >> 32);
        if (place == first_place(dict, place, segment) && cell < segment->capacity &&
            segment->cells[cell])
            return item_of(segment->cells[cell]);
    }
    return some_item(dict, place);
}
