/* Replies come from outside: every look into one checks its type first. */
#include "console/client/reply.h"
#include "common/address.h"
#include "common/number.h"
#include "common/slot.h"

bool reply_is_ok(const redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_STATUS &&
           bytes_is((struct bytes){ reply->str, reply->len }, "OK");
}

bool reply_is_error(const redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_ERROR;
}

bool reply_error_is(const redisReply *reply, const char *code)
{
    size_t len = strlen(code);
    return reply_is_error(reply) && reply->len >= len && memcmp(reply->str, code, len) == 0 &&
           (reply->len == len || reply->str[len] == ' ');
}

bool reply_text(const redisReply *reply, struct bytes *text)
{
    if (reply == NULL || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS &&
                             reply->type != REDIS_REPLY_ERROR)) {
        return false;
    }
    *text = (struct bytes){ reply->str, reply->len };
    return true;
}

bool reply_field(struct bytes info, const char *name, struct bytes *value)
{
    size_t name_len = strlen(name);
    const char *at = info.data, *end = info.data + info.len;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = newline != NULL ? newline : end;
        size_t len = (size_t)(line_end - at);
        if (len > 0 && at[len - 1] == '\r') {
            len--;
        }
        if (len > name_len && at[name_len] == ':' && memcmp(at, name, name_len) == 0) {
            *value = (struct bytes){ at + name_len + 1, len - name_len - 1 };
            return true;
        }
        if (newline == NULL) {
            break;
        }
        at = newline + 1;
    }
    return false;
}

int64_t reply_field_number(struct bytes info, const char *name, int64_t otherwise)
{
    struct bytes value;
    int64_t number;
    return reply_field(info, name, &value) && number_parse(value, &number) ? number : otherwise;
}

static struct bytes next_word(struct bytes *rest)
{
    while (rest->len > 0 && rest->data[0] == ' ') {
        rest->data++;
        rest->len--;
    }
    struct bytes word = { rest->data, 0 };
    while (word.len < rest->len && rest->data[word.len] != ' ') {
        word.len++;
    }
    rest->data += word.len;
    rest->len -= word.len;
    return word;
}

bool reply_redirect_parse(const redisReply *reply, struct reply_redirect *redirect)
{
    bool ask = reply_error_is(reply, "ASK");
    if (!ask && !reply_error_is(reply, "MOVED")) {
        return false;
    }
    struct bytes rest = { reply->str, reply->len };
    next_word(&rest);
    struct bytes slot = next_word(&rest), where = next_word(&rest);
    const char *colon = where.len > 0 ? memrchr(where.data, ':', where.len) : NULL;
    if (colon == NULL || !slot_parse(slot, &redirect->slot)) {
        return false;
    }
    struct bytes host = { where.data, (size_t)(colon - where.data) };
    struct bytes port = { colon + 1, where.len - host.len - 1 };
    uint64_t number;
    if (!number_parse_unsigned(port, &number) || number == 0 || number > 65535 ||
        host.len >= sizeof redirect->host) {
        return false;
    }
    redirect->ask = ask;
    redirect->port = (uint16_t)number;
    memcpy(redirect->host, host.data, host.len);
    redirect->host[host.len] = '\0';
    return true;
}
