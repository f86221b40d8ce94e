/* SPDX-License-Identifier: Apache-2.0
 * Steps on point functions and bits, each against its definition: exhaustively in small rings, randomly in
 * large ones, through dealer and both parties over a socket pair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "step_harness.h"
#include <cmocka.h>

static const unsigned rings[] = { 37, 48, 50, 51, 64 };
enum { NRINGS = sizeof rings / sizeof rings[0] };

/* All values of the ring, many times each: every one meets about as many masks as the ring has. */
static uint64_t *
all_of_ring(uint64_t count, unsigned bits)
{
	uint64_t *v = malloc(count * 8);
	assert_non_null(v);
	for (uint64_t i = 0; i < count; i++)
		v[i] = i & ring_mask(bits);
	return v;
}

/* lt is seen through its use: (x_hat + c) - r = (x + c) + w 2^b on b bits, which trunc and sext turn into x. */
static void
truncate_and_extend(unsigned n, unsigned s, uint64_t count, bool exhaustive)
{
	struct harness h;
	uint64_t *x = exhaustive ? all_of_ring(count, n) : harness_ring(count, n);
	harness_init(&h);
	struct suf_ref in = harness_input(&h, count, n, x);
	harness_round(&h);
	const unsigned m = n - s, wide = n < 64 ? n : m + 1;
	struct suf_ref w = harness_wire(&h, count), t = harness_wire(&h, count), v = harness_wire(&h, count), e = harness_wire(&h, count);
	harness_step(&h, (struct suf_step){ .op = SUF_lt, .count = count, .na = count, .n = (uint8_t)n, .m = 1, .b = (uint8_t)s,
		.in = { in }, .out = { w } });
	harness_open(&h, w, count, 1);
	harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_trunc, .count = count, .na = count, .nb = count, .n = (uint8_t)n, .m = (uint8_t)m,
		.s = (uint8_t)s, .b = (uint8_t)s, .in = { in, w }, .out = { t } });
	harness_open(&h, t, count, m);
	harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_lt, .count = count, .na = count, .n = (uint8_t)m, .m = 1, .b = (uint8_t)m,
		.c = INT64_C(1) << (m - 1), .in = { t }, .out = { v } });
	harness_open(&h, v, count, 1);
	harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_sext, .count = count, .na = count, .nb = count, .n = (uint8_t)m, .m = (uint8_t)wide,
		.b = (uint8_t)m, .in = { t, v }, .out = { e } });
	harness_open(&h, e, count, wide);
	harness_round(&h);
	harness_output(&h, w, count, 1);
	harness_output(&h, e, count, wide);
	harness_run(&h);
	uint64_t ones = 0;
	for (uint64_t i = 0; i < count; i++) {
		assert_int_equal(harness_signed(h.out_party[1][1][i], wide), harness_signed(x[i], n) >> s);
		ones += h.out_party[0][0][i];
	}
	if (!exhaustive && s > 3) /* w is a fair coin for a random x */
		assert_in_range(ones, count / 4, count - count / 4);
	harness_free(&h);
	free(x);
}

static void
test_lt(void **state)
{
	(void)state;
	for (unsigned n = 3; n <= 9; n += 2)
		for (unsigned s = 1; s + 1 < n; s += s > 2 ? 2 : 1)
			truncate_and_extend(n, s, UINT64_C(64) << n, true);
	for (int k = 0; k < NRINGS; k++)
		for (unsigned s = 6; s <= 12; s += 3)
			truncate_and_extend(rings[k], s, 2500, false);
	truncate_and_extend(64, 1, 1500, false);
}

/* Thresholds: single (both spellings), pairs, and outside what x takes. */
static void
drelu(unsigned n, unsigned b, uint64_t count, bool exhaustive, const int64_t *t, uint32_t outputs)
{
	struct harness h;
	const int64_t reach = INT64_C(1) << (b - 2);
	uint64_t *x = harness_ring(count, n);
	for (uint64_t i = 0; i < count; i++) { /* |x| <= 2^(b-2): |x - t| < 2^(b-1) for all |t| < 2^(b-2) */
		int64_t v = exhaustive ? (int64_t)(i % (2 * (uint64_t)reach)) - reach : harness_signed(x[i], b - 1);
		if (!exhaustive && i % 3 == 0) /* at the edges */
			v = t[i / 3 % (2 * outputs)] + (int64_t)(i / 7 % 3) - 1;
		x[i] = (uint64_t)v & ring_mask(n);
	}
	harness_init(&h);
	struct suf_ref in = harness_input(&h, count, n, x), out = harness_wire(&h, count * outputs);
	harness_round(&h);
	struct suf_table table = { .name = "thresholds", .len = 2 * outputs, .v = t };
	harness_step(&h, (struct suf_step){ .op = SUF_drelu, .count = count * outputs, .na = count, .n = (uint8_t)n, .m = 1, .b = (uint8_t)b,
		.table = &table, .in = { in }, .out = { out } });
	harness_open(&h, out, count * outputs, 1);
	harness_round(&h);
	harness_output(&h, out, count * outputs, 1);
	harness_run(&h);
	for (uint32_t k = 0; k < outputs; k++)
		for (uint64_t i = 0; i < count; i++) {
			int64_t v = harness_signed(x[i], n);
			bool from = v >= t[2 * k], pair = t[2 * k + 1] != t[2 * k];
			bool want = pair ? from ^ (v >= t[2 * k + 1]) : from;
			if (h.out_party[1][0][k * count + i] != want)
				fail_msg("n %u b %u: output %u of %lld", n, b, k, (long long)v);
		}
	harness_free(&h);
	free(x);
}

static void
test_drelu(void **state)
{
	(void)state;
	for (unsigned b = 4; b <= 10; b += 2) { /* DPFs of 3 to 9 bits: with and without a tree */
		const int64_t q = (INT64_C(1) << (b - 2)) - 1, t[] = { 0, 0, 1, 1, -q, q, q, q, -q, -q };
		for (unsigned n = b; n <= b + 4; n += 4)
			drelu(n, b, UINT64_C(64) << b, true, t, 5);
	}
	drelu(2, 2, 200, true, (const int64_t[]){ 0, 0 }, 1);
	drelu(3, 3, 500, true, (const int64_t[]){ 0, 0, -1, 1 }, 2);
	for (int k = 0; k < NRINGS; k++)
		for (unsigned b = 20; b <= rings[k]; b += rings[k] - 20) {
			const int64_t t[] = { 0, 0, 255, -255, 12345, 12345, -131071, 131071 };
			drelu(rings[k], b, 1500, false, t, 4);
		}
}

static void
lut(unsigned n, unsigned b, unsigned m, uint64_t count, bool exhaustive)
{
	struct harness h;
	uint64_t *x = exhaustive ? all_of_ring(count, n) : harness_ring(count, n), *t = harness_ring(UINT64_C(1) << b, 64);
	harness_init(&h);
	struct suf_ref in = harness_input(&h, count, n, x), sign = harness_wire(&h, count), value = harness_wire(&h, count),
	               out = harness_wire(&h, count);
	harness_round(&h);
	struct suf_table table = { .name = "t", .len = 1u << b, .v = (const int64_t *)t };
	harness_step(&h, (struct suf_step){ .op = SUF_lut, .count = count, .na = count, .n = (uint8_t)n, .m = (uint8_t)m, .b = (uint8_t)b,
		.table = &table, .in = { in }, .out = { sign, value } });
	harness_open(&h, sign, count, 1);
	harness_open(&h, value, count, m);
	harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_lutsign, .count = count, .na = count, .nb = count, .n = 1, .m = (uint8_t)m,
		.in = { sign, value }, .out = { out } });
	harness_open(&h, out, count, m);
	harness_round(&h);
	harness_output(&h, out, count, m);
	harness_run(&h);
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(h.out_party[0][0][i], t[x[i] & ring_mask(b)] & ring_mask(m));
	harness_free(&h);
	free(x);
	free(t);
}

static void
test_lut(void **state)
{
	(void)state;
	for (unsigned b = 4; b <= 8; b++)
		for (unsigned n = b; n <= b + 1; n++)
			lut(n, b, 50, UINT64_C(16) << n, true);
	for (int k = 0; k < NRINGS; k++) {
		lut(rings[k], 8, rings[k], 2100, false);
		lut(rings[k], 13, rings[k], 90, false);
	}
	lut(16, 16, 37, 20, false);
}

static void
lin4(unsigned n, unsigned m, uint64_t count, bool exhaustive)
{
	struct harness h;
	uint64_t *x = exhaustive ? all_of_ring(count, n) : harness_ring(count, n), *bits[2], *t = harness_ring(8, 64);
	harness_init(&h);
	for (int p = 0; p < 2; p++)
		bits[p] = harness_ring(count, 1);
	struct suf_ref b0 = harness_input(&h, count, 1, bits[0]), b1 = harness_input(&h, count, 1, bits[1]),
	               in = harness_input(&h, count, n, x), out = harness_wire(&h, count);
	harness_round(&h);
	struct suf_table table = { .name = "t", .len = 8, .v = (const int64_t *)t };
	harness_step(&h, (struct suf_step){ .op = SUF_lin4, .count = count, .na = count, .nb = count, .n = 1, .m = (uint8_t)m,
		.table = &table, .in = { b0, b1, in }, .out = { out } });
	harness_open(&h, out, count, m);
	harness_round(&h);
	harness_output(&h, out, count, m);
	harness_run(&h);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t j = 2 * bits[1][i] + bits[0][i];
		assert_int_equal(h.out_party[0][0][i], (t[j] + t[4 + j] * x[i]) & ring_mask(m));
	}
	harness_free(&h);
	free(x);
	free(t);
	for (int p = 0; p < 2; p++)
		free(bits[p]);
}

static void
test_lin4(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 6; n++)
		lin4(n, n, UINT64_C(256) << n, true);
	lin4(33, 8, 3000, false); /* a GELU's: the magnitude of a clipped value */
	for (int k = 0; k < NRINGS; k++)
		lin4(rings[k], rings[k], 1300, false);
}

static void
bitdot(uint32_t nbits, unsigned m, uint64_t count, int64_t c)
{
	struct harness h;
	uint64_t *x = harness_ring(nbits * count, 1), *t = harness_ring(nbits, 64);
	for (uint64_t i = 0; nbits < 8 && i < count; i++) /* every combination */
		for (uint32_t k = 0; k < nbits; k++)
			x[k * count + i] = i >> k & 1;
	harness_init(&h);
	struct suf_ref in = harness_input(&h, nbits * count, 1, x), out = harness_wire(&h, count);
	harness_round(&h);
	struct suf_table table = { .name = "t", .len = nbits, .v = (const int64_t *)t };
	harness_step(&h, (struct suf_step){ .op = SUF_bitdot, .count = count, .na = nbits * count, .n = 1, .m = (uint8_t)m, .c = c,
		.table = &table, .in = { in }, .out = { out } });
	harness_open(&h, out, count, m);
	harness_round(&h);
	harness_output(&h, out, count, m);
	harness_run(&h);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t want = (uint64_t)c;
		for (uint32_t k = 0; k < nbits; k++)
			want += t[k] * x[k * count + i];
		assert_int_equal(h.out_party[1][0][i], want & ring_mask(m));
	}
	harness_free(&h);
	free(x);
	free(t);
}

static void
test_bitdot(void **state)
{
	(void)state;
	for (uint32_t nbits = 1; nbits <= 6; nbits++)
		bitdot(nbits, 7, 700, -3);
	for (int k = 0; k < NRINGS; k++) {
		bitdot(rings[k] - 2, rings[k], 37, INT64_C(1) << (rings[k] - 2));
		bitdot(48, rings[k], 1, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lt), cmocka_unit_test(test_drelu), cmocka_unit_test(test_lut),
		cmocka_unit_test(test_lin4), cmocka_unit_test(test_bitdot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
