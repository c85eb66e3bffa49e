/* status: the cluster in a table, by shard, for the eye; or all of it as JSON. */
#include "common/memory.h"
#include "console/batch/command.h"
#include "console/client/client.h"
#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS = 10, CELL = 48 };

static const struct {
    const char *title;
    bool right;
} columns[COLUMNS] = { { "SHARD", false }, { "ROLE", false }, { "ADDRESS", false }, { "ID", false },
    { "SLOTS", true }, { "KEYS", true }, { "MEMORY", true }, { "OP/S", true }, { "LAG", true },
    { "HEALTH", false } };

struct row {
    char cells[COLUMNS][CELL];
    const char *color; /* of the health; "" plain */
    char slots[200];   /* the ranges, on a line of their own */
    char note[300];    /* why it doesn't answer */
};

static const char *const health_colors[] = {
    [MODEL_UNKNOWN] = "",
    [MODEL_UP] = "\033[32m",
    [MODEL_LOADING] = "\033[33m",
    [MODEL_SUSPECTED] = "\033[33m",
    [MODEL_SILENT] = "\033[31m",
    [MODEL_FAILED] = "\033[31m",
};

static const struct {
    const char *text, *color;
} levels[] = {
    [MODEL_WAITING] = { "waiting", "" },
    [MODEL_OK] = { "OK", "\033[1;32m" },
    [MODEL_WARNING] = { "warning", "\033[1;33m" },
    [MODEL_FAIL] = { "FAIL", "\033[1;31m" },
};

/* "30,112" */
static void write_count(char *out, size_t size, int64_t count)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)count);
    size_t at = 0;
    for (int i = 0; i < len && at + 2 < size; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

/* "41 MB", "12.4k": three digits and a unit. */
static void write_scaled(
    char *out, size_t size, double value, double step, const char *const *units)
{
    size_t unit = 0;
    while (value >= step && units[unit + 1] != NULL) {
        value /= step;
        unit++;
    }
    snprintf(out, size, unit > 0 && value < 10 ? "%.1f%s" : "%.0f%s", value, units[unit]);
}

static void write_size(char *out, size_t size, int64_t bytes)
{
    static const char *const units[] = { " B", " KB", " MB", " GB", " TB", NULL };
    write_scaled(out, size, (double)bytes, 1024, units);
}

static void write_rate(char *out, size_t size, double rate)
{
    static const char *const units[] = { "", "k", "M", NULL };
    write_scaled(out, size, rate, 1000, units);
}

static void fill_figures(const struct model_node *node, struct row *row)
{
    if (node->figures_at == 0) {
        return;
    }
    write_count(row->cells[5], CELL, node->figures.keys);
    write_size(row->cells[6], CELL, node->figures.memory);
    write_rate(row->cells[7], CELL, node->ops);
    if (node->replica && node->lag >= 0) {
        write_size(row->cells[8], CELL, node->lag);
    }
}

static void fill_row(const struct model *model, int index, struct row *row)
{
    const struct model_node *node = model->nodes[index];
    int64_t now = client_now();
    *row = (struct row){ .color = health_colors[node->health] };
    if (node->shard >= 0) {
        snprintf(row->cells[0], CELL, "%s", model->shards[node->shard].letter);
    }
    snprintf(row->cells[1], CELL, "%s", node->replica ? "replica" : "primary");
    snprintf(row->cells[2], CELL, "%.40s:%u", node->address.ip, node->address.port);
    snprintf(row->cells[3], CELL, "%.8s", node->id.text);
    if (!node->replica) {
        snprintf(row->cells[4], CELL, "%u", node->slot_count);
    }
    fill_figures(node, row);
    snprintf(row->cells[9], CELL, "%s", model_health_text(node->health));
    if (node->trouble[0] != '\0') {
        char age[24];
        snprintf(row->note, sizeof row->note, "%s%s%s", node->trouble,
            node->heard_at != 0 ? "; last heard " : "",
            node->heard_at != 0 ? model_write_age(now - node->heard_at, age, sizeof age) : "");
    }
    if (node->slot_count > 0) {
        struct buffer ranges = { 0 };
        model_write_ranges(&node->slots, 8, &ranges);
        snprintf(row->slots, sizeof row->slots, "%.*s", (int)ranges.len, ranges.data);
        buffer_free(&ranges);
    }
}

static void add_row(const struct model *model, int index, struct row *rows, size_t *count)
{
    fill_row(model, index, &rows[(*count)++]);
}

/* By shard, the primary first; nodes without a shard at the end. */
static size_t fill_rows(const struct model *model, struct row *rows)
{
    size_t count = 0;
    for (size_t i = 0; i < model->shard_count; i++) {
        const struct model_shard *shard = &model->shards[i];
        if (shard->primary != MODEL_NOBODY) {
            add_row(model, shard->primary, rows, &count);
        }
        for (unsigned m = 0; m < shard->member_count; m++) {
            add_row(model, shard->members[m], rows, &count);
        }
    }
    for (size_t i = 0; i < model->node_count; i++) {
        if (model->nodes[i]->shard < 0) {
            add_row(model, (int)i, rows, &count);
        }
    }
    return count;
}

static void write_cells(
    struct buffer *out, const int *widths, char cells[COLUMNS][CELL], const char *color)
{
    for (int c = 0; c < COLUMNS; c++) {
        bool last = c == COLUMNS - 1;
        const char *paint = last ? color : "";
        buffer_printf(out, "%s%s%*s%s", c > 0 ? "  " : "", paint,
            last               ? 0
            : columns[c].right ? widths[c]
                               : -widths[c],
            cells[c], paint[0] != '\0' ? "\033[0m" : "");
    }
}

static void write_table(
    const struct batch *batch, struct buffer *out, struct row *rows, size_t count)
{
    int widths[COLUMNS];
    char titles[COLUMNS][CELL];
    for (int c = 0; c < COLUMNS; c++) {
        snprintf(titles[c], CELL, "%s", columns[c].title);
        widths[c] = (int)strlen(titles[c]);
        for (size_t r = 0; r < count; r++) {
            int width = (int)strlen(rows[r].cells[c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    write_cells(out, widths, titles, "");
    buffer_append_char(out, '\n');
    for (size_t r = 0; r < count; r++) {
        write_cells(out, widths, rows[r].cells, batch->color ? rows[r].color : "");
        buffer_printf(out, "%s%s\n", rows[r].slots[0] != '\0' ? "  " : "", rows[r].slots);
        if (rows[r].note[0] != '\0') {
            buffer_printf(out, "       %s\n", rows[r].note);
        }
    }
}

static void write_summary(const struct batch *batch, const struct model *model, struct buffer *out)
{
    char keys[CELL], ops[CELL], memory[CELL];
    write_count(keys, sizeof keys, model->keys);
    write_rate(ops, sizeof ops, model->ops);
    write_size(memory, sizeof memory, model->memory);
    buffer_printf(out, "%s%s%s", batch->color ? levels[model->verdict.level].color : "",
        levels[model->verdict.level].text, batch->color ? "\033[0m" : "");
    if (model->verdict.text[0] != '\0') {
        buffer_printf(out, "  %s", model->verdict.text);
    }

    buffer_printf(out, "\n%zu nodes  %zu shards  %u/%d slots  %s keys  %s op/s  %s\n\n",
        model->node_count, model->shard_count, model->served, SLOT_COUNT, keys, ops, memory);
}

/* --- JSON --- */

static json_t *ranges_to_json(const struct slot_set *set)
{
    json_t *array = json_array();
    unsigned first = 0, last;
    while (slot_set_next_range(set, &first, &last)) {
        json_array_append_new(array, json_pack("[ii]", (int)first, (int)last));
        first = last + 1;
    }
    return array;
}

/* What a node doesn't tell is null. */
static json_t *figure(const struct model_node *node, int64_t value)
{
    return node->figures_at == 0 || value < 0 ? json_null() : json_integer(value);
}

static json_t *node_to_json(const struct model *model, int index)
{
    const struct model_node *node = model->nodes[index];
    char address[ADDRESS_TEXT_MAX];
    address_format(address, &node->address);
    json_t *object = json_object();
    json_object_set_new(object, "id", json_string(node->id.text));
    json_object_set_new(object, "address", json_string(address));
    json_object_set_new(object, "shard",
        node->shard >= 0 ? json_string(model->shards[node->shard].letter) : json_null());
    json_object_set_new(object, "role", json_string(node->replica ? "replica" : "primary"));
    json_object_set_new(object, "primary",
        node_id_is_set(&node->primary) ? json_string(node->primary.text) : json_null());
    json_object_set_new(object, "health", json_string(model_health_text(node->health)));
    json_object_set_new(
        object, "trouble", node->trouble[0] != '\0' ? json_string(node->trouble) : json_null());
    json_object_set_new(object, "config_epoch", json_integer((json_int_t)node->config_epoch));
    json_object_set_new(object, "slot_count", json_integer(node->slot_count));
    json_object_set_new(object, "slots", ranges_to_json(&node->slots));
    json_object_set_new(object, "keys", figure(node, node->figures.keys));
    json_object_set_new(object, "memory", figure(node, node->figures.memory));
    json_object_set_new(object, "clients", figure(node, node->figures.clients));
    json_object_set_new(object, "offset", figure(node, node->figures.offset));
    json_object_set_new(object, "lag", figure(node, node->lag));
    json_object_set_new(object, "uptime", figure(node, node->figures.uptime));
    json_object_set_new(object, "ops", node->figures_at != 0 ? json_real(node->ops) : json_null());
    json_object_set_new(object, "link_up",
        node->replica && node->figures_at != 0 ? json_boolean(node->figures.link_up) : json_null());
    json_object_set_new(object, "version", json_string(node->figures.version));
    return object;
}

static void fill_document(struct batch *batch, const struct model *model)
{
    json_t *nodes = json_array(), *open = json_array();
    for (size_t i = 0; i < model->node_count; i++) {
        json_array_append_new(nodes, node_to_json(model, (int)i));
    }
    for (int s = 0; s < SLOT_COUNT; s++) {
        const struct model_slot *slot = &model->slots[s];
        if (slot->migrating_to != MODEL_NOBODY || slot->importing_at != MODEL_NOBODY) {
            json_array_append_new(open, json_integer(s));
        }
    }
    batch_set(batch, "verdict", json_string(levels[model->verdict.level].text));
    batch_set(batch, "text", json_string(model->verdict.text));
    batch_set(batch, "shards", json_integer((json_int_t)model->shard_count));
    batch_set(batch, "slots_covered", json_integer(model->covered));
    batch_set(batch, "slots_served", json_integer(model->served));
    batch_set(batch, "slots_disputed", json_integer(model->disputed));
    batch_set(batch, "slots_open", open);
    batch_set(batch, "keys", json_integer(model->keys));
    batch_set(batch, "memory", json_integer(model->memory));
    batch_set(batch, "ops", json_real(model->ops));
    batch_set(batch, "epoch", json_integer((json_int_t)model->epoch));
    batch_set(batch, "nodes", nodes);
}

int batch_status(struct batch *batch, const struct batch_arguments *arguments)
{
    struct model *model = batch_model(batch);
    if (model == NULL) {
        return BATCH_NO_CONNECTION;
    }
    struct buffer out = { 0 };
    struct row *rows = memory_alloc((model->node_count + 1) * sizeof *rows);
    size_t count = fill_rows(model, rows);
    write_summary(batch, model, &out);
    write_table(batch, &out, rows, count);
    batch_print_buffer(batch, &out);
    fill_document(batch, model);
    free(rows);
    buffer_free(&out);
    return model->verdict.level == MODEL_FAIL ? BATCH_PROBLEM : BATCH_DONE;
}
