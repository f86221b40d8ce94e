/* SPDX-License-Identifier: Apache-2.0
 * softmax.c -- softmax of rows, dense or ragged: maximum by a tree, exponential
 * of max - x from two tables, sum, reciprocal by a table, product.
 * SIGMA (eprint 2023/1269), section 5.3; widths as there: x of w bits, differences
 * compared on w+1 bits, the exponent clipped on w+2.
 *
 * Opened, each under its own pad: per comparison a bit and the new maximum; the
 * clip's bit and the clipped exponent; its high part (borrow bit, value); the
 * table outputs; products and their truncations; per row the truncated sum.
 */
#include <math.h>
#include "passes/gate/build.h"

unsigned
b_max_ring(const struct val *x)
{
	unsigned w = b_width(x) + 2, n = x->type.bits;
	return w < n ? w : n;
}

/* Each level: y_j = x_2j + [x_2j+1 - x_2j >= 0] (x_2j+1 - x_2j). */
struct val *
b_row_max(struct gb *g, struct val *x, const struct suf_rows *rows, unsigned diff_bits)
{
	struct suf_rows at = *rows;
	while (suf_rows_total(&at) > at.count) {
		struct suf_rows next = at;
		next.level++;
		struct suf_step diff = { .op = SUF_row_diff, .count = suf_rows_total(&at) - suf_rows_total(&next), .na = b_count(x),
		                         .n = x->type.bits, .m = x->type.bits, .rows = &at };
		struct val *d = b_step(g, diff, SEC_MASKED, 1, &x);
		struct val *in[2] = { x, b_open(g, b_select(g, b_sign(g, d, diff_bits, 0), d, x->type.bits)) };
		struct suf_step up = { .op = SUF_row_next, .count = suf_rows_total(&next), .na = b_count(x), .nb = b_count(d),
		                       .n = x->type.bits, .m = x->type.bits, .rows = &at };
		x = b_step(g, up, SEC_MASKED, 2, in);
		at = next;
	}
	return x;
}

/* min(z, 2^p - 1) of z >= 0, on p bits: [z < limit] (z - limit) + limit */
static struct val *
clip(struct gb *g, struct val *z, unsigned p)
{
	const int64_t limit = (INT64_C(1) << p) - 1;
	struct val *below = b_lin(g, 1, b_sign(g, z, z->type.bits, limit), 0, NULL, 1, 1, NULL);
	struct val *c = b_select(g, below, b_lin(g, 1, z, 0, NULL, -limit, p, NULL), p);
	return b_open(g, b_lin(g, 1, c, 0, NULL, limit, p, NULL));
}

/* floor(2^f e^(-i 2^-scale)) for i < 2^b */
static const struct suf_table *
exp_table(struct gb *g, const char *part, unsigned b, int scale, unsigned f)
{
	int64_t *t = b_words(g, 1u << b);
	for (uint32_t i = 0; i < 1u << b; i++)
		t[i] = (int64_t)(exp(-ldexp(i, -scale)) * ldexp(1, (int)f));
	return b_table(g, arena_printf(g->p->arena, "exp_%s_f%u", part, f), 1u << b, t);
}

/* e^-z of z >= 0 with f fraction bits, clipped at 16 - 2^-f: e^-(high) e^-(low).
 * Up to f = 9 one table does. */
static struct val *
neg_exp(struct gb *g, struct val *z, unsigned n, unsigned f)
{
	const unsigned p = f + 4, low = p - 8 > 7 ? p - 8 : 7, high = p - low;
	struct val *c = clip(g, z, p);
	if (p < 14)
		return b_open(g, b_lut(g, c, p, n, exp_table(g, "all", p, (int)f, f)));
	struct val *lo = b_lut(g, c, low, n, exp_table(g, "low", low, (int)f, f));
	struct val *top = b_trunc_reduce(g, c, low, high);
	struct val *hi = b_lut(g, top, high, n, exp_table(g, "high", high, (int)(f - low), f));
	struct val *both = b_mul(g, b_open(g, hi), b_open(g, lo), NULL);
	return b_trunc_slack(g, b_open(g, both), f, n); /* < 2^(2f+1) */
}

/* 1/sum from the index i = sum >> (f-6) on q bits, 64 <= i <= 2^q; T[0] stands for 2^q. */
static struct val *
reciprocal(struct gb *g, struct val *sum, uint64_t longest, unsigned n, unsigned f)
{
	unsigned q = 6;
	while ((1ull << (q - 6)) < longest || q < 7)
		q++;
	if (q > 24)
		BUG("softmax over %llu elements", (unsigned long long)longest);
	struct val *i = b_trunc_reduce(g, sum, f - 6, q);
	int64_t *t = b_words(g, 1u << q);
	for (uint32_t k = 0; k < 1u << q; k++)
		t[k] = (int64_t)(ldexp(1, (int)f + 6) / (k ? k : (double)(1u << q)));
	const char *name = arena_printf(g->p->arena, "reciprocal_q%u_f%u", q, f);
	return b_open(g, b_lut(g, i, q, n, b_table(g, name, 1u << q, t)));
}

struct val *
gate_softmax(struct gb *g, struct val *x, const struct suf_rows *rows)
{
	const unsigned n = x->type.bits, f = g->at->in[0]->type.frac, w = b_max_ring(x);
	if (f < 7 || f > 16 || g->at->out[0]->type.frac != f)
		BUG("'%s': softmax with %u fraction bits", x->name, f);
	if (n < 2 * f + 4) {
		b_ring_error(g, 2 * f + 4);
		return NULL;
	}
	const uint64_t longest = rows->first + (uint64_t)rows->inc * (rows->period - 1);
	struct val *xw = b_reduce(g, x, w);
	struct val *most = b_row_max(g, xw, rows, w < n ? w - 1 : w);
	struct val *e = neg_exp(g, b_row_lin(g, -1, xw, 1, most, rows), n, f);
	struct val *inv = reciprocal(g, b_row_sum(g, e, rows), longest, n, f);
	struct val *prod = b_open(g, b_mul_rows(g, e, inv, rows));
	return b_trunc_slack(g, prod, f, n); /* <= 2^(2f) */
}

bool
expand_sigma_softmax(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0];
	const int64_t axis = ir_int(n, ATTR_axis);
	const uint64_t len = (uint64_t)x->dim[axis < 0 ? axis + x->rank : axis];
	const struct suf_rows rows = b_rows(b_count(x) / len, len);
	struct val *y = gate_softmax(&g, b_axis_last(&g, x, axis), &rows);
	return y && b_done(&g, b_axis_back(&g, y, x, axis));
}
