#include "server/command/list_key.h"

#include "common/number.h"
#include "server/config.h"

struct list *list_new(void)
{
    return list_create(
        config_number(CONFIG_LIST_MAX_LISTPACK_SIZE), config_number(CONFIG_LIST_COMPRESS_DEPTH));
}

struct list *list_to_change(struct call *call, struct key *key)
{
    key_will_change(call, key);
    return entry_value(key->entry);
}

void list_push_all(
    struct call *call, struct key *key, enum list_end end, const struct bytes *values, int count)
{
    struct list *list = key->entry ? list_to_change(call, key) : list_new();
    for (int i = 0; i < count; i++)
        list_push(list, end, values[i]);
    if (key->entry) {
        key_did_change(call, key);
        block_signal(call, key);
    } else {
        key_set(call, key,
            entry_create_value(key->name, TYPE_LIST, ENCODING_QUICKLIST, list, ENTRY_NO_EXPIRY));
    }
}

void list_tell_pushed(struct call *call, struct key *key, enum list_end end)
{
    key_notify(call, key, NOTIFY_LIST, end == LIST_HEAD ? "lpush" : "rpush");
}

void list_lost_some(struct call *call, struct key *key, const char *event)
{
    bool empty = list_of(key)->count == 0;
    key_notify(call, key, NOTIFY_LIST, event);
    if (empty) {
        key_delete(call, key);
        key_notify(call, key, NOTIFY_GENERIC, "del");
    } else {
        key_did_change(call, key);
    }
}

void list_pop_some(struct call *call, struct key *key, enum list_end end, size_t count)
{
    struct list *list = list_to_change(call, key);
    list_remove(list, end == LIST_HEAD ? 0 : list->count - count, count);
    list_lost_some(call, key, end == LIST_HEAD ? "lpop" : "rpop");
}

bool list_parse_end(struct call *call, int index, enum list_end *end)
{
    *end = bytes_is(call->argv[index], "LEFT") ? LIST_HEAD : LIST_TAIL;
    if (*end == LIST_HEAD || bytes_is(call->argv[index], "RIGHT"))
        return true;
    call_error_syntax(call);
    return false;
}

bool list_parse_count(
    struct call *call, int index, int64_t least, const char *error, int64_t *count)
{
    if (number_parse(call->argv[index], count) && *count >= least)
        return true;
    reply_error(call->reply, "%s", error);
    return false;
}

void list_reply_range(
    struct call *call, const struct list *list, size_t index, size_t count, int step)
{
    struct list_cursor cursor;
    char scratch[NUMBER_TEXT_MAX];
    reply_array(call->reply, count);
    if (count == 0)
        return;
    list_seek(&cursor, list, (int64_t)index);
    for (;;) {
        reply_bulk(call->reply, list_get(&cursor, scratch));
        if (--count == 0)
            break;
        if (step > 0)
            list_next(&cursor);
        else
            list_previous(&cursor);
    }
    list_cursor_end(&cursor);
}
