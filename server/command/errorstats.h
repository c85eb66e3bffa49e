/* How often each kind of error was sent, by its first word: ERR, WRONGTYPE, MOVED. */
#ifndef SERVER_COMMAND_ERRORSTATS_H
#define SERVER_COMMAND_ERRORSTATS_H

#include <stdint.h>

/* Any thread; no lock but for a word never seen before. At most 128 words are told apart, the rest
 * is counted as one. */
void errorstats_count(const char *word);
/* In alphabetical order; those counted since the last reset. */
void errorstats_each(void (*visit)(void *arg, const char *word, uint64_t count), void *arg);
void errorstats_reset(void);

#endif
