/* SPDX-License-Identifier: Apache-2.0
 * Dealer and parties with all seeds marked as unknown: under Valgrind's memcheck every branch or address that depends
 * on a share, pad, mask or key is an error. Only what a round opens, and the result, is declared public.
 * tests/e2e/memcheck_test.sh runs it so; alone it is an ordinary test of chains of steps that hold keys.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gemm.h"
#include "step_harness.h"
#include <cmocka.h>
#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define SECRET(p, bytes) (void)VALGRIND_MAKE_MEM_UNDEFINED(p, bytes)
#define PUBLIC(p, bytes) (void)VALGRIND_MAKE_MEM_DEFINED(p, bytes)
#endif
#endif
#ifndef SECRET
#define SECRET(p, bytes) (void)(p), (void)(bytes)
#define PUBLIC(p, bytes) (void)(p), (void)(bytes)
#endif

enum { COUNT = SUF_BLOCK + 24 }; /* corrections for both parties */
static const char portable[] = "portable";

/* Declares public what the items from..to opened. */
static void
opened(struct suf_run *r, const struct item *from, const struct item *to)
{
	for (; from <= to; from++)
		if (from->s.op == SUF_open || from->s.op == SUF_input)
			PUBLIC(run_wire(r, from->s.out[0]), from->s.count * 8);
}

static enum suf_err
secret_body(struct suf_run *r)
{
	const struct harness *h = (const struct harness *)r->prog;
	const struct item *first = h->item;
	if (strcmp(h->prog.name, portable) == 0)
		r->isa = SUF_ISA_PORTABLE;
	if (r->mode == RUN_DEAL || r->mode == RUN_PARTY) {
		SECRET(r->seed, sizeof r->seed);
		SECRET(r->model, sizeof r->model);
	}
	if (r->mode == RUN_DEAL) /* masks of inputs; party 1 knows them here */
		SECRET(&r->client, sizeof r->client);
	for (const struct item *i = h->item; i < h->item + h->nitem; i++) {
		enum suf_err e = suf_step(r, &i->s);
		if (!e && i->round_after) {
			e = suf_round(r);
			if (r->mode == RUN_PARTY && !r->in_advance)
				opened(r, first, i);
			first = i + 1;
		}
		if (e)
			return e;
	}
	for (uint32_t k = 0; r->mode == RUN_PARTY && k < h->prog.noutput; k++)
		PUBLIC(r->output[k], h->out_count[k] * 8);
	return SUF_OK;
}

static struct suf_step
step(enum suf_op op, unsigned n, unsigned m, struct suf_ref in0, struct suf_ref in1, struct suf_ref out)
{
	return (struct suf_step){ .op = op, .count = COUNT, .na = COUNT, .nb = COUNT, .n = (uint8_t)n, .m = (uint8_t)m,
		.in = { in0, in1 }, .out = { out } };
}

/* x of 50 bits -> y = x >> 12, y extended, bits of y, a table, products. */
static void
chain(struct harness *h, const int64_t *table)
{
	static const int64_t thresholds[] = { 0, 0, -1000, 1000 }, four[] = { 1, 2, 3, 4, 0, 1, -1, 0 }, weights[] = { 5, -7 };
	static const struct suf_table t_drelu = { "t", 4, thresholds }, t_lin4 = { "l", 8, four }, t_bits = { "w", 2, weights };
	static const struct suf_map map = { .ndim = 1, .dim = { COUNT }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	static const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = 8, .inner = COUNT / 8, .cols = 8,
		.sa = { 0, 0, COUNT / 8, 1 }, .sb = { 0, 0, 1, COUNT / 8 } };
	const struct suf_table t_lut = { "e", 256, table };
	const struct suf_ref none = { SUF_NONE, 0 };
	struct suf_ref w[13], bits = harness_wire(h, 2 * COUNT), bit1 = { SUF_WIRE, bits.at + COUNT };
	uint64_t *x = malloc(COUNT * sizeof *x);
	assert_non_null(x);
	for (uint64_t i = 0; i < COUNT; i++)
		x[i] = harness_random() & ring_mask(50);
	struct suf_ref in = harness_input(h, COUNT, 50, x);
	harness_round(h);
	for (int k = 0; k < 13; k++)
		w[k] = harness_wire(h, COUNT);
	struct suf_step s = step(SUF_lt, 50, 1, in, none, w[0]);
	s.b = 12;
	harness_step(h, s);
	harness_open(h, w[0], COUNT, 1);
	harness_round(h);
	s = step(SUF_trunc, 50, 38, in, w[0], w[1]);
	s.s = s.b = 12;
	harness_step(h, s);
	harness_open(h, w[1], COUNT, 38);
	harness_round(h);
	s = step(SUF_lt, 38, 1, w[1], none, w[2]);
	s.b = 38;
	s.c = INT64_C(1) << 37;
	harness_step(h, s);
	harness_open(h, w[2], COUNT, 1);
	s = step(SUF_drelu, 38, 1, w[1], none, bits);
	s.b = 38;
	s.count = 2 * COUNT;
	s.table = &t_drelu;
	harness_step(h, s);
	harness_open(h, bits, 2 * COUNT, 1);
	s = step(SUF_lut, 38, 50, w[1], none, w[3]);
	s.b = 8;
	s.out[1] = w[4];
	s.table = &t_lut;
	harness_step(h, s);
	harness_open(h, w[3], COUNT, 1);
	harness_open(h, w[4], COUNT, 50);
	harness_round(h);
	s = step(SUF_sext, 38, 50, w[1], w[2], w[5]);
	s.b = 38;
	harness_step(h, s);
	harness_step(h, step(SUF_lutsign, 1, 50, w[3], w[4], w[6]));
	harness_step(h, step(SUF_select, 1, 38, bits, w[1], w[7]));
	s = step(SUF_lin4, 1, 38, bits, bit1, w[8]);
	s.in[2] = w[1];
	s.table = &t_lin4;
	harness_step(h, s);
	s = step(SUF_bitdot, 1, 50, bits, none, w[9]);
	s.na = 2 * COUNT;
	s.table = &t_bits;
	harness_step(h, s);
	s = step(SUF_gapext, 38, 50, w[1], none, w[10]);
	harness_step(h, s);
	const unsigned width[] = { 50, 50, 38, 38, 50, 50 };
	for (int k = 0; k < 6; k++)
		harness_open(h, w[5 + k], COUNT, width[k]);
	harness_round(h);
	s = step(SUF_mul, 50, 50, w[5], w[6], w[11]);
	s.map = &map;
	harness_step(h, s);
	s = step(SUF_matmul, 50, 50, w[5], w[6], w[12]);
	s.mm = &mm;
	s.count = 64;
	harness_step(h, s);
	harness_open(h, w[11], COUNT, 50);
	harness_open(h, w[12], 64, 50);
	harness_round(h);
	harness_output(h, w[11], COUNT, 50);
	harness_output(h, w[12], 64, 50);
	harness_output(h, w[5], COUNT, 50);
	harness_output(h, w[6], COUNT, 50);
	harness_run(h);
	for (uint64_t i = 0; i < COUNT; i++) {
		uint64_t y = (uint64_t)(harness_signed(x[i], 50) >> 12), t = (uint64_t)table[y & 255];
		assert_int_equal(h->out_party[1][2][i], y & ring_mask(50));
		assert_int_equal(h->out_party[1][3][i], t & ring_mask(50));
		assert_int_equal(h->out_party[0][0][i], y * t & ring_mask(50));
	}
	free(x);
}

/* x of 50 bits, y = x >> 12: bits of y without opening it, one of them times a table's entry, one times y. */
static void
table_gate(struct harness *h)
{
	static const int64_t lists[] = { 2, 1, 0, 2, -100, 100 };
	static const struct suf_table t_cuts = { "c", 6, lists };
	int64_t entry[256];
	const struct suf_table t_lutc = { "e", 256, entry };
	const struct suf_ref none = { SUF_NONE, 0 };
	struct suf_ref c = harness_wire(h, COUNT), d = harness_wire(h, 2 * COUNT), base = harness_wire(h, 2 * COUNT), bits = harness_wire(h, 2 * COUNT);
	struct suf_ref v = harness_wire(h, COUNT), sign = harness_wire(h, COUNT), y = harness_wire(h, COUNT), z = harness_wire(h, COUNT);
	uint64_t *x = malloc(COUNT * sizeof *x);
	assert_non_null(x);
	for (uint64_t i = 0; i < COUNT; i++)
		x[i] = (uint64_t)harness_signed(harness_random(), i % 2 ? 49 : 20) & ring_mask(50);
	for (int k = 0; k < 256; k++)
		entry[k] = harness_signed(harness_random(), 12);
	struct suf_ref in = harness_input(h, COUNT, 50, x);
	harness_round(h);
	struct suf_step s = step(SUF_lt, 50, 1, in, none, c), fix = step(SUF_cutfix, 1, 1, c, d, bits);
	s.b = 12;
	fix.pad_a = harness_step(h, s);
	harness_open(h, c, COUNT, 1);
	s = step(SUF_cuts, 50, 1, in, none, d);
	s.s = 12;
	s.b = 38;
	s.count = fix.count = fix.nb = 2 * COUNT;
	s.table = &t_cuts;
	s.out[1] = fix.in[2] = base;
	fix.pad_b = harness_step(h, s);
	harness_open(h, d, 2 * COUNT, 1);
	harness_round(h);
	harness_step(h, fix);
	harness_open(h, bits, 2 * COUNT, 1);
	s = step(SUF_lutc, 50, 14, in, c, v);
	s.s = 12;
	s.b = 8;
	s.table = &t_lutc;
	s.out[1] = sign;
	harness_step(h, s);
	harness_open(h, v, COUNT, 14);
	harness_round(h);
	s = step(SUF_tabmul, 14, 50, v, sign, y);
	s.s = 12;
	s.b = 1;
	s.in[2] = c;
	s.in[3] = (struct suf_ref){ SUF_WIRE, bits.at + COUNT };
	harness_step(h, s);
	s = step(SUF_selshift, 50, 50, in, bits, z);
	s.s = 12;
	s.slack = 1;
	s.in[2] = c;
	harness_step(h, s);
	harness_open(h, y, COUNT, 50);
	harness_open(h, z, COUNT, 50);
	harness_round(h);
	harness_output(h, bits, 2 * COUNT, 1);
	harness_output(h, y, COUNT, 50);
	harness_output(h, z, COUNT, 50);
	harness_run(h);
	for (uint64_t i = 0; i < COUNT; i++) {
		const int64_t high = harness_signed(x[i], 50) >> 12;
		const bool inside = high >= -100 && high < 100;
		assert_int_equal(h->out_party[0][0][i], high >= 0);
		assert_int_equal(h->out_party[1][0][COUNT + i], inside);
		assert_int_equal(h->out_party[0][1][i], (inside ? (uint64_t)entry[high & 255] : 0) & ring_mask(50));
		assert_int_equal(h->out_party[1][2][i], (high >= 0 ? (uint64_t)high : 0) & ring_mask(50));
	}
	free(x);
}

/* x of 50 bits, |x| < 2^48: (x >> 12)^2 twice, and a quadratic polynomial of a piece that two bits choose. */
static void
shifted(struct harness *h)
{
	static const int64_t thresholds[] = { 0, 0, -1000, 1000 }, c[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	static const struct suf_table t_drelu = { "t", 4, thresholds }, t_pieces = { "p", 12, c };
	static const struct suf_map map = { .ndim = 1, .dim = { COUNT }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	static const struct suf_rows rows = { .count = COUNT / 8, .first = 8, .period = 1 };
	const struct suf_ref none = { SUF_NONE, 0 };
	struct suf_ref w = harness_wire(h, COUNT), bits = harness_wire(h, 2 * COUNT), y = harness_wire(h, COUNT), out[3];
	uint64_t *x = malloc(COUNT * sizeof *x);
	assert_non_null(x);
	for (uint64_t i = 0; i < COUNT; i++)
		x[i] = (uint64_t)harness_signed(harness_random(), 49) & ring_mask(50);
	struct suf_ref in = harness_input(h, COUNT, 50, x);
	harness_round(h);
	struct suf_step s = step(SUF_lt, 50, 1, in, none, w);
	s.b = 12;
	harness_step(h, s);
	harness_open(h, w, COUNT, 1);
	s = step(SUF_drelu, 50, 1, in, none, bits);
	s.b = 50;
	s.count = 2 * COUNT;
	s.table = &t_drelu;
	harness_step(h, s);
	harness_open(h, bits, 2 * COUNT, 1);
	harness_round(h);
	s = step(SUF_trunc, 50, 60, in, w, y);
	s.s = s.b = 12;
	s.slack = 1;
	harness_step(h, s);
	harness_open(h, y, COUNT, 60);
	harness_round(h);
	for (int k = 0; k < 3; k++)
		out[k] = harness_wire(h, COUNT);
	s = step(SUF_shiftmul, 50, 60, in, y, out[0]);
	s.in[2] = w;
	s.s = 12;
	s.slack = 1;
	s.map = &map;
	harness_step(h, s);
	s = step(SUF_shiftsq, 50, 60, in, w, out[1]);
	s.count = COUNT / 8;
	s.s = 12;
	s.slack = 1;
	s.rows = &rows;
	harness_step(h, s);
	s = step(SUF_pieces, 50, 60, in, bits, out[2]);
	s.nb = 2 * COUNT;
	s.b = 2;
	s.ca = 2;
	s.slack = 1;
	s.table = &t_pieces;
	harness_step(h, s);
	for (int k = 0; k < 3; k++)
		harness_open(h, out[k], k == 1 ? COUNT / 8 : COUNT, 60);
	harness_round(h);
	for (int k = 0; k < 3; k++)
		harness_output(h, out[k], k == 1 ? COUNT / 8 : COUNT, 60);
	harness_run(h);
	uint64_t sum[COUNT / 8] = { 0 };
	for (uint64_t i = 0; i < COUNT; i++) {
		const int64_t v = harness_signed(x[i], 50), *p = c + 3 * ((v >= 0) + 2 * ((v >= -1000) ^ (v >= 1000)));
		const uint64_t square = (uint64_t)(v >> 12) * (uint64_t)(v >> 12), u = (uint64_t)v;
		sum[i / 8] += square;
		assert_int_equal(h->out_party[0][0][i], square & ring_mask(60));
		assert_int_equal(h->out_party[1][2][i], ((uint64_t)p[0] + u * ((uint64_t)p[1] + u * (uint64_t)p[2])) & ring_mask(60));
	}
	for (uint64_t i = 0; i < COUNT / 8; i++)
		assert_int_equal(h->out_party[0][1][i], sum[i] & ring_mask(60));
	free(x);
}

/* -60 <= x < 60 in 40 bits: steps without a shift or a gap, and point functions that are tables of bits. */
static void
small_domains(struct harness *h)
{
	static const int64_t list[] = { 1, 1, 5 }, c[] = { 3, -2, 7 };
	static const struct suf_table t_cuts = { "c", 3, list }, t_pieces = { "p", 3, c };
	static const struct suf_map map = { .ndim = 1, .dim = { COUNT }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	static const struct suf_rows rows = { .count = COUNT / 8, .first = 8, .period = 1 };
	int64_t entry[128];
	const struct suf_table t_all = { "a", 128, entry }, t_few = { "f", 8, entry };
	const struct suf_ref none = { SUF_NONE, 0 };
	struct suf_ref carry = harness_wire(h, COUNT), bit = harness_wire(h, COUNT), v[2], sign[2], out[6];
	uint64_t x[COUNT], sum[COUNT / 8] = { 0 };
	for (uint64_t i = 0; i < COUNT; i++)
		x[i] = (harness_random() % 120 - 60) & ring_mask(40);
	for (int k = 0; k < 128; k++)
		entry[k] = harness_signed(harness_random(), 12);
	for (int k = 0; k < 2; k++) {
		v[k] = harness_wire(h, COUNT);
		sign[k] = harness_wire(h, COUNT);
	}
	for (int k = 0; k < 6; k++)
		out[k] = harness_wire(h, COUNT);
	struct suf_ref in = harness_input(h, COUNT, 40, x);
	harness_round(h);
	struct suf_step s = step(SUF_lt, 40, 1, in, none, carry);
	s.b = 3;
	harness_step(h, s);
	harness_open(h, carry, COUNT, 1);
	s = step(SUF_cuts, 40, 1, in, none, bit);
	s.b = 8;
	s.table = &t_cuts;
	harness_step(h, s);
	harness_open(h, bit, COUNT, 1);
	harness_round(h);
	for (unsigned k = 0; k < 2; k++) { /* x mod 2^7; (x >> 3) mod 2^3 */
		s = step(SUF_lutc, 40, 14, in, k ? carry : none, v[k]);
		s.s = k ? 3 : 0;
		s.b = k ? 3 : 7;
		s.table = k ? &t_few : &t_all;
		s.out[1] = sign[k];
		harness_step(h, s);
		harness_open(h, v[k], COUNT, 14);
	}
	harness_round(h);
	for (unsigned k = 0; k < 2; k++) {
		s = step(SUF_tabmul, 14, k ? 30 : 13, v[k], sign[k], out[k]);
		s.s = k ? 3 : 0;
		s.in[2] = k ? carry : none;
		harness_step(h, s);
	}
	harness_step(h, step(SUF_selshift, 40, 40, in, bit, out[2]));
	s = step(SUF_shiftmul, 40, 40, in, in, out[3]);
	s.map = &map;
	harness_step(h, s);
	s = step(SUF_shiftsq, 40, 37, in, carry, out[4]);
	s.count = COUNT / 8;
	s.s = 3;
	s.rows = &rows;
	harness_step(h, s);
	s = step(SUF_pieces, 40, 30, in, none, out[5]);
	s.ca = 2;
	s.table = &t_pieces;
	harness_step(h, s);
	const unsigned width[] = { 13, 30, 40, 40, 37, 30 };
	for (int k = 0; k < 6; k++)
		harness_open(h, out[k], k == 4 ? COUNT / 8 : COUNT, width[k]);
	harness_round(h);
	for (int k = 0; k < 6; k++)
		harness_output(h, out[k], k == 4 ? COUNT / 8 : COUNT, width[k]);
	harness_run(h);
	for (uint64_t i = 0; i < COUNT; i++) {
		const int64_t y = harness_signed(x[i], 40);
		sum[i / 8] += (uint64_t)((y >> 3) * (y >> 3));
		assert_int_equal(h->out_party[0][0][i], (uint64_t)entry[y & 127] & ring_mask(13));
		assert_int_equal(h->out_party[1][1][i], (uint64_t)entry[y >> 3 & 7] & ring_mask(30));
		assert_int_equal(h->out_party[0][2][i], (y >= 5 ? (uint64_t)y : 0) & ring_mask(40));
		assert_int_equal(h->out_party[1][3][i], (uint64_t)(y * y));
		assert_int_equal(h->out_party[0][5][i], (uint64_t)(3 - 2 * y + 7 * y * y) & ring_mask(30));
	}
	for (uint64_t i = 0; i < COUNT / 8; i++)
		assert_int_equal(h->out_party[1][4][i], sum[i] & ring_mask(37));
}

/* x of 20 bits, extended, its pads as mask shares: x^2 and, as packed rows, x times itself; a masked value added, a narrow opening, a shift. */
static void
between_products(struct harness *h)
{
	static const struct suf_map map = { .ndim = 1, .dim = { COUNT }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	static const struct suf_rows rows = { .count = 4, .first = 261, .inc = 1, .period = 2 };   /* 1046 elements of 1048 */
	static const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = 4, .inner = 262, .cols = 4, .sa = { 0, 0, 262, 1 }, .sb = { 0, 0, 4, 1 } };
	const struct suf_ref none = { SUF_NONE, 0 };
	struct suf_ref e = harness_wire(h, COUNT), t = harness_wire(h, COUNT), p = harness_wire(h, COUNT), q = harness_wire(h, 16), z = harness_wire(h, COUNT);
	struct suf_ref low = harness_wire(h, COUNT);
	uint64_t x[COUNT];
	for (uint64_t i = 0; i < COUNT; i++)
		x[i] = (uint64_t)harness_signed(harness_random(), 18) & ring_mask(20);
	struct suf_ref in = harness_input(h, COUNT, 20, x);
	harness_round(h);
	struct suf_step s = step(SUF_gapext, 20, 44, in, none, e);
	const uint32_t pad = harness_step(h, s);
	s.out[0] = t;
	s.count = s.na = 1046;
	const uint32_t pad_t = harness_step(h, s);
	harness_open(h, e, COUNT, 44);
	harness_open(h, t, 1046, 44);
	harness_round(h);
	s = step(SUF_mul, 44, 44, e, e, p);
	s.map = &map;
	s.define_last = 1;
	s.pad_a = s.pad_b = pad;
	harness_step(h, s);
	s = step(SUF_addx, 44, 44, p, in, z);
	s.map = &map;
	s.shared = 1;
	s.ca = 1;
	s.cb = 1 << 24;
	harness_step(h, s);
	harness_step(h, (struct suf_step){ .op = SUF_open, .count = COUNT, .n = 44, .m = 30, .s = 12, .round_half = 1, .in = { z }, .out = { z } });
	s = step(SUF_matmul, 44, 44, t, e, q);
	s.count = 16;
	s.na = 1046;
	s.c = 262;
	s.mm = &mm;
	s.rows = &rows;
	s.define_last = 1;
	s.pad_a = pad_t;
	harness_step(h, s);
	harness_open(h, q, 16, 44);
	harness_round(h);
	s = step(SUF_shift, 30, 20, z, none, low);
	s.s = 10;
	harness_step(h, s);
	harness_output(h, z, COUNT, 30);
	harness_output(h, low, COUNT, 20);
	harness_output(h, q, 16, 44);
	harness_run(h);
	for (uint64_t i = 0; i < COUNT; i++) {
		const int64_t v = harness_signed(x[i], 20), want = (v * v + v * (1 << 24)) >> 12;
		const int64_t off = harness_signed(h->out_party[0][0][i] - (uint64_t)want, 30);
		const int64_t less = harness_signed(h->out_party[1][1][i] - (uint64_t)(harness_signed(h->out_party[0][0][i], 30) >> 10), 20);
		assert_true(off >= -1 && off <= 2 && less >= 0 && less <= 1);
	}
}

/* x of 16 bits on 2^b cells of 2^7: the line x / 2^11 - 3 with 24 fraction bits, in a ring of m + s bits. */
static void
cells(struct harness *h, unsigned b, unsigned m, unsigned s)
{
	const unsigned cell = 7, width[] = { 19, 12, 8 };
	int64_t t[9 + 3 * 256] = { 12, 19, 12, 12, 13, 8, 24, 30, 7 };
	const struct suf_table table = { "c", 9 + (3u << b), t };
	struct suf_ref w[4], y = harness_wire(h, COUNT);
	uint64_t x[COUNT];
	for (unsigned i = 0; i < 1u << b; i++) {
		t[9 + 3 * i] = ((int64_t)i << 26) - (3ll << 30);
		t[10 + 3 * i] = 1 << 26;
	}
	for (uint64_t i = 0; i < COUNT; i++)
		x[i] = (harness_random() % (((1ull << b) - 1) << cell) + 77) & ring_mask(16);
	struct suf_ref in = harness_input(h, COUNT, 16, x);
	harness_round(h);
	for (int k = 0; k < 4; k++)
		w[k] = harness_wire(h, COUNT);
	struct suf_step st = step(SUF_cells, 16, width[2], in, (struct suf_ref){ SUF_NONE, 0 }, w[0]);
	st.s = cell;
	st.b = (uint8_t)b;
	st.c = 77;
	st.table = &table;
	for (int k = 1; k < 4; k++)
		st.out[k] = w[k];
	harness_step(h, st);
	for (int k = 0; k < 3; k++)
		harness_open(h, w[k], COUNT, width[k]);
	harness_round(h);
	st = step(SUF_cellfix, 16, m, in, w[3], y);
	st.s = (uint8_t)s;
	st.b = (uint8_t)b;
	st.table = &table;
	for (int k = 0; k < 3; k++)
		st.in[2 + k] = w[k];
	harness_step(h, st);
	harness_open(h, y, COUNT, m);
	harness_round(h);
	harness_output(h, y, COUNT, m);
	harness_run(h);
	for (uint64_t i = 0; i < COUNT; i++) { /* such words are exact */
		const int64_t place = (int64_t)(x[i] - 77), want = (place << 13) - (3ll << 24), got = harness_signed(h->out_party[i & 1][0][i], m);
		assert_true(llabs(got * (1ll << s) - want) < 1ll << s || (s == 0 && got == want));
	}
}

/* Squares and products of one value with a gap, by rows; a value times bits. */
static void
norms(struct harness *h)
{
	static const struct suf_rows rows = { .count = COUNT / 8, .first = 8, .period = 1 };
	static const int64_t at[] = { -9, -9, 1000, 1000 }, factor[] = { 7, -3 };
	static const struct suf_table sizes = { "s", 4, at }, factors = { "f", 2, factor };
	const struct suf_ref none = { SUF_NONE, 0 };
	struct suf_ref sum = harness_wire(h, COUNT / 8), low = harness_wire(h, COUNT), msb = harness_wire(h, COUNT), y = harness_wire(h, COUNT);
	struct suf_ref bits = harness_wire(h, 2 * COUNT), z = harness_wire(h, COUNT);
	uint64_t x[COUNT], rho[COUNT];
	for (uint64_t i = 0; i < COUNT; i++) {
		x[i] = (uint64_t)harness_signed(harness_random(), 22) & ring_mask(24);
		rho[i] = harness_random() & ring_mask(60);
	}
	struct suf_ref in = harness_input(h, COUNT, 24, x), by = harness_input(h, COUNT, 60, rho);
	harness_round(h);
	struct suf_step s = step(SUF_normsq, 24, 40, in, none, sum);
	s.count = COUNT / 8;
	s.s = 8;
	s.b = 60;
	s.rows = &rows;
	s.out[1] = low;
	s.out[2] = msb;
	harness_step(h, s);
	s = step(SUF_normmul, 60, 44, by, in, y);
	s.na = COUNT / 8;
	s.s = 16;
	s.b = 24;
	s.rows = &rows;
	s.in[2] = low;
	s.in[3] = msb;
	harness_step(h, s);
	s = step(SUF_drelu, 24, 1, in, none, bits);
	s.count = 2 * COUNT;
	s.b = 24;
	s.table = &sizes;
	harness_step(h, s);
	harness_open(h, sum, COUNT / 8, 40);
	harness_open(h, y, COUNT, 44);
	harness_open(h, bits, 2 * COUNT, 1);
	harness_round(h);
	s = step(SUF_bitmul, 1, 56, bits, by, z);
	s.na = 2 * COUNT;
	s.s = 4;
	s.table = &factors;
	harness_step(h, s);
	harness_open(h, z, COUNT, 56);
	harness_round(h);
	harness_output(h, sum, COUNT / 8, 40);
	harness_output(h, z, COUNT, 56);
	harness_run(h);
	for (uint64_t i = 0; i < COUNT; i++) {
		const int64_t v = harness_signed(x[i], 24);
		const uint64_t want = rho[i] * (uint64_t)((v >= -9 ? 7 : 0) - (v >= 1000 ? 3 : 0));
		assert_true(((h->out_party[1][1][i] - ((want & ring_mask(60)) >> 4)) & ring_mask(56)) <= 1);
	}
}

/* x of 16 bits: its exponential in one word, sums of those in two, a line and cosines and sines. */
static void
tables(struct harness *h)
{
	static const int64_t v[] = { 12, 12, 13, 2, 5000000, 16000000, -9000000, 3000000, 7000000 };
	static const struct suf_table series = { "s", 9, v };
	static const struct suf_rows rows = { .count = COUNT / 8, .first = 8, .period = 1 };
	const struct suf_ref none = { SUF_NONE, 0 };
	struct suf_ref out[3];
	uint64_t x[COUNT];
	for (uint64_t i = 0; i < COUNT; i++)
		x[i] = (uint64_t)harness_signed(harness_random(), 15) & ring_mask(16);
	for (int k = 0; k < 3; k++)
		out[k] = harness_wire(h, COUNT);
	struct suf_ref in = harness_input(h, COUNT, 16, x);
	harness_round(h);
	struct suf_step s = step(SUF_exps, 16, 50, in, none, out[0]);
	s.b = 3;
	s.ca = 11;
	s.cb = 10 | 20 << 8;
	s.c = -28672;
	harness_step(h, s);
	s = step(SUF_exps, 16, 60, in, none, out[1]);
	s.count = COUNT / 8;
	s.s = 50;
	s.b = 2;
	s.ca = 9;
	s.cb = 10 | 66 << 8;
	s.c = -30000;
	s.rows = &rows;
	harness_step(h, s);
	s = step(SUF_trig, 16, 38, in, none, out[2]);
	s.s = 12;
	s.b = 15;
	s.table = &series;
	harness_step(h, s);
	const unsigned width[] = { 50, 60, 38 };
	for (int k = 0; k < 3; k++)
		harness_open(h, out[k], k == 1 ? COUNT / 8 : COUNT, width[k]);
	harness_round(h);
	for (int k = 0; k < 3; k++)
		harness_output(h, out[k], k == 1 ? COUNT / 8 : COUNT, width[k]);
	harness_run(h);
	for (uint64_t i = 0; i < COUNT; i++) {
		const double t = (double)harness_signed(x[i], 16), want = exp(t / 2048), turn = acos(-1) * t / 16384;
		const double sum = 5 + 16 * cos(turn) - 9 * cos(2 * turn) + 3 * sin(turn) + 7 * sin(2 * turn);
		assert_true(fabs(ldexp((double)h->out_party[0][0][i], -30) - want) < 1e-3 * want + 1e-4);
		assert_true(fabs(ldexp((double)harness_signed(h->out_party[1][2][i], 38), -12) - ldexp(sum * 1e6, -24) - t / 2048) < 2e-3);
	}
}

/* x of 20 bits, extended: its share and, opened, the value itself times a matrix that everybody knows, and times weights one by one. */
static void
public_products(struct harness *h)
{
	enum { COLS = 8 };
	static const struct suf_map map = { .ndim = 2, .dim = { COUNT / COLS, COLS }, .so = { COLS, 1 }, .sa = { COLS, 1 }, .sb = { 0, 1 } };
	static const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = COUNT / COLS, .inner = COLS, .cols = COLS, .sa = { 0, 0, COLS, 1 }, .sb = { 0, 0, COLS, 1 } };
	struct suf_ref e = harness_wire(h, COUNT), z = harness_wire(h, COUNT), y = harness_wire(h, COUNT), v = harness_wire(h, COUNT);
	uint64_t x[COUNT], w[COLS * COLS];
	for (uint64_t i = 0; i < COUNT; i++)
		x[i] = (uint64_t)harness_signed(harness_random(), 18) & ring_mask(20);
	for (int i = 0; i < COLS * COLS; i++)
		w[i] = harness_random() & ring_mask(44);
	struct suf_ref in = harness_input(h, COUNT, 20, x), iw = harness_public(h, COLS * COLS, 44, w);
	harness_round(h);
	harness_step(h, step(SUF_gapext, 20, 44, in, (struct suf_ref){ SUF_NONE, 0 }, e));
	struct suf_step s = step(SUF_wshare, 44, 44, e, iw, z);
	s.nb = COLS * COLS;
	s.mm = &mm;
	s.define_last = 1;
	harness_step(h, s);
	harness_open(h, e, COUNT, 44);
	harness_open(h, z, COUNT, 44);
	harness_round(h);
	s.op = SUF_wmul;
	s.define_last = 0;
	s.out[0] = y;
	harness_step(h, s);
	s = step(SUF_wscale, 44, 44, y, iw, v);
	s.nb = COLS * COLS;
	s.map = &map;
	harness_step(h, s);
	harness_output(h, z, COUNT, 44);
	harness_output(h, y, COUNT, 44);
	harness_output(h, v, COUNT, 44);
	harness_run(h);
	for (uint64_t i = 0; i < COUNT; i++) {
		uint64_t want = 0;
		for (uint64_t k = 0; k < COLS; k++)
			want += (uint64_t)harness_signed(x[i / COLS * COLS + k], 20) * w[k * COLS + i % COLS];
		assert_int_equal(h->out_party[0][0][i], want & ring_mask(44));
		assert_int_equal(h->out_party[1][1][i], want & ring_mask(44));
		assert_int_equal(h->out_party[1][2][i], want * w[i % COLS] & ring_mask(44));
	}
}

/* x of 20 bits, extended: times a matrix of party 0 before the input is there, and what comes of it times its weights one by one. */
static void
owned_products(struct harness *h)
{
	enum { COLS = 8 };
	static const struct suf_map map = { .ndim = 2, .dim = { COUNT / COLS, COLS }, .so = { COLS, 1 }, .sa = { COLS, 1 }, .sb = { 0, 1 } };
	static const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = COUNT / COLS, .inner = COLS, .cols = COLS, .sa = { 0, 0, COLS, 1 }, .sb = { 0, 0, COLS, 1 } };
	struct suf_ref e = harness_wire(h, COUNT), z = harness_wire(h, COUNT), y = harness_wire(h, COUNT);
	uint64_t x[COUNT], w[COLS * COLS];
	for (uint64_t i = 0; i < COUNT; i++)
		x[i] = (uint64_t)harness_signed(harness_random(), 18) & ring_mask(20);
	for (int i = 0; i < COLS * COLS; i++)
		w[i] = harness_random() & ring_mask(44);
	struct suf_ref in = harness_input(h, COUNT, 20, x), iw = harness_weight(h, COLS * COLS, 44, w);
	harness_round(h);
	const uint32_t pad = harness_step(h, step(SUF_gapext, 20, 44, in, (struct suf_ref){ SUF_NONE, 0 }, e));
	struct suf_step o = { .op = SUF_open, .count = COUNT, .n = 44, .m = 44, .one_way = 1, .in = { e }, .out = { e } };
	harness_step(h, o);
	harness_round(h);
	struct suf_step s = step(SUF_omul, 44, 44, e, iw, z);
	s.nb = COLS * COLS;
	s.mm = &mm;
	s.define_last = s.offline = 1;
	s.pad_a = pad;
	harness_step(h, s);
	o.one_way = 0;
	o.offline = 1;
	o.in[0] = o.out[0] = z;
	harness_step(h, o);
	harness_round(h);
	s = step(SUF_oscale, 44, 44, z, iw, y);
	s.nb = COLS * COLS;
	s.map = &map;
	s.define_last = 1;
	harness_step(h, s);
	harness_open(h, y, COUNT, 44);
	harness_round(h);
	harness_output(h, z, COUNT, 44);
	harness_output(h, y, COUNT, 44);
	harness_run(h);
	for (uint64_t i = 0; i < COUNT; i++) {
		uint64_t want = 0;
		for (uint64_t k = 0; k < COLS; k++)
			want += (uint64_t)harness_signed(x[i / COLS * COLS + k], 20) * w[k * COLS + i % COLS];
		assert_int_equal(h->out_party[0][0][i], want & ring_mask(44));
		assert_int_equal(h->out_party[1][1][i], want * w[i % COLS] & ring_mask(44));
	}
}

static void
run_chain(const char *isa)
{
	struct harness h;
	int64_t table[256];
	for (int k = 0; k < 256; k++)
		table[k] = (int64_t)harness_random();
	for (int which = 0; which < 12; which++) {
		harness_init(&h);
		h.prog.name = isa;
		h.prog.body = secret_body;
		if (which == 0)
			chain(&h, table);
		else if (which == 1)
			table_gate(&h);
		else if (which == 2)
			shifted(&h);
		else if (which == 3)
			small_domains(&h);
		else if (which == 4)
			cells(&h, 8, 38, 12);
		else if (which == 5)
			cells(&h, 8, 64, 16);
		else if (which == 6)
			cells(&h, 5, 30, 0);
		else if (which == 7)
			between_products(&h);
		else if (which == 8)
			norms(&h);
		else if (which == 9)
			tables(&h);
		else if (which == 10)
			public_products(&h);
		else
			owned_products(&h);
		harness_free(&h);
	}
}

static void
test_best(void **state)
{
	(void)state;
	run_chain("best");
}

static void
test_portable(void **state)
{
	(void)state;
	run_chain(portable);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_best), cmocka_unit_test(test_portable) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
