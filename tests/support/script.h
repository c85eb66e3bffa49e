/* Scripts of commands that go to two servers side by side, whose replies must be equal.
 *
 * One command a line, with the quoting of redis-cli. Empty lines and lines that start with # are
 * skipped. Words that start with @ come before the command:
 *
 *   @unordered @deep @pairs @names @shape @type @fields A,B @field-names @near N @ignore
 *                    how the replies are compared, see normalize.h; byte for byte without them
 *   @save NAME       keeps the text of the reply; $NAME in later words stands for it, $NAME~ for
 * what the other server has said; in replies it is replaced by <NAME> before comparing
 *   @until TEXT      sends the command until both replies are TEXT (as `:0` or `+OK`), for 10 s
 *   @silent          no reply comes
 *   @pushed N        the rest of the line is nothing: N more replies, which come unasked, are read and
 *                    compared together
 *   @replies N       N replies come, and are compared together
 *   @closed          the server closes the connection: all replies before that are compared
 *   @raw             the rest of the line, unquoted, goes out as its bytes and nothing else
 *
 * and alone on their line:
 *
 *   @config LINE     a line of both servers' redis.conf (at the head of the script)
 *   @redis-config LINE   the same for redis-server alone
 *   @standalone      no cluster (at the head of the script)
 *   @client N        the following commands go through connection N (0 to 9, opened when first
 * used)
 *   @blocked N       waits until N clients wait on both servers (INFO's blocked_clients)
 *   @reply           compares the reply that was not waited for when its command was sent (@silent)
 *   @resp N          ends the script here for the other version of the protocol
 *
 * Known at the start: $port, $bus (its bus port), $id (the node's ID), $folder. */
#ifndef TESTS_SUPPORT_SCRIPT_H
#define TESTS_SUPPORT_SCRIPT_H

/* Runs a script in one version of the protocol (2 or 3), against redis-server and the server under
 * test, both started for it. Gives the number of differences, having printed each. */
int script_run(const char *path, int protocol);

/* The table of differences that are meant: lines "COMMAND PATTERN | reason" in the file, where * in
 * the pattern stands for anything. Says how many replies differed and were found in it. */
void differences_load(const char *path);
int differences_used(void);

#endif
