/* SPDX-License-Identifier: Apache-2.0
 * step_plumbing_test.c -- the steps between compact gates against their definitions, through both parties over a socket pair: shift,
 * addx, products with their masks defined last and pads as mask shares, packed triangles, narrow openings of all of those.
 * The harness holds the simulator against the parties bit for bit, and bytes and generator calls against steps.def.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "step_harness.h"
#include <cmocka.h>

static uint64_t *
random_ring(uint64_t count, unsigned bits)
{
	uint64_t *v = malloc((count + 1) * 8);
	assert_non_null(v);
	for (uint64_t i = 0; i < count; i++)
		v[i] = harness_random() & ring_mask(bits);
	return v;
}

/* Signed values, |v| < 2^reach, in a ring of `bits`. */
static uint64_t *
random_small(uint64_t count, unsigned reach, unsigned bits)
{
	uint64_t *v = random_ring(count, reach + 1);
	for (uint64_t i = 0; i < count; i++)
		v[i] = (uint64_t)harness_signed(v[i], reach + 1) & ring_mask(bits);
	return v;
}

static void
open_narrow(struct harness *h, struct suf_ref at, uint64_t count, unsigned n, unsigned s, unsigned m)
{
	harness_step(h, (struct suf_step){ .op = SUF_open, .count = count, .n = (uint8_t)n, .m = (uint8_t)m, .s = (uint8_t)s, .round_half = 1,
		.in = { at }, .out = { at } });
}

/* got = want / 2^s mod 2^m, off by less than 1.5 units: two shares are rounded apart. */
static void
assert_near(uint64_t got, uint64_t want, unsigned n, unsigned s, unsigned m)
{
	const int64_t exact = harness_signed(want, n), off = harness_signed(got - (uint64_t)(exact >> s), m);
	const double err = (double)off - (double)(exact & (int64_t)ring_mask(s)) / (double)(1ull << s);
	if (!(err > -1.5 && err < 1.5))
		fail_msg("%llx of %u bits for %lld / 2^%u: off by %g", (unsigned long long)got, m, (long long)exact, s, err);
}

/* ---- shift --------------------------------------------------------------------- */

/* up[x]: how often x / 2^s was rounded up, if wanted. */
static void
shift_all(unsigned n, unsigned s, unsigned m, const uint64_t *x, uint64_t count, unsigned *up)
{
	struct harness h;
	harness_init(&h);
	struct suf_ref in = harness_input(&h, count, n, x), out = harness_wire(&h, count);
	harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_shift, .count = count, .na = count, .n = (uint8_t)n, .m = (uint8_t)m, .s = (uint8_t)s, .in = { in }, .out = { out } });
	harness_output(&h, out, count, m);
	harness_run(&h);
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t more = (h.out_party[1][0][i] - (uint64_t)(harness_signed(x[i], n) >> s)) & ring_mask(m);
		const bool whole = (x[i] & ring_mask(s)) == 0;
		if (more > !whole)
			fail_msg("%llx of %u bits shifted by %u to %u: %llx", (unsigned long long)x[i], n, s, m, (unsigned long long)h.out_party[1][0][i]);
		if (up)
			up[x[i]] += more != 0;
	}
	harness_free(&h);
}

/* Every x of a ring of 6 bits under many masks: one of the two neighbours, in the mean x / 2^s. */
static void
test_shift_small(void **state)
{
	(void)state;
	enum { N = 6, RUNS = 600 };
	uint64_t *x = malloc(RUNS * 64 * 8);
	for (uint64_t i = 0; i < RUNS * 64; i++)
		x[i] = i % 64;
	for (unsigned s = 1; s < N; s++)
		for (unsigned m = 1; m <= N - s; m++) {
			unsigned up[64] = { 0 };
			double all = 0, expected = 0;
			shift_all(N, s, m, x, RUNS * 64, up);
			for (unsigned v = 0; v < 64; v++) {
				const double p = (double)(v & ring_mask(s)) / (double)(1u << s);
				assert_true(up[v] > RUNS * p - 90 && up[v] < RUNS * p + 90); /* seven deviations */
				all += up[v];
				expected += RUNS * p;
			}
			assert_true(all > expected - 600 && all < expected + 600); /* more than six; half a unit would be 19200 */
		}
	free(x);
}

static void
test_shift_large(void **state)
{
	(void)state;
	static const struct { unsigned n, s, m; } t[] = { { 64, 1, 63 }, { 64, 63, 1 }, { 64, 12, 52 }, { 37, 12, 20 }, { 50, 12, 38 }, { 29, 11, 16 }, { 2, 1, 1 } };
	for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
		uint64_t *x = random_ring(1500, t[k].n);
		x[0] = 0, x[1] = ring_mask(t[k].n), x[2] = ring_mask(t[k].n - 1), x[3] = x[2] + 1;
		shift_all(t[k].n, t[k].s, t[k].m, x, 1500, NULL);
		free(x);
	}
}

/* ---- addx ------------------------------------------------------------------------ */

/* ca a + cb b + c: a = u v, a share of n bits; b of nb bits; result of m bits, s of which are dropped by its opening. */
struct sum { unsigned n, nb, m, s; int64_t ca, cb, c; };

static void
add_masked(const struct sum *t, const struct suf_map *map, uint64_t count, uint64_t many)
{
	struct harness h;
	const struct suf_map flat = { .ndim = 1, .dim = { (uint32_t)count }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	uint64_t *u = random_ring(count, t->n), *v = random_ring(count, t->n), *b = random_ring(many, t->nb);
	harness_init(&h);
	struct suf_ref iu = harness_input(&h, count, t->n, u), iv = harness_input(&h, count, t->n, v), ib = harness_input(&h, many, t->nb, b);
	struct suf_ref a = harness_wire(&h, count), out = harness_wire(&h, count);
	const uint8_t n = (uint8_t)t->n, m = (uint8_t)t->m;
	harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_mul, .count = count, .na = count, .nb = count, .n = n, .m = n, .map = &flat, .in = { iu, iv }, .out = { a } });
	harness_step(&h, (struct suf_step){ .op = SUF_addx, .count = count, .na = count, .nb = many, .n = n, .m = m, .shared = 1,
		.ca = t->ca, .cb = t->cb, .c = t->c, .map = map ? map : &flat, .in = { a, ib }, .out = { out } });
	if (t->s)
		open_narrow(&h, out, count, t->m, t->s, t->m - t->s);
	else
		harness_open(&h, out, count, t->m);
	harness_round(&h);
	harness_output(&h, out, count, t->m - t->s);
	harness_run(&h);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t to = i, from = i, with = i;
		if (map) { /* two axes */
			const uint64_t hi = i / map->dim[1], lo = i % map->dim[1];
			to = hi * (uint64_t)map->so[0] + lo * (uint64_t)map->so[1];
			from = hi * (uint64_t)map->sa[0] + lo * (uint64_t)map->sa[1];
			with = hi * (uint64_t)map->sb[0] + lo * (uint64_t)map->sb[1];
		}
		const uint64_t want = (uint64_t)t->ca * (u[from] * v[from]) + (uint64_t)t->cb * b[with] + (uint64_t)t->c;
		if (t->s)
			assert_near(h.out_party[0][0][to], want, t->m, t->s, t->m - t->s);
		else
			assert_int_equal(h.out_party[1][0][to], want & ring_mask(t->m));
	}
	harness_free(&h);
	free(u), free(v), free(b);
}

static void
test_addx(void **state)
{
	(void)state;
	static const struct sum t[] = {
		{ 50, 50, 50, 0, 1, 1, 0 }, { 64, 64, 64, 0, -3, 5, -77 }, { 40, 28, 40, 0, 1, 4096, 9 }, { 40, 64, 40, 0, 1, -12, 0 }, { 40, 40, 21, 0, 1, 1, 3 },
		{ 40, 28, 40, 12, 1, 4096, 0 }, { 64, 64, 64, 20, -1, 1, 1 }, { 33, 33, 30, 11, 3, 5, 0 }, { 36, 40, 40, 0, 16, 1, 0 }, { 6, 5, 6, 2, 1, 2, 1 },
		{ 3, 2, 3, 0, 1, 2, 0 }, { 12, 12, 12, 0, 1, 0, 5 },
	};
	const struct suf_map row = { .ndim = 2, .dim = { 30, 50 }, .so = { 50, 1 }, .sa = { 50, 1 }, .sb = { 0, 1 } };  /* b: one row */
	const struct suf_map turn = { .ndim = 2, .dim = { 30, 50 }, .so = { 1, 30 }, .sa = { 50, 1 }, .sb = { 1, 0 } }; /* turned; b: one column */
	for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
		add_masked(&t[k], NULL, 1500, 1500);
		add_masked(&t[k], &row, 1500, 50);
		add_masked(&t[k], &turn, 1500, 30);
	}
}

/* ---- products ---------------------------------------------------------------------- */

/* a, or an opened extension of it to n bits whose step's id goes to *id. */
static struct suf_ref
extended(struct harness *h, struct suf_ref a, uint64_t count, unsigned from, unsigned n, uint32_t *id)
{
	struct suf_ref e = harness_wire(h, count);
	*id = harness_step(h, (struct suf_step){ .op = SUF_gapext, .count = count, .na = count, .n = (uint8_t)from, .m = (uint8_t)n, .in = { a }, .out = { e } });
	return harness_open(h, e, count, n);
}

enum { LAST = 1, PADS = 2, WEIGHT = 4 };         /* how a product has its masks */

/* R rows of C elements times one row of C, or R elements. */
static void
product(unsigned how, unsigned s, uint32_t rows, uint32_t cols, bool by_row)
{
	struct harness h;
	const unsigned n = 44;
	const uint64_t count = (uint64_t)rows * cols, nb = by_row ? cols : rows;
	uint64_t *a = random_small(count, 20, n), *b = random_small(nb, 20, n);
	uint32_t pad[2] = { 0, 0 };
	const struct suf_map map = { .ndim = 2, .dim = { rows, cols }, .so = { cols, 1 }, .sa = { cols, 1 }, .sb = { by_row ? 0 : 1, by_row ? 1 : 0 } };
	harness_init(&h);
	struct suf_ref ia = harness_input(&h, count, n, a), ib = how & WEIGHT ? harness_weight(&h, nb, n, b) : harness_input(&h, nb, n, b);
	struct suf_ref out = harness_wire(&h, count);
	harness_round(&h);
	if (how & PADS) {
		ia = extended(&h, ia, count, n, n + 4, &pad[0]);
		if (!(how & WEIGHT))
			ib = extended(&h, ib, nb, n, n + 4, &pad[1]);
		harness_round(&h);
	}
	/* what was extended to 48 bits is taken mod 2^44: pads are reduced by the step itself where they are read */
	const struct suf_map flat_a = { .ndim = 1, .dim = { (uint32_t)count }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	const struct suf_map flat_b = { .ndim = 1, .dim = { (uint32_t)nb }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	if (how & PADS) {
		struct suf_ref low = harness_wire(&h, count);
		harness_step(&h, (struct suf_step){ .op = SUF_lin, .count = count, .na = count, .n = n + 4, .m = n, .ca = 1, .map = &flat_a, .in = { ia }, .out = { low } });
		ia = low;
		if (!(how & WEIGHT)) {
			low = harness_wire(&h, nb);
			harness_step(&h, (struct suf_step){ .op = SUF_lin, .count = nb, .na = nb, .n = n + 4, .m = n, .ca = 1, .map = &flat_b, .in = { ib }, .out = { low } });
			ib = low;
		}
	}
	harness_step(&h, (struct suf_step){ .op = SUF_mul, .count = count, .na = count, .nb = nb, .n = n, .m = n, .define_last = how & LAST ? 1 : 0,
		.weight_b = how & WEIGHT ? 1 : 0, .pad_a = pad[0], .pad_b = pad[1], .map = &map, .in = { ia, ib }, .out = { out } });
	if (s)
		open_narrow(&h, out, count, n, s, n - s - 1);
	else
		harness_open(&h, out, count, n);
	harness_round(&h);
	harness_output(&h, out, count, s ? n - s - 1 : n);
	harness_run(&h);
	for (uint32_t i = 0; i < rows; i++)
		for (uint32_t j = 0; j < cols; j++) {
			const uint64_t want = a[i * cols + j] * b[by_row ? j : i], got = h.out_party[1][0][i * cols + j];
			if (s)
				assert_near(got, want, n, s, n - s - 1);
			else
				assert_int_equal(got, want & ring_mask(n));
		}
	harness_free(&h);
	free(a), free(b);
}

static void
test_mul(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 8; how++)
		for (unsigned s = 0; s <= 12; s += 12) {
			product(how, s, 9, 250, true);
			product(how, s, 40, 30, false);
			product(how, s, 1, 1, true);
		}
}

/* Packed causal rows [batch * rows, cols] times [batch, cols, width]; cols - rows columns before the triangle. */
static void
triangle(unsigned how, unsigned s, uint32_t batch, uint32_t rows, uint32_t cols, uint32_t width)
{
	struct harness h;
	const unsigned n = 46;
	const struct suf_rows r = { .count = (uint64_t)batch * rows, .first = cols - rows + 1, .inc = 1, .period = rows };
	const uint64_t na = suf_rows_total(&r), nb = (uint64_t)batch * cols * width, count = (uint64_t)batch * rows * width;
	const struct suf_mm mm = { .batch = batch, .bh = batch, .rows = rows, .inner = cols, .cols = width,
		.sa = { 0, (int64_t)rows * cols, cols, 1 }, .sb = { 0, (int64_t)cols * width, width, 1 } };
	uint64_t *a = random_small(na, 18, n - 6), *b = random_small(nb, 18, n);
	uint32_t pad[2] = { 0, 0 };
	harness_init(&h);
	struct suf_ref ia = harness_input(&h, na, how & PADS ? n - 6 : n, a), ib = how & WEIGHT ? harness_weight(&h, nb, n, b) : harness_input(&h, nb, n, b);
	struct suf_ref out = harness_wire(&h, count);
	harness_round(&h);
	if (how & PADS) {
		ia = extended(&h, ia, na, n - 6, n, &pad[0]);
		harness_round(&h);
	}
	harness_step(&h, (struct suf_step){ .op = SUF_matmul, .count = count, .na = na, .nb = nb, .n = n, .m = n, .define_last = how & LAST ? 1 : 0,
		.weight_b = how & WEIGHT ? 1 : 0, .pad_a = pad[0], .c = cols, .mm = &mm, .rows = &r, .in = { ia, ib }, .out = { out } });
	if (s)
		open_narrow(&h, out, count, n, s, n - s);
	else
		harness_open(&h, out, count, n);
	harness_round(&h);
	harness_output(&h, out, count, n - s);
	harness_run(&h);
	uint64_t at = 0;
	for (uint32_t k = 0; k < batch; k++)
		for (uint32_t i = 0, len = cols - rows + 1; i < rows; i++, at += len++)
			for (uint32_t j = 0; j < width; j++) {
				uint64_t want = 0, got = h.out_party[0][0][((uint64_t)k * rows + i) * width + j];
				for (uint32_t t = 0; t < len; t++)
					want += (uint64_t)harness_signed(a[at + t], n - 6) * b[((uint64_t)k * cols + t) * width + j];
				if (!(how & PADS)) { /* a in the ring as it is: its sign is that of n - 6 bits */
					want = 0;
					for (uint32_t t = 0; t < len; t++)
						want += a[at + t] * b[((uint64_t)k * cols + t) * width + j];
				}
				if (s)
					assert_near(got, want, n, s, n - s);
				else
					assert_int_equal(got, want & ring_mask(n));
			}
	harness_free(&h);
	free(a), free(b);
}

static void
test_packed_rows(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 8; how++)
		for (unsigned s = 0; s <= 13; s += 13) {
			triangle(how, s, 3, 17, 17, 8);
			triangle(how, s, 2, 5, 9, 3);
			triangle(how, s, 1, 50, 50, 4);
			triangle(how, s, 1, 1, 1, 1);
		}
}

/* Products with corrections are simulated share by share, too, if the program has a narrow opening. */
static void
test_narrow_product(void **state)
{
	(void)state;
	const uint32_t M = 7, K = 19, N = 30;
	const unsigned n = 40, s = 12, m = 20;           /* fewer bits than are left: the value mod 2^20 */
	const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = M, .inner = K, .cols = N, .sa = { 0, 0, K, 1 }, .sb = { 0, 0, N, 1 } };
	for (int weight = 0; weight < 2; weight++) {
		struct harness h;
		uint64_t *a = random_ring(M * K, n), *b = random_ring(K * N, n), *c = random_ring(N, n);
		harness_init(&h);
		struct suf_ref ia = harness_input(&h, M * K, n, a), ib = weight ? harness_weight(&h, K * N, n, b) : harness_input(&h, K * N, n, b);
		struct suf_ref ic = harness_weight(&h, N, n, c), out = harness_wire(&h, M * N);
		harness_round(&h);
		harness_step(&h, (struct suf_step){ .op = SUF_matmul, .count = M * N, .na = M * K, .nb = K * N, .n = n, .m = n, .weight_b = weight ? 1 : 0, .mm = &mm,
			.in = { ia, ib, ic }, .out = { out } });
		open_narrow(&h, out, M * N, n, s, m);
		harness_round(&h);
		harness_output(&h, out, M * N, m);
		harness_run(&h);
		for (uint32_t i = 0; i < M; i++)
			for (uint32_t j = 0; j < N; j++) {
				uint64_t want = c[j];
				for (uint32_t t = 0; t < K; t++)
					want += a[i * K + t] * b[t * N + j];
				assert_near(h.out_party[1][0][i * N + j], want, n, s, m);
			}
		harness_free(&h);
		free(a), free(b), free(c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shift_small), cmocka_unit_test(test_shift_large), cmocka_unit_test(test_addx), cmocka_unit_test(test_mul),
		cmocka_unit_test(test_packed_rows), cmocka_unit_test(test_narrow_product),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
