/* SPDX-License-Identifier: Apache-2.0
 * float_eval_layout.c -- operations that only move elements, for the reference interpreter.
 */
#include "float_eval.h"
#include <string.h>

static void copy_elems(void *to, int64_t i, const void *from, int64_t j, int64_t n, size_t size)
{
	if (n > 0)
		memcpy((char *)to + (size_t)i * size, (const char *)from + (size_t)j * size, (size_t)n * size);
}

/* Elements before and after an axis. */
static void split_at(const struct val *v, int axis, int64_t *outer, int64_t *inner)
{
	*outer = *inner = 1;
	for (int d = 0; d < axis; d++)
		*outer *= v->dim[d];
	for (int d = axis + 1; d < v->rank; d++)
		*inner *= v->dim[d];
}

void eval_transpose(const struct val *out, void *to, const struct val *a, const void *pa, const int64_t *perm)
{
	int64_t in_stride[MAX_RANK], stride[MAX_RANK], idx[MAX_RANK] = { 0 }, at = 0, s = 1;
	size_t size = eval_elem_size(a->dtype);

	for (int d = a->rank - 1; d >= 0; d--) {
		in_stride[d] = s;
		s *= a->dim[d];
	}
	for (int d = 0; d < out->rank; d++)
		stride[d] = in_stride[perm[d]];
	for (int64_t i = 0, n = ir_count(out); i < n; i++) {
		copy_elems(to, i, pa, at, 1, size);
		for (int d = out->rank - 1; d >= 0; d--) {
			at += stride[d];
			if (++idx[d] < out->dim[d])
				break;
			at -= stride[d] * out->dim[d];
			idx[d] = 0;
		}
	}
}

static void eval_slice(const struct node *n, const void *in, void *out)
{
	const struct val *a = n->in[0], *o = n->out[0];
	int axis = (int)ir_int(n, ATTR_axis);
	int64_t start = ir_int(n, ATTR_start), step = ir_int_or(n, ATTR_step, 1), outer, inner, size = o->dim[axis];

	split_at(a, axis, &outer, &inner);
	for (int64_t i = 0; i < outer; i++)
		for (int64_t j = 0; j < size; j++)
			copy_elems(out, (i * size + j) * inner, in, (i * a->dim[axis] + start + j * step) * inner, inner, eval_elem_size(a->dtype));
}

static void eval_concat(const struct node *n, const void *const *in, void *out)
{
	const struct val *o = n->out[0];
	int axis = (int)ir_int(n, ATTR_axis);
	int64_t outer, inner, at = 0;

	split_at(o, axis, &outer, &inner);
	for (int k = 0; k < n->nin; k++) {
		int64_t row = n->in[k]->dim[axis] * inner;
		for (int64_t i = 0; i < outer; i++)
			copy_elems(out, i * o->dim[axis] * inner + at, in[k], i * row, row, eval_elem_size(o->dtype));
		at += row;
	}
}

/* Rows of data along axis; a negative index counts from the end. */
static bool eval_gather(const struct node *n, int axis, const void *const *in, void *out)
{
	const struct val *a = n->in[0], *ids = n->in[1];
	int64_t outer, inner, count = ir_count(ids), size = a->dim[axis];

	split_at(a, axis, &outer, &inner);
	for (int64_t j = 0; j < count; j++) {
		int64_t id = eval_load_int(in[1], ids->dtype, j);
		id += id < 0 ? size : 0;
		if (id < 0 || id >= size)
			return false;
		for (int64_t i = 0; i < outer; i++)
			copy_elems(out, (i * count + j) * inner, in[0], (i * size + id) * inner, inner, eval_elem_size(a->dtype));
	}
	return true;
}

static double first(double a, double b)
{
	(void)b;
	return a;
}

static int64_t first_int(int64_t a, int64_t b)
{
	(void)b;
	return a;
}

/* Packed lower triangles: row i has the columns 0 .. i + past. */
static void eval_tril(const struct node *n, const float *in, float *out)
{
	const struct val *a = n->in[0];
	int64_t past = ir_int_or(n, ATTR_past, 0), rows = a->dim[a->rank - 2], cols = a->dim[a->rank - 1];
	int64_t batches = rows * cols > 0 ? ir_count(a) / (rows * cols) : 0, o = 0;

	for (int64_t b = 0; b < batches; b++)
		for (int64_t i = 0; i < rows; i++)
			for (int64_t j = 0; j <= i + past && j < cols; j++)
				out[o++] = in[(b * rows + i) * cols + j];
}

static void eval_untril(const struct node *n, const float *in, float *out)
{
	int64_t past = ir_int_or(n, ATTR_past, 0), rows = ir_int(n, ATTR_rows), cols = ir_int(n, ATTR_cols), o = 0;
	int64_t batches = rows * cols > 0 ? ir_count(n->out[0]) / (rows * cols) : 0;

	for (int64_t b = 0; b < batches; b++)
		for (int64_t i = 0; i < rows; i++)
			for (int64_t j = 0; j < cols; j++)
				out[(b * rows + i) * cols + j] = j <= i + past ? in[o++] : 0;
}

bool eval_layout(const struct node *n, const void *const *in, void *const *out, bool *ok)
{
	const struct val *o = n->out[0];
	int count;

	*ok = true;
	switch (n->op) {
	case OP_reshape:
		copy_elems(out[0], 0, in[0], 0, ir_count(o), eval_elem_size(o->dtype));
		return true;
	case OP_transpose:
		eval_transpose(o, out[0], n->in[0], in[0], ir_ints(n, ATTR_perm, &count));
		return true;
	case OP_slice:
		eval_slice(n, in[0], out[0]);
		return true;
	case OP_concat:
		eval_concat(n, in, out[0]);
		return true;
	case OP_expand:
		eval_binary(o, out[0], n->in[0], in[0], n->in[0], in[0], first, first_int);
		return true;
	case OP_gather:
		*ok = eval_gather(n, (int)ir_int(n, ATTR_axis), in, out[0]);
		return true;
	case OP_embedding:
		*ok = eval_gather(n, 0, in, out[0]);
		return true;
	case OP_tril:
		eval_tril(n, in[0], out[0]);
		return true;
	case OP_untril:
		eval_untril(n, in[0], out[0]);
		return true;
	default:
		return false;
	}
}
