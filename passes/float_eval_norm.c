/* SPDX-License-Identifier: Apache-2.0
 * float_eval_norm.c -- reductions, softmax, norms, argmax and rotary embedding of the reference interpreter.
 */
#include "float_eval.h"
#include <math.h>
#include <string.h>

static double reduce_start(enum reduce how)
{
	return how == REDUCE_PROD ? 1 : how == REDUCE_MAX ? -INFINITY : how == REDUCE_MIN ? INFINITY : 0;
}

static double reduce_step(enum reduce how, double acc, double x)
{
	switch (how) {
	case REDUCE_SUM: case REDUCE_MEAN: return acc + x;
	case REDUCE_L2: return acc + x * x;
	case REDUCE_MAX: return x > acc || isnan(x) ? x : acc;
	case REDUCE_MIN: return x < acc || isnan(x) ? x : acc;
	case REDUCE_PROD: return acc * x;
	}
	return acc;
}

static void reduce_end(const struct val *out, void *to, enum reduce how, const double *acc, double n)
{
	for (int64_t i = 0, count = ir_count(out); i < count; i++)
		eval_store(to, out->dtype, i, how == REDUCE_MEAN ? acc[i] / n : how == REDUCE_L2 ? sqrt(acc[i]) : acc[i]);
}

/* Strides of the result for each axis of a; 0 for reduced axes. */
static void reduce_strides(const struct val *a, int naxes, const int64_t *axes, int64_t *stride)
{
	int64_t s = 1;
	for (int d = a->rank - 1; d >= 0; d--) {
		bool reduced = naxes == 0;
		for (int k = 0; k < naxes; k++)
			reduced = reduced || axes[k] == d;
		stride[d] = reduced ? 0 : s;
		s *= reduced ? 1 : a->dim[d];
	}
}

/* naxes 0 reduces all axes. */
void eval_reduce(const struct val *out, void *to, const struct val *a, const void *pa, enum reduce how,
                 int naxes, const int64_t *axes, struct arena *scratch)
{
	int64_t n = ir_count(out), count = ir_count(a), stride[MAX_RANK], idx[MAX_RANK] = { 0 }, at = 0;
	double *acc = arena_alloc(scratch, (size_t)(n ? n : 1) * sizeof *acc);

	reduce_strides(a, naxes, axes, stride);
	for (int64_t i = 0; i < n; i++)
		acc[i] = reduce_start(how);
	for (int64_t i = 0; i < count; i++) {
		acc[at] = reduce_step(how, acc[at], eval_load(pa, a->dtype, i));
		for (int d = a->rank - 1; d >= 0; d--) {
			at += stride[d];
			if (++idx[d] < a->dim[d])
				break;
			at -= stride[d] * a->dim[d];
			idx[d] = 0;
		}
	}
	reduce_end(out, to, how, acc, n ? (double)count / (double)n : 1);
}

/* y[i * inc] = softmax of x[i * inc], i < n; an all -inf row gives zeros. */
static void softmax_row(const float *x, float *y, int64_t n, int64_t inc)
{
	double max = -INFINITY, sum = 0;
	for (int64_t i = 0; i < n; i++)
		max = (double)x[i * inc] > max ? (double)x[i * inc] : max;
	for (int64_t i = 0; i < n; i++)
		sum += max == -INFINITY ? 0 : exp((double)x[i * inc] - max);
	for (int64_t i = 0; i < n; i++)
		y[i * inc] = max == -INFINITY ? 0 : (float)(exp((double)x[i * inc] - max) / sum);
}

static void eval_softmax(const struct node *n, const float *in, float *out)
{
	const struct val *a = n->in[0];
	int axis = (int)ir_int(n, ATTR_axis);
	int64_t inner = 1, outer = 1, size = a->dim[axis];

	for (int d = 0; d < a->rank; d++)
		*(d < axis ? &outer : &inner) *= d == axis ? 1 : a->dim[d];
	for (int64_t i = 0; i < outer; i++)
		for (int64_t j = 0; j < inner; j++)
			softmax_row(in + i * size * inner + j, out + i * size * inner + j, size, inner);
}

static void eval_softmax_tril(const struct node *n, const float *in, float *out)
{
	int64_t rows = ir_int(n, ATTR_rows), past = ir_int_or(n, ATTR_past, 0), at = 0, count = ir_count(n->in[0]);
	while (at < count)
		for (int64_t i = 0; i < rows && at < count; at += i + past + 1, i++)
			softmax_row(in + at, out + at, i + past + 1, 1);
}

/* Rows of scores against in[1]; packed rows are as long as there are scores. */
static void eval_softmax_pv(const struct node *n, const void *const *in, float *out, struct arena *scratch)
{
	const struct val *x = n->in[0], *v = n->in[1];
	const int64_t rows = n->out[0]->dim[n->out[0]->rank - 2], cols = v->dim[v->rank - 2], past = ir_int_or(n, ATTR_past, 0);
	const bool packed = ir_has(n, ATTR_rows);
	struct val probs = *x;
	int64_t batches = 1, at = 0;

	probs.rank = packed ? x->rank + 1 : x->rank;
	probs.dim[probs.rank - 2] = rows;
	probs.dim[probs.rank - 1] = cols;
	for (int k = 0; k < probs.rank - 2; k++)
		batches *= probs.dim[k];
	float *p = arena_alloc(scratch, (size_t)(batches * rows * cols + 1) * sizeof *p);
	for (int64_t i = 0; i < batches * rows; i++) {
		const int64_t len = packed ? i % rows + past + 1 : cols;
		softmax_row((const float *)in[0] + at, p + i * cols, len, 1);
		at += len;
	}
	eval_matmul(n->out[0], out, &probs, p, v, in[1], false, NULL);
}

/* gamma * (x - mean) / sqrt(var + eps) + beta; gamma, beta NULL: 1, 0; RMSNorm has mean = 0. */
static void norm_row(const float *x, float *y, int64_t n, bool centre, const float *gamma, const float *beta, double eps)
{
	double mean = 0, var = 0;
	for (int64_t i = 0; centre && i < n; i++)
		mean += (double)x[i] / (double)n;
	for (int64_t i = 0; i < n; i++)
		var += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
	double inv = 1 / sqrt(var + eps);
	for (int64_t i = 0; i < n; i++)
		y[i] = (float)(((double)x[i] - mean) * inv * (gamma ? (double)gamma[i] : 1) + (beta ? (double)beta[i] : 0));
}

/* A parameter of the last axis, one element standing for all. */
static const float *row_param(const struct val *v, const float *p, int64_t n, struct arena *scratch)
{
	if (ir_count(v) == n)
		return p;
	float *all = arena_alloc(scratch, (size_t)(n ? n : 1) * sizeof *all);
	for (int64_t i = 0; i < n; i++)
		all[i] = p[0];
	return all;
}

static void eval_rows(const struct node *n, const void *const *in, float *out, struct arena *scratch)
{
	const struct val *a = n->in[0];
	int64_t size = a->dim[a->rank - 1], count = ir_count(a);
	const float *gamma = n->nin > 1 ? row_param(n->in[1], in[1], size, scratch) : NULL;
	const float *beta = n->nin > 2 ? row_param(n->in[2], in[2], size, scratch) : NULL;

	for (int64_t i = 0; i < count; i += size)
		norm_row((const float *)in[0] + i, out + i, size, n->op == OP_layernorm, gamma, beta, ir_f64(n, ATTR_eps));
}

static void eval_argmax(const struct node *n, const void *in, void *out)
{
	const struct val *a = n->in[0];
	int axis = (int)ir_int(n, ATTR_axis);
	int64_t inner = 1, outer = 1, size = a->dim[axis];

	for (int d = 0; d < a->rank; d++)
		*(d < axis ? &outer : &inner) *= d == axis ? 1 : a->dim[d];
	for (int64_t i = 0; i < outer * inner; i++) {
		int64_t base = i / inner * size * inner + i % inner, best = 0;
		for (int64_t k = 1; k < size; k++)
			if (eval_load(in, a->dtype, base + k * inner) > eval_load(in, a->dtype, base + best * inner))
				best = k;
		eval_store_int(out, n->out[0]->dtype, i, best);
	}
}

static double f_mul(double a, double b) { return a * b; }
static double f_add(double a, double b) { return a + b; }

/* x * cos + rotate(x) * sin; rotate(x) = [-x2, x1], x1 the first `half` of the last axis. */
static void eval_rope(const struct node *n, const void *const *in, float *out, struct arena *scratch)
{
	const struct val *a = n->in[0], *o = n->out[0];
	int64_t half = ir_int(n, ATTR_half), size = a->dim[a->rank - 1], count = ir_count(a);
	size_t bytes = (size_t)(count ? count : 1) * sizeof(float);
	float *rot = arena_alloc(scratch, bytes), *xc = arena_alloc(scratch, bytes);
	const float *x = in[0];

	for (int64_t i = 0; i < count; i++) {
		int64_t j = i % size;
		rot[i] = j < half ? -x[i + size - half] : x[i - half];
	}
	eval_binary(o, xc, a, x, n->in[1], in[1], f_mul, NULL);
	eval_binary(o, rot, a, rot, n->in[2], in[2], f_mul, NULL);
	eval_binary(o, out, o, xc, o, rot, f_add, NULL);
}

static enum reduce reduce_of(enum op op)
{
	return op == OP_reduce_mean ? REDUCE_MEAN : op == OP_reduce_l2 ? REDUCE_L2 : REDUCE_SUM;
}

bool eval_norm(const struct node *n, const void *const *in, void *const *out, struct arena *scratch)
{
	int naxes = 0;
	const int64_t *axes;

	switch (n->op) {
	case OP_softmax:
		eval_softmax(n, in[0], out[0]);
		return true;
	case OP_softmax_tril:
		eval_softmax_tril(n, in[0], out[0]);
		return true;
	case OP_softmax_pv:
		eval_softmax_pv(n, in, out[0], scratch);
		return true;
	case OP_layernorm: case OP_rmsnorm:
		eval_rows(n, in, out[0], scratch);
		return true;
	case OP_argmax:
		eval_argmax(n, in[0], out[0]);
		return true;
	case OP_rope:
		eval_rope(n, in, out[0], scratch);
		return true;
	case OP_reduce_mean: case OP_reduce_sum: case OP_reduce_l2:
		axes = ir_ints(n, ATTR_axes, &naxes);
		eval_reduce(n->out[0], out[0], n->in[0], in[0], reduce_of(n->op), naxes, axes, scratch);
		return true;
	default:
		return false;
	}
}
