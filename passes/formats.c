/* SPDX-License-Identifier: Apache-2.0
 * formats.c -- widths that follow from ranges; see formats.h. */
#include <math.h>
#include "passes/formats.h"
#include "passes/gate/suf_rows.h"
#include "passes/range.h"

enum { WIDEST = 64, ULPS = 4, SUM_BITS = 11, MULTIPLIER = 10, SPARE_NATS = 1, SUM_MARGIN = 4, WINDOW = 256 /* nats */, MAX_FRAC = 2, MOST_CELL = 32 /* nats: the public multiplier is a word */,
       MOST_CELL_BITS = 16 /* of step exps */ };

static unsigned
log2_up(double v)
{
	return v <= 1 ? 0 : (unsigned)ceil(log2(v));
}

unsigned
format_bits(const struct val *v, unsigned spare)
{
	const double most = range_max(v) * ldexp(1, v->type.frac) + ULPS;
	if (v->from == RANGE_NONE || !isfinite(most))
		return WIDEST;
	const unsigned n = log2_up(most + 1) + 1 + spare;
	return n < WIDEST ? n : WIDEST;
}

uint64_t
format_row(const struct node *n)
{
	const struct val *x = n->in[0];
	if (n->op == OP_softmax_tril)
		return (uint64_t)(ir_int(n, ATTR_rows) + ir_int_or(n, ATTR_past, 0));
	const int64_t axis = ir_int(n, ATTR_axis);
	return (uint64_t)x->dim[axis < 0 ? axis + x->rank : axis];
}

/* Tables for one choice of cells; the bits of both keys for a score, 0 if they cannot cover the range. */
static double
plan_tables(struct soft_plan *p, double lo, double hi, unsigned f, unsigned p_frac, unsigned p_bits)
{
	const double rows = log((double)p->longest), ulp = ldexp(1, -(int)f);
	const double from[2] = { lo - SPARE_NATS * 0.5, lo - hi - rows - SPARE_NATS }, to[2] = { hi + SPARE_NATS * 0.5, SPARE_NATS };
	double bits = 0;
	for (int k = 0; k < 2; k++) {
		const double cell = ldexp(1, (int)p->n - (int)p->cells[k]) * ulp;
		if (p->n - p->cells[k] > MOST_CELL_BITS || cell > MOST_CELL || to[k] - from[k] > (ldexp(1, (int)p->cells[k]) - 1) * cell - 2 * ulp)
			return 0;
		p->origin[k] = (int64_t)floor(from[k] / ulp);
		const unsigned room = k ? p_frac + 2 : p->frac + (log2_up((double)p->longest) + 1) / 2 + 2;
		p->b[k] = room + (unsigned)ceil(cell / M_LN2);
		const unsigned entry = p->a + p->b[k] + (k ? p_bits - p_frac : p->sum - p->frac);
		if (entry > 190)
			return 0;
		bits += ldexp(entry, (int)p->cells[k]);
	}
	return bits;
}

/* The sum of a row: its fraction bits, ring and sizes; false: too many. */
static bool
plan_sum(const struct val *x, struct soft_plan *p)
{
	if (x->from == RANGE_NONE || !(x->lo <= x->hi) || x->hi - x->lo > WINDOW)
		return false;
	/* at least e^lo, or what is known of rows, at most longest e^hi */
	const double lowest = x->has_row_max ? fmax(x->lo, x->row_max) : x->lo;
	const double least = lowest / M_LN2, most = x->hi / M_LN2 + log2((double)p->longest);
	p->frac = least < SUM_BITS ? (unsigned)ceil(SUM_BITS - least) : 0;
	p->sum = p->frac + (unsigned)ceil(fmax(most, 0)) + 2;
	if (p->sum < 20)
		p->sum = 20;
	p->thresholds = (p->sum - 16 + 3) / 4;
	return p->sum < WIDEST;
}

/* Scores less the maximum of their row, which is known to one unit of MAX_FRAC fraction bits. */
static struct val
less_maximum(const struct val *x)
{
	const double unit = ldexp(1, -MAX_FRAC);
	struct val t = *x;
	t.lo = x->lo - x->hi - unit;
	t.hi = unit;
	t.row_max = -unit;
	t.has_row_max = true;
	return t;
}

/* The cheapest widths for t = x, with f fraction bits; p has what does not depend on them. */
static struct soft_plan
plan_widths(const struct val *x, unsigned f, struct soft_plan p, unsigned p_frac, unsigned p_bits)
{
	struct soft_plan best = { .longest = p.longest };
	double least_cost = INFINITY;
	if (!plan_sum(x, &p))
		return best;
	for (p.n = f + (p.by_maximum ? log2_up(x->hi - x->lo) + 1 : 2); p.n <= f + 9; p.n++)
		for (p.cells[0] = 1; p.cells[0] <= 5; p.cells[0]++)
			for (p.cells[1] = 1; p.cells[1] <= 5; p.cells[1]++) {
				const double key = plan_tables(&p, x->lo, x->hi, f, p_frac, p_bits), cost = key / 2 + 8 * p.n;
				if (key == 0 || cost >= least_cost)
					continue;
				least_cost = cost;
				best = p;
			}
	return best;
}

static struct soft_plan
plan(const struct val *x, unsigned f, uint64_t longest, unsigned p_frac, unsigned p_bits)
{
	struct soft_plan p = { .longest = longest, .a = MULTIPLIER, .possible = true };
	const struct soft_plan direct = plan_widths(x, f, p, p_frac, p_bits);
	const struct val t = less_maximum(x);
	p.by_maximum = true;
	p.drop = f > MAX_FRAC ? f - MAX_FRAC : 0;
	return direct.possible ? direct : plan_widths(&t, f, p, p_frac, p_bits);
}

bool
format_soft(const struct val *x, unsigned frac, uint64_t longest)
{
	enum { P_FRAC = 20, P_BITS = 40 }; /* at most: entries of the second table are far below their limit */
	return plan(x, frac, longest, P_FRAC, P_BITS).possible;
}

struct soft_plan
format_softmax(const struct val *x, uint64_t longest, unsigned p_frac, unsigned p_bits)
{
	return plan(x, x->type.frac, longest, p_frac, p_bits);
}

/* The row's sum, which the mean is made of, fits the ring of x itself. */
static unsigned
norm_bits(const struct node *n)
{
	const struct val *x = n->in[0];
	const unsigned own = format_bits(x, 1);
	if (n->op != OP_layernorm || x->norm < 0 || own == WIDEST)
		return own;
	double sum = fmin(range_max(x) * (double)range_last(x), x->norm * sqrt((double)range_last(x)));
	if (x->row_sum > 0)
		sum = fmin(sum, SUM_MARGIN * x->row_sum + 1);
	const unsigned bits = log2_up(sum * ldexp(1, x->type.frac) + 2 * (double)range_last(x) + 1) + 2;
	return bits > own ? bits : own;
}

/* x stays below the last cell of 1/8 of the range, which is a guard. */
static unsigned
act_bits(const struct val *x)
{
	struct val wider = *x;
	wider.lo -= 0.25;
	wider.hi += 0.25;
	return format_bits(&wider, 1);
}

unsigned
format_operand(const struct node *n, int k)
{
	const struct val *x = n->in[k], *out = n->out[0];
	unsigned bits;
	switch (n->op) {
	case OP_softmax: case OP_softmax_tril: {
		const struct soft_plan p = format_softmax(x, format_row(n), out->type.frac, out->type.bits);
		return p.possible ? p.n : format_bits(x, 1);
	}
	case OP_layernorm: case OP_rmsnorm: return k ? out->type.bits + n->in[1]->type.frac : norm_bits(n);
	case OP_gelu: case OP_silu: case OP_tanh: case OP_sigmoid: case OP_erf: case OP_act: return act_bits(x);
	case OP_relu:
		bits = format_bits(x, 1);
		return bits > out->type.bits ? bits : out->type.bits;
	case OP_argmax: return format_bits(x, 1);
	case OP_rescale:
		bits = out->type.bits + (unsigned)ir_int(n, ATTR_shift);
		return bits < WIDEST ? bits : WIDEST;
	case OP_scale: {
		const double c = fabs(ir_f64(n, ATTR_factor));
		int e;
		return frexp(c, &e) == 0.5 && e >= 1 && (unsigned)e <= out->type.bits ? out->type.bits - (unsigned)(e - 1) : out->type.bits;
	}
	case OP_widen: return x->type.bits;
	default: return out->type.bits;  /* products, sums, layout: modulo the result's ring */
	}
}

unsigned
format_result(const struct node *n)
{
	if ((n->op != OP_softmax && n->op != OP_softmax_tril) || format_soft(n->in[0], n->in[0]->type.frac, format_row(n)))
		return 0;
	return FORMAT_TREE + reciprocal_frac(format_row(n)) + 2;
}
