/* Messages of the cluster bus as values, and their bytes. Bytes come from anyone who can reach the
 * port: every length, count and offset is checked here, so whoever gets a struct message need not.
 *
 * Source: Redis Cluster specification and the public implementations' layouts: a header of 2256
 * bytes, protocol version 1, network byte order; Valkey 8's light header of 16 bytes. */
#ifndef SERVER_CLUSTER_MESSAGE_H
#define SERVER_CLUSTER_MESSAGE_H

#include "common/address.h"
#include "common/buffer.h"
#include "common/node_id.h"
#include "common/slot.h"

enum message_type {
    MESSAGE_PING,
    MESSAGE_PONG,
    MESSAGE_MEET,
    MESSAGE_FAIL,
    MESSAGE_PUBLISH,
    MESSAGE_AUTH_REQUEST,
    MESSAGE_AUTH_ACK,
    MESSAGE_UPDATE,
    MESSAGE_MFSTART,
    MESSAGE_MODULE,
    MESSAGE_PUBLISHSHARD,
    MESSAGE_TYPES
};

enum message_mark { /* the message flags of the header */
    MESSAGE_PAUSED = 1,
    MESSAGE_FORCE_VOTE = 2,
    MESSAGE_HAS_EXTENSIONS = 4,
};

enum {
    MESSAGE_HEADER_SIZE = 2256,
    MESSAGE_LIGHT_HEADER_SIZE = 16,
    MESSAGE_PREFIX_SIZE = 16, /* bytes that message_frame needs to see */
    MESSAGE_GOSSIP_SIZE = 104,
    MESSAGE_SIZE_MAX = 64 * 1024 * 1024, /* a published message with its channel; all others are
                                            below 8 MB by their 16-bit counts */
};

struct message_gossip {
    struct node_id id;
    uint32_t ping_sent, pong_received; /* Unix seconds */
    struct address address;
    uint16_t other_port;
    uint16_t flags; /* of enum node_flag */
};

struct message_forgotten {
    struct node_id id;
    uint64_t seconds;
};

/* A message, decoded or to be encoded. Pointers and views belong to someone else: after decoding,
 * to the bytes that were given. */
struct message {
    enum message_type type;
    bool light;             /* light header: only type, channel and payload are there */
    struct address address; /* of the sender; ip empty: take it from the socket */
    uint16_t other_port;
    uint64_t current_epoch, config_epoch, offset;
    struct node_id sender;
    struct node_id primary; /* empty: the sender is a primary */
    const struct slot_set *slots;
    uint16_t flags;
    bool is_down;  /* the sender sees the cluster down */
    uint8_t marks; /* of enum message_mark; HAS_EXTENSIONS is set by the encoder itself */

    /* PING, PONG, MEET */
    uint16_t gossip_count;
    const struct message_gossip *gossip; /* to encode; decoded: message_gossip_at */
    const char *hostname;                /* zero-terminated; NULL: no such extension */
    const struct node_id *shard_id;      /* to encode; NULL: no such extension */
    struct node_id told_shard_id;        /* decoded; empty: no such extension */
    uint16_t extension_count;
    struct bytes gossip_bytes, extension_bytes; /* decoded */

    /* FAIL: node. UPDATE: node, node_epoch, node_slots. */
    struct node_id node;
    uint64_t node_epoch;
    const struct slot_set *node_slots;

    /* PUBLISH, PUBLISHSHARD */
    struct bytes channel, payload;
};

enum message_frame {
    MESSAGE_FRAME_SHORT, /* more bytes are needed to tell */
    MESSAGE_FRAME_BAD,   /* no message of the bus: close the link */
    MESSAGE_FRAME_OK,    /* *len is the length of the message that starts here */
};

/* Looks at the start of a stream. With OK the message may not be there in whole yet: *len says how
 * much is needed (MESSAGE_LIGHT_HEADER_SIZE to MESSAGE_SIZE_MAX). */
enum message_frame message_frame(const void *data, size_t available, size_t *len);

/* One whole message. False with an error where it is malformed, of another version or of a type
 * that is not known. */
bool message_decode(const void *data, size_t len, struct message *message, struct error *error);
/* The entry `index` < gossip_count of a decoded message; false where its node ID is none. */
bool message_gossip_at(
    const struct message *message, unsigned index, struct message_gossip *gossip);
/* Goes through the forgotten-node extensions of a decoded message; *cursor starts at 0. */
bool message_next_forgotten(
    const struct message *message, size_t *cursor, struct message_forgotten *forgotten);

/* Appends the bytes. */
void message_encode(const struct message *message, struct buffer *out);

#endif
