/* LOLWUT, a picture made of dots, and TIME. The dots are those of braille letters, eight to a
 * character. A picture is a rule that says of a place whether there is a dot; each says something
 * about numbers that come in powers of two, as slots do. */
#include "server/clock.h"
#include "server/command/call.h"
#include "server/command/families.h"
#include "server/command/rows.h"

#include <stdlib.h>

enum {
    EDGE = 64, /* dots, unless asked for another number */
    EDGE_MIN = 8,
    EDGE_MAX = 128, /* 128 * 128 slots */
    VERSION_NEWEST = 7,
};

/* Places that have no bit in common: a triangle of triangles. */
static bool is_in_triangle(unsigned x, unsigned y, unsigned edge)
{
    return (x & y) == 0;
}

/* Whether the bits of both together are odd in number: no row of it ever repeats. */
static bool is_uneven(unsigned x, unsigned y, unsigned edge)
{
    return __builtin_popcount(x ^ y) & 1;
}

/* Squares modulo the edge: rings, and rings again between them. */
static bool is_on_ring(unsigned x, unsigned y, unsigned edge)
{
    int across = 2 * (int)x - (int)edge + 1, down = 2 * (int)y - (int)edge + 1;
    return (unsigned)(across * across + down * down) / 4 % edge < edge / 3;
}

static const struct picture {
    int64_t version;
    bool (*is_dot)(unsigned x, unsigned y, unsigned edge);
    const char *title;
} pictures[] = {
    { 5, is_in_triangle, "A slot and its neighbours that share no bit" },
    { 6, is_uneven, "Odd and even, by Thue and Morse" },
    { VERSION_NEWEST, is_on_ring, "Rings of squares" },
};

static void draw(const struct picture *picture, unsigned edge, struct buffer *out)
{
    static const unsigned char dots[4][2] = { { 1, 8 }, { 2, 16 }, { 4, 32 }, { 64, 128 } };
    for (unsigned top = 0; top < edge; top += 4) {
        for (unsigned left = 0; left < edge; left += 2) {
            unsigned letter = 0;
            for (unsigned y = 0; y < 4; y++) {
                for (unsigned x = 0; x < 2; x++) {
                    bool inside = left + x < edge && top + y < edge;
                    if (inside && picture->is_dot(left + x, top + y, edge))
                        letter |= dots[y][x];
                }
            }
            /* U+2800 and on, in UTF-8. */
            buffer_printf(out, "\xe2%c%c", (char)(0xa0 | letter >> 6), (char)(0x80 | (letter & 63)));
        }
        buffer_append_text(out, "\n");
    }
    buffer_printf(out, "\n%s. ", picture->title);
}

/* LOLWUT [VERSION version] [edge]. Of a version without a picture only the last line is said. */
static void lolwut(struct call *call)
{
    int64_t version = VERSION_NEWEST, edge = EDGE;
    int next = 1;
    if (call->argc > 2 && bytes_is(call->argv[1], "VERSION")) {
        if (!call_integer(call, 2, &version))
            return;
        next = 3;
    }
    const struct picture *picture = NULL;
    for (size_t i = 0; i < sizeof(pictures) / sizeof(*pictures); i++) {
        if (pictures[i].version == version)
            picture = &pictures[i];
    }
    /* As in Redis: what comes after the word VERSION is the picture's. */
    if (picture && call->argc > next && next == 3 && !call_integer(call, next, &edge))
        return;
    edge = edge < EDGE_MIN ? EDGE_MIN : edge > EDGE_MAX ? EDGE_MAX : edge;
    struct buffer text = { 0 };
    if (picture)
        draw(picture, (unsigned)edge, &text);
    buffer_append_text(&text, "slotd ver. " SLOTD_VERSION "\n");
    reply_verbatim(call->reply, "txt", buffer_bytes(&text));
    buffer_free(&text);
}

static void time_now(struct call *call)
{
    int64_t now = clock_unix_us();
    reply_array(call->reply, 2);
    reply_bulk_integer(call->reply, now / 1000000);
    reply_bulk_integer(call->reply, now % 1000000);
}

const struct command lolwut_commands[] = {
    { "lolwut", lolwut, -1, CMD_READONLY | CMD_FAST, .group = "server", .since = "5.0.0",
        .summary = "Draws a picture and says the version",
        .args = ARGS(OPTION("version", ARG_INTEGER, "VERSION", NULL)) },
    { "time", time_now, 1, CMD_LOADING | CMD_STALE | CMD_FAST, .group = "server",
        .since = "2.6.0", .complexity = "O(1)",
        .summary = "Tells the node's clock: seconds since 1970, and microseconds",
        .tips = TIPS("nondeterministic_output") },
    { 0 },
};
