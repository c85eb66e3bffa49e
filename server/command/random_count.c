#include "server/command/random_count.h"

#include "common/number.h"

/* A reply larger than this nobody has asked for in earnest. */
#define REPLY_BYTES_MAX ((size_t)1 << 30)

bool random_count_parse(struct call *call, int index, int64_t *count)
{
    if (!call_integer(call, index, count))
        return false;
    if (*count != INT64_MIN)
        return true;
    reply_error(call->reply, "value is out of range, value must between %lld and %lld",
        (long long)-INT64_MAX, (long long)INT64_MAX);
    return false;
}

bool random_count_goes_on(struct call *call)
{
    if (call->reply->muted)
        return false;
    if (call->reply->bytes.len < REPLY_BYTES_MAX)
        return true;
    call->session->flags |= SESSION_CLOSE_NOW;
    return false;
}
