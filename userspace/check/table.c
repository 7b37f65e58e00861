// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints the table on standard input: table FIRST-WORD [--json].
 */
#include "out.h"
#include "table.h"

int main(int argc, char **argv)
{
	struct table table;

	if (argc < 2 || table_read(&table, stdin, argv[1]))
		return 1;
	out_start(argc > 2);
	if (table.nr_columns == 2)
		table_print_values(&table, NULL);
	else
		table_print(&table, NULL);
	table_free(&table);
	return 0;
}
