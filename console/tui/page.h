/* A page of text before the views: help, findings of a check, all about a node. */
#ifndef TUI_PAGE_H
#define TUI_PAGE_H

#include "console/tui/theme.h"

struct page;
struct tui;

struct page *page_new(const char *title);
/* A line; an empty one is a gap. Long ones are wrapped. `mark` stands before it, in `role`; the
 * text in plain style behind it, in a column of its own. mark may be NULL: the whole line is in
 * `role`. */
void page_add(struct page *page, enum role role, const char *mark, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Shows it; takes it over. */
void page_show(struct tui *tui, struct page *page);

#endif
