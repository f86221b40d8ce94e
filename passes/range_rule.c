/* SPDX-License-Identifier: Apache-2.0
 * range_rule.c -- one sound rule per operation: from the inputs' intervals and
 * norms to the output's.  ||.|| is the 2-norm along the last axis, a row.
 */
#include <math.h>
#include "passes/descriptor.h"
#include "passes/range.h"

static bool known(const struct val *v) { return v->lo <= v->hi; }

static struct range interval(double lo, double hi) { return (struct range){ lo, hi, -1 }; }

static struct range of(const struct val *v) { return (struct range){ v->lo, v->hi, v->norm }; }

static struct range hull(struct range a, struct range b)
{
	if (!(a.lo <= a.hi) || !(b.lo <= b.hi))
		return range_unknown();
	return interval(fmin(a.lo, b.lo), fmax(a.hi, b.hi));
}

/* ||v broadcast to rows of `last`||: a row of length 1 is repeated. */
static double row_norm(const struct val *v, int64_t last)
{
	if (range_last(v) == last)
		return v->norm;
	return known(v) ? range_max(v) * sqrt((double)last) : -1;
}

static double both(double a, double b, double of_known) { return a >= 0 && b >= 0 ? of_known : -1; }

static double least(double a, double b) { return a < 0 ? b : b < 0 ? a : fmin(a, b); }

/* Through nodes that keep rows whole: what is this a row-wise copy of? */
static const struct node *rows_of(const struct val *v)
{
	for (const struct node *n; (n = v->def); v = n->in[0]) {
		if (n->op == OP_reshape || n->op == OP_expand) {
			if (range_last(n->in[0]) != range_last(v))
				return NULL;
		} else if (n->op == OP_transpose) {
			int k; const int64_t *perm = ir_ints(n, ATTR_perm, &k);
			if (k != v->rank || perm[k - 1] != k - 1)
				return NULL;
		} else if (n->op != OP_untril)
			return n;
	}
	return NULL;
}

/* Rows of a softmax: not negative, sum 1. */
static bool convex_rows(const struct val *v)
{
	const struct node *n = rows_of(v);
	if (!n)
		return false;
	if (n->op == OP_softmax_tril) {          /* only once unpacked the rows are the last axis */
		for (const struct val *u = v; u->def != n; u = u->def->in[0])
			if (u->def->op == OP_untril)
				return true;
		return false;
	}
	int64_t axis = n->op == OP_softmax ? ir_int(n, ATTR_axis) : 0;
	return n->op == OP_softmax && (axis == -1 || axis == n->out[0]->rank - 1);
}

/* The 2-norm along the axis before the last, e.g. of the columns of K transposed. */
static double column_norm(const struct val *v)
{
	const struct node *n = v->def;
	int64_t rows = v->rank > 1 ? v->dim[v->rank - 2] : 1;
	double bound = known(v) ? sqrt((double)rows) * range_max(v) : -1;
	if (n && n->op == OP_transpose && v->rank > 1) {
		int k; const int64_t *perm = ir_ints(n, ATTR_perm, &k);
		if (perm[v->rank - 2] == n->in[0]->rank - 1)
			bound = least(bound, n->in[0]->norm);
	}
	return bound;
}

static double element(const struct val *v, int64_t i)
{
	return v->dtype == DT_F32 && !v->factor ? (double)((const float *)v->data)[i] : ir_elem(v, i);
}

/* --- matrix products --------------------------------------------------- */

/* x W: |y_j| <= ||x|| ||w_j||, |y_j| <= max|x| sum_k|w_kj|; ||y|| <= ||x|| ||W||. */
static struct range times_constant(const struct val *x, const struct val *w, bool trans)
{
	struct matrix m = matrix_norms(w, trans);
	double top = least(x->norm < 0 ? -1 : x->norm * m.col2, known(x) ? range_max(x) * m.col1 : -1);
	return top < 0 ? range_unknown() : (struct range){ -top, top, x->norm < 0 ? -1 : x->norm * m.spectral };
}

/* W x: rows of the result are combinations of rows of x. */
static struct range constant_times(const struct val *w, const struct val *x, bool trans)
{
	struct matrix m = matrix_norms(w, false);          /* row1 of w */
	double top = known(x) ? m.row1 * range_max(x) : -1;
	return top < 0 ? range_unknown() : (struct range){ -top, top, trans || x->norm < 0 ? -1 : m.row1 * x->norm };
}

/* |a b_j| <= ||a|| ||b_j||; softmax rows give convex combinations of b's rows. */
static struct range secret_product(const struct val *a, const struct val *b, bool trans)
{
	int64_t inner = range_last(a);
	double col = trans ? b->norm : column_norm(b), row = trans ? -1 : b->norm;
	if (convex_rows(a) && known(b))
		return (struct range){ b->lo, b->hi, row };
	double top = both(a->norm, col, a->norm * col);
	if (known(a) && known(b))
		top = least(top, (double)inner * range_max(a) * range_max(b));
	double norm = both(a->norm, row, sqrt((double)inner) * a->norm * row);
	return top < 0 ? range_unknown() : (struct range){ -top, top, norm };
}

static struct range matmul_rule(const struct node *n)
{
	const struct val *a = n->in[0], *b = n->in[1], *bias = n->nin > 2 ? n->in[2] : NULL;
	bool trans = ir_int_or(n, ATTR_trans_b, 0) != 0;
	if (a->absent || b->absent)
		return range_unknown();
	struct range r = ir_is_const(b) ? times_constant(a, b, trans)
		: ir_is_const(a) ? constant_times(a, b, trans) : secret_product(a, b, trans);
	if (!bias || !(r.lo <= r.hi))
		return r;
	if (!known(bias))
		return range_unknown();
	double norm = row_norm(bias, range_last(n->out[0]));
	return (struct range){ r.lo + bias->lo, r.hi + bias->hi, both(r.norm, norm, r.norm + norm) };
}

/* --- elementwise ------------------------------------------------------- */

static struct range add_rule(const struct val *a, const struct val *b, bool minus, int64_t last)
{
	double na = row_norm(a, last), nb = row_norm(b, last);
	if (!known(a) || !known(b))
		return range_unknown();
	return (struct range){ a->lo + (minus ? -b->hi : b->lo), a->hi + (minus ? -b->lo : b->hi), both(na, nb, na + nb) };
}

static struct range times(struct range a, struct range b)
{
	double p[4] = { a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi };
	return interval(fmin(fmin(p[0], p[1]), fmin(p[2], p[3])), fmax(fmax(p[0], p[1]), fmax(p[2], p[3])));
}

static struct range mul_rule(const struct val *a, const struct val *b, int64_t last)
{
	double na = row_norm(a, last), nb = row_norm(b, last);
	if (!known(a) || !known(b))
		return range_unknown();
	struct range r = times(of(a), of(b));
	if (a == b)
		r = interval(0, range_max(a) * range_max(a));
	r.norm = least(na < 0 ? -1 : na * range_max(b), nb < 0 ? -1 : nb * range_max(a));
	return r;
}

static struct range recip_rule(const struct val *v)
{
	return !known(v) || (v->lo <= 0 && v->hi >= 0) ? range_unknown() : interval(1 / v->hi, 1 / v->lo);
}

static struct range div_rule(const struct val *a, const struct val *b, int64_t last)
{
	struct range inv = recip_rule(b);
	if (!known(a) || !(inv.lo <= inv.hi))
		return range_unknown();
	struct range r = times(of(a), inv);
	double na = row_norm(a, last);
	r.norm = na < 0 ? -1 : na * fmax(fabs(inv.lo), fabs(inv.hi));
	return r;
}

static struct range pow_rule(const struct val *a, const struct val *b)
{
	double e;
	if (!ir_scalar_value(b, &e) || !known(a))
		return range_unknown();
	double lo = pow(a->lo, e), hi = pow(a->hi, e);
	if (a->lo > 0 || (a->lo == 0 && e > 0))
		return interval(fmin(lo, hi), fmax(lo, hi));
	if (e <= 0 || e != floor(e))
		return range_unknown();
	return fmod(e, 2) == 0 ? interval(0, fmax(lo, hi)) : interval(lo, hi);
}

static double logistic(double x) { return 1 / (1 + exp(-x)); }

static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }

static struct range abs_rule(const struct val *v)
{
	if (!known(v))
		return range_unknown();
	return (struct range){ v->lo > 0 ? v->lo : v->hi < 0 ? -v->hi : 0, range_max(v), v->norm };
}

/* A function that the user described. */
static struct range act_rule(const struct node *n)
{
	const struct val *v = n->in[0];
	struct range r = range_unknown();
	return descriptor_range(n->desc, v->lo, v->hi, &r.lo, &r.hi) ? interval(r.lo, r.hi) : range_unknown();
}

/* f rising, |f(x)| <= slope |x| (slope < 0: no such bound). */
static struct range rising(const struct val *v, double (*f)(double), double lo, double hi, double slope)
{
	struct range r = known(v) ? interval(f(v->lo), f(v->hi)) : interval(lo, hi);
	r.norm = v->norm < 0 || slope < 0 ? -1 : slope * v->norm;
	return r;
}

/* x times something in [0, 1]: |f(x)| <= |x|, f(x) >= least. */
static struct range gated(const struct val *v, double at_least)
{
	if (!known(v))
		return range_unknown();
	return (struct range){ fmax(at_least, fmin(v->lo, 0)), fmax(v->hi, 0), v->norm };
}

static struct range scale_rule(const struct node *n)
{
	const struct val *v = n->in[0];
	double c = ir_f64(n, ATTR_factor);
	struct range r = known(v) ? times(of(v), interval(c, c)) : range_unknown();
	r.norm = v->norm < 0 ? -1 : v->norm * fabs(c);
	return r;
}

/* out_i = x_i cos_i -+ x_j sin_i for the pair (i, j): |out_i| <= r_i |(x_i, x_j)|
 * with r_i = |(cos_i, sin_i)|; per pair the norm grows by |(r_i, r_j)|, which is max r if both have the same angle. */
static struct range rope_rule(const struct node *n)
{
	const struct val *x = n->in[0], *c = n->in[1], *s = n->in[2];
	int64_t len = range_last(x), half = ir_int(n, ATTR_half), count = c->data ? ir_count(c) : 0;
	double r = 0, grow = 0;
	if (!c->data || !s->data || range_last(c) != len || ir_count(s) != count || half * 2 > len || !known(x))
		return range_unknown();
	for (int64_t i = 0; i < count; i++) {
		int64_t col = i % len, pair = col < half ? i + half : col < 2 * half ? i - half : i;
		double ri = hypot(element(c, i), element(s, i)), rj = hypot(element(c, pair), element(s, pair));
		bool same = element(c, i) == element(c, pair) && element(s, i) == element(s, pair);
		r = fmax(r, ri);
		grow = fmax(grow, same ? ri : hypot(ri, rj));
	}
	double top = r * least(sqrt(2) * range_max(x), x->norm);
	return (struct range){ -top, top, x->norm < 0 ? -1 : grow * x->norm };
}

/* --- normalisation, tables --------------------------------------------- */

/* A normalised row has norm <= sqrt(d), so each element too. */
static struct range norm_rule(const struct node *n)
{
	const struct val *g = n->nin > 1 ? n->in[1] : NULL, *b = n->nin > 2 ? n->in[2] : NULL;
	int64_t d = range_last(n->out[0]);
	double z = sqrt((double)d), nb = b ? row_norm(b, d) : 0;
	if (!g)
		return (struct range){ -z, z, z };
	if (!known(g) || (b && !known(b)))
		return range_unknown();
	double m = z * range_max(g);
	struct range r = { -m + (b ? b->lo : 0), m + (b ? b->hi : 0), nb < 0 ? -1 : m + nb };
	if (g->data && ir_count(g) == d && (!b || (b->data && ir_count(b) == d))) {
		r.lo = INFINITY; r.hi = -INFINITY;
		for (int64_t i = 0; i < d; i++) {
			double w = z * fabs(element(g, i)), at = b ? element(b, i) : 0;
			r.lo = fmin(r.lo, at - w); r.hi = fmax(r.hi, at + w);
		}
	}
	return r;
}

static struct range softmax_rule(const struct node *n)
{
	const struct val *v = n->out[0];
	if (n->op == OP_softmax_tril)
		return (struct range){ 0, 1, sqrt((double)ir_int(n, ATTR_rows)) };
	int64_t axis = ir_int(n, ATTR_axis);
	return (struct range){ 0, 1, axis == -1 || axis == v->rank - 1 ? 1 : -1 };
}

static struct range reduce_rule(const struct node *n)
{
	const struct val *v = n->in[0];
	int k; const int64_t *axes = ir_ints(n, ATTR_axes, &k);
	double terms = 1; bool last = false;
	for (int i = 0; i < k; i++) {
		int64_t axis = axes[i] < 0 ? axes[i] + v->rank : axes[i];
		terms *= (double)v->dim[axis];
		last |= axis == v->rank - 1;
	}
	if (!known(v))
		return range_unknown();
	if (n->op == OP_reduce_l2)
		return interval(0, k == 1 && last && v->norm >= 0 ? v->norm : sqrt(terms) * range_max(v));
	double f = n->op == OP_reduce_mean ? 1 : terms;
	struct range r = { f * v->lo, f * v->hi, last || v->norm < 0 ? -1 : f * v->norm };
	if (last && v->norm >= 0) {              /* |sum of a row| <= sqrt(length) ||row|| */
		double len = (double)range_last(v), top = f * v->norm / sqrt(len);
		r.lo = fmax(r.lo, -top); r.hi = fmin(r.hi, top);
	}
	return r;
}

/* --- layout ------------------------------------------------------------ */

/* A row of m elements in order touches at most this many rows of l. */
static double reshaped_norm(const struct val *v, int64_t m)
{
	int64_t l = range_last(v), rows;
	if (v->norm < 0 || l < 1)
		return -1;
	rows = l % m == 0 ? 1 : m % l == 0 ? m / l : (m - 2 + l) / l + 1;
	return sqrt((double)rows) * v->norm;
}

static struct range concat_rule(const struct node *n)
{
	const struct val *out = n->out[0];
	int64_t axis = ir_int(n, ATTR_axis);
	bool last = axis == -1 || axis == out->rank - 1;
	struct range r = of(n->in[0]);
	double norm = n->in[0]->norm;
	for (int k = 1; k < n->nin; k++) {
		double nk = n->in[k]->norm;
		r = hull(r, of(n->in[k]));
		norm = both(norm, nk, last ? hypot(norm, nk) : fmax(norm, nk));
	}
	r.norm = norm;
	return r;
}

static struct range layout_rule(const struct node *n)
{
	const struct val *v = n->in[0], *out = n->out[0];
	struct range r = of(v);
	int64_t last = range_last(out);
	int k = 0;
	switch (n->op) {
	case OP_reshape: r.norm = reshaped_norm(v, last); break;
	case OP_expand:  r.norm = row_norm(v, last); break;
	case OP_tril:    r.norm = v->norm < 0 ? -1 : v->norm * sqrt((double)(v->rank > 1 ? v->dim[v->rank - 2] : 1)); break;
	case OP_untril:
		r = hull(r, interval(0, 0));
		r.norm = convex_rows(out) ? 1 : v->norm;
		break;
	case OP_transpose: {
		const int64_t *perm = ir_ints(n, ATTR_perm, &k);
		r.norm = k && perm[k - 1] == k - 1 ? v->norm : k > 1 && perm[k - 1] == k - 2 ? column_norm(v) : -1;
		break;
	}
	case OP_slice: break;                    /* part of a row, or whole rows */
	case OP_gather: {
		int64_t axis = ir_int(n, ATTR_axis);
		bool whole = axis >= 0 && axis < v->rank - 1;
		r.norm = whole ? v->norm : -1;
		break;
	}
	default: r.norm = -1;
	}
	return r;
}

bool range_self_bounded(enum op op)
{
	return op == OP_softmax || op == OP_softmax_tril || op == OP_layernorm || op == OP_rmsnorm || op == OP_argmax;
}

struct range range_rule(const struct node *n, int k)
{
	const struct val *v = n->nin ? n->in[0] : NULL, *out = n->out[k];
	int64_t last = range_last(out);
	struct range r;
	switch (n->op) {
	case OP_matmul:  return matmul_rule(n);
	case OP_add:     return add_rule(v, n->in[1], false, last);
	case OP_sub:     return add_rule(v, n->in[1], true, last);
	case OP_mul:     return mul_rule(v, n->in[1], last);
	case OP_div:     return div_rule(v, n->in[1], last);
	case OP_neg:     return known(v) ? (struct range){ -v->hi, -v->lo, v->norm } : range_unknown();
	case OP_pow:     return pow_rule(v, n->in[1]);
	case OP_recip:   return recip_rule(v);
	case OP_sqrt:    return known(v) && v->hi >= 0 ? interval(sqrt(fmax(v->lo, 0)), sqrt(v->hi)) : range_unknown();
	case OP_exp:     return known(v) ? rising(v, exp, 0, INFINITY, -1) : range_unknown();
	case OP_log:     return known(v) && v->lo > 0 ? rising(v, log, 0, 0, -1) : range_unknown();
	case OP_softplus: return known(v) ? rising(v, softplus, 0, INFINITY, -1) : range_unknown();
	case OP_abs:     return abs_rule(v);
	case OP_act:     return act_rule(n);
	case OP_erf:     return rising(v, erf, -1, 1, 1.1284);
	case OP_tanh:    return rising(v, tanh, -1, 1, 1);
	case OP_sigmoid: return rising(v, logistic, 0, 1, -1);
	case OP_relu:    return gated(v, 0);
	case OP_gelu:    return gated(v, -0.171);
	case OP_silu:    return gated(v, -0.279);
	case OP_sin: case OP_cos: return interval(-1, 1);
	case OP_where:
		r = hull(of(n->in[1]), of(n->in[2]));
		r.norm = both(row_norm(n->in[1], last), row_norm(n->in[2], last), hypot(row_norm(n->in[1], last), row_norm(n->in[2], last)));
		return r;
	case OP_clip:
		r = interval(ir_f64(n, ATTR_lo), ir_f64(n, ATTR_hi));
		return known(v) ? interval(fmin(fmax(v->lo, r.lo), r.hi), fmin(fmax(v->hi, r.lo), r.hi)) : r;
	case OP_softmax: case OP_softmax_tril: return softmax_rule(n);
	case OP_reduce_mean: case OP_reduce_sum: case OP_reduce_l2: return reduce_rule(n);
	case OP_cast:    return of(v);
	case OP_argmax:  return interval(0, (double)v->dim[(ir_int(n, ATTR_axis) + v->rank) % v->rank] - 1);
	case OP_layernorm: case OP_rmsnorm: return norm_rule(n);
	case OP_scale:   return scale_rule(n);
	case OP_embedding: return of(v);
	case OP_softmax_pv: return of(n->in[1]); /* convex combinations of its rows */
	case OP_rope:    return rope_rule(n);
	case OP_concat:  return concat_rule(n);
	case OP_reshape: case OP_transpose: case OP_slice: case OP_expand: case OP_gather: case OP_tril: case OP_untril:
		return layout_rule(n);
	case OP_rescale: case OP_widen: case OP_step: case N_OP: break;
	}
	return range_unknown();
}
