/* SPDX-License-Identifier: Apache-2.0
 * suf_softmax.c -- softmax of rows that need not be truncated before, alone or with the product behind it
 * (after SUF: the exponential is a table gate of the public masked difference; attention normalised last).
 *
 *     z = max - x        free once the tree of maxima is open
 *     e = e^-z           descriptor `exp`, opened once, in the ring of what follows
 *     S = sum of e       free; 1/S by pieces (suf_rows.c)
 *     softmax_pv: O' = e V opened once, O = (O' >> f) (1/S) >> row on the few elements of a row of O;
 *     softmax:    e (1/S) >> row on every score.
 *
 * Opened, each under its own pad: per comparison a bit and the new maximum; what the table gate opens (suf_act.c), e; per
 * row what the reciprocal opens; O' and its borrow bit (or e / S), the product, its borrow bit, the result.
 * Conditions: |x| < 2^(w-2) for the known range of scores, else for their ring; e V as pass fuse_pv has it.
 */
#include <math.h>
#include "passes/descriptor.h"
#include "passes/gate/build.h"
#include "passes/gate/suf_rows.h"
#include "passes/range.h"

/* One softmax under expansion: scores x in w bits with s fraction bits more than f; 1/S gets `row` fraction bits. */
struct soft { struct gb *g; struct suf_rows rows; uint64_t longest; unsigned f, s, w, row; };

/* Bits w with |x| < 2^(w-2): from the range of the scores, if the width of the ring was not given.  The table of e^-z ends at
 * z = 8, with which z has to be compared. */
static unsigned
score_bits(const struct gb *g, const struct val *x)
{
	const bool given = g->p->opt && g->p->opt->ring_bits;
	int e;
	if (given || x->from == RANGE_NONE || !(x->lo <= x->hi))
		return x->type.bits;
	frexp(range_max(x) * 1.02, &e); /* < 2^e, rounding included */
	const int w = x->type.frac + (e > 4 ? e : 4) + 2;
	return w < x->type.bits ? (unsigned)w : x->type.bits;
}

static unsigned
log2_ceil(uint64_t v)
{
	unsigned k = 0;
	while (1ull << k < v)
		k++;
	return k;
}

/* Rows of x, packed (attribute rows) or along the last axis. */
static struct soft
soft_of(struct gb *g, struct val *x, unsigned f)
{
	struct soft t = { .g = g, .f = f, .s = (unsigned)ir_int_or(g->at, ATTR_shift, 0), .w = score_bits(g, x) };
	if (ir_has(g->at, ATTR_rows)) {
		const uint64_t rows = (uint64_t)ir_int(g->at, ATTR_rows), past = (uint64_t)ir_int_or(g->at, ATTR_past, 0);
		const uint64_t packed = rows * (past + 1) + rows * (rows - 1) / 2;
		t.rows = b_tril_rows(b_count(x) / packed * rows, rows, past);
		t.longest = past + rows;
	} else {
		t.longest = (uint64_t)x->dim[x->rank - 1];
		t.rows = b_rows(b_count(x) / t.longest, t.longest);
	}
	t.row = reciprocal_frac(t.longest);
	return t;
}

/* e^-(max - x) in a ring of m bits, opened. */
static struct val *
exponentials(const struct soft *t, struct val *x, unsigned m)
{
	struct gb *g = t->g;
	struct val *narrow = b_reduce(g, x, t->w);
	struct val *most = b_row_max(g, narrow, &t->rows, t->w);
	struct val *z = b_row_lin(g, -1, narrow, 1, most, &t->rows);
	const struct descriptor *d = desc_builtin_get(g->p->arena, "exp", t->f + t->s, t->f);
	return gate_descriptor(g, z, d, t->f + t->s, m);
}

/* 2^row / sum of e, m bits, opened; one for each row. */
static struct val *
row_factors(const struct soft *t, struct val *e, unsigned m)
{
	const unsigned bits = t->f + log2_ceil(t->longest) + 3;
	struct val *sum = b_row_sum(t->g, e, &t->rows);
	return b_reciprocal_row(t->g, bits < e->type.bits ? b_reduce(t->g, sum, bits) : sum, t->longest, t->f, t->row, m);
}

static bool
softmax(struct gb *g)
{
	struct node *n = g->at;
	const struct val *out = n->out[0];
	const bool packed = ir_has(n, ATTR_rows);
	const int64_t axis = packed ? -1 : ir_int(n, ATTR_axis);
	struct val *x = packed ? n->in[0] : b_axis_last(g, n->in[0], axis);
	const struct soft t = soft_of(g, x, out->type.frac);
	const unsigned m = out->type.bits;
	if (m < t.f + t.row + 2)
		return b_ring_error(g, t.f + t.row + 2);
	struct val *e = exponentials(&t, x, m);
	if (!e)
		return false;
	struct val *p = b_open(g, b_mul_rows(g, e, row_factors(&t, e, m), &t.rows));
	p = b_trunc_slack(g, p, t.row, m);
	return b_done(g, packed ? p : b_axis_back(g, p, n->in[0], axis));
}

bool
expand_suf_softmax(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return softmax(&g);
}

bool
expand_suf_softmax_tril(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return softmax(&g);
}

/* e V for each matrix of the batch, opened; v [.., columns, width].  It counts as the product that it is. */
static struct val *
weighted(const struct soft *t, struct val *e, struct val *v)
{
	struct gb *g = t->g;
	const char *klass = g->at->klass;
	g->at->klass = "matmul";
	const uint32_t cols = (uint32_t)v->dim[v->rank - 2], width = (uint32_t)v->dim[v->rank - 1];
	if (t->rows.inc) {
		struct suf_step st = { .op = SUF_untril, .count = t->rows.count * cols, .na = b_count(e), .n = e->type.bits, .m = e->type.bits,
		                       .rows = &t->rows, .c = cols };
		e = b_step(g, st, SEC_MASKED, 1, &e);
	}
	const uint32_t batch = (uint32_t)(b_count(v) / ((uint64_t)cols * width)), rows = (uint32_t)(t->rows.count / batch);
	const struct suf_mm mm = { .batch = batch, .bh = batch, .rows = rows, .inner = cols, .cols = width,
	                           .sa = { 0, (int64_t)rows * cols, cols, 1 }, .sb = { 0, (int64_t)cols * width, width, 1 } };
	struct val *sum = b_open(g, b_matmul(g, e, v, NULL, &mm));
	g->at->klass = klass;
	return sum;
}

bool
expand_suf_softmax_pv(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0], *v = n->in[1];
	const struct val *out = n->out[0];
	const struct soft t = soft_of(&g, x, v->type.frac);
	const unsigned bits = v->type.bits, integer = bits - 2 * t.f - log2_ceil(t.longest) - 2, m = t.f + t.row + integer + 2;
	struct val *e = exponentials(&t, x, bits);
	if (!e)
		return false;
	struct val *factor = row_factors(&t, e, m);
	struct val *sum = weighted(&t, e, v);
	const struct suf_rows rows = b_rows(t.rows.count, b_count(sum) / t.rows.count);
	struct val *o = b_open(&g, b_shift_mul(&g, sum, b_carry(&g, sum, t.f), t.f, factor, m, &rows));
	return b_done(&g, b_trunc_slack(&g, o, t.row, out->type.bits));
}
