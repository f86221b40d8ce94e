/* SPDX-License-Identifier: Apache-2.0
 * gapext.c -- extension of a masked value with a one-bit gap, x in
 * [-2^(n-2), 2^(n-2)), from n to m bits with no opening before it: the wrap of
 * x + 2^(n-2) + r is u * msb(r) with u public (docs/gates.md, gap extension).
 *
 * Outside that range the result is off by 2^n for a part of the masks.
 * Opened here: nothing; the output share carries a fresh pad of full width.
 */
#include "blocks.h"
#include "kernels/steps.h"

static enum suf_err
gapext_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]);
	uint64_t msb[SUF_BLOCK], low[SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		for (uint64_t i = 0; i < k; i++) {
			low[i] = rx[at + i] & ring_mask(s->n);
			msb[i] = low[i] >> (s->n - 1);
		}
		enum suf_err e = deal_corr(r, s, PART_gapext_r, at, k, low);
		if (!e)
			e = deal_corr(r, s, PART_gapext_msb, at, k, msb);
		if (e)
			return e;
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
gapext_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]);
	uint64_t *out = run_wire(r, s->out[0]), msb[SUF_BLOCK], rs[SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		enum suf_err e = eval_corr(r, s, PART_gapext_r, at, k, rs);
		if (!e)
			e = eval_corr(r, s, PART_gapext_msb, at, k, msb);
		if (e)
			return e;
		for (uint64_t i = 0; i < k; i++)
			out[at + i] = suf_gapext_eval(r->party, s->n, x[at + i], rs[i], msb[i]) & ring_mask(s->m);
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, out);
	return SUF_OK;
}

static enum suf_err
gapext_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]);
	uint64_t *out = run_wire(r, s->out[0]), *z0 = run_share0(r, s->out[0]);
	uint64_t *rs = run_scratch(r, (size_t)s->count * 4 * 8);
	if (!rs)
		return r->err;
	uint64_t *ms = rs + s->count, *r0 = ms + s->count, *m0 = r0 + s->count;
	for (uint64_t i = 0; i < s->count; i++) {
		rs[i] = rx[i] & ring_mask(s->n);
		ms[i] = rs[i] >> (s->n - 1);
	}
	sim_corr(r, s, PART_gapext_r, 0, s->count, rs, r0);
	sim_corr(r, s, PART_gapext_msb, 0, s->count, ms, m0);
	for (uint64_t i = 0; i < s->count; i++) {
		uint64_t xh = (x[i] + rs[i]) & ring_mask(s->n);
		out[i] = suf_gapext_eval(0, s->n, xh, rs[i], ms[i]) & ring_mask(s->m);
		z0[i] = suf_gapext_eval(0, s->n, xh, r0[i], m0[i]);
	}
	party_pad(r, 0, s->id, 0, 0, (size_t)s->count, s->m, r0);
	for (uint64_t i = 0; i < s->count; i++)
		z0[i] = (z0[i] + r0[i]) & ring_mask(s->m);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

static size_t gapext_scratch(const struct suf_step *s) { return (size_t)s->count * 4 * 8; }

const struct step_impl step_gapext = { gapext_deal, gapext_eval, gapext_sim, NULL, gapext_scratch };
