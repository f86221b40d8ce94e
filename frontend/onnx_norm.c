/* SPDX-License-Identifier: Apache-2.0
 * onnx_norm.c -- ONNX softmax, norms and reductions.
 */
#include "onnx_import.h"
#include "passes/float_eval.h"
#include <math.h>
#include <string.h>

static struct val *softmax(struct onnx_node *o, struct val *x, int axis)
{
	struct onnx_attrs at = { 1, { { .key = ATTR_axis, .i = axis } } };
	return x ? onnx_emit(o, OP_softmax, 1, &x, DT_F32, x->rank, x->dim, &at) : NULL;
}

bool lower_softmax(struct onnx_node *o)
{
	struct val *x = o->in[0];
	int axis;
	int64_t flat[2] = { 1, 1 };

	if (x->dtype != DT_F32)
		return ONNX_FAIL(o, "dtype", "input %s: want float", onnx_val_text(o->c->mem, x));
	if (!onnx_axis(o, onnx_attr_int(o, "axis", o->opset >= 13 ? -1 : 1), x->rank, &axis))
		return false;
	if (o->opset >= 13 || axis == x->rank - 1) {
		onnx_last(o);
		return onnx_done(o, softmax(o, x, axis));
	}
	for (int d = 0; d < x->rank; d++) /* before opset 13: over all axes from `axis` on */
		flat[d >= axis] *= x->dim[d];
	struct val *y = softmax(o, onnx_reshape(o, x, 2, flat), 1);
	onnx_last(o);
	return onnx_done(o, onnx_reshape(o, y, x->rank, x->dim));
}

/* A parameter of a norm over n elements, as a vector. */
static struct val *norm_param(struct onnx_node *o, struct val *v, const struct val *x, int axis, int64_t n)
{
	if (v->dtype != DT_F32)
		return ONNX_NULL(o, "dtype", "input %s: want float", onnx_val_text(o->c->mem, v));
	if (ir_count(v) == n)
		return onnx_reshape(o, v, 1, &n);
	v = onnx_expand(o, v, x->rank - axis, x->dim + axis);
	return v ? onnx_reshape(o, v, 1, &n) : NULL;
}

static struct val *zeros(struct onnx_node *o, int64_t n)
{
	void *data = onnx_fold_data(o, DT_F32, 1, &n);
	return data ? ir_const(o->c->p, NULL, DT_F32, SEC_PUBLIC, 1, &n, data) : NULL;
}

/* Norm over the axes from `axis` on; beta NULL and mean: no offset; !mean: RMSNorm. */
static struct val *norm(struct onnx_node *o, struct val *x, struct val *gamma, struct val *beta, int64_t from, double eps, bool mean)
{
	int axis;
	int64_t dim[MAX_RANK], n = 1;

	if (!x || !onnx_axis(o, from, x->rank, &axis))
		return NULL;
	if (x->dtype != DT_F32)
		return ONNX_NULL(o, "dtype", "input %s: want float", onnx_val_text(o->c->mem, x));
	memcpy(dim, x->dim, sizeof dim);
	for (int d = axis; d < x->rank; d++)
		n *= x->dim[d];
	if (n == 0 || (ir_count(gamma) != n && ir_count(gamma) != 1))
		return ONNX_NULL(o, "shape", "scale %s does not fit %s", onnx_val_text(o->c->mem, gamma), onnx_val_text(o->c->mem, x));
	dim[axis] = n;
	gamma = norm_param(o, gamma, x, axis, n);
	beta = !mean ? NULL : beta ? norm_param(o, beta, x, axis, n) : zeros(o, n);
	bool flat = axis < x->rank - 1;
	if (!flat)
		onnx_last(o);
	const char *name = o->name;
	o->name = NULL;
	struct val *in = flat ? onnx_reshape(o, x, axis + 1, dim) : x;
	o->name = name;
	if (!gamma || !in || (mean && !beta))
		return NULL;
	struct onnx_attrs at = { 1, { { .key = ATTR_eps, .f = eps } } };
	struct val *y = onnx_emit(o, mean ? OP_layernorm : OP_rmsnorm, mean ? 3 : 2, (struct val *const[]){ in, gamma, beta }, DT_F32, in->rank, in->dim, &at);
	if (!flat)
		return y;
	onnx_last(o);
	return onnx_reshape(o, y, x->rank, x->dim);
}

/* The other outputs: mean and 1 / standard deviation, kept axes. */
static bool norm_statistics(struct onnx_node *o, int64_t from, double eps)
{
	struct val *x = o->in[0];
	int64_t axes[MAX_RANK];
	int axis, n = 0;

	if (!onnx_axis(o, from, x->rank, &axis))
		return false;
	for (int d = axis; d < x->rank; d++)
		axes[n++] = d;
	o->name = o->pb->output[1];
	struct val *mean = o->out[1] = onnx_reduce(o, OP_reduce_mean, x, n, axes, true);
	if (o->nout < 3)
		return mean != NULL;
	struct val *diff = onnx_binary(o, OP_sub, x, mean);
	struct val *var = onnx_reduce(o, OP_reduce_mean, onnx_binary(o, OP_mul, diff, diff), n, axes, true);
	struct val *dev = var ? onnx_binary(o, OP_add, var, onnx_scalar(o, eps)) : NULL;
	dev = onnx_unary(o, OP_sqrt, dev);
	o->name = o->pb->output[2];
	o->out[2] = onnx_unary(o, OP_recip, dev);
	o->name = NULL;
	return o->out[2] != NULL;
}

bool lower_layer_norm(struct onnx_node *o)
{
	struct val *beta = o->nin > 2 ? o->in[2] : NULL;
	if (o->nout > 1 && !norm_statistics(o, onnx_attr_int(o, "axis", -1), onnx_attr_f64(o, "epsilon", 1e-5)))
		return false;
	return onnx_done(o, norm(o, o->in[0], o->in[1], beta, onnx_attr_int(o, "axis", -1), onnx_attr_f64(o, "epsilon", 1e-5), true));
}

bool lower_simplified_norm(struct onnx_node *o)
{
	return onnx_done(o, norm(o, o->in[0], o->in[1], NULL, onnx_attr_int(o, "axis", -1), onnx_attr_f64(o, "epsilon", 1e-5), false));
}

/* norm(input + skip (+ bias)); output 3 is the sum. */
static bool skip_norm(struct onnx_node *o, struct val *beta, struct val *bias, bool mean)
{
	for (int k = 1; k < 3 && k < o->nout; k++)
		if (*o->pb->output[k])
			return ONNX_FAIL(o, "unsupported-op", "output %d (statistics) is not supported", k);
	if (bias)
		bias = onnx_binary(o, OP_add, o->in[0], bias);
	if (o->nout > 3)
		o->name = o->pb->output[3];
	struct val *sum = onnx_binary(o, OP_add, bias ? bias : o->in[0], o->in[1]);
	o->name = NULL;
	if (o->nout > 3)
		o->out[3] = sum;
	return onnx_done(o, norm(o, sum, o->in[2], beta, -1, onnx_attr_f64(o, "epsilon", 1e-12), mean));
}

bool lower_skip_layer_norm(struct onnx_node *o)
{
	return skip_norm(o, o->nin > 3 ? o->in[3] : NULL, o->nin > 4 ? o->in[4] : NULL, true);
}

bool lower_skip_simplified_norm(struct onnx_node *o)
{
	return skip_norm(o, NULL, o->nin > 3 ? o->in[3] : NULL, false);
}

/* The axes of a reduction, non-negative; none given: all. */
static bool reduce_axes(struct onnx_node *o, int64_t *axes, int *naxes)
{
	const int64_t *list;
	int n, rank = o->in[0]->rank, axis;
	bool seen[MAX_RANK] = { false };

	if (!onnx_list(o, "axes", 1, &list, &n))
		return false;
	*naxes = 0;
	if (n <= 0 && onnx_attr_int(o, "noop_with_empty_axes", 0))
		return true;
	if (n <= 0)
		for (; *naxes < rank; ++*naxes)
			axes[*naxes] = *naxes;
	for (int k = 0; k < n; k++) {
		if (!onnx_axis(o, list[k], rank, &axis))
			return false;
		if (seen[axis])
			return ONNX_FAIL(o, "axis", "axis %d is given twice", axis);
		seen[axis] = true;
		axes[(*naxes)++] = axis;
	}
	return true;
}

static bool reduce(struct onnx_node *o, enum op op)
{
	int64_t axes[MAX_RANK];
	int n;
	if (!reduce_axes(o, axes, &n))
		return false;
	if (n == 0)
		return onnx_done(o, o->in[0]);
	onnx_last(o);
	return onnx_done(o, onnx_reduce(o, op, o->in[0], n, axes, onnx_attr_int(o, "keepdims", 1) != 0));
}

bool lower_reduce_mean(struct onnx_node *o) { return reduce(o, OP_reduce_mean); }
bool lower_reduce_sum(struct onnx_node *o) { return reduce(o, OP_reduce_sum); }
bool lower_reduce_l2(struct onnx_node *o) { return reduce(o, OP_reduce_l2); }

/* Reductions that exist at compile time only. */
static bool reduce_const(struct onnx_node *o, enum reduce how)
{
	struct val *a = o->in[0], out = { .name = "constant", .dtype = a->dtype };
	int64_t axes[MAX_RANK];
	bool keep = onnx_attr_int(o, "keepdims", 1) != 0, reduced[MAX_RANK] = { false };
	int n;

	if (!reduce_axes(o, axes, &n))
		return false;
	if (n == 0)
		return onnx_done(o, a);
	if (!ir_is_const(a))
		return ONNX_FAIL(o, "unsupported-op", "input %s: want a constant", onnx_val_text(o->c->mem, a));
	for (int k = 0; k < n; k++)
		reduced[axes[k]] = true;
	for (int d = 0; d < a->rank; d++)
		if (!reduced[d] || keep)
			out.dim[out.rank++] = reduced[d] ? 1 : a->dim[d];
	void *data = onnx_present(o, a) ? onnx_fold_data(o, a->dtype, out.rank, out.dim) : NULL;
	if (!data)
		return false;
	struct arena *scratch = arena_new();
	eval_reduce(&out, data, a, a->data, how, n, axes, scratch);
	arena_free(scratch);
	onnx_last(o);
	return onnx_done(o, onnx_fold_val(o, a->dtype, a->type.sec, out.rank, out.dim, data));
}

bool lower_reduce_max(struct onnx_node *o) { return reduce_const(o, REDUCE_MAX); }
bool lower_reduce_min(struct onnx_node *o) { return reduce_const(o, REDUCE_MIN); }
bool lower_reduce_prod(struct onnx_node *o) { return reduce_const(o, REDUCE_PROD); }

bool lower_argmax(struct onnx_node *o)
{
	struct val *a = o->in[0];
	int64_t dim[MAX_RANK], keep = onnx_attr_int(o, "keepdims", 1) != 0;
	int axis, rank = 0;

	if (onnx_attr_int(o, "select_last_index", 0))
		return ONNX_FAIL(o, "attribute", "select_last_index must be 0");
	if (!onnx_axis(o, onnx_attr_int(o, "axis", 0), a->rank, &axis))
		return false;
	if (a->dim[axis] == 0)
		return ONNX_FAIL(o, "shape", "axis %d of %s is empty", axis, onnx_val_text(o->c->mem, a));
	for (int d = 0; d < a->rank; d++)
		if (d != axis || keep)
			dim[rank++] = d == axis ? 1 : a->dim[d];
	struct onnx_attrs at = { 2, { { .key = ATTR_axis, .i = axis }, { .key = ATTR_keepdims, .i = keep } } };
	onnx_last(o);
	return onnx_done(o, onnx_emit(o, OP_argmax, 1, &a, DT_I64, rank, dim, &at));
}
