/* SPDX-License-Identifier: Apache-2.0
 * step_trig_test.c -- step trig against its definition: exhaustively in small rings with random coefficients, GELU and others
 * in large ones, beyond the line's range; through dealer, both parties and simulator, each with other kernels. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "kernels/trig.h"
#include "step_harness.h"
#include <cmocka.h>

struct form { unsigned n, p, s, m; };
struct series { unsigned a, b, terms; int l; bool sines; int64_t v[SUF_TRIG_COEF + 1 + 2 * SUF_TRIG_MAX_TERMS]; struct suf_table table; };

static void
series_done(struct series *q)
{
	q->v[SUF_TRIG_A] = q->a;
	q->v[SUF_TRIG_B] = q->b;
	q->v[SUF_TRIG_LINEAR] = q->l;
	q->v[SUF_TRIG_TERMS] = q->terms;
	q->table = (struct suf_table){ "series", SUF_TRIG_COEF + 1 + (q->sines ? 2 : 1) * q->terms, q->v };
}

static void
random_series(struct series *q)
{
	for (unsigned k = 0; k <= 2 * q->terms; k++)
		q->v[SUF_TRIG_COEF + k] = harness_signed(harness_random(), 26);
	series_done(q);
}

/* Roles compute with different instruction sets, as far as there are several: the words are the same. */
static enum suf_err
mixed_body(struct suf_run *r)
{
	const struct harness *h = (const struct harness *)r->prog;
	const enum suf_isa best = suf_cpu_best(), middle = best < SUF_ISA_AESNI ? best : SUF_ISA_AESNI;
	r->isa = r->mode == RUN_DEAL ? SUF_ISA_PORTABLE : r->mode == RUN_SIM ? middle : r->party ? SUF_ISA_PORTABLE : best;
	for (uint32_t i = 0; i < h->nitem; i++) {
		enum suf_err e = suf_step(r, &h->item[i].s);
		if (!e && h->item[i].round_after)
			e = suf_round(r);
		if (e)
			return e;
	}
	return SUF_OK;
}

/* Output 0: the result, output 1: of a second such step, opened narrowly. */
static void
run(struct harness *h, struct form f, const struct series *q, uint64_t count, const uint64_t *x, unsigned narrow, bool mixed)
{
	harness_init(h);
	if (mixed)
		h->prog.body = mixed_body;
	struct suf_ref in = harness_input(h, count, f.n, x), out = harness_wire(h, count), low = harness_wire(h, count);
	harness_round(h);
	struct suf_step s = { .op = SUF_trig, .count = count, .na = count, .n = (uint8_t)f.n, .m = (uint8_t)f.m, .s = (uint8_t)f.s, .b = (uint8_t)f.p,
		.table = &q->table, .in = { in }, .out = { out } };
	harness_step(h, s);
	harness_open(h, out, count, f.m);
	if (narrow) {
		s.out[0] = low;
		harness_step(h, s);
		harness_step(h, (struct suf_step){ .op = SUF_open, .count = count, .n = (uint8_t)f.m, .m = (uint8_t)(f.m - narrow), .s = (uint8_t)narrow, .round_half = 1,
			.in = { low }, .out = { low } });
	}
	harness_round(h);
	harness_output(h, out, count, f.m);
	if (narrow)
		harness_output(h, low, count, f.m - narrow);
	harness_run(h);
}

static long double coef(const struct series *q, unsigned k) { return ldexpl((long double)q->v[SUF_TRIG_COEF + k], -SUF_TRIG_FRAC); }
static long double sine_coef(const struct series *q, unsigned k) { return q->sines ? coef(q, q->terms + k) : 0; }

/* Scaled as the step does; x signed. */
static long double
exact(const struct series *q, unsigned p, int64_t x)
{
	long double y = coef(q, 0);
	for (unsigned k = 1; k <= q->terms; k++) {
		const long double at = ldexpl(2 * acosl(-1) * (long double)((x * (int64_t)k) & (int64_t)ring_mask(p)), -(int)p);
		y += coef(q, k) * cosl(at) + sine_coef(q, k) * sinl(at);
	}
	return ldexpl(y, (int)(q->a + q->b)) + (q->l < 0 ? 0 : ldexpl((long double)x, q->l));
}

/* Of the exact sum: what the step's header says. */
static long double
bound(const struct series *q, unsigned p)
{
	long double sum = 1, angle = 0;
	for (unsigned k = 1; k <= q->terms; k++) {
		const long double size = hypotl(coef(q, k), sine_coef(q, k));
		angle += ldexpl(size * k * (p + 3), -30 + (int)q->b);
		sum += sqrtl(2) * (size * ldexpl(0.501L, (int)q->b) + 1 + ldexpl(0.5L, (int)q->a));
	}
	return sum + ldexpl(angle, (int)q->a) * sqrtl(2);
}

/* got - want mod 2^m is small. */
static bool
is_near(uint64_t got, long double want, unsigned m, long double error)
{
	const long double ring = ldexpl(1, (int)m), d = fmodl((long double)got - want, ring);
	return fabsl(d) <= error || fabsl(d) >= ring - error;
}

static uint64_t *
all_of_ring(uint64_t count, unsigned bits)
{
	uint64_t *x = malloc(count * 8);
	assert_non_null(x);
	for (uint64_t i = 0; i < count; i++)
		x[i] = i & ring_mask(bits);
	return x;
}

/* Every x, with about all masks. */
static void
exhaustive(struct form f, struct series *q, bool mixed)
{
	const uint64_t count = (UINT64_C(16) << f.n) + 5 * f.p;
	const int64_t quarter = q->l < 0 ? 0 : (int64_t)1 << (f.n - 2);
	uint64_t *x = all_of_ring(count, f.n);
	struct harness h;
	random_series(q);
	if (quarter) /* the line's range */
		for (uint64_t i = 0; i < count; i++)
			x[i] = (uint64_t)harness_signed(i, f.n - 1) & ring_mask(f.n);
	run(&h, f, q, count, x, 0, mixed);
	for (uint64_t i = 0; i < count; i++) {
		const long double want = exact(q, f.p, harness_signed(x[i], f.n));
		if (!is_near(h.out_party[i & 1][0][i], ldexpl(want, -(int)f.s), f.m, ldexpl(bound(q, f.p), -(int)f.s) + (f.s ? 1 : 0)))
			fail_msg("n %u p %u s %u K %u l %d: x %lld", f.n, f.p, f.s, q->terms, q->l, (long long)harness_signed(x[i], f.n));
	}
	harness_free(&h);
	free(x);
}

static void
test_exhaustive(void **state)
{
	(void)state;
	unsigned turn = 0;
	for (unsigned n = 2; n <= 9; n++)
		for (unsigned p = 2; p <= n; p += n > 6 ? 2 : 1, turn++) {
			struct series q = { .a = 6 + turn % 9, .b = 8 + turn % 7, .terms = 1 + turn % 6, .l = (int)(turn % 4) * 3 - 1, .sines = turn & 1 };
			exhaustive((struct form){ n, p, 0, 40 }, &q, turn % 5 == 0);
			q.l = q.l < 0 ? 2 : -1;
			exhaustive((struct form){ n, p, 7, 30 + turn % 28 }, &q, turn % 5 == 1);
		}
	struct series wide = { .a = 14, .b = 24, .terms = SUF_TRIG_MAX_TERMS, .l = 20, .sines = true };
	exhaustive((struct form){ 10, 9, 20, 44 }, &wide, true);
	struct series short_line = { .a = 6, .b = 6, .terms = 3, .l = 25 }; /* no word for the top bit */
	exhaustive((struct form){ 9, 4, 5, 25 }, &short_line, false);
	struct series no_room = { .a = 6, .b = 6, .terms = 3, .l = 40 };    /* 2^l x is 0 in the ring */
	exhaustive((struct form){ 9, 4, 5, 25 }, &no_room, false);
}

/* Periods up to 2^20, with the narrow opening of a second result. */
static void
test_large(void **state)
{
	(void)state;
	for (unsigned n = 16; n <= 40; n += 4) {
		struct series q = { .a = 14, .b = 14, .terms = n - 6, .l = n % 8 ? 9 : -1, .sines = n % 8 == 0 };
		const struct form f = { n, n < 20 ? n - 1 : 20, 10, 54 - n % 7 };
		enum { COUNT = 3001 };
		uint64_t x[COUNT];
		struct harness h;
		random_series(&q);
		for (int i = 0; i < COUNT; i++)
			x[i] = (uint64_t)harness_signed(harness_random(), n - 1) & ring_mask(n);
		run(&h, f, &q, COUNT, x, 4, n == 24);
		for (int i = 0; i < COUNT; i++) {
			const long double want = ldexpl(exact(&q, f.p, harness_signed(x[i], n)), -(int)f.s);
			const int64_t other = harness_signed(h.out_party[0][1][i] * 16 - h.out_party[0][0][i], f.m);
			assert_true(is_near(h.out_party[1][0][i], want, f.m, ldexpl(bound(&q, f.p), -(int)f.s) + 1));
			assert_true(other > -26 && other < 26);
		}
		harness_free(&h);
	}
}

/* Without cosines: the constant, rounded, and the line are exact. */
static void
test_constant(void **state)
{
	(void)state;
	enum { COUNT = 1 << 10 };
	uint64_t *x = all_of_ring(COUNT, 8);
	for (unsigned a = 2; a <= 14; a += 4)
		for (int64_t c = -5; c <= 5; c++) {
			struct series q = { .a = a, .b = 9, .terms = 1, .l = 3 };
			struct harness h;
			q.v[SUF_TRIG_COEF] = c * 1234567 + (c & 1); /* some are halves, or nearly so */
			if (c == 5)
				q.v[SUF_TRIG_COEF] = INT64_C(5) << (SUF_TRIG_FRAC - 1 - (a + q.b < SUF_TRIG_FRAC ? a + q.b : 0));
			series_done(&q);
			for (uint64_t i = 0; i < COUNT; i++)
				x[i] = (uint64_t)harness_signed(i, 7) & ring_mask(8);
			run(&h, (struct form){ 8, 6, 0, 40 }, &q, COUNT, x, 0, false);
			const int64_t want = (int64_t)floorl(ldexpl((long double)q.v[SUF_TRIG_COEF], (int)(a + q.b) - SUF_TRIG_FRAC) + 0.5L);
			for (uint64_t i = 0; i < COUNT; i++)
				assert_int_equal(harness_signed(h.out_party[0][0][i], 40), want + 8 * harness_signed(i, 7));
			harness_free(&h);
		}
	free(x);
}

/* ---- functions ----------------------------------------------------------------------------- */

static long double gelu(long double x) { return 0.5L * x * (1 + erfl(x / sqrtl(2))); }
static long double gelu_even(long double x) { return gelu(x) - x / 2; }

/* Least squares on [0, reach] with a small weight on the coefficients' size: f even, cos(k pi x / half). */
static void
fit_cosines(long double (*f)(long double), long double half, long double reach, unsigned terms, long double *c)
{
	enum { MOST = 34, POINTS = 3001 };
	static long double m[MOST][MOST + 1];
	const unsigned n = terms + 1;
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j <= n; j++)
			m[i][j] = i == j ? 1e-8L : 0;
	for (int k = 0; k < POINTS; k++) {
		const long double x = reach * k / (POINTS - 1), y = f(x);
		long double v[MOST + 1];
		for (unsigned i = 0; i < n; i++)
			v[i] = cosl((long double)i * acosl(-1) * x / half);
		v[n] = y;
		for (unsigned i = 0; i < n; i++)
			for (unsigned j = 0; j <= n; j++)
				m[i][j] += v[i] * v[j];
	}
	for (unsigned i = 0; i < n; i++)             /* positive definite: no pivots */
		for (unsigned k = 0; k < n; k++) {
			const long double factor = k == i ? 0 : m[k][i] / m[i][i];
			for (unsigned j = i; j <= n; j++)
				m[k][j] -= factor * m[i][j];
		}
	for (unsigned i = 0; i < n; i++)
		c[i] = m[i][n] / m[i][i];
}

/* GELU - x/2 by a fit, x/2 by the line; x with 10 fraction bits, the result with 12. */
static void
gelu_case(struct form f, unsigned terms, long double half, long double reach, long double most, long double rms)
{
	struct series q = { .a = 12, .b = 12, .terms = terms, .l = 13 };
	const uint64_t count = 2 * (uint64_t)reach * 1024 + 1;
	uint64_t *x = malloc(count * 8);
	long double c[40], worst = 0, squares = 0;
	struct harness h;
	fit_cosines(gelu_even, half, reach, terms, c);
	for (unsigned k = 0; k <= terms; k++)
		q.v[SUF_TRIG_COEF + k] = llrintl(ldexpl(c[k], SUF_TRIG_FRAC));
	series_done(&q);
	for (uint64_t i = 0; i < count; i++)
		x[i] = (i - count / 2) & ring_mask(f.n);
	run(&h, f, &q, count, x, 0, false);
	for (uint64_t i = 0; i < count; i++) {
		const long double got = ldexpl((long double)harness_signed(h.out_party[0][0][i], f.m), -12);
		const long double e = got - gelu(ldexpl((long double)harness_signed(x[i], f.n), -10));
		worst = fmaxl(worst, fabsl(e));
		squares += e * e;
	}
	if (worst > most || sqrtl(squares / (long double)count) > rms)
		fail_msg("GELU with %u terms: at most %Lg, %Lg in the mean", terms, worst, sqrtl(squares / (long double)count));
	harness_free(&h);
	free(x);
}

static void
test_gelu(void **state)
{
	(void)state;
	/* rounding of many terms by random masks: the largest error of a run is 1.6e-3 (2.7e-3) with a deviation of 1.1e-4 (1.5e-4), bounds are ten of those above */
	gelu_case((struct form){ 16, 15, 12, 38 }, 16, 16, 13, 2.7e-3L, 4.2e-4L); /* ring 50; a unit is 2.4e-4 */
	gelu_case((struct form){ 17, 16, 12, 39 }, 32, 32, 28, 4.2e-3L, 7.2e-4L);
}

/* sin(pi x / 16), an odd function, exactly. */
static void
test_sine(void **state)
{
	(void)state;
	enum { COUNT = 1 << 15 };
	struct series q = { .a = 12, .b = 12, .terms = 1, .l = -1, .sines = true };
	uint64_t *x = all_of_ring(COUNT, 15);
	struct harness h;
	q.v[SUF_TRIG_COEF + 2] = 1 << SUF_TRIG_FRAC;
	series_done(&q);
	run(&h, (struct form){ 15, 15, 12, 28 }, &q, COUNT, x, 0, true);
	for (uint64_t i = 0; i < COUNT; i++)
		assert_true(fabsl(ldexpl((long double)harness_signed(h.out_party[1][0][i], 28), -12) - sinl(acosl(-1) * (long double)i / 16384)) < 7e-4L);
	harness_free(&h);
	free(x);
}

/* Beyond the line's range: right, or off by 2^(n+l). */
static void
test_out_of_range(void **state)
{
	(void)state;
	enum { COUNT = 1 << 12 };
	const struct form f = { 8, 6, 4, 36 };
	struct series q = { .a = 8, .b = 8, .terms = 2, .l = 6 };
	uint64_t *x = all_of_ring(COUNT, 8);
	uint64_t off = 0;
	struct harness h;
	random_series(&q);
	run(&h, f, &q, COUNT, x, 0, false);
	for (uint64_t i = 0; i < COUNT; i++) {
		const int64_t v = harness_signed(x[i], 8);
		const long double want = ldexpl(exact(&q, f.p, v), -4), error = ldexpl(bound(&q, f.p), -4) + 1, step = 1 << (8 + 6 - 4);
		const bool fine = is_near(h.out_party[1][0][i], want, f.m, error);
		off += !fine;
		assert_true(fine || v < -64 || v >= 64);
		assert_true(fine || is_near(h.out_party[1][0][i], want + step, f.m, error) || is_near(h.out_party[1][0][i], want - step, f.m, error));
	}
	assert_true(off > COUNT / 16);
	harness_free(&h);
	free(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exhaustive), cmocka_unit_test(test_large), cmocka_unit_test(test_constant), cmocka_unit_test(test_gelu), cmocka_unit_test(test_sine),
		cmocka_unit_test(test_out_of_range)
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
