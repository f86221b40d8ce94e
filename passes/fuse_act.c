/* SPDX-License-Identifier: Apache-2.0
 * fuse_act.c -- Gelu (erf and tanh forms), SiLU and QuickGelu written out as arithmetic become one operation.
 *
 * Exporters differ in where the factor 1/2 stands, in the association of
 * products, and in x^3; the alternatives below are those of torch, TensorFlow and
 * the rewritings of ONNX Runtime.  Constants are compared within 0.1 %, so that
 * models stored as float16 match too.
 *
 * Reads public constants only.  Linear in nodes.
 */
#include "match.h"

/* x * phi / 2 */
#define HALF_OF(phi) \
	"{(mul (mul " phi " x) 0.5) (mul (mul " phi " 0.5) x) (mul " phi " (mul x 0.5)) (mul " phi " (div x 2))" \
	" (div (mul " phi " x) 2)}"

#define BY_ROOT_2 "{(div x 1.41421356) (mul x 0.70710678)}"
static const char gelu_erf[] = HALF_OF("(add (erf " BY_ROOT_2 ") 1)");

/* sqrt(2/pi) * (x + 0.044715 x^3) */
#define CUBE     "{(pow x 3) (mul (mul x x) x) (mul (pow x 2) x)}"
#define SQUARE   "{(pow x 2) (mul x x)}"
#define SUM_FORM "(mul (add (mul " CUBE " 0.044715) x) 0.79788456)"
/* the same with x factored out: sqrt(2/pi) * x * (1 + 0.044715 x^2) */
#define SQUARED_TERM "{(mul " SQUARE " 0.044715) (mul (mul x 0.044715) x)}"
#define FACTORED \
	"{(mul (add " SQUARED_TERM " 1) (mul x 0.79788456)) (mul (mul (add " SQUARED_TERM " 1) x) 0.79788456)" \
	" (mul (mul (add " SQUARED_TERM " 1) 0.79788456) x) (mul (add (mul " SQUARE " 0.03567741) 0.79788456) x)}"
static const char gelu_tanh_sum[] = HALF_OF("(add (tanh " SUM_FORM ") 1)");
static const char gelu_tanh_factored[] = HALF_OF("(add (tanh " FACTORED ") 1)");

static const char silu[] = "{(mul (sigmoid x) x) (div x (add (exp (neg x)) 1))}";
static const char quick_gelu[] = "(mul (sigmoid {(mul x C) s=(scale x)}) x)";

static bool replace(struct prog *p, struct val *root, const struct match *m, enum op op, int tanh_form)
{
	struct val *x = m->letter['x'];

	if (ir_is_const(x) || !same_shape(x, root))
		return false;
	struct node *n = make_node_like(p, root->def, op, &root->def->loc, 1, &x, x);
	if (op == OP_gelu)
		ir_set_int(p, n, ATTR_tanh, tanh_form);
	take_over(p, n, root);
	return true;
}

/* x * sigmoid(c x) = silu(c x) / c */
static bool replace_quick(struct prog *p, struct val *root, const struct match *m)
{
	struct val *x = m->letter['x'], *s = m->letter['s'];
	struct node *at = root->def;
	double c;

	if (s)
		c = ir_f64(s->def, ATTR_factor);
	else if (!ir_scalar_value(m->letter['C'], &c))
		return false;
	if (c < 1e-2 || c > 1e2 || ir_is_const(x) || !same_shape(x, root))
		return false;
	struct val *scaled = make_scale(p, at, &at->loc, x, c)->out[0];
	struct val *act = make_node_like(p, at, OP_silu, &at->loc, 1, &scaled, x)->out[0];
	take_over(p, make_scale(p, at, &at->loc, act, 1 / c), root);
	return true;
}

static bool fuse(struct prog *p, struct val *root)
{
	struct match m;

	if (match(p, &m, root, gelu_erf) && replace(p, root, &m, OP_gelu, 0))
		return true;
	if ((match(p, &m, root, gelu_tanh_sum) || match(p, &m, root, gelu_tanh_factored)) && replace(p, root, &m, OP_gelu, 1))
		return true;
	if (match(p, &m, root, silu) && replace(p, root, &m, OP_silu, 0))
		return true;
	return match(p, &m, root, quick_gelu) && replace_quick(p, root, &m);
}

bool pass_fuse_act(struct prog *p)
{
	struct node *after;

	for (struct node *n = p->first; n; n = after) {
		after = n->next;
		if (n->op == OP_mul || n->op == OP_div)
			fuse(p, n->out[0]);
	}
	return true;
}
