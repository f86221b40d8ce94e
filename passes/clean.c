/* SPDX-License-Identifier: Apache-2.0
 * clean.c -- the last pass over real numbers: less layout, no dead nodes, and only operations that have a gate.
 *
 * Rewrites what is left into what the gates know: means into sums and a scale,
 * squares and cubes into products, softmax and sums to the last axes.  Merges and
 * drops layout operations.  Then every operation without a gate is an error that
 * names the node, why, and a way out; all of them are reported.
 *
 * Reads shapes and constants only.  Linear in nodes, a few times.
 */
#include "match.h"
#include <string.h>

/* ---- what the gates know -------------------------------------------------- */

/* transpose(x, perm) before `at` */
static struct val *transpose(struct prog *p, struct node *at, struct val *x, const int64_t *perm)
{
	int64_t dim[MAX_RANK];
	struct node *n;

	for (int k = 0; k < x->rank; k++)
		dim[k] = x->dim[perm[k]];
	n = make_node(p, at, OP_transpose, &at->loc, 1, &x, x->rank, dim);
	ir_set_ints(p, n, ATTR_perm, x->rank, perm);
	return n->out[0];
}

static int64_t axis_of(int64_t axis, int rank)
{
	return axis < 0 ? axis + rank : axis;
}

/* softmax over another axis than the last: between two transpositions */
static void softmax_last(struct prog *p, struct node *n)
{
	struct val *x = n->in[0];
	int last = x->rank - 1;
	int64_t axis = axis_of(ir_int(n, ATTR_axis), x->rank), perm[MAX_RANK];

	ir_set_int(p, n, ATTR_axis, axis);
	if (axis == last)
		return;
	for (int k = 0; k <= last; k++)
		perm[k] = k;
	perm[axis] = last;
	perm[last] = axis;
	struct val *t = transpose(p, n, x, perm);
	struct node *s = make_node_like(p, n, OP_softmax, &n->loc, 1, &t, t);
	ir_set_int(p, s, ATTR_axis, last);
	take_over(p, transpose(p, n, s->out[0], perm)->def, n->out[0]);
}

/* A sum over axes that are not the last ones: they move to the end first. */
static void sum_last(struct prog *p, struct node *n)
{
	struct val *x = n->in[0];
	int naxes, rank = x->rank, nkept = 0;
	const int64_t *axes = ir_ints(n, ATTR_axes, &naxes);
	bool reduced[MAX_RANK] = { false }, trailing = true;
	int64_t perm[MAX_RANK], dim[MAX_RANK], last[MAX_RANK];

	for (int k = 0; k < naxes; k++)
		reduced[axis_of(axes[k], rank)] = true;
	for (int k = 0; k < rank; k++)
		if (!reduced[k]) {
			trailing &= k < rank - naxes;
			dim[nkept] = x->dim[k];
			perm[nkept++] = k;
		}
	for (int k = 0, at = nkept; k < rank; k++)
		if (reduced[k])
			perm[at++] = k;
	for (int k = 0; k < naxes; k++)
		last[k] = rank - naxes + k;
	if (trailing) {
		ir_set_ints(p, n, ATTR_axes, naxes, last);
		return;
	}
	struct val *t = transpose(p, n, x, perm);
	struct node *s = make_node(p, n, OP_reduce_sum, &n->loc, 1, &t, nkept, dim);
	ir_set_ints(p, s, ATTR_axes, naxes, last);
	ir_set_int(p, s, ATTR_keepdims, 0);
	take_over(p, make_node_like(p, n, OP_reshape, &n->loc, 1, s->out, n->out[0]), n->out[0]);
}

static void mean_to_sum(struct prog *p, struct node *n)
{
	int naxes;
	const int64_t *axes = ir_ints(n, ATTR_axes, &naxes);
	struct val *x = n->in[0], *y = n->out[0];
	struct node *s = make_node_like(p, n, OP_reduce_sum, &n->loc, 1, &x, y);

	ir_set_ints(p, s, ATTR_axes, naxes, axes);
	ir_set_int(p, s, ATTR_keepdims, ir_int(n, ATTR_keepdims));
	if (ir_count(x) > 0)
		take_over(p, make_scale(p, n, &n->loc, s->out[0], (double)ir_count(y) / (double)ir_count(x)), y);
}

/* x^2 and x^3 */
static void power_to_product(struct prog *p, struct node *n)
{
	struct val *in[2] = { n->in[0], n->in[0] };
	double e;

	if (ir_is_const(in[0]) || !ir_scalar_value(n->in[1], &e) || (e != 2 && e != 3) || !same_shape(in[0], n->out[0]))
		return;
	for (; e > 2; e--)
		in[0] = make_node_like(p, n, OP_mul, &n->loc, 2, in, n->out[0])->out[0];
	take_over(p, make_node_like(p, n, OP_mul, &n->loc, 2, in, n->out[0]), n->out[0]);
}

/* Is v, a number, 0 or 1 everywhere?  Integer inputs behind a comparison are masks: 0 or 1 by contract.
 * looks: how many nodes it may still look at; a graph that shares operands on purpose could ask for exponentially many. */
static bool zero_one_within(const struct val *v, int *looks)
{
	const struct node *n = v->def;
	double one;

	if (--*looks < 0)
		return false;
	if (v->absent)
		return false;
	if (ir_is_const(v)) {
		for (int64_t i = 0, count = ir_count(v); i < count; i++)
			if (ir_elem(v, i) != 0 && ir_elem(v, i) != 1)
				return false;
		return true;
	}
	if (v->dtype == DT_BOOL || n == NULL)
		return v->dtype != DT_F32;
	if (n->op == OP_cast || is_layout(n))
		return zero_one_within(n->in[0], looks);
	if (n->op == OP_embedding)
		return zero_one_within(n->in[0], looks);
	if (n->op == OP_mul)
		return zero_one_within(n->in[0], looks) && zero_one_within(n->in[1], looks);
	return n->op == OP_sub && uniform_value(n->in[0], &one) && one == 1 && zero_one_within(n->in[1], looks);
}

static bool is_zero_one(const struct val *v)
{
	int looks = 1000;

	return zero_one_within(v, &looks);
}

/* Secret truth values become the numbers 0 and 1: conversions between them vanish. */
static void truth_to_number(struct prog *p, struct node *n)
{
	struct val *y = n->out[0];

	if (y->dtype != DT_BOOL || !(n->op == OP_cast || is_layout(n)))
		return;
	if (n->op == OP_cast && !is_zero_one(n->in[0]))
		return;
	y->dtype = DT_F32;
	if (n->op == OP_cast)
		ir_set_int(p, n, ATTR_to, DT_F32);
}

/* ---- layout ---------------------------------------------------------------- */

/* A permutation that moves axes of size 1 only does not move elements. */
static bool moves_nothing(const struct node *n)
{
	int r;
	const int64_t *perm = ir_ints(n, ATTR_perm, &r), *dim = n->in[0]->dim;
	int64_t before = -1;

	for (int k = 0; k < r; k++) {
		if (dim[perm[k]] == 1)
			continue;
		if (perm[k] < before)
			return false;
		before = perm[k];
	}
	return true;
}

static void merge_transpose(struct prog *p, struct node *n)
{
	struct node *before = n->in[0]->def;
	int64_t perm[MAX_RANK];
	int r;
	const int64_t *outer = ir_ints(n, ATTR_perm, &r);

	if (before && before->op == OP_transpose) {
		const int64_t *inner = ir_ints(before, ATTR_perm, &r);
		for (int k = 0; k < r; k++)
			perm[k] = inner[outer[k]];
		ir_set_ints(p, n, ATTR_perm, r, perm);
		ir_set_in(p, n, 0, before->in[0]);
		remove_dead(p, before);
	}
	if (moves_nothing(n))
		take_over(p, make_node_like(p, n, OP_reshape, &n->loc, 1, n->in, n->out[0]), n->out[0]);
}

static void merge_reshape(struct prog *p, struct node *n)
{
	struct node *before = n->in[0]->def;

	if (before && before->op == OP_reshape) {
		ir_set_in(p, n, 0, before->in[0]);
		remove_dead(p, before);
	}
	if (same_shape(n->in[0], n->out[0]))
		bypass(p, n, n->in[0]);
}

/* Is the result simply the first operand? */
static bool is_identity(const struct node *n)
{
	const struct val *x = n->nin ? n->in[0] : NULL, *y = n->out[0];

	switch (n->op) {
	case OP_expand: case OP_concat: /* nothing to add */
		return same_shape(x, y) && n->nin == 1;
	case OP_slice:
		return same_shape(x, y) && ir_int(n, ATTR_start) == 0 && ir_int(n, ATTR_step) == 1;
	case OP_cast:
		return x->dtype == y->dtype;
	case OP_scale:
		return ir_f64(n, ATTR_factor) == 1;
	case OP_pow: {
		double e;
		return ir_scalar_value(n->in[1], &e) && e == 1 && same_shape(x, y);
	}
	default:
		return false;
	}
}

static void merge_layout(struct prog *p)
{
	struct node *after;

	for (struct node *n = p->first; n; n = after) {
		after = n->next;
		if (n->op == OP_transpose)
			merge_transpose(p, n);
		else if (n->op == OP_reshape)
			merge_reshape(p, n);
		else if (is_identity(n))
			bypass(p, n, n->in[0]);
	}
}

/* Reshapes that replaced transpositions may follow or precede others. */
static void merge_reshapes(struct prog *p)
{
	struct node *after;

	for (struct node *n = p->first; n; n = after) {
		after = n->next;
		if (n->op == OP_reshape)
			merge_reshape(p, n);
	}
}

/* ---- what is left ------------------------------------------------------------ */

static bool has_gate(enum op op)
{
	static const enum op gated[] = {
#define GATE(set, name, op, klass, doc, source) OP_##op,
#include "gates.def"
#undef GATE
	};

	for (size_t i = 0; i < sizeof gated / sizeof gated[0]; i++)
		if (gated[i] == op)
			return true;
	return false;
}

struct advice { enum op op; const char *why, *hint; };
static const struct advice advice[] = {
	{ OP_div, "division by a secret has no gate", "divide by a constant, or use softmax, LayerNormalization or RMSNorm, which contain their division" },
	{ OP_recip, "the reciprocal of a secret has no gate", "it is known inside softmax, LayerNormalization and RMSNorm only" },
	{ OP_pow, "only the powers 2 and 3 of a secret are known", "export norms and activations as their ONNX operators (LayerNormalization, Gelu: opset_version=20)" },
	{ OP_sqrt, "the square root of a secret has no gate", "it is known inside LayerNormalization and RMSNorm over the last axis with eps from 0 to 0.01" },
	{ OP_exp, "the exponential of a secret has no gate", "it is known inside softmax only" },
	{ OP_log, "the logarithm of a secret has no gate", "take it after the result was revealed" },
	{ OP_softplus, "log(1 + exp(x)) of a secret has no gate of its own", "use Relu or Gelu" },
	{ OP_abs, "the magnitude of a secret has no gate", "Relu(x) + Relu(-x) is the same" },
	{ OP_sin, "the sine of a secret has no gate", "make the positions constants of the model: export without position_ids as an input" },
	{ OP_cos, "the cosine of a secret has no gate", "make the positions constants of the model: export without position_ids as an input" },
	{ OP_where, "the condition or both choices are not attention masks", "masks are recognised directly before softmax" },
	{ OP_clip, "bounds on a secret have no gate", "leave the clipping out of the exported graph, or use Relu for a lower bound of 0" },
	{ OP_reduce_l2, "the norm of a secret has no gate", "leave the final normalisation out of the exported graph and normalise the revealed result" },
	{ OP_cast, "integers and masks of 0 and 1 become numbers, never the reverse", "keep secret data in floating point" },
};

/* May it be a piece of an activation that pass fuse_unary would know with a descriptor? */
static bool part_of_function(enum op op)
{
	switch (op) {
	case OP_div: case OP_recip: case OP_pow: case OP_sqrt: case OP_exp: case OP_log: case OP_softplus: case OP_abs: case OP_clip:
		return true;
	default:
		return false;
	}
}

static void refuse(struct prog *p, const struct node *n)
{
	const char *why = "no gate computes it", *hint = "see sufc --list-gates for the operations that have one";

	for (size_t i = 0; i < sizeof advice / sizeof advice[0]; i++)
		if (advice[i].op == n->op) {
			why = advice[i].why;
			hint = advice[i].hint;
		}
	diag_error(p->diag, &n->loc, "no-gate", "%s (%s) on secret data is not supported: %s",
		op_desc[n->op].name, n->out[0]->name, why);
	diag_hint(p->diag, "%s", hint);
	if (part_of_function(n->op))
		diag_hint(p->diag, "if it belongs to a function of each element, describe that: --descriptor FILE, which sufc fit writes (docs/suf.md)");
}

/* The ids of an embedding are one-hot rows that the owner of an input makes: they cannot be computed. */
static bool check_ids(struct prog *p, const struct node *n)
{
	const struct val *ids = n->in[1];

	while (ids->def && is_layout(ids->def))
		ids = ids->def->in[0];
	if (ids->def == NULL)
		return true;
	diag_error(p->diag, &n->loc, "computed-ids", "the row numbers %s of an embedding are computed from secret data by %s",
		n->in[1]->name, op_desc[ids->def->op].name);
	diag_hint(p->diag, "export the model with these ids (often position_ids) as an input or a constant");
	return false;
}

static bool check(struct prog *p)
{
	bool ok = true;

	for (struct node *n = p->first; n; n = n->next) {
		if (n->op == OP_embedding)
			ok = check_ids(p, n) && ok;
		if (has_gate(n->op) || (n->op == OP_cast && n->out[0]->dtype == DT_F32))
			continue;
		refuse(p, n);
		ok = false;
	}
	return ok;
}

bool pass_clean(struct prog *p)
{
	struct node *after;

	sweep_dead(p);
	for (struct node *n = p->first; n; n = after) {
		after = n->next;
		truth_to_number(p, n);
		if (n->op == OP_reduce_mean)
			mean_to_sum(p, n);
		else if (n->op == OP_pow)
			power_to_product(p, n);
		else if (n->op == OP_softmax)
			softmax_last(p, n);
	}
	for (struct node *n = p->first; n; n = after) {
		after = n->next;
		if (n->op == OP_reduce_sum)
			sum_last(p, n);
	}
	merge_layout(p);
	merge_reshapes(p);
	sweep_dead(p);
	return check(p);
}
