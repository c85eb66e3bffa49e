/* The dashboard as a person uses it: in a real terminal, on a real cluster, with keys and the
 * mouse. */
#include "tests/support/cluster.h"
#include "tests/support/scratch.h"
#include "tests/support/shell.h"
#include "tests/support/terminal.h"
#include "tests/support/wait.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { SHOW_MS = 15000, OPERATION_MS = 60000, KEYS = 2000, MARKED = 1000 };

/* The map's cells at 80x24: the labels take six columns, the first row is the third of the screen.
 */
enum { MAP_COLUMN = 6, MAP_ROW = 2 };

TestSuite(tui, .init = nodes_begin, .fini = nodes_end, .timeout = 180);

static struct cluster *start_cluster(void)
{
    return cluster_start(3, 1, "%s", "");
}

static struct terminal *open_dashboard(
    struct cluster *cluster, int columns, int rows, const char *environment)
{
    struct terminal *terminal = terminal_start(
        columns, rows, environment, "%s -p %d", console_path(), node_port(cluster->nodes[0]));
    terminal_wait(terminal, SHOW_MS, " OK ");
    terminal_wait(terminal, SHOW_MS, "6 nodes  3 shards");
    return terminal;
}

static const char *port_text(struct node *node)
{
    return scratch_printf("%d", node_port(node));
}

static void command(struct terminal *terminal, const char *line)
{
    terminal_press(terminal, ":");
    terminal_type(terminal, line);
    terminal_press(terminal, "Enter");
}

/* Keys, and the text that they bring to the screen. */
static void press(struct terminal *terminal, const char *keys, const char *brings)
{
    terminal_press(terminal, keys);
    terminal_wait(terminal, SHOW_MS, brings);
}

static void click(struct terminal *terminal, const char *text, const char *brings)
{
    terminal_click_text(terminal, text);
    terminal_wait(terminal, SHOW_MS, brings);
}

/* The same for keys that take a text away. */
static void press_away(struct terminal *terminal, const char *keys, const char *text)
{
    terminal_press(terminal, keys);
    terminal_wait_gone(terminal, SHOW_MS, text);
}

static void search(struct terminal *terminal, const char *what, const char *brings)
{
    terminal_press(terminal, "/");
    terminal_type(terminal, what);
    press(terminal, "Enter", brings);
}

/* From marked slots to the plan, for the shard that these keys choose. */
static void plan_reshard(struct terminal *terminal, const char *choice)
{
    press(terminal, "r", "Which shard gets");
    press(terminal, choice, "Reshard: the plan");
}

static void ask_for_failover(struct terminal *terminal)
{
    press(terminal, "f", "Which replica takes over?");
    press(terminal, "Enter", "is this what you want?");
}

static void quit(struct terminal *terminal)
{
    press(terminal, "q", "ended: 0");
    cr_expect(terminal_is_restored(terminal));
    terminal_end(terminal);
}

/* The slot's owner, as all nodes agree. */
static struct node *owner(struct cluster *cluster, unsigned slot)
{
    wait_until(SHOW_MS, cluster_agrees(cluster));
    return cluster_owner_of_slot(cluster, slot);
}

Test(tui, shows_the_cluster_at_every_size)
{
    struct cluster *cluster = start_cluster();
    cluster_fill(cluster, "key:", KEYS);
    struct terminal *terminal = open_dashboard(cluster, 80, 24, "");
    terminal_wait(terminal, SHOW_MS, "2,000 keys");
    cr_expect(terminal_shows(terminal, "16384 slots"));
    cr_expect(terminal_shows(terminal, "10 slots a point"));
    cr_expect(terminal_shows(terminal, "slots 0-9"));
    cr_expect(terminal_shows(terminal, "q quit"));
    for (int i = 0; i < cluster->count; i++)
        cr_expect(terminal_shows(terminal, port_text(cluster->nodes[i])), "node %d isn't shown", i);

    terminal_resize(terminal, 200, 50);
    terminal_wait(terminal, SHOW_MS, "2 slots a point");
    cr_expect(terminal_shows(terminal, "16384/16384 slots"));
    terminal_resize(terminal, 70, 20);
    terminal_wait(terminal, SHOW_MS, "needs 80x24; this is 70x20");
    terminal_resize(terminal, 80, 24);
    terminal_wait(terminal, SHOW_MS, "10 slots a point");
    quit(terminal);
}

Test(tui, has_all_views)
{
    struct cluster *cluster = start_cluster();
    struct terminal *terminal = open_dashboard(cluster, 100, 30, "");
    press(terminal, "2", "role    state");
    press(terminal, "Enter", node_id(cluster->nodes[0]));
    press_away(terminal, "Escape", node_id(cluster->nodes[0]));
    press(terminal, "3 Right", ": ok, last pong");
    click(terminal, "4 Operations", "Nothing was run from here yet");
    click(terminal, "5 Events", "k kind");
    click(terminal, "? help", "In the view Events");
    press_away(terminal, "Escape", "In the view Events");
    quit(terminal);
}

Test(tui, finds_slots_nodes_and_keys)
{
    struct cluster *cluster = start_cluster();
    struct terminal *terminal = open_dashboard(cluster, 80, 24, "");
    search(terminal, "5500", "slot 5500  B");
    search(terminal, "foo", "key \"foo\" belongs to slot 12182");
    search(terminal, scratch_printf(":%s", port_text(cluster->nodes[1])),
        scratch_printf("node %s of shard", port_text(cluster->nodes[1])));
    quit(terminal);
}

Test(tui, reshards_by_keys)
{
    struct cluster *cluster = start_cluster();
    cluster_fill(cluster, "key:", KEYS);
    struct node *before = owner(cluster, 0), *keeps = owner(cluster, MARKED);
    struct terminal *terminal = open_dashboard(cluster, 80, 24, "");

    press(terminal, "r", "m mark");
    command(terminal, "mark 0-999");
    terminal_wait(terminal, SHOW_MS, "marked 1000 slots  0-999");
    press(terminal, "r", "Which shard gets the 1000 marked slots?");
    press(terminal, "Enter", "Reshard: the plan");
    press_away(terminal, "Escape", "Reshard: the plan");
    cr_expect_eq(owner(cluster, 0), before, "leaving the plan must not run it");

    plan_reshard(terminal, "Down Enter");
    terminal_press(terminal, "Enter");
    terminal_press(terminal, "4");
    terminal_wait(terminal, OPERATION_MS, "done ");
    terminal_wait(terminal, SHOW_MS, "1000 slots with");
    press_away(terminal, "1", "marked 1000 slots");
    cr_expect_neq(owner(cluster, 0), before);
    cr_expect_eq(owner(cluster, 0), owner(cluster, MARKED - 1));
    cr_expect_eq(owner(cluster, MARKED), keeps);
    cr_expect_eq(cluster_verify(cluster, "key:", KEYS), 0);
    quit(terminal);
}

Test(tui, marks_a_range_with_arrows)
{
    struct cluster *cluster = start_cluster();
    struct terminal *terminal = open_dashboard(cluster, 80, 24, "");
    press(terminal, "m Right Right Down m", "marked 530 slots  0-529");
    press_away(terminal, "M", "marked 530 slots");
    press(terminal, "'*'", "marked 546");
    quit(terminal);
}

Test(tui, reshards_by_mouse)
{
    struct cluster *cluster = start_cluster();
    cluster_fill(cluster, "key:", KEYS);
    struct node *before = owner(cluster, 0);
    struct terminal *terminal = open_dashboard(cluster, 80, 24, "");

    terminal_drag(terminal, MAP_COLUMN, MAP_ROW, MAP_COLUMN + 9, MAP_ROW);
    terminal_wait(terminal, SHOW_MS, "marked 600 slots  0-599");
    click(terminal, "r reshard", "Which shard gets the 600 marked slots?");
    click(terminal, " 5462 slots ->  6062", "Reshard: the plan");
    terminal_click_text(terminal, "Enter run it");
    terminal_click_text(terminal, "4 Operations");
    terminal_wait(terminal, OPERATION_MS, "done ");
    terminal_click_text(terminal, "1 Slots");
    struct node *target = owner(cluster, 0);
    cr_expect_neq(target, before);
    cr_expect_eq(owner(cluster, 599), target);

    /* And back: marks that are dragged onto a shard. */
    terminal_wait_gone(terminal, SHOW_MS, "marked 600 slots");
    terminal_drag(terminal, MAP_COLUMN, MAP_ROW, MAP_COLUMN + 9, MAP_ROW);
    terminal_wait(terminal, SHOW_MS, "marked 600 slots  0-599");
    int column = 0, row = 0;
    cr_assert(terminal_find(terminal, scratch_printf("%s ", port_text(before)), &column, &row));
    terminal_drag(terminal, MAP_COLUMN + 2, MAP_ROW, column, row);
    terminal_wait(terminal, SHOW_MS, "Reshard: the plan");
    terminal_click_text(terminal, "Enter run it");
    wait_until(OPERATION_MS, cluster_owner_of_slot(cluster, 0) == before);
    terminal_wait_gone(terminal, OPERATION_MS, "x cancel");
    wait_until(OPERATION_MS, cluster_is_well(cluster));
    cr_expect_eq(cluster_verify(cluster, "key:", KEYS), 0);
    cr_expect_eq(owner(cluster, 599), before);
    quit(terminal);
}

Test(tui, pauses_and_cancels_a_reshard)
{
    struct cluster *cluster = start_cluster();
    cluster_fill(cluster, "key:", 5 * KEYS);
    struct terminal *terminal = open_dashboard(cluster, 80, 24, "");
    terminal_press(terminal, "'*'");
    plan_reshard(terminal, "Enter");
    press(terminal, "Enter p", "paused");
    press(terminal, "x", "Cancel the operation?");
    press_away(terminal, "Enter", "Cancel the operation?");
    cr_expect(terminal_shows(terminal, "paused"), "the safe answer must be the default");
    press(terminal, "x", "Cancel the operation?");
    terminal_press(terminal, "Down Enter");
    terminal_press(terminal, "4");
    terminal_wait(terminal, OPERATION_MS, "cancelled ");
    wait_until(OPERATION_MS, cluster_is_well(cluster));
    cr_expect_eq(cluster_verify(cluster, "key:", 5 * KEYS), 0);
    quit(terminal);
}

Test(tui, saves_a_plan_as_a_batch_command)
{
    struct cluster *cluster = start_cluster();
    struct terminal *terminal = terminal_start(80, 24, "", "sh -c 'cd %s && exec %s -p %d'",
        scratch_folder(), console_path(), node_port(cluster->nodes[0]));
    terminal_wait(terminal, SHOW_MS, "6 nodes  3 shards");
    command(terminal, "mark 0-9");
    plan_reshard(terminal, "Enter");
    press(terminal, "d", "saved; run it with");
    const char *file = "";
    cr_assert_eq(shell_run(SHOW_MS, &file, "cat %s/reshard-*.slotctl", scratch_folder()), 0);
    cr_expect(strstr(file, "\nreshard ") != NULL && strstr(file, "0-9") != NULL, "%s", file);
    quit(terminal);
}

Test(tui, fails_over_by_keys)
{
    struct cluster *cluster = start_cluster();
    cluster_fill(cluster, "key:", KEYS);
    struct node *primary = owner(cluster, 0), *replica = cluster_replica_of(cluster, primary);
    struct terminal *terminal = open_dashboard(cluster, 80, 24, "");
    ask_for_failover(terminal);
    press_away(terminal, "Enter", "is this what you want?");
    cr_expect_eq(owner(cluster, 0), primary, "the safe answer must be the default");

    ask_for_failover(terminal);
    terminal_press(terminal, "Down Enter");
    terminal_wait(terminal, OPERATION_MS, "done");
    cr_expect_eq(owner(cluster, 0), replica);
    cr_expect_eq(cluster_verify(cluster, "key:", KEYS), 0);
    quit(terminal);
}

Test(tui, fails_over_by_mouse)
{
    struct cluster *cluster = start_cluster();
    struct node *primary = owner(cluster, 6000), *replica = cluster_replica_of(cluster, primary);
    struct terminal *terminal = open_dashboard(cluster, 80, 24, "");
    int column = 0, row = 0;
    cr_assert(terminal_find(terminal, scratch_printf("%s ", port_text(primary)), &column, &row));
    terminal_click(terminal, column, row);
    terminal_wait(terminal, SHOW_MS, "slot 5461  B");
    click(terminal, "f failover", "Failover of shard B");
    click(terminal, scratch_printf("%s   ", port_text(replica)), "is this what you want?");
    terminal_click_text(terminal, "Fail over: ");
    terminal_wait(terminal, OPERATION_MS, "done");
    cr_expect_eq(owner(cluster, 6000), replica);
    quit(terminal);
}

/* It may be replaced before it is missed here: a killed process refuses connections at once. */
Test(tui, tells_of_a_killed_primary)
{
    struct cluster *cluster = start_cluster();
    struct node *primary = owner(cluster, 0);
    struct terminal *terminal = open_dashboard(cluster, 80, 24, "");
    node_kill(primary);
    terminal_wait(terminal, OPERATION_MS, " WARN ");
    terminal_press(terminal, "5");
    terminal_wait(terminal, OPERATION_MS, "took over from");
    quit(terminal);
}

Test(tui, tells_of_a_silent_primary)
{
    struct cluster *cluster = start_cluster();
    struct node *primary = owner(cluster, 0);
    struct terminal *terminal = open_dashboard(cluster, 80, 24, "");
    node_pause(primary);
    terminal_wait(terminal, SHOW_MS, " FAIL ");
    terminal_wait(terminal, SHOW_MS, "not served");
    terminal_wait(terminal, OPERATION_MS, " WARN ");
    terminal_press(terminal, "5");
    terminal_wait(terminal, OPERATION_MS, "took over from");
    node_resume(primary);
    terminal_wait(terminal, OPERATION_MS, "back");
    quit(terminal);
}

Test(tui, goes_on_while_a_node_hangs)
{
    struct cluster *cluster = start_cluster();
    struct node *replica = cluster_replica_of(cluster, owner(cluster, 0));
    struct terminal *terminal = open_dashboard(cluster, 80, 24, "");
    node_pause(replica);
    terminal_wait(terminal, SHOW_MS, scratch_printf("%s ", port_text(replica)));
    cr_assert(wait_for(
        OPERATION_MS, terminal_shows(terminal, "silent ") || terminal_shows(terminal, "failed ")));
    int64_t start = now_ms();
    press(terminal, "2", "role    state");
    press(terminal, "3", "thinks of");
    cr_expect_lt(
        now_ms() - start, (int64_t)(1500 * test_slowness()), "keys must not wait for the node");
    node_resume(replica);
    terminal_wait_gone(terminal, OPERATION_MS, "silent ");
    quit(terminal);
}

static void ends_by_signal(int number, const char *status)
{
    struct cluster *cluster = start_cluster();
    struct terminal *terminal = open_dashboard(cluster, 80, 24, "");
    pid_t pid = terminal_process(terminal);
    cr_assert_gt(pid, 0);
    cr_assert_eq(kill(pid, number), 0);
    terminal_wait(terminal, SHOW_MS, status);
    cr_expect(wait_for(SHOW_MS, terminal_is_restored(terminal)));
    terminal_end(terminal);
}

Test(tui, gives_the_terminal_back_in_a_crash)
{
    ends_by_signal(SIGSEGV, "ended: 139");
}

Test(tui, gives_the_terminal_back_when_told_to_end)
{
    ends_by_signal(SIGTERM, "ended: 143");
}

Test(tui, runs_on_plain_terminals)
{
    static const char *const environments[] = {
        "LC_ALL=C TERM=vt100",
        "LC_ALL=C NO_COLOR=1",
        "LC_ALL=C TERM=screen",
    };
    struct cluster *cluster = start_cluster();
    for (size_t i = 0; i < sizeof environments / sizeof environments[0]; i++) {
        struct terminal *terminal = open_dashboard(cluster, 80, 24, environments[i]);
        terminal_wait(terminal, SHOW_MS, "AAAAAAAA");
        terminal_wait(terminal, SHOW_MS, "BBBBBBBB");
        cr_expect(terminal_shows(terminal, "20 slots a point"));
        for (const char *c = terminal_screen(terminal); *c != '\0'; c++)
            cr_assert_lt(
                (unsigned char)*c, 0x80, "with %s there must be ASCII only", environments[i]);
        quit(terminal);
    }
}

Test(tui, zooms_with_the_wheel_down_to_one_slot)
{
    struct cluster *cluster = start_cluster();
    struct terminal *terminal = open_dashboard(cluster, 80, 24, "");
    for (int i = 0; i < 8; i++)
        terminal_wheel(terminal, MAP_COLUMN + 4, MAP_ROW + 3, true);
    terminal_wait(terminal, SHOW_MS, "1 slot a point");
    terminal_wait(terminal, SHOW_MS, " 3040  3041  3042");
    for (int i = 0; i < 8; i++)
        terminal_wheel(terminal, MAP_COLUMN + 4, MAP_ROW + 3, false);
    terminal_wait(terminal, SHOW_MS, "10 slots a point");
    quit(terminal);
}
