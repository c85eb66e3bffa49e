/* Drawing several of many without drawing any twice, each with the same likelihood. */
#ifndef SERVER_TYPE_SAMPLE_H
#define SERVER_TYPE_SAMPLE_H

#include "common/random.h"
#include "server/type/dict.h"

/* Going once over `left` things, of which `wanted` are to be taken:
 *     struct sample sample = { count, wanted };
 *     for each thing: if (sample_takes(&sample)) ... */
struct sample {
    size_t left, wanted;
};

static inline bool sample_takes(struct sample *sample)
{
    if (sample->wanted == 0)
        return false;
    bool taken = random_below(sample->left--) < sample->wanted;
    sample->wanted -= taken;
    return taken;
}

/* So many different items, at most as many as there are: an array that the caller frees (NULL for
 * none). Nothing is held: they are good until the dictionary changes. */
struct item **sample_items(const struct dict *dict, size_t wanted);

#endif
