/* Nodes on this machine: folders, configuration files, processes. For `up`, `down` and the demo.
 * The folder of a node is DIR/PORT, with its node.conf, node.log and node.pid. */
#ifndef CONSOLE_OPERATION_LOCAL_H
#define CONSOLE_OPERATION_LOCAL_H

#include "common/error.h"
#include "console/client/client.h"
#include <stdbool.h>
#include <stdint.h>

enum { LOCAL_PATH_MAX = 1024, LOCAL_NODES_MAX = 100 };

enum local_state {
    LOCAL_RUNNING, /* the node of this folder answers */
    LOCAL_ABSENT,  /* nothing has its ports */
};

/* False where something else than this folder's node has the port or the bus port. */
bool local_probe(struct client *client, const char *dir, uint16_t port, enum local_state *state,
    struct error *error);
/* Starts an absent node (the folder and a node.conf are made where they aren't there) and waits
 * until it answers. The client's password becomes the node's. On failure the error ends with the
 * server's own last words. */
bool local_start(struct client *client, const char *dir, uint16_t port, const char *server,
    int64_t limit_ms, struct error *error);
/* SHUTDOWN to a node that answers, SIGTERM to one that doesn't; waits until the process is gone.
 * *was_running says whether there was one. */
bool local_stop(struct client *client, const char *dir, uint16_t port, int64_t limit_ms,
    bool *was_running, struct error *error);
/* The ports of the folders in dir that hold a node.conf, ascending; at most LOCAL_NODES_MAX. */
bool local_list(const char *dir, uint16_t *ports, size_t *count, struct error *error);
/* The program to start: the name given (looked up in PATH where it has no slash), or for NULL the
 * slotd beside this executable. path has LOCAL_PATH_MAX bytes. */
bool local_find_server(const char *name, char *path, struct error *error);

#endif
