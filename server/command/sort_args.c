#include "server/command/sort_args.h"

#include "common/memory.h"
#include "common/number.h"
#include "server/command/acl_access.h"
#include "server/command/dispatch.h"
#include <stdlib.h>

static bool has_star(struct bytes pattern)
{
    return pattern.len > 0 && memchr(pattern.data, '*', pattern.len);
}

static bool refuse(struct call *call, const char *option)
{
    reply_error(call->reply, "%s option of SORT denied in Cluster mode.", option);
    return false;
}

/* A pattern may name any key. */
static bool may_read_all(struct call *call, const char *option)
{
    if (acl_may_read_all(call))
        return true;
    reply_error(call->reply, "%s option of SORT denied due to insufficient ACL permissions.", option);
    return false;
}

static bool parse_by(struct call *call, int index, struct sort_args *args)
{
    args->by = index;
    args->by_pattern = has_star(call->argv[index]);
    if (!args->by_pattern) {
        args->unsorted = true; /* also where another BY follows */
        return true;
    }
    args->other_keys = true;
    if (dispatch_is_cluster())
        return refuse(call, "BY");
    return may_read_all(call, "BY");
}

static bool parse_get(struct call *call, int index, struct sort_args *args)
{
    if (dispatch_is_cluster())
        return refuse(call, "GET");
    if (!may_read_all(call, "GET"))
        return false;
    args->gets = memory_resize(args->gets, ((size_t)args->get_count + 1) * sizeof(*args->gets));
    args->gets[args->get_count++] = index;
    args->other_keys = args->other_keys || has_star(call->argv[index]);
    return true;
}

bool sort_args_parse(struct call *call, bool read_only, struct sort_args *args)
{
    *args = (struct sort_args){ .limit = -1 };
    for (int i = 2; i < call->argc; i++) {
        struct bytes word = call->argv[i];
        int left = call->argc - i - 1;
        if (bytes_is(word, "ASC") || bytes_is(word, "DESC")) {
            args->descending = bytes_is(word, "DESC");
        } else if (bytes_is(word, "ALPHA")) {
            args->alpha = true;
        } else if (bytes_is(word, "LIMIT") && left >= 2) {
            if (!call_integer(call, i + 1, &args->offset) ||
                !call_integer(call, i + 2, &args->limit))
                return false;
            i += 2;
        } else if (bytes_is(word, "STORE") && !read_only && left >= 1) {
            args->store = ++i;
        } else if (bytes_is(word, "BY") && left >= 1) {
            if (!parse_by(call, ++i, args))
                return false;
        } else if (bytes_is(word, "GET") && left >= 1) {
            if (!parse_get(call, ++i, args))
                return false;
        } else {
            call_error_syntax(call);
            return false;
        }
    }
    return true;
}

void sort_args_free(struct sort_args *args)
{
    free(args->gets);
}

bool sort_names_keys(const struct bytes *argv, int argc)
{
    for (int i = 2; i + 1 < argc; i++) {
        if ((bytes_is(argv[i], "BY") || bytes_is(argv[i], "GET")) && has_star(argv[i + 1]))
            return true;
    }
    return false;
}
