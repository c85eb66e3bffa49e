#include "server/command/zset_key.h"

#include "server/config.h"

#include "common/memory.h"
#include <math.h>
#include <stdlib.h>

struct zset_limits zset_key_limits(void)
{
    return (struct zset_limits){ (size_t)config_number(CONFIG_ZSET_MAX_LISTPACK_ENTRIES),
        (size_t)config_number(CONFIG_ZSET_MAX_LISTPACK_VALUE) };
}

/* ---- Changes ---- */

struct zset zset_key_begin(struct call *call, struct key *key)
{
    key_will_change(call, key);
    return zset_of(key);
}

void zset_key_end(struct call *call, struct key *key, const struct zset *zset)
{
    entry_set_value(key->entry, zset->value);
    key->entry->encoding = zset->encoding;
    key_did_change(call, key);
}

void zset_key_delete_empty(struct call *call, struct key *key)
{
    struct zset zset = zset_of(key);
    if (zset_count(&zset) > 0)
        return;
    key_delete(call, key);
    key_notify(call, key, NOTIFY_GENERIC, "del");
}

size_t zset_key_put(struct call *call, int index, struct zset *result, const char *event)
{
    struct key key;
    size_t count = zset_count(result);
    bool there = key_write(call, index, &key);
    if (count > 0) {
        struct entry *entry = entry_create_value(
            key.name, TYPE_ZSET, result->encoding, result->value, ENTRY_NO_EXPIRY);
        key_set(call, &key, entry);
        key_notify(call, &key, NOTIFY_ZSET, event);
        return count;
    }
    zset_free(result);
    if (there) {
        key_delete(call, &key);
        key_notify(call, &key, NOTIFY_GENERIC, "del");
    }
    return 0;
}

void zset_key_store(struct call *call, int index, struct zset *result, const char *event)
{
    reply_integer(call->reply, (int64_t)zset_count(result));
    zset_key_put(call, index, result, event);
}

/* ---- Numbers ---- */

bool zset_parse_double(struct call *call, struct bytes text, const char *error, double *value)
{
    if (number_parse_double(text, value))
        return true;
    reply_error(call->reply, "%s", error ? error : "value is not a valid float");
    return false;
}

bool zset_parse_count(
    struct call *call, struct bytes text, int64_t min, const char *error, int64_t *value)
{
    if (number_parse(text, value) && *value >= min)
        return true;
    reply_error(call->reply, "%s", error ? error : "value is out of range, must be positive");
    return false;
}

/* ---- Ranges ---- */

/* As the C library reads a number: spaces before it and nothing at all are fine, and what is too
 * large is infinite. A zero byte ends the text. */
static bool parse_end(struct bytes text, double *value, bool *without)
{
    char room[256];
    char *copy = text.len < sizeof(room) ? room : memory_alloc(text.len + 1), *end;
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *without = copy[0] == '(';
    *value = strtod(copy + *without, &end);
    bool ok = *end == '\0' && !isnan(*value);
    if (copy != room)
        free(copy);
    return ok;
}

bool zset_parse_scores(
    struct call *call, struct bytes min, struct bytes max, struct zset_score_range *range)
{
    if (parse_end(min, &range->min, &range->without_min) &&
        parse_end(max, &range->max, &range->without_max))
        return true;
    reply_error(call->reply, "min or max is not a float");
    return false;
}

static bool parse_lex_end(struct bytes text, struct zset_lex_end *end)
{
    char first = text.len > 0 ? text.data[0] : '\0';
    end->without = first != '[';
    end->bytes = text;
    switch (first) {
    case '-':
    case '+':
        end->kind = first == '-' ? ZSET_LEX_LOWEST : ZSET_LEX_HIGHEST;
        return text.len == 1 || text.data[1] == '\0';
    case '(':
    case '[':
        end->kind = ZSET_LEX_BYTES;
        end->bytes.data++;
        end->bytes.len--;
        return true;
    default:
        return false;
    }
}

bool zset_parse_members(
    struct call *call, struct bytes min, struct bytes max, struct zset_lex_range *range)
{
    if (parse_lex_end(min, &range->min) && parse_lex_end(max, &range->max))
        return true;
    reply_error(call->reply, "min or max not valid string range item");
    return false;
}
