/* The users there are. An account is a user's name and what its value is now; sessions hold the
 * account that they have authenticated as. Commands read the value without a lock: it never
 * changes, and is freed only when every turn that was under way when it was replaced is over. */
#ifndef SERVER_COMMAND_ACL_USERS_H
#define SERVER_COMMAND_ACL_USERS_H

#include "server/command/acl_check.h"
#include "server/command/session.h"

struct acl_account {
    struct acl_user *_Atomic value; /* written under the lock of the users; read in a turn, or
                                       under that lock */
    atomic_bool may_all;            /* the value allows everything; written with it */
    atomic_bool deleted;            /* nobody's any more: who still has it is to be disconnected */
    atomic_uint holders;            /* sessions, and the table while it is not deleted */
    char name[];                    /* never changes */
};

/* Makes the default user, then the users of the configuration or of the aclfile. False: the process
 * must not start, error says why. After command_registry_init, before any thread. */
bool acl_users_init(struct error *error);

/* --- Sessions, in their thread. --- */

/* A client that has said nothing yet: the default user, authenticated if that needs no password. */
void acl_session_begin(struct session *session);
void acl_session_end(struct session *session);
/* AUTH: becomes the user if the password is right. */
bool acl_session_authenticate(struct session *session, struct bytes name, struct bytes password);
/* Whether the default user needs no password, if it may come in at all. */
bool acl_default_is_nopass(void);
const char *acl_session_user(const struct session *session); /* "default" where there is none */
static inline bool acl_session_may_all(const struct session *session)
{
    return !session->account ||
           atomic_load_explicit(&session->account->may_all, memory_order_relaxed);
}
static inline bool acl_session_is_deleted(const struct session *session)
{
    return session->account && atomic_load(&session->account->deleted);
}
/* The session's user, good until the end of the turn; not for one without (a loader, a primary). */
static inline const struct acl_user *acl_session_value(const struct session *session)
{
    return atomic_load_explicit(&session->account->value, memory_order_acquire);
}
/* Whether it has to be disconnected: its user has been deleted, or may no longer hear what it has
 * subscribed to. In its worker, in a turn or not. */
bool acl_session_must_go(const struct session *session);
/* Disconnects all who must go, but for the session with this ID; soon. Any thread. */
void acl_sessions_review(uint64_t except);

/* --- Users, by their names; any thread. A name is without spaces and zero bytes. --- */

bool acl_users_has(struct bytes name);
/* A copy, which the caller frees; NULL: there is no such user. */
struct acl_user *acl_users_copy(struct bytes name);
/* ACL SETUSER: all rules or none, of a user that is there or a new one. See acl_user_apply_all. */
bool acl_users_set(struct bytes name, const struct bytes *words, size_t count,
    struct buffer *culprit, bool *unmatched, struct error *error);
/* False: there was none. Not the default user. */
bool acl_users_delete(struct bytes name);
/* Waits until no command is under way that was allowed by what has been replaced or deleted. Not
 * within a turn. */
void acl_users_settle(void);
/* In the order of their names. The users stay as they are meanwhile: nothing here may be called. */
void acl_users_each(
    void (*visit)(void *arg, const char *name, const struct acl_user *user), void *arg);
/* "user NAME RULES", each with a line end. */
void acl_users_write(struct buffer *out);

/* All users at once, as a file has them. */
struct acl_loaded {
    struct acl_loaded_user {
        char *name;            /* owned */
        struct acl_user *user; /* owned */
    } * items;                 /* owned */
    size_t count;
};
struct acl_user *acl_loaded_add(struct acl_loaded *loaded, struct bytes name);
bool acl_loaded_has(const struct acl_loaded *loaded, struct bytes name);
void acl_loaded_free(struct acl_loaded *loaded);
/* Deletes all users but the default one, and puts these in force, which are taken over. The default
 * user, where it is not among them, is as if nothing were said of it. */
void acl_users_replace(struct acl_loaded *loaded);

#endif
