/* A node under test: a server process on a free port, in a folder of its own, with its log beside
 * it. However the test ends, the process does not outlive it and the folder is removed.
 *
 * All functions fail the test where something goes wrong that the test did not ask for: a node that
 * does not come up, does not end, or whose log has a sanitizer's report. Nodes are started and
 * ended by the test's main thread. */
#ifndef TESTS_SUPPORT_NODE_H
#define TESTS_SUPPORT_NODE_H

#include "tests/support/client.h"
#include <stdbool.h>
#include <sys/types.h>

struct node;

/* For every suite that starts nodes:
 *     TestSuite(name, .init = nodes_begin, .fini = nodes_end, .timeout = 60);
 * nodes_end ends every node that runs and fails the test (a line with [LATE]) where a sanitizer has
 * reported something or a node has ended without being asked to. */
void nodes_begin(void);
void nodes_end(void);

/* Ports whose bus port (+10000) is free as well, kept from other tests that run at the same time
 * until this test ends. */
int port_reserve(void);

/* A folder with a redis.conf: "port N", "bind 127.0.0.1", `save ""`, then the lines of config (a
 * format; lines end with \n). Not started. */
struct node *node_prepare(const char *config, ...) __attribute__((format(printf, 1, 2)));
/* The same for a program other than the one under test, e.g. "redis-server". */
struct node *node_prepare_program(const char *program, const char *config, ...)
    __attribute__((format(printf, 2, 3)));
/* node_prepare, then node_launch. */
struct node *node_start(const char *config, ...) __attribute__((format(printf, 1, 2)));
struct node *node_start_program(const char *program, const char *config, ...)
    __attribute__((format(printf, 2, 3)));
/* A lone cluster node that owns all slots and says cluster_state:ok. */
struct node *node_start_owner(const char *config, ...) __attribute__((format(printf, 1, 2)));

/* Starts the process and waits until it answers PING (also where it answers with an error). */
void node_launch(struct node *node);
/* Starts the process and does not wait. args are put behind the file on the command line; NULL or
 * "": none. */
void node_spawn(struct node *node, const char *args);
void node_wait_ready(struct node *node, int limit_ms);

void node_kill(struct node *node); /* SIGKILL; returns when it is gone */
int node_stop(
    struct node *node); /* SIGTERM; gives the wait status when it has ended (limit 20 s) */
int node_wait_exit(struct node *node, int limit_ms); /* waits for an end by itself; wait status */
void node_restart(struct node *node); /* node_launch in the same folder, same ports */
void node_pause(struct node *node);   /* SIGSTOP */
void node_resume(struct node *node);  /* SIGCONT */
bool node_runs(struct node *node);    /* the process is there */
bool node_answers(struct node *node); /* PING is answered (any reply) within a second */

/* Replaces the redis.conf of a node that does not run; only what the format says is in it. */
void node_write_config(struct node *node, const char *config, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds lines to it. */
void node_add_config(struct node *node, const char *config, ...)
    __attribute__((format(printf, 2, 3)));
/* RLIMIT_NOFILE of the process when it is started next; 0: as it is here. */
void node_limit_files(struct node *node, int files);

int node_port(const struct node *node);
pid_t node_pid(const struct node *node);
const char *node_folder(const struct node *node);
const char *node_program(const struct node *node);
const char *node_address(const struct node *node);          /* "127.0.0.1:7001" */
char *node_path(const struct node *node, const char *name); /* of a file in its folder */
char *node_log(const struct node *node);                    /* the whole log so far */
bool node_log_has(const struct node *node, const char *text);
long node_rss(const struct node *node); /* resident bytes now */

/* The node's own connection, reconnected where it broke (also after a restart). */
struct client *node_client(struct node *node);
#define node_text(node, ...) client_text(node_client(node), __VA_ARGS__)
#define node_try(node, ...) client_try(node_client(node), __VA_ARGS__)
#define node_integer(node, ...) client_integer(node_client(node), __VA_ARGS__)
#define node_expect(node, expected, ...) client_expect(node_client(node), expected, __VA_ARGS__)
/* A field of INFO; NULL or -1 where it is not there or the node does not answer. */
const char *node_info(struct node *node, const char *field);
int64_t node_info_number(struct node *node, const char *field);
bool node_info_is(struct node *node, const char *field, const char *value);

/* For replicas: the link is up and everything the primary has sent is applied. */
bool node_in_sync(struct node *replica, struct node *primary);
/* Both data sets are equal: DBSIZE, and every key's DUMP. Waits for nothing. */
bool node_same_data(struct node *a, struct node *b);

#endif
