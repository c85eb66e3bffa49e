/* A socket and bytes; see the header. */
#include "tests/support/raw.h"
#include "common/resp.h"
#include "tests/support/scratch.h"
#include "tests/support/wait.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND_LIMIT_MS = 10000 };

struct raw {
    int fd;
    bool ended;   /* the other side has closed */
    size_t taken; /* bytes of the reply last given out, at the start of `in` */
    struct buffer in;
};

struct raw *raw_open_buffered(int port, int receive_buffer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0, "socket: %s", strerror(errno));
    if (receive_buffer > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return NULL;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct raw *raw = calloc(1, sizeof(*raw));
    cr_assert_not_null(raw);
    raw->fd = fd;
    return raw;
}

struct raw *raw_open(int port)
{
    return raw_open_buffered(port, 0);
}

void raw_close(struct raw *raw)
{
    if (raw == NULL)
        return;
    close(raw->fd);
    buffer_free(&raw->in);
    free(raw);
}

int raw_fd(struct raw *raw)
{
    return raw->fd;
}

/* Reads what is there, waiting for it until the deadline; false: closed, or the deadline. */
static bool fill(struct raw *raw, int64_t deadline)
{
    int64_t left = deadline - now_ms();
    struct pollfd poll_fd = { .fd = raw->fd, .events = POLLIN };
    if (raw->ended || poll(&poll_fd, 1, left > 0 ? (int)left : 0) <= 0)
        return false;
    buffer_reserve(&raw->in, 65536);
    ssize_t got = recv(raw->fd, raw->in.data + raw->in.len, 65536, MSG_DONTWAIT);
    if (got > 0)
        raw->in.len += (size_t)got;
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        raw->ended = true;
    return !raw->ended;
}

static void drop_taken(struct raw *raw)
{
    buffer_consume(&raw->in, raw->taken);
    raw->taken = 0;
}

/* Reads while it sends, so that two full buffers don't wait for each other. */
bool raw_send(struct raw *raw, const void *data, size_t len)
{
    int64_t deadline = wait_deadline(SEND_LIMIT_MS);
    drop_taken(raw);
    for (size_t sent = 0; sent < len;) {
        ssize_t put =
            send(raw->fd, (const char *)data + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put > 0)
            sent += (size_t)put;
        else if (errno != EAGAIN && errno != EINTR)
            return false;
        if (sent == len)
            break;
        struct pollfd poll_fd = { .fd = raw->fd, .events = POLLIN | POLLOUT };
        if (now_ms() >= deadline || poll(&poll_fd, 1, 100) < 0)
            return false;
        if ((poll_fd.revents & POLLIN) != 0 && !fill(raw, now_ms()) && raw->ended)
            return false;
    }
    return true;
}

bool raw_send_text(struct raw *raw, const char *text)
{
    return raw_send(raw, text, strlen(text));
}

bool raw_send_command(struct raw *raw, int argc, const char **argv)
{
    struct buffer out = { 0 };
    resp_write_array(&out, (size_t)argc);
    for (int i = 0; i < argc; i++)
        resp_write_bulk(&out, bytes_of(argv[i]));
    bool sent = raw_send(raw, out.data, out.len);
    buffer_free(&out);
    return sent;
}

/* The end of the line that starts at `at`, behind its CR LF; 0: not here yet. */
static size_t line_end(struct bytes bytes, size_t at)
{
    const char *end = at < bytes.len ? memchr(bytes.data + at, '\n', bytes.len - at) : NULL;
    return end != NULL ? (size_t)(end - bytes.data) + 1 : 0;
}

/* How many values belong to a head such as "*3"; attributes have one more behind them. */
static long values_of(char type, long count)
{
    if (count < 0)
        return 0;
    return type == '%' ? 2 * count : type == '|' ? 2 * count + 1 : count;
}

long raw_reply_length(struct bytes bytes)
{
    size_t at = 0;
    for (long open = 1; open > 0; open--) {
        size_t end = line_end(bytes, at);
        if (end == 0)
            return 0;
        char type = bytes.data[at];
        long count = strtol(bytes.data + at + 1, NULL, 10); /* ends at the line's end */
        if (strchr("+-:_#,(", type) != NULL)
            at = end;
        else if (strchr("$=!", type) != NULL)
            at = end + (count >= 0 ? (size_t)count + 2 : 0);
        else if (strchr("*%~>|", type) != NULL) {
            open += values_of(type, count);
            at = end;
        } else
            return -1;
        if (at > bytes.len)
            return 0;
    }
    return (long)at;
}

struct bytes raw_reply(struct raw *raw, int limit_ms)
{
    int64_t deadline = wait_deadline(limit_ms);
    drop_taken(raw);
    for (;;) {
        /* A server that prepares a long answer to PSYNC sends line ends meanwhile. */
        while (raw->in.len > 0 && raw->in.data[0] == '\n')
            buffer_consume(&raw->in, 1);
        long len = raw_reply_length(buffer_bytes(&raw->in));
        cr_assert(len >= 0, "not a reply: %s", raw_escape(buffer_bytes(&raw->in)));
        if (len > 0) {
            raw->taken = (size_t)len;
            return (struct bytes){ raw->in.data, (size_t)len };
        }
        if (!fill(raw, deadline) && (raw->ended || now_ms() >= deadline))
            return (struct bytes){ "", 0 };
    }
}

bool raw_closed(struct raw *raw, int limit_ms)
{
    int64_t deadline = wait_deadline(limit_ms);
    while (!raw->ended && now_ms() < deadline)
        fill(raw, deadline);
    return raw->ended;
}

const char *raw_escape(struct bytes bytes)
{
    struct buffer out = { 0 };
    for (size_t i = 0; i < bytes.len && i < 600; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        if (c == '\r' || c == '\n')
            buffer_append_text(&out, c == '\r' ? "\\r" : "\\n");
        else if (c == '"' || c == '\\' || c < ' ' || c > '~')
            buffer_printf(&out, "\\x%02x", c);
        else
            buffer_append_char(&out, (char)c);
    }
    if (bytes.len > 600)
        buffer_printf(&out, "... (%zu bytes)", bytes.len);
    const char *copy = scratch_copy(out.len > 0 ? out.data : "", out.len);
    buffer_free(&out);
    return copy;
}

void raw_check(struct raw *raw, const char *file, int line, const char *expected, const char *sent)
{
    cr_assert(raw_send(raw, sent, strlen(sent)) && raw_send_text(raw, "\r\n"),
        "%s:%d: the connection is closed before: %s", file, line, sent);
    raw_check_next(raw, file, line, expected, sent);
}

void raw_check_next(
    struct raw *raw, const char *file, int line, const char *expected, const char *sent)
{
    struct bytes got = raw_reply(raw, 20000);
    cr_assert(bytes_equal(got, bytes_of(expected)),
        "%s:%d: %s\n  expected \"%s\"\n  got      \"%s\"", file, line, sent,
        raw_escape(bytes_of(expected)), raw_escape(got));
}
