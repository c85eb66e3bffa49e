/* exec: one command, sent where its key lives. Replies are printed as redis-cli prints them: with
 * types for a person at a terminal, bare for a script. */
#include "common/memory.h"
#include "console/batch/command.h"
#include "console/client/client.h"
#include "console/client/node.h"
#include "console/client/reply.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { REDIRECTS_MAX = 16 };

/* Commands after which the connection no longer answers request by request. */
static const char *const streams[] = { "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR", "SYNC",
    "PSYNC" };

/* --- printing --- */

static void write_quoted(struct buffer *out, const char *data, size_t len)
{
    buffer_append_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        static const char plain[] = "\\\"\n\r\t\a\b", letters[] = "\\\"nrtab";
        const char *special = data[i] != '\0' ? strchr(plain, data[i]) : NULL;
        if (special != NULL) {
            buffer_printf(out, "\\%c", letters[special - plain]);
        } else if ((unsigned char)data[i] < 32 || (unsigned char)data[i] > 126) {
            buffer_printf(out, "\\x%02x", (unsigned char)data[i]);
        } else {
            buffer_append_char(out, data[i]);
        }
    }
    buffer_append_char(out, '"');
}

static void write_typed(struct buffer *out, const redisReply *reply, int indent)
{
    switch (reply->type) {
    case REDIS_REPLY_ERROR:
        buffer_printf(out, "(error) %s\n", reply->str);
        break;
    case REDIS_REPLY_STATUS:
        buffer_printf(out, "%s\n", reply->str);
        break;
    case REDIS_REPLY_INTEGER:
        buffer_printf(out, "(integer) %lld\n", reply->integer);
        break;
    case REDIS_REPLY_STRING:
        write_quoted(out, reply->str, reply->len);
        buffer_append_char(out, '\n');
        break;
    case REDIS_REPLY_ARRAY: {
        int width = snprintf(NULL, 0, "%zu", reply->elements);
        if (reply->elements == 0) {
            buffer_append_text(out, "(empty array)\n");
        }
        for (size_t i = 0; i < reply->elements; i++) {
            buffer_printf(out, "%*s%*zu) ", i > 0 ? indent : 0, "", width, i + 1);
            write_typed(out, reply->element[i], indent + width + 2);
        }
        break;
    }
    default:
        buffer_append_text(out, "(nil)\n");
    }
}

static void write_raw(struct buffer *out, const redisReply *reply)
{
    struct bytes text;
    if (reply_text(reply, &text)) {
        buffer_append(out, text.data, text.len);
    } else if (reply->type == REDIS_REPLY_INTEGER) {
        buffer_printf(out, "%lld", reply->integer);
    } else if (reply->type == REDIS_REPLY_ARRAY) {
        for (size_t i = 0; i < reply->elements; i++) {
            buffer_append_text(out, i > 0 ? "\n" : "");
            write_raw(out, reply->element[i]);
        }
    }
}

/* Bytes that are no UTF-8 have no JSON text: they become {"hex": "..."}. */
static json_t *text_to_json(const char *data, size_t len)
{
    json_t *text = json_stringn(data, len);
    if (text != NULL) {
        return text;
    }
    struct buffer hex = { 0 };
    for (size_t i = 0; i < len; i++) {
        buffer_printf(&hex, "%02x", (unsigned char)data[i]);
    }
    json_t *object = json_pack("{s:s#}", "hex", hex.data, (int)hex.len);
    buffer_free(&hex);
    return object;
}

static json_t *reply_to_json(const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        return json_integer(reply->integer);
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return text_to_json(reply->str, reply->len);
    case REDIS_REPLY_ERROR:
        return json_pack("{s:o}", "error", text_to_json(reply->str, reply->len));
    case REDIS_REPLY_ARRAY: {
        json_t *array = json_array();
        for (size_t i = 0; i < reply->elements; i++) {
            json_array_append_new(array, reply_to_json(reply->element[i]));
        }
        return array;
    }
    default:
        return json_null();
    }
}

/* --- sending --- */

/* Connections stay open for the next command of a batch file. */
struct batch_connections {
    struct client_node **nodes; /* owned */
    size_t count;
};

static struct client_node *connection(struct batch *batch, const struct address *address)
{
    if (batch->connections == NULL) {
        batch->connections = memory_alloc_zeroed(1, sizeof *batch->connections);
    }
    struct batch_connections *all = batch->connections;
    for (size_t i = 0; i < all->count; i++) {
        if (address_equal(client_node_address(all->nodes[i]), address)) {
            return all->nodes[i];
        }
    }
    all->nodes = memory_resize(all->nodes, (all->count + 1) * sizeof *all->nodes);
    return all->nodes[all->count++] = client_node_new(batch->client, address);
}

void batch_connections_free(struct batch_connections *connections)
{
    for (size_t i = 0; connections != NULL && i < connections->count; i++) {
        client_node_free(connections->nodes[i]);
    }
    if (connections != NULL) {
        free(connections->nodes);
        free(connections);
    }
}

/* Follows MOVED and ASK from node to node; address ends as the node that answered. */
static redisReply *ask(struct batch *batch, const struct bytes *argv, size_t argc,
    struct address *address, struct error *error)
{
    bool asking = false;
    for (int hop = 0; hop <= REDIRECTS_MAX; hop++) {
        struct client_node *node = connection(batch, address);
        if (asking) {
            struct bytes word = BYTES("ASKING");
            redisReply *ok = client_node_ask(node, &word, 1, batch->options.timeout_ms, error);
            if (ok == NULL) {
                return NULL;
            }
            freeReplyObject(ok);
        }
        redisReply *reply = client_node_ask(node, argv, argc, batch->options.timeout_ms, error);
        struct reply_redirect redirect;
        if (reply == NULL || !reply_redirect_parse(reply, &redirect)) {
            return reply;
        }
        freeReplyObject(reply);
        if (redirect.host[0] != '\0' && strlen(redirect.host) < sizeof address->ip) {
            memcpy(address->ip, redirect.host, strlen(redirect.host) + 1);
        }
        address->port = redirect.port;
        asking = redirect.ask;
    }
    error_set(error,
        "redirected more than %d times: the nodes disagree who has the slot; see "
        "slotctl check",
        REDIRECTS_MAX);
    return NULL;
}

static void show_reply(struct batch *batch, const redisReply *reply)
{
    struct buffer out = { 0 };
    if (isatty(STDOUT_FILENO)) {
        write_typed(&out, reply, 0);
    } else {
        write_raw(&out, reply);
        buffer_append_char(&out, '\n');
    }
    batch_print_buffer(batch, &out);
    buffer_free(&out);
}

int batch_exec(struct batch *batch, const struct batch_arguments *arguments)
{
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        if (strcasecmp(arguments->words[0], streams[i]) == 0) {
            return batch_fail(batch, BATCH_USAGE,
                "exec runs commands with one answer; %s streams: use redis-cli for it", streams[i]);
        }
    }
    struct bytes *argv = memory_alloc((size_t)arguments->count * sizeof *argv);
    for (int i = 0; i < arguments->count; i++) {
        argv[i] = bytes_of(arguments->words[i]);
    }
    struct address address = batch->options.seed;
    struct error error;
    redisReply *reply = ask(batch, argv, (size_t)arguments->count, &address, &error);
    free(argv);
    if (reply == NULL) {
        return batch_fail(batch, BATCH_NO_CONNECTION, "%s", error.text);
    }
    char where[ADDRESS_TEXT_MAX];
    address_format(where, &address);
    batch_set(batch, "node", json_string(where));
    batch_set(batch, "reply", reply_to_json(reply));
    int code = BATCH_DONE;
    if (reply_is_error(reply)) {
        code = batch_fail(batch, BATCH_PROBLEM, "%s: %s", where, reply->str);
    } else {
        show_reply(batch, reply);
    }
    freeReplyObject(reply);
    return code;
}
