/* A list of strips; a screen has some dozens at most. */
#include "console/tui/zones.h"

#include "common/memory.h"
#include <stdlib.h>

enum { ZONES_MAX = 128 };

struct zones {
    struct {
        int y, x, width, key;
    } items[ZONES_MAX];
    int count;
};

struct zones *zones_new(void)
{
    return memory_alloc_zeroed(1, sizeof(struct zones));
}

void zones_free(struct zones *zones)
{
    free(zones);
}

void zones_clear(struct zones *zones)
{
    zones->count = 0;
}

void zones_add(struct zones *zones, int y, int x, int width, int key)
{
    if (zones->count == ZONES_MAX)
        return;
    int at = zones->count++;
    zones->items[at].y = y;
    zones->items[at].x = x;
    zones->items[at].width = width;
    zones->items[at].key = key;
}

int zones_find(const struct zones *zones, int y, int x)
{
    for (int i = zones->count - 1; i >= 0; i--) {
        if (zones->items[i].y == y && x >= zones->items[i].x &&
            x < zones->items[i].x + zones->items[i].width)
            return zones->items[i].key;
    }
    return 0;
}
