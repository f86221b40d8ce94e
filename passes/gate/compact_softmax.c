/* SPDX-License-Identifier: Apache-2.0
 * compact_softmax.c -- softmax by one-time tables: P = e^(t - L), L = ln sum e^t over the row, of the public masked score t, or
 * where the sum would need too wide a ring, of the score less its row's maximum (docs/compact.md, softmax).  The maximum need not be
 * exact, any t close to 0 will do: the tree compares few bits.  format_softmax() says whether the range of scores allows it, and all
 * widths; otherwise the softmax of the set `suf`, which takes any scores.
 *
 * Opened, each under its own pads: with a maximum, for each comparison a bit and the larger value; the row's sum of
 * exponentials; the bits of its size, its normalised top 16 bits, the three words of the logarithm's pieces, the logarithm;
 * every result.
 * Condition: scores stay in their range; a score outside spoils its row.
 */
#include <math.h>
#include "passes/formats.h"
#include "passes/gate/build.h"
#include "passes/gate/compact.h"
#include "passes/gate/compact_cells.h"
#include "passes/range.h"

enum { LOG_FRAC = 24, INDEX_BITS = 8, CELL = 8 };

static double
natural_log(double u, void *arg)
{
	(void)arg;
	return log(u > 0.5 ? u : 0.5);
}

/* L of each row, n bits with f fraction bits, opened; z: the row's sum with p->frac fraction bits. */
static struct val *
logarithm(struct gb *g, struct val *z, const struct soft_plan *p, unsigned f)
{
	const unsigned K = p->thresholds, m = p->n + LOG_FRAC - f;
	struct val *bits, *top = b_row_scale(g, z, K, &bits);
	const struct cell_fn fn = { .fn = natural_log, .step = 1, .b = INDEX_BITS, .first = 8, .last = 129 };
	const struct suf_table *t = b_cell_table(g, "log", &fn, CELL, LOG_FRAC, 0x1p-12);
	if (!t)
		return NULL;
	struct val *mantissa = b_cells(g, top, t, INDEX_BITS, CELL, 0, 0, m);
	int64_t *step = b_words(g, K);
	for (unsigned k = 0; k < K; k++)
		step[k] = llround(4 * M_LN2 * ldexp(1, LOG_FRAC));
	const double shift = ((double)p->sum - CELL - 4.0 * K - p->frac) * M_LN2;
	struct val *size = b_bitdot(g, bits, K, llround(shift * ldexp(1, LOG_FRAC)), m, step, arena_printf(g->p->arena, "log_steps_%u", K));
	return b_open_narrow(g, b_lin(g, 1, mantissa, 1, size, 0, m, NULL), LOG_FRAC - f, p->n);
}

/* x less the maximum of its row, off by less than 2^drop, in the ring of x.  |x_i - x_j| < 2^(n-1) - 2^drop within a row. */
static struct val *
less_maximum(struct gb *g, struct val *x, const struct suf_rows *rows, unsigned drop)
{
	const unsigned n = x->type.bits, k = n - drop;
	struct val *most = b_row_max(g, b_shift(g, x, drop, k), rows, k);
	return b_row_lin(g, 1, x, -1, b_lin(g, INT64_C(1) << drop, most, 0, NULL, 0, n, NULL), rows);
}

static struct val *
softmax(struct gb *g, struct val *x, const struct suf_rows *rows, const struct soft_plan *p)
{
	const struct val *out = g->at->out[0];
	const unsigned f = g->at->in[0]->type.frac, pf = out->type.frac;
	struct val *t = b_reduce(g, x, p->n);
	if (p->by_maximum)
		t = less_maximum(g, t, rows, p->drop);
	struct val *sum = b_open(g, b_exps(g, t, rows, f, p->cells[0], p->origin[0], p->a, p->b[0], p->a + p->b[0] - p->frac, p->sum));
	struct val *l = logarithm(g, sum, p, f);
	if (!l)
		return NULL;
	struct val *u = b_row_lin(g, 1, t, -1, l, rows);
	return b_open(g, b_exps(g, u, NULL, f, p->cells[1], p->origin[1], p->a, p->b[1], p->a + p->b[1] - pf, out->type.bits));
}

bool
expand_compact_softmax(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	const struct soft_plan plan = format_softmax(n->in[0], format_row(n), n->out[0]->type.frac, n->out[0]->type.bits);
	if (!plan.possible)
		return expand_suf_softmax(p, n);
	const int64_t axis = ir_int(n, ATTR_axis);
	struct val *x = b_axis_last(&g, n->in[0], axis);
	const struct suf_rows rows = b_rows(b_count(x) / plan.longest, plan.longest);
	struct val *y = softmax(&g, x, &rows, &plan);
	return y && b_done(&g, b_axis_back(&g, y, n->in[0], axis));
}

bool
expand_compact_softmax_tril(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0];
	const struct soft_plan plan = format_softmax(x, format_row(n), n->out[0]->type.frac, n->out[0]->type.bits);
	if (!plan.possible)
		return expand_suf_softmax_tril(p, n);
	const uint64_t rows = (uint64_t)ir_int(n, ATTR_rows), past = (uint64_t)ir_int_or(n, ATTR_past, 0);
	const uint64_t packed = rows * (past + 1) + rows * (rows - 1) / 2;
	const struct suf_rows at = b_tril_rows(b_count(x) / packed * rows, rows, past);
	struct val *y = softmax(&g, x, &at, &plan);
	return y && b_done(&g, y);
}
