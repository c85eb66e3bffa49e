/* Whatever bytes a string has, as a HyperLogLog: nothing reads or writes beyond them; what is valid
 * counts the same in both forms, and stays valid when elements are added. */
#include "server/type/hyperloglog.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void add_some(struct buffer *hll, const uint8_t *data, size_t size, size_t sparse_max)
{
    enum hll_outcome outcome = HLL_UNCHANGED;
    for (size_t i = 0; i < size && outcome != HLL_CORRUPT; i += 7) {
        size_t len = size - i < 11 ? size - i : 11;
        outcome = hll_add(hll, (struct bytes){ (const char *)data + i, len }, sparse_max);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t registers[HLL_REGISTERS];
    struct buffer hll = { 0 }, dense = { 0 }, text = { 0 };
    /* The first byte says how long a sparse one may become; the rest are the bytes. */
    size_t sparse_max = size > 0 ? data[0] * 16u : 0;
    buffer_append(&hll, data + (size > 0), size > 0 ? size - 1 : 0);
    if (hll.len > 0 && hll_is_valid(buffer_bytes(&hll))) {
        uint64_t sparse_count = 0, dense_count = 0, merged_count, cached;
        bool sound = hll_count(buffer_bytes(&hll), &sparse_count);
        hll_cached(buffer_bytes(&hll), &cached);
        buffer_append(&dense, hll.data, hll.len);
        must((hll_make_dense(&dense) != HLL_CORRUPT) == sound);
        memset(registers, 0, sizeof(registers));
        must(hll_merge(registers, buffer_bytes(&hll)) == sound);
        if (!hll_is_dense(buffer_bytes(&hll)))
            must(hll_describe(buffer_bytes(&hll), &text) || !sound);
        if (sound) {
            merged_count = hll_count_registers(registers);
            must(hll_count(buffer_bytes(&dense), &dense_count));
            must(sparse_count == dense_count && dense_count == merged_count);
        }
        add_some(&hll, data, size, sparse_max);
        must(hll_is_valid(buffer_bytes(&hll)));
        must(!sound || hll_count(buffer_bytes(&hll), &sparse_count));
        if (sound) {
            add_some(&dense, data, size, sparse_max);
            must(hll_count(buffer_bytes(&dense), &dense_count) && dense_count == sparse_count);
        }
    }
    buffer_free(&hll);
    buffer_free(&dense);
    buffer_free(&text);
    return 0;
}
