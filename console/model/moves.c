/* Slots that went from one shard to another, told to the log in runs and not one by one: a move of
 * a thousand slots is one event, when it has been quiet for a while or the pair of shards changes.
 */
#include "common/memory.h"
#include "console/model/build.h"
#include <stdio.h>
#include <stdlib.h>

enum { QUIET_MS = 2000, NO_SHARD = -1 };

struct model_pending_moves {
    int owners[SLOT_COUNT]; /* number of the owner's shard when model_remember_owners was called */
    bool remembered;
    int from, to; /* numbers of shards */
    struct slot_set slots;
    unsigned count;
    int64_t last;
    int64_t wall;
};

static int shard_number(const struct model *model, unsigned slot)
{
    int owner = model->slots[slot].owner;
    if (owner == MODEL_NOBODY || model->nodes[owner]->shard < 0) {
        return NO_SHARD;
    }
    return (int)model->shards[model->nodes[owner]->shard].number;
}

void model_remember_owners(struct model *model)
{
    if (model->pending_moves == NULL) {
        model->pending_moves = memory_alloc_zeroed(1, sizeof *model->pending_moves);
    }
    if (model->covered == 0 && model->rounds == 0) {
        return; /* nothing was known before: nothing moved */
    }
    struct model_pending_moves *pending = model->pending_moves;
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        pending->owners[s] = shard_number(model, s);
    }
    pending->remembered = true;
}

static void name_shard(const struct model *model, int number, char *out, size_t size)
{
    snprintf(out, size, "nobody");
    for (size_t i = 0; i < model->shard_count; i++) {
        const struct model_shard *shard = &model->shards[i];
        if ((int)shard->number == number) {
            char name[64] = "?";
            if (shard->primary != MODEL_NOBODY) {
                model_node_name(model, shard->primary, name, sizeof name);
            }
            snprintf(out, size, "%s %s", shard->letter, name);
        }
    }
}

static void flush(struct model *model)
{
    struct model_pending_moves *pending = model->pending_moves;
    if (pending->count == 0) {
        return;
    }
    char from[80], to[80];
    struct buffer ranges = { 0 };
    name_shard(model, pending->from, from, sizeof from);
    name_shard(model, pending->to, to, sizeof to);
    model_write_ranges(&pending->slots, 6, &ranges);
    model_log_add(&model->log, pending->wall, MODEL_EVENT_SLOTS,
        pending->to == NO_SHARD ? MODEL_BAD : MODEL_NEUTRAL, "%u slot%s moved from %s to %s: %.*s",
        pending->count, pending->count == 1 ? "" : "s", from, to, (int)ranges.len, ranges.data);
    buffer_free(&ranges);
    memset(&pending->slots, 0, sizeof pending->slots);
    pending->count = 0;
}

void model_tell_moves(struct model *model, int64_t now, int64_t wall)
{
    struct model_pending_moves *pending = model->pending_moves;
    if (pending == NULL || !pending->remembered) {
        return;
    }
    pending->remembered = false;
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        int from = pending->owners[s], to = shard_number(model, s);
        if (from == to) {
            continue;
        }
        if (pending->count > 0 && (pending->from != from || pending->to != to)) {
            flush(model);
        }
        if (!slot_set_has(&pending->slots, s)) {
            slot_set_add(&pending->slots, s);
            pending->count++;
        }
        pending->from = from;
        pending->to = to;
        pending->last = now;
        pending->wall = wall;
    }
    if (now - pending->last >= QUIET_MS) {
        flush(model);
    }
}

void model_pending_moves_free(struct model_pending_moves *pending)
{
    free(pending);
}
