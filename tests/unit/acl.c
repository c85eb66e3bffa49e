/* Rules of users, what they are told as, and what they allow. */
#include "server/command/acl_check.h"
#include "server/command/acl_file.h"
#include "server/command/acl_users.h"
#include "server/config.h"
#include <criterion/criterion.h>

static void begin(void)
{
    struct error error;
    cr_assert(config_load(NULL, 0, NULL, &error), "%s", error.text);
    command_registry_init();
}

TestSuite(acl, .init = begin, .timeout = 10);

/* Words that spaces part; false: the first that is refused is in *error. */
static bool apply(struct acl_user *user, const char *text, struct error *error)
{
    struct bytes words[64];
    size_t count = 0;
    struct buffer culprit;
    bool unmatched;
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, " ");
        words[count++] = (struct bytes){ at, len };
        at += len + (at[len] == ' ');
    }
    bool done = acl_user_apply_all(user, words, count, &culprit, &unmatched, error);
    buffer_free(&culprit);
    return done;
}

static const char *told(const struct acl_user *user)
{
    static struct buffer text;
    text.len = 0;
    acl_user_describe(user, &text);
    buffer_terminate(&text);
    return text.data;
}

static void expect_told(const char *rules, const char *expected)
{
    struct error error = { "" };
    struct acl_user *user = acl_user_create();
    cr_expect(apply(user, rules, &error), "%s: %s", rules, error.text);
    cr_expect_str_eq(told(user), expected, "%s: got %s", rules, told(user));
    acl_user_free(user);
}

Test(acl, told)
{
    expect_told("", "off resetchannels -@all");
    expect_told("on nopass ~* &* +@all", "on nopass ~* &* +@all");
    expect_told("~a %R~b %W~c %RW~d %W~b", "off ~a ~b %W~c ~d resetchannels -@all");
    expect_told("+@all -@all +get", "off resetchannels -@all +get");
    expect_told("+@all -get", "off resetchannels +@all -get");
    expect_told("+config -config|set", "off resetchannels -@all +config -config|set");
    expect_told("+@all -select +select|0", "off resetchannels +@all -select +select|0");
    expect_told("( +get ~k ) ()", "off resetchannels -@all (~k resetchannels -@all +get) "
                                  "(resetchannels -@all)");
    expect_told("+@hyperloglog", "off resetchannels -@all +@hyperloglog");
    expect_told("on >x ~a &b +get reset", "off sanitize-payload resetchannels -@all");
}

static void expect_refused(const char *rules, const char *why)
{
    struct error error = { "" };
    struct acl_user *user = acl_user_create();
    cr_expect_not(apply(user, rules, &error), "%s", rules);
    cr_expect_not_null(strstr(error.text, why), "%s: %s", rules, error.text);
    acl_user_free(user);
}

Test(acl, refused)
{
    static const char *const unknown[] = { "+", "-", "+nosuch", "+@", "+@nosuch", "-get|x", "+|",
        "+select|0|1", "+config|nosuch", "(+nosuch)" };
    static const char *const syntax[] = { "x", "%", "%~a", "%X~a", "%RR~a", "+get|", "(on)", ")" };
    for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
        expect_refused(unknown[i], "Unknown command or category name in ACL");
    for (size_t i = 0; i < sizeof(syntax) / sizeof(*syntax); i++)
        expect_refused(syntax[i], "Syntax error");
    expect_refused("+config|get|x", "first-arg of a subcommand");
    expect_refused("~* ~a", "allkeys");
    expect_refused("&* &a", "allchannels");
    expect_refused("<x", "does not exist");
    expect_refused("#12", "exactly 64 characters");
    expect_refused("(+get ~k", "Unmatched parenthesis");
    expect_refused("on (", "Unmatched parenthesis");
}

/* What a user is told as makes the same user, whatever its commands: every command alone, allowed
 * and forbidden. */
Test(acl, told_and_read_again)
{
    for (unsigned id = 0; id < command_count(); id++) {
        struct error error;
        struct acl_user *user = acl_user_create(), *again = acl_user_create();
        struct buffer rules = { 0 };
        buffer_printf(&rules, "%s%s -%s +%s", id % 2 ? "+@all " : "",
            id % 3 ? "+@fast -@dangerous" : "-@write", command_by_id(id)->name,
            command_by_id((id * 7 + 1) % command_count())->name);
        buffer_terminate(&rules);
        cr_assert(apply(user, rules.data, &error), "%s: %s", rules.data, error.text);
        cr_assert(apply(again, told(user), &error), "%s: %s", told(user), error.text);
        for (unsigned i = 0; i < command_count(); i++)
            cr_assert_eq(acl_selector_allows(user->selectors, i),
                acl_selector_allows(again->selectors, i), "%s: %s", rules.data,
                command_by_id(i)->name);
        buffer_free(&rules);
        acl_user_free(user);
        acl_user_free(again);
    }
}

static bool has_password(const struct acl_user *user, struct bytes password)
{
    unsigned char hash[ACL_HASH_SIZE];
    acl_hash(password, hash);
    return acl_user_has_hash(user, hash);
}

Test(acl, passwords)
{
    struct error error;
    struct acl_user *user = acl_user_create();
    cr_expect_not(has_password(user, BYTES("")));
    cr_assert(apply(user, ">one >two", &error));
    cr_expect(has_password(user, BYTES("one")));
    cr_expect(has_password(user, BYTES("two")));
    cr_expect_not(has_password(user, BYTES("on")));
    cr_expect_not(has_password(user, BYTES("one\0")));
    cr_assert(apply(user, "<one", &error));
    cr_expect_not(has_password(user, BYTES("one")));
    cr_assert(apply(user, "nopass", &error));
    cr_expect(has_password(user, BYTES("anything")));
    acl_user_free(user);
}

static enum acl_verdict ask(const struct acl_user *user, const char *request)
{
    struct bytes argv[16];
    int argc = 0, position;
    for (const char *at = request; *at;) {
        size_t len = strcspn(at, " ");
        argv[argc++] = (struct bytes){ at, len };
        at += len + (at[len] == ' ');
    }
    const struct command_entry *container, *entry = command_lookup(argv, argc, &container);
    cr_assert_not_null(entry, "%s", request);
    return acl_check(user, entry, argv, argc, &position);
}

Test(acl, allowed)
{
    static const struct {
        const char *request;
        enum acl_verdict verdict;
    } asked[] = {
        { "get k1", ACL_ALLOWED },
        { "get r1", ACL_ALLOWED },
        { "get w1", ACL_DENIED_KEY },
        { "get x", ACL_DENIED_KEY },
        { "set w1 x", ACL_ALLOWED },
        { "set w1 x get", ACL_DENIED_KEY },
        { "set r1 x", ACL_DENIED_KEY },
        { "copy r1 w1", ACL_ALLOWED },
        { "copy w1 r1", ACL_DENIED_KEY },
        { "mget k1 r1 w1", ACL_DENIED_KEY },
        { "select 0", ACL_ALLOWED },
        { "select 1", ACL_DENIED_COMMAND },
        { "config get x", ACL_DENIED_COMMAND },
        { "auth x", ACL_ALLOWED },
        { "incr s1", ACL_ALLOWED },
        { "incr k1", ACL_DENIED_KEY },
        { "publish news x", ACL_ALLOWED },
        { "publish x news", ACL_DENIED_CHANNEL },
        { "subscribe news n", ACL_DENIED_CHANNEL },
        { "psubscribe n*", ACL_DENIED_CHANNEL },
        { "psubscribe ne*", ACL_ALLOWED },
        { "unsubscribe x", ACL_ALLOWED },
    };
    struct error error;
    struct acl_user *user = acl_user_create();
    cr_assert(apply(user,
                  "+get +set +copy +mget +select|0 ~k* %R~r* %W~w* (+incr ~s*) &ne* "
                  "+publish +subscribe +psubscribe +unsubscribe",
                  &error),
        "%s", error.text);
    for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++)
        cr_expect_eq(ask(user, asked[i].request), asked[i].verdict, "%s", asked[i].request);
    cr_expect_not(acl_user_may_all(user));
    cr_assert(apply(user, "(+@all ~* &*)", &error));
    cr_expect(acl_user_may_all(user));
    acl_user_free(user);
}

Test(acl, file_is_all_or_nothing)
{
    struct acl_loaded loaded = { 0 };
    struct buffer errors = { 0 };
    cr_expect(acl_file_parse(
        BYTES("user a on\r\n\n \t user b (+get ~x)\nuser c"), "f", &loaded, &errors));
    cr_expect_eq(loaded.count, 3);
    acl_loaded_free(&loaded);
    cr_expect_not(acl_file_parse(BYTES("user a on\nuser\nuser a\nx\n"), "f", &loaded, &errors));
    buffer_terminate(&errors);
    cr_expect_not_null(strstr(errors.data, "f:2 should start"), "%s", errors.data);
    cr_expect_not_null(strstr(errors.data, "Duplicate user 'a' found on line 3"));
    cr_expect_not_null(strstr(errors.data, "f:4 should start"));
    acl_loaded_free(&loaded);
    buffer_free(&errors);
}
