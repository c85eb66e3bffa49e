/* The process begins anew in its own place: the same program and words, in the folder where it was
 * started. For DEBUG RESTART and CRASH-AND-RECOVER. */
#ifndef SERVER_RESTART_H
#define SERVER_RESTART_H

/* First thing in main: the words are main's own, and stay. */
void restart_remember(char **argv);
/* As after kill -9: nothing is written or said to anybody. Returns only where it is not possible,
 * having logged why. Any thread. */
void restart_now(void);
/* Once the shutdown that the caller begins has come to its end, and so many ms are over. */
void restart_after_shutdown(int delay_ms);
/* That end; returns where no restart is wanted. */
void restart_if_wanted(void);

#endif
