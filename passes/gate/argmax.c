/* SPDX-License-Identifier: Apache-2.0
 * argmax.c -- index of the first maximum along an axis: a tournament on
 * (value, index) pairs.  A later element wins only if it is larger by at least 1.
 * DReLU and select of SIGMA (eprint 2023/1269), section 4.3.
 * Opened, each under its own pad: per comparison a bit, the winner's value and index.
 * Condition: differences fit, which holds for values of at most n-1 bits.
 */
#include "passes/gate/build.h"

/* The constant 0, 1, 2 .. along rows, as a wire with mask 0 */
static struct val *
indices(struct gb *g, struct val *x, const struct suf_rows *rows, unsigned bits)
{
	const uint32_t len = rows->first;
	int64_t *iota = b_words(g, len);
	for (uint32_t i = 0; i < len; i++)
		iota[i] = i;
	const int64_t dim[2] = { (int64_t)rows->count, len }, s[2] = { len, 1 }, sb[2] = { 0, 1 };
	const struct suf_map map = b_map(2, dim, s, s, sb);
	struct val *zero = b_lin(g, 0, x, 0, NULL, 0, bits, NULL);
	return b_addc(g, zero, b_table(g, arena_printf(g->p->arena, "iota_%u", len), len, iota), bits, &map);
}

static struct val *
row_step(struct gb *g, enum suf_op op, struct val *a, struct val *b, const struct suf_rows *at, uint64_t count)
{
	struct val *in[2] = { a, b };
	struct suf_step st = { .op = op, .count = count, .na = b_count(a), .nb = b ? b_count(b) : 0, .n = a->type.bits, .m = a->type.bits, .rows = at };
	return b_step(g, st, SEC_MASKED, b ? 2 : 1, in);
}

bool
expand_sigma_argmax(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	const int64_t axis = ir_int(n, ATTR_axis), rank = n->in[0]->rank;
	const uint64_t len = (uint64_t)n->in[0]->dim[axis < 0 ? axis + rank : axis];
	struct val *x = b_axis_last(&g, n->in[0], axis); /* rows in the order of the output */
	struct suf_rows at = b_rows(b_count(x) / len, len);
	const unsigned w = b_max_ring(x), cmp = w < x->type.bits ? w - 1 : w, bits = n->out[0]->type.bits;
	struct val *v = b_reduce(&g, x, w), *index = indices(&g, x, &at, bits);
	while (suf_rows_total(&at) > at.count) {
		struct suf_rows up = at;
		up.level++;
		const uint64_t all = suf_rows_total(&up), pairs = suf_rows_total(&at) - all;
		struct val *dv = row_step(&g, SUF_row_diff, v, NULL, &at, pairs), *di = row_step(&g, SUF_row_diff, index, NULL, &at, pairs);
		struct val *right = b_sign(&g, dv, cmp, 1);
		struct val *sv = b_open(&g, b_select(&g, right, dv, w)), *si = b_open(&g, b_select(&g, right, di, bits));
		v = row_step(&g, SUF_row_next, v, sv, &at, all);
		index = row_step(&g, SUF_row_next, index, si, &at, all);
		at = up;
	}
	return b_done(&g, index);
}
