#include "server/cluster/settings.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUS_PORT_OFFSET = 10000 };

/* Those that may change while the state machine runs. */
static const enum config_id watched[] = {
    CONFIG_CLUSTER_NODE_TIMEOUT,
    CONFIG_CLUSTER_REQUIRE_FULL_COVERAGE,
    CONFIG_CLUSTER_ALLOW_READS_WHEN_DOWN,
    CONFIG_CLUSTER_ALLOW_REPLICA_MIGRATION,
    CONFIG_CLUSTER_REPLICA_NO_FAILOVER,
    CONFIG_CLUSTER_REPLICA_VALIDITY_FACTOR,
    CONFIG_CLUSTER_MIGRATION_BARRIER,
    CONFIG_CLUSTER_ANNOUNCE_IP,
    CONFIG_CLUSTER_ANNOUNCE_PORT,
    CONFIG_CLUSTER_ANNOUNCE_BUS_PORT,
    CONFIG_CLUSTER_ANNOUNCE_HOSTNAME,
};

static void copy_text(enum config_id id, char *out, size_t size)
{
    char *text = config_text(id);
    snprintf(out, size, "%s", text);
    free(text);
}

uint16_t cluster_settings_bus_port(void)
{
    int64_t port = config_number(CONFIG_CLUSTER_PORT);
    return (uint16_t)(port ? port : config_number(CONFIG_PORT) + BUS_PORT_OFFSET);
}

void cluster_settings_read(struct cluster_config *config)
{
    *config = (struct cluster_config){
        .node_timeout = config_number(CONFIG_CLUSTER_NODE_TIMEOUT),
        .require_full_coverage = config_is(CONFIG_CLUSTER_REQUIRE_FULL_COVERAGE),
        .allow_reads_when_down = config_is(CONFIG_CLUSTER_ALLOW_READS_WHEN_DOWN),
        .allow_replica_migration = config_is(CONFIG_CLUSTER_ALLOW_REPLICA_MIGRATION),
        .replica_no_failover = config_is(CONFIG_CLUSTER_REPLICA_NO_FAILOVER),
        .replica_validity_factor = (int)config_number(CONFIG_CLUSTER_REPLICA_VALIDITY_FACTOR),
        .migration_barrier = (int)config_number(CONFIG_CLUSTER_MIGRATION_BARRIER),
        .replica_ping_period = config_number(CONFIG_REPL_PING_REPLICA_PERIOD) * 1000,
        .listen = { .port = (uint16_t)config_number(CONFIG_PORT),
            .bus_port = cluster_settings_bus_port() },
        .announce_port = (uint16_t)config_number(CONFIG_CLUSTER_ANNOUNCE_PORT),
        .announce_bus_port = (uint16_t)config_number(CONFIG_CLUSTER_ANNOUNCE_BUS_PORT),
    };
    copy_text(CONFIG_CLUSTER_ANNOUNCE_IP, config->announce_ip, sizeof(config->announce_ip));
    copy_text(CONFIG_CLUSTER_ANNOUNCE_HOSTNAME, config->announce_hostname,
        sizeof(config->announce_hostname));
}

void cluster_settings_watch(config_apply_fn *changed)
{
    for (size_t i = 0; i < sizeof(watched) / sizeof(*watched); i++)
        config_on_change(watched[i], changed);
}
