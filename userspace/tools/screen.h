/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The terminal of top.
 */
#ifndef REFSTORE_SCREEN_H
#define REFSTORE_SCREEN_H

#include <stddef.h>
#include <stdint.h>

#include "view.h"

/* What may be pressed besides characters, and what else may happen. */
enum screen_key {
	SCREEN_NOTHING = 0x100,
	SCREEN_END,		/* a signal, or the terminal is gone */
	SCREEN_RESIZED,
	SCREEN_ENTER,
	SCREEN_UP,
	SCREEN_DOWN,
	SCREEN_LEFT,
	SCREEN_RIGHT,
};

/**
 * struct screen_table - where in a view the terminal is
 * @view: the view
 * @selected: the row that is marked, if there is one
 * @left: how many of its columns, after the first, are left out
 * @empty: what is said if there are no rows
 */
struct screen_table {
	const struct view *view;
	size_t selected;
	size_t left;
	const char *empty;
};

/* Takes over the terminal: 0, or -1 after it has said on stderr what was wrong. */
int screen_begin(void);

/* As the terminal was before. */
void screen_end(void);

/**
 * screen_draw() - show all of it
 * @lines: what stands above
 * @nr_lines: number of lines
 * @table: the table below; @table->left is at most its columns less one
 */
void screen_draw(const char *const *lines, size_t nr_lines,
		 const struct screen_table *table);

/* Waits: a character, or SCREEN_*. */
int screen_wait(uint64_t nanoseconds);

#endif /* REFSTORE_SCREEN_H */
