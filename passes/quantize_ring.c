/* SPDX-License-Identifier: Apache-2.0
 * quantize_ring.c -- the width of the ring.
 *
 * One rule for every value x with f fraction bits: |x| * 2^(2f) < 2^(n-2).
 *  - a product has 2f fraction bits before its truncation, and the truncation
 *    needs a bit to spare (|v| < 2^(n-2));
 *  - what is compared or looked up (softmax, gelu, relu ..) works on n - f bits,
 *    again with a bit to spare: |x| * 2^f < 2^(n-f-2), the same inequality.
 * A row of a norm is squared and summed: ||x||^2 * 2^(2f) < 2^(n-2).  Its sum is d
 * times the mean, |mean| <= ||x|| / sqrt(d), and fits as it is where d is a power of
 * two; else it is multiplied by 2^(f+8)/d.
 */
#include <math.h>
#include <string.h>
#include "passes/quantize.h"
#include "passes/range.h"

enum { SMALLEST = 37, WIDEST = 64, NAMED = 5, MEAN = 256 /* 1/d has at least f + 8 bits in passes/gate/norm.c */ };

/* Smallest n with magnitude * 2^(2f) < 2^(n-2). */
static int bits_for(double magnitude, int frac)
{
	if (!isfinite(magnitude))
		return WIDEST + 1;
	int e = magnitude > 0 ? ilogb(magnitude) + 1 : 0;
	return 2 * frac + 2 + (e > 0 ? e : 0);
}

static int node_need(const struct node *n, int k, int frac)
{
	const struct val *v = n->in[k];
	bool ids = n->op == OP_embedding && k == 1;
	if (v->data || ids)
		return 0;
	if (n->op == OP_layernorm || n->op == OP_rmsnorm) {
		double norm = v->norm < 0 ? INFINITY : v->norm, d = (double)range_last(v), mean = fmin(range_max(v), norm / sqrt(d));
		bool shifted = exp2(rint(log2(d))) == d;
		int sum = n->op == OP_layernorm ? bits_for(mean * (shifted ? ldexp(d, -frac) : MEAN), frac) : 0;
		int squares = bits_for(norm * norm, frac);
		return squares > sum ? squares : sum;
	}
	return bits_for(range_max(v), frac);
}

/* No bound here though all operands have one (or there are none): where the trouble starts. */
static bool starts_unknown(const struct val *v)
{
	if (v->from != RANGE_NONE || v->data)
		return false;
	for (int k = 0; v->def && k < v->def->nin; k++)
		if (v->def->in[k]->from == RANGE_NONE && !v->def->in[k]->data)
			return false;
	return true;
}

static const struct loc *loc_of(const struct val *v)
{
	return v->def ? &v->def->loc : NULL;
}

static void warn_unknown(struct prog *p, bool forced)
{
	int count = 0;
	for (int i = 0; i < p->nvals; i++) {
		const struct val *v = p->vals[i];
		bool used = v->nuse > 0 && starts_unknown(v), ids = v->dtype == DT_I64 && !v->def;
		if (!used || (ids && v->lo <= v->hi) || count++ >= NAMED)
			continue;
		diag_warning(p->diag, loc_of(v), "no-range", "nothing bounds '%s'; %s", v->name,
		             forced ? "it may not fit the ring that was asked for" : "the widest ring, 64 bits, is used");
		diag_hint(p->diag, "give example inputs: --calibrate=FILE.npz%s", forced ? "" : "; or choose a width: --ring-bits=N");
	}
}

static void warn_tight(struct prog *p, int frac, int bits)
{
	int count = 0;
	for (struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++) {
			const struct val *v = n->in[k];
			int need = node_need(n, k, frac);
			if (need <= bits || v->from == RANGE_NONE || count++ >= NAMED)
				continue;
			diag_warning(p->diag, &n->loc, "ring-too-small", "'%s' (|x| <= %.4g, row norm <= %.4g, %s) needs %d ring bits in %s, the ring has %d",
			             v->name, range_max(v), v->norm, v->from == RANGE_PROVEN ? "proven" : "calibrated", need, op_desc[n->op].name, bits);
			diag_hint(p->diag, bits == WIDEST ? "fewer fraction bits (--frac-bits=F), or example inputs for tighter ranges (--calibrate=FILE.npz)"
			                                  : "--ring-bits=%d, or example inputs for tighter ranges (--calibrate=FILE.npz)", need > WIDEST ? WIDEST : need);
		}
	if (count > NAMED)
		diag_hint(p->diag, "and %d more values", count - NAMED);
}

int ring_bits_choose(struct prog *p, int frac)
{
	int most = SMALLEST, forced = p->opt ? p->opt->ring_bits : 0;
	bool unknown = false;
	for (struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++) {
			int need = node_need(n, k, frac);
			unknown |= need > WIDEST && n->in[k]->from == RANGE_NONE;
			most = need > most ? need : most;
		}
	for (int k = 0; k < p->nout; k++) {
		int need = p->out[k]->dtype == DT_F32 && !p->out[k]->data ? bits_for(range_max(p->out[k]), frac) : 0;
		unknown |= need > WIDEST && p->out[k]->from == RANGE_NONE;
		most = need > most ? need : most;
	}
	int bits = forced ? forced : most > WIDEST ? WIDEST : most;
	if (unknown && !(p->opt && p->opt->no_weights)) /* then no range is known at all */
		warn_unknown(p, forced != 0);
	if (most > bits)
		warn_tight(p, frac, bits);
	return bits;
}
