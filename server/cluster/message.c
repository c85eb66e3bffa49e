/* The layout of the bus is one table of offsets, used by the reader and the writer alike. Reading
 * has two steps: the body's length is computed from its type and its counts and must be exactly
 * what the header says; then the values are copied out of known places. Texts are checked for what
 * an address or a host name may have in it, because they end up in nodes.conf, where a space or a
 * line feed would make another field. */
#include "server/cluster/message.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <endian.h>

enum offset {
    AT_SIGNATURE = 0,
    AT_LENGTH = 4,
    AT_VERSION = 8,
    AT_PORT = 10,
    AT_TYPE = 12,
    AT_COUNT = 14,
    AT_CURRENT_EPOCH = 16,
    AT_CONFIG_EPOCH = 24,
    AT_OFFSET = 32,
    AT_SENDER = 40,
    AT_SLOTS = 80,
    AT_PRIMARY = 2128,
    AT_IP = 2168,
    AT_EXTENSIONS = 2214,
    AT_OTHER_PORT = 2246,
    AT_BUS_PORT = 2248,
    AT_FLAGS = 2250,
    AT_STATE = 2252,
    AT_MARKS = 2253,
};

enum gossip_offset {
    GOSSIP_AT_ID = 0,
    GOSSIP_AT_PING = 40,
    GOSSIP_AT_PONG = 44,
    GOSSIP_AT_IP = 48,
    GOSSIP_AT_PORT = 94,
    GOSSIP_AT_BUS_PORT = 96,
    GOSSIP_AT_FLAGS = 98,
    GOSSIP_AT_OTHER_PORT = 100,
};

enum update_offset {
    UPDATE_AT_EPOCH = 0,
    UPDATE_AT_NODE = 8,
    UPDATE_AT_SLOTS = 48,
    UPDATE_SIZE = UPDATE_AT_SLOTS + SLOT_BITMAP_SIZE,
};

enum extension_type {
    EXTENSION_HOSTNAME = 0,
    EXTENSION_FORGOTTEN = 2,
    EXTENSION_SHARD_ID = 3,
};

enum {
    PROTOCOL_VERSION = 1,
    LIGHT_TYPE_BIT = 0x8000,
    EXTENSION_HEADER = 8,
    PUBLISH_HEADER = 8,
};

static const char signature[4] = { 'R', 'C', 'm', 'b' };

static uint16_t get16(const char *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    return ntohs(value);
}

static uint32_t get32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return ntohl(value);
}

static uint64_t get64(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return be64toh(value);
}

static void put16(char *at, uint16_t value)
{
    value = htons(value);
    memcpy(at, &value, sizeof(value));
}

static void put64(char *at, uint64_t value)
{
    value = htobe64(value);
    memcpy(at, &value, sizeof(value));
}

static bool get_id(const char *at, struct node_id *id)
{
    return node_id_parse((struct bytes){ at, NODE_ID_LEN }, id);
}

/* A field of `size` bytes with a text of letters, digits and `also`, and zeroes behind it. */
static bool get_text(const char *at, size_t size, const char *also, char *out, size_t out_size)
{
    size_t len = strnlen(at, size);
    if (len >= out_size)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)at[i]) && strchr(also, at[i]) == NULL)
            return false;
    }
    memcpy(out, at, len);
    out[len] = '\0';
    return true;
}

static bool get_ip(const char *at, char *ip)
{
    return get_text(at, ADDRESS_IP_MAX, ".:-_%", ip, ADDRESS_IP_MAX);
}

enum message_frame message_frame(const void *data, size_t available, size_t *len)
{
    const char *bytes = data;
    size_t visible = available < sizeof(signature) ? available : sizeof(signature);
    if (memcmp(bytes, signature, visible) != 0)
        return MESSAGE_FRAME_BAD;
    if (available < MESSAGE_PREFIX_SIZE)
        return MESSAGE_FRAME_SHORT;
    *len = get32(bytes + AT_LENGTH);
    bool light = (get16(bytes + AT_TYPE) & LIGHT_TYPE_BIT) != 0;
    size_t least = light ? MESSAGE_LIGHT_HEADER_SIZE : MESSAGE_HEADER_SIZE;
    return *len < least || *len > MESSAGE_SIZE_MAX ? MESSAGE_FRAME_BAD : MESSAGE_FRAME_OK;
}

static void read_extension(const char *at, size_t len, struct message *message)
{
    const char *data = at + EXTENSION_HEADER;
    size_t size = len - EXTENSION_HEADER;
    char name[ADDRESS_HOST_MAX];
    switch (get16(at + 4)) {
    case EXTENSION_HOSTNAME:
        /* Zero-terminated within its bytes, so that the view can be used as a C text. */
        if (memchr(data, '\0', size) != NULL && get_text(data, size, ".-_", name, sizeof(name)))
            message->hostname = data;
        break;
    case EXTENSION_SHARD_ID:
        if (size >= NODE_ID_LEN && !get_id(data, &message->told_shard_id))
            message->told_shard_id = (struct node_id){ 0 };
        break;
    default:
        break;
    }
}

/* Length of the extension at the start of the bytes; 0 where it is malformed. */
static size_t extension_length(struct bytes bytes)
{
    if (bytes.len < EXTENSION_HEADER)
        return 0;
    size_t len = get32(bytes.data);
    return len < EXTENSION_HEADER || len % 8 != 0 || len > bytes.len ? 0 : len;
}

static bool read_extensions(struct message *message, struct error *error)
{
    struct bytes rest = message->extension_bytes;
    for (unsigned i = 0; i < message->extension_count; i++) {
        size_t len = extension_length(rest);
        if (len == 0)
            return error_set(error, "extension %u of %u does not fit", i, message->extension_count);
        read_extension(rest.data, len, message);
        rest = (struct bytes){ rest.data + len, rest.len - len };
    }
    message->extension_bytes.len -= rest.len;
    return rest.len == 0 || error_set(error, "%zu bytes behind the last of %u extensions", rest.len,
                                message->extension_count);
}

static bool read_gossip(struct bytes body, struct message *message, struct error *error)
{
    size_t size = (size_t)message->gossip_count * MESSAGE_GOSSIP_SIZE;
    if (body.len < size)
        return error_set(
            error, "%zu bytes are too few for %u gossip entries", body.len, message->gossip_count);
    message->gossip_bytes = (struct bytes){ body.data, size };
    message->extension_bytes = (struct bytes){ body.data + size, body.len - size };
    return read_extensions(message, error);
}

static bool wrong_length(struct bytes body, struct error *error)
{
    return error_set(error, "a body of %zu bytes is not of its type's length", body.len);
}

static bool read_nothing(struct bytes body, struct message *message, struct error *error)
{
    (void)message;
    return body.len == 0 || wrong_length(body, error);
}

static bool read_fail(struct bytes body, struct message *message, struct error *error)
{
    if (body.len != NODE_ID_LEN)
        return wrong_length(body, error);
    return get_id(body.data, &message->node) || error_set(error, "FAIL of what is no node ID");
}

static bool read_update(struct bytes body, struct message *message, struct error *error)
{
    if (body.len != UPDATE_SIZE)
        return wrong_length(body, error);
    message->node_epoch = get64(body.data + UPDATE_AT_EPOCH);
    message->node_slots = (const struct slot_set *)(body.data + UPDATE_AT_SLOTS);
    return get_id(body.data + UPDATE_AT_NODE, &message->node) ||
           error_set(error, "UPDATE of what is no node ID");
}

static bool read_publish(struct bytes body, struct message *message, struct error *error)
{
    if (body.len < PUBLISH_HEADER)
        return wrong_length(body, error);
    size_t channel = get32(body.data), payload = get32(body.data + 4);
    if (channel + payload != body.len - PUBLISH_HEADER)
        return wrong_length(body, error);
    message->channel = (struct bytes){ body.data + PUBLISH_HEADER, channel };
    message->payload = (struct bytes){ body.data + PUBLISH_HEADER + channel, payload };
    return true;
}

/* Modules have messages of their own; there are none here to read them. */
static bool read_anything(struct bytes body, struct message *message, struct error *error)
{
    (void)body, (void)message, (void)error;
    return true;
}

static void write_gossip_and_extensions(const struct message *message, struct buffer *out);

static void write_nothing(const struct message *message, struct buffer *out)
{
    (void)message, (void)out;
}

static void write_fail(const struct message *message, struct buffer *out)
{
    buffer_append(out, message->node.text, NODE_ID_LEN);
}

static void write_update(const struct message *message, struct buffer *out)
{
    buffer_append_u64be(out, message->node_epoch);
    buffer_append(out, message->node.text, NODE_ID_LEN);
    buffer_append(out, message->node_slots->bits, SLOT_BITMAP_SIZE);
}

static void write_publish(const struct message *message, struct buffer *out)
{
    buffer_append_u32be(out, (uint32_t)message->channel.len);
    buffer_append_u32be(out, (uint32_t)message->payload.len);
    buffer_append(out, message->channel.data, message->channel.len);
    buffer_append(out, message->payload.data, message->payload.len);
}

static const struct body {
    bool (*read)(struct bytes body, struct message *message, struct error *error);
    void (*write)(const struct message *message, struct buffer *out);
    bool may_be_light;
} bodies[MESSAGE_TYPES] = {
    [MESSAGE_PING] = { read_gossip, write_gossip_and_extensions, false },
    [MESSAGE_PONG] = { read_gossip, write_gossip_and_extensions, false },
    [MESSAGE_MEET] = { read_gossip, write_gossip_and_extensions, false },
    [MESSAGE_FAIL] = { read_fail, write_fail, false },
    [MESSAGE_PUBLISH] = { read_publish, write_publish, true },
    [MESSAGE_AUTH_REQUEST] = { read_nothing, write_nothing, false },
    [MESSAGE_AUTH_ACK] = { read_nothing, write_nothing, false },
    [MESSAGE_UPDATE] = { read_update, write_update, false },
    [MESSAGE_MFSTART] = { read_nothing, write_nothing, false },
    [MESSAGE_MODULE] = { read_anything, write_nothing, false },
    [MESSAGE_PUBLISHSHARD] = { read_publish, write_publish, true },
};

static bool read_header(const char *at, struct message *message, struct error *error)
{
    message->address.port = get16(at + AT_PORT);
    message->address.bus_port = get16(at + AT_BUS_PORT);
    message->other_port = get16(at + AT_OTHER_PORT);
    message->gossip_count = get16(at + AT_COUNT);
    message->current_epoch = get64(at + AT_CURRENT_EPOCH);
    message->config_epoch = get64(at + AT_CONFIG_EPOCH);
    message->offset = get64(at + AT_OFFSET);
    message->slots = (const struct slot_set *)(at + AT_SLOTS);
    message->flags = get16(at + AT_FLAGS);
    message->is_down = at[AT_STATE] != 0;
    message->marks = (uint8_t)at[AT_MARKS];
    if ((message->marks & MESSAGE_HAS_EXTENSIONS) != 0)
        message->extension_count = get16(at + AT_EXTENSIONS);
    if (!get_id(at + AT_SENDER, &message->sender))
        return error_set(error, "the sender has no node ID");
    if (at[AT_PRIMARY] != '\0' && !get_id(at + AT_PRIMARY, &message->primary))
        return error_set(error, "the sender's primary is no node ID");
    return get_ip(at + AT_IP, message->address.ip) ||
           error_set(error, "the sender's IP is no address");
}

bool message_decode(const void *data, size_t len, struct message *message, struct error *error)
{
    const char *at = data;
    size_t told;
    *message = (struct message){ 0 };
    if (message_frame(data, len, &told) != MESSAGE_FRAME_OK || told != len)
        return error_set(error, "%zu bytes are no whole message", len);
    if (get16(at + AT_VERSION) != PROTOCOL_VERSION)
        return error_set(error, "version %u of the bus, only %d is known",
            (unsigned)get16(at + AT_VERSION), PROTOCOL_VERSION);
    unsigned type = get16(at + AT_TYPE);
    message->light = (type & LIGHT_TYPE_BIT) != 0;
    type &= ~(unsigned)LIGHT_TYPE_BIT;
    if (type >= MESSAGE_TYPES || (message->light && !bodies[type].may_be_light))
        return error_set(error, "message type %u is not known", type);
    message->type = (enum message_type)type;
    if (!message->light && !read_header(at, message, error))
        return false;
    size_t header = message->light ? MESSAGE_LIGHT_HEADER_SIZE : MESSAGE_HEADER_SIZE;
    return bodies[type].read((struct bytes){ at + header, len - header }, message, error);
}

bool message_gossip_at(const struct message *message, unsigned index, struct message_gossip *gossip)
{
    const char *at = message->gossip_bytes.data + (size_t)index * MESSAGE_GOSSIP_SIZE;
    gossip->ping_sent = get32(at + GOSSIP_AT_PING);
    gossip->pong_received = get32(at + GOSSIP_AT_PONG);
    gossip->address.port = get16(at + GOSSIP_AT_PORT);
    gossip->address.bus_port = get16(at + GOSSIP_AT_BUS_PORT);
    gossip->other_port = get16(at + GOSSIP_AT_OTHER_PORT);
    gossip->flags = get16(at + GOSSIP_AT_FLAGS);
    return get_id(at + GOSSIP_AT_ID, &gossip->id) && get_ip(at + GOSSIP_AT_IP, gossip->address.ip);
}

bool message_next_forgotten(
    const struct message *message, size_t *cursor, struct message_forgotten *forgotten)
{
    while (*cursor < message->extension_bytes.len) {
        struct bytes rest = { message->extension_bytes.data + *cursor,
            message->extension_bytes.len - *cursor };
        size_t len = extension_length(rest);
        *cursor += len;
        const char *data = rest.data + EXTENSION_HEADER;
        if (get16(rest.data + 4) != EXTENSION_FORGOTTEN ||
            len < EXTENSION_HEADER + NODE_ID_LEN + sizeof(uint64_t) ||
            !get_id(data, &forgotten->id))
            continue;
        forgotten->seconds = get64(data + NODE_ID_LEN);
        return true;
    }
    return false;
}

static void write_gossip(const struct message_gossip *gossip, struct buffer *out)
{
    char ip[ADDRESS_IP_MAX] = { 0 };
    memcpy(ip, gossip->address.ip, strlen(gossip->address.ip));
    buffer_append(out, gossip->id.text, NODE_ID_LEN);
    buffer_append_u32be(out, gossip->ping_sent);
    buffer_append_u32be(out, gossip->pong_received);
    buffer_append(out, ip, sizeof(ip));
    buffer_append_u16be(out, gossip->address.port);
    buffer_append_u16be(out, gossip->address.bus_port);
    buffer_append_u16be(out, gossip->flags);
    buffer_append_u16be(out, gossip->other_port);
    buffer_append_u16be(out, 0);
}

static void write_extension(
    struct buffer *out, enum extension_type type, const char *data, size_t len)
{
    static const char zeroes[8];
    size_t padded = (len + 7) & ~(size_t)7;
    buffer_append_u32be(out, (uint32_t)(EXTENSION_HEADER + padded));
    buffer_append_u16be(out, (uint16_t)type);
    buffer_append_u16be(out, 0);
    buffer_append(out, data, len);
    buffer_append(out, zeroes, padded - len);
}

static uint16_t count_extensions(const struct message *message)
{
    return (uint16_t)((message->hostname != NULL) + (message->shard_id != NULL));
}

static void write_gossip_and_extensions(const struct message *message, struct buffer *out)
{
    for (unsigned i = 0; i < message->gossip_count; i++)
        write_gossip(&message->gossip[i], out);
    if (message->hostname != NULL)
        write_extension(out, EXTENSION_HOSTNAME, message->hostname, strlen(message->hostname) + 1);
    if (message->shard_id != NULL)
        write_extension(out, EXTENSION_SHARD_ID, message->shard_id->text, NODE_ID_LEN);
}

static void write_header(const struct message *message, char *at)
{
    uint16_t extensions = count_extensions(message);
    uint8_t marks = message->marks;
    if (extensions > 0)
        marks |= MESSAGE_HAS_EXTENSIONS;
    memcpy(at + AT_SIGNATURE, signature, sizeof(signature));
    put16(at + AT_VERSION, PROTOCOL_VERSION);
    put16(at + AT_PORT, message->address.port);
    put16(at + AT_TYPE, (uint16_t)message->type);
    put16(at + AT_COUNT, message->gossip_count);
    put64(at + AT_CURRENT_EPOCH, message->current_epoch);
    put64(at + AT_CONFIG_EPOCH, message->config_epoch);
    put64(at + AT_OFFSET, message->offset);
    memcpy(at + AT_SENDER, message->sender.text, NODE_ID_LEN);
    memcpy(at + AT_SLOTS, message->slots->bits, SLOT_BITMAP_SIZE);
    if (node_id_is_set(&message->primary))
        memcpy(at + AT_PRIMARY, message->primary.text, NODE_ID_LEN);
    memcpy(at + AT_IP, message->address.ip, strlen(message->address.ip));
    put16(at + AT_EXTENSIONS, extensions);
    put16(at + AT_OTHER_PORT, message->other_port);
    put16(at + AT_BUS_PORT, message->address.bus_port);
    put16(at + AT_FLAGS, message->flags);
    at[AT_STATE] = message->is_down ? 1 : 0;
    at[AT_MARKS] = (char)marks;
}

static void write_light_header(const struct message *message, char *at)
{
    memcpy(at, "RCmb", 4);
    put16(at + AT_VERSION, PROTOCOL_VERSION);
    put16(at + AT_TYPE, (uint16_t)(message->type | LIGHT_TYPE_BIT));
}

void message_encode(const struct message *message, struct buffer *out)
{
    size_t start = out->len;
    size_t header = message->light ? MESSAGE_LIGHT_HEADER_SIZE : MESSAGE_HEADER_SIZE;
    buffer_reserve(out, header);
    memset(out->data + start, 0, header);
    if (message->light)
        write_light_header(message, out->data + start);
    else
        write_header(message, out->data + start);
    out->len += header;
    bodies[message->type].write(message, out);
    uint32_t len = htonl((uint32_t)(out->len - start));
    memcpy(out->data + start + AT_LENGTH, &len, sizeof(len));
}
