/* Marking asks for the keys of what was marked, so that the figure is there when it is wanted. */
#include "console/tui/marks.h"

#include "console/operation/plan.h"
#include "console/tui/app.h"
#include "console/tui/counter.h"
#include "console/tui/format.h"
#include <stdio.h>

enum { MARKS_COUNT_AGE_MS = 10000, MARKS_RANGES_SHOWN = 2 };

static void marks_changed(struct tui *tui)
{
    counter_want(tui->counter, &tui->marks, MARKS_COUNT_AGE_MS);
    tui_changed(tui);
}

void marks_add(struct tui *tui, const struct slot_set *slots)
{
    for (size_t i = 0; i < SLOT_BITMAP_SIZE; i++)
        tui->marks.bits[i] |= slots->bits[i];
    marks_changed(tui);
}

void marks_add_range(struct tui *tui, unsigned first, unsigned last)
{
    slot_set_add_range(&tui->marks, first, last);
    marks_changed(tui);
}

void marks_remove(struct tui *tui, const struct slot_set *slots)
{
    for (size_t i = 0; i < SLOT_BITMAP_SIZE; i++)
        tui->marks.bits[i] &= (uint8_t)~slots->bits[i];
    tui_changed(tui);
}

void marks_clear(struct tui *tui)
{
    memset(&tui->marks, 0, sizeof tui->marks);
    tui_changed(tui);
}

void marks_add_shard(struct tui *tui, int shard)
{
    const struct model *model = tui->model;
    if (shard < 0 || (size_t)shard >= model->shard_count)
        return;
    int primary = model->shards[shard].primary;
    if (primary != MODEL_NOBODY)
        marks_add(tui, &model->nodes[primary]->slots);
}

/* Keys of the marked slots; -1 where some haven't been counted. */
static int64_t marks_keys(const struct tui *tui)
{
    int64_t keys = 0;
    for (unsigned s = 0; s < SLOT_COUNT; s++) {
        if (!slot_set_has(&tui->marks, s))
            continue;
        if (tui->model->slot_keys[s] == MODEL_KEYS_UNKNOWN)
            return -1;
        keys += tui->model->slot_keys[s];
    }
    return keys;
}

void marks_describe(struct tui *tui, char *out, size_t size, int room)
{
    unsigned count = slot_set_count(&tui->marks), asked = 0, answered = 0;
    out[0] = '\0';
    if (count == 0)
        return;
    struct buffer ranges = { 0 };
    model_write_ranges(&tui->marks, MARKS_RANGES_SHOWN, &ranges);
    buffer_terminate(&ranges);
    int64_t keys = marks_keys(tui);
    struct format number;
    char figure[FORMAT_MAX + 16] = "";
    if (keys >= 0)
        snprintf(figure, sizeof figure, "  %s keys", format_count(&number, keys));
    else if (counter_busy(tui->counter, &asked, &answered))
        snprintf(figure, sizeof figure, "  counting");
    const char *plural = count == 1 ? "" : "s";
    int len = snprintf(out, size, "marked %u slot%s  %s%s", count, plural, ranges.data, figure);
    if (len > room)
        snprintf(out, size, "marked %u slot%s%s", count, plural, figure);
    buffer_free(&ranges);
}
