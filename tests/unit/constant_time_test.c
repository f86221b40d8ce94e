/* SPDX-License-Identifier: Apache-2.0
 * constant_time_test.c -- dealer and parties with all seeds unknown (secret_run.h): chains of steps that hold keys, of comparisons, look-ups
 * and truncations; packing of unknown words.  tests/e2e/memcheck_test.sh runs it under memcheck; alone it is an ordinary test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "secret_run.h"
#include <cmocka.h>

/* x of 50 bits -> y = x >> 12, y extended, bits of y, a table, products. */
static void
chain(struct harness *h)
{
	int64_t table[256];
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
	for (int k = 0; k < 256; k++)
		table[k] = (int64_t)harness_random();
	for (uint64_t i = 0; i < COUNT; i++)
		x[i] = harness_random() & ring_mask(50);
	struct suf_ref in = harness_input(h, COUNT, 50, x);
	harness_round(h);
	for (int k = 0; k < 13; k++)
		w[k] = harness_wire(h, COUNT);
	struct suf_step s = secret_step(SUF_lt, 50, 1, in, none, w[0]);
	s.b = 12;
	harness_step(h, s);
	harness_open(h, w[0], COUNT, 1);
	harness_round(h);
	s = secret_step(SUF_trunc, 50, 38, in, w[0], w[1]);
	s.s = s.b = 12;
	harness_step(h, s);
	harness_open(h, w[1], COUNT, 38);
	harness_round(h);
	s = secret_step(SUF_lt, 38, 1, w[1], none, w[2]);
	s.b = 38;
	s.c = INT64_C(1) << 37;
	harness_step(h, s);
	harness_open(h, w[2], COUNT, 1);
	s = secret_step(SUF_drelu, 38, 1, w[1], none, bits);
	s.b = 38;
	s.count = 2 * COUNT;
	s.table = &t_drelu;
	harness_step(h, s);
	harness_open(h, bits, 2 * COUNT, 1);
	s = secret_step(SUF_lut, 38, 50, w[1], none, w[3]);
	s.b = 8;
	s.out[1] = w[4];
	s.table = &t_lut;
	harness_step(h, s);
	harness_open(h, w[3], COUNT, 1);
	harness_open(h, w[4], COUNT, 50);
	harness_round(h);
	s = secret_step(SUF_sext, 38, 50, w[1], w[2], w[5]);
	s.b = 38;
	harness_step(h, s);
	harness_step(h, secret_step(SUF_lutsign, 1, 50, w[3], w[4], w[6]));
	harness_step(h, secret_step(SUF_select, 1, 38, bits, w[1], w[7]));
	s = secret_step(SUF_lin4, 1, 38, bits, bit1, w[8]);
	s.in[2] = w[1];
	s.table = &t_lin4;
	harness_step(h, s);
	s = secret_step(SUF_bitdot, 1, 50, bits, none, w[9]);
	s.na = 2 * COUNT;
	s.table = &t_bits;
	harness_step(h, s);
	s = secret_step(SUF_gapext, 38, 50, w[1], none, w[10]);
	harness_step(h, s);
	const unsigned width[] = { 50, 50, 38, 38, 50, 50 };
	for (int k = 0; k < 6; k++)
		harness_open(h, w[5 + k], COUNT, width[k]);
	harness_round(h);
	s = secret_step(SUF_mul, 50, 50, w[5], w[6], w[11]);
	s.map = &map;
	harness_step(h, s);
	s = secret_step(SUF_matmul, 50, 50, w[5], w[6], w[12]);
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
	struct suf_step s = secret_step(SUF_lt, 50, 1, in, none, c), fix = secret_step(SUF_cutfix, 1, 1, c, d, bits);
	s.b = 12;
	fix.pad_a = harness_step(h, s);
	harness_open(h, c, COUNT, 1);
	s = secret_step(SUF_cuts, 50, 1, in, none, d);
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
	s = secret_step(SUF_lutc, 50, 14, in, c, v);
	s.s = 12;
	s.b = 8;
	s.table = &t_lutc;
	s.out[1] = sign;
	harness_step(h, s);
	harness_open(h, v, COUNT, 14);
	harness_round(h);
	s = secret_step(SUF_tabmul, 14, 50, v, sign, y);
	s.s = 12;
	s.b = 1;
	s.in[2] = c;
	s.in[3] = (struct suf_ref){ SUF_WIRE, bits.at + COUNT };
	harness_step(h, s);
	s = secret_step(SUF_selshift, 50, 50, in, bits, z);
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
	struct suf_step s = secret_step(SUF_lt, 50, 1, in, none, w);
	s.b = 12;
	harness_step(h, s);
	harness_open(h, w, COUNT, 1);
	s = secret_step(SUF_drelu, 50, 1, in, none, bits);
	s.b = 50;
	s.count = 2 * COUNT;
	s.table = &t_drelu;
	harness_step(h, s);
	harness_open(h, bits, 2 * COUNT, 1);
	harness_round(h);
	s = secret_step(SUF_trunc, 50, 60, in, w, y);
	s.s = s.b = 12;
	s.slack = 1;
	harness_step(h, s);
	harness_open(h, y, COUNT, 60);
	harness_round(h);
	for (int k = 0; k < 3; k++)
		out[k] = harness_wire(h, COUNT);
	s = secret_step(SUF_shiftmul, 50, 60, in, y, out[0]);
	s.in[2] = w;
	s.s = 12;
	s.slack = 1;
	s.map = &map;
	harness_step(h, s);
	s = secret_step(SUF_shiftsq, 50, 60, in, w, out[1]);
	s.count = COUNT / 8;
	s.s = 12;
	s.slack = 1;
	s.rows = &rows;
	harness_step(h, s);
	s = secret_step(SUF_pieces, 50, 60, in, bits, out[2]);
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
	struct suf_step s = secret_step(SUF_lt, 40, 1, in, none, carry);
	s.b = 3;
	harness_step(h, s);
	harness_open(h, carry, COUNT, 1);
	s = secret_step(SUF_cuts, 40, 1, in, none, bit);
	s.b = 8;
	s.table = &t_cuts;
	harness_step(h, s);
	harness_open(h, bit, COUNT, 1);
	harness_round(h);
	for (unsigned k = 0; k < 2; k++) { /* x mod 2^7; (x >> 3) mod 2^3 */
		s = secret_step(SUF_lutc, 40, 14, in, k ? carry : none, v[k]);
		s.s = k ? 3 : 0;
		s.b = k ? 3 : 7;
		s.table = k ? &t_few : &t_all;
		s.out[1] = sign[k];
		harness_step(h, s);
		harness_open(h, v[k], COUNT, 14);
	}
	harness_round(h);
	for (unsigned k = 0; k < 2; k++) {
		s = secret_step(SUF_tabmul, 14, k ? 30 : 13, v[k], sign[k], out[k]);
		s.s = k ? 3 : 0;
		s.in[2] = k ? carry : none;
		harness_step(h, s);
	}
	harness_step(h, secret_step(SUF_selshift, 40, 40, in, bit, out[2]));
	s = secret_step(SUF_shiftmul, 40, 40, in, in, out[3]);
	s.map = &map;
	harness_step(h, s);
	s = secret_step(SUF_shiftsq, 40, 37, in, carry, out[4]);
	s.count = COUNT / 8;
	s.s = 3;
	s.rows = &rows;
	harness_step(h, s);
	s = secret_step(SUF_pieces, 40, 30, in, none, out[5]);
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

static void
test_programs(void **state)
{
	(void)state;
	static secret_program *const program[] = { chain, table_gate, shifted, small_domains };
	secret_run(program, sizeof program / sizeof *program);
}

static void
test_packing(void **state)
{
	(void)state;
	enum { MOST = 83 };
	uint64_t word[MOST], secret[MOST];
	uint8_t packed[8 * MOST];
	for (unsigned bits = 1; bits <= 64; bits++)
		for (enum suf_isa isa = SUF_ISA_PORTABLE; isa <= suf_cpu_best(); isa++) {
			for (int i = 0; i < MOST; i++)
				word[i] = harness_random() & ring_mask(bits);
			memcpy(secret, word, sizeof word);
			secret_hide(secret, sizeof secret);
			pack_bits(isa, packed, secret, MOST, bits);
			unpack_bits(isa, secret, packed, MOST, bits);
			secret_show(secret, sizeof secret);
			assert_memory_equal(secret, word, sizeof word);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_programs), cmocka_unit_test(test_packing) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
