#include "server/config.h"
#include "server/config_table.h"

#include "tests/support/file.h"
#include "tests/support/scratch.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const char *path_in_folder(const char *name)
{
    return scratch_printf("%s/%s", scratch_folder(), name);
}

/* Loads the text as a file; the message is in *error. */
static bool load_text(const char *text, struct error *error)
{
    const char *path = path_in_folder("node.conf");
    file_write_text(path, text);
    return config_load(path, 0, NULL, error);
}

static void must_load(const char *text)
{
    struct error error = { "" };
    cr_assert(load_text(text, &error), "%s\n%s", text, error.text);
}

/* What CONFIG GET shows, as scratch text; NULL: there is no such directive. */
struct search {
    const char *name;
    char *value;
};

static void compare_name(void *arg, const char *name, bool is_alias, struct bytes value)
{
    struct search *search = arg;
    if (strcmp(search->name, name) == 0)
        search->value = scratch_copy(value.data, value.len);
}

static const char *shown(const char *name)
{
    struct search search = { name, NULL };
    config_each(compare_name, &search);
    return search.value;
}

static void must_show(const char *name, const char *value)
{
    const char *is = shown(name);
    cr_assert(is && strcmp(is, value) == 0, "%s is %s, not %s", name, is ? is : "unknown", value);
}

/* As redis-server 7.0 shows them. */
Test(config, defaults_are_those_of_redis)
{
    static const char *const rows[][2] = {
        { "port", "6379" },
        { "bind", "* -::*" },
        { "protected-mode", "yes" },
        { "save", "3600 1 300 100 60 10000" },
        { "client-output-buffer-limit",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60" },
        { "client-query-buffer-limit", "1073741824" },
        { "appendfsync", "everysec" },
        { "loglevel", "notice" },
        { "unixsocketperm", "0" },
        { "replicaof", "" },
        { "slaveof", "" },
        { "cluster-node-timeout", "15000" },
        { "latency-tracking-info-percentiles", "50 99 99.9" },
        { "enable-debug-command", "no" },
    };
    struct error error;
    cr_assert(config_load(NULL, 0, NULL, &error));
    for (size_t i = 0; i < ROWS(rows); i++)
        must_show(rows[i][0], rows[i][1]);
    cr_assert_str_eq(config_file(), "");
    char *dir = getcwd(NULL, 0);
    must_show("dir", dir);
    free(dir);
}

Test(config, workers_are_as_many_as_cores_but_eight_at_most)
{
    struct error error;
    cr_assert(config_load(NULL, 0, NULL, &error));
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    cr_assert_eq(config_number(CONFIG_IO_THREADS), cores < 8 ? cores : 8);
}

Test(config, files_are_read_as_redis_reads_them)
{
    must_load("# comment\n\n  PORT\t7001  \r\n"
              "save 60 1\nsave 30 2\n"
              "bind 127.0.0.1 ::1\n"
              "requirepass \"a \\\"b\\\"\"\n"
              "repl-backlog-size 2mb\n"
              "client-output-buffer-limit replica 1kb 2k 3\n"
              "unixsocketperm 770\n"
              "slave-priority 7\n"
              "maxclients 10\nmaxclients 20");
    must_show("port", "7001");
    must_show("save", "60 1 30 2");
    must_show("bind", "127.0.0.1 ::1");
    must_show("requirepass", "a \"b\"");
    must_show("repl-backlog-size", "2097152");
    must_show(
        "client-output-buffer-limit", "normal 0 0 0 slave 1024 2000 3 pubsub 33554432 8388608 60");
    must_show("unixsocketperm", "770");
    must_show("replica-priority", "7");
    must_show("maxclients", "20");
    cr_assert_str_eq(config_file(), path_in_folder("node.conf"));

    must_load("save \"\"\n");
    must_show("save", "");
    must_load("save 60 1\nsave \"\"\nsave \"5 6\"\n");
    must_show("save", "5 6");
}

Test(config, what_is_wrong_is_told_with_its_line)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *reason;
    } rows[] = {
        { "port 1\nfoo bar\n", 2, "Unknown directive 'foo'" },
        { "port\n", 1, "wrong number of arguments" },
        { "port 1 2\n", 1, "wrong number of arguments" },
        { "\n\nport abc\n", 3, "argument couldn't be parsed into an integer" },
        { "port 65536\n", 1, "argument must be between 0 and 65535 inclusive" },
        { "appendonly maybe\n", 1, "argument must be 'yes' or 'no'" },
        { "loglevel loud\n", 1,
            "argument(s) must be one of the following: debug, verbose, notice, warning" },
        { "repl-backlog-size 1x\n", 1, "argument must be a memory value" },
        { "repl-backlog-size 0\n", 1, "argument must be between 1 and" },
        { "unixsocketperm 800\n", 1, "octal" },
        { "unixsocketperm 1777\n", 1, "argument must be between 0 and 777 inclusive" },
        { "save 60\n", 1, "Invalid save parameters" },
        { "save 0 1\n", 1, "Invalid save parameters" },
        { "port \"1\n", 1, "Unbalanced quotes" },
        { "dbfilename a/b\n", 1, "can't be a path" },
        { "appendfilename \"\"\n", 1, "can't be empty" },
        { "cluster-announce-hostname a_b\n", 1, "Hostnames may only contain" },
        { "client-output-buffer-limit normal 1 2\n", 1,
            "Wrong number of arguments in buffer limit" },
        { "client-output-buffer-limit other 1 2 3\n", 1, "Invalid client class" },
        { "client-output-buffer-limit normal 1 2 x\n", 1, "Error in hard, soft or soft_seconds" },
        { "replicaof 1.2.3.4 0\n", 1, "Invalid master port" },
        { "dir /nonexistent\n", 1, "No such file or directory" },
        { "io-threads 9\n", 1, "argument must be between 1 and 8 inclusive" },
        { "include\n", 1, "wrong number of arguments" },
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct error error = { "" };
        cr_assert_not(load_text(rows[i].text, &error), "%s", rows[i].text);
        const char *where = scratch_printf("Reading the configuration file %s, at line %u\n>>> '",
            path_in_folder("node.conf"), rows[i].line);
        cr_assert(strstr(error.text,
                      "*** FATAL CONFIG FILE ERROR (slotd " SLOTD_VERSION ") ***\n") == error.text);
        cr_assert(strstr(error.text, where), "%s\nnot in\n%s", where, error.text);
        cr_assert(strstr(error.text, rows[i].reason), "%s\nnot in\n%s", rows[i].reason, error.text);
    }
}

Test(config, what_does_not_go_together_is_refused)
{
    struct error error;
    cr_assert_not(load_text("cluster-enabled yes\nreplicaof 127.0.0.1 6379\n", &error));
    cr_assert(strstr(error.text, "replicaof directive not allowed in cluster mode"));
    cr_assert_not(load_text("cluster-enabled yes\nport 55536\n", &error));
    cr_assert(strstr(error.text, "cluster-port"));
    must_load("cluster-enabled yes\nport 55536\ncluster-port 20000\n");
}

Test(config, a_very_long_line_makes_a_message_that_fits)
{
    char *text = scratch_printf("requirepass %0*d\n", 100000, 1);
    struct error error = { "" };
    cr_assert_not(load_text(text, &error));
    cr_assert(strstr(error.text, "...'\nargument is longer than"), "%s", error.text);
}

Test(config, the_command_line_comes_after_the_file)
{
    struct error error = { "" };
    file_write_text(path_in_folder("node.conf"), "port 1\nmaxclients 5\n");
    char *argv[] = { "--port", "7005", "--bind", "127.0.0.1", "::1", "--save", "--requirepass",
        "--x y", "--masterauth", "", "--appendonly yes", "--save" };
    cr_assert(
        config_load(path_in_folder("node.conf"), (int)ROWS(argv), argv, &error), "%s", error.text);
    must_show("port", "7005");
    must_show("maxclients", "5");
    must_show("bind", "127.0.0.1 ::1");
    must_show("save", "");
    must_show("requirepass", "--x y");
    must_show("appendonly", "yes");

    static char *wrong[][2] = { { "--port", NULL }, { "--foo", "1" }, { "stray", NULL } };
    for (size_t i = 0; i < ROWS(wrong); i++) {
        cr_assert_not(config_load(NULL, wrong[i][1] ? 2 : 1, wrong[i], &error), "%s", wrong[i][0]);
        cr_assert(
            strstr(error.text, wrong[i][0] + (wrong[i][0][0] == '-' ? 2 : 0)), "%s", error.text);
    }
}

Test(config, included_files_are_read_where_they_stand)
{
    struct error error;
    file_write_text(path_in_folder("a.inc"), "port 1\nmaxclients 1\n");
    file_write_text(path_in_folder("b.inc"), "port 2\n");
    must_load(scratch_printf("maxclients 9\ninclude %s\ntimeout 3\n", path_in_folder("*.inc")));
    must_show("port", "2");
    must_show("maxclients", "1");
    must_show("timeout", "3");
    must_load(scratch_printf("include %s\n", path_in_folder("*.none")));

    cr_assert_not(load_text(scratch_printf("include %s\n", path_in_folder("c.inc")), &error));
    cr_assert(strstr(error.text, "c.inc") && strstr(error.text, "No such file"), "%s", error.text);
    file_write_text(path_in_folder("b.inc"), "port x\n");
    cr_assert_not(load_text(scratch_printf("include %s\n", path_in_folder("*.inc")), &error));
    cr_assert(strstr(error.text, "b.inc, at line 1"), "%s", error.text);
    cr_assert_not(load_text(scratch_printf("include %s\n", path_in_folder("node.conf")), &error));
    cr_assert(strstr(error.text, "include each other"), "%s", error.text);
}

/* ---- CONFIG SET ---- */

static enum config_outcome set(const char *first, const char *value, struct error *error)
{
    struct config_pair pair = { bytes_of(first), bytes_of(value) };
    size_t culprit;
    return config_change(&pair, 1, false, &culprit, error);
}

Test(config, a_change_is_checked_as_redis_checks_it)
{
    static const struct {
        const char *name, *value, *reason; /* reason NULL: it is taken; "": unknown */
    } rows[] = {
        { "timeout", "5", NULL }, { "TIMEOUT", "6", NULL }, { "slave-priority", "3", NULL },
        { "save", "60 5 70 6", NULL }, { "save", "", NULL },
        { "client-output-buffer-limit", "pubsub 1 2 3", NULL }, { "nosuch", "1", "" },
        { "databases", "3", "can't set immutable config" },
        { "dir", "/tmp", "can't set protected config" },
        { "dbfilename", "x", "can't set protected config" },
        { "timeout", "x", "argument couldn't be parsed into an integer" },
        { "timeout", "-1", "argument must be between 0 and 2147483647 inclusive" },
        { "requirepass", "x", "can't set immutable config" }, /* nobody would act on it */
    };
    must_load("");
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct error error = { "" };
        enum config_outcome wanted = !rows[i].reason     ? CONFIG_CHANGED
                                     : rows[i].reason[0] ? CONFIG_REFUSED
                                                         : CONFIG_UNKNOWN;
        cr_assert_eq(set(rows[i].name, rows[i].value, &error), wanted, "%s %s: %s", rows[i].name,
            rows[i].value, error.text);
        if (wanted == CONFIG_REFUSED)
            cr_assert_str_eq(error.text, rows[i].reason);
    }
    must_show("timeout", "6");
    must_show("save", "");
    must_show(
        "client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 1 2 3");
}

static int64_t port_told, backlog_told;
static unsigned times_told;

static bool take_port(enum config_id id, struct error *error)
{
    port_told = config_number(id);
    times_told++;
    return true;
}

static bool refuse_small(enum config_id id, struct error *error)
{
    backlog_told = config_number(id);
    return backlog_told >= 1000 || error_set(error, "too small");
}

Test(config, several_changes_are_made_together_or_not_at_all)
{
    must_load("port 7000\nrepl-backlog-size 5000\ntimeout 1\n");
    config_on_change(CONFIG_PORT, take_port);
    config_on_change(CONFIG_REPL_BACKLOG_SIZE, refuse_small);
    struct error error;
    size_t culprit;

    const struct config_pair good[] = { { BYTES("port"), BYTES("7001") },
        { BYTES("repl-backlog-size"), BYTES("2kb") } };
    cr_assert_eq(config_change(good, 2, false, &culprit, &error), CONFIG_CHANGED);
    cr_assert_eq(port_told, 7001);
    cr_assert_eq(backlog_told, 2048);

    const struct config_pair refused[] = { { BYTES("timeout"), BYTES("9") },
        { BYTES("port"), BYTES("7002") }, { BYTES("repl-backlog-size"), BYTES("10") } };
    cr_assert_eq(config_change(refused, 3, false, &culprit, &error), CONFIG_REFUSED);
    cr_assert_eq(culprit, 2);
    cr_assert_str_eq(error.text, "too small");
    must_show("timeout", "1");
    must_show("port", "7001");
    must_show("repl-backlog-size", "2048");
    cr_assert_eq(port_told, 7001); /* told of the way back as well */
    cr_assert_eq(backlog_told, 2048);

    const struct config_pair wrong[] = { { BYTES("port"), BYTES("7003") },
        { BYTES("hz"), BYTES("x") } };
    times_told = 0;
    cr_assert_eq(config_change(wrong, 2, false, &culprit, &error), CONFIG_REFUSED);
    cr_assert_eq(culprit, 1);
    cr_assert_eq(times_told, 0);
    must_show("port", "7001");

    const struct config_pair twice[] = { { BYTES("hz"), BYTES("5") }, { BYTES("HZ"), BYTES("6") } };
    cr_assert_eq(config_change(twice, 2, false, &culprit, &error), CONFIG_REFUSED);
    cr_assert_str_eq(error.text, "duplicate parameter");
    must_show("hz", "10");

    const struct config_pair same[] = { { BYTES("port"), BYTES("7001") } };
    cr_assert_eq(config_change(same, 1, false, &culprit, &error), CONFIG_CHANGED);
    cr_assert_eq(times_told, 0, "nothing has changed, so nobody is told");
}

Test(config, dir_changes_the_directory_of_the_process)
{
    must_load("");
    folder_make(path_in_folder("data"));
    struct config_pair pair = { BYTES("dir"), bytes_of(path_in_folder("data/../data")) };
    struct error error;
    size_t culprit;
    cr_assert_eq(config_change(&pair, 1, true, &culprit, &error), CONFIG_CHANGED);
    must_show("dir", path_in_folder("data"));
    char *now = getcwd(NULL, 0);
    cr_assert_str_eq(now, path_in_folder("data"));
    free(now);
    pair.value = BYTES("/nonexistent");
    cr_assert_eq(config_change(&pair, 1, true, &culprit, &error), CONFIG_REFUSED);
    cr_assert_str_eq(error.text, "No such file or directory");
    must_show("dir", path_in_folder("data"));
}

/* ---- CONFIG REWRITE ---- */

static void must_rewrite(const char *before, const char *after)
{
    struct error error = { "" };
    const char *path = path_in_folder("node.conf");
    file_write_text(path, before);
    cr_assert(config_rewrite(&error), "%s", error.text);
    const char *is = file_read(path, NULL);
    cr_assert_str_eq(is, after, "is:\n%s\nshould be:\n%s", is, after);
}

Test(config, rewriting_changes_what_has_changed)
{
    struct error error;
    const char *dir = scratch_printf("dir %s\n", scratch_folder());
    const char *before =
        scratch_printf("# mine\n  port   07\n%s\nMAXCLIENTS 10\n# end\nmaxclients 20\n"
                       "slave-priority 5\nsave 60 1\nsave 30 2\n",
            dir);
    cr_assert_not(load_text(before, &error), "07 is no number");
    before = scratch_printf("# mine\n  port   7\n%s\nMAXCLIENTS 10\n# end\nmaxclients 20\n"
                            "slave-priority 5\nsave 60 1\nsave 30 2\n",
        dir);
    must_load(before);
    must_rewrite(before, scratch_printf("# mine\n  port   7\n%s\nmaxclients 20\n# end\n"
                                        "slave-priority 5\nsave 60 1 30 2\n",
                             dir));

    cr_assert_eq(set("replica-priority", "6", &error), CONFIG_CHANGED);
    cr_assert_eq(set("masterauth", "a \"b", &error), CONFIG_CHANGED);
    cr_assert_eq(set("client-query-buffer-limit", "3145728", &error), CONFIG_CHANGED);
    const char *after = scratch_printf("# mine\n  port   7\n%s\nmaxclients 20\n# end\n"
                                       "replica-priority 6\nsave 60 1 30 2\n\n"
                                       "# Generated by CONFIG REWRITE\n"
                                       "client-query-buffer-limit 3mb\nmasterauth \"a \\\"b\"\n",
        dir);
    must_rewrite(before, after);
    must_rewrite(after, after);
    struct error load_error = { "" };
    cr_assert(
        config_load(path_in_folder("node.conf"), 0, NULL, &load_error), "%s", load_error.text);
    must_show("masterauth", "a \"b");
    must_show("replica-priority", "6");
}

Test(config, rewriting_needs_a_file_and_leaves_no_other)
{
    struct error error;
    cr_assert(config_load(NULL, 0, NULL, &error));
    cr_assert_not(config_rewrite(&error));
    cr_assert_str_eq(error.text, "The server is running without a config file");
    must_load("port 1\n");
    cr_assert(config_rewrite(&error));
    cr_assert_null(file_find(scratch_folder(), ".tmp"));
}

/* Each row's value, written as a line and read back, is the same again. */
Test(config, every_directive_reads_what_it_writes)
{
    must_load("");
    for (const struct directive *row = config_directives; row->name; row++) {
        struct config_value value;
        directive_default(row, &value);
        struct buffer line = { 0 };
        row->kind->write(row, &value, &line);
        struct config_value now;
        must_load(scratch_copy(line.data ? line.data : "", line.len));
        config_value_read(row, &now);
        cr_assert(row->id == CONFIG_DIR || config_value_equal(row, &value, &now), "%s", row->name);
        config_value_free(&value);
        config_value_free(&now);
        buffer_free(&line);
    }
}

Test(config, rows_are_in_order_and_without_doubles)
{
    const struct directive *row = config_directives;
    for (; row[1].name; row++)
        cr_assert(strcmp(row->name, row[1].name) < 0, "%s before %s", row->name, row[1].name);
    for (row = config_directives; row->name; row++) {
        for (const struct directive *other = row + 1; other->name; other++)
            cr_assert(row->id != other->id, "%s and %s", row->name, other->name);
    }
}

Test(config, passwords_are_secret)
{
    cr_assert(config_is_secret(BYTES("RequirePass")));
    cr_assert(config_is_secret(BYTES("masterauth")));
    cr_assert_not(config_is_secret(BYTES("port")));
    cr_assert_not(config_is_secret(BYTES("nosuch")));
}

/* conf/slotd.conf shows each directive behind a # without a space, with its default. */
Test(config, the_annotated_file_has_every_directive_with_its_default)
{
    const char *all = file_read("conf/slotd.conf", NULL);
    cr_assert(all, "run from the root of the sources");
    struct buffer lines = { 0 };
    bool shown_there[DIRECTIVES_MAX] = { false };
    struct bytes rest = bytes_of(all), line;
    while (config_next_line(&rest, &line)) {
        if (line.len < 2 || line.data[0] != '#' || line.data[1] == ' ')
            continue;
        const char *text = scratch_copy(line.data + 1, line.len - 1);
        const struct directive *row = directive_find((struct bytes){ text, strcspn(text, " ") });
        cr_assert(row, "no such directive: %s", text);
        shown_there[row - config_directives] = true;
        if (row->id != CONFIG_IO_THREADS)
            buffer_printf(&lines, "%s\n", text);
    }
    for (const struct directive *row = config_directives; row->name; row++)
        cr_assert(shown_there[row - config_directives], "%s is missing", row->name);
    must_load(scratch_copy(lines.data, lines.len));
    for (const struct directive *row = config_directives; row->name; row++) {
        struct config_value now, initial;
        config_value_read(row, &now);
        directive_default(row, &initial);
        cr_assert(
            row->id == CONFIG_DIR || config_value_equal(row, &now, &initial), "%s", row->name);
        config_value_free(&now);
        config_value_free(&initial);
    }
    buffer_free(&lines);
    must_load(all);
}
