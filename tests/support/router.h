/* A client of a whole cluster, as people's libraries are: knows which node serves which slot,
 * follows MOVED and ASK, tries again where a node does not answer. Used by one thread at a time. */
#ifndef TESTS_SUPPORT_ROUTER_H
#define TESTS_SUPPORT_ROUTER_H

#include "tests/support/client.h"

struct router;

/* Any of the ports will do to learn of the others. */
struct router *router_open(const int *ports, int count);
void router_close(struct router *router);
void router_set_timeout(struct router *router, int ms); /* of one reply; 1000 unless told */

struct router_answer {
    redisReply *reply; /* the caller frees it with freeReplyObject; NULL: no connection */
    int port;          /* of who answered last */
    int redirects;     /* MOVED and ASK followed */
    int broken;        /* connections that broke or were refused on the way */
    bool unclear;      /* one broke after the command was sent: nobody knows whether it ran */
};

/* One command with one key; follows up to 16 redirects and no other error. On a broken connection:
 * one more try by way of another node where retry is set. */
struct router_answer router_run(
    struct router *router, bool retry, const char *key, int argc, const char **argv);

/* The text of the reply, as client_text; redirects followed, tried again until limit_ms. */
const char *router_text(
    struct router *router, int limit_ms, const char *key, int argc, const char **argv);

#endif
