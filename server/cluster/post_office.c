/* A queue under a lock. Its owner is woken for the first message only, and takes all. */
#include "server/cluster/post_office.h"

#include "common/memory.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A message of a client. */
struct outgoing {
    struct outgoing *next;
    bool sharded;
    size_t channel_len, message_len;
    char data[];
};

/* What the bus thread has not taken yet. */
static struct {
    pthread_mutex_t mutex; /* guards first and last */
    struct outgoing *first, **last;
    atomic_bool has_others; /* there are nodes to send to; written by the bus thread */
} post_office = { .mutex = PTHREAD_MUTEX_INITIALIZER, .last = &post_office.first };

void post_office_set_others(bool any)
{
    atomic_store_explicit(&post_office.has_others, any, memory_order_relaxed);
}

bool post_office_put(bool sharded, struct bytes channel, struct bytes message)
{
    if (!atomic_load_explicit(&post_office.has_others, memory_order_relaxed))
        return false;
    struct outgoing *each = memory_alloc(sizeof(*each) + channel.len + message.len);
    *each = (struct outgoing){ NULL, sharded, channel.len, message.len };
    if (channel.len > 0)
        memcpy(each->data, channel.data, channel.len);
    if (message.len > 0)
        memcpy(each->data + channel.len, message.data, message.len);
    pthread_mutex_lock(&post_office.mutex);
    bool first = post_office.first == NULL;
    *post_office.last = each;
    post_office.last = &each->next;
    pthread_mutex_unlock(&post_office.mutex);
    return first;
}

void post_office_send(struct cluster *cluster, int64_t now, void (*sent)(void))
{
    pthread_mutex_lock(&post_office.mutex);
    struct outgoing *each = post_office.first;
    post_office.first = NULL;
    post_office.last = &post_office.first;
    pthread_mutex_unlock(&post_office.mutex);
    for (struct outgoing *next; each; each = next) {
        next = each->next;
        cluster_publish(cluster, each->sharded, (struct bytes){ each->data, each->channel_len },
            (struct bytes){ each->data + each->channel_len, each->message_len }, now);
        free(each);
        sent();
    }
}
