/* recv and send without what a request does not need. read(2) and write(2) on a socket go through
 * the file layer (position lock, access checks, notification), and glibc's wrappers make every one
 * of these calls a cancellation point once there are threads; of a request of its own packet both
 * together are some three percent. */
#ifndef SERVER_NET_TRANSFER_H
#define SERVER_NET_TRANSFER_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* As recv(2) and send(2), with errno; never raise SIGPIPE. */
static inline ssize_t transfer_receive(int fd, void *to, size_t len)
{
    return syscall(SYS_recvfrom, fd, to, len, 0, NULL, NULL);
}

static inline ssize_t transfer_send(int fd, const void *from, size_t len)
{
    return syscall(SYS_sendto, fd, from, len, MSG_NOSIGNAL, NULL, 0);
}

#endif
