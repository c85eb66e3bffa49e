#include "server/cluster/route.h"

#include "server/cluster/published.h"
#include "server/config.h"
#include <stdio.h>

const char *cluster_preferred_endpoint(const struct cluster_view_node *node)
{
    switch (config_number(CONFIG_CLUSTER_PREFERRED_ENDPOINT_TYPE)) {
    case CONFIG_ENDPOINT_HOSTNAME:
        return node->hostname[0] ? node->hostname : "?";
    case CONFIG_ENDPOINT_UNKNOWN:
        return "";
    default:
        return node->address.ip;
    }
}

static bool endpoint_of(const struct cluster_view *view, uint16_t node, char *endpoint)
{
    if (node == CLUSTER_NO_NODE || node == view->myself)
        return false;
    const struct cluster_view_node *found = &view->nodes[node];
    snprintf(endpoint, CLUSTER_ENDPOINT_MAX, "%s:%u", cluster_preferred_endpoint(found),
        (unsigned)found->address.port);
    return true;
}

bool cluster_slot_owner(unsigned slot, char *endpoint)
{
    const struct cluster_view *view = cluster_view_hold();
    bool found = view && endpoint_of(view, view->owner[slot], endpoint);
    cluster_view_release(view);
    return found;
}

bool cluster_slot_target(unsigned slot, char *endpoint)
{
    const struct cluster_view *view = cluster_view_hold();
    bool found = view && endpoint_of(view, view->migrating_to[slot], endpoint);
    cluster_view_release(view);
    return found;
}
