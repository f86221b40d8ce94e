/* SPDX-License-Identifier: Apache-2.0
 * check_shape.c -- the shape that an operation gives its result.
 */
#include <stdarg.h>
#include <string.h>
#include "check.h"

struct shape { int rank; int64_t dim[MAX_RANK]; };

static bool __attribute__((format(printf, 2, 3)))
no(char *why, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, 128, fmt, ap);
	va_end(ap);
	return false;
}

static struct shape
shape_of(const struct val *v)
{
	struct shape s = { .rank = v->rank };
	memcpy(s.dim, v->dim, sizeof s.dim);
	return s;
}

/* NumPy broadcasting of a and b into a. */
static bool
broadcast(struct shape *a, const struct shape *b, char *why)
{
	struct shape r = { .rank = a->rank > b->rank ? a->rank : b->rank };
	for (int k = 0; k < r.rank; k++) {
		int ka = k - (r.rank - a->rank), kb = k - (r.rank - b->rank);
		int64_t da = ka < 0 ? 1 : a->dim[ka], db = kb < 0 ? 1 : b->dim[kb];
		if (da != db && da != 1 && db != 1)
			return no(why, "dimensions %lld and %lld do not broadcast", (long long)da, (long long)db);
		r.dim[k] = da == 1 ? db : da;
	}
	*a = r;
	return true;
}

static bool
fits_into(const struct val *v, const struct shape *into, char *why)
{
	struct shape s = shape_of(v), r = *into;
	if (!broadcast(&r, &s, why))
		return false;
	if (r.rank != into->rank || memcmp(r.dim, into->dim, (size_t)r.rank * sizeof r.dim[0]))
		return no(why, "'%s' does not broadcast to the shape of the result", v->name);
	return true;
}

static bool
get_axis(const struct node *n, int rank, int *axis, char *why)
{
	int64_t a = ir_int(n, ATTR_axis);
	if (a < -rank || a >= rank)
		return no(why, "axis %lld of an operand of rank %d", (long long)a, rank);
	*axis = (int)(a < 0 ? a + rank : a);
	return true;
}

static bool
matmul(const struct node *n, struct shape *r, char *why)
{
	struct shape a = shape_of(n->in[0]), b = shape_of(n->in[1]);
	bool vec_a = a.rank == 1, vec_b = b.rank == 1;
	if (a.rank == 0 || b.rank == 0)
		return no(why, "an operand is a scalar");
	if (vec_a)
		a = (struct shape){ 2, { 1, a.dim[0] } };
	if (vec_b)
		b = (struct shape){ 2, { b.dim[0], 1 } };
	int64_t m = a.dim[a.rank - 2], k = a.dim[a.rank - 1];
	bool t = ir_int_or(n, ATTR_trans_b, 0) != 0 && !vec_b;
	int64_t kb = b.dim[b.rank - (t ? 1 : 2)], cols = b.dim[b.rank - (t ? 2 : 1)];
	if (k != kb)
		return no(why, "inner dimensions %lld and %lld differ", (long long)k, (long long)kb);
	a.rank -= 2;
	b.rank -= 2;
	if (!broadcast(&a, &b, why))
		return false;
	if (a.rank + 2 > MAX_RANK)
		return no(why, "rank above %d", (int)MAX_RANK);
	if (!vec_a)
		a.dim[a.rank++] = m;
	if (!vec_b)
		a.dim[a.rank++] = cols;
	if (n->nin > 2 && (n->in[2]->rank != 1 || n->in[2]->dim[0] != cols))
		return no(why, "the bias '%s' should have the shape [%lld]", n->in[2]->name, (long long)cols);
	*r = a;
	return true;
}

static bool
reduce(const struct node *n, struct shape *r, char *why)
{
	struct shape a = shape_of(n->in[0]);
	bool gone[MAX_RANK] = { false }, keep = ir_int(n, ATTR_keepdims) != 0;
	int naxes = 1;
	const int64_t *axes;
	int64_t one;
	if (n->op == OP_argmax) {
		one = ir_int(n, ATTR_axis);
		axes = &one;
	} else
		axes = ir_ints(n, ATTR_axes, &naxes);
	for (int k = 0; k < naxes; k++) {
		if (axes[k] < -a.rank || axes[k] >= a.rank)
			return no(why, "axis %lld of an operand of rank %d", (long long)axes[k], a.rank);
		gone[axes[k] < 0 ? axes[k] + a.rank : axes[k]] = true;
	}
	r->rank = 0;
	for (int k = 0; k < a.rank; k++)
		if (!gone[k] || keep)
			r->dim[r->rank++] = gone[k] ? 1 : a.dim[k];
	return true;
}

static bool
transpose(const struct node *n, struct shape *r, char *why)
{
	int count;
	const int64_t *perm = ir_ints(n, ATTR_perm, &count);
	bool seen[MAX_RANK] = { false };
	if (count != r->rank)
		return no(why, "perm has %d entries for rank %d", count, r->rank);
	for (int k = 0; k < count; k++) {
		if (perm[k] < 0 || perm[k] >= count || seen[perm[k]])
			return no(why, "perm is not a permutation");
		seen[perm[k]] = true;
		r->dim[k] = n->in[0]->dim[perm[k]];
	}
	return true;
}

/* The output's own size says how many elements; they must exist. */
static bool
slice(const struct node *n, struct shape *r, char *why)
{
	int axis = 0;
	if (!get_axis(n, r->rank, &axis, why))
		return false;
	int64_t size = r->dim[axis], start = ir_int(n, ATTR_start), step = ir_int(n, ATTR_step);
	if (n->out[0]->rank != r->rank)
		return no(why, "a slice keeps the rank");
	int64_t count = n->out[0]->dim[axis];
	int64_t last = count ? start + (count - 1) * step : start;
	if (count && (start < 0 || start >= size || last < 0 || last >= size || step == 0))
		return no(why, "elements %lld to %lld of an axis of size %lld", (long long)start, (long long)last, (long long)size);
	r->dim[axis] = count;
	return true;
}

static bool
concat(const struct node *n, struct shape *r, char *why)
{
	int axis = 0;
	if (!get_axis(n, r->rank, &axis, why))
		return false;
	for (int k = 1; k < n->nin; k++) {
		if (n->in[k]->rank != r->rank)
			return no(why, "operands of rank %d and %d", r->rank, n->in[k]->rank);
		for (int j = 0; j < r->rank; j++)
			if (j != axis && n->in[k]->dim[j] != r->dim[j])
				return no(why, "dimension %d of '%s' is %lld, expected %lld", j, n->in[k]->name, (long long)n->in[k]->dim[j], (long long)r->dim[j]);
		r->dim[axis] += n->in[k]->dim[axis];
	}
	return true;
}

static bool
gather(const struct node *n, struct shape *r, char *why)
{
	int axis = 0;
	struct shape a = shape_of(n->in[0]), index = shape_of(n->in[1]);
	if (!get_axis(n, a.rank, &axis, why))
		return false;
	if (a.rank + index.rank - 1 > MAX_RANK)
		return no(why, "rank above %d", (int)MAX_RANK);
	r->rank = 0;
	for (int k = 0; k < axis; k++)
		r->dim[r->rank++] = a.dim[k];
	for (int k = 0; k < index.rank; k++)
		r->dim[r->rank++] = index.dim[k];
	for (int k = axis + 1; k < a.rank; k++)
		r->dim[r->rank++] = a.dim[k];
	return true;
}

static bool
embedding(const struct node *n, struct shape *r, char *why)
{
	if (n->in[0]->rank != 2 || n->in[1]->rank + 1 > MAX_RANK)
		return no(why, "the table '%s' should have two dimensions", n->in[0]->name);
	*r = shape_of(n->in[1]);
	r->dim[r->rank++] = n->in[0]->dim[1];
	return true;
}

static int64_t
packed(int64_t rows, int64_t past)
{
	return rows * past + rows * (rows + 1) / 2;
}

static bool
triangle(const struct node *n, struct shape *r, char *why)
{
	int64_t past = ir_int(n, ATTR_past);
	if (n->op == OP_tril) {
		if (r->rank < 2 || past < 0 || r->dim[r->rank - 2] + past > r->dim[r->rank - 1])
			return no(why, "expected [.., R, C] with R + past <= C");
		r->rank--;
		r->dim[r->rank - 1] = packed(r->dim[r->rank - 1], past);
		return true;
	}
	int64_t rows = ir_int(n, ATTR_rows);
	if (r->rank < 1 || past < 0 || rows < 0 || r->dim[r->rank - 1] != packed(rows, past))
		return no(why, "the last axis should have %lld elements", (long long)packed(rows, past));
	if (n->op == OP_softmax_tril)
		return true;
	int64_t cols = ir_int(n, ATTR_cols);
	if (rows + past > cols || r->rank + 1 > MAX_RANK)
		return no(why, "%lld columns do not hold rows of %lld", (long long)cols, (long long)(rows + past));
	r->dim[r->rank - 1] = rows;
	r->dim[r->rank++] = cols;
	return true;
}

/* Batches x and v: those of v are the first axes of x, with ones behind them, so that each matrix serves the next rows. */
static bool
in_order(const struct shape *x, const struct shape *v)
{
	bool same = true;
	for (int k = 0; k < x->rank; k++) {
		const int at = k - (x->rank - v->rank);
		const int64_t d = at < 0 ? 1 : v->dim[at];
		if (d != 1 && !(same && d == x->dim[k]))
			return false;
		same = same && d == x->dim[k];
	}
	return v->rank <= x->rank;
}

/* Rows of scores, dense or packed, times in[1] */
static bool
softmax_pv(const struct node *n, struct shape *r, char *why)
{
	struct shape v = shape_of(n->in[1]), batch = *r, of_v = v;
	batch.rank -= ir_has(n, ATTR_rows) ? 1 : 2;
	of_v.rank -= 2;
	if (batch.rank < 0 || of_v.rank < 0 || !in_order(&batch, &of_v))
		return no(why, "the batches of '%s' should be the first ones of the scores", n->in[1]->name);
	if (!ir_has(n, ATTR_rows))
		return matmul(n, r, why);
	int64_t rows = ir_int(n, ATTR_rows), past = ir_int_or(n, ATTR_past, 0);
	if (r->rank < 1 || past < 0 || rows < 0 || r->dim[r->rank - 1] != packed(rows, past))
		return no(why, "the last axis should have %lld elements", (long long)packed(rows, past));
	if (v.rank < 2 || v.dim[v.rank - 2] < rows + past || r->rank + 1 > MAX_RANK)
		return no(why, "'%s' should have at least %lld rows", n->in[1]->name, (long long)(rows + past));
	const int64_t cols = v.dim[v.rank - 1];
	r->rank--;
	v.rank -= 2;
	if (!broadcast(r, &v, why))
		return false;
	r->dim[r->rank++] = rows;
	r->dim[r->rank++] = cols;
	return true;
}

/* Operands that only have to match the last axis of in[0]: gamma, beta. */
static bool
norm(const struct node *n, const struct shape *r, char *why)
{
	if (n->op == OP_layernorm && n->nin == 2)
		return no(why, "gamma comes with beta, or neither is there");
	for (int k = 1; k < n->nin; k++)
		if (r->rank < 1 || ir_count(n->in[k]) != r->dim[r->rank - 1])
			return no(why, "'%s' should have as many elements as the last axis", n->in[k]->name);
	return true;
}

static bool
infer(const struct node *n, struct shape *r, char *why)
{
	struct shape b;
	int axis = 0;
	*r = shape_of(n->in[0]);
	switch (n->op) {
	case OP_matmul: return matmul(n, r, why);
	case OP_add: case OP_sub: case OP_mul: case OP_div: case OP_pow: case OP_where:
		for (int k = 1; k < n->nin; k++) {
			b = shape_of(n->in[k]);
			if (!broadcast(r, &b, why))
				return false;
		}
		return true;
	case OP_softmax_pv: return softmax_pv(n, r, why);
	case OP_softmax: return get_axis(n, r->rank, &axis, why);
	case OP_reduce_mean: case OP_reduce_sum: case OP_reduce_l2: case OP_argmax: return reduce(n, r, why);
	case OP_layernorm: case OP_rmsnorm: return norm(n, r, why);
	case OP_embedding: return embedding(n, r, why);
	case OP_rope: return fits_into(n->in[1], r, why) && fits_into(n->in[2], r, why);
	case OP_tril: case OP_softmax_tril: case OP_untril: return triangle(n, r, why);
	case OP_reshape:
		if (ir_count(n->in[0]) != ir_count(n->out[0]))
			return no(why, "%lld elements become %lld", (long long)ir_count(n->in[0]), (long long)ir_count(n->out[0]));
		*r = shape_of(n->out[0]);
		return true;
	case OP_expand:
		*r = shape_of(n->out[0]);
		return fits_into(n->in[0], r, why);
	case OP_transpose: return transpose(n, r, why);
	case OP_slice: return slice(n, r, why);
	case OP_concat: return concat(n, r, why);
	case OP_gather: return gather(n, r, why);
	default: return true; /* elementwise with one operand */
	}
}

bool
infer_shape(const struct node *n, int *rank, int64_t dim[MAX_RANK], char *why)
{
	struct shape r;
	if (!infer(n, &r, why))
		return false;
	*rank = r.rank;
	memcpy(dim, r.dim, sizeof r.dim);
	return true;
}
