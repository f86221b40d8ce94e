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

/* Opens all of a share, or drops bits and rounds: that replays party 0's share. */
static void
open_share(struct harness *h, struct suf_ref at, uint64_t count, unsigned n, unsigned drop)
{
	harness_step(h, (struct suf_step){ .op = SUF_open, .count = count, .n = (uint8_t)n, .m = (uint8_t)(n - drop), .s = (uint8_t)drop, .round_half = drop > 0,
		.in = { at }, .out = { at } });
}

/* got is y / 2^(s + drop) in a ring of m - drop bits, truncated locally, then opened narrowly: off by less than a unit / 2^drop, and 1.5. */
static void
close_to(uint64_t got, uint64_t y, unsigned s, unsigned m, unsigned drop)
{
	if (drop == 0) {
		near(got, y, s, m);
		return;
	}
	const uint64_t ring = ring_mask(m + s), unit = UINT64_C(1) << (s + drop), off = ((got << (s + drop)) - y) & ring;
	if (off > 2 * unit + unit / 2 && off < ((ring - 2 * unit - unit / 2 + 1) & ring))
		fail_msg("%llu is not %llu / 2^%u mod 2^%u", (unsigned long long)got, (unsigned long long)(y & ring), s + drop, m - drop);
}

/* first, inc, period: rows.  all: every value, many times.  pads: rho is an opened extension of k->pads bits.  drop: bits that openings drop. */
struct norm_case { unsigned n, R, s, M, t; uint32_t first, inc, period; uint64_t rows; bool all; unsigned pads, drop; };

/* rho of M bits and the step whose pads mask it, 0: from an input. */
static struct suf_ref
factors(struct harness *h, const struct norm_case *k, uint64_t *rho, uint32_t *id)
{
	*id = 0;
	if (!k->pads) {
		struct suf_ref by = harness_input(h, k->rows, k->M, rho);
		harness_round(h);
		return by;
	}
	uint64_t *small = values(k->rows, k->pads, true, false);
	for (uint64_t i = 0; i < k->rows; i++)
		rho[i] = (uint64_t)harness_signed(small[i], k->pads) & ring_mask(k->M);
	struct suf_ref in = harness_input(h, k->rows, k->pads, small), by = harness_wire(h, k->rows);
	harness_round(h);
	*id = harness_step(h, (struct suf_step){ .op = SUF_gapext, .count = k->rows, .na = k->rows, .n = (uint8_t)k->pads, .m = (uint8_t)k->M, .in = { in }, .out = { by } });
	harness_open(h, by, k->rows, k->M);
	harness_round(h);
	free(small);
	return by;
}

struct norm_run { struct harness h; struct suf_rows rows; uint64_t na, *x, *rho; };

/* sum x^2 + 77 and rho x with the same shares; outputs 0 and 1.  gap: x has one. */
static void
run_norm(struct norm_run *t, const struct norm_case *k, bool gap)
{
	struct harness *h = &t->h;
	t->rows = (struct suf_rows){ .count = k->rows, .first = k->first, .inc = k->inc, .period = k->period };
	t->na = suf_rows_total(&t->rows);
	t->x = values(t->na, k->n, gap, k->all);
	t->rho = values(k->rows, k->M, false, false);
	const unsigned m = k->R - k->s, b = k->M > k->R - 1 ? k->M : k->R - 1;
	uint32_t id;
	harness_init(h);
	struct suf_ref in = harness_input(h, t->na, k->n, t->x), by = factors(h, k, t->rho, &id);
	struct suf_ref sum = harness_wire(h, k->rows), low = harness_wire(h, t->na), msb = harness_wire(h, t->na), y = harness_wire(h, t->na);
	harness_step(h, (struct suf_step){ .op = SUF_normsq, .count = k->rows, .na = t->na, .n = (uint8_t)k->n, .m = (uint8_t)m, .s = (uint8_t)k->s,
		.b = (uint8_t)b, .c = 77, .rows = &t->rows, .in = { in }, .out = { sum, low, msb } });
	harness_step(h, (struct suf_step){ .op = SUF_normmul, .count = t->na, .na = k->rows, .nb = t->na, .n = (uint8_t)k->M, .m = (uint8_t)(k->M - k->t),
		.s = (uint8_t)k->t, .b = (uint8_t)k->n, .rows = &t->rows, .pad_a = id, .in = { by, in, low, msb }, .out = { y } });
	open_share(h, sum, k->rows, m, k->drop);
	open_share(h, y, t->na, k->M - k->t, k->drop);
	harness_round(h);
	harness_output(h, sum, k->rows, m - k->drop);
	harness_output(h, y, t->na, k->M - k->t - k->drop);
	harness_run(h);
}

static void
end_norm(struct norm_run *t)
{
	harness_free(&t->h);
	free(t->x);
	free(t->rho);
}

static void
squares_and_products(const struct norm_case *k)
{
	struct norm_run t;
	run_norm(&t, k, true);
	uint64_t at = 0;
	for (uint64_t row = 0; row < k->rows; row++) {
		uint64_t want = 77;
		for (const uint64_t end = at + suf_rows_len(&t.rows, row); at < end; at++) {
			const uint64_t v = (uint64_t)harness_signed(t.x[at], k->n);
			want += v * v;
			close_to(t.h.out_party[1][1][at], t.rho[row] * v, k->t, k->M - k->t, k->drop);
		}
		close_to(t.h.out_party[0][0][row], want, k->s, k->R - k->s, k->drop);
	}
	end_norm(&t);
}

static void
test_norms(void **state)
{
	(void)state;
	for (unsigned n = 3; n <= 6; n++)
		for (unsigned R = 3; R <= 15; R += 2) /* below n + 1, and above 2n */
			for (unsigned s = 0; s < 3; s++)
				squares_and_products(&(struct norm_case){ .n = n, .R = R + s, .s = s, .M = R > n ? R + 2 : n + 2, .t = s, .first = s, .inc = 1, .period = 4, .rows = 900,
					.all = true, .pads = R > n && s < 2 ? n : 0, .drop = s ? 1 : 0 });
	static const struct norm_case real[] = {
		{ .n = 24, .R = 48, .s = 8, .M = 60, .t = 16, .first = 768, .period = 1, .rows = 5 },
		{ .n = 24, .R = 48, .s = 8, .M = 54, .t = 16, .first = 384, .period = 1, .rows = 9, .pads = 20, .drop = 12 },
		{ .n = 25, .R = 44, .s = 4, .M = 62, .t = 15, .first = 1, .inc = 7, .period = 40, .rows = 77 },
		{ .n = 25, .R = 44, .s = 0, .M = 64, .t = 17, .first = 0, .inc = 1, .period = 50, .rows = 99, .pads = 31 },
		{ .n = 31, .R = 64, .s = 3, .M = 64, .t = 20, .first = 33, .period = 1, .rows = 64, .drop = 5 },
		{ .n = 31, .R = 64, .s = 0, .M = 64, .t = 0, .first = 1, .period = 1, .rows = 3000, .pads = 40 },
		{ .n = 19, .R = 38, .s = 0, .M = 50, .t = 0, .first = 1024, .period = 1, .rows = 3 },
	};
	for (size_t k = 0; k < sizeof real / sizeof real[0]; k++)
		squares_and_products(&real[k]);
}

/* Beyond the gap a square is off by a multiple of 2^(n+1), a product by one of rho 2^n, for a part of the masks; simulator and
 * parties agree all the same (harness_run). */
static void
test_beyond_the_gap(void **state)
{
	(void)state;
	for (unsigned n = 3; n <= 24; n += 3) {
		const struct norm_case k = { .n = n, .R = 2 * n + 3, .M = 2 * n + 9, .first = 1, .period = 1, .rows = 3000 };
		struct norm_run t;
		uint64_t wrong = 0;
		run_norm(&t, &k, false);
		for (uint64_t i = 0; i < t.na; i++) {
			const int64_t x = harness_signed(t.x[i], n), q = INT64_C(1) << (n - 2);
			const bool inside = -q <= x && x < q;
			const uint64_t v = (uint64_t)x, square = (t.h.out_party[1][0][i] - 77 - v * v) & ring_mask(k.R), y = (t.h.out_party[1][1][i] - t.rho[i] * v) & ring_mask(k.M);
			const uint64_t lap = (t.rho[i] << n) & ring_mask(k.M);
			assert_int_equal(square & ring_mask(n + 1), 0);
			assert_true(y == 0 || y == lap || y == ((0 - lap) & ring_mask(k.M)));
			assert_true(!inside || (square == 0 && y == 0));
			wrong += square != 0;
		}
		assert_in_range(wrong, 1, t.na / 2); /* a quarter of the ring's values, for half of the masks and more */
		end_norm(&t);
	}
}

/* w (c + sum t_k bit_k) for bits that a comparison made; twice: by an input, and by the first result, whose mask is its pads. */
struct bit_case { unsigned n, s; uint32_t K; uint64_t count; bool all; unsigned drop; };

static void
bit_products(const struct bit_case *k)
{
	struct harness h;
	const unsigned n = k->n, m = k->n - k->s;
	const uint64_t count = k->count;
	uint64_t *x = values(count, 8, true, true), *w = values(count, n, false, k->all);
	int64_t t[16], at[32];
	for (uint32_t j = 0; j < k->K; j++) {
		t[j] = (int64_t)(harness_random() & ring_mask(n));
		at[2 * j] = at[2 * j + 1] = (int64_t)(harness_random() % 100) - 50;
	}
	const struct suf_table by = { "factors", k->K, t }, sizes = { "sizes", 2 * k->K, at };
	harness_init(&h);
	struct suf_ref a = harness_input(&h, count, 8, x), b = harness_input(&h, count, n, w);
	struct suf_ref bits = harness_wire(&h, k->K * count), y = harness_wire(&h, count), z = harness_wire(&h, count);
	harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_drelu, .count = k->K * count, .na = count, .n = 8, .m = 1, .b = 8, .table = &sizes, .in = { a }, .out = { bits } });
	harness_open(&h, bits, k->K * count, 1);
	harness_round(&h);
	struct suf_step mul = { .op = SUF_bitmul, .count = count, .na = k->K * count, .nb = count, .n = 1, .m = (uint8_t)m, .s = (uint8_t)k->s, .c = 5, .table = &by,
		.in = { bits, b }, .out = { y } };
	mul.pad_b = harness_step(&h, mul);
	harness_open(&h, y, count, m);
	harness_round(&h);
	mul.in[1] = y;
	mul.out[0] = z;
	mul.s = 0;
	harness_step(&h, mul);
	open_share(&h, z, count, m, k->drop);
	harness_round(&h);
	harness_output(&h, y, count, m);
	harness_output(&h, z, count, m - k->drop);
	harness_run(&h);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t factor = 5;
		for (uint32_t j = 0; j < k->K; j++)
			factor += harness_signed(x[i], 8) >= at[2 * j] ? (uint64_t)t[j] : 0;
		near(h.out_party[1][0][i], w[i] * factor, k->s, m);
		close_to(h.out_party[0][1][i], h.out_party[1][0][i] * factor, 0, m, k->drop);
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
				bit_products(&(struct bit_case){ .n = n, .s = s, .K = K, .count = 1500, .all = true, .drop = n - s > 2 });
	static const struct bit_case large[] = {
		{ .n = 64, .s = 0, .K = 12, .count = 1100, .drop = 20 }, { .n = 63, .s = 4, .K = 7, .count = 2100 }, { .n = 44, .s = 2, .K = 1, .count = 300, .drop = 26 },
		{ .n = 64, .s = 63, .K = 3, .count = 1024 },
	};
	for (size_t k = 0; k < sizeof large / sizeof large[0]; k++)
		bit_products(&large[k]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_norms), cmocka_unit_test(test_beyond_the_gap), cmocka_unit_test(test_bits) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
