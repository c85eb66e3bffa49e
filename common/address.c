/* An IPv6 address has colons of its own and Redis writes it without brackets, so the port is what
 * stands behind the last colon, whatever is before it. */
#include "common/address.h"

#include "common/number.h"
#include <ctype.h>
#include <stdio.h>

static struct bytes slice(struct bytes text, size_t from, size_t to)
{
    return (struct bytes){ text.data + from, to - from };
}

/* Sets *at to where the last c is. */
static bool find_last(struct bytes text, char c, size_t *at)
{
    const char *found = text.len != 0 ? memrchr(text.data, c, text.len) : NULL;
    if (found != NULL)
        *at = (size_t)(found - text.data);
    return found != NULL;
}

static bool parse_port(struct bytes text, uint16_t *port)
{
    uint64_t value;
    if (!number_parse_unsigned(text, &value) || value > UINT16_MAX)
        return false;
    *port = (uint16_t)value;
    return true;
}

static bool parse_host(struct bytes text, char *host)
{
    if (text.len >= 2 && text.data[0] == '[' && text.data[text.len - 1] == ']')
        text = slice(text, 1, text.len - 1);
    if (text.len >= ADDRESS_IP_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!isalnum((unsigned char)text.data[i]) && memchr(".:-_%", text.data[i], 5) == NULL)
            return false;
    }
    memcpy(host, text.data, text.len);
    host[text.len] = '\0';
    return true;
}

bool address_parse(struct bytes text, struct address *address, struct error *error)
{
    *address = (struct address){ 0 };
    int shown = text.len < 80 ? (int)text.len : 80;
    size_t at = text.len, colon;
    bool has_bus_port = find_last(text, '@', &at);
    if (!find_last(slice(text, 0, at), ':', &colon))
        return error_set(error, "\"%.*s\" is no address: it must be host:port", shown, text.data);
    if (has_bus_port && !parse_port(slice(text, at + 1, text.len), &address->bus_port))
        return error_set(
            error, "\"%.*s\" is no address: the bus port must be 0 to 65535", shown, text.data);
    if (!parse_host(slice(text, 0, colon), address->ip))
        return error_set(error,
            "\"%.*s\" is no address: the host must be an IP address or a name of at most %d "
            "letters, digits and . - _",
            shown, text.data, ADDRESS_IP_MAX - 1);
    /* Port 0 is what nodes write of a node that has no address, or no port of the kind asked for.
     */
    if (!parse_port(slice(text, colon + 1, at), &address->port) ||
        (address->port == 0 && address->ip[0] != '\0' && !has_bus_port))
        return error_set(
            error, "\"%.*s\" is no address: the port must be 1 to 65535", shown, text.data);
    return true;
}

size_t address_format(char *out, const struct address *address)
{
    return (size_t)snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", address->ip, (unsigned)address->port);
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->port == b->port && strcmp(a->ip, b->ip) == 0;
}
