/* Redirects, in the order in which Redis asks: is the slot served at all, is the cluster well, is
 * the slot on its way, may a replica read, and else MOVED. The slot's own field says who serves it,
 * under the same lock that the command runs under; addresses come from the published view. */
#include "server/command/route.h"

#include "server/cluster/route.h"
#include "server/command/condition.h"
#include "server/config.h"

static bool refuse_down(struct session *session, struct reply *reply, const struct route *route)
{
    if (route->flags & CMD_PUBSUB && config_is(CONFIG_CLUSTER_ALLOW_PUBSUBSHARD_WHEN_DOWN))
        return true;
    if (!config_is(CONFIG_CLUSTER_ALLOW_READS_WHEN_DOWN)) {
        reply_error(reply, "CLUSTERDOWN The cluster is down");
        return false;
    }
    if (route->flags & CMD_WRITE) {
        reply_error(reply, "CLUSTERDOWN The cluster is down and only accepts read commands");
        return false;
    }
    return true;
}

static bool redirect(struct session *session, struct reply *reply, const char *kind, bool found,
    unsigned slot, const char *endpoint)
{
    counter_add(&session->executor->counters.redirected, 1);
    if (found)
        reply_error(reply, "%s %u %s", kind, slot, endpoint);
    else
        reply_error(reply, "CLUSTERDOWN Hash slot not served");
    return false;
}

void route_add_key(struct route *route, const struct store *store, int64_t now, struct bytes key,
    struct bytes first)
{
    table_cell *cell = store_find(route->slot, store_hash(store, key), key);
    route->missing += !cell || entry_is_expired(table_cell_entry(cell), now);
    route->several = route->several || !bytes_equal(key, first);
}

bool route_is_served(struct session *session, struct reply *reply, const struct route *route)
{
    if (session->flags & (SESSION_PRIMARY | SESSION_LOADER))
        return true;
    unsigned number = store_slot_number(session->executor->store, route->slot);
    unsigned serving = route->slot->serving;
    char endpoint[CLUSTER_ENDPOINT_MAX];
    bool mine = serving == SLOT_MINE || serving == SLOT_MIGRATING;
    bool owned = mine || cluster_slot_owner(number, endpoint);
    if (!owned && serving != SLOT_REPLICA)
        return redirect(session, reply, "CLUSTERDOWN", false, number, endpoint);
    if (condition_all() & CONDITION_CLUSTER_DOWN && !refuse_down(session, reply, route))
        return false;
    if (route->is_migrate && route_counts_missing(route->slot))
        return true;
    if (serving == SLOT_MIGRATING && route->missing > 0) {
        if (route->missing < route->keys) {
            reply_error(reply, "TRYAGAIN Multiple keys request during rehashing of slot");
            return false;
        }
        bool found = cluster_slot_target(number, endpoint);
        return redirect(session, reply, "ASK", found, number, endpoint);
    }
    if (mine)
        return true;
    if (serving == SLOT_IMPORTING &&
        (session->flags & SESSION_ASKING || route->flags & CMD_ASKING)) {
        if (route->several && route->missing > 0) {
            reply_error(reply, "TRYAGAIN Multiple keys request during rehashing of slot");
            return false;
        }
        return true;
    }
    if (serving == SLOT_REPLICA &&
        (session->flags & SESSION_READONLY || route->flags & CMD_PUBSUB) &&
        !(route->flags & CMD_WRITE))
        return true;
    return redirect(session, reply, "MOVED", owned, number, endpoint);
}
