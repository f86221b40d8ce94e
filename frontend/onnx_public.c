/* SPDX-License-Identifier: Apache-2.0
 * onnx_public.c -- ONNX operators that are evaluated at compile time: shapes, comparisons, index arithmetic.
 *
 * A few of them also occur on secret 0/1 masks; those become arithmetic.
 */
#include "onnx_import.h"
#include "passes/float_eval.h"
#include <math.h>
#include <string.h>

bool lower_shape(struct onnx_node *o)
{
	const struct val *a = o->in[0];
	int64_t start = onnx_attr_int(o, "start", 0), end = onnx_attr_int(o, "end", a->rank);

	start = start < -a->rank ? 0 : start < 0 ? start + a->rank : start > a->rank ? a->rank : start;
	end = end < -a->rank ? 0 : end < 0 ? end + a->rank : end > a->rank ? a->rank : end;
	int64_t n = end > start ? end - start : 0, *data = onnx_fold_data(o, DT_I64, 1, &n);
	if (!data)
		return false;
	memcpy(data, a->dim + (n ? start : 0), (size_t)n * sizeof *data);
	onnx_last(o);
	return onnx_done(o, onnx_fold_val(o, DT_I64, SEC_PUBLIC, 1, &n, data));
}

bool lower_size(struct onnx_node *o)
{
	int64_t *data = onnx_fold_data(o, DT_I64, 0, NULL);
	if (!data)
		return false;
	*data = ir_count(o->in[0]);
	onnx_last(o);
	return onnx_done(o, onnx_fold_val(o, DT_I64, SEC_PUBLIC, 0, NULL, data));
}

bool lower_constant(struct onnx_node *o)
{
	const Onnx__AttributeProto *a = o->pb->n_attribute == 1 ? o->pb->attribute[0] : NULL;
	struct onnx_ctx *c = o->c;
	const char *name = o->pb->output[0];

	if (!a)
		return ONNX_FAIL(o, "attribute", "want exactly one attribute");
	int64_t n = (int64_t)(a->n_floats + a->n_ints);
	if (a->t)
		return onnx_done(o, onnx_tensor(c, a->t, &o->loc, name));
	name = onnx_const_name(c, name);
	if (!strcmp(a->name, "value_float"))
		return onnx_done(o, ir_scalar(c->p, name, (double)a->f));
	if (!strcmp(a->name, "value_int")) {
		int64_t *x = arena_alloc(c->mem, sizeof *x);
		*x = a->i;
		return onnx_done(o, ir_const(c->p, name, DT_I64, SEC_PUBLIC, 0, NULL, x));
	}
	bool real = !strcmp(a->name, "value_floats");
	const void *data = real ? (const void *)a->floats : a->ints;
	if (!n)
		data = arena_alloc(c->mem, 1);
	return onnx_done(o, ir_const(c->p, name, real ? DT_F32 : DT_I64, real && n > 1 ? SEC_WEIGHT : SEC_PUBLIC, 1, &n, data));
}

bool lower_constant_of_shape(struct onnx_node *o)
{
	const Onnx__AttributeProto *a = onnx_attr(o, "value");
	const int64_t *dim;
	int n;
	struct val *value = a ? onnx_tensor(o->c, a->t, &o->loc, NULL) : onnx_scalar(o, 0);
	int64_t count;

	if (!onnx_list(o, NULL, 0, &dim, &n) || !value)
		return false;
	if (n > MAX_RANK || ir_count(value) != 1)
		return ONNX_FAIL(o, "operand", "want a shape of at most %d axes and one value", MAX_RANK);
	void *data = onnx_fold_data(o, value->dtype, n, dim);
	if (!data || !onnx_count(n, dim, &count))
		return false;
	size_t size = eval_elem_size(value->dtype);
	for (int64_t i = 0; i < count; i++)
		memcpy((char *)data + (size_t)i * size, value->data, size);
	onnx_last(o);
	return onnx_done(o, onnx_fold_val(o, value->dtype, SEC_PUBLIC, n, dim, data));
}

bool lower_range(struct onnx_node *o)
{
	double x[3];
	enum dtype t = o->in[0]->dtype;

	for (int k = 0; k < 3; k++)
		if (!onnx_need_const(o, k, "the shape of the result depends on it"))
			return false;
		else if (!ir_scalar_value(o->in[k], &x[k]) || o->in[k]->dtype != t || t == DT_BOOL)
			return ONNX_FAIL(o, "operand", "input %s: want a number of the type of start", onnx_val_text(o->c->mem, o->in[k]));
	double steps = ceil((x[1] - x[0]) / x[2]);
	if (x[2] == 0 || !(steps < 1e12))
		return ONNX_FAIL(o, "operand", "range from %g to %g by %g", x[0], x[1], x[2]);
	int64_t n = steps > 0 ? (int64_t)steps : 0;
	void *data = onnx_fold_data(o, t, 1, &n);
	if (!data)
		return false;
	for (int64_t i = 0; i < n; i++)
		eval_store(data, t, i, x[0] + (double)i * x[2]);
	onnx_last(o);
	return onnx_done(o, onnx_fold_val(o, t, SEC_PUBLIC, 1, &n, data));
}

static double f_eq(double a, double b) { return a == b; }
static double f_lt(double a, double b) { return a < b; }
static double f_le(double a, double b) { return a <= b; }
static double f_gt(double a, double b) { return a > b; }
static double f_ge(double a, double b) { return a >= b; }
static double f_and(double a, double b) { return a != 0 && b != 0; }
static double f_or(double a, double b) { return a != 0 || b != 0; }
static double f_xor(double a, double b) { return (a != 0) != (b != 0); }
static int64_t i_eq(int64_t a, int64_t b) { return a == b; }
static int64_t i_lt(int64_t a, int64_t b) { return a < b; }
static int64_t i_le(int64_t a, int64_t b) { return a <= b; }
static int64_t i_gt(int64_t a, int64_t b) { return a > b; }
static int64_t i_ge(int64_t a, int64_t b) { return a >= b; }

static bool both_const(const struct onnx_node *o)
{
	return ir_is_const(o->in[0]) && ir_is_const(o->in[1]);
}

static bool compare_const(struct onnx_node *o, double (*f)(double, double), int64_t (*g)(int64_t, int64_t))
{
	onnx_last(o);
	return onnx_done(o, onnx_fold_binary(o, DT_BOOL, o->in[0], o->in[1], f, g));
}

static bool refuse_comparison(struct onnx_node *o)
{
	onnx_error(o, "unsupported-op", "compares %s with %s: its result depends on secret data", onnx_val_text(o->c->mem, o->in[0]), onnx_val_text(o->c->mem, o->in[1]));
	diag_hint(o->c->diag, "re-export with attn_implementation=\"eager\" and fixed shapes; only masks of 0 and 1 can be tested");
	return false;
}

static bool lower_compare(struct onnx_node *o, double (*f)(double, double), int64_t (*g)(int64_t, int64_t))
{
	return both_const(o) ? compare_const(o, f, g) : refuse_comparison(o);
}

bool lower_less(struct onnx_node *o) { return lower_compare(o, f_lt, i_lt); }
bool lower_less_equal(struct onnx_node *o) { return lower_compare(o, f_le, i_le); }
bool lower_greater_equal(struct onnx_node *o) { return lower_compare(o, f_ge, i_ge); }

/* x != 0 as a bool. */
static struct val *non_zero(struct onnx_node *o, struct val *x)
{
	return onnx_cast(o, x, DT_BOOL);
}

static bool zero_or_masked(double x)
{
	return onnx_is_zero(x) || onnx_is_masked(x);
}

/* c + x == 0 for a mask x of 0 and 1 and a constant c of 0 and "masked": c == 0 and x == 0. */
static struct val *sum_is_zero(struct onnx_node *o, struct val *sum)
{
	const struct node *n = sum->def;
	if (!n || n->op != OP_add)
		return NULL;
	int k = ir_is_const(n->in[0]) ? 0 : 1;
	struct val *c = n->in[k], *x = n->in[1 - k], *zero = onnx_scalar(o, 0);
	if (!onnx_all(c, zero_or_masked) || c->type.sec != SEC_PUBLIC || !onnx_is_01(x))
		return NULL;
	struct val *open = onnx_cast(o, onnx_fold_binary(o, DT_BOOL, c, zero, f_eq, i_eq), DT_F32);
	struct val *clear = onnx_binary(o, OP_sub, onnx_scalar(o, 1), x);
	return onnx_cast(o, open && clear ? onnx_binary(o, OP_mul, clear, open) : NULL, DT_BOOL);
}

/* The number of rows of the table that these ids index, 0: none found. */
static int64_t table_rows(const struct onnx_node *o, const char *ids)
{
	const Onnx__GraphProto *g = o->c->graph;
	for (size_t k = 0; k < g->n_node; k++) {
		const Onnx__NodeProto *n = g->node[k];
		if (!n->op_type || strcmp(n->op_type, "Gather") || n->n_input != 2 || strcmp(n->input[1], ids))
			continue;
		const struct val *table = onnx_named(o->c, n->input[0]);
		if (table && ir_is_const(table) && table->rank == 2)
			return table->dim[0];
	}
	return 0;
}

/* ids == pad for secret token ids: a table of one column, 1 at row pad. */
static struct val *ids_equal(struct onnx_node *o, struct val *ids, double pad, const char *name)
{
	int64_t dim[MAX_RANK], table_dim[2] = { table_rows(o, name), 1 };
	if (table_dim[0] == 0 || pad < 0 || pad >= (double)table_dim[0] || ids->rank >= MAX_RANK)
		return NULL;
	float *data = onnx_fold_data(o, DT_F32, 2, table_dim);
	if (!data)
		return NULL;
	data[(int64_t)pad] = 1;
	struct val *table = ir_const(o->c->p, NULL, DT_F32, SEC_PUBLIC, 2, table_dim, data);
	memcpy(dim, ids->dim, sizeof dim);
	dim[ids->rank] = 1;
	struct val *hit = onnx_emit(o, OP_embedding, 2, (struct val *const[]){ table, ids }, DT_F32, ids->rank + 1, dim, NULL);
	return onnx_cast(o, onnx_reshape(o, hit, ids->rank, ids->dim), DT_BOOL);
}

/* Positions counted from the tokens that are no padding (RoBERTa): taken to be
 * counted from all tokens.  With padding at the end this changes padded rows only. */
static struct val *no_padding(struct onnx_node *o, const struct val *ids)
{
	void *data = onnx_fold_data(o, DT_BOOL, ids->rank, ids->dim);
	diag_warning(o->c->diag, &o->loc, "assumed-positions", "positions are counted as if %s had no padding: they must be known to the compiler", ids->name);
	diag_hint(o->c->diag, "pad sequences at their end only, and mask the padding with attention_mask");
	onnx_last(o);
	return onnx_fold_val(o, DT_BOOL, SEC_PUBLIC, ids->rank, ids->dim, data);
}

bool lower_equal(struct onnx_node *o)
{
	int k = ir_is_const(o->in[0]) ? 1 : 0; /* the secret side */
	struct val *x = o->in[k], *c = o->in[1 - k], *r = NULL;
	double value;

	if (both_const(o))
		return compare_const(o, f_eq, i_eq);
	if (!ir_scalar_value(c, &value) || c->rank > x->rank || c->dtype != x->dtype)
		return refuse_comparison(o);
	bool binary = onnx_is_01(x);
	if (x->dtype == DT_I64 && table_rows(o, o->pb->input[k]) > 0 && onnx_reaches(o->c, o->pb->output[0], "CumSum", NULL)) {
		r = no_padding(o, x);
	} else if (x->dtype == DT_I64 && table_rows(o, o->pb->input[k]) > 0) {
		r = ids_equal(o, x, value, o->pb->input[k]);
	} else if (value == 0 && (x->dtype == DT_I64 || binary)) {
		struct val *set = non_zero(o, x);
		onnx_last(o);
		r = onnx_not(o, set);
	} else if (value == 1 && binary) {
		onnx_last(o);
		r = non_zero(o, x);
	} else if (value == 0 && x->dtype == DT_F32) {
		r = sum_is_zero(o, x);
	}
	return r ? onnx_done(o, r) : refuse_comparison(o);
}

bool lower_greater(struct onnx_node *o)
{
	double value;
	if (both_const(o))
		return compare_const(o, f_gt, i_gt);
	if (!ir_scalar_value(o->in[1], &value) || value < 0 || value >= 1 || !onnx_is_01(o->in[0]) || o->in[1]->rank > o->in[0]->rank)
		return refuse_comparison(o);
	onnx_last(o);
	return onnx_done(o, non_zero(o, o->in[0]));
}

static bool want_bools(struct onnx_node *o)
{
	for (int k = 0; k < o->nin; k++)
		if (o->in[k]->dtype != DT_BOOL)
			return ONNX_FAIL(o, "dtype", "input %s: want bool", onnx_val_text(o->c->mem, o->in[k]));
	return true;
}

bool lower_xor(struct onnx_node *o)
{
	return want_bools(o) && lower_compare(o, f_xor, NULL);
}

/* and: a * b; or: a + b - a * b */
static bool logic(struct onnx_node *o, bool both)
{
	if (!want_bools(o))
		return false;
	if (both_const(o))
		return compare_const(o, both ? f_and : f_or, NULL);
	struct val *a = onnx_cast(o, o->in[0], DT_F32), *b = onnx_cast(o, o->in[1], DT_F32), *r = onnx_binary(o, OP_mul, a, b);
	if (!both)
		r = r ? onnx_binary(o, OP_sub, onnx_binary(o, OP_add, a, b), r) : NULL;
	onnx_last(o);
	return onnx_done(o, onnx_cast(o, r, DT_BOOL));
}

bool lower_and(struct onnx_node *o) { return logic(o, true); }
bool lower_or(struct onnx_node *o) { return logic(o, false); }

static bool fold_unary(struct onnx_node *o, enum dtype to, double (*f)(double), int64_t (*g)(int64_t))
{
	const struct val *a = o->in[0];
	if (!ir_is_const(a))
		return ONNX_FAIL(o, "unsupported-op", "input %s: want a constant", onnx_val_text(o->c->mem, a));
	void *data = onnx_present(o, a) ? onnx_fold_data(o, to, a->rank, a->dim) : NULL;
	if (!data)
		return false;
	struct val out = *a;
	out.dtype = to;
	eval_unary(&out, data, a, a->data, f, g);
	onnx_last(o);
	return onnx_done(o, onnx_fold_val(o, to, a->type.sec, a->rank, a->dim, data));
}

static double f_not(double a) { return a == 0; }
static double f_nan(double a) { return isnan(a); }
static int64_t i_same(int64_t a) { return a; }

bool lower_not(struct onnx_node *o)
{
	if (!want_bools(o))
		return false;
	if (ir_is_const(o->in[0]))
		return fold_unary(o, DT_BOOL, f_not, NULL);
	onnx_last(o);
	return onnx_done(o, onnx_not(o, o->in[0]));
}

bool lower_floor(struct onnx_node *o) { return fold_unary(o, o->in[0]->dtype, floor, i_same); }
bool lower_ceil(struct onnx_node *o) { return fold_unary(o, o->in[0]->dtype, ceil, i_same); }

/* A softmax is never NaN here: a fully masked row gives zeros. */
bool lower_is_nan(struct onnx_node *o)
{
	const struct val *a = o->in[0];
	if (ir_is_const(a) || !a->def || a->def->op != OP_softmax)
		return fold_unary(o, DT_BOOL, f_nan, NULL);
	void *data = onnx_fold_data(o, DT_BOOL, a->rank, a->dim);
	onnx_last(o);
	return onnx_done(o, onnx_fold_val(o, DT_BOOL, SEC_PUBLIC, a->rank, a->dim, data));
}

static double f_fmod(double a, double b) { return fmod(a, b); }
static double f_mod(double a, double b) { double r = fmod(a, b); return r != 0 && (r < 0) != (b < 0) ? r + b : r; }
static int64_t i_fmod(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }
static int64_t i_mod(int64_t a, int64_t b) { int64_t r = i_fmod(a, b); return r && (r < 0) != (b < 0) ? r + b : r; }

bool lower_mod(struct onnx_node *o)
{
	bool c = onnx_attr_int(o, "fmod", 0) != 0;
	if (!both_const(o))
		return refuse_comparison(o);
	if (o->in[1]->dtype == DT_I64 && !onnx_all(o->in[1], onnx_is_not_zero))
		return ONNX_FAIL(o, "operand", "integer remainder by zero");
	onnx_last(o);
	return onnx_done(o, onnx_fold_binary(o, o->in[0]->dtype, o->in[0], o->in[1], c ? f_fmod : f_mod, c ? i_fmod : i_mod));
}

/* Is element (i, j) of the summing matrix 1: y[j] = sum over i of x[i]. */
static bool summed(int64_t i, int64_t j, bool exclusive, bool reverse)
{
	return exclusive ? (reverse ? i > j : i < j) : (reverse ? i >= j : i <= j);
}

static bool cumsum_const(struct onnx_node *o, const struct val *x, int axis)
{
	bool exclusive = onnx_attr_int(o, "exclusive", 0) != 0, reverse = onnx_attr_int(o, "reverse", 0) != 0;
	int64_t inner = 1, n = x->dim[axis], count = ir_count(x);
	void *data = onnx_present(o, x) ? onnx_fold_data(o, x->dtype, x->rank, x->dim) : NULL;

	for (int d = axis + 1; d < x->rank; d++)
		inner *= x->dim[d];
	for (int64_t i = 0; data && n && i < count / n; i++) {
		int64_t base = i / inner * n * inner + i % inner;
		double sum = 0;
		for (int64_t j = 0; j < n; j++) {
			int64_t at = base + (reverse ? n - 1 - j : j) * inner;
			double e = ir_elem(x, at);
			eval_store(data, x->dtype, at, exclusive ? sum : sum + e);
			sum += e;
		}
	}
	onnx_last(o);
	return onnx_done(o, onnx_fold_val(o, x->dtype, x->type.sec, x->rank, x->dim, data));
}

/* Running sum along an axis: x^T T, T a triangle of ones; also for secret masks. */
bool lower_cumsum(struct onnx_node *o)
{
	struct val *x = o->in[0];
	double at;
	int axis;

	if (!onnx_need_const(o, 1, "the axis") || !ir_scalar_value(o->in[1], &at) || !onnx_axis(o, (int64_t)at, x->rank, &axis))
		return false;
	if (ir_is_const(x))
		return cumsum_const(o, x, axis);
	int64_t n = x->dim[axis], dim[2] = { n, n }, perm[MAX_RANK];
	float *ones = onnx_fold_data(o, DT_F32, 2, dim);
	if (!ones)
		return false;
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < n; j++)
			ones[i * n + j] = summed(i, j, onnx_attr_int(o, "exclusive", 0), onnx_attr_int(o, "reverse", 0));
	struct val *t = ir_const(o->c->p, NULL, DT_F32, SEC_PUBLIC, 2, dim, ones), *y = onnx_cast(o, x, DT_F32);
	for (int d = 0; d < x->rank; d++)
		perm[d] = d == axis ? x->rank - 1 : d == x->rank - 1 ? axis : d;
	y = axis < x->rank - 1 ? onnx_transpose(o, y, perm) : y;
	if (x->rank == 1)
		y = onnx_reshape(o, y, 2, (const int64_t[]){ 1, n });
	y = onnx_matmul(o, y, t, NULL, false);
	if (x->rank == 1)
		y = onnx_reshape(o, y, 1, &n);
	y = axis < x->rank - 1 ? onnx_transpose(o, y, perm) : y;
	y = onnx_cast(o, y, x->dtype);
	return onnx_done(o, y);
}

/* data with slices replaced; indices [.., k] address the first k axes. */
bool lower_scatter_nd(struct onnx_node *o)
{
	const struct val *a = o->in[0], *ids = o->in[1], *up = o->in[2];
	int64_t inner = 1, k = ids->rank ? ids->dim[ids->rank - 1] : -1;

	if (!onnx_attr_is(o, "reduction", "none", "none"))
		return ONNX_FAIL(o, "attribute", "reduction must be \"none\"");
	if (!ir_is_const(a) || !ir_is_const(ids) || !ir_is_const(up) || ids->type.sec != SEC_PUBLIC)
		return ONNX_FAIL(o, "unsupported-op", "inputs %s, %s, %s: want constants", onnx_val_text(o->c->mem, a), onnx_val_text(o->c->mem, ids), onnx_val_text(o->c->mem, up));
	if (k < 0 || k > a->rank || ids->dtype != DT_I64 || up->dtype != a->dtype)
		return ONNX_FAIL(o, "operand", "indices %s and updates %s do not fit %s", onnx_val_text(o->c->mem, ids), onnx_val_text(o->c->mem, up), onnx_val_text(o->c->mem, a));
	for (int d = (int)k; d < a->rank; d++)
		inner *= a->dim[d];
	int64_t n = 1;
	for (int d = 0; d < ids->rank - 1; d++)
		n *= ids->dim[d];
	if (ir_count(up) != n * inner)
		return ONNX_FAIL(o, "shape", "updates %s do not fit indices %s", onnx_val_text(o->c->mem, up), onnx_val_text(o->c->mem, ids));
	size_t size = eval_elem_size(a->dtype);
	char *data = onnx_present(o, a) && onnx_present(o, up) ? onnx_fold_data(o, a->dtype, a->rank, a->dim) : NULL;
	if (!data)
		return false;
	memcpy(data, a->data, (size_t)ir_count(a) * size);
	for (int64_t i = 0; i < n; i++) {
		int64_t at = 0;
		for (int64_t d = 0; d < k; d++) {
			int64_t id = ((const int64_t *)ids->data)[i * k + d];
			if (id < -a->dim[d] || id >= a->dim[d])
				return ONNX_FAIL(o, "operand", "index %lld is outside axis %lld of %s", (long long)id, (long long)d, onnx_val_text(o->c->mem, a));
			at = at * a->dim[d] + (id < 0 ? id + a->dim[d] : id);
		}
		memcpy(data + (size_t)(at * inner) * size, (const char *)up->data + (size_t)(i * inner) * size, (size_t)inner * size);
	}
	onnx_last(o);
	return onnx_done(o, onnx_fold_val(o, a->dtype, onnx_join(2, (struct val *const[]){ o->in[0], o->in[2] }), a->rank, a->dim, data));
}

/* out[.., j, ..] = data[.., ids[.., j, ..], ..] along axis. */
bool lower_gather_elements(struct onnx_node *o)
{
	const struct val *a = o->in[0], *ids = o->in[1];
	int64_t stride[MAX_RANK], s = 1;
	size_t size = eval_elem_size(a->dtype);
	int axis;

	if (!onnx_axis(o, onnx_attr_int(o, "axis", 0), a->rank, &axis))
		return false;
	if (!ir_is_const(a) || !ir_is_const(ids) || ids->type.sec != SEC_PUBLIC)
		return ONNX_FAIL(o, "unsupported-op", "inputs %s, %s: want constants", onnx_val_text(o->c->mem, a), onnx_val_text(o->c->mem, ids));
	bool fits = ids->rank == a->rank && ids->dtype == DT_I64;
	for (int d = a->rank - 1; d >= 0 && fits; d--) {
		fits = d == axis || ids->dim[d] <= a->dim[d];
		stride[d] = s;
		s *= a->dim[d];
	}
	if (!fits)
		return ONNX_FAIL(o, "shape", "indices %s do not fit %s", onnx_val_text(o->c->mem, ids), onnx_val_text(o->c->mem, a));
	char *data = onnx_present(o, a) ? onnx_fold_data(o, a->dtype, ids->rank, ids->dim) : NULL;
	for (int64_t i = 0, n = ir_count(ids); data && i < n; i++) {
		int64_t id = ((const int64_t *)ids->data)[i], at = 0, rest = i;
		if (id < -a->dim[axis] || id >= a->dim[axis])
			return ONNX_FAIL(o, "operand", "index %lld is outside axis %d of %s", (long long)id, axis, onnx_val_text(o->c->mem, a));
		for (int d = a->rank - 1; d >= 0; d--) {
			at += (d == axis ? id < 0 ? id + a->dim[d] : id : rest % ids->dim[d]) * stride[d];
			rest /= ids->dim[d];
		}
		memcpy(data + (size_t)i * size, (const char *)a->data + (size_t)at * size, size);
	}
	onnx_last(o);
	return onnx_done(o, onnx_fold_val(o, a->dtype, a->type.sec, ids->rank, ids->dim, data));
}
