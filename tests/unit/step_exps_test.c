/* SPDX-License-Identifier: Apache-2.0
 * step_exps_test.c -- step exps against the exponential function: the integer tables, every value of small rings, the whole
 * window of real ones, sums of ragged rows, the guard cell and what happens beyond it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include "step_harness.h"
#include "fixexp.h"
#include <cmocka.h>

static void
test_fix_exp(void **state)
{
	(void)state;
	for (int k = 0; k < 200000; k++) {
		const unsigned f = (unsigned)(harness_random() % 17);
		const int64_t v = (int64_t)(harness_random() % (400u << f)) - (200 << f);
		const struct fix x = fix_exp(v, f);
		assert_true(x.m >> 62 == 1);
		assert_true(fabsl(ldexpl((long double)x.m, x.e) / expl(ldexpl((long double)v, -(int)f)) - 1) < 0x1p-40L);
	}
	assert_int_equal(fix_round((struct fix){ UINT64_C(1) << 62, -62 }, 3), 8);
	assert_int_equal(fix_round((struct fix){ UINT64_C(1) << 62, -62 }, -1), 1);  /* 1/2 rounds up */
	assert_int_equal(fix_round((struct fix){ UINT64_C(1) << 62, -62 }, -2), 0);
}

struct exp_case { unsigned n, b, f, A, B, frac, m; int64_t origin; uint64_t count; const struct suf_rows *rows; };

/* Runs it on x; the results as real numbers. */
static double *
run(const struct exp_case *k, const uint64_t *x, uint64_t outputs)
{
	struct harness h;
	double *y = malloc(outputs * sizeof *y);
	assert_non_null(y);
	harness_init(&h);
	struct suf_ref in = harness_input(&h, k->count, k->n, x), out = harness_wire(&h, outputs);
	harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_exps, .count = outputs, .na = k->count, .n = (uint8_t)k->n, .m = (uint8_t)k->m,
		.s = (uint8_t)(k->A + k->B - k->frac), .b = (uint8_t)k->b, .ca = k->f, .cb = k->A + 256 * (int64_t)k->B, .c = k->origin, .rows = k->rows,
		.in = { in }, .out = { out } });
	harness_open(&h, out, outputs, k->m);
	harness_round(&h);
	harness_output(&h, out, outputs, k->m);
	harness_run(&h);
	for (uint64_t i = 0; i < outputs; i++)
		y[i] = ldexp((double)harness_signed(h.out_party[1][0][i], k->m), -(int)k->frac);
	harness_free(&h);
	return y;
}

/* Every x of the window, spread over as many elements; relative error of Mul, absolute of an entry and of the result. */
static void
window(struct exp_case k)
{
	const int64_t cell = INT64_C(1) << (k.n - k.b), last = k.origin + (((INT64_C(1) << k.b) - 1) * cell) - 1;
	uint64_t *x = malloc(k.count * 8);
	assert_non_null(x);
	for (uint64_t i = 0; i < k.count; i++)
		x[i] = (uint64_t)(k.origin + (int64_t)((double)i * (double)(last - k.origin) / (double)(k.count - 1))) & ring_mask(k.n);
	double *y = run(&k, x, k.count);
	for (uint64_t i = 0; i < k.count; i++) {
		const uint64_t up = (x[i] - (uint64_t)k.origin) & ring_mask(k.n);
		const double want = exp(ldexp((double)k.origin + (double)up, -(int)k.f)), entry = ldexp(exp(ldexp((double)cell, -(int)k.f)), -(int)k.B - 1);
		const double bound = want * (ldexp(1.02, -(int)k.A - 1) + 0x1p-16) + entry * 1.02 + ldexp(1, -(int)k.frac);
		if (want < ldexp(0.5, (int)k.m - (int)k.frac) && fabs(y[i] - want) > bound)
			fail_msg("n %u b %u B %u: e^%g is %g, not %g", k.n, k.b, k.B, log(want), y[i], want);
	}
	free(x);
	free(y);
}

static void
test_windows(void **state)
{
	(void)state;
	for (unsigned n = 4; n <= 8; n++)
		for (unsigned b = 1; b <= 3; b++)
			window((struct exp_case){ .n = n, .b = b, .f = n > 5 ? 3 : 1, .A = 10, .B = 14, .frac = 8, .m = 60, .origin = -(2 << n) / 5, .count = UINT64_C(64) << n });
	/* widths of 46 to 156 bits */
	window((struct exp_case){ .n = 13, .b = 1, .f = 9, .A = 10, .B = 20, .frac = 17, .m = 33, .origin = -2000, .count = 4096 });
	window((struct exp_case){ .n = 14, .b = 1, .f = 9, .A = 10, .B = 39, .frac = 13, .m = 23, .origin = -7400, .count = 3000 });
	window((struct exp_case){ .n = 15, .b = 2, .f = 9, .A = 10, .B = 43, .frac = 11, .m = 60, .origin = -12288, .count = 5000 });
	window((struct exp_case){ .n = 16, .b = 2, .f = 9, .A = 10, .B = 66, .frac = 11, .m = 64, .origin = -28672, .count = 2500 });
	window((struct exp_case){ .n = 16, .b = 2, .f = 9, .A = 10, .B = 60, .frac = 15, .m = 30, .origin = -47104, .count = 2500 });
	window((struct exp_case){ .n = 17, .b = 3, .f = 9, .A = 10, .B = 66, .frac = 11, .m = 64, .origin = -90112, .count = 1200 });
}

static void
test_sums(void **state)
{
	(void)state;
	const struct suf_rows rows = { .count = 21, .first = 1, .inc = 3, .period = 7 };
	struct exp_case k = { .n = 14, .b = 2, .f = 9, .A = 10, .B = 30, .frac = 14, .m = 40, .origin = -5000, .count = suf_rows_total(&rows), .rows = &rows };
	uint64_t *x = malloc(k.count * 8), at = 0;
	assert_non_null(x);
	for (uint64_t i = 0; i < k.count; i++)
		x[i] = (uint64_t)((int64_t)(harness_random() % 7000) - 5000) & ring_mask(14);
	double *y = run(&k, x, rows.count);
	for (uint64_t row = 0; row < rows.count; row++) {
		double want = 0;
		for (const uint64_t end = at + suf_rows_len(&rows, row); at < end; at++)
			want += exp(ldexp((double)harness_signed(x[at], 14), -9));
		if (fabs(y[row] - want) > want * 0x1p-10 + 0x1p-13)
			fail_msg("row %u: %g, not %g", (unsigned)row, y[row], want);
	}
	free(x);
	free(y);
}

/* In the guard cell the result is right or that of x - E h, whichever the mask makes it; the simulator agrees (step_harness.h). */
static void
test_beyond(void **state)
{
	(void)state;
	struct exp_case k = { .n = 10, .b = 2, .f = 5, .A = 10, .B = 60, .frac = 20, .m = 64, .origin = -256, .count = 4000 };
	uint64_t *x = malloc(k.count * 8);
	int wrapped = 0;
	assert_non_null(x);
	for (uint64_t i = 0; i < k.count; i++)
		x[i] = (uint64_t)(-256 + 3 * 256 + (int64_t)(harness_random() % 256)) & 1023;
	double *y = run(&k, x, k.count);
	for (uint64_t i = 0; i < k.count; i++) {
		const double real = ldexp((double)((x[i] + 256) & 1023) - 256, -5), as_is = exp(real), below = exp(real - 32);
		const bool low = fabs(y[i] - below) < 1e-5 && y[i] < 1;
		assert_true(low || fabs(y[i] / as_is - 1) < 2e-3);
		wrapped += low;
	}
	assert_true(wrapped > 500 && wrapped < 3500);
	free(x);
	free(y);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fix_exp), cmocka_unit_test(test_windows), cmocka_unit_test(test_sums), cmocka_unit_test(test_beyond) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
