/* A view is common/topology's parse of CLUSTER NODES with the bitmaps turned into ranges. */
#include "console/model/view.h"
#include "common/memory.h"
#include <stdlib.h>

static void copy_ranges(struct model_view *view, const struct topology *topology)
{
    size_t capacity = 0;
    for (size_t i = 0; i < topology->count; i++) {
        unsigned first = 0, last;
        while (slot_set_next_range(&topology->nodes[i].slots, &first, &last)) {
            if (view->range_count == capacity) {
                capacity = capacity > 0 ? 2 * capacity : 16;
                view->ranges = memory_resize(view->ranges, capacity * sizeof *view->ranges);
            }
            view->ranges[view->range_count++] =
                (struct model_view_range){ (uint16_t)first, (uint16_t)last, (uint32_t)i };
            first = last + 1;
        }
    }
}

bool model_view_parse(struct bytes text, struct model_view *view, struct error *error)
{
    struct topology topology;
    if (!topology_parse(text, &topology, error)) {
        return false;
    }
    *view = (struct model_view){ .line_count = topology.count, .self = topology.count };
    view->lines = memory_alloc_zeroed(topology.count + 1, sizeof *view->lines);
    for (size_t i = 0; i < topology.count; i++) {
        struct topology_node *node = &topology.nodes[i];
        view->lines[i] = (struct model_view_line){ .id = node->id,
            .primary = node->primary,
            .address = node->address,
            .flags = node->flags,
            .config_epoch = node->config_epoch,
            .pong_received = node->pong_received,
            .connected = node->connected };
        if (node->flags & NODE_MYSELF) {
            view->self = i;
            memcpy(view->hostname, node->hostname, sizeof view->hostname);
            view->moves = node->moves;
            view->move_count = node->move_count;
            node->moves = NULL;
            node->move_count = 0;
        }
    }
    copy_ranges(view, &topology);
    topology_free(&topology);
    if (view->self == view->line_count) {
        model_view_free(view);
        return error_set(error, "CLUSTER NODES has no line of the node itself");
    }
    return true;
}

void model_view_free(struct model_view *view)
{
    free(view->lines);
    free(view->ranges);
    free(view->moves);
    *view = (struct model_view){ 0 };
}

const struct model_view_line *model_view_find(
    const struct model_view *view, const struct node_id *id)
{
    for (size_t i = 0; i < view->line_count; i++) {
        if (node_id_equal(&view->lines[i].id, id)) {
            return &view->lines[i];
        }
    }
    return NULL;
}
