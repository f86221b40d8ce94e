/* SPDX-License-Identifier: Apache-2.0
 * quant_test.c -- arrays into the ring and back: rounding, bounds, one-hot rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "session.h"
#include <math.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

static char text[SUF_TEXT];

static void there_and_back(void **state)
{
	static const struct { uint8_t bits, frac; } format[] = { { 37, 12 }, { 50, 12 }, { 64, 24 }, { 16, 6 }, { 8, 0 }, { 64, 0 } };
	(void)state;
	for (size_t f = 0; f < sizeof format / sizeof format[0]; f++) {
		struct suf_tensor t = { .name = "x", .rank = 2, .dim = { 50, 20 }, .bits = format[f].bits, .frac = format[f].frac };
		const double limit = ldexp(1, t.bits - 2 - t.frac);
		float x[1000], back[1000];
		uint64_t ring[1000], r[1000];
		RAND_bytes((uint8_t *)r, sizeof r);
		for (int i = 0; i < 1000; i++)
			x[i] = (float)(((double)(r[i] >> 11) / 9007199254740992.0 - 0.5) * 1.98 * limit / (i % 7 ? 1 : 1e4));
		assert_int_equal(quantise(&t, x, ring, text), SUF_OK);
		dequantise(&t, ring, back);
		for (int i = 0; i < 1000; i++) {
			assert_true((ring[i] & ~ring_mask(t.bits)) == 0);
			assert_true(fabs((double)x[i] - (double)back[i]) <= ldexp(0.5, -t.frac) + fabs((double)x[i]) * 6e-8);
		}
	}
}

static void rounding_is_to_nearest_even(void **state)
{
	const struct suf_tensor t = { .name = "x", .rank = 1, .dim = { 8 }, .bits = 20, .frac = 1 };
	const float x[8] = { 0.25f, 0.75f, 1.25f, -0.25f, -0.75f, -1.25f, 0.26f, -0.24f };
	const int64_t want[8] = { 0, 2, 2, 0, -2, -2, 1, 0 };
	uint64_t ring[8];
	(void)state;
	assert_int_equal(quantise(&t, x, ring, text), SUF_OK);
	for (int i = 0; i < 8; i++)
		assert_true(ring[i] == ((uint64_t)want[i] & ring_mask(20)));
}

static void bounds(void **state)
{
	struct suf_tensor t = { .name = "x", .rank = 3, .dim = { 2, 3, 4 }, .bits = 16, .frac = 6 };
	float x[24] = { 0 };
	uint64_t ring[24];
	(void)state;
	const float bad[] = { 256.0f, -256.0f, 255.9999f, NAN, INFINITY, -INFINITY, 1e30f };
	for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
		x[17] = bad[k];
		enum suf_err want = k == 2 ? SUF_OK : SUF_EUSAGE; /* 255.9999 * 64 = 16383.99, below 2^14 */
		assert_int_equal(quantise(&t, x, ring, text), want);
		if (want)
			assert_non_null(strstr(text, "input 'x': element [1,1,1] is"));
	}
	x[17] = 255.98f;
	assert_int_equal(quantise(&t, x, ring, text), SUF_OK);
	assert_int_equal(ring[17], 16383);
}

static void onehot_rows(void **state)
{
	const struct suf_tensor t = { .name = "ids", .rank = 1, .dim = { 3 }, .bits = 50, .onehot = 1000, .integer = true };
	int64_t ids[3] = { 999, 0, 512 };
	uint64_t *ring = malloc(3000 * 8);
	(void)state;
	memset(ring, 0xaa, 3000 * 8);
	assert_int_equal(wire_elems(&t), 3000);
	assert_int_equal(quantise(&t, ids, ring, text), SUF_OK);
	for (int i = 0; i < 3; i++)
		for (int v = 0; v < 1000; v++)
			assert_int_equal(ring[i * 1000 + v], v == ids[i]);
	const int64_t bad[] = { 1000, -1, INT64_MAX, INT64_MIN };
	for (int k = 0; k < 4; k++) {
		ids[2] = bad[k];
		assert_int_equal(quantise(&t, ids, ring, text), SUF_EUSAGE);
		assert_non_null(strstr(text, "input 'ids': element [2] is"));
	}
	free(ring);
}

static void integers(void **state)
{
	const struct suf_tensor t = { .name = "n", .rank = 1, .dim = { 4 }, .bits = 20, .integer = true };
	const int64_t v[4] = { 0, -1, 262143, -262143 };
	int64_t back[4];
	uint64_t ring[4];
	(void)state;
	assert_int_equal(quantise(&t, v, ring, text), SUF_OK);
	assert_int_equal(ring[1], ring_mask(20));
	dequantise(&t, ring, back);
	assert_memory_equal(v, back, sizeof v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(rounding_is_to_nearest_even), cmocka_unit_test(bounds),
		cmocka_unit_test(onehot_rows), cmocka_unit_test(integers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
