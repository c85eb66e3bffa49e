/* slotd: reads the configuration, loads the data, starts the threads, and runs until it is told to
 * stop. */
#include "server/clock.h"
#include "server/cluster/service.h"
#include "server/command/acl_log.h"
#include "server/command/acl_users.h"
#include "server/command/block.h"
#include "server/command/cluster_host.h"
#include "server/command/command.h"
#include "server/command/condition.h"
#include "server/command/dispatch.h"
#include "server/command/evict.h"
#include "server/command/expire.h"
#include "server/command/latency.h"
#include "server/command/notify.h"
#include "server/command/pubsub.h"
#include "server/command/script_info.h"
#include "server/command/slot_stats.h"
#include "server/command/slowlog.h"
#include "server/command/tracking.h"
#include "server/config.h"
#include "server/info.h"
#include "server/log.h"
#include "server/net/listener.h"
#include "server/net/worker.h"
#include "server/persistence.h"
#include "server/process.h"
#include "server/replication/replication.h"
#include "server/restart.h"
#include "server/supervisor.h"
#include "server/thread.h"
#include "server/title.h"
#include <locale.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "Usage: slotd [/path/to/redis.conf] [--directive value ...]\n"
    "       slotd - (the configuration comes on standard input)\n"
    "       slotd -v or --version\n"
    "       slotd -h or --help\n"
    "\n"
    "A node of a Redis Cluster. Directives have redis.conf's names; conf/slotd.conf explains "
    "each.\n"
    "\n"
    "Examples:\n"
    "       slotd /etc/slotd/7001.conf\n"
    "       slotd --port 7001 --cluster-enabled yes --dir /var/lib/slotd/7001\n";

static int fail(const struct error *error)
{
    log_write(LOG_WARNING, "%s", error->text);
    if (config_is(CONFIG_DAEMONIZE) || config_text_is_set(CONFIG_LOGFILE))
        fprintf(stderr, "slotd: %s\n", error->text);
    return EXIT_FAILURE;
}

static bool is_option(const char *argument, const char *brief, const char *full)
{
    return strcmp(argument, brief) == 0 || strcmp(argument, full) == 0;
}

/* What must be there before anything runs: configuration, process, commands. */
static bool prepare(int argc, char **argv, struct error *error)
{
    const char *file = argc > 1 && strncmp(argv[1], "--", 2) != 0 ? argv[1] : NULL;
    int used = file ? 2 : 1;
    command_registry_init();
    config_on_line("rename-command", command_rename);
    if (!config_load(file, argc - used, argv + used, error))
        return false;
    if (!process_enter(error))
        return false;
    title_init(argc, argv);
    setlocale(LC_COLLATE, ""); /* SORT ... ALPHA */
    config_tell_idle();
    clock_init();
    slowlog_init();
    latency_init();
    info_init();
    pubsub_init();
    tracking_init();
    script_info_init();
    dispatch_init(config_is(CONFIG_CLUSTER_ENABLED));
    slot_stats_init();
    acl_log_init();
    return acl_users_init(error) && notify_init(error);
}

/* Whether load is through: until then there is nothing to close, and others may be busy opening it.
 */
static atomic_bool loaded;

/* Loading takes its time, so it has a thread of its own: the workers answer -LOADING meanwhile.
 * Only then does the node take part in the cluster and in replication. */
static void *load(void *arg)
{
    struct error error = { "" };
    thread_enter("loader", THREAD_SERVER);
    bool ok = persistence_load(&error);
    if (ok) {
        condition_set(CONDITION_LOADING, false);
        cluster_service_data_loaded();
        ok = cluster_service_start(&error) && replication_start(&error);
    }
    if (!ok) {
        fail(&error);
        process_leave();
        _exit(EXIT_FAILURE);
    }
    log_write(LOG_NOTICE, "Ready to accept connections");
    supervisor_tell("READY=1\nSTATUS=Ready to accept connections");
    atomic_store(&loaded, true);
    return NULL;
}

static struct store *store; /* of the process */

static bool start(struct error *error)
{
    store = store_create(
        config_is(CONFIG_CLUSTER_ENABLED) ? 1 : (unsigned)config_number(CONFIG_DATABASES));
    struct journal *journal = journal_create((size_t)config_number(CONFIG_REPL_BACKLOG_SIZE));
    if (!persistence_open(store, journal, error))
        return false;
    struct net_config net = { .store = store,
        .journal = journal,
        .aof = persistence_aof(),
        .workers = (unsigned)config_number(CONFIG_IO_THREADS) };
    if (!net_open(&net, error) || !replication_open(store, journal, error) ||
        !cluster_service_open(store, cluster_host_hooks(store, journal), error) ||
        !process_listen(error))
        return false;
    block_init();
    expire_start();
    evict_start(journal);
    condition_set(CONDITION_LOADING, true);
    pthread_t loader;
    if (!net_start(error))
        return false;
    if (pthread_create(&loader, NULL, load, NULL) != 0)
        return error_set(error, "cannot start the thread that loads the data: %m");
    pthread_detach(loader);
    return true;
}

int main(int argc, char **argv)
{
    restart_remember(argv);
    if (argc == 2 && is_option(argv[1], "-v", "--version")) {
        puts("slotd " SLOTD_VERSION);
        return EXIT_SUCCESS;
    }
    if (argc == 2 && is_option(argv[1], "-h", "--help")) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    struct error error = { "" };
    if (!prepare(argc, argv, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_FAILURE;
    }
    if (!start(&error)) {
        int status = fail(&error);
        process_leave();
        return status;
    }
    net_run();
    if (!atomic_load(&loaded)) {
        listener_close();
        process_leave();
        _exit(EXIT_SUCCESS);
    }
    int status = process_shutdown();
    restart_if_wanted();
#ifdef SLOTD_SANITIZE
    store_destroy(store); /* else the address sanitizer would take all keys for leaks */
#endif
    return status;
}
