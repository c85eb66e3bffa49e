/* CLUSTER subcommands that change the cluster: each runs in the bus thread, while its client waits. */
#ifndef SERVER_COMMAND_CLUSTER_CHANGE_H
#define SERVER_COMMAND_CLUSTER_CHANGE_H

#include "server/command/call.h"

command_fn_t cluster_change_meet, cluster_change_forget, cluster_change_addslots,
    cluster_change_addslotsrange, cluster_change_delslots, cluster_change_delslotsrange,
    cluster_change_flushslots, cluster_change_setslot, cluster_change_replicate,
    cluster_change_failover, cluster_change_reset, cluster_change_bumpepoch,
    cluster_change_set_config_epoch, cluster_change_saveconfig,
    cluster_change_count_failure_reports, cluster_change_links;

/* Replies with the error where this node has no cluster. */
bool cluster_is_here(struct call *call);

#endif
