/* SPDX-License-Identifier: Apache-2.0
 * descriptor_text_test.c -- the text of descriptors: printed and read back, every error with its line, random damage. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "passes/descriptor.h"

/* Reads a text; *log: what was reported. */
static struct descriptor *
reading(struct arena *a, const char *text, size_t size, char **log)
{
	size_t n;
	FILE *to = open_memstream(log, &n);
	struct diag *d = diag_new(to, false);
	struct descriptor *got = descriptor_parse(a, d, "f.suf", text, size);
	assert_int_equal(got == NULL, diag_errors(d) > 0);
	diag_free(d);
	fclose(to);
	return got;
}

static char *
text_of(const struct descriptor *d)
{
	char *text;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	descriptor_print(d, to);
	fclose(to);
	return text;
}

static void
same(const struct descriptor *x, const struct descriptor *y)
{
	assert_string_equal(x->name, y->name);
	assert_string_equal(x->function, y->function);
	assert_int_equal(x->nop, y->nop);
	for (int k = 0; k < x->nop; k++)
		assert_string_equal(x->op[k], y->op[k]);
	assert_true(x->lo == y->lo && x->hi == y->hi && x->max_error == y->max_error && x->relative == y->relative);
	assert_true(x->form == y->form && x->fitted == y->fitted && x->in == y->in && x->out == y->out);
	for (int k = 0; k < 2; k++)
		assert_true(x->tail[k].kind == y->tail[k].kind && x->tail[k].slope == y->tail[k].slope && x->tail[k].c == y->tail[k].c);
	assert_true(x->e == y->e && x->ncell == y->ncell && x->first == y->first && x->split == y->split);
	assert_true(x->ncell == 0 || !memcmp(x->cell, y->cell, x->ncell * sizeof *x->cell));
	assert_true(x->frac == y->frac && x->scale == y->scale && x->degree == y->degree && x->npiece == y->npiece);
	assert_true(x->npiece == 0 || !memcmp(x->piece, y->piece, (size_t)x->npiece * sizeof *x->piece));
}

static void
back_and_forth(const struct descriptor *d)
{
	struct arena *a = arena_new();
	char *text = text_of(d), *log, *again;
	struct descriptor *got = reading(a, text, strlen(text), &log);
	if (!got)
		fail_msg("%s: %s", d->name, log);
	same(d, got);
	again = text_of(got);
	assert_string_equal(text, again);
	free(text);
	free(again);
	free(log);
	arena_free(a);
}

static void
round_trips(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	for (int k = 0; k < ndesc_builtins; k++) {
		struct descriptor *d = desc_builtin_want(a, &desc_builtins[k]);
		d->op[d->nop++] = "First";
		d->op[d->nop++] = "com.acme.Second";
		if (k % 2)
			d->form = DESC_AUTO;
		back_and_forth(d);
		d = desc_builtin_make(a, &desc_builtins[k], 24, 12);
		d->relative = k % 3 == 0;
		back_and_forth(d);
	}
	struct descriptor *d = desc_builtin_make(a, desc_builtin_find("gelu"), 24, 12);
	d->tail[0] = (struct tail){ TAIL_LINE, 1, -2048 };
	d->tail[1] = (struct tail){ TAIL_LINE, 0, -1 };
	d->max_error = 0.1 + 0.2;
	d->lo = -1.0 / 3;
	back_and_forth(d);
	arena_free(a);
}

/* Spaces, tabs, comments, empty lines, carriage returns, no newline at the end. */
static void
free_form(void **state)
{
	(void)state;
	static const char text[] = "# a comment\r\n\n  suf-descriptor\t1  # version\nname  mish\nop Mish\nop Other\nfunction  x * tanh(log(1+exp(x)))  # of x\n"
	                           "\tdomain -8\t8\nmax-error 1e-2 relative\ntail left 0\ntail right x - 0.25\n\nform table";
	struct arena *a = arena_new();
	char *log;
	struct descriptor *d = reading(a, text, strlen(text), &log);
	if (!d)
		fail_msg("%s", log);
	assert_string_equal(d->name, "mish");
	assert_int_equal(d->nop, 2);
	assert_string_equal(d->function, "x * tanh(log(1+exp(x)))");
	assert_true(d->lo == -8 && d->hi == 8 && d->max_error == 0.01 && d->relative && !d->fitted && d->form == DESC_TABLE);
	assert_true(d->tail[0].kind == TAIL_LINE && d->tail[0].c == 0 && d->tail[1].slope == 1 && d->tail[1].c == -1024);
	free(log);
	arena_free(a);
}

#define HEAD "suf-descriptor 1\nname t\nfunction tanh(x)\ndomain -1 1\nmax-error 1\n" /* 5 lines */
#define FIT HEAD "fraction 4 2\ntail left -1\ntail right 1\n"                          /* 8 */
#define CELLS FIT "cells 4 of 2^-1 from -1 split 0\n"                                  /* 9 */
#define PIECES FIT "pieces 2 of degree 1 fraction 2 scale 4\n"
#define TWO "piece -1 : 1 2\npiece 0 : 3 4\n"

/* what: "LINE: .. message", all of it after the file's name. */
static const struct { const char *text, *what, *hint; } faults[] = {
	{ "", "f.suf: error: expected 'suf-descriptor 1', found an empty file", "first line" },
	{ "# only this\n", "f.suf: error: expected 'suf-descriptor 1', found an empty file", "first line" },
	{ "suf-descriptor 2\n", "f.suf:1: error: expected 'suf-descriptor 1', found 'suf-descriptor 2'", "first line" },
	{ "\nname t\n", "f.suf:2: error: expected 'suf-descriptor 1', found 'name t'", "first line" },
	{ "suf-descriptor 1\nnmae t\n", "f.suf:2: error: expected a declaration, found 'nmae'", "did you mean 'name'" },
	{ "suf-descriptor 1\nquite-another t\n", "f.suf:2: error: expected a declaration, found 'quite-another'", "lines begin with name, op, function" },
	{ "suf-descriptor 1\nname\n", "f.suf:2: error: name: expected a name of letters, digits and _ . -, found the end of the line", "write: name mish" },
	{ "suf-descriptor 1\nname a/b\n", "f.suf:2: error: name: expected a name of letters, digits and _ . -, found 'a/b'", "" },
	{ "suf-descriptor 1\nname a b\n", "f.suf:2: error: name: expected the end of the line, found 'b'", "" },
	{ "suf-descriptor 1\nname a\nname b\n", "f.suf:3: error: 'name' is given twice", "keep one" },
	{ HEAD "op A\nop B\nop C\nop D\nop E\nop F\nop G\nop H\nop I\n", "f.suf:14: error: op: more than 8 operators", "second descriptor" },
	{ "suf-descriptor 1\nfunction x*\n", "f.suf:2: error: function: expected a number, x, a function or '(', found the end, at character 3", "x*tanh" },
	{ "suf-descriptor 1\nfunction tnah(x)\n", "f.suf:2: error: function: there is no function or constant 'tnah', at character 1", "did you mean tanh?" },
	{ "suf-descriptor 1\ndomain 1\n", "f.suf:2: error: domain: expected the upper end, a number, found the end of the line", "write: domain -8 8" },
	{ "suf-descriptor 1\ndomain a 1\n", "f.suf:2: error: domain: expected the lower end, a number, found 'a'", "" },
	{ "suf-descriptor 1\ndomain 2 1\n", "f.suf:2: error: domain: expected two numbers that increase, found 2 and 1", "lower end" },
	{ "suf-descriptor 1\ndomain nan 1\n", "f.suf:2: error: domain: expected the lower end, a number, found 'nan'", "" },
	{ "suf-descriptor 1\ndomain 0 1e9\n", "f.suf:2: error: domain: expected numbers up to 2^20", "tails" },
	{ "suf-descriptor 1\nmax-error 0\n", "f.suf:2: error: max-error: expected a number above 0, found 0", "max-error 0.002" },
	{ "suf-descriptor 1\nmax-error 1 absolute\n", "f.suf:2: error: max-error: expected 'relative' or the end of the line, found 'absolute'", "" },
	{ "suf-descriptor 1\ntail up 0\n", "f.suf:2: error: tail: expected 'left' or 'right', found 'up'", "" },
	{ HEAD "tail left 0\ntail left 1\n", "f.suf:7: error: tail: the left tail is given twice, first in line 6", "keep one" },
	{ HEAD "tail left 2*x\n", "f.suf:6: error: tail: expected a multiple of 2^-12, x plus or minus one, none or auto, found '2*x'", "tail left 0" },
	{ HEAD "tail right x + 0.0001\n", "f.suf:6: error: tail: expected a multiple of 2^-12, x plus or minus one, none or auto, found 'x + 0.0001'", "" },
	{ HEAD "tail right\n", "f.suf:6: error: tail: expected a multiple of 2^-12", "" },
	{ HEAD "form square\n", "f.suf:6: error: form: expected auto, table or pieces, found 'square'", "write: form table" },
	{ HEAD "fraction 4 2\n", "f.suf: error: 'fraction' belongs to cells or pieces", "leave out 'fraction'" },
	{ HEAD "fraction 40 2\n", "f.suf:6: error: fraction: expected fraction bits of inputs from 1 to 30, found '40'", "write: fraction 24 12" },
	{ "suf-descriptor 1\nname t\n", "f.suf: error: the line 'function' is missing", "add a line such as 'function x" },
	{ "suf-descriptor 1\nname t\nfunction x\n", "f.suf: error: the line 'domain' is missing", "" },
	{ "suf-descriptor 1\nname t\nfunction x\ndomain 0 1\n", "f.suf: error: the line 'max-error' is missing", "" },
	{ HEAD "cells 0 of 2^-1 from 0 split 0\n", "f.suf: error: the line 'fraction' is missing", "fraction 24 12" },
	{ HEAD "fraction 4 2\ntail left 0\ncells 0 of 2^-1 from 0 split 0\n", "f.suf: error: the right tail is missing", "none" },
	{ HEAD "fraction 2 4\ntail left 0\ntail right x\ncells 0 of 2^-1 from 0 split 0\n", "f.suf: error: the tail 'x' needs inputs of 4 fraction bits, not 2", "" },
	{ FIT "cells 3 of 2^-1 from 0 split 0\n", "f.suf:9: error: cells: expected a power of two or 0, found 3", "outermost" },
	{ FIT "cells 8192 of 2^-1 from 0 split 0\n", "f.suf:9: error: cells: expected a number of cells from 0 to 4096, found '8192'", "" },
	{ FIT "cells 4 of 0.5 from 0 split 0\n", "f.suf:9: error: cells: expected a width from 2^-0 to 2^-30, found '0.5'", "cells 1024 of 2^-7" },
	{ FIT "cells 4 of 2^-1 at 0 split 0\n", "f.suf:9: error: cells: expected 'from', found 'at'", "" },
	{ FIT "cells 4 of 2^-1 from 0.3 split 0\nvalues 1 2 3 4\n", "f.suf:9: error: cells: expected multiples of 2^-1, found 0.29999999999999999 and 0", "" },
	{ FIT "cells 2 of 2^-5 from 0 split 0\nvalues 1 2\n", "f.suf:9: error: cells of 2^-5 for inputs of 4 fraction bits", "wider" },
	{ FIT "values 1\n", "f.suf:9: error: values: there is no 'cells' line above", "" },
	{ CELLS "values 1 2 x 3\n", "f.suf:10: error: values: expected a value from -1099511627776 to 1099511627776, found 'x'", "" },
	{ CELLS "values 1 2 3\nvalues 4 5\n", "f.suf:11: error: values: more than the 4 that line 9 announces", "" },
	{ CELLS "values 1 2 3\n", "f.suf:9: error: cells: expected 4 values, found 3", "" },
	{ CELLS "values 1 2 3 99999999999999999999\n", "f.suf:10: error: values: expected a value", "" },
	{ CELLS "values 1 2 3 4\nform table\n", "f.suf: error: 'form' says what to look for", "leave out" },
	{ CELLS "values 1 2 3 4\npieces 1 of degree 0 fraction 2 scale 4\npiece -1 : 0\n", "f.suf: error: both 'cells' and 'pieces' are given", "keep one" },
	{ FIT "piece 0 : 1\n", "f.suf:9: error: piece: there is no 'pieces' line above", "" },
	{ FIT "pieces 300 of degree 1 fraction 2 scale 4\n", "f.suf:9: error: pieces: expected a number of pieces from 1 to 256, found '300'", "" },
	{ FIT "pieces 2 of degree 4 fraction 2 scale 4\n", "f.suf:9: error: pieces: expected a degree from 0 to 3, found '4'", "" },
	{ FIT "pieces 1 of degree 1 fraction 5 scale 4\npiece -1 : 1 2\n", "f.suf:9: error: pieces: 5 fraction bits for inputs of 4 and results of 2", "" },
	{ FIT "pieces 1 of degree 1 fraction 2 scale 1\npiece -1 : 1 2\n", "f.suf:9: error: pieces: expected a scale of at least 2", "" },
	{ PIECES "piece -1 : 1 2\n", "f.suf:9: error: pieces: expected 2 lines 'piece', found 1", "" },
	{ PIECES TWO "piece 0.5 : 1 2\n", "f.suf:12: error: piece: more than the 2 that line 9 announces", "" },
	{ PIECES "piece -1 : 1\n", "f.suf:10: error: piece: expected coefficient 1 from", "" },
	{ PIECES "piece -1 : 1 2 3\n", "f.suf:10: error: piece: expected the end of the line, found '3'", "" },
	{ PIECES "piece -1 1 2\n", "f.suf:10: error: piece: expected ':', found '1'", "" },
	{ PIECES "piece -1 : 1 2\npiece 0.3 : 1 2\n", "f.suf:11: error: piece: expected a multiple of 2^-2, found 0.2999", "" },
	{ PIECES "piece -1 : 1 2\npiece -1 : 1 2\n", "f.suf:11: error: piece: expected one that begins after the piece before, at -1", "sort" },
	{ PIECES "piece -0.5 : 1 2\npiece 0 : 1 2\n", "f.suf:9: error: pieces: expected the first to begin at -1 and the last before 1", "" },
	{ PIECES "piece -1 : 1 2\npiece 1 : 1 2\n", "f.suf:9: error: pieces: expected the first to begin at -1 and the last before 1", "" },
};

static void
errors(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof faults / sizeof faults[0]; k++) {
		struct arena *a = arena_new();
		char *log;
		if (reading(a, faults[k].text, strlen(faults[k].text), &log) || strncmp(log, faults[k].what, strlen(faults[k].what)) || !strstr(log, faults[k].hint) ||
		    !strstr(log, "hint"))
			fail_msg("reported\n%s\nexpected\n%s\n%s\nfor\n%s", log, faults[k].what, faults[k].hint, faults[k].text);
		free(log);
		arena_free(a);
	}
	struct arena *a = arena_new();
	char *log, *large = calloc(1, (1 << 20) + 2);
	assert_null(reading(a, "suf-descriptor 1\n\0name", 22, &log));
	assert_non_null(strstr(log, "found a byte 0"));
	free(log);
	memset(large, ' ', (1 << 20) + 1);
	assert_null(reading(a, large, (1 << 20) + 1, &log));
	assert_non_null(strstr(log, "at most 1 MiB"));
	free(log);
	free(large);
	arena_free(a);
}

/* The texts that the faults are made from are right without them. */
static void
right_ones(void **state)
{
	(void)state;
	static const char *const text[] = { HEAD, CELLS "values 1 2\nvalues 3 4\n", PIECES TWO };
	for (int k = 0; k < 3; k++) {
		struct arena *a = arena_new();
		char *log;
		if (!reading(a, text[k], strlen(text[k]), &log))
			fail_msg("%s", log);
		free(log);
		arena_free(a);
	}
}

/* Bytes changed, lines dropped or doubled: read or refused, and what was read can be evaluated. */
static void
damage(void **state)
{
	(void)state;
	static const char *const seed[] = { CELLS "values 1 2\nvalues 3 4\n", PIECES TWO, HEAD "op A\nform pieces\n" };
	int read = 0;
	srand(11);
	for (int round = 0; round < 20000; round++) {
		char text[1024], *log;
		strcpy(text, seed[round % 3]);
		size_t n = strlen(text);
		for (int k = rand() % 3; k >= 0; k--) {
			const size_t at = (size_t)rand() % n, from = (size_t)rand() % n;
			switch (rand() % 4) {
			case 0: text[at] = (char)(rand() % 256); break;
			case 1: text[at] = "0123456789 -x.\n"[rand() % 15]; break;
			case 2: text[at] = text[from]; break;
			default: memmove(text + at, text + from, n - (at > from ? at : from)); break;
			}
		}
		struct arena *a = arena_new();
		struct descriptor *d = reading(a, text, n, &log);
		if (d && d->fitted) {
			read++;
			const int64_t x[] = { 0, -1, 1, 1 << 20, -(1 << 20), (int64_t)1 << 50, -((int64_t)1 << 50) };
			for (size_t k = 0; k < sizeof x / sizeof x[0]; k++)
				(void)descriptor_eval(d, d->in, x[k]);
		}
		free(log);
		arena_free(a);
	}
	assert_in_range(read, 100, 19000);
}

static void
tails(void **state)
{
	(void)state;
	const struct { const char *text; bool ok; enum tail_kind kind; int slope; int64_t c; } row[] = {
		{ "0", true, TAIL_LINE, 0, 0 }, { "-1", true, TAIL_LINE, 0, -16 }, { "0.0625", true, TAIL_LINE, 0, 1 }, { "x", true, TAIL_LINE, 1, 0 },
		{ "x+1", true, TAIL_LINE, 1, 16 }, { " x - 0.5 ", true, TAIL_LINE, 1, -8 }, { "none", true, TAIL_NONE, 0, 0 }, { "auto", true, TAIL_AUTO, 0, 0 },
		{ "x + -1", true, TAIL_LINE, 1, -16 }, { "0.1", false, 0, 0, 0 }, { "", false, 0, 0, 0 }, { "x 1", false, 0, 0, 0 }, { "xx", false, 0, 0, 0 },
		{ "x + x", false, 0, 0, 0 }, { "inf", false, 0, 0, 0 }, { "nan", false, 0, 0, 0 }, { "0x1", false, 0, 0, 0 }, { "1e30", false, 0, 0, 0 }, { "x -", false, 0, 0, 0 },
	};
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
		struct tail t;
		const bool negative_sum = !strcmp(row[k].text, "x + -1"); /* one way to write it is enough */
		assert_int_equal(tail_parse(row[k].text, 4, &t), row[k].ok && !negative_sum);
		if (row[k].ok && !negative_sum)
			assert_true(t.kind == row[k].kind && t.slope == row[k].slope && t.c == row[k].c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(round_trips), cmocka_unit_test(free_form), cmocka_unit_test(errors), cmocka_unit_test(right_ones),
		                            cmocka_unit_test(damage), cmocka_unit_test(tails) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
