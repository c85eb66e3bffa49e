#include "server/cluster/nodes_conf.h"

#include "tests/support/scratch.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_A "0123456789abcdef0123456789abcdef01234567"
#define ID_B "89abcdef0123456789abcdef0123456789abcdef"
#define LINE_A                                                                                     \
    ID_A " 127.0.0.1:7001@17001,,shard-id=" ID_A " myself,master - 0 0 3 connected 0-99\n"
#define LINE_B ID_B " 127.0.0.1:7002@17002 slave " ID_A " 0 1700000000000 3 connected\n"
#define VARS "vars currentEpoch 7 lastVoteEpoch 6\n"

static const char *path_of(const char *name)
{
    return scratch_printf("%s/%s", scratch_folder(), name);
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

static const char *get(const char *path)
{
    static char text[4096];
    FILE *file = fopen(path, "r");
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

static struct nodes_conf *open_it(const char *path)
{
    struct error error = { "" };
    struct nodes_conf *conf = nodes_conf_open(path, &error);
    cr_assert_not_null(conf, "%s", error.text);
    return conf;
}

Test(nodes_conf, a_new_file_is_not_found_and_takes_what_is_saved)
{
    const char *path = path_of("new.conf");
    struct nodes_conf *conf = open_it(path);
    struct topology topology;
    struct error error;
    bool found = true;
    cr_assert(nodes_conf_load(conf, &topology, &found, &error));
    cr_assert_not(found);
    cr_assert(nodes_conf_save(conf, BYTES(LINE_A LINE_B VARS), true, &error), "%s", error.text);
    cr_assert(nodes_conf_save(conf, BYTES(LINE_A LINE_B VARS), false, &error), "%s", error.text);
    cr_assert_str_eq(get(path), LINE_A LINE_B VARS);
    cr_assert_eq(access(path_of("new.conf.tmp"), F_OK), -1, "the temporary file is still there");
    cr_assert(nodes_conf_load(conf, &topology, &found, &error), "%s", error.text);
    cr_assert(found);
    cr_assert_eq(topology.count, 2);
    cr_assert_eq(topology.current_epoch, 7);
    cr_assert_eq(topology.last_vote_epoch, 6);
    topology_free(&topology);
    nodes_conf_close(conf);
}

Test(nodes_conf, a_second_process_is_kept_out_before_and_after_saves)
{
    const char *path = path_of("locked.conf");
    struct nodes_conf *conf = open_it(path);
    struct error error = { "" };
    cr_assert_null(nodes_conf_open(path, &error));
    cr_assert_not_null(strstr(error.text, "locked"), "%s", error.text);
    cr_assert(nodes_conf_save(conf, BYTES(LINE_A VARS), true, &error));
    cr_assert_null(nodes_conf_open(path, &error), "a save must not give the lock away");
    /* As redis-server looks for it. */
    int fd = open(path, O_WRONLY);
    cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), -1);
    close(fd);
    nodes_conf_close(conf);
    nodes_conf_close(open_it(path));
}

Test(nodes_conf, a_damaged_file_is_refused_by_its_line_and_left_as_it_is)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        { LINE_A "what is this\n" VARS, "line 2" },
        { LINE_A LINE_A VARS, "line 2" },
        { "x" LINE_A VARS, "line 1" },
        { ID_B " 127.0.0.1:7002@17002 master - 0 0 3 connected\n" VARS, "myself" },
        { LINE_A LINE_B, "vars" },
        { LINE_A "vars currentEpoch 7 lastVoteEp", "line 2" },
        { LINE_A "vars currentEpoch 7 lastVoteEpoch 6", "vars" },
        { VARS, "myself" },
    };
    const char *path = path_of("damaged.conf");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put(path, cases[i].text);
        struct nodes_conf *conf = open_it(path);
        struct topology topology;
        struct error error = { "" };
        bool found;
        cr_assert_not(nodes_conf_load(conf, &topology, &found, &error), "case %zu", i);
        cr_assert_not_null(strstr(error.text, cases[i].said), "case %zu: %s", i, error.text);
        cr_assert_not_null(strstr(error.text, path), "case %zu: %s", i, error.text);
        cr_assert_str_eq(get(path), cases[i].text);
        nodes_conf_close(conf);
    }
}

Test(nodes_conf, a_save_that_fails_leaves_the_old_file)
{
    const char *path = path_of("old.conf");
    struct nodes_conf *conf = open_it(path);
    struct error error = { "" };
    cr_assert(nodes_conf_save(conf, BYTES(LINE_A VARS), true, &error));
    /* Where the temporary file would be made there is a folder. */
    cr_assert_eq(mkdir(path_of("old.conf.tmp"), 0755), 0);
    cr_assert_not(nodes_conf_save(conf, BYTES(LINE_A LINE_B VARS), true, &error));
    cr_assert_not_null(strstr(error.text, "old.conf.tmp"), "%s", error.text);
    cr_assert_str_eq(get(path), LINE_A VARS);
    rmdir(path_of("old.conf.tmp"));
    cr_assert(nodes_conf_save(conf, BYTES(LINE_A LINE_B VARS), true, &error));
    nodes_conf_close(conf);
}

Test(nodes_conf, a_folder_that_is_not_there_is_an_error)
{
    struct error error = { "" };
    cr_assert_null(nodes_conf_open(path_of("nowhere/nodes.conf"), &error));
    cr_assert_not_null(strstr(error.text, "nowhere/nodes.conf"), "%s", error.text);
}
