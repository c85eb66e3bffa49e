/* One connection to one address, over hiredis. It connects at the first command, and again at the
 * next command after it broke. Commands are hiredis's formats: "SET %s %b". Texts live as long as
 * the test, replies as long as their client unless it says otherwise. Used by one thread at a time.
 */
#ifndef TESTS_SUPPORT_CLIENT_H
#define TESTS_SUPPORT_CLIENT_H

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct client;

struct client *client_open(int port); /* on 127.0.0.1 */
struct client *client_open_unix(const char *path);
void client_close(struct client *client); /* closes the connection and frees; NULL is fine */
void client_break(struct client *client); /* closes the connection; the next command reconnects */
void client_set_timeout(struct client *client, int ms); /* of one reply; 10000 unless told */

/* Sends and waits for the reply. NULL: no connection, or it broke (client_error tells). */
redisReply *client_run(struct client *client, const char *format, ...);
redisReply *client_vrun(struct client *client, const char *format, va_list args);
redisReply *client_run_argv(struct client *client, int argc, const char **argv, const size_t *lens);
/* The same, but the reply is the caller's, to free with freeReplyObject. lens may be NULL. */
redisReply *client_ask(struct client *client, const char *format, ...);
redisReply *client_ask_argv(struct client *client, int argc, const char **argv, const size_t *lens);
/* Whether there is a connection (one is made where there is none). */
bool client_connect(struct client *client);
const char *client_error(struct client *client);

/* Pipelining: any number of client_queue, then as many client_next, whose reply is the caller's to
 * free. The connection is made where there is none; false or NULL where it broke. */
bool client_queue(struct client *client, const char *format, ...);
bool client_flush(struct client *client); /* sends what is queued, which client_next does, too */
redisReply *client_next(struct client *client);

/* The reply as one line of text: a string as it is, 12, (nil), "-ERR ..." for an error, [a, b].
 * client_text fails the test where there is no reply; client_try gives NULL. */
const char *reply_text(const redisReply *reply);
const char *client_text(struct client *client, const char *format, ...);
const char *client_try(struct client *client, const char *format, ...);
int64_t client_integer(struct client *client, const char *format, ...); /* fails where it is none */

/* Fails the test where the reply's text is another; a `*` at the end of expected stands for any
 * rest. */
#define client_expect(client, expected, ...)                                                       \
    client_check_text(__FILE__, __LINE__, (expected), client_text((client), __VA_ARGS__))
void client_check_text(const char *file, int line, const char *expected, const char *got);

/* The value behind "name:" in a text of lines such as INFO and CLUSTER INFO; NULL: not there. */
const char *info_field(const char *text, const char *name);
int64_t info_number(const char *text, const char *name); /* -1: not there */

#endif
