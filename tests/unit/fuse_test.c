/* SPDX-License-Identifier: Apache-2.0
 * fuse_test.c -- every fused pattern: the same numbers before and after, the fused operation there, the old ones gone;
 * and what only looks like a pattern is left alone.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "fuse_harness.h"

/* ---- norms ------------------------------------------------------------------------ */

struct norm { int square, root, affine, duplicate, casts; double eps; int axis; };

static struct val *inverse_root(struct ctx *c, struct val *v, int root)
{
	if (root == 1)
		return un(c, OP_recip, un(c, OP_sqrt, v));
	if (root == 2)
		return bin(c, OP_div, num(c, 1), un(c, OP_sqrt, v));
	return bin(c, OP_pow, v, num(c, -0.5));
}

static struct val *squared(struct ctx *c, struct val *d, int how)
{
	return how ? bin(c, OP_mul, d, d) : bin(c, OP_pow, d, num(c, 2));
}

static struct val *cast(struct ctx *c, struct val *a, bool yes)
{
	struct val *v;

	if (!yes)
		return a;
	v = un(c, OP_cast, a);
	ir_set_int(c->p, v->def, ATTR_to, DT_F32);
	return v;
}

static struct val *affine(struct ctx *c, struct val *y, int how)
{
	int64_t dim[2] = { 1, y->dim[y->rank - 1] };

	if (how & 1) {
		struct val *g = weight(c, how & 4 ? 2 : 1, how & 4 ? dim : dim + 1);
		y = how & 8 ? bin(c, OP_mul, g, y) : bin(c, OP_mul, y, g);
	}
	if (how & 2) {
		struct val *b = weight(c, 1, dim + 1);
		y = how & 8 ? bin(c, OP_add, b, y) : bin(c, OP_add, y, b);
	}
	return y;
}

static struct val *make_layernorm(struct ctx *c, struct val *x, const struct norm *o)
{
	struct val *m = mean_over(c, x, o->axis), *d = bin(c, OP_sub, x, m);
	struct val *d2 = o->duplicate ? bin(c, OP_sub, x, o->duplicate > 1 ? mean(c, x) : m) : d;
	struct val *var = o->square < 2 ? mean_over(c, squared(c, cast(c, d2, o->casts), o->square), o->axis)
		: bin(c, OP_sub, mean(c, squared(c, x, o->square - 2)), squared(c, m, o->square - 2));
	var = bin(c, OP_add, num(c, o->eps), var);
	struct val *y = o->root ? bin(c, OP_mul, d, inverse_root(c, var, o->root)) : bin(c, OP_div, d, un(c, OP_sqrt, var));

	return affine(c, cast(c, y, o->casts), o->affine);
}

static void test_layernorm(void **state)
{
	static const struct norm form[] = {
		{ 0, 0, 3, 0, 0, 1e-5, 2 }, { 1, 0, 3, 0, 0, 1e-12, 2 }, { 0, 0, 3, 1, 0, 1e-5, 2 }, { 0, 0, 3, 2, 1, 1e-5, 2 },
		{ 0, 1, 3, 0, 0, 1e-5, 2 }, { 1, 2, 7, 0, 1, 1e-5, 2 }, { 0, 3, 11, 0, 0, 1e-2, 2 }, { 0, 0, 0, 0, 0, 1e-5, 2 },
		{ 0, 0, 1, 0, 0, 1e-5, 2 }, { 0, 0, 2, 0, 0, 1e-5, 2 }, { 2, 0, 3, 0, 0, 1e-5, 2 }, { 3, 1, 3, 0, 1, 1e-5, 2 },
	};
	struct ctx c;

	(void)state;
	for (size_t i = 0; i < sizeof form / sizeof form[0]; i++) {
		start(&c, i);
		struct val *x = input(&c, DT_F32, DIMS(2, 3, 8));
		ir_add_output(c.p, make_layernorm(&c, bin(&c, OP_add, x, weight(&c, DIMS(8))), &form[i]));
		run_pass(&c, pass_fuse_norm);
		assert_int_equal(count(&c, OP_layernorm), 1);
		assert_ptr_equal(c.p->last->op == OP_layernorm ? c.p->last : NULL, c.p->last);
		assert_int_equal(count(&c, OP_add), 1);
		assert_true(c.p->first->next == c.p->last);
		assert_int_equal(c.p->last->in[1]->rank, 1);
		finish(&c);
	}
}

static void test_layernorm_tf(void **state)
{
	struct ctx c;

	(void)state;
	for (int root = 1; root <= 3; root++) {
		start(&c, (uint64_t)root);
		struct val *x = input(&c, DT_F32, DIMS(2, 3, 8)), *m = mean(&c, x), *d = bin(&c, OP_sub, x, m);
		struct val *r = inverse_root(&c, bin(&c, OP_add, mean(&c, squared(&c, d, root & 1)), num(&c, 1e-3)), root);
		struct val *g = bin(&c, OP_mul, r, weight(&c, DIMS(8)));
		struct val *shift = bin(&c, OP_sub, weight(&c, DIMS(8)), bin(&c, OP_mul, m, g));
		ir_add_output(c.p, bin(&c, OP_add, bin(&c, OP_mul, x, g), shift));
		run_pass(&c, pass_fuse_norm);
		assert_int_equal(count(&c, OP_layernorm), 1);
		assert_ptr_equal(c.p->first, c.p->last);
		finish(&c);
	}
}

static struct val *make_rmsnorm(struct ctx *c, struct val *x, const struct norm *o)
{
	struct val *f = cast(c, x, o->casts);
	struct val *v = bin(c, OP_add, mean_over(c, squared(c, f, o->square), o->axis), num(c, o->eps));
	struct val *y = o->root ? bin(c, OP_mul, f, inverse_root(c, v, o->root)) : bin(c, OP_div, f, un(c, OP_sqrt, v));

	return affine(c, cast(c, y, o->casts), o->affine);
}

static void test_rmsnorm(void **state)
{
	static const struct norm form[] = {
		{ 0, 0, 1, 0, 0, 1e-6, 2 }, { 0, 2, 9, 0, 1, 1e-6, 2 }, { 1, 1, 5, 0, 1, 1e-5, 2 }, { 0, 3, 1, 0, 0, 1e-5, 2 }, { 1, 2, 0, 0, 0, 1e-5, 2 },
	};
	struct ctx c;

	(void)state;
	for (size_t i = 0; i < sizeof form / sizeof form[0]; i++) {
		start(&c, 50 + i);
		struct val *x = input(&c, DT_F32, DIMS(2, 3, 8));
		ir_add_output(c.p, make_rmsnorm(&c, x, &form[i]));
		run_pass(&c, pass_fuse_norm);
		assert_int_equal(count(&c, OP_rmsnorm), 1);
		assert_ptr_equal(c.p->first, c.p->last);
		finish(&c);
	}
}

static struct val *reduce(struct ctx *c, enum op op, struct val *a, int64_t axis, bool keep)
{
	int64_t dim[MAX_RANK];
	int rank = 0;

	for (int k = 0; k < a->rank; k++)
		if (k != axis || keep)
			dim[rank++] = k == axis ? 1 : a->dim[k];
	struct val *v = op_n(c, op, 1, &a, rank, dim);
	ir_set_ints(c->p, v->def, ATTR_axes, 1, &axis);
	ir_set_int(c->p, v->def, ATTR_keepdims, keep);
	return v;
}

static struct val *at_least(struct ctx *c, struct val *a, double lo)
{
	struct val *v = un(c, OP_clip, a);

	ir_set_f64(c->p, v->def, ATTR_lo, lo);
	ir_set_f64(c->p, v->def, ATTR_hi, (double)INFINITY);
	return v;
}

/* x / |x| of the mean over a secret mask: sentence encoders. */
static void test_unit_vector(void **state)
{
	struct ctx c;

	(void)state;
	for (int i = 0; i < 6; i++) {
		start(&c, 60 + (uint64_t)i);
		struct val *x = input(&c, DT_F32, DIMS(2, 5, 8)), *y = reduce(&c, OP_reduce_sum, x, 1, false);
		if (i >= 3) {
			struct val *mask = reshaped(&c, cast(&c, input(&c, DT_I64, DIMS(2, 5)), true), DIMS(2, 5, 1));
			if (i < 5)
				mask = op_n(&c, OP_expand, 1, &mask, DIMS(2, 5, 8));
			y = reduce(&c, OP_reduce_sum, bin(&c, OP_mul, x, mask), 1, false);
			/* in the last case the divisor differs along the last axis: it has to stay */
			struct val *total = i < 5 ? reduce(&c, OP_reduce_sum, mask, 1, false) : input(&c, DT_F32, DIMS(2, 8));
			y = bin(&c, OP_div, y, at_least(&c, total, 1e-9));
		}
		struct val *len = i == 1 ? un(&c, OP_sqrt, reduce(&c, OP_reduce_sum, squared(&c, y, 1), 1, true)) : reduce(&c, OP_reduce_l2, y, 1, true);
		if (i != 2)
			len = at_least(&c, len, 1e-12);
		if (i & 1)
			len = op_n(&c, OP_expand, 1, &len, DIMS(2, 8));
		ir_add_output(c.p, bin(&c, OP_div, y, len));
		run_pass(&c, pass_fuse_norm);
		assert_int_equal(count(&c, OP_rmsnorm), 1);
		assert_int_equal(count(&c, OP_div), i == 5);
		assert_int_equal(count(&c, OP_reduce_l2) + count(&c, OP_sqrt), 0);
		finish(&c);
	}
	start(&c, 69); /* the length along another axis */
	struct val *x = input(&c, DT_F32, DIMS(8, 8));
	ir_add_output(c.p, bin(&c, OP_div, x, reduce(&c, OP_reduce_l2, x, 0, true)));
	run_pass(&c, pass_fuse_norm);
	assert_int_equal(count(&c, OP_rmsnorm), 0);
	finish(&c);
}

static void test_not_a_norm(void **state)
{
	static const struct norm form[] = {
		{ 0, 0, 3, 0, 0, 0.1, 2 },  /* eps too large */
		{ 0, 0, 3, 0, 0, 1e-5, 1 }, /* wrong axis */
	};
	struct ctx c;

	(void)state;
	for (int i = 0; i < 4; i++) {
		start(&c, 70 + (uint64_t)i);
		struct val *x = input(&c, DT_F32, DIMS(2, 8, 8));
		ir_add_output(c.p, i & 1 ? make_rmsnorm(&c, x, &form[i / 2]) : make_layernorm(&c, x, &form[i / 2]));
		run_pass(&c, pass_fuse_norm);
		assert_int_equal(count(&c, OP_layernorm) + count(&c, OP_rmsnorm), 0);
		finish(&c);
	}
	start(&c, 80); /* the root of the variance is wanted too */
	ir_add_output(c.p, make_layernorm(&c, input(&c, DT_F32, DIMS(2, 8, 8)), &(struct norm){ 0, 0, 3, 0, 0, 1e-5, 2 }));
	for (struct node *n = c.p->first; n; n = n->next)
		if (n->op == OP_sqrt)
			ir_add_output(c.p, n->out[0]);
	run_pass(&c, pass_fuse_norm);
	assert_int_equal(count(&c, OP_layernorm), 0);
	finish(&c);
}

/* ---- activations ---------------------------------------------------------------------- */

static struct val *half_of(struct ctx *c, struct val *phi, struct val *x, int order)
{
	switch (order) {
	case 0: return bin(c, OP_mul, bin(c, OP_mul, x, phi), num(c, 0.5));
	case 1: return bin(c, OP_mul, num(c, 0.5), bin(c, OP_mul, phi, x));
	case 2: return bin(c, OP_mul, bin(c, OP_mul, x, num(c, 0.5)), phi);
	case 3: return bin(c, OP_mul, phi, bin(c, OP_mul, num(c, 0.5), x));
	case 4: return bin(c, OP_mul, x, bin(c, OP_mul, num(c, 0.5), phi));
	case 5: return bin(c, OP_mul, bin(c, OP_mul, phi, num(c, 0.5)), x);
	case 6: return bin(c, OP_div, bin(c, OP_mul, phi, x), num(c, 2));
	default: return bin(c, OP_mul, phi, bin(c, OP_div, x, num(c, 2)));
	}
}

static struct val *one_plus(struct ctx *c, struct val *v, int order)
{
	return order & 1 ? bin(c, OP_add, num(c, 1), v) : bin(c, OP_add, v, num(c, 1));
}

static struct val *times(struct ctx *c, struct val *a, double x)
{
	return bin(c, OP_mul, x < 0.1 ? num(c, x) : a, x < 0.1 ? a : num(c, x));
}

static struct val *tanh_argument(struct ctx *c, struct val *x, int form)
{
	bool unused = form / 2 == 0 || form / 2 == 3;
	struct val *sq = unused ? x : form & 1 ? bin(c, OP_mul, x, x) : bin(c, OP_pow, x, num(c, 2));

	switch (form / 2) {
	case 0: return times(c, bin(c, OP_add, x, times(c, bin(c, OP_pow, x, num(c, 3)), 0.044715)), 0.7978845608);
	case 1: return times(c, bin(c, OP_add, times(c, bin(c, OP_mul, x, sq), 0.044715), x), 0.7978845608);
	case 2: return bin(c, OP_mul, times(c, x, 0.7978845608), one_plus(c, times(c, sq, 0.044715), form));
	case 3: return bin(c, OP_mul, times(c, x, 0.79788456), one_plus(c, bin(c, OP_mul, times(c, x, 0.044715), x), form));
	case 4: return times(c, bin(c, OP_mul, x, one_plus(c, times(c, sq, 0.044715), form)), 0.7978845608);
	default: return bin(c, OP_mul, x, bin(c, OP_add, times(c, sq, 0.0356774), num(c, 0.7978845608)));
	}
}

static void test_gelu(void **state)
{
	struct ctx c;

	(void)state;
	for (int i = 0; i < 16; i++) {
		start(&c, 100 + (uint64_t)i);
		struct val *x = input(&c, DT_F32, DIMS(4, 8));
		struct val *s = i & 8 ? times(&c, x, 0.70710678) : bin(&c, OP_div, x, num(&c, 1.4142135));
		ir_add_output(c.p, half_of(&c, one_plus(&c, un(&c, OP_erf, s), i), x, i & 7));
		expect_only(&c, pass_fuse_act, OP_gelu);
		assert_int_equal(ir_int(c.p->last, ATTR_tanh), 0);
		finish(&c);
	}
	for (int i = 0; i < 8 * 12; i++) {
		start(&c, 200 + (uint64_t)i);
		struct val *x = input(&c, DT_F32, DIMS(4, 8));
		ir_add_output(c.p, half_of(&c, one_plus(&c, un(&c, OP_tanh, tanh_argument(&c, x, i % 12)), i), x, i / 12));
		expect_only(&c, pass_fuse_act, OP_gelu);
		assert_int_equal(ir_int(c.p->last, ATTR_tanh), 1);
		finish(&c);
	}
}

static void test_silu(void **state)
{
	struct ctx c;

	(void)state;
	for (int i = 0; i < 5; i++) {
		start(&c, 300 + (uint64_t)i);
		struct val *x = input(&c, DT_F32, DIMS(4, 8)), *y;
		if (i < 2)
			y = bin(&c, OP_mul, i ? un(&c, OP_sigmoid, x) : x, i ? x : un(&c, OP_sigmoid, x));
		else if (i == 2)
			y = bin(&c, OP_div, x, one_plus(&c, un(&c, OP_exp, un(&c, OP_neg, x)), 1));
		else
			y = bin(&c, OP_mul, x, un(&c, OP_sigmoid, i == 3 ? times(&c, x, 1.702) : bin(&c, OP_mul, num(&c, 1.702), x)));
		ir_add_output(c.p, y);
		run_pass(&c, pass_fuse_act);
		assert_int_equal(count(&c, OP_silu), 1);
		assert_int_equal(count(&c, OP_scale), i < 3 ? 0 : 2);
		assert_int_equal(count(&c, OP_sigmoid) + count(&c, OP_mul) + count(&c, OP_div), 0);
		finish(&c);
	}
}

static void test_not_an_activation(void **state)
{
	struct ctx c;

	(void)state;
	for (int i = 0; i < 3; i++) {
		start(&c, 320 + (uint64_t)i);
		struct val *x = input(&c, DT_F32, DIMS(4, 8));
		struct val *e = un(&c, OP_erf, bin(&c, OP_div, x, num(&c, i == 0 ? 1.5 : 1.4142135)));
		ir_add_output(c.p, half_of(&c, one_plus(&c, e, i), i == 1 ? bin(&c, OP_add, x, x) : x, 0));
		if (i == 2)
			ir_add_output(c.p, un(&c, OP_neg, e));
		run_pass(&c, pass_fuse_act);
		assert_int_equal(count(&c, OP_gelu), 0);
		finish(&c);
	}
}

/* ---- products ------------------------------------------------------------------------------ */

static const int64_t heads[] = { 0, 2, 1, 3 }, keys[] = { 0, 2, 3, 1 }, swap4[] = { 0, 1, 3, 2 }, swap3[] = { 0, 2, 1 };

static void test_bias(void **state)
{
	struct ctx c;

	(void)state;
	for (int i = 0; i < 4; i++) {
		start(&c, 400 + (uint64_t)i);
		struct val *x = input(&c, DT_F32, DIMS(2, 3, 8)), *w = weight(&c, DIMS(8, 5));
		if (i == 3) /* Conv1D of GPT-2: a product of two axes between reshapes */
			x = reshaped(&c, x, DIMS(6, 8));
		struct val *b = i & 1 ? weight(&c, DIMS(1, 5)) : weight(&c, DIMS(5)), *y = product(&c, x, w);
		y = i & 2 ? bin(&c, OP_add, b, y) : bin(&c, OP_add, y, b);
		ir_add_output(c.p, i == 3 ? reshaped(&c, y, DIMS(2, 3, 5)) : y);
		run_pass(&c, pass_fuse_linear);
		assert_int_equal(count(&c, OP_matmul), 1);
		assert_int_equal(count(&c, OP_add), 0);
		finish(&c);
	}
	for (int i = 0; i < 3; i++) { /* a matrix of addends, a second user, a secret product */
		start(&c, 410 + (uint64_t)i);
		struct val *x = input(&c, DT_F32, DIMS(2, 8, 8)), *y = product(&c, x, i == 2 ? un(&c, OP_neg, x) : weight(&c, DIMS(8, 8)));
		ir_add_output(c.p, bin(&c, OP_add, y, i == 0 ? weight(&c, DIMS(8, 8)) : weight(&c, DIMS(8))));
		if (i == 1)
			ir_add_output(c.p, y);
		run_pass(&c, pass_fuse_linear);
		assert_int_equal(count(&c, OP_add), 1);
		finish(&c);
	}
}

static void test_factors(void **state)
{
	struct ctx c;

	(void)state;
	start(&c, 420);
	struct val *x = input(&c, DT_F32, DIMS(2, 8));
	struct val *y = bin(&c, OP_mul, num(&c, 3), bin(&c, OP_div, bin(&c, OP_mul, x, num(&c, 0.25)), num(&c, 1.5)));
	ir_add_output(c.p, y);
	expect_only(&c, pass_fuse_linear, OP_scale);
	assert_true(fabs(ir_f64(c.p->last, ATTR_factor) - 0.5) < 1e-12);
	finish(&c);

	start(&c, 421); /* a vector is no factor, but a divisor becomes one */
	x = input(&c, DT_F32, DIMS(2, 8));
	ir_add_output(c.p, bin(&c, OP_div, x, weight(&c, DIMS(8))));
	expect_only(&c, pass_fuse_linear, OP_mul);
	finish(&c);

	start(&c, 422); /* a number of the model owner stays a weight; a factor that makes the tensor larger stays a product */
	x = input(&c, DT_F32, DIMS(8));
	y = bin(&c, OP_mul, x, weight(&c, DIMS(1)));
	ir_add_output(c.p, bin(&c, OP_mul, y, ir_const(c.p, NULL, DT_F32, SEC_PUBLIC, DIMS(2, 1), (const float[]){ 2, 2 })));
	run_pass(&c, pass_fuse_linear);
	assert_int_equal(count(&c, OP_mul), 2);
	finish(&c);
}

/* q k^T of the ways exporters scale it: on q, on both, behind, also in the transposed form of dynamo. */
static void test_attention_scale(void **state)
{
	struct ctx c;

	(void)state;
	for (int form = 0; form < 5; form++) {
		start(&c, 430 + (uint64_t)form);
		struct val *q = reshaped(&c, input(&c, DT_F32, DIMS(1, 6, 8)), DIMS(1, 6, 2, 4));
		struct val *k = reshaped(&c, input(&c, DT_F32, DIMS(1, 6, 8)), DIMS(1, 6, 2, 4)), *s;
		if (form == 1)
			q = bin(&c, OP_mul, q, num(&c, 0.5));
		q = transposed(&c, q, 4, heads);
		if (form == 2 || form == 4)
			q = bin(&c, OP_mul, q, num(&c, sqrt(0.5)));
		if (form < 2) {
			k = transposed(&c, k, 4, keys);
		} else {
			k = transposed(&c, k, 4, heads);
			if (form == 4)
				k = reshaped(&c, transposed(&c, reshaped(&c, k, DIMS(2, 6, 4)), 3, swap3), DIMS(1, 2, 4, 6));
			else
				k = transposed(&c, k, 4, swap4);
			if (form != 3)
				k = bin(&c, OP_mul, k, num(&c, sqrt(0.5)));
		}
		s = product(&c, q, k);
		if (form == 0 || form == 3)
			s = bin(&c, OP_div, s, num(&c, 2));
		ir_add_output(c.p, s);
		run_pass(&c, pass_fuse_linear);
		assert_int_equal(count(&c, OP_scale), 1);
		assert_int_equal(c.p->last->op, OP_scale);
		assert_true(fabs(ir_f64(c.p->last, ATTR_factor) - 0.5) < 1e-6);
		assert_int_equal(c.p->last->in[0]->def->op, OP_matmul);
		assert_int_equal(ir_int_or(c.p->last->in[0]->def, ATTR_trans_b, 0), form >= 2);
		assert_int_equal(count(&c, OP_transpose), 2);
		finish(&c);
	}
	start(&c, 440); /* scaled keys that are an output too stay */
	struct val *q = input(&c, DT_F32, DIMS(2, 6, 4)), *k = bin(&c, OP_mul, input(&c, DT_F32, DIMS(2, 4, 6)), num(&c, 0.5));
	ir_add_output(c.p, product(&c, q, k));
	ir_add_output(c.p, k);
	run_pass(&c, pass_fuse_linear);
	assert_int_equal(c.p->last->op, OP_matmul);
	finish(&c);
}

/* ---- rotary embedding ---------------------------------------------------------------------------- */

static struct val *half(struct ctx *c, struct val *x, int64_t from)
{
	int64_t dim[MAX_RANK];

	memcpy(dim, x->dim, sizeof dim);
	dim[x->rank - 1] /= 2;
	struct val *v = op_n(c, OP_slice, 1, &x, x->rank, dim);
	ir_set_int(c->p, v->def, ATTR_axis, x->rank - 1);
	ir_set_int(c->p, v->def, ATTR_start, from);
	ir_set_int(c->p, v->def, ATTR_step, 1);
	return v;
}

static struct val *angles(struct ctx *c, enum sec sec, double (*f)(double))
{
	float *data = arena_alloc(c->p->arena, 6 * 8 * sizeof *data);

	for (int i = 0; i < 6 * 8; i++)
		data[i] = (float)(1.1 * f(i / 8 * pow(10, -(i % 4))));
	return ir_const(c->p, "table", DT_F32, sec, DIMS(1, 1, 6, 8), data);
}

static void test_rope(void **state)
{
	struct ctx c;

	(void)state;
	for (int i = 0; i < 9; i++) {
		start(&c, 500 + (uint64_t)i);
		bool good = i < 4;
		struct val *x = input(&c, DT_F32, DIMS(2, 3, 6, 8));
		struct val *hi = half(&c, x, i == 4 ? 3 : 4), *lo = half(&c, x, 0);
		hi = i == 1 || i == 8 ? bin(&c, OP_mul, hi, num(&c, i == 8 ? -2 : -1)) : un(&c, OP_neg, hi);
		struct val *pair[2] = { i == 5 ? lo : hi, i == 5 ? hi : lo };
		struct val *r = op_n(&c, OP_concat, 2, pair, x->rank, x->dim);
		ir_set_int(c.p, r->def, ATTR_axis, 3);
		struct val *s = bin(&c, OP_mul, r, angles(&c, i & 2 ? SEC_WEIGHT : SEC_PUBLIC, sin));
		struct val *co = i == 6 ? weight(&c, DIMS(6, 8)) : angles(&c, SEC_PUBLIC, cos);
		co = i & 1 ? bin(&c, OP_mul, co, x) : bin(&c, OP_mul, x, co);
		ir_add_output(c.p, i & 2 ? bin(&c, OP_add, s, co) : bin(&c, OP_add, co, s));
		if (i == 7)
			ir_add_output(c.p, r);
		run_pass(&c, pass_fuse_linear);
		run_pass(&c, pass_fuse_rope);
		assert_int_equal(count(&c, OP_rope), good);
		if (good) {
			assert_ptr_equal(c.p->first, c.p->last);
			assert_int_equal(ir_int(c.p->last, ATTR_half), 4);
			assert_int_equal(c.p->last->in[2]->type.sec, SEC_PUBLIC);
		}
		finish(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layernorm),
		cmocka_unit_test(test_layernorm_tf),
		cmocka_unit_test(test_rmsnorm),
		cmocka_unit_test(test_unit_vector),
		cmocka_unit_test(test_not_a_norm),
		cmocka_unit_test(test_gelu),
		cmocka_unit_test(test_silu),
		cmocka_unit_test(test_not_an_activation),
		cmocka_unit_test(test_bias),
		cmocka_unit_test(test_factors),
		cmocka_unit_test(test_attention_scale),
		cmocka_unit_test(test_rope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
