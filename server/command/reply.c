#include "server/command/reply.h"

#include "common/memory.h"
#include "common/number.h"
#include <math.h>
#include <stdlib.h>

void reply_raw(struct reply *reply, struct bytes resp)
{
    if (!reply->muted)
        buffer_append(&reply->bytes, resp.data, resp.len);
}

void reply_ok(struct reply *reply)
{
    reply_raw(reply, BYTES("+OK\r\n"));
}

void reply_simple(struct reply *reply, const char *text)
{
    if (!reply->muted)
        buffer_printf(&reply->bytes, "+%s\r\n", text);
}

static void remember_error(struct reply *reply, const char *text)
{
    size_t len = strcspn(text, " \r\n");
    if (len >= sizeof(reply->last_error))
        len = sizeof(reply->last_error) - 1;
    memcpy(reply->last_error, text, len);
    reply->last_error[len] = '\0';
    reply->errors++;
}

/* Whether the text begins with one of the codes that clients look for. */
static bool has_code(const char *text)
{
    static const char *const codes[] = {
        "ERR", "ASK", "BUSY", "BUSYGROUP", "BUSYKEY", "CLUSTERDOWN", "CROSSSLOT", "EXECABORT",
        "INPROG", "INVALIDOBJ", "IOERR", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOAUTH",
        "NOGOODSLAVE", "NOGROUP", "NOMASTERLINK", "NOPERM", "NOPROTO", "NOREPLICAS", "NOSCRIPT",
        "NOTBUSY", "OOM", "READONLY", "TESTFAILED", "TRYAGAIN", "UNBLOCKED", "UNKILLABLE",
        "WRONGPASS", "WRONGTYPE" };
    size_t len = strcspn(text, " ");
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        if (strlen(codes[i]) == len && memcmp(codes[i], text, len) == 0)
            return true;
    }
    return false;
}

void reply_error(struct reply *reply, const char *format, ...)
{
    struct buffer text = { 0 };
    va_list args;
    va_start(args, format);
    buffer_vprintf(&text, format, args);
    va_end(args);
    while (text.len > 0 && (text.data[text.len - 1] == '\r' || text.data[text.len - 1] == '\n'))
        text.len--; /* a client's word may end the text, and that word in a line end */
    buffer_terminate(&text);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\r' || text.data[i] == '\n' || text.data[i] == '\0')
            text.data[i] = ' ';
    }
    bool code = has_code(text.data);
    remember_error(reply, code ? text.data : "ERR");
    if (!reply->muted) {
        buffer_append_text(&reply->bytes, code ? "-" : "-ERR ");
        buffer_append(&reply->bytes, text.data, text.len);
        buffer_append_text(&reply->bytes, "\r\n");
    }
    buffer_free(&text);
}

void reply_error_line(struct reply *reply, struct bytes line)
{
    struct buffer text = { 0 };
    buffer_append(&text, line.data, line.len);
    buffer_terminate(&text);
    remember_error(reply, text.data);
    buffer_free(&text);
    reply_raw(reply, BYTES("-"));
    reply_raw(reply, line);
    reply_raw(reply, BYTES("\r\n"));
}

/* A type byte, a number, a line end: in one piece. */
static void header(struct reply *reply, char kind, int64_t value)
{
    if (reply->muted)
        return;
    struct buffer *out = &reply->bytes;
    buffer_reserve(out, NUMBER_TEXT_MAX + 3);
    char *at = out->data + out->len;
    *at++ = kind;
    if (value >= 0 && value <= 9)
        *at++ = (char)('0' + value);
    else
        at += number_format(at, value);
    *at++ = '\r';
    *at++ = '\n';
    out->len = (size_t)(at - out->data);
}

void reply_integer(struct reply *reply, int64_t value)
{
    header(reply, ':', value);
}

void reply_bulk(struct reply *reply, struct bytes value)
{
    if (reply->muted)
        return;
    struct buffer *out = &reply->bytes;
    buffer_reserve(out, value.len + NUMBER_TEXT_MAX + 5);
    char *at = out->data + out->len;
    *at++ = '$';
    at += number_format(at, (int64_t)value.len);
    *at++ = '\r';
    *at++ = '\n';
    if (value.len > 0)
        memcpy(at, value.data, value.len);
    at += value.len;
    *at++ = '\r';
    *at++ = '\n';
    out->len = (size_t)(at - out->data);
}

void reply_bulk_text(struct reply *reply, const char *text)
{
    reply_bulk(reply, bytes_of(text));
}

/* Takes over the reference. */
static void add_blob(struct reply *reply, size_t at, struct blob *blob)
{
    if (reply->blob_count == reply->blob_capacity) {
        reply->blob_capacity = reply->blob_capacity ? reply->blob_capacity * 2 : 4;
        reply->blobs = memory_resize(reply->blobs, reply->blob_capacity * sizeof(*reply->blobs));
    }
    reply->blobs[reply->blob_count++] = (struct reply_blob){ at, blob };
    reply->blob_size += blob->len;
}

void reply_bulk_blob(struct reply *reply, struct blob *blob)
{
    if (reply->muted)
        return;
    if (blob->len < REPLY_BLOB_MIN) {
        reply_bulk(reply, blob_bytes(blob));
        return;
    }
    header(reply, '$', (int64_t)blob->len);
    add_blob(reply, reply->bytes.len, blob_hold(blob));
    buffer_append_text(&reply->bytes, "\r\n");
}

void reply_shared(struct reply *reply, struct blob *text)
{
    if (text->len < REPLY_PUSH_MIN)
        buffer_append(&reply->bytes, text->data, text->len);
    else
        add_blob(reply, reply->bytes.len, blob_hold(text));
}

void reply_bulk_integer(struct reply *reply, int64_t value)
{
    char digits[NUMBER_TEXT_MAX];
    reply_bulk(reply, (struct bytes){ digits, number_format(digits, value) });
}

void reply_null(struct reply *reply)
{
    reply_raw(reply, reply->protocol == 2 ? BYTES("$-1\r\n") : BYTES("_\r\n"));
}

void reply_null_array(struct reply *reply)
{
    reply_raw(reply, reply->protocol == 2 ? BYTES("*-1\r\n") : BYTES("_\r\n"));
}

void reply_array(struct reply *reply, size_t count)
{
    header(reply, '*', (int64_t)count);
}

void reply_map(struct reply *reply, size_t pairs)
{
    if (reply->protocol == 2)
        header(reply, '*', (int64_t)pairs * 2);
    else
        header(reply, '%', (int64_t)pairs);
}

void reply_set(struct reply *reply, size_t count)
{
    header(reply, reply->protocol == 2 ? '*' : '~', (int64_t)count);
}

void reply_push(struct reply *reply, size_t count)
{
    header(reply, reply->protocol == 2 ? '*' : '>', (int64_t)count);
}

void reply_double(struct reply *reply, double value)
{
    char text[128];
    size_t len = number_format_double(text, value);
    if (reply->protocol == 2) {
        reply_bulk(reply, (struct bytes){ text, len });
    } else if (!reply->muted) {
        buffer_append_char(&reply->bytes, ',');
        buffer_append(&reply->bytes, text, len);
        buffer_append_text(&reply->bytes, "\r\n");
    }
}

void reply_bool(struct reply *reply, bool value)
{
    if (reply->protocol == 2)
        reply_integer(reply, value);
    else
        reply_raw(reply, value ? BYTES("#t\r\n") : BYTES("#f\r\n"));
}

void reply_verbatim(struct reply *reply, const char *kind, struct bytes text)
{
    if (reply->protocol == 2) {
        reply_bulk(reply, text);
        return;
    }
    header(reply, '=', (int64_t)text.len + 4);
    if (reply->muted)
        return;
    buffer_append(&reply->bytes, kind, 3);
    buffer_append_char(&reply->bytes, ':');
    buffer_append(&reply->bytes, text.data, text.len);
    buffer_append_text(&reply->bytes, "\r\n");
}

struct reply_mark reply_deferred(struct reply *reply)
{
    reply->begun = true;
    return (struct reply_mark){ reply->bytes.len };
}

/* Opens a gap at the mark for the header that is known only now. */
static void deferred(struct reply *reply, struct reply_mark mark, char kind, size_t count)
{
    if (reply->muted)
        return;
    char line[NUMBER_TEXT_MAX + 3];
    line[0] = kind;
    size_t len = 1 + number_format(line + 1, (int64_t)count);
    line[len++] = '\r';
    line[len++] = '\n';
    buffer_reserve(&reply->bytes, len);
    memmove(
        reply->bytes.data + mark.at + len, reply->bytes.data + mark.at, reply->bytes.len - mark.at);
    memcpy(reply->bytes.data + mark.at, line, len);
    reply->bytes.len += len;
    for (size_t i = reply->blob_count; i > 0 && reply->blobs[i - 1].at >= mark.at; i--)
        reply->blobs[i - 1].at += len;
}

void reply_deferred_array(struct reply *reply, struct reply_mark mark, size_t count)
{
    deferred(reply, mark, '*', count);
}

void reply_deferred_map(struct reply *reply, struct reply_mark mark, size_t pairs)
{
    if (reply->protocol == 2)
        deferred(reply, mark, '*', pairs * 2);
    else
        deferred(reply, mark, '%', pairs);
}

void reply_deferred_set(struct reply *reply, struct reply_mark mark, size_t count)
{
    deferred(reply, mark, reply->protocol == 2 ? '*' : '~', count);
}

static void drop_last_blob(struct reply *reply)
{
    struct blob *blob = reply->blobs[--reply->blob_count].blob;
    reply->blob_size -= blob->len;
    blob_release(blob);
}

void reply_cut(struct reply *reply, size_t len)
{
    while (reply->blob_count > 0 && reply->blobs[reply->blob_count - 1].at > len)
        drop_last_blob(reply);
    reply->bytes.len = len;
}

void reply_forget(struct reply *reply, size_t len, size_t blobs)
{
    for (size_t i = 0; i < blobs; i++) {
        reply->blob_size -= reply->blobs[i].blob->len;
        blob_release(reply->blobs[i].blob);
    }
    reply->blob_count -= blobs;
    if (blobs > 0)
        memmove(reply->blobs, reply->blobs + blobs, reply->blob_count * sizeof(*reply->blobs));
    for (size_t i = 0; i < reply->blob_count; i++)
        reply->blobs[i].at -= len;
    buffer_consume(&reply->bytes, len);
}

void reply_join(struct reply *reply, struct reply *other)
{
    for (size_t i = 0; i < other->blob_count; i++)
        add_blob(reply, reply->bytes.len + other->blobs[i].at, other->blobs[i].blob);
    buffer_append(&reply->bytes, other->bytes.data, other->bytes.len);
    reply->errors += other->errors;
    memcpy(reply->last_error, other->last_error, sizeof(reply->last_error));
    other->bytes.len = other->blob_count = other->blob_size = 0;
}

void reply_take(struct reply *reply, struct reply *other)
{
    size_t before = reply->bytes.len;
    buffer_append(&reply->bytes, other->bytes.data, other->bytes.len);
    for (size_t i = 0; i < other->blob_count; i++)
        add_blob(reply, before + other->blobs[i].at, blob_hold(other->blobs[i].blob));
    reply_free(other);
    other->bytes = (struct buffer){ 0 };
}

void reply_free(struct reply *reply)
{
    while (reply->blob_count > 0) /* also one that stands at 0: what was before it is out */
        drop_last_blob(reply);
    free(reply->blobs);
    buffer_free(&reply->bytes);
    reply->blobs = NULL;
    reply->blob_capacity = 0;
}
