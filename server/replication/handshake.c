/* PING, AUTH where there is a masterauth, REPLCONF, PSYNC. One question after the other, each with
 * its answer: a handshake is rare, and every refusal can be told with what it refuses. */
#include "server/replication/handshake.h"

#include "common/number.h"
#include "common/resp.h"
#include "server/config.h"
#include <stdio.h>
#include <stdlib.h>

struct talk {
    struct primary_socket *socket;
    int timeout_ms;
    char line[PRIMARY_LINE_MAX]; /* the last answer */
    struct error *error;
};

enum { WORDS_MAX = 8 };

/* Sends the words, the last one of which is followed by NULL, and reads the answer's line. */
static bool ask(struct talk *talk, const char *const *words)
{
    struct bytes argv[WORDS_MAX];
    size_t argc = 0;
    for (; words[argc]; argc++)
        argv[argc] = bytes_of(words[argc]);
    struct buffer request = { 0 };
    resp_write_command(&request, argv, argc);
    bool ok =
        primary_socket_send(talk->socket, buffer_bytes(&request), talk->timeout_ms, talk->error);
    buffer_free(&request);
    return ok && primary_socket_read_line(talk->socket, talk->line, talk->timeout_ms, talk->error);
}
#define ASK(talk, ...) ask(talk, (const char *const[]){ __VA_ARGS__, NULL })

static bool starts_with(const char *line, const char *start)
{
    return strncmp(line, start, strlen(start)) == 0;
}

static bool ping(struct talk *talk, bool has_password)
{
    if (!ASK(talk, "PING"))
        return false;
    if (talk->line[0] == '+')
        return true;
    bool wants_password = starts_with(talk->line, "-NOAUTH") ||
                          starts_with(talk->line, "-NOPERM") ||
                          starts_with(talk->line, "-ERR operation not permitted");
    if (wants_password && has_password)
        return true;
    return error_set(talk->error, "the primary answers PING with %s%s", talk->line,
        wants_password ? ": set masterauth to its password" : "");
}

static bool authenticate(struct talk *talk, const char *user, const char *password)
{
    if (!password[0])
        return true;
    bool answered = user[0] ? ASK(talk, "AUTH", user, password) : ASK(talk, "AUTH", password);
    if (!answered)
        return false;
    return talk->line[0] == '+' ||
           error_set(talk->error, "the primary refuses masterauth: %s", talk->line);
}

static bool greet(struct talk *talk)
{
    char *user = config_text(CONFIG_MASTERUSER), *password = config_text(CONFIG_MASTERAUTH);
    bool ok = ping(talk, password[0]) && authenticate(talk, user, password);
    free(user);
    free(password);
    return ok;
}

/* A primary that does not understand may still do without. */
static bool introduce(struct talk *talk)
{
    char port[NUMBER_TEXT_MAX];
    int64_t announced = config_number(CONFIG_REPLICA_ANNOUNCE_PORT);
    snprintf(port, sizeof(port), "%lld",
        (long long)(announced ? announced : config_number(CONFIG_PORT)));
    if (!ASK(talk, "REPLCONF", "listening-port", port))
        return false;
    char *ip = config_text(CONFIG_REPLICA_ANNOUNCE_IP);
    bool ok = !ip[0] || ASK(talk, "REPLCONF", "ip-address", ip);
    free(ip);
    return ok && ASK(talk, "REPLCONF", "capa", "eof", "capa", "psync2");
}

/* "<id> <offset>" */
static bool parse_full(const char *text, struct position *answer)
{
    const char *space = strchr(text, ' ');
    if (!space || space - text != JOURNAL_ID_LEN ||
        !number_parse(bytes_of(space + 1), &answer->offset) || answer->offset < 0)
        return false;
    memcpy(answer->id, text, JOURNAL_ID_LEN);
    answer->id[JOURNAL_ID_LEN] = '\0';
    return true;
}

static enum handshake understand(
    struct talk *talk, const struct position *have, bool failover, struct position *answer)
{
    static const char full[] = "+FULLRESYNC ", on[] = "+CONTINUE";
    const char *line = talk->line;
    if (starts_with(line, full) && parse_full(line + strlen(full), answer))
        return HANDSHAKE_FULL;
    if (starts_with(line, on) && have->id[0]) {
        const char *id = line + strlen(on);
        *answer = *have;
        if (id[0] == ' ' && strlen(id + 1) == JOURNAL_ID_LEN)
            memcpy(answer->id, id + 1, JOURNAL_ID_LEN);
        return HANDSHAKE_CONTINUE;
    }
    error_set(talk->error, "the primary answers PSYNC with %s", line);
    return failover && line[0] == '-' ? HANDSHAKE_REFUSED : HANDSHAKE_FAILED;
}

enum handshake handshake(struct primary_socket *socket, const struct link_target *target,
    const struct position *have, struct position *answer, int timeout_ms, struct error *error)
{
    struct talk talk = { .socket = socket, .timeout_ms = timeout_ms, .error = error };
    if (!greet(&talk) || !introduce(&talk))
        return HANDSHAKE_FAILED;
    bool known = have->id[0];
    char offset[NUMBER_TEXT_MAX];
    snprintf(offset, sizeof(offset), "%lld", known ? (long long)have->offset + 1 : -1LL);
    const char *id = known ? have->id : "?";
    bool answered = target->failover ? ASK(&talk, "PSYNC", id, offset, "FAILOVER")
                                     : ASK(&talk, "PSYNC", id, offset);
    return answered ? understand(&talk, have, target->failover, answer) : HANDSHAKE_FAILED;
}
