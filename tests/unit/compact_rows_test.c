/* SPDX-License-Identifier: Apache-2.0
 * compact_rows_test.c -- builders of norms and of the normaliser of a row: whole programs, as text too, what they compute at the
 * borders of sizes, and what the checker refuses of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "gate_run.h"
#include "ir_text.h"
#include "passes/gate/compact.h"

/* ---- sizes ------------------------------------------------------------------------------ */

enum { TOP = 16, ROWS = 400, LEAST = 1 << 11, MOST = (1 << 15) + 33 };
struct size { unsigned n, K; };

/* The threshold of bit k < K: a little above a power of 16. */
static int64_t
threshold(const struct size *z, unsigned k)
{
	const int64_t t = INT64_C(1) << (z->n - 1 - 4 * (z->K - k));
	return t + (t >> 10 ? t >> 10 : 1);
}

/* At the borders of sizes, at powers of two beside them, and anywhere; all above the least number. */
static int64_t
number(const struct size *z, int i)
{
	const unsigned k = (unsigned)i / 8 % z->K;
	const int64_t least = threshold(z, 0) >> 4, end = INT64_C(1) << (z->n - 1), near = threshold(z, k) + i % 8 - 4, even = INT64_C(1) << (z->n - 1 - 4 * (z->K - k));
	int64_t v = i % 3 == 0 ? near : i % 3 == 1 ? even + i % 5 - 2 : (int64_t)(gt_random() >> (64 - z->n + (unsigned)i % (4 * z->K + 4) + 1));
	if (i == 0)
		v = end - 1;
	return v > least ? v < end ? v : end - 1 : least + 1;
}

/* u less z 16^(K-c) in its units is less than 1.5. */
static void
check_top(const struct size *z, int64_t v, int64_t u)
{
	unsigned c = 0;
	while (c < z->K && v >= threshold(z, c))
		c++;
	const __int128 y = (__int128)v << (4 * (z->K - c)), off = ((__int128)u << (z->n - TOP)) - y, most = (__int128)3 << (z->n - TOP - 1);
	if (u < LEAST || u > MOST || off <= -most || off >= most)
		fail_msg("n %u, %u sizes: %lld becomes %lld", z->n, z->K, (long long)v, (long long)u);
}

/* pads: the mask's shares are those of an extension.  bits: these are given out, not the number. */
static void
sizes(const struct size *z, bool pads, bool bits)
{
	struct gt t;
	gt_init(&t, z->n, 0);
	struct gb g = { t.p, NULL };
	int64_t *v = gt_array(ROWS), *got = gt_array((uint64_t)ROWS * z->K);
	const int64_t *in = v;
	for (int i = 0; i < ROWS; i++)
		v[i] = number(z, i);
	struct val *x = gt_input_step(&t, SHAPE(ROWS), pads ? z->n + 1 : z->n, 0), *size;
	if (pads) /* the extension has room for z < 2^(n-1) */
		x = b_reduce(&g, b_open(&g, b_gapext(&g, x, z->n + 2)), z->n);
	struct val *top = b_row_scale(&g, x, z->K, &size);
	const struct node *mul = b_maker(b_maker(top)->in[0]);
	assert_int_equal(mul->step->pad_b, pads ? b_pad_step(x) : 0);
	assert_true(!pads == !mul->step->pad_b);
	gt_output_step(&t, bits ? size : top);
	assert_true(text_passes(t.p));
	gt_schedule(&t);
	gt_run(&t, &in, got);
	for (int i = 0; i < ROWS && !bits; i++)
		check_top(z, v[i], got[i] & 0xffff);
	for (unsigned k = 0; k < z->K && bits; k++)
		for (int i = 0; i < ROWS; i++)
			assert_int_equal(got[(int)k * ROWS + i] & 1, v[i] >= threshold(z, k));
	free(v);
	free(got);
	gt_free(&t);
}

static void
sizes_of_rows(void **state)
{
	(void)state;
	static const struct size z[] = { { 17, 1 }, { 20, 1 }, { 24, 2 }, { 30, 6 }, { 36, 6 }, { 40, 6 }, { 52, 9 }, { 60, 13 } };
	for (size_t k = 0; k < sizeof z / sizeof *z; k++)
		for (int turn = 0; turn < 4; turn++)
			sizes(&z[k], turn & 1, turn & 2);
}

/* ---- norms ------------------------------------------------------------------------------- */

enum { FIRST = 3, PERIOD = 5, COUNT = 25 };  /* 3 + 4 + 5 + 6 + 7 */
static const struct suf_rows ragged = { .count = PERIOD, .first = FIRST, .inc = 1, .period = PERIOD };

/* x sum(x^2) / 2^20 mod 2^40: the sum's low 12 bits go first, the product's low 8 then.  times: a comparison's bit doubles it. */
static struct val *
norm(struct gb *g, struct val *x, bool times)
{
	static const int64_t one = 1, zero = 0;
	struct val *r, *msb, *sum = b_open(g, b_normsq(g, x, &ragged, 59, 1 << 12, 12, 48, &r, &msb));
	struct val *y = b_open(g, b_normmul(g, sum, x, r, msb, &ragged, 8, 40));
	if (!times)
		return y;
	struct val *bit = b_drelu(g, x, x->type.bits, 1, &zero, NULL, "zero");
	return b_open(g, b_bitmul(g, bit, 1, y, 1, &one, 0, 40, "one"));
}

static void
norms(void **state)
{
	(void)state;
	for (int turn = 0; turn < 6; turn++) {
		struct gt t;
		gt_init(&t, 20, 0);
		struct gb g = { t.p, NULL };
		int64_t x[COUNT], got[COUNT];
		const int64_t *in = x;
		const bool times = turn % 2;
		for (int i = 0; i < COUNT; i++)
			x[i] = gt_bits(19);
		gt_output_step(&t, norm(&g, gt_input_step(&t, SHAPE(COUNT), 20, 0), times));
		int products = 0;
		for (const struct node *n = t.p->first; n; n = n->next)
			if (n->step->op == SUF_normmul || n->step->op == SUF_bitmul) { /* masks by pads */
				assert_true(n->step->op == SUF_normmul ? n->step->pad_a : n->step->pad_b);
				products++;
			}
		assert_int_equal(products, times ? 2 : 1);
		assert_true(text_passes(t.p));
		gt_schedule(&t);
		gt_run(&t, &in, got);
		for (int row = 0, at = 0; row < PERIOD; row++) {
			double sum = 1 << 12;
			for (int i = 0; i < FIRST + row; i++)
				sum += (double)x[at + i] * (double)x[at + i];
			for (int i = 0; i < FIRST + row; i++, at++) {
				const int two = times && x[at] >= 0 ? 2 : 1;
				const double want = two * (double)x[at] * sum / (1 << 20), off = (double)got[at] - want, most = two * (1 + (double)(x[at] < 0 ? -x[at] : x[at]) / 256);
				assert_true(off < most && off > -most);
			}
		}
		gt_free(&t);
	}
}

/* ---- refusals ------------------------------------------------------------------------------ */

static struct node *
node_of(struct prog *p, enum suf_op op)
{
	struct node *n = p->first;
	while (n->step->op != op)
		n = n->next;
	return n;
}

#define REFUSED(field, value) \
	do { \
		const struct suf_step kept = *s; \
		s->field = (value); \
		if (text_passes(t.p)) \
			fail_msg("%s = %s passes", #field, #value); \
		*s = kept; \
	} while (0)

static void
wrong_norms(void **state)
{
	(void)state;
	const struct suf_rows fewer = { .count = PERIOD - 1, .first = FIRST, .inc = 1, .period = PERIOD }, other = { .count = PERIOD, .first = FIRST, .inc = 1, .period = 4 };
	const struct suf_rows even = b_rows(COUNT, 1), none = { .count = PERIOD };
	struct gt t;
	gt_init(&t, 20, 0);
	struct gb g = { t.p, NULL };
	gt_output_step(&t, norm(&g, gt_input_step(&t, SHAPE(COUNT), 20, 0), true));
	assert_true(text_passes(t.p));
	struct suf_step *s = node_of(t.p, SUF_normsq)->step;
	REFUSED(s, 17);          /* 65 bits */
	REFUSED(m, 47);
	REFUSED(b, 58);
	REFUSED(b, 60);
	REFUSED(n, 21);
	REFUSED(na, 0);
	REFUSED(na, COUNT - 1);
	REFUSED(count, PERIOD - 1);
	REFUSED(rows, &fewer);
	REFUSED(rows, &other);
	REFUSED(rows, &even);
	REFUSED(rows, &none);
	REFUSED(rows, NULL);
	struct val *shares = node_of(t.p, SUF_normsq)->out[1];
	shares->type.bits = 58;  /* a bit too few for 2 X r */
	REFUSED(b, 58);
	shares->type.bits = 59;
	s = node_of(t.p, SUF_normmul)->step;
	REFUSED(s, 7);
	REFUSED(s, 9);
	REFUSED(n, 47);
	REFUSED(b, 19);
	REFUSED(b, 48);
	REFUSED(na, PERIOD + 1);
	REFUSED(na, 0);
	REFUSED(nb, COUNT - 1);
	REFUSED(count, COUNT - 1);
	REFUSED(pad_a, s->pad_a + 1);
	REFUSED(rows, &fewer);
	REFUSED(rows, &other);
	REFUSED(rows, &even);
	REFUSED(rows, NULL);
	s = node_of(t.p, SUF_bitmul)->step;
	static const int64_t two[2] = { 1, 1 };
	const struct suf_table longer = { "two", 2, two };
	REFUSED(s, 1);
	REFUSED(m, 39);
	REFUSED(n, 2);
	REFUSED(na, 0);
	REFUSED(na, 2 * COUNT);
	REFUSED(count, COUNT - 1);
	REFUSED(pad_b, 1);
	REFUSED(table, &longer);
	REFUSED(table, NULL);
	gt_free(&t);
}

/* Squares in a small ring ask for few bits of the shares, a product may ask for more. */
static void
narrow_shares(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, 20, 0);
	struct gb g = { t.p, NULL };
	struct val *x = gt_input_step(&t, SHAPE(COUNT), 20, 0), *rho = gt_input_step(&t, SHAPE(PERIOD), 40, 0), *r, *msb;
	b_normsq(&g, x, &ragged, 40, 0, 0, 30, &r, &msb);
	gt_output_step(&t, b_open(&g, b_normmul(&g, rho, x, r, msb, &ragged, 8, 32)));
	assert_true(text_passes(t.p));
	struct suf_step *s = node_of(t.p, SUF_normsq)->step;
	r->type.bits = s->b = 39;
	msb->type.bits = 19;
	assert_false(text_passes(t.p));
	gt_free(&t);
}

/* The shares of masks that a product takes are those that the squares of this very x handed on, in their order. */
static void
wrong_shares(void **state)
{
	(void)state;
	for (int turn = 0; turn < 4; turn++) {
		struct gt t;
		gt_init(&t, 20, 0);
		struct gb g = { t.p, NULL };
		struct val *x = gt_input_step(&t, SHAPE(COUNT), 20, 0), *other = gt_input_step(&t, SHAPE(COUNT), 20, 0), *r[2], *msb[2];
		struct val *sum = b_open(&g, b_normsq(&g, x, &ragged, 59, 0, 12, 48, &r[0], &msb[0]));
		b_open(&g, b_normsq(&g, other, &ragged, 59, 0, 12, 48, &r[1], &msb[1]));
		gt_output_step(&t, b_open(&g, b_normmul(&g, sum, x, r[turn == 1], msb[turn == 2], &ragged, 8, 40)));
		struct node *n = node_of(t.p, SUF_normmul);
		if (turn == 3)
			ir_set_in(t.p, n, 3, r[0]); /* wide enough, but not the top bits */
		assert_int_equal(text_passes(t.p), turn == 0);
		gt_free(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_of_rows), cmocka_unit_test(norms), cmocka_unit_test(wrong_norms), cmocka_unit_test(narrow_shares), cmocka_unit_test(wrong_shares)
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
