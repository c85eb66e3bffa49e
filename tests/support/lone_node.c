#include "tests/support/lone_node.h"

#include <criterion/criterion.h>

static void make_zeroes(void *context, void *out, size_t len)
{
    (void)context;
    memset(out, 0, len);
}

static struct cluster_replication tell_replication(void *context)
{
    (void)context;
    return (struct cluster_replication){ 0 };
}

static size_t count_keys(void *context, unsigned slot)
{
    (void)context, (void)slot;
    return 0;
}

static size_t count_all_keys(void *context)
{
    (void)context;
    return 0;
}

struct cluster *lone_node_create(const char *conf, int64_t node_timeout, int64_t now)
{
    struct cluster_config config = { .node_timeout = node_timeout, .listen = { .bus_port = 2 } };
    struct cluster_host host = { NULL, make_zeroes, tell_replication, count_keys, count_all_keys };
    struct topology saved;
    struct error error = { "" };
    cr_assert(topology_parse(bytes_of(conf), &saved, &error), "%s", error.text);
    struct cluster *cluster = cluster_create(&config, &host, &saved, now, &error);
    cr_assert_not_null(cluster, "%s", error.text);
    topology_free(&saved);
    return cluster;
}
