/* How likely the kernel is to end this process when memory runs out: oom-score-adj and
 * oom-score-adj-values, of which a primary has the first and a replica the second. The third is for
 * the children that Redis forks; there are none here. */
#ifndef SERVER_OOM_SCORE_H
#define SERVER_OOM_SCORE_H

#include <stdbool.h>

/* The values of oom-score-adj. */
enum oom_score_mode { OOM_SCORE_LEAVE, OOM_SCORE_RELATIVE, OOM_SCORE_ABSOLUTE };

/* Remembers the score the process was started with, sets the one that is configured, and from then
 * on follows CONFIG SET. Before any thread. */
void oom_score_init(void);
/* The node is a primary or a replica from now on. Any thread. */
void oom_score_set_role(bool is_replica);

#endif
