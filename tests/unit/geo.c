/* Places as scores, and whether what covers a shape covers all of it. */
#include "server/type/geo.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static double between(double low, double high)
{
    return low + (high - low) * rand() / RAND_MAX;
}

static struct geo_point somewhere(void)
{
    return (struct geo_point){ between(-180, 180), between(-GEO_LATITUDE_MAX, GEO_LATITUDE_MAX) };
}

/* As redis-server 7.0.15 says. */
Test(geo, known_scores)
{
    static const struct {
        struct geo_point point;
        uint64_t score;
        const char *text;
    } rows[] = {
        { { 13.361389, 38.115556 }, 3479099956230698, "sqc8b49rny0" },
        { { 15.087269, 37.502669 }, 3479447370796909, "sqdtr74hyu0" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[GEO_TEXT_LEN + 1] = { 0 };
        cr_assert_eq(geo_encode(rows[i].point), rows[i].score);
        geo_text((double)rows[i].score, text);
        cr_assert_str_eq(text, rows[i].text);
    }
    double distance = geo_distance(geo_decode(3479099956230698), geo_decode(3479447370796909));
    cr_assert_float_eq(distance, 166274.1516, 0.0001);
}

/* A cell is less than a metre wide. */
Test(geo, there_and_back)
{
    srand(3);
    for (int i = 0; i < 20000; i++) {
        struct geo_point point = somewhere();
        double score = (double)geo_encode(point);
        cr_assert_lt(geo_distance(point, geo_decode(score)), 1);
        cr_assert_eq((double)geo_encode(geo_decode(score)), score);
    }
}

/* Scores that were never places are places all the same. */
Test(geo, any_score_is_a_place)
{
    static const double scores[] = { -1, -0.0, 0.5, 4503599627370496, 9.3e18, 1.9e19, 1e300, -1e300,
        INFINITY, -INFINITY };
    for (size_t i = 0; i < sizeof(scores) / sizeof(scores[0]); i++)
        cr_assert(geo_point_is_valid(geo_decode(scores[i])), "%zu", i);
}

static bool is_in_boxes(const struct geo_box *boxes, unsigned count, double score)
{
    for (unsigned i = 0; i < count; i++) {
        if (score >= boxes[i].min && score < boxes[i].max)
            return true;
    }
    return false;
}

/* Away from the poles and the edge of the map, where Redis leaves some out. */
Test(geo, boxes_cover_the_shape)
{
    srand(4);
    for (int i = 0; i < 3000; i++) {
        struct geo_point center = { between(-120, 120), between(-60, 60) };
        double size = exp(between(0, 13));
        struct geo_shape shape = { center, rand() % 2, size, size * between(0.1, 2),
            size * between(0.1, 2), 1 };
        struct geo_box boxes[GEO_BOXES];
        unsigned count = geo_shape_cover(&shape, boxes);
        cr_assert_geq(count, 1);
        double degrees = size / 50000;
        for (int j = 0; j < 100; j++) {
            double distance;
            struct geo_point point = { center.longitude + between(-degrees, degrees),
                center.latitude + between(-degrees, degrees) };
            if (!geo_point_is_valid(point))
                continue;
            double score = (double)geo_encode(point);
            if (geo_shape_has(&shape, geo_decode(score), &distance))
                cr_assert(is_in_boxes(boxes, count, score), "%d: %f %f, %f m", i, point.longitude,
                    point.latitude, distance);
        }
        for (unsigned a = 0; a < count; a++) { /* and nothing twice */
            for (unsigned b = a + 1; b < count; b++)
                cr_assert(boxes[a].max <= boxes[b].min || boxes[b].max <= boxes[a].min);
        }
    }
}
