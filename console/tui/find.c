/* A number may be a slot and a port at once. The view decides: where slots are looked at it is a
 * slot, where nodes are, a node; ":7001" is always a node and "key:7001" always a key. Anything
 * that names neither is taken for a key, whose slot is shown. */
#include "console/tui/find.h"

#include "console/tui/app.h"
#include "console/tui/nodes.h"
#include <ctype.h>

static bool find_slot(struct tui *tui, const char *text)
{
    unsigned slot = 0;
    if (!slot_parse(bytes_of(text), &slot))
        return false;
    tui_go(tui, (int)slot, MODEL_NOBODY);
    return true;
}

static bool find_node(struct tui *tui, const char *text)
{
    struct error ignored;
    int node = model_find_node(tui->model, bytes_of(text), &ignored);
    if (node == MODEL_NOBODY)
        return false;
    int shard = tui->model->nodes[node]->shard;
    int slot = shard >= 0 ? tui->model->shards[shard].first_slot : -1;
    char name[NODES_NAME_MAX];
    tui_go(tui, slot, node);
    tui_say(tui, MODEL_NEUTRAL, "node %s%s%s", model_node_name(tui->model, node, name, sizeof name),
        shard >= 0 ? " of shard " : "", shard >= 0 ? tui->model->shards[shard].letter : "");
    return true;
}

static void find_key(struct tui *tui, const char *key)
{
    unsigned slot = slot_of_key(bytes_of(key));
    tui_go(tui, (int)slot, MODEL_NOBODY);
    tui_say(tui, MODEL_NEUTRAL, "key \"%s\" belongs to slot %u", key, slot);
}

void find_run(struct tui *tui, const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    if (*text == '\0')
        return;
    if (strncmp(text, "key:", 4) == 0 && text[4] != '\0') {
        find_key(tui, text + 4);
        return;
    }
    bool nodes_first = tui->current == VIEW_NODES || tui->current == VIEW_GOSSIP;
    if (nodes_first && find_node(tui, text))
        return;
    if (find_slot(tui, text) || (!nodes_first && find_node(tui, text)))
        return;
    find_key(tui, text);
}

const char *find_hint(void)
{
    return "slot, node, or key";
}
