/* SPDX-License-Identifier: Apache-2.0
 * compact_norm.c -- LayerNorm and RMSNorm of the set `compact` (docs/compact.md, norms).
 *
 *     z = x - mean         the row's sum is local, in the ring of x; 1/d after an extension of one value a row
 *     v = sum z^2 + eps d  exact, then its low bits dropped
 *     1/sigma              v is normalised, its inverse root comes from quadratics on cells, times a power of two by v's size
 *     y = z / sigma        one product with the mask shares that the squares used already
 *
 * Opened, each under its own pads: per row the extended sum, v, the bits of its size, its normalised top 16 bits, three
 * words of the pieces, the mantissa of the root, 1/sigma; per element the result.
 * Conditions: |z| 2^f < 2^(n-2), the row's sum too (formats.c); v < 2^(N-1) by the row's norm.
 */
#include <math.h>
#include "passes/formats.h"
#include "passes/gate/build.h"
#include "passes/gate/compact.h"
#include "passes/gate/compact_cells.h"
#include "passes/range.h"

enum { MEAN_BITS = 14, TOP = 16, INDEX_BITS = 8, CELL = 8, ROOT_FRAC = 26, LEAST_SUM = 11, WIDEST = 64, MOST_RHO = 18 };

/* The mean of each row, in the ring of x. */
static struct val *
mean(struct gb *g, struct val *x, const struct suf_rows *rows)
{
	const unsigned n = x->type.bits;
	struct val *sum = b_open(g, b_gapext(g, b_row_sum(g, x, rows), n + (unsigned)MEAN_BITS));
	return b_shift(g, b_lin(g, llround(ldexp(1, MEAN_BITS) / rows->first), sum, 0, NULL, 0, n + (unsigned)MEAN_BITS, NULL), MEAN_BITS, n);
}

/* Numbers of the row's variance: ring N, dropped bits s, so v has nv = N - s bits; K sizes; then 1/sigma = w 2^(2(K-c) - ec)
 * with w = factor (u/8)^-1/2 < 1 and rho fraction bits. */
struct norm { unsigned f, N, s, nv, K, ec, rho, M; double factor; };

static struct norm
numbers(const struct node *n)
{
	const struct val *x = n->in[0], *out = n->out[0];
	const unsigned f = x->type.frac, d = (unsigned)range_last(x), m = out->type.bits + (n->nin > 1 ? n->in[1]->type.frac : 0u);
	const double eps = fmax(ir_f64(n, ATTR_eps) * d * ldexp(1, 2 * (int)f), ldexp(1, LEAST_SUM));
	const double norm = x->norm >= 0 ? x->norm : range_max(x) * sqrt(d), most = (norm + 1) * (norm + 1) * ldexp(1, 2 * (int)f) * 1.01 + eps;
	struct norm k = { .f = f };
	k.s = ilogb(eps) > LEAST_SUM ? (unsigned)(ilogb(eps) - LEAST_SUM) : 0;
	k.N = isfinite(most) && most < 0x1p62 ? (unsigned)ilogb(most) + 2 : WIDEST;
	if (k.N < k.s + TOP + 4)
		k.N = k.s + TOP + 4;
	k.nv = k.N - k.s;
	k.K = (k.nv - TOP + 3) / 4;
	/* 1/sigma = C u^-1/2 2^(2(K-c)) */
	const double c = sqrt(d * ldexp(1, 2 * (int)f - (int)k.s)) * exp2(-4 - ((double)k.nv - TOP) / 2) / sqrt(8);
	k.ec = c >= 0.5 ? 0 : (unsigned)ceil(-log2(c)) - 1;
	k.factor = ldexp(c, (int)k.ec);
	const unsigned fixed = m + f - out->type.frac + k.ec;
	k.rho = fixed + MOST_RHO <= WIDEST ? MOST_RHO : fixed < WIDEST ? WIDEST - fixed : 0;
	k.M = m + f + k.rho - out->type.frac;
	return k;
}

static double
inverse_root(double u, void *factor)
{
	return *(const double *)factor / sqrt(fmax(u, 0.5) / 8);
}

/* 1/sigma of each row in M bits with rho fraction bits, opened. */
static struct val *
root(struct gb *g, struct val *v, const struct norm *k)
{
	const unsigned wide = k->M + k->ec;
	double factor = k->factor;
	struct val *bits, *top = b_row_scale(g, v, k->K, &bits);
	const struct cell_fn fn = { .fn = inverse_root, .arg = &factor, .step = 1, .b = INDEX_BITS, .first = 8, .last = 129 };
	const struct suf_table *t = b_cell_table(g, arena_printf(g->p->arena, "root_%.9g", factor), &fn, CELL, ROOT_FRAC, 0x1p-13);
	if (!t)
		return NULL;
	struct val *w = b_open(g, b_cells(g, top, t, INDEX_BITS, CELL, 0, ROOT_FRAC - k->rho, wide));
	int64_t *step = b_words(g, k->K);
	for (unsigned j = 1; j <= k->K; j++)
		step[j - 1] = (INT64_C(1) << 2 * (k->K - j)) - (INT64_C(1) << 2 * (k->K - j + 1));
	return b_open(g, b_bitmul(g, bits, k->K, w, INT64_C(1) << 2 * k->K, step, k->ec, k->M, arena_printf(g->p->arena, "root_steps_%u", k->K)));
}

static bool
norm(struct gb *g, bool center)
{
	struct node *n = g->at;
	const struct val *out = n->out[0];
	const uint64_t d = (uint64_t)range_last(n->in[0]);
	const struct suf_rows rows = b_rows(b_count(n->in[0]) / d, d);
	const struct norm k = numbers(n);
	const unsigned own = format_operand(n, 0), need = k.N - 1 > k.M ? k.N - 1 : k.M, up = n->nin > 1 ? n->in[1]->type.frac : 0u, m = out->type.bits + up;
	if (k.rho < 12 || k.N >= WIDEST || m > WIDEST)
		return b_ring_error(g, WIDEST + 1);
	struct val *x = b_reduce(g, n->in[0], own < n->in[0]->type.bits ? own : n->in[0]->type.bits), *r, *msb;
	struct val *z = center ? b_row_lin(g, 1, x, -1, mean(g, x, &rows), &rows) : x;
	const double eps = ir_f64(n, ATTR_eps) * (double)d * ldexp(1, 2 * (int)k.f);
	struct val *v = b_open(g, b_normsq(g, z, &rows, need, llround(fmax(eps, 1)), k.s, k.nv, &r, &msb));
	struct val *rho = root(g, v, &k);
	if (!rho)
		return false;
	struct val *y = b_open(g, b_normmul(g, rho, z, r, msb, &rows, k.M - m, m));
	if (!up)
		return b_done(g, y);
	return b_done(g, b_shift(g, gate_affine(g, y, n->in[1], n->nin > 2 ? n->in[2] : NULL, &rows, out->type.frac), up, out->type.bits));
}

bool
expand_compact_layernorm(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return norm(&g, true);
}

bool
expand_compact_rmsnorm(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return norm(&g, false);
}
