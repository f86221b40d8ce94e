/* SPDX-License-Identifier: Apache-2.0
 * local.c -- gates that are linear or only move elements: no key, no message.
 * Applied to masked values they change x_hat and the dealer's r alike, so nothing
 * is opened.  Exact mod 2^n.
 */
#include "passes/gate/build.h"

/* A copy with strides: out[i] = in[a0 + sa.i], flat in the shape dim. */
static struct val *
copy(struct gb *g, struct val *x, int rank, const int64_t *dim, int64_t a0, const int64_t *sa)
{
	int64_t so[MAX_RANK];
	b_contiguous(rank, dim, so);
	struct suf_map map = b_map(rank, dim, so, sa, NULL);
	map.a0 = (uint64_t)a0;
	return b_lin(g, 1, x, 0, NULL, 0, x->type.bits, &map);
}

/* A constant scaled to `frac` fraction bits */
static const struct suf_table *
scaled(struct gb *g, const struct val *c, int64_t sign, unsigned frac)
{
	const uint32_t count = (uint32_t)b_count(c);
	if (c->type.frac > frac || c->dtype != DT_I64)
		BUG("'%s': a constant of %u fraction bits in a sum of %u", c->name, c->type.frac, frac);
	int64_t *t = b_words(g, count);
	for (uint32_t i = 0; i < count; i++)
		t[i] = (int64_t)((uint64_t)((const int64_t *)c->data)[i] << (frac - c->type.frac)) * sign;
	return b_table(g, c->name, count, t);
}

/* ca*a + cb*b, broadcast, operands brought to the output's fraction bits */
static bool
sum(struct gb *g, int64_t ca, int64_t cb)
{
	struct node *n = g->at;
	struct val *a = n->in[0], *b = n->in[1];
	const struct val *out = n->out[0];
	const unsigned f = out->type.frac, m = out->type.bits;
	if (ir_is_const(a)) {
		struct val *t = a;
		a = b;
		b = t;
		int64_t c = ca;
		ca = cb;
		cb = c;
	}
	if (a->type.frac > f || b->type.frac > f)
		BUG("'%s': a sum of %u and %u fraction bits to %u", out->name, a->type.frac, b->type.frac, f);
	ca *= 1ll << (f - a->type.frac);
	int64_t sa[MAX_RANK], sb[MAX_RANK], so[MAX_RANK];
	b_contiguous(out->rank, out->dim, so);
	b_strides(a, out->rank, out->dim, sa);
	b_strides(b, out->rank, out->dim, sb);
	const struct suf_map map = b_map(out->rank, out->dim, so, sa, sb), flat = b_map(out->rank, out->dim, so, so, sb);
	if (b->type.sec != SEC_PUBLIC)
		return b_done(g, b_lin(g, ca, a, cb * (1ll << (f - b->type.frac)), b, 0, m, &map));
	if (ca != 1) {
		a = b_lin(g, ca, a, 0, NULL, 0, m, &map);
		return b_done(g, b_addc(g, a, scaled(g, b, cb, f), m, &flat));
	}
	return b_done(g, b_addc(g, a, scaled(g, b, cb, f), m, &map));
}

bool
expand_local_add(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return sum(&g, 1, 1);
}

bool
expand_local_sub(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return sum(&g, 1, -1);
}

bool
expand_local_neg(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return b_done(&g, b_lin(&g, -1, n->in[0], 0, NULL, 0, n->in[0]->type.bits, NULL));
}

bool
expand_local_scale(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	const double factor = ir_f64(n, ATTR_factor);
	if (factor != (double)(int64_t)factor)
		BUG("'%s': scaled by %g, which is not an integer", n->out[0]->name, factor);
	return b_done(&g, b_lin(&g, (int64_t)factor, n->in[0], 0, NULL, 0, n->out[0]->type.bits, NULL)); /* 2^k x mod 2^(n+k) from x mod 2^n */
}

/* Copies the summed axes to the end, then sums rows. */
bool
expand_local_reduce_sum(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0];
	int naxes, k = 0, end = x->rank;
	const int64_t *axes = ir_ints(n, ATTR_axes, &naxes);
	bool summed[MAX_RANK] = {0}, trailing = true;
	int64_t dim[MAX_RANK], sa[MAX_RANK], s[MAX_RANK], len = 1;
	for (int j = 0; j < naxes; j++)
		summed[axes[j] < 0 ? axes[j] + x->rank : axes[j]] = true;
	b_contiguous(x->rank, x->dim, s);
	for (int pass = 0; pass < 2; pass++)
		for (int j = 0; j < x->rank; j++)
			if (summed[j] == (pass == 1)) {
				trailing &= j == k;
				dim[k] = x->dim[j];
				sa[k++] = s[j];
				len *= pass ? x->dim[j] : 1;
			}
	if (!trailing)
		x = copy(&g, x, end, dim, 0, sa);
	const struct suf_rows rows = b_rows(b_count(x) / (uint64_t)len, (uint64_t)len);
	return b_done(&g, b_row_sum(&g, x, &rows));
}

bool
expand_local_reshape(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return b_done(&g, n->in[0]);
}

bool
expand_local_transpose(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0], *out = n->out[0];
	int rank;
	const int64_t *perm = ir_ints(n, ATTR_perm, &rank);
	int64_t s[MAX_RANK], sa[MAX_RANK];
	b_contiguous(x->rank, x->dim, s);
	for (int k = 0; k < rank; k++)
		sa[k] = s[perm[k]];
	return b_done(&g, copy(&g, x, rank, out->dim, 0, sa));
}

static int
axis_of(const struct node *n, int rank)
{
	int64_t axis = ir_int(n, ATTR_axis);
	return (int)(axis < 0 ? axis + rank : axis);
}

bool
expand_local_slice(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0], *out = n->out[0];
	const int axis = axis_of(n, x->rank);
	int64_t s[MAX_RANK];
	b_contiguous(x->rank, x->dim, s);
	const int64_t a0 = ir_int(n, ATTR_start) * s[axis];
	s[axis] *= ir_int(n, ATTR_step);
	return b_done(&g, copy(&g, x, x->rank, out->dim, a0, s));
}

bool
expand_local_expand(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	int64_t sa[MAX_RANK];
	b_strides(n->in[0], n->out[0]->rank, n->out[0]->dim, sa);
	return b_done(&g, copy(&g, n->in[0], n->out[0]->rank, n->out[0]->dim, 0, sa));
}

/* Rows of `len` elements extended to `to` by zeros */
static struct val *
pad_rows(struct gb *g, struct val *x, uint64_t rows, uint64_t len, uint64_t to)
{
	if (len == to)
		return x;
	const struct suf_rows r = b_rows(rows, len);
	struct suf_step st = { .op = SUF_untril, .count = rows * to, .na = rows * len, .n = x->type.bits, .m = x->type.bits,
	                       .rows = &r, .c = (int64_t)to };
	return b_step(g, st, SEC_MASKED, 1, &x);
}

/* Joins rows of the two: [a 0] + [0 b], the latter as the reverse of [reversed b, 0]. */
static struct val *
join_rows(struct gb *g, struct val *a, uint64_t la, struct val *b, uint64_t lb, uint64_t rows)
{
	const int64_t n = (int64_t)(la + lb), r = (int64_t)rows, k = (int64_t)lb;
	const int64_t dim_b[2] = { r, k }, dim[2] = { r, n }, sb[2] = { k, 1 }, so[2] = { n, 1 }, back_b[2] = { k, -1 }, back[2] = { n, -1 };
	struct suf_map turn = b_map(2, dim_b, sb, back_b, NULL), add = b_map(2, dim, so, so, back);
	turn.a0 = lb - 1;
	add.b0 = la + lb - 1;
	struct val *turned = b_lin(g, 1, b, 0, NULL, 0, b->type.bits, &turn);
	return b_lin(g, 1, pad_rows(g, a, rows, la, la + lb), 1, pad_rows(g, turned, rows, lb, la + lb), 0, a->type.bits, &add);
}

bool
expand_local_concat(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	const struct val *out = n->out[0];
	const int axis = axis_of(n, out->rank);
	struct val *all = NULL;
	uint64_t rows = 1, len = 0;
	for (int k = 0; k < axis; k++)
		rows *= (uint64_t)out->dim[k];
	for (int k = 0; k < n->nin; k++) {
		struct val *x = n->in[k];
		const uint64_t own = b_count(x) / rows;
		if (ir_is_const(x)) /* a weight becomes a wire */
			x = b_lin(&g, 1, b_weight(&g, x, out->type.bits), 0, NULL, 0, out->type.bits, NULL);
		all = all ? join_rows(&g, all, len, x, own, rows) : x;
		len += own;
	}
	return b_done(&g, all);
}

/* Indices in arithmetic progression are one copy; others are as many copies as it takes, joined. */
bool
expand_local_gather(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0], *all = NULL;
	const int axis = axis_of(n, x->rank);
	const int64_t count = ir_count(n->in[1]), *index = n->in[1]->data, size = x->dim[axis];
	int64_t outer = 1, inner = 1;
	for (int k = 0; k < x->rank; k++) {
		outer *= k < axis ? x->dim[k] : 1;
		inner *= k > axis ? x->dim[k] : 1;
	}
	for (int64_t at = 0, run; at < count; at += run) {
		int64_t first = index[at] + (index[at] < 0 ? size : 0), step = 0;
		for (run = 1; at + run < count; run++) {
			int64_t d = index[at + run] + (index[at + run] < 0 ? size : 0) - first;
			step = run == 1 ? d : step;
			if (d != step * run)
				break;
		}
		const int64_t dim[3] = { outer, run, inner }, sa[3] = { size * inner, step * inner, 1 };
		struct val *part = copy(&g, x, 3, dim, first * inner, sa);
		all = all ? join_rows(&g, all, (uint64_t)(at * inner), part, (uint64_t)(run * inner), (uint64_t)outer) : part;
	}
	return b_done(&g, all);
}

bool
expand_local_tril(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	const struct val *x = n->in[0];
	const uint64_t cols = (uint64_t)x->dim[x->rank - 1], rows = (uint64_t)x->dim[x->rank - 2];
	const struct suf_rows r = b_tril_rows(b_count(x) / cols, rows, (uint64_t)ir_int_or(n, ATTR_past, 0));
	return b_done(&g, b_tril(&g, n->in[0], &r));
}

bool
expand_local_untril(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0];
	const int64_t cols = ir_int(n, ATTR_cols), rows = ir_int(n, ATTR_rows);
	const uint64_t count = b_count(n->out[0]);
	const struct suf_rows r = b_tril_rows(count / (uint64_t)cols, (uint64_t)rows, (uint64_t)ir_int_or(n, ATTR_past, 0));
	struct suf_step st = { .op = SUF_untril, .count = count, .na = b_count(x), .n = x->type.bits, .m = x->type.bits, .rows = &r, .c = cols };
	return b_done(&g, b_step(&g, st, SEC_MASKED, 1, &x));
}

/* x*cos + rotate(x)*sin; rotate(x) = [-x2, x1]: the sign goes into the table, the exchange of halves into strides. */
bool
expand_local_rope(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0];
	const struct val *co = n->in[1], *si = n->in[2], *out = n->out[0];
	const int rank = out->rank, last = rank - 1;
	const int64_t half = ir_int(n, ATTR_half), cols = si->dim[si->rank - 1];
	const unsigned bits = x->type.bits;
	if (2 * half != out->dim[last] || rank + 1 > MAX_RANK || cols != 2 * half)
		BUG("'%s': halves of %lld in rows of %lld", x->name, (long long)half, (long long)out->dim[last]);
	int64_t dim[MAX_RANK], so[MAX_RANK], sa[MAX_RANK], sc[MAX_RANK], ss[MAX_RANK];
	b_contiguous(rank, out->dim, so);
	b_strides(x, rank, out->dim, sa);
	b_strides(co, rank, out->dim, sc);
	b_strides(si, rank, out->dim, ss);
	const struct suf_map straight = b_map(rank, out->dim, so, sa, sc);
	struct val *a = b_mulc(&g, x, b_table(&g, co->name, (uint32_t)b_count(co), co->data), bits, &straight);
	int64_t *t = b_words(&g, b_count(si));
	for (int64_t i = 0; i < ir_count(si); i++)
		t[i] = i % cols < half ? -((const int64_t *)si->data)[i] : ((const int64_t *)si->data)[i];
	for (int k = 0; k < last; k++)
		dim[k] = out->dim[k];
	dim[last] = 2, dim[rank] = half; /* the last axis as two halves */
	so[last] = half, so[rank] = 1;
	sa[last] = -half, sa[rank] = 1;
	ss[last] = half, ss[rank] = 1;
	struct suf_map swapped = b_map(rank + 1, dim, so, sa, ss);
	swapped.a0 = (uint64_t)half;
	struct val *b = b_mulc(&g, x, b_table(&g, arena_printf(p->arena, "%s.signed", si->name), (uint32_t)b_count(si), t), bits, &swapped);
	return b_done(&g, b_lin(&g, 1, a, 1, b, 0, bits, NULL));
}
