/* SPDX-License-Identifier: Apache-2.0
 * Products with weights that party 0 knows, each against its definition: every operand and weight in small rings, random ones in large
 * rings, through dealer and both parties over a socket pair; what party 1 sends before the input is there, and what it is not told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "step_harness.h"
#include <cmocka.h>

static const struct suf_ref none = { SUF_NONE, 0 };

/* ---- one product --------------------------------------------------------------------------------- */

/* n: bits of the product, w: of the weights; drop: of its opening.  pads: A is a value that was extended and opened, its pads the shares
 * of the mask; else an input, with a correction.  early: the product and its opening are offline. */
struct product {
	struct suf_mm mm; struct suf_map map; bool by_element;
	uint64_t na, nb, count;
	unsigned n, w, drop;
	bool bias, pads, early, one_way, every;
	uint64_t *a, *weight, *more;
};

/* Every row of operands, in rows: digits of the row's number, those of small values where the extension needs them. */
static void
make_operands(struct product *p)
{
	const unsigned reach = p->pads ? p->n - 2 : p->n; /* values of so many bits, signed */
	p->a = harness_ring(p->na, p->n);
	p->weight = harness_ring(p->nb, p->w);
	p->more = harness_ring(p->mm.cols + 1, p->w);
	for (uint64_t i = 0; p->every && i < p->na; i++)
		p->a[i] = p->by_element ? i : i / p->mm.inner >> (i % p->mm.inner * reach);
	for (uint64_t i = 0; p->every && i < p->nb; i++) {
		const uint64_t digit = p->by_element ? i : i % p->mm.cols >> (i / p->mm.cols * p->n);
		p->weight[i] = (p->weight[i] & ~ring_mask(p->n)) | (digit & ring_mask(p->n));
	}
	for (uint64_t i = 0; i < p->na; i++)
		p->a[i] = (uint64_t)harness_signed(p->a[i], reach) & ring_mask(p->n);
}

static void
free_operands(struct product *p)
{
	free(p->a);
	free(p->weight);
	free(p->more);
}

/* The operand: extended and opened in round 1, or the input. */
static struct suf_ref
operand(struct harness *h, const struct product *p, uint32_t *pad)
{
	const unsigned from = p->pads ? p->n - 1 : p->n;
	uint64_t *x = harness_ring(p->na, from);
	for (uint64_t i = 0; i < p->na; i++)
		x[i] = p->a[i] & ring_mask(from);
	struct suf_ref in = harness_input(h, p->na, from, x), out = in;
	free(x);
	harness_round(h);
	*pad = 0;
	if (!p->pads)
		return in;
	out = harness_wire(h, p->na);
	*pad = harness_step(h, (struct suf_step){ .op = SUF_gapext, .count = p->na, .na = p->na, .n = (uint8_t)from, .m = (uint8_t)p->n, .in = { in }, .out = { out } });
	harness_step(h, (struct suf_step){ .op = SUF_open, .count = p->na, .n = (uint8_t)p->n, .m = (uint8_t)p->n, .one_way = p->one_way, .in = { out }, .out = { out } });
	harness_round(h);
	return out;
}

static struct suf_step
product_step(struct harness *h, const struct product *p)
{
	struct suf_step s = { .op = p->by_element ? SUF_oscale : SUF_omul, .count = p->count, .na = p->na, .nb = p->nb, .n = (uint8_t)p->n, .m = (uint8_t)p->n,
		.define_last = 1, .offline = p->early, .map = &p->map, .mm = p->by_element ? NULL : &p->mm };
	s.in[0] = operand(h, p, &s.pad_a);
	s.in[1] = harness_weight(h, p->nb, p->w, p->weight);
	s.in[2] = p->bias ? harness_weight(h, p->mm.cols, p->w, p->more) : none;
	s.out[0] = harness_wire(h, p->count);
	return s;
}

static uint64_t *
expected(const struct product *p)
{
	uint64_t *want = calloc(p->count, 8);
	const struct suf_mm *m = &p->mm;
	const struct suf_map *f = &p->map;
	uint64_t at = 0;
	for (uint32_t b = 0; !p->by_element && b < m->batch; b++)
		for (uint32_t i = 0; i < m->rows; i++)
			for (uint32_t j = 0; j < m->cols; j++, at++) {
				want[at] = p->bias ? p->more[j] : 0;
				for (uint32_t t = 0; t < m->inner; t++)
					want[at] += p->a[(int64_t)m->a0 + b / m->bh * m->sa[0] + b % m->bh * m->sa[1] + i * m->sa[2] + t * m->sa[3]] *
					            p->weight[(int64_t)m->b0 + b / m->bh * m->sb[0] + b % m->bh * m->sb[1] + t * m->sb[2] + j * m->sb[3]];
			}
	uint32_t i[3] = { 0 };
	for (i[0] = 0; p->by_element && i[0] < f->dim[0]; i[0]++)
		for (i[1] = 0; i[1] < f->dim[1]; i[1]++)
			for (i[2] = 0; i[2] < f->dim[2]; i[2]++) {
				int64_t from[3] = { (int64_t)f->out0, (int64_t)f->a0, (int64_t)f->b0 };
				for (int k = 0; k < 3; k++) {
					from[0] += i[k] * f->so[k];
					from[1] += i[k] * f->sa[k];
					from[2] += i[k] * f->sb[k];
				}
				want[from[0]] = p->a[from[1]] * p->weight[from[2]];
			}
	for (uint64_t k = 0; k < p->count; k++)
		want[k] &= ring_mask(p->n);
	return want;
}

/* got 2^s is want but for less than one unit and a half of 2^s: a narrow opening rounds three times. */
static bool
near(uint64_t got, uint64_t want, unsigned s, unsigned bits)
{
	const int64_t off = harness_signed((got << s) - want, bits + s), half = INT64_C(1) << s >> 1;
	return s ? off > -3 * half && off < 3 * half : off == 0;
}

static struct suf_step
opening(struct suf_ref at, uint64_t count, unsigned n, unsigned drop)
{
	return (struct suf_step){ .op = SUF_open, .count = count, .n = (uint8_t)n, .m = (uint8_t)(n - drop), .s = (uint8_t)drop, .round_half = drop > 0,
		.in = { at }, .out = { at } };
}

/* No key where the shares are pads; party 1's message goes before, if it is early. */
static void
check_cost(const struct product *p, const struct suf_step *s, const struct suf_step *o)
{
	const struct suf_cost c = suf_step_cost(s, 2), m = suf_step_cost(o, 2);
	const uint64_t bytes = (p->count * o->m + 7) / 8;
	assert_int_equal(c.key[0] + c.key[1] > 0, !p->pads);
	assert_int_equal(c.sent[0] + c.sent[1] + c.offline, 0);
	assert_int_equal(m.sent[0], bytes);
	assert_int_equal(m.sent[1], p->early ? 0 : bytes);
	assert_int_equal(m.offline, p->early ? bytes : 0);
}

static void
product(const struct product *given)
{
	struct harness h;
	struct product p = *given;
	make_operands(&p);
	harness_init(&h);
	struct suf_step s = product_step(&h, &p), o = opening(s.out[0], p.count, p.n, p.drop);
	harness_step(&h, s);
	o.offline = p.early;
	harness_step(&h, o);
	harness_round(&h);
	harness_output(&h, s.out[0], p.count, o.m);
	harness_run(&h);
	check_cost(&p, &s, &o);
	assert_true(memcmp(h.ahead[0], h.ahead[1], h.offline) == 0); /* what is taken is what was made */
	uint64_t *want = expected(&p), up = 0;
	for (uint64_t k = 0; k < p.count; k++) {
		if (!near(h.out_party[k & 1][0][k], want[k], p.drop, p.n - p.drop))
			fail_msg("n %u w %u drop %u pads %d early %d: element %u", p.n, p.w, p.drop, p.pads, p.early, (unsigned)k);
		up += harness_signed((h.out_party[1][0][k] << p.drop) - want[k], p.n) > 0;
	}
	assert_true(!p.drop || p.count < 500 || (up > p.count / 4 && up < p.count * 3 / 4)); /* mean 0 */
	harness_free(&h);
	free(want);
	free_operands(&p);
}

/* With a correction; with pads; early; with what party 1 is not told. */
static void
each_way(struct product p)
{
	for (int way = 0; way < 4; way++) {
		p.pads = way > 0 && p.n >= 3;
		p.early = way > 1 && p.pads;
		p.one_way = way > 2;
		if (way == 0 || p.pads)
			product(&p);
	}
}

static void
test_small_matrices(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 5; n++)
		for (uint32_t inner = 1; inner <= (n < 5 ? 2 : 1); inner++) { /* all rows times all columns */
			const uint32_t rows = 1u << n * inner;
			each_way((struct product){ .mm = { .batch = 1, .bh = 1, .rows = rows, .inner = inner, .cols = rows, .sa = { 0, 0, inner, 1 }, .sb = { 0, 0, rows, 1 } },
				.na = (uint64_t)rows * inner, .nb = (uint64_t)rows * inner, .count = (uint64_t)rows * rows, .n = n, .w = n + (inner == 2), .bias = inner & 1, .every = true });
		}
}

/* Batches in two axes, a transposed factor, places before and behind what is read; more than a block. */
static void
test_large_matrices(void **state)
{
	(void)state;
	static const unsigned rings[][3] = { { 16, 16, 0 }, { 37, 40, 9 }, { 48, 64, 0 }, { 52, 52, 20 }, { 53, 53, 1 }, { 63, 64, 12 }, { 64, 64, 0 } };
	const struct suf_mm plain = { .batch = 1, .bh = 1, .rows = 5, .inner = 300, .cols = 37, .sa = { 0, 0, 300, 1 }, .sb = { 0, 0, 37, 1 } };
	const struct suf_mm heads = { .batch = 6, .bh = 2, .rows = 7, .inner = 9, .cols = 11, .a0 = 3, .b0 = 5, .sa = { 126, 9, 18, 1 }, .sb = { 99, 0, 1, 9 } };
	const struct suf_mm wide = { .batch = 2, .bh = 1, .rows = 1, .inner = 2, .cols = SUF_BLOCK + 3, .sa = { 2, 0, 0, 1 }, .sb = { 0, 0, SUF_BLOCK + 3, 1 } };
	for (size_t k = 0; k < sizeof rings / sizeof rings[0]; k++) {
		struct product p = { .mm = plain, .na = 5 * 300, .nb = 300 * 37, .count = 5 * 37, .n = rings[k][0], .w = rings[k][1], .drop = rings[k][2], .bias = k & 1 };
		each_way(p);
		p.mm = heads;
		p.na = 3 + 3 * 126;
		p.nb = 5 + 3 * 99;
		p.count = 6 * 7 * 11;
		p.bias = !p.bias;
		each_way(p);
		p.mm = wide;
		p.na = 4;
		p.nb = 2 * (SUF_BLOCK + 3);
		p.count = 2 * (SUF_BLOCK + 3);
		each_way(p);
	}
}

static void
test_scale(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 6; n++) { /* all values times all weights */
		const uint32_t all = 1u << n;
		each_way((struct product){ .by_element = true, .map = { .ndim = 3, .dim = { 1, all, all }, .so = { 0, all, 1 }, .sa = { 0, 1, 0 }, .sb = { 0, 0, 1 } },
			.na = all, .nb = all, .count = (uint64_t)all * all, .n = n, .w = n + (n & 1), .every = true });
	}
	/* [4][5][6] times [1][5][1], turned round, and a part of the operands; more than a block of them */
	const struct suf_map turn = { .ndim = 3, .dim = { 4, 5, 6 }, .a0 = 7, .b0 = 2, .so = { 1, 4, 20 }, .sa = { 30, 6, 1 }, .sb = { 0, 1, 0 } };
	const struct suf_map rows = { .ndim = 3, .dim = { 1, 411, 5 }, .so = { 0, 5, 1 }, .sa = { 0, 5, 1 }, .sb = { 0, 0, 1 } };
	static const unsigned rings[][3] = { { 37, 37, 0 }, { 50, 64, 11 }, { 64, 64, 0 } };
	for (int k = 0; k < 3; k++) {
		struct product p = { .by_element = true, .map = turn, .na = 127, .nb = 7, .count = 120, .n = rings[k][0], .w = rings[k][1], .drop = rings[k][2] };
		each_way(p);
		p.map = rows;
		p.na = p.count = 2055;
		p.nb = 5;
		each_way(p);
	}
}

/* ---- messages before the input ---------------------------------------------------------------------- */

enum { R = 3, C = 411, NA = R * C }; /* more than a block */
static const struct suf_mm square = { .batch = 1, .bh = 1, .rows = C, .inner = R, .cols = R, .sa = { 0, 0, R, 1 }, .sb = { 0, 0, R, 1 } };
static const struct suf_map each = { .ndim = 2, .dim = { C, R }, .so = { R, 1 }, .sa = { R, 1 }, .sb = { 0, 1 } };
static const struct suf_map all = { .ndim = 1, .dim = { NA }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };

static struct suf_step
owned_step(enum suf_op op, unsigned n, uint32_t pad, struct suf_ref a, struct suf_ref w, struct suf_ref out)
{
	return (struct suf_step){ .op = op, .count = NA, .na = NA, .nb = op == SUF_omul ? R * R : R, .n = (uint8_t)n, .m = (uint8_t)n, .define_last = 1,
		.offline = pad > 0, .pad_a = pad, .mm = op == SUF_omul ? &square : NULL, .map = &each, .in = { a, w }, .out = { out } };
}

/* ca a + cb b + c, a share. */
static struct suf_step
sum_step(unsigned n, int64_t cb, struct suf_ref a, struct suf_ref b, struct suf_ref out)
{
	return (struct suf_step){ .op = cb ? SUF_addx : SUF_lin, .count = NA, .na = NA, .nb = cb ? NA : 0, .n = (uint8_t)n, .m = (uint8_t)n, .shared = 1, .offline = 1,
		.ca = 3, .cb = cb, .c = 77, .map = &all, .in = { a, b }, .out = { out } };
}

/* Products of an x of 30 bits, in n bits: several in a round, early and not, full and narrow, with residuals; then one alone. */
struct net { struct harness h; uint64_t x[NA], w[R * R], v[R]; unsigned n; struct suf_ref blind; uint32_t nout; unsigned drop[8]; };

static void
finish(struct net *t, struct suf_ref z, unsigned drop, bool early)
{
	struct suf_step o = opening(z, NA, t->n, drop);
	o.offline = early;
	harness_step(&t->h, o);
	t->drop[t->nout++] = drop;
}

/* Another share of x, in n bits, opened; one way: to party 0 alone.  The step of its pads. */
static uint32_t
extend(struct net *t, struct suf_ref x, struct suf_ref out, bool one_way)
{
	const uint8_t n = (uint8_t)t->n;
	const uint32_t pad = harness_step(&t->h, (struct suf_step){ .op = SUF_gapext, .count = NA, .na = NA, .n = 30, .m = n, .in = { x }, .out = { out } });
	struct suf_step o = opening(out, NA, n, 0);
	o.one_way = one_way;
	harness_step(&t->h, o);
	return pad;
}

/* All of it in one round: early or not, of every form of operand that party 1 does without. */
static void
products(struct net *t, struct suf_ref u, uint32_t pad, struct suf_ref g, const struct suf_ref w[2], struct suf_ref z[5])
{
	struct harness *h = &t->h;
	const unsigned n = t->n;
	const struct suf_ref seen = harness_wire(h, NA), p = harness_wire(h, NA), q = harness_wire(h, NA);
	for (int k = 0; k < 5; k++)
		z[k] = harness_wire(h, NA);
	/* local on what party 1 is not told: not told either */
	harness_step(h, (struct suf_step){ .op = SUF_lin, .count = NA, .na = NA, .n = (uint8_t)n, .m = (uint8_t)n, .ca = 5, .c = 1, .map = &all, .in = { u }, .out = { seen } });
	harness_step(h, owned_step(SUF_omul, n, pad, u, w[0], z[0]));
	harness_step(h, owned_step(SUF_oscale, n, 0, seen, w[1], z[1])); /* key: not early */
	harness_step(h, owned_step(SUF_oscale, n, pad, u, w[1], z[2]));
	harness_step(h, owned_step(SUF_omul, n, 0, g, w[0], z[3]));
	harness_step(h, owned_step(SUF_omul, n, pad, u, w[0], p));
	harness_step(h, sum_step(n, 0, p, none, q));
	harness_step(h, sum_step(n, 1 << 9, q, u, z[4]));
	finish(t, z[0], 0, true);
	finish(t, z[1], 7, false);
	finish(t, z[2], 11, true);
	finish(t, z[3], 0, false);
	finish(t, z[4], 3, true);
	harness_round(h);
}

static void
build(struct net *t, unsigned n)
{
	struct harness *h = &t->h;
	struct suf_ref z[6];
	t->n = n;
	t->nout = 0;
	for (int i = 0; i < NA; i++)
		t->x[i] = (uint64_t)harness_signed(harness_random(), 20) & ring_mask(30);
	for (int i = 0; i < R * R; i++)
		t->w[i] = harness_random() & ring_mask(10);
	for (int i = 0; i < R; i++)
		t->v[i] = harness_random() & ring_mask(10);
	harness_init(h);
	const struct suf_ref in = harness_input(h, NA, 30, t->x), u = harness_wire(h, NA), g = harness_wire(h, NA), late = harness_wire(h, NA);
	const struct suf_ref w[2] = { harness_weight(h, R * R, n, t->w), harness_weight(h, R, n, t->v) };
	harness_round(h);
	const uint32_t pad = extend(t, in, t->blind = u, true);
	extend(t, in, g, false);
	harness_round(h);
	products(t, u, pad, g, w, z);
	const uint32_t again = extend(t, in, late, true);    /* two rounds later, early again */
	harness_round(h);
	harness_step(h, owned_step(SUF_oscale, n, again, late, w[1], z[5] = harness_wire(h, NA)));
	finish(t, z[5], 0, true);
	harness_round(h);
	for (int k = 0; k < 6; k++)
		harness_output(h, z[k], NA, n - t->drop[k]);
}

static void
check_net(const struct net *t)
{
	for (int i = 0; i < NA; i++) {
		const uint64_t x = (uint64_t)harness_signed(t->x[i], 30), v = t->v[i % R];
		uint64_t row = 0;
		for (int k = 0; k < R; k++)
			row += (uint64_t)harness_signed(t->x[i / R * R + k], 30) * t->w[k * R + i % R];
		const uint64_t want[] = { row, (5 * x + 1) * v, x * v, row, 3 * (3 * row + 77) + (x << 9) + 77, x * v };
		for (int k = 0; k < 6; k++)
			for (int p = 0; p < 2; p++)
				if (!near(t->h.out_party[p][k][i], want[k], t->drop[k], t->n - t->drop[k]))
					fail_msg("%u bits: output %d at party %d, element %d", t->n, k, p, i);
		const uint64_t blind = t->h.wire[1][t->blind.at + (uint64_t)i];
		assert_int_equal(blind, 0);
	}
}

static void
test_mixed_rounds(void **state)
{
	static const unsigned rings[] = { 41, 50, 64 };
	(void)state;
	for (int k = 0; k < 3; k++) {
		struct net *t = calloc(1, sizeof *t);
		build(t, rings[k]);
		harness_run(&t->h);
		check_net(t);
		bool any = false;                /* party 0 does have it */
		for (uint64_t i = 0; i < NA; i++)
			any |= t->h.wire[0][t->blind.at + i] != 0;
		assert_true(any);
			uint64_t bytes = 0;
		for (int o = 0; o < 6; o++)
			bytes += o == 1 || o == 3 ? 0 : (NA * (t->n - t->drop[o]) + 7) / 8;
		assert_int_equal(t->h.offline, bytes);
		harness_free(&t->h);
		free(t);
	}
}

/* The same seeds and another input: not a bit of what goes before differs.  Other weights: nearly all of it does. */
static void
test_messages_know_no_input(void **state)
{
	(void)state;
	struct net *t = calloc(1, sizeof *t);
	build(t, 50);
	harness_run(&t->h);
	const uint64_t bytes = t->h.offline;
	uint8_t *first = malloc(bytes), *second = malloc(bytes);
	memcpy(first, t->h.ahead[1], bytes);
	t->h.same_seeds = true;
	for (int i = 0; i < NA; i++)
		t->h.in_data[0][i] = t->x[i] = ((t->x[i] ^ 1) + (uint64_t)(i % 5)) & ring_mask(18);
	harness_run(&t->h);
	check_net(t);
	memcpy(second, t->h.ahead[0], bytes);
	assert_int_equal(t->h.offline, bytes);
	assert_true(memcmp(first, second, bytes) == 0);
	for (int k = 0; k < R; k++)
		t->h.weight_data[1][k] = t->v[k] ^= 1;
	harness_run(&t->h);
	check_net(t);
	uint64_t same[2] = { 0 };
	const uint64_t matrix = (NA * 50 + 7) / 8, scaled = (NA * 39 + 7) / 8;    /* the first message is of the matrix, the second of v */
	for (uint64_t i = 0; i < matrix + scaled; i++)
		same[i >= matrix] += first[i] == t->h.ahead[1][i];
	assert_int_equal(same[0], matrix);
	assert_true(same[1] < scaled / 16);
	free(first);
	free(second);
	harness_free(&t->h);
	free(t);
}

/* More than party 0 takes at once. */
static void
test_long_message(void **state)
{
	(void)state;
	enum { ROWS = 150001 };
	product(&(struct product){ .by_element = true, .map = { .ndim = 3, .dim = { 1, 1, ROWS }, .so = { 0, 0, 1 }, .sa = { 0, 0, 1 }, .sb = { 0, 0, 0 } },
		.na = ROWS, .nb = 1, .count = ROWS, .n = 61, .w = 61, .pads = true, .early = true });
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_matrices), cmocka_unit_test(test_large_matrices), cmocka_unit_test(test_scale), cmocka_unit_test(test_mixed_rounds),
		cmocka_unit_test(test_messages_know_no_input), cmocka_unit_test(test_long_message)
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
