/* Small readings of one node. */
#include "console/model/node.h"

float model_history_at(const struct model_history *history, unsigned ago)
{
    if (ago >= history->count) {
        return 0;
    }
    return history->samples[(history->next + 2 * MODEL_HISTORY - 1 - ago) % MODEL_HISTORY];
}

void model_history_add(struct model_history *history, double sample)
{
    history->samples[history->next] = (float)sample;
    history->next = (history->next + 1) % MODEL_HISTORY;
    if (history->count < MODEL_HISTORY) {
        history->count++;
    }
}

bool model_node_is_fresh(const struct model_node *node, int64_t now, int64_t ms)
{
    return node->heard_at != 0 && now - node->heard_at <= ms;
}

bool model_node_is_lost(const struct model_node *node)
{
    return node->health == MODEL_SILENT || node->health == MODEL_FAILED;
}

const char *model_health_text(enum model_health health)
{
    static const char *const texts[] = {
        [MODEL_UNKNOWN] = "unknown",
        [MODEL_UP] = "up",
        [MODEL_LOADING] = "loading",
        [MODEL_SUSPECTED] = "suspected",
        [MODEL_SILENT] = "silent",
        [MODEL_FAILED] = "failed",
    };
    return texts[health];
}
