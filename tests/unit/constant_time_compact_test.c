/* SPDX-License-Identifier: Apache-2.0
 * constant_time_compact_test.c -- dealer and parties with all seeds unknown (secret_run.h): steps between products, of cells, norms, exponentials,
 * waves and public weights.  tests/e2e/memcheck_test.sh runs it under memcheck; alone it is an ordinary test.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include "secret_run.h"
#include <cmocka.h>

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
	struct suf_step s = secret_step(SUF_gapext, 20, 44, in, none, e);
	const uint32_t pad = harness_step(h, s);
	s.out[0] = t;
	s.count = s.na = 1046;
	const uint32_t pad_t = harness_step(h, s);
	harness_open(h, e, COUNT, 44);
	harness_open(h, t, 1046, 44);
	harness_round(h);
	s = secret_step(SUF_mul, 44, 44, e, e, p);
	s.map = &map;
	s.define_last = 1;
	s.pad_a = s.pad_b = pad;
	harness_step(h, s);
	s = secret_step(SUF_addx, 44, 44, p, in, z);
	s.map = &map;
	s.shared = 1;
	s.ca = 1;
	s.cb = 1 << 24;
	harness_step(h, s);
	harness_step(h, (struct suf_step){ .op = SUF_open, .count = COUNT, .n = 44, .m = 30, .s = 12, .round_half = 1, .in = { z }, .out = { z } });
	s = secret_step(SUF_matmul, 44, 44, t, e, q);
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
	s = secret_step(SUF_shift, 30, 20, z, none, low);
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
	struct suf_step st = secret_step(SUF_cells, 16, width[2], in, (struct suf_ref){ SUF_NONE, 0 }, w[0]);
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
	st = secret_step(SUF_cellfix, 16, m, in, w[3], y);
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
	struct suf_step s = secret_step(SUF_normsq, 24, 40, in, none, sum);
	s.count = COUNT / 8;
	s.s = 8;
	s.b = 60;
	s.rows = &rows;
	s.out[1] = low;
	s.out[2] = msb;
	harness_step(h, s);
	s = secret_step(SUF_normmul, 60, 44, by, in, y);
	s.na = COUNT / 8;
	s.s = 16;
	s.b = 24;
	s.rows = &rows;
	s.in[2] = low;
	s.in[3] = msb;
	harness_step(h, s);
	s = secret_step(SUF_drelu, 24, 1, in, none, bits);
	s.count = 2 * COUNT;
	s.b = 24;
	s.table = &sizes;
	harness_step(h, s);
	harness_open(h, sum, COUNT / 8, 40);
	harness_open(h, y, COUNT, 44);
	harness_open(h, bits, 2 * COUNT, 1);
	harness_round(h);
	s = secret_step(SUF_bitmul, 1, 56, bits, by, z);
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
	struct suf_step s = secret_step(SUF_exps, 16, 50, in, none, out[0]);
	s.b = 3;
	s.ca = 11;
	s.cb = 10 | 20 << 8;
	s.c = -28672;
	harness_step(h, s);
	s = secret_step(SUF_exps, 16, 60, in, none, out[1]);
	s.count = COUNT / 8;
	s.s = 50;
	s.b = 2;
	s.ca = 9;
	s.cb = 10 | 66 << 8;
	s.c = -30000;
	s.rows = &rows;
	harness_step(h, s);
	s = secret_step(SUF_trig, 16, 38, in, none, out[2]);
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
	harness_step(h, secret_step(SUF_gapext, 20, 44, in, (struct suf_ref){ SUF_NONE, 0 }, e));
	struct suf_step s = secret_step(SUF_wshare, 44, 44, e, iw, z);
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
	s = secret_step(SUF_wscale, 44, 44, y, iw, v);
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
	const uint32_t pad = harness_step(h, secret_step(SUF_gapext, 20, 44, in, (struct suf_ref){ SUF_NONE, 0 }, e));
	struct suf_step o = { .op = SUF_open, .count = COUNT, .n = 44, .m = 44, .one_way = 1, .in = { e }, .out = { e } };
	harness_step(h, o);
	harness_round(h);
	struct suf_step s = secret_step(SUF_omul, 44, 44, e, iw, z);
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
	s = secret_step(SUF_oscale, 44, 44, z, iw, y);
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

static void cells_of_38_bits(struct harness *h) { cells(h, 8, 38, 12); }
static void cells_of_a_word(struct harness *h) { cells(h, 8, 64, 16); }
static void few_cells(struct harness *h) { cells(h, 5, 30, 0); }

static void
test_programs(void **state)
{
	(void)state;
	static secret_program *const program[] = { between_products, cells_of_38_bits, cells_of_a_word, few_cells, norms, tables, public_products, owned_products };
	secret_run(program, sizeof program / sizeof *program);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_programs) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
