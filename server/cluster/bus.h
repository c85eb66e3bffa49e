/* The bus's sockets: links that listen, connect, receive whole messages and send. Knows nothing of
 * what messages mean. All of it belongs to the bus thread. */
#ifndef SERVER_CLUSTER_BUS_H
#define SERVER_CLUSTER_BUS_H

#include "common/address.h"
#include "common/bytes.h"
#include "common/error.h"
#include <event2/event.h>
#include <stdint.h>

struct bus;

/* What happens to links; numbers are the cluster's (state.h). */
struct bus_handler {
    uint64_t (*accepted)(void *arg, const char *peer_ip, const char *local_ip);
    void (*connected)(void *arg, uint64_t link);
    void (*refused)(void *arg, uint64_t link);
    void (*broken)(void *arg, uint64_t link);
    void (*message)(void *arg, uint64_t link, const void *data, size_t len);
    void *arg;
};

/* Listens on the addresses of `bind`. */
struct bus *bus_create(struct event_base *base, const struct bus_handler *handler);
bool bus_listen(struct bus *bus, const char *bind, int port, int backlog, struct error *error);
void bus_destroy(struct bus *bus);

void bus_connect(struct bus *bus, uint64_t link, const struct address *address);
/* Unknown numbers are ignored by these three. */
void bus_send(struct bus *bus, uint64_t link, struct bytes data);
void bus_close(struct bus *bus, uint64_t link); /* what was sent goes out first where possible */
/* Gives what bus_send gathered to the sockets. */
void bus_flush(struct bus *bus);

/* Bytes that wait in a link, the memory they take, and whether its socket is full. */
size_t bus_unsent(struct bus *bus, uint64_t link, size_t *allocated, bool *full);

size_t bus_memory(const struct bus *bus); /* that all links take */

uint64_t bus_overflows(const struct bus *bus); /* links ended for too many unsent bytes */

#endif
