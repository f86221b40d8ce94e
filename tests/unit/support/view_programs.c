/* SPDX-License-Identifier: Apache-2.0
 * view_programs.c -- see view_programs.h. */
#include "view_programs.h"
#include <stdlib.h>

static uint64_t secret_state;

void
view_secrets(uint64_t seed)
{
	secret_state = seed;
}

static uint64_t
secret(uint64_t below)
{
	secret_state = secret_state * 6364136223846793005ull + 1442695040888963407ull;
	return (secret_state >> 33) % below;
}

static struct suf_ref
input(struct harness *h, uint64_t count, unsigned bits, unsigned reach) /* signed, |x| < 2^reach */
{
	uint64_t *x = calloc(count + 1, 8);
	for (uint64_t i = 0; i < count; i++)
		x[i] = (secret(2ull << reach) - (1ull << reach)) & ring_mask(bits);
	struct suf_ref r = harness_input(h, count, bits, x);
	free(x);
	return r;
}

static struct suf_ref
weight(struct harness *h, uint64_t count, unsigned bits)
{
	uint64_t *w = calloc(count + 1, 8);
	for (uint64_t i = 0; i < count; i++)
		w[i] = secret(1ull << bits);
	struct suf_ref r = harness_weight(h, count, bits, w);
	free(w);
	return r;
}

static struct suf_ref
add(struct harness *h, struct suf_step s, uint32_t *id)
{
	s.na = s.na ? s.na : s.count;
	s.nb = s.nb ? s.nb : s.count;
	s.out[0] = harness_wire(h, s.count);
	uint32_t made = harness_step(h, s);
	if (id)
		*id = made;
	return s.out[0];
}

static void
truncation(struct harness *h, uint64_t count, bool slack)
{
	struct suf_ref x = input(h, count, 6, 4), w, t, v;
	harness_round(h);
	w = add(h, (struct suf_step){ .op = SUF_lt, .count = count, .n = 6, .m = 1, .b = 3, .in = { x } }, NULL);
	harness_open(h, w, count, 1);
	harness_round(h);
	const uint8_t m = slack ? 6 : 3;
	t = add(h, (struct suf_step){ .op = SUF_trunc, .count = count, .n = 6, .m = m, .s = 3, .b = 3, .slack = slack, .in = { x, w } }, NULL);
	harness_open(h, t, count, m);
	harness_round(h);
	if (slack)
		return;
	v = add(h, (struct suf_step){ .op = SUF_lt, .count = count, .n = 3, .m = 1, .b = 3, .c = 4, .in = { t } }, NULL);
	harness_open(h, v, count, 1);
	harness_round(h);
	t = add(h, (struct suf_step){ .op = SUF_sext, .count = count, .n = 3, .m = 6, .b = 3, .in = { t, v } }, NULL);
	harness_open(h, t, count, 6);
	harness_round(h);
}

static void trunc_and_sext(struct harness *h, uint64_t count) { truncation(h, count, false); }
static void trunc_slack(struct harness *h, uint64_t count) { truncation(h, count, true); }

static void
comparison(struct harness *h, uint64_t count)
{
	static const int64_t at[] = { 0, 0, -2, 2 }, lines[] = { 1, 2, 3, 5, 0, 1, -1, 3 }, coefficient[] = { 3, 5 };
	static const struct suf_table thresholds = { "t", 4, at }, four = { "l", 8, lines }, two = { "w", 2, coefficient };
	struct suf_ref x = input(h, count, 5, 1), bits, bit1, s, l, d;
	harness_round(h);
	bits = add(h, (struct suf_step){ .op = SUF_drelu, .count = 2 * count, .na = count, .n = 5, .m = 1, .b = 4, .table = &thresholds, .in = { x } }, NULL);
	bit1 = (struct suf_ref){ SUF_WIRE, bits.at + count };
	harness_open(h, bits, 2 * count, 1);
	harness_round(h);
	s = add(h, (struct suf_step){ .op = SUF_select, .count = count, .n = 1, .m = 5, .in = { bits, x } }, NULL);
	l = add(h, (struct suf_step){ .op = SUF_lin4, .count = count, .n = 1, .m = 4, .table = &four, .in = { bits, bit1, x } }, NULL);
	d = add(h, (struct suf_step){ .op = SUF_bitdot, .count = count, .na = 2 * count, .n = 1, .m = 3, .c = 1, .table = &two, .in = { bits } }, NULL);
	harness_open(h, s, count, 5);
	harness_open(h, l, count, 4);
	harness_open(h, d, count, 3);
	harness_round(h);
}

static void
extension(struct harness *h, uint64_t count)
{
	struct suf_ref x = input(h, count, 4, 2);
	harness_round(h);
	struct suf_ref y = add(h, (struct suf_step){ .op = SUF_gapext, .count = count, .n = 4, .m = 6, .in = { x } }, NULL);
	harness_open(h, y, count, 6);
	harness_round(h);
}

static void
look_up(struct harness *h, uint64_t count)
{
	static const int64_t entry[] = { 3, 7, 1, 12, 9, 4, 4, 30 };
	static const struct suf_table table = { "e", 8, entry };
	struct suf_ref x = input(h, count, 4, 2), sign = harness_wire(h, count), value = harness_wire(h, count), y;
	harness_round(h);
	harness_step(h, (struct suf_step){ .op = SUF_lut, .count = count, .na = count, .n = 4, .m = 5, .b = 3, .table = &table, .in = { x }, .out = { sign, value } });
	harness_open(h, sign, count, 1);
	harness_open(h, value, count, 5);
	harness_round(h);
	y = add(h, (struct suf_step){ .op = SUF_lutsign, .count = count, .n = 1, .m = 5, .in = { sign, value } }, NULL);
	harness_open(h, y, count, 5);
	harness_round(h);
}

/* Masks of operands from the key, from a model's seeds and from pads; with and without the last term; narrow openings. */
static void
chain_of_products(struct harness *h, uint64_t count, unsigned narrow, bool half)
{
	static struct suf_mm mm = { .batch = 1, .bh = 1, .inner = 2, .cols = 4, .sa = { 0, 0, 2, 1 }, .sb = { 0, 0, 4, 1 } };
	static struct suf_mm next = { .batch = 1, .bh = 1, .inner = 2, .cols = 4, .sa = { 0, 0, 4, 2 }, .sb = { 0, 0, 4, 1 } };
	static const struct suf_map all = { .ndim = 1, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	static struct suf_map map;
	const uint8_t n = 6, m = (uint8_t)(n - narrow);
	uint32_t id;
	mm.rows = next.rows = (uint32_t)count / 4;
	map = all;
	map.dim[0] = (uint32_t)count;
	struct suf_ref x = input(h, count / 2, n, 3), w = weight(h, 8, n), bias = weight(h, 4, n), y, z;
	struct suf_ref u = input(h, 8, m, 2);
	harness_round(h);
	y = add(h, (struct suf_step){ .op = SUF_matmul, .count = count, .n = n, .m = n, .na = count / 2, .nb = 8, .weight_b = 1, .define_last = half,
		.mm = &mm, .in = { x, w, bias } }, &id);
	harness_step(h, (struct suf_step){ .op = SUF_open, .count = count, .n = n, .m = m, .s = (uint8_t)narrow, .round_half = half, .pad_a = id,
		.in = { y }, .out = { y } });
	harness_round(h);
	z = add(h, (struct suf_step){ .op = SUF_matmul, .count = count, .n = m, .m = m, .nb = 8, .pad_a = narrow ? 0 : id, .mm = &next, .in = { y, u } }, NULL);
	if (!narrow) /* what is opened is a local function of the share */
		z = add(h, (struct suf_step){ .op = SUF_lin, .count = count, .n = m, .m = m, .shared = 1, .ca = 3, .c = 2, .map = &map, .in = { z } }, NULL);
	harness_open(h, z, count, m);
	harness_round(h);
}

static void products(struct harness *h, uint64_t count) { chain_of_products(h, count, 0, false); }
static void products_narrow(struct harness *h, uint64_t count) { chain_of_products(h, count, 2, false); }
static void products_rounded(struct harness *h, uint64_t count) { chain_of_products(h, count, 2, true); }

static void
elementwise(struct harness *h, uint64_t count)
{
	static struct suf_map map = { .ndim = 1, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	static struct suf_rows pairs = { .first = 2, .period = 1 };
	map.dim[0] = (uint32_t)count;
	pairs.count = count / 2;
	struct suf_ref a = input(h, count, 6, 4), b = input(h, count, 6, 4), w = weight(h, count, 6), y, z, q;
	harness_round(h);
	y = add(h, (struct suf_step){ .op = SUF_mul, .count = count, .n = 6, .m = 6, .map = &map, .in = { a, b } }, NULL);
	z = add(h, (struct suf_step){ .op = SUF_mul, .count = count, .n = 6, .m = 6, .weight_b = 1, .map = &map, .in = { a, w } }, NULL);
	q = add(h, (struct suf_step){ .op = SUF_sqsum, .count = count / 2, .na = count, .n = 6, .m = 6, .rows = &pairs, .in = { a } }, NULL);
	harness_open(h, y, count, 6);
	harness_open(h, z, count, 6);
	harness_open(h, q, count / 2, 6);
	harness_round(h);
}

/* Domains of 3 bits: those of fewer leave bits of their byte at 0. */
static void
cuts(struct harness *h, uint64_t count)
{
	static const int64_t at[] = { 3, 1, 0, 2, -1, 1, 1, -1 };
	static const struct suf_table lists = { "t", 8, at };
	struct suf_ref x = input(h, count, 7, 6), c, d = harness_wire(h, 3 * count), base = harness_wire(h, 3 * count), y;
	uint32_t pad_a, pad_b;
	harness_round(h);
	c = add(h, (struct suf_step){ .op = SUF_lt, .count = count, .n = 7, .m = 1, .b = 3, .in = { x } }, &pad_a);
	pad_b = harness_step(h, (struct suf_step){ .op = SUF_cuts, .count = 3 * count, .na = count, .n = 7, .m = 1, .s = 3, .b = 4, .table = &lists,
		.in = { x }, .out = { d, base } });
	harness_open(h, c, count, 1);
	harness_open(h, d, 3 * count, 1);
	harness_round(h);
	y = add(h, (struct suf_step){ .op = SUF_cutfix, .count = 3 * count, .na = count, .n = 1, .m = 1, .pad_a = pad_a, .pad_b = pad_b,
		.in = { c, d, base } }, NULL);
	harness_open(h, y, 3 * count, 1);
	harness_round(h);
}

/* Rows of two. */
static void
shifted(struct harness *h, uint64_t count)
{
	static struct suf_map map = { .ndim = 1, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	static struct suf_rows pairs = { .first = 2, .period = 1 };
	map.dim[0] = (uint32_t)count;
	pairs.count = count / 2;
	struct suf_ref x = input(h, count, 6, 4), y = input(h, count, 5, 4), w, p, q;
	harness_round(h);
	w = add(h, (struct suf_step){ .op = SUF_lt, .count = count, .na = count, .n = 6, .m = 1, .b = 3, .in = { x } }, NULL);
	harness_open(h, w, count, 1);
	harness_round(h);
	p = add(h, (struct suf_step){ .op = SUF_shiftmul, .count = count, .na = count, .nb = count, .n = 6, .m = 5, .s = 3, .slack = 1, .map = &map,
		.in = { x, y, w } }, NULL);
	q = add(h, (struct suf_step){ .op = SUF_shiftsq, .count = count / 2, .na = count, .n = 6, .m = 6, .s = 3, .slack = 1, .rows = &pairs, .in = { x, w } }, NULL);
	harness_open(h, p, count, 5);
	harness_open(h, q, count / 2, 6);
	harness_round(h);
}

static void
polynomials(struct harness *h, uint64_t count)
{
	static const int64_t c[] = { 3, -5, 1, 7 }, at[] = { 0, 0 };
	static const struct suf_table pieces = { "pieces", 4, c }, threshold = { "t", 2, at };
	struct suf_ref x = input(h, count, 5, 2), i, y;
	harness_round(h);
	i = add(h, (struct suf_step){ .op = SUF_drelu, .count = count, .na = count, .n = 5, .m = 1, .b = 4, .table = &threshold, .in = { x } }, NULL);
	harness_open(h, i, count, 1);
	harness_round(h);
	y = add(h, (struct suf_step){ .op = SUF_pieces, .count = count, .na = count, .nb = count, .n = 5, .m = 6, .b = 1, .ca = 1, .slack = 1,
		.table = &pieces, .in = { x, i } }, NULL);
	harness_open(h, y, count, 6);
	harness_round(h);
}

/* x of 3 bits, all of them looked up: x_hat and the own share of a key are all that a party needs to know the special point. */
static void
look_up_closed(struct harness *h, uint64_t count)
{
	static const int64_t entry[] = { 3, -7, 1, 6, 0, 4, -4, 5 };
	static const struct suf_table table = { "e", 8, entry };
	struct suf_ref x = input(h, count, 3, 2), value = harness_wire(h, count), sign = harness_wire(h, count), y;
	harness_round(h);
	harness_step(h, (struct suf_step){ .op = SUF_lutc, .count = count, .na = count, .n = 3, .m = 5, .b = 3, .table = &table, .in = { x }, .out = { value, sign } });
	harness_open(h, value, count, 5);
	harness_round(h);
	y = add(h, (struct suf_step){ .op = SUF_tabmul, .count = count, .n = 5, .m = 7, .in = { value, sign } }, NULL);
	harness_open(h, y, count, 7);
	harness_round(h);
}

/* Of a shifted x, times a bit. */
static void
look_up_shifted(struct harness *h, uint64_t count)
{
	static const int64_t entry[] = { 3, -7, 1, 6, 0, 4, -4, 5 };
	static const struct suf_table table = { "e", 8, entry };
	struct suf_ref x = input(h, count, 6, 5), i = input(h, count, 1, 0), c, value = harness_wire(h, count), sign = harness_wire(h, count), y;
	harness_round(h);
	c = add(h, (struct suf_step){ .op = SUF_lt, .count = count, .n = 6, .m = 1, .b = 3, .in = { x } }, NULL);
	harness_open(h, c, count, 1);
	harness_round(h);
	harness_step(h, (struct suf_step){ .op = SUF_lutc, .count = count, .na = count, .nb = count, .n = 6, .m = 5, .s = 3, .b = 3, .table = &table,
		.in = { x, c }, .out = { value, sign } });
	harness_open(h, value, count, 5);
	harness_round(h);
	y = add(h, (struct suf_step){ .op = SUF_tabmul, .count = count, .n = 5, .m = 7, .s = 3, .b = 1, .in = { value, sign, c, i } }, NULL);
	harness_open(h, y, count, 7);
	harness_round(h);
}

static void
select_shifted(struct harness *h, uint64_t count)
{
	struct suf_ref x = input(h, count, 6, 4), d = input(h, count, 1, 0), c, y;
	harness_round(h);
	c = add(h, (struct suf_step){ .op = SUF_lt, .count = count, .n = 6, .m = 1, .b = 3, .in = { x } }, NULL);
	harness_open(h, c, count, 1);
	harness_round(h);
	y = add(h, (struct suf_step){ .op = SUF_selshift, .count = count, .n = 6, .m = 5, .s = 3, .slack = 1, .in = { x, d, c } }, NULL);
	harness_open(h, y, count, 5);
	harness_round(h);
}

/* Squares and products with the same shares of masks, bits times a value; every secret has 2 bits or more. */
static void
norm_of_rows(struct harness *h, uint64_t count)
{
	static struct suf_rows rows = { .first = 2, .period = 1 };
	rows.count = count / 2;
	struct suf_ref x = input(h, count, 4, 2), rho = input(h, count / 2, 6, 5), y;
	struct suf_ref sum = harness_wire(h, count / 2), low = harness_wire(h, count), msb = harness_wire(h, count);
	harness_round(h);
	harness_step(h, (struct suf_step){ .op = SUF_normsq, .count = count / 2, .na = count, .n = 4, .m = 5, .s = 3, .b = 7, .c = 3, .rows = &rows,
		.in = { x }, .out = { sum, low, msb } });
	y = add(h, (struct suf_step){ .op = SUF_normmul, .count = count, .na = count / 2, .nb = count, .n = 6, .m = 4, .s = 2, .b = 4, .rows = &rows,
		.in = { rho, x, low, msb } }, NULL);
	harness_open(h, sum, count / 2, 5);
	harness_open(h, y, count, 4);
	harness_round(h);
}

static void
bits_times(struct harness *h, uint64_t count)
{
	static const int64_t at[] = { -1, -1, 1, 1 }, factor[] = { 3, 6 };
	static const struct suf_table sizes = { "s", 4, at }, factors = { "f", 2, factor };
	struct suf_ref x = input(h, count, 4, 3), w = input(h, count, 6, 5), bits = harness_wire(h, 2 * count), y;
	harness_round(h);
	harness_step(h, (struct suf_step){ .op = SUF_drelu, .count = 2 * count, .na = count, .n = 4, .m = 1, .b = 4, .table = &sizes, .in = { x }, .out = { bits } });
	harness_open(h, bits, 2 * count, 1);
	harness_round(h);
	y = add(h, (struct suf_step){ .op = SUF_bitmul, .count = count, .na = 2 * count, .nb = count, .n = 1, .m = 4, .s = 2, .c = 1, .table = &factors,
		.in = { bits, w } }, NULL);
	harness_open(h, y, count, 4);
	harness_round(h);
}

/* Words of 3 bits, a result in a ring of 8, of which 2 bits are dropped: every secret has 2 bits or more. */
static void
cells(struct harness *h, uint64_t count)
{
	static const int64_t head_and_cells[] = { 0, 3, 0, 3, 1, 3, 3, 3, 2, 8, 0, 0, -8, 2, 2, 3, 5, -2, 0, 0, 0, 4, -4, 0, 2, 3, 1, -6, 0, 0, 7, 1, 1 };
	static const struct suf_table table = { "p", 33, head_and_cells };
	struct suf_ref x = input(h, count, 5, 4), w[4], y;
	harness_round(h);
	for (int k = 0; k < 4; k++)
		w[k] = harness_wire(h, count);
	harness_step(h, (struct suf_step){ .op = SUF_cells, .count = count, .na = count, .n = 5, .m = 3, .s = 2, .b = 3, .c = 7, .table = &table,
		.in = { x }, .out = { w[0], w[1], w[2], w[3] } });
	for (int k = 0; k < 3; k++)
		harness_open(h, w[k], count, 3);
	harness_round(h);
	y = add(h, (struct suf_step){ .op = SUF_cellfix, .count = count, .n = 5, .m = 6, .s = 2, .b = 3, .table = &table, .in = { x, w[3], w[0], w[1], w[2] } }, NULL);
	harness_open(h, y, count, 6);
	harness_round(h);
}

/* A share and a masked value in one opening; what was opened goes on shifted. */
static void
sum_and_shift(struct harness *h, uint64_t count)
{
	static struct suf_map map = { .ndim = 1, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	map.dim[0] = (uint32_t)count;
	struct suf_ref x = input(h, count, 4, 2), y = input(h, count, 5, 4), z, v = harness_wire(h, count);
	harness_round(h);
	z = add(h, (struct suf_step){ .op = SUF_gapext, .count = count, .n = 4, .m = 6, .in = { x } }, NULL);
	z = add(h, (struct suf_step){ .op = SUF_addx, .count = count, .n = 6, .m = 6, .shared = 1, .ca = 1, .cb = 2, .c = 3, .map = &map, .in = { z, y } }, NULL);
	harness_open(h, z, count, 6);
	harness_round(h);
	harness_step(h, (struct suf_step){ .op = SUF_shift, .count = count, .na = count, .n = 6, .m = 4, .s = 2, .in = { z }, .out = { v } });
	z = add(h, (struct suf_step){ .op = SUF_gapext, .count = count, .n = 4, .m = 5, .in = { v } }, NULL);
	harness_open(h, z, count, 5);
	harness_round(h);
}

/* Pads as mask shares, the product's mask defined last: four runs of elements times one element each. */
static void
mul_by_pads(struct harness *h, uint64_t count)
{
	static struct suf_map map = { .ndim = 2, .dim = { 4 }, .so = { 0, 1 }, .sa = { 0, 1 }, .sb = { 1, 0 } };
	uint32_t pad_a, pad_b;
	map.dim[1] = (uint32_t)count / 4;
	map.so[0] = map.sa[0] = (int64_t)count / 4;
	struct suf_ref x = input(h, count, 4, 2), y = input(h, 4, 4, 2), z;
	harness_round(h);
	x = add(h, (struct suf_step){ .op = SUF_gapext, .count = count, .n = 4, .m = 6, .in = { x } }, &pad_a);
	y = add(h, (struct suf_step){ .op = SUF_gapext, .count = 4, .n = 4, .m = 6, .in = { y } }, &pad_b);
	harness_open(h, x, count, 6);
	harness_open(h, y, 4, 6);
	harness_round(h);
	z = add(h, (struct suf_step){ .op = SUF_mul, .count = count, .nb = 4, .n = 6, .m = 6, .define_last = 1, .pad_a = pad_a, .pad_b = pad_b, .map = &map, .in = { x, y } }, NULL);
	harness_open(h, z, count, 6);
	harness_round(h);
}

/* The same for packed rows of 3 and 5 elements. */
static void
packed_by_pads(struct harness *h, uint64_t count)
{
	static struct suf_rows rows = { .first = 3, .inc = 2, .period = 2 };
	static struct suf_mm mm = { .batch = 1, .bh = 1, .inner = 5, .cols = 4, .sa = { 0, 0, 5, 1 }, .sb = { 0, 0, 4, 1 } };
	uint32_t pad;
	rows.count = mm.rows = (uint32_t)count / 4;
	struct suf_ref x = input(h, count, 4, 2), y = input(h, 20, 6, 4), z;
	harness_round(h);
	x = add(h, (struct suf_step){ .op = SUF_gapext, .count = count, .n = 4, .m = 6, .in = { x } }, &pad);
	harness_open(h, x, count, 6);
	harness_round(h);
	z = add(h, (struct suf_step){ .op = SUF_matmul, .count = count, .na = count, .nb = 20, .n = 6, .m = 6, .define_last = 1, .pad_a = pad, .c = 5, .mm = &mm,
		.rows = &rows, .in = { x, y } }, NULL);
	harness_open(h, z, count, 6);
	harness_round(h);
}

/* Four cells; entries of a word and, summed in pairs, of two words. */
static void
exponentials(struct harness *h, uint64_t count)
{
	static struct suf_rows pairs = { .first = 2, .period = 1 };
	pairs.count = count / 2;
	struct suf_ref x = input(h, count, 4, 3), y, z;
	harness_round(h);
	y = add(h, (struct suf_step){ .op = SUF_exps, .count = count, .n = 4, .m = 4, .s = 1, .b = 2, .ca = 2, .cb = 2 | 3 << 8, .c = -9, .in = { x } }, NULL);
	z = add(h, (struct suf_step){ .op = SUF_exps, .count = count / 2, .na = count, .n = 4, .m = 4, .s = 62, .b = 2, .ca = 2, .cb = 2 | 62 << 8, .c = -9,
		.rows = &pairs, .in = { x } }, NULL);
	harness_open(h, y, count, 4);
	harness_open(h, z, count / 2, 4);
	harness_round(h);
}

static void
trigonometric(struct harness *h, uint64_t count)
{
	static const int64_t v[] = { 2, 2, 1, 2, 5000000, 16000000, -9000000, 3000000, 7000000 };
	static const struct suf_table series = { "series", 9, v };
	struct suf_ref x = input(h, count, 4, 2), y;
	harness_round(h);
	y = add(h, (struct suf_step){ .op = SUF_trig, .count = count, .n = 4, .m = 5, .s = 1, .b = 3, .table = &series, .in = { x } }, NULL);
	harness_open(h, y, count, 5);
	harness_round(h);
}

/* A share times a public matrix, beside its own opening; then a masked value times that matrix and a factor. */
static void
public_products(struct harness *h, uint64_t count)
{
	static const uint64_t matrix[16] = { 1, 0, 3, 62, 2, 1, 0, 5, 0, 4, 1, 6, 63, 0, 2, 1 };
	static struct suf_mm mm = { .batch = 1, .bh = 1, .inner = 4, .cols = 4, .sa = { 0, 0, 4, 1 }, .sb = { 0, 0, 4, 1 } };
	static struct suf_map map = { .ndim = 2, .dim = { 0, 4 }, .so = { 4, 1 }, .sa = { 4, 1 }, .sb = { 0, 1 } };
	const struct suf_ref w = harness_public(h, 16, 6, matrix);
	mm.rows = map.dim[0] = (uint32_t)count / 4;
	struct suf_ref x = input(h, count, 5, 3), u, z, v;
	harness_round(h);
	u = add(h, (struct suf_step){ .op = SUF_gapext, .count = count, .n = 5, .m = 6, .in = { x } }, NULL);
	z = add(h, (struct suf_step){ .op = SUF_wshare, .count = count, .na = count, .nb = 16, .n = 6, .m = 6, .define_last = 1, .mm = &mm, .in = { u, w } }, NULL);
	harness_open(h, u, count, 6);
	harness_open(h, z, count, 6);
	harness_round(h);
	v = add(h, (struct suf_step){ .op = SUF_wmul, .count = count, .na = count, .nb = 16, .n = 6, .m = 6, .mm = &mm, .in = { z, w } }, NULL);
	v = add(h, (struct suf_step){ .op = SUF_wscale, .count = count, .na = count, .nb = 16, .n = 6, .m = 5, .map = &map, .in = { v, w } }, NULL);
	v = add(h, (struct suf_step){ .op = SUF_gapext, .count = count, .n = 5, .m = 6, .in = { v } }, NULL);
	harness_open(h, v, count, 6);
	harness_round(h);
}

/* Weights of party 0: a product that is sent before the input is there, of a value that party 0 alone is told, by its pads; beside it one with a
 * correction; then its factors, and what is added to them. */
static void
owned_products(struct harness *h, uint64_t count)
{
	static struct suf_mm mm = { .batch = 1, .bh = 1, .inner = 2, .cols = 2, .sa = { 0, 0, 2, 1 }, .sb = { 0, 0, 2, 1 } };
	static struct suf_map map = { .ndim = 2, .dim = { 0, 2 }, .so = { 2, 1 }, .sa = { 2, 1 }, .sb = { 0, 1 } }, same = { .ndim = 1, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	uint32_t pad;
	mm.rows = map.dim[0] = (uint32_t)count / 2;
	same.dim[0] = (uint32_t)count;
	struct suf_ref x = input(h, count, 5, 3), w = weight(h, 4, 6), v = weight(h, 2, 6), u, z, y, t;
	harness_round(h);
	u = add(h, (struct suf_step){ .op = SUF_gapext, .count = count, .n = 5, .m = 6, .in = { x } }, &pad);
	harness_step(h, (struct suf_step){ .op = SUF_open, .count = count, .n = 6, .m = 6, .one_way = 1, .in = { u }, .out = { u } });
	harness_round(h);
	z = add(h, (struct suf_step){ .op = SUF_omul, .count = count, .na = count, .nb = 4, .n = 6, .m = 6, .define_last = 1, .offline = 1, .pad_a = pad, .mm = &mm,
		.in = { u, w } }, NULL);
	harness_step(h, (struct suf_step){ .op = SUF_open, .count = count, .n = 6, .m = 6, .offline = 1, .in = { z }, .out = { z } });
	y = add(h, (struct suf_step){ .op = SUF_omul, .count = count, .na = count, .nb = 4, .n = 5, .m = 5, .define_last = 1, .mm = &mm, .in = { x, w } }, NULL);
	harness_open(h, y, count, 5);
	harness_round(h);
	t = add(h, (struct suf_step){ .op = SUF_oscale, .count = count, .na = count, .nb = 2, .n = 6, .m = 6, .define_last = 1, .map = &map, .in = { z, v } }, NULL);
	t = add(h, (struct suf_step){ .op = SUF_addx, .count = count, .n = 6, .m = 6, .shared = 1, .ca = 1, .cb = 2, .c = 3, .map = &same, .in = { t, x } }, NULL);
	harness_open(h, t, count, 6);
	harness_round(h);
}

const struct view_program view_program[VIEW_PROGRAMS] = {
	{ .name = "trunc, sext", .make = trunc_and_sext, .block = 512, .faults = true },
	{ .name = "trunc with slack", .make = trunc_slack, .block = 512 },
	{ .name = "drelu, select, lin4, bitdot", .make = comparison, .block = 256, .faults = true },
	{ .name = "gapext", .make = extension, .block = 1024, .faults = true, .brief = true },
	{ .name = "lut", .make = look_up, .block = 1024, .faults = true, .subtle_pads = true },
	{ .name = "cuts, cutfix", .make = cuts, .block = 1024, .faults = true },
	{ .name = "lutc without borrow, tabmul", .make = look_up_closed, .block = 1024, .faults = true },
	{ .name = "lutc, tabmul", .make = look_up_shifted, .block = 256, .faults = true },
	{ .name = "selshift", .make = select_shifted, .block = 768, .faults = true },
	{ .name = "matmul", .make = products, .block = 1024, .faults = true },
	{ .name = "matmul, narrow opening", .make = products_narrow, .block = 1024 },
	{ .name = "matmul, rounded opening", .make = products_rounded, .block = 1024 },
	{ .name = "mul, sqsum", .make = elementwise, .block = 1024, .faults = true },
	{ .name = "addx, shift", .make = sum_and_shift, .block = 1024, .faults = true },
	{ .name = "mul by pads", .make = mul_by_pads, .block = 1024, .faults = true },
	{ .name = "packed matmul by pads", .make = packed_by_pads, .block = 1024 },
	{ .name = "shiftmul, shiftsq", .make = shifted, .block = 1024, .faults = true },
	{ .name = "pieces", .make = polynomials, .block = 256, .faults = true },
	{ .name = "cells, cellfix", .make = cells, .block = 1024, .faults = true },
	{ .name = "normsq, normmul", .make = norm_of_rows, .block = 1024, .faults = true },
	{ .name = "bitmul", .make = bits_times, .block = 512, .faults = true },
	{ .name = "exps", .make = exponentials, .block = 256, .faults = true },
	{ .name = "trig", .make = trigonometric, .block = 512, .faults = true },
	{ .name = "gapext, wshare, wmul, wscale", .make = public_products, .block = 1024, .faults = true },
	{ .name = "omul, oscale", .make = owned_products, .block = 1024, .faults = true },
};
