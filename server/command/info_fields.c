/* In which order INFO tells what. Programs that read INFO go by names, people by places: so both
 * are Redis's. A constant is told where the thing it counts does not exist here: nothing is forked,
 * and the AOF is written from the bytes that replicas are sent, too. */
#include "server/command/info_fields.h"

struct field {
    const char *name;
    const char *constant; /* NULL: told by a module, or not at all */
};

static const struct field clients[] = {
    { "connected_clients", NULL },
    { "cluster_connections", NULL },
    { "maxclients", NULL },
    { "client_recent_max_input_buffer", NULL },
    { "client_recent_max_output_buffer", NULL },
    { "blocked_clients", NULL },
    { "tracking_clients", "0" },
    { "clients_in_timeout_table", NULL },
    { NULL, NULL },
};

static const struct field memory[] = {
    { "used_memory", NULL },
    { "used_memory_human", NULL },
    { "used_memory_rss", NULL },
    { "used_memory_rss_human", NULL },
    { "used_memory_peak", NULL },
    { "used_memory_peak_human", NULL },
    { "used_memory_peak_perc", NULL },
    { "used_memory_overhead", NULL },
    { "used_memory_startup", NULL },
    { "used_memory_dataset", NULL },
    { "used_memory_dataset_perc", NULL },
    { "allocator_allocated", NULL },
    { "allocator_active", NULL },
    { "allocator_resident", NULL },
    { "total_system_memory", NULL },
    { "total_system_memory_human", NULL },
    { "used_memory_lua", "0" },
    { "used_memory_vm_eval", "0" },
    { "used_memory_lua_human", "0B" },
    { "used_memory_scripts_eval", "0" },
    { "number_of_cached_scripts", "0" },
    { "number_of_functions", "0" },
    { "number_of_libraries", "0" },
    { "used_memory_vm_functions", "0" },
    { "used_memory_vm_total", "0" },
    { "used_memory_vm_total_human", "0B" },
    { "used_memory_functions", "0" },
    { "used_memory_scripts", "0" },
    { "used_memory_scripts_human", "0B" },
    { "maxmemory", NULL },
    { "maxmemory_human", NULL },
    { "maxmemory_policy", NULL },
    { "allocator_frag_ratio", NULL },
    { "allocator_frag_bytes", NULL },
    { "allocator_rss_ratio", NULL },
    { "allocator_rss_bytes", NULL },
    { "rss_overhead_ratio", NULL },
    { "rss_overhead_bytes", NULL },
    { "mem_fragmentation_ratio", NULL },
    { "mem_fragmentation_bytes", NULL },
    { "mem_not_counted_for_evict", NULL },
    { "mem_replication_backlog", NULL },
    { "mem_total_replication_buffers", NULL },
    { "mem_clients_slaves", NULL },
    { "mem_clients_normal", NULL },
    { "mem_cluster_links", NULL },
    { "mem_aof_buffer", "0" },
    { "mem_allocator", NULL },
    { "active_defrag_running", "0" },
    { "lazyfree_pending_objects", NULL },
    { "lazyfreed_objects", NULL },
    { NULL, NULL },
};

static const struct field persistence[] = {
    { "loading", NULL },
    { "async_loading", "0" },
    { "current_cow_peak", "0" },
    { "current_cow_size", "0" },
    { "current_cow_size_age", "0" },
    { "current_fork_perc", "0.00" },
    { "current_save_keys_processed", NULL },
    { "current_save_keys_total", NULL },
    { "rdb_changes_since_last_save", NULL },
    { "rdb_bgsave_in_progress", NULL },
    { "rdb_last_save_time", NULL },
    { "rdb_last_bgsave_status", NULL },
    { "rdb_last_bgsave_time_sec", NULL },
    { "rdb_current_bgsave_time_sec", NULL },
    { "rdb_saves", NULL },
    { "rdb_last_cow_size", "0" },
    { "rdb_last_load_keys_expired", NULL },
    { "rdb_last_load_keys_loaded", NULL },
    { "aof_enabled", NULL },
    { "aof_rewrite_in_progress", NULL },
    { "aof_rewrite_scheduled", NULL },
    { "aof_last_rewrite_time_sec", NULL },
    { "aof_current_rewrite_time_sec", NULL },
    { "aof_last_bgrewrite_status", NULL },
    { "aof_rewrites", NULL },
    { "aof_rewrites_consecutive_failures", NULL },
    { "aof_last_write_status", NULL },
    { "aof_last_cow_size", "0" },
    { "module_fork_in_progress", "0" },
    { "module_fork_last_cow_size", "0" },
    { "aof_current_size", NULL },
    { "aof_base_size", NULL },
    { "aof_pending_rewrite", NULL },
    { "aof_buffer_length", NULL },
    { "aof_pending_bio_fsync", NULL },
    { "aof_delayed_fsync", NULL },
    { "loading_start_time", NULL },
    { "loading_total_bytes", NULL },
    { "loading_rdb_used_mem", NULL },
    { "loading_loaded_bytes", NULL },
    { "loading_loaded_perc", NULL },
    { "loading_eta_seconds", NULL },
    { NULL, NULL },
};

static const struct field stats[] = {
    { "total_connections_received", NULL },
    { "total_commands_processed", NULL },
    { "instantaneous_ops_per_sec", NULL },
    { "total_net_input_bytes", NULL },
    { "total_net_output_bytes", NULL },
    { "total_net_repl_input_bytes", NULL },
    { "total_net_repl_output_bytes", NULL },
    { "instantaneous_input_kbps", NULL },
    { "instantaneous_output_kbps", NULL },
    { "instantaneous_input_repl_kbps", NULL },
    { "instantaneous_output_repl_kbps", NULL },
    { "rejected_connections", NULL },
    { "sync_full", NULL },
    { "sync_partial_ok", NULL },
    { "sync_partial_err", NULL },
    { "expired_keys", NULL },
    { "expired_stale_perc", NULL },
    { "expired_time_cap_reached_count", NULL },
    { "expire_cycle_cpu_milliseconds", NULL },
    { "evicted_keys", NULL },
    { "evicted_clients", "0" },
    { "total_eviction_exceeded_time", NULL },
    { "current_eviction_exceeded_time", NULL },
    { "keyspace_hits", NULL },
    { "keyspace_misses", NULL },
    { "pubsub_channels", "0" },
    { "pubsub_patterns", "0" },
    { "pubsubshard_channels", "0" },
    { "latest_fork_usec", "0" },
    { "total_forks", "0" },
    { "migrate_cached_sockets", NULL },
    { "slave_expires_tracked_keys", "0" },
    { "active_defrag_hits", "0" },
    { "active_defrag_misses", "0" },
    { "active_defrag_key_hits", "0" },
    { "active_defrag_key_misses", "0" },
    { "total_active_defrag_time", "0" },
    { "current_active_defrag_time", "0" },
    { "tracking_total_keys", "0" },
    { "tracking_total_items", "0" },
    { "tracking_total_prefixes", "0" },
    { "unexpected_error_replies", "0" },
    { "total_error_replies", NULL },
    { "dump_payload_sanitizations", "0" },
    { "total_reads_processed", NULL },
    { "total_writes_processed", NULL },
    { "io_threaded_reads_processed", NULL },
    { "io_threaded_writes_processed", NULL },
    { "reply_buffer_shrinks", "0" },
    { "reply_buffer_expands", "0" },
    { NULL, NULL },
};

static const struct {
    const char *section;
    const struct field *fields;
} orders[] = {
    { "clients", clients },
    { "memory", memory },
    { "persistence", persistence },
    { "stats", stats },
};

/* The next line, with its end; false: there is none. */
static bool take_line(struct bytes *rest, struct bytes *line)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->data, '\n', rest->len);
    line->data = rest->data;
    line->len = end ? (size_t)(end + 1 - rest->data) : rest->len;
    rest->data += line->len;
    rest->len -= line->len;
    return true;
}

static bool is_field(struct bytes line, const char *name)
{
    size_t len = strlen(name);
    return line.len > len && line.data[len] == ':' && memcmp(line.data, name, len) == 0;
}

static bool find_line(struct bytes lines, const char *name, struct bytes *line)
{
    while (take_line(&lines, line)) {
        if (is_field(*line, name))
            return true;
    }
    return false;
}

bool info_find(struct bytes lines, const char *name, struct bytes *value)
{
    struct bytes line;
    if (!find_line(lines, name, &line))
        return false;
    size_t skip = strlen(name) + 1;
    *value = (struct bytes){ line.data + skip, line.len - skip };
    while (value->len > 0 && strchr("\r\n", value->data[value->len - 1]))
        value->len--;
    return true;
}

static bool is_known(const struct field *fields, struct bytes line)
{
    for (; fields->name; fields++) {
        if (is_field(line, fields->name))
            return true;
    }
    return false;
}

void info_append_ordered(struct buffer *out, const char *section, struct bytes told)
{
    const struct field *fields = NULL;
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strcmp(orders[i].section, section) == 0)
            fields = orders[i].fields;
    }
    struct bytes line;
    for (const struct field *field = fields; field && field->name; field++) {
        if (find_line(told, field->name, &line))
            buffer_append(out, line.data, line.len);
        else if (field->constant)
            buffer_printf(out, "%s:%s\r\n", field->name, field->constant);
    }
    while (take_line(&told, &line)) {
        if (!fields || !is_known(fields, line))
            buffer_append(out, line.data, line.len);
    }
}
