/* The rows of the replication commands. What they do is in server/replication. */
#include "server/replication/replication.h"
#include "server/command/families.h"
#include "server/command/rows.h"

static const struct command_arg host_port_args[] = { ARG("host", ARG_STRING),
    ARG("port", ARG_INTEGER), { 0 } };
static const struct command_arg no_one_args[] = { TOKEN("no", "NO"), TOKEN("one", "ONE"), { 0 } };
static const struct command_arg replicaof_args[] = { { "host-port", ARG_BLOCK, 0, NULL, 0, NULL,
                                                         host_port_args },
    { "no-one", ARG_BLOCK, 0, NULL, 0, NULL, no_one_args }, { 0 } };
static const struct command_arg target_args[] = { ARG("host", ARG_STRING), ARG("port", ARG_INTEGER),
    OPTION("force", ARG_PURE_TOKEN, "FORCE", NULL), { 0 } };

enum {
    ROLE_FLAGS = CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE | CMD_NO_ASYNC_LOADING,
    SYNC_FLAGS = CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING | CMD_NO_MULTI,
};

/* clang-format off */
const struct command replication_commands[] = {
    { "replicaof", replication_replicaof, 3, ROLE_FLAGS,
        .group = "server",
        .since = "5.0.0",
        .complexity = "O(1)",
        .summary = "Makes this node a replica of another one, or a primary",
        .args = ARGS({ "args", ARG_ONEOF, 0, NULL, 0, NULL, replicaof_args }) },
    { "slaveof", replication_replicaof, 3, ROLE_FLAGS,
        .group = "server",
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Makes this node a replica of another one, or a primary",
        .args = ARGS({ "args", ARG_ONEOF, 0, NULL, 0, NULL, replicaof_args }),
        .deprecated_since = "5.0.0",
        .replaced_by = "`REPLICAOF`" },
    { "psync", replication_psync, -3, SYNC_FLAGS,
        .group = "server",
        .since = "2.8.0",
        .summary = "Makes this connection a replica's, from a place in a history on",
        .args = ARGS(ARG("replicationid", ARG_STRING), ARG("offset", ARG_INTEGER)) },
    { "sync", replication_psync, 1, SYNC_FLAGS,
        .group = "server",
        .since = "1.0.0",
        .summary = "Makes this connection a replica's, with a snapshot of all data" },
    { "replconf", replication_replconf, -1,
        CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_ALLOW_BUSY,
        .group = "server",
        .since = "3.0.0",
        .complexity = "O(1)",
        .summary = "Says what a replica is, can and has got" },
    { "role", replication_role, 1,
        CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_AFTER_PARKED,
        .categories = "@admin @dangerous",
        .group = "server",
        .since = "2.8.12",
        .complexity = "O(1)",
        .summary = "Tells whether this node is a primary or a replica, and of whom" },
    { "failover", replication_failover, -1, CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE,
        .group = "server",
        .since = "6.2.0",
        .complexity = "O(1)",
        .summary = "Hands over to one of this node's replicas",
        .args = ARGS({ "target", ARG_BLOCK, ARG_OPTIONAL, "TO", 0, NULL, target_args },
            OPTION("abort", ARG_PURE_TOKEN, "ABORT", NULL),
            OPTION("milliseconds", ARG_INTEGER, "TIMEOUT", NULL)) },
    { "wait", replication_wait, 3, CMD_NOSCRIPT,
        .categories = "@connection",
        .group = "generic",
        .since = "3.0.0",
        .complexity = "O(1)",
        .summary = "Waits until replicas have acknowledged the writes of this connection",
        .tips = TIPS("request_policy:all_shards", "response_policy:agg_min"),
        .args = ARGS(ARG("numreplicas", ARG_INTEGER), ARG("timeout", ARG_INTEGER)) },
    { "waitaof", replication_waitaof, 4, CMD_BLOCKING,
        .categories = "@connection",
        .group = "generic",
        .since = "7.2.0",
        .complexity = "O(1)",
        .summary = "Waits until the writes of this connection are on disk here and on replicas",
        .tips = TIPS("request_policy:all_shards", "response_policy:agg_min"),
        .args = ARGS(ARG("numlocal", ARG_INTEGER), ARG("numreplicas", ARG_INTEGER),
            ARG("timeout", ARG_INTEGER)) },
    { 0 },
};
/* clang-format on */
