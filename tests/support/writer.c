/* A writer in the background; see the header. The values of one thread are the numbers of its
 * writes, so that a key's value only grows. Where nobody knows whether a write ran (its connection
 * broke after it was sent), the key is not written again: an old write that is still in some buffer
 * must not be taken for a loss. */
#include "tests/support/writer.h"
#include "common/slot.h"
#include "tests/support/router.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS_MAX = 8, KEY_SIZE = 64, READ_LIMIT_MS = 10000 };

/* One acknowledged write. */
struct write {
    int64_t at; /* now_ms */
    uint32_t key;
    uint32_t value;
};

struct key {
    char name[KEY_SIZE];
    unsigned slot;
    uint32_t sent; /* the last value sent */
    bool unclear;
};

/* Owned by its thread until that has ended. */
struct worker {
    struct writer *writer;
    pthread_t thread;
    struct key *keys;
    struct write *writes;
    size_t count, capacity;
    struct writer_report report;
};

struct writer {
    struct writer_options options;
    int ports[32], port_count;
    struct worker workers[THREADS_MAX];
    atomic_bool stop;
    atomic_long acknowledged;
    bool stopped;
};

static void note_write(struct worker *worker, uint32_t key, uint32_t value)
{
    if (worker->count == worker->capacity) {
        worker->capacity = worker->capacity > 0 ? 2 * worker->capacity : 4096;
        worker->writes = realloc(worker->writes, worker->capacity * sizeof(*worker->writes));
        if (worker->writes == NULL)
            abort();
    }
    worker->writes[worker->count++] = (struct write){ now_ms(), key, value };
    atomic_fetch_add(&worker->writer->acknowledged, 1);
}

static void write_one(struct worker *worker, struct router *router, uint32_t number, uint32_t value)
{
    struct key *key = &worker->keys[number];
    char text[16];
    snprintf(text, sizeof(text), "%u", value);
    const char *argv[] = { "SET", key->name, text };
    key->sent = value;
    struct router_answer answer = router_run(router, false, key->name, 3, argv);
    worker->report.redirects += answer.redirects;
    worker->report.broken += answer.broken;
    key->unclear = answer.unclear;
    if (answer.reply == NULL)
        return;
    if (answer.reply->type == REDIS_REPLY_ERROR) {
        worker->report.errors++;
        if (worker->report.first_error == NULL)
            worker->report.first_error = reply_text(answer.reply);
    } else
        note_write(worker, number, value);
    freeReplyObject(answer.reply);
}

static void *run_worker(void *context)
{
    struct worker *worker = context;
    struct writer *writer = worker->writer;
    struct router *router = router_open(writer->ports, writer->port_count);
    uint32_t value = 1;
    for (uint32_t turn = 0; !atomic_load(&writer->stop); turn++) {
        uint32_t number = turn % (uint32_t)writer->options.keys;
        if (!worker->keys[number].unclear)
            write_one(worker, router, number, value++);
        usleep((useconds_t)writer->options.pause_us);
    }
    router_close(router);
    return NULL;
}

/* The names of a thread's keys: numbered on until enough of them fall into the slots wanted. */
static struct key *make_keys(const struct writer_options *options, int number_of_writer, int thread)
{
    struct key *keys = calloc((size_t)options->keys, sizeof(*keys));
    cr_assert_not_null(keys);
    for (int made = 0, number = 0; made < options->keys; number++) {
        struct key *key = &keys[made];
        if (options->tag != NULL)
            snprintf(key->name, KEY_SIZE, "w%d:{%s}:%d:%d", number_of_writer, options->tag, thread,
                number);
        else
            snprintf(key->name, KEY_SIZE, "w%d:%d:%d", number_of_writer, thread, number);
        key->slot = slot_of_key(bytes_of(key->name));
        if (key->slot >= options->slot_min && key->slot <= options->slot_max)
            made++;
    }
    return keys;
}

static struct writer *start(const int *ports, int port_count, const struct writer_options *options)
{
    static int writers; /* of this test; each has keys of its own */
    struct writer *writer = calloc(1, sizeof(*writer));
    cr_assert_not_null(writer);
    writers++;
    if (options != NULL)
        writer->options = *options;
    struct writer_options *set = &writer->options;
    set->threads = set->threads > 0 ? set->threads : 2;
    set->keys = set->keys > 0 ? set->keys : 1000;
    set->pause_us = set->pause_us > 0 ? set->pause_us : 200;
    if (set->slot_max == 0)
        set->slot_max = SLOT_COUNT - 1;
    cr_assert_leq(set->threads, THREADS_MAX);
    memcpy(writer->ports, ports, (size_t)port_count * sizeof(*ports));
    writer->port_count = port_count;
    for (int i = 0; i < set->threads; i++) {
        struct worker *worker = &writer->workers[i];
        worker->writer = writer;
        worker->keys = make_keys(set, writers, i);
        cr_assert_eq(pthread_create(&worker->thread, NULL, run_worker, worker), 0);
    }
    return writer;
}

struct writer *writer_start(struct cluster *cluster, const struct writer_options *options)
{
    int ports[32];
    for (int i = 0; i < cluster->count; i++)
        ports[i] = node_port(cluster->nodes[i]);
    return start(ports, cluster->count, options);
}

struct writer *writer_start_node(struct node *node, const struct writer_options *options)
{
    int port = node_port(node);
    return start(&port, 1, options);
}

void writer_wait(struct writer *writer, long count, int limit_ms)
{
    long goal = atomic_load(&writer->acknowledged) + count;
    wait_until(limit_ms, atomic_load(&writer->acknowledged) >= goal);
}

void writer_stop(struct writer *writer)
{
    if (writer->stopped)
        return;
    atomic_store(&writer->stop, true);
    for (int i = 0; i < writer->options.threads; i++)
        pthread_join(writer->workers[i].thread, NULL);
    writer->stopped = true;
}

struct writer_report writer_report(const struct writer *writer)
{
    cr_assert(writer->stopped, "the writer still writes");
    struct writer_report sum = { .acknowledged = atomic_load(&writer->acknowledged) };
    for (int i = 0; i < writer->options.threads; i++) {
        const struct writer_report *one = &writer->workers[i].report;
        sum.errors += one->errors;
        sum.broken += one->broken;
        sum.redirects += one->redirects;
        if (sum.first_error == NULL)
            sum.first_error = one->first_error;
    }
    return sum;
}

static int compare_times(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int64_t writer_gap(
    const struct writer *writer, int64_t from, int64_t to, unsigned first, unsigned last)
{
    cr_assert(writer->stopped, "the writer still writes");
    size_t total = 2, count = 0;
    for (int i = 0; i < writer->options.threads; i++)
        total += writer->workers[i].count;
    int64_t *times = calloc(total, sizeof(*times)), gap = 0;
    cr_assert_not_null(times);
    times[count++] = from;
    times[count++] = to;
    for (int i = 0; i < writer->options.threads; i++) {
        const struct worker *worker = &writer->workers[i];
        for (size_t j = 0; j < worker->count; j++) {
            const struct write *done = &worker->writes[j];
            unsigned slot = worker->keys[done->key].slot;
            if (done->at >= from && done->at <= to && slot >= first && slot <= last)
                times[count++] = done->at;
        }
    }
    qsort(times, count, sizeof(*times), compare_times);
    for (size_t i = 1; i < count; i++)
        if (times[i] - times[i - 1] > gap)
            gap = times[i] - times[i - 1];
    free(times);
    return gap;
}

static long worker_lost(struct worker *worker, struct router *router, int64_t until)
{
    uint32_t *must = calloc((size_t)worker->writer->options.keys, sizeof(*must));
    long lost = 0;
    cr_assert_not_null(must);
    for (size_t i = 0; i < worker->count; i++)
        if (worker->writes[i].at <= until)
            must[worker->writes[i].key] = worker->writes[i].value;
    for (int i = 0; i < worker->writer->options.keys; i++) {
        const struct key *key = &worker->keys[i];
        const char *argv[] = { "GET", key->name };
        if (key->sent == 0)
            continue;
        const char *text = router_text(router, READ_LIMIT_MS, key->name, 2, argv);
        unsigned long value = strtoul(text, NULL, 10);
        if (value >= must[i] && value <= key->sent)
            continue;
        lost++;
        fprintf(stderr, "%s (slot %u) is %s; acknowledged was %u, sent %u\n", key->name, key->slot,
            text, must[i], key->sent);
    }
    free(must);
    return lost;
}

long writer_lost(struct writer *writer, int64_t until)
{
    cr_assert(writer->stopped, "the writer still writes");
    struct router *router = router_open(writer->ports, writer->port_count);
    long lost = 0;
    for (int i = 0; i < writer->options.threads; i++)
        lost += worker_lost(&writer->workers[i], router, until);
    router_close(router);
    return lost;
}

void writer_free(struct writer *writer)
{
    writer_stop(writer);
    for (int i = 0; i < writer->options.threads; i++) {
        free(writer->workers[i].keys);
        free(writer->workers[i].writes);
    }
    free(writer);
}
