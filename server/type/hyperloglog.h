/* HyperLogLogs, in Redis's own format: how many different elements have been added, within about
 * one percent, in at most 12 kB. Knows nothing of keys.
 *
 *   "HYLL" | encoding, 1 byte: 0 dense, 1 sparse | 3 bytes of zeroes | 8 bytes: the count when it
 * was asked last, little endian; its highest bit says that it is out of date | the registers
 *
 * Dense: 16384 registers of 6 bits, the lowest bits first. Sparse: runs,
 *
 *   00llllll            l + 1 registers are 0
 *   01llllll llllllll   l + 1 registers are 0
 *   1vvvvvll            l + 1 registers are v + 1
 *
 * The bytes may be anybody's: every function but those of the dense form looks at what it reads,
 * and says so where it makes no sense. They are worked on in a buffer; a dense one never grows, so
 * its buffer may have borrowed data. */
#ifndef SERVER_TYPE_HYPERLOGLOG_H
#define SERVER_TYPE_HYPERLOGLOG_H

#include "common/buffer.h"
#include <stdint.h>

enum {
    HLL_REGISTERS = 16384,
    HLL_HEADER = 16,
    HLL_DENSE_SIZE = HLL_HEADER + HLL_REGISTERS * 6 / 8,
};

enum hll_outcome { HLL_UNCHANGED, HLL_CHANGED, HLL_CORRUPT };

/* Whether the header and, of a dense one, the length are right. All others ask for such bytes. */
bool hll_is_valid(struct bytes bytes);
bool hll_is_dense(struct bytes bytes);

/* A new one, sparse, with nothing in it, appended to the buffer. */
void hll_create(struct buffer *hll);
/* A sparse one that would become longer than sparse_max becomes dense. */
enum hll_outcome hll_add(struct buffer *hll, struct bytes element, size_t sparse_max);
/* Raises one register, as hll_add does: for merging. */
enum hll_outcome hll_raise(struct buffer *hll, unsigned index, unsigned value, size_t sparse_max);
/* Makes it dense; HLL_UNCHANGED where it is already. */
enum hll_outcome hll_make_dense(struct buffer *hll);

/* Raises registers[i] to the i-th register of the HyperLogLog. False: it is corrupt. */
bool hll_merge(uint8_t registers[HLL_REGISTERS], struct bytes hll);
/* The estimate. hll_count is false where it is corrupt. */
bool hll_count(struct bytes hll, uint64_t *count);
uint64_t hll_count_registers(const uint8_t registers[HLL_REGISTERS]);

/* The count in the header; false: it is out of date. */
bool hll_cached(struct bytes hll, uint64_t *count);
void hll_cache(char *hll, uint64_t count);
void hll_forget_cached(char *hll);

/* The runs of a sparse one as text, "Z:100 v:3,1 z:2", also where they make no whole; false: it is
 * longer than any that is sound. */
bool hll_describe(struct bytes hll, struct buffer *out);

/* Tries the two forms against each other, and the estimates against the truth. NULL: all is well.
 */
const char *hll_self_test(void);

#endif
