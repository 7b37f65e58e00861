/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the commands print: text for people, or one JSON value.
 *
 * The same calls make both. A name is that of the JSON member, NULL within an
 * array; a format is that of the text, with one conversion.
 */
#ifndef REFSTORE_OUT_H
#define REFSTORE_OUT_H

#include <stdbool.h>
#include <stdint.h>

void out_start(bool json);
bool out_is_json(void);

/* The text alone, or JSON alone, shows these. */
__attribute__((format(printf, 1, 2)))
void out_text(const char *format, ...);
void out_json_number(const char *name, uint64_t number);
void out_json_string(const char *name, const char *string);
void out_json_truth(const char *name, bool truth);

void out_open_object(const char *name);
void out_close_object(void);
void out_open_array(const char *name);
void out_close_array(void);

/* The text is "yes" or "no". */
void out_truth(const char *name, bool truth);

/* The text is @before, the number, and @noun, in the singular or the plural. */
void out_count(const char *name, const char *before, uint64_t number,
	       const char *noun);

/* The format has one PRIu64, one %s. */
__attribute__((format(printf, 2, 0)))
void out_number(const char *name, const char *format, uint64_t number);
__attribute__((format(printf, 2, 0)))
void out_string(const char *name, const char *format, const char *string);

/* The format has one PRId64. */
__attribute__((format(printf, 2, 0)))
void out_change(const char *name, const char *format, int64_t number);

/* Something that is a number already, in digits, in a column of the text. */
void out_digits(const char *name, int width, const char *digits);
/* A string, likewise; columns of strings are aligned to the left. */
void out_cell(const char *name, int width, const char *string);

#endif /* REFSTORE_OUT_H */
