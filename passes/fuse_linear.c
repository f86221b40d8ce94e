/* SPDX-License-Identifier: Apache-2.0
 * fuse_linear.c -- bias into the product; public factors into `scale`; scaling behind products; transposed operands.
 *
 *   1. a product or quotient with a public number becomes scale, a quotient by a
 *      constant vector a product; scales that follow each other merge
 *   2. matmul by a weight, plus a weight vector along the last axis: one matmul
 *   3. scales in front of either operand of a secret product, also behind layout
 *      operations, move behind it: q/sqrt(d), or the root of it on q and on k, end
 *      as one scale of the scores
 *   4. matmul(a, b with its last two axes swapped): trans_b
 *
 * Every rewriting is exact over the real numbers.  Only shapes and public
 * constants decide.  Linear in nodes, but for the walks from values to users.
 */
#include "match.h"
#include <math.h>
#include <string.h>

/* ---- 1. factors ---------------------------------------------------------- */

static bool public_number(const struct val *v, double *c)
{
	return v->type.sec == SEC_PUBLIC && uniform_value(v, c);
}

/* a / vector = a * (1 / vector) */
static void divisor_to_factor(struct prog *p, struct node *n)
{
	struct val *d = n->in[1];
	const char *name = arena_printf(p->arena, "%s.inverse", d->name);
	int64_t count = ir_count(d);
	float *data;

	for (int64_t i = 0; i < count && !d->absent; i++)
		if (ir_elem(d, i) == 0)
			return;
	struct val *in[2] = { n->in[0], d->absent ? ir_absent(p, name, d->rank, d->dim) : const_like(p, d, name, d->type.sec, &data) };
	for (int64_t i = 0; i < count && !d->absent; i++)
		data[i] = (float)(1 / ir_elem(d, i));
	take_over(p, make_node_like(p, n, OP_mul, &n->loc, 2, in, n->out[0]), n->out[0]);
}

static void factor_to_scale(struct prog *p, struct node *n)
{
	int k = n->op == OP_mul && ir_is_const(n->in[0]);
	struct val *x = n->in[k], *c = n->in[1 - k];
	double factor;

	if (n->out[0]->dtype != DT_F32 || ir_is_const(x) || !ir_is_const(c))
		return;
	if (public_number(c, &factor) && same_shape(x, n->out[0]) && !(n->op == OP_div && factor == 0))
		take_over(p, make_scale(p, n, &n->loc, x, n->op == OP_div ? 1 / factor : factor), n->out[0]);
	else if (n->op == OP_div)
		divisor_to_factor(p, n);
}

static void merge_scale(struct prog *p, struct node *n)
{
	struct node *before = n->in[0]->def;

	if (before && before->op == OP_scale) {
		ir_set_f64(p, n, ATTR_factor, ir_f64(n, ATTR_factor) * ir_f64(before, ATTR_factor));
		ir_set_in(p, n, 0, before->in[0]);
		remove_dead(p, before);
	}
	if (ir_f64(n, ATTR_factor) == 1)
		bypass(p, n, n->in[0]);
}

/* ---- 2. bias ------------------------------------------------------------- */

static void fuse_bias(struct prog *p, struct node *add)
{
	for (int k = 0; k < 2; k++) {
		struct val *y = add->in[k], *b = add->in[1 - k];
		struct node *mm = y->def;
		int64_t n = y->rank ? y->dim[y->rank - 1] : 0;

		if (!mm || mm->op != OP_matmul || mm->nin != 2 || ir_user(p, y) != add || !same_shape(y, add->out[0])
		    || !ir_is_const(mm->in[1]) || ir_is_const(mm->in[0]) || !is_last_axis_vector(b, n))
			continue;
		/* a bias that everybody knows still joins a private product as a weight */
		struct val *in[3] = { mm->in[0], mm->in[1], const_view(p, b, mm->in[1]->type.sec, 1, &n) };
		struct node *fused = make_node_like(p, add, OP_matmul, &mm->loc, 3, in, y);
		if (ir_has(mm, ATTR_trans_b))
			ir_set_int(p, fused, ATTR_trans_b, ir_int(mm, ATTR_trans_b));
		take_over(p, fused, add->out[0]);
		return;
	}
}

/* ---- 3. scales behind products ------------------------------------------- */

/* Takes the scales out of what leads to v alone, through layout operations; returns their product. */
static double take_scales(struct prog *p, struct val *v)
{
	double factor = 1;

	for (;;) {
		struct node *d = v->def;
		if (d == NULL || ir_user(p, v) == NULL || (d->op != OP_scale && !is_layout(d)))
			return factor;
		v = d->in[0];
		if (d->op == OP_scale) {
			factor *= ir_f64(d, ATTR_factor);
			bypass(p, d, d->in[0]);
		}
	}
}

/* y becomes factor * y for all its users. */
static void scale_result(struct prog *p, struct node *n, double factor)
{
	struct val *y = n->out[0];
	struct node *s = make_node_like(p, n, OP_scale, &n->loc, 1, &n->in[0], y);

	ir_set_f64(p, s, ATTR_factor, factor);
	ir_take_out(p, s, y);
	ir_set_in(p, s, 0, n->out[0]);
	ir_move_before(p, n, s);
}

static void hoist_scales(struct prog *p, struct node *mm)
{
	if (mm->nin != 2 || ir_is_const(mm->in[0]) || ir_is_const(mm->in[1]) || mm->in[0] == mm->in[1])
		return;
	double factor = take_scales(p, mm->in[0]) * take_scales(p, mm->in[1]);
	if (factor != 1)
		scale_result(p, mm, factor);
}

/* ---- 4. transposed operands ---------------------------------------------- */

static bool swaps_last_two(const struct node *n)
{
	int r;
	const int64_t *perm;

	if (n == NULL || n->op != OP_transpose)
		return false;
	perm = ir_ints(n, ATTR_perm, &r);
	for (int k = 0; k < r - 2; k++)
		if (perm[k] != k)
			return false;
	return r >= 2 && perm[r - 2] == r - 1 && perm[r - 1] == r - 2;
}

/* [.., a, b] reshaped to [.., a, b] with other leading axes? */
static bool keeps_last_two(const struct node *n)
{
	const struct val *from, *to;

	if (n == NULL || n->op != OP_reshape)
		return false;
	from = n->in[0];
	to = n->out[0];
	return from->rank >= 2 && to->rank >= 2 && from->dim[from->rank - 1] == to->dim[to->rank - 1]
		&& from->dim[from->rank - 2] == to->dim[to->rank - 2];
}

/* What b is the transpose of: directly, or (scaled_dot_product_attention of torch) between two reshapes.  NULL: nothing. */
static struct val *untransposed(struct prog *p, struct val *b, struct node *at)
{
	struct node *d = b->def;
	struct val *v;
	int64_t dim[MAX_RANK];

	if (swaps_last_two(d))
		return d->in[0];
	if (!keeps_last_two(d) || !swaps_last_two(d->in[0]->def))
		return NULL;
	v = d->in[0]->def->in[0];
	memcpy(dim, b->dim, sizeof dim);
	dim[b->rank - 2] = b->dim[b->rank - 1];
	dim[b->rank - 1] = b->dim[b->rank - 2];
	return make_node(p, at, OP_reshape, &d->loc, 1, &v, b->rank, dim)->out[0];
}

static void set_trans_b(struct prog *p, struct node *mm)
{
	struct val *b = mm->in[1];
	struct val *from = ir_is_const(b) || mm->in[0] == b ? NULL : untransposed(p, b, mm);

	if (from == NULL)
		return;
	ir_set_int(p, mm, ATTR_trans_b, !ir_int_or(mm, ATTR_trans_b, 0));
	ir_set_in(p, mm, 1, from);
	if (b->def)
		remove_dead(p, b->def);
}

static void each(struct prog *p, enum op op, void (*rewrite)(struct prog *, struct node *))
{
	struct node *after;

	for (struct node *n = p->first; n; n = after) {
		after = n->next;
		if (n->op == op)
			rewrite(p, n);
	}
}

bool pass_fuse_linear(struct prog *p)
{
	each(p, OP_mul, factor_to_scale);
	each(p, OP_div, factor_to_scale);
	each(p, OP_scale, merge_scale);
	each(p, OP_add, fuse_bias);
	each(p, OP_matmul, hoist_scales);
	each(p, OP_scale, merge_scale);
	each(p, OP_matmul, set_trans_b);
	return true;
}
