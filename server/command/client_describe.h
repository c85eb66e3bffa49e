/* The line that tells of a client in CLIENT LIST, CLIENT INFO and ACL LOG. */
#ifndef SERVER_COMMAND_CLIENT_DESCRIBE_H
#define SERVER_COMMAND_CLIENT_DESCRIBE_H

#include "common/buffer.h"
#include "server/command/session.h"

/* Appends the line without its end; in the session's thread. now: Unix time in ms. asks: the
 * session waits for nothing but this line, so it is not shown as one that waits. */
void client_describe(struct buffer *out, const struct session *session, int64_t now, bool asks);

#endif
