/* SPDX-License-Identifier: Apache-2.0
 * float_eval_elem.c -- elementwise operations of the reference interpreter, with NumPy broadcasting.
 */
#include "descriptor.h"
#include "float_eval.h"
#include <math.h>
#include <string.h>

enum { MAX_OPERANDS = 3 };

/* The shape of a result with the strides of its operands; axes that are
 * contiguous for every operand are merged. */
struct walk {
	int rank, n;
	int64_t dim[MAX_RANK], stride[MAX_OPERANDS][MAX_RANK];
	int64_t idx[MAX_RANK], off[MAX_OPERANDS];
};

size_t eval_elem_size(enum dtype t)
{
	return t == DT_F32 ? sizeof(float) : t == DT_I64 ? sizeof(int64_t) : sizeof(bool);
}

double eval_load(const void *data, enum dtype t, int64_t i)
{
	switch (t) {
	case DT_F32: return (double)((const float *)data)[i];
	case DT_I64: return (double)((const int64_t *)data)[i];
	case DT_BOOL: return ((const unsigned char *)data)[i] ? 1 : 0;
	}
	BUG("dtype %d", (int)t);
}

static int64_t to_int(double x)
{
	if (!(x > -9.2e18))
		return isnan(x) ? 0 : INT64_MIN;
	return x < 9.2e18 ? (int64_t)x : INT64_MAX;
}

int64_t eval_load_int(const void *data, enum dtype t, int64_t i)
{
	return t == DT_I64 ? ((const int64_t *)data)[i] : to_int(eval_load(data, t, i));
}

void eval_store(void *data, enum dtype t, int64_t i, double x)
{
	switch (t) {
	case DT_F32: ((float *)data)[i] = (float)x; return;
	case DT_I64: ((int64_t *)data)[i] = to_int(x); return;
	case DT_BOOL: ((bool *)data)[i] = x != 0; return;
	}
}

void eval_store_int(void *data, enum dtype t, int64_t i, int64_t x)
{
	switch (t) {
	case DT_F32: ((float *)data)[i] = (float)x; return;
	case DT_I64: ((int64_t *)data)[i] = x; return;
	case DT_BOOL: ((bool *)data)[i] = x != 0; return;
	}
}

bool eval_is_mask(enum dtype t, int64_t n, const void *data)
{
	const float *x = data;
	bool masked = false;
	for (int64_t i = 0; t == DT_F32 && i < n; i++) {
		if (x[i] != 0 && !((double)x[i] <= MASKED_BELOW) && !isinf(x[i]))
			return false;
		masked = masked || x[i] != 0;
	}
	return masked;
}

static void walk_merge(struct walk *w)
{
	int top = 0; /* axes 0..top are final */
	for (int d = 1; d < w->rank; d++) {
		bool merge = true;
		for (int k = 0; k < w->n; k++)
			merge = merge && w->stride[k][top] == w->stride[k][d] * w->dim[d];
		if (!merge && w->dim[top] != 1)
			top++;
		w->dim[top] = merge ? w->dim[top] * w->dim[d] : w->dim[d];
		for (int k = 0; k < w->n; k++)
			w->stride[k][top] = w->stride[k][d];
	}
	w->rank = top + 1;
}

static void walk_start(struct walk *w, const struct val *out, int n, const struct val *const *v)
{
	memset(w, 0, sizeof *w);
	w->n = n;
	w->rank = out->rank ? out->rank : 1;
	w->dim[0] = 1;
	for (int d = 0; d < out->rank; d++)
		w->dim[d] = out->dim[d];
	for (int k = 0; k < n; k++) {
		int64_t stride = 1;
		for (int d = v[k]->rank - 1; d >= 0; d--) {
			int to = d + out->rank - v[k]->rank;
			if (to < 0 || (v[k]->dim[d] != 1 && v[k]->dim[d] != out->dim[to]))
				BUG("%s does not broadcast to %s", v[k]->name, out->name);
			w->stride[k][to] = v[k]->dim[d] == 1 ? 0 : stride;
			stride *= v[k]->dim[d];
		}
	}
	walk_merge(w);
}

/* To the next row of the last axis; false after the last row. */
static bool walk_next(struct walk *w)
{
	for (int d = w->rank - 2; d >= 0; d--) {
		w->idx[d]++;
		for (int k = 0; k < w->n; k++)
			w->off[k] += w->stride[k][d];
		if (w->idx[d] < w->dim[d])
			return true;
		w->idx[d] = 0;
		for (int k = 0; k < w->n; k++)
			w->off[k] -= w->stride[k][d] * w->dim[d];
	}
	return false;
}

void eval_unary(const struct val *out, void *to, const struct val *a, const void *pa,
                double (*f)(double), int64_t (*g)(int64_t))
{
	int64_t n = ir_count(out);
	for (int64_t i = 0; i < n; i++)
		if (a->dtype == DT_F32 || !g)
			eval_store(to, out->dtype, i, f(eval_load(pa, a->dtype, i)));
		else
			eval_store_int(to, out->dtype, i, g(eval_load_int(pa, a->dtype, i)));
}

void eval_binary(const struct val *out, void *to, const struct val *a, const void *pa, const struct val *b, const void *pb,
                 double (*f)(double, double), int64_t (*g)(int64_t, int64_t))
{
	bool real = a->dtype == DT_F32 || b->dtype == DT_F32 || !g;
	struct walk w;
	int64_t o = 0;

	if (ir_count(out) == 0)
		return;
	walk_start(&w, out, 2, (const struct val *const[]){ a, b });
	int64_t n = w.dim[w.rank - 1], sa = w.stride[0][w.rank - 1], sb = w.stride[1][w.rank - 1];
	do {
		int64_t x = w.off[0], y = w.off[1];
		for (int64_t i = 0; i < n; i++, o++, x += sa, y += sb)
			if (real)
				eval_store(to, out->dtype, o, f(eval_load(pa, a->dtype, x), eval_load(pb, b->dtype, y)));
			else
				eval_store_int(to, out->dtype, o, g(eval_load_int(pa, a->dtype, x), eval_load_int(pb, b->dtype, y)));
	} while (walk_next(&w));
}

void eval_where(const struct val *out, void *to, const struct val *const v[3], const void *const in[3])
{
	struct walk w;
	int64_t o = 0;

	if (ir_count(out) == 0)
		return;
	walk_start(&w, out, 3, v);
	int last = w.rank - 1;
	do {
		for (int64_t i = 0; i < w.dim[last]; i++, o++) {
			int k = eval_load(in[0], v[0]->dtype, w.off[0] + i * w.stride[0][last]) != 0 ? 1 : 2;
			int64_t at = w.off[k] + i * w.stride[k][last];
			if (v[k]->dtype == DT_F32)
				eval_store(to, out->dtype, o, eval_load(in[k], DT_F32, at));
			else
				eval_store_int(to, out->dtype, o, eval_load_int(in[k], v[k]->dtype, at));
		}
	} while (walk_next(&w));
}

/* Integers wrap; a quotient by zero is zero (the importer refuses those it sees). */
static int64_t i_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t i_sub(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }
static int64_t i_mul(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }
static int64_t i_div(int64_t a, int64_t b) { return b == 0 ? 0 : b == -1 ? i_sub(0, a) : a / b; }
static int64_t i_neg(int64_t a) { return i_sub(0, a); }
static int64_t i_relu(int64_t a) { return a > 0 ? a : 0; }
static int64_t i_abs(int64_t a) { return a < 0 ? i_sub(0, a) : a; }
static int64_t i_same(int64_t a) { return a; }
static double f_add(double a, double b) { return a + b; }
static double f_sub(double a, double b) { return a - b; }
static double f_mul(double a, double b) { return a * b; }
static double f_div(double a, double b) { return a / b; }
static double f_neg(double a) { return -a; }
static double f_recip(double a) { return 1 / a; }
static double f_sigmoid(double a) { return 1 / (1 + exp(-a)); }
static double f_relu(double a) { return a > 0 ? a : isnan(a) ? a : 0; }
static double f_same(double a) { return a; }
static double f_softplus(double a) { return fmax(a, 0) + log1p(exp(-fabs(a))); }
static double f_silu(double a) { return a * f_sigmoid(a); }
static double f_gelu(double a) { return 0.5 * a * (1 + erf(a * M_SQRT1_2)); }
/* a (1 + tanh(z)) / 2 = a sigmoid(2 z) with z = sqrt(2 / pi) (a + 0.044715 a^3) */
static double f_gelu_tanh(double a) { return a * f_sigmoid(1.59576912160573071176 * (a + 0.044715 * a * a * a)); }

struct unary_row { enum op op; double (*f)(double); int64_t (*g)(int64_t); };
struct binary_row { enum op op; double (*f)(double, double); int64_t (*g)(int64_t, int64_t); };
static const struct unary_row unary_rows[] = {
	{ OP_neg, f_neg, i_neg }, { OP_sqrt, sqrt, NULL }, { OP_recip, f_recip, NULL }, { OP_exp, exp, NULL },
	{ OP_log, log, NULL }, { OP_erf, erf, NULL }, { OP_tanh, tanh, NULL }, { OP_sigmoid, f_sigmoid, NULL },
	{ OP_relu, f_relu, i_relu }, { OP_sin, sin, NULL }, { OP_cos, cos, NULL }, { OP_silu, f_silu, NULL },
	{ OP_softplus, f_softplus, NULL }, { OP_abs, fabs, i_abs }, { OP_cast, f_same, i_same },
};
static const struct binary_row binary_rows[] = {
	{ OP_add, f_add, i_add }, { OP_sub, f_sub, i_sub }, { OP_mul, f_mul, i_mul }, { OP_div, f_div, i_div },
	{ OP_pow, pow, NULL },
};

static void eval_clip(const struct node *n, const void *in, void *out)
{
	double lo = ir_f64(n, ATTR_lo), hi = ir_f64(n, ATTR_hi);
	int64_t count = ir_count(n->out[0]);
	for (int64_t i = 0; i < count; i++) {
		double x = eval_load(in, n->in[0]->dtype, i);
		eval_store(out, n->out[0]->dtype, i, x < lo ? lo : x > hi ? hi : x);
	}
}

bool eval_elem(const struct node *n, const void *const *in, void *const *out)
{
	const struct val *o = n->out[0];

	for (size_t k = 0; k < sizeof unary_rows / sizeof *unary_rows; k++)
		if (unary_rows[k].op == n->op) {
			eval_unary(o, out[0], n->in[0], in[0], unary_rows[k].f, unary_rows[k].g);
			return true;
		}
	for (size_t k = 0; k < sizeof binary_rows / sizeof *binary_rows; k++)
		if (binary_rows[k].op == n->op) {
			eval_binary(o, out[0], n->in[0], in[0], n->in[1], in[1], binary_rows[k].f, binary_rows[k].g);
			return true;
		}
	switch (n->op) {
	case OP_where:
		eval_where(o, out[0], (const struct val *const[]){ n->in[0], n->in[1], n->in[2] }, in);
		return true;
	case OP_gelu:
		eval_unary(o, out[0], n->in[0], in[0], ir_int_or(n, ATTR_tanh, 0) ? f_gelu_tanh : f_gelu, NULL);
		return true;
	case OP_act:
		for (int64_t i = 0, c = ir_count(o); i < c; i++)
			eval_store(out[0], o->dtype, i, descriptor_real(n->desc, eval_load(in[0], n->in[0]->dtype, i)));
		return true;
	case OP_clip:
		eval_clip(n, in[0], out[0]);
		return true;
	case OP_scale:
		for (int64_t i = 0, c = ir_count(o); i < c; i++)
			eval_store(out[0], o->dtype, i, eval_load(in[0], n->in[0]->dtype, i) * ir_f64(n, ATTR_factor));
		return true;
	default:
		return false;
	}
}
