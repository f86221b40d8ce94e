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
	uint64_t *x = exhaustive ? all_of_ring(count, n) : harness_ring(count, n);
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
	static const struct suf_table t_odd = { "odd", 10, odd }, t_even = { "even", 4, even }, t_one = { "one", 3, one };
	for (unsigned n = 3; n <= 7; n++)
		for (unsigned s = 0; s + 2 <= n; s++)
			for (unsigned b = 2; b + s <= n; b += b < 4 ? 1 : 2) {
				cuts(n, s, b, UINT64_C(64) << n, true, b > 2 ? &t_odd : &t_one);
				if (b > 3)
					cuts(n, s, b, (UINT64_C(64) << n) - 5, true, &t_even);
			}
	cuts(11, 1, 10, UINT64_C(32) << 11, true, &t_odd); /* with a tree */
	const int64_t far[] = { 2, 3, -131071, 12345, 131071, 4, -4, -3, 3, 4 };
	const struct suf_table t_far = { "far", 10, far };
	for (int k = 0; k < NRINGS; k++)
		for (unsigned s = 0; s <= 17; s += s ? 5 : 12)
			for (unsigned b = 20; b + s <= rings[k]; b += rings[k] - s - 20 ? rings[k] - s - 20 : 1)
				cuts(rings[k], s, b, 1500 + 77 * s, false, &t_far);
}

/* Look-up of x >> s, times a bit if there is one. */
struct table_case { unsigned n, s, b, w, m; bool bit; };

static struct suf_table
random_table(unsigned b, unsigned w)
{
	const uint32_t len = 1u << b;
	int64_t *t = (int64_t *)harness_ring(len, 64), end = INT64_C(1) << (w - 2); /* |T| < end */
	for (uint32_t k = 0; k < len; k++)
		t[k] = k < 2 ? (k ? end - 1 : 1 - end) : t[k] % end;
	return (struct suf_table){ "t", len, t };
}

static void
table(struct table_case k, uint64_t count, bool exhaustive)
{
	struct harness h;
	uint64_t *x = exhaustive ? all_of_ring(count, k.n) : harness_ring(count, k.n), *i = harness_ring(count, 1);
	struct suf_table t = random_table(k.b, k.w);
	uint32_t id;
	harness_init(&h);
	struct suf_ref in = harness_input(&h, count, k.n, x), bit = harness_input(&h, count, 1, i), v = harness_wire(&h, count),
	               sign = harness_wire(&h, count), out = harness_wire(&h, count);
	harness_round(&h);
	struct suf_ref c = borrow(&h, in, count, k.n, k.s, &id);
	if (k.s)
		harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_lutc, .count = count, .na = count, .n = (uint8_t)k.n, .m = (uint8_t)k.w, .s = (uint8_t)k.s,
		.b = (uint8_t)k.b, .table = &t, .in = { in, c }, .out = { v, sign } });
	harness_open(&h, v, count, k.w);
	harness_round(&h);
	struct suf_step mul = { .op = SUF_tabmul, .count = count, .na = count, .n = (uint8_t)k.w, .m = (uint8_t)k.m, .s = (uint8_t)k.s, .b = k.bit,
		.in = { v, sign }, .out = { out } };
	uint32_t last = 2;
	if (k.s)
		mul.in[last++] = c;
	if (k.bit)
		mul.in[last] = bit;
	harness_step(&h, mul);
	harness_open(&h, out, count, k.m);
	harness_round(&h);
	harness_output(&h, out, count, k.m);
	harness_run(&h);
	for (uint64_t e = 0; e < count; e++) {
		const uint64_t want = (k.bit ? i[e] : 1) * (uint64_t)t.v[x[e] >> k.s & ring_mask(k.b)];
		if (h.out_party[e & 1][0][e] != (want & ring_mask(k.m)))
			fail_msg("n %u s %u b %u w %u m %u: element %llu", k.n, k.s, k.b, k.w, k.m, (unsigned long long)e);
	}
	harness_free(&h);
	free(x);
	free(i);
	free((void *)(uintptr_t)t.v);
}

static void
test_table(void **state)
{
	(void)state;
	for (unsigned n = 3; n <= 9; n++)
		for (unsigned s = 0; s < n; s += s < 2 ? 1 : 2)
			for (unsigned b = 1; b + s <= n; b += b < 2 ? 1 : 3)
				for (unsigned w = 3; w <= 6; w += 3)
					table((struct table_case){ n, s, b, w, w + 3 * (n % 3) - 2, (n ^ s ^ b) & 1 }, UINT64_C(32) << n, true);
	for (int k = 0; k < NRINGS; k++) {
		table((struct table_case){ rings[k], 17, 10, 12, rings[k], true }, 1300, false);      /* as in a GELU */
		table((struct table_case){ rings[k], 0, 8, 16, 64, k & 1 }, 1025, false);
		table((struct table_case){ rings[k], 20, 11, 20, 30, false }, 200, false);
		table((struct table_case){ rings[k], 1, 9, 33, rings[k], true }, 511, false);
		table((struct table_case){ rings[k], 5, 7, 64, 64, false }, 600, false);
	}
}

static void
selshift(unsigned n, unsigned s, unsigned m, uint64_t count, bool exhaustive)
{
	struct harness h;
	const bool gap = m + s > n;
	uint64_t *x = exhaustive ? all_of_ring(count, n) : harness_ring(count, n), *d = harness_ring(count, 1);
	for (uint64_t i = 0; gap && i < count; i++) /* |x| < 2^(n-2) */
		x[i] = (uint64_t)harness_signed(x[i], n - 1) & ring_mask(n);
	uint32_t id;
	harness_init(&h);
	struct suf_ref in = harness_input(&h, count, n, x), bit = harness_input(&h, count, 1, d), out = harness_wire(&h, count);
	harness_round(&h);
	struct suf_ref c = borrow(&h, in, count, n, s, &id);
	if (s)
		harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_selshift, .count = count, .na = count, .nb = count, .n = (uint8_t)n, .m = (uint8_t)m, .s = (uint8_t)s,
		.slack = gap, .in = { in, bit, c }, .out = { out } });
	harness_open(&h, out, count, m);
	harness_round(&h);
	harness_output(&h, out, count, m);
	harness_run(&h);
	for (uint64_t i = 0; i < count; i++)
		if (h.out_party[i & 1][0][i] != (d[i] * (uint64_t)(harness_signed(x[i], n) >> s) & ring_mask(m)))
			fail_msg("n %u s %u m %u: element %llu", n, s, m, (unsigned long long)i);
	harness_free(&h);
	free(x);
	free(d);
}

static void
test_selshift(void **state)
{
	(void)state;
	for (unsigned n = 2; n <= 8; n++)
		for (unsigned s = 0; s + 2 <= n; s++)
			for (unsigned m = 1; m <= n + 3; m += 2)
				selshift(n, s, m, UINT64_C(64) << n, true);
	for (int k = 0; k < NRINGS; k++)
		for (unsigned s = 0; s <= 12; s += 6) {
			selshift(rings[k], s, rings[k], 1300, false);
			selshift(rings[k], s, 64, 1025, false);
			selshift(rings[k], s, rings[k] - s, 700, false);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cuts), cmocka_unit_test(test_table), cmocka_unit_test(test_selshift) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
