/* What can be clicked: places of the screen that stand for a key. Collected anew at each drawing.
 */
#ifndef TUI_ZONES_H
#define TUI_ZONES_H

#include <stdbool.h>

struct zones;

struct zones *zones_new(void);
void zones_free(struct zones *zones);
void zones_clear(struct zones *zones);
void zones_add(struct zones *zones, int y, int x, int width, int key);
/* The key of the place, the one added last where several overlap; 0: none. */
int zones_find(const struct zones *zones, int y, int x);

#endif
