/* Points on the earth as scores of a sorted set: longitude and latitude as integers of 26 bits,
 * their bits in turn, so that what is near is mostly near in the order, too.
 *
 * All numbers, roundings included, are those of Redis: the same points give the same scores, the
 * same scores the same distances, and a search meets points in the same order. The constants are
 * facts of its format, checked against redis-server 7.0.15. */
#ifndef SERVER_TYPE_GEO_H
#define SERVER_TYPE_GEO_H

#include <stdbool.h>
#include <stdint.h>

enum { GEO_STEP_MAX = 26, GEO_TEXT_LEN = 11, GEO_BOXES = 9 };

#define GEO_LONGITUDE_MAX 180.0
#define GEO_LATITUDE_MAX 85.05112878

struct geo_point {
    double longitude, latitude; /* degrees */
};

static inline bool geo_point_is_valid(struct geo_point point)
{
    return point.longitude >= -GEO_LONGITUDE_MAX && point.longitude <= GEO_LONGITUDE_MAX &&
           point.latitude >= -GEO_LATITUDE_MAX && point.latitude <= GEO_LATITUDE_MAX;
}

/* 52 bits; the point is a valid one. */
uint64_t geo_encode(struct geo_point point);
/* The middle of the cell that a score stands for; any score, there may be other things in the set.
 */
struct geo_point geo_decode(double score);
/* The geohash that the world uses, of GEO_TEXT_LEN characters; no zero behind. */
void geo_text(double score, char *text);
double geo_distance(struct geo_point a, struct geo_point b); /* metres */

/* --- Searches. --- */

/* What is searched: a circle or a box around a point. */
struct geo_shape {
    struct geo_point center;
    bool is_box;
    double radius, width, height; /* in units */
    double unit;                  /* metres */
};

/* Whether the point is in the shape; *distance: of the center, in metres. */
bool geo_shape_has(const struct geo_shape *shape, struct geo_point point, double *distance);

/* Scores from min up to but not including max. */
struct geo_box {
    double min, max;
};
/* Boxes that together cover the shape, in the order in which Redis looks into them: the one of the
 * center, then its neighbours. Returns how many there are. */
unsigned geo_shape_cover(const struct geo_shape *shape, struct geo_box boxes[GEO_BOXES]);

#endif
