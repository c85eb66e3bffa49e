/* ACL: users as commands. The users themselves are acl_users.h's. */
#include "server/command/acl_access.h"
#include "server/command/acl_file.h"
#include "server/command/background.h"
#include "server/command/category.h"
#include "server/command/families.h"
#include "server/command/help.h"
#include "server/command/rows.h"
#include "server/config.h"
#include "server/log.h"

#include "common/memory.h"
#include "common/number.h"
#include <ctype.h>
#include <openssl/rand.h>
#include <stdlib.h>

static int shown(struct bytes text)
{
    return (int)(text.len < 128 ? text.len : 128);
}

/* ---- Looking ---- */

/* Users told one after the other: as lines, or by their names only. */
struct telling {
    struct reply *reply;
    size_t count;
    bool names_only;
};

static void tell_user(void *arg, const char *name, const struct acl_user *user)
{
    struct telling *telling = arg;
    struct buffer line = { 0 };
    telling->count++;
    if (telling->names_only) {
        reply_bulk_text(telling->reply, name);
        return;
    }
    buffer_printf(&line, "user %s ", name);
    acl_user_describe(user, &line);
    reply_bulk(telling->reply, buffer_bytes(&line));
    buffer_free(&line);
}

static void tell_users(struct call *call, bool names_only)
{
    struct telling telling = { call->reply, 0, names_only };
    struct reply_mark mark = reply_deferred(call->reply);
    acl_users_each(tell_user, &telling);
    reply_deferred_array(call->reply, mark, telling.count);
}

static void acl_list(struct call *call)
{
    tell_users(call, false);
}

static void acl_users(struct call *call)
{
    tell_users(call, true);
}

static void acl_whoami(struct call *call)
{
    reply_bulk_text(call->reply, acl_session_user(call->session));
}

static void tell_part(struct reply *reply, const char *name, const struct acl_selector *selector,
    void (*describe)(const struct acl_selector *selector, struct buffer *out))
{
    struct buffer text = { 0 };
    describe(selector, &text);
    reply_bulk_text(reply, name);
    reply_bulk(reply, text.len ? buffer_bytes(&text) : BYTES(""));
    buffer_free(&text);
}

static void tell_selector(struct reply *reply, const struct acl_selector *selector)
{
    tell_part(reply, "commands", selector, acl_describe_commands);
    tell_part(reply, "keys", selector, acl_describe_keys);
    tell_part(reply, "channels", selector, acl_describe_channels);
}

static void tell_flags(struct reply *reply, const struct acl_user *user)
{
    unsigned count = 0;
    while (acl_user_flag_name(user, count))
        count++;
    reply_bulk_text(reply, "flags");
    reply_set(reply, count);
    for (unsigned i = 0; i < count; i++)
        reply_bulk_text(reply, acl_user_flag_name(user, i));
}

static void acl_getuser(struct call *call)
{
    struct reply *reply = call->reply;
    struct acl_user *user = acl_users_copy(call->argv[2]);
    if (!user) {
        reply_null(reply);
        return;
    }
    reply_map(reply, 6);
    tell_flags(reply, user);
    reply_bulk_text(reply, "passwords");
    reply_array(reply, user->password_count);
    for (size_t i = 0; i < user->password_count; i++) {
        struct buffer digits = { 0 };
        acl_describe_password(user->passwords[i], &digits);
        reply_bulk(reply, buffer_bytes(&digits));
        buffer_free(&digits);
    }
    tell_selector(reply, &user->selectors[0]);
    reply_bulk_text(reply, "selectors");
    reply_array(reply, user->selector_count - 1);
    for (size_t i = 1; i < user->selector_count; i++) {
        reply_map(reply, 3);
        tell_selector(reply, &user->selectors[i]);
    }
    acl_user_free(user);
}

static void acl_cat(struct call *call)
{
    if (call->argc > 3) {
        call_error_subcommand(call);
        return;
    }
    if (call->argc == 2) {
        reply_array(call->reply, CATEGORY_COUNT);
        for (unsigned i = 0; i < CATEGORY_COUNT; i++)
            reply_bulk_text(call->reply, category_name(i));
        return;
    }
    int category = category_find(call->argv[2]);
    if (category < 0) {
        reply_error(
            call->reply, "Unknown category '%.*s'", shown(call->argv[2]), call->argv[2].data);
        return;
    }
    size_t count = 0;
    struct reply_mark mark = reply_deferred(call->reply);
    for (unsigned id = 0; id < command_count(); id++) {
        const struct command_entry *entry = command_by_id(id);
        if (!(category_of(entry->command) >> category & 1))
            continue;
        reply_bulk(call->reply, (struct bytes){ entry->name, entry->name_len });
        count++;
    }
    reply_deferred_array(call->reply, mark, count);
}

static void acl_log(struct call *call)
{
    int64_t count = 10;
    if (call->argc > 3) {
        call_error_subcommand(call);
    } else if (call->argc == 3 && bytes_is(call->argv[2], "reset")) {
        acl_log_reset();
        reply_ok(call->reply);
    } else if (call->argc == 2 || call_integer(call, 2, &count)) {
        acl_log_reply(call, count > 0 ? (size_t)count : 0);
    }
}

/* ---- Changing ---- */

static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (isspace((unsigned char)name.data[i]) || name.data[i] == '\0')
            return false;
    }
    return true;
}

/* A change that is to be acknowledged: as OK, or as a number of users. */
struct change {
    struct ticket *ticket;
    uint64_t session;
    int64_t deleted; /* -1: OK */
};

/* Who has lost what it has is disconnected, the caller behind its reply. session NULL: it is gone.
 */
static void acknowledge(struct session *session, void *arg)
{
    struct change *change = arg;
    if (session && change->deleted < 0)
        reply_ok(&session->reply);
    else if (session)
        reply_integer(&session->reply, change->deleted);
    if (session && acl_session_must_go(session))
        session->flags |= SESSION_CLOSE_AFTER_REPLY;
    free(change);
}

static void settle(void *arg)
{
    struct change *change = arg;
    acl_users_settle();
    acl_sessions_review(change->session);
    ticket_finish(change->ticket, acknowledge, change);
}

/* Other workers may be in the midst of commands that were allowed before the change. Only when
 * these are over it is acknowledged: nothing then happens that it forbids. */
static void acknowledge_settled(struct call *call, int64_t deleted)
{
    struct change *change = memory_alloc(sizeof(*change));
    *change = (struct change){ NULL, call->session->id, deleted };
    if (call_can_park(call)) {
        change->ticket = call_park(call);
        background_run(0, settle, change);
        return;
    }
    acl_sessions_review(change->session);
    acknowledge(call->session, change);
}

static void acl_setuser(struct call *call)
{
    if (!is_name(call->argv[2])) {
        reply_error(call->reply, "Usernames can't contain spaces or null characters");
        return;
    }
    struct error error;
    struct buffer culprit;
    bool unmatched;
    bool done = acl_users_set(
        call->argv[2], call->argv + 3, (size_t)call->argc - 3, &culprit, &unmatched, &error);
    if (done)
        acknowledge_settled(call, -1);
    else if (unmatched)
        reply_error(call->reply, "%s", error.text);
    else
        reply_error(call->reply, "Error in ACL SETUSER modifier '%.*s': %s",
            (int)(culprit.len < 4096 ? culprit.len : 4096), culprit.data, error.text);
    buffer_free(&culprit);
}

static void acl_deluser(struct call *call)
{
    int64_t deleted = 0;
    for (int i = 2; i < call->argc; i++) {
        if (bytes_equal(call->argv[i], BYTES("default"))) {
            reply_error(call->reply, "The 'default' user cannot be removed");
            return;
        }
    }
    for (int i = 2; i < call->argc; i++)
        deleted += acl_users_delete(call->argv[i]);
    if (deleted > 0)
        acknowledge_settled(call, deleted);
    else
        reply_integer(call->reply, 0);
}

static void acl_genpass(struct call *call)
{
    enum { BITS_MAX = 4096 };
    static const char digits[] = "0123456789abcdef";
    int64_t bits = 256;
    unsigned char bytes[BITS_MAX / 8];
    char text[BITS_MAX / 4];
    if (call->argc > 3) {
        call_error_subcommand(call);
        return;
    }
    if (call->argc == 3 && !call_integer(call, 2, &bits))
        return;
    if (bits <= 0 || bits > BITS_MAX) {
        reply_error(call->reply, "ACL GENPASS argument must be the number of bits for the output "
                                 "password, a positive number up to 4096");
        return;
    }
    size_t len = (size_t)(bits + 3) / 4;
    if (RAND_bytes(bytes, (int)(len + 1) / 2) != 1) {
        reply_error(call->reply, "the system gives no random numbers");
        return;
    }
    for (size_t i = 0; i < len; i++)
        text[i] = digits[bytes[i / 2] >> (i % 2 ? 0 : 4) & 15];
    reply_bulk(call->reply, (struct bytes){ text, len });
}

/* ---- DRYRUN ---- */

static void acl_dryrun(struct call *call)
{
    const struct bytes *argv = call->argv + 3;
    int argc = call->argc - 3, position;
    const struct command_entry *container, *entry = command_lookup(argv, argc, &container);
    struct acl_user *user = acl_users_copy(call->argv[2]);
    if (!user) {
        reply_error(call->reply, "User '%.*s' not found", shown(call->argv[2]), call->argv[2].data);
        return;
    }
    if (!entry) {
        reply_error(call->reply, "Command '%.*s' not found", shown(argv[0]), argv[0].data);
    } else if ((entry->command->arity > 0 && entry->command->arity != argc) ||
               argc < -entry->command->arity) {
        reply_error(call->reply, "wrong number of arguments for '%s' command", entry->name);
    } else {
        struct buffer text = { 0 };
        enum acl_verdict verdict = acl_check(user, entry, argv, argc, &position);
        if (verdict == ACL_DENIED_COMMAND)
            buffer_printf(
                &text, "This user has no permissions to run the '%s' command", entry->name);
        else if (verdict != ACL_ALLOWED)
            buffer_printf(&text, "This user has no permissions to access the '%.*s' %s",
                (int)argv[position].len, argv[position].data,
                verdict == ACL_DENIED_KEY ? "key" : "channel");
        if (verdict == ACL_ALLOWED)
            reply_ok(call->reply);
        else
            reply_bulk(call->reply, buffer_bytes(&text));
        buffer_free(&text);
    }
    acl_user_free(user);
}

/* ---- LOAD and SAVE: they wait for the disk, which workers do not, but within a transaction ----
 */

struct job {
    struct ticket *ticket;
    uint64_t session;
    bool loads;
    struct buffer errors;
    bool done;
};

static bool has_file(struct call *call)
{
    if (config_text_is_set(CONFIG_ACLFILE))
        return true;
    reply_error(call->reply,
        "This Redis instance is not configured to use an ACL file. You may want to specify users "
        "via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis "
        "configuration file set) in order to store users in the Redis configuration.");
    return false;
}

static void do_job(struct job *job)
{
    struct error error;
    if (job->loads) {
        job->done = acl_file_load(&job->errors);
    } else {
        job->done = acl_file_save(&error);
        if (!job->done) {
            log_write(LOG_WARNING, "ACL SAVE: the aclfile could not be written: %s", error.text);
            buffer_append_text(&job->errors, "There was an error trying to save the ACLs. Please "
                                             "check the server logs for more information");
        }
    }
}

/* session NULL: it is gone. */
static void finish_job(struct session *session, void *arg)
{
    struct job *job = arg;
    if (session && job->done)
        reply_ok(&session->reply);
    else if (session)
        reply_error(&session->reply, "%.*s", (int)job->errors.len, job->errors.data);
    if (session && acl_session_must_go(session))
        session->flags |= SESSION_CLOSE_AFTER_REPLY;
    buffer_free(&job->errors);
    free(job);
}

static void run_job(void *arg)
{
    struct job *job = arg;
    do_job(job);
    if (job->loads && job->done) {
        acl_users_settle();
        acl_sessions_review(job->session);
    }
    ticket_finish(job->ticket, finish_job, job);
}

static void begin_job(struct call *call, bool loads)
{
    if (!has_file(call))
        return;
    struct job *job = memory_alloc_zeroed(1, sizeof(*job));
    job->loads = loads;
    job->session = call->session->id;
    if (call_can_park(call)) {
        job->ticket = call_park(call);
        background_run(0, run_job, job);
        return;
    }
    do_job(job);
    if (loads && job->done)
        acl_sessions_review(job->session);
    finish_job(call->session, job);
}

static void acl_load(struct call *call)
{
    begin_job(call, true);
}

static void acl_save(struct call *call)
{
    begin_job(call, false);
}

/* ---- The table ---- */

enum {
    ANYONE = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
    ADMIN = ANYONE | CMD_ADMIN,
};

#define ROW(...) ROW_OF("server", __VA_ARGS__)

static const struct command_arg log_choices[] = { ARG("count", ARG_INTEGER),
    TOKEN("reset", "RESET"), { 0 } };

static const struct command subcommands[] = {
    ROW("cat", acl_cat, -2, ANYONE, "6.0.0", "O(1)", "Lists the categories, or the commands of one",
        .args = ARGS(OPTION("categoryname", ARG_STRING, NULL, NULL))),
    ROW("deluser", acl_deluser, -3, ADMIN | CMD_PARKS, "6.0.0", "O(N), N users and connections",
        "Deletes users, and closes their connections",
        .args = ARGS(ARG_MANY("username", ARG_STRING))),
    ROW("dryrun", acl_dryrun, -4, ADMIN, "7.0.0", "O(1)",
        "Tells whether a user may run a command, without running it",
        .args = ARGS(ARG("username", ARG_STRING), ARG("command", ARG_STRING),
            { "arg", ARG_STRING, ARG_OPTIONAL | ARG_MULTIPLE, NULL, 0, NULL, NULL })),
    ROW("genpass", acl_genpass, -2, ANYONE, "6.0.0", "O(1)", "Makes a random password",
        .args = ARGS(OPTION("bits", ARG_INTEGER, NULL, NULL))),
    ROW("getuser", acl_getuser, 3, ADMIN | CMD_AFTER_PARKED, "6.0.0", "O(N), N rules of the user",
        "Tells what a user may do", .args = ARGS(ARG("username", ARG_STRING)),
        .history = HISTORY({ "6.2.0", "Tells patterns of channels, too." },
            { "7.0.0", "Tells selectors, and keys and channels as rules." })),
    HELP_ROW("server", "6.0.0"),
    ROW("list", acl_list, 2, ADMIN | CMD_AFTER_PARKED, "6.0.0", "O(N), N users",
        "Lists the users as lines of an aclfile"),
    ROW("load", acl_load, 2, ADMIN | CMD_PARKS, "6.0.0", "O(N), N users",
        "Puts the users of the aclfile in force, and closes the connections of all but the default "
        "user"),
    ROW("log", acl_log, -2, ADMIN, "6.0.0", "O(N), N entries told",
        "Tells what was denied lately, or forgets it",
        .args = ARGS(CHOICE("operation", ARG_OPTIONAL, log_choices))),
    ROW("save", acl_save, 2, ADMIN | CMD_PARKS, "6.0.0", "O(N), N users",
        "Writes the users to the aclfile"),
    ROW("setuser", acl_setuser, -3, ADMIN | CMD_PARKS, "6.0.0", "O(N), N rules",
        "Makes a user or changes one, rule by rule",
        .args = ARGS(ARG("username", ARG_STRING),
            { "rule", ARG_STRING, ARG_OPTIONAL | ARG_MULTIPLE, NULL, 0, NULL, NULL }),
        .history = HISTORY({ "6.2.0", "Knows patterns of channels." },
            { "7.0.0", "Knows selectors, and permissions to read and to write." })),
    ROW("users", acl_users, 2, ADMIN | CMD_AFTER_PARKED, "6.0.0", "O(N), N users",
        "Lists the names of the users"),
    ROW("whoami", acl_whoami, 2, ANYONE, "6.0.0", "O(1)",
        "Tells the name of this connection's user"),
    { 0 },
};

const struct command acl_commands[] = {
    ROW("acl", NULL, -2, 0, "6.0.0", "Depends on the subcommand",
        "Looks at users and what they may do, and changes it", .subcommands = subcommands),
    { 0 },
};
