/* SPDX-License-Identifier: Apache-2.0
 * cost_test.c -- what steps.def predicts is what a run takes: key and message
 * bytes, generator calls of dealer and parties, rounds; for every kind of step
 * (cost_model_test.c: for models).  The harness compares; here are the programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include "step_harness.h"
#include <cmocka.h>

static bool seen[SUF_NSTEP];

/* From one element to a few blocks, whole ones too. */
static uint64_t
some_count(void)
{
	static const uint64_t count[] = { 1, 2, 7, 1023, 1024, 1025, 2048, 2051, 3077 };
	return count[harness_random() % (sizeof count / sizeof *count)];
}

static struct suf_ref
input(struct harness *h, uint64_t count, unsigned bits)
{
	uint64_t *x = harness_ring(count, bits);
	struct suf_ref r = harness_input(h, count, bits, x);
	free(x);
	return r;
}

static struct suf_ref
weight(struct harness *h, uint64_t count, unsigned bits)
{
	uint64_t *x = harness_ring(count, bits);
	struct suf_ref r = harness_weight(h, count, bits, x);
	free(x);
	return r;
}

/* The step, its result opened and given out. */
static uint32_t
finish(struct harness *h, struct suf_step s, unsigned bits)
{
	const bool shared = suf_step_desc[s.op].form == FORM_SHARED;
	s.out[0] = harness_wire(h, s.count);
	uint32_t id = harness_step(h, s);
	if (shared) {
		harness_open(h, s.out[0], s.count, bits);
		harness_round(h);
	}
	harness_output(h, s.out[0], s.count, bits);
	return id;
}

static void
run(struct harness *h)
{
	for (uint32_t k = 0; k < h->nitem; k++)
		seen[h->item[k].s.op] = true;
	harness_run(h);
	harness_free(h);
}

#define RING(bits) .n = (uint8_t)(bits), .m = (uint8_t)(bits)

static void
local_steps(void **state)
{
	(void)state;
	for (int turn = 0; turn < 4; turn++) {
		struct harness h;
		const unsigned n = 40 + (unsigned)turn;
		const uint32_t rows = 5 + (uint32_t)turn, cols = 300 + 7 * (uint32_t)turn, total = rows * cols;
		const struct suf_map map = { .ndim = 2, .dim = { rows, cols }, .so = { cols, 1 }, .sa = { cols, 1 }, .sb = { 0, 1 } };
		const struct suf_rows all = { .count = rows, .first = cols, .period = 1 };
		const struct suf_rows half = { .count = rows, .first = cols, .period = 1, .level = 1 };
		int64_t *t = malloc(cols * sizeof *t);
		for (uint32_t i = 0; i < cols; i++)
			t[i] = (int64_t)(harness_random() >> 40);
		const struct suf_table table = { "t", cols, t };
		harness_init(&h);
		struct suf_ref x = input(&h, total, n), z = input(&h, rows, n), y = input(&h, rows * (cols / 2), n);
		struct suf_ref w = weight(&h, cols, n);
		harness_round(&h);
		finish(&h, (struct suf_step){ .op = SUF_lin, RING(n), .count = total, .na = total, .nb = cols, .ca = 3, .cb = 5, .map = &map, .in = { x, w } }, n);
		finish(&h, (struct suf_step){ .op = SUF_lin, RING(n), .count = total, .na = total, .ca = -1, .c = 9, .map = &map, .in = { x } }, n);
		finish(&h, (struct suf_step){ .op = SUF_mulc, RING(n), .count = total, .na = total, .map = &map, .table = &table, .in = { x } }, n);
		finish(&h, (struct suf_step){ .op = SUF_addc, RING(n), .count = total, .na = total, .map = &map, .table = &table, .in = { x } }, n);
		finish(&h, (struct suf_step){ .op = SUF_row_sum, RING(n), .count = rows, .na = total, .rows = &all, .in = { x } }, n);
		finish(&h, (struct suf_step){ .op = SUF_row_lin, RING(n), .count = total, .na = total, .nb = rows, .ca = 1, .cb = -1, .rows = &all, .in = { x, z } }, n);
		finish(&h, (struct suf_step){ .op = SUF_row_diff, RING(n), .count = total - suf_rows_total(&half), .na = total, .rows = &all, .in = { x } }, n);
		finish(&h, (struct suf_step){ .op = SUF_row_next, RING(n), .count = suf_rows_total(&half), .na = total, .nb = rows * (cols / 2), .rows = &all, .in = { x, y } }, n);
		run(&h);
		free(t);
	}
}

/* What lies between products: shift, addx, masks that are pads or defined last, packed rows. */
static void
between_products(void **state)
{
	(void)state;
	for (int turn = 0; turn < 8; turn++) {
		struct harness h;
		const unsigned n = turn & 1 ? 37 : 64;
		const uint64_t count = some_count();
		const struct suf_map map = { .ndim = 1, .dim = { (uint32_t)count }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
		const struct suf_rows rows = { .count = 60, .first = 11, .inc = 1, .period = 30 };
		const uint64_t na = suf_rows_total(&rows);
		const struct suf_mm mm = { .batch = 2, .bh = 2, .rows = 30, .inner = 40, .cols = 5, .sa = { 0, 1200, 40, 1 }, .sb = { 0, 200, 5, 1 } };
		harness_init(&h);
		struct suf_ref x = input(&h, count, n), y = input(&h, count, 20), t = input(&h, na, 20), v = input(&h, 400, n), w = weight(&h, count, n), ext[2], z;
		harness_round(&h);
		finish(&h, (struct suf_step){ .op = SUF_shift, .count = count, .na = count, .n = (uint8_t)n, .m = 20, .s = 11, .in = { x } }, 20);
		struct suf_step s = { .op = SUF_gapext, .count = count, .na = count, .n = 20, .m = (uint8_t)n, .in = { y }, .out = { ext[0] = harness_wire(&h, count) } };
		const uint32_t pad = harness_step(&h, s);
		s.count = s.na = na;
		s.in[0] = t;
		s.out[0] = ext[1] = harness_wire(&h, na);
		const uint32_t pad_t = harness_step(&h, s);
		harness_open(&h, ext[0], count, n);
		harness_open(&h, ext[1], na, n);
		harness_round(&h);
		s = (struct suf_step){ .op = SUF_mul, RING(n), .count = count, .na = count, .nb = count, .define_last = 1, .pad_a = pad, .map = &map, .in = { ext[0], x } };
		finish(&h, s, n);
		s.in[1] = w;
		s.weight_b = 1;
		s.out[0] = z = harness_wire(&h, count);
		harness_step(&h, s);
		s = (struct suf_step){ .op = SUF_addx, RING(n), .count = count, .na = count, .nb = count, .shared = 1, .ca = 1, .cb = -1, .map = &map, .in = { z, x },
			.out = { harness_wire(&h, count) } };
		harness_step(&h, s);
		harness_open(&h, s.out[0], count, n);
		s = (struct suf_step){ .op = SUF_matmul, RING(n), .count = 300, .na = na, .nb = 400, .define_last = turn & 2 ? 1 : 0, .pad_a = turn & 4 ? pad_t : 0,
			.c = 40, .mm = &mm, .rows = &rows, .in = { ext[1], v } };
		finish(&h, s, n);
		run(&h);
	}
}

static void
triangles(void **state)
{
	(void)state;
	struct harness h;
	const uint32_t s = 41, n = 37;
	const struct suf_rows rows = { .count = 2 * s, .first = 1, .inc = 1, .period = s };
	harness_init(&h);
	struct suf_ref dense = input(&h, 2 * s * s, n), packed = input(&h, suf_rows_total(&rows), n);
	harness_round(&h);
	finish(&h, (struct suf_step){ .op = SUF_tril, RING(n), .count = suf_rows_total(&rows), .na = 2 * s * s, .c = s, .rows = &rows, .in = { dense } }, n);
	finish(&h, (struct suf_step){ .op = SUF_untril, RING(n), .count = 2 * s * s, .na = suf_rows_total(&rows), .c = s, .rows = &rows, .in = { packed } }, n);
	run(&h);
}

/* Masks of operands from the key, from a model's seeds, from pads; with and without bias and last term; narrow openings. */
static void
products(void **state)
{
	(void)state;
	for (int turn = 0; turn < 6; turn++) {
		struct harness h;
		const unsigned n = turn & 1 ? 37 : 64;
		const uint32_t R = 3 + (uint32_t)turn, K = 129 + 32 * (uint32_t)turn, C = 33;
		const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = R, .inner = K, .cols = C, .sa = { 0, 0, K, 1 }, .sb = { 0, 0, C, 1 } };
		const struct suf_mm again = { .batch = 1, .bh = 1, .rows = R, .inner = C, .cols = C, .sa = { 0, 0, C, 1 }, .sb = { 0, 0, C, 1 } };
		harness_init(&h);
		struct suf_ref a = input(&h, R * K, n), b = input(&h, K * C, n), square = input(&h, C * C, 20);
		struct suf_ref w = weight(&h, K * C, n), bias = weight(&h, C, n);
		harness_round(&h);
		struct suf_step s = { .op = SUF_matmul, RING(n), .count = R * C, .na = R * K, .nb = K * C, .mm = &mm, .in = { a, b } };
		finish(&h, s, n);
		s.in[1] = w;
		s.weight_b = 1;
		finish(&h, s, n);
		s.in[2] = bias;
		finish(&h, s, n);
		s.define_last = 1;
		s.out[0] = harness_wire(&h, s.count);
		uint32_t id = harness_step(&h, s);
		/* its top 20 bits are operands whose mask shares are the pads' */
		harness_step(&h, (struct suf_step){ .op = SUF_open, .count = s.count, .n = (uint8_t)n, .m = 20, .s = (uint8_t)(n - 20), .round_half = turn & 1,
			.pad_a = id, .in = { s.out[0] }, .out = { s.out[0] } });
		harness_round(&h);
		finish(&h, (struct suf_step){ .op = SUF_matmul, RING(20), .count = R * C, .na = R * C, .nb = C * C, .mm = &again,
			.in = { s.out[0], square } }, 20);
		run(&h);
	}
}

static void
pads_as_masks(void **state)
{
	(void)state;
	struct harness h;
	const uint32_t n = 44, R = 37, C = 29;
	const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = R, .inner = C, .cols = C, .sa = { 0, 0, C, 1 }, .sb = { 0, 0, C, 1 } };
	harness_init(&h);
	struct suf_ref a = input(&h, R * C, n), b = input(&h, C * C, n), first = harness_wire(&h, R * C);
	harness_round(&h);
	uint32_t id = harness_step(&h, (struct suf_step){ .op = SUF_matmul, RING(n), .count = R * C, .na = R * C, .nb = C * C, .mm = &mm,
		.in = { a, b }, .out = { first } });
	harness_open(&h, first, R * C, n);
	harness_round(&h);
	finish(&h, (struct suf_step){ .op = SUF_matmul, RING(n), .count = R * C, .na = R * C, .nb = C * C, .pad_a = id, .mm = &mm, .in = { first, b } }, n);
	run(&h);
}

static void
elementwise_products(void **state)
{
	(void)state;
	for (int turn = 0; turn < 4; turn++) {
		struct harness h;
		const unsigned n = 50;
		const uint32_t R = 4, C = (uint32_t)some_count(), N = R * C;
		const struct suf_map map = { .ndim = 2, .dim = { R, C }, .so = { C, 1 }, .sa = { C, 1 }, .sb = { 0, 1 } };
		const struct suf_rows rows = { .count = R, .first = C, .period = 1 };
		harness_init(&h);
		struct suf_ref a = input(&h, N, n), b = input(&h, C, n), w = weight(&h, C, n);
		harness_round(&h);
		struct suf_step s = { .op = SUF_mul, RING(n), .count = N, .na = N, .nb = C, .map = &map, .in = { a, b } };
		finish(&h, s, n);
		s.in[1] = w;
		s.weight_b = 1;
		finish(&h, s, n);
		finish(&h, (struct suf_step){ .op = SUF_sqsum, RING(n), .count = R, .na = N, .rows = &rows, .in = { a } }, n);
		run(&h);
	}
}

/* Small domains have truth tables instead of trees: no AES. */
static void
comparisons(void **state)
{
	(void)state;
	static const unsigned bits[] = { 1, 5, 7, 8, 9, 24, 49 };
	for (size_t k = 0; k < sizeof bits / sizeof *bits; k++) {
		struct harness h;
		const unsigned b = bits[k], n = 50;
		const uint64_t N = some_count();
		const int64_t at[] = { 0, 0, -1, 1, 3, 3 };
		const struct suf_table t = { "t", 6, at };
		harness_init(&h);
		struct suf_ref x = input(&h, N, n);
		harness_round(&h);
		finish(&h, (struct suf_step){ .op = SUF_lt, .n = n, .m = 1, .count = N, .na = N, .b = (uint8_t)b, .in = { x } }, 1);
		finish(&h, (struct suf_step){ .op = SUF_drelu, .n = n, .m = 1, .count = 3 * N, .na = N, .b = (uint8_t)(b + 1), .table = &t, .in = { x } }, 1);
		run(&h);
	}
}

/* A shifted value: what the borrow changes and the borrow are opened in one round. */
static void
cuts(void **state)
{
	(void)state;
	static const unsigned bits[] = { 2, 6, 9, 24, 38 };
	static const int64_t even[] = { 2, 2, -1, 1, 4, 0, 1, 2, 3 }, odd[] = { 3, 1, 0, 2, -1, 1, 3, 4, 5, 6 };
	for (size_t k = 0; k < sizeof bits / sizeof *bits; k++)
		for (int turn = 0; turn < 2; turn++) {
			struct harness h;
			const unsigned n = 50, K = turn ? 3 : 2;
			const uint64_t N = some_count();
			const struct suf_table t = { "t", turn ? 10 : 9, turn ? odd : even };
			harness_init(&h);
			struct suf_ref x = input(&h, N, n), c = harness_wire(&h, N), d = harness_wire(&h, K * N), base = harness_wire(&h, K * N);
			harness_round(&h);
			struct suf_step s = { .op = SUF_cuts, .n = n, .m = 1, .count = K * N, .na = N, .b = (uint8_t)bits[k], .table = &t, .in = { x } };
			finish(&h, s, 1);
			s.s = 12;
			s.out[0] = d;
			s.out[1] = base;
			const uint32_t pad_b = harness_step(&h, s);
			harness_open(&h, d, K * N, 1);
			const uint32_t pad_a = harness_step(&h, (struct suf_step){ .op = SUF_lt, .n = n, .m = 1, .count = N, .na = N, .b = 12, .in = { x }, .out = { c } });
			harness_open(&h, c, N, 1);
			harness_round(&h);
			finish(&h, (struct suf_step){ .op = SUF_cutfix, .n = 1, .m = 1, .count = K * N, .na = N, .nb = K * N, .pad_a = pad_a, .pad_b = pad_b,
				.in = { c, d, base } }, 1);
			run(&h);
		}
}

/* Look-ups of a shifted value with secret signs, and the products that take those away. */
static void
table_gates(void **state)
{
	(void)state;
	static const unsigned bits[] = { 2, 7, 8, 11 };
	for (size_t k = 0; k < sizeof bits / sizeof *bits; k++)
		for (unsigned turn = 0; turn < 4; turn++) {
			struct harness h;
			const unsigned n = 50, shift = turn & 1 ? 17 : 0, w = turn & 2 ? 14 : 40;
			const uint64_t N = some_count();
			int64_t entry[2048];
			for (uint32_t i = 0; i < 1u << bits[k]; i++)
				entry[i] = (int64_t)(harness_random() >> 52) - 2048;
			const struct suf_table t = { "t", 1u << bits[k], entry };
			harness_init(&h);
			struct suf_ref x = input(&h, N, n), c = input(&h, N, 1), i = input(&h, N, 1), v = harness_wire(&h, N), sign = harness_wire(&h, N);
			harness_round(&h);
			struct suf_step s = { .op = SUF_lutc, .n = n, .m = (uint8_t)w, .count = N, .na = N, .s = (uint8_t)shift, .b = (uint8_t)bits[k], .table = &t,
				.in = { x }, .out = { v, sign } };
			if (shift)
				s.in[1] = c;
			harness_step(&h, s);
			harness_open(&h, v, N, w);
			harness_round(&h);
			s = (struct suf_step){ .op = SUF_tabmul, .n = (uint8_t)w, .m = (uint8_t)(turn & 1 ? 20 : n), .count = N, .na = N, .s = (uint8_t)shift, .in = { v, sign } };
			if (shift)
				s.in[2] = c;
			finish(&h, s, s.m);
			s.b = 1;
			s.in[shift ? 3 : 2] = i;
			finish(&h, s, s.m);
			finish(&h, (struct suf_step){ .op = SUF_selshift, .n = n, .m = (uint8_t)(turn & 2 ? 64 : 20), .count = N, .na = N, .nb = N, .s = (uint8_t)shift,
				.slack = (uint8_t)(turn >> 1), .in = { x, i, s.s ? c : (struct suf_ref){ SUF_NONE, 0 } } }, turn & 2 ? 64 : 20);
			run(&h);
		}
}

static void
shifts(void **state)
{
	(void)state;
	struct harness h;
	const unsigned n = 50;
	const uint64_t N = some_count();
	harness_init(&h);
	struct suf_ref x = input(&h, N, n), bit = input(&h, N, 1), y = input(&h, N, 30);
	harness_round(&h);
	struct suf_step s = { .op = SUF_trunc, .n = n, .m = 38, .s = 12, .count = N, .na = N, .nb = N, .in = { x, bit } };
	finish(&h, s, 38);
	s.m = n;
	s.slack = 1;
	finish(&h, s, n);
	finish(&h, (struct suf_step){ .op = SUF_sext, .n = 30, .m = n, .count = N, .na = N, .nb = N, .in = { y, bit } }, n);
	finish(&h, (struct suf_step){ .op = SUF_gapext, .n = 30, .m = n, .count = N, .na = N, .in = { y } }, n);
	run(&h);
}

static void
bits_and_tables(void **state)
{
	(void)state;
	static const unsigned bits[] = { 3, 7, 8, 10 };
	for (size_t k = 0; k < sizeof bits / sizeof *bits; k++) {
		struct harness h;
		const unsigned b = bits[k], n = 48;
		const uint64_t N = some_count();
		int64_t entry[1024], lines[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
		for (int i = 0; i < 1 << b; i++)
			entry[i] = (int64_t)(harness_random() >> 30);
		const struct suf_table t = { "t", 1u << b, entry }, four = { "four", 8, lines }, three = { "three", 3, lines };
		harness_init(&h);
		struct suf_ref x = input(&h, N, n), d = input(&h, N, 1), i = input(&h, N, 1), many = input(&h, 3 * N, 1);
		struct suf_ref sign = harness_wire(&h, N), value = harness_wire(&h, N);
		harness_round(&h);
		harness_step(&h, (struct suf_step){ .op = SUF_lut, RING(n), .count = N, .na = N, .b = (uint8_t)b, .table = &t, .in = { x }, .out = { sign, value } });
		harness_open(&h, sign, N, 1);
		harness_open(&h, value, N, n);
		harness_round(&h);
		finish(&h, (struct suf_step){ .op = SUF_lutsign, RING(n), .count = N, .na = N, .nb = N, .in = { sign, value } }, n);
		finish(&h, (struct suf_step){ .op = SUF_select, .n = 1, .m = n, .count = N, .na = N, .nb = N, .in = { d, x } }, n);
		finish(&h, (struct suf_step){ .op = SUF_lin4, .n = 1, .m = 10, .count = N, .na = N, .nb = N, .table = &four, .in = { d, i, x } }, 10);
		finish(&h, (struct suf_step){ .op = SUF_bitdot, .n = 1, .m = n, .count = N, .na = 3 * N, .table = &three, .in = { many } }, n);
		run(&h);
	}
}

static void
shifted_products_and_pieces(void **state)
{
	(void)state;
	for (int turn = 0; turn < 6; turn++) {
		struct harness h;
		const unsigned n = 50, s = turn % 3 == 2 ? 0 : 12, m = turn % 2 ? 38u - (unsigned)turn : 52;
		const uint32_t R = 3, C = (uint32_t)some_count(), N = R * C;
		const struct suf_map map = { .ndim = 2, .dim = { R, C }, .so = { C, 1 }, .sa = { C, 1 }, .sb = { 1, 0 } };
		const struct suf_rows rows = { .count = R, .first = C, .period = 1 };
		const bool gap = m + s > n;
		int64_t c[3 << 4];
		for (int k = 0; k < 3 << 4; k++)
			c[k] = (int64_t)harness_random();
		const struct suf_table line = { "line", 2 << 4, c }, square = { "square", 3, c };
		harness_init(&h);
		struct suf_ref x = input(&h, N, n), y = input(&h, R, m), bit = s ? input(&h, N, 1) : (struct suf_ref){ SUF_NONE, 0 }, w = weight(&h, R, m);
		struct suf_ref index = input(&h, 4ull * N, 1);
		harness_round(&h);
		struct suf_step mul = { .op = SUF_shiftmul, .n = n, .m = (uint8_t)m, .s = (uint8_t)s, .slack = gap, .count = N, .na = N, .nb = R, .map = &map,
		                        .in = { x, y, bit } };
		finish(&h, mul, m);
		mul.in[1] = w;
		mul.weight_b = 1;
		finish(&h, mul, m);
		finish(&h, (struct suf_step){ .op = SUF_shiftsq, .n = n, .m = (uint8_t)m, .s = (uint8_t)s, .slack = gap, .count = R, .na = N, .rows = &rows,
			.in = { x, bit } }, m);
		finish(&h, (struct suf_step){ .op = SUF_pieces, .n = n, .m = 52, .b = 4, .ca = 1, .slack = 1, .count = N, .na = N, .nb = 4ull * N, .table = &line,
			.in = { x, index } }, 52);
		finish(&h, (struct suf_step){ .op = SUF_pieces, .n = n, .m = 40, .ca = 2, .count = N, .na = N, .table = &square, .in = { x } }, 40);
		run(&h);
	}
}

/* One-hots in a word and in several; results in rings of a word and more, and in small ones, where some secrets have no bits. */
static void
functions_by_cells(void **state)
{
	(void)state;
	static const unsigned bits[] = { 3, 6, 7, 10 }, m[] = { 38, 64, 3, 30 }, drop[] = { 12, 16, 0, 0 };
	for (int k = 0; k < 4; k++)
		for (int turn = 0; turn < 4; turn++) {
			struct harness h;
			const uint64_t N = some_count();
			int64_t number[9 + (3 << 10)] = { 12, 19, 12, 12, 13, 8, 24, 30, 7 };
			const struct suf_table t = { "t", 9 + (3u << bits[k]), number };
			harness_init(&h);
			struct suf_ref x = input(&h, N, 20), w[4];
			harness_round(&h);
			for (int z = 0; z < 4; z++)
				w[z] = harness_wire(&h, N);
			harness_step(&h, (struct suf_step){ .op = SUF_cells, .n = 20, .m = 8, .s = 7, .b = (uint8_t)bits[k], .count = N, .na = N, .table = &t, .in = { x },
				.out = { w[0], w[1], w[2], w[3] } });
			for (int z = 0; z < 3; z++)
				harness_open(&h, w[z], N, (unsigned)number[2 * z + 1]);
			harness_round(&h);
			finish(&h, (struct suf_step){ .op = SUF_cellfix, .n = 20, .m = (uint8_t)m[turn], .s = (uint8_t)drop[turn], .b = (uint8_t)bits[k], .count = N, .na = N, .nb = N,
				.table = &t, .in = { x, w[3], w[0], w[1], w[2] } }, m[turn]);
			run(&h);
		}
}

/* Squares and products by rows, with the mask of rho in the key; bits times a value. */
static void
norms_and_bits(void **state)
{
	(void)state;
	for (unsigned turn = 0; turn < 6; turn++) {
		struct harness h;
		const uint64_t N = some_count(), R = N % 3 ? N : N / 3;
		const struct suf_rows rows = { .count = R, .first = (uint32_t)(N / R), .period = 1 };
		const int64_t at[] = { -3, -3, 40, 40 }, factor[] = { 5, -9 };
		const struct suf_table sizes = { "s", 4, at }, factors = { "f", 2, factor };
		harness_init(&h);
		struct suf_ref x = input(&h, N, 20), rho = input(&h, R, 50), w = input(&h, N, 44 + turn);
		struct suf_ref sum = harness_wire(&h, R), low = harness_wire(&h, N), msb = harness_wire(&h, N), bits = harness_wire(&h, 2 * N);
		harness_round(&h);
		harness_step(&h, (struct suf_step){ .op = SUF_normsq, .count = R, .na = N, .n = 20, .m = (uint8_t)(turn ? 36 : 20), .s = (uint8_t)turn, .b = 50, .c = 9,
			.rows = &rows, .in = { x }, .out = { sum, low, msb } });
		harness_open(&h, sum, R, turn ? 36 : 20);
		finish(&h, (struct suf_step){ .op = SUF_normmul, .count = N, .na = R, .nb = N, .n = 50, .m = (uint8_t)(50 - 3 * turn), .s = (uint8_t)(3 * turn), .b = 20,
			.rows = &rows, .in = { rho, x, low, msb } }, 50 - 3 * turn);
		harness_step(&h, (struct suf_step){ .op = SUF_drelu, .count = 2 * N, .na = N, .n = 20, .m = 1, .b = 20, .table = &sizes, .in = { x }, .out = { bits } });
		harness_open(&h, bits, 2 * N, 1);
		harness_round(&h);
		finish(&h, (struct suf_step){ .op = SUF_bitmul, .count = N, .na = 2 * N, .nb = N, .n = 1, .m = 44, .s = (uint8_t)turn, .c = 1, .table = &factors,
			.in = { bits, w } }, 44);
		run(&h);
	}
}

/* Entries of one, two and three words, of rows and alone; with and without a line. */
static void
exponentials_and_waves(void **state)
{
	(void)state;
	static const unsigned drop[] = { 7, 40, 101, 128 };
	for (unsigned turn = 0; turn < 8; turn++) {
		struct harness h;
		const uint64_t N = some_count(), R = N % 3 ? N : N / 3;
		const struct suf_rows rows = { .count = R, .first = (uint32_t)(N / R), .period = 1 };
		const int64_t number[] = { 10, 12, (int64_t)turn * 5 - 1, 3, 1 << 24, 1 << 23, 5, -(1 << 25), 77, 1 << 20, 1 };
		const struct suf_table t = { "t", turn % 2 ? 11 : 8, number };
		harness_init(&h);
		struct suf_ref x = input(&h, N, 12);
		harness_round(&h);
		finish(&h, (struct suf_step){ .op = SUF_exps, .n = 12, .m = (uint8_t)(40 + turn), .s = (uint8_t)drop[turn % 4], .b = (uint8_t)(1 + turn % 6), .ca = 8, .cb = 8 | 20 << 8, .c = -3000,
			.count = R, .na = N, .rows = R < N || turn % 2 ? &rows : NULL, .in = { x } }, 40 + turn);
		finish(&h, (struct suf_step){ .op = SUF_trig, .n = 12, .m = 38, .s = (uint8_t)(2 * turn), .b = 11, .count = N, .na = N, .table = &t, .in = { x } }, 38);
		run(&h);
	}
}

/* Products with weights that everybody knows; steps for masked weights with such. */
static void
public_products(void **state)
{
	(void)state;
	for (int turn = 0; turn < 4; turn++) {
		struct harness h;
		const unsigned n = turn & 1 ? 41 : 64;
		const uint32_t rows = 3 + (uint32_t)(harness_random() % 300), inner = 7, cols = 1 + (uint32_t)(harness_random() % 20);
		const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = rows, .inner = inner, .cols = cols, .sa = { 0, 0, inner, 1 }, .sb = { 0, 0, cols, 1 } };
		const struct suf_map map = { .ndim = 2, .dim = { rows, inner }, .so = { inner, 1 }, .sa = { inner, 1 }, .sb = { 0, cols } };
		const uint64_t na = (uint64_t)rows * inner, count = (uint64_t)rows * cols, nb = (uint64_t)inner * cols;
		uint64_t *w = harness_ring(nb, n);
		harness_init(&h);
		struct suf_ref x = input(&h, na, 30), iw = harness_public(&h, nb, n, w), bias = turn & 2 ? harness_public(&h, cols, n, w) : (struct suf_ref){ SUF_NONE, 0 }, ext;
		harness_round(&h);
		struct suf_step s = { .op = SUF_gapext, .count = na, .na = na, .n = 30, .m = (uint8_t)n, .in = { x }, .out = { ext = harness_wire(&h, na) } };
		harness_step(&h, s);
		s = (struct suf_step){ .op = SUF_wshare, RING(n), .count = count, .na = na, .nb = nb, .define_last = 1, .mm = &mm, .in = { ext, iw, bias }, .out = { harness_wire(&h, count) } };
		harness_step(&h, s);
		harness_open(&h, ext, na, n);
		harness_open(&h, s.out[0], count, n);
		harness_round(&h);
		finish(&h, (struct suf_step){ .op = SUF_wmul, RING(n), .count = count, .na = na, .nb = nb, .mm = &mm, .in = { ext, iw, bias } }, n);
		finish(&h, (struct suf_step){ .op = SUF_wscale, RING(n), .count = na, .na = na, .nb = nb, .map = &map, .in = { ext, iw } }, n);
		finish(&h, (struct suf_step){ .op = SUF_matmul, RING(n), .count = count, .na = na, .nb = nb, .weight_b = 1, .define_last = turn & 1, .mm = &mm, .in = { ext, iw, bias } }, n);
		finish(&h, (struct suf_step){ .op = SUF_mul, RING(n), .count = na, .na = na, .nb = nb, .weight_b = 1, .map = &map, .in = { ext, iw } }, n);
		finish(&h, (struct suf_step){ .op = SUF_lin, RING(n), .count = na, .na = na, .nb = nb, .ca = 1, .cb = 1, .map = &map, .in = { ext, iw } }, n);
		run(&h);
		free(w);
	}
}

/* Products with weights of party 0: before the input is there, of what party 0 alone is told; with shares of the mask from the key. */
static void
owned_products(void **state)
{
	(void)state;
	for (unsigned turn = 0; turn < 4; turn++) {
		struct harness h;
		const unsigned n = turn & 1 ? 41 : 64;
		const uint32_t rows = 3 + (uint32_t)(harness_random() % 300), inner = 7, cols = 1 + (uint32_t)(harness_random() % 20);
		const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = rows, .inner = inner, .cols = cols, .sa = { 0, 0, inner, 1 }, .sb = { 0, 0, cols, 1 } };
		const struct suf_map map = { .ndim = 2, .dim = { rows, inner }, .so = { inner, 1 }, .sa = { inner, 1 }, .sb = { 0, cols } };
		const uint64_t na = (uint64_t)rows * inner, count = (uint64_t)rows * cols, nb = (uint64_t)inner * cols;
		harness_init(&h);
		struct suf_ref x = input(&h, na, 30), w = weight(&h, nb, n), bias = turn & 2 ? weight(&h, cols, n) : (struct suf_ref){ SUF_NONE, 0 }, u = harness_wire(&h, na), z = harness_wire(&h, count);
		harness_round(&h);
		const uint32_t pad = harness_step(&h, (struct suf_step){ .op = SUF_gapext, .count = na, .na = na, .n = 30, .m = (uint8_t)n, .in = { x }, .out = { u } });
		harness_step(&h, (struct suf_step){ .op = SUF_open, RING(n), .count = na, .one_way = 1, .in = { u }, .out = { u } });
		harness_round(&h);
		struct suf_step s = { .op = SUF_omul, RING(n), .count = count, .na = na, .nb = nb, .define_last = 1, .offline = 1, .pad_a = pad, .mm = &mm, .in = { u, w, bias }, .out = { z } };
		harness_step(&h, s);
		harness_step(&h, (struct suf_step){ .op = SUF_open, RING(n), .count = count, .offline = 1, .in = { z }, .out = { z } });
		harness_round(&h);
		harness_output(&h, z, count, n);
		s.offline = 0;
		s.pad_a = turn & 2 ? pad : 0;
		finish(&h, s, n);
		finish(&h, (struct suf_step){ .op = SUF_oscale, RING(n), .count = na, .na = na, .nb = nb, .define_last = 1, .pad_a = turn & 2 ? 0 : pad, .map = &map, .in = { u, w } }, n);
		run(&h);
		assert_int_equal(h.offline, (count * n + 7) / 8);
	}
}

static void
every_step_was_run(void **state)
{
	(void)state;
	for (int k = 0; k < SUF_NSTEP; k++)
		if (!seen[k])
			fail_msg("no program above has a step %s", suf_step_desc[k].name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_steps), cmocka_unit_test(between_products), cmocka_unit_test(triangles), cmocka_unit_test(products), cmocka_unit_test(pads_as_masks),
		cmocka_unit_test(elementwise_products), cmocka_unit_test(comparisons), cmocka_unit_test(cuts), cmocka_unit_test(table_gates), cmocka_unit_test(shifts), cmocka_unit_test(bits_and_tables), cmocka_unit_test(shifted_products_and_pieces),
		cmocka_unit_test(functions_by_cells), cmocka_unit_test(norms_and_bits), cmocka_unit_test(exponentials_and_waves), cmocka_unit_test(public_products), cmocka_unit_test(owned_products),
		cmocka_unit_test(every_step_was_run)
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
