/* SPDX-License-Identifier: Apache-2.0
 * onnx_layout.c -- ONNX operators that move elements.
 */
#include "onnx_import.h"
#include <string.h>

static bool finish_reshape(struct onnx_node *o, int rank, const int64_t *dim)
{
	onnx_last(o);
	return onnx_done(o, onnx_reshape(o, o->in[0], rank, dim));
}

bool lower_reshape(struct onnx_node *o)
{
	const struct val *a = o->in[0];
	const int64_t *want;
	int64_t dim[MAX_RANK], known = 1;
	int n, infer = -1;

	if (!onnx_list(o, NULL, 1, &want, &n))
		return false;
	if (n < 0 || n > MAX_RANK)
		return ONNX_FAIL(o, "shape", "want a shape of at most %d axes", MAX_RANK);
	for (int d = 0; d < n; d++) {
		dim[d] = want[d] == 0 && !onnx_attr_int(o, "allowzero", 0) ? (d < a->rank ? a->dim[d] : -2) : want[d];
		if (dim[d] < -1 || (dim[d] == -1 && infer >= 0) || (dim[d] > 0 && known > INT64_MAX / dim[d]))
			return ONNX_FAIL(o, "shape", "cannot reshape %s to %s", onnx_val_text(o->c->mem, a), onnx_shape_text(o->c->mem, n, want));
		if (dim[d] == -1)
			infer = d;
		else
			known *= dim[d];
	}
	if (infer >= 0)
		dim[infer] = known ? ir_count(a) / known : 0;
	return finish_reshape(o, n, dim);
}

bool lower_flatten(struct onnx_node *o)
{
	const struct val *a = o->in[0];
	int64_t axis = onnx_attr_int(o, "axis", 1), dim[2] = { 1, 1 };
	if (axis < -a->rank || axis > a->rank)
		return ONNX_FAIL(o, "axis", "axis %lld is outside a tensor of %d axes", (long long)axis, a->rank);
	axis += axis < 0 ? a->rank : 0;
	for (int d = 0; d < a->rank; d++)
		dim[d >= axis] *= a->dim[d];
	return finish_reshape(o, 2, dim);
}

/* Marks the axes of a list; false: one is out of range or twice. */
static bool mark_axes(struct onnx_node *o, int n, const int64_t *axes, int rank, bool *marked)
{
	int axis;
	for (int k = 0; k < n; k++) {
		if (!onnx_axis(o, axes[k], rank, &axis))
			return false;
		if (marked[axis])
			return ONNX_FAIL(o, "axis", "axis %d is given twice", axis);
		marked[axis] = true;
	}
	return true;
}

bool lower_squeeze(struct onnx_node *o)
{
	const struct val *a = o->in[0];
	const int64_t *axes;
	bool gone[MAX_RANK] = { false };
	int64_t dim[MAX_RANK];
	int n, rank = 0;

	if (!onnx_list(o, "axes", 1, &axes, &n) || !mark_axes(o, n, axes, a->rank, gone))
		return false;
	for (int d = 0; d < a->rank; d++) {
		bool drop = n < 0 ? a->dim[d] == 1 : gone[d];
		if (drop && a->dim[d] != 1)
			return ONNX_FAIL(o, "shape", "axis %d of %s is not 1", d, onnx_val_text(o->c->mem, a));
		if (!drop)
			dim[rank++] = a->dim[d];
	}
	return finish_reshape(o, rank, dim);
}

bool lower_unsqueeze(struct onnx_node *o)
{
	const struct val *a = o->in[0];
	const int64_t *axes;
	bool added[MAX_RANK] = { false };
	int64_t dim[MAX_RANK];
	int n;

	if (!onnx_list(o, "axes", 1, &axes, &n))
		return false;
	if (n < 0 || a->rank + n > MAX_RANK)
		return ONNX_FAIL(o, "shape", "%s: want axes, and at most %d axes in the result", onnx_val_text(o->c->mem, a), MAX_RANK);
	if (!mark_axes(o, n, axes, a->rank + n, added))
		return false;
	for (int d = 0, k = 0; d < a->rank + n; d++)
		dim[d] = added[d] ? 1 : a->dim[k++];
	return finish_reshape(o, a->rank + n, dim);
}

bool lower_transpose(struct onnx_node *o)
{
	const struct val *a = o->in[0];
	int64_t perm[MAX_RANK];
	bool seen[MAX_RANK] = { false };
	int n;
	const int64_t *list = onnx_attr_ints(o, "perm", &n);

	if (list && n != a->rank)
		return ONNX_FAIL(o, "attribute", "perm has %d entries for %s", n, onnx_val_text(o->c->mem, a));
	for (int d = 0; d < a->rank; d++) {
		perm[d] = list ? list[d] : a->rank - 1 - d;
		if (perm[d] < 0 || perm[d] >= a->rank || seen[perm[d]])
			return ONNX_FAIL(o, "attribute", "perm is not a permutation of %d axes", a->rank);
		seen[perm[d]] = true;
	}
	onnx_last(o);
	return onnx_done(o, onnx_transpose(o, o->in[0], perm));
}

bool lower_concat(struct onnx_node *o)
{
	int axis;
	if (!onnx_attr(o, "axis"))
		return ONNX_FAIL(o, "attribute", "attribute axis is missing");
	for (int k = 0; k < o->nin; k++)
		if (!o->in[k])
			return ONNX_FAIL(o, "operand", "input %d is missing", k);
	if (!onnx_axis(o, onnx_attr_int(o, "axis", 0), o->in[0]->rank, &axis))
		return false;
	onnx_last(o);
	return onnx_done(o, onnx_concat(o, o->nin, o->in, axis));
}

bool lower_split(struct onnx_node *o)
{
	const struct val *a = o->in[0];
	const int64_t *sizes;
	int axis, n;
	int64_t at = 0;

	if (!onnx_list(o, "split", 1, &sizes, &n) || !onnx_axis(o, onnx_attr_int(o, "axis", 0), a->rank, &axis))
		return false;
	int64_t parts = onnx_attr_int(o, "num_outputs", o->nout), chunk = o->nout ? (a->dim[axis] + o->nout - 1) / o->nout : 0;
	if ((n >= 0 && n != o->nout) || parts != o->nout)
		return ONNX_FAIL(o, "operand", "%d outputs for a split into %lld", o->nout, (long long)(n >= 0 ? n : parts));
	for (int k = 0; k < o->nout; k++) {
		int64_t size = n >= 0 ? sizes[k] : a->dim[axis] - at < chunk ? a->dim[axis] - at : chunk;
		if (size < 0 || size > a->dim[axis] - at)
			return ONNX_FAIL(o, "operand", "the parts do not add up to axis %d of %s", axis, onnx_val_text(o->c->mem, a));
		o->name = o->pb->output[k];
		o->out[k] = onnx_slice(o, o->in[0], axis, at, 1, size);
		if (!o->out[k])
			return false;
		at += size;
	}
	if (at != a->dim[axis])
		return ONNX_FAIL(o, "operand", "the parts do not add up to axis %d of %s", axis, onnx_val_text(o->c->mem, a));
	return true;
}

/* ONNX's clamping of start and end to an axis of n elements. */
static int64_t clamp_index(int64_t i, int64_t n, int64_t step)
{
	if (i < 0)
		i = i < -n ? (step > 0 ? 0 : -1) : i + n;
	return i > (step > 0 ? n : n - 1) ? (step > 0 ? n : n - 1) : i;
}

bool lower_slice(struct onnx_node *o)
{
	const int64_t *starts, *ends, *axes, *steps;
	int n, nend, naxes, nsteps, axis;
	struct val *v = o->in[0];

	if (!onnx_list(o, "starts", 1, &starts, &n) || !onnx_list(o, "ends", 2, &ends, &nend) ||
	    !onnx_list(o, "axes", 3, &axes, &naxes) || !onnx_list(o, NULL, 4, &steps, &nsteps))
		return false;
	if (n < 0 || n != nend || (naxes >= 0 && naxes != n) || (nsteps >= 0 && nsteps != n) || n > v->rank)
		return ONNX_FAIL(o, "operand", "starts, ends, axes and steps: want lists of equal length, at most %d", v->rank);
	bool used[MAX_RANK] = { false };
	for (int k = 0; k < n; k++) {
		int64_t step = nsteps >= 0 ? steps[k] : 1, count = 0;
		if (!onnx_axis(o, naxes >= 0 ? axes[k] : k, v->rank, &axis))
			return false;
		if (step == 0 || step == INT64_MIN || used[axis])
			return ONNX_FAIL(o, "operand", "step %lld along axis %d", (long long)step, axis);
		used[axis] = true;
		int64_t size = v->dim[axis], start = clamp_index(starts[k], size, step), end = clamp_index(ends[k], size, step);
		if (step > 0 && end > start)
			count = (end - start - 1) / step + 1;
		else if (step < 0 && end < start)
			count = (start - end - 1) / -step + 1;
		if (k == n - 1)
			onnx_last(o);
		if (count != size || step != 1)
			v = onnx_slice(o, v, axis, count ? start : 0, step, count);
		if (!v)
			return false;
	}
	return onnx_done(o, v);
}

bool lower_expand(struct onnx_node *o)
{
	const int64_t *dim;
	int64_t count;
	int n;
	if (!onnx_list(o, NULL, 1, &dim, &n))
		return false;
	if (n < 0 || !onnx_count(n, dim, &count))
		return ONNX_FAIL(o, "shape", "cannot expand to %s", onnx_shape_text(o->c->mem, n < 0 ? 0 : n, dim));
	onnx_last(o);
	return onnx_done(o, onnx_expand(o, o->in[0], n, dim));
}

bool lower_tile(struct onnx_node *o)
{
	const int64_t *times;
	struct val *v = o->in[0];
	int n;

	if (!onnx_list(o, NULL, 1, &times, &n))
		return false;
	if (n != v->rank)
		return ONNX_FAIL(o, "operand", "want %d repeats, found %d", v->rank, n);
	for (int d = 0; d < n; d++) {
		if (times[d] < 1 || times[d] > 1 << 16)
			return ONNX_FAIL(o, "operand", "%lld repeats along axis %d", (long long)times[d], d);
		if (times[d] == 1)
			continue;
		struct val **copies = arena_alloc(o->c->mem, (size_t)times[d] * sizeof(struct val *));
		for (int64_t k = 0; k < times[d]; k++)
			copies[k] = v;
		v = onnx_concat(o, (int)times[d], copies, d);
		if (!v)
			return false;
	}
	return onnx_done(o, v);
}

/* Constant indices, made non-negative. */
static struct val *gather_const(struct onnx_node *o, struct val *a, struct val *ids, int axis)
{
	int64_t dim[MAX_RANK], n = ir_count(ids), size = a->dim[axis];
	int rank = a->rank - 1 + ids->rank, r = 0;
	int64_t *index = onnx_fold_data(o, DT_I64, ids->rank, ids->dim);

	if (!index)
		return NULL;
	if (rank > MAX_RANK)
		return ONNX_NULL(o, "shape", "the result has %d axes, want at most %d", rank, MAX_RANK);
	for (int64_t i = 0; i < n; i++) {
		int64_t id = ((const int64_t *)ids->data)[i];
		if (id < -size || id >= size)
			return ONNX_NULL(o, "operand", "index %lld is outside axis %d of %s", (long long)id, axis, onnx_val_text(o->c->mem, a));
		index[i] = id < 0 ? id + size : id;
	}
	for (int d = 0; d < axis; d++)
		dim[r++] = a->dim[d];
	for (int d = 0; d < ids->rank; d++)
		dim[r++] = ids->dim[d];
	for (int d = axis + 1; d < a->rank; d++)
		dim[r++] = a->dim[d];
	bool run = n > 0;
	for (int64_t i = 1; i < n; i++)
		run = run && index[i] == index[0] + i;
	if (run) { /* neighbours: a slice */
		struct val *s = n == size ? a : onnx_slice(o, a, axis, index[0], 1, n);
		onnx_last(o);
		return onnx_reshape(o, s, rank, dim);
	}
	struct onnx_attrs at = { 1, { { .key = ATTR_axis, .i = axis } } };
	struct val *list = ir_const(o->c->p, NULL, DT_I64, SEC_PUBLIC, ids->rank, ids->dim, index);
	onnx_last(o);
	return onnx_emit(o, OP_gather, 2, (struct val *const[]){ a, list }, a->dtype, rank, dim, &at);
}

bool lower_gather(struct onnx_node *o)
{
	struct val *a = o->in[0], *ids = o->in[1];
	int64_t dim[MAX_RANK];
	int axis;

	if (!onnx_axis(o, onnx_attr_int(o, "axis", 0), a->rank, &axis))
		return false;
	if (ids->dtype != DT_I64)
		return ONNX_FAIL(o, "dtype", "indices %s: want integers", onnx_val_text(o->c->mem, ids));
	if (ir_is_const(ids) && ids->type.sec == SEC_PUBLIC)
		return onnx_done(o, gather_const(o, a, ids, axis));
	if (!ir_is_const(a) || a->dtype != DT_F32 || a->rank != 2 || axis != 0 || ids->rank + 1 > MAX_RANK) {
		onnx_error(o, "unsupported-op", "rows of %s chosen by %s: want a constant float table [N,D], axis 0", onnx_val_text(o->c->mem, a), onnx_val_text(o->c->mem, ids));
		return false;
	}
	memcpy(dim, ids->dim, sizeof dim);
	dim[ids->rank] = a->dim[1];
	onnx_last(o);
	return onnx_done(o, onnx_emit(o, OP_embedding, 2, (struct val *const[]){ a, ids }, DT_F32, ids->rank + 1, dim, NULL));
}

/* Index tuples [.., k] into the first k axes: a gather along those axes joined. */
bool lower_gather_nd(struct onnx_node *o)
{
	struct val *a = o->in[0];
	const struct val *ids = o->in[1];
	int64_t dim[MAX_RANK], joined = 1, k = ids->rank ? ids->dim[ids->rank - 1] : 0;
	int rank = 0;

	if (onnx_attr_int(o, "batch_dims", 0) || !onnx_need_const(o, 1, "which elements are used must be public"))
		return onnx_attr_int(o, "batch_dims", 0) ? ONNX_FAIL(o, "attribute", "batch_dims must be 0") : false;
	if (ids->dtype != DT_I64 || k < 1 || k > a->rank)
		return ONNX_FAIL(o, "operand", "indices %s do not fit %s", onnx_val_text(o->c->mem, ids), onnx_val_text(o->c->mem, a));
	int64_t n = ir_count(ids) / k, *flat = onnx_fold_data(o, DT_I64, ids->rank - 1, ids->dim);
	if (!flat)
		return false;
	for (int64_t i = 0; i < n; i++)
		for (int64_t d = 0; d < k; d++) {
			int64_t id = ((const int64_t *)ids->data)[i * k + d];
			if (id < -a->dim[d] || id >= a->dim[d])
				return ONNX_FAIL(o, "operand", "index %lld is outside axis %lld of %s", (long long)id, (long long)d, onnx_val_text(o->c->mem, a));
			flat[i] = flat[i] * a->dim[d] + (id < 0 ? id + a->dim[d] : id);
		}
	for (int64_t d = 0; d < k; d++)
		joined *= a->dim[d];
	dim[rank++] = joined;
	for (int d = (int)k; d < a->rank; d++)
		dim[rank++] = a->dim[d];
	a = onnx_reshape(o, a, rank, dim);
	struct val *list = ir_const(o->c->p, NULL, DT_I64, SEC_PUBLIC, ids->rank - 1, ids->dim, flat);
	return a && onnx_done(o, gather_const(o, a, list, 0));
}

/* Keep the triangle of a matrix, zero elsewhere. */
bool lower_trilu(struct onnx_node *o)
{
	struct val *a = o->in[0], *zero;
	double k = 0;
	bool upper = onnx_attr_int(o, "upper", 1) != 0;

	if (a->rank < 2)
		return ONNX_FAIL(o, "shape", "input %s: want a matrix", onnx_val_text(o->c->mem, a));
	if (o->nin > 1 && o->in[1] && (!onnx_need_const(o, 1, "the diagonal") || !ir_scalar_value(o->in[1], &k)))
		return false;
	const int64_t *dim = a->dim + a->rank - 2;
	bool *keep = onnx_fold_data(o, DT_BOOL, 2, dim);
	for (int64_t i = 0; keep && i < dim[0]; i++)
		for (int64_t j = 0; j < dim[1]; j++)
			keep[i * dim[1] + j] = upper ? (double)(j - i) >= k : (double)(j - i) <= k;
	if (!keep)
		return false;
	struct val *cond = ir_const(o->c->p, NULL, DT_BOOL, SEC_PUBLIC, 2, dim, keep);
	void *none = onnx_fold_data(o, a->dtype, 0, NULL);
	zero = none ? ir_const(o->c->p, NULL, a->dtype, SEC_PUBLIC, 0, NULL, none) : NULL;
	onnx_last(o);
	return onnx_done(o, onnx_where(o, cond, a, zero));
}
