/* The tables of all command families. A new family is a file that ends in its table, and a line here. */
#ifndef SERVER_COMMAND_FAMILIES_H
#define SERVER_COMMAND_FAMILIES_H

#include "server/command/command.h"

#define COMMAND_FAMILIES(FAMILY) \
    FAMILY(acl_commands) \
    FAMILY(bitfield_commands) \
    FAMILY(bitmap_commands) \
    FAMILY(client_commands) \
    FAMILY(cluster_commands) \
    FAMILY(command_commands) \
    FAMILY(config_commands) \
    FAMILY(connection_commands) \
    FAMILY(debug_commands) \
    FAMILY(dump_commands) \
    FAMILY(expiry_commands) \
    FAMILY(flush_commands) \
    FAMILY(function_commands) \
    FAMILY(geo_commands) \
    FAMILY(geo_search_commands) \
    FAMILY(hash_commands) \
    FAMILY(hyperloglog_commands) \
    FAMILY(info_commands) \
    FAMILY(keys_commands) \
    FAMILY(latency_commands) \
    FAMILY(lcs_commands) \
    FAMILY(databases_commands) \
    FAMILY(lolwut_commands) \
    FAMILY(list_commands) \
    FAMILY(list_move_commands) \
    FAMILY(list_pop_commands) \
    FAMILY(memory_commands) \
    FAMILY(migrate_commands) \
    FAMILY(monitor_commands) \
    FAMILY(object_commands) \
    FAMILY(persistence_commands) \
    FAMILY(pubsub_commands) \
    FAMILY(replication_commands) \
    FAMILY(scan_commands) \
    FAMILY(script_commands) \
    FAMILY(set_commands) \
    FAMILY(slowlog_commands) \
    FAMILY(sort_commands) \
    FAMILY(stream_claim_commands) \
    FAMILY(stream_commands) \
    FAMILY(stream_group_commands) \
    FAMILY(stream_info_commands) \
    FAMILY(stream_read_commands) \
    FAMILY(string_commands) \
    FAMILY(transaction_commands) \
    FAMILY(zset_combine_commands) \
    FAMILY(zset_commands) \
    FAMILY(zset_pop_commands) \
    FAMILY(zset_random_commands) \
    FAMILY(zset_range_commands)

#define COMMAND_FAMILY_DECLARE(name) extern const struct command name[];
COMMAND_FAMILIES(COMMAND_FAMILY_DECLARE)

#endif
