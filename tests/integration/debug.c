/* DEBUG's words that end the process or begin it anew, and that load the data under clients. */
#include "tests/support/node.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>

TestSuite(debug, .init = nodes_begin, .fini = nodes_end, .timeout = 120);

static const char config[] =
    "enable-debug-command yes\ncluster-enabled no\nappendonly yes\nio-threads 2\n";

static int64_t uptime_after(struct node *node, const char *id)
{
    const char *now = node_info(node, "run_id");
    return now && strcmp(now, id) != 0;
}

Test(debug, starts_anew)
{
    static const char *const words[] = { "DEBUG CRASH-AND-RECOVER 10", "DEBUG RESTART" };
    struct node *node = node_start("%s", config);
    for (size_t i = 0; i < 2; i++) {
        const char *id = scratch_printf("%s", node_info(node, "run_id"));
        node_expect(node, "OK", "SET k%d %s", (int)i, words[i]);
        node_expect(node, "[1, 0]", "WAITAOF 1 0 10000");
        node_try(node, words[i]);
        wait_until(20000, uptime_after(node, id));
        wait_until(20000, node_try(node, "GET k%d", (int)i) &&
                              strcmp(node_try(node, "GET k%d", (int)i), words[i]) == 0);
    }
    node_expect(node, words[0], "GET k0");
}

Test(debug, ends)
{
    static const struct {
        const char *word;
        int signal;
    } words[] = { { "DEBUG SEGFAULT", SIGSEGV }, { "DEBUG PANIC", SIGABRT },
        { "DEBUG ASSERT", SIGABRT } };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        struct node *node = node_start("%s", config);
        node_expect(node, "OK", "SET k v");
        cr_expect(node_try(node, words[i].word) == NULL);
        int status = node_wait_exit(node, 20000);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == words[i].signal, "%s: %x",
            words[i].word, status);
    }
}

struct load {
    pthread_t thread;
    int port;
    atomic_bool stop;
    long added;
    const char *wrong;
};

static void *count_up(void *arg)
{
    struct load *load = arg;
    struct client *client = client_open(load->port);
    client_set_timeout(client, 60000);
    while (!atomic_load(&load->stop) && !load->wrong) {
        redisReply *reply = client_ask(client, "INCR counter:%ld", load->added % 50);
        if (!reply || reply->type != REDIS_REPLY_INTEGER)
            load->wrong = reply ? "an error" : "no reply";
        else
            load->added++;
        if (reply)
            freeReplyObject(reply);
    }
    client_close(client);
    return NULL;
}

/* What is written before, between and after stays, for all pause. */
Test(debug, reloads_under_writers)
{
    struct node *node = node_start("%s", config);
    node_expect(node, "OK", "DEBUG POPULATE 5000");
    struct load load = { .port = node_port(node) };
    cr_assert_eq(pthread_create(&load.thread, NULL, count_up, &load), 0);
    for (int i = 0; i < 6; i++) {
        node_expect(node, "OK", i % 2 ? "DEBUG LOADAOF" : "DEBUG RELOAD");
        if (i == 0)
            node_text(node, "BGREWRITEAOF"); /* which POPULATE has told nothing */
        wait_until(20000, node_info_is(node, "aof_rewrite_in_progress", "0") &&
                              node_info_is(node, "aof_rewrite_scheduled", "0"));
    }
    atomic_store(&load.stop, true);
    pthread_join(load.thread, NULL);
    cr_expect_null(load.wrong, "a writer got %s", load.wrong);
    long sum = 0;
    for (int i = 0; i < 50; i++)
        sum += node_integer(node, "INCRBY counter:%d 0", i);
    cr_expect_eq(sum, load.added, "%ld INCRs, the sum is %ld", load.added, sum);
    node_expect(node, "value:4999", "GET key:4999");
}
