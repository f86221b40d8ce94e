/* SPDX-License-Identifier: Apache-2.0
 * range_mask.c -- masks deep enough for the scores that they hide.
 *
 * A hidden score s + mask must lie 16 below the largest visible one to vanish in
 * the exponential: mask <= -(2 max|s| + 16).  fuse_mask writes MASK_SECRET and
 * MASK_PUBLIC, enough for usual scores; where the bound of the scores is larger,
 * the mask is made deeper by a power of two.
 */
#include <math.h>
#include "passes/passes.h"
#include "passes/range.h"

static struct node *mask_scale(const struct val *v)
{
	while (v->def && (v->def->op == OP_reshape || v->def->op == OP_transpose || v->def->op == OP_slice || v->def->op == OP_expand ||
	                  v->def->op == OP_gather || v->def->op == OP_tril || v->def->op == OP_concat))
		v = v->def->in[0];
	bool found = v->def && v->def->op == OP_scale && fabs(ir_f64(v->def, ATTR_factor)) >= fabs(MASK_SECRET) && v->from != RANGE_NONE
		&& fmax(fabs(v->lo), fabs(v->hi)) <= 1.001 * fabs(ir_f64(v->def, ATTR_factor)) && fmin(fabs(v->lo), fabs(v->hi)) == 0;
	return found ? v->def : NULL;
}

static bool is_public_mask(const struct val *v)
{
	return v->data && v->type.sec == SEC_PUBLIC && v->lo <= MASK_PUBLIC && v->hi == 0;
}

bool range_is_masked(const struct val *v)
{
	const struct node *n = v->def;
	bool sum = n && n->op == OP_add;
	return mask_scale(v) || (sum && (mask_scale(n->in[0]) || mask_scale(n->in[1]) || is_public_mask(n->in[0]) || is_public_mask(n->in[1])));
}

/* max|s| of what is added up to v, without the masks; INFINITY: unknown.  looks: how many sums may still be taken apart. */
static double scores(const struct val *v, int *looks)
{
	if (is_public_mask(v) || mask_scale(v))
		return 0;
	if (v->def && v->def->op == OP_add && --*looks > 0)
		return scores(v->def->in[0], looks) + scores(v->def->in[1], looks);
	return range_max(v);
}

static bool deepen_const(struct prog *p, struct node *add, int k, double need)
{
	struct val *v = add->in[k];
	float by = 1;
	while (-v->lo * (double)by < need)
		by *= 2;
	if (by == 1)
		return false;
	int64_t n = ir_count(v);
	float *data = arena_alloc(p->arena, (size_t)n * sizeof *data);
	for (int64_t i = 0; i < n; i++)
		data[i] = (float)ir_elem(v, i) * by;
	struct val *deep = ir_const(p, arena_printf(p->arena, "%s.deep", v->name), DT_F32, SEC_PUBLIC, v->rank, v->dim, data);
	deep->lo = v->lo * (double)by; deep->hi = 0; deep->norm = v->norm * (double)by; deep->from = RANGE_PROVEN;
	ir_set_in(p, add, k, deep);
	return true;
}

static bool deepen(struct prog *p, struct val *v, double need)
{
	bool changed = false;
	if (!v->def || v->def->op != OP_add)
		return false;
	for (int k = 0; k < 2; k++) {
		struct val *in = v->def->in[k];
		struct node *s = mask_scale(in);
		if (is_public_mask(in)) {
			changed |= deepen_const(p, v->def, k, need);
		} else if (s) {
			double f = ir_f64(s, ATTR_factor), was = f;
			while (fabs(f) < need)
				f *= 2;
			ir_set_f64(p, s, ATTR_factor, f);
			changed |= f != was;
		} else {
			changed |= deepen(p, in, need);
		}
	}
	return changed;
}

bool ranges_deepen_masks(struct prog *p)
{
	bool changed = false;
	for (struct node *n = p->first; n; n = n->next) {
		if (n->op != OP_softmax && n->op != OP_softmax_tril)
			continue;
		int looks = 1000;
		double need = 2 * scores(n->in[0], &looks) + 16;
		if (isfinite(need) && need < 0x1p40)
			changed |= deepen(p, n->in[0], need);
	}
	return changed;
}
