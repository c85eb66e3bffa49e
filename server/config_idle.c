/* Directives that every redis.conf may have and that can change nothing here, each with the reason.
 * They are checked and kept like all others, so that a file for Redis starts a node and CONFIG GET
 * shows what was set; but nobody shall believe that they do something. README.md has the same
 * table. */
#include "server/config_table.h"
#include "server/log.h"

#include <stdlib.h>

static const struct {
    const char *name, *reason;
} reasons[] = {
    { "active-defrag-cycle-max",
        "values are not moved in memory: the allocator gives pages back by itself" },
    { "active-defrag-cycle-min",
        "values are not moved in memory: the allocator gives pages back by itself" },
    { "active-defrag-ignore-bytes",
        "values are not moved in memory: the allocator gives pages back by itself" },
    { "active-defrag-max-scan-fields",
        "values are not moved in memory: the allocator gives pages back by itself" },
    { "active-defrag-threshold-lower",
        "values are not moved in memory: the allocator gives pages back by itself" },
    { "active-defrag-threshold-upper",
        "values are not moved in memory: the allocator gives pages back by itself" },
    { "activedefrag", "values are not moved in memory: the allocator gives pages back by itself" },
    { "activerehashing", "tables grow within the writes that need it" },
    { "always-show-logo", "there is no logo" },
    { "aof-disable-auto-gc", "files that the manifest names no more are removed at once" },
    { "aof-rewrite-incremental-fsync", "snapshots always go to the disk in steps" },
    { "cluster-announce-tls-port", "there is no TLS yet" },
    { "crash-memcheck-enabled", "a crash leaves a core file, as the system is set up to" },
    { "dynamic-hz", "the clocks of the workers have one pace" },
    { "enable-module-command", "there are no modules" },
    { "ignore-warnings", "the warning that Redis means is not given" },
    { "io-threads-do-reads", "every worker reads, runs and writes for its own clients" },
    { "jemalloc-bg-thread", "the allocator works as it is set up (MALLOC_CONF)" },
    { "lazyfree-lazy-expire", "what is large is always freed in the background" },
    { "lazyfree-lazy-server-del", "what is large is always freed in the background" },
    { "lazyfree-lazy-user-del", "what is large is always freed in the background" },
    { "no-appendfsync-on-rewrite",
        "the append-only file is synced during a rewrite, too, and no fsync waits for it" },
    { "propagation-error-behavior", "an effect that a replica cannot apply is logged" },
    { "rdb-del-sync-files", "full syncs go to the socket and leave no file" },
    { "rdb-save-incremental-fsync", "snapshots always go to the disk in steps" },
    { "repl-diskless-load", "a full sync is loaded as it comes" },
    { "repl-diskless-sync-max-replicas",
        "those that come within the delay share a copy, however many they are" },
    { "repl-diskless-sync", "a full sync is always sent as it is made" },
    { "replica-ignore-disk-write-errors", "a replica takes its stream whatever its disk does" },
    { "replica-lazy-flush", "what is large is always freed in the background" },
    { "sanitize-dump-payload", "what is restored is always checked in full" },
    { "tls-auth-clients", "there is no TLS yet" },
    { "tls-ca-cert-dir", "there is no TLS yet" },
    { "tls-ca-cert-file", "there is no TLS yet" },
    { "tls-cert-file", "there is no TLS yet" },
    { "tls-ciphers", "there is no TLS yet" },
    { "tls-ciphersuites", "there is no TLS yet" },
    { "tls-client-cert-file", "there is no TLS yet" },
    { "tls-client-key-file", "there is no TLS yet" },
    { "tls-client-key-file-pass", "there is no TLS yet" },
    { "tls-cluster", "there is no TLS yet" },
    { "tls-dh-params-file", "there is no TLS yet" },
    { "tls-key-file", "there is no TLS yet" },
    { "tls-key-file-pass", "there is no TLS yet" },
    { "tls-port", "there is no TLS yet" },
    { "tls-prefer-server-ciphers", "there is no TLS yet" },
    { "tls-protocols", "there is no TLS yet" },
    { "tls-replication", "there is no TLS yet" },
    { "tls-session-cache-size", "there is no TLS yet" },
    { "tls-session-cache-timeout", "there is no TLS yet" },
    { "tls-session-caching", "there is no TLS yet" },
};

const char *directive_idle_reason(const struct directive *row)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strcmp(reasons[i].name, row->name) == 0)
            return reasons[i].reason;
    }
    abort(); /* a row of the table without a reason; tests/unit/config.c asks for each */
}

void directive_tell_idle(const struct directive *row)
{
    struct config_value now, initial;
    config_value_read(row, &now);
    directive_default(row, &initial);
    if (row->flags & DIRECTIVE_IDLE && !config_value_equal(row, &now, &initial))
        log_write(LOG_NOTICE, "%s is taken, but has no meaning here: %s", row->name,
            directive_idle_reason(row));
    config_value_free(&now);
    config_value_free(&initial);
}

void config_tell_idle(void)
{
    for (const struct directive *row = config_directives; row->name; row++)
        directive_tell_idle(row);
}
