/* SPDX-License-Identifier: Apache-2.0
 * range_mask.c -- masks as deep as the scores that they hide ask for.
 *
 * A hidden score s + mask must lie 16 below the largest visible one to vanish in the exponential: mask <= -(2 max|s| + 16).
 * fuse_mask writes MASK_SECRET and MASK_PUBLIC, enough for usual scores; where the bound of the scores is larger, the mask is
 * made deeper by a power of two.  Where values may have formats of their own, every bit of masked scores is paid for and
 * tables of exponentials have to cover them: all masks get the depth that the widest scores need, no more.
 */
#include <math.h>
#include "passes/passes.h"
#include "passes/range.h"

enum { VANISHES = 16, LOOKS = 1000 };

/* Through layout, to where the elements come from */
static const struct node *origin(const struct val *v)
{
	while (v->def && (v->def->op == OP_reshape || v->def->op == OP_transpose || v->def->op == OP_slice || v->def->op == OP_expand ||
	                  v->def->op == OP_gather || v->def->op == OP_tril || v->def->op == OP_concat))
		v = v->def->in[0];
	return v->def;
}

static bool is_secret_mask(const struct val *v)
{
	const struct node *n = origin(v);
	const double factor = n && n->op == OP_scale ? fabs(ir_f64(n, ATTR_factor)) : 0;
	return factor >= fabs(MASK_SECRET) && v->from != RANGE_NONE && fmax(fabs(v->lo), fabs(v->hi)) <= 1.001 * factor && fmin(fabs(v->lo), fabs(v->hi)) == 0;
}

static bool is_public_mask(const struct val *v)
{
	return v->data && v->type.sec == SEC_PUBLIC && v->lo <= MASK_PUBLIC && v->hi == 0;
}

static bool is_mask(const struct val *v) { return is_secret_mask(v) || is_public_mask(v); }

bool range_is_masked(const struct val *v)
{
	const struct node *n = v->def;
	return is_secret_mask(v) || (n && n->op == OP_add && (is_mask(n->in[0]) || is_mask(n->in[1])));
}

/* ---- before ranges are known: by the number that fuse_mask gave ------------------------------------- */

static bool is_fused_depth(double factor) { return fabs(factor) == fabs(MASK_SECRET); }

static bool makes_mask(const struct node *n) { return n && n->op == OP_scale && is_fused_depth(ir_f64(n, ATTR_factor)); }

/* What x is made from by layout, casts, signs and constant operands; NULL: by something else. */
static struct val *made_from(const struct val *x)
{
	const struct node *n = x->def;
	switch (n ? n->op : OP_matmul) {
	case OP_reshape: case OP_transpose: case OP_slice: case OP_expand: case OP_gather: case OP_cast: case OP_neg: return n->in[0];
	case OP_add: case OP_sub: case OP_mul: return n->in[n->in[0]->data != NULL];
	default: return NULL;
	}
}

/* The operand of the sum v that is neither a mask nor a constant, if the other is; else NULL. */
static struct val *unmasked(const struct val *v)
{
	const struct node *n = v->def;
	for (int k = 0; n && n->op == OP_add && k < 2; k++)
		if (n->in[1 - k]->data || makes_mask(origin(n->in[1 - k])))
			return n->in[k];
	return NULL;
}

static void mark_scores(struct val *v)
{
	struct val *score;
	for (v->is_score = true; (score = unmasked(v)); v = score)
		score->is_score = true;
	if (v->def && v->def->op == OP_tril)
		v->def->in[0]->is_score = true;
}

void ranges_mark(struct prog *p)
{
	for (struct node *n = p->first; n; n = n->next) {
		for (struct val *v = makes_mask(n) ? n->in[0] : NULL; v; v = made_from(v))
			v->is_masked = true;
		if (n->op == OP_softmax || n->op == OP_softmax_tril)
			mark_scores(n->in[0]);
	}
}

/* ---- after --------------------------------------------------------------------------------------------- */

/* The node whose factor is the depth of the secret mask v, once is_masked is set. */
static struct node *mask_scale(const struct val *v)
{
	const struct node *n = v->is_masked ? origin(v) : NULL;
	return n && n->op == OP_scale ? n->out[0]->def : NULL;
}

static bool is_masked_const(const struct val *v) { return v->data && v->is_masked; }

static void mark(struct prog *p)
{
	for (int k = 0; k < p->nvals; k++)
		p->vals[k]->is_masked |= is_mask(p->vals[k]);
	for (struct node *n = p->first; n; n = n->next)
		if (n->op == OP_add)
			n->out[0]->is_masked |= n->in[0]->is_masked || n->in[1]->is_masked;
}

/* Bounds of what is added up to v, without the masks; infinite: unknown.  looks: how many sums may still be taken apart. */
static struct range scores(const struct val *v, int *looks)
{
	if (is_masked_const(v) || mask_scale(v))
		return (struct range){ 0, 0, -1 };
	if (v->def && v->def->op == OP_add && --*looks > 0) {
		const struct range a = scores(v->def->in[0], looks), b = scores(v->def->in[1], looks);
		return (struct range){ a.lo + b.lo, a.hi + b.hi, -1 };
	}
	return v->from == RANGE_NONE ? (struct range){ -INFINITY, INFINITY, -1 } : (struct range){ v->lo, v->hi, -1 };
}

static double depth_for(struct range s) { return 2 * fmax(-s.lo, s.hi) + VANISHES; }

/* A mask of depth `have` gets the factor: to `need` itself if it may become less deep (fit), else by powers of two. */
static double factor_for(double have, double need, bool fit)
{
	double by = fit ? need / have : 1;
	while (!fit && have * by < need)
		by *= 2;
	return by;
}

static bool deepen_const(struct prog *p, struct node *add, int k, double need, bool fit)
{
	struct val *v = add->in[k];
	const double by = factor_for(-v->lo, need, fit);
	if (by == 1)
		return false;
	int64_t n = ir_count(v);
	float *data = arena_alloc(p->arena, (size_t)n * sizeof *data);
	for (int64_t i = 0; i < n; i++) {
		const double x = ir_elem(v, i);
		data[i] = (float)(x > MASK_LIMIT ? x : fit ? -need : x * by); /* what is not hidden keeps its value */
	}
	struct val *deep = ir_const(p, arena_printf(p->arena, "%s.deep", v->name), DT_F32, SEC_PUBLIC, v->rank, v->dim, data);
	const struct range r = range_of_data(deep, data);
	deep->lo = r.lo; deep->hi = r.hi; deep->norm = r.norm; deep->from = RANGE_PROVEN;
	deep->is_masked = true;
	ir_set_in(p, add, k, deep);
	return true;
}

static bool deepen(struct prog *p, struct val *v, double need, bool fit)
{
	bool changed = false;
	if (!v->def || v->def->op != OP_add)
		return false;
	for (int k = 0; k < 2; k++) {
		struct val *in = v->def->in[k];
		struct node *s = mask_scale(in);
		if (is_masked_const(in)) {
			changed |= deepen_const(p, v->def, k, need, fit);
		} else if (s) {
			const double f = ir_f64(s, ATTR_factor);
			const bool exact = fit && is_fused_depth(f); /* another factor may be the model's own */
			const double to = exact ? copysign(need, f) : f * factor_for(fabs(f), need, false);
			ir_set_f64(p, s, ATTR_factor, to);
			changed |= to != f;
		} else {
			changed |= deepen(p, in, need, fit);
		}
	}
	return changed;
}

static bool is_masked_softmax(const struct node *n) { return (n->op == OP_softmax || n->op == OP_softmax_tril) && n->in[0]->is_masked; }

bool ranges_fit_masks(struct prog *p, bool fit)
{
	bool changed = false;
	double most = 0;
	mark(p);
	for (struct node *n = p->first; n; n = n->next) {
		if (!is_masked_softmax(n))
			continue;
		int looks = LOOKS;
		struct val *x = n->in[0];
		const struct range s = scores(x, &looks);
		most = fmax(most, ceil(depth_for(s)));
		if (isfinite(s.lo)) {
			x->row_max = x->has_row_max ? fmax(x->row_max, s.lo) : s.lo;
			x->has_row_max = true;
		}
	}
	const bool all = fit && most < 0x1p20; /* masks are shared between softmaxes */
	for (struct node *n = p->first; n; n = n->next) {
		if (!is_masked_softmax(n))
			continue;
		int looks = LOOKS;
		const double need = all ? most : depth_for(scores(n->in[0], &looks));
		if (isfinite(need) && need < 0x1p40)
			changed |= deepen(p, n->in[0], need, all);
	}
	return changed;
}
