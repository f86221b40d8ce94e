/* SPDX-License-Identifier: Apache-2.0
 * suf_norm.c -- LayerNorm and RMSNorm over the last axis of an input that need not be truncated yet
 * (after SUF: the truncation rides in the gate, comparisons of one key choose the scale of a row).
 *
 *     z = x - mean(x)                       mean: the row's sum in a wider ring, times 2^k/d, shifted by k
 *     v = sum (z >> s)^2 + eps d 2^(2f)     s = fraction bits of x - f
 *     q = (z >> s) 2^16 / sqrt(v / (d 2^(2f))), shifted by 16
 *
 * z >> s is never opened: both products take it from z_hat and its opened borrow bit.  |z| / sqrt(v / d) <= sqrt(d)
 * (Cauchy-Schwarz), so the ring of q, 2 + f + 16 + log2 sqrt(d) bits, needs no assumption about x.
 *
 * The root: bits [v >= 4^j] from one key give P = 4^(J-j) and Q = 2^(J-j) for 4^j <= v < 4^(j+1); the top 11 bits of
 * v P in [4^J, 4^(J+1)) index a table of 2^t / sqrt, relative error 2^-11; times Q, shifted by t.
 *
 * Opened, each under its own pad: per row the sum, the mean (borrow bit, value), v, J masked bits, P and Q, v P, its top
 * bits (borrow bit, value), what the look-up opens, the root before and after its shift (and a borrow bit); per element
 * the borrow bit of z, q, the borrow bit of q and the result; with gamma one product and its truncation more.
 * Conditions: the row's sum and z are below 2^(n-2), 0 < v < 2^(n-2): the ring rule of norms (passes/quantize_ring.c).
 */
#include <math.h>
#include "passes/gate/build.h"
#include "passes/gate/compact_chain.h"

enum { ROOT_FRAC = 16, INDEX = 11, LEAST_FACTOR_BITS = 8, FACTOR_BITS = 16 };

/* The row's mean, with the fraction bits of x.  The factor 2^k/d gets the bits that f - s (s: those x has too many) and
 * a ring of 64 bits leave; where that is too little, the sum drops bits first, which move the mean by at most 2^-f. */
static struct val *
mean(struct gb *g, struct val *x, unsigned s, const struct suf_rows *rows)
{
	const unsigned n = x->type.bits, f = x->type.frac - s, d = rows->first, log2 = (unsigned)ilogb((double)d);
	struct val *sum = b_row_sum(g, x, rows);
	if (d == 1u << log2)
		return log2 ? b_trunc_slack(g, sum, log2, n) : sum;
	const unsigned have = f > s ? f - s : 0, want = have < FACTOR_BITS ? FACTOR_BITS - have : 0, lift = want < 64 - n ? want : 64 - n;
	const unsigned drop = have + lift >= LEAST_FACTOR_BITS ? 0 : s + log2 < FACTOR_BITS ? s + log2 : FACTOR_BITS;
	const unsigned bits = drop ? drop : have + lift, wide = drop ? n : n + lift;
	struct val *at = drop ? b_trunc_slack(g, sum, drop, n) : lift ? b_open(g, b_gapext(g, sum, wide)) : sum;
	struct val *scaled = b_lin(g, llround(ldexp(1, (int)(bits + log2)) / (double)d), at, 0, NULL, 0, wide, NULL); /* by < 2^bits */
	return b_trunc_slack(g, scaled, bits + log2 - drop, n);
}

/* Smallest k with 2^k > sqrt(d), with room for the root's error */
static unsigned
root_bits(uint64_t d)
{
	unsigned k = 0;
	while (1ull << 2 * k <= d + d / 64)
		k++;
	return k;
}

/* 2^(t+c) / sqrt(u) in the middle of each cell of u = i 2^shift; below 2^(INDEX-2) no index comes. */
static const struct suf_table *
root_table(struct gb *g, double factor, unsigned shift, unsigned J)
{
	int64_t *t = b_words(g, 1u << INDEX);
	for (uint32_t i = 1u << (INDEX - 2); i < 1u << INDEX; i++)
		t[i] = llround(factor / sqrt(ldexp(i + 0.5, (int)shift)));
	return b_table(g, arena_printf(g->p->arena, "root_%u_%.0f", J, factor), 1u << INDEX, t);
}

/* 2^c / sqrt(v / d) mod 2^m for 0 < v < 2^(n-2), opened. */
static struct val *
inverse_root(struct gb *g, struct val *v, uint64_t d, double c, unsigned m)
{
	const unsigned n = v->type.bits, J = (n - 3) / 2, shift = 2 * J + 2 - INDEX; /* v < 4^(J+1) <= 2^(n-1) */
	int64_t *at = b_words(g, J), *p = b_words(g, J), *q = b_words(g, J);
	for (unsigned j = 1; j <= J; j++) {
		at[j - 1] = INT64_C(1) << 2 * j;
		p[j - 1] = (INT64_C(1) << 2 * (J - j)) - (INT64_C(1) << 2 * (J - j + 1));
		q[j - 1] = (INT64_C(1) << (J - j)) - (INT64_C(1) << (J - j + 1));
	}
	/* T Q 2^-t = factor / sqrt(v): T has about INDEX + 2 bits */
	const double least = exp2(c) * sqrt((double)d) / ldexp(1, (int)J + 1); /* T without 2^t is between this and twice of it */
	const int extra = INDEX + 1 - ilogb(least);
	const unsigned t = extra > 0 ? (unsigned)extra : 0;
	const char *powers = arena_printf(g->p->arena, "powers_of_4_%u", J);
	struct val *bits = b_drelu(g, v, n, J, at, NULL, powers);
	struct val *P = b_open(g, b_bitdot(g, bits, J, INT64_C(1) << 2 * J, n, p, arena_printf(g->p->arena, "normalise_4_%u", J)));
	struct val *Q = b_open(g, b_bitdot(g, bits, J, INT64_C(1) << J, m + t, q, arena_printf(g->p->arena, "scale_2_%u", J)));
	struct val *i = b_trunc_reduce(g, b_open(g, b_mul(g, v, P, NULL)), shift, INDEX);
	const struct suf_table *table = root_table(g, ldexp(exp2(c) * sqrt((double)d), (int)t), shift, J);
	struct val *root = b_open(g, b_mul(g, b_open(g, b_lut(g, i, INDEX, m + t, table)), Q, NULL));
	return t ? b_trunc_slack(g, root, t, m) : root;
}

static bool
norm(struct gb *g, bool center)
{
	struct node *node = g->at;
	struct val *x = node->in[0], *gamma = node->nin > 1 ? node->in[1] : NULL, *beta = node->nin > 2 ? node->in[2] : NULL;
	const struct val *out = node->out[0];
	const unsigned n = x->type.bits, s = (unsigned)ir_int_or(node, ATTR_shift, 0), f = x->type.frac - s;
	const uint64_t d = (uint64_t)x->dim[x->rank - 1];
	const struct suf_rows rows = b_rows(b_count(x) / d, d);
	struct val *z = center ? b_row_lin(g, 1, x, -1, mean(g, x, s, &rows), &rows) : x;
	struct val *carry = b_carry(g, z, s);
	const int64_t eps = llround(ir_f64(node, ATTR_eps) * (double)d * ldexp(1, 2 * (int)f));
	struct val *v = b_lin(g, 1, b_open(g, b_shift_sq(g, z, carry, s, n, &rows)), 0, NULL, eps < 1 ? 1 : eps, n, NULL);
	const unsigned m = 2 + f + ROOT_FRAC + root_bits(d);
	struct val *root = inverse_root(g, v, d, (double)(f + ROOT_FRAC), m);
	struct val *q = b_open(g, b_shift_mul(g, z, carry, s, root, m, &rows));
	if (!gamma)
		return b_done(g, b_trunc_slack(g, q, ROOT_FRAC, out->type.bits));
	struct val *y = gate_affine(g, b_trunc_slack(g, q, ROOT_FRAC, n), gamma, beta, &rows, f);
	const int shift = (int)(f + gamma->type.frac) - out->type.frac;
	if (shift < 0)
		BUG("'%s': %u fraction bits out", out->name, out->type.frac);
	return b_done(g, shift ? b_trunc_slack(g, y, (unsigned)shift, out->type.bits) : y);
}

bool
expand_suf_layernorm(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return norm(&g, true);
}

bool
expand_suf_rmsnorm(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return norm(&g, false);
}
