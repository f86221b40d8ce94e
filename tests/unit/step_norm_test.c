/* SPDX-License-Identifier: Apache-2.0
 * step_norm_test.c -- steps normsq, normmul, bitmul, each against its definition: exhaustively in small rings, randomly in
 * large ones, through dealer and both parties; and what happens beyond the gap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "step_harness.h"
#include <cmocka.h>

/* Values of n bits: with a gap, or any; all of a small ring many times. */
static uint64_t *
values(uint64_t count, unsigned n, bool gap, bool all)
{
	uint64_t *v = malloc(count * 8);
	assert_non_null(v);
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t x = all ? i : harness_random();
		v[i] = gap ? ((x & ring_mask(n - 1)) - (UINT64_C(1) << (n - 2))) & ring_mask(n) : x & ring_mask(n);
	}
	return v;
}

/* y / 2^s in m bits, rounded either way */
static void
near(uint64_t got, uint64_t y, unsigned s, unsigned m)
{
	const uint64_t low = (y & ring_mask(m + s)) >> s, high = s ? low + ((y & ring_mask(s)) != 0) : low;
	if (got != low && got != (high & ring_mask(m)))
		fail_msg("%llu is not %llu / 2^%u mod 2^%u", (unsigned long long)got, (unsigned long long)(y & ring_mask(m + s)), s, m);
}

struct norm_case { unsigned n, R, s, M, t; uint32_t first, inc, period; uint64_t rows; bool all, pads; };

/* sum x^2 + c, and rho x with the same shares */
static void
squares_and_products(const struct norm_case *k)
{
	struct harness h;
	const struct suf_rows rows = { .count = k->rows, .first = k->first, .inc = k->inc, .period = k->period };
	const uint64_t na = suf_rows_total(&rows);
	uint64_t *x = values(na, k->n, true, k->all), *rho = values(k->rows, k->M, false, false);
	const unsigned m = k->R - k->s, b = k->M > k->R - 1 ? k->M : k->R - 1;
	harness_init(&h);
	struct suf_ref in = harness_input(&h, na, k->n, x), by = harness_input(&h, k->rows, k->M, rho);
	struct suf_ref sum = harness_wire(&h, k->rows), low = harness_wire(&h, na), msb = harness_wire(&h, na), y = harness_wire(&h, na);
	harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_normsq, .count = k->rows, .na = na, .n = (uint8_t)k->n, .m = (uint8_t)m, .s = (uint8_t)k->s,
		.b = (uint8_t)b, .c = 77, .rows = &rows, .in = { in }, .out = { sum, low, msb } });
	harness_open(&h, sum, k->rows, m);
	harness_step(&h, (struct suf_step){ .op = SUF_normmul, .count = na, .na = k->rows, .nb = na, .n = (uint8_t)k->M, .m = (uint8_t)(k->M - k->t),
		.s = (uint8_t)k->t, .b = (uint8_t)k->n, .rows = &rows, .in = { by, in, low, msb }, .out = { y } });
	harness_open(&h, y, na, k->M - k->t);
	harness_round(&h);
	harness_output(&h, sum, k->rows, m);
	harness_output(&h, y, na, k->M - k->t);
	harness_run(&h);
	uint64_t at = 0;
	for (uint64_t row = 0; row < k->rows; row++) {
		uint64_t want = 77;
		for (const uint64_t end = at + suf_rows_len(&rows, row); at < end; at++) {
			const uint64_t v = (uint64_t)harness_signed(x[at], k->n);
			want += v * v;
			near(h.out_party[1][1][at], rho[row] * v, k->t, k->M - k->t);
		}
		near(h.out_party[1][0][row], want, k->s, m);
	}
	harness_free(&h);
	free(x);
	free(rho);
}

static void
test_norms(void **state)
{
	(void)state;
	for (unsigned n = 3; n <= 6; n++)
		for (unsigned R = n + 1; R <= 9; R += 2)
			for (unsigned s = 0; s < 3; s++)
				squares_and_products(&(struct norm_case){ .n = n, .R = R + s, .s = s, .M = R + 2, .t = s, .first = 3, .inc = 1, .period = 2, .rows = 900, .all = true });
	static const struct norm_case real[] = {
		{ .n = 24, .R = 48, .s = 8, .M = 60, .t = 16, .first = 768, .period = 1, .rows = 5 },
		{ .n = 25, .R = 44, .s = 4, .M = 62, .t = 15, .first = 1, .inc = 7, .period = 40, .rows = 77 },
		{ .n = 31, .R = 64, .s = 3, .M = 64, .t = 20, .first = 33, .period = 1, .rows = 64 },
		{ .n = 19, .R = 38, .s = 0, .M = 50, .t = 0, .first = 1024, .period = 1, .rows = 3 },
	};
	for (size_t k = 0; k < sizeof real / sizeof real[0]; k++)
		squares_and_products(&real[k]);
}

/* w (c + sum t_k bit_k) for bits that a comparison made */
static void
bit_products(unsigned n, unsigned s, uint32_t K, uint64_t count, bool all)
{
	struct harness h;
	uint64_t *x = values(count, 8, true, true), *w = values(count, n, false, all);
	int64_t t[16], at[32];
	for (uint32_t k = 0; k < K; k++) {
		t[k] = (int64_t)(harness_random() & ring_mask(n));
		at[2 * k] = at[2 * k + 1] = (int64_t)(harness_random() % 100) - 50;
	}
	const struct suf_table factors = { "factors", K, t }, sizes = { "sizes", 2 * K, at };
	harness_init(&h);
	struct suf_ref a = harness_input(&h, count, 8, x), b = harness_input(&h, count, n, w);
	struct suf_ref bits = harness_wire(&h, K * count), y = harness_wire(&h, count);
	harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_drelu, .count = K * count, .na = count, .n = 8, .m = 1, .b = 8, .table = &sizes, .in = { a }, .out = { bits } });
	harness_open(&h, bits, K * count, 1);
	harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_bitmul, .count = count, .na = K * count, .nb = count, .n = 1, .m = (uint8_t)(n - s), .s = (uint8_t)s,
		.c = 5, .table = &factors, .in = { bits, b }, .out = { y } });
	harness_open(&h, y, count, n - s);
	harness_round(&h);
	harness_output(&h, y, count, n - s);
	harness_run(&h);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t factor = 5;
		for (uint32_t k = 0; k < K; k++)
			factor += harness_signed(x[i], 8) >= at[2 * k] ? (uint64_t)t[k] : 0;
		near(h.out_party[1][0][i], w[i] * factor, s, n - s);
	}
	harness_free(&h);
	free(x);
	free(w);
}

static void
test_bits(void **state)
{
	(void)state;
	for (unsigned n = 2; n <= 6; n++)
		for (unsigned s = 0; s < n && s < 3; s++)
			for (uint32_t K = 1; K < 4; K++)
				bit_products(n, s, K, 1500, true);
	bit_products(64, 0, 12, 1100, false);
	bit_products(63, 4, 7, 2100, false);
	bit_products(44, 2, 1, 300, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_norms), cmocka_unit_test(test_bits) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
