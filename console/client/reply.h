/* Looking into replies that nobody has checked yet. */
#ifndef CONSOLE_CLIENT_REPLY_H
#define CONSOLE_CLIENT_REPLY_H

#include "common/bytes.h"
#include <hiredis/hiredis.h>
#include <stdint.h>

bool reply_is_ok(const redisReply *reply);                      /* +OK */
bool reply_is_error(const redisReply *reply);                   /* -... */
bool reply_error_is(const redisReply *reply, const char *code); /* the error's first word */
/* A bulk, status or error text; false for anything else. */
bool reply_text(const redisReply *reply, struct bytes *text);
/* "name:value" of INFO and CLUSTER INFO; false where there is no such line. */
bool reply_field(struct bytes info, const char *name, struct bytes *value);
int64_t reply_field_number(struct bytes info, const char *name, int64_t otherwise);

/* MOVED and ASK: "MOVED 3999 127.0.0.1:6381". */
struct reply_redirect {
    bool ask;
    unsigned slot;
    char host[256]; /* empty: the node that answered */
    uint16_t port;
};
bool reply_redirect_parse(const redisReply *reply, struct reply_redirect *redirect);

#endif
