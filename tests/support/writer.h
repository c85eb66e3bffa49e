/* A writer in the background: threads that each write a counter's next value to the next of their
 * keys, as fast as acknowledgements come, through redirects, and note every acknowledged write with
 * its time. Afterwards it says how long the longest time without an acknowledgement was, and
 * whether what was acknowledged is there. */
#ifndef TESTS_SUPPORT_WRITER_H
#define TESTS_SUPPORT_WRITER_H

#include "tests/support/cluster.h"

struct writer;

struct writer_options {
    int threads;       /* 0: 2 */
    int keys;          /* of each thread; 0: 1000 */
    const char *tag;   /* all keys carry the {tag} of one slot; NULL: spread over all slots */
    unsigned slot_min; /* with slot_max: keys of these slots only; 0,0: all */
    unsigned slot_max;
    int pause_us; /* between two writes of a thread; 0: 200 */
};

/* options may be NULL. The writer knows all nodes of the cluster as its entry points. */
struct writer *writer_start(struct cluster *cluster, const struct writer_options *options);
/* The same for one node, of a cluster or not. */
struct writer *writer_start_node(struct node *node, const struct writer_options *options);
/* Waits until `count` more writes have been acknowledged. */
void writer_wait(struct writer *writer, long count, int limit_ms);
void writer_stop(struct writer *writer); /* what is below may be asked from here on */

struct writer_report {
    long acknowledged;
    long errors;             /* replies that were errors, redirects not counted */
    long broken;             /* connections broken or refused */
    long redirects;          /* MOVED and ASK followed */
    const char *first_error; /* the first of those errors, or NULL */
};
struct writer_report writer_report(const struct writer *writer);

/* The longest time in ms, within [from, to] (now_ms times), in which no write to a slot in
 * [first, last] was acknowledged. */
int64_t writer_gap(
    const struct writer *writer, int64_t from, int64_t to, unsigned first, unsigned last);

/* Reads all keys back through redirects and gives how many have lost a write that was acknowledged
 * before the moment `until` (a now_ms time; INT64_MAX: all): a key's value must be at least the
 * last one acknowledged by then, and at most the last one ever sent. Says on standard error which.
 */
long writer_lost(struct writer *writer, int64_t until);
void writer_free(struct writer *writer);

#endif
