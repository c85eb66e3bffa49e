/* All directives, one row each, in the order of their names. Names, defaults and ranges are those
 * of Redis 7.0; ours are the defaults of io-threads and its range. conf/slotd.conf tells what each
 * one means. */
#include "server/config_table.h"

#include "server/journal/aof.h"
#include "server/log.h"

#include "common/memory.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORKERS_MAX = 8, PASSWORD_MAX = 512, HOSTNAME_MAX = 255 };

/* ---- Defaults, checks and effects that rows name ---- */

static int64_t worker_count(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cores < 1)
        return 1;
    return cores < WORKERS_MAX ? cores : WORKERS_MAX;
}

static bool check_password(const char *text, struct error *error)
{
    return strlen(text) <= PASSWORD_MAX ||
           error_set(error, "Password can't be longer than %d bytes", PASSWORD_MAX);
}

static bool check_dbfilename(const char *text, struct error *error)
{
    return !strchr(text, '/') || error_set(error, "dbfilename can't be a path, just a filename");
}

static bool check_appendfilename(const char *text, struct error *error)
{
    if (text[0] == '\0')
        return error_set(error, "appendfilename can't be empty");
    return !strchr(text, '/') ||
           error_set(error, "appendfilename can't be a path, just a filename");
}

static bool check_appenddirname(const char *text, struct error *error)
{
    if (text[0] == '\0')
        return error_set(error, "appenddirname can't be empty");
    return !strchr(text, '/') || error_set(error, "appenddirname can't be a path, just a dirname");
}

static bool check_cluster_config_file(const char *text, struct error *error)
{
    return text[0] != '\0' || error_set(error, "cluster-config-file can't be empty");
}

static bool check_hostname(const char *text, struct error *error)
{
    if (strlen(text) > HOSTNAME_MAX)
        return error_set(error, "Hostnames must be less than 256 characters");
    for (const char *c = text; *c; c++) {
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '.')
            return error_set(
                error, "Hostnames may only contain alphanumeric characters, hyphens or dots");
    }
    return true;
}

/* It goes into lines of nodes.conf and the header of bus messages. */
static bool check_announced_ip(const char *text, struct error *error)
{
    if (strlen(text) > 45)
        return error_set(error, "an announced address has at most 45 characters");
    for (const char *c = text; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("-.:_", *c))
            return error_set(error, "an announced address is an IP address or a host name");
    }
    return true;
}

static bool check_percentiles(const char *text, struct error *error)
{
    const char *at = text;
    for (int count = 0; *at; count++) {
        char *end;
        double value = strtod(at, &end);
        if (end == at || (*end != '\0' && *end != ' ') || count == 16)
            return error_set(error, "Invalid latency-tracking-info-percentiles parameters");
        if (!(value >= 0 && value <= 100))
            return error_set(error,
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
        at = end + strspn(end, " ");
    }
    return true;
}

static bool check_bind(const char *text, struct error *error)
{
    int count = 0;
    for (const char *at = text; *at; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        if (len > 255)
            return error_set(error, "an address of bind has at most 255 characters");
        if (++count > 16)
            return error_set(error, "Too many bind addresses specified.");
        at += len;
    }
    return true;
}

/* The process goes to the directory, and the value becomes its full path. */
static bool apply_dir(const struct directive *row, struct error *error)
{
    char *wanted = config_text(row->id);
    bool done = chdir(wanted) == 0;
    if (!done)
        error_set(error, "%s", strerror(errno));
    free(wanted);
    char *full = done ? getcwd(NULL, 0) : NULL;
    if (full != NULL)
        config_set_text(row->id, full);
    free(full);
    return done;
}

static bool apply_loglevel(const struct directive *row, struct error *error)
{
    log_set_level((enum log_level)config_number(row->id));
    return true;
}

/* Redis takes any number and works with one from 1 to 500; so does CONFIG GET tell it. */
static bool apply_hz(const struct directive *row, struct error *error)
{
    int64_t hz = config_number(row->id);
    config_set_number(row->id, hz < 1 ? 1 : hz > 500 ? 500 : hz);
    return true;
}

/* Of directives that every redis.conf has, and of which there is but one way here. */
static const struct config_choice only_no[] = { { "no", 0 }, { NULL, 0 } };
static const struct config_choice only_yes[] = { { "yes", 1 }, { NULL, 0 } };
static const struct config_choice log_levels[] = { { "debug", LOG_DEBUG },
    { "verbose", LOG_VERBOSE }, { "notice", LOG_NOTICE }, { "warning", LOG_WARNING }, { NULL, 0 } };
static const struct config_choice fsync_policies[] = { { "everysec", AOF_FSYNC_EVERYSEC },
    { "always", AOF_FSYNC_ALWAYS }, { "no", AOF_FSYNC_NO }, { NULL, 0 } };
static const struct config_choice permissions[] = { { "no", CONFIG_NOBODY },
    { "yes", CONFIG_ANYONE }, { "local", CONFIG_LOCAL }, { NULL, 0 } };

/* ---- The rows ---- */

/* NUMBER(name, alias, ID, flags, min, max, default) and so on for the other kinds. */
#define NUMBER(name, alias, id, flags, min, max, initial)                                          \
    {                                                                                              \
        name, alias, &config_kind_number, CONFIG_##id, flags, min, max, initial, NULL, NULL, NULL, \
            NULL                                                                                   \
    }
#define SIZE(name, alias, id, flags, min, max, initial)                                            \
    {                                                                                              \
        name, alias, &config_kind_size, CONFIG_##id, flags, min, max, initial, NULL, NULL, NULL,   \
            NULL                                                                                   \
    }
#define BOOL(name, alias, id, flags, initial)                                                      \
    {                                                                                              \
        name, alias, &config_kind_bool, CONFIG_##id, flags, 0, 1, initial, NULL, NULL, NULL, NULL  \
    }
#define CHOICE(name, id, flags, initial, choices, apply)                                           \
    {                                                                                              \
        name, NULL, &config_kind_choice, CONFIG_##id, flags, 0, 0, initial, NULL, choices, NULL,   \
            apply                                                                                  \
    }
#define TEXT(name, alias, id, flags, initial, check)                                               \
    {                                                                                              \
        name, alias, &config_kind_text, CONFIG_##id, flags, 0, 0, initial, NULL, NULL, check, NULL \
    }
#define WORDS(name, alias, id, flags, initial, kind, check)                                        \
    {                                                                                              \
        name, alias, &config_kind_##kind, CONFIG_##id, (flags) | DIRECTIVE_WORDS, 0, 0, initial,   \
            NULL, NULL, check, NULL                                                                \
    }

#define IMMUTABLE DIRECTIVE_IMMUTABLE
#define HOOK DIRECTIVE_NEEDS_HOOK
#define INT INT32_MAX
#define ANY INT64_MAX

const struct directive config_directives[] = {
    BOOL("aof-load-truncated", NULL, AOF_LOAD_TRUNCATED, 0, "yes"),
    BOOL("aof-use-rdb-preamble", NULL, AOF_USE_RDB_PREAMBLE, 0, "yes"),
    TEXT("appenddirname", NULL, APPENDDIRNAME, IMMUTABLE, "appendonlydir", check_appenddirname),
    TEXT("appendfilename", NULL, APPENDFILENAME, IMMUTABLE, "appendonly.aof", check_appendfilename),
    CHOICE("appendfsync", APPENDFSYNC, HOOK, "everysec", fsync_policies, NULL),
    BOOL("appendonly", NULL, APPENDONLY, HOOK, "no"),
    SIZE("auto-aof-rewrite-min-size", NULL, AUTO_AOF_REWRITE_MIN_SIZE, 0, 0, ANY, "64mb"),
    NUMBER("auto-aof-rewrite-percentage", NULL, AUTO_AOF_REWRITE_PERCENTAGE, 0, 0, INT, "100"),
    WORDS("bind", NULL, BIND, HOOK, "* -::*", words, check_bind),
    NUMBER("busy-reply-threshold", "lua-time-limit", BUSY_REPLY_THRESHOLD, 0, 0, INT64_MAX, "5000"),
    { "client-output-buffer-limit", NULL, &config_kind_output_limits,
        CONFIG_OUTPUT_LIMIT_NORMAL_HARD, DIRECTIVE_WORDS, 0, 0,
        "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60", NULL, NULL, NULL, NULL },
    SIZE("client-query-buffer-limit", NULL, CLIENT_QUERY_BUFFER_LIMIT, 0, 1024 * 1024, ANY, "1gb"),
    BOOL("cluster-allow-pubsubshard-when-down", NULL, CLUSTER_ALLOW_PUBSUBSHARD_WHEN_DOWN, 0,
        "yes"),
    BOOL("cluster-allow-reads-when-down", NULL, CLUSTER_ALLOW_READS_WHEN_DOWN, 0, "no"),
    BOOL("cluster-allow-replica-migration", NULL, CLUSTER_ALLOW_REPLICA_MIGRATION, 0, "yes"),
    NUMBER("cluster-announce-bus-port", NULL, CLUSTER_ANNOUNCE_BUS_PORT, 0, 0, 65535, "0"),
    TEXT("cluster-announce-hostname", NULL, CLUSTER_ANNOUNCE_HOSTNAME, 0, "", check_hostname),
    TEXT("cluster-announce-ip", NULL, CLUSTER_ANNOUNCE_IP, 0, "", check_announced_ip),
    NUMBER("cluster-announce-port", NULL, CLUSTER_ANNOUNCE_PORT, 0, 0, 65535, "0"),
    TEXT("cluster-config-file", NULL, CLUSTER_CONFIG_FILE, IMMUTABLE, "nodes.conf",
        check_cluster_config_file),
    BOOL("cluster-enabled", NULL, CLUSTER_ENABLED, IMMUTABLE, "no"),
    NUMBER("cluster-migration-barrier", NULL, CLUSTER_MIGRATION_BARRIER, 0, 0, INT, "1"),
    NUMBER("cluster-node-timeout", NULL, CLUSTER_NODE_TIMEOUT, 0, 0, ANY, "15000"),
    NUMBER("cluster-port", NULL, CLUSTER_PORT, IMMUTABLE, 0, 65535, "0"),
    BOOL("cluster-replica-no-failover", "cluster-slave-no-failover", CLUSTER_REPLICA_NO_FAILOVER, 0,
        "no"),
    NUMBER("cluster-replica-validity-factor", "cluster-slave-validity-factor",
        CLUSTER_REPLICA_VALIDITY_FACTOR, 0, 0, INT, "10"),
    BOOL("cluster-require-full-coverage", NULL, CLUSTER_REQUIRE_FULL_COVERAGE, 0, "yes"),
    BOOL("daemonize", NULL, DAEMONIZE, IMMUTABLE, "no"),
    NUMBER("databases", NULL, DATABASES, IMMUTABLE, 1, 65536, "16"),
    TEXT("dbfilename", NULL, DBFILENAME, DIRECTIVE_PROTECTED, "dump.rdb", check_dbfilename),
    { "dir", NULL, &config_kind_text, CONFIG_DIR, DIRECTIVE_PROTECTED | DIRECTIVE_KEPT, 0, 0, ".",
        NULL, NULL, NULL, apply_dir },
    CHOICE("enable-debug-command", ENABLE_DEBUG_COMMAND, IMMUTABLE, "no", permissions, NULL),
    CHOICE(
        "enable-protected-configs", ENABLE_PROTECTED_CONFIGS, IMMUTABLE, "no", permissions, NULL),
    NUMBER("hash-max-listpack-entries", "hash-max-ziplist-entries", HASH_MAX_LISTPACK_ENTRIES, 0, 0,
        ANY, "512"),
    SIZE("hash-max-listpack-value", "hash-max-ziplist-value", HASH_MAX_LISTPACK_VALUE, 0, 0, ANY,
        "64"),
    SIZE("hll-sparse-max-bytes", NULL, HLL_SPARSE_MAX_BYTES, 0, 0, ANY, "3000"),
    { "hz", NULL, &config_kind_number, CONFIG_HZ, 0, 0, INT, "10", NULL, NULL, NULL, apply_hz },
    { "io-threads", NULL, &config_kind_number, CONFIG_IO_THREADS, IMMUTABLE, 1, WORKERS_MAX, NULL,
        worker_count, NULL, NULL, NULL },
    NUMBER("latency-monitor-threshold", NULL, LATENCY_MONITOR_THRESHOLD, HOOK, 0, ANY, "0"),
    BOOL("latency-tracking", NULL, LATENCY_TRACKING, HOOK, "yes"),
    WORDS("latency-tracking-info-percentiles", NULL, LATENCY_TRACKING_INFO_PERCENTILES, 0,
        "50 99 99.9", words, check_percentiles),
    BOOL("lazyfree-lazy-user-flush", NULL, LAZYFREE_LAZY_USER_FLUSH, 0, "no"),
    NUMBER("list-compress-depth", NULL, LIST_COMPRESS_DEPTH, 0, 0, INT, "0"),
    NUMBER("list-max-listpack-size", "list-max-ziplist-size", LIST_MAX_LISTPACK_SIZE, 0, INT32_MIN,
        INT, "-2"),
    TEXT("logfile", NULL, LOGFILE, IMMUTABLE, "", NULL),
    CHOICE("loglevel", LOGLEVEL, 0, "notice", log_levels, apply_loglevel),
    TEXT("masterauth", NULL, MASTERAUTH, DIRECTIVE_SECRET, "", check_password),
    TEXT("masteruser", NULL, MASTERUSER, DIRECTIVE_SECRET, "", check_password),
    NUMBER("maxclients", NULL, MAXCLIENTS, 0, 1, UINT32_MAX, "10000"),
    { "maxmemory-clients", NULL, &config_kind_size_or_percent, CONFIG_MAXMEMORY_CLIENTS, 0, -100,
        ANY, "0", NULL, NULL, NULL, NULL },
    NUMBER("min-replicas-max-lag", "min-slaves-max-lag", MIN_REPLICAS_MAX_LAG, 0, 0, INT, "10"),
    NUMBER("min-replicas-to-write", "min-slaves-to-write", MIN_REPLICAS_TO_WRITE, 0, 0, INT, "0"),
    CHOICE("no-appendfsync-on-rewrite", NO_APPENDFSYNC_ON_REWRITE, 0, "no", only_no, NULL),
    TEXT("notify-keyspace-events", NULL, NOTIFY_KEYSPACE_EVENTS, HOOK, "", NULL),
    TEXT("pidfile", NULL, PIDFILE, IMMUTABLE, "", NULL),
    NUMBER("port", NULL, PORT, HOOK, 0, 65535, "6379"),
    BOOL("protected-mode", NULL, PROTECTED_MODE, 0, "yes"),
    SIZE("proto-max-bulk-len", NULL, PROTO_MAX_BULK_LEN, 0, 1024 * 1024, ANY, "512mb"),
    BOOL("rdbchecksum", NULL, RDBCHECKSUM, IMMUTABLE, "yes"),
    BOOL("rdbcompression", NULL, RDBCOMPRESSION, 0, "yes"),
    SIZE("repl-backlog-size", NULL, REPL_BACKLOG_SIZE, HOOK, 1, ANY, "1mb"),
    NUMBER("repl-backlog-ttl", NULL, REPL_BACKLOG_TTL, 0, 0, ANY, "3600"),
    BOOL("repl-disable-tcp-nodelay", NULL, REPL_DISABLE_TCP_NODELAY, 0, "no"),
    CHOICE("repl-diskless-sync", REPL_DISKLESS_SYNC, 0, "yes", only_yes, NULL),
    NUMBER("repl-diskless-sync-delay", NULL, REPL_DISKLESS_SYNC_DELAY, 0, 0, INT, "0"),
    NUMBER("repl-ping-replica-period", "repl-ping-slave-period", REPL_PING_REPLICA_PERIOD, 0, 1,
        INT, "10"),
    NUMBER("repl-timeout", NULL, REPL_TIMEOUT, 0, 1, INT, "60"),
    TEXT(
        "replica-announce-ip", "slave-announce-ip", REPLICA_ANNOUNCE_IP, 0, "", check_announced_ip),
    NUMBER("replica-announce-port", "slave-announce-port", REPLICA_ANNOUNCE_PORT, 0, 0, 65535, "0"),
    NUMBER("replica-priority", "slave-priority", REPLICA_PRIORITY, 0, 0, INT, "100"),
    BOOL("replica-read-only", "slave-read-only", REPLICA_READ_ONLY, 0, "yes"),
    BOOL("replica-serve-stale-data", "slave-serve-stale-data", REPLICA_SERVE_STALE_DATA, 0, "yes"),
    WORDS("replicaof", "slaveof", REPLICAOF, IMMUTABLE, "no one", replicaof, NULL),
    TEXT("requirepass", NULL, REQUIREPASS, DIRECTIVE_SECRET | HOOK, "", check_password),
    WORDS("save", NULL, SAVE, 0, "3600 1 300 100 60 10000", save, NULL),
    NUMBER("set-max-intset-entries", NULL, SET_MAX_INTSET_ENTRIES, 0, 0, ANY, "512"),
    NUMBER("shutdown-timeout", NULL, SHUTDOWN_TIMEOUT, 0, 0, INT, "10"),
    NUMBER("slowlog-log-slower-than", NULL, SLOWLOG_LOG_SLOWER_THAN, HOOK, -1, ANY, "10000"),
    NUMBER("slowlog-max-len", NULL, SLOWLOG_MAX_LEN, HOOK, 0, ANY, "128"),
    BOOL("stop-writes-on-bgsave-error", NULL, STOP_WRITES_ON_BGSAVE_ERROR, 0, "yes"),
    SIZE("stream-node-max-bytes", NULL, STREAM_NODE_MAX_BYTES, 0, 0, ANY, "4096"),
    NUMBER("stream-node-max-entries", NULL, STREAM_NODE_MAX_ENTRIES, 0, 0, ANY, "100"),
    NUMBER("tcp-backlog", NULL, TCP_BACKLOG, IMMUTABLE, 0, INT, "511"),
    NUMBER("tcp-keepalive", NULL, TCP_KEEPALIVE, 0, 0, INT, "300"),
    NUMBER("timeout", NULL, TIMEOUT, 0, 0, INT, "0"),
    NUMBER("tracking-table-max-keys", NULL, TRACKING_TABLE_MAX_KEYS, 0, 0, ANY, "1000000"),
    TEXT("unixsocket", NULL, UNIXSOCKET, IMMUTABLE, "", NULL),
    { "unixsocketperm", NULL, &config_kind_octal, CONFIG_UNIXSOCKETPERM, IMMUTABLE, 0, 0777, "0",
        NULL, NULL, NULL, NULL },
    NUMBER("zset-max-listpack-entries", "zset-max-ziplist-entries", ZSET_MAX_LISTPACK_ENTRIES, 0, 0,
        ANY, "128"),
    SIZE("zset-max-listpack-value", "zset-max-ziplist-value", ZSET_MAX_LISTPACK_VALUE, 0, 0, ANY,
        "64"),
    { 0 },
};
_Static_assert(sizeof(config_directives) / sizeof(config_directives[0]) <= DIRECTIVES_MAX,
    "DIRECTIVES_MAX is what others reckon with");

const struct directive *directive_find(struct bytes name)
{
    for (const struct directive *row = config_directives; row->name; row++) {
        if (bytes_is(name, row->name) || (row->alias && bytes_is(name, row->alias)))
            return row;
    }
    return NULL;
}
