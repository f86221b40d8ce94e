/* SPDX-License-Identifier: Apache-2.0
 * onnx_linear.c -- MatMul, Gemm and patch convolutions; weights stay as they are stored.
 */
#include "onnx_import.h"
#include <string.h>

static struct val *swap_last(struct onnx_node *o, struct val *a)
{
	int64_t perm[MAX_RANK];
	for (int d = 0; d < a->rank; d++)
		perm[d] = d;
	perm[a->rank - 1] = a->rank - 2;
	perm[a->rank - 2] = a->rank - 1;
	return onnx_transpose(o, a, perm);
}

static struct val *times(struct onnx_node *o, struct val *a, double factor)
{
	return factor == 1 || !a ? a : onnx_binary(o, OP_mul, a, onnx_scalar(o, factor));
}

/* NumPy's rule for vectors: add an axis, drop it afterwards. */
static struct val *product(struct onnx_node *o, struct val *a, struct val *b, bool trans_b)
{
	bool va = a->rank == 1, vb = b->rank == 1;
	struct val *c;

	if (a->rank == 0 || b->rank == 0)
		return ONNX_NULL(o, "shape", "operands %s and %s: want matrices", onnx_val_text(o->c->mem, a), onnx_val_text(o->c->mem, b));
	if (!va && !vb) {
		onnx_last(o);
		return onnx_matmul(o, a, b, NULL, trans_b);
	}
	if (va)
		a = onnx_reshape(o, a, 2, (const int64_t[]){ 1, a->dim[0] });
	if (vb)
		b = onnx_reshape(o, b, 2, (const int64_t[]){ b->dim[0], 1 });
	c = onnx_matmul(o, a, b, NULL, trans_b && !vb);
	if (!c)
		return NULL;
	int64_t dim[MAX_RANK];
	int rank = 0;
	for (int d = 0; d < c->rank; d++)
		if (!(va && d == c->rank - 2) && !(vb && d == c->rank - 1))
			dim[rank++] = c->dim[d];
	onnx_last(o);
	return onnx_reshape(o, c, rank, dim);
}

bool lower_matmul(struct onnx_node *o)
{
	return onnx_done(o, product(o, o->in[0], o->in[1], false));
}

bool lower_fused_matmul(struct onnx_node *o)
{
	struct val *a = o->in[0], *b = o->in[1];
	double alpha = onnx_attr_f64(o, "alpha", 1);

	if (onnx_attr_int(o, "transBatchA", 0) || onnx_attr_int(o, "transBatchB", 0))
		return ONNX_FAIL(o, "attribute", "transBatchA and transBatchB must be 0");
	if (onnx_attr_int(o, "transA", 0) && a->rank > 1)
		a = swap_last(o, a);
	a = times(o, a, alpha);
	return a ? onnx_done(o, product(o, a, b, onnx_attr_int(o, "transB", 0) && b->rank > 1)) : false;
}

static bool finish_gemm(struct onnx_node *o, struct val *y, enum op activation)
{
	if (activation == N_OP)
		return onnx_done(o, y);
	onnx_last(o);
	return onnx_done(o, onnx_unary(o, activation, y));
}

/* activation(alpha a b + beta c); N_OP: none. */
static bool gemm(struct onnx_node *o, enum op activation)
{
	struct val *a = o->in[0], *b = o->in[1], *c = o->nin > 2 ? o->in[2] : NULL, *bias = NULL;
	bool trans_b = onnx_attr_int(o, "transB", 0) != 0;

	if (a->rank != 2 || b->rank != 2)
		return ONNX_FAIL(o, "shape", "operands %s and %s: want two matrices", onnx_val_text(o->c->mem, a), onnx_val_text(o->c->mem, b));
	if (onnx_attr_int(o, "transA", 0))
		a = swap_last(o, a);
	a = times(o, a, onnx_attr_f64(o, "alpha", 1));
	if (c)
		c = times(o, c, onnx_attr_f64(o, "beta", 1));
	if (!a || (o->nin > 2 && o->in[2] && !c))
		return false;
	int64_t n = b->dim[trans_b ? 0 : 1];
	if (c && ir_is_const(c) && ir_count(c) == n && c->rank >= 1 && c->rank <= 2 && c->dim[c->rank - 1] == n && c->dtype == DT_F32)
		bias = onnx_reshape(o, c, 1, &n);
	if ((!c || bias) && activation == N_OP)
		onnx_last(o);
	struct val *y = onnx_matmul(o, a, b, bias, trans_b);
	if (!c || bias || !y)
		return finish_gemm(o, y, activation);
	int rank;
	int64_t dim[MAX_RANK];
	if (!onnx_broadcast(y, c, &rank, dim) || rank != 2 || memcmp(dim, y->dim, 2 * sizeof *dim))
		return ONNX_FAIL(o, "shape", "C is %s, want a shape that broadcasts to %s", onnx_val_text(o->c->mem, c), onnx_shape_text(o->c->mem, 2, y->dim));
	if (activation == N_OP)
		onnx_last(o);
	return finish_gemm(o, onnx_binary(o, OP_add, y, c), activation);
}

bool lower_gemm(struct onnx_node *o)
{
	return gemm(o, N_OP);
}

bool lower_fused_gemm(struct onnx_node *o)
{
	if (onnx_attr_is(o, "activation", "Relu", ""))
		return gemm(o, OP_relu);
	if (onnx_attr_is(o, "activation", "Tanh", ""))
		return gemm(o, OP_tanh);
	if (onnx_attr_is(o, "activation", "Sigmoid", ""))
		return gemm(o, OP_sigmoid);
	return ONNX_FAIL(o, "attribute", "activation: want \"Relu\", \"Tanh\" or \"Sigmoid\"");
}

static bool all_equal(const int64_t *list, int n, int64_t x)
{
	for (int k = 0; k < n; k++)
		if (list[k] != x)
			return false;
	return true;
}

/* Only convolutions that cut the input into patches: kernel = stride, no padding. */
static bool conv_is_patches(struct onnx_node *o, const struct val *x, const struct val *w)
{
	int spatial = x->rank - 2, n, nstride;
	const int64_t *stride = onnx_attr_ints(o, "strides", &nstride), *list;
	bool ok = spatial >= 1 && spatial <= 3 && w->rank == x->rank && ir_is_const(w) && x->dtype == DT_F32 && w->dtype == DT_F32 &&
		x->dim[1] == w->dim[1] && onnx_attr_int(o, "group", 1) == 1;

	if (ok && (list = onnx_attr_ints(o, "kernel_shape", &n)))
		ok = n == spatial && !memcmp(list, w->dim + 2, (size_t)n * sizeof *list);
	for (int d = 0; ok && d < spatial; d++)
		ok = (!stride ? 1 : nstride == spatial ? stride[d] : 0) == w->dim[d + 2] && w->dim[d + 2] > 0 && x->dim[d + 2] >= w->dim[d + 2];
	list = onnx_attr_ints(o, "pads", &n);
	ok = ok && all_equal(list, n, 0);
	list = onnx_attr_ints(o, "dilations", &n);
	ok = ok && all_equal(list, n, 1) && (onnx_attr_is(o, "auto_pad", "NOTSET", "NOTSET") || onnx_attr_is(o, "auto_pad", "VALID", "NOTSET"));
	if (ok)
		return true;
	onnx_error(o, "unsupported-op", "convolution of %s by %s: only kernel = stride without padding, dilation and groups is supported",
	           onnx_val_text(o->c->mem, x), onnx_val_text(o->c->mem, w));
	diag_hint(o->c->diag, "a patch embedding is of this kind; other convolutions are not transformers");
	return false;
}

/* x [N,C,H,W] -> [N, H/h * W/w, C*h*w] */
static struct val *patches(struct onnx_node *o, struct val *x, const int64_t *kernel, int spatial, int64_t *count)
{
	int64_t dim[MAX_RANK] = { x->dim[0], x->dim[1] }, perm[MAX_RANK] = { 0 }, inner = x->dim[1];

	*count = 1;
	perm[1 + spatial] = 1;
	for (int d = 0; d < spatial; d++) {
		int64_t cut = x->dim[d + 2] / kernel[d];
		if (x && cut * kernel[d] != x->dim[d + 2])
			x = onnx_slice(o, x, d + 2, 0, 1, cut * kernel[d]);
		if (!x)
			return NULL;
		dim[2 + 2 * d] = cut;
		dim[3 + 2 * d] = kernel[d];
		perm[1 + d] = 2 + 2 * d;
		perm[2 + spatial + d] = 3 + 2 * d;
		*count *= cut;
		inner *= kernel[d];
	}
	x = onnx_reshape(o, x, 2 + 2 * spatial, dim);
	x = onnx_transpose(o, x, perm);
	return onnx_reshape(o, x, 3, (const int64_t[]){ dim[0], *count, inner });
}

bool lower_conv(struct onnx_node *o)
{
	struct val *x = o->in[0], *w = o->in[1], *b = o->nin > 2 ? o->in[2] : NULL;
	int64_t dim[MAX_RANK], count, m;
	int spatial = x->rank - 2;

	if (!conv_is_patches(o, x, w))
		return false;
	m = w->dim[0];
	if (b && (b->rank != 1 || b->dim[0] != m || b->dtype != DT_F32))
		return ONNX_FAIL(o, "shape", "B is %s, want float[%lld]", onnx_val_text(o->c->mem, b), (long long)m);
	struct val *rows = patches(o, x, w->dim + 2, spatial, &count);
	struct val *flat = onnx_reshape(o, w, 2, (const int64_t[]){ m, m ? ir_count(w) / m : 0 });
	struct val *y = onnx_matmul(o, rows, flat, b, true);
	y = onnx_transpose(o, y, (const int64_t[]){ 0, 2, 1 });
	dim[0] = x->dim[0];
	dim[1] = m;
	for (int d = 0; d < spatial; d++)
		dim[d + 2] = x->dim[d + 2] / w->dim[d + 2];
	onnx_last(o);
	return onnx_done(o, onnx_reshape(o, y, x->rank, dim));
}
