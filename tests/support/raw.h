/* A socket and bytes: for replies that must be right to the byte, in RESP2 and RESP3, and for
 * clients that do not behave. */
#ifndef TESTS_SUPPORT_RAW_H
#define TESTS_SUPPORT_RAW_H

#include "common/buffer.h"
#include <stdbool.h>

struct raw;

struct raw *raw_open(int port); /* 127.0.0.1; NULL where the connection is refused */
struct raw *raw_open_buffered(int port, int receive_buffer); /* with a small SO_RCVBUF */
void raw_close(struct raw *raw);
int raw_fd(struct raw *raw);

/* Sends all the bytes; false where the other side has closed or takes none for 10 s. */
bool raw_send(struct raw *raw, const void *data, size_t len);
bool raw_send_text(struct raw *raw, const char *text); /* "\r\n" are the caller's to write */
/* An array of bulk strings, as clients send it. */
bool raw_send_command(struct raw *raw, int argc, const char **argv);

/* The exact bytes of the next whole reply (nested arrays, maps, pushes included), good until the
 * next call. Empty (len 0) where the connection closed or nothing came within limit_ms. */
struct bytes raw_reply(struct raw *raw, int limit_ms);
/* Waits until the other side has closed; false where it has not within limit_ms. What came before
 * it is left for raw_reply. */
bool raw_closed(struct raw *raw, int limit_ms);

/* The length of the reply at the start of the bytes: 0 where it is not all here, -1 where it is no
 * RESP. */
long raw_reply_length(struct bytes bytes);
/* Bytes as a C string literal would have them, for messages; scratch text. */
const char *raw_escape(struct bytes bytes);

/* One command as an inline line, one reply, byte for byte. */
#define raw_expect(raw, expected, line) raw_check((raw), __FILE__, __LINE__, (expected), (line))
void raw_check(struct raw *raw, const char *file, int line, const char *expected, const char *sent);
/* The next reply, byte for byte, to what was sent before. */
#define raw_expect_next(raw, expected) raw_check_next((raw), __FILE__, __LINE__, (expected), "")
void raw_check_next(
    struct raw *raw, const char *file, int line, const char *expected, const char *sent);

#endif
