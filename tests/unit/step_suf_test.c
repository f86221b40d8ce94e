/* SPDX-License-Identifier: Apache-2.0
 * Steps of table gates, each against its definition: exhaustively in small rings, randomly in large ones, through
 * dealer and both parties over a socket pair.
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

static uint64_t *
random_ring(uint64_t count, unsigned bits)
{
	uint64_t *v = malloc(count * 8);
	assert_non_null(v);
	for (uint64_t i = 0; i < count; i++)
		v[i] = harness_random() & ring_mask(bits);
	return v;
}

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

/* The borrow bit on s bits, queued for the next round; no wire if s = 0. */
static struct suf_ref
borrow(struct harness *h, struct suf_ref x, uint64_t count, unsigned n, unsigned s, uint32_t *id)
{
	if (!s)
		return (struct suf_ref){ SUF_NONE, 0 };
	struct suf_ref c = harness_wire(h, count);
	*id = harness_step(h, (struct suf_step){ .op = SUF_lt, .count = count, .na = count, .n = (uint8_t)n, .m = 1, .b = (uint8_t)s,
		.in = { x }, .out = { c } });
	return harness_open(h, c, count, 1);
}

/* The bits of x >> s against the lists of t, opened; two rounds, one if s = 0. */
static struct suf_ref
cut(struct harness *h, struct suf_ref x, uint64_t count, unsigned n, unsigned s, unsigned b, const struct suf_table *t)
{
	const uint64_t all = count * (uint64_t)t->v[0];
	struct suf_ref d = harness_wire(h, all), base = harness_wire(h, all), out = harness_wire(h, all);
	uint32_t pad_a = 0, pad_b;
	struct suf_step st = { .op = SUF_cuts, .count = all, .na = count, .n = (uint8_t)n, .m = 1, .s = (uint8_t)s, .b = (uint8_t)b, .table = t,
		.in = { x }, .out = { s ? d : out } };
	struct suf_ref c = borrow(h, x, count, n, s, &pad_a);
	if (s)
		st.out[1] = base;
	pad_b = harness_step(h, st);
	harness_open(h, st.out[0], all, 1);
	harness_round(h);
	if (!s)
		return out;
	harness_step(h, (struct suf_step){ .op = SUF_cutfix, .count = all, .na = count, .nb = all, .n = 1, .m = 1, .pad_a = pad_a, .pad_b = pad_b,
		.in = { c, d, base }, .out = { out } });
	harness_open(h, out, all, 1);
	harness_round(h);
	return out;
}

static void
cuts(unsigned n, unsigned s, unsigned b, uint64_t count, bool exhaustive, const struct suf_table *table)
{
	struct harness h;
	uint64_t *x = exhaustive ? all_of_ring(count, n) : random_ring(count, n);
	for (uint64_t i = 0; !exhaustive && i < count; i++) { /* at the thresholds */
		const int64_t v = table->v[2 + (int64_t)(i / 3) % (table->len - 2)] + (int64_t)(i / 7 % 3) - 1;
		if (i % 3 == 0)
			x[i] = (((uint64_t)v << s) + (harness_random() & ring_mask(s + 1) >> 1)) & ring_mask(n);
	}
	harness_init(&h);
	struct suf_ref in = harness_input(&h, count, n, x);
	harness_round(&h);
	struct suf_ref out = cut(&h, in, count, n, s, b, table);
	harness_output(&h, out, count * (uint64_t)table->v[0], 1);
	harness_run(&h);
	const int64_t *t = table->v + 1;
	for (uint64_t j = 0; j < (uint64_t)table->v[0]; j++, t += 1 + *t)
		for (uint64_t i = 0; i < count; i++) {
			const int64_t y = harness_signed(x[i], n) >> s;
			bool want = false;
			for (int64_t k = 1; k <= *t; k++) {
				const int64_t from = harness_signed((uint64_t)(y - t[k]), b);
				assert_true(from != y - t[k] || (from >= 0) == (y >= t[k]));
				want ^= from >= 0;
			}
			if (h.out_party[1][0][j * count + i] != want)
				fail_msg("n %u s %u b %u: output %u of %lld", n, s, b, (unsigned)j, (long long)y);
		}
	harness_free(&h);
	free(x);
}

static void
test_cuts(void **state)
{
	(void)state;
	static const int64_t odd[] = { 3, 1, 0, 2, -1, 1, 3, -2, 0, 1 }, even[] = { 1, 2, -1, 2 }, one[] = { 1, 1, 0 };
	static const struct suf_table t_odd = { "odd", 10, odd }, t_even = { "even", 5, even }, t_one = { "one", 3, one };
	for (unsigned n = 3; n <= 7; n++)
		for (unsigned s = 0; s + 2 <= n; s++)
			for (unsigned b = 2; b + s <= n; b += b < 4 ? 1 : 2) {
				cuts(n, s, b, UINT64_C(64) << n, true, b > 2 ? &t_odd : &t_one);
				if (b > 3)
					cuts(n, s, b, (UINT64_C(64) << n) - 5, true, &t_even);
			}
	cuts(11, 1, 10, UINT64_C(32) << 11, true, &t_odd); /* with a tree */
	const int64_t far[] = { 2, 3, -131071, 12345, 131071, 4, -4, -3, 3, 4 };
	const struct suf_table t_far = { "far", 9 + 1, far };
	for (int k = 0; k < NRINGS; k++)
		for (unsigned s = 0; s <= 17; s += s ? 5 : 12)
			for (unsigned b = 20; b + s <= rings[k]; b += rings[k] - s - 20 ? rings[k] - s - 20 : 1)
				cuts(rings[k], s, b, 1500 + 77 * s, false, &t_far);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cuts) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
