/* A cell is a rectangle of degrees: at step s the earth is 2^s of them wide and high. A search
 * looks into the cell of its center and the eight around it, at a step at which these cover the
 * shape. */
#include "server/type/geo.h"

#include <math.h>
#include <string.h>

#define EARTH_RADIUS 6372797.560856 /* metres */
#define EARTH_HALF 20037726.37      /* metres: half of the equator, as Mercator's map has it */
#define DEGREE (M_PI / 180.0)

struct cell {
    uint32_t longitude, latitude; /* `step` bits each */
    unsigned step;
};

struct area {
    double west, east, south, north; /* degrees */
};

/* ---- Bits ---- */

/* Puts a zero before each bit. */
static uint64_t spread(uint32_t bits)
{
    static const uint64_t masks[] = { 0x0000ffff0000ffff, 0x00ff00ff00ff00ff, 0x0f0f0f0f0f0f0f0f,
        0x3333333333333333, 0x5555555555555555 };
    uint64_t wide = bits;
    for (unsigned i = 0; i < 5; i++)
        wide = (wide | wide << (16 >> i)) & masks[i];
    return wide;
}

/* Takes every other bit. */
static uint32_t gather(uint64_t wide)
{
    static const uint64_t masks[] = { 0x3333333333333333, 0x0f0f0f0f0f0f0f0f, 0x00ff00ff00ff00ff,
        0x0000ffff0000ffff, 0x00000000ffffffff };
    wide &= 0x5555555555555555;
    for (unsigned i = 0; i < 5; i++)
        wide = (wide | wide >> (1 << i)) & masks[i];
    return (uint32_t)wide;
}

static uint64_t bits_of(struct cell cell)
{
    return spread(cell.latitude) | spread(cell.longitude) << 1;
}

/* ---- Cells ---- */

static struct cell cell_of(struct geo_point point, unsigned step, double latitude_max)
{
    double x = (point.longitude + GEO_LONGITUDE_MAX) / (2 * GEO_LONGITUDE_MAX);
    double y = (point.latitude + latitude_max) / (latitude_max + latitude_max);
    double scale = (double)(UINT64_C(1) << step);
    return (struct cell){ (uint32_t)(x * scale), (uint32_t)(y * scale), step };
}

static struct area area_of(struct cell cell)
{
    double scale = (double)(UINT64_C(1) << cell.step);
    double wide = 2 * GEO_LONGITUDE_MAX, high = GEO_LATITUDE_MAX + GEO_LATITUDE_MAX;
    return (struct area){
        .west = -GEO_LONGITUDE_MAX + cell.longitude / scale * wide,
        .east = -GEO_LONGITUDE_MAX + ((double)cell.longitude + 1) / scale * wide,
        .south = -GEO_LATITUDE_MAX + cell.latitude / scale * high,
        .north = -GEO_LATITUDE_MAX + ((double)cell.latitude + 1) / scale * high,
    };
}

uint64_t geo_encode(struct geo_point point)
{
    return bits_of(cell_of(point, GEO_STEP_MAX, GEO_LATITUDE_MAX));
}

/* What a processor makes of a score that was never a point: the set may hold any. */
static uint64_t bits_of_score(double score)
{
    const double half = 9223372036854775808.0;
    if (score < 0)
        return score >= -half ? (uint64_t)(int64_t)score : UINT64_C(1) << 63;
    if (score < half)
        return (uint64_t)score;
    return score < 2 * half ? (uint64_t)(score - half) ^ UINT64_C(1) << 63 : 0;
}

static double within(double value, double limit)
{
    return value > limit ? limit : value < -limit ? -limit : value;
}

struct geo_point geo_decode(double score)
{
    uint64_t bits = bits_of_score(score);
    struct cell cell = { gather(bits >> 1), gather(bits), GEO_STEP_MAX };
    struct area area = area_of(cell);
    return (struct geo_point){ within((area.west + area.east) / 2, GEO_LONGITUDE_MAX),
        within((area.south + area.north) / 2, GEO_LATITUDE_MAX) };
}

/* The world's geohash goes to the poles. Its eleventh character would need 55 bits: it is always
 * the first of the alphabet. */
void geo_text(double score, char *text)
{
    static const char alphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    uint64_t bits = bits_of(cell_of(geo_decode(score), GEO_STEP_MAX, 90));
    for (unsigned i = 0; i < GEO_TEXT_LEN - 1; i++)
        text[i] = alphabet[bits >> (52 - (i + 1) * 5) & 0x1f];
    text[GEO_TEXT_LEN - 1] = alphabet[0];
}

/* ---- Distances ---- */

static double radians(double degrees)
{
    return degrees * DEGREE;
}

static double degrees(double of_radians)
{
    return of_radians / DEGREE;
}

double geo_distance(struct geo_point a, struct geo_point b)
{
    double latitude = radians(a.latitude), other = radians(b.latitude);
    double u = sin((other - latitude) / 2);
    double v = sin((radians(b.longitude) - radians(a.longitude)) / 2);
    return 2.0 * EARTH_RADIUS * asin(sqrt(u * u + cos(latitude) * cos(other) * v * v));
}

bool geo_shape_has(const struct geo_shape *shape, struct geo_point point, double *distance)
{
    struct geo_point center = shape->center;
    if (!shape->is_box) {
        *distance = geo_distance(center, point);
        return *distance <= shape->radius * shape->unit;
    }
    struct geo_point beside = { center.longitude, point.latitude };
    struct geo_point above = { point.longitude, center.latitude };
    if (geo_distance(point, beside) > shape->width * shape->unit / 2 ||
        geo_distance(point, above) > shape->height * shape->unit / 2)
        return false;
    *distance = geo_distance(center, point);
    return true;
}

/* ---- Covering a shape ---- */

/* Degrees that the shape takes at most. */
static struct area bounds_of(const struct geo_shape *shape)
{
    struct geo_point center = shape->center;
    double high = shape->unit * (shape->is_box ? shape->height / 2 : shape->radius);
    double wide = shape->unit * (shape->is_box ? shape->width / 2 : shape->radius);
    double up = degrees(high / EARTH_RADIUS);
    /* Meridians are nearest to each other on the side of the pole. */
    double narrow = center.latitude < 0 ? center.latitude - up : center.latitude + up;
    double aside = degrees(wide / EARTH_RADIUS / cos(radians(narrow)));
    return (struct area){ center.longitude - aside, center.longitude + aside, center.latitude - up,
        center.latitude + up };
}

static unsigned step_for(double metres, double latitude)
{
    int step = 1;
    if (metres == 0)
        return GEO_STEP_MAX;
    for (; metres < EARTH_HALF; metres *= 2)
        step++;
    step -= 2;
    if (fabs(latitude) > 66)
        step--;
    if (fabs(latitude) > 80)
        step--;
    return step < 1 ? 1 : step > GEO_STEP_MAX ? GEO_STEP_MAX : (unsigned)step;
}

/* The cell so many to the east and north; the map wraps around. */
static struct cell beside(struct cell cell, int east, int north)
{
    uint32_t mask = (uint32_t)((UINT64_C(1) << cell.step) - 1);
    if (east)
        cell.longitude = (cell.longitude + (uint32_t)east) & mask;
    if (north)
        cell.latitude = (cell.latitude + (uint32_t)north) & mask;
    return cell;
}

static bool is_covered(struct cell cell, const struct area *bounds)
{
    return area_of(beside(cell, 0, 1)).north >= bounds->north &&
           area_of(beside(cell, 0, -1)).south <= bounds->south &&
           area_of(beside(cell, 1, 0)).east >= bounds->east &&
           area_of(beside(cell, -1, 0)).west <= bounds->west;
}

static struct geo_box box_of(struct cell cell)
{
    unsigned shift = 52 - cell.step * 2;
    uint64_t bits = bits_of(cell);
    return (struct geo_box){ (double)(bits << shift), (double)((bits + 1) << shift) };
}

static bool is_same(struct cell a, struct cell b)
{
    return a.longitude == b.longitude && a.latitude == b.latitude;
}

unsigned geo_shape_cover(const struct geo_shape *shape, struct geo_box boxes[GEO_BOXES])
{
    static const struct {
        int east, north;
    } ways[GEO_BOXES] = { { 0, 0 }, { 0, 1 }, { 0, -1 }, { 1, 0 }, { -1, 0 }, { 1, 1 }, { -1, 1 },
        { 1, -1 }, { -1, -1 } };
    struct area bounds = bounds_of(shape);
    double half_width = shape->width / 2, half_height = shape->height / 2;
    double metres =
        shape->is_box ? sqrt(half_width * half_width + half_height * half_height) : shape->radius;
    unsigned step = step_for(metres * shape->unit, shape->center.latitude);
    struct cell cell = cell_of(shape->center, step, GEO_LATITUDE_MAX);
    if (step > 1 && !is_covered(cell, &bounds))
        cell = cell_of(shape->center, --step, GEO_LATITUDE_MAX);
    struct area area = area_of(cell);
    /* Sides on which the shape ends within the middle cell. Not where cells wrap around. */
    bool no_south = step > 1 && area.south < bounds.south;
    bool no_north = step > 1 && area.north > bounds.north;
    bool no_west = step > 1 && area.west < bounds.west;
    bool no_east = step > 1 && area.east > bounds.east;
    struct cell last = cell;
    unsigned count = 0, place_of_last = 0;
    for (unsigned i = 0; i < GEO_BOXES; i++) {
        if ((no_south && ways[i].north < 0) || (no_north && ways[i].north > 0) ||
            (no_west && ways[i].east < 0) || (no_east && ways[i].east > 0))
            continue;
        struct cell next = beside(cell, ways[i].east, ways[i].north);
        if (place_of_last > 0 && is_same(next, last))
            continue; /* a whole side of the earth, met twice */
        boxes[count++] = box_of(next);
        last = next;
        place_of_last = i;
    }
    return count;
}
