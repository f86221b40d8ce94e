/* SPDX-License-Identifier: Apache-2.0
 * descriptor_test.c -- what descriptors mean, the built-in ones and their errors, verification, ranges. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "passes/descriptor.h"

enum { QUICK = 18 };

static struct arena *mem;

static int setup(void **state) { (void)state; mem = arena_new(); return 0; }
static int teardown(void **state) { (void)state; arena_free(mem); return 0; }

static struct descriptor *
builtin(const char *name, unsigned in, unsigned out)
{
	const struct desc_builtin *b = desc_builtin_find(name);
	assert_non_null(b);
	return desc_builtin_make(mem, b, in, out);
}

/* A descriptor by hand. */
static struct descriptor
by_hand(const char *function)
{
	struct formula_error e;
	struct descriptor d = { .name = "hand", .function = function, .formula = formula_parse(mem, function, &e), .lo = -1, .hi = 1, .max_error = 1,
	                        .fitted = true, .in = 4, .out = 2, .tail = { { TAIL_LINE, 0, 0 }, { TAIL_LINE, 0, 0 } } };
	assert_non_null(d.formula);
	return d;
}

static void
cells(void **state)
{
	(void)state;
	const int64_t cell[4] = { 10, 20, 30, 40 };
	struct descriptor d = by_hand("x");
	d.form = DESC_TABLE;
	d.e = 1;                         /* cells of 1/2 over [-1, 1) */
	d.ncell = 4;
	d.first = -2;
	d.split = 0;
	d.cell = cell;
	d.tail[0] = (struct tail){ TAIL_LINE, 0, -3 };
	d.tail[1] = (struct tail){ TAIL_LINE, 1, 5 };
	for (int64_t x = -64; x < 64; x++) { /* 4 fraction bits: a cell is 8 of them */
		int64_t want = x < 0 ? -3 : 5 + (x >= 0 ? x / 4 : 0);
		if (x >= -16 && x < 16)
			want += x < -8 ? 10 : x < 0 ? 20 : x < 8 ? 30 : 40;
		assert_int_equal(descriptor_eval(&d, 4, x), want);
		assert_int_equal(descriptor_eval(&d, 6, 4 * x + 3), want); /* an input that is not truncated yet */
	}
	assert_int_equal(descriptor_cell_bits(&d), 8);
	d.split = 1;
	assert_int_equal(descriptor_eval(&d, 4, 7), -3 + 30);
	assert_int_equal(descriptor_eval(&d, 4, 8), 5 + 2 + 40);
	d.tail[0].slope = 1;
	assert_int_equal(descriptor_eval(&d, 4, -33), -3 - 9); /* floor(-33/4) */
	d.ncell = 0;
	assert_int_equal(descriptor_eval(&d, 4, 7), -3 + 1);
	assert_int_equal(descriptor_cell_bits(&d), 2);
}

static void
pieces(void **state)
{
	(void)state;
	const struct piece piece[2] = { { -4, { 64, -3, 2, 1 } }, { 1, { -7, 5, 0, 0 } } };
	struct descriptor d = by_hand("x");
	d.form = DESC_PIECES;
	d.frac = 2;
	d.scale = 5;
	d.degree = 3;
	d.npiece = 2;
	d.piece = piece;
	d.tail[0] = (struct tail){ TAIL_LINE, 1, 4 };
	d.tail[1] = (struct tail){ TAIL_LINE, 0, -9 };
	for (int64_t x = -64; x < 64; x++) {
		const int64_t t = x >> 2, u = t + 4;
		const int64_t want = t < -4 ? 4 + t : t >= 4 ? -9 : t < 1 ? (64 - 3 * u + 2 * u * u + u * u * u) >> 3 : (-7 + 5 * (t - 1)) >> 3;
		assert_int_equal(descriptor_eval(&d, 4, x), want);
	}
	d.tail[0].kind = d.tail[1].kind = TAIL_NONE; /* the outer pieces go on */
	assert_int_equal(descriptor_eval(&d, 2, 100), (-7 + 5 * 99) >> 3);
	assert_int_equal(descriptor_eval(&d, 2, -6), (64 + 6 + 8 - 8) >> 3);
}

/* Errors of the built-in ones; no worse than SIGMA's gates, which have the second number. */
static void
builtins(void **state)
{
	(void)state;
	const struct { const char *name; double most, sigma; } row[] = {
		{ "gelu", 8.5, 31 }, { "gelu_tanh", 8.5, 31 }, { "silu", 16.5, 31.5 }, { "tanh", 4.5, 8.4 }, { "erf", 5.0, 5.0 }, { "sigmoid", 2.5, 4.4 }, { "exp", 8.3, 9 },
	};
	for (int k = 0; k < ndesc_builtins; k++) {
		const struct descriptor *d = builtin(desc_builtins[k].name, 24, 12);
		const struct desc_error e = descriptor_verify(d, QUICK);
		assert_true(e.finite);
		if (e.promised > d->max_error)
			fail_msg("%s: error %.3f units at %g, promised %.3f", d->name, e.promised * 4096, e.promised_at, d->max_error * 4096);
		assert_true(e.promised > 0.5 * d->max_error);    /* a promise that says something */
		assert_true(e.rms <= e.max && e.points >= (1u << (QUICK - 1)));
		for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
			if (!strcmp(row[i].name, d->name))
				assert_true(fmax(e.max, e.tail) <= row[i].most && row[i].most <= row[i].sigma);
	}
	const struct descriptor *g = builtin("gelu", 24, 12);
	const struct desc_error all = descriptor_verify(g, 22);
	assert_true(all.max <= 8.5 && all.max > 8.4);
}

static void
shapes(void **state)
{
	(void)state;
	const struct { const char *name; uint32_t ncell; unsigned e, w; int64_t first; } row[] = {
		{ "gelu", 1024, 7, 12, -512 }, { "silu", 2048, 6, 13, -1024 }, { "tanh", 4096, 9, 14, -2048 }, { "erf", 4096, 9, 14, -2048 },
		{ "sigmoid", 4096, 8, 13, -2048 }, { "exp", 4096, 9, 14, 0 }, { "relu", 0, 0, 2, 0 }, { "trunc", 0, 0, 2, 0 },
	};
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
		const struct descriptor *d = builtin(row[k].name, 24, 12);
		assert_int_equal(d->ncell, row[k].ncell);
		assert_int_equal(d->e, row[k].e);
		assert_int_equal(d->first, row[k].first);
		assert_int_equal(descriptor_cell_bits(d), row[k].w);
		assert_int_equal(d->split, 0);
	}
}

/* Every number of fraction bits that programs may have, inputs truncated or not. */
static void
formats(void **state)
{
	(void)state;
	for (unsigned f = 8; f <= 15; f++)
		for (unsigned in = f; in <= 2 * f; in += f) {
			const char *const name[] = { "relu", "gelu", "tanh", "sigmoid", "exp", "clamp", "log" };
			for (size_t k = 0; k < sizeof name / sizeof name[0]; k++) {
				if (!strcmp(name[k], "log") && f != 8 && f != 12)
					continue;            /* slow to make */
				const struct descriptor *d = builtin(name[k], in, f);
				const struct desc_error e = descriptor_verify(d, 14);
				if (!e.finite || e.promised > d->max_error)
					fail_msg("%s in %u out %u: %.5f, promised %.5f", name[k], in, f, e.promised, d->max_error);
			}
		}
}

static void
verification_sees(void **state)
{
	(void)state;
	struct descriptor d = *builtin("gelu", 24, 12);
	int64_t *cell = arena_alloc(mem, d.ncell * sizeof *cell);
	memcpy(cell, d.cell, d.ncell * sizeof *cell);
	cell[700] += 40;
	d.cell = cell;
	const struct desc_error e = descriptor_verify(&d, QUICK);
	assert_true(e.max > 35);
	const double at = ldexp((double)(d.first + 700), -7);
	assert_true(e.at >= at && e.at < at + ldexp(1, -7));
	d = *builtin("gelu", 24, 12);
	d.tail[1].c = 30;                /* beyond the domain too */
	assert_true(descriptor_verify(&d, QUICK).tail > 25);
	d = *builtin("gelu", 24, 12);
	d.tail[0].kind = TAIL_NONE;      /* not looked at, not counted */
	assert_true(descriptor_verify(&d, QUICK).promised <= d.max_error);
	d = by_hand("1/x");
	d.form = DESC_TABLE;
	assert_false(descriptor_verify(&d, QUICK).finite);
	d = by_hand("10+x/1000");        /* relative: 10 against 9.75 */
	d.form = DESC_TABLE;
	d.relative = true;
	d.tail[0].c = d.tail[1].c = 39;
	const struct desc_error r = descriptor_verify(&d, QUICK);
	assert_true(r.max > 0.9 && r.max < 1.1);
	d.tail[0].kind = d.tail[1].kind = TAIL_NONE;
	assert_true(fabs(descriptor_verify(&d, QUICK).promised - 0.025) < 1e-3);
}

static void
ranges(void **state)
{
	(void)state;
	double lo, hi;
	const struct descriptor *g = builtin("gelu", 24, 12), *t = builtin("tanh", 24, 12), *l = builtin("log", 24, 12);
	assert_true(descriptor_range(g, -3, 2, &lo, &hi));
	assert_true(lo <= -0.17 && lo > -0.2 && hi >= 1.954 && hi < 2);
	assert_true(descriptor_range(g, -100, 50, &lo, &hi));
	assert_true(lo <= -0.17 && lo > -0.2 && hi >= 50 && hi < 50.1);
	assert_true(descriptor_range(g, 20, 50, &lo, &hi) && hi >= 50 && lo <= 20);
	assert_false(descriptor_range(g, 1, -1, &lo, &hi)); /* anything: the right tail has no bound */
	assert_true(descriptor_range(t, 1, -1, &lo, &hi) && lo <= -1 && hi >= 1 && hi < 1.01);
	assert_true(descriptor_range(t, 9, 10, &lo, &hi) && hi >= 1 && lo > 0.9);
	assert_true(descriptor_range(l, 1, 2, &lo, &hi) && lo <= 0 && hi >= log(2) && hi < 0.71);
	/* what the integers give lies inside */
	for (int k = 0; k < 2000; k++) {
		const double x = -6 + 12.0 * k / 2000;
		assert_true(descriptor_range(g, x, x + 0.01, &lo, &hi));
		const double y = ldexp((double)descriptor_eval(g, 24, (int64_t)ldexp(x + 0.005, 24)), -12);
		assert_true(y >= lo && y <= hi);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(cells), cmocka_unit_test(pieces), cmocka_unit_test(builtins), cmocka_unit_test(shapes),
		                            cmocka_unit_test(formats), cmocka_unit_test(verification_sees), cmocka_unit_test(ranges) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
