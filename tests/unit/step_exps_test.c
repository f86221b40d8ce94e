/* SPDX-License-Identifier: Apache-2.0
 * step_exps_test.c -- step exps against its definition: to the bit in small rings, against expl() over whole windows, at the
 * guard cell, sums of ragged rows; through dealer and both parties over a socket pair. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "step_harness.h"
#include <cmocka.h>

struct form { unsigned n, b, f; int64_t c; unsigned a, scale, s, m; };

static struct suf_step
exps(struct form k, uint64_t na, const struct suf_rows *rows, struct suf_ref in, struct suf_ref out)
{
	return (struct suf_step){ .op = SUF_exps, .count = rows ? rows->count : na, .na = na, .n = (uint8_t)k.n, .m = (uint8_t)k.m, .s = (uint8_t)k.s,
		.b = (uint8_t)k.b, .ca = (int64_t)k.f, .cb = (int64_t)(k.a | k.scale << 8), .c = k.c, .rows = rows, .in = { in }, .out = { out } };
}

/* Runs the step on x; output 0 is its result, opened; `narrow`: output 1 the same without its last bits. */
static void
run(struct harness *h, struct form k, uint64_t na, const struct suf_rows *rows, const uint64_t *x, unsigned narrow)
{
	const uint64_t count = rows ? rows->count : na;
	harness_init(h);
	struct suf_ref in = harness_input(h, na, k.n, x), out = harness_wire(h, count), low = harness_wire(h, count);
	harness_round(h);
	harness_step(h, exps(k, na, rows, in, out));
	if (narrow) {
		harness_step(h, exps(k, na, rows, in, low));
		harness_step(h, (struct suf_step){ .op = SUF_open, .count = count, .n = (uint8_t)k.m, .m = (uint8_t)(k.m - narrow), .s = (uint8_t)narrow, .round_half = 1,
			.in = { low }, .out = { low } });
	}
	harness_open(h, out, count, k.m);
	harness_round(h);
	harness_output(h, out, count, k.m);
	if (narrow)
		harness_output(h, low, count, k.m - narrow);
	harness_run(h);
}

static uint64_t *
masks(const struct harness *h, uint64_t count, unsigned bits)
{
	struct prg_stream_key key;
	uint64_t *r = malloc(count * 8);
	assert_non_null(r);
	prg_stream_init(&key, &h->client);
	prg_stream(suf_cpu_best(), &key, h->input[0].step, RUN_TAG_INPUT, 0, count, bits, r);
	return r;
}

static long double power(int64_t v, unsigned f) { return expl(ldexpl((long double)v, -(int)f)); }

/* The step's definition, for a known mask. */
static uint64_t
defined(struct form k, uint64_t x, uint64_t r)
{
	const unsigned low = k.n - k.b;
	const uint64_t place = (x + r - (uint64_t)k.c) & ring_mask(k.n), cell = ((place >> low) - (r >> low)) & ring_mask(k.b);
	const int64_t at = (int64_t)(cell << low) + k.c - (int64_t)(r & ring_mask(low));
	const uint64_t entry = (uint64_t)floorl(ldexpl(power(at, k.f), (int)k.scale) + 0.5L);
	return entry * (uint64_t)floorl(ldexpl(power((int64_t)(place & ring_mask(low)), k.f), (int)k.a) + 0.5L);
}

/* Every x, about as many masks as there are; without truncation. */
static void
test_definition(void **state)
{
	(void)state;
	for (unsigned n = 3; n <= 7; n++)
		for (unsigned b = 1; b <= n && b <= 6; b++)
			for (unsigned f = 0; f <= 4; f += 2) {
				const struct form k = { n, b, n > f + 5 ? n - 5 : f, -(int64_t)(5u << (n - 3)) + f, f + 3, 4 + n, 0, 20 + (f ^ n) % 40 };
				const uint64_t count = UINT64_C(64) << n;
				struct harness h;
				uint64_t *x = malloc(count * 8);
				for (uint64_t i = 0; i < count; i++)
					x[i] = i & ring_mask(n);
				run(&h, k, count, NULL, x, 0);
				uint64_t *r = masks(&h, count, n);
				for (uint64_t i = 0; i < count; i++)
					if (h.out_party[i & 1][0][i] != (defined(k, x[i], r[i]) & ring_mask(k.m)))
						fail_msg("n %u b %u f %u: x %llu, r %llu", n, b, k.f, (unsigned long long)x[i], (unsigned long long)r[i]);
				free(r);
				harness_free(&h);
				free(x);
			}
}

static long double cell_nats(struct form k) { return ldexpl(1, (int)k.n - (int)k.b - (int)k.f); }

/* Relative and absolute error of the step's header, one unit for the truncation. */
static long double
bound(struct form k, long double want)
{
	return want * (ldexpl(1, -(int)k.a - 1) + 0x1p-50L) + ldexpl(ldexpl(expl(cell_nats(k)), (int)k.a) + 1, -(int)k.s - 1) + 1;
}

static long double wanted(struct form k, int64_t t) { return ldexpl(power(t, k.f), (int)(k.a + k.scale) - (int)k.s); }

/* Offset i of the window -> its value mod 2^n; the first and last ones, then steps. */
static int64_t
place_of(uint64_t i, uint64_t count, uint64_t size)
{
	return (int64_t)(i < 20 ? i : i < 40 ? size - 1 - (i - 20) : i * (size / count | 1) % size);
}

/* Widths of up to three words; the whole window without its guard. */
static const struct form windows[] = {
	{ 12, 2, 7, -24 * 128, 10, 20, 15, 20 }, { 14, 3, 9, -5000, 12, 19, 0, 64 }, { 13, 2, 8, -2 * 2048, 8, 34, 19, 61 }, { 16, 2, 9, -92 * 512, 10, 60, 55, 44 },
	{ 15, 4, 9, -50 * 512, 12, 50, 30, 64 }, { 16, 2, 9, -56 * 512, 10, 66, 80, 64 }, { 17, 3, 9, -176 * 512, 10, 66, 92, 64 }, { 18, 6, 10, -200 * 1024, 14, 63, 128, 64 },
	{ 10, 5, 10, 0, 20, 20, 12, 50 }, { 9, 3, 2, -1160, 4, 300, 10, 40 },
};

static void
test_window(void **state)
{
	(void)state;
	for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
		const struct form k = windows[w];
		const uint64_t size = ((UINT64_C(1) << k.b) - 1) << (k.n - k.b), count = 9000 - 77 * w;
		struct harness h;
		uint64_t *x = malloc(count * 8);
		for (uint64_t i = 0; i < count; i++)
			x[i] = (uint64_t)(place_of(i, count, size) + k.c) & ring_mask(k.n);
		run(&h, k, count, NULL, x, 3);
		uint64_t inside = 0;
		for (uint64_t i = 0; i < count; i++) {
			const long double want = wanted(k, place_of(i, count, size) + k.c);
			if (want >= ldexpl(1, (int)k.m) - 2)         /* more than the ring holds */
				continue;
			inside++;
			const long double got = (long double)h.out_party[i & 1][0][i];
			const int64_t other = harness_signed(h.out_party[i & 1][1][i] * 8 - h.out_party[i & 1][0][i], k.m); /* of the same exact value */
			if (fabsl(got - want) > bound(k, want))
				fail_msg("window %zu: e^t is %Lg for t %Lg, not %Lg", w, got, ldexpl((long double)(place_of(i, count, size) + k.c), -(int)k.f), want);
			if (other < -13 || other > 13)
				fail_msg("window %zu: opened narrowly e^t is %lld more than %Lg", w, (long long)other, got);
		}
		assert_true(inside > count - 10);
		harness_free(&h);
		free(x);
	}
}

/* In the last cell, and only there, some masks give e^(-E h) times the value; the parties agree with the simulator on that. */
static void
test_guard(void **state)
{
	(void)state;
	const struct form k = { 8, 2, 5, -3 * 64, 10, 40, 20, 44 };
	enum { COUNT = 8192 };
	uint64_t x[COUNT], wrong[4] = { 0 }, right[4] = { 0 };
	struct harness h;
	for (uint64_t i = 0; i < COUNT; i++)
		x[i] = (i + (uint64_t)k.c) & 255;
	run(&h, k, COUNT, NULL, x, 0);
	for (uint64_t i = 0; i < COUNT; i++) {
		const long double want = wanted(k, (int64_t)(i & 255) + k.c), less = want * expl(-4 * cell_nats(k)), got = (long double)h.out_party[0][0][i];
		if (fabsl(got - want) <= bound(k, want))
			right[i >> 6 & 3]++;
		else if (fabsl(got - less) <= bound(k, less))
			wrong[i >> 6 & 3]++;
		else
			fail_msg("x %llu: %Lg", (unsigned long long)x[i], got);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(wrong[i], 0);
	assert_true(wrong[3] > COUNT / 16 && right[3] > COUNT / 16);
	harness_free(&h);
}

/* Rows that begin and end anywhere in a block, some of them empty. */
static void
sums(struct form k, struct suf_rows rows)
{
	const uint64_t count = suf_rows_total(&rows), size = ((UINT64_C(1) << k.b) - 1) << (k.n - k.b);
	struct harness h;
	uint64_t *x = malloc(count * 8), at = 0;
	for (uint64_t i = 0; i < count; i++)
		x[i] = harness_random() % size;
	for (uint64_t i = 0; i < count; i++)
		x[i] = (x[i] + (uint64_t)k.c) & ring_mask(k.n);
	run(&h, k, count, &rows, x, 5);
	for (uint64_t row = 0; row < rows.count; row++) {
		long double want = 0, slack = 1;
		for (uint64_t j = suf_rows_len(&rows, row); j > 0; j--, at++) {
			const long double e = wanted(k, (int64_t)((x[at] - (uint64_t)k.c) & ring_mask(k.n)) + k.c);
			want += e;
			slack += bound(k, e);
		}
		if (fabsl((long double)h.out_party[row & 1][0][row] - want) > slack)
			fail_msg("row %llu of %llu: %Lg, not %Lg", (unsigned long long)row, (unsigned long long)rows.count, (long double)h.out_party[row & 1][0][row], want);
	}
	assert_int_equal(at, count);
	harness_free(&h);
	free(x);
}

static void
test_rows(void **state)
{
	(void)state;
	const struct form two = { 16, 2, 9, -92 * 512, 10, 60, 60, 60 }, one = { 8, 2, 5, -4 * 64, 8, 20, 10, 40 }, three = { 17, 3, 9, -176 * 512, 10, 66, 100, 64 };
	const struct form all[] = { two, one, three };
	for (size_t k = 0; k < 3; k++) {
		sums(all[k], (struct suf_rows){ .count = 40, .first = 128, .period = 1 });
		sums(all[k], (struct suf_rows){ .count = 75, .first = 1, .inc = 1, .period = 25 });
		sums(all[k], (struct suf_rows){ .count = 101, .first = 0, .inc = 3, .period = 7 });
		sums(all[k], (struct suf_rows){ .count = 9, .first = 300, .inc = 7, .period = 3, .level = 1 });
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_definition), cmocka_unit_test(test_window), cmocka_unit_test(test_guard), cmocka_unit_test(test_rows)
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
