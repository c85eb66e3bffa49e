/* Any bytes are refused with a sentence, or are a message that can be gone through, written and
 * read again. And a node that gets them, from a stranger and from members of its cluster, goes on:
 * what it then has to save as nodes.conf can be read. */
#include "server/cluster/message.h"
#include "server/cluster/state.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void make_random(void *context, void *out, size_t len)
{
    uint64_t *state = context;
    for (size_t i = 0; i < len; i++) {
        *state = *state * 6364136223846793005 + 1442695040888963407;
        ((uint8_t *)out)[i] = (uint8_t)(*state >> 56);
    }
}

static struct cluster_replication tell_replication(void *context)
{
    (void)context;
    return (struct cluster_replication){ .offset = 100, .link_up = true };
}

static size_t count_keys(void *context, unsigned slot)
{
    (void)context;
    return slot % 2;
}

static size_t count_all_keys(void *context)
{
    (void)context;
    return 1;
}

static void drain(struct cluster *cluster)
{
    struct cluster_effect effect;
    while (cluster_next_effect(cluster, &effect)) {
        struct message sent;
        if (effect.kind == CLUSTER_EFFECT_SEND)
            require(message_decode(effect.bytes.data, effect.bytes.len, &sent, NULL));
    }
}

static void require_good_conf(const struct cluster *cluster)
{
    struct buffer conf = { 0 };
    struct topology topology;
    cluster_render_conf(cluster, &conf);
    require(topology_parse(buffer_bytes(&conf), &topology, NULL));
    topology_free(&topology);
    buffer_free(&conf);
}

/* The IDs are those of the messages in the corpus. */
static const char members[] =
    "a75dba77256e71faa802fa7ffc4a66825861c4fd 10.0.0.1:21502@31502 myself,ROLE - 0 0 1 connected "
    "SLOTS\n"
    "3fcd5c2407f7c982ec487fd8addf2ffe86162840 10.0.0.2:21501@31501 master - 0 0 1 connected 0-99 "
    "16383\n"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 10.0.0.3:21501@31501 slave "
    "a75dba77256e71faa802fa7ffc4a66825861c4fd 0 0 1 connected\n"
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb 10.0.0.4:21501@31501 master,fail - 0 0 2 connected "
    "5000\n"
    "vars currentEpoch 3 lastVoteEpoch 2\n";

static void replace(struct buffer *text, const char *word, const char *with)
{
    struct buffer out = { 0 };
    const char *found = memmem(text->data, text->len, word, strlen(word));
    require(found != NULL);
    buffer_append(&out, text->data, (size_t)(found - text->data));
    buffer_append_text(&out, with);
    found += strlen(word);
    buffer_append(&out, found, (size_t)(text->data + text->len - found));
    buffer_free(text);
    *text = out;
}

static struct cluster *create(bool as_replica, uint64_t *random)
{
    struct cluster_config config = { .node_timeout = 1000,
        .require_full_coverage = true,
        .allow_replica_migration = true,
        .listen = { .port = 21502, .bus_port = 31502 } };
    struct cluster_host host = { random, make_random, tell_replication, count_keys,
        count_all_keys };
    struct buffer text = { 0 };
    struct topology saved;
    buffer_append_text(&text, members);
    replace(&text, "ROLE", as_replica ? "slave" : "master");
    replace(&text, "- 0 0", as_replica ? "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb 0 0" : "- 0 0");
    replace(&text, "SLOTS",
        as_replica ? ""
                   : "100-4999 5001-16382 [200->-bbbbbbbbbbbbbbbbbbbbbbbbb"
                     "bbbbbbbbbbbbbbb]");
    require(topology_parse(buffer_bytes(&text), &saved, NULL));
    struct cluster *cluster = cluster_create(&config, &host, &saved, 1700000000000, NULL);
    require(cluster != NULL);
    topology_free(&saved);
    buffer_free(&text);
    return cluster;
}

/* Inbound and outbound, twice (the second time the sender may be known), then some time. */
static void receive(bool as_replica, const uint8_t *data, size_t size)
{
    uint64_t random = 1;
    int64_t now = 1700000000000;
    struct cluster *cluster = create(as_replica, &random);
    struct cluster_effect effect;
    uint64_t outbound = 0;
    cluster_tick(cluster, now += 100);
    while (cluster_next_effect(cluster, &effect))
        outbound = effect.kind == CLUSTER_EFFECT_CONNECT ? effect.link : outbound;
    cluster_link_connected(cluster, outbound, now);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t link =
            i % 2 == 0 ? cluster_link_accepted(cluster, "10.0.0.2", "10.0.0.1", now) : outbound;
        cluster_receive(cluster, link, data, size, now);
        cluster_writes_paused(cluster, true, now);
        drain(cluster);
        cluster_tick(cluster, now += 1500);
        drain(cluster);
    }
    require_good_conf(cluster);
    cluster_free(cluster);
}

static void write_and_read(const struct message *message)
{
    struct message_gossip *gossip = calloc(message->gossip_count + 1u, sizeof(*gossip));
    struct message copy = *message, again;
    struct message_forgotten forgotten;
    struct buffer bytes = { 0 };
    size_t cursor = 0;
    require(gossip != NULL);
    for (unsigned i = 0; i < message->gossip_count; i++) {
        if (!message_gossip_at(message, i, &gossip[i]))
            gossip[i] = (struct message_gossip){ .id = message->sender };
    }
    while (message_next_forgotten(message, &cursor, &forgotten))
        require(node_id_is_set(&forgotten.id));
    copy.gossip = gossip;
    if (node_id_is_set(&message->told_shard_id))
        copy.shard_id = &message->told_shard_id;
    message_encode(&copy, &bytes);
    require(message_decode(bytes.data, bytes.len, &again, NULL));
    require(again.type == message->type && again.flags == message->flags);
    require(again.gossip_count == message->gossip_count);
    buffer_free(&bytes);
    free(gossip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message message;
    struct error error = { "" };
    size_t len;
    message_frame(data, size, &len);
    if (!message_decode(data, size, &message, &error))
        require(error.text[0] != '\0');
    else if (!message.light)
        write_and_read(&message);
    receive(false, data, size);
    receive(true, data, size);
    return 0;
}
