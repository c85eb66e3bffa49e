/* A user as rules. Of its commands only a set of bits is known, so rules are looked for that make
 * the same set: +@all or -@all as a beginning; then category after category, the one first that
 * brings the set nearest; then single commands. Redis chooses in the same way, so both write the
 * same rules. */
#include "server/command/acl_user.h"

#include "server/command/acl_selector.h"
#include "server/command/category.h"
#include "server/command/command.h"
#include <limits.h>

/* ---- Commands ---- */

/* How many commands of a category the selector allows, and how many not. */
static void count_category(
    const struct acl_selector *selector, unsigned category, unsigned *allowed, unsigned *denied)
{
    *allowed = *denied = 0;
    for (unsigned id = 0; id < command_count(); id++) {
        if (!(acl_categories(id) >> category & 1))
            continue;
        if (acl_selector_allows(selector, id))
            ++*allowed;
        else
            ++*denied;
    }
}

/* The category not yet used that explains most of what `left` still has, and more than it spoils;
 * -1: none does. */
static int best_category(const struct acl_selector *left, bool adds, uint32_t used)
{
    int best = -1;
    unsigned best_wrong = UINT_MAX, best_right = 0;
    for (unsigned category = 0; category < CATEGORY_COUNT; category++) {
        unsigned allowed, denied;
        if (used >> category & 1)
            continue;
        count_category(left, category, &allowed, &denied);
        unsigned right = adds ? allowed : denied, wrong = adds ? denied : allowed;
        if (right > wrong && (wrong < best_wrong || (wrong == best_wrong && right > best_right))) {
            best = (int)category;
            best_wrong = wrong;
            best_right = right;
        }
    }
    return best;
}

static void describe_categories(
    const struct acl_selector *selector, bool adds, struct acl_selector *made, struct buffer *out)
{
    struct acl_selector left;
    uint32_t used = 0;
    int best;
    acl_selector_copy(&left, selector);
    while ((best = best_category(&left, adds, used)) >= 0) {
        acl_selector_set_category(made, (unsigned)best, adds);
        acl_selector_set_category(&left, (unsigned)best, !adds);
        buffer_printf(out, " %c@%s", adds ? '+' : '-', category_name((unsigned)best));
        used |= UINT32_C(1) << best;
    }
    acl_selector_free(&left);
}

static void describe_first_args(
    const struct acl_selector *selector, unsigned id, struct buffer *out)
{
    if (acl_selector_allows(selector, id))
        return;
    for (size_t i = 0; i < selector->first_arg_count; i++) {
        if (selector->first_args[i].command == id)
            buffer_printf(out, " +%s|%s", command_by_id(id)->name, selector->first_args[i].text);
    }
}

void acl_describe_commands(const struct acl_selector *selector, struct buffer *out)
{
    bool adds = !(selector->flags & ACL_FUTURE_COMMANDS);
    struct acl_selector made;
    acl_selector_init(&made);
    acl_selector_set_all(&made, !adds);
    buffer_append_text(out, adds ? "-@all" : "+@all");
    describe_categories(selector, adds, &made, out);
    for (unsigned id = 0; id < command_count(); id++) {
        bool allow = acl_selector_allows(selector, id);
        if (acl_selector_allows(&made, id) != allow) {
            buffer_printf(out, " %c%s", allow ? '+' : '-', command_by_id(id)->name);
            acl_selector_set_command(&made, id, allow);
        }
        describe_first_args(selector, id, out);
    }
    acl_selector_free(&made);
}

/* ---- Keys and channels ---- */

static void append_space(struct buffer *out, size_t begin)
{
    if (out->len > begin)
        buffer_append_char(out, ' ');
}

void acl_describe_keys(const struct acl_selector *selector, struct buffer *out)
{
    static const char *const marks[] = { "~", "%R~", "%W~", "~" }; /* by access */
    size_t begin = out->len;
    if (selector->flags & ACL_ALL_KEYS)
        buffer_append_text(out, "~*");
    for (size_t i = 0; i < selector->keys.count; i++) {
        const struct acl_pattern *pattern = &selector->keys.items[i];
        append_space(out, begin);
        buffer_append_text(out, marks[pattern->access]);
        buffer_append(out, pattern->text, pattern->len);
    }
}

void acl_describe_channels(const struct acl_selector *selector, struct buffer *out)
{
    size_t begin = out->len;
    if (selector->flags & ACL_ALL_CHANNELS)
        buffer_append_text(out, "&*");
    for (size_t i = 0; i < selector->channels.count; i++) {
        append_space(out, begin);
        buffer_append_char(out, '&');
        buffer_append(out, selector->channels.items[i].text, selector->channels.items[i].len);
    }
}

/* ---- Users ---- */

static void describe_selector(const struct acl_selector *selector, struct buffer *out)
{
    size_t begin = out->len;
    acl_describe_keys(selector, out);
    append_space(out, begin);
    if (!(selector->flags & ACL_ALL_CHANNELS))
        buffer_append_text(out, selector->channels.count ? "resetchannels " : "resetchannels");
    acl_describe_channels(selector, out);
    buffer_append_char(out, ' ');
    acl_describe_commands(selector, out);
}

const char *acl_user_flag_name(const struct acl_user *user, unsigned index)
{
    const char *const names[] = { user->flags & ACL_ON ? "on" : "off",
        user->flags & ACL_NOPASS ? "nopass" : NULL,
        user->flags & ACL_SKIP_SANITIZE ? "skip-sanitize-payload" : NULL,
        user->flags & ACL_SANITIZE ? "sanitize-payload" : NULL };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (names[i] && index-- == 0)
            return names[i];
    }
    return NULL;
}

void acl_describe_password(const unsigned char *hash, struct buffer *out)
{
    for (size_t i = 0; i < ACL_HASH_SIZE; i++)
        buffer_printf(out, "%02x", hash[i]);
}

void acl_user_describe(const struct acl_user *user, struct buffer *out)
{
    const char *flag;
    for (unsigned i = 0; (flag = acl_user_flag_name(user, i)) != NULL; i++)
        buffer_printf(out, "%s ", flag);
    for (size_t i = 0; i < user->password_count; i++) {
        buffer_append_char(out, '#');
        acl_describe_password(user->passwords[i], out);
        buffer_append_char(out, ' ');
    }
    describe_selector(&user->selectors[0], out);
    for (size_t i = 1; i < user->selector_count; i++) {
        buffer_append_text(out, " (");
        describe_selector(&user->selectors[i], out);
        buffer_append_char(out, ')');
    }
}
