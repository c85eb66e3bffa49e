/* A line is cut at its spaces; each of the first eight fields has a reader of its own in a table,
 * and what follows are slots. The text comes from another process or from a file that may be
 * damaged, so each field is refused with the line and a word on what it should have been. */
#include "common/topology.h"

#include "common/memory.h"
#include "common/number.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    NODES_MAX = SLOT_COUNT, /* a cluster of more would have nodes that can never serve a slot */
    SHOWN_MAX = 60,         /* bytes of a bad field that an error shows */
};

/* The names in the order in which Redis writes them. */
static const struct flag_name {
    const char *name;
    unsigned flag;
} flag_names[] = {
    { "myself", NODE_MYSELF },
    { "master", NODE_PRIMARY },
    { "slave", NODE_REPLICA },
    { "fail?", NODE_PFAIL },
    { "fail", NODE_FAIL },
    { "handshake", NODE_HANDSHAKE },
    { "noaddr", NODE_NO_ADDRESS },
    { "nofailover", NODE_NO_FAILOVER },
    { "noflags", 0 },
};
enum { FLAG_NAMES = sizeof(flag_names) / sizeof(flag_names[0]) };

/* An array that doubles whenever its count reaches a power of two. */
static void *make_room(void *items, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return items;
    return memory_resize(items, (count != 0 ? count * 2 : 1) * size);
}

/* Cuts what is before the first `separator` off `text`; false when the text is used up. */
static bool next_part(struct bytes *text, char separator, struct bytes *part)
{
    if (text->data == NULL)
        return false;
    const char *found = text->len != 0 ? memchr(text->data, separator, text->len) : NULL;
    *part = *text;
    if (found == NULL) {
        *text = (struct bytes){ 0 };
    } else {
        part->len = (size_t)(found - text->data);
        *text = (struct bytes){ found + 1, text->len - part->len - 1 };
    }
    return true;
}

static bool refuse(struct error *error, struct bytes field, const char *expected)
{
    int shown = field.len < SHOWN_MAX ? (int)field.len : SHOWN_MAX;
    return error_set(error, "\"%.*s\" is not %s", shown, field.data, expected);
}

static bool read_id(struct bytes field, struct topology_node *node, struct error *error)
{
    return node_id_parse(field, &node->id) || refuse(error, field, "a node ID of 40 hex digits");
}

static bool read_hostname(struct bytes field, struct topology_node *node, struct error *error)
{
    for (size_t i = 0; i < field.len; i++) {
        if (!isgraph((unsigned char)field.data[i]))
            return refuse(error, field, "a host name");
    }
    if (field.len >= sizeof(node->hostname))
        return refuse(error, field, "a host name of less than 256 bytes");
    memcpy(node->hostname, field.data, field.len);
    node->hostname[field.len] = '\0';
    return true;
}

/* ip:port@cport[,hostname][,name=value]... A host name has no '=', so it may be left out. */
static bool read_address(struct bytes field, struct topology_node *node, struct error *error)
{
    struct bytes part = { 0 }, shard = BYTES("shard-id=");
    next_part(&field, ',', &part);
    if (!address_parse(part, &node->address, error))
        return false;
    for (bool first = true; next_part(&field, ',', &part); first = false) {
        bool is_aux = part.len != 0 && memchr(part.data, '=', part.len) != NULL;
        if (first && !is_aux && !read_hostname(part, node, error))
            return false;
        if (part.len < shard.len || memcmp(part.data, shard.data, shard.len) != 0)
            continue;
        struct bytes id = { part.data + shard.len, part.len - shard.len };
        if (!node_id_parse(id, &node->shard_id))
            return refuse(error, id, "a shard ID of 40 hex digits");
    }
    return true;
}

static bool read_flags(struct bytes field, struct topology_node *node, struct error *error)
{
    struct bytes part;
    while (next_part(&field, ',', &part)) {
        size_t i = 0;
        while (i < FLAG_NAMES && !bytes_equal(part, bytes_of(flag_names[i].name)))
            i++;
        if (i == FLAG_NAMES)
            return refuse(error, part, "a node flag");
        node->flags |= flag_names[i].flag;
    }
    return true;
}

static bool read_primary(struct bytes field, struct topology_node *node, struct error *error)
{
    return bytes_is(field, "-") || node_id_parse(field, &node->primary) ||
           refuse(error, field, "a primary's node ID of 40 hex digits, or -");
}

static bool read_time(struct bytes field, int64_t *time, struct error *error)
{
    return (number_parse(field, time) && *time >= 0) ||
           refuse(error, field, "a time in milliseconds");
}

static bool read_ping_sent(struct bytes field, struct topology_node *node, struct error *error)
{
    return read_time(field, &node->ping_sent, error);
}

static bool read_pong_received(struct bytes field, struct topology_node *node, struct error *error)
{
    return read_time(field, &node->pong_received, error);
}

static bool read_config_epoch(struct bytes field, struct topology_node *node, struct error *error)
{
    return number_parse_unsigned(field, &node->config_epoch) || refuse(error, field, "an epoch");
}

static bool read_link(struct bytes field, struct topology_node *node, struct error *error)
{
    node->connected = bytes_is(field, "connected");
    return node->connected || bytes_is(field, "disconnected") ||
           refuse(error, field, "a link state: it must be connected or disconnected");
}

static const struct field {
    const char *name;
    bool (*read)(struct bytes field, struct topology_node *node, struct error *error);
} fields[] = {
    { "node ID", read_id },
    { "address", read_address },
    { "flags", read_flags },
    { "primary", read_primary },
    { "ping-sent", read_ping_sent },
    { "pong-received", read_pong_received },
    { "config-epoch", read_config_epoch },
    { "link state", read_link },
};

/* [slot->-id] is on its way to that node, [slot-<-id] comes from it. */
static bool read_move(struct bytes field, struct topology_node *node, struct error *error)
{
    static const char form[] = "a slot on its way: it must be [slot->-id] or [slot-<-id]";
    const char *dash = memchr(field.data, '-', field.len);
    struct topology_move move;
    unsigned slot;
    if (dash == NULL || field.data[field.len - 1] != ']' ||
        !slot_parse((struct bytes){ field.data + 1, (size_t)(dash - field.data - 1) }, &slot))
        return refuse(error, field, form);
    struct bytes rest = { dash, (size_t)(field.data + field.len - 1 - dash) };
    if (rest.len < 3 || (rest.data[1] != '<' && rest.data[1] != '>') || rest.data[2] != '-' ||
        !node_id_parse((struct bytes){ rest.data + 3, rest.len - 3 }, &move.peer))
        return refuse(error, field, form);
    if (node->move_count == SLOT_COUNT)
        return error_set(error, "more slots on their way than there are slots");
    move.slot = (uint16_t)slot;
    move.importing = rest.data[1] == '<';
    node->moves = make_room(node->moves, node->move_count, sizeof(move));
    node->moves[node->move_count++] = move;
    return true;
}

static bool read_slots(struct bytes field, struct topology_node *node, struct error *error)
{
    unsigned first, last;
    if (!slot_parse_range(field, &first, &last))
        return refuse(error, field, "a slot or a range of slots, of 0 to 16383");
    slot_set_add_range(&node->slots, first, last);
    return true;
}

static bool read_node(struct bytes line, struct topology_node *node, struct error *error)
{
    struct bytes field;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (!next_part(&line, ' ', &field))
            return error_set(error, "the line ends before its %s", fields[i].name);
        if (!fields[i].read(field, node, error))
            return error_prefix(error, "%s", fields[i].name);
    }
    while (next_part(&line, ' ', &field)) {
        if (field.len == 0)
            continue;
        bool is_move = field.data[0] == '[';
        if (!(is_move ? read_move : read_slots)(field, node, error))
            return false;
    }
    return true;
}

/* What stands behind vars: name value [name value]...; a name that is not known is left to those
 * who know it. */
static bool read_vars(struct bytes line, struct topology *topology, struct error *error)
{
    struct bytes name, text;
    while (next_part(&line, ' ', &name)) {
        uint64_t value;
        if (name.len == 0)
            continue;
        if (!next_part(&line, ' ', &text) || text.len == 0)
            return refuse(error, name, "followed by a value");
        uint64_t *epoch = bytes_is(name, "currentEpoch")    ? &topology->current_epoch
                          : bytes_is(name, "lastVoteEpoch") ? &topology->last_vote_epoch
                                                            : NULL;
        if (epoch == NULL)
            continue;
        if (!number_parse_unsigned(text, &value))
            return refuse(error, text, "an epoch");
        *epoch = value;
    }
    return true;
}

struct parser {
    struct topology *topology;
    size_t *line_of; /* of each node of the topology */
    size_t line;
    bool has_myself;
};

static bool read_line(struct parser *parser, struct bytes line, struct error *error)
{
    struct topology *topology = parser->topology;
    struct bytes rest = line, word = { 0 };
    next_part(&rest, ' ', &word);
    if (bytes_is(word, "vars"))
        return read_vars(rest, topology, error);
    if (topology->count == NODES_MAX)
        return error_set(error, "more than %d nodes", NODES_MAX);
    topology->nodes = make_room(topology->nodes, topology->count, sizeof(topology->nodes[0]));
    parser->line_of = make_room(parser->line_of, topology->count, sizeof(parser->line_of[0]));
    parser->line_of[topology->count] = parser->line;
    struct topology_node *node = &topology->nodes[topology->count++];
    *node = (struct topology_node){ 0 };
    if (!read_node(line, node, error))
        return false;
    if ((node->flags & NODE_MYSELF) != 0 && parser->has_myself)
        return error_set(error, "a second node is myself: there must be one");
    parser->has_myself |= (node->flags & NODE_MYSELF) != 0;
    return true;
}

/* By ID; of two with one ID the earlier line goes first. */
static int compare_nodes(const void *a, const void *b)
{
    const struct topology_node *left = *(const struct topology_node *const *)a;
    const struct topology_node *right = *(const struct topology_node *const *)b;
    int order = strcmp(left->id.text, right->id.text);
    return order != 0 ? order : (left > right) - (left < right);
}

/* Sorts, as the IDs may be chosen by someone who wants a hash table to be slow. */
static bool check_ids_differ(struct parser *parser, struct error *error)
{
    const struct topology *topology = parser->topology;
    const struct topology_node **sorted = memory_alloc(topology->count * sizeof(sorted[0]));
    for (size_t i = 0; i < topology->count; i++)
        sorted[i] = &topology->nodes[i];
    qsort(sorted, topology->count, sizeof(sorted[0]), compare_nodes);
    const struct topology_node *twice = NULL;
    for (size_t i = 1; i < topology->count && twice == NULL; i++) {
        if (node_id_equal(&sorted[i - 1]->id, &sorted[i]->id))
            twice = sorted[i];
    }
    free(sorted);
    if (twice == NULL)
        return true;
    parser->line = parser->line_of[twice - topology->nodes];
    return error_set(error, "node %s stands in an earlier line too", twice->id.text);
}

static bool read_lines(struct parser *parser, struct bytes text, struct error *error)
{
    struct bytes line;
    while (next_part(&text, '\n', &line)) {
        parser->line++;
        if (line.len != 0 && !read_line(parser, line, error))
            return false;
    }
    return check_ids_differ(parser, error);
}

bool topology_parse(struct bytes text, struct topology *topology, struct error *error)
{
    *topology = (struct topology){ 0 };
    struct parser parser = { .topology = topology };
    bool ok = read_lines(&parser, text, error);
    free(parser.line_of);
    if (ok)
        return true;
    topology_free(topology);
    return error_prefix(error, "line %zu", parser.line);
}

void topology_free(struct topology *topology)
{
    for (size_t i = 0; i < topology->count; i++)
        free(topology->nodes[i].moves);
    free(topology->nodes);
    *topology = (struct topology){ 0 };
}

void topology_write_flags(struct buffer *out, unsigned flags)
{
    size_t start = out->len;
    for (size_t i = 0; i < FLAG_NAMES; i++) {
        if ((flags & flag_names[i].flag) == 0)
            continue;
        if (out->len > start)
            buffer_append_char(out, ',');
        buffer_append_text(out, flag_names[i].name);
    }
    if (out->len == start)
        buffer_append_text(out, "noflags");
}

static void write_slots(struct buffer *out, const struct topology_node *node)
{
    unsigned first = 0, last;
    for (; slot_set_next_range(&node->slots, &first, &last); first = last + 1) {
        buffer_printf(out, " %u", first);
        if (last > first)
            buffer_printf(out, "-%u", last);
    }
    for (size_t i = 0; i < node->move_count; i++) {
        const struct topology_move *move = &node->moves[i];
        buffer_printf(out, " [%u-%c-%s]", move->slot, move->importing ? '<' : '>', move->peer.text);
    }
}

void topology_write_node(struct buffer *out, const struct topology_node *node, bool with_aux)
{
    char address[ADDRESS_TEXT_MAX];
    address_format(address, &node->address);
    buffer_printf(out, "%s %s@%u", node->id.text, address, (unsigned)node->address.bus_port);
    bool has_shard = with_aux && node_id_is_set(&node->shard_id);
    if (node->hostname[0] != '\0' || has_shard)
        buffer_printf(out, ",%s", node->hostname);
    if (has_shard)
        buffer_printf(out, ",shard-id=%s", node->shard_id.text);
    buffer_append_char(out, ' ');
    topology_write_flags(out, node->flags);
    buffer_printf(out, " %s %" PRId64 " %" PRId64 " %" PRIu64 " %s",
        node_id_is_set(&node->primary) ? node->primary.text : "-", node->ping_sent,
        node->pong_received, node->config_epoch, node->connected ? "connected" : "disconnected");
    write_slots(out, node);
    buffer_append_char(out, '\n');
}
