/* SPDX-License-Identifier: Apache-2.0
 * quantize_test.c -- a ring program, evaluated as integers, is the float
 * program up to rounding; the ring's width follows the ranges; what does not
 * fit is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "random_model.h"
#include "passes/quantize.h"

struct tensor { const struct val *val; void *data; };
struct machine { struct tensor *t; int n, cap; struct arena *mem; };

static void *slot(struct machine *m, const struct val *v)
{
	for (int i = 0; i < m->n; i++)
		if (m->t[i].val == v)
			return m->t[i].data;
	if (m->n == m->cap)
		m->t = realloc(m->t, (size_t)(m->cap = 2 * m->cap + 16) * sizeof *m->t);
	void *data = arena_alloc(m->mem, (size_t)ir_count(v) * 8);
	for (int64_t i = 0; v->data && i < ir_count(v); i++)
		if (v->dtype == DT_F32)          /* a weight: its integers */
			((float *)data)[i] = (float)quantize_weight(v, i);
		else
			((int64_t *)data)[i] = quantize_weight(v, i);
	m->t[m->n++] = (struct tensor){ v, data };
	return data;
}

static bool on_integers(enum op op)
{
	switch (op) {
	case OP_matmul: case OP_add: case OP_sub: case OP_mul: case OP_neg: case OP_scale: case OP_embedding: case OP_rope:
	case OP_reduce_sum: case OP_reshape: case OP_transpose: case OP_slice: case OP_concat: case OP_expand: case OP_gather:
	case OP_tril: case OP_untril:
		return true;
	default:
		return false;
	}
}

static void times(float *x, int64_t n, double c)
{
	for (int64_t i = 0; i < n; i++)
		x[i] = (float)((double)x[i] * c);
}

/* Linear operations on the integers themselves, others on the numbers that they stand for. */
static void step(struct machine *m, const struct node *n)
{
	const void *in[8];
	void *out = slot(m, n->out[0]);
	assert_true(n->nin <= 8);
	for (int k = 0; k < n->nin; k++)
		in[k] = slot(m, n->in[k]);
	if (n->op == OP_rescale) {
		const float *x = in[0];
		double shift = ldexp(1, -(int)ir_int(n, ATTR_shift));
		for (int64_t i = 0; i < ir_count(n->out[0]); i++)
			((float *)out)[i] = (float)floor((double)x[i] * shift);
		return;
	}
	if (!on_integers(n->op)) {
		for (int k = 0; k < n->nin; k++) {
			size_t bytes = (size_t)ir_count(n->in[k]) * sizeof(float);
			float *real = memcpy(arena_alloc(m->mem, bytes), in[k], bytes);
			times(real, ir_count(n->in[k]), ldexp(1, -n->in[k]->type.frac));
			in[k] = real;
		}
	}
	assert_true(float_eval_node(n, in, &out, m->mem));
	if (!on_integers(n->op) && n->out[0]->dtype == DT_F32)
		times(out, ir_count(n->out[0]), ldexp(1, n->out[0]->type.frac));
}

/* Distance of the ring program's outputs from the float program's. */
static double check(struct model *m)
{
	struct arena *mem = arena_new();
	struct machine k = { .mem = mem };
	void **in = model_inputs(m), **result = arena_alloc(mem, 4096 * sizeof *result);
	struct val **vals = arena_alloc(mem, (size_t)m->p->nvals * sizeof *vals);
	int nvals = m->p->nvals;
	double worst = 0;
	assert_true(pass_ranges(m->p));
	assert_true(float_eval(m->p, (const void *const *)in, result, mem));
	memcpy(vals, m->p->vals, (size_t)nvals * sizeof *vals);
	if (!pass_quantize(m->p))
		fail_msg("%s", model_log(m));
	for (int i = 0; i < m->p->nin; i++) {
		const struct val *v = m->p->in[i];
		memcpy(slot(&k, v), in[i], (size_t)ir_count(v) * (v->dtype == DT_F32 ? 4 : 8));
		if (v->dtype == DT_F32)
			times(slot(&k, v), ir_count(v), ldexp(1, v->type.frac));
	}
	for (const struct node *n = m->p->first; n; n = n->next)
		step(&k, n);
	for (int j = 0; j < m->p->nout; j++)
		for (int i = 0; i < nvals; i++)
			for (int64_t e = 0; vals[i] == m->p->out[j] && e < ir_count(vals[i]); e++) {
				double got = ldexp((double)((float *)slot(&k, vals[i]))[e], -vals[i]->type.frac);
				worst = fmax(worst, fabs(got - (double)((float *)result[i])[e]));
				assert_ptr_equal(vals[i]->source, vals[i]);
			}
	model_inputs_free(m, in);
	free(k.t);
	arena_free(mem);
	return worst;
}

static const struct node *def(struct model *m, const char *name)
{
	const struct val *v = ir_find(m->p, name);
	assert_non_null(v);
	assert_non_null(v->def);
	return v->def;
}

static void test_transformer(void **state)
{
	(void)state;
	for (int causal = 0; causal < 2; causal++) {
		struct model m;
		model_init(&m, 41 + (uint64_t)causal);
		model_transformer(&m, 8, 32, 2, 2, 6, causal != 0);
		assert_true(check(&m) < 0.05);
		const struct node *scores = def(&m, "layer0.scores");      /* 1/sqrt(16) rides on the truncation */
		assert_int_equal(scores->op, OP_rescale);
		assert_int_equal(ir_int(scores, ATTR_shift), 14);
		assert_string_equal(scores->klass, "truncate");
		assert_int_equal(scores->in[0]->def->op, OP_matmul);
		assert_int_equal(m.p->in[0]->onehot, 50);
		assert_int_equal(def(&m, "embedded")->op, OP_embedding);
		const struct val *beta = ir_find(m.p, "final.beta"), *w = ir_find(m.p, "layer0.up.w");
		assert_int_equal(beta->type.frac, 24);
		assert_int_equal(w->type.frac, 12);
		assert_int_equal(w->dtype, DT_F32);                        /* read lazily, never copied */
		assert_int_equal(quantize_weight(w, 3), llrint(4096 * (double)((const float *)w->data)[3]));
		model_free(&m);
	}
}

/* Factors that are no power of two, integers from inputs, means, RoPE, alignment of fraction bits. */
static void test_factors(void **state)
{
	(void)state;
	struct model m;
	int64_t dim[2] = { 4, 12 }, row[2] = { 4, 1 }, axes = 1;
	model_init(&m, 51);
	struct val *x = model_input(&m, "x", DT_F32, 2, dim), *mask = model_input(&m, "mask", DT_I64, 2, row);
	x->lo = mask->lo = -4; x->hi = 4; mask->lo = 0; mask->hi = 50; x->from = mask->from = RANGE_PROVEN;
	struct node *cast = model_node(&m, OP_cast, "number", 2, row, 1, &mask);
	ir_set_int(m.p, cast, ATTR_to, DT_F32);
	static const double factor[] = { 0.0883883, -0.25, 8, -3, 1e-3, 40.123, 0.5 };
	struct val *sum = x;
	for (int k = 0; k < 7; k++) {
		struct node *n = model_node(&m, OP_scale, "scaled", 2, dim, 1, &x);
		ir_set_f64(m.p, n, ATTR_factor, factor[k]);
		sum = model_node(&m, OP_add, "sum", 2, dim, 2, (struct val *[]){ sum, n->out[0] })->out[0];
	}
	struct node *n = model_node(&m, OP_scale, "third", 2, row, 1, cast->out);
	ir_set_f64(m.p, n, ATTR_factor, 1.0 / 3);
	sum = model_node(&m, OP_add, "aligned", 2, dim, 2, (struct val *[]){ sum, n->out[0] })->out[0];
	sum = model_node(&m, OP_sub, "raised", 2, dim, 2, (struct val *[]){ sum, cast->out[0] })->out[0];
	struct node *mean = model_node(&m, OP_reduce_mean, "mean", 2, row, 1, &sum);
	ir_set_ints(m.p, mean, ATTR_axes, 1, &axes); ir_set_int(m.p, mean, ATTR_keepdims, 1);
	sum = model_node(&m, OP_sub, "centred", 2, dim, 2, (struct val *[]){ sum, mean->out[0] })->out[0];
	float *c = arena_alloc(m.p->arena, 48 * sizeof *c), *s = arena_alloc(m.p->arena, 48 * sizeof *s);
	for (int i = 0; i < 48; i++) {
		c[i] = (float)cos(0.3 * (i / 12) * (i % 6 + 1));
		s[i] = (float)sin(0.3 * (i / 12) * (i % 6 + 1));
	}
	struct val *cs = ir_const(m.p, "cos", DT_F32, SEC_PUBLIC, 2, dim, c), *sn = ir_const(m.p, "sin", DT_F32, SEC_PUBLIC, 2, dim, s);
	n = model_node(&m, OP_rope, "rope", 2, dim, 3, (struct val *[]){ sum, cs, sn });
	ir_set_int(m.p, n, ATTR_half, 6);
	struct val *w = model_weight(&m, "w", 1, 0, 1, dim + 1);
	n = model_node(&m, OP_mul, "weighted", 2, dim, 2, (struct val *[]){ w, n->out[0] });
	struct val *half = ir_scalar(m.p, "half", 0.375);
	n = model_node(&m, OP_mul, "times_scalar", 2, dim, 2, (struct val *[]){ n->out[0], half });
	n = model_node(&m, OP_add, "plus_scalar", 2, dim, 2, (struct val *[]){ half, n->out[0] });
	ir_add_output(m.p, n->out[0]);
	double far = check(&m);
	if (!(far < 0.2))                        /* RoPE has 9 bits: values of a few hundred are off by some 2^-10 of that */
		fail_msg("%g from the float program", far);
	assert_int_equal(def(&m, "rope")->op, OP_rescale);
	assert_int_equal(ir_int(def(&m, "rope"), ATTR_shift), 9);
	model_free(&m);
}

static void test_width(void **state)
{
	(void)state;
	int64_t dim[2] = { 4, 16 };
	static const struct { double hi; int ring, bits; const char *say; } t[] = {
		{ 100, 0, 44, "" },                      /* ||x||^2 <= 16 * 10^4 < 2^18: 18 + 24 + 2 */
		{ 1, 0, 37, "" }, { 100, 37, 37, "ring-too-small" }, { 1e6, 0, 64, "ring-too-small" }, { -1, 0, 64, "no-range" }, { -1, 48, 48, "no-range" },
	};
	for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
		struct model m;
		model_init(&m, 60);
		m.opt.ring_bits = t[k].ring;
		struct val *x = model_input(&m, "x", DT_F32, 2, dim);
		x->lo = -t[k].hi; x->hi = t[k].hi; x->from = t[k].hi > 0 ? RANGE_PROVEN : RANGE_NONE;
		float *one = arena_alloc(m.p->arena, 16 * sizeof *one);
		for (int i = 0; i < 16; i++)
			one[i] = 1;
		struct node *n = model_node(&m, OP_rmsnorm, "norm", 2, dim, 2, (struct val *[]){ x, ir_const(m.p, "gamma", DT_F32, SEC_WEIGHT, 1, dim + 1, one) });
		ir_set_f64(m.p, n, ATTR_eps, 1e-6);
		ir_add_output(m.p, n->out[0]);
		assert_true(pass_ranges(m.p));
		assert_true(pass_quantize(m.p));
		assert_int_equal(m.p->out[0]->type.bits, t[k].bits);
		if (*t[k].say ? !strstr(model_log(&m), t[k].say) : *model_log(&m))
			fail_msg("case %zu: '%s'", k, model_log(&m));
		model_free(&m);
	}
}

/* The mean of 12 values takes a factor 2^(f+8)/12, that of 16 a shift. */
static void test_mean_width(void **state)
{
	(void)state;
	for (int k = 0; k < 2; k++) {
		struct model m;
		int64_t dim[2] = { 4, k ? 12 : 16 };
		model_init(&m, 65);
		m.opt.frac_bits = 16;
		struct val *x = model_input(&m, "x", DT_F32, 2, dim);
		x->lo = -1; x->hi = 1; x->from = RANGE_PROVEN;
		struct val *w = model_weight(&m, "gamma", 0, 1, 1, dim + 1);
		struct node *n = model_node(&m, OP_layernorm, "norm", 2, dim, 3, (struct val *[]){ x, w, model_weight(&m, "beta", 0, 0, 1, dim + 1) });
		ir_set_f64(m.p, n, ATTR_eps, 1e-6);
		ir_add_output(m.p, n->out[0]);
		assert_true(pass_ranges(m.p) && pass_quantize(m.p));
		assert_int_equal(m.p->out[0]->type.bits, k ? 34 + 9 : 34 + 5); /* |mean| 2^8 < 2^9; ||x||^2 <= 16 < 2^5 */
		model_free(&m);
	}
}

static void test_refusals(void **state)
{
	(void)state;
	int64_t dim[2] = { 4, 16 };
	for (int k = 0; k < 3; k++) {
		struct model m;
		model_init(&m, 70);
		struct val *x = model_input(&m, "x", DT_F32, 2, dim);
		x->lo = -1; x->hi = 1; x->from = RANGE_PROVEN;
		struct val *y = model_linear(&m, "y", x, 8, 1);
		if (k == 0)
			((float *)(uintptr_t)ir_find(m.p, "y.w")->data)[5] = NAN;
		if (k == 1)
			((float *)(uintptr_t)ir_find(m.p, "y.b")->data)[2] = 1e30f;
		if (k == 2)
			y = model_node(&m, OP_sqrt, "root", 2, y->dim, 1, &y)->out[0];
		ir_add_output(m.p, y);
		assert_true(pass_ranges(m.p));
		assert_false(pass_quantize(m.p));
		static const char *const say[] = { "element 5 of 'y.w'", "element 2 of 'y.b'", "no-fixed-point" };
		if (!strstr(model_log(&m), say[k]))
			fail_msg("case %d: '%s'", k, model_log(&m));
		model_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transformer),
		cmocka_unit_test(test_factors),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_mean_width),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
