/* SPDX-License-Identifier: Apache-2.0
 * fixfun_test.c -- exponential, cosine and sine in integers against libm's long double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "fixfun.h"
#include "step_harness.h"
#include <cmocka.h>

static long double value(struct suf_exp e) { return ldexpl((long double)e.man, e.exp - 63); }

static void
near_exp(int64_t v, unsigned f)
{
	const struct suf_exp e = suf_exp(v, f);
	const long double x = ldexpl((long double)v, -(int)f);
	assert_true(e.man >> 63);
	if (fabsl(x) < 11000 && fabsl(value(e) / expl(x) - 1) > 0x1p-52L * (1 + fabsl(x) / 64)) /* libm's error grows with x */
		fail_msg("e^(%lld / 2^%u) is off by %Lg", (long long)v, f, value(e) / expl(x) - 1);
}

static void
test_exp(void **state)
{
	(void)state;
	for (unsigned f = 0; f <= 16; f++) {
		for (int64_t v = -3000; v <= 3000; v++)
			near_exp(v, f);
		for (int k = 0; k < 3000; k++)
			near_exp((int64_t)(harness_random() % (1u << 21)) - (1 << 20), f);
	}
	/* where 2^g - 1 is nearly 0 or 1 */
	assert_int_equal(suf_exp(0, 9).man, 1ull << 63);
	assert_int_equal(suf_exp2m1(0), 0);
	assert_true(~suf_exp2m1(~0ull) < 64);
}

static void
test_exp_table(void **state)
{
	(void)state;
	uint64_t *t = malloc((sizeof *t) << 16);
	assert_non_null(t);
	static const struct { unsigned f, bits, a; } of[] = { { 9, 14, 10 }, { 10, 15, 12 }, { 0, 5, 10 }, { 16, 16, 40 }, { 3, 0, 5 }, { 7, 1, 60 }, { 2, 6, 20 } };
	for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
		fix_exp_table(of[k].f, of[k].bits, of[k].a, t);
		for (uint64_t l = 0; l >> of[k].bits == 0; l++) {
			const long double want = ldexpl(expl(ldexpl((long double)l, -(int)of[k].f)), (int)of[k].a);
			if (fabsl((long double)t[l] - want) > 0.5L + want * 0x1p-52L)
				fail_msg("f %u, a %u: entry %llu is %llu, not %Lf", of[k].f, of[k].a, (unsigned long long)l, (unsigned long long)t[l], want);
		}
	}
	free(t);
}

static void
near_turn(uint64_t j, unsigned p)
{
	const struct fix_turn t = fix_turn(j, p);
	const long double x = ldexpl(2 * acosl(-1) * (long double)(j % (1ull << p)), -(int)p);
	if (fabsl(ldexpl((long double)t.c, -62) - cosl(x)) > 0x1p-57L || fabsl(ldexpl((long double)t.s, -62) - sinl(x)) > 0x1p-57L)
		fail_msg("2 pi %llu / 2^%u", (unsigned long long)j, p);
	for (unsigned a = 8; a <= 30; a += 22) /* 0.51 units */
		assert_true(fabsl((long double)fix_round(t.c, a) - ldexpl(cosl(x), (int)a)) < 0.51L);
}

static void
test_turn(void **state)
{
	(void)state;
	for (unsigned p = 0; p <= 12; p++)
		for (uint64_t j = 0; j >> p < 2; j++)
			near_turn(j, p);
	for (int k = 0; k < 20000; k++)
		near_turn(harness_random() >> 44, 20);
	assert_int_equal(fix_round(3, 61), 2);       /* halves away from zero */
	assert_int_equal(fix_round(-3, 61), -2);
	assert_int_equal(fix_round(-5, 60), -1);
}

static void
test_turn_table(void **state)
{
	(void)state;
	uint32_t *t = malloc((sizeof *t) << 20);
	assert_non_null(t);
	for (unsigned p = 2; p <= 20; p += p < 15 ? 1 : 5)
		for (unsigned a = p % 3; a <= 14; a += 7) {
			fix_turn_table(p, a, t);
			for (uint64_t j = 0; j >> p == 0; j += p > 15 ? 77 : 1) {
				const long double x = ldexpl(2 * acosl(-1) * (long double)j, -(int)p);
				const int16_t c = (int16_t)(t[j] & 0xffff), s = (int16_t)(t[j] >> 16);
				assert_true(fabsl(c - ldexpl(cosl(x), (int)a)) < 0.51L);
				assert_true(fabsl(s - ldexpl(sinl(x), (int)a)) < 0.51L);
			}
		}
	free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exp), cmocka_unit_test(test_exp_table), cmocka_unit_test(test_turn), cmocka_unit_test(test_turn_table)
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
