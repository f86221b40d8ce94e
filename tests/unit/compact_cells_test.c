/* SPDX-License-Identifier: Apache-2.0
 * compact_cells_test.c -- functions by cells: accuracy of the usual ones, formats that are chosen, programs of b_cells, and what
 * ir_check refuses.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gate_run.h"
#include "ir_text.h"
#include "passes/gate/compact_cells.h"

static double gelu(double x, void *arg) { (void)arg; return x / 2 * (1 + erf(x / sqrt(2))); }
static double silu(double x, void *arg) { (void)arg; return x / (1 + exp(-x)); }
static double tangent(double x, void *arg) { (void)arg; return tanh(x); }
static double sigmoid(double x, void *arg) { (void)arg; return 1 / (1 + exp(-x)); }
static double error(double x, void *arg) { (void)arg; return erf(x); }
static double logarithm(double x, void *arg) { (void)arg; return log(x); }
static double root(double x, void *arg) { (void)arg; return 1 / sqrt(x / 7.5); }

/* 256 cells of 1/8 on [-16, 16) with 10 fraction bits of x; mantissas in cells 8 .. 128 of 256 with 8 bits each. */
static const struct { const char *name; struct cell_fn fn; unsigned s; struct cell_format format; double max, rms; } usual[] = {
	{ "gelu", { gelu, NULL, -16, 0.125, 8, 0, 255 }, 7, { { 12, 12, 13 }, { 19, 12, 8 }, 24 }, 3.7e-4, 8.0e-5 },
	{ "silu", { silu, NULL, -16, 0.125, 8, 0, 255 }, 7, { { 12, 12, 13 }, { 19, 12, 8 }, 24 }, 3.7e-4, 8.0e-5 },
	{ "tanh", { tangent, NULL, -16, 0.125, 8, 0, 255 }, 7, { { 13, 13, 13 }, { 16, 13, 9 }, 24 }, 3.5e-4, 4.0e-5 },
	{ "sigmoid", { sigmoid, NULL, -16, 0.125, 8, 0, 255 }, 7, { { 13, 13, 13 }, { 16, 13, 9 }, 24 }, 3.5e-4, 4.0e-5 },
	{ "erf", { error, NULL, -16, 0.125, 8, 0, 255 }, 7, { { 13, 13, 13 }, { 16, 13, 9 }, 24 }, 3.5e-4, 4.0e-5 },
	{ "log", { logarithm, NULL, 0, 1, 8, 8, 128 }, 8, { { 14, 14, 15 }, { 19, 14, 11 }, 24 }, 2.2e-4, 3.0e-5 },
	{ "root", { root, NULL, 0, 1, 8, 8, 128 }, 8, { { 16, 17, 17 }, { 19, 15, 12 }, 30 }, 1.6e-4, 1.3e-5 },
};
enum { USUAL = sizeof usual / sizeof usual[0], LEN = SUF_CELL_HEAD + 3 * 256 };

static void
test_accuracy(void **state)
{
	(void)state;
	for (int k = 0; k < USUAL; k++) {
		int64_t t[LEN];
		if (!cells_table(&usual[k].fn, usual[k].s, &usual[k].format, t))
			fail_msg("%s: the words do not fit", usual[k].name);
		const struct cell_error e = cells_error(&usual[k].fn, t);
		printf("%s: max %.3g, rms %.3g\n", usual[k].name, e.max, e.rms);
		if (e.max > usual[k].max || e.rms > usual[k].rms)
			fail_msg("%s: max %g, rms %g", usual[k].name, e.max, e.rms);
		struct cell_format need;
		assert_true(cells_choose(&usual[k].fn, usual[k].s, usual[k].format.frac, 5e-4, &need));
		assert_true(cells_table(&usual[k].fn, usual[k].s, &need, t));
		for (int z = 0; z < 3; z++) { /* half of what a word needs is refused */
			struct cell_format narrow = need;
			narrow.w[z]--;
			assert_false(cells_table(&usual[k].fn, usual[k].s, &narrow, t));
		}
	}
}

/* What is asked for is what brute force finds; more accuracy costs more bits. */
static void
test_formats(void **state)
{
	(void)state;
	for (int k = 0; k < USUAL; k++) {
		unsigned bits = 0;
		for (double want = 1e-3; want > 2.5e-4; want /= 1.4) {
			struct cell_format f;
			int64_t t[LEN];
			assert_true(cells_choose(&usual[k].fn, usual[k].s, usual[k].format.frac, want, &f));
			assert_true(cells_table(&usual[k].fn, usual[k].s, &f, t));
			const struct cell_error e = cells_error(&usual[k].fn, t);
			if (e.max > want || e.max < want / 4)
				fail_msg("%s: %g was wanted, it is %g", usual[k].name, want, e.max);
			assert_true(f.w[0] + f.w[1] + f.w[2] >= bits);
			bits = f.w[0] + f.w[1] + f.w[2];
		}
		struct cell_format f;
		assert_false(cells_choose(&usual[k].fn, usual[k].s, usual[k].format.frac, 1e-8, &f));
	}
	/* the formats of the literature */
	struct cell_format f;
	assert_true(cells_choose(&usual[0].fn, 7, 24, 3.7e-4, &f));
	printf("gelu 3.7e-4: (%u,%u) (%u,%u) (%u,%u)\n", f.f[0], f.w[0], f.f[1], f.w[1], f.f[2], f.w[2]);
	assert_int_equal(f.w[0] + f.w[1] + f.w[2], 38);
	assert_false(cells_choose(&usual[0].fn, 23, 24, 3.7e-4, &f)); /* B has no bit left */
}

/* ---- programs ----------------------------------------------------------------------- */

enum { COUNT = 1500 };

static void
program(struct gt *t, int which, unsigned n, unsigned m, unsigned s)
{
	int64_t table[LEN];
	struct gb g;
	gt_init(t, n, 10);
	g = (struct gb){ t->p, NULL };
	assert_true(cells_table(&usual[which].fn, usual[which].s, &usual[which].format, table));
	struct val *x = gt_input_step(t, SHAPE(COUNT), t->n, t->f);
	struct val *y = b_open(&g, b_cells(&g, x, b_table(&g, usual[which].name, LEN, table), 8, usual[which].s, which < 5 ? -16 * 1024 : 0, s, m));
	gt_output_step(t, y);
	gt_schedule(t);
}

/* Nobody's mask is at hand here: results are the function's, with the error of brute force and one unit of the cut. */
static void
test_programs(void **state)
{
	(void)state;
	for (int k = 0; k < USUAL; k++) {
		struct gt t;
		const unsigned n = k % 2 ? 16 : 37, s = k % 3 ? 12 : 0, m = usual[k].format.frac + 6 - s;
		const double unit = ldexp(1, (int)s - (int)usual[k].format.frac);
		program(&t, k, n, m, s);
		assert_int_equal(t.p->nrounds, 3);
		int64_t x[COUNT], got[COUNT];
		const int64_t *in = x, lo = k < 5 ? -16 * 1024 : 8 * 256, hi = k < 5 ? 16 * 1024 - 128 : 128 * 256;
		for (int i = 0; i < COUNT; i++) {
			x[i] = i < 2 ? (i ? hi - 1 : lo) : lo + (int64_t)(gt_random() % (uint64_t)(hi - lo));
			x[i] = gt_signed((uint64_t)x[i], n);
		}
		gt_run(&t, &in, got);
		for (int i = 0; i < COUNT; i++) {
			const double at = k < 5 ? (double)x[i] / 1024 : (double)((uint64_t)x[i] & 0xffff) / 256;
			const double off = (double)got[i] * unit - usual[k].fn.fn(at, NULL);
			if (fabs(off) > usual[k].max + (s ? unit : 0))
				fail_msg("%s(%g) is %g off", usual[k].name, at, off);
		}
		gt_free(&t);
	}
}

/* ---- hand-written programs --------------------------------------------------------------- */

static void
test_programs_are_checked(void **state)
{
	(void)state;
	static const char apart[] = "do not go together";
	struct gt t;
	program(&t, 0, 16, 38, 12);
	const struct prog *p = t.p;
	text_refused(p, "in.cells.sign : i64[1500] dealer", "in.cells.sign : i64[1500] shared", "is shared, expected dealer");
	text_refused(p, "in.cells.sign : i64[1500] dealer 1.0", "in.cells.sign : i64[1500] dealer 2.0", "has 1500 elements of 1 bits, the value 1500 of 2");
	text_refused(p, "step.open %in.cells.a ", "step.open %in.cells.sign ", "'in.cells.sign' is dealer, only shared values are opened");
	text_refused(p, "in.cells.a : i64[1500] shared 19.0", "in.cells.a : i64[1500] shared 18.0", "1500 elements of 19 bits, the value 1500 of 18");
	text_refused(p, "in.cells.c : i64[1500] shared 8.0", "in.cells.c : i64[1499] shared 8.0", "1500 elements of 8 bits, the value 1499 of 8");
	text_refused(p, "m=8, s=7, b=8, c=-16384, table", "m=8, s=8, b=8, c=-16384, table", apart);
	text_refused(p, "m=8, s=7, b=8, c=-16384, table", "m=8, s=7, b=9, c=-16384, table", apart);
	text_refused(p, "m=8, s=7, b=8, c=-16384, table", "m=8, s=7, b=7, c=-16384, table", apart);
	text_refused(p, "m=38, s=12, b=8, table", "m=38, s=12, b=7, table", apart);
	text_refused(p, "m=38, s=12, b=8, table", "m=38, s=91, b=8, table", apart);
	text_refused(p, ", table=$gelu", "", "");
	text_refused(p, "= 12 19 12 12 13 8 24", "= 12 19 12 12 13 8 18", apart);
	text_refused(p, "= 12 19 12 12 13 8 24", "= 12 19 12 12 13 8 64", apart);
	text_refused(p, "= 12 19 12 12 13 8 24", "= 13 19 12 11 13 8 24", "");
	text_refused(p, "= 12 19 12 12 13 8 24", "= 14 19 12 12 13 8 24", apart);
	text_refused(p, "= 12 19 12 12 13 8 24", "= 12 19 12 12 15 8 24", apart);
	text_refused(p, "= 12 19 12 12 13 8 24", "= 12 0 12 12 13 8 24", "");
	gt_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_accuracy), cmocka_unit_test(test_formats), cmocka_unit_test(test_programs),
	                                    cmocka_unit_test(test_programs_are_checked) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
