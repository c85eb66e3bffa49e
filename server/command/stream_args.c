/* IDs and entries of streams between clients and values. */
#include "server/command/stream.h"

#include "common/number.h"

struct stream *stream_open(struct call *call, struct key *key)
{
    key_will_change(call, key);
    return stream_of(key);
}

/* ---- IDs ---- */

bool stream_id_read(struct bytes text, uint64_t missing, struct stream_id *id)
{
    const char *dash = memchr(text.data, '-', text.len);
    size_t ms_len = dash ? (size_t)(dash - text.data) : text.len;
    id->seq = missing;
    return number_parse_unsigned((struct bytes){ text.data, ms_len }, &id->ms) &&
           (!dash ||
               number_parse_unsigned((struct bytes){ dash + 1, text.len - ms_len - 1 }, &id->seq));
}

static bool refuse_id(struct call *call)
{
    reply_error(call->reply, "Invalid stream ID specified as stream command argument");
    return false;
}

bool stream_id_parse(struct call *call, int index, uint64_t missing, struct stream_id *id)
{
    return stream_id_read(call->argv[index], missing, id) || refuse_id(call);
}

bool stream_interval_parse(struct call *call, int index, bool is_start, struct stream_id *id)
{
    struct bytes text = call->argv[index];
    uint64_t missing = is_start ? 0 : UINT64_MAX;
    bool excluded = text.len > 1 && text.data[0] == '(';
    if (excluded) {
        if (!stream_id_read((struct bytes){ text.data + 1, text.len - 1 }, missing, id))
            return refuse_id(call);
        if (is_start ? stream_id_increase(id) : stream_id_decrease(id))
            return true;
        reply_error(call->reply, "invalid %s ID for the interval", is_start ? "start" : "end");
        return false;
    }
    if (text.len == 1 && (text.data[0] == '-' || text.data[0] == '+')) {
        *id = text.data[0] == '-' ? STREAM_ID_MIN : STREAM_ID_MAX;
        return true;
    }
    return stream_id_read(text, missing, id) || refuse_id(call);
}

/* ---- Replies ---- */

void stream_reply_id(struct call *call, struct stream_id id)
{
    char text[STREAM_ID_TEXT_MAX];
    reply_bulk(call->reply, stream_id_format(id, text));
}

void stream_reply_entry(struct call *call, struct stream_entry *entry)
{
    char name_scratch[NUMBER_TEXT_MAX], value_scratch[NUMBER_TEXT_MAX];
    reply_array(call->reply, 2);
    stream_reply_id(call, entry->id);
    reply_array(call->reply, entry->field_count * 2);
    for (size_t i = 0; i < entry->field_count; i++) {
        struct bytes name, value;
        stream_field(entry, &name, &value, name_scratch, value_scratch);
        reply_bulk(call->reply, name);
        reply_bulk(call->reply, value);
    }
}

bool stream_reply_id_entry(struct call *call, const struct stream *stream, struct stream_id id)
{
    struct stream_cursor cursor = stream_walk(stream, id, id, false);
    struct stream_entry entry;
    if (!stream_next(&cursor, &entry))
        return false;
    stream_reply_entry(call, &entry);
    return true;
}

void stream_reply_range(struct call *call, const struct stream *stream, struct stream_id from,
    struct stream_id to, bool backwards, uint64_t limit)
{
    struct stream_cursor cursor = stream_walk(stream, from, to, backwards);
    struct stream_entry entry;
    uint64_t count = 0;
    struct reply_mark mark = reply_deferred(call->reply);
    while ((limit == 0 || count < limit) && stream_next(&cursor, &entry)) {
        stream_reply_entry(call, &entry);
        count++;
    }
    reply_deferred_array(call->reply, mark, count);
}

/* ---- Effects of groups ---- */

void stream_effect_claim(struct call *call, const struct key *key, const struct stream_group *group,
    struct stream_id id, struct bytes consumer, const struct stream_pending *pending)
{
    char id_text[STREAM_ID_TEXT_MAX], last_text[STREAM_ID_TEXT_MAX];
    char time_text[NUMBER_TEXT_MAX], count_text[NUMBER_TEXT_MAX];
    struct bytes time = { time_text, number_format(time_text, pending->delivered_ms) };
    struct bytes count = { count_text, number_format_unsigned(count_text, pending->deliveries) };
    struct bytes argv[] = { BYTES("XCLAIM"), key->name, stream_group_name(group), consumer,
        BYTES("0"), stream_id_format(id, id_text), BYTES("TIME"), time, BYTES("RETRYCOUNT"), count,
        BYTES("FORCE"), BYTES("JUSTID"), BYTES("LASTID"),
        stream_id_format(group->last_id, last_text) };
    call_effect(call, argv, sizeof(argv) / sizeof(*argv));
}

void stream_effect_position(
    struct call *call, const struct key *key, const struct stream_group *group)
{
    char id_text[STREAM_ID_TEXT_MAX], read_text[NUMBER_TEXT_MAX];
    struct bytes read = { read_text, number_format(read_text, group->entries_read) };
    struct bytes argv[] = { BYTES("XGROUP"), BYTES("SETID"), key->name, stream_group_name(group),
        stream_id_format(group->last_id, id_text), BYTES("ENTRIESREAD"), read };
    call_effect(call, argv, sizeof(argv) / sizeof(*argv));
}
