/* Numbers as a person reads them at a glance. */
#include "console/tui/format.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

const char *format_count(struct format *out, int64_t value)
{
    if (value < 0)
        return snprintf(out->text, sizeof out->text, "-"), out->text;
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRId64, value);
    int to = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out->text[to++] = ',';
        out->text[to++] = digits[i];
    }
    out->text[to] = '\0';
    return out->text;
}

const char *format_short(struct format *out, double value)
{
    static const char units[] = { 0, 'k', 'M', 'G', 'T' };
    if (value < 0)
        return snprintf(out->text, sizeof out->text, "-"), out->text;
    unsigned unit = 0;
    while (value >= 999.5 && unit + 1 < sizeof units) {
        value /= 1000;
        unit++;
    }
    if (unit == 0)
        snprintf(out->text, sizeof out->text, "%.0f", value);
    else if (value < 99.95)
        snprintf(out->text, sizeof out->text, "%.1f%c", value, units[unit]);
    else
        snprintf(out->text, sizeof out->text, "%.0f%c", value, units[unit]);
    return out->text;
}

const char *format_bytes(struct format *out, int64_t bytes)
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
    if (bytes < 0)
        return snprintf(out->text, sizeof out->text, "-"), out->text;
    double value = (double)bytes;
    unsigned unit = 0;
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(out->text, sizeof out->text, unit > 0 && value < 9.95 ? "%.1f %s" : "%.0f %s", value,
        units[unit]);
    return out->text;
}

const char *format_duration(struct format *out, int64_t ms)
{
    if (ms < 0)
        ms = 0;
    if (ms > 0 && ms < SECOND / 10)
        snprintf(out->text, sizeof out->text, "%d ms", (int)ms);
    else if (ms < 10 * SECOND)
        snprintf(out->text, sizeof out->text, "%.1f s", (double)ms / SECOND);
    else if (ms < MINUTE)
        snprintf(out->text, sizeof out->text, "%d s", (int)(ms / SECOND));
    else if (ms < HOUR)
        snprintf(out->text, sizeof out->text, "%d min %d s", (int)(ms / MINUTE),
            (int)(ms % MINUTE / SECOND));
    else
        snprintf(out->text, sizeof out->text, "%" PRId64 " h %d min", ms / HOUR,
            (int)(ms % HOUR / MINUTE));
    return out->text;
}

const char *format_age(struct format *out, int64_t ms)
{
    if (ms < 0)
        snprintf(out->text, sizeof out->text, "-");
    else if (ms < 10 * SECOND)
        snprintf(out->text, sizeof out->text, "%.1fs", (double)ms / SECOND);
    else if (ms < 2 * MINUTE)
        snprintf(out->text, sizeof out->text, "%ds", (int)(ms / SECOND));
    else if (ms < 2 * (int64_t)HOUR)
        snprintf(out->text, sizeof out->text, "%dm", (int)(ms / MINUTE));
    else if (ms < 48 * (int64_t)HOUR)
        snprintf(out->text, sizeof out->text, "%" PRId64 "h", ms / HOUR);
    else
        snprintf(out->text, sizeof out->text, "%" PRId64 "d", ms / (24 * (int64_t)HOUR));
    return out->text;
}

const char *format_seconds(struct format *out, int64_t ms)
{
    if (ms < 0 || ms >= 10 * SECOND)
        return format_age(out, ms);
    snprintf(out->text, sizeof out->text, "%ds", (int)(ms / SECOND));
    return out->text;
}

static void local_time(int64_t wall_ms, struct tm *parts)
{
    time_t seconds = (time_t)(wall_ms / SECOND);
    localtime_r(&seconds, parts);
}

const char *format_clock(struct format *out, int64_t wall_ms)
{
    struct tm parts;
    local_time(wall_ms, &parts);
    strftime(out->text, sizeof out->text, "%H:%M:%S", &parts);
    return out->text;
}

const char *format_moment(struct format *out, int64_t wall_ms, int64_t now_wall_ms)
{
    int64_t ago = now_wall_ms - wall_ms;
    if (ago < MINUTE) {
        snprintf(out->text, sizeof out->text, "%d s ago", (int)(ago < 0 ? 0 : ago / SECOND));
    } else if (ago < HOUR) {
        snprintf(out->text, sizeof out->text, "%d min ago", (int)(ago / MINUTE));
    } else {
        struct tm then, now;
        local_time(wall_ms, &then);
        local_time(now_wall_ms, &now);
        bool today = then.tm_yday == now.tm_yday && then.tm_year == now.tm_year;
        strftime(out->text, sizeof out->text, today ? "%H:%M" : "%b %d %H:%M", &then);
    }
    return out->text;
}
