/* SPDX-License-Identifier: Apache-2.0
 * onnx_build.c -- make nodes while importing: shapes are checked, constants are evaluated at once.
 */
#include "onnx_import.h"
#include "passes/float_eval.h"
#include "passes/passes.h"
#include <math.h>
#include <string.h>

enum { LAZY_TRANSPOSE = 1 << 14 };   /* elements from which a transposed matrix is kept as it is */
#define MASKED (-2e30)               /* float32 sums of this and -FLT_MAX are finite */

void onnx_last(struct onnx_node *o)
{
	o->name = o->pb->n_output ? o->pb->output[0] : NULL;
}

bool onnx_done(struct onnx_node *o, struct val *v)
{
	o->out[0] = v;
	return v != NULL;
}

enum sec onnx_join(int n, struct val *const *in)
{
	enum sec s = SEC_PUBLIC;
	for (int k = 0; k < n; k++)
		s = in[k] && in[k]->type.sec > s ? in[k]->type.sec : s;
	return s;
}

/* The name for the value being made; used once. */
static const char *take_name(struct onnx_node *o)
{
	const char *name = o->name && *o->name ? o->name : NULL;
	o->name = NULL;
	return name;
}

/* A graph output keeps its name for the node that defines it. */
const char *onnx_const_name(const struct onnx_ctx *c, const char *name)
{
	for (size_t k = 0; name && k < c->graph->n_output; k++)
		if (c->graph->output[k]->name && !strcmp(c->graph->output[k]->name, name))
			return arena_printf(c->mem, "%s.value", name);
	return name;
}

void *onnx_fold_data(struct onnx_node *o, enum dtype dtype, int rank, const int64_t *dim)
{
	int64_t n, bytes;
	if (!onnx_count(rank, dim, &n)) {
		onnx_error(o, "shape", "result of shape %s: want at most %d axes, none negative, less than 2^40 elements", onnx_shape_text(o->c->mem, rank, dim), MAX_RANK);
		return NULL;
	}
	bytes = n * (int64_t)eval_elem_size(dtype);
	if (bytes > o->c->budget) {
		onnx_error(o, "constant-too-large", "evaluating this at compile time needs %lld more bytes", (long long)bytes);
		diag_hint(o->c->diag, "a shape may be bound wrongly; use a shorter sequence, or make the constant part of the model");
		return NULL;
	}
	o->c->budget -= bytes;
	return arena_alloc(o->c->mem, (size_t)(bytes ? bytes : 1));
}

struct val *onnx_fold_val(struct onnx_node *o, enum dtype dtype, enum sec joined, int rank, const int64_t *dim, const void *data)
{
	int64_t n;
	if (!data || !onnx_count(rank, dim, &n))
		return NULL;
	return ir_const(o->c->p, onnx_const_name(o->c, take_name(o)), dtype, onnx_folded_sec(dtype, n, data, joined), rank, dim, data);
}

/* Evaluates op on constants. */
static struct val *fold(struct onnx_node *o, enum op op, int nin, struct val *const *in, const struct val *like, const struct onnx_attrs *at)
{
	for (int k = 0; k < nin; k++)
		if (in[k]->absent && like->dtype == DT_F32)
			return ir_absent(o->c->p, onnx_const_name(o->c, take_name(o)), like->rank, like->dim);
	struct arena *scratch = arena_new();
	void *data = onnx_fold_data(o, like->dtype, like->rank, like->dim);
	const void **from = arena_alloc(scratch, (size_t)nin * sizeof *from);
	struct val out = *like, *outs[1] = { &out };
	struct node n = { .op = op, .nin = nin, .nout = 1, .in = (struct val **)(uintptr_t)in, .out = outs, .nattr = at ? at->n : 0,
	                  .attr = at ? (struct attr *)(uintptr_t)at->a : NULL, .desc = op == OP_act ? o->desc : NULL, .loc = o->loc };
	bool ok = data != NULL;

	for (int k = 0; k < nin; k++)
		from[k] = in[k]->data;
	if (ok && !float_eval_node(&n, from, (void *const[]){ data }, scratch)) {
		onnx_error(o, "evaluate", "cannot evaluate this on its constant inputs; an index may be out of range");
		ok = false;
	}
	arena_free(scratch);
	enum sec sec = op == OP_sin || op == OP_cos ? SEC_PUBLIC : onnx_join(nin, in);
	return ok ? onnx_fold_val(o, like->dtype, sec, like->rank, like->dim, data) : NULL;
}

static void set_attrs(struct prog *p, struct node *n, const struct onnx_attrs *at)
{
	for (int k = 0; at && k < at->n; k++) {
		const struct attr *a = &at->a[k];
		if (attr_desc[a->key].kind == 'I')
			ir_set_int(p, n, a->key, a->i);
		else if (attr_desc[a->key].kind == 'F')
			ir_set_f64(p, n, a->key, a->f);
		else
			ir_set_ints(p, n, a->key, a->nlist, a->list);
	}
}

static bool lazy(enum op op, struct val *const *in)
{
	return op == OP_transpose && in[0]->rank == 2 && ir_count(in[0]) >= LAZY_TRANSPOSE;
}

struct val *onnx_emit(struct onnx_node *o, enum op op, int nin, struct val *const *in, enum dtype dtype, int rank, const int64_t *dim,
                      const struct onnx_attrs *at)
{
	struct prog *p = o->c->p;
	bool constant = true;
	int64_t n;

	for (int k = 0; k < nin; k++) {
		if (!in[k])
			return NULL;
		constant = constant && ir_is_const(in[k]);
	}
	if (!onnx_count(rank, dim, &n))
		return ONNX_NULL(o, "shape", "result of shape %s: want at most %d axes, less than 2^40 elements", onnx_shape_text(o->c->mem, rank, dim), MAX_RANK);
	if (constant && !lazy(op, in)) {
		struct val like = { .name = "constant", .dtype = dtype, .rank = rank };
		memcpy(like.dim, dim, (size_t)rank * sizeof *dim);
		return fold(o, op, nin, in, &like, at);
	}
	struct val *out = ir_val(p, take_name(o), dtype, (struct type){ .sec = onnx_join(nin, in) }, rank, dim);
	struct node *made = ir_node(p, NULL, op, &o->loc, nin, in, 1, &out);
	set_attrs(p, made, at);
	made->desc = op == OP_act ? o->desc : NULL;
	return out;
}

struct val *onnx_force(struct onnx_node *o, struct val *v)
{
	if (ir_is_const(v) || !v->def || v->def->op != OP_transpose || !ir_is_const(v->def->in[0]))
		return v;
	int64_t perm[2] = { 1, 0 };
	struct onnx_attrs at = { 1, { { .key = ATTR_perm, .nlist = 2, .list = perm } } };
	return fold(o, OP_transpose, 1, v->def->in, v, &at);
}

struct val *onnx_scalar(struct onnx_node *o, double x)
{
	return ir_scalar(o->c->p, take_name(o), x);
}

bool onnx_broadcast(const struct val *a, const struct val *b, int *rank, int64_t *dim)
{
	*rank = a->rank > b->rank ? a->rank : b->rank;
	for (int d = 0; d < *rank; d++) {
		int x = d - (*rank - a->rank), y = d - (*rank - b->rank);
		int64_t m = x < 0 ? 1 : a->dim[x], n = y < 0 ? 1 : b->dim[y];
		if (m != n && m != 1 && n != 1)
			return false;
		dim[d] = m == 1 ? n : m;
	}
	return true;
}

struct val *onnx_unary(struct onnx_node *o, enum op op, struct val *a)
{
	return a ? onnx_emit(o, op, 1, &a, a->dtype, a->rank, a->dim, NULL) : NULL;
}

struct val *onnx_binary(struct onnx_node *o, enum op op, struct val *a, struct val *b)
{
	int rank;
	int64_t dim[MAX_RANK];

	if (!a || !b)
		return NULL;
	if (a->dtype != b->dtype)
		return ONNX_NULL(o, "dtype", "operands %s and %s: want the same element type", onnx_val_text(o->c->mem, a), onnx_val_text(o->c->mem, b));
	if (!onnx_broadcast(a, b, &rank, dim))
		return ONNX_NULL(o, "shape", "operands %s and %s do not broadcast", onnx_val_text(o->c->mem, a), onnx_val_text(o->c->mem, b));
	return onnx_emit(o, op, 2, (struct val *const[]){ a, b }, a->dtype, rank, dim, NULL);
}

struct val *onnx_reshape(struct onnx_node *o, struct val *a, int rank, const int64_t *dim)
{
	int64_t n;

	if (!a)
		return NULL;
	if (!onnx_count(rank, dim, &n) || n != ir_count(a))
		return ONNX_NULL(o, "shape", "cannot reshape %s to %s", onnx_val_text(o->c->mem, a), onnx_shape_text(o->c->mem, rank, dim));
	if (ir_is_const(a))
		return ir_const_like(o->c->p, onnx_const_name(o->c, take_name(o)), a, a->type.sec, rank, dim);
	if (rank == a->rank && !memcmp(dim, a->dim, (size_t)rank * sizeof *dim))
		return a;
	return onnx_emit(o, OP_reshape, 1, &a, a->dtype, rank, dim, NULL);
}

struct val *onnx_transpose(struct onnx_node *o, struct val *a, const int64_t *perm)
{
	int64_t dim[MAX_RANK];
	if (!a)
		return NULL;
	for (int d = 0; d < a->rank; d++)
		dim[d] = a->dim[perm[d]];
	struct onnx_attrs at = { 1, { { .key = ATTR_perm, .nlist = a->rank, .list = perm } } };
	return onnx_emit(o, OP_transpose, 1, &a, a->dtype, a->rank, dim, &at);
}

struct val *onnx_slice(struct onnx_node *o, struct val *a, int axis, int64_t start, int64_t step, int64_t count)
{
	int64_t dim[MAX_RANK];
	if (!a)
		return NULL;
	memcpy(dim, a->dim, sizeof dim);
	dim[axis] = count;
	struct onnx_attrs at = { 3, { { .key = ATTR_axis, .i = axis }, { .key = ATTR_start, .i = start }, { .key = ATTR_step, .i = step } } };
	return onnx_emit(o, OP_slice, 1, &a, a->dtype, a->rank, dim, &at);
}

struct val *onnx_concat(struct onnx_node *o, int n, struct val *const *in, int axis)
{
	int64_t dim[MAX_RANK];
	for (int k = 0; k < n; k++)
		if (!in[k])
			return NULL;
	memcpy(dim, in[0]->dim, sizeof dim);
	for (int k = 1; k < n; k++) {
		bool same = in[k]->rank == in[0]->rank && in[k]->dtype == in[0]->dtype;
		for (int d = 0; same && d < in[0]->rank; d++)
			same = d == axis || in[k]->dim[d] == dim[d];
		if (!same)
			return ONNX_NULL(o, "shape", "cannot join %s and %s along axis %d", onnx_val_text(o->c->mem, in[0]), onnx_val_text(o->c->mem, in[k]), axis);
		dim[axis] += in[k]->dim[axis];
	}
	struct onnx_attrs at = { 1, { { .key = ATTR_axis, .i = axis } } };
	return onnx_emit(o, OP_concat, n, in, in[0]->dtype, in[0]->rank, dim, &at);
}

struct val *onnx_expand(struct onnx_node *o, struct val *a, int rank, const int64_t *dim)
{
	struct val to = { .rank = rank };
	int64_t full[MAX_RANK];
	int full_rank;

	if (!a)
		return NULL;
	memcpy(to.dim, dim, (size_t)rank * sizeof *dim);
	if (!onnx_broadcast(a, &to, &full_rank, full))
		return ONNX_NULL(o, "shape", "cannot expand %s to %s", onnx_val_text(o->c->mem, a), onnx_shape_text(o->c->mem, rank, dim));
	if (full_rank == a->rank && !memcmp(full, a->dim, (size_t)a->rank * sizeof *full))
		return onnx_reshape(o, a, full_rank, full);
	return onnx_emit(o, OP_expand, 1, &a, a->dtype, full_rank, full, NULL);
}

struct val *onnx_cast(struct onnx_node *o, struct val *a, enum dtype to)
{
	if (!a || a->dtype == to)
		return a;
	const struct node *d = a->def; /* 0/1 -> BOOL -> number: without the BOOL */
	if (a->dtype == DT_BOOL && d && d->op == OP_cast && onnx_is_01(d->in[0]))
		return onnx_cast(o, d->in[0], to);
	struct onnx_attrs at = { 1, { { .key = ATTR_to, .i = to } } };
	return onnx_emit(o, OP_cast, 1, &a, to, a->rank, a->dim, &at);
}

struct val *onnx_matmul(struct onnx_node *o, struct val *a, struct val *b, struct val *bias, bool trans_b)
{
	int64_t dim[MAX_RANK], k;
	int rank;

	if (!a || !b)
		return NULL;
	const struct node *t = b->def; /* a transposed matrix is used as it is stored */
	if (!ir_is_const(b) && t && t->op == OP_transpose && ir_is_const(t->in[0]) && b->rank == 2) {
		b = t->in[0];
		trans_b = !trans_b;
	}
	if (a->rank < 2 || b->rank < 2)
		BUG("onnx_matmul: ranks %d and %d", a->rank, b->rank);
	struct val x = { .rank = a->rank - 2 }, y = { .rank = b->rank - 2 };
	memcpy(x.dim, a->dim, sizeof x.dim);
	memcpy(y.dim, b->dim, sizeof y.dim);
	k = b->dim[b->rank - (trans_b ? 1 : 2)];
	if (a->dtype != DT_F32 || b->dtype != DT_F32)
		return ONNX_NULL(o, "dtype", "operands %s and %s: want float", onnx_val_text(o->c->mem, a), onnx_val_text(o->c->mem, b));
	if (a->dim[a->rank - 1] != k || !onnx_broadcast(&x, &y, &rank, dim))
		return ONNX_NULL(o, "shape", "cannot multiply %s by %s%s", onnx_val_text(o->c->mem, a), onnx_val_text(o->c->mem, b), trans_b ? " transposed" : "");
	dim[rank++] = a->dim[a->rank - 2];
	dim[rank++] = b->dim[b->rank - (trans_b ? 2 : 1)];
	if (bias && (bias->rank != 1 || bias->dim[0] != dim[rank - 1]))
		BUG("onnx_matmul: bias %s", onnx_val_text(o->c->mem, bias));
	struct onnx_attrs at = { trans_b, { { .key = ATTR_trans_b, .i = 1 } } };
	return onnx_emit(o, OP_matmul, bias ? 3 : 2, (struct val *const[]){ a, b, bias }, DT_F32, rank, dim, &at);
}

struct val *onnx_reduce(struct onnx_node *o, enum op op, struct val *a, int naxes, const int64_t *axes, bool keepdims)
{
	int64_t dim[MAX_RANK];
	int rank = 0;

	if (!a)
		return NULL;
	for (int d = 0; d < a->rank; d++) {
		bool reduced = false;
		for (int k = 0; k < naxes; k++)
			reduced = reduced || axes[k] == d;
		if (!reduced || keepdims)
			dim[rank++] = reduced ? 1 : a->dim[d];
	}
	struct onnx_attrs at = { 2, { { .key = ATTR_axes, .nlist = naxes, .list = axes }, { .key = ATTR_keepdims, .i = keepdims } } };
	return onnx_emit(o, op, 1, &a, a->dtype, rank, dim, &at);
}

bool onnx_all(const struct val *v, bool (*is)(double))
{
	if (!ir_is_const(v) || v->absent)
		return false;
	for (int64_t i = 0, n = ir_count(v); i < n; i++)
		if (!is(ir_elem(v, i)))
			return false;
	return true;
}

bool onnx_present(struct onnx_node *o, const struct val *v)
{
	if (!v->absent)
		return true;
	onnx_error(o, "no-weights", "%s has no values (--no-weights), and this is evaluated at compile time", onnx_val_text(o->c->mem, v));
	diag_hint(o->c->diag, "compile with the model's data file");
	return false;
}

bool onnx_is_zero(double x)
{
	return x == 0;
}

bool onnx_is_not_zero(double x)
{
	return x != 0;
}

bool onnx_is_masked(double x)
{
	return x <= MASKED_BELOW;
}

static bool zero_or_one(double x)
{
	return x == 0 || x == 1;
}

static bool is_01_const(const struct val *v)
{
	return onnx_all(v, zero_or_one);
}

/* depth bounds the products on a path, or hostile models would take exponential time. */
static bool is_01(const struct val *v, int depth)
{
	double one;

	for (;;) {
		const struct node *n = v->def;
		if (v->is_wire_input && v->dtype == DT_I64 && strstr(v->name, "attention_mask")) /* the contract of this input everywhere */
			return true;
		if (v->dtype == DT_BOOL || is_01_const(v))
			return true;
		if (!n)
			return false;
		switch (n->op) {
		case OP_cast: case OP_reshape: case OP_expand: case OP_slice: case OP_transpose: case OP_gather: case OP_embedding:
			v = n->in[0];
			break;
		case OP_sub:
			if (!ir_scalar_value(n->in[0], &one) || one != 1)
				return false;
			v = n->in[1];
			break;
		case OP_mul:
			if (depth == 0 || !is_01(n->in[0], depth - 1))
				return false;
			v = n->in[1];
			break;
		default:
			return false;
		}
	}
}

bool onnx_is_01(const struct val *v)
{
	return is_01(v, 8);
}

/* not x, for a secret x: 1 - x. */
struct val *onnx_not(struct onnx_node *o, struct val *x)
{
	const char *name = take_name(o);
	struct val *f = onnx_cast(o, x, DT_F32), *r = f ? onnx_binary(o, OP_sub, onnx_scalar(o, 1), f) : NULL;
	o->name = name;
	return onnx_cast(o, r, DT_BOOL);
}

/* MASKED where f is 0, f of 0 and 1.  A constant factor of f gives a constant
 * addend of its own: what hides it is public structure. */
static struct val *mask_where_zero(struct onnx_node *o, struct val *f)
{
	const struct node *n = f->def;
	struct val *fixed = NULL, *open, *m;

	if (n && n->op == OP_mul && (is_01_const(n->in[0]) || is_01_const(n->in[1]))) {
		int k = ir_is_const(n->in[0]) ? 0 : 1;
		fixed = onnx_binary(o, OP_sub, onnx_scalar(o, 1), n->in[k]);
		fixed = onnx_binary(o, OP_mul, fixed, onnx_scalar(o, MASKED));
		f = n->in[1 - k];
		if (!fixed)
			return NULL;
	}
	open = onnx_binary(o, OP_sub, onnx_scalar(o, 1), f);
	m = onnx_binary(o, OP_mul, open, onnx_scalar(o, MASKED));
	return fixed ? onnx_binary(o, OP_add, fixed, m) : m;
}

static bool is_finite(double x)
{
	return isfinite(x);
}

static bool has_infinity(const struct val *v)
{
	return ir_is_const(v) && !onnx_all(v, is_finite);
}

/* A secret condition selects by arithmetic: b + c * (a - b).  Where one side is
 * "masked" this is an additive mask. */
static struct val *where_secret(struct onnx_node *o, struct val *c, struct val *a, struct val *b)
{
	const char *name = take_name(o);
	bool mask_a = onnx_all(a, onnx_is_masked), mask_b = onnx_all(b, onnx_is_masked);
	struct val *f = onnx_cast(o, c, DT_F32), *other = mask_a ? b : a, *m;

	if (a->dtype != DT_F32)
		return ONNX_NULL(o, "unsupported-op", "chooses between integers by the secret %s", onnx_val_text(o->c->mem, c));
	if (!f)
		return NULL;
	if (mask_a || mask_b) {
		m = mask_a ? onnx_binary(o, OP_mul, f, onnx_scalar(o, MASKED)) : mask_where_zero(o, f);
		if (m && onnx_all(other, onnx_is_zero) && ir_count(other) == 1 && other->rank <= m->rank)
			return m;
		o->name = name;
		return onnx_binary(o, OP_add, other, m);
	}
	if (has_infinity(a) || has_infinity(b))
		return ONNX_NULL(o, "unsupported-op", "the secret %s chooses from a constant that is infinite in places", onnx_val_text(o->c->mem, c));
	struct val *d = onnx_binary(o, OP_mul, f, onnx_binary(o, OP_sub, a, b));
	o->name = name;
	return onnx_binary(o, OP_add, b, d);
}

struct val *onnx_where(struct onnx_node *o, struct val *c, struct val *a, struct val *b)
{
	struct val ab = { 0 };
	int rank;
	int64_t dim[MAX_RANK];

	if (!c || !a || !b)
		return NULL;
	if (c->dtype != DT_BOOL || a->dtype != b->dtype)
		return ONNX_NULL(o, "dtype", "condition %s and operands %s, %s: want a bool and two of the same element type",
		                 onnx_val_text(o->c->mem, c), onnx_val_text(o->c->mem, a), onnx_val_text(o->c->mem, b));
	if (onnx_broadcast(a, b, &ab.rank, ab.dim) && onnx_broadcast(&ab, c, &rank, dim)) {
		if (ir_is_const(c) && (c->type.sec == SEC_PUBLIC || (ir_is_const(a) && ir_is_const(b))))
			return onnx_emit(o, OP_where, 3, (struct val *const[]){ c, a, b }, a->dtype, rank, dim, NULL);
		return where_secret(o, c, a, b);
	}
	return ONNX_NULL(o, "shape", "condition %s and operands %s, %s do not broadcast", onnx_val_text(o->c->mem, c),
	                 onnx_val_text(o->c->mem, a), onnx_val_text(o->c->mem, b));
}

bool onnx_need_const(struct onnx_node *o, int k, const char *what)
{
	if (o->in[k] && ir_is_const(o->in[k]) && o->in[k]->type.sec == SEC_PUBLIC)
		return true;
	onnx_error(o, "secret-structure", "input %s must be a public constant: %s", o->in[k] ? onnx_val_text(o->c->mem, o->in[k]) : "(none)", what);
	diag_hint(o->c->diag, "re-export the model so that this does not depend on its inputs, e.g. with fixed shapes and attn_implementation=\"eager\"");
	return false;
}
