// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs that are kept. In a file, each is a line of hexadecimal digits, and
 * lines that begin with # are for people.
 */
#include "fuzz.h"

enum { KEPT = 1 << 14 };

static struct program *kept[KEPT];
static size_t nr_kept;

size_t corpus_size(void)
{
	return nr_kept;
}

const struct program *corpus_get(size_t n)
{
	return kept[n];
}

void corpus_add(const struct program *program)
{
	struct program *copy;

	if (nr_kept == KEPT)
		return;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return;
	*copy = *program;
	kept[nr_kept++] = copy;
}

void corpus_clear(void)
{
	while (nr_kept)
		free(kept[--nr_kept]);
}

/* --- Files ------------------------------------------------------------- */

static int digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse(const char *line, struct program *program)
{
	unsigned char *bytes = (unsigned char *)program->calls;
	size_t n = 0;

	for (; n < sizeof(program->calls) && digit(line[0]) >= 0 &&
	     digit(line[1]) >= 0; line += 2)
		bytes[n++] = (unsigned char)(digit(line[0]) << 4 |
					     digit(line[1]));
	program->nr = (__u32)(n / sizeof(struct call));
	return program->nr && *line == '\n' && !(n % sizeof(struct call));
}

/* 0, or a negative errno: -EBADMSG if a line is not a program. */
int corpus_load(const char *name)
{
	char line[2 * sizeof(struct program) + 2];
	FILE *file = fopen(name, "re");
	struct program program;
	int ret = 0;

	if (!file)
		return -errno;
	while (!ret && fgets(line, sizeof(line), file)) {
		if (*line == '#')
			continue;
		if (parse(line, &program))
			corpus_add(&program);
		else
			ret = -EBADMSG;
	}
	fclose(file);
	return ret;
}

static void print(const struct program *program)
{
	const unsigned char *bytes = (const unsigned char *)program->calls;
	size_t i;

	printf("program ");
	for (i = 0; i < program->nr * sizeof(struct call); i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

void corpus_print(void)
{
	size_t i;

	for (i = 0; i < nr_kept; i++)
		print(kept[i]);
}

/* --- New programs ------------------------------------------------------ */

static void make_call(struct call *call, __u64 *seed)
{
	unsigned int i;

	call->what = (__u8)rs_random(seed);
	call->place = (__u8)rs_random(seed);
	call->twist = rs_below(seed, 8) ? 0 : (__u8)rs_random(seed);
	call->seed = (__u8)rs_random(seed);
	for (i = 0; i < ARGS; i++)
		call->arg[i] = rs_below(seed, 3) ? (__u16)rs_below(seed, 16) :
						   (__u16)rs_random(seed);
}

static void insert(struct program *program, unsigned int at,
		   const struct call *call)
{
	if (program->nr == CALLS)
		program->nr--;
	if (at > program->nr)
		at = program->nr;
	memmove(&program->calls[at + 1], &program->calls[at],
		(program->nr - at) * sizeof(*call));
	program->calls[at] = *call;
	program->nr++;
}

static void cut(struct program *program, unsigned int at)
{
	if (program->nr < 2)
		return;
	program->nr--;
	memmove(&program->calls[at], &program->calls[at + 1],
		(program->nr - at) * sizeof(program->calls[0]));
}

/* The end of another one. */
static void append_part(struct program *program, __u64 *seed)
{
	const struct program *other = kept[rs_below(seed, (__u32)nr_kept)];
	unsigned int from = rs_below(seed, other->nr);
	unsigned int to = rs_below(seed, program->nr) + 1;

	for (; from < other->nr && to < CALLS; from++, to++)
		program->calls[to] = other->calls[from];
	program->nr = to;
}

static void change_byte(struct call *call, __u64 *seed)
{
	unsigned char *bytes = (unsigned char *)call;

	bytes[rs_below(seed, sizeof(*call))] = (unsigned char)rs_random(seed);
}

static void mutate(struct program *program, __u64 *seed)
{
	unsigned int at = rs_below(seed, program->nr);
	struct call *call = &program->calls[at];
	struct call new;

	switch (rs_below(seed, 10)) {
	case 0:
		cut(program, at);
		break;
	case 1:
		make_call(call, seed);
		break;
	case 2:
		new = *call;
		insert(program, rs_below(seed, program->nr), &new);
		break;
	case 3 ... 5:
		append_part(program, seed);
		break;
	case 6:
		call->arg[rs_below(seed, ARGS)] = (__u16)rs_below(seed, 16);
		break;
	case 7:
		change_byte(call, seed);
		break;
	default:
		make_call(&new, seed);
		insert(program, at, &new);
	}
}

/* A new program: of one that was kept, the later ones more often; or of nothing. */
void corpus_make(struct program *program, __u64 *seed)
{
	unsigned int n = 1 + rs_below(seed, 5), size;
	size_t from = nr_kept;

	if (from && rs_below(seed, 2))
		from = from < 64 ? from : 64;
	program->nr = 0;
	if (from && rs_below(seed, 50))
		*program = *kept[nr_kept - 1 - rs_below(seed, (__u32)from)];
	size = 2 + rs_below(seed, CALLS / 2);
	while (program->nr < size) {
		make_call(&program->calls[program->nr], seed);
		program->nr++;
	}
	if (!nr_kept)
		return;
	while (n--)
		mutate(program, seed);
}
