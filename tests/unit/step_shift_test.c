/* SPDX-License-Identifier: Apache-2.0
 * Products and squares of shifted values, polynomials of pieces: against their definitions, exhaustively in a
 * small ring, randomly in large ones, through both parties over a socket pair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "step_harness.h"
#include <cmocka.h>

static const struct { unsigned n, s, m; } shapes[] = {
	{ 6, 2, 9 }, { 6, 2, 4 }, { 6, 0, 8 }, { 6, 0, 6 }, { 5, 3, 3 }, { 5, 1, 5 }, /* exhaustive */
	{ 37, 12, 35 }, { 48, 1, 64 }, { 50, 12, 35 }, { 51, 16, 57 }, { 51, 12, 40 }, { 64, 12, 64 }, { 64, 16, 48 }, { 50, 0, 64 },
};
enum { NSHAPES = sizeof shapes / sizeof shapes[0], SMALL = 6 };

static int64_t floor_shift(int64_t x, unsigned s) { return x >> s; }

/* Small: every x inside the gap (or every x), many masks.  Else random; the ends of the range are among them. */
static uint64_t *
values(uint64_t count, unsigned n, bool gap, bool all)
{
	uint64_t *v = malloc(count * 8);
	const unsigned bits = gap ? n - 1 : n;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t x = all ? i : i == 0 ? 1ull << (bits - 1) : i == 1 ? (1ull << (bits - 1)) - 1 : i == 2 ? 0 : harness_random();
		v[i] = (uint64_t)harness_signed(x & ring_mask(bits), bits) & ring_mask(n);
	}
	return v;
}

/* The opened borrow bits of x mod 2^s. */
static struct suf_ref
carry(struct harness *h, struct suf_ref x, uint64_t count, unsigned n, unsigned s)
{
	struct suf_ref w = harness_wire(h, count);
	harness_step(h, (struct suf_step){ .op = SUF_lt, .count = count, .na = count, .n = (uint8_t)n, .m = 1, .b = (uint8_t)s, .in = { x }, .out = { w } });
	harness_open(h, w, count, 1);
	harness_round(h);
	return w;
}

/* How y reaches the product: as an input, with its mask shares in the pads of a step, or as a weight. */
enum y_kind { OF_INPUT, OF_PADS, OF_WEIGHT, Y_KINDS };

static void
one_product(unsigned n, unsigned s, unsigned m, enum y_kind kind, bool small)
{
	const uint32_t R = small ? 24 : 7, C = small ? 1u << n : 301, N = R * C;
	const bool gap = m + s > n;
	struct harness h;
	uint64_t *x = values(N, n, gap, small), *y = values(R, m, false, false), *one = calloc(R, 8);
	harness_init(&h);
	struct suf_ref ix = harness_input(&h, N, n, x), iy = kind == OF_WEIGHT ? harness_weight(&h, R, m, y) : harness_input(&h, R, m, y);
	harness_round(&h);
	struct suf_ref w = s ? carry(&h, ix, N, n, s) : (struct suf_ref){ SUF_NONE, 0 }, o = harness_wire(&h, N);
	uint32_t id = 0;
	if (kind == OF_PADS) { /* y once more, opened under pads: times one */
		for (uint32_t i = 0; i < R; i++)
			one[i] = 1;
		struct suf_ref bit = harness_input(&h, R, 1, one), again = harness_wire(&h, R);
		harness_round(&h);
		id = harness_step(&h, (struct suf_step){ .op = SUF_select, .count = R, .na = R, .nb = R, .n = 1, .m = (uint8_t)m, .in = { bit, iy }, .out = { again } });
		harness_open(&h, again, R, m);
		harness_round(&h);
		iy = again;
	}
	const struct suf_map map = { .ndim = 2, .dim = { R, C }, .so = { C, 1 }, .sa = { C, 1 }, .sb = { 1, 0 } };
	harness_step(&h, (struct suf_step){ .op = SUF_shiftmul, .count = N, .na = N, .nb = R, .n = (uint8_t)n, .m = (uint8_t)m, .s = (uint8_t)s,
		.slack = gap, .weight_b = kind == OF_WEIGHT, .pad_b = id, .map = &map, .in = { ix, iy, w }, .out = { o } });
	harness_open(&h, o, N, m);
	harness_round(&h);
	harness_output(&h, o, N, m);
	harness_run(&h);
	for (uint32_t i = 0; i < N; i++) {
		uint64_t want = (uint64_t)floor_shift(harness_signed(x[i], n), s) * y[i / C];
		assert_int_equal(h.out_party[1][0][i], want & ring_mask(m));
	}
	harness_free(&h);
	free(x);
	free(y);
	free(one);
}

static void
test_product(void **state)
{
	(void)state;
	for (int k = 0; k < NSHAPES; k++)
		for (enum y_kind y = 0; y < Y_KINDS; y++)
			one_product(shapes[k].n, shapes[k].s, shapes[k].m, y, k < SMALL);
}

static void
one_square(unsigned n, unsigned s, unsigned m, bool small, bool ragged)
{
	const uint32_t C = small ? 1u << n : 301;
	const struct suf_rows rows = { .count = small ? 24 : 9, .first = ragged ? C - 4 : C, .inc = ragged, .period = ragged ? 5 : 1 };
	const uint64_t N = suf_rows_total(&rows);
	const bool gap = m + s > n;
	struct harness h;
	uint64_t *x = values(N, n, gap, small);
	harness_init(&h);
	struct suf_ref ix = harness_input(&h, N, n, x);
	harness_round(&h);
	struct suf_ref w = s ? carry(&h, ix, N, n, s) : (struct suf_ref){ SUF_NONE, 0 }, o = harness_wire(&h, rows.count);
	harness_step(&h, (struct suf_step){ .op = SUF_shiftsq, .count = rows.count, .na = N, .n = (uint8_t)n, .m = (uint8_t)m, .s = (uint8_t)s,
		.slack = gap, .rows = &rows, .in = { ix, w }, .out = { o } });
	harness_open(&h, o, rows.count, m);
	harness_round(&h);
	harness_output(&h, o, rows.count, m);
	harness_run(&h);
	for (uint64_t row = 0, i = 0; row < rows.count; row++) {
		uint64_t want = 0;
		for (uint64_t end = i + suf_rows_len(&rows, row); i < end; i++) {
			uint64_t v = (uint64_t)floor_shift(harness_signed(x[i], n), s);
			want += v * v;
		}
		assert_int_equal(h.out_party[0][0][row], want & ring_mask(m));
	}
	harness_free(&h);
	free(x);
}

static void
test_squares(void **state)
{
	(void)state;
	for (int k = 0; k < NSHAPES; k++)
		for (int ragged = 0; ragged < 2; ragged++)
			one_square(shapes[k].n, shapes[k].s, shapes[k].m, k < SMALL, ragged);
}

static uint64_t
polynomial(const int64_t *c, unsigned degree, uint64_t x)
{
	uint64_t y = 0;
	for (unsigned k = degree + 1; k-- > 0;)
		y = y * x + (uint64_t)c[k];
	return y;
}

/* Any index for any x: the step does not ask that they belong together. */
static void
one_piece(unsigned n, unsigned m, unsigned bits, unsigned degree, bool gap, bool small)
{
	const uint64_t N = small ? 40ull << n : 1301;
	int64_t *c = malloc(sizeof *c * (degree + 1) << bits);
	const struct suf_table table = { "c", (degree + 1) << bits, c };
	uint64_t *x = values(N, n, gap, small), *index = values(bits * N + 1, 1, false, false);
	struct harness h;
	for (uint32_t k = 0; k < table.len; k++)
		c[k] = (int64_t)harness_random();
	harness_init(&h);
	struct suf_ref ix = harness_input(&h, N, n, x), ii = bits ? harness_input(&h, bits * N, 1, index) : (struct suf_ref){ SUF_NONE, 0 };
	harness_round(&h);
	struct suf_ref o = harness_wire(&h, N);
	harness_step(&h, (struct suf_step){ .op = SUF_pieces, .count = N, .na = N, .nb = bits * N, .n = (uint8_t)n, .m = (uint8_t)m, .b = (uint8_t)bits,
		.ca = degree, .slack = gap, .table = &table, .in = { ix, ii }, .out = { o } });
	harness_open(&h, o, N, m);
	harness_round(&h);
	harness_output(&h, o, N, m);
	harness_run(&h);
	for (uint64_t i = 0; i < N; i++) {
		uint64_t at = 0;
		for (unsigned j = 0; j < bits; j++)
			at |= index[j * N + i] << j;
		uint64_t want = polynomial(c + at * (degree + 1), degree, (uint64_t)harness_signed(x[i], n));
		assert_int_equal(h.out_party[1][0][i], want & ring_mask(m));
	}
	harness_free(&h);
	free(c);
	free(x);
	free(index);
}

static void
test_pieces(void **state)
{
	(void)state;
	static const unsigned rings[] = { 37, 48, 50, 51, 64 };
	for (unsigned degree = 0; degree <= 3; degree++) {
		for (unsigned bits = 0; bits <= 2; bits++) {
			one_piece(5, 9, bits, degree, true, true);
			one_piece(5, 5, bits, degree, true, true);
			one_piece(5, 4, bits, degree, false, true);
		}
		for (size_t k = 0; k < 5; k++) {
			one_piece(rings[k], 64, 3, degree, true, false);
			one_piece(rings[k], rings[k], 1, degree, false, false);
		}
	}
	one_piece(19, 48, 7, 1, true, false);
	one_piece(37, 50, 8, 2, true, false);
}

/* Outside its range the result is wrong, and the same for simulator and parties, which the harness compares. */
static void
test_beyond(void **state)
{
	(void)state;
	const uint32_t N = 1500;
	static const int64_t c[] = { 5, 7, -9, 1 };
	const struct suf_table table = { "c", 4, c };
	const struct suf_map map = { .ndim = 1, .dim = { N }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	const struct suf_rows rows = { .count = N / 3, .first = 3, .period = 1 };
	for (unsigned n = 6; n <= 51; n += 45) {
		const unsigned m = n + 4, s = 2;
		struct harness h;
		uint64_t *x = values(N, n, false, true), *y = values(N, m, false, false), *bit = values(N, 1, false, false);
		harness_init(&h);
		struct suf_ref ix = harness_input(&h, N, n, x), iy = harness_input(&h, N, m, y), ib = harness_input(&h, N, 1, bit);
		harness_round(&h);
		struct suf_ref w = carry(&h, ix, N, n, s), a = harness_wire(&h, N), b = harness_wire(&h, N / 3), d = harness_wire(&h, N);
		harness_step(&h, (struct suf_step){ .op = SUF_shiftmul, .count = N, .na = N, .nb = N, .n = (uint8_t)n, .m = (uint8_t)m, .s = s, .slack = 1,
			.map = &map, .in = { ix, iy, w }, .out = { a } });
		harness_step(&h, (struct suf_step){ .op = SUF_shiftsq, .count = N / 3, .na = N, .n = (uint8_t)n, .m = (uint8_t)m, .s = s, .slack = 1,
			.rows = &rows, .in = { ix, w }, .out = { b } });
		harness_step(&h, (struct suf_step){ .op = SUF_pieces, .count = N, .na = N, .nb = N, .n = (uint8_t)n, .m = (uint8_t)m, .b = 1, .ca = 1, .slack = 1,
			.table = &table, .in = { ix, ib }, .out = { d } });
		harness_open(&h, a, N, m);
		harness_open(&h, b, N / 3, m);
		harness_open(&h, d, N, m);
		harness_round(&h);
		harness_output(&h, a, N, m);
		harness_output(&h, b, N / 3, m);
		harness_output(&h, d, N, m);
		harness_run(&h);
		harness_free(&h);
		free(x);
		free(y);
		free(bit);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_product), cmocka_unit_test(test_squares), cmocka_unit_test(test_pieces), cmocka_unit_test(test_beyond) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
