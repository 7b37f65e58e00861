// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <ncurses.h>

#include "screen.h"

/*
 * Signals come while it waits for a key, and at no other time: so none is missed
 * between looking whether one came and waiting.
 */
static volatile sig_atomic_t ended;
static sigset_t mask_before;

static void end_by_signal(int signal)
{
	(void)signal;
	ended = 1;
}

static void catch_signals(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	const struct sigaction action = { .sa_handler = end_by_signal };
	sigset_t blocked;
	size_t i;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGWINCH);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigaddset(&blocked, signals[i]);
		sigaction(signals[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &blocked, &mask_before);
}

int screen_begin(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		warnx("top: no terminal; --once does without");
		return -1;
	}
	setlocale(LC_CTYPE, "");
	/* Before ncurses, which then has no handlers of its own for these */
	catch_signals();
	if (!newterm(NULL, stdout, stdin)) {
		warnx("top: no such terminal as $TERM says; --once does without");
		return -1;
	}
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	return 0;
}

void screen_end(void)
{
	endwin();
	sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

/* What fits into the line; ncurses would go on in the next one. */
static int put(int y, int x, const char *text)
{
	if (y < LINES && x < COLS)
		mvaddnstr(y, x, text, COLS - x);
	return x + (int)strlen(text);
}

static bool is_left_out(const struct screen_table *table, size_t column)
{
	return column && column <= table->left;
}

/* A row of the table, or with SIZE_MAX its heading. */
static void draw_row(int y, const struct screen_table *table, size_t row)
{
	const struct view_format *format = table->view->format;
	char text[TABLE_TEXT_MAX], cell[TABLE_TEXT_MAX + 32];
	size_t i;
	int x = 0;

	for (i = 0; i < format->nr_columns; i++) {
		const struct view_column *column = &format->columns[i];
		int width = view_width(table->view, i);

		if (is_left_out(table, i))
			continue;
		snprintf(cell, sizeof(cell), "%*s  ",
			 column->kind == VIEW_TEXT ? -width : width,
			 row == SIZE_MAX ? column->title :
			 view_cell(table->view, row, i, text));
		if (row == SIZE_MAX && i == table->view->sort)
			attron(A_UNDERLINE);
		x = put(y, x, cell);
		attroff(A_UNDERLINE);
	}
}

static void draw_marked(int y, const struct screen_table *table, size_t row,
			attr_t mark)
{
	attron(mark);
	draw_row(y, table, row);
	attroff(mark);
}

/* The page that the marked row is on. */
static void draw_rows(int y, const struct screen_table *table)
{
	size_t room = LINES > y ? (size_t)(LINES - y) : 1;
	size_t row = table->selected - table->selected % room;

	for (; row < table->view->nr_rows && y < LINES; row++, y++)
		draw_marked(y, table, row, row == table->selected &&
			    !table->view->format->heap ? A_BOLD : A_NORMAL);
}

void screen_draw(const char *const *lines, size_t nr_lines,
		 const struct screen_table *table)
{
	size_t i;
	int y = 0;

	erase();
	for (i = 0; i < nr_lines; i++)
		put(y++, 0, lines[i]);
	draw_marked(y++, table, SIZE_MAX, A_REVERSE);
	if (!table->view->nr_rows)
		put(y, 0, table->empty);
	draw_rows(y, table);
	refresh();
}

/* A key of the terminal's as one of ours. */
static int translate(int key)
{
	switch (key) {
	case ERR:
		return SCREEN_NOTHING;
	case KEY_RESIZE:
		return SCREEN_RESIZED;
	case '\r':
	case KEY_ENTER:
		return SCREEN_ENTER;
	case KEY_UP:
		return SCREEN_UP;
	case KEY_DOWN:
		return SCREEN_DOWN;
	case KEY_LEFT:
		return SCREEN_LEFT;
	case KEY_RIGHT:
		return SCREEN_RIGHT;
	}
	return key < SCREEN_NOTHING ? key : SCREEN_NOTHING;
}

int screen_wait(uint64_t nanoseconds)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	const struct timespec timeout = {
		.tv_sec = (time_t)(nanoseconds / 1000000000),
		.tv_nsec = (long)(nanoseconds % 1000000000),
	};
	/* It may have read more than one already */
	int key = getch();

	if (key != ERR)
		return translate(key);
	if (ppoll(&input, 1, &timeout, &mask_before) > 0 &&
	    input.revents & ~POLLIN)
		return SCREEN_END;
	return ended ? SCREEN_END : translate(getch());
}
