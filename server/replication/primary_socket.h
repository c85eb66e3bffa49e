/* The socket to the primary, used by the link's thread alone: it waits, but never longer than told,
 * and stops waiting when the target has changed. */
#ifndef SERVER_REPLICATION_PRIMARY_SOCKET_H
#define SERVER_REPLICATION_PRIMARY_SOCKET_H

#include "common/buffer.h"
#include "common/error.h"
#include <sys/types.h>

enum { PRIMARY_LINE_MAX = 1024 };

struct primary_socket {
    int fd;   /* -1: closed */
    int wake; /* an eventfd, the thread's; readable: see whether to stop */
    uint64_t generation;
    struct buffer input; /* received, and not yet taken */
};

enum primary_input { PRIMARY_GOT, PRIMARY_NOTHING, PRIMARY_BROKEN };

/* Connects, each address within timeout_ms. The error says what was tried. */
bool primary_socket_open(
    struct primary_socket *socket, const char *host, int port, int timeout_ms, struct error *error);
void primary_socket_close(struct primary_socket *socket);
/* Waits for bytes, and receives at most `most` of them, once. Error: what has broken. */
enum primary_input primary_socket_receive(
    struct primary_socket *socket, size_t most, int timeout_ms, struct error *error);
/* The next line, without its end, zero-terminated; empty lines are signs of life and skipped. line
 * has PRIMARY_LINE_MAX bytes. timeout_ms: of silence. */
bool primary_socket_read_line(
    struct primary_socket *socket, char *line, int timeout_ms, struct error *error);
bool primary_socket_send(
    struct primary_socket *socket, struct bytes data, int timeout_ms, struct error *error);
/* What the socket takes at once; returns how much, -1: broken. */
ssize_t primary_socket_try_send(struct primary_socket *socket, struct bytes data);

#endif
