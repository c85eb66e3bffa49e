#include "server/type/stream_id.h"

#include "common/number.h"

struct bytes stream_id_format(struct stream_id id, char *to)
{
    size_t len = number_format_unsigned(to, id.ms);
    to[len++] = '-';
    len += number_format_unsigned(to + len, id.seq);
    return (struct bytes){ to, len };
}
