/* A client of a whole cluster; see the header. It learns who serves a slot from the redirects
 * alone. */
#include "tests/support/router.h"
#include "common/slot.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 64, REDIRECTS_MAX = 16 };

struct router {
    struct client *clients[ENTRIES_MAX];
    int ports[ENTRIES_MAX];
    int count;
    int timeout_ms;
    unsigned turn;                /* which entry is asked about an unknown slot */
    uint8_t entry_of[SLOT_COUNT]; /* entry + 1; 0: not known */
};

struct router *router_open(const int *ports, int count)
{
    struct router *router = calloc(1, sizeof(*router));
    cr_assert_not_null(router);
    router->timeout_ms = 1000;
    for (int i = 0; i < count && i < ENTRIES_MAX; i++)
        router->ports[router->count++] = ports[i];
    return router;
}

void router_close(struct router *router)
{
    for (int i = 0; i < router->count; i++)
        client_close(router->clients[i]);
    free(router);
}

void router_set_timeout(struct router *router, int ms)
{
    router->timeout_ms = ms;
    for (int i = 0; i < router->count; i++)
        if (router->clients[i] != NULL)
            client_set_timeout(router->clients[i], ms);
}

static int entry_of_port(struct router *router, int port)
{
    for (int i = 0; i < router->count; i++)
        if (router->ports[i] == port)
            return i;
    cr_assert(router->count < ENTRIES_MAX, "redirected to more than %d nodes", ENTRIES_MAX);
    router->ports[router->count] = port;
    return router->count++;
}

static struct client *entry_client(struct router *router, int entry)
{
    if (router->clients[entry] == NULL) {
        router->clients[entry] = client_open(router->ports[entry]);
        client_set_timeout(router->clients[entry], router->timeout_ms);
    }
    return router->clients[entry];
}

/* Where "MOVED 866 127.0.0.1:7001" points; -1 where the reply is no such thing. */
static int redirect_port(const redisReply *reply, const char *word)
{
    size_t len = strlen(word);
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, word, len) != 0 ||
        reply->str[len] != ' ')
        return -1;
    const char *colon = strrchr(reply->str, ':');
    return colon != NULL ? atoi(colon + 1) : -1;
}

static redisReply *ask_entry(struct router *router, int entry, bool asking, int argc,
    const char **argv, struct router_answer *answer)
{
    struct client *client = entry_client(router, entry);
    answer->port = router->ports[entry];
    if (!client_connect(client)) {
        answer->broken++;
        return NULL;
    }
    if (asking) {
        redisReply *ok = client_ask(client, "ASKING");
        if (ok != NULL)
            freeReplyObject(ok);
    }
    redisReply *reply = client_ask_argv(client, argc, argv, NULL);
    if (reply == NULL) {
        answer->broken++;
        answer->unclear = true;
    }
    return reply;
}

struct router_answer router_run(
    struct router *router, bool retry, const char *key, int argc, const char **argv)
{
    struct router_answer answer = { 0 };
    unsigned slot = slot_of_key(bytes_of(key));
    bool asking = false;
    int entry = router->entry_of[slot] - 1;
    if (entry < 0)
        entry = (int)(router->turn++ % (unsigned)router->count);
    for (;;) {
        redisReply *reply = ask_entry(router, entry, asking, argc, argv, &answer);
        int moved = redirect_port(reply, "MOVED"), ask = redirect_port(reply, "ASK");
        if (reply == NULL) {
            router->entry_of[slot] = 0;
            if (!retry || answer.broken > 1)
                return answer;
            int other = (int)(router->turn++ % (unsigned)router->count);
            entry = other != entry ? other : (other + 1) % router->count;
            asking = false;
            continue;
        }
        if ((moved < 0 && ask < 0) || answer.redirects == REDIRECTS_MAX) {
            answer.reply = reply;
            return answer;
        }
        freeReplyObject(reply);
        answer.redirects++;
        asking = ask >= 0;
        entry = entry_of_port(router, asking ? ask : moved);
        if (moved >= 0)
            router->entry_of[slot] = (uint8_t)(entry + 1);
    }
}

const char *router_text(
    struct router *router, int limit_ms, const char *key, int argc, const char **argv)
{
    int64_t deadline = wait_deadline(limit_ms);
    for (;;) {
        struct router_answer answer = router_run(router, true, key, argc, argv);
        if (answer.reply != NULL) {
            const char *text = reply_text(answer.reply);
            freeReplyObject(answer.reply);
            return text;
        }
        cr_assert(
            wait_pause(deadline), "%s %s: no node has answered for %d ms", argv[0], key, limit_ms);
    }
}
