/* SPDX-License-Identifier: Apache-2.0
 * fuse_norm.c -- LayerNorm and RMSNorm written out as arithmetic become one operation.
 *
 * The centre of the formula is matched first; gamma and beta are taken from a
 * multiplication and an addition behind it, where there are any.  Means must run
 * over the last axis, eps must be a positive constant of at most 1e-2: anything
 * else is not a norm that the gates know and is left alone.
 *
 * Division by the Euclidean norm is RMSNorm with gamma 1/sqrt(n).  It forgets a
 * positive factor of its operand, so a division in front of it, by the number of
 * tokens in a mean over a secret mask, is dropped: no gate divides by a secret.
 *
 * Reads shapes and public constants only.  Linear in nodes and uses.
 */
#include "match.h"
#include <math.h>

#define MEAN_SQUARE(d) "{(mean (pow " d " 2)) (mean (mul " d " " d "))}"
#define CENTRED        "(sub x (mean x))"
/* the mean square of what is left without the mean, or E[x^2] - E[x]^2 */
#define VARIANCE \
	"{(add " MEAN_SQUARE(CENTRED) " E)" \
	" (add (sub " MEAN_SQUARE("x") " {(mul (mean x) (mean x)) (pow (mean x) 2)}) E)}"
#define INV_ROOT(v)    "{(recip (sqrt " v ")) (div 1 (sqrt " v ")) (pow " v " -0.5)}"
#define ROOT(v)        "{(sqrt " v ") (pow " v " 0.5)}"

static const char layernorm_centre[] = "{(div " CENTRED " " ROOT(VARIANCE) ") (mul " INV_ROOT(VARIANCE) " " CENTRED ")}";
static const char rmsnorm_centre[] =
	"{(div x " ROOT("(add " MEAN_SQUARE("x") " E)") ") (mul " INV_ROOT("(add " MEAN_SQUARE("x") " E)") " x)}";
/* x * r + (beta - mean * r) with r = gamma / sqrt(var + eps), from TensorFlow */
#define SCALED_ROOT "(mul " INV_ROOT(VARIANCE) " G)"
static const char layernorm_tf[] = "(add (sub B (mul " SCALED_ROOT " (mean x))) (mul " SCALED_ROOT " x))";

static bool good_eps(const struct match *m, double *eps)
{
	return ir_scalar_value(m->letter['E'], eps) && *eps > 0 && *eps <= 1e-2;
}

static struct val *as_vector(struct prog *p, struct val *c)
{
	int64_t n = c->dim[c->rank - 1];

	return const_view(p, c, c->type.sec, 1, &n);
}

static struct node *make_norm(struct prog *p, struct val *root, struct val *x, double eps, struct val *gamma, struct val *beta)
{
	struct val *in[3] = { x, gamma, beta };
	struct node *n = make_node_like(p, root->def, beta ? OP_layernorm : OP_rmsnorm, &root->def->loc, beta ? 3 : 2, in, root);

	ir_set_f64(p, n, ATTR_eps, eps);
	take_over(p, n, root);
	return n;
}

/* The constant vector that the only user of n's result combines it with by `op`; NULL: none. */
static struct val *vector_behind(struct prog *p, struct node *n, enum op op, struct node **user)
{
	struct val *y = n->out[0];
	struct node *u = ir_user(p, y);

	if (u == NULL || u->op != op || !same_shape(u->out[0], y))
		return NULL;
	*user = u;
	struct val *c = u->in[u->in[0] == y];
	return is_last_axis_vector(c, y->dim[y->rank - 1]) ? c : NULL;
}

/* Replaces the norm n and its user by one node with operand k set to c. */
static struct node *absorb(struct prog *p, struct node *n, struct node *user, int k, struct val *c)
{
	struct val *in[3] = { n->in[0], n->in[1], n->nin == 3 ? n->in[2] : NULL };

	in[k] = as_vector(p, c);
	return make_norm(p, user->out[0], in[0], ir_f64(n, ATTR_eps), in[1], in[2]);
}

static void absorb_affine(struct prog *p, struct node *n)
{
	struct node *user;
	struct val *c;

	if ((c = vector_behind(p, n, OP_mul, &user)))
		n = absorb(p, n, user, 1, c);
	if (n->op == OP_layernorm && (c = vector_behind(p, n, OP_add, &user)))
		absorb(p, n, user, 2, c);
}

static bool fuse_tf(struct prog *p, struct val *root)
{
	struct match m;
	double eps;

	if (!match(p, &m, root, layernorm_tf) || !good_eps(&m, &eps))
		return false;
	struct val *x = m.letter['x'], *gamma = m.letter['G'], *beta = m.letter['B'];
	int64_t last = x->dim[x->rank - 1];
	if (!same_shape(x, root) || !is_last_axis_vector(gamma, last) || !is_last_axis_vector(beta, last))
		return false;
	make_norm(p, root, x, eps, as_vector(p, gamma), as_vector(p, beta));
	return true;
}

static bool fuse_centre(struct prog *p, struct val *root, bool layernorm)
{
	struct match m;
	double eps;

	if (!match(p, &m, root, layernorm ? layernorm_centre : rmsnorm_centre) || !good_eps(&m, &eps))
		return false;
	struct val *x = m.letter['x'];
	if (ir_is_const(x) || !same_shape(x, root))
		return false;
	int64_t last = x->dim[x->rank - 1];
	struct val *beta = layernorm ? const_fill(p, "no_beta", last, 0) : NULL;
	absorb_affine(p, make_norm(p, root, x, eps, const_fill(p, "no_gamma", last, 1), beta));
	return true;
}

/* ---- x / |x| --------------------------------------------------------------- */

#define LENGTH "{n=(reduce_l2 x) (sqrt n=(reduce_sum {(mul x x) (pow x 2)}))}"
static const char unit_vector[] = "(div x {(expand c=(clip " LENGTH ")) c=(clip " LENGTH ") (expand " LENGTH ") " LENGTH "})";

/* Is v the same along its axis `axis`? */
static bool same_along(const struct val *v, int axis)
{
	const struct node *n = v->def;
	bool reduced[MAX_RANK] = { false };
	const int64_t *axes;
	int naxes, k;

	if (axis < 0 || v->dim[axis] == 1)
		return true;
	if (n == NULL)
		return false;
	switch (n->op) {
	case OP_cast: case OP_clip: case OP_scale: case OP_neg:
		return same_along(n->in[0], axis);
	case OP_expand:
		return same_along(n->in[0], axis - (v->rank - n->in[0]->rank));
	case OP_reduce_sum: case OP_reduce_mean:
		axes = ir_ints(n, ATTR_axes, &naxes);
		for (int i = 0; i < naxes; i++)
			reduced[axes[i] < 0 ? axes[i] + n->in[0]->rank : axes[i]] = true;
		if (ir_int(n, ATTR_keepdims))
			return same_along(n->in[0], axis);
		for (k = 0; k < n->in[0]->rank; k++)
			if (!reduced[k] && axis-- == 0)
				break;
		return same_along(n->in[0], k);
	default:
		return false;
	}
}

/* x = a / c with c > 0 the same along the last axis: a.  A sum over m elements keeps about 1/sqrt(m) of its
 * size, half way between a sum and a mean, because any number of them may be masked. */
static struct val *without_divisor(struct prog *p, struct val *x, struct node *at)
{
	struct node *d = x->def;
	struct val *a;

	if (d == NULL || d->op != OP_div || !same_shape(d->in[0], x))
		return x;
	const struct val *c = d->in[1];
	if (c->def == NULL || c->def->op != OP_clip || !(ir_f64(c->def, ATTR_lo) > 0) || !same_along(c, c->rank - 1))
		return x;
	a = d->in[0];
	if (a->def && a->def->op == OP_reduce_sum) {
		double m = (double)ir_count(a->def->in[0]) / (double)ir_count(a);
		a = make_scale(p, at, &at->loc, a, exp2(-ceil(log2(m) / 2)))->out[0];
	}
	return a;
}

static bool fuse_unit_vector(struct prog *p, struct val *root)
{
	struct match m;
	double least = 1e-12;

	if (!match(p, &m, root, unit_vector) || !reduces_last_axis(m.letter['n']->def))
		return false;
	struct val *x = m.letter['x'], *c = m.letter['c'];
	if (c && !(ir_f64(c->def, ATTR_hi) >= 1e4 && (least = ir_f64(c->def, ATTR_lo)) > 0 && least <= 1e-2))
		return false;
	if (ir_is_const(x) || !same_shape(x, root))
		return false;
	int64_t last = x->dim[x->rank - 1];
	struct val *gamma = const_fill(p, "unit_gamma", last, 1 / sqrt((double)last));
	x = without_divisor(p, x, root->def);
	make_norm(p, root, x, least * least / (double)last, gamma, NULL);
	return true;
}

/* Casts from float to float, which exporters put around norms. */
static void drop_float_casts(struct prog *p)
{
	struct node *after;

	for (struct node *n = p->first; n; n = after) {
		after = n->next;
		if (n->op == OP_cast && n->in[0]->dtype == DT_F32 && n->out[0]->dtype == DT_F32)
			bypass(p, n, n->in[0]);
	}
}

bool pass_fuse_norm(struct prog *p)
{
	struct node *after;

	drop_float_casts(p);
	for (struct node *n = p->first; n; n = after) {
		after = n->next; /* may be absorbed below: looked up again then */
		struct val *root = n->out[0];
		if (n->op != OP_div && n->op != OP_mul && n->op != OP_add)
			continue;
		if (n->op == OP_add ? fuse_tf(p, root) : fuse_centre(p, root, true) || fuse_centre(p, root, false)
		    || (n->op == OP_div && fuse_unit_vector(p, root)))
			after = root->def ? root->def->next : p->first;
	}
	return true;
}
