/* SUBSCRIBE, PUBLISH and what belongs to them. Sharded channels live in slots: dispatch routes
 * these commands as if the channels were keys. */
#include "server/command/pubsub.h"

#include "server/cluster/service.h"
#include "server/command/call.h"
#include "server/command/dispatch.h"
#include "server/command/families.h"
#include "server/command/glob.h"
#include "server/command/help.h"
#include "server/command/rows.h"
#include "server/journal/journal.h"

/* ---- Subscribing ---- */

static const struct words {
    const char *subscribe, *unsubscribe;
} words[TOPIC_KINDS] = {
    [TOPIC_CHANNEL] = { "subscribe", "unsubscribe" },
    [TOPIC_PATTERN] = { "psubscribe", "punsubscribe" },
    [TOPIC_SHARD] = { "ssubscribe", "sunsubscribe" },
};

/* What the answers count: sharded channels, or the others and the patterns. */
static size_t count_for(const struct session *session, enum topic_kind kind)
{
    if (kind == TOPIC_SHARD)
        return topic_count_of(session, TOPIC_SHARD);
    return topic_count_of(session, TOPIC_CHANNEL) + topic_count_of(session, TOPIC_PATTERN);
}

static void subscribe_to(struct call *call, enum topic_kind kind)
{
    if (call->executor->box < 0) {
        reply_error(call->reply, "%s isn't allowed for a DENY BLOCKING client",
            kind == TOPIC_CHANNEL   ? "SUBSCRIBE"
            : kind == TOPIC_PATTERN ? "PSUBSCRIBE"
                                    : "SSUBSCRIBE");
        return;
    }
    push_drain(call->executor);
    for (int i = 1; i < call->argc; i++) {
        topic_subscribe(call->session, kind, call->argv[i]);
        pubsub_tell(
            call->session, words[kind].subscribe, &call->argv[i], count_for(call->session, kind));
    }
}

static void unsubscribe_all(struct call *call, enum topic_kind kind)
{
    struct session *session = call->session;
    const char *word = words[kind].unsubscribe;
    struct subscription *each;
    bool any = false;
    for (size_t cursor = 0; (each = topic_next_of(session, kind, &cursor)) != NULL; any = true) {
        struct topic *topic = topic_hold(each->topic);
        topic_drop(each);
        pubsub_tell(session, word, &topic->name, count_for(session, kind));
        topic_release(topic);
    }
    if (!any)
        pubsub_tell(session, word, NULL, count_for(session, kind));
}

static void unsubscribe_from(struct call *call, enum topic_kind kind)
{
    push_drain(call->executor);
    if (call->argc == 1)
        unsubscribe_all(call, kind);
    for (int i = 1; i < call->argc; i++) {
        topic_unsubscribe(call->session, kind, call->argv[i]);
        pubsub_tell(
            call->session, words[kind].unsubscribe, &call->argv[i], count_for(call->session, kind));
    }
}

static void subscribe(struct call *call)
{
    subscribe_to(call, TOPIC_CHANNEL);
}

static void psubscribe(struct call *call)
{
    subscribe_to(call, TOPIC_PATTERN);
}

static void ssubscribe(struct call *call)
{
    subscribe_to(call, TOPIC_SHARD);
}

static void unsubscribe(struct call *call)
{
    unsubscribe_from(call, TOPIC_CHANNEL);
}

static void punsubscribe(struct call *call)
{
    unsubscribe_from(call, TOPIC_PATTERN);
}

static void sunsubscribe(struct call *call)
{
    unsubscribe_from(call, TOPIC_SHARD);
}

/* ---- Publishing ---- */

/* In a cluster the bus takes messages to the other nodes, without one the stream to the replicas.
 * The AOF follows the same stream: the message is put there only while there are replicas, and
 * loading a file publishes nothing. */
static void pass_on(struct call *call, bool sharded)
{
    if (dispatch_is_cluster())
        cluster_service_publish(sharded, call->argv[1], call->argv[2]);
    else if (call_from_client(call) && journal_backlog(call->executor->journal).active)
        call_side_effect(call, call->argv, call->argc);
}

static void publish_as(struct call *call, enum topic_kind kind)
{
    if (call->session->flags & SESSION_LOADER) {
        reply_integer(call->reply, 0);
        return;
    }
    bool later = call->in_exec || call->slot || call->reply != &call->session->reply;
    size_t count = pubsub_publish(call->executor, kind, call->argv[1], call->argv[2], later);
    pass_on(call, kind == TOPIC_SHARD);
    reply_integer(call->reply, (int64_t)count);
}

static void publish(struct call *call)
{
    publish_as(call, TOPIC_CHANNEL);
}

static void spublish(struct call *call)
{
    publish_as(call, TOPIC_SHARD);
}

/* ---- PUBSUB ---- */

struct listing {
    struct reply *reply;
    const struct bytes *pattern; /* NULL: all */
    size_t count;
};

static void list_one(void *arg, struct topic *topic)
{
    struct listing *listing = arg;
    if (listing->pattern && !glob_matches(*listing->pattern, topic->name, false))
        return;
    reply_bulk(listing->reply, topic->name);
    listing->count++;
}

static void list_topics(struct call *call, enum topic_kind kind)
{
    if (call->argc > 3) {
        call_error_subcommand(call);
        return;
    }
    struct listing listing = { call->reply, call->argc == 3 ? &call->argv[2] : NULL, 0 };
    struct reply_mark mark = reply_deferred(call->reply);
    topic_each(kind, list_one, &listing);
    reply_deferred_array(call->reply, mark, listing.count);
}

static void count_topics(struct call *call, enum topic_kind kind)
{
    reply_array(call->reply, (size_t)(call->argc - 2) * 2);
    for (int i = 2; i < call->argc; i++) {
        push_set workers;
        size_t subscribers = 0;
        struct topic *topic = topic_find(kind, call->argv[i], &workers, &subscribers);
        reply_bulk(call->reply, call->argv[i]);
        reply_integer(call->reply, (int64_t)subscribers);
        if (topic)
            topic_release(topic);
    }
}

static void pubsub_channels(struct call *call)
{
    list_topics(call, TOPIC_CHANNEL);
}

static void pubsub_shardchannels(struct call *call)
{
    list_topics(call, TOPIC_SHARD);
}

static void pubsub_numsub(struct call *call)
{
    count_topics(call, TOPIC_CHANNEL);
}

static void pubsub_shardnumsub(struct call *call)
{
    count_topics(call, TOPIC_SHARD);
}

static void pubsub_numpat(struct call *call)
{
    reply_integer(call->reply, (int64_t)topic_count(TOPIC_PATTERN));
}

/* ---- The table ---- */

enum {
    LISTENS = CMD_PUBSUB | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
    SPEAKS = CMD_PUBSUB | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_MAY_REPLICATE,
    ASKS = CMD_PUBSUB | CMD_LOADING | CMD_STALE,
};

#define ROW(...) ROW_OF("pubsub", __VA_ARGS__)

static const struct command_arg one_pattern[] = { ARG("pattern", ARG_PATTERN), { 0 } };

static const struct command subcommands[] = {
    ROW("channels", pubsub_channels, -2, ASKS, "2.8.0", "O(N), N channels",
        "Tells the channels that have subscribers",
        .args = ARGS(OPTION("pattern", ARG_PATTERN, NULL, NULL))),
    ROW("help", call_help, 2, CMD_LOADING | CMD_STALE, "6.2.0", "O(1)",
        "Tells what the subcommands do"),
    ROW("numpat", pubsub_numpat, 2, ASKS, "2.8.0", "O(1)",
        "Counts the different patterns that have subscribers"),
    ROW("numsub", pubsub_numsub, -2, ASKS, "2.8.0", "O(N), N channels asked for",
        "Counts the subscribers of channels",
        .args = ARGS({ "channel", ARG_STRING, ARG_OPTIONAL | ARG_MULTIPLE, NULL, 0, NULL, NULL })),
    ROW("shardchannels", pubsub_shardchannels, -2, ASKS, "7.0.0", "O(N), N sharded channels",
        "Tells the sharded channels that have subscribers",
        .args = ARGS(OPTION("pattern", ARG_PATTERN, NULL, NULL))),
    ROW("shardnumsub", pubsub_shardnumsub, -2, ASKS, "7.0.0", "O(N), N channels asked for",
        "Counts the subscribers of sharded channels",
        .args =
            ARGS({ "shardchannel", ARG_STRING, ARG_OPTIONAL | ARG_MULTIPLE, NULL, 0, NULL, NULL })),
    { 0 },
};

const struct command pubsub_commands[] = {
    ROW("subscribe", subscribe, -2, LISTENS, "2.0.0", "O(N), N channels",
        "Has the messages of channels sent here", .args = ARGS(ARG_MANY("channel", ARG_STRING))),
    ROW("unsubscribe", unsubscribe, -1, LISTENS, "2.0.0", "O(N), N channels",
        "Ends the subscription of channels, or of all",
        .args = ARGS({ "channel", ARG_STRING, ARG_OPTIONAL | ARG_MULTIPLE, NULL, 0, NULL, NULL })),
    ROW("psubscribe", psubscribe, -2, LISTENS, "2.0.0", "O(N), N patterns",
        "Has the messages of all channels sent here that match a pattern",
        .args = ARGS({ "pattern", ARG_BLOCK, ARG_MULTIPLE, NULL, 0, NULL, one_pattern })),
    ROW("punsubscribe", punsubscribe, -1, LISTENS, "2.0.0", "O(N), N patterns",
        "Ends the subscription of patterns, or of all",
        .args = ARGS({ "pattern", ARG_PATTERN, ARG_OPTIONAL | ARG_MULTIPLE, NULL, 0, NULL, NULL })),
    ROW("ssubscribe", ssubscribe, -2, LISTENS, "7.0.0", "O(N), N channels",
        "Has the messages of sharded channels sent here", .keys = KEYS(KEYS_AT(1, KEY_NOT_KEY, -1)),
        .args = ARGS(ARG_MANY("shardchannel", ARG_STRING))),
    ROW("sunsubscribe", sunsubscribe, -1, LISTENS, "7.0.0", "O(N), N channels",
        "Ends the subscription of sharded channels, or of all",
        .keys = KEYS(KEYS_AT(1, KEY_NOT_KEY, -1)),
        .args =
            ARGS({ "shardchannel", ARG_STRING, ARG_OPTIONAL | ARG_MULTIPLE, NULL, 0, NULL, NULL })),
    ROW("publish", publish, 3, SPEAKS, "2.0.0",
        "O(N+M), N subscribers of the channel, M patterns that anyone has subscribed to",
        "Sends a message to the subscribers of a channel",
        .args = ARGS(ARG("channel", ARG_STRING), ARG("message", ARG_STRING))),
    ROW("spublish", spublish, 3, SPEAKS, "7.0.0", "O(N), N subscribers of the channel",
        "Sends a message to the subscribers of a sharded channel",
        .keys = KEYS(KEYS_AT(1, KEY_NOT_KEY, 0)),
        .args = ARGS(ARG("shardchannel", ARG_STRING), ARG("message", ARG_STRING))),
    ROW("pubsub", NULL, -2, 0, "2.8.0", "Depends on the subcommand", "Tells who listens to what",
        .subcommands = subcommands),
    { 0 },
};
