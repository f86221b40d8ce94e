/* SPDX-License-Identifier: Apache-2.0
 * ranges_test.c -- every value that the float interpreter computes lies in its
 * interval and under its norm; the tight rules are as tight as claimed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>
#include "random_model.h"
#include "npy.h"
#include "passes/range.h"

static int check_values(struct model *m, int examples)
{
	int values = 0;
	for (int e = 0; e < examples; e++) {
		struct arena *mem = arena_new();
		void **in = model_inputs(m), **result = arena_alloc(mem, (size_t)m->p->nvals * sizeof *result);
		assert_true(float_eval(m->p, (const void *const *)in, result, mem));
		for (int i = 0; i < m->p->nvals; i++) {
			const struct val *v = m->p->vals[i];
			struct range r = range_of_data(v, result[i]);
			if (v->from == RANGE_NONE)
				continue;
			double slack = 1e-5 * (1 + range_max(v));
			if (r.lo < v->lo - slack || r.hi > v->hi + slack || r.norm > v->norm * (1 + 1e-5) + 1e-6)
				fail_msg("%s: took [%g, %g] norm %g, bound [%g, %g] norm %g", v->name, r.lo, r.hi, r.norm, v->lo, v->hi, v->norm);
			values++;
		}
		model_inputs_free(m, in);
		arena_free(mem);
	}
	return values;
}

static const struct val *find(struct model *m, const char *name)
{
	const struct val *v = ir_find(m->p, name);
	assert_non_null(v);
	return v;
}

static void test_transformer(void **state)
{
	(void)state;
	for (int causal = 0; causal < 2; causal++) {
		struct model m;
		model_init(&m, 11 + (uint64_t)causal);
		model_transformer(&m, 10, 32, 2, 4, 7, causal != 0);
		assert_true(pass_ranges(m.p));
		assert_true(check_values(&m, 5) > 300);
		for (int i = 0; i < m.p->nvals; i++)
			assert_int_equal(m.p->vals[i]->from, RANGE_PROVEN);
		const struct val *pv = find(&m, "layer0.pv"), *v = find(&m, "layer0.heads.2");
		assert_true(range_max(pv) <= range_max(v) && pv->norm <= v->norm); /* a convex combination */
		const struct val *ln = find(&m, "layer1.ln1");
		assert_true(ln->norm < 2.2 * sqrt(32));
		assert_true(find(&m, "layer0.gelu")->lo >= -0.18);
		model_free(&m);
	}
}

/* Layout and elementwise operations on values of a calibrated-like known range. */
static void test_operations(void **state)
{
	(void)state;
	struct model m;
	model_init(&m, 5);
	int64_t dim[2] = { 6, 8 }, r1[1] = { 48 }, r2[2] = { 12, 4 }, r3[2] = { 3, 16 }, one[2] = { 6, 1 }, cat[2] = { 6, 16 }, half[2] = { 6, 4 };
	struct val *x = model_input(&m, "x", DT_F32, 2, dim);
	x->lo = -6; x->hi = 6; x->from = RANGE_PROVEN;
	struct val *w = model_weight(&m, "w", 1, 0.3, 2, dim), *row = model_weight(&m, "row", 2, 0, 1, dim + 1);
	struct val *a[] = { x, w }, *b[] = { x, row };
	model_node(&m, OP_reshape, "flat", 1, r1, 1, &x);
	model_node(&m, OP_reshape, "narrow", 2, r2, 1, &x);
	model_node(&m, OP_reshape, "wide", 2, r3, 1, &x);
	model_node(&m, OP_add, "sum", 2, dim, 2, a);
	model_node(&m, OP_sub, "difference", 2, dim, 2, b);
	model_node(&m, OP_mul, "product", 2, dim, 2, b);
	model_node(&m, OP_neg, "minus", 2, dim, 1, &x);
	model_node(&m, OP_relu, "relu", 2, dim, 1, &x);
	model_node(&m, OP_silu, "silu", 2, dim, 1, &x);
	model_node(&m, OP_tanh, "tanh", 2, dim, 1, &x);
	model_node(&m, OP_sigmoid, "sigmoid", 2, dim, 1, &x);
	model_node(&m, OP_erf, "erf", 2, dim, 1, &x);
	model_node(&m, OP_exp, "exp", 2, dim, 1, &x);
	ir_set_int(m.p, model_node(&m, OP_concat, "concat", 2, cat, 2, a), ATTR_axis, 1);
	struct node *n = model_node(&m, OP_slice, "slice", 2, half, 1, &x);
	ir_set_int(m.p, n, ATTR_axis, 1); ir_set_int(m.p, n, ATTR_start, 1); ir_set_int(m.p, n, ATTR_step, 2);
	int64_t axes = 1, perm[2] = { 1, 0 }, tdim[2] = { 8, 6 };
	for (int k = 0; k < 3; k++) {
		static const enum op op[3] = { OP_reduce_sum, OP_reduce_mean, OP_reduce_l2 };
		n = model_node(&m, op[k], op_desc[op[k]].name, 2, one, 1, &x);
		ir_set_ints(m.p, n, ATTR_axes, 1, &axes); ir_set_int(m.p, n, ATTR_keepdims, 1);
	}
	n = model_node(&m, OP_transpose, "transposed", 2, tdim, 1, &x);
	ir_set_ints(m.p, n, ATTR_perm, 2, perm);
	int64_t sq[2] = { 6, 6 };
	model_node(&m, OP_matmul, "gram", 2, sq, 2, (struct val *[]){ x, n->out[0] });
	int64_t wide[2] = { 8, 8 };
	struct val *left = model_weight(&m, "left", 1, 0, 2, tdim);
	model_node(&m, OP_matmul, "from_left", 2, wide, 2, (struct val *[]){ left, x });
	n = model_node(&m, OP_rmsnorm, "rms", 2, dim, 2, b);
	ir_set_f64(m.p, n, ATTR_eps, 1e-6);
	float *c = arena_alloc(m.p->arena, 48 * sizeof *c), *s = arena_alloc(m.p->arena, 48 * sizeof *s);
	for (int i = 0; i < 48; i++) {
		c[i] = (float)cos(0.37 * (i / 8) * (i % 4 + 1));
		s[i] = (float)sin(0.37 * (i / 8) * (i % 4 + 1));
	}
	struct val *rope[3] = { x, ir_const(m.p, "cos", DT_F32, SEC_PUBLIC, 2, dim, c), ir_const(m.p, "sin", DT_F32, SEC_PUBLIC, 2, dim, s) };
	n = model_node(&m, OP_rope, "rope", 2, dim, 3, rope);
	ir_set_int(m.p, n, ATTR_half, 4);
	assert_true(pass_ranges(m.p));
	assert_true(check_values(&m, 20) > 20 * 25);
	assert_true(find(&m, "rope")->norm <= x->norm * 1.0001);
	assert_true(find(&m, "narrow")->norm <= x->norm && find(&m, "wide")->norm <= x->norm * 1.4143);
	model_free(&m);
}

/* Without calibration nothing is known about a float input, but norms make a new start. */
static void test_unknown(void **state)
{
	(void)state;
	struct model m;
	int64_t dim[2] = { 4, 16 };
	model_init(&m, 3);
	struct val *x = model_input(&m, "x", DT_F32, 2, dim);
	struct val *y = model_layer(&m, "l", x, 2, false);
	ir_add_output(m.p, y);
	assert_true(pass_ranges(m.p));
	assert_int_equal(x->from, RANGE_NONE);
	assert_int_equal(y->from, RANGE_NONE);
	assert_int_equal(find(&m, "l.ln1")->from, RANGE_PROVEN);
	assert_int_equal(find(&m, "l.down")->from, RANGE_PROVEN);
	check_values(&m, 3);
	model_free(&m);
}

static void test_calibration(void **state)
{
	(void)state;
	struct model m;
	char path[] = "/tmp/ranges_test_XXXXXX.npy", text[256];
	int64_t dim[2] = { 4, 16 }, many[2] = { 12, 16 };
	float data[12 * 16];
	int fd = mkstemps(path, 4);
	assert_true(fd >= 0);
	close(fd);
	model_init(&m, 4);
	double top = 0;
	for (int i = 0; i < 12 * 16; i++) {
		data[i] = (float)model_normal(&m);
		top = fmax(top, fabs((double)data[i]));
	}
	assert_int_equal(npy_write(path, 0600, NPY_F32, 2, many, data, text), SUF_OK);
	m.opt.calibrate = path;
	struct val *x = model_input(&m, "x", DT_F32, 2, dim);
	ir_add_output(m.p, model_layer(&m, "l", x, 2, false));
	assert_true(pass_ranges(m.p));
	assert_int_equal(x->from, RANGE_CALIBRATED);
	assert_true(fabs(x->hi - 2 * top) < 1e-9 && fabs(x->lo + 2 * top) < 1e-9);
	assert_int_equal(m.p->out[0]->from, RANGE_CALIBRATED);
	assert_int_equal(find(&m, "l.ln1")->from, RANGE_PROVEN);
	check_values(&m, 3);
	m.opt.calibrate = "/nonexistent/x.npy";
	assert_false(pass_ranges(m.p));
	unlink(path);
	model_free(&m);
}

/* scores + (1 - mask) * -512, and a public mask: deep enough for large scores, also if the examples hide nothing; where values
 * may have formats of their own, no deeper than that. */
static void test_masks(void **state)
{
	(void)state;
	for (int calibrated = 0; calibrated < 2; calibrated++)
		for (int k = 0; k < 4; k++) {
			const bool large = k & 1, fits = k & 2;
			struct model m;
			int64_t dim[2] = { 4, 8 }, one = 8;
			model_init(&m, 200);
			m.opt.gates = fits ? "compact" : "sigma";
			m.p->opt = &m.opt;
			struct val *x = model_input(&m, "x", DT_F32, 2, dim), *mask = model_input(&m, "mask", DT_I64, 1, &one);
			x->lo = large ? -20000 : -200; x->hi = -x->lo; x->from = RANGE_PROVEN;
			struct node *c = model_node(&m, OP_cast, "cast", 1, &one, 1, &mask);
			ir_set_int(m.p, c, ATTR_to, DT_F32);
			struct node *s = model_node(&m, OP_sub, "inverse", 1, &one, 2, (struct val *[]){ ir_scalar(m.p, "one", 1), c->out[0] });
			struct node *f = model_node(&m, OP_scale, "hidden", 1, &one, 1, s->out);
			ir_set_f64(m.p, f, ATTR_factor, MASK_SECRET);
			float *data = arena_alloc(m.p->arena, 8 * sizeof *data);
			data[5] = -3;            /* hides nothing */
			data[3] = (float)MASK_PUBLIC;
			struct val *fixed = ir_const(m.p, "fixed", DT_F32, SEC_PUBLIC, 1, &one, data);
			struct node *a = model_node(&m, OP_add, "masked", 2, dim, 2, (struct val *[]){ x, f->out[0] });
			struct node *b = model_node(&m, OP_add, "both", 2, dim, 2, (struct val *[]){ a->out[0], fixed });
			struct node *p = model_node(&m, OP_softmax, "p", 2, dim, 1, b->out);
			ir_set_int(m.p, p, ATTR_axis, 1);
			ir_add_output(m.p, p->out[0]);
			if (calibrated)          /* normal x, a mask of ones: nothing is hidden */
				m.opt.calibrate = TEST_DATA "/data/mask_ones.npz";
			if (!pass_ranges(m.p))
				fail_msg("%s", model_log(&m));
			double deep = -ir_f64(f, ATTR_factor), top = x->hi;
			assert_true(fits ? deep == ceil(2 * top + 16) && ir_elem(b->in[1], 3) == (float)-deep : deep >= 2 * top + 16 || (!large && deep == -MASK_SECRET));
			assert_true(ir_elem(b->in[1], 5) == -3);
			assert_true(b->out[0]->has_row_max && b->out[0]->row_max >= x->lo);
			assert_true(mask->lo == 0 && mask->hi == 1 && f->out[0]->lo <= -deep);
			assert_true(a->out[0]->lo <= x->lo - deep && ir_elem(b->in[1], 3) <= -2 * top - 16 && ir_elem(b->in[1], 2) == 0);
			assert_true(b->out[0]->lo <= a->out[0]->lo + ir_elem(b->in[1], 3));
			model_free(&m);
		}
}

/* A factor that fuse_mask did not give may be of no mask: it stays, where a mask would become less deep. */
static void test_own_factor(void **state)
{
	(void)state;
	struct model m;
	int64_t dim[2] = { 4, 8 };
	model_init(&m, 201);
	m.opt.gates = "compact";
	m.p->opt = &m.opt;
	struct val *x = model_input(&m, "x", DT_F32, 2, dim), *far = model_input(&m, "far", DT_F32, 2, dim);
	x->lo = -5; x->hi = 5; x->from = RANGE_PROVEN;
	far->lo = 0; far->hi = 1; far->from = RANGE_PROVEN;
	struct node *f = model_node(&m, OP_scale, "bias", 2, dim, 1, &far);
	ir_set_f64(m.p, f, ATTR_factor, 1.25 * MASK_SECRET);
	struct node *a = model_node(&m, OP_add, "sum", 2, dim, 2, (struct val *[]){ x, f->out[0] });
	struct node *p = model_node(&m, OP_softmax, "p", 2, dim, 1, a->out);
	ir_set_int(m.p, p, ATTR_axis, 1);
	ir_add_output(m.p, p->out[0]);
	assert_true(pass_ranges(m.p) && ir_f64(f, ATTR_factor) == 1.25 * MASK_SECRET);
	model_free(&m);
}

/* The largest singular value by power iteration: from below. */
static double power(const float *w, int64_t r, int64_t c, struct model *m)
{
	double *x = calloc((size_t)c, sizeof *x), *y = calloc((size_t)r, sizeof *y), norm = 0;
	for (int64_t j = 0; j < c; j++)
		x[j] = model_normal(m);
	for (int step = 0; step < 200; step++) {
		double size = 0;
		norm = 0;
		for (int64_t i = 0; i < r; i++) {
			y[i] = 0;
			for (int64_t j = 0; j < c; j++)
				y[i] += (double)w[i * c + j] * x[j];
		}
		for (int64_t j = 0; j < c; j++) {
			x[j] = 0;
			for (int64_t i = 0; i < r; i++)
				x[j] += (double)w[i * c + j] * y[i];
			size += x[j] * x[j];
		}
		norm = sqrt(sqrt(size));
		for (int64_t j = 0; j < c; j++)
			x[j] /= sqrt(size);
	}
	free(x); free(y);
	return norm;
}

static void test_matrix(void **state)
{
	(void)state;
	static const int64_t size[][2] = { { 5, 7 }, { 64, 48 }, { 300, 20 }, { 3, 100 }, { 1, 9 }, { 65, 65 } };
	for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
		struct model m;
		model_init(&m, 100 + k);
		const struct val *w = model_weight(&m, "w", 0.3 * (double)(k + 1), k % 2 ? 0.2 : 0, 2, size[k]);
		double below = power(w->data, size[k][0], size[k][1], &m);
		struct matrix n = matrix_norms(w, false), t = matrix_norms(w, true);
		if (!(n.spectral >= below * (1 - 1e-6) && n.spectral <= 1.35 * below))
			fail_msg("%lld x %lld: bound %g, power iteration %g", (long long)size[k][0], (long long)size[k][1], n.spectral, below);
		assert_true(fabs(t.spectral - n.spectral) < 1e-3 * n.spectral);
		double col2 = 0, col1 = 0;
		for (int64_t j = 0; j < size[k][1]; j++) {
			double s1 = 0, s2 = 0;
			for (int64_t i = 0; i < size[k][0]; i++) {
				double x = ir_elem(w, i * size[k][1] + j);
				s1 += fabs(x); s2 += x * x;
			}
			col1 = fmax(col1, s1); col2 = fmax(col2, sqrt(s2));
		}
		assert_true(fabs(n.col1 - col1) < 1e-9 * col1 && fabs(n.col2 - col2) < 1e-9 * col2);
		assert_true(fabs(t.row1 - col1) < 1e-9 * col1);
		model_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_own_factor),
		cmocka_unit_test(test_transformer),
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_calibration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
