/* The table of commands. A new one is a row here and a function. */
#include "console/batch/command.h"

static const struct batch_option create_options[] = {
    [CREATE_REPLICAS] = { "--replicas", "N", "replicas for each primary (0)" },
    { 0 },
};

static const struct batch_option reshard_options[] = {
    [RESHARD_FROM] = { "--from", "A[,B]", "nodes to take slots from (all others)" },
    [RESHARD_TO] = { "--to", "NODE", "node that gets the slots" },
    [RESHARD_SLOTS] = { "--slots", "N", "how many slots" },
    [RESHARD_RANGE] = { "--range", "FIRST-LAST[,...]", "which slots" },
    [RESHARD_REPLACE] = { "--replace", NULL, "overwrite keys that the target has already" },
    { 0 },
};

static const struct batch_option failover_options[] = {
    [FAILOVER_FORCE] = { "--force", NULL, "without asking the primary, which may be down" },
    [FAILOVER_TAKEOVER] = { "--takeover", NULL,
        "without asking the other primaries either; last resort" },
    { 0 },
};

static const struct batch_option file_options[] = {
    [FILE_KEEP_GOING] = { "--keep-going", NULL, "go on after a line that failed" },
    { 0 },
};

static const struct batch_option up_options[] = {
    [UP_NODES] = { "--nodes", "N", "how many nodes (6)" },
    [UP_PORT] = { "--port", "P", "port of the first; the others follow (7001)" },
    [UP_DIR] = { "--dir", "DIR", "folder that gets a folder for each port" },
    [UP_SERVER] = { "--server", "PATH",
        "the program (slotd beside slotctl); redis-server works too" },
    [UP_REPLICAS] = { "--replicas", "N", "replicas for each primary (1)" },
    { 0 },
};

static const struct batch_option down_options[] = {
    [DOWN_DIR] = { "--dir", "DIR", "folder that up was given" },
    { 0 },
};

const struct batch_command batch_commands[] = {
    { "status", "", "show nodes by shard: role, slots, keys, memory, lag, health",
        .run = batch_status },
    { "check", "",
        "find what is wrong, with the command that repairs it; exit code 1 if something is",
        .run = batch_check },
    { "create", "HOST:PORT... [--replicas N]", "make a cluster of empty nodes", create_options,
        .words_min = 1, .words_max = -1, .run = batch_create },
    { "reshard", "[--from A[,B]] --to C (--slots N | --range FIRST-LAST[,...])",
        "move slots with their keys to another primary", reshard_options, .run = batch_reshard },
    { "failover", "NODE [--force|--takeover]",
        "make a replica the primary (of a primary: its best replica)", failover_options,
        .words_min = 1, .words_max = 1, .run = batch_failover },
    { "wait", "ok [--timeout S]", "wait until all slots are served and all nodes agree",
        .words_min = 1, .words_max = 1, .waits = true, .run = batch_wait },
    { "exec", "COMMAND [ARGUMENT...]", "run a command where its key is, following redirects",
        .words_min = 1, .words_max = -1, .verbatim = true, .run = batch_exec },
    { "batch", "FILE|-", "run commands from a file, one a line", file_options, .words_min = 1,
        .words_max = 1, .run = batch_file },
    { "up", "--dir DIR [--nodes N] [--port P] [--replicas N] [--server PATH]",
        "start nodes on this machine and make them a cluster", up_options, .waits = true,
        .run = batch_up },
    { "down", "--dir DIR", "stop the nodes that up started", down_options, .waits = true,
        .run = batch_down },
    { 0 },
};
