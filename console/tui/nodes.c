/* Small answers about nodes, in words and colours. */
#include "console/tui/nodes.h"

#include "console/client/client.h"
#include "console/tui/app.h"
#include "console/tui/format.h"
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>

int nodes_draw_letter(const struct model *model, struct area area, int row, int col, int shard)
{
    if (shard < 0 || (size_t)shard >= model->shard_count)
        return draw_text(area, row, col, theme_style(ROLE_DIM), " ");
    const struct model_shard *s = &model->shards[shard];
    struct style style = { -1, -1, A_BOLD };
    if (theme_level() != THEME_NONE) {
        style.bg = theme_shard_colour(s->number);
        style.fg = theme_level() == THEME_256 ? 16 : 0;
        style.attrs = 0;
    }
    return draw_text(area, row, col, style, s->letter);
}

struct style nodes_health_style(enum model_health health)
{
    static const enum role roles[] = {
        [MODEL_UNKNOWN] = ROLE_DIM,
        [MODEL_UP] = ROLE_GOOD_TEXT,
        [MODEL_LOADING] = ROLE_WARN_TEXT,
        [MODEL_SUSPECTED] = ROLE_WARN_TEXT,
        [MODEL_SILENT] = ROLE_WARN_TEXT,
        [MODEL_FAILED] = ROLE_BAD_TEXT,
    };
    return theme_style(roles[health]);
}

const char *nodes_health_text(const struct model_node *node, char *out, size_t size)
{
    struct format age;
    int64_t ms = client_now() - node->health_since;
    if (node->health == MODEL_UP || node->health == MODEL_UNKNOWN)
        snprintf(out, size, "%s", model_health_text(node->health));
    else
        snprintf(out, size, "%s %s", model_health_text(node->health), format_seconds(&age, ms));
    return out;
}

bool nodes_is_stale(const struct model_node *node)
{
    return !model_node_is_fresh(node, client_now(), TUI_STALE_MS);
}

const char *nodes_key(const struct model_node *node, char out[NODES_KEY_MAX])
{
    if (node_id_is_set(&node->id))
        snprintf(out, NODES_KEY_MAX, "%s", node->id.text);
    else
        snprintf(out, NODES_KEY_MAX, "%s:%u", node->address.ip, node->address.port);
    return out;
}

int nodes_by_key(const struct model *model, const char *key)
{
    char other[NODES_KEY_MAX];
    for (size_t i = 0; i < model->node_count; i++) {
        if (strcmp(nodes_key(model->nodes[i], other), key) == 0)
            return (int)i;
    }
    return MODEL_NOBODY;
}

/* Lower is better: those that answer before those that don't, then by lag (unknown last). */
static int64_t replica_rank(const struct model_node *node)
{
    int64_t lag = node->lag < 0 ? INT64_C(1) << 40 : node->lag;
    return lag + (node->health == MODEL_UP ? 0 : INT64_C(1) << 50);
}

unsigned nodes_replicas(const struct model *model, int shard, int *out, unsigned most)
{
    if (shard < 0 || (size_t)shard >= model->shard_count)
        return 0;
    const struct model_shard *s = &model->shards[shard];
    unsigned count = 0;
    for (unsigned i = 0; i < s->member_count && count < most; i++) {
        if (!model->nodes[s->members[i]]->replica)
            continue;
        unsigned at = count++;
        int64_t rank = replica_rank(model->nodes[s->members[i]]);
        for (; at > 0 && replica_rank(model->nodes[out[at - 1]]) > rank; at--)
            out[at] = out[at - 1];
        out[at] = s->members[i];
    }
    return count;
}

const char *nodes_cluster_name(const struct model *model, char *out, size_t size)
{
    snprintf(out, size, "no nodes");
    if (model->node_count == 0)
        return out;
    const struct address *first = &model->nodes[0]->address;
    bool same = true;
    for (size_t i = 1; i < model->node_count; i++)
        same = same && strcmp(model->nodes[i]->address.ip, first->ip) == 0;
    if (same)
        snprintf(out, size, "%s", first->ip);
    else
        snprintf(out, size, "%s:%u", first->ip, first->port);
    return out;
}
