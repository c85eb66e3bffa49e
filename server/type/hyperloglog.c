/* An element's hash picks a register and offers it a rank: how many zero bits follow, plus one. A
 * register keeps the highest rank offered. The distribution of ranks tells how many there were
 * (Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017). */
#include "server/type/hyperloglog.h"

#include "common/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    DENSE = 0,
    SPARSE = 1,
    ENCODING_AT = 4,
    COUNT_AT = 8,
    INDEX_BITS = 14,
    RANK_BITS = 64 - INDEX_BITS,
    RANK_MAX = RANK_BITS + 1,
    REGISTER_BITS = 6,
    REGISTER_MAX = 63,
    SHORT_ZEROES_MAX = 64,
    SPARSE_VALUE_MAX = 32,
    SPARSE_VALUES_MAX = 4, /* of one run */
    BLOCK = 8,             /* registers in 6 bytes */
    BLOCK_BYTES = 6,
};

static inline unsigned char *octets(const struct buffer *hll)
{
    return (unsigned char *)hll->data;
}

/* ---- The hash: MurmurHash64A with the format's seed ---- */

static inline uint64_t read64(const char *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static uint64_t hash_of(struct bytes element)
{
    const uint64_t multiplier = UINT64_C(0xc6a4a7935bd1e995), seed = 0xadc83b19;
    uint64_t hash = seed ^ (element.len * multiplier);
    size_t at = 0;
    for (; at + 8 <= element.len; at += 8) {
        uint64_t word = read64(element.data + at) * multiplier;
        word = (word ^ word >> 47) * multiplier;
        hash = (hash ^ word) * multiplier;
    }
    if (at < element.len) {
        uint64_t rest = 0;
        for (size_t i = 0; at + i < element.len; i++)
            rest |= (uint64_t)(unsigned char)element.data[at + i] << (8 * i);
        hash = (hash ^ rest) * multiplier;
    }
    hash = (hash ^ hash >> 47) * multiplier;
    return hash ^ hash >> 47;
}

/* ---- The header ---- */

bool hll_is_valid(struct bytes bytes)
{
    if (bytes.len < HLL_HEADER || memcmp(bytes.data, "HYLL", 4) != 0)
        return false;
    unsigned char encoding = (unsigned char)bytes.data[ENCODING_AT];
    return encoding == SPARSE || (encoding == DENSE && bytes.len == HLL_DENSE_SIZE);
}

bool hll_is_dense(struct bytes bytes)
{
    return bytes.data[ENCODING_AT] == DENSE;
}

bool hll_cached(struct bytes hll, uint64_t *count)
{
    *count = read64(hll.data + COUNT_AT);
    return !(*count >> 63);
}

void hll_cache(char *hll, uint64_t count)
{
    for (int i = 0; i < 8; i++)
        hll[COUNT_AT + i] = (char)(count >> (8 * i));
}

void hll_forget_cached(char *hll)
{
    hll[COUNT_AT + 7] = (char)(hll[COUNT_AT + 7] | 0x80);
}

/* ---- Dense registers ---- */

/* The bits of register `index` begin in this byte, and reach into the next as a rule. */
static unsigned dense_get(const unsigned char *registers, unsigned index)
{
    size_t at = index * REGISTER_BITS / 8;
    unsigned shift = index * REGISTER_BITS % 8;
    unsigned pair = registers[at] | (shift > 2 ? (unsigned)registers[at + 1] << 8 : 0);
    return pair >> shift & REGISTER_MAX;
}

static void dense_set(unsigned char *registers, unsigned index, unsigned value)
{
    size_t at = index * REGISTER_BITS / 8;
    unsigned shift = index * REGISTER_BITS % 8;
    registers[at] = (unsigned char)((registers[at] & ~(REGISTER_MAX << shift)) | value << shift);
    if (shift > 2)
        registers[at + 1] = (unsigned char)((registers[at + 1] & ~(REGISTER_MAX >> (8 - shift))) |
                                            value >> (8 - shift));
}

/* Eight registers at once. */
static inline uint64_t dense_block(const unsigned char *registers, unsigned index)
{
    const unsigned char *from = registers + index / BLOCK * BLOCK_BYTES;
    uint64_t block = 0;
    for (int i = 0; i < BLOCK_BYTES; i++)
        block |= (uint64_t)from[i] << (8 * i);
    return block;
}

static enum hll_outcome dense_raise(unsigned char *registers, unsigned index, unsigned value)
{
    if (dense_get(registers, index) >= value)
        return HLL_UNCHANGED;
    dense_set(registers, index, value);
    return HLL_CHANGED;
}

/* ---- Sparse runs ---- */

struct run {
    unsigned value;  /* of all its registers */
    unsigned length; /* registers */
    unsigned bytes;  /* of its code, 1 or 2 */
};

/* A two-byte code that is cut off at the end counts as if a zero followed. */
static struct run run_read(const unsigned char *at, const unsigned char *end)
{
    if (*at & 0x80)
        return (struct run){ (*at >> 2 & 0x1f) + 1, (*at & 3) + 1, 1 };
    if (!(*at & 0x40))
        return (struct run){ 0, (*at & 0x3f) + 1, 1 };
    unsigned low = at + 1 < end ? at[1] : 0;
    return (struct run){ 0, ((*at & 0x3fu) << 8 | low) + 1, 2 };
}

static unsigned char *put_zeroes(unsigned char *at, unsigned length)
{
    if (length > SHORT_ZEROES_MAX)
        *at++ = (unsigned char)(0x40 | (length - 1) >> 8);
    *at++ = (unsigned char)(length - 1);
    return at;
}

static unsigned char *put_values(unsigned char *at, unsigned value, unsigned length)
{
    *at++ = (unsigned char)(0x80 | (value - 1) << 2 | (length - 1));
    return at;
}

static unsigned char *put_run(unsigned char *at, unsigned value, unsigned length)
{
    if (length == 0)
        return at;
    return value == 0 ? put_zeroes(at, length) : put_values(at, value, length);
}

typedef void run_fn(void *arg, unsigned first, struct run run);

/* Each run with its first register. False: they are not 16384 registers together; runs that go
 * beyond are not visited. */
static bool runs_each(struct bytes hll, run_fn *visit, void *arg)
{
    const unsigned char *at = (const unsigned char *)hll.data + HLL_HEADER;
    const unsigned char *end = (const unsigned char *)hll.data + hll.len;
    unsigned first = 0;
    while (at < end) {
        struct run run = run_read(at, end);
        if (run.length > HLL_REGISTERS - first)
            return false;
        visit(arg, first, run);
        first += run.length;
        at += run.bytes;
    }
    return first == HLL_REGISTERS;
}

static void fill_dense(void *arg, unsigned first, struct run run)
{
    unsigned char *registers = arg;
    for (unsigned i = 0; run.value > 0 && i < run.length; i++)
        dense_set(registers, first + i, run.value);
}

enum hll_outcome hll_make_dense(struct buffer *hll)
{
    if (hll_is_dense(buffer_bytes(hll)))
        return HLL_UNCHANGED;
    unsigned char dense[HLL_DENSE_SIZE] = { 0 };
    if (!runs_each(buffer_bytes(hll), fill_dense, dense + HLL_HEADER))
        return HLL_CORRUPT;
    memcpy(dense, hll->data, HLL_HEADER);
    dense[ENCODING_AT] = DENSE;
    hll->len = 0;
    buffer_append(hll, dense, sizeof(dense));
    return HLL_CHANGED;
}

/* Neighbours with the same value become one run where they fit; only what lies around a change is
 * looked at. */
static void merge_neighbours(struct buffer *hll, size_t from)
{
    enum { LOOKED_AT = 5 };
    size_t at = from;
    for (int looks = 0; looks < LOOKED_AT && at < hll->len; looks++) {
        const unsigned char *end = octets(hll) + hll->len;
        struct run run = run_read(octets(hll) + at, end);
        struct run next = { 0 };
        if (run.value > 0 && at + 1 < hll->len)
            next = run_read(octets(hll) + at + 1, end);
        if (next.value == 0 || next.value != run.value ||
            run.length + next.length > SPARSE_VALUES_MAX) {
            at += run.bytes;
            continue;
        }
        put_values(octets(hll) + at, run.value, run.length + next.length);
        memmove(hll->data + at + 1, hll->data + at + 2, hll->len - at - 2);
        hll->len--;
    }
}

static enum hll_outcome promote_and_raise(struct buffer *hll, unsigned index, unsigned value)
{
    if (hll_make_dense(hll) == HLL_CORRUPT)
        return HLL_CORRUPT;
    dense_raise(octets(hll) + HLL_HEADER, index, value);
    return HLL_CHANGED;
}

/* Puts `codes` in the place of the `old` bytes at `at`. */
static void splice(
    struct buffer *hll, size_t at, size_t old, const unsigned char *codes, size_t count)
{
    buffer_reserve(hll, count);
    memmove(hll->data + at + count, hll->data + at + old, hll->len - at - old);
    memcpy(hll->data + at, codes, count);
    hll->len += count - old;
}

static enum hll_outcome sparse_raise(
    struct buffer *hll, unsigned index, unsigned value, size_t sparse_max)
{
    if (value > SPARSE_VALUE_MAX)
        return promote_and_raise(hll, index, value);
    const unsigned char *end = octets(hll) + hll->len;
    size_t at = HLL_HEADER, before = HLL_HEADER;
    unsigned first = 0;
    struct run run = { 0 };
    while (at < hll->len) {
        run = run_read(octets(hll) + at, end);
        if (index < first + run.length)
            break;
        before = at;
        at += run.bytes;
        first += run.length;
    }
    if (at + run.bytes > hll->len || run.length == 0)
        return HLL_CORRUPT;
    if (run.value >= value)
        return HLL_UNCHANGED;
    unsigned char codes[6], *put = codes;
    put = put_run(put, run.value, index - first);
    put = put_run(put, value, 1);
    put = put_run(put, run.value, first + run.length - 1 - index);
    size_t count = (size_t)(put - codes);
    if (count > run.bytes && hll->len + count - run.bytes > sparse_max)
        return promote_and_raise(hll, index, value);
    splice(hll, at, run.bytes, codes, count);
    merge_neighbours(hll, before);
    hll_forget_cached(hll->data);
    return HLL_CHANGED;
}

/* ---- Making and adding ---- */

void hll_create(struct buffer *hll)
{
    unsigned char empty[HLL_HEADER + 2] = { 'H', 'Y', 'L', 'L', SPARSE };
    put_zeroes(empty + HLL_HEADER, HLL_REGISTERS);
    buffer_append(hll, empty, sizeof(empty));
}

enum hll_outcome hll_raise(struct buffer *hll, unsigned index, unsigned value, size_t sparse_max)
{
    if (hll_is_dense(buffer_bytes(hll)))
        return dense_raise(octets(hll) + HLL_HEADER, index, value);
    return sparse_raise(hll, index, value, sparse_max);
}

enum hll_outcome hll_add(struct buffer *hll, struct bytes element, size_t sparse_max)
{
    uint64_t hash = hash_of(element);
    unsigned index = hash % HLL_REGISTERS;
    uint64_t rest = hash >> INDEX_BITS | UINT64_C(1) << RANK_BITS;
    return hll_raise(hll, index, (unsigned)__builtin_ctzll(rest) + 1, sparse_max);
}

/* ---- Merging ---- */

static void raise_all(void *arg, unsigned first, struct run run)
{
    uint8_t *registers = arg;
    for (unsigned i = first; run.value > 0 && i < first + run.length; i++) {
        if (registers[i] < run.value)
            registers[i] = (uint8_t)run.value;
    }
}

bool hll_merge(uint8_t registers[HLL_REGISTERS], struct bytes hll)
{
    if (!hll_is_dense(hll))
        return runs_each(hll, raise_all, registers);
    const unsigned char *dense = (const unsigned char *)hll.data + HLL_HEADER;
    for (unsigned i = 0; i < HLL_REGISTERS; i += BLOCK) {
        uint64_t block = dense_block(dense, i);
        for (unsigned k = 0; k < BLOCK; k++) {
            uint8_t value = block >> (k * REGISTER_BITS) & REGISTER_MAX;
            if (registers[i + k] < value)
                registers[i + k] = value;
        }
    }
    return true;
}

/* ---- Counting ---- */

/* How many registers have each value. */
struct histogram {
    unsigned of[REGISTER_MAX + 1];
};

static double sigma(double x)
{
    if (x == 1)
        return INFINITY;
    double before, weight = 1, sum = x;
    do {
        before = sum;
        x *= x;
        sum += x * weight;
        weight += weight;
    } while (before != sum);
    return sum;
}

static double tau(double x)
{
    if (x == 0 || x == 1)
        return 0;
    double before, weight = 1, sum = 1 - x;
    do {
        before = sum;
        x = sqrt(x);
        weight *= 0.5;
        sum -= (1 - x) * (1 - x) * weight;
    } while (before != sum);
    return sum / 3;
}

static uint64_t estimate(const struct histogram *histogram)
{
    const double alpha = 0.721347520444481703680; /* 1 / (2 ln 2) */
    const double m = HLL_REGISTERS;
    double z = m * tau((m - histogram->of[RANK_MAX]) / m);
    for (int value = RANK_BITS; value >= 1; value--)
        z = (z + histogram->of[value]) * 0.5;
    z += m * sigma(histogram->of[0] / m);
    return (uint64_t)llroundl(alpha * m * m / z);
}

static void note_run(void *arg, unsigned first, struct run run)
{
    struct histogram *histogram = arg;
    histogram->of[run.value] += run.length;
}

bool hll_count(struct bytes hll, uint64_t *count)
{
    struct histogram histogram = { 0 };
    bool valid = true;
    if (hll_is_dense(hll)) {
        const unsigned char *dense = (const unsigned char *)hll.data + HLL_HEADER;
        for (unsigned i = 0; i < HLL_REGISTERS; i += BLOCK) {
            uint64_t block = dense_block(dense, i);
            for (unsigned k = 0; k < BLOCK; k++)
                histogram.of[block >> (k * REGISTER_BITS) & REGISTER_MAX]++;
        }
    } else {
        valid = runs_each(hll, note_run, &histogram);
    }
    if (valid)
        *count = estimate(&histogram);
    return valid;
}

uint64_t hll_count_registers(const uint8_t registers[HLL_REGISTERS])
{
    struct histogram histogram = { 0 };
    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        histogram.of[registers[i] & REGISTER_MAX]++;
    return estimate(&histogram);
}

/* ---- For debugging ---- */

bool hll_describe(struct bytes hll, struct buffer *out)
{
    if (hll.len > HLL_HEADER + 2 * HLL_REGISTERS)
        return false;
    const unsigned char *at = (const unsigned char *)hll.data + HLL_HEADER;
    const unsigned char *end = (const unsigned char *)hll.data + hll.len;
    while (at < end) {
        struct run run = run_read(at, end);
        if (out->len > 0)
            buffer_append_char(out, ' ');
        if (run.value > 0)
            buffer_printf(out, "v:%u,%u", run.value, run.length);
        else
            buffer_printf(out, "%c:%u", run.bytes == 1 ? 'z' : 'Z', run.length);
        at += run.bytes;
    }
    return true;
}

static const char *test_registers(void)
{
    unsigned char registers[HLL_DENSE_SIZE - HLL_HEADER] = { 0 };
    uint8_t wanted[HLL_REGISTERS] = { 0 };
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 4 * HLL_REGISTERS; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        unsigned index = random % HLL_REGISTERS, value = random >> 40 & REGISTER_MAX;
        wanted[index] = (uint8_t)value;
        dense_set(registers, index, value);
    }
    for (unsigned i = 0; i < HLL_REGISTERS; i++) {
        if (dense_get(registers, i) != wanted[i])
            return "a register reads other than it was written";
    }
    return NULL;
}

/* The counts are off by 0.8 % as a rule; five times that is out of the question. */
static bool is_near(uint64_t count, uint64_t truth)
{
    double allowed = 5 * 1.04 / sqrt(HLL_REGISTERS) * (double)truth + 1;
    return fabs((double)count - (double)truth) <= allowed;
}

static const char *test_counts(struct buffer *sparse, struct buffer *dense)
{
    enum { ELEMENTS = 200000, SPARSE_MAX = 3000 };
    hll_create(sparse);
    hll_create(dense);
    hll_make_dense(dense);
    uint64_t next = 1;
    for (uint64_t i = 1; i <= ELEMENTS; i++) {
        struct bytes element = { (const char *)&i, sizeof(i) };
        if (hll_add(sparse, element, SPARSE_MAX) != hll_add(dense, element, SPARSE_MAX))
            return "the sparse and the dense form disagree about an element";
        if (i != next)
            continue;
        uint64_t counts[2];
        if (!hll_count(buffer_bytes(sparse), &counts[0]) ||
            !hll_count(buffer_bytes(dense), &counts[1]) || counts[0] != counts[1])
            return "the sparse and the dense form count differently";
        if (!is_near(counts[0], i))
            return "the count is too far from the truth";
        next *= 10;
    }
    return NULL;
}

const char *hll_self_test(void)
{
    struct buffer sparse = { 0 }, dense = { 0 };
    const char *wrong = test_registers();
    if (!wrong)
        wrong = test_counts(&sparse, &dense);
    buffer_free(&sparse);
    buffer_free(&dense);
    return wrong;
}
