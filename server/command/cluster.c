/* CLUSTER, READONLY, READWRITE, ASKING: what can be read from the view, and the table of it all.
 * What changes the cluster is in cluster_change.c. */
#include "server/command/cluster_change.h"
#include "server/command/families.h"
#include "server/command/help.h"
#include "server/command/rows.h"
#include "server/command/slot_stats.h"

#include "common/number.h"
#include "server/cluster/published.h"
#include "server/cluster/route.h"
#include "server/cluster/service.h"
#include "server/config.h"

static void cluster_myid(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    const struct cluster_view *view = cluster_view_hold();
    reply_bulk_text(call->reply, view->nodes[view->myself].id.text);
    cluster_view_release(view);
}

static void cluster_myshardid(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    const struct cluster_view *view = cluster_view_hold();
    reply_bulk_text(call->reply, view->nodes[view->myself].shard_id.text);
    cluster_view_release(view);
}

static void cluster_nodes(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    struct buffer text = { 0 };
    const struct cluster_view *view = cluster_view_hold();
    cluster_view_render_nodes(view, &text);
    cluster_view_release(view);
    reply_verbatim(call->reply, "txt", buffer_bytes(&text));
    buffer_free(&text);
}

static void cluster_info(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    struct buffer text = { 0 };
    const struct cluster_view *view = cluster_view_hold();
    cluster_view_render_info(view, cluster_service_links_closed(), &text);
    cluster_view_release(view);
    reply_verbatim(call->reply, "txt", buffer_bytes(&text));
    buffer_free(&text);
}

static void cluster_keyslot(struct call *call)
{
    if (cluster_is_here(call))
        reply_integer(call->reply, slot_of_key(call->argv[2]));
}

static void cluster_replicas(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    const struct cluster_view *view = cluster_view_hold();
    uint16_t primary = cluster_view_find(view, call->argv[2]);
    if (primary == CLUSTER_NO_NODE) {
        reply_error(call->reply, "Unknown node %.*s",
            (int)(call->argv[2].len < 128 ? call->argv[2].len : 128), call->argv[2].data);
    } else if (!(view->nodes[primary].flags & NODE_PRIMARY)) {
        reply_error(call->reply, "The specified node is not a master");
    } else {
        struct reply_mark mark = reply_deferred(call->reply);
        size_t count = 0;
        for (uint16_t i = 0; i < view->node_count; i++) {
            if (view->nodes[i].primary != primary)
                continue;
            struct buffer line = { 0 };
            cluster_view_render_node(view, i, &line);
            reply_bulk(call->reply, buffer_bytes(&line));
            buffer_free(&line);
            count++;
        }
        reply_deferred_array(call->reply, mark, count);
    }
    cluster_view_release(view);
}

/* ---- Keys of a slot ---- */

static bool parse_slot(struct call *call, int64_t *number)
{
    if (!call_integer(call, 2, number))
        return false;
    return true;
}

static void cluster_countkeysinslot(struct call *call)
{
    int64_t number;
    if (!cluster_is_here(call) || !parse_slot(call, &number))
        return;
    if (number < 0 || number >= SLOT_COUNT) {
        reply_error(call->reply, "Invalid slot");
        return;
    }
    struct slot *slot = store_slot(call->store, 0, (unsigned)number);
    call_lock_slot(call, slot);
    reply_integer(call->reply, slot->table.used);
    call_unlock_slot(call, slot);
}

struct key_listing {
    struct reply *reply;
    int64_t left;
    size_t count;
};

static void list_key(void *arg, table_cell *cell)
{
    struct key_listing *listing = arg;
    if (listing->left == 0)
        return;
    reply_bulk(listing->reply, entry_key(table_cell_entry(cell)));
    listing->left--;
    listing->count++;
}

static void cluster_getkeysinslot(struct call *call)
{
    int64_t number, max;
    if (!cluster_is_here(call) || !parse_slot(call, &number) || !call_integer(call, 3, &max))
        return;
    if (number < 0 || number >= SLOT_COUNT || max < 0) {
        reply_error(call->reply, "Invalid slot or number of keys");
        return;
    }
    struct slot *slot = store_slot(call->store, 0, (unsigned)number);
    struct reply_mark mark = reply_deferred(call->reply);
    struct key_listing listing = { call->reply, max, 0 };
    call_lock_slot(call, slot);
    table_scan(&slot->table, 0, (size_t)max, list_key, &listing);
    call_unlock_slot(call, slot);
    reply_deferred_array(call->reply, mark, listing.count);
}

/* ---- SLOTS ---- */

/* A replica that a client may be sent to: reachable, and with data. */
static bool is_useful_replica(const struct cluster_view_node *node)
{
    return !(node->flags & NODE_FAIL) && node->offset != 0;
}

static void reply_slots_node(struct call *call, const struct cluster_view_node *node)
{
    int64_t preferred = config_number(CONFIG_CLUSTER_PREFERRED_ENDPOINT_TYPE);
    bool with_ip = preferred != CONFIG_ENDPOINT_IP;
    bool with_host = preferred != CONFIG_ENDPOINT_HOSTNAME && node->hostname[0];
    reply_array(call->reply, 4);
    if (preferred == CONFIG_ENDPOINT_UNKNOWN)
        reply_null(call->reply);
    else
        reply_bulk_text(call->reply, cluster_preferred_endpoint(node));
    reply_integer(call->reply, node->address.port);
    reply_bulk_text(call->reply, node->id.text);
    reply_map(call->reply, (size_t)with_ip + with_host);
    if (with_ip) {
        reply_bulk_text(call->reply, "ip");
        reply_bulk_text(call->reply, node->address.ip);
    }
    if (with_host) {
        reply_bulk_text(call->reply, "hostname");
        reply_bulk_text(call->reply, node->hostname);
    }
}

static void reply_slots_range(
    struct call *call, const struct cluster_view *view, unsigned first, unsigned last)
{
    uint16_t owner = view->owner[first];
    size_t replicas = 0;
    for (uint16_t i = 0; i < view->node_count; i++)
        replicas += view->nodes[i].primary == owner && is_useful_replica(&view->nodes[i]);
    reply_array(call->reply, 3 + replicas);
    reply_integer(call->reply, first);
    reply_integer(call->reply, last);
    reply_slots_node(call, &view->nodes[owner]);
    for (uint16_t i = 0; i < view->node_count; i++) {
        if (view->nodes[i].primary == owner && is_useful_replica(&view->nodes[i]))
            reply_slots_node(call, &view->nodes[i]);
    }
}

static void cluster_slots(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    const struct cluster_view *view = cluster_view_hold();
    struct reply_mark mark = reply_deferred(call->reply);
    size_t count = 0;
    unsigned first = 0;
    for (unsigned slot = 1; slot <= SLOT_COUNT; slot++) {
        if (slot < SLOT_COUNT && view->owner[slot] == view->owner[first])
            continue;
        if (view->owner[first] != CLUSTER_NO_NODE) {
            reply_slots_range(call, view, first, slot - 1);
            count++;
        }
        first = slot;
    }
    reply_deferred_array(call->reply, mark, count);
    cluster_view_release(view);
}

/* ---- SHARDS ---- */

static const char *health_of(const struct cluster_view *view, uint16_t index)
{
    const struct cluster_view_node *node = &view->nodes[index];
    if (node->flags & (NODE_FAIL | NODE_PFAIL))
        return "fail";
    bool is_replica = node->flags & NODE_REPLICA;
    return is_replica && node->offset == 0 ? "loading" : "online";
}

static void reply_shard_node(struct call *call, const struct cluster_view *view, uint16_t index)
{
    const struct cluster_view_node *node = &view->nodes[index];
    struct reply *reply = call->reply;
    reply_map(reply, 7 + (node->hostname[0] != '\0'));
    reply_bulk_text(reply, "id");
    reply_bulk_text(reply, node->id.text);
    reply_bulk_text(reply, "port");
    reply_integer(reply, node->address.port);
    reply_bulk_text(reply, "ip");
    reply_bulk_text(reply, node->address.ip);
    reply_bulk_text(reply, "endpoint");
    reply_bulk_text(reply, cluster_preferred_endpoint(node));
    if (node->hostname[0]) {
        reply_bulk_text(reply, "hostname");
        reply_bulk_text(reply, node->hostname);
    }
    reply_bulk_text(reply, "role");
    reply_bulk_text(reply, node->flags & NODE_REPLICA ? "replica" : "master");
    reply_bulk_text(reply, "replication-offset");
    reply_integer(reply, (int64_t)node->offset);
    reply_bulk_text(reply, "health");
    reply_bulk_text(reply, health_of(view, index));
}

static void reply_shard(struct call *call, const struct cluster_view *view, uint16_t primary)
{
    struct reply *reply = call->reply;
    struct slot_set slots;
    cluster_view_slots(view, primary, &slots);
    reply_map(reply, 2);
    reply_bulk_text(reply, "slots");
    struct reply_mark mark = reply_deferred(reply);
    size_t count = 0;
    for (unsigned first = 0, last; slot_set_next_range(&slots, &first, &last); first = last + 1) {
        reply_integer(reply, first);
        reply_integer(reply, last);
        count += 2;
    }
    reply_deferred_array(reply, mark, count);
    reply_bulk_text(reply, "nodes");
    mark = reply_deferred(reply);
    count = 1;
    reply_shard_node(call, view, primary);
    for (uint16_t i = 0; i < view->node_count; i++) {
        if (view->nodes[i].primary == primary) {
            reply_shard_node(call, view, i);
            count++;
        }
    }
    reply_deferred_array(reply, mark, count);
}

static void cluster_shards(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    const struct cluster_view *view = cluster_view_hold();
    struct reply_mark mark = reply_deferred(call->reply);
    size_t count = 0;
    for (uint16_t i = 0; i < view->node_count; i++) {
        unsigned flags = view->nodes[i].flags;
        if (!(flags & NODE_PRIMARY) || flags & NODE_HANDSHAKE)
            continue;
        reply_shard(call, view, i);
        count++;
    }
    reply_deferred_array(call->reply, mark, count);
    cluster_view_release(view);
}

/* ---- What a session says of itself ---- */

static void readonly(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    call->session->flags |= SESSION_READONLY;
    reply_ok(call->reply);
}

static void readwrite(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    call->session->flags &= ~(unsigned)SESSION_READONLY;
    reply_ok(call->reply);
}

static void asking(struct call *call)
{
    if (!cluster_is_here(call))
        return;
    call->session->flags |= SESSION_ASKING;
    reply_ok(call->reply);
}

/* ---- The table ---- */

enum {
    CHANGE = CMD_ADMIN | CMD_STALE | CMD_NO_ASYNC_LOADING | CMD_PARKS,
    ASK = CMD_ADMIN | CMD_STALE | CMD_PARKS, /* of the bus thread */
    READ = CMD_STALE,
    VIEW = CMD_STALE | CMD_AFTER_PARKED, /* read what has been published */
};

static const char *const varies[] = { "nondeterministic_output", NULL };
static const struct command_arg range_args[] = { ARG("start-slot", ARG_INTEGER),
    ARG("end-slot", ARG_INTEGER), { 0 } };
static const struct command_arg failover_args[] = { TOKEN("force", "FORCE"),
    TOKEN("takeover", "TAKEOVER"), { 0 } };
static const struct command_arg reset_args[] = { TOKEN("hard", "HARD"), TOKEN("soft", "SOFT"),
    { 0 } };
static const struct command_arg setslot_args[] = { WITH("node-id", ARG_STRING, "IMPORTING"),
    WITH("node-id", ARG_STRING, "MIGRATING"), WITH("node-id", ARG_STRING, "NODE"),
    TOKEN("stable", "STABLE"), { 0 } };

static const struct command_arg order_args[] = { TOKEN("asc", "ASC"), TOKEN("desc", "DESC"),
    { 0 } };
static const struct command_arg orderby_args[] = { ARG("metric", ARG_STRING),
    OPTION("limit", ARG_INTEGER, "LIMIT", NULL), CHOICE("order", ARG_OPTIONAL, order_args),
    { 0 } };
static const struct command_arg slot_stats_args[] = {
    { "slotsrange", ARG_BLOCK, 0, "SLOTSRANGE", 0, NULL, range_args },
    { "orderby", ARG_BLOCK, 0, "ORDERBY", 0, NULL, orderby_args }, { 0 }
};

#define ROW(...) ROW_OF("cluster", __VA_ARGS__)

static const struct command subcommands[] = {
    ROW("addslots", cluster_change_addslots, -3, CHANGE, "3.0.0", "O(N), N slots",
        "Takes slots that nobody has", .args = ARGS(ARG_MANY("slot", ARG_INTEGER))),
    ROW("addslotsrange", cluster_change_addslotsrange, -4, CHANGE, "7.0.0", "O(N), N slots",
        "Takes ranges of slots that nobody has",
        .args =
            ARGS({ "start-slot_end-slot", ARG_BLOCK, ARG_MULTIPLE, NULL, 0, NULL, range_args })),
    ROW("bumpepoch", cluster_change_bumpepoch, 2, CHANGE, "3.0.0", "O(1)",
        "Gives this node a configuration epoch higher than all others", .tips = varies),
    ROW("count-failure-reports", cluster_change_count_failure_reports, 3, ASK,
        "3.0.0", "O(N), N reports", "Tells how many primaries say that a node has failed",
        .tips = varies, .args = ARGS(ARG("node-id", ARG_STRING))),
    ROW("countkeysinslot", cluster_countkeysinslot, 3, READ | CMD_ALL_SLOTS, "3.0.0", "O(1)",
        "Tells how many keys this node has in a slot", .args = ARGS(ARG("slot", ARG_INTEGER))),
    ROW("delslots", cluster_change_delslots, -3, CHANGE, "3.0.0", "O(N), N slots",
        "Lets this node forget who has these slots", .args = ARGS(ARG_MANY("slot", ARG_INTEGER))),
    ROW("delslotsrange", cluster_change_delslotsrange, -4, CHANGE, "7.0.0", "O(N), N slots",
        "Lets this node forget who has these ranges of slots",
        .args =
            ARGS({ "start-slot_end-slot", ARG_BLOCK, ARG_MULTIPLE, NULL, 0, NULL, range_args })),
    ROW("failover", cluster_change_failover, -2, CHANGE, "3.0.0", "O(1)",
        "Makes this replica the primary of its shard, without loss where its primary is there",
        .args = ARGS(CHOICE("options", ARG_OPTIONAL, failover_args))),
    ROW("flushslots", cluster_change_flushslots, 2, CHANGE, "3.0.0", "O(1)",
        "Gives up all slots of this node, which must be empty"),
    ROW("forget", cluster_change_forget, 3, CHANGE, "3.0.0", "O(1)",
        "Removes a node from this node's table and keeps it out for a minute",
        .args = ARGS(ARG("node-id", ARG_STRING))),
    ROW("getkeysinslot", cluster_getkeysinslot, 4, READ | CMD_ALL_SLOTS, "3.0.0", "O(N), N keys returned",
        "Returns names of keys that this node has in a slot", .tips = varies,
        .args = ARGS(ARG("slot", ARG_INTEGER), ARG("count", ARG_INTEGER))),
    ROW("help", call_help, 2, CMD_LOADING | CMD_STALE, "5.0.0", "O(1)",
        "Tells what the subcommands do"),
    ROW("info", cluster_info, 2, VIEW, "3.0.0", "O(1)",
        "Tells of the cluster's state as this node sees it", .tips = varies),
    ROW("keyslot", cluster_keyslot, 3, READ, "3.0.0", "O(N), N bytes of the key",
        "Tells the slot of a key", .args = ARGS(ARG("key", ARG_STRING))),
    ROW("links", cluster_change_links, 2, CMD_STALE | CMD_PARKS, "7.0.0", "O(N), N nodes",
        "Tells of the bus's links between this node and the others", .tips = varies),
    ROW("meet", cluster_change_meet, -4, CHANGE, "3.0.0", "O(1)",
        "Brings a node and its cluster into this one",
        .history = HISTORY({ "4.0.0", "Added the optional `cluster_bus_port` argument." }),
        .args = ARGS(ARG("ip", ARG_STRING), ARG("port", ARG_INTEGER),
            { "cluster_bus_port", ARG_INTEGER, ARG_OPTIONAL, NULL, 0, "4.0.0", NULL })),
    ROW("myid", cluster_myid, 2, VIEW, "3.0.0", "O(1)", "Tells this node's ID"),
    ROW("myshardid", cluster_myshardid, 2, VIEW, "7.2.0", "O(1)",
        "Tells the ID of this node's shard", .tips = varies),
    ROW("nodes", cluster_nodes, 2, VIEW, "3.0.0", "O(N), N nodes",
        "Tells of all nodes, as nodes.conf has them", .tips = varies),
    ROW("replicas", cluster_replicas, 3, VIEW | CMD_ADMIN, "5.0.0", "O(N), N nodes",
        "Tells of a primary's replicas", .tips = varies, .args = ARGS(ARG("node-id", ARG_STRING))),
    ROW("replicate", cluster_change_replicate, 3, CHANGE, "3.0.0", "O(1)",
        "Makes this node a replica of another", .args = ARGS(ARG("node-id", ARG_STRING))),
    ROW("reset", cluster_change_reset, -2, ASK | CMD_NOSCRIPT, "3.0.0",
        "O(N), N nodes", "Lets this node forget the cluster; HARD: its own ID, too",
        .args = ARGS(CHOICE("hard_soft", ARG_OPTIONAL, reset_args))),
    ROW("saveconfig", cluster_change_saveconfig, 2, CHANGE, "3.0.0", "O(1)",
        "Writes nodes.conf now"),
    ROW("set-config-epoch", cluster_change_set_config_epoch, 3, CHANGE, "3.0.0", "O(1)",
        "Sets the configuration epoch of a new node",
        .args = ARGS(ARG("config-epoch", ARG_INTEGER))),
    ROW("setslot", cluster_change_setslot, -4, CHANGE, "3.0.0", "O(1)",
        "Says that a slot migrates, is imported, is stable, or whose it is",
        .args = ARGS(ARG("slot", ARG_INTEGER), CHOICE("subcommand", 0, setslot_args))),
    ROW("shards", cluster_shards, 2, VIEW, "7.0.0", "O(N), N nodes",
        "Tells of the shards: their slots and nodes", .tips = varies),
    ROW("slaves", cluster_replicas, 3, VIEW | CMD_ADMIN, "3.0.0", "O(N), N nodes",
        "Tells of a primary's replicas", .tips = varies, .args = ARGS(ARG("node-id", ARG_STRING)),
        .deprecated_since = "5.0.0", .replaced_by = "`CLUSTER REPLICAS`"),
    ROW("slot-stats", cluster_slot_stats, -4, CMD_STALE | CMD_LOADING, "8.0.0",
        "O(N), N slots of the range; O(N log N) where they are sorted",
        "Tells what this shard's slots hold and cost",
        .tips = TIPS("nondeterministic_output", "request_policy:all_shards"),
        .args = ARGS(CHOICE("filter", 0, slot_stats_args))),
    ROW("slots", cluster_slots, 2, VIEW, "3.0.0", "O(N), N nodes",
        "Tells which nodes serve which ranges of slots", .tips = varies,
        .history = HISTORY({ "4.0.0", "Tells the IDs of the nodes." },
            { "7.0.0", "Tells more of how each node can be reached." }),
        .deprecated_since = "7.0.0", .replaced_by = "`CLUSTER SHARDS`"),
    { 0 },
};

const struct command cluster_commands[] = {
    ROW("cluster", NULL, -2, 0, "3.0.0", "Depends on the subcommand",
        "Looks at the cluster and changes it", .subcommands = subcommands),
    ROW("readonly", readonly, 1, CMD_LOADING | CMD_STALE | CMD_FAST, "3.0.0", "O(1)",
        "Lets this client read from a replica what its primary serves",
        .categories = "@connection"),
    ROW("readwrite", readwrite, 1, CMD_LOADING | CMD_STALE | CMD_FAST, "3.0.0", "O(1)",
        "Ends READONLY", .categories = "@connection"),
    ROW("asking", asking, 1, CMD_FAST, "3.0.0", "O(1)",
        "Lets the next command use a slot that is being imported", .categories = "@connection"),
    { 0 },
};
