/* WAIT and WAITAOF: clients that wait until replicas have acknowledged their writes, or disks have
 * them. */
#ifndef SERVER_REPLICATION_WAIT_H
#define SERVER_REPLICATION_WAIT_H

void wait_open(void);

#endif
