#include "server/command/notify.h"

_Atomic uint32_t notify_classes;

void notify_send(struct call *call, struct bytes key, unsigned class, const char *event)
{
}
