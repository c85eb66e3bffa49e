/* The table is an array sorted by ID: found by halving, picked from at random by index, and printed
 * in order. Nodes come and go rarely, so the moving of pointers at an insertion costs nothing that
 * matters. */
#include "server/cluster/node.h"

#include "common/memory.h"
#include <stdlib.h>

void node_set_primary(struct cluster_node *node, struct cluster_node *primary)
{
    if (node->primary == primary)
        return;
    if (node->primary != NULL && --node->primary->replica_count == 0)
        node->primary->flags &= ~(unsigned)NODE_MIGRATE_TO;
    node->primary = primary;
    if (primary == NULL)
        return;
    primary->replica_count++;
    primary->flags |= NODE_MIGRATE_TO;
}

static void drop_old_reports(struct cluster_node *node, int64_t oldest)
{
    size_t kept = 0;
    for (size_t i = 0; i < node->report_count; i++) {
        if (node->reports[i].time >= oldest)
            node->reports[kept++] = node->reports[i];
    }
    node->report_count = kept;
}

void node_add_report(
    struct cluster_node *node, const struct cluster_node *reporter, int64_t now, int64_t oldest)
{
    drop_old_reports(node, oldest);
    for (size_t i = 0; i < node->report_count; i++) {
        if (node->reports[i].reporter == reporter) {
            node->reports[i].time = now;
            return;
        }
    }
    size_t size = (node->report_count + 1) * sizeof(node->reports[0]);
    node->reports = memory_resize(node->reports, size);
    node->reports[node->report_count++] = (struct failure_report){ reporter, now };
}

bool node_drop_report(struct cluster_node *node, const struct cluster_node *reporter)
{
    for (size_t i = 0; i < node->report_count; i++) {
        if (node->reports[i].reporter != reporter)
            continue;
        node->reports[i] = node->reports[--node->report_count];
        return true;
    }
    return false;
}

unsigned node_count_reports(struct cluster_node *node, int64_t oldest)
{
    drop_old_reports(node, oldest);
    return (unsigned)node->report_count;
}

/* Where the ID is, or would have to be. */
static size_t position_of(const struct node_table *table, const struct node_id *id)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (memcmp(table->items[middle]->id.text, id->text, NODE_ID_LEN) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct cluster_node *nodes_find(const struct node_table *table, const struct node_id *id)
{
    size_t at = position_of(table, id);
    bool found = at < table->count && node_id_equal(&table->items[at]->id, id);
    return found ? table->items[at] : NULL;
}

static void insert(struct node_table *table, struct cluster_node *node)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity != 0 ? table->capacity * 2 : 16;
        table->items = memory_resize(table->items, table->capacity * sizeof(table->items[0]));
    }
    size_t at = position_of(table, &node->id);
    memmove(
        &table->items[at + 1], &table->items[at], (table->count - at) * sizeof(table->items[0]));
    table->items[at] = node;
    table->count++;
}

static void take_out(struct node_table *table, const struct cluster_node *node)
{
    size_t at = position_of(table, &node->id);
    table->count--;
    memmove(
        &table->items[at], &table->items[at + 1], (table->count - at) * sizeof(table->items[0]));
}

struct cluster_node *nodes_add(
    struct node_table *table, const struct node_id *id, unsigned flags, int64_t now)
{
    bool handshake = (flags & NODE_HANDSHAKE) != 0;
    if (table->count >= NODES_MAX || (handshake && table->handshakes >= HANDSHAKES_MAX) ||
        nodes_find(table, id) != NULL)
        return NULL;
    struct cluster_node *node = memory_alloc_zeroed(1, sizeof(*node));
    node->id = *id;
    node->flags = flags;
    node->created = now;
    table->handshakes += handshake;
    insert(table, node);
    return node;
}

bool nodes_rename(struct node_table *table, struct cluster_node *node, const struct node_id *id)
{
    if (nodes_find(table, id) != NULL)
        return false;
    take_out(table, node);
    node->id = *id;
    insert(table, node);
    return true;
}

void nodes_end_handshake(struct node_table *table, struct cluster_node *node)
{
    table->handshakes -= node_has(node, NODE_HANDSHAKE);
    node->flags &= ~(unsigned)(NODE_HANDSHAKE | NODE_MEET);
}

static void free_node(struct cluster_node *node)
{
    free(node->reports);
    free(node);
}

void nodes_remove(struct node_table *table, struct cluster_node *node)
{
    nodes_end_handshake(table, node);
    take_out(table, node);
    node_set_primary(node, NULL);
    for (size_t i = 0; i < table->count; i++) {
        node_drop_report(table->items[i], node);
        if (table->items[i]->primary == node)
            node_set_primary(table->items[i], NULL);
    }
    free_node(node);
}

void nodes_free(struct node_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free_node(table->items[i]);
    free(table->items);
    *table = (struct node_table){ 0 };
}

unsigned nodes_count_good_replicas(
    const struct node_table *table, const struct cluster_node *primary)
{
    unsigned good = 0;
    if (primary->replica_count == 0)
        return 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct cluster_node *node = table->items[i];
        good += node->primary == primary && !node_has(node, NODE_FAIL | NODE_PFAIL);
    }
    return good;
}
