/* The configuration: redis.conf's syntax and names, one row of a constant table for each directive
 * (config.c). It is one for the process: a module with functions.
 *
 * Numbers, booleans and choices are atomic: any thread reads them at any time with config_number.
 * Texts are guarded by a lock: config_text copies. CONFIG SET checks all its pairs, then sets them
 * all, then runs the `apply` hooks that the modules registered; when a hook refuses, all are set
 * back. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "common/buffer.h"
#include "common/error.h"
#include <stdint.h>

enum config_id {
    /* numbers, booleans, choices, sizes */
    CONFIG_PORT,
    CONFIG_PROTECTED_MODE,
    CONFIG_DAEMONIZE,
    CONFIG_LOGLEVEL, /* enum log_level */
    CONFIG_DATABASES,
    CONFIG_MAXCLIENTS,
    CONFIG_TIMEOUT, /* seconds */
    CONFIG_TCP_KEEPALIVE,
    CONFIG_TCP_BACKLOG,
    CONFIG_UNIXSOCKETPERM,
    CONFIG_IO_THREADS, /* worker threads */
    CONFIG_HZ,
    CONFIG_APPENDONLY,
    CONFIG_APPENDFSYNC, /* enum aof_policy */
    CONFIG_NO_APPENDFSYNC_ON_REWRITE,
    CONFIG_AUTO_AOF_REWRITE_PERCENTAGE,
    CONFIG_AUTO_AOF_REWRITE_MIN_SIZE,
    CONFIG_AOF_LOAD_TRUNCATED,
    CONFIG_AOF_USE_RDB_PREAMBLE,
    CONFIG_RDBCOMPRESSION,
    CONFIG_RDBCHECKSUM,
    CONFIG_STOP_WRITES_ON_BGSAVE_ERROR,
    CONFIG_CLUSTER_ENABLED,
    CONFIG_CLUSTER_NODE_TIMEOUT, /* ms */
    CONFIG_CLUSTER_PORT,
    CONFIG_CLUSTER_ANNOUNCE_PORT,
    CONFIG_CLUSTER_ANNOUNCE_BUS_PORT,
    CONFIG_CLUSTER_REQUIRE_FULL_COVERAGE,
    CONFIG_CLUSTER_REPLICA_VALIDITY_FACTOR,
    CONFIG_CLUSTER_MIGRATION_BARRIER,
    CONFIG_CLUSTER_ALLOW_REPLICA_MIGRATION,
    CONFIG_CLUSTER_REPLICA_NO_FAILOVER,
    CONFIG_CLUSTER_ALLOW_READS_WHEN_DOWN,
    CONFIG_CLUSTER_ALLOW_PUBSUBSHARD_WHEN_DOWN,
    CONFIG_CLUSTER_SLOT_STATS_ENABLED,
    CONFIG_REPL_BACKLOG_SIZE,
    CONFIG_REPL_BACKLOG_TTL,
    CONFIG_REPL_TIMEOUT,             /* seconds */
    CONFIG_REPL_PING_REPLICA_PERIOD, /* seconds */
    CONFIG_REPL_DISKLESS_SYNC,
    CONFIG_REPL_DISKLESS_SYNC_DELAY,
    CONFIG_REPL_DISABLE_TCP_NODELAY,
    CONFIG_REPLICA_READ_ONLY,
    CONFIG_REPLICA_SERVE_STALE_DATA,
    CONFIG_REPLICA_PRIORITY,
    CONFIG_REPLICA_ANNOUNCE_PORT,
    CONFIG_MIN_REPLICAS_TO_WRITE,
    CONFIG_MIN_REPLICAS_MAX_LAG,
    CONFIG_CLIENT_QUERY_BUFFER_LIMIT,
    CONFIG_PROTO_MAX_BULK_LEN,
    CONFIG_OUTPUT_LIMIT_NORMAL_HARD, /* client-output-buffer-limit: three classes of hard, soft,
                                        seconds */
    CONFIG_OUTPUT_LIMIT_NORMAL_SOFT,
    CONFIG_OUTPUT_LIMIT_NORMAL_SECONDS,
    CONFIG_OUTPUT_LIMIT_REPLICA_HARD,
    CONFIG_OUTPUT_LIMIT_REPLICA_SOFT,
    CONFIG_OUTPUT_LIMIT_REPLICA_SECONDS,
    CONFIG_OUTPUT_LIMIT_PUBSUB_HARD,
    CONFIG_OUTPUT_LIMIT_PUBSUB_SOFT,
    CONFIG_OUTPUT_LIMIT_PUBSUB_SECONDS,
    CONFIG_SLOWLOG_LOG_SLOWER_THAN, /* microseconds */
    CONFIG_SLOWLOG_MAX_LEN,
    CONFIG_LATENCY_MONITOR_THRESHOLD, /* ms */
    CONFIG_LATENCY_TRACKING,
    CONFIG_ENABLE_DEBUG_COMMAND,     /* enum config_permission */
    CONFIG_ENABLE_PROTECTED_CONFIGS, /* enum config_permission */
    CONFIG_LAZYFREE_LAZY_USER_FLUSH,
    CONFIG_SHUTDOWN_TIMEOUT, /* seconds */
    /* up to where a value keeps its packed encoding: members, and bytes of the longest */
    CONFIG_HASH_MAX_LISTPACK_ENTRIES,
    CONFIG_HASH_MAX_LISTPACK_VALUE,
    CONFIG_SET_MAX_INTSET_ENTRIES,
    CONFIG_ZSET_MAX_LISTPACK_ENTRIES,
    CONFIG_ZSET_MAX_LISTPACK_VALUE,
    CONFIG_LIST_MAX_LISTPACK_SIZE, /* members of a node, or -1 to -5: 4 kB to 64 kB of it */
    CONFIG_LIST_COMPRESS_DEPTH,
    CONFIG_STREAM_NODE_MAX_BYTES,
    CONFIG_STREAM_NODE_MAX_ENTRIES,
    CONFIG_HLL_SPARSE_MAX_BYTES,
    CONFIG_MAXMEMORY, /* bytes; 0: no limit */
    CONFIG_MAXMEMORY_POLICY, /* bits of enum config_eviction; 0: noeviction */
    CONFIG_MAXMEMORY_SAMPLES,
    CONFIG_MAXMEMORY_EVICTION_TENACITY,
    CONFIG_LFU_LOG_FACTOR,
    CONFIG_LFU_DECAY_TIME, /* minutes */
    CONFIG_REPLICA_IGNORE_MAXMEMORY,
    CONFIG_LAZYFREE_LAZY_EVICTION,
    CONFIG_ACL_PUBSUB_DEFAULT, /* enum config_channels */
    CONFIG_ACLLOG_MAX_LEN,
    CONFIG_BUSY_REPLY_THRESHOLD, /* ms */
    CONFIG_MAXMEMORY_CLIENTS, /* bytes; negative: percent of maxmemory */
    CONFIG_NOTIFY_KEYSPACE_EVENTS, /* enum notify_class */
    CONFIG_TRACKING_TABLE_MAX_KEYS,
    /* what is known and shown, and has no meaning here (DIRECTIVE_IDLE) */
    CONFIG_CLUSTER_PREFERRED_ENDPOINT_TYPE,
    CONFIG_CLUSTER_ANNOUNCE_TLS_PORT,
    CONFIG_TLS_PORT,
    CONFIG_TLS_CLUSTER,
    CONFIG_TLS_REPLICATION,
    CONFIG_TLS_PREFER_SERVER_CIPHERS,
    CONFIG_TLS_SESSION_CACHING,
    CONFIG_TLS_SESSION_CACHE_SIZE,
    CONFIG_TLS_SESSION_CACHE_TIMEOUT,
    CONFIG_TLS_AUTH_CLIENTS,
    CONFIG_ACTIVE_DEFRAG_CYCLE_MAX,
    CONFIG_ACTIVE_DEFRAG_CYCLE_MIN,
    CONFIG_ACTIVE_DEFRAG_THRESHOLD_LOWER,
    CONFIG_ACTIVE_DEFRAG_THRESHOLD_UPPER,
    CONFIG_ACTIVE_DEFRAG_MAX_SCAN_FIELDS,
    CONFIG_ACTIVE_EXPIRE_EFFORT,
    CONFIG_ACTIVE_DEFRAG_IGNORE_BYTES,
    CONFIG_ACTIVEDEFRAG,
    CONFIG_ACTIVEREHASHING,
    CONFIG_ALWAYS_SHOW_LOGO,
    CONFIG_AOF_DISABLE_AUTO_GC,
    CONFIG_AOF_REWRITE_INCREMENTAL_FSYNC,
    CONFIG_AOF_TIMESTAMP_ENABLED,
    CONFIG_CRASH_LOG_ENABLED,
    CONFIG_CRASH_MEMCHECK_ENABLED,
    CONFIG_DISABLE_THP,
    CONFIG_DYNAMIC_HZ,
    CONFIG_IO_THREADS_DO_READS,
    CONFIG_JEMALLOC_BG_THREAD,
    CONFIG_LAZYFREE_LAZY_EXPIRE,
    CONFIG_LAZYFREE_LAZY_SERVER_DEL,
    CONFIG_LAZYFREE_LAZY_USER_DEL,
    CONFIG_RDB_DEL_SYNC_FILES,
    CONFIG_RDB_SAVE_INCREMENTAL_FSYNC,
    CONFIG_REPLICA_IGNORE_DISK_WRITE_ERRORS,
    CONFIG_SET_PROC_TITLE,
    CONFIG_SYSLOG_ENABLED,
    CONFIG_REPLICA_LAZY_FLUSH,
    CONFIG_REPLICA_ANNOUNCED,
    CONFIG_CLUSTER_LINK_SENDBUF_LIMIT,
    CONFIG_ENABLE_MODULE_COMMAND,
    CONFIG_OOM_SCORE_ADJ,
    CONFIG_PROPAGATION_ERROR_BEHAVIOR,
    CONFIG_REPL_DISKLESS_LOAD,
    CONFIG_REPL_DISKLESS_SYNC_MAX_REPLICAS,
    CONFIG_SANITIZE_DUMP_PAYLOAD,
    CONFIG_SOCKET_MARK_ID,
    CONFIG_SUPERVISED,
    CONFIG_SYSLOG_FACILITY,
    CONFIG_NUMBER_COUNT,
    /* texts */
    CONFIG_BIND = CONFIG_NUMBER_COUNT,
    CONFIG_UNIXSOCKET,
    CONFIG_REQUIREPASS,
    CONFIG_MASTERAUTH,
    CONFIG_MASTERUSER,
    CONFIG_DIR,
    CONFIG_LOGFILE,
    CONFIG_PIDFILE,
    CONFIG_APPENDDIRNAME,
    CONFIG_APPENDFILENAME,
    CONFIG_DBFILENAME,
    CONFIG_SAVE, /* "3600 1 300 100 60 10000" */
    CONFIG_REPLICAOF,
    CONFIG_REPLICA_ANNOUNCE_IP,
    CONFIG_CLUSTER_CONFIG_FILE,
    CONFIG_CLUSTER_ANNOUNCE_IP,
    CONFIG_CLUSTER_ANNOUNCE_HOSTNAME,
    CONFIG_LATENCY_TRACKING_INFO_PERCENTILES, /* "50 99 99.9" */
    CONFIG_ACLFILE,
    CONFIG_TLS_CA_CERT_DIR,
    CONFIG_TLS_CA_CERT_FILE,
    CONFIG_TLS_CERT_FILE,
    CONFIG_TLS_CIPHERS,
    CONFIG_TLS_CIPHERSUITES,
    CONFIG_TLS_CLIENT_CERT_FILE,
    CONFIG_TLS_CLIENT_KEY_FILE,
    CONFIG_TLS_DH_PARAMS_FILE,
    CONFIG_TLS_KEY_FILE,
    CONFIG_TLS_PROTOCOLS,
    CONFIG_TLS_CLIENT_KEY_FILE_PASS,
    CONFIG_TLS_KEY_FILE_PASS,
    CONFIG_AOF_REWRITE_CPULIST,
    CONFIG_BGSAVE_CPULIST,
    CONFIG_BIO_CPULIST,
    CONFIG_SERVER_CPULIST,
    CONFIG_BIND_SOURCE_ADDR,
    CONFIG_IGNORE_WARNINGS,
    CONFIG_SYSLOG_IDENT,
    CONFIG_PROC_TITLE_TEMPLATE,
    CONFIG_OOM_SCORE_ADJ_VALUES,
    CONFIG_SHUTDOWN_ON_SIGINT,
    CONFIG_SHUTDOWN_ON_SIGTERM,
    CONFIG_COUNT
};

/* Who may do what can harm: nobody, anyone, or who comes from this machine. */
enum config_permission { CONFIG_NOBODY, CONFIG_ANYONE, CONFIG_LOCAL };

/* What clients are told of a node: CONFIG_CLUSTER_PREFERRED_ENDPOINT_TYPE. */
enum config_endpoint { CONFIG_ENDPOINT_IP, CONFIG_ENDPOINT_HOSTNAME, CONFIG_ENDPOINT_UNKNOWN };

/* The bits of CONFIG_MAXMEMORY_POLICY. */
enum config_eviction {
    CONFIG_EVICT_LRU = 1,
    CONFIG_EVICT_LFU = 2,
    CONFIG_EVICT_TTL = 4,
    CONFIG_EVICT_RANDOM = 8,
    CONFIG_EVICT_VOLATILE = 16, /* only keys with an expiry */
};

/* What a new user may do with channels. */
enum config_channels { CONFIG_NO_CHANNELS, CONFIG_ALL_CHANNELS };

/* Sets the defaults, then reads the file (NULL: none), standard input where "-" is the first or
 * last argument, and the arguments ("--port", "7001", "--save", "", ...). `dir` and `loglevel` take
 * effect at once. The text of an error is the whole message for standard error, of several lines:
 * the file, the line and what is wrong with it. Before any thread. */
/* A line that has the words: false where something is wrong with it, and what. */
typedef bool config_line_fn(const struct bytes *words, size_t count, struct error *error);
/* Whose lines are not values, such as rename-command; before config_load. CONFIG REWRITE leaves them
 * as they are. */
void config_on_line(const char *name, config_line_fn *take);
bool config_load(const char *path, int argc, char **argv, struct error *error);

int64_t config_number(enum config_id id);
static inline bool config_is(enum config_id id)
{
    return config_number(id) != 0;
}
/* The text, copied, zero-terminated; the caller frees it. Never NULL (an unset text is empty). */
char *config_text(enum config_id id);
/* Whether the text is anything but empty. */
bool config_text_is_set(enum config_id id);
/* Appends the value as CONFIG GET shows it. */
void config_show(enum config_id id, struct buffer *out);
/* Sets a value by program (REPLICAOF and the like), without hooks. */
void config_set_number(enum config_id id, int64_t value);
void config_set_text(enum config_id id, const char *text);

/* A module that must do something when a directive changes at run time registers a hook, before any
 * thread runs. It runs in the thread of CONFIG SET, with the new value already in place; false with
 * an error undoes. */
typedef bool config_apply_fn(enum config_id id, struct error *error);
void config_on_change(enum config_id id, config_apply_fn *apply);

/* CONFIG SET: all pairs or none. A directive that works only through a hook and has none is
 * immutable. From any thread; several at once wait for each other. Not from within a hook. */
struct config_pair {
    struct bytes name, value;
};
enum config_outcome {
    CONFIG_CHANGED,
    CONFIG_UNKNOWN, /* *culprit is the pair that names no directive */
    CONFIG_REFUSED, /* *culprit is the pair that error tells about */
};
enum config_outcome config_change(const struct config_pair *pairs, size_t count,
    bool may_set_protected, size_t *culprit, struct error *error);

/* Every directive, with each of its names (slave-priority, replica-priority), in alphabetical
 * order. value is what CONFIG GET shows, good during the call. */
typedef void config_visit_fn(void *arg, const char *name, bool is_alias, struct bytes value);
void config_each(config_visit_fn *visit, void *arg);
/* Whether it is a directive whose value must not be seen (in the slow log, by MONITOR). */
bool config_is_secret(struct bytes name);

/* Says in the log which directives that are set to something have no meaning here, and why. When the
 * log is open; CONFIG SET says it by itself. */
void config_tell_idle(void);

/* The full path of the configuration file, "" if there is none. */
const char *config_file(void);
/* Rewrites the file as CONFIG REWRITE does: comments and order stay, changed directives are
 * replaced in place, new ones are added at the end; written to a temporary file, synced, renamed.
 */
bool config_rewrite(struct error *error);

/* The `user` lines that were read: "user NAME RULE ...", each with a line end, its words quoted as
 * words_split wants them. What they mean is for the ACLs; so is what config_rewrite puts in their
 * place: whole lines, which `write` appends. */
struct bytes config_user_lines(void);
void config_on_rewrite(void (*write)(struct buffer *out));
/* Puts a file in the place of another one, or where there was none: complete on the disk, then
 * renamed, with the permissions of the old one. path is absolute. */
bool config_replace_file(const char *path, struct bytes data, struct error *error);

#endif
