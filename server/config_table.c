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

/* Redis knows these variables; whatever is set is shown again. */
static bool check_title(const char *text, struct error *error)
{
    static const char *const variables[] = { "{title}", "{listen-addr}", "{server-mode}", "{port}",
        "{tls-port}", "{unixsocket}", "{config-file}" };
    for (const char *at = strchr(text, '{'); at; at = strchr(at + 1, '{')) {
        bool known = false;
        for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
            known = known || strncmp(at, variables[i], strlen(variables[i])) == 0;
        if (!known)
            return error_set(
                error, "template format is invalid or contains unknown variables");
    }
    return true;
}

static bool check_oom_values(const char *text, struct error *error)
{
    enum { VALUES = 3, LIMIT = 2000 };
    const char *at = text;
    int count = 0;
    for (; *at; count++) {
        char *end;
        long value = strtol(at, &end, 10);
        if (end == at || (*end != '\0' && *end != ' ') || value < -LIMIT || value > LIMIT)
            return error_set(error, "Invalid oom-score-adj-values, elements must be between -2000 "
                                    "and 2000.");
        at = end + strspn(end, " ");
    }
    return count == VALUES || error_set(error, "wrong number of arguments");
}

static const char *const shutdown_words[] = { "default", "save", "nosave", "now", "force" };
enum {
    SHUTDOWN_WORDS = sizeof(shutdown_words) / sizeof(shutdown_words[0]),
    WORD_SAVE = 1,
    WORD_NOSAVE = 2
};

/* Which of the words the text says; false: there is another one. */
static bool read_shutdown(const char *text, bool said[SHUTDOWN_WORDS])
{
    for (const char *at = text; *at; at += strspn(at, " ")) {
        struct bytes word = { at, strcspn(at, " ") };
        int i = 0;
        while (i < SHUTDOWN_WORDS && !bytes_is(word, shutdown_words[i]))
            i++;
        if (i == SHUTDOWN_WORDS)
            return false;
        said[i] = true;
        at += word.len;
    }
    return true;
}

static bool check_shutdown(const char *text, struct error *error)
{
    bool said[SHUTDOWN_WORDS] = { false };
    if (!read_shutdown(text, said))
        return error_set(error, "argument(s) must be one of the following: default, save, "
                                "nosave, now, force");
    return !(said[WORD_SAVE] && said[WORD_NOSAVE]) ||
           error_set(error, "shutdown options SAVE and NOSAVE can't be used simultaneously");
}

/* The words are flags: each once, in one order; default is the lack of any. */
static bool apply_shutdown(const struct directive *row, struct error *error)
{
    char *text = config_text(row->id);
    bool said[SHUTDOWN_WORDS] = { false };
    char flags[64] = "";
    read_shutdown(text, said);
    for (int i = 1; i < SHUTDOWN_WORDS; i++) {
        if (said[i])
            snprintf(flags + strlen(flags), sizeof(flags) - strlen(flags), "%s%s",
                flags[0] ? " " : "", shutdown_words[i]);
    }
    config_set_text(row->id, flags[0] ? flags : shutdown_words[0]);
    free(text);
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

static const struct config_choice log_levels[] = { { "debug", LOG_DEBUG },
    { "verbose", LOG_VERBOSE }, { "notice", LOG_NOTICE }, { "warning", LOG_WARNING }, { NULL, 0 } };
static const struct config_choice fsync_policies[] = { { "everysec", AOF_FSYNC_EVERYSEC },
    { "always", AOF_FSYNC_ALWAYS }, { "no", AOF_FSYNC_NO }, { NULL, 0 } };
static const struct config_choice eviction_policies[] = { { "volatile-lru",
                                                              CONFIG_EVICT_VOLATILE | CONFIG_EVICT_LRU },
    { "volatile-lfu", CONFIG_EVICT_VOLATILE | CONFIG_EVICT_LFU },
    { "volatile-random", CONFIG_EVICT_VOLATILE | CONFIG_EVICT_RANDOM },
    { "volatile-ttl", CONFIG_EVICT_VOLATILE | CONFIG_EVICT_TTL },
    { "allkeys-lru", CONFIG_EVICT_LRU }, { "allkeys-lfu", CONFIG_EVICT_LFU },
    { "allkeys-random", CONFIG_EVICT_RANDOM }, { "noeviction", 0 }, { NULL, 0 } };
static const struct config_choice acl_channels[] = { { "allchannels", CONFIG_ALL_CHANNELS },
    { "resetchannels", CONFIG_NO_CHANNELS }, { NULL, 0 } };
static const struct config_choice endpoint_types[] = { { "ip", CONFIG_ENDPOINT_IP },
    { "hostname", CONFIG_ENDPOINT_HOSTNAME }, { "unknown-endpoint", CONFIG_ENDPOINT_UNKNOWN },
    { NULL, 0 } };
static const struct config_choice tls_auth[] = { { "no", 0 }, { "yes", 1 }, { "optional", 2 },
    { NULL, 0 } };
static const struct config_choice oom_score_adj[] = { { "no", 0 }, { "yes", 1 }, { "relative", 1 },
    { "absolute", 2 }, { NULL, 0 } };
static const struct config_choice propagation_errors[] = { { "ignore", 0 }, { "panic", 1 },
    { "panic-on-replicas", 2 }, { NULL, 0 } };
static const struct config_choice diskless_load[] = { { "disabled", 0 }, { "on-empty-db", 1 },
    { "swapdb", 2 }, { NULL, 0 } };
static const struct config_choice sanitize[] = { { "no", 0 }, { "yes", 1 }, { "clients", 2 },
    { NULL, 0 } };
static const struct config_choice supervised[] = { { "upstart", 1 }, { "systemd", 2 },
    { "auto", 3 }, { "no", 0 }, { NULL, 0 } };
static const struct config_choice syslog_facilities[] = { { "user", 8 }, { "local0", 0 },
    { "local1", 1 }, { "local2", 2 }, { "local3", 3 }, { "local4", 4 }, { "local5", 5 },
    { "local6", 6 }, { "local7", 7 }, { NULL, 0 } };
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
#define IDLE DIRECTIVE_IDLE
#define INT INT32_MAX
#define ANY INT64_MAX

const struct directive config_directives[] = {
    CHOICE("acl-pubsub-default", ACL_PUBSUB_DEFAULT, 0, "resetchannels", acl_channels, NULL),
    TEXT("aclfile", NULL, ACLFILE, IMMUTABLE, "", NULL),
    NUMBER("acllog-max-len", NULL, ACLLOG_MAX_LEN, 0, 0, ANY, "128"),
    NUMBER("active-defrag-cycle-max", NULL, ACTIVE_DEFRAG_CYCLE_MAX, IDLE, 1, 99, "25"),
    NUMBER("active-defrag-cycle-min", NULL, ACTIVE_DEFRAG_CYCLE_MIN, IDLE, 1, 99, "1"),
    SIZE("active-defrag-ignore-bytes", NULL, ACTIVE_DEFRAG_IGNORE_BYTES, IDLE, 1, ANY, "100mb"),
    NUMBER("active-defrag-max-scan-fields", NULL, ACTIVE_DEFRAG_MAX_SCAN_FIELDS, IDLE, 1, ANY, "1000"),
    NUMBER("active-defrag-threshold-lower", NULL, ACTIVE_DEFRAG_THRESHOLD_LOWER, IDLE, 0, 1000, "10"),
    NUMBER("active-defrag-threshold-upper", NULL, ACTIVE_DEFRAG_THRESHOLD_UPPER, IDLE, 0, 1000, "100"),
    NUMBER("active-expire-effort", NULL, ACTIVE_EXPIRE_EFFORT, 0, 1, 10, "1"),
    BOOL("activedefrag", NULL, ACTIVEDEFRAG, IDLE, "no"),
    BOOL("activerehashing", NULL, ACTIVEREHASHING, IDLE, "yes"),
    BOOL("always-show-logo", NULL, ALWAYS_SHOW_LOGO, IMMUTABLE | IDLE, "no"),
    BOOL("aof-disable-auto-gc", NULL, AOF_DISABLE_AUTO_GC, IDLE, "no"),
    BOOL("aof-load-truncated", NULL, AOF_LOAD_TRUNCATED, 0, "yes"),
    BOOL("aof-rewrite-incremental-fsync", NULL, AOF_REWRITE_INCREMENTAL_FSYNC, IDLE, "yes"),
    BOOL("aof-timestamp-enabled", NULL, AOF_TIMESTAMP_ENABLED, 0, "no"),
    BOOL("aof-use-rdb-preamble", NULL, AOF_USE_RDB_PREAMBLE, 0, "yes"),
    TEXT("aof_rewrite_cpulist", NULL, AOF_REWRITE_CPULIST, IMMUTABLE, "", NULL),
    TEXT("appenddirname", NULL, APPENDDIRNAME, IMMUTABLE, "appendonlydir", check_appenddirname),
    TEXT("appendfilename", NULL, APPENDFILENAME, IMMUTABLE, "appendonly.aof", check_appendfilename),
    CHOICE("appendfsync", APPENDFSYNC, HOOK, "everysec", fsync_policies, NULL),
    BOOL("appendonly", NULL, APPENDONLY, HOOK, "no"),
    SIZE("auto-aof-rewrite-min-size", NULL, AUTO_AOF_REWRITE_MIN_SIZE, 0, 0, ANY, "64mb"),
    NUMBER("auto-aof-rewrite-percentage", NULL, AUTO_AOF_REWRITE_PERCENTAGE, 0, 0, INT, "100"),
    TEXT("bgsave_cpulist", NULL, BGSAVE_CPULIST, IMMUTABLE, "", NULL),
    WORDS("bind", NULL, BIND, HOOK, "* -::*", words, check_bind),
    TEXT("bind-source-addr", NULL, BIND_SOURCE_ADDR, 0, "", NULL),
    TEXT("bio_cpulist", NULL, BIO_CPULIST, IMMUTABLE, "", NULL),
    NUMBER("busy-reply-threshold", "lua-time-limit", BUSY_REPLY_THRESHOLD, 0, 0, ANY, "5000"),
    { "client-output-buffer-limit", NULL, &config_kind_output_limits,
        CONFIG_OUTPUT_LIMIT_NORMAL_HARD, DIRECTIVE_WORDS, 0, 0,
        "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60", NULL, NULL, NULL, NULL },
    SIZE("client-query-buffer-limit", NULL, CLIENT_QUERY_BUFFER_LIMIT, 0, 1024 * 1024, ANY, "1gb"),
    BOOL("cluster-allow-pubsubshard-when-down", NULL, CLUSTER_ALLOW_PUBSUBSHARD_WHEN_DOWN, 0, "yes"),
    BOOL("cluster-allow-reads-when-down", NULL, CLUSTER_ALLOW_READS_WHEN_DOWN, 0, "no"),
    BOOL("cluster-allow-replica-migration", NULL, CLUSTER_ALLOW_REPLICA_MIGRATION, 0, "yes"),
    NUMBER("cluster-announce-bus-port", NULL, CLUSTER_ANNOUNCE_BUS_PORT, 0, 0, 65535, "0"),
    TEXT("cluster-announce-hostname", NULL, CLUSTER_ANNOUNCE_HOSTNAME, 0, "", check_hostname),
    TEXT("cluster-announce-ip", NULL, CLUSTER_ANNOUNCE_IP, 0, "", check_announced_ip),
    NUMBER("cluster-announce-port", NULL, CLUSTER_ANNOUNCE_PORT, 0, 0, 65535, "0"),
    NUMBER("cluster-announce-tls-port", NULL, CLUSTER_ANNOUNCE_TLS_PORT, IDLE, 0, 65535, "0"),
    TEXT("cluster-config-file", NULL, CLUSTER_CONFIG_FILE, IMMUTABLE, "nodes.conf",
        check_cluster_config_file),
    BOOL("cluster-enabled", NULL, CLUSTER_ENABLED, IMMUTABLE, "no"),
    SIZE("cluster-link-sendbuf-limit", NULL, CLUSTER_LINK_SENDBUF_LIMIT, 0, 0, ANY, "0"),
    NUMBER("cluster-migration-barrier", NULL, CLUSTER_MIGRATION_BARRIER, 0, 0, INT, "1"),
    NUMBER("cluster-node-timeout", NULL, CLUSTER_NODE_TIMEOUT, 0, 0, ANY, "15000"),
    NUMBER("cluster-port", NULL, CLUSTER_PORT, IMMUTABLE, 0, 65535, "0"),
    CHOICE("cluster-preferred-endpoint-type", CLUSTER_PREFERRED_ENDPOINT_TYPE, 0, "ip", endpoint_types, NULL),
    BOOL("cluster-replica-no-failover", "cluster-slave-no-failover", CLUSTER_REPLICA_NO_FAILOVER, 0,
        "no"),
    NUMBER("cluster-replica-validity-factor", "cluster-slave-validity-factor",
        CLUSTER_REPLICA_VALIDITY_FACTOR, 0, 0, INT, "10"),
    BOOL("cluster-require-full-coverage", NULL, CLUSTER_REQUIRE_FULL_COVERAGE, 0, "yes"),
    BOOL("cluster-slot-stats-enabled", NULL, CLUSTER_SLOT_STATS_ENABLED, 0, "no"),
    BOOL("crash-log-enabled", NULL, CRASH_LOG_ENABLED, 0, "yes"),
    BOOL("crash-memcheck-enabled", NULL, CRASH_MEMCHECK_ENABLED, IDLE, "yes"),
    BOOL("daemonize", NULL, DAEMONIZE, IMMUTABLE, "no"),
    NUMBER("databases", NULL, DATABASES, IMMUTABLE, 1, 65536, "16"),
    TEXT("dbfilename", NULL, DBFILENAME, DIRECTIVE_PROTECTED, "dump.rdb", check_dbfilename),
    { "dir", NULL, &config_kind_text, CONFIG_DIR, DIRECTIVE_PROTECTED | DIRECTIVE_KEPT, 0, 0, ".",
        NULL, NULL, NULL, apply_dir },
    BOOL("disable-thp", NULL, DISABLE_THP, IMMUTABLE, "yes"),
    BOOL("dynamic-hz", NULL, DYNAMIC_HZ, IDLE, "yes"),
    CHOICE("enable-debug-command", ENABLE_DEBUG_COMMAND, IMMUTABLE, "no", permissions, NULL),
    CHOICE("enable-module-command", ENABLE_MODULE_COMMAND, IMMUTABLE | IDLE, "no", permissions, NULL),
    CHOICE(
        "enable-protected-configs", ENABLE_PROTECTED_CONFIGS, IMMUTABLE, "no", permissions, NULL),
    NUMBER("hash-max-listpack-entries", "hash-max-ziplist-entries", HASH_MAX_LISTPACK_ENTRIES, 0, 0,
        ANY, "512"),
    SIZE("hash-max-listpack-value", "hash-max-ziplist-value", HASH_MAX_LISTPACK_VALUE, 0, 0, ANY,
        "64"),
    SIZE("hll-sparse-max-bytes", NULL, HLL_SPARSE_MAX_BYTES, 0, 0, ANY, "3000"),
    { "hz", NULL, &config_kind_number, CONFIG_HZ, 0, 0, INT, "10", NULL, NULL, NULL, apply_hz },
    TEXT("ignore-warnings", NULL, IGNORE_WARNINGS, IDLE, "", NULL),
    { "io-threads", NULL, &config_kind_number, CONFIG_IO_THREADS, IMMUTABLE, 1, WORKERS_MAX, NULL,
        worker_count, NULL, NULL, NULL },
    BOOL("io-threads-do-reads", NULL, IO_THREADS_DO_READS, IMMUTABLE | IDLE, "no"),
    BOOL("jemalloc-bg-thread", NULL, JEMALLOC_BG_THREAD, IDLE, "yes"),
    NUMBER("latency-monitor-threshold", NULL, LATENCY_MONITOR_THRESHOLD, HOOK, 0, ANY, "0"),
    BOOL("latency-tracking", NULL, LATENCY_TRACKING, HOOK, "yes"),
    WORDS("latency-tracking-info-percentiles", NULL, LATENCY_TRACKING_INFO_PERCENTILES, 0,
        "50 99 99.9", words, check_percentiles),
    BOOL("lazyfree-lazy-eviction", NULL, LAZYFREE_LAZY_EVICTION, 0, "no"),
    BOOL("lazyfree-lazy-expire", NULL, LAZYFREE_LAZY_EXPIRE, IDLE, "no"),
    BOOL("lazyfree-lazy-server-del", NULL, LAZYFREE_LAZY_SERVER_DEL, IDLE, "no"),
    BOOL("lazyfree-lazy-user-del", NULL, LAZYFREE_LAZY_USER_DEL, IDLE, "no"),
    BOOL("lazyfree-lazy-user-flush", NULL, LAZYFREE_LAZY_USER_FLUSH, 0, "no"),
    NUMBER("lfu-decay-time", NULL, LFU_DECAY_TIME, 0, 0, INT, "1"),
    NUMBER("lfu-log-factor", NULL, LFU_LOG_FACTOR, 0, 0, INT, "10"),
    NUMBER("list-compress-depth", NULL, LIST_COMPRESS_DEPTH, 0, 0, INT, "0"),
    NUMBER("list-max-listpack-size", "list-max-ziplist-size", LIST_MAX_LISTPACK_SIZE, 0, INT32_MIN,
        INT, "-2"),
    TEXT("logfile", NULL, LOGFILE, IMMUTABLE, "", NULL),
    CHOICE("loglevel", LOGLEVEL, 0, "notice", log_levels, apply_loglevel),
    TEXT("masterauth", NULL, MASTERAUTH, DIRECTIVE_SECRET, "", check_password),
    TEXT("masteruser", NULL, MASTERUSER, DIRECTIVE_SECRET, "", check_password),
    NUMBER("maxclients", NULL, MAXCLIENTS, 0, 1, UINT32_MAX, "10000"),
    SIZE("maxmemory", NULL, MAXMEMORY, 0, 0, ANY, "0"),
    { "maxmemory-clients", NULL, &config_kind_size_or_percent, CONFIG_MAXMEMORY_CLIENTS, 0, 0, ANY, "0", NULL, NULL, NULL, NULL },
    NUMBER("maxmemory-eviction-tenacity", NULL, MAXMEMORY_EVICTION_TENACITY, 0, 0, 100, "10"),
    CHOICE("maxmemory-policy", MAXMEMORY_POLICY, 0, "noeviction", eviction_policies, NULL),
    NUMBER("maxmemory-samples", NULL, MAXMEMORY_SAMPLES, 0, 1, INT, "5"),
    NUMBER("min-replicas-max-lag", "min-slaves-max-lag", MIN_REPLICAS_MAX_LAG, 0, 0, INT, "10"),
    NUMBER("min-replicas-to-write", "min-slaves-to-write", MIN_REPLICAS_TO_WRITE, 0, 0, INT, "0"),
    BOOL("no-appendfsync-on-rewrite", NULL, NO_APPENDFSYNC_ON_REWRITE, IDLE, "no"),
    { "notify-keyspace-events", NULL, &config_kind_events, CONFIG_NOTIFY_KEYSPACE_EVENTS, HOOK, 0, 0, "", NULL, NULL, NULL, NULL },
    CHOICE("oom-score-adj", OOM_SCORE_ADJ, 0, "no", oom_score_adj, NULL),
    WORDS("oom-score-adj-values", NULL, OOM_SCORE_ADJ_VALUES, 0, "0 200 800", words, check_oom_values),
    TEXT("pidfile", NULL, PIDFILE, IMMUTABLE, "", NULL),
    NUMBER("port", NULL, PORT, HOOK, 0, 65535, "6379"),
    TEXT("proc-title-template", NULL, PROC_TITLE_TEMPLATE, 0, "{title} {listen-addr} {server-mode}", check_title),
    CHOICE("propagation-error-behavior", PROPAGATION_ERROR_BEHAVIOR, IDLE, "ignore", propagation_errors, NULL),
    BOOL("protected-mode", NULL, PROTECTED_MODE, 0, "yes"),
    SIZE("proto-max-bulk-len", NULL, PROTO_MAX_BULK_LEN, 0, 1024 * 1024, ANY, "512mb"),
    BOOL("rdb-del-sync-files", NULL, RDB_DEL_SYNC_FILES, IDLE, "no"),
    BOOL("rdb-save-incremental-fsync", NULL, RDB_SAVE_INCREMENTAL_FSYNC, IDLE, "yes"),
    BOOL("rdbchecksum", NULL, RDBCHECKSUM, IMMUTABLE, "yes"),
    BOOL("rdbcompression", NULL, RDBCOMPRESSION, 0, "yes"),
    SIZE("repl-backlog-size", NULL, REPL_BACKLOG_SIZE, HOOK, 1, ANY, "1mb"),
    NUMBER("repl-backlog-ttl", NULL, REPL_BACKLOG_TTL, 0, 0, ANY, "3600"),
    BOOL("repl-disable-tcp-nodelay", NULL, REPL_DISABLE_TCP_NODELAY, 0, "no"),
    CHOICE("repl-diskless-load", REPL_DISKLESS_LOAD, IDLE, "disabled", diskless_load, NULL),
    BOOL("repl-diskless-sync", NULL, REPL_DISKLESS_SYNC, IDLE, "yes"),
    NUMBER("repl-diskless-sync-delay", NULL, REPL_DISKLESS_SYNC_DELAY, 0, 0, INT, "0"),
    NUMBER("repl-diskless-sync-max-replicas", NULL, REPL_DISKLESS_SYNC_MAX_REPLICAS, IDLE, 0, INT, "0"),
    NUMBER("repl-ping-replica-period", "repl-ping-slave-period", REPL_PING_REPLICA_PERIOD, 0, 1,
        INT, "10"),
    NUMBER("repl-timeout", NULL, REPL_TIMEOUT, 0, 1, INT, "60"),
    TEXT(
        "replica-announce-ip", "slave-announce-ip", REPLICA_ANNOUNCE_IP, 0, "", check_announced_ip),
    NUMBER("replica-announce-port", "slave-announce-port", REPLICA_ANNOUNCE_PORT, 0, 0, 65535, "0"),
    BOOL("replica-announced", "slave-announced", REPLICA_ANNOUNCED, 0, "yes"),
    BOOL("replica-ignore-disk-write-errors", NULL, REPLICA_IGNORE_DISK_WRITE_ERRORS, IDLE, "no"),
    BOOL("replica-ignore-maxmemory", "slave-ignore-maxmemory", REPLICA_IGNORE_MAXMEMORY, 0, "yes"),
    BOOL("replica-lazy-flush", "slave-lazy-flush", REPLICA_LAZY_FLUSH, IDLE, "no"),
    NUMBER("replica-priority", "slave-priority", REPLICA_PRIORITY, 0, 0, INT, "100"),
    BOOL("replica-read-only", "slave-read-only", REPLICA_READ_ONLY, 0, "yes"),
    BOOL("replica-serve-stale-data", "slave-serve-stale-data", REPLICA_SERVE_STALE_DATA, 0, "yes"),
    WORDS("replicaof", "slaveof", REPLICAOF, IMMUTABLE, "no one", replicaof, NULL),
    TEXT("requirepass", NULL, REQUIREPASS, DIRECTIVE_SECRET | HOOK, "", check_password),
    CHOICE("sanitize-dump-payload", SANITIZE_DUMP_PAYLOAD, IDLE, "no", sanitize, NULL),
    WORDS("save", NULL, SAVE, 0, "3600 1 300 100 60 10000", save, NULL),
    TEXT("server_cpulist", NULL, SERVER_CPULIST, IMMUTABLE, "", NULL),
    NUMBER("set-max-intset-entries", NULL, SET_MAX_INTSET_ENTRIES, 0, 0, ANY, "512"),
    BOOL("set-proc-title", NULL, SET_PROC_TITLE, IMMUTABLE, "yes"),
    { "shutdown-on-sigint", NULL, &config_kind_words, CONFIG_SHUTDOWN_ON_SIGINT, DIRECTIVE_WORDS, 0, 0,
        "default", NULL, NULL, check_shutdown, apply_shutdown },
    { "shutdown-on-sigterm", NULL, &config_kind_words, CONFIG_SHUTDOWN_ON_SIGTERM, DIRECTIVE_WORDS, 0, 0,
        "default", NULL, NULL, check_shutdown, apply_shutdown },
    NUMBER("shutdown-timeout", NULL, SHUTDOWN_TIMEOUT, 0, 0, INT, "10"),
    NUMBER("slowlog-log-slower-than", NULL, SLOWLOG_LOG_SLOWER_THAN, HOOK, -1, ANY, "10000"),
    NUMBER("slowlog-max-len", NULL, SLOWLOG_MAX_LEN, HOOK, 0, ANY, "128"),
    NUMBER("socket-mark-id", NULL, SOCKET_MARK_ID, IMMUTABLE, 0, UINT32_MAX, "0"),
    BOOL("stop-writes-on-bgsave-error", NULL, STOP_WRITES_ON_BGSAVE_ERROR, 0, "yes"),
    SIZE("stream-node-max-bytes", NULL, STREAM_NODE_MAX_BYTES, 0, 0, ANY, "4096"),
    NUMBER("stream-node-max-entries", NULL, STREAM_NODE_MAX_ENTRIES, 0, 0, ANY, "100"),
    CHOICE("supervised", SUPERVISED, IMMUTABLE, "no", supervised, NULL),
    BOOL("syslog-enabled", NULL, SYSLOG_ENABLED, IMMUTABLE, "no"),
    CHOICE("syslog-facility", SYSLOG_FACILITY, IMMUTABLE, "local0", syslog_facilities, NULL),
    TEXT("syslog-ident", NULL, SYSLOG_IDENT, IMMUTABLE, "redis", NULL),
    NUMBER("tcp-backlog", NULL, TCP_BACKLOG, IMMUTABLE, 0, INT, "511"),
    NUMBER("tcp-keepalive", NULL, TCP_KEEPALIVE, 0, 0, INT, "300"),
    NUMBER("timeout", NULL, TIMEOUT, 0, 0, INT, "0"),
    CHOICE("tls-auth-clients", TLS_AUTH_CLIENTS, IDLE, "yes", tls_auth, NULL),
    TEXT("tls-ca-cert-dir", NULL, TLS_CA_CERT_DIR, IDLE, "", NULL),
    TEXT("tls-ca-cert-file", NULL, TLS_CA_CERT_FILE, IDLE, "", NULL),
    TEXT("tls-cert-file", NULL, TLS_CERT_FILE, IDLE, "", NULL),
    TEXT("tls-ciphers", NULL, TLS_CIPHERS, IDLE, "", NULL),
    TEXT("tls-ciphersuites", NULL, TLS_CIPHERSUITES, IDLE, "", NULL),
    TEXT("tls-client-cert-file", NULL, TLS_CLIENT_CERT_FILE, IDLE, "", NULL),
    TEXT("tls-client-key-file", NULL, TLS_CLIENT_KEY_FILE, IDLE, "", NULL),
    TEXT("tls-client-key-file-pass", NULL, TLS_CLIENT_KEY_FILE_PASS, DIRECTIVE_SECRET | IDLE, "", NULL),
    BOOL("tls-cluster", NULL, TLS_CLUSTER, IDLE, "no"),
    TEXT("tls-dh-params-file", NULL, TLS_DH_PARAMS_FILE, IDLE, "", NULL),
    TEXT("tls-key-file", NULL, TLS_KEY_FILE, IDLE, "", NULL),
    TEXT("tls-key-file-pass", NULL, TLS_KEY_FILE_PASS, DIRECTIVE_SECRET | IDLE, "", NULL),
    NUMBER("tls-port", NULL, TLS_PORT, IDLE, 0, 65535, "0"),
    BOOL("tls-prefer-server-ciphers", NULL, TLS_PREFER_SERVER_CIPHERS, IDLE, "no"),
    TEXT("tls-protocols", NULL, TLS_PROTOCOLS, IDLE, "", NULL),
    BOOL("tls-replication", NULL, TLS_REPLICATION, IDLE, "no"),
    NUMBER("tls-session-cache-size", NULL, TLS_SESSION_CACHE_SIZE, IDLE, 0, INT, "20480"),
    NUMBER("tls-session-cache-timeout", NULL, TLS_SESSION_CACHE_TIMEOUT, IDLE, 0, INT, "300"),
    BOOL("tls-session-caching", NULL, TLS_SESSION_CACHING, IDLE, "yes"),
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
