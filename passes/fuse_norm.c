/* SPDX-License-Identifier: Apache-2.0
 * fuse_norm.c -- LayerNorm and RMSNorm written out as arithmetic become one operation.
 *
 * The centre of the formula is matched first; gamma and beta are taken from a
 * multiplication and an addition behind it, where there are any.  Means must run
 * over the last axis, eps must be a positive constant of at most 1e-2: anything
 * else is not a norm that the gates know and is left alone.
 *
 * Reads shapes and public constants only.  Linear in nodes and uses.
 */
#include "match.h"

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
		after = n->next; /* nodes behind n: absorbed ones are looked up again below */
		struct val *root = n->out[0];
		if (n->op != OP_div && n->op != OP_mul && n->op != OP_add)
			continue;
		if (n->op == OP_add ? fuse_tf(p, root) : fuse_centre(p, root, true) || fuse_centre(p, root, false))
			after = root->def ? root->def->next : p->first;
	}
	return true;
}
