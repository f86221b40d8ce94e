/* SPDX-License-Identifier: Apache-2.0
 * wshare.c -- product of a shared value with a public matrix: each party multiplies its share,
 *     z_p W (+ bias at party 0) + pad_p,
 * so the result is masked by r W + pad_0 + pad_1 (define_last: more than the pads).
 *
 * Opened here: nothing; the operand is never opened for it.  The result's share carries a fresh pad of full width, since a
 * share times W need not be uniform.
 */
#include "public.h"

/* [product: count][work], both 64-byte aligned */
static uint64_t product_elems(const struct suf_step *s) { return (s->count + 7) & ~7ull; }
static size_t wshare_scratch(const struct suf_step *s) { return (size_t)product_elems(s) * 8 + public_scratch(s); }

static enum suf_err
wshare_deal(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *product = run_scratch(r, wshare_scratch(s)), *mask = run_mask(r, s->out[0]);
	if (!product)
		return r->err;
	public_product(r, s, run_weight(r, s->in[1]), NULL, run_mask(r, s->in[0]), product, product + product_elems(s));
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, mask);
	for (uint64_t i = 0; i < s->count; i++)
		mask[i] = (mask[i] + product[i]) & ring_mask(s->m);
	return SUF_OK;
}

static enum suf_err
wshare_eval(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *work = run_scratch(r, wshare_scratch(s)), *z = run_wire(r, s->out[0]);
	if (!work)
		return r->err;
	public_product(r, s, run_weight(r, s->in[1]), r->party == 0 ? public_bias(r, s) : NULL, run_wire(r, s->in[0]), z, work);
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, z);
	return SUF_OK;
}

/* Party 0's share. */
static void
sim_share0(struct suf_run *r, const struct suf_step *s, uint64_t *scratch)
{
	uint64_t *z0 = run_share0(r, s->out[0]);
	public_product(r, s, run_weight(r, s->in[1]), public_bias(r, s), run_share0(r, s->in[0]), z0, scratch + product_elems(s));
	party_pad(r, 0, s->id, 0, 0, (size_t)s->count, s->m, scratch);
	for (uint64_t i = 0; i < s->count; i++)
		z0[i] = (z0[i] + scratch[i]) & ring_mask(s->m);
}

static enum suf_err
wshare_sim(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *scratch = run_scratch(r, wshare_scratch(s));
	if (!scratch)
		return r->err;
	public_product(r, s, run_weight(r, s->in[1]), public_bias(r, s), run_wire(r, s->in[0]), run_wire(r, s->out[0]), scratch);
	if (r->plan.narrow)
		sim_share0(r, s, scratch);
	return wshare_deal(r, s);
}

const struct step_impl step_wshare = { wshare_deal, wshare_eval, wshare_sim, NULL, wshare_scratch };
