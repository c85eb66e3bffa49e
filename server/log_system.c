#include "server/log_system.h"

#include <stdbool.h>
#include <syslog.h>

static bool is_open; /* written before any thread runs */

void log_system_open(char *ident, int facility)
{
    int code = facility == LOG_SYSTEM_USER ? LOG_USER : LOG_LOCAL0 + (facility << 3);
    openlog(ident, LOG_PID | LOG_NDELAY | LOG_NOWAIT, code); /* it keeps ident */
    is_open = true;
}

void log_system_write(int level, const char *text)
{
    static const int priorities[] = { LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING };
    if (is_open)
        syslog(priorities[level], "%s", text);
}
