/* Names: how nodes are called for the eye, and how what a person typed is found again. */
#include "common/number.h"
#include "console/model/model.h"
#include <ctype.h>
#include <stdio.h>

static bool shares_host(const struct model *model)
{
    const char *host = NULL;
    for (size_t i = 0; i < model->node_count; i++) {
        const char *ip = model->nodes[i]->address.ip;
        if (ip[0] != '\0' && host != NULL && strcmp(host, ip) != 0) {
            return false;
        }
        host = ip[0] != '\0' ? ip : host;
    }
    return true;
}

const char *model_node_name(const struct model *model, int index, char *name, size_t size)
{
    if (index < 0 || (size_t)index >= model->node_count) {
        snprintf(name, size, "nobody");
        return name;
    }
    const struct model_node *node = model->nodes[index];
    if (node->address.ip[0] == '\0' || node->address.port == 0) {
        snprintf(name, size, "%.8s", node->id.text);
    } else if (shares_host(model)) {
        snprintf(name, size, "%u", node->address.port);
    } else {
        snprintf(name, size, "%s:%u", node->address.ip, node->address.port);
    }
    return name;
}

int model_find_id(const struct model *model, const struct node_id *id)
{
    size_t low = 0, high = model->by_id != NULL ? model->node_count : 0;
    if (!node_id_is_set(id)) {
        return MODEL_NOBODY;
    }
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(model->nodes[model->by_id[middle]]->id.text, id->text);
        if (order == 0) {
            return model->by_id[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return MODEL_NOBODY;
}

/* Nodes that match one way of naming: how many, and the last of them. */
struct matches {
    unsigned count;
    int last;
};

static void match(struct matches *matches, bool is, size_t index)
{
    if (is) {
        matches->count++;
        matches->last = (int)index;
    }
}

static bool is_port(struct bytes name, uint64_t *port)
{
    if (name.len > 0 && name.data[0] == ':') {
        name.data++;
        name.len--;
    }
    return number_parse_unsigned(name, port) && *port > 0 && *port <= 65535;
}

int model_find_node(const struct model *model, struct bytes name, struct error *error)
{
    struct matches addresses = { 0, 0 }, ids = { 0, 0 };
    struct address address;
    struct error ignored;
    uint64_t port = 0;
    bool has_port = is_port(name, &port);
    bool has_address = !has_port && memchr(name.data, ':', name.len) != NULL &&
                       address_parse(name, &address, &ignored);
    for (size_t i = 0; i < model->node_count; i++) {
        const struct model_node *node = model->nodes[i];
        bool named = has_address && node->address.port == address.port &&
                     (strcmp(node->address.ip, address.ip) == 0 ||
                         strcasecmp(node->hostname, address.ip) == 0 ||
                         (strcmp(address.ip, "localhost") == 0 &&
                             strcmp(node->address.ip, "127.0.0.1") == 0));
        match(&addresses, named || (has_port && node->address.port == port), i);
        match(&ids,
            name.len > 0 && name.len <= NODE_ID_LEN && node_id_is_set(&node->id) &&
                strncasecmp(node->id.text, name.data, name.len) == 0,
            i);
    }
    if (addresses.count == 1) {
        return addresses.last;
    }
    if (addresses.count == 0 && ids.count == 1) {
        return ids.last;
    }
    int len = (int)(name.len < 80 ? name.len : 80);
    if (addresses.count > 1 || ids.count > 1) {
        error_set(error, "\"%.*s\" fits %u nodes: give host:port or more digits of the ID", len,
            name.data, addresses.count > 1 ? addresses.count : ids.count);
    } else {
        error_set(error,
            "no node of the cluster is named \"%.*s\": give host:port, a port, or the "
            "first digits of an ID (slotctl status shows them)",
            len, name.data);
    }
    return MODEL_NOBODY;
}

int model_find_shard(const struct model *model, struct bytes name, struct error *error)
{
    for (size_t i = 0; i < model->shard_count; i++) {
        if (bytes_is(name, model->shards[i].letter)) {
            return (int)i;
        }
    }
    int node = model_find_node(model, name, error);
    if (node == MODEL_NOBODY) {
        return MODEL_NOBODY;
    }
    if (model->nodes[node]->shard < 0) {
        error_set(
            error, "%.*s is in no shard yet", (int)(name.len < 80 ? name.len : 80), name.data);
        return MODEL_NOBODY;
    }
    return model->nodes[node]->shard;
}

void model_write_ranges(const struct slot_set *set, unsigned most, struct buffer *out)
{
    unsigned first = 0, last, count = 0;
    while (slot_set_next_range(set, &first, &last)) {
        if (most > 0 && count == most) {
            buffer_append_text(out, ",...");
            return;
        }
        buffer_append_text(out, count++ > 0 ? "," : "");
        if (first == last) {
            buffer_printf(out, "%u", first);
        } else {
            buffer_printf(out, "%u-%u", first, last);
        }
        first = last + 1;
    }
}

const char *model_write_age(int64_t ms, char *text, size_t size)
{
    static const struct {
        int64_t up_to, unit;
        const char *name;
    } units[] = { { 120000, 1000, "s" }, { 7200000, 60000, "min" }, { 172800000, 3600000, "h" },
        { INT64_MAX, 86400000, "d" } };
    ms = ms > 0 ? ms : 0;
    if (ms > 0 && ms < 100) {
        snprintf(text, size, "%lld ms", (long long)ms);
        return text;
    }
    if (ms < 10000) {
        snprintf(text, size, "%.1f s", (double)ms / 1000);
        return text;
    }
    size_t i = 0;
    while (ms >= units[i].up_to) {
        i++;
    }
    snprintf(text, size, "%lld %s", (long long)(ms / units[i].unit), units[i].name);
    return text;
}
