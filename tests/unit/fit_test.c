/* SPDX-License-Identifier: Apache-2.0
 * fit_test.c -- from formulas to descriptors: tails, tables, pieces, the choice between them, what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "passes/descriptor.h"

enum { CHECK = 18 };

static struct arena *mem;
static struct desc_log said;

static int setup(void **state) { (void)state; mem = arena_new(); return 0; }
static int teardown(void **state) { (void)state; arena_free(mem); return 0; }

static struct descriptor
want(const char *function, double lo, double hi, double max_error, enum desc_form form)
{
	struct formula_error e;
	struct descriptor d = { .name = "t", .function = function, .formula = formula_parse(mem, function, &e), .lo = lo, .hi = hi, .max_error = max_error, .form = form };
	assert_non_null(d.formula);
	return d;
}

static struct descriptor *
fit(struct descriptor d, unsigned in, unsigned out)
{
	said = (struct desc_log){ .a = mem };
	struct descriptor *got = descriptor_fit(mem, &d, in, out, &said);
	if (!got)
		return NULL;
	const struct desc_error e = descriptor_verify(got, CHECK);
	if (!e.finite || e.promised > d.max_error)
		fail_msg("%s: error %g at %g, promised %g", d.function, e.promised, e.promised_at, d.max_error);
	return got;
}

/* The built-in tables come out of their formulas. */
static void
built_ins(void **state)
{
	(void)state;
	static const char *const name[] = { "gelu", "gelu_tanh", "tanh", "erf", "exp", "relu", "trunc" };
	for (size_t k = 0; k < sizeof name / sizeof name[0]; k++) {
		const struct desc_builtin *b = desc_builtin_find(name[k]);
		const struct descriptor *have = desc_builtin_make(mem, b, 24, 12);
		struct descriptor d = *desc_builtin_want(mem, b);
		d.max_error = b->max_error;
		const struct descriptor *got = fit(d, 24, 12);
		assert_non_null(got);
		assert_int_equal(got->form, DESC_TABLE);
		assert_int_equal(got->ncell, have->ncell);
		assert_int_equal(got->first, have->first);
		assert_true(got->e == have->e || !got->ncell);
		assert_true(!have->ncell || !memcmp(got->cell, have->cell, have->ncell * sizeof *have->cell));
		assert_int_equal(got->split, have->split);
		for (int side = 0; side < 2; side++)
			assert_true(got->tail[side].c == have->tail[side].c && got->tail[side].slope == have->tail[side].slope);
	}
	/* wider than it needs to be: the tails take what they can */
	const struct descriptor *g = fit(want("x*(1+erf(x/sqrt(2)))/2", -16, 16, 8.5 / 4096, DESC_TABLE), 24, 12);
	const struct descriptor *have = desc_builtin_make(mem, desc_builtin_find("gelu"), 24, 12);
	assert_non_null(g);
	assert_true(g->ncell == 1024 && g->first == -512 && !memcmp(g->cell, have->cell, 1024 * sizeof *g->cell));
}

static void
limits(void **state)
{
	(void)state;
	const struct { const char *function; int slope[2]; double c[2]; } row[] = {
		{ "tanh(x)", { 0, 0 }, { -1, 1 } }, { "x*tanh(log(1+exp(x)))", { 0, 1 }, { 0, 0 } }, { "log(1+exp(x))", { 0, 1 }, { 0, 0 } },
		{ "-log(1+exp(-x))", { 1, 0 }, { 0, 0 } }, { "x-tanh(x)", { 1, 1 }, { 1, -1 } }, { "sigmoid(x)*4+1", { 0, 0 }, { 1, 5 } },
		{ "min(max(x,-1),2.5)", { 0, 0 }, { -1, 2.5 } }, { "x", { 1, 1 }, { 0, 0 } }, { "exp(-x^2)", { 0, 0 }, { 0, 0 } },
	};
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
		struct descriptor d = want(row[k].function, -8, 8, 0.01, DESC_TABLE);
		d.in = 24;
		d.out = 12;
		said = (struct desc_log){ .a = mem };
		assert_true(desc_find_tails(&d, &said));
		for (int side = 0; side < 2; side++) {
			assert_int_equal(d.tail[side].slope, row[k].slope[side]);
			assert_int_equal(d.tail[side].c, llround(row[k].c[side] * 4096));
		}
	}
}

static void
tables(void **state)
{
	(void)state;
	const struct { const char *function; double lo, hi, error; uint32_t most; } row[] = {
		{ "x*tanh(log(1+exp(x)))", -8, 8, 0.01, 512 }, { "sigmoid(x-3)*2", -4, 12, 0.003, 2048 }, { "exp(-x^2)", -4, 4, 0.005, 1024 },
		{ "softplus(x)", -16, 16, 0.004, 2048 }, { "tanh(x)", -4, 4, 0.2, 16 },
	};
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
		const struct descriptor *d = fit(want(row[k].function, row[k].lo, row[k].hi, row[k].error, DESC_TABLE), 24, 12);
		assert_non_null(d);
		assert_int_equal(d->form, DESC_TABLE);
		if (d->ncell > row[k].most)
			fail_msg("%s: %u cells", row[k].function, d->ncell);
		if (d->ncell < 2)
			continue;
		struct descriptor half = *d;  /* the fewest: half as many do not do */
		const struct descriptor *coarse = desc_table(mem, &half, d->e - 1, d->first / 2, d->ncell / 2);
		assert_true(descriptor_verify(coarse, CHECK).promised > row[k].error);
	}
	/* the line changes hands where the cells stay small */
	const struct descriptor *s = fit(want("relu(x-6)+0.25*exp(-(x-6)^2)", -2, 14, 0.01, DESC_TABLE), 24, 12);
	assert_non_null(s);
	assert_true(s->split != 0 && fabs(ldexp((double)s->split, -(int)s->e) - 6) < 2);
	assert_true(descriptor_cell_bits(s) <= 12);
	/* a jump where a cell begins costs nothing */
	s = fit(want("sign(x)*2", -4, 4, 1e-6, DESC_TABLE), 24, 12);
	assert_true(s == NULL || s->ncell <= 2);
}

static void
lines_alone(void **state)
{
	(void)state;
	const struct { const char *function; double split; } row[] = { { "max(x,0)", 0 }, { "max(x-3.5,0)", 3.5 }, { "max(x,-1)+1", -1 }, { "x+2", 0 }, { "min(x, 2)", 2 } };
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
		const struct descriptor *d = fit(want(row[k].function, -8, 8, 1.0 / 4096, DESC_AUTO), 24, 12);
		assert_non_null(d);
		assert_int_equal(d->ncell, 0);
		assert_int_equal(d->form, DESC_TABLE);
		assert_true(ldexp((double)d->split, -(int)d->e) == row[k].split);
	}
}

static void
polynomials(void **state)
{
	(void)state;
	const struct { const char *function; double lo, hi, error; int most[4]; } row[] = {
		{ "gelu(x)", -4, 4, 0.0021, { 0, 32, 8, 6 } }, { "x*tanh(log(1+exp(x)))", -8, 8, 0.01, { 0, 12, 10, 20 } }, { "clamp(x,-3,3)", -3, 3, 0.00025, { 0, 1, 1, 1 } },
		{ "x^2/8", -4, 4, 0.001, { 0, 48, 1, 1 } }, { "tanh(x)", -4, 4, 0.01, { 120, 12, 8, 6 } },
	};
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++)
		for (unsigned degree = 0; degree <= 3; degree++) {
			struct descriptor d = want(row[k].function, row[k].lo, row[k].hi, row[k].error, DESC_PIECES);
			if (!row[k].most[degree])
				continue;
			d.in = 24;
			d.out = 12;
			if (k == 3)
				d.tail[0].kind = d.tail[1].kind = TAIL_NONE;
			said = (struct desc_log){ .a = mem };
			assert_true(desc_find_tails(&d, &said));
			const struct descriptor *p = desc_pieces(mem, &d, degree);
			if (!p || p->npiece > row[k].most[degree])
				fail_msg("%s, degree %u: %d pieces", row[k].function, degree, p ? p->npiece : 0);
			const struct desc_error e = descriptor_verify(p, CHECK);
			assert_true(e.finite && e.promised <= row[k].error);
			assert_true(p->piece[0].from == (int64_t)ldexp(p->lo, (int)p->frac));
		}
}

/* A row-wise reciprocal: more fraction bits out than in, relative error. */
static void
relative(void **state)
{
	(void)state;
	struct descriptor d = want("1/x", 0.5, 256, 7e-4, DESC_PIECES);
	d.relative = true;
	d.tail[0].kind = d.tail[1].kind = TAIL_NONE;
	const struct descriptor *p = fit(d, 12, 18);
	assert_non_null(p);
	assert_true(p->out == 18 && p->frac == 12);
	for (int64_t x = 2048; x < 256 * 4096; x += 37) {
		const double y = ldexp((double)descriptor_eval(p, 12, x), -18), r = 4096.0 / (double)x;
		assert_true(fabs(y / r - 1) <= 7e-4);
	}
}

static void
choices(void **state)
{
	(void)state;
	const struct descriptor *d = fit(want("gelu(x)", -4, 4, 8.5 / 4096, DESC_AUTO), 24, 12);
	assert_non_null(d);
	const struct descriptor *t = fit(want("gelu(x)", -4, 4, 8.5 / 4096, DESC_TABLE), 24, 12), *p = fit(want("gelu(x)", -4, 4, 8.5 / 4096, DESC_PIECES), 24, 12);
	const double ct = descriptor_cost(t, 51).total, cp = descriptor_cost(p, 51).total;
	assert_int_equal(d->form, ct <= cp ? DESC_TABLE : DESC_PIECES);
	d = fit(want("exp(x)", -8, 3, 0.01, DESC_AUTO), 24, 12); /* right of 3 it has no tail */
	assert_null(d);
	struct descriptor w = want("exp(x)", -8, 3, 0.01, DESC_AUTO);
	w.tail[1].kind = TAIL_NONE;
	d = fit(w, 24, 12);
	assert_non_null(d);
	assert_int_equal(d->form, DESC_PIECES);
	for (unsigned f = 8; f <= 14; f += 3)
		assert_non_null(fit(want("x*tanh(log(1+exp(x)))", -8, 8, 0.05, DESC_AUTO), 2 * f, f));
}

static void
refusals(void **state)
{
	(void)state;
	const struct { const char *function; double lo, hi, error; const char *why, *hint; } row[] = {
		{ "exp(x)", -8, 8, 0.1, "right of 8 the function tends neither to a constant nor to x plus a constant", "tail-right=none" },
		{ "x^2", -8, 8, 0.1, "left of -8 the function tends neither", "tail-left=none" },
		{ "2*x", -8, 8, 0.1, "left of -8 the function tends neither", "tail-left=none" },
		{ "1/x", 0, 8, 0.1, "no finite value at 0", "domain" },
		{ "log(x)", -1, 8, 0.1, "no finite value at -1", "domain" },
		{ "tanh(x)", -4, 4, 1e-7, "nothing keeps the error below 1e-07", "--frac" },
		{ "tanh(x)", -1, 1, 1e-3, "nothing keeps the error below 0.001", "domain that the tails fit" },
	};
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
		assert_null(fit(want(row[k].function, row[k].lo, row[k].hi, row[k].error, DESC_AUTO), 24, 12));
		assert_true(said.n > 0 && said.hint);
		if (!strstr(said.line[said.n - 1], row[k].why) || !strstr(said.hint, row[k].hint))
			fail_msg("%s: '%s', '%s'", row[k].function, said.line[said.n - 1], said.hint);
	}
	assert_null(fit(want("tanh(x)", -4, 4, 1e-3, DESC_TABLE), 24, 12)); /* 4096 cells are not enough; it says what it tried */
	assert_true(said.n > 8 && strstr(said.line[said.n - 2], "4096 cells of 2^-9"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(built_ins), cmocka_unit_test(limits), cmocka_unit_test(tables), cmocka_unit_test(lines_alone),
		                            cmocka_unit_test(polynomials), cmocka_unit_test(relative), cmocka_unit_test(choices), cmocka_unit_test(refusals) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
