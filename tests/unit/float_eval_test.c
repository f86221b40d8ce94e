/* SPDX-License-Identifier: Apache-2.0
 * float_eval_test.c -- the reference interpreter against formulas written out, on random data; pass fold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "passes/descriptor.h"
#include "passes/float_eval.h"
#include "passes/passes.h"

enum { MAX_IN = 3 };

/* A program of one node: operands are inputs; x[k] their elements, y the result. */
struct one {
	struct diag *diag;
	struct prog *p;
	struct arena *mem;
	struct node *node;
	const void *x[MAX_IN];
	const float *y;
	uint64_t state;
};

static bool covered[N_OP];

static double uniform(struct one *t)
{
	t->state = t->state * 6364136223846793005u + 1442695040888963407u;
	return (double)(t->state >> 11) / 4503599627370496.0 - 1; /* [-1, 1) */
}

static struct one start(uint64_t seed)
{
	struct one t = { .diag = diag_new(stderr, false), .mem = arena_new(), .state = seed };
	t.p = ir_new("one", NULL, t.diag);
	return t;
}

static void stop(struct one *t)
{
	ir_free(t->p);
	arena_free(t->mem);
	diag_free(t->diag);
}

static struct val *input(struct one *t, enum dtype dt, int rank, const int64_t *dim, double lo, double hi)
{
	struct val *v = ir_val(t->p, NULL, dt, (struct type){ .sec = SEC_SECRET }, rank, dim);
	int64_t n = ir_count(v);
	void *data = arena_alloc(t->mem, (size_t)(n + 1) * eval_elem_size(dt));
	for (int64_t i = 0; i < n; i++)
		eval_store(data, dt, i, lo + (hi - lo) * (uniform(t) + 1) / 2);
	t->x[t->p->nin] = data;
	ir_add_input(t->p, v);
	return v;
}

static struct val *make(struct one *t, enum op op, int rank, const int64_t *dim)
{
	struct val *out = ir_val(t->p, "y", op == OP_argmax ? DT_I64 : DT_F32, (struct type){ .sec = SEC_SECRET }, rank, dim);
	t->node = ir_node(t->p, NULL, op, NULL, t->p->nin, t->p->in, 1, &out);
	ir_add_output(t->p, out);
	covered[op] = true;
	return out;
}

static bool run(struct one *t)
{
	void **result = arena_alloc(t->mem, (size_t)t->p->nvals * sizeof *result);
	bool ok = float_eval(t->p, t->x, result, t->mem);
	t->y = result[t->p->nvals - 1];
	return ok;
}

static void close_to(const char *what, double got, double want, double tolerance)
{
	if (!(fabs(got - want) <= tolerance * (1 + fabs(want))))
		fail_msg("%s: got %.9g, want %.9g", what, got, want);
}

static float at(const struct one *t, int k, int64_t i)
{
	return ((const float *)t->x[k])[i];
}

/* ---- products ------------------------------------------------------------- */

static void product(int64_t batch_a, int64_t batch_b, int64_t m, int64_t k, int64_t n, bool trans, bool bias)
{
	struct one t = start((uint64_t)(m * 1000 + n));
	int64_t batch = batch_a > batch_b ? batch_a : batch_b;
	input(&t, DT_F32, 3, (const int64_t[]){ batch_a, m, k }, -1, 1);
	input(&t, DT_F32, batch_b ? 3 : 2, batch_b ? (const int64_t[]){ batch_b, trans ? n : k, trans ? k : n } : (const int64_t[]){ trans ? n : k, trans ? k : n }, -1, 1);
	if (bias)
		input(&t, DT_F32, 1, &n, -1, 1);
	make(&t, OP_matmul, 3, (const int64_t[]){ batch, m, n });
	if (trans)
		ir_set_int(t.p, t.node, ATTR_trans_b, 1);
	assert_true(run(&t));
	for (int64_t b = 0; b < batch; b++)
		for (int64_t i = 0; i < m; i++)
			for (int64_t j = 0; j < n; j++) {
				double want = bias ? (double)at(&t, 2, j) : 0;
				int64_t ba = batch_a > 1 ? b : 0, bb = batch_b > 1 ? b : 0;
				for (int64_t x = 0; x < k; x++)
					want += (double)at(&t, 0, (ba * m + i) * k + x) * (double)at(&t, 1, bb * k * n + (trans ? j * k + x : x * n + j));
				close_to("matmul", (double)t.y[(b * m + i) * n + j], want, 4e-6);
			}
	stop(&t);
}

static void matmul(void **state)
{
	(void)state;
	product(1, 0, 7, 300, 19, false, true);
	product(1, 0, 4, 513, 8, true, false);
	product(3, 3, 5, 6, 9, false, false);
	product(3, 1, 5, 6, 9, true, true);
	product(1, 4, 2, 1, 17, false, false);
	product(5, 0, 1, 12, 3, true, true);
}

/* ---- elementwise ------------------------------------------------------------- */

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double ref_gelu(double x) { return x * 0.5 * erfc(-x / sqrt(2)); }
static double ref_gelu_tanh(double x) { return x * sigmoid(2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)); }
static double ref_neg(double x) { return -x; }
static double ref_recip(double x) { return pow(x, -1); }
static double ref_relu(double x) { return fmax(x, 0); }
static double ref_silu(double x) { return x * sigmoid(x); }
static double ref_clip(double x) { return fmin(fmax(x, 0.5), 1.5); }
static double ref_scale(double x) { return x * -2.5; }
static double same(double x) { return x; }

static void unary(enum op op, double (*f)(double), int tanh_form)
{
	struct one t = start(op + 1);
	input(&t, DT_F32, 2, (const int64_t[]){ 5, 13 }, 0.1, 2);
	make(&t, op, 2, (const int64_t[]){ 5, 13 });
	if (op == OP_clip) {
		ir_set_f64(t.p, t.node, ATTR_lo, 0.5);
		ir_set_f64(t.p, t.node, ATTR_hi, 1.5);
	}
	if (op == OP_scale)
		ir_set_f64(t.p, t.node, ATTR_factor, -2.5);
	if (op == OP_gelu)
		ir_set_int(t.p, t.node, ATTR_tanh, tanh_form);
	if (op == OP_cast)
		ir_set_int(t.p, t.node, ATTR_to, DT_F32);
	assert_true(run(&t));
	for (int64_t i = 0; i < 65; i++)
		close_to(op_desc[op].name, (double)t.y[i], f((double)at(&t, 0, i)), 1e-6);
	stop(&t);
}

static double ref_softplus(double a) { return a > 0 ? a + log1p(exp(-a)) : log1p(exp(a)); }

/* A function that a descriptor defines: its formula. */
static void described(void)
{
	struct formula_error e;
	struct one t = start(77);
	struct descriptor d = { .name = "d", .formula = formula_parse(t.mem, "x^2-sigmoid(3*x)", &e) };
	const struct val *x = input(&t, DT_F32, 1, (const int64_t[]){ 50 }, -2, 2);
	make(&t, OP_act, 1, x->dim);
	t.node->desc = &d;
	assert_true(run(&t));
	for (int64_t i = 0; i < 50; i++)
		close_to("act", (double)t.y[i], pow((double)at(&t, 0, i), 2) - 1 / (1 + exp(-3 * (double)at(&t, 0, i))), 1e-6);
	stop(&t);
}

static void unaries(void **state)
{
	(void)state;
	unary(OP_neg, ref_neg, 0);
	unary(OP_sqrt, sqrt, 0);
	unary(OP_recip, ref_recip, 0);
	unary(OP_exp, exp, 0);
	unary(OP_log, log, 0);
	unary(OP_erf, erf, 0);
	unary(OP_tanh, tanh, 0);
	unary(OP_sigmoid, sigmoid, 0);
	unary(OP_relu, ref_relu, 0);
	unary(OP_sin, sin, 0);
	unary(OP_cos, cos, 0);
	unary(OP_gelu, ref_gelu, 0);
	unary(OP_gelu, ref_gelu_tanh, 1);
	unary(OP_silu, ref_silu, 0);
	unary(OP_softplus, ref_softplus, 0);
	unary(OP_abs, fabs, 0);
	described();
	unary(OP_clip, ref_clip, 0);
	unary(OP_scale, ref_scale, 0);
	unary(OP_cast, same, 0);
	unary(OP_reshape, same, 0);
}

static double ref_add(double a, double b) { return a + b; }
static double ref_sub(double a, double b) { return a - b; }
static double ref_mul(double a, double b) { return a * b; }
static double ref_div(double a, double b) { return a / b; }

/* [2,1,3,4] with [5,1,4]: every kind of broadcasting at once. */
static void binary(enum op op, double (*f)(double, double))
{
	struct one t = start(op + 100);
	input(&t, DT_F32, 4, (const int64_t[]){ 2, 1, 3, 4 }, 0.1, 2);
	input(&t, DT_F32, 3, (const int64_t[]){ 5, 1, 4 }, 0.1, 2);
	make(&t, op, 4, (const int64_t[]){ 2, 5, 3, 4 });
	assert_true(run(&t));
	for (int64_t i = 0; i < 120; i++) {
		int64_t d = i % 4, c = i / 4 % 3, b = i / 12 % 5, a = i / 60;
		close_to(op_desc[op].name, (double)t.y[i], f((double)at(&t, 0, (a * 3 + c) * 4 + d), (double)at(&t, 1, b * 4 + d)), 1e-6);
	}
	stop(&t);
}

static void binaries(void **state)
{
	(void)state;
	binary(OP_add, ref_add);
	binary(OP_sub, ref_sub);
	binary(OP_mul, ref_mul);
	binary(OP_div, ref_div);
	binary(OP_pow, pow);
	struct one t = start(5);
	input(&t, DT_BOOL, 1, (const int64_t[]){ 6 }, 0, 1); /* never exactly 0: set below */
	input(&t, DT_F32, 2, (const int64_t[]){ 3, 6 }, -1, 1);
	input(&t, DT_F32, 2, (const int64_t[]){ 3, 1 }, -1, 1);
	bool pick[6] = { true, false, false, true, false, true };
	t.x[0] = pick;
	make(&t, OP_where, 2, (const int64_t[]){ 3, 6 });
	assert_true(run(&t));
	for (int64_t i = 0; i < 18; i++)
		assert_true(t.y[i] == (pick[i % 6] ? at(&t, 1, i) : at(&t, 2, i / 6)));
	stop(&t);
}

/* Integers are exact and wrap. */
static void integers(void **state)
{
	(void)state;
	const int64_t a[4] = { INT64_MAX, -7, (1LL << 53) + 1, INT64_MIN }, b[4] = { 1, 2, 1, -1 };
	const int64_t sum[4] = { INT64_MIN, -5, (1LL << 53) + 2, INT64_MAX }, quotient[4] = { INT64_MAX, -3, (1LL << 53) + 1, INT64_MIN };
	struct val v = { .name = "v", .dtype = DT_I64, .rank = 1, .dim = { 4 } }, *in[2] = { &v, &v }, out = v, *outs[1] = { &out };
	struct node n = { .op = OP_add, .nin = 2, .nout = 1, .in = in, .out = outs };
	int64_t y[4];
	struct arena *scratch = arena_new();

	assert_true(float_eval_node(&n, (const void *const[]){ a, b }, (void *const[]){ y }, scratch));
	assert_memory_equal(y, sum, sizeof y);
	n.op = OP_div;
	assert_true(float_eval_node(&n, (const void *const[]){ a, b }, (void *const[]){ y }, scratch));
	assert_memory_equal(y, quotient, sizeof y);
	arena_free(scratch);
}

/* ---- norms ---------------------------------------------------------------- */

static void softmax(void **state)
{
	(void)state;
	struct one t = start(9);
	input(&t, DT_F32, 3, (const int64_t[]){ 2, 5, 3 }, -4, 4);
	make(&t, OP_softmax, 3, (const int64_t[]){ 2, 5, 3 });
	ir_set_int(t.p, t.node, ATTR_axis, 1);
	assert_true(run(&t));
	for (int64_t i = 0; i < 30; i++) {
		double sum = 0;
		for (int64_t j = 0; j < 5; j++)
			sum += exp((double)at(&t, 0, (i / 15 * 5 + j) * 3 + i % 3));
		close_to("softmax", (double)t.y[i], exp((double)at(&t, 0, i)) / sum, 1e-6);
	}
	stop(&t);
}

static void norm(enum op op)
{
	struct one t = start(op);
	const int64_t n = 8; /* elements of a row */
	input(&t, DT_F32, 2, (const int64_t[]){ 4, n }, -3, 5);
	input(&t, DT_F32, 1, &n, 0.5, 2);
	if (op == OP_layernorm)
		input(&t, DT_F32, 1, &n, -1, 1);
	make(&t, op, 2, (const int64_t[]){ 4, n });
	ir_set_f64(t.p, t.node, ATTR_eps, 0.01);
	assert_true(run(&t));
	for (int64_t i = 0; i < 4; i++) {
		double sum = 0, squares = 0;
		for (int64_t j = 0; j < n; j++) {
			sum += (double)at(&t, 0, i * n + j);
			squares += (double)at(&t, 0, i * n + j) * (double)at(&t, 0, i * n + j);
		}
		double mean = op == OP_layernorm ? sum / (double)n : 0, dev = sqrt(squares / (double)n - mean * mean + 0.01);
		for (int64_t j = 0; j < n; j++)
			close_to(op_desc[op].name, (double)t.y[i * n + j],
			         (double)at(&t, 1, j) * ((double)at(&t, 0, i * n + j) - mean) / dev + (op == OP_layernorm ? (double)at(&t, 2, j) : 0), 1e-5);
	}
	stop(&t);
}

static void norms(void **state)
{
	(void)state;
	norm(OP_layernorm);
	norm(OP_rmsnorm);
}

static void reductions(void **state)
{
	(void)state;
	for (int k = 0; k < 3; k++) {
		const enum op op = (enum op[]){ OP_reduce_sum, OP_reduce_mean, OP_reduce_l2 }[k];
		struct one t = start(op);
		input(&t, DT_F32, 3, (const int64_t[]){ 2, 3, 4 }, -1, 1);
		make(&t, op, 1, (const int64_t[]){ 3 });
		ir_set_ints(t.p, t.node, ATTR_axes, 2, (const int64_t[]){ 0, 2 });
		ir_set_int(t.p, t.node, ATTR_keepdims, 0);
		assert_true(run(&t));
		for (int64_t j = 0; j < 3; j++) {
			double sum = 0;
			for (int64_t i = 0; i < 8; i++) {
				double x = (double)at(&t, 0, (i / 4 * 3 + j) * 4 + i % 4);
				sum += op == OP_reduce_l2 ? x * x : x;
			}
			close_to(op_desc[op].name, (double)t.y[j], op == OP_reduce_mean ? sum / 8 : op == OP_reduce_l2 ? sqrt(sum) : sum, 1e-6);
		}
		stop(&t);
	}
	struct one t = start(3);
	input(&t, DT_F32, 2, (const int64_t[]){ 3, 6 }, -1, 1);
	make(&t, OP_argmax, 1, (const int64_t[]){ 3 });
	ir_set_int(t.p, t.node, ATTR_axis, 1);
	ir_set_int(t.p, t.node, ATTR_keepdims, 0);
	assert_true(run(&t));
	for (int64_t i = 0; i < 3; i++)
		for (int64_t j = 0; j < 6; j++) {
			int64_t best = ((const int64_t *)(const void *)t.y)[i];
			assert_true(at(&t, 0, i * 6 + j) < at(&t, 0, i * 6 + best) || j >= best);
		}
	stop(&t);
}

/* ---- attention ------------------------------------------------------------- */

static void rope(void **state)
{
	(void)state;
	struct one t = start(21);
	input(&t, DT_F32, 3, (const int64_t[]){ 2, 4, 6 }, -1, 1);
	input(&t, DT_F32, 2, (const int64_t[]){ 4, 6 }, -1, 1);
	input(&t, DT_F32, 2, (const int64_t[]){ 4, 6 }, -1, 1);
	make(&t, OP_rope, 3, (const int64_t[]){ 2, 4, 6 });
	ir_set_int(t.p, t.node, ATTR_half, 3);
	assert_true(run(&t));
	for (int64_t i = 0; i < 48; i++) {
		int64_t j = i % 6, table = i % 24;
		double rotated = j < 3 ? -(double)at(&t, 0, i + 3) : (double)at(&t, 0, i - 3);
		close_to("rope", (double)t.y[i], (double)at(&t, 0, i) * (double)at(&t, 1, table) + rotated * (double)at(&t, 2, table), 1e-6);
	}
	stop(&t);
}

/* untril(softmax_tril(tril(x))) is the causal softmax of x; two cached columns. */
static void causal(void **state)
{
	(void)state;
	enum { B = 2, R = 4, PAST = 2, C = R + PAST, T = R * (R + 1) / 2 + R * PAST };
	struct one t = start(33);
	struct val *x = input(&t, DT_F32, 3, (const int64_t[]){ B, R, C }, -2, 2), *v = x;
	const enum op op[] = { OP_tril, OP_softmax_tril, OP_untril };

	for (int k = 0; k < 3; k++) {
		struct val *out = ir_val(t.p, NULL, DT_F32, v->type, k < 2 ? 2 : 3, k < 2 ? (const int64_t[]){ B, T } : (const int64_t[]){ B, R, C });
		struct node *n = ir_node(t.p, NULL, op[k], NULL, 1, &v, 1, &out);
		ir_set_int(t.p, n, ATTR_past, PAST);
		if (k > 0)
			ir_set_int(t.p, n, ATTR_rows, R);
		if (k > 1)
			ir_set_int(t.p, n, ATTR_cols, C);
		covered[op[k]] = true;
		v = out;
	}
	ir_add_output(t.p, v);
	assert_true(run(&t));
	for (int64_t b = 0; b < B; b++)
		for (int64_t i = 0; i < R; i++) {
			double sum = 0;
			for (int64_t j = 0; j <= i + PAST; j++)
				sum += exp((double)at(&t, 0, (b * R + i) * C + j));
			for (int64_t j = 0; j < C; j++)
				close_to("causal softmax", (double)t.y[(b * R + i) * C + j], j <= i + PAST ? exp((double)at(&t, 0, (b * R + i) * C + j)) / sum : 0, 1e-6);
		}
	stop(&t);
}

/* softmax(x) V, x dense or packed, one V for two batches */
static void softmax_pv(void **state)
{
	(void)state;
	enum { B = 2, R = 3, PAST = 2, C = R + PAST, D = 4, T = R * (R + 1) / 2 + R * PAST };
	for (int packed = 0; packed < 2; packed++) {
		struct one t = start(34);
		input(&t, DT_F32, packed ? 2 : 3, packed ? (const int64_t[]){ B, T } : (const int64_t[]){ B, R, C }, -2, 2);
		input(&t, DT_F32, 2, (const int64_t[]){ C, D }, -1, 1);
		make(&t, OP_softmax_pv, 3, (const int64_t[]){ B, R, D });
		if (packed) {
			ir_set_int(t.p, t.node, ATTR_rows, R);
			ir_set_int(t.p, t.node, ATTR_past, PAST);
		}
		assert_true(run(&t));
		int64_t row = 0;
		for (int64_t i = 0; i < B * R; i++) {
			const int64_t len = packed ? i % R + 1 + PAST : C;
			double sum = 0;
			for (int64_t j = 0; j < len; j++)
				sum += exp((double)at(&t, 0, row + j));
			for (int64_t d = 0; d < D; d++) {
				double want = 0;
				for (int64_t j = 0; j < len; j++)
					want += exp((double)at(&t, 0, row + j)) / sum * (double)at(&t, 1, j * D + d);
				close_to("softmax_pv", (double)t.y[i * D + d], want, 1e-6);
			}
			row += len;
		}
		stop(&t);
	}
}

/* ---- layout ----------------------------------------------------------------- */

static void layout(void **state)
{
	(void)state;
	struct one t = start(40);
	input(&t, DT_F32, 3, (const int64_t[]){ 2, 3, 4 }, -1, 1);
	make(&t, OP_transpose, 3, (const int64_t[]){ 4, 2, 3 });
	ir_set_ints(t.p, t.node, ATTR_perm, 3, (const int64_t[]){ 2, 0, 1 });
	assert_true(run(&t));
	for (int64_t i = 0; i < 24; i++)
		assert_true(t.y[i] == at(&t, 0, i / 3 % 2 * 12 + i % 3 * 4 + i / 6));
	stop(&t);
	t = start(41);
	input(&t, DT_F32, 3, (const int64_t[]){ 2, 5, 4 }, -1, 1);
	make(&t, OP_slice, 3, (const int64_t[]){ 2, 2, 4 });
	ir_set_int(t.p, t.node, ATTR_axis, 1);
	ir_set_int(t.p, t.node, ATTR_start, 4);
	ir_set_int(t.p, t.node, ATTR_step, -3);
	assert_true(run(&t));
	for (int64_t i = 0; i < 16; i++)
		assert_true(t.y[i] == at(&t, 0, (i / 8 * 5 + 4 - 3 * (i / 4 % 2)) * 4 + i % 4));
	stop(&t);
	t = start(42);
	input(&t, DT_F32, 2, (const int64_t[]){ 3, 2 }, -1, 1);
	input(&t, DT_F32, 2, (const int64_t[]){ 3, 4 }, -1, 1);
	make(&t, OP_concat, 2, (const int64_t[]){ 3, 6 });
	ir_set_int(t.p, t.node, ATTR_axis, 1);
	assert_true(run(&t));
	for (int64_t i = 0; i < 18; i++)
		assert_true(t.y[i] == (i % 6 < 2 ? at(&t, 0, i / 6 * 2 + i % 6) : at(&t, 1, i / 6 * 4 + i % 6 - 2)));
	stop(&t);
	t = start(43);
	input(&t, DT_F32, 2, (const int64_t[]){ 3, 1 }, -1, 1);
	make(&t, OP_expand, 3, (const int64_t[]){ 2, 3, 4 });
	assert_true(run(&t));
	for (int64_t i = 0; i < 24; i++)
		assert_true(t.y[i] == at(&t, 0, i / 4 % 3));
	stop(&t);
}

static void lookup(enum op op, int64_t bad)
{
	struct one t = start(50);
	const int64_t ids[4] = { 2, 0, bad ? bad : -1, 2 };
	input(&t, DT_F32, 2, (const int64_t[]){ 5, 3 }, -1, 1);
	input(&t, DT_I64, 1, (const int64_t[]){ 4 }, 0, 1);
	t.x[1] = ids;
	make(&t, op, 2, (const int64_t[]){ 4, 3 });
	if (op == OP_gather)
		ir_set_int(t.p, t.node, ATTR_axis, 0);
	diag_free(t.diag);
	char *text;
	size_t n;
	FILE *to = open_memstream(&text, &n);
	t.p->diag = t.diag = diag_new(to, false);
	assert_int_equal(run(&t), bad == 0);
	for (int64_t i = 0; i < 12 && !bad; i++)
		assert_true(t.y[i] == at(&t, 0, (ids[i / 3] < 0 ? 4 : ids[i / 3]) * 3 + i % 3));
	stop(&t);
	fclose(to);
	assert_int_equal(strstr(text, "outside the table of 5 rows") != NULL, bad != 0);
	free(text);
}

static void lookups(void **state)
{
	(void)state;
	lookup(OP_embedding, 0);
	lookup(OP_gather, 0);
	lookup(OP_embedding, 5);
	lookup(OP_gather, -6);
}

static void every_operation(void **state)
{
	(void)state;
	for (int op = 0; op < N_OP; op++)
		if (op != OP_step && op != OP_rescale && op != OP_widen && !covered[op])
			fail_msg("operation %s was not tested", op_desc[op].name);
}

/* ---- pass fold ----------------------------------------------------------------- */

static struct val *node1(struct prog *p, enum op op, int nin, struct val *const *in, enum dtype dt, const char *name)
{
	struct val *out = ir_val(p, name, dt, (struct type){ .sec = in[0]->type.sec }, in[0]->rank, in[0]->dim);
	for (int k = 1; k < nin; k++)
		out->type.sec = in[k]->type.sec > out->type.sec ? in[k]->type.sec : out->type.sec;
	ir_node(p, NULL, op, NULL, nin, in, 1, &out);
	return out;
}

/* y = x + cos(w) * (w + w), an unused node, a cast to the same type. */
static void fold(void **state)
{
	(void)state;
	const float w[3] = { 0.5f, -1, 2 }, mask[3] = { 0, -1e31f, 0 };
	const int64_t dim = 3;
	struct one t = start(60);
	struct val *x = input(&t, DT_F32, 1, &dim, -1, 1);
	struct val *c = ir_const(t.p, "w", DT_F32, SEC_WEIGHT, 1, &dim, w), *m = ir_const(t.p, "m", DT_F32, SEC_WEIGHT, 1, &dim, mask);
	struct val *cosine = node1(t.p, OP_cos, 1, &c, DT_F32, "cosine"), *twice = node1(t.p, OP_add, 2, (struct val *const[]){ c, c }, DT_F32, "twice");
	struct val *product = node1(t.p, OP_mul, 2, (struct val *const[]){ cosine, twice }, DT_F32, "product");
	struct val *half = node1(t.p, OP_mul, 2, (struct val *const[]){ m, m }, DT_F32, "positive"), *shift = node1(t.p, OP_sub, 2, (struct val *const[]){ m, half }, DT_F32, "shift");
	node1(t.p, OP_exp, 1, &x, DT_F32, "unused");
	struct val *same_x = node1(t.p, OP_cast, 1, &x, DT_F32, "same");
	ir_set_int(t.p, t.p->last, ATTR_to, DT_F32);
	struct val *sum = node1(t.p, OP_add, 2, (struct val *const[]){ same_x, product }, DT_F32, "sum");
	struct val *y = node1(t.p, OP_add, 2, (struct val *const[]){ sum, shift }, DT_F32, "y");
	ir_add_output(t.p, y);
	assert_true(pass_fold(t.p));
	assert_true(ir_check(t.p, STAGE_FLOAT));
	assert_ptr_equal(t.p->first->next, t.p->last); /* two additions */
	assert_ptr_equal(t.p->first->in[0], x);
	assert_int_equal(t.p->first->in[1]->type.sec, SEC_WEIGHT);
	assert_int_equal(t.p->last->in[1]->type.sec, SEC_PUBLIC); /* 0 or far below: a mask */
	assert_ptr_equal(t.p->out[0], y);
	for (int64_t i = 0; i < 3; i++)
		close_to("fold", ir_elem(t.p->first->in[1], i), cos((double)w[i]) * 2 * (double)w[i], 1e-6);
	stop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matmul), cmocka_unit_test(unaries), cmocka_unit_test(binaries), cmocka_unit_test(integers), cmocka_unit_test(softmax),
		cmocka_unit_test(norms), cmocka_unit_test(reductions), cmocka_unit_test(rope), cmocka_unit_test(causal), cmocka_unit_test(softmax_pv),
		cmocka_unit_test(layout), cmocka_unit_test(lookups), cmocka_unit_test(every_operation), cmocka_unit_test(fold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
