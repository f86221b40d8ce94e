/* SPDX-License-Identifier: Apache-2.0
 * norm.c -- LayerNorm and RMSNorm over the last axis.
 * SIGMA (eprint 2023/1269), section 5.4; its comparison-based normalisation of the
 * square sum: the bits [v >= 2^j] of one comparison key give the exponent
 * k = floor(log2 v) and u = 2^(n-1-k); v u is normalised, and its top bits are the mantissa.
 *
 * Unlike the public implementation: the mean's 1/d is exact to at least f+8
 * bits, eps is added, and everything is reduced before it is sent.
 *
 * Opened, each under its own pad: the mean (two truncations); per row the square
 * sum, n-2 masked bits, u, k, v u, the mantissa and the table's outputs; per
 * element z t, its truncation; the product with gamma and its truncation, where
 * there is a gamma.
 * Conditions: |sum of x| 2^k < 2^(n-1) for the mean, 0 < sum of z^2 < 2^(n-1).
 */
#include <math.h>
#include "passes/gate/build.h"

/* Fraction bits of 1/d: as many as the known range of x leaves room for. */
static unsigned
mean_bits(const struct val *x, unsigned f)
{
	const unsigned least = f + 8, n = x->type.bits;
	unsigned size = b_width(x) - 1; /* |mean| <= 2^size */
	if (x->from != RANGE_NONE && x->lo <= x->hi) {
		int e;
		frexp(ldexp(fmax(fabs(x->lo), fabs(x->hi)), x->type.frac) + 64, &e); /* < 2^e */
		unsigned known = (unsigned)e + (x->from == RANGE_CALIBRATED ? 4 : 1);
		size = known < size ? known : size;
	}
	unsigned k = n > size + 2 ? n - 2 - size : 0;
	k = k > 30 ? 30 : k;
	return k > least ? k : least;
}

static struct val *
mean(struct gb *g, struct val *x, const struct suf_rows *rows, unsigned f)
{
	const uint64_t d = rows->first;
	const unsigned n = x->type.bits;
	struct val *sum = b_row_sum(g, x, rows);
	unsigned log2 = 0;
	while ((1ull << log2) < d)
		log2++;
	if ((1ull << log2) == d)
		return log2 ? b_trunc_floor(g, sum, log2, n) : sum;
	const unsigned k = mean_bits(x, f);
	return b_trunc_floor(g, b_lin(g, llround(ldexp(1, (int)k) / (double)d), sum, 0, NULL, 0, n, NULL), k, n);
}

/* T[k + 64 m] = 2^(2f) / sqrt((m + 128.5) 2^(k-7) / d): the middle of the cell, error at most 2^-9 */
static const struct suf_table *
rsqrt_table(struct gb *g, unsigned f, uint64_t d)
{
	const char *name = arena_printf(g->p->arena, "rsqrt_d%llu_f%u", (unsigned long long)d, f);
	const struct suf_table *known = b_known_table(g, name);
	if (known)
		return known;
	int64_t *t = b_words(g, 1u << 13);
	for (int m = 0; m < 128; m++)
		for (int k = 0; k < 64; k++)
			t[k + 64 * m] = (int64_t)(ldexp(1, 2 * (int)f) / sqrt(ldexp(m + 128.5, k - 7) / (double)d));
	return b_table(g, name, 1u << 13, t);
}

/* 2^f / sqrt(v / d) in units of the input, v > 0 a sum of d squares */
static struct val *
rsqrt(struct gb *g, struct val *v, uint64_t d, unsigned f)
{
	const unsigned n = v->type.bits;
	const uint32_t bits = n - 2;
	int64_t *at = b_words(g, bits), *u = b_words(g, bits), *one = b_words(g, bits);
	for (uint32_t j = 1; j <= bits; j++) {
		at[j - 1] = INT64_C(1) << j;
		u[j - 1] = (int64_t)((1ull << (n - 1 - j)) - (1ull << (n - j)));
		one[j - 1] = 1;
	}
	const char *log = arena_printf(g->p->arena, "powers_n%u", n), *nrm = arena_printf(g->p->arena, "normalise_n%u", n);
	struct val *b = b_drelu(g, v, n, bits, at, NULL, log);
	struct val *scale = b_bitdot(g, b, bits, (int64_t)(1ull << (n - 1)), n, u, nrm);       /* 2^(n-1-k) */
	struct val *k = b_open(g, b_bitdot(g, b, bits, 0, 13, one, arena_printf(g->p->arena, "ones_n%u", n)));
	struct val *vu = b_open(g, b_mul(g, v, b_open(g, scale), NULL));  /* in [2^(n-1), 2^n) */
	struct val *m = b_trunc_reduce(g, vu, n - 8, 7);                  /* the bits below the leading one */
	struct val *index = b_lin(g, 1, k, 64, m, 0, 13, NULL);
	return b_open(g, b_lut(g, index, 13, n, rsqrt_table(g, f, d)));
}

/* a * weight along the last axis, opened, plus beta << (its missing fraction bits) */
struct val *
gate_affine(struct gb *g, struct val *q, struct val *gamma, struct val *beta, const struct suf_rows *rows, unsigned f)
{
	const int64_t dim[2] = { (int64_t)rows->count, rows->first }, s[2] = { dim[1], 1 }, row[2] = { 0, 1 };
	const unsigned n = q->type.bits;
	const struct suf_map map = b_map(2, dim, s, s, row);
	struct val *y = b_times(g, q, gamma, &map);
	if (!beta)
		return y;
	const int up = (int)(f + gamma->type.frac) - beta->type.frac;
	if (up < 0)
		BUG("'%s': beta has %u fraction bits, the product %u", beta->name, beta->type.frac, f + gamma->type.frac);
	return b_lin(g, 1, y, INT64_C(1) << up, b_weight(g, beta, n), 0, n, &map);
}

/* The weight vectors have one element per column. */
static void
need_columns(const struct val *w, uint64_t d)
{
	if (b_count(w) != d || !ir_is_const(w))
		BUG("'%s': a weight of %llu elements was expected", w->name, (unsigned long long)d);
}

bool
gate_norm(struct gb *g, bool center)
{
	struct node *node = g->at;
	struct val *x = node->in[0], *gamma = node->nin > 1 ? node->in[1] : NULL, *beta = node->nin > 2 ? node->in[2] : NULL;
	const unsigned n = x->type.bits, f = x->type.frac;
	const uint64_t d = (uint64_t)x->dim[x->rank - 1];
	const struct suf_rows rows = b_rows(b_count(x) / d, d);
	if (gamma)
		need_columns(gamma, d);
	if (beta)
		need_columns(beta, d);
	struct val *z = center ? b_row_lin(g, 1, x, -1, mean(g, x, &rows, f), &rows) : x;
	int64_t eps = llround(ir_f64(node, ATTR_eps) * (double)d * ldexp(1, 2 * (int)f));
	eps = eps < 1 ? 1 : eps; /* a row of zeros has a logarithm, too */
	struct val *v = b_lin(g, 1, b_open(g, b_sqsum(g, z, &rows)), 0, NULL, eps, n, NULL);
	struct val *t = rsqrt(g, v, d, f);
	struct val *q = b_trunc_slack(g, b_open(g, b_mul_rows(g, z, t, &rows)), f, n); /* |q| <= sqrt(d) 2^f */
	if (!gamma)
		return b_done(g, q);
	struct val *y = gate_affine(g, q, gamma, beta, &rows, f);
	const int shift = (int)(f + gamma->type.frac) - node->out[0]->type.frac;
	if (shift < 0)
		BUG("'%s': %u fraction bits out", node->out[0]->name, node->out[0]->type.frac);
	return b_done(g, shift ? b_trunc_slack(g, y, (unsigned)shift, n) : y);
}
