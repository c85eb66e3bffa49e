/* Figures for the eye: they align, and a unit is said once. Each function writes to a FORMAT_MAX
 * buffer and returns it. */
#ifndef TUI_FORMAT_H
#define TUI_FORMAT_H

#include <stdint.h>

enum { FORMAT_MAX = 32 };

struct format {
    char text[FORMAT_MAX];
};

/* "30,112"; "-" below 0 (not known). */
const char *format_count(struct format *out, int64_t value);
/* "999", "10.0k", "1.2M"; "-" below 0. */
const char *format_short(struct format *out, double value);
/* "512 B", "41 MB"; "-" below 0. */
const char *format_bytes(struct format *out, int64_t bytes);
/* A length of time: "0.4 s", "12 s", "3 min 20 s", "2 h 5 min". */
const char *format_duration(struct format *out, int64_t ms);
/* One unit, four characters at most: "40ms" "0.4s", "12s", "3m", "2h", "5d". */
const char *format_age(struct format *out, int64_t ms);
/* The same in whole seconds below ten: for what would flicker otherwise. */
const char *format_seconds(struct format *out, int64_t ms);
/* A moment: "12 s ago" up to an hour, then "12:01", and the date when it was another day. */
const char *format_moment(struct format *out, int64_t wall_ms, int64_t now_wall_ms);
/* "12:01:07" local time. */
const char *format_clock(struct format *out, int64_t wall_ms);

#endif
