/* A sorted table of accounts behind one lock, which commands never need: their session has its
 * account, and the account its value. Whoever changes a user puts a new value in place of the old
 * one. The old one may still be looked at, but only within turns; so a job in the background stops
 * all turns for an instant, and what was replaced before that is nobody's then. */
#include "server/command/acl_users.h"

#include "common/memory.h"
#include "common/words.h"
#include "server/command/acl_file.h"
#include "server/command/background.h"
#include "server/command/condition.h"
#include "server/command/executor.h"
#include "server/command/topic.h"
#include "server/config.h"
#include "server/log.h"
#include "server/store/turn.h"
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* Under mutex: the accounts in the order of their names, and values that were replaced. */
static struct acl_account **accounts;
static size_t account_count;
static struct acl_user **retired;
static size_t retired_count;
static bool freeing; /* the job that frees them is on its way */

static struct acl_account *default_account; /* one for the life of the process */

/* ---- Values that were replaced ---- */

void acl_users_settle(void)
{
    turn_stop_all();
    turn_resume_all();
}

static void free_retired(void *arg)
{
    pthread_mutex_lock(&mutex);
    struct acl_user **values = retired;
    size_t count = retired_count;
    retired = NULL;
    retired_count = 0;
    freeing = false;
    pthread_mutex_unlock(&mutex);
    acl_users_settle();
    for (size_t i = 0; i < count; i++)
        acl_user_free(values[i]);
    free(values);
}

/* Under mutex. */
static void retire(struct acl_user *user)
{
    if (executor_count() == 0) {
        acl_user_free(user); /* at the start: nobody looks */
        return;
    }
    retired = memory_resize(retired, (retired_count + 1) * sizeof(struct acl_user *));
    retired[retired_count++] = user;
    if (!freeing)
        background_run(0, free_retired, NULL);
    freeing = true;
}

/* ---- Accounts; under mutex ---- */

static struct acl_account *account_create(struct bytes name, struct acl_user *user)
{
    struct acl_account *account = memory_alloc_zeroed(1, sizeof(*account) + name.len + 1);
    memcpy(account->name, name.data, name.len);
    atomic_store(&account->holders, 1);
    atomic_store(&account->value, user);
    atomic_store(&account->may_all, acl_user_may_all(user));
    return account;
}

static void account_release(struct acl_account *account)
{
    if (atomic_fetch_sub(&account->holders, 1) != 1)
        return;
    acl_user_free(atomic_load(&account->value));
    free(account);
}

static int compare(struct bytes name, const struct acl_account *account)
{
    size_t len = strlen(account->name);
    int order = memcmp(name.data, account->name, name.len < len ? name.len : len);
    return order ? order : (name.len > len) - (name.len < len);
}

/* Where the name is, or would have to be. */
static size_t place_of(struct bytes name, bool *found)
{
    size_t low = 0, high = account_count;
    *found = false;
    while (low < high && !*found) {
        size_t middle = (low + high) / 2;
        int order = compare(name, accounts[middle]);
        *found = order == 0;
        if (order <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return high;
}

static struct acl_account *find(struct bytes name)
{
    bool found;
    size_t at = place_of(name, &found);
    return found ? accounts[at] : NULL;
}

static void insert(struct acl_account *account)
{
    bool found;
    size_t at = place_of(bytes_of(account->name), &found);
    accounts = memory_resize(accounts, (account_count + 1) * sizeof(struct acl_account *));
    memmove(&accounts[at + 1], &accounts[at], (account_count - at) * sizeof(*accounts));
    accounts[at] = account;
    account_count++;
}

static void remove_at(size_t at)
{
    struct acl_account *account = accounts[at];
    account_count--;
    memmove(&accounts[at], &accounts[at + 1], (account_count - at) * sizeof(*accounts));
    atomic_store(&account->deleted, true);
    atomic_store(&account->may_all, false);
    account_release(account);
}

/* Who may come in without a password is a condition, so that a request pays nothing for it. */
static void tell_condition(const struct acl_user *user)
{
    bool open = user->flags & ACL_ON && user->flags & ACL_NOPASS;
    condition_set(CONDITION_PASSWORD, !open);
}

static void publish(struct acl_account *account, struct acl_user *user)
{
    bool all = acl_user_may_all(user);
    if (!all)
        atomic_store(&account->may_all, false);
    struct acl_user *old = atomic_exchange(&account->value, user);
    atomic_store(&account->may_all, all);
    if (account == default_account)
        tell_condition(user);
    retire(old);
}

/* ---- Users by name ---- */

bool acl_users_has(struct bytes name)
{
    pthread_mutex_lock(&mutex);
    bool found = find(name) != NULL;
    pthread_mutex_unlock(&mutex);
    return found;
}

struct acl_user *acl_users_copy(struct bytes name)
{
    pthread_mutex_lock(&mutex);
    const struct acl_account *account = find(name);
    struct acl_user *copy = account ? acl_user_copy(atomic_load(&account->value)) : NULL;
    pthread_mutex_unlock(&mutex);
    return copy;
}

bool acl_users_set(struct bytes name, const struct bytes *words, size_t count,
    struct buffer *culprit, bool *unmatched, struct error *error)
{
    pthread_mutex_lock(&mutex);
    struct acl_account *account = find(name);
    struct acl_user *user =
        account ? acl_user_copy(atomic_load(&account->value)) : acl_user_create();
    bool done = acl_user_apply_all(user, words, count, culprit, unmatched, error);
    if (!done)
        acl_user_free(user);
    else if (account)
        publish(account, user);
    else
        insert(account_create(name, user));
    pthread_mutex_unlock(&mutex);
    return done;
}

bool acl_users_delete(struct bytes name)
{
    bool found;
    pthread_mutex_lock(&mutex);
    size_t at = place_of(name, &found);
    found = found && accounts[at] != default_account;
    if (found)
        remove_at(at);
    pthread_mutex_unlock(&mutex);
    return found;
}

void acl_users_each(
    void (*visit)(void *arg, const char *name, const struct acl_user *user), void *arg)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < account_count; i++)
        visit(arg, accounts[i]->name, atomic_load(&accounts[i]->value));
    pthread_mutex_unlock(&mutex);
}

static void write_user(void *arg, const char *name, const struct acl_user *user)
{
    struct buffer *out = arg;
    buffer_printf(out, "user %s ", name);
    acl_user_describe(user, out);
    buffer_append_char(out, '\n');
}

void acl_users_write(struct buffer *out)
{
    acl_users_each(write_user, out);
}

/* ---- All at once ---- */

bool acl_loaded_has(const struct acl_loaded *loaded, struct bytes name)
{
    for (size_t i = 0; i < loaded->count; i++) {
        if (bytes_equal(bytes_of(loaded->items[i].name), name))
            return true;
    }
    return false;
}

struct acl_user *acl_loaded_add(struct acl_loaded *loaded, struct bytes name)
{
    loaded->items = memory_resize(loaded->items, (loaded->count + 1) * sizeof(*loaded->items));
    struct acl_loaded_user *added = &loaded->items[loaded->count++];
    added->name = memory_alloc(name.len + 1);
    memcpy(added->name, name.data, name.len);
    added->name[name.len] = '\0';
    added->user = acl_user_create();
    return added->user;
}

void acl_loaded_free(struct acl_loaded *loaded)
{
    for (size_t i = 0; i < loaded->count; i++) {
        free(loaded->items[i].name);
        acl_user_free(loaded->items[i].user);
    }
    free(loaded->items);
    *loaded = (struct acl_loaded){ 0 };
}

void acl_users_replace(struct acl_loaded *loaded)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = account_count; i > 0; i--) {
        if (accounts[i - 1] != default_account)
            remove_at(i - 1);
    }
    struct acl_user *user = NULL;
    for (size_t i = 0; i < loaded->count; i++) {
        struct acl_loaded_user *item = &loaded->items[i];
        if (strcmp(item->name, default_account->name) == 0)
            user = item->user;
        else
            insert(account_create(bytes_of(item->name), item->user));
        item->user = NULL;
    }
    publish(default_account, user ? user : acl_user_create_default());
    pthread_mutex_unlock(&mutex);
    acl_loaded_free(loaded);
}

/* ---- Sessions ---- */

static void become(struct session *session, struct acl_account *account)
{
    struct acl_account *before = session->account;
    session->account = account;
    if (before)
        account_release(before);
}

void acl_session_begin(struct session *session)
{
    if (default_account) {
        atomic_fetch_add(&default_account->holders, 1);
        become(session, default_account);
    }
    session->flags &= ~(unsigned)SESSION_AUTHENTICATED;
    if (!(condition_all() & CONDITION_PASSWORD))
        session->flags |= SESSION_AUTHENTICATED;
}

void acl_session_end(struct session *session)
{
    become(session, NULL);
}

bool acl_session_authenticate(struct session *session, struct bytes name, struct bytes password)
{
    unsigned char hash[ACL_HASH_SIZE];
    acl_hash(password, hash); /* it may be long */
    pthread_mutex_lock(&mutex);
    struct acl_account *account = find(name);
    /* A name that nobody has costs what a wrong password costs. */
    const struct acl_user *user = atomic_load(&(account ? account : default_account)->value);
    bool right = acl_user_has_hash(user, hash) && account && user->flags & ACL_ON;
    if (right)
        atomic_fetch_add(&account->holders, 1);
    pthread_mutex_unlock(&mutex);
    if (right) {
        become(session, account);
        session->flags |= SESSION_AUTHENTICATED;
    }
    return right;
}

bool acl_default_is_nopass(void)
{
    pthread_mutex_lock(&mutex);
    bool nopass = atomic_load(&default_account->value)->flags & ACL_NOPASS;
    pthread_mutex_unlock(&mutex);
    return nopass;
}

const char *acl_session_user(const struct session *session)
{
    return session->account ? session->account->name : "default";
}

static bool may_hear(void *arg, enum topic_kind kind, struct bytes name)
{
    return acl_check_channel(arg, name, kind == TOPIC_PATTERN);
}

bool acl_session_must_go(const struct session *session)
{
    if (acl_session_is_deleted(session))
        return true;
    if (acl_session_may_all(session) || !(session->flags & SESSION_SUBSCRIBED))
        return false;
    pthread_mutex_lock(&mutex); /* it may not be in a turn */
    bool hears = topic_each_of(session, may_hear, atomic_load(&session->account->value));
    pthread_mutex_unlock(&mutex);
    return !hears;
}

struct review {
    uint64_t except; /* a session */
    struct executor *executor;
};

static void review_session(void *arg, struct session *session)
{
    const struct review *review = arg;
    if (session->id != review->except && acl_session_must_go(session))
        session->executor->close(session);
}

static void begin_review(void *arg)
{
    struct review *review = arg;
    review->executor->visit(review->executor, review_session, free, review);
}

void acl_sessions_review(uint64_t except)
{
    for (unsigned i = 0; i < executor_count(); i++) {
        struct executor *executor = executor_at(i);
        if (!executor->post || !executor->visit)
            continue;
        struct review *review = memory_alloc(sizeof(*review));
        *review = (struct review){ except, executor };
        executor->post(executor, begin_review, review);
        return;
    }
}

/* ---- The start ---- */

/* requirepass is the default user's only password; without it any is right. */
static void apply_requirepass(struct acl_user *user)
{
    struct error error;
    char *password = config_text(CONFIG_REQUIREPASS);
    acl_user_apply(user, BYTES("resetpass"), &error);
    if (password[0]) {
        struct buffer rule = { 0 };
        buffer_printf(&rule, ">%s", password);
        acl_user_apply(user, buffer_bytes(&rule), &error);
        OPENSSL_cleanse(rule.data, rule.len);
        buffer_free(&rule);
    } else {
        acl_user_apply(user, BYTES("nopass"), &error);
    }
    free(password);
}

static bool requirepass_changed(enum config_id id, struct error *error)
{
    pthread_mutex_lock(&mutex);
    struct acl_user *user = acl_user_copy(atomic_load(&default_account->value));
    apply_requirepass(user);
    publish(default_account, user);
    pthread_mutex_unlock(&mutex);
    return true;
}

/* A pattern may have quotes in it, which mean something in a configuration. */
static void quote_words(struct bytes line, struct buffer *out)
{
    while (line.len > 0) {
        size_t len = 0;
        while (len < line.len && line.data[len] != ' ' && line.data[len] != '\n')
            len++;
        words_quote(out, (struct bytes){ line.data, len });
        if (len < line.len)
            buffer_append_char(out, line.data[len++]);
        line.data += len;
        line.len -= len;
    }
}

/* The users for CONFIG REWRITE: none where an aclfile has them, or where there is nothing to say.
 */
static void write_to_config(struct buffer *out)
{
    if (config_text_is_set(CONFIG_ACLFILE))
        return;
    struct buffer plain = { 0 }, now = { 0 };
    struct acl_user *user = acl_user_create_default();
    apply_requirepass(user);
    write_user(&plain, default_account->name, user);
    acl_user_free(user);
    acl_users_write(&now);
    if (!bytes_equal(buffer_bytes(&now), buffer_bytes(&plain)))
        quote_words(buffer_bytes(&now), out);
    buffer_free(&plain);
    buffer_free(&now);
}

bool acl_users_init(struct error *error)
{
    struct acl_user *user = acl_user_create_default();
    apply_requirepass(user);
    default_account = account_create(BYTES("default"), user);
    insert(default_account);
    tell_condition(user);
    config_on_change(CONFIG_REQUIREPASS, requirepass_changed);
    config_on_rewrite(write_to_config);
    return acl_file_load_config(error);
}
